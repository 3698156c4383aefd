//! Commands that cannot do what they are asked: one line on standard error, a code that is not zero, and
//! nothing changed.

use std::fs::{self, OpenOptions};
use std::process::Command;

use crate::server::{Database, TestServer, on_both_databases};

/// What a refused command says.
fn refused(server: &TestServer, arguments: &[&str]) -> String {
    let done = server.cli(arguments);
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    said
}

on_both_databases! {
    /// A table has a row a line.
    fn a_name_is_one_line(server: &TestServer) {
        for name in ["", "two\nlines", &"a".repeat(201)] {
            refused(server, &["company", "create", "other", "--name", name]);
            refused(server, &["token", "create", "acme", "--name", name]);
        }
        assert!(!server.cli_ok(&["company", "list"]).contains("other"));
    }

    fn results_that_nobody_takes(server: &TestServer) {
        server.acme().user("kari");
        for arguments in [&["company", "list"][..], &["token", "list", "acme"], &["export", "acme"]] {
            let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
            let done = server.command(arguments).stdout(full).output().unwrap();
            let said = String::from_utf8(done.stderr).unwrap();
            assert_eq!(done.status.code(), Some(1), "{said}");
            assert!(said.starts_with("stagedoor: standard output: "), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
}

/// The variable may hold a password.
#[test]
fn help_shows_no_password() {
    let done = Command::new(env!("CARGO_BIN_EXE_stagedoor"))
        .env("STAGEDOOR_DATABASE_URL", "postgres://kari:hemmelig@db.example/x")
        .args(["serve", "--help"])
        .output()
        .unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(said.contains("STAGEDOOR_DATABASE_URL") && !said.contains("hemmelig"), "{said}");
}

/// Who only asks leaves nothing behind.
#[test]
fn a_check_makes_no_database() {
    let server = TestServer::start(Database::Sqlite);
    let missing = server.directory().join("missing.db");
    let url = format!("sqlite://{}", missing.display());
    let folder = || fs::read_dir(server.directory()).unwrap().count();
    let before = folder();
    let check = |url: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stagedoor"));
        command.args(["migrate", "--check", "--database-url", url]).output().unwrap()
    };
    let done = check(&url);
    assert_eq!(done.status.code(), Some(1));
    assert!(!done.stdout.is_empty(), "the migrations are named");
    assert_eq!(folder(), before);
    let there = format!("sqlite://{}", server.directory().join("stagedoor.db").display());
    assert!(check(&there).status.success());
}
