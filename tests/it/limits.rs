//! Limits that an operator sets or that guard the server as a whole.

use std::process::Command;

use crate::server::{Database, TestServer, on_both_databases};

/// Ruling 17: no fixed rate unless `--scim-rate` sets one; then 429 with Retry-After.
#[test]
fn a_rate_that_the_operator_sets_is_kept() {
    let server = TestServer::start_with(Database::Sqlite, &["--scim-rate", "25"]);
    let answers: Vec<_> = (0..80).map(|_| server.acme().get("/Users?count=1")).collect();
    let refused: Vec<_> = answers.iter().filter(|a| a.status == 429).collect();
    assert!(answers.iter().filter(|a| a.status == 200).count() >= 25);
    assert!(!refused.is_empty());
    assert!(refused.iter().all(|a| a.header("retry-after") == Some("1")));
}

#[test]
fn a_rate_below_what_entra_wants_stops_the_start() {
    let run = Command::new(env!("CARGO_BIN_EXE_stagedoor"))
        .args(["serve", "--scim-rate", "24", "--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert!(!run.status.success());
    let line = String::from_utf8(run.stderr).unwrap();
    assert!(line.starts_with("stagedoor: scim-rate:") && line.lines().count() == 1, "{line}");
}

on_both_databases! {
    /// Without the setting, a burst is served.
    fn no_rate_is_set_by_default(server: &TestServer) {
        for _ in 0..200 {
            server.acme().get("/Users?count=1").expect(200);
        }
    }
}
