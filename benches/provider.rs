//! What the OpenID Provider costs beside the directory, in processor time of the server, in one run: an
//! introspection at most 1.5 times a get by id, a refresh, which rotates durably, at most 1.5 times a PATCH
//! of `active`.
//!
//! `cargo bench --bench provider` takes 20,000 users and 1 and 8 clients on SQLite; `-- --users N --seconds N
//! --database-url postgres://…` for others (there only the server's own processor time counts). `--quick`:
//! small sizes, which show that it runs and are not judged.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed benchmark may end with a panic"
)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use stagedoor::clock::Clock;
use stagedoor::domain::identity::{VerifiedIdentity, Way};
use stagedoor::service::login::{self, Outcome};
use stagedoor::service::{KeySource, Service, companies};

/// The most that one may cost of the other.
const LIMIT: f64 = 1.5;
/// Clients at once.
const CLIENTS: [usize; 2] = [1, 8];
/// Times that each operation has its turn.
const TURNS: u32 = 5;
/// Where codes go.
const CALLBACK: &str = "https://app.example/callback";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The program on its database.
struct Program {
    place: tempfile::TempDir,
    url: String,
}

impl Program {
    fn key(&self) -> PathBuf {
        let key = self.place.path().join("server.key");
        if !key.is_file() {
            std::fs::write(&key, "5e".repeat(32)).unwrap();
        }
        key
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stagedoor"));
        command.args(arguments).args(["--database-url", &self.url, "--secret-key-file"]);
        command.arg(self.key());
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        let done = self.command(arguments).output().expect("stagedoor runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    fn serve(&self) -> (Server, String) {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().last().unwrap().to_owned();
        (Server(child), address)
    }

    /// Signs somebody in, as the login does it once an identity provider has vouched for them.
    fn sign_in(&self, name: &str) -> String {
        let service =
            Service::open(&self.url, &KeySource::File(self.key()), Clock::system()).unwrap();
        let (keys, email) = (service.keys(), name.to_owned());
        let unit = move |cx: &mut stagedoor::service::Cx<'_>| {
            let company = companies::find(cx.conn, "acme")?;
            let identity = VerifiedIdentity { email, ..VerifiedIdentity::default() };
            login::complete(cx, &keys, &company, (Way::Social, &identity), None)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        match runtime.block_on(service.transact(unit)).unwrap() {
            Outcome::SignedIn(login) => login.secret,
            Outcome::Refused(problem) => unreachable!("{problem}"),
        }
    }
}

/// Ends with the benchmark.
struct Server(Child);

impl Server {
    /// The processor time of its threads.
    fn used(&self) -> HashMap<PathBuf, u64> {
        let mut used = HashMap::new();
        for entry in std::fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap().flatten() {
            // A thread may end between the two reads.
            let Ok(text) = std::fs::read_to_string(entry.path().join("schedstat")) else {
                continue;
            };
            let time = text.split_whitespace().next().and_then(|text| text.parse().ok());
            used.insert(entry.path(), time.unwrap_or(0));
        }
        used
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// What one client works with.
struct Visitor {
    user: String,
    access: String,
    refresh: String,
    active: bool,
}

/// The server as its clients see it.
struct World {
    base: String,
    token: String,
    basic: String,
    visitors: Vec<Mutex<Visitor>>,
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().max_redirects(0).build().into()
}

fn read(mut reply: ureq::http::Response<ureq::Body>) -> Value {
    serde_json::from_str(&reply.body_mut().read_to_string().unwrap()).unwrap()
}

impl World {
    fn form(&self, agent: &ureq::Agent, path: &str, form: &[(&str, &str)]) -> Value {
        let request = agent.post(format!("{}{path}", self.base));
        let request = request.header("Authorization", &self.basic);
        read(request.send_form(form.iter().copied()).unwrap())
    }

    fn introspect(&self, agent: &ureq::Agent, visitor: &mut Visitor) {
        let told = self.form(agent, "/oauth/introspect", &[("token", &visitor.access)]);
        assert_eq!(told["active"], true, "{told}");
    }

    fn refresh(&self, agent: &ureq::Agent, visitor: &mut Visitor) {
        let form = [("grant_type", "refresh_token"), ("refresh_token", visitor.refresh.as_str())];
        let tokens = self.form(agent, "/oauth/token", &form);
        tokens["access_token"].as_str().unwrap().clone_into(&mut visitor.access);
        tokens["refresh_token"].as_str().unwrap().clone_into(&mut visitor.refresh);
    }

    fn get(&self, agent: &ureq::Agent, visitor: &mut Visitor) {
        let request = agent.get(format!("{}/scim/v2/Users/{}", self.base, visitor.user));
        let request = request.header("Authorization", format!("Bearer {}", self.token));
        assert!(read(request.call().unwrap())["id"].is_string());
    }

    /// Of a user who has no session: what is compared is a change, not the end of sessions.
    fn patch(&self, agent: &ureq::Agent, visitor: &mut Visitor) {
        visitor.active = !visitor.active;
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": "active", "value": visitor.active}],
        });
        let request = agent.patch(format!("{}/scim/v2/Users/{}", self.base, visitor.user));
        let request = request.header("Authorization", format!("Bearer {}", self.token));
        assert!(read(request.send(body.to_string().as_bytes()).unwrap())["id"].is_string());
    }
}

/// An operation of a client.
type Work = fn(&World, &ureq::Agent, &mut Visitor);

/// Processor time of the server for each request, in microseconds.
fn cost(
    server: &Server,
    world: &World,
    clients: usize,
    (work, time): (Work, Duration),
) -> (f64, u64) {
    let (before, until) = (server.used(), Instant::now() + time);
    let requests = AtomicU64::new(0);
    thread::scope(|scope| {
        for visitor in world.visitors.iter().take(clients) {
            let requests = &requests;
            scope.spawn(move || {
                let (agent, mut visitor) = (agent(), visitor.lock().unwrap());
                while Instant::now() < until {
                    work(world, &agent, &mut visitor);
                    requests.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let after = server.used();
    let used = |(thread, now): (&PathBuf, &u64)| now - before.get(thread).copied().unwrap_or(0);
    (after.iter().map(used).sum::<u64>() as f64, requests.into_inner())
}

/// Makes users, an organization that those who sign in belong to, and an application with their tokens.
fn furnish(program: &Program, base: &str, (users, token): (usize, String)) -> World {
    let (http, key) = (agent(), program.run(&["api-key", "create", "--name", "bench"]));
    let api = |path: &str, body: &Value| {
        let request = http.post(format!("{base}/api/v1{path}"));
        let request = request.header("Authorization", format!("Bearer {key}"));
        read(request.send(body.to_string().as_bytes()).unwrap())
    };
    let organization = api("/companies/acme/organizations", &json!({"name": "dev"}));
    let app = api("/applications", &json!({"name": "bench", "redirect_uris": [CALLBACK]}));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (id, secret) = (text(&app["id"]), text(&app["client_secret"]));
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")));
    let mut world = World { base: base.to_owned(), token, basic, visitors: Vec::new() };
    for number in 0..CLIENTS[CLIENTS.len() - 1] {
        let name = format!("visitor{number}@tern.example");
        let invitation = json!({"email": name, "role": "member"});
        api(&format!("/organizations/{}/invitations", text(&organization["id"])), &invitation);
        let session = program.sign_in(&name);
        let query = [
            ("client_id", id.as_str()),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid profile email"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let browser = http.get(format!("{}/oauth/authorize?{query}", world.base));
        let browser = browser.header("Cookie", format!("stgd_session={session}")).call().unwrap();
        let to = browser.headers()["location"].to_str().unwrap().to_owned();
        let code = form_urlencoded::parse(to.split_once('?').unwrap().1.as_bytes())
            .find(|(name, _)| name == "code");
        let code = code.unwrap().1.into_owned();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let tokens = world.form(&http, "/oauth/token", &form);
        let filter = format!("userName%20eq%20%22user{}%40tern.example%22", number * users / 16);
        let found = http.get(format!("{}/scim/v2/Users?filter={filter}", world.base));
        let found =
            read(found.header("Authorization", format!("Bearer {}", world.token)).call().unwrap());
        let user = text(&found["Resources"][0]["id"]);
        let (access, refresh) = (text(&tokens["access_token"]), text(&tokens["refresh_token"]));
        world.visitors.push(Mutex::new(Visitor { user, access, refresh, active: true }));
    }
    world
}

/// Makes the company and its users.
fn import(program: &Program, file: &Path, users: usize) {
    let lines: Vec<String> = (0..users)
        .map(|n| {
            json!({"userName": format!("user{n}@tern.example"), "displayName": format!("User {n}")})
                .to_string()
        })
        .collect();
    std::fs::write(file, lines.join("\n")).unwrap();
    program.run(&["company", "create", "acme", "--plan", "enterprise", "--scim"]);
    program.run(&["import", "acme", file.to_str().unwrap()]);
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let word = |name: &str| {
        let place = words.iter().position(|word| word == name);
        place.map(|i| words[i + 1].clone())
    };
    let quick = words.iter().any(|word| word == "--quick");
    let users: usize =
        word("--users").map_or(if quick { 200 } else { 20_000 }, |n| n.parse().unwrap());
    let seconds: f64 =
        word("--seconds").map_or(if quick { 0.2 } else { 2.0 }, |n| n.parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file.ndjson");
    let url = word("--database-url")
        .unwrap_or_else(|| format!("sqlite://{}", place.path().join("stagedoor.db").display()));
    let program = Program { place, url };
    import(&program, &file, users);
    let token = program.run(&["token", "create", "acme", "--name", "bench"]);
    let (server, base) = program.serve();
    let world = furnish(&program, &base, (users, token));
    let operations: [(&str, Work); 4] = [
        ("get by id", World::get),
        ("introspection", World::introspect),
        ("patch active", World::patch),
        ("refresh", World::refresh),
    ];
    let mut passed = true;
    for clients in CLIENTS {
        let mut sums = [(0.0, 0); 4];
        for turn in 0..=TURNS {
            for ((_, work), sum) in operations.iter().zip(&mut sums) {
                let time = Duration::from_secs_f64(seconds);
                let (used, requests) = cost(&server, &world, clients, (*work, time));
                // The first turn warms up.
                if turn > 0 {
                    *sum = (sum.0 + used, sum.1 + requests);
                }
            }
        }
        let costs = sums.map(|(used, requests)| used / requests as f64 / 1e3);
        for ((name, _), (cost, (_, requests))) in operations.iter().zip(costs.iter().zip(&sums)) {
            println!("{clients} clients: {name}: {cost:.1} us of the server, {requests} requests");
        }
        for (one, other) in [(1, 0), (3, 2)] {
            let ratio = costs[one] / costs[other];
            let verdict = if ratio <= LIMIT { "PASS" } else { "FAIL" };
            let names = (operations[one].0, operations[other].0);
            println!(
                "{verdict} {clients} clients: {} {ratio:.2} times a {}, at most {LIMIT}",
                names.0, names.1
            );
            passed &= ratio <= LIMIT;
        }
    }
    if !quick && !passed {
        std::process::exit(1);
    }
}
