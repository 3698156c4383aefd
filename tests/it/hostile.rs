//! Hostile inputs to SCIM and HTTP, numbered: one test a number or more.
//!
//! The number is in the test's name. After each attack the server still answers, quickly, and
//! holds what it held before: [`Watch`] sees to that. What the answer must be stands in each test.

mod bodies;
mod filters;
mod identity;
mod nul;
mod patches;
mod wire;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::company::{Answer, Company};
use crate::server::TestServer;

/// Slowest answer to anything.
const PATIENCE: Duration = Duration::from_secs(5);

/// The company as it was before an attack.
struct Watch<'a> {
    server: &'a TestServer,
    before: [Value; 2],
    since: Instant,
}

impl<'a> Watch<'a> {
    /// Looks at the company, then lets the attack begin.
    fn over(server: &'a TestServer) -> Self {
        let before = everything(server.acme());
        Self { server, before, since: Instant::now() }
    }

    /// The attack came back in time, the server lives, and nothing has changed.
    #[track_caller]
    fn nothing_changed(self) {
        let elapsed = self.since.elapsed();
        self.lives();
        assert!(elapsed < PATIENCE, "it took {elapsed:?}");
        assert_eq!(everything(self.server.acme()), self.before);
    }

    /// The server lives; the attack was allowed to change something, or to take its time.
    #[track_caller]
    fn lives(&self) {
        assert!(self.server.is_running());
        self.server.acme().get("/Users?count=1").expect(200);
    }
}

/// All users and groups of a company.
fn everything(company: &Company) -> [Value; 2] {
    ["/Users?count=500", "/Groups?count=500"].map(|path| company.get(path).expect(200).json)
}

/// Refused by any status of the list, as a SCIM error where it is one of ours.
#[track_caller]
fn refused_by(answer: Answer, statuses: &[u16]) {
    assert!(statuses.contains(&answer.status), "{}", answer.reply);
    if matches!(answer.status, 400 | 413) && answer.json != Value::Null {
        let status = answer.status;
        answer.fails(status);
    }
}

/// Two users and a group with the first of them, so that there is something to harm.
fn people(company: &Company) -> (String, String, String) {
    let (ada, bo) = (company.user("ada@tern.example"), company.user("bo@tern.example"));
    let group = company.group("Harbour", &[&ada]);
    (ada, bo, group)
}

/// One operation of a PATCH.
fn replace(path: &str, value: &Value) -> Value {
    json!([{"op": "replace", "path": path, "value": value}])
}
