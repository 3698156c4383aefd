//! Why a user may enter an organization or may not, and which teams they get there and why (rows 107 to 110):
//! from what is known to a trail of rules, in the words of `management-api.md` D6.
//!
//! Nothing is decided here. Who may enter is said by [`Grounds`], what somebody may do by
//! [`Standing`], what becomes of groups by [`projection`]: the same that logins, switches and requests ask.

mod fixes;
mod teams;

use std::collections::BTreeSet;

use super::authorization::Standing;
use super::company::Company;
use super::connection::{Connection, State};
use super::membership::{Grounds, Membership, Refusal};
use super::organization::Organization;
use super::problem::Code;
use super::projection::{self, Held, Outcome as Sync, Seen};
use super::role::{Permission, Role};
use super::user::{Origin, User, UserStatus};

pub use fixes::Fix;
pub use teams::TeamLine;

/// What is known of a user and an organization.
#[derive(Debug, Clone)]
pub struct Facts<'f> {
    /// The company of both.
    pub company: &'f Company,
    /// The organization.
    pub organization: &'f Organization,
    /// What people sign in through there.
    pub connection: Option<&'f Connection>,
    /// The user.
    pub user: &'f User,
    /// The address to invite.
    pub email: Option<&'f str>,
    /// Where that address lies.
    pub domain: Option<&'f Domain>,
    /// Whether somebody with that address may come in through a social connection too.
    pub social: bool,
    /// Who made the user.
    pub origin: Origin,
    /// Whether the user has come through a connection.
    pub by_sso: bool,
    /// The user's row there, as a sync would leave it.
    pub row: Option<&'f Membership>,
    /// What the user is there; of automatic access there need not be a row.
    pub member: Option<&'f Membership>,
    /// What the user may do there.
    pub standing: &'f Standing,
    /// What the user is in the other organizations that they may enter.
    pub elsewhere: &'f [Role],
    /// The user's teams there.
    pub teams: &'f Teams,
}

/// The domain of an address, and how far the company is with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Whether the company claims it by this name.
    pub claimed: bool,
    /// Whether it is verified for the company, by itself or through one above it.
    pub verified: bool,
}

/// What is known of a user's teams in an organization.
#[derive(Debug, Clone, PartialEq)]
pub struct Teams {
    /// Whether mappings decide, and not names.
    pub by_mapping: bool,
    /// The groups of the user.
    pub seen: Seen,
    /// Why the groups or the teams let a login in nowhere.
    pub refused: Option<Code>,
    /// What a sync would change.
    pub sync: Sync,
    /// The memberships that are there.
    pub held: Vec<Held>,
    /// The teams that mappings of the user's groups name: storage key, name, group.
    pub mapped: Vec<(i64, String, String)>,
    /// What set the last sync off; `None`: there was none.
    pub last: Option<String>,
}

/// What is asked beside the access.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Whether the user may do this there.
    pub permission: Option<Permission>,
    /// Whether the user is in the team of this name, or of this group.
    pub team: Option<String>,
}

/// A rule of the trail, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The company is there.
    Company,
    /// People sign in through a connection.
    Connection,
    /// The address lies in a domain of the company.
    Domain,
    /// What the directory says of the user.
    ScimState,
    /// Where the user stands.
    Status,
    /// Who may enter: everybody, or who was let in.
    AutomaticOrInvited,
    /// What the user is there.
    Role,
    /// Which groups give a team.
    Filters,
    /// Which groups are mapped to a team.
    Mapping,
    /// The teams there.
    Teams,
}

/// What a rule said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Outcome {
    /// Nothing against it.
    #[serde(rename = "pass")]
    Pass,
    /// Something against it.
    #[serde(rename = "fail")]
    Fail,
    /// Nothing at all.
    #[serde(rename = "n/a")]
    NotApplicable,
}

macro_rules! reasons {
    ($($(#[$about:meta])* $name:ident = $text:literal, $rule:ident;)*) => {
        /// What is against it, in the order of the checks of a login (D7).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason { $($(#[$about])* $name,)* }

        impl Reason {
            /// Its name in answers.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The rule that says so.
            pub fn rule(self) -> Rule {
                match self { $(Self::$name => Rule::$rule,)* }
            }
        }
    };
}

reasons! {
    /// People sign in through a connection alone, and it lets nobody in.
    ConnectionInactive = "connection_inactive", Connection;
    /// The same, and it lets in addresses of verified domains alone.
    EmailOutsideDomains = "email_outside_domains", Domain;
    /// The user is DEACTIVATED.
    UserDeactivated = "user_deactivated", Status;
    /// An admin deactivated the membership.
    MembershipDeactivated = "membership_deactivated", AutomaticOrInvited;
    /// No group of the user is mapped to a team.
    NoMappedGroup = "no_mapped_group", Mapping;
    /// An admin has to give a team first.
    AwaitingTeamAssignment = "awaiting_team_assignment", Mapping;
    /// The user has never signed in.
    StagedFirstLoginRequired = "staged_first_login_required", Status;
    /// Not everybody may enter, and nobody invited the user.
    NotInvited = "automatic_access_disabled_and_not_invited", AutomaticOrInvited;
    /// The role is another in each organization, and this one's does not give what is asked for.
    RolesArePerOrganization = "roles_are_per_organization", Role;
    /// No role of the user gives what is asked for.
    MissingPermission = "missing_permission", Role;
    /// A block pattern matches the group that is asked for.
    Blocked = "blocked", Filters;
    /// No allow pattern matches it.
    NotAllowed = "not_allowed", Filters;
    /// No mapping names it.
    NotMapped = "not_mapped", Mapping;
    /// The user is not in it.
    NotInGroup = "not_in_group", Teams;
    /// The groups are others than those that the last sync saw.
    NotAccessedSinceGroupChange = "not_accessed_since_group_change", Teams;
}

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UserDeactivated => Self::UserDeactivated,
            Refusal::MembershipDeactivated => Self::MembershipDeactivated,
            Refusal::NoMappedGroup => Self::NoMappedGroup,
            Refusal::StagedFirstLoginRequired => Self::StagedFirstLoginRequired,
            Refusal::NotInvited => Self::NotInvited,
        }
    }
}

impl From<projection::Reason> for Reason {
    fn from(reason: projection::Reason) -> Self {
        match reason {
            projection::Reason::Blocked => Self::Blocked,
            projection::Reason::NotAllowed => Self::NotAllowed,
            projection::Reason::NotMapped => Self::NotMapped,
        }
    }
}

/// What a rule said, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    /// The rule.
    pub rule: Rule,
    /// What it said.
    pub outcome: Outcome,
    /// Why, for people.
    pub detail: String,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Explanation {
    /// Whether the user may enter: `allowed` or `denied`.
    pub verdict: &'static str,
    /// The first of the reasons; where there are none, the first of the notes.
    pub reason: Option<Reason>,
    /// All that is against it, in the order of the checks of a login. Teams that are out of date are
    /// among them, and deny nothing.
    pub reasons: Vec<Reason>,
    /// What else there is to know.
    pub notes: Vec<Reason>,
    /// The user's id.
    pub user_id: String,
    /// STAGED, ACTIVE or DEACTIVATED.
    pub status: &'static str,
    /// The organization's id.
    pub organization_id: String,
    /// The role there; none where the user does not belong there.
    pub role: &'static str,
    /// The rules in their order.
    pub trail: Vec<Step>,
    /// The groups and the teams.
    pub teams: Vec<TeamLine>,
    /// What would mend it.
    pub fixes: Vec<Fix>,
}

impl Facts<'_> {
    fn grounds(&self) -> Grounds {
        Grounds {
            status: self.user.status(),
            by_sso: self.by_sso,
            automatic: self.organization.automatic_user_access,
        }
    }

    /// What is against entering.
    fn access(&self) -> BTreeSet<Reason> {
        let refusals = self.grounds().refusals(self.row);
        let mut out: BTreeSet<Reason> = refusals.into_iter().map(Reason::from).collect();
        out.extend(self.door());
        match self.teams.refused {
            Some(Code::NoMappedGroup) => drop(out.insert(Reason::NoMappedGroup)),
            Some(Code::AwaitingTeamAssignment) => {
                out.insert(Reason::AwaitingTeamAssignment);
            }
            _ if self.user.unmapped => drop(out.insert(Reason::NoMappedGroup)),
            _ => {}
        }
        if self.teams.sync.assign.is_some() && out.remove(&Reason::NotInvited) {
            // A mapping lets the user in, with the next login or resync.
            out.insert(Reason::NotAccessedSinceGroupChange);
        }
        out
    }

    /// What is against signing in, where the connection is the only way: there, sessions end with it.
    fn door(&self) -> Option<Reason> {
        let connection = self.connection.filter(|_| !self.social)?;
        if connection.state != State::Active {
            return Some(Reason::ConnectionInactive);
        }
        self.domain.filter(|domain| !domain.verified).map(|_| Reason::EmailOutsideDomains)
    }

    /// What is against what is asked beside that.
    fn beside(&self, question: &Question, teams: &[TeamLine]) -> BTreeSet<Reason> {
        let mut out = BTreeSet::new();
        if let Some(permission) = question.permission
            && !self.standing.has(permission)
        {
            let elsewhere = self.elsewhere.iter().any(|role| role.gives(permission));
            out.insert(match elsewhere {
                true => Reason::RolesArePerOrganization,
                false => Reason::MissingPermission,
            });
        }
        if let Some(name) = &question.team {
            out.extend(teams::lacking(teams, name));
        }
        out
    }

    /// Whether the user is something else in another organization (row 109).
    fn roles_differ(&self) -> bool {
        let here = self.member.map(|member| member.role);
        here.is_some_and(|here| self.elsewhere.iter().any(|role| *role != here))
    }
}

/// Explains.
pub fn explain(facts: &Facts<'_>, question: &Question) -> Explanation {
    let lines = teams::lines(facts.teams);
    let mut against = facts.access();
    against.extend(facts.beside(question, &lines));
    let denied = !against.is_empty();
    if facts.teams.sync.synced && lines.iter().any(TeamLine::is_stale) {
        against.insert(Reason::NotAccessedSinceGroupChange);
    }
    let notes = match facts.roles_differ() && !against.contains(&Reason::RolesArePerOrganization) {
        true => vec![Reason::RolesArePerOrganization],
        false => Vec::new(),
    };
    let mine = |line: &TeamLine| question.team.as_ref().is_none_or(|name| line.is_about(name));
    Explanation {
        verdict: if denied { "denied" } else { "allowed" },
        reason: against.iter().chain(&notes).next().copied(),
        user_id: facts.user.id.clone(),
        status: facts.user.status().name(),
        organization_id: facts.organization.id.clone(),
        role: facts.member.map_or("none", |member| member.role.name()),
        trail: trail(facts, &against),
        fixes: fixes::fixes(facts, question, against.iter().chain(&notes)),
        teams: lines.into_iter().filter(mine).collect(),
        reasons: against.into_iter().collect(),
        notes,
    }
}

fn trail(facts: &Facts<'_>, against: &BTreeSet<Reason>) -> Vec<Step> {
    use Rule::{
        AutomaticOrInvited, Company, Connection, Domain, Filters, Mapping, Role, ScimState, Status,
        Teams,
    };
    let rules = [
        (Company, company(facts)),
        (Connection, connection(facts)),
        (Domain, domain(facts)),
        (ScimState, scim_state(facts)),
        (Status, status(facts)),
        (AutomaticOrInvited, entrance(facts)),
        (Role, role(facts)),
        (Filters, teams::filters(facts.teams)),
        (Mapping, teams::mapping(facts.teams)),
        (Teams, teams::teams(facts.teams)),
    ];
    let deactivated = against.contains(&Reason::UserDeactivated);
    let step = |(rule, (applies, detail)): (Rule, (bool, String))| {
        let by_directory = rule == ScimState && deactivated && !facts.user.active;
        let outcome = match against.iter().any(|reason| reason.rule() == rule) || by_directory {
            true => Outcome::Fail,
            false if applies => Outcome::Pass,
            false => Outcome::NotApplicable,
        };
        Step { rule, outcome, detail }
    };
    rules.into_iter().map(step).collect()
}

/// Whether a rule applies, and what it goes by.
type Said = (bool, String);

fn company(facts: &Facts<'_>) -> Said {
    (true, format!("{}, plan {}", facts.company.slug, facts.company.plan))
}

fn connection(facts: &Facts<'_>) -> Said {
    let Some(connection) = facts.connection else {
        return (false, "the company has none".to_owned());
    };
    let (name, state) = (&connection.name, connection.state.name());
    (connection.state == State::Active, format!("{name} is {state}"))
}

fn domain(facts: &Facts<'_>) -> Said {
    let open = facts.connection.is_some_and(|connection| connection.state == State::Active);
    let Some(domain) = facts.domain.filter(|_| open) else {
        return (false, "the address is checked where somebody signs in".to_owned());
    };
    let name = &domain.name;
    match (domain.verified, facts.social) {
        (true, _) => (true, format!("{name} is verified")),
        (false, false) => (true, format!("{name} is no verified domain of the company")),
        (false, true) => (false, format!("{name} is not verified; a social connection is left")),
    }
}

fn scim_state(facts: &Facts<'_>) -> Said {
    match (facts.origin, facts.user.active) {
        (Origin::Directory, active) => (true, format!("the directory says active: {active}")),
        (Origin::Invitation, true) => (false, "an invitation made the user".to_owned()),
        (Origin::Login, true) => (false, "a login made the user".to_owned()),
        (_, false) => (true, "active: false".to_owned()),
    }
}

fn status(facts: &Facts<'_>) -> Said {
    let user = facts.user;
    let mut detail = format!("{}: {}", user.status().name(), user.causes().reason().name());
    if user.status() == UserStatus::Active && !facts.by_sso {
        detail.push_str(", never through a connection");
    }
    (true, detail)
}

fn entrance(facts: &Facts<'_>) -> Said {
    let automatic = match facts.organization.automatic_user_access {
        true => "automatic access is on",
        false => "automatic access is off",
    };
    let source = facts.member.map(|member| member.source.name());
    let detail = match (source, facts.row) {
        (Some(source), Some(row)) if row.deactivated => {
            format!("{automatic}, comes by {source}, deactivated by an admin")
        }
        (Some("automatic") | None, _) => automatic.to_owned(),
        (Some(source), _) => format!("{automatic}, comes by {source}"),
    };
    (true, detail)
}

fn role(facts: &Facts<'_>) -> Said {
    let Some(member) = facts.member else { return (false, "none there".to_owned()) };
    let mut detail = member.role.name().to_owned();
    if facts.roles_differ() {
        let others: BTreeSet<Role> = facts.elsewhere.iter().copied().collect();
        let others: Vec<&str> = others.into_iter().map(Role::name).collect();
        detail = format!("{detail} here, elsewhere {}", others.join(" and "));
    }
    (true, detail)
}

#[cfg(test)]
mod tests;
