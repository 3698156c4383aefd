//! What would mend it, as calls that are ready to be made.

use serde_json::{Value, json};

use super::super::authorization::{Act, check_plan};
use super::super::projection::Seen;
use super::super::role::{Permission, Role};
use super::super::user::UserStatus;
use super::{Facts, Question, Reason};

/// A remedy. What is done at the identity provider, or by the user, is no call.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Fix {
    /// Its name.
    pub id: &'static str,
    /// The method of the call.
    pub method: Option<&'static str>,
    /// The path of the call.
    pub path: Option<String>,
    /// The body of the call; what is null in it is the caller's to choose.
    pub body: Option<Value>,
    /// The permission that its caller needs.
    pub needs_permission: Option<&'static str>,
}

/// Somebody's to do, and no call.
fn by_hand(id: &'static str) -> Fix {
    Fix { id, method: None, path: None, body: None, needs_permission: None }
}

/// The remedies for these reasons, each once; without those that the company's plan does not include.
pub(super) fn fixes<'r>(
    facts: &Facts<'_>,
    question: &Question,
    reasons: impl Iterator<Item = &'r Reason>,
) -> Vec<Fix> {
    let mut out: Vec<Fix> = Vec::new();
    for reason in reasons {
        for fix in facts.mend(*reason, question) {
            if !out.iter().any(|known| known.id == fix.id) {
                out.push(fix);
            }
        }
    }
    out
}

impl Facts<'_> {
    /// A call of the management API, where the plan includes it.
    fn call(
        &self,
        id: &'static str,
        (method, path): (&'static str, String),
        act: Act,
        body: Option<Value>,
    ) -> Option<Fix> {
        check_plan(act, self.company.plan).ok()?;
        let path = Some(format!("/api/v1{path}"));
        let needs_permission = act.rule().permission.map(Permission::name);
        Some(Fix { id, method: Some(method), path, body, needs_permission })
    }

    fn here(&self, rest: &str) -> String {
        format!("/organizations/{}{rest}", self.organization.id)
    }

    fn company_path(&self, rest: &str) -> String {
        format!("/companies/{}{rest}", self.company.id)
    }

    fn member_path(&self) -> String {
        self.here(&format!("/members/{}", self.user.id))
    }

    fn user_path(&self) -> String {
        self.company_path(&format!("/users/{}", self.user.id))
    }

    fn mend(&self, reason: Reason, question: &Question) -> Vec<Fix> {
        let found = match reason {
            Reason::ConnectionInactive => vec![self.activate()],
            Reason::EmailOutsideDomains => vec![self.verify()],
            Reason::UserDeactivated => self.reactivate(),
            Reason::MembershipDeactivated => {
                let (call, body) = (("PATCH", self.member_path()), json!({"deactivated": false}));
                vec![self.call("reactivate_member", call, Act::ChangeMembers, Some(body))]
            }
            Reason::NoMappedGroup | Reason::NotMapped => self.map(question),
            Reason::AwaitingTeamAssignment => {
                let call = ("PUT", self.here("/teams/{team}/members"));
                vec![self.call("assign_team", call, Act::ChangeTeams, None)]
            }
            Reason::StagedFirstLoginRequired => vec![Some(by_hand("ask_user_to_sign_in"))],
            Reason::NotInvited => self.let_in(),
            Reason::RolesArePerOrganization | Reason::MissingPermission => {
                vec![self.give(question.permission)]
            }
            Reason::Blocked | Reason::NotAllowed => {
                let call = ("PUT", self.company_path("/sso/group-filters"));
                vec![self.call("change_group_filters", call, Act::ChangeFilters, None)]
            }
            Reason::NotInGroup => vec![Some(by_hand("add_to_group"))],
            Reason::NotAccessedSinceGroupChange => self.sync(),
        };
        found.into_iter().flatten().collect()
    }

    fn activate(&self) -> Option<Fix> {
        let (path, act) = match self.connection?.organization {
            None => (self.company_path("/sso/connection/activate"), Act::ActivateConnection),
            Some(_) => (self.here("/sso/legacy-connection/activate"), Act::CreateLegacyConnection),
        };
        self.call("activate_connection", ("POST", path), act, Some(json!({})))
    }

    /// The domain is claimed by an admin, and declared verified by an operator.
    fn verify(&self) -> Option<Fix> {
        let domain = self.domain?;
        let name = &domain.name;
        if domain.claimed {
            let call = ("POST", self.company_path(&format!("/sso/domains/{name}/override")));
            return self.call("verify_domain", call, Act::OverrideDomain, Some(json!({})));
        }
        let call = ("POST", self.company_path("/sso/domains"));
        self.call("claim_domain", call, Act::ChangeDomains, Some(json!({"domain": name})))
    }

    fn reactivate(&self) -> Vec<Option<Fix>> {
        let mut out = Vec::new();
        if self.user.admin_deactivated {
            let (call, body) = (("PATCH", self.user_path()), json!({"deactivated": false}));
            out.push(self.call("lift_deactivation", call, Act::ChangeUsers, Some(body)));
        }
        if !self.user.active {
            out.push(Some(by_hand("activate_in_directory")));
        }
        out
    }

    fn map(&self, question: &Question) -> Vec<Option<Fix>> {
        let first = match &self.teams.seen {
            Seen::Groups(groups) => groups.first().map(|group| group.name.clone()),
            Seen::Absent => None,
        };
        let body = json!({"group": question.team.clone().or(first), "team_id": null});
        let call = ("POST", self.here("/team-mappings"));
        vec![
            Some(by_hand("add_to_mapped_group")),
            self.call("map_group", call, Act::ChangeMappings, Some(body)),
        ]
    }

    /// Either everybody may enter, or this user (row 107).
    fn let_in(&self) -> Vec<Option<Fix>> {
        let (open, invite) = (("PATCH", self.here("")), ("POST", self.here("/invitations")));
        let body = json!({"automatic_user_access": true});
        let role = self.organization.default_role.name();
        let invitation = json!({"email": self.email, "role": role});
        vec![
            self.call("enable_automatic_access", open, Act::ChangeAccess, Some(body)),
            self.call("invite", invite, Act::Invite, Some(invitation)),
        ]
    }

    /// The least role here that gives the permission, else the permission itself; without one, the most that
    /// the user is elsewhere (row 109).
    fn give(&self, permission: Option<Permission>) -> Option<Fix> {
        let member = self.member?;
        let role = match permission {
            Some(permission) => {
                let roles = [Role::Member, Role::Moderator, Role::Admin];
                let Some(role) = roles.into_iter().find(|role| role.gives(permission)) else {
                    let body = json!({"permissions": self.with(permission)});
                    let call = ("PATCH", self.user_path());
                    return self.call("give_permission", call, Act::ChangeUsers, Some(body));
                };
                role
            }
            None => *self.elsewhere.iter().max().filter(|role| **role > member.role)?,
        };
        let act = match role {
            Role::Admin => Act::ChangeOrganization,
            Role::Member | Role::Moderator => Act::ChangeMembers,
        };
        let (call, body) = (("PATCH", self.member_path()), json!({"role": role.name()}));
        self.call("change_role", call, act, Some(body))
    }

    /// What the user was given beside the role, and this.
    fn with(&self, permission: Permission) -> Vec<&'static str> {
        use super::super::authorization::Standing;
        let mut all = match self.standing {
            Standing::Person { permissions, .. } => permissions.0.clone(),
            Standing::Key { scopes, .. } => scopes.0.clone(),
        };
        all.insert(permission);
        all.into_iter().map(Permission::name).collect()
    }

    /// A sync (row 108): by the user's own switch, or of everybody whom the directory describes.
    fn sync(&self) -> Vec<Option<Fix>> {
        let switch = match self.user.status() {
            UserStatus::Active if self.member.is_some() => Fix {
                id: "ask_user_to_switch",
                method: Some("POST"),
                path: Some("/api/v1/session/switch".to_owned()),
                body: Some(json!({"organization": self.organization.id})),
                needs_permission: None,
            },
            UserStatus::Active | UserStatus::Staged | UserStatus::Deactivated => {
                by_hand("ask_user_to_sign_in")
            }
        };
        let resync = ("POST", self.company_path("/scim/resync"));
        vec![Some(switch), self.call("trigger_scim_sync", resync, Act::Resync, None)]
    }
}
