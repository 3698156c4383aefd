//! Background jobs: progress over HTTP, leases, and what is left when a worker dies.

use std::thread::sleep;
use std::time::{Duration, Instant};

use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use jiff::SignedDuration;
use serde_json::{Value, json};
use stagedoor::db;
use stagedoor::domain::event::Actor;
use stagedoor::domain::job::{Job, Kind, MAX_ATTEMPTS, State, Work};
use stagedoor::service::{Cx, Result, companies, jobs};

use crate::api::Api;
use crate::company::user;
use crate::server::{Database, TestServer, on_both_databases};

impl Api {
    /// Waits until a job of acme has ended.
    #[track_caller]
    pub fn ended(&self, job: &Value) -> Value {
        let path = format!("/companies/acme/jobs/{}", job["id"].as_str().unwrap());
        let begun = Instant::now();
        loop {
            let job = self.get(&path).expect(200).json;
            if !job["finished_at"].is_null() {
                return job;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "{job}");
            sleep(Duration::from_millis(20));
        }
    }

    /// The same of one that ends well, and has done all.
    #[track_caller]
    pub fn succeeded(&self, job: &Value) -> Value {
        let job = self.ended(job);
        assert_eq!(job["state"], "succeeded", "{job}");
        assert_eq!(job["done"], job["total"], "{job}");
        assert!(job["error"].is_null(), "{job}");
        job
    }
}

/// Does a unit of work in this process, on the server's database.
fn transact<T: Send + 'static>(
    server: &TestServer,
    unit: impl FnOnce(&mut Cx<'_>) -> Result<T> + Clone + Send + 'static,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(server.service().transact(unit)).unwrap()
}

/// How long a worker of this process holds a job: longer than any test takes.
const LONG: SignedDuration = SignedDuration::from_hours(1);

/// A job for everybody in acme that a worker of this process holds.
fn held(server: &TestServer, worker: &'static str) -> Job {
    transact(server, move |cx| {
        let acme = companies::find(cx.conn, "acme")?.seq;
        jobs::enqueue(cx, (acme, &Actor::System), Kind::Resync, Work::everybody())?;
        Ok(db::jobs::claim(cx.conn, worker, (cx.now, cx.now + LONG))?.unwrap())
    })
}

fn slice(server: &TestServer, worker: &'static str, job: &Job, size: i64) -> Option<Job> {
    let job = job.clone();
    transact(server, move |cx| jobs::slice(cx, worker, &job, size))
}

/// Users of acme, made as an import makes them.
fn people(server: &TestServer, count: usize) {
    let lines: String = (0..count).map(|n| format!("{}\n", user(&format!("user{n}")))).collect();
    std::fs::write(server.directory().join("people.ndjson"), lines).unwrap();
    server.cli_ok(&["import", "acme", "people.ndjson"]);
}

on_both_databases! {
    fn r190_a_resync_runs_as_a_job(server: &TestServer) {
        let api = server.operator();
        for name in ["ada", "bob", "eve"] {
            server.acme().user(name);
        }
        let begun = api.post("/companies/acme/scim/resync", &json!({})).expect(202);
        let job = &begun["job"];
        assert_eq!((&job["kind"], &job["total"]), (&json!("resync"), &json!(3)));
        let ended = api.succeeded(job);
        assert_eq!(ended["done"], 3);
        assert_eq!(api.get("/companies/acme/jobs").expect(200).data()[0], ended);
        let nobody = "/companies/acme/jobs/0198c0de-0000-7000-8000-00000000abcd";
        api.get(nobody).problem(404, "not_found");
        let events = api.get("/companies/acme/audit-events").expect(200);
        let queued = events.data().iter().find(|e| e["action"] == "job.queued").unwrap();
        assert_eq!(queued["target"], job["id"]);
    }

    /// A job that nobody has begun does what a further one would do.
    fn what_waits_takes_over_what_comes(server: &TestServer) {
        let first = held(server, "mine");
        let api = server.operator();
        let ask = || api.post("/companies/acme/scim/resync", &json!({})).expect(202)["job"]["id"].clone();
        let (second, third) = (ask(), ask());
        assert_ne!(second, json!(first.id));
        assert_eq!(second, third);
        assert!(slice(server, "mine", &first, 10).unwrap().finished_at.is_some());
        api.succeeded(&json!({"id": second}));
    }

    /// I32: what a worker that dies has done stays done, and another goes on behind it.
    fn another_worker_goes_on_where_one_died(server: &TestServer) {
        people(server, 45);
        let job = held(server, "dead");
        let job = slice(server, "dead", &job, 10).unwrap();
        assert_eq!((job.done, job.total), (10, 45));
        let shown = server.operator().get(&format!("/companies/acme/jobs/{}", job.id)).expect(200);
        assert_eq!((&shown["state"], &shown["done"]), (&json!("running"), &json!(10)));
        // Its lease ends; nobody was done twice, or there would be more than there are.
        let ended = server.operator().succeeded(&shown.json);
        assert_eq!(ended["done"], 45);
        assert!(slice(server, "dead", &job, 10).is_none(), "the job is another's by now");
    }

    /// A slice whose lease has gone to another worker changes nothing.
    fn a_lost_lease_ends_the_work(server: &TestServer) {
        people(server, 5);
        let job = held(server, "slow");
        let (taken, none) = transact(server, move |cx| {
            let late = cx.now + LONG + LONG;
            let taken = db::jobs::claim(cx.conn, "fast", (late, late + LONG))?;
            Ok((taken, db::jobs::claim(cx.conn, "third", (late, late + LONG))?))
        });
        let taken = taken.unwrap();
        assert_eq!((taken.seq, none), (job.seq, None));
        assert!(slice(server, "slow", &job, 10).is_none());
        let done = slice(server, "fast", &taken, 10).unwrap();
        assert_eq!((done.done, done.state), (5, State::Succeeded));
    }

    /// A job that names its users does those alone.
    fn a_job_may_name_its_users(server: &TestServer) {
        people(server, 30);
        let job = transact(server, |cx| {
            let acme = companies::find(cx.conn, "acme")?.seq;
            let some: Vec<i64> =
                db::jobs::users(cx.conn, acme, (0, i64::MAX), 100)?.into_iter().step_by(2).collect();
            jobs::enqueue(cx, (acme, &Actor::System), Kind::GroupMembers, Work::on(some))
        });
        assert_eq!(job.total, 15);
        assert_eq!(server.operator().succeeded(&json!({"id": job.id}))["done"], 15);
    }

    /// What fails again and again is given up, and says so.
    fn a_job_that_cannot_be_done_is_given_up(server: &TestServer) {
        let job = held(server, "mine");
        let (id, last) = (job.id.clone(), MAX_ATTEMPTS);
        transact(server, move |cx| {
            for attempt in 0..last {
                let mut job = jobs::find(cx.conn, job.company, &id)?;
                assert_eq!((job.attempts, job.finished_at), (attempt, None));
                jobs::failed(cx, "mine", &job)?;
                job = jobs::find(cx.conn, job.company, &id)?;
                if job.finished_at.is_none() {
                    let late = cx.now + LONG;
                    db::jobs::claim(cx.conn, "mine", (late, late))?.unwrap();
                }
            }
            Ok(())
        });
        let ended = server.operator().ended(&json!({"id": job.id}));
        assert_eq!(ended["state"], "failed");
        assert!(ended["error"].as_str().unwrap().contains("log"));
    }
}

/// A group of many members changes its teams by a job: no SCIM request waits for them.
fn a_large_group_is_projected_by_a_job(server: &TestServer) {
    people(server, 1_200);
    let api = server.operator();
    api.organization("acme", "dev", &json!({}));
    server.sql(
        "INSERT INTO organization_members (organization_seq, user_seq, company_seq, role, source, \
         deactivated, unmapped, status_changed_at, created_at, updated_at) \
         SELECT o.seq, u.seq, u.company_seq, 'member', 'manual', FALSE, FALSE, 1, 1, 1 \
         FROM organizations o, users u WHERE o.slug = 'dev'",
    );
    let mut ids = Vec::new();
    for start in [1, 501, 1_001] {
        let page = server.acme().get(&format!("/Users?startIndex={start}&count=500&attributes=id"));
        ids.extend(page.expect(200).each("id"));
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let crew = server.acme().group("crew", &ids);
    let last = || api.get("/companies/acme/jobs").expect(200).data().last().unwrap().clone();
    let job = last();
    assert_eq!((&job["kind"], &job["total"]), (&json!("group_members"), &json!(1_200)));
    assert_eq!(api.succeeded(&job)["changed"]["memberships_added"], 1_200);
    // So does a mapping of the group.
    let dev = "/companies/acme/organizations/dev";
    let oidc = json!({"provider": "okta", "protocol": "oidc"});
    api.post("/companies/acme/sso/connection", &oidc).expect(201);
    let on = json!({"idp_mapping_enabled": true});
    api.patch("/companies/acme/sso/auth-settings", &on).expect(200);
    let team = api.post(&format!("{dev}/teams"), &json!({"name": "team"})).expect(201).id();
    let mapping = json!({"mappings": [{"group": "crew", "team_id": team}]});
    api.put(&format!("{dev}/team-mappings"), &mapping).expect(200);
    let mapped = api.succeeded(&last());
    assert_eq!(
        (&mapped["kind"], &mapped["changed"]["memberships_added"]),
        (&json!("team_sync"), &json!(1_200))
    );
    server.acme().delete(&format!("/Groups/{crew}")).expect(204);
    assert_eq!(api.succeeded(&last())["done"], 1_200);
}

#[test]
fn a_large_group_is_a_job() {
    a_large_group_is_projected_by_a_job(&TestServer::start(Database::Sqlite));
}

#[test]
fn a_large_group_is_a_job_on_postgres() {
    a_large_group_is_projected_by_a_job(&TestServer::start(Database::Postgres));
}

/// A job is killed in the middle with the whole server, and comes to its end.
fn survives_a_kill(mut server: TestServer) {
    people(&server, 20_000);
    for _ in 0..10 {
        let api = server.operator();
        let job = api.post("/companies/acme/scim/resync", &json!({})).expect(202)["job"].clone();
        let path = format!("/companies/acme/jobs/{}", job["id"].as_str().unwrap());
        let begun = loop {
            let now = api.get(&path).expect(200).json;
            if now["done"].as_i64().unwrap() > 0 {
                break now;
            }
        };
        server.crash_and_restart();
        let api = server.operator();
        let after = api.get(&path).expect(200).json;
        assert!(after["done"].as_i64() >= begun["done"].as_i64(), "{begun} then {after}");
        let in_the_middle = after["finished_at"].is_null();
        // Nobody was left out, and nobody done twice.
        assert_eq!(api.succeeded(&job)["done"], 20_000);
        if in_the_middle {
            return;
        }
    }
    panic!("no kill met a job in the middle");
}

#[test]
fn a_job_survives_a_kill() {
    survives_a_kill(TestServer::start(Database::Sqlite));
}

#[test]
fn a_job_survives_a_kill_on_postgres() {
    survives_a_kill(TestServer::start(Database::Postgres));
}

/// How many are in a team of an organization.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
struct Count {
    #[diesel(sql_type = Text)]
    organization: String,
    #[diesel(sql_type = Text)]
    team: String,
    #[diesel(sql_type = BigInt)]
    members: i64,
    #[diesel(sql_type = BigInt)]
    sum: i64,
}

/// Who is in which team: the sum tells one set of users from another.
fn teams(server: &TestServer) -> Vec<Count> {
    let counts = server.service().read_now(|conn| {
        Ok(sql_query(
            "SELECT o.slug AS organization, t.name AS team, count(*) AS members, \
             CAST(sum(m.user_seq * m.user_seq % 10007) AS bigint) AS sum FROM team_members m \
             JOIN teams t ON t.seq = m.team_seq JOIN organizations o ON o.seq = t.organization_seq \
             GROUP BY o.slug, t.name ORDER BY o.slug, t.name",
        )
        .load(conn)?)
    });
    counts.unwrap()
}

/// Users in ten groups, two each, and two organizations that they all may enter.
fn furnish(server: &TestServer, users: usize) {
    let mut lines = String::new();
    for n in 0..users {
        let mut body = user(&format!("user{n}"));
        body["id"] = json!(format!("u{n}"));
        lines.push_str(&format!("{body}\n"));
    }
    for group in 0..10 {
        let mine = (0..users).filter(|n| n % 10 == group || n / 10 % 10 == group);
        let members: Vec<Value> = mine.map(|n| json!({"value": format!("u{n}")})).collect();
        let body = json!({"id": format!("g{group}"), "displayName": format!("g{group}"), "members": members});
        lines.push_str(&format!("{body}\n"));
    }
    std::fs::write(server.directory().join("furnished.ndjson"), lines).unwrap();
    server.cli_ok(&["import", "acme", "furnished.ndjson"]);
    let api = server.operator();
    for slug in ["dev", "prod"] {
        api.organization("acme", slug, &json!({}));
    }
    server.sql(
        "INSERT INTO organization_members (organization_seq, user_seq, company_seq, role, source, \
         deactivated, unmapped, status_changed_at, created_at, updated_at) \
         SELECT o.seq, u.seq, u.company_seq, 'member', 'manual', FALSE, FALSE, 1, 1, 1 \
         FROM organizations o, users u",
    );
}

/// Saves filters; the job that brings them to the teams.
fn filter(api: &Api, block: &[&str]) -> Value {
    let body = json!({"block": block, "confirm_impact": true});
    api.put("/companies/acme/sso/group-filters", &body).expect(200)["job"].clone()
}

/// I32: a change of filters over real memberships that is killed in the middle comes to the very teams of one
/// that nobody disturbed, there and back.
fn a_filter_change_survives_a_kill(mut server: TestServer) {
    const ODD: [&str; 1] = ["[13579]$"];
    furnish(&server, 4_000);
    let api = server.operator();
    api.succeeded(&api.post("/companies/acme/scim/resync", &json!({})).expect(202)["job"]);
    let all = teams(&server);
    assert_eq!((all.len(), all.iter().map(|team| team.members).sum::<i64>()), (20, 15_200));
    api.succeeded(&filter(&api, &ODD));
    let even = teams(&server);
    assert_eq!(even.len(), 10);
    let mut met = [false, false];
    for round in 0..20 {
        let (block, right) = if round % 2 == 0 { (&[][..], &all) } else { (&ODD[..], &even) };
        let api = server.operator();
        let job = filter(&api, block);
        let path = format!("/companies/acme/jobs/{}", job["id"].as_str().unwrap());
        while api.get(&path).expect(200)["done"] == 0 {}
        server.crash_and_restart();
        let api = server.operator();
        met[round % 2] |= api.get(&path).expect(200)["finished_at"].is_null();
        api.succeeded(&job);
        assert_eq!(teams(&server), *right, "round {round}");
        if met == [true, true] {
            return;
        }
    }
    panic!("no kill met a change of filters in the middle");
}

#[test]
fn a_killed_filter_change_comes_to_the_same_teams() {
    a_filter_change_survives_a_kill(TestServer::start(Database::Sqlite));
}

#[test]
fn a_killed_filter_change_comes_to_the_same_teams_on_postgres() {
    a_filter_change_survives_a_kill(TestServer::start(Database::Postgres));
}
