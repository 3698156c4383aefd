//! A change of group filters over a large company (requirements: within 10 minutes in the background, while
//! SCIM writes of 8 clients keep at least half of their rate).
//!
//! `cargo bench --bench projection` takes 200,000 users, 2,000 groups with 1,000,000 memberships and 5
//! organizations that everybody may enter; `-- --users N --groups N --memberships N --organizations N
//! --seconds N` for others, `--database-url postgres://…` for an empty database there. `--quick`: small
//! sizes, which show that it runs and are not judged. In the middle of a second change, back again, the server
//! is killed: it comes to the very teams of before. A SCIM change of one member is measured in `cost.rs`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed benchmark may end with a panic"
)]

mod cost;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde_json::{Value, json};

/// Longest time that the job may take.
const LONGEST: Duration = Duration::from_secs(600);
/// The least part of their rate that SCIM writes keep meanwhile.
const FLOOR: f64 = 0.5;
/// SCIM clients at once.
const CLIENTS: usize = 8;

struct Sizes {
    users: usize,
    groups: usize,
    memberships: usize,
    organizations: usize,
    alone: Duration,
    url: Option<String>,
    quick: bool,
}

impl Sizes {
    fn read() -> Self {
        let words: Vec<String> = std::env::args().collect();
        let word = |name: &str| {
            let place = words.iter().position(|word| word == name);
            place.map(|i| words[i + 1].clone())
        };
        let quick = words.iter().any(|word| word == "--quick");
        let of = |name: &str, full: usize, small: usize| {
            let given = word(name).map(|text| text.parse().expect("a number"));
            given.unwrap_or(if quick { small } else { full })
        };
        Self {
            users: of("--users", 200_000, 2_000),
            groups: of("--groups", 2_000, 20),
            memberships: of("--memberships", 1_000_000, 10_000),
            organizations: of("--organizations", 5, 5),
            alone: Duration::from_secs(of("--seconds", 20, 2) as u64),
            url: word("--database-url"),
            quick,
        }
    }
}

/// Writes the file that is imported: users, and groups of equal sizes whose members are spread.
fn generate(path: &Path, sizes: &Sizes) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    for i in 0..sizes.users {
        let name = format!("kari.vik{i}@tern.example");
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": format!("u{i}"),
            "userName": name, "displayName": format!("Kari Vik {i}"),
        });
        writeln!(out, "{user}").unwrap();
    }
    let each = (sizes.memberships / sizes.groups).min(sizes.users);
    for k in 0..sizes.groups {
        let members: Vec<Value> = (0..each)
            .map(|n| json!({"value": format!("u{}", (k * each + n * 7_919) % sizes.users)}))
            .collect();
        let group =
            json!({"displayName": format!("Group {k}"), "id": format!("g{k}"), "members": members});
        writeln!(out, "{group}").unwrap();
    }
    out.flush().unwrap();
}

/// The program on its database.
struct Program {
    place: tempfile::TempDir,
    url: String,
}

impl Program {
    fn command(&self, arguments: &[&str]) -> Command {
        let key = self.place.path().join("server.key");
        if !key.is_file() {
            std::fs::write(&key, "5e".repeat(32)).unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_stagedoor"));
        command.args(arguments).args(["--database-url", &self.url, "--secret-key-file"]).arg(key);
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        let done = self.command(arguments).output().expect("stagedoor runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// How many are in each team, and who, as a sum.
    fn teams(&self) -> Vec<(i64, String, i64, i64)> {
        let statement = diesel::dsl::sql::<(BigInt, Text, BigInt, BigInt)>(
            "SELECT t.organization_seq, t.name, count(*), \
             CAST(sum(m.user_seq * m.user_seq % 10007) AS bigint) FROM team_members m \
             JOIN teams t ON t.seq = m.team_seq GROUP BY t.organization_seq, t.name ORDER BY 1, 2",
        );
        if let Some(path) = self.url.strip_prefix("sqlite://") {
            statement.load(&mut SqliteConnection::establish(path).unwrap()).unwrap()
        } else {
            statement.load(&mut PgConnection::establish(&self.url).unwrap()).unwrap()
        }
    }

    /// Everybody has signed in: a bulk of logins is not what is measured.
    fn activate(&self) {
        let statements = "UPDATE users SET activated_at = 1; \
             INSERT INTO connections (id, company_seq, name, provider, protocol, state, document, created_at, \
             version) SELECT 'connection', seq, 'acme', 'okta', 'oidc', 'active', '{}', 1, 1 FROM companies; \
             INSERT INTO identities (connection_seq, issuer, subject, company_seq, user_seq, linked_at, \
             last_login_at) SELECT c.seq, 'https://idp.example', u.id, u.company_seq, u.seq, 1, 1 \
             FROM users u JOIN connections c ON c.company_seq = u.company_seq";
        if let Some(path) = self.url.strip_prefix("sqlite://") {
            SqliteConnection::establish(path).unwrap().batch_execute(statements).unwrap();
        } else {
            PgConnection::establish(&self.url).unwrap().batch_execute(statements).unwrap();
        }
    }

    fn serve(&self) -> (Server, String) {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().last().unwrap().to_owned();
        (Server(child), address)
    }
}

/// Ends with the benchmark.
struct Server(Child);

impl Server {
    /// Seconds of processor time that the server has taken, the sum of its threads.
    fn processor_time(&self) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let of = |task: std::io::Result<std::fs::DirEntry>| {
            let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<f64>().ok()
        };
        tasks.filter_map(of).sum::<f64>() / 1e9
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The management API.
struct Api {
    agent: ureq::Agent,
    base: String,
    key: String,
}

impl Api {
    fn get(&self, path: &str) -> Value {
        let url = format!("{}/api/v1{path}", self.base);
        let request = self.agent.get(&url).header("Authorization", format!("Bearer {}", self.key));
        read(request.call().unwrap())
    }

    fn send(&self, put: bool, path: &str, body: &Value) -> Value {
        let url = format!("{}/api/v1{path}", self.base);
        let request = if put { self.agent.put(&url) } else { self.agent.post(&url) };
        let request = request.header("Authorization", format!("Bearer {}", self.key));
        read(request.send(body.to_string().as_bytes()).unwrap())
    }

    /// Waits for a job and says how long it took.
    fn ended(&self, job: &Value) -> (Value, Duration) {
        let begun = Instant::now();
        loop {
            let now = self.get(&format!("/companies/acme/jobs/{}", job["id"].as_str().unwrap()));
            if !now["finished_at"].is_null() {
                assert_eq!(now["state"], "succeeded", "{now}");
                return (now, begun.elapsed());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn read(mut reply: ureq::http::Response<ureq::Body>) -> Value {
    serde_json::from_str(&reply.body_mut().read_to_string().unwrap()).unwrap()
}

/// How many users a second the clients make for as long as `work` takes.
fn rate(base: &str, token: &str, round: &str, work: impl FnOnce()) -> f64 {
    let (over, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (over, made) = (&over, &made);
            scope.spawn(move || {
                let agent = ureq::Agent::new_with_defaults();
                for n in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let user = json!({
                        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                        "userName": format!("{round}-{client}-{n}"),
                    });
                    let request = agent.post(format!("{base}/scim/v2/Users"));
                    let request = request.header("Authorization", format!("Bearer {token}"));
                    read(request.send(user.to_string().as_bytes()).unwrap());
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let begun = Instant::now();
        work();
        over.store(true, Ordering::Relaxed);
        made.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
    })
}

/// Takes the filters back, kills the server once it is through with half of the users who are in groups, which
/// come first, and says whether it comes to the teams of before.
fn survives_a_kill(
    program: &Program,
    (api, server): (Api, Server),
    (users, right): (usize, &[(i64, String, i64, i64)]),
) -> (Api, Server, bool) {
    let filters = json!({"confirm_impact": true});
    let job = api.send(true, "/companies/acme/sso/group-filters", &filters)["job"].clone();
    let path = format!("/companies/acme/jobs/{}", job["id"].as_str().unwrap());
    while api.get(&path)["done"].as_u64() < Some(users as u64 / 2) {}
    drop(server);
    let (server, base) = program.serve();
    let api = Api { base, ..api };
    let left = api.get(&path);
    let (ended, took) = api.ended(&job);
    let same = program.teams() == right;
    println!(
        "killed after {} of {} users, done {took:.1?} later: the same teams: {same}",
        left["done"], ended["done"]
    );
    (api, server, same)
}

fn main() {
    let sizes = Sizes::read();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file.ndjson");
    let database = format!("sqlite://{}", place.path().join("stagedoor.db").display());
    let program = Program { place, url: sizes.url.clone().unwrap_or(database) };
    generate(&file, &sizes);
    program.run(&["company", "create", "acme", "--plan", "enterprise", "--scim"]);
    program.run(&["import", "acme", file.to_str().unwrap()]);
    program.activate();
    let token = program.run(&["token", "create", "acme", "--name", "bench"]);
    let key = program.run(&["api-key", "create", "--name", "bench"]);
    let (server, base) = program.serve();
    let api = Api { agent: ureq::Agent::new_with_defaults(), base: base.clone(), key };
    let cheap = cost::holds(&program, &api, &server, if sizes.quick { 2 } else { 20 });
    for n in 0..sizes.organizations {
        let body = json!({"name": format!("o{n}"), "automatic_user_access": true});
        api.send(false, "/companies/acme/organizations", &body);
    }
    let (first, took) =
        api.ended(&api.send(false, "/companies/acme/scim/resync", &json!({}))["job"]);
    println!("first resync: {took:.1?}, {}", first["changed"]);
    let before = program.teams();
    let alone = rate(&base, &token, "alone", || thread::sleep(sizes.alone));
    let (mut job, mut took) = (Value::Null, Duration::ZERO);
    let beside = rate(&base, &token, "beside", || {
        let filters = json!({"block": ["[13579]$"], "confirm_impact": true});
        let begun = api.send(true, "/companies/acme/sso/group-filters", &filters);
        (job, took) = api.ended(&begun["job"]);
    });
    let users = job["done"].as_f64().unwrap();
    println!("the job: {users} users in {took:.1?}, {:.0}/s", users / took.as_secs_f64());
    println!("changed: {}", job["changed"]);
    println!("SCIM writes of {CLIENTS} clients: {alone:.0}/s alone, {beside:.0}/s beside the job");
    let kept = beside / alone;
    println!("kept {kept:.2} of the rate, at least {FLOOR:.2}; at most {LONGEST:?}");
    let (_api, _server, same) = survives_a_kill(&program, (api, server), (sizes.users, &before));
    let held = cheap && kept >= FLOOR && took <= LONGEST;
    if !same || !sizes.quick && !held {
        std::process::exit(1);
    }
}
