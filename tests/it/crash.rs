//! `kill -9` at random moments under write load (ruling 14).
//!
//! Sixteen writers keep a synced log of every write that was answered. After each kill everything
//! in the logs must be there, a write without an answer may be there, and nothing may be there by
//! half. `STAGEDOOR_KILLS` says how often; a share of it by default.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::{Value, json};

use crate::client::{Call, HttpClient};
use crate::company::{Company, ENTERPRISE, PATCH_OP, USER};
use crate::postgres::Cluster;
use crate::server::{Database, TestServer};

/// Clients that write at once.
const WRITERS: usize = 16;
/// Kills in a run that does not say how many.
const KILLS: usize = 3;
/// The moment of a kill, in milliseconds after the writers have begun.
const MOMENT: std::ops::Range<u64> = 50..3_000;
/// Longest time until the killed server serves again.
const RESTART: Duration = Duration::from_secs(2);
/// What an attribute says that no PATCH touches.
const BORN: &str = "born whole";

/// A write, as the log names it once it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Deed {
    /// A user of this name was made; the answer gives the id.
    Made(String),
    /// Two attributes of this user say this number now.
    Changed(String, u64),
    /// This user is a member of the writer's group now.
    Joined(String),
}

/// What one writer leaves behind.
struct Trace {
    /// The synced log: one answered deed a line.
    log: PathBuf,
    /// The deed that no answer came for.
    unanswered: Deed,
}

/// What the logs of one kill promise.
#[derive(Debug, Default)]
struct Promise {
    /// Name, and the number that its attributes say, by id.
    users: BTreeMap<String, (String, u64)>,
    members: BTreeSet<String>,
    unanswered: Vec<Deed>,
}

#[test]
fn acknowledged_writes_survive_kills() {
    survives_kills(TestServer::start(Database::Sqlite));
}

#[test]
fn acknowledged_writes_survive_kills_on_postgres() {
    let cluster = Cluster::start(true);
    survives_kills(TestServer::start_on(cluster.url("postgres")));
}

fn survives_kills(mut server: TestServer) {
    let seed = RandomState::new().build_hasher().finish();
    eprintln!("seed {seed}");
    let mut random = Random(seed | 1);
    let mut known = BTreeMap::new();
    for kill in 0..kills() {
        let group = server.acme().group(&format!("Crew {kill}"), &[]);
        let logs = tempfile::tempdir().unwrap();
        let moment = Duration::from_millis(random.within(MOMENT));
        let traces = kill_under_load(&mut server, kill, (&group, logs.path()), moment);
        let promise = read(&traces);
        eprintln!("kill {kill} after {moment:?}: {} users were made", promise.users.len());
        let found = keep(server.acme(), &group, &promise);
        known.extend(found);
        let total = server.acme().get("/Users?count=1").expect(200).total();
        assert_eq!(total, known.len() as u64, "as many users as were made");
        if server.database() == Database::Sqlite {
            sound(server.directory());
        }
    }
    assert_eq!(everybody(server.acme()), known, "later kills took nothing that was there before");
}

/// Lets the writers write, kills the server under them, and starts it again.
fn kill_under_load(
    server: &mut TestServer,
    kill: usize,
    (group, logs): (&str, &Path),
    moment: Duration,
) -> Vec<Trace> {
    let (base, token) = (server.acme().url(""), server.acme().token().to_owned());
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let writer = Writer {
                    client: HttpClient::new(),
                    base: &base,
                    token: &token,
                    group,
                    log: logs.join(number.to_string()),
                };
                let name = format!("kill{kill}writer{number}");
                scope.spawn(move || writer.write(&name))
            })
            .collect();
        thread::sleep(moment);
        let begun = Instant::now();
        server.crash_and_restart();
        let taken = begun.elapsed();
        assert!(taken < RESTART, "the restart took {taken:?}");
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    })
}

/// One client that writes until no answer comes.
struct Writer<'a> {
    client: HttpClient,
    base: &'a str,
    token: &'a str,
    group: &'a str,
    log: PathBuf,
}

impl Writer<'_> {
    fn write(self, name: &str) -> Trace {
        let mut log = File::create(&self.log).unwrap();
        // The first user of a writer is changed again and again, the others once.
        let mut favourite = None;
        for n in 0_u64.. {
            let made = Deed::Made(format!("{name}user{n}"));
            let Some(id) = self.deed(&mut log, &made) else { return self.ended(made) };
            let favourite = favourite.get_or_insert_with(|| id.clone());
            let joined = Deed::Joined(id.clone());
            let changed = Deed::Changed(id, 1);
            let again = Deed::Changed(favourite.clone(), n + 2);
            for deed in [changed, joined, again] {
                if self.deed(&mut log, &deed).is_none() {
                    return self.ended(deed);
                }
            }
        }
        unreachable!("the server is killed first")
    }

    fn ended(self, unanswered: Deed) -> Trace {
        Trace { log: self.log, unanswered }
    }

    /// Does it and logs it; the id of the user, or `None` where no answer came.
    fn deed(&self, log: &mut File, deed: &Deed) -> Option<String> {
        let (method, path, body) = match deed {
            Deed::Made(name) => ("POST", "/Users".to_owned(), person(name)),
            Deed::Changed(id, number) => ("PATCH", format!("/Users/{id}"), change(*number)),
            Deed::Joined(id) => ("PATCH", format!("/Groups/{}", self.group), join(id)),
        };
        let headers = [
            ("Authorization", format!("Bearer {}", self.token)),
            ("Content-Type", "application/scim+json".to_owned()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let body = Some(body.to_string().into_bytes());
        let call =
            Call { method: method.to_owned(), url: format!("{}{path}", self.base), headers, body };
        let reply = self.client.send(&call).ok()?;
        assert!((200..300).contains(&reply.status), "{call}\n{reply}");
        let (line, id) = match deed {
            Deed::Made(name) => {
                let user: Value = serde_json::from_slice(&reply.body).unwrap();
                let id = user["id"].as_str().unwrap().to_owned();
                (format!("made {id} {name}\n"), id)
            }
            Deed::Changed(id, number) => (format!("changed {id} {number}\n"), id.clone()),
            Deed::Joined(id) => (format!("joined {id}\n"), id.clone()),
        };
        log.write_all(line.as_bytes()).unwrap();
        log.sync_data().unwrap();
        Some(id)
    }
}

/// A new user: every part names its owner, so that a part that is missing shows.
fn person(name: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "userName": name,
        "externalId": name,
        "displayName": "0",
        "title": "0",
        "nickName": BORN,
        "emails": [{"value": format!("{name}@acme.example"), "type": "work", "primary": true}],
        ENTERPRISE: {"department": BORN}
    })
}

/// A PATCH that lets two attributes say the same number, in two operations or in one.
fn change(number: u64) -> Value {
    let text = number.to_string();
    let operations = match number % 2 {
        0 => json!([
            {"op": "replace", "path": "displayName", "value": text},
            {"op": "replace", "path": "title", "value": text}
        ]),
        _ => json!([{"op": "replace", "value": {"displayName": text, "title": text}}]),
    };
    json!({"schemas": [PATCH_OP], "Operations": operations})
}

fn join(id: &str) -> Value {
    let operation = json!({"op": "add", "path": "members", "value": [{"value": id}]});
    json!({"schemas": [PATCH_OP], "Operations": [operation]})
}

/// What the synced logs of all writers promise.
fn read(traces: &[Trace]) -> Promise {
    let mut promise = Promise::default();
    for trace in traces {
        for line in fs::read_to_string(&trace.log).unwrap().lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["made", id, name] => {
                    promise.users.insert(id.to_owned(), (name.to_owned(), 0));
                }
                ["changed", id, number] => {
                    promise.users.get_mut(id).unwrap().1 = number.parse().unwrap();
                }
                ["joined", id] => {
                    promise.members.insert(id.to_owned());
                }
                _ => panic!("a line of the log: {line}"),
            }
        }
        promise.unanswered.push(trace.unanswered.clone());
    }
    promise
}

/// Fails unless the promise is kept; every user of it that is there, with its number.
fn keep(company: &Company, group: &str, promise: &Promise) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for (id, (name, number)) in &promise.users {
        let user = company.get(&format!("/Users/{id}")).expect(200).json;
        let (whose, says) = whole(&user);
        assert_eq!(whose, *name);
        let tried = Deed::Changed(id.clone(), says);
        assert!(says == *number || promise.unanswered.contains(&tried), "{number}: {user}");
        let named =
            user["groups"].as_array().is_some_and(|g| g.iter().any(|g| g["value"] == group));
        assert!(named || !promise.members.contains(id), "{user}");
        found.insert(id.clone(), says);
    }
    for deed in &promise.unanswered {
        let Deed::Made(name) = deed else { continue };
        let there = company.filter("/Users", &format!("userName eq \"{name}\""), "").expect(200);
        // The client that had no answer asks again: it is refused or served, as the list says.
        let again = company.post("/Users", &person(name));
        if let [user] = there.resources() {
            assert_eq!(whole(user), (name.clone(), 0));
            again.refused(409, "uniqueness");
            found.insert(user["id"].as_str().unwrap().to_owned(), 0);
        } else {
            assert_eq!(there.total(), 0);
            found.insert(again.expect(201).id(), 0);
        }
    }
    let members = company.members(group);
    let distinct: BTreeSet<String> = members.iter().cloned().collect();
    assert_eq!(distinct.len(), members.len(), "a member is there once");
    assert!(distinct.is_superset(&promise.members), "a member was lost");
    for id in distinct.difference(&promise.members) {
        assert!(promise.unanswered.contains(&Deed::Joined(id.clone())), "nobody added {id}");
    }
    found
}

/// The name and the number of a user; fails where a part of the user is missing.
fn whole(user: &Value) -> (String, u64) {
    let name = user["userName"].as_str().unwrap_or_default();
    assert_eq!(user["title"], user["displayName"], "a PATCH by half: {user}");
    assert_eq!(user["externalId"], name, "{user}");
    assert_eq!(user["nickName"], BORN, "{user}");
    assert_eq!(user[ENTERPRISE]["department"], BORN, "{user}");
    assert_eq!(user["emails"][0]["value"], format!("{name}@acme.example"), "{user}");
    (name.to_owned(), user["title"].as_str().unwrap().parse().unwrap())
}

/// Every user of the company with its number, read page by page.
fn everybody(company: &Company) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    loop {
        let page = company.get(&format!("/Users?startIndex={}&count=500", all.len() + 1));
        let page = page.expect(200);
        if page.resources().is_empty() {
            return all;
        }
        for user in page.resources() {
            let twice = all.insert(user["id"].as_str().unwrap().to_owned(), whole(user).1);
            assert_eq!(twice, None, "{user}");
        }
    }
}

/// Fails unless the database file is sound, by its own judgement.
fn sound(directory: &Path) {
    #[derive(QueryableByName)]
    struct Verdict {
        #[diesel(sql_type = Text)]
        integrity_check: String,
    }
    #[derive(QueryableByName)]
    struct Orphan {
        #[diesel(sql_type = Text)]
        table: String,
    }
    let file = directory.join("stagedoor.db");
    let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    let verdicts = diesel::sql_query("PRAGMA integrity_check").load::<Verdict>(&mut conn).unwrap();
    let verdicts: Vec<_> = verdicts.into_iter().map(|v| v.integrity_check).collect();
    assert_eq!(verdicts, ["ok"]);
    let orphans = diesel::sql_query("PRAGMA foreign_key_check").load::<Orphan>(&mut conn).unwrap();
    let orphans: Vec<_> = orphans.into_iter().map(|o| o.table).collect();
    assert!(orphans.is_empty(), "rows without their parent in {orphans:?}");
}

#[expect(clippy::disallowed_methods, reason = "a test has no settings but the environment")]
fn kills() -> usize {
    std::env::var("STAGEDOOR_KILLS").map_or(KILLS, |text| text.parse().unwrap())
}

/// Numbers without a pattern (xorshift); never for secrets.
struct Random(u64);

impl Random {
    fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        range.start + self.0 % (range.end - range.start)
    }
}
