use jiff::Timestamp;

use super::super::company::Plan;
use super::super::connection::Protocol;
use super::super::id::CompanySeq;
use super::super::membership::Source;
use super::super::organization::OrganizationSeq;
use super::super::projection::{SeenGroup, TeamKey};
use super::super::role::{CompanyRole, Permissions};
use super::super::team::Provider;
use super::*;

/// Everything that an explanation is made from, to be changed by each test.
struct World {
    company: Company,
    organization: Organization,
    door: Door,
    user: User,
    row: Option<Membership>,
    member: Option<Membership>,
    elsewhere: Vec<Role>,
    teams: Teams,
    by_sso: bool,
}

/// What people come in through.
#[derive(Default)]
struct Door {
    connection: Option<Connection>,
    domain: Option<Domain>,
    social: bool,
}

/// An ACTIVE user of a company with an organization that is closed, or open to everybody.
fn world(automatic: bool) -> World {
    let t = Timestamp::UNIX_EPOCH;
    let company = Company {
        seq: CompanySeq(1),
        id: "c".to_owned(),
        slug: "acme".to_owned(),
        name: "Acme".to_owned(),
        plan: Plan::Enterprise,
        scim_enabled: true,
        created_at: t,
        region: None,
        multi_org: true,
        self_serve_sso: false,
        settings: Default::default(),
        version: 1,
    };
    let organization = Organization {
        seq: OrganizationSeq(1),
        company: company.seq,
        id: "o".to_owned(),
        slug: "prod".to_owned(),
        name: "Production".to_owned(),
        automatic_user_access: automatic,
        default_role: Role::Member,
        created_at: t,
        updated_at: t,
        version: 1,
    };
    let user = User {
        seq: 1,
        id: "u".to_owned(),
        document: String::new(),
        active: true,
        admin_deactivated: false,
        unmapped: false,
        activated_at: Some(t),
        created_at: t,
        last_modified: t,
        version: 1,
    };
    let teams = Teams {
        by_mapping: false,
        seen: Seen::Groups(Vec::new()),
        refused: None,
        sync: Sync { synced: true, ..Sync::default() },
        held: Vec::new(),
        mapped: Vec::new(),
        last: None,
    };
    let (row, member, elsewhere) = (None, None, Vec::new());
    let door = Door::default();
    World { company, organization, door, user, row, member, elsewhere, teams, by_sso: true }
}

impl World {
    /// Let in by hand with this role.
    fn with(mut self, role: Role) -> Self {
        let t = Timestamp::UNIX_EPOCH;
        let row = Membership {
            organization: self.organization.seq,
            user: self.user.seq,
            company: self.company.seq,
            role,
            source: Source::Invitation,
            deactivated: false,
            unmapped: false,
            entered_at: None,
            created_at: t,
            updated_at: t,
        };
        (self.row, self.member) = (Some(row.clone()), Some(row));
        self
    }

    fn explain(&self, question: &Question) -> Explanation {
        let standing = Standing::Person {
            company_role: CompanyRole::Member,
            permissions: Permissions::default(),
            role: self.member.as_ref().map(|member| member.role),
            admin_somewhere: false,
        };
        let facts = Facts {
            company: &self.company,
            organization: &self.organization,
            connection: self.door.connection.as_ref(),
            user: &self.user,
            email: Some("ada@acme.example"),
            domain: self.door.domain.as_ref(),
            social: self.door.social,
            origin: Origin::Directory,
            by_sso: self.by_sso,
            row: self.row.as_ref(),
            member: self.member.as_ref(),
            standing: &standing,
            elsewhere: &self.elsewhere,
            teams: &self.teams,
        };
        explain(&facts, question)
    }

    fn reasons(&self) -> Vec<&'static str> {
        let all = self.explain(&Question::default());
        assert_eq!(all.reason, all.reasons.iter().chain(&all.notes).next().copied());
        all.reasons.into_iter().map(Reason::name).collect()
    }
}

/// The ids of the remedies.
fn fixes(all: &Explanation) -> Vec<&'static str> {
    all.fixes.iter().map(|fix| fix.id).collect()
}

/// The outcome of a rule.
fn outcome(all: &Explanation, rule: Rule) -> Outcome {
    all.trail.iter().find(|step| step.rule == rule).unwrap().outcome
}

/// Security O1 and S10: where the connection is the only way in, it and the domain of the address decide first.
#[test]
fn the_door_decides_first() {
    let mut world = world(true);
    let mut connection = Connection::draft("okta", Protocol::Oidc);
    connection.state = State::Active;
    world.door.connection = Some(connection);
    let domain =
        |claimed, verified| Some(Domain { name: "x.example".to_owned(), claimed, verified });
    for (domain, expected, fix) in [
        (domain(true, true), Outcome::Pass, None),
        (domain(true, false), Outcome::Fail, Some("verify_domain")),
        (domain(false, false), Outcome::Fail, Some("claim_domain")),
        (None, Outcome::NotApplicable, None),
    ] {
        world.door.domain = domain;
        let all = world.explain(&Question::default());
        assert_eq!(outcome(&all, Rule::Domain), expected);
        assert_eq!((all.verdict == "denied", fixes(&all).first().copied()), (fix.is_some(), fix));
    }
    world.door.domain = domain(false, false);
    world.door.social = true;
    let all = world.explain(&Question::default());
    assert_eq!((all.verdict, outcome(&all, Rule::Domain)), ("allowed", Outcome::NotApplicable));
    world.door.social = false;
    world.door.connection.as_mut().unwrap().state = State::Inactive;
    world.user.active = false;
    assert_eq!(world.reasons(), ["connection_inactive", "user_deactivated"]);
    let all = world.explain(&Question::default());
    assert_eq!(outcome(&all, Rule::Connection), Outcome::Fail);
    assert_eq!(fixes(&all)[0], "activate_connection");
}

#[test]
fn the_trail_has_every_rule_in_its_order() {
    let all = world(true).explain(&Question::default());
    assert_eq!((all.verdict, all.reason), ("allowed", None));
    let rules: Vec<Rule> = all.trail.iter().map(|step| step.rule).collect();
    assert!(rules.is_sorted() && rules.len() == 10, "{rules:?}");
    assert!(all.trail.iter().all(|step| step.outcome != Outcome::Fail));
}

/// D9: all that fails, in the order of the checks of a login.
#[test]
fn all_reasons_are_named_in_the_order_of_a_login() {
    let mut closed = world(false);
    assert_eq!(closed.reasons(), ["automatic_access_disabled_and_not_invited"]);
    closed.user.activated_at = None;
    let both = ["staged_first_login_required", "automatic_access_disabled_and_not_invited"];
    assert_eq!(closed.reasons(), both);
    closed.user.active = false;
    let all = ["user_deactivated", "automatic_access_disabled_and_not_invited"];
    assert_eq!(closed.reasons(), all);
    let all = closed.explain(&Question::default());
    assert_eq!(outcome(&all, Rule::ScimState), Outcome::Fail);
    assert_eq!(outcome(&all, Rule::Status), Outcome::Fail);
    assert_eq!(fixes(&all), ["activate_in_directory", "enable_automatic_access", "invite"]);
}

/// A call that the plan does not include is no remedy.
#[test]
fn remedies_are_what_the_plan_includes() {
    let mut closed = world(false);
    closed.company.plan = Plan::Pro;
    assert_eq!(fixes(&closed.explain(&Question::default())), ["invite"]);
}

#[test]
fn a_deactivation_is_lifted_where_it_was_made() {
    let mut world = world(true).with(Role::Member);
    world.user.admin_deactivated = true;
    assert_eq!(fixes(&world.explain(&Question::default())), ["lift_deactivation"]);
    world.user.admin_deactivated = false;
    for row in [&mut world.row, &mut world.member] {
        row.as_mut().unwrap().deactivated = true;
    }
    assert_eq!(world.reasons(), ["membership_deactivated"]);
    assert_eq!(fixes(&world.explain(&Question::default())), ["reactivate_member"]);
}

/// The gates of groups and teams, which a login asks first.
#[test]
fn what_refuses_a_login_denies() {
    for (code, reason, fix) in [
        (Code::NoMappedGroup, "no_mapped_group", "add_to_mapped_group"),
        (Code::AwaitingTeamAssignment, "awaiting_team_assignment", "assign_team"),
    ] {
        let mut world = world(true);
        world.teams.refused = Some(code);
        assert_eq!(world.reasons(), [reason]);
        let all = world.explain(&Question::default());
        assert_eq!((all.verdict, fixes(&all)[0]), ("denied", fix));
        assert_eq!(outcome(&all, Rule::Mapping), Outcome::Fail);
    }
}

/// Row 109: another role elsewhere denies nothing, unless what is asked for is given there alone.
#[test]
fn roles_are_per_organization() {
    let mut world = world(false).with(Role::Member);
    world.elsewhere = vec![Role::Admin];
    let all = world.explain(&Question::default());
    assert_eq!((all.verdict, all.notes), ("allowed", vec![Reason::RolesArePerOrganization]));
    assert_eq!(all.reason, Some(Reason::RolesArePerOrganization));
    assert_eq!(all.fixes[0].body, Some(serde_json::json!({"role": "admin"})));
    let question = |permission| Question { permission: Some(permission), team: None };
    let all = world.explain(&question(Permission::OrgTeams));
    assert_eq!((all.verdict, all.notes.len()), ("denied", 0));
    assert_eq!(all.reasons, [Reason::RolesArePerOrganization]);
    assert_eq!(all.fixes[0].body, Some(serde_json::json!({"role": "moderator"})));
    let all = world.explain(&question(Permission::CompanyScim));
    assert_eq!(
        (all.reasons, all.fixes[0].id),
        (vec![Reason::MissingPermission], "give_permission")
    );
}

/// Row 108: teams that are out of date are a reason, and deny nothing.
#[test]
fn teams_that_are_out_of_date_deny_nothing() {
    let mut world = world(true);
    let seen = |name: &str| SeenGroup { name: name.to_owned(), group: None };
    world.teams.seen = Seen::Groups(vec![seen("new"), seen("temp-1"), seen("old")]);
    world.teams.sync.add = vec![TeamKey::Claim("new".to_owned())];
    world.teams.sync.dropped = vec![("temp-1".to_owned(), projection::Reason::Blocked)];
    world.teams.sync.remove = vec![(7, Provider::Sso)];
    world = world.with(Role::Member);
    let held = |team, name: &str, origin| Held {
        team,
        name: name.to_owned(),
        provider: origin,
        group: None,
        origin,
    };
    world.teams.held = vec![
        held(7, "gone", Provider::Sso),
        held(8, "old", Provider::Sso),
        held(9, "own", Provider::Manual),
    ];
    let all = world.explain(&Question::default());
    assert_eq!((all.verdict, all.reason), ("allowed", Some(Reason::NotAccessedSinceGroupChange)));
    assert_eq!(fixes(&all), ["ask_user_to_switch", "trigger_scim_sync"]);
    let lines: Vec<(&str, &str)> = all
        .teams
        .iter()
        .map(|line| (line.team.as_deref().or(line.group.as_deref()).unwrap(), line.verdict))
        .collect();
    let expected = [
        ("gone", "leaving"),
        ("old", "synced"),
        ("own", "local"),
        ("new", "missing"),
        ("temp-1", "dropped"),
    ];
    assert_eq!(lines, expected);
    for (team, reason) in [
        ("old", None),
        ("own", None),
        ("new", Some(Reason::NotAccessedSinceGroupChange)),
        ("temp-1", Some(Reason::Blocked)),
        ("nowhere", Some(Reason::NotInGroup)),
    ] {
        let question = Question { permission: None, team: Some(team.to_owned()) };
        let all = world.explain(&question);
        assert_eq!(all.verdict == "denied", reason.is_some(), "{team}");
        assert!(reason.is_none_or(|reason| all.reasons.contains(&reason)), "{team}");
        assert!(all.teams.iter().all(|line| line.is_about(team)));
    }
}
