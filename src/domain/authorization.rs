//! Who may do what in the management API: one table, one decision. Nothing else in the product asks a
//! caller's role; docs/authorization.md is made from here.

use super::company::Plan;
use super::problem::{Code, Problem};
use super::role::{CompanyRole, Permission, Permissions, Role};

/// What an act is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The installation: all companies.
    Installation,
    /// One company.
    Company,
    /// One organization.
    Organization,
    /// The caller alone.
    Caller,
}

/// What an act asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What it is done to.
    pub level: Level,
    /// The permission that it needs; `None`: whoever belongs there may.
    pub permission: Option<Permission>,
    /// Whether only an operator may, whatever else somebody has.
    pub operator: bool,
    /// Whether the company's plan must include single sign-on (D3); the operator too changes the plan first.
    pub plan: bool,
}

macro_rules! acts {
    ($($(#[$about:meta])* $name:ident = $text:literal, $level:ident, $needs:ident $($plan:ident)?;)*) => {
        /// Something that a caller may want to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Act { $($(#[$about])* $name,)* }

        impl Act {
            /// All of them, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What it is, for people.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it asks of its caller.
            pub fn rule(self) -> Rule {
                match self {
                    $(Self::$name => acts!(@rule $level, $needs $($plan)?),)*
                }
            }
        }
    };
    (@rule $level:ident, Operator $($plan:ident)?) => {
        Rule { level: Level::$level, permission: None, operator: true, plan: acts!(@plan $($plan)?) }
    };
    (@rule $level:ident, Anybody $($plan:ident)?) => {
        Rule { level: Level::$level, permission: None, operator: false, plan: acts!(@plan $($plan)?) }
    };
    (@rule $level:ident, $needs:ident $($plan:ident)?) => {
        Rule {
            level: Level::$level,
            permission: Some(Permission::$needs),
            operator: false,
            plan: acts!(@plan $($plan)?),
        }
    };
    (@plan) => { false };
    (@plan Plan) => { true };
}

acts! {
    /// `POST /companies`.
    CreateCompany = "make a company", Installation, Operator;
    /// `GET /companies`.
    ListCompanies = "list companies", Installation, Operator;
    /// `/api-keys`.
    ManageOperatorKeys = "manage operators' API keys", Installation, Operator;
    /// `GET C`.
    ReadCompany = "read the company", Company, Anybody;
    /// `PATCH C`.
    ChangeCompany = "change the company's name and settings", Company, CompanyManage;
    /// Its plan and switches.
    ChangePlan = "change the company's plan and switches", Company, Operator;
    /// `DELETE C`.
    DeleteCompany = "delete the company", Company, Operator;
    /// `C/api-keys`.
    ManageKeys = "manage the company's API keys", Company, CompanyManage;
    /// `GET C/organizations`.
    ListOrganizations = "list organizations", Company, Anybody;
    /// `POST C/organizations`.
    CreateOrganization = "make an organization", Company, CompanyManage;
    /// `GET O`.
    ReadOrganization = "read the organization", Organization, Anybody;
    /// `PATCH O`.
    ChangeOrganization = "change the organization's name and default role", Organization, OrgSettings;
    /// `automatic_user_access` of it (row 66).
    ChangeAccess = "switch automatic user access", Organization, CompanyManage Plan;
    /// `DELETE O`.
    DeleteOrganization = "delete the organization", Organization, CompanyManage;
    /// `GET C/users`, and what hangs on a user.
    ReadUsers = "see users, their access and their teams", Company, CompanyUsersRead;
    /// `PATCH C/users/{u}`, `DELETE`.
    ChangeUsers = "change, deactivate and delete users, give company roles", Company, CompanyManage;
    /// `GET C/groups`.
    ReadGroups = "see the directory's groups", Company, CompanyUsersRead;
    /// `GET O/members`.
    ReadMembers = "see members", Organization, OrgMembers;
    /// `PATCH O/members/{u}`, `DELETE`.
    ChangeMembers = "change roles, deactivate and remove members", Organization, OrgMembers;
    /// `O/invitations`.
    Invite = "invite", Organization, OrgMembers;
    /// `GET O/teams`.
    ReadTeams = "see teams", Organization, Anybody;
    /// `O/teams`.
    ChangeTeams = "manage teams", Organization, OrgTeams;
    /// `GET O/team-mappings`.
    ReadMappings = "see team mappings", Organization, OrgTeams;
    /// `O/team-mappings`.
    ChangeMappings = "map groups to teams", Organization, OrgTeams Plan;
    /// `GET C/sso/group-filters`, `GET C/sso/groups`.
    ReadFilters = "see group filters and the groups seen", Company, CompanySso;
    /// `PUT C/sso/group-filters`, and its preview.
    ChangeFilters = "preview and change group filters", Company, CompanySso Plan;
    /// `GET C/sso/auth-settings`.
    ReadAuthSettings = "see how groups become teams", Company, CompanySso;
    /// `PATCH C/sso/auth-settings`.
    ChangeAuthSettings = "change how groups become teams", Company, CompanySso Plan;
    /// `GET C/sso/connection`, `GET O/sso`.
    ReadConnection = "see the connection", Company, CompanySso;
    /// `POST C/sso/connection`, without the wizard.
    CreateConnection = "make a connection by hand", Company, Operator Plan;
    /// `POST O/sso/legacy-connection`.
    CreateLegacyConnection = "make a connection of one organization", Organization, Operator Plan;
    /// `C/scim`, `C/scim/tokens`.
    ManageScim = "manage SCIM and its tokens", Company, CompanyScim;
    /// `POST C/scim/resync`.
    Resync = "bring all teams up to date", Company, CompanyScim;
    /// `GET C/jobs/{id}`.
    ReadJobs = "see background jobs", Company, Anybody;
    /// `GET C/audit-events`, `GET C/events`.
    ReadEvents = "see who changed what", Company, CompanyManage;
    /// `GET /explain/access`.
    Explain = "explain access", Company, CompanyUsersRead;
    /// `/me`, `/session`.
    ReadSelf = "see oneself", Caller, Anybody;
    /// `PATCH C/sso/connection`, its secret, metadata, certificates, and `PUT` of a candidate.
    ChangeConnection = "change the connection", Company, CompanySso Plan;
    /// `POST C/sso/connection/activate`, `deactivate`, `candidate/promote`.
    ActivateConnection = "switch the connection on and off", Company, CompanySso Plan;
    /// `skip_test` of it.
    SkipTest = "switch a connection on that was not tested", Company, Operator;
    /// `DELETE C/sso/connection`.
    DeleteConnection = "delete the connection", Company, CompanySso;
    /// `GET C/sso/domains`.
    ReadDomains = "see domains", Company, CompanySso;
    /// `POST C/sso/domains`, `PATCH`, `DELETE`.
    ChangeDomains = "claim and change domains", Company, CompanySso Plan;
    /// `POST C/sso/domains/{d}/override`.
    OverrideDomain = "declare a domain verified", Company, Operator Plan;
    /// `/applications`.
    ManageApplications = "manage applications and their secrets", Installation, Operator;
    /// `GET C/sessions`.
    ReadSessions = "see sessions", Company, CompanyUsersRead;
    /// `DELETE C/sessions/{s}`.
    EndSessions = "end sessions", Company, CompanyManage;
    /// `GET C/sso/session-settings`.
    ReadSessionSettings = "see how long sessions last", Company, CompanySso;
    /// `PUT C/sso/session-settings`.
    ChangeSessionSettings = "change how long sessions last", Company, CompanySso Plan;
}

/// Who calls, as far as the decision needs to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// An operator's key, or a company's: with these scopes, or with all where it names none.
    Key {
        /// Whether it is an operator's.
        operator: bool,
        /// Its scopes.
        scopes: Permissions,
    },
    /// A person who signed in.
    Person {
        /// What the person is in the company.
        company_role: CompanyRole,
        /// What was given beside that.
        permissions: Permissions,
        /// What the person is in the organization that is addressed, where one is.
        role: Option<Role>,
        /// Whether the person is an admin of any organization.
        admin_somewhere: bool,
    },
}

/// Whether this caller may do this in a company of this plan. That the company or organization is one
/// that the caller can see at all is decided before; what is not answers 404.
///
/// # Errors
/// 403 with the code that says what is lacking.
pub fn decide(standing: &Standing, act: Act, plan: Option<Plan>) -> Result<(), Problem> {
    let rule = act.rule();
    match standing {
        Standing::Key { operator, scopes } => {
            let all = scopes.0.is_empty();
            if rule.operator && !(*operator && all) {
                return Err(Code::OperatorRequired.into());
            }
            if let Some(permission) = rule.permission
                && !all
                && !scopes.0.contains(&permission)
            {
                return Err(missing(permission));
            }
        }
        Standing::Person { company_role, permissions, role, admin_somewhere } => {
            if rule.operator || rule.level == Level::Installation {
                return Err(Code::OperatorRequired.into());
            }
            let admin = *company_role == CompanyRole::Admin;
            let here = match rule.permission {
                Some(permission) => {
                    permissions.0.contains(&permission)
                        || role.is_some_and(|role| role.gives(permission))
                }
                None => role.is_some() || rule.level != Level::Organization,
            };
            if !admin && !here {
                return Err(match rule.permission {
                    Some(_) if *admin_somewhere => Code::CompanyAdminRequired.into(),
                    Some(permission) => missing(permission),
                    None => Code::OrganizationAccessDenied.into(),
                });
            }
        }
    }
    plan.map_or(Ok(()), |plan| check_plan(act, plan))
}

/// The plan gate alone, which holds for every caller, a command too (D9).
///
/// # Errors
/// 403 `plan_required`.
pub fn check_plan(act: Act, plan: Plan) -> Result<(), Problem> {
    if !act.rule().plan || plan.has_sso() {
        return Ok(());
    }
    let detail = format!("The plan {plan} does not include this; enterprise, poc and internal do");
    Err(Problem::new(Code::PlanRequired, detail))
}

fn missing(permission: Permission) -> Problem {
    let detail = format!("The permission {} is needed", permission.name());
    Problem::new(Code::MissingPermission, detail)
        .with("missing_permission", serde_json::Value::from(permission.name()))
}

/// The kinds of caller that the documentation shows, each with everything that it may have.
pub fn kinds() -> [(&'static str, Standing); 6] {
    let person = |company_role, role: Option<Role>| Standing::Person {
        company_role,
        permissions: Permissions::default(),
        role,
        admin_somewhere: role == Some(Role::Admin),
    };
    let key = |operator| Standing::Key { operator, scopes: Permissions::default() };
    [
        ("operator key", key(true)),
        ("company key", key(false)),
        ("account admin", person(CompanyRole::Admin, None)),
        ("organization admin", person(CompanyRole::Member, Some(Role::Admin))),
        ("moderator", person(CompanyRole::Member, Some(Role::Moderator))),
        ("member", person(CompanyRole::Member, Some(Role::Member))),
    ]
}

/// The table of the documentation, from [`decide`] itself.
pub fn table() -> String {
    let mut out = String::from("| act | on | permission | plan |");
    for (kind, _) in kinds() {
        out.push_str(&format!(" {kind} |"));
    }
    out.push_str("\n|");
    out.push_str(&" --- |".repeat(4 + kinds().len()));
    for act in Act::ALL {
        let rule = act.rule();
        let level = match rule.level {
            Level::Installation => "installation",
            Level::Company => "company",
            Level::Organization => "organization",
            Level::Caller => "oneself",
        };
        let permission = match (rule.operator, rule.permission) {
            (true, _) => "operator's".to_owned(),
            (false, Some(permission)) => format!("`{}`", permission.name()),
            (false, None) => "none".to_owned(),
        };
        let plan = if rule.plan { "enterprise, poc, internal" } else { "any" };
        out.push_str(&format!("\n| {} | {level} | {permission} | {plan} |", act.name()));
        for (_, standing) in kinds() {
            let cell = match decide(&standing, *act, Some(Plan::Enterprise)) {
                Ok(()) => "yes".to_owned(),
                Err(problem) => format!("`{}`", problem.code.name()),
            };
            out.push_str(&format!(" {cell} |"));
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(standing: &Standing, act: Act, plan: Plan) -> Option<Code> {
        decide(standing, act, Some(plan)).err().map(|p| p.code)
    }

    fn kind(name: &str) -> Standing {
        kinds().into_iter().find(|(kind, _)| *kind == name).unwrap().1
    }

    /// Row 66.
    #[test]
    fn automatic_access_needs_an_account_admin_and_the_plan() {
        let act = Act::ChangeAccess;
        let refused = code(&kind("organization admin"), act, Plan::Enterprise);
        assert_eq!(refused, Some(Code::CompanyAdminRequired));
        assert_eq!(code(&kind("account admin"), act, Plan::Pro), Some(Code::PlanRequired));
        assert_eq!(code(&kind("account admin"), act, Plan::Enterprise), None);
    }

    /// D9: the plan gate holds for every caller, the operator too.
    #[test]
    fn the_plan_gate_holds_for_the_operator() {
        for act in Act::ALL.iter().filter(|act| act.rule().plan) {
            assert_eq!(code(&kind("operator key"), *act, Plan::Free), Some(Code::PlanRequired));
        }
    }

    #[test]
    fn scopes_limit_a_key() {
        let scopes = Permissions::parse(["company:users:read"]).unwrap();
        for operator in [true, false] {
            let key = Standing::Key { operator, scopes: scopes.clone() };
            assert_eq!(code(&key, Act::ReadUsers, Plan::Enterprise), None);
            assert_eq!(
                code(&key, Act::ChangeUsers, Plan::Enterprise),
                Some(Code::MissingPermission)
            );
            assert_eq!(
                code(&key, Act::CreateCompany, Plan::Enterprise),
                Some(Code::OperatorRequired)
            );
        }
    }

    /// Nothing above the caller's own company is anybody's but the operator's.
    #[test]
    fn the_installation_is_the_operators() {
        for act in Act::ALL.iter().filter(|act| act.rule().level == Level::Installation) {
            for (name, standing) in kinds() {
                let refused = decide(&standing, *act, None).is_err();
                assert_eq!(refused, name != "operator key", "{name}: {}", act.name());
            }
        }
    }
}
