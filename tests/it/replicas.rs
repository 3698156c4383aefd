//! Any number of `stagedoor serve` on one PostgreSQL: no sticky sessions, nothing shared but the
//! database. Requests go round among the replicas, as a proxy sends them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::sql_types::BigInt;
use diesel::{Connection, PgConnection, RunQueryDsl};
use serde_json::{Value, json};

use crate::client::{Call, HttpClient, Reply};
use crate::company::{Company, ERROR, PATCH_OP, user};
use crate::postgres::Cluster;
use crate::server::{Database, Replica, TestServer, start_at_once};

/// Clients that change one group at once, and the changes that each makes.
const CLIENTS: usize = 64;
const ROUNDS: usize = 50;
/// Clients under which a replica or the database is ended.
const WRITERS: usize = 16;
/// Longest time after which a revoked token is refused everywhere, and after which requests are
/// served again once PostgreSQL answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server and two more on the same database.
struct Trio {
    others: [Replica; 2],
    server: TestServer,
}

impl Trio {
    fn start() -> Self {
        let server = TestServer::start(Database::Postgres);
        let others = [server.replica(), server.replica()];
        Self { others, server }
    }

    /// Acme at each of them.
    fn all(&self) -> [&Company; 3] {
        [self.server.acme(), self.others[0].acme(), self.others[1].acme()]
    }

    /// The same with connections of one's own, as another machine would have them.
    fn clients(&self) -> [Company; 3] {
        self.all().map(|acme| Company::new(acme.url("").trim_end_matches("/scim/v2"), acme.token()))
    }
}

/// What a replica remembers of a group is no longer shown once another replica has changed it.
#[test]
fn a_group_is_renamed_on_all_replicas_at_once() {
    let trio = Trio::start();
    let acme = trio.server.acme();
    let ada = acme.user("ada@tern.example");
    let crew = acme.group("Crew", &[&ada]);
    for turn in 0..9 {
        for replica in trio.all() {
            let page = replica.get("/Users").expect(200);
            let name = if turn == 0 { "Crew".to_owned() } else { format!("Crew {turn}") };
            assert_eq!(page.resources()[0]["groups"][0]["display"], name);
            let alone = replica.get(&format!("/Users/{ada}")).expect(200);
            assert_eq!(alone.json["groups"][0]["display"], name);
        }
        let name = format!("Crew {}", turn + 1);
        let operations = json!([{"op": "replace", "path": "displayName", "value": name}]);
        trio.all()[turn % 3].patch(&format!("/Groups/{crew}"), &operations).expect(204);
    }
}

/// Transactions that make and nest groups of one company, open for seconds, as bulk requests are: none waits
/// for another one, and what they write of the company's state does not grow with the groups.
#[test]
fn groups_are_made_side_by_side() {
    let server = TestServer::start(Database::Postgres);
    let acme = server.acme();
    acme.group("Crew", &[]);
    let url = server.postgres_url().expect("PostgreSQL");
    let states = "FROM shown_groups WHERE company_seq = (SELECT company_seq FROM groups WHERE display_name = 'Crew')";
    let turns = ["Deck", "Bridge", "Galley"].map(|name| {
        let mut other = PgConnection::establish(&url).expect("a connection");
        let mut run = |statement: &str| other.batch_execute(statement).expect("none waits");
        run("BEGIN; SET LOCAL lock_timeout = '5s'");
        for turn in 0..3 {
            run(&format!(
                "INSERT INTO groups (company_seq, id, display_name, display_name_key, member_count, created_at,
                     last_modified, version, document, facts) SELECT company_seq, n.n, n.n, n.n, 0, created_at,
                     last_modified, version, document, facts FROM groups,
                     (SELECT '{name} {turn} ' || n AS n FROM generate_series(1, 500) n) n WHERE display_name = 'Crew'"
            ));
            run(&format!("UPDATE groups SET nested = TRUE WHERE id LIKE '{name} {turn} %'"));
        }
        let changed: i64 = diesel::select(diesel::dsl::sql::<BigInt>(
            "(SELECT pg_stat_get_xact_tuples_inserted('shown_groups'::regclass)
               + pg_stat_get_xact_tuples_updated('shown_groups'::regclass))",
        ))
        .get_result(&mut other)
        .expect("a number");
        assert_eq!(changed, 6, "one for each statement");
        other
    });
    let id = acme.group("Mast", &[]);
    let renamed = json!([{"op": "replace", "path": "displayName", "value": "Sail"}]);
    acme.patch(&format!("/Groups/{id}"), &renamed).expect(204);
    for mut other in turns {
        other.batch_execute("COMMIT").expect("it is kept");
    }
    assert_eq!(acme.get("/Groups").expect(200).total(), 2);
    assert_eq!(server.count(&format!("(SELECT lane {states}) lanes")), 4, "one for each at once");
}

/// A group that was taken back leaves its storage key to another one, as on a standby that lacks the last commits.
#[test]
fn a_storage_key_that_comes_again_shows_its_new_group() {
    let server = TestServer::start(Database::Postgres);
    let acme = server.acme();
    let ada = acme.user("ada@tern.example");
    let shown = || acme.get("/Users").expect(200).resources()[0]["groups"][0]["display"].clone();
    let id = acme.group("Crew", &[&ada]);
    let renamed = json!([{"op": "replace", "path": "displayName", "value": "Sail"}]);
    acme.patch(&format!("/Groups/{id}"), &renamed).expect(204);
    assert_eq!(shown(), "Sail");
    server.sql(&format!("DELETE FROM groups WHERE id = '{id}'"));
    server.sql("SELECT setval(pg_get_serial_sequence('groups', 'seq'), 1, false)");
    acme.group("Deck", &[&ada]);
    assert_eq!(shown(), "Deck");
}

/// Each client knows what it added and removed; the group must know the same of all of them.
#[test]
fn no_member_is_lost_between_replicas() {
    let trio = Trio::start();
    let group = trio.server.acme().group("Crowd", &[]);
    let barrier = Barrier::new(CLIENTS);
    let expected: BTreeSet<String> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (trio, group, barrier) = (&trio, &group, &barrier);
                scope.spawn(move || {
                    let replicas = trio.clients();
                    let ids = [0, 1, 2].map(|n| replicas[n].user(&format!("c{number}u{n}")));
                    let mut members = BTreeSet::new();
                    barrier.wait();
                    for round in 0..ROUNDS {
                        let id = &ids[round % ids.len()];
                        let adds = !members.remove(id);
                        if adds {
                            members.insert(id.clone());
                        }
                        let replica = &replicas[(number + round) % replicas.len()];
                        replica.patch(&format!("/Groups/{group}"), &change(adds, id)).expect(204);
                    }
                    members
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let expected: Vec<String> = expected.into_iter().collect();
    assert!(!expected.is_empty() && expected.len() < CLIENTS * 3, "both ends were tried");
    for acme in trio.all() {
        assert_eq!(acme.members(&group), expected);
    }
}

fn change(adds: bool, id: &str) -> Value {
    if adds {
        json!([{"op": "add", "path": "members", "value": [{"value": id}]}])
    } else {
        json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}])
    }
}

/// What a replica that is killed takes along: the requests that it was at, and no other.
#[test]
fn a_killed_replica_costs_its_own_requests_in_flight() {
    let trio = Trio::start();
    let (made, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let traces: Vec<(BTreeSet<String>, usize)> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let (trio, made, enough) = (&trio, &made, &enough);
                scope.spawn(move || write_round_robin(trio, number, (made, enough)))
            })
            .collect();
        wait_until(|| made.load(Ordering::Relaxed) > 10 * WRITERS);
        trio.others[1].kill();
        let then = made.load(Ordering::Relaxed);
        wait_until(|| made.load(Ordering::Relaxed) > then + 20 * WRITERS);
        enough.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    for (names, lost) in &traces {
        assert!(*lost <= 1, "a client lost {lost} requests to one replica");
        for name in names {
            let found =
                trio.others[0].acme().filter("/Users", &format!("userName eq \"{name}\""), "");
            assert_eq!(found.expect(200).total(), 1, "{name}");
        }
    }
    assert!(traces.iter().any(|(_, lost)| *lost == 1), "the replica was killed in mid-load");
    // Counted by replicas side by side, the killed one too, while they brought the counts together.
    let acme = trio.others[0].acme();
    let total = acme.get("/Users?count=0").expect(200).total();
    let walked = acme.get("/Users?filter=userName%20pr&count=0").expect(200).total();
    assert_eq!(total, walked);
    let made: usize = traces.iter().map(|(names, _)| names.len()).sum();
    assert!(usize::try_from(total).unwrap() >= made);
}

/// Creates users at the replicas in turn, but for one that gave no answer, as a proxy does; the names
/// of those that were made, and how many requests had no answer.
fn write_round_robin(
    trio: &Trio,
    number: usize,
    (made, enough): (&AtomicUsize, &AtomicBool),
) -> (BTreeSet<String>, usize) {
    let client = HttpClient::new();
    let mut replicas = trio.clients().to_vec();
    let (mut names, mut lost) = (BTreeSet::new(), 0);
    for round in 0.. {
        if enough.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("w{number}u{round}");
        let place = (number + round) % replicas.len();
        match send(&client, &replicas[place], "POST", "/Users", &user(&name)) {
            Some(reply) => {
                assert_eq!(reply.status, 201, "{reply}");
                names.insert(name);
                made.fetch_add(1, Ordering::Relaxed);
            }
            None => {
                lost += 1;
                replicas.remove(place);
            }
        }
    }
    (names, lost)
}

/// One request; `None` where no answer came.
fn send(
    client: &HttpClient,
    company: &Company,
    method: &str,
    path: &str,
    body: &Value,
) -> Option<Reply> {
    let headers = [
        ("Authorization".to_owned(), format!("Bearer {}", company.token())),
        ("Content-Type".to_owned(), "application/scim+json".to_owned()),
    ];
    let body = Some(body.to_string().into_bytes());
    let (method, url) = (method.to_owned(), company.url(path));
    client.send(&Call { method, url, headers: headers.into(), body }).ok()
}

/// Waits for the load to bring something about.
fn wait_until(mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the load stands still");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_revoked_token_is_refused_everywhere() {
    let trio = Trio::start();
    let token = trio.server.token("acme", "doomed", &[]);
    let clients = trio.all().map(|acme| {
        let client = Company::new(acme.url("").trim_end_matches("/scim/v2"), &token);
        client.get("/Users?count=1").expect(200);
        client
    });
    let id = token.split('_').nth(2).unwrap();
    trio.server.cli_ok(&["token", "revoke", "acme", id]);
    let revoked = Instant::now();
    for client in &clients {
        while client.get("/Users?count=1").status == 200 {
            assert!(revoked.elapsed() < PATIENCE, "a revoked token opens after {PATIENCE:?}");
        }
        client.get("/Users?count=1").fails(401);
    }
}

#[test]
fn all_replicas_start_at_once_on_an_empty_database() {
    let (replicas, _home) = start_at_once(3);
    for replica in &replicas {
        // The server knows its database and its key; the token is nobody's.
        replica.acme().get("/Users").fails(401);
    }
}

/// What one client was told, in its order.
struct Told {
    /// Ids of the users that were made, with the number that each says.
    users: BTreeMap<String, u64>,
    /// Users whose last change had no certain outcome, with the number that it would have set.
    doubtful: BTreeMap<String, u64>,
    refused: usize,
}

/// R7: nothing but 503 with Retry-After while PostgreSQL is away, everything again soon after it is
/// back, and what was answered is true.
#[test]
fn a_restart_of_postgres_costs_503_only() {
    let mut cluster = Cluster::start(true);
    let server = TestServer::start_on(cluster.url("postgres"));
    let (served, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let enough = AtomicBool::new(false);
    let told: Vec<Told> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let (server, counts, enough) = (&server, (&served, &refused), &enough);
                scope.spawn(move || write_on(server, number, counts, enough))
            })
            .collect();
        for _ in 0..2 {
            let then = served.load(Ordering::Relaxed);
            wait_until(|| served.load(Ordering::Relaxed) > then + 20 * WRITERS);
            cluster.stop();
            let then = refused.load(Ordering::Relaxed);
            wait_until(|| refused.load(Ordering::Relaxed) > then + WRITERS);
            assert_eq!((status(&server, "/healthz"), status(&server, "/readyz")), (200, 503));
            cluster.start_again();
            let back = Instant::now();
            wait_until(|| status(&server, "/readyz") == 200);
            // A success of each client in a row, then no refusal in as many requests again.
            let mut calm = (refused.load(Ordering::Relaxed), served.load(Ordering::Relaxed));
            wait_until(|| {
                let now = (refused.load(Ordering::Relaxed), served.load(Ordering::Relaxed));
                if now.0 != calm.0 {
                    calm = now;
                }
                now.1 > calm.1 + 10 * WRITERS
            });
            assert!(back.elapsed() < PATIENCE, "served again after {:?}", back.elapsed());
        }
        enough.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert!(told.iter().all(|told| told.refused > 0), "everybody was there when it was away");
    for told in &told {
        for (id, number) in &told.users {
            let title = server.acme().get(&format!("/Users/{id}")).expect(200)["title"].clone();
            let allowed = [Some(number), told.doubtful.get(id)];
            let says: u64 = title.as_str().unwrap().parse().unwrap();
            assert!(allowed.contains(&Some(&says)), "{id} says {says}: {allowed:?}");
        }
    }
}

fn status(server: &TestServer, path: &str) -> u16 {
    let (method, url) = ("GET".to_owned(), format!("{}{path}", server.address()));
    HttpClient::new().send(&Call { method, url, ..Call::default() }).unwrap().status
}

/// Makes and changes users, whatever the answers; each must be a success or a well-formed 503.
fn write_on(
    server: &TestServer,
    number: usize,
    (served, refused): (&AtomicUsize, &AtomicUsize),
    enough: &AtomicBool,
) -> Told {
    let client = HttpClient::new();
    let mut told = Told { users: BTreeMap::new(), doubtful: BTreeMap::new(), refused: 0 };
    let count = |reply: &Reply, told: &mut Told| {
        if (200..300).contains(&reply.status) {
            served.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        assert_eq!(reply.status, 503, "{reply}");
        assert!(reply.header("retry-after").is_some(), "{reply}");
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(
            (&body["schemas"], &body["status"]),
            (&json!([ERROR]), &json!("503")),
            "{reply}"
        );
        told.refused += 1;
        refused.fetch_add(1, Ordering::Relaxed);
        // Less haste than the server would stand, so that PostgreSQL has a processor to start on.
        thread::sleep(Duration::from_millis(20));
        false
    };
    for round in 0_u64.. {
        if enough.load(Ordering::Relaxed) {
            break;
        }
        let body = json!({"userName": format!("r{number}u{round}"), "title": "0"});
        let reply = send(&client, server.acme(), "POST", "/Users", &body).expect("an answer");
        if !count(&reply, &mut told) {
            continue;
        }
        let made: Value = serde_json::from_slice(&reply.body).unwrap();
        let id = made["id"].as_str().unwrap().to_owned();
        told.users.insert(id.clone(), 0);
        for value in 1..4 {
            let operation = json!([{"op": "replace", "path": "title", "value": value.to_string()}]);
            let change = json!({"schemas": [PATCH_OP], "Operations": operation});
            let path = format!("/Users/{id}");
            let reply = send(&client, server.acme(), "PATCH", &path, &change).expect("an answer");
            if !count(&reply, &mut told) {
                told.doubtful.insert(id.clone(), value);
                break;
            }
            told.users.insert(id.clone(), value);
        }
    }
    told
}
