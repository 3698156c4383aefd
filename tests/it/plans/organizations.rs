//! What team sync, logins and changes of access read, where everybody is in an organization and in a team.

use diesel::connection::SimpleConnection;
use serde_json::{Value, json};
use stagedoor::clock::Clock;
use stagedoor::db::{self, DbConn};
use stagedoor::domain::event::Actor;
use stagedoor::domain::identity::{VerifiedIdentity, Way};
use stagedoor::domain::job::{Kind, Work};
use stagedoor::scim::patch;
use stagedoor::service::login::{self, Outcome};
use stagedoor::service::{
    Cx, Result, companies, group_filters, groups, jobs, memberships, organizations, projection,
    teams, users,
};

use super::directories::{Database, Directories, USERS, let_write, wait};
use super::{asks_for_one, judge_steps, object};

/// Organizations of the company; each user is in one of them, each group has a team in every fifth.
const ORGANIZATIONS: u64 = 50;

/// Organizations with members, teams that follow the groups, logins.
fn fill(company: i64) -> String {
    format!(
        r#"
INSERT INTO connections (id, company_seq, name, provider, protocol, state, document, created_at, version)
VALUES ('connection', {company}, 'acme', 'okta', 'oidc', 'active', '{{}}', 1, 1);
INSERT INTO organizations (id, company_seq, slug, name, automatic_user_access, default_role, created_at,
                           updated_at, version)
SELECT 'acme-o' || c.created_at, {company}, 'o' || c.created_at, 'o', FALSE, 'member', 1, 1, 1 FROM users c
 WHERE c.company_seq = {company} AND c.created_at <= {ORGANIZATIONS};
INSERT INTO organization_members (organization_seq, user_seq, company_seq, role, source, deactivated, unmapped,
                                  status_changed_at, created_at, updated_at)
SELECT o.seq, u.seq, {company}, 'member', 'manual', FALSE, FALSE, 1, 1, 1 FROM users u
  JOIN organizations o ON o.company_seq = {company} AND o.slug = 'o' || (1 + u.created_at % {ORGANIZATIONS})
 WHERE u.company_seq = {company};
INSERT INTO teams (id, company_seq, organization_seq, name, description, provider, group_seq, created_at, updated_at)
SELECT 'acme-t' || g.created_at || o.slug, {company}, o.seq, g.display_name, '', 'scim', g.seq, 1, 1 FROM groups g
  JOIN organizations o ON o.company_seq = {company}
   AND CAST(substr(o.slug, 2) AS bigint) % 5 = g.created_at % 5
 WHERE g.company_seq = {company};
INSERT INTO team_members (team_seq, user_seq, origin, organization_seq, company_seq, created_at)
SELECT t.seq, m.member_seq, 'scim', t.organization_seq, {company}, 1 FROM teams t
  JOIN group_members m ON m.group_seq = t.group_seq AND m.member_type = 0
  JOIN organization_members e ON e.organization_seq = t.organization_seq AND e.user_seq = m.member_seq
 WHERE t.company_seq = {company};
INSERT INTO team_syncs (user_seq, organization_seq, company_seq, cause, source, groups_seen, dropped, synced_at)
SELECT user_seq, organization_seq, {company}, 'scim', 'scim', '[]', '[]', 1 FROM team_members
 WHERE company_seq = {company};
INSERT INTO identities (connection_seq, issuer, subject, company_seq, user_seq, linked_at, last_login_at)
SELECT c.seq, 'https://idp.example', u.id, {company}, u.seq, 1, 1 FROM users u
  JOIN connections c ON c.company_seq = u.company_seq WHERE u.company_seq = {company};
INSERT INTO user_claims (user_seq, company_seq, connection_seq, groups, overage, observed_at)
SELECT u.seq, {company}, c.seq, '["Group 1"]', FALSE, 1 FROM users u
  JOIN connections c ON c.company_seq = u.company_seq WHERE u.company_seq = {company};
INSERT INTO sessions (id, company_seq, user_seq, digest, created_at, last_used_at, expires_at)
SELECT 'session' || u.seq, {company}, u.seq, {digest}, 1, 1, 9000000000000000 FROM users u
 WHERE u.company_seq = {company};
"#,
        digest = "CAST('x' AS bytea)"
    )
}

fn run(conn: &mut DbConn, statements: &str) {
    match conn {
        DbConn::Sqlite(conn) => {
            let lite = statements.replace("CAST('x' AS bytea)", "x'78'");
            conn.batch_execute(&lite).unwrap();
            // Statistics are what PostgreSQL makes by itself.
        }
        DbConn::Postgres(conn) => {
            conn.batch_execute(statements).unwrap();
            conn.batch_execute("ANALYZE").unwrap();
        }
    }
}

fn furnished(database: Database) -> Directories {
    let world = Directories::new(database);
    let rows = fill(world.acme.company.0);
    wait(world.service.transact(move |cx| {
        run(cx.conn, &rows);
        Ok(())
    }));
    world
}

/// Few are a company's organizations, its filters, its schemas, and the jobs that are open.
fn is_narrow(step: &str) -> bool {
    let few = [
        "organizations",
        "group_filters",
        "scim_schemas",
        "jobs",
        "connections",
        " o USING",
        " j USING",
        " c USING",
    ];
    let made = [
        "VIRTUAL TABLE",
        "CONSTANT ROW",
        "VALUES",
        "SCAN below",
        "SCAN q",
        "SCAN held",
        "INDEX jobs_open",
    ];
    let few = few.iter().any(|name| step.contains(name));
    if step.starts_with("SCAN") {
        return made.iter().any(|name| step.contains(name));
    }
    !step.contains("AUTOMATIC") && (few || !step.contains("(company_seq=?)"))
}

/// Does something in a unit of work and judges what it read.
fn costs<T>(world: &Directories, what: &str, work: impl FnOnce(&mut Cx<'_>) -> Result<T>) -> T {
    let (done, cost) = world.cost(|conn| {
        let_write(conn);
        let clock = Clock::system();
        work(&mut Cx { conn, now: clock.now(), clock: &clock })
    });
    judge_steps(what, &cost, |sql, step| is_narrow(step) || asks_for_one(sql, step));
    done
}

fn operations(value: &Value) -> Vec<patch::PatchOperation> {
    patch::parse(object(json!({"Operations": [value]}))).unwrap()
}

/// The directory's changes, each followed by its teams.
fn the_directory_changes(world: &Directories) {
    let acme = &world.acme;
    for (what, group, operation) in [
        (
            "a member more",
            "acme-g9",
            json!({"op": "add", "path": "members", "value": [{"value": "acme-u7"}]}),
        ),
        (
            "a member less",
            "acme-g9",
            json!({"op": "remove", "path": "members[value eq \"acme-u7\"]"}),
        ),
        (
            "a rename",
            "acme-g9",
            json!({"op": "replace", "path": "displayName", "value": "Renamed"}),
        ),
    ] {
        costs(world, what, |cx| groups::patch(cx, acme, (group, None), operations(&operation)));
    }
    for on in [false, true] {
        let operation = operations(&json!({"op": "replace", "path": "active", "value": on}));
        costs(world, "active", |cx| users::patch(cx, acme, ("acme-u7", None), &operation));
    }
    costs(world, "a user deleted", |cx| users::delete(cx, acme, "acme-u9", None));
    costs(world, "a group deleted", |cx| groups::delete(cx, acme, "acme-g10", None));
}

/// A login, and going to another organization.
fn people_come(world: &Directories) {
    let company = world.service.read_now(|conn| companies::find(conn, "acme")).unwrap();
    let connection = world
        .service
        .read_now(|conn| Ok(db::connections::find(conn, company.seq, None)?.unwrap().seq));
    let way = Way::Sso(connection.unwrap());
    let identity = VerifiedIdentity {
        issuer: "https://idp.example".to_owned(),
        subject: "acme-u12".to_owned(),
        email: "user12".to_owned(),
        groups: Some(vec!["Group 12".to_owned()]),
        ..VerifiedIdentity::default()
    };
    let keys = world.service.keys();
    let came =
        costs(world, "a login", |cx| login::complete(cx, &keys, &company, (way, &identity), None));
    let Outcome::SignedIn(came) = came else { panic!("{came:?}") };
    let (to, user) = (came.organizations[0].0, came.user.seq);
    costs(world, "a switch", |cx| projection::at_switch(cx, company.seq, to, user));
    let read = |conn: &mut DbConn| organizations::find(conn, company.seq, "o13");
    let place = world.service.read_now(read).unwrap();
    costs(world, "members", |cx| memberships::page(cx.conn, &place, ("", 100)));
    costs(world, "teams", |cx| teams::page(cx.conn, &place, ("", 100)));
    costs(world, "states", |cx| teams::states(cx.conn, company.seq, "acme-u12", ("", 100)));
}

/// Filters by a job, a slice of which is one user's here; mappings too.
fn rules_change(world: &Directories) {
    let company = world.acme.company;
    let some = world
        .service
        .read_now(|conn| Ok(db::jobs::users(conn, company, (0, i64::MAX), 5)?))
        .unwrap();
    costs(world, "a slice", |cx| {
        let by = (company, &Actor::System);
        jobs::enqueue(cx, by, Kind::GroupFilters, Work::on(some))?;
        let until = cx.now + jiff::SignedDuration::from_hours(1);
        let job = db::jobs::claim(cx.conn, "here", (cx.now, until))?.unwrap();
        jobs::slice(cx, "here", &job, 100)
    });
    costs(world, "verdicts", |cx| group_filters::verdicts(cx.conn, company, &["Group 1"]));
}

fn changes_are_narrow(database: Database) {
    let world = furnished(database);
    assert_eq!(USERS % ORGANIZATIONS, 0);
    the_directory_changes(&world);
    people_come(&world);
    rules_change(&world);
}

#[test]
fn no_change_of_teams_reads_a_whole_table() {
    changes_are_narrow(Database::Sqlite);
}

#[test]
fn no_change_of_teams_reads_a_whole_table_on_postgres() {
    changes_are_narrow(Database::Postgres);
}
