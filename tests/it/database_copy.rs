//! `stagedoor database copy`: a whole installation into another database.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::company::ENTERPRISE;
use crate::postgres::TestDatabase;
use crate::server::{Database, TestServer};

fn url(directory: &Path, name: &str) -> String {
    format!("sqlite://{}", directory.join(name).display())
}

/// The standard error of a copy that is refused.
fn refused(server: &TestServer, from: &str, to: &str) -> String {
    let done = server.cli(&["database", "copy", "--from", from, "--to", to]);
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

/// Everything that the directory shows.
fn shown(server: &TestServer) -> String {
    let acme = server.acme();
    let mut out = Vec::new();
    for path in ["/Users?count=200", "/Groups?count=200", "/Schemas"] {
        out.push(acme.get(path).expect(200).json);
    }
    out.push(acme.filter("/Users", "title eq \"Dr\"", "").expect(200).json);
    // The port is the operating system's to choose.
    Value::Array(out).to_string().replace(server.address(), "")
}

/// A directory with everything that there is in one.
fn furnish(server: &TestServer) -> String {
    let acme = server.acme();
    let kari = acme.post(
        "/Users",
        &json!({
            "userName": "kåri", "externalId": "1", "title": "Dr \\ \"x\"\n",
            ENTERPRISE: {"department": "Låser"},
        }),
    );
    let kari = kari.expect(201).id();
    acme.post("/Users", &json!({"userName": "ola", "active": false})).expect(201);
    let inner = acme.group("Inner", &[&kari]);
    acme.group("Outer", &[&inner, &kari]);
    let gone = acme.user("gone");
    acme.delete(&format!("/Users/{gone}")).expect(204);
    let schema = json!({"id": "urn:x:2.0:User", "name": "X", "attributes": [
        {"name": "size", "type": "integer", "multiValued": false},
    ]});
    fs::write(server.directory().join("schema.json"), schema.to_string()).unwrap();
    server.cli_ok(&["schema", "add", "acme", "schema.json"]);
    server.cli_ok(&["company", "create", "other", "--name", "Ø"]);
    kari
}

/// Puts `copy.db` in the place of the database, and starts the server again.
fn take_the_place(server: &mut TestServer) {
    let place = server.directory().to_owned();
    for name in ["stagedoor.db-wal", "stagedoor.db-shm"] {
        let _ = fs::remove_file(place.join(name));
    }
    for name in ["stagedoor.db", "stagedoor.db.key", "stagedoor.db-wal", "stagedoor.db-shm"] {
        let _ = fs::rename(place.join(name.replace("stagedoor", "copy")), place.join(name));
    }
    server.crash_and_restart();
}

/// The copy takes the place of the original: ids, versions, tokens and schemas are what they were.
#[test]
fn a_copy_takes_the_place_of_the_original() {
    let mut server = TestServer::start(Database::Sqlite);
    furnish(&server);
    let before = shown(&server);
    let place = server.directory().to_owned();
    let (from, to) = (url(&place, "stagedoor.db"), url(&place, "copy.db"));
    let told = server.cli_ok(&["database", "copy", "--from", &from, "--to", &to]);
    assert!(told.starts_with("copied and compared: "), "{told}");
    assert!(told.contains("the server key is in "), "{told}");
    let mode = fs::metadata(place.join("copy.db.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only its owner reads the key");
    let why = refused(&server, &from, &to);
    assert!(why.contains("to: it is not empty"), "{why}");
    take_the_place(&mut server);
    assert_eq!(shown(&server), before);
    server.acme().user("new");
    assert_eq!(server.acme().get("/Users?count=0").expect(200).total(), 3);
}

/// To PostgreSQL and back: the last copy is the first database, its numbers too.
#[test]
fn there_and_back_again() {
    let mut server = TestServer::start(Database::Sqlite);
    furnish(&server);
    let before = shown(&server);
    let place = server.directory().to_owned();
    let postgres = TestDatabase::empty();
    let (from, middle, to) = (url(&place, "stagedoor.db"), postgres.url(), url(&place, "copy.db"));
    let told = server.cli_ok(&["database", "copy", "--from", &from, "--to", &middle]);
    assert!(told.contains("start the servers with --secret-key-file "), "{told}");
    assert!(told.contains("stagedoor.db.key"), "{told}");
    let why = refused(&server, &from, &middle);
    assert!(why.contains("to: it is not empty"), "{why}");
    let told = server.cli_ok(&["database", "copy", "--from", &middle, "--to", &to]);
    assert!(told.contains("the same secret key as before"), "{told}");
    fs::copy(place.join("stagedoor.db.key"), place.join("copy.db.key")).unwrap();
    let last = server.number("copy.db", "SELECT seq FROM sqlite_sequence WHERE name = 'users'");
    assert_eq!(last, 3, "of three users the last one is gone, and its number with it");
    take_the_place(&mut server);
    assert_eq!(shown(&server), before);
    server.acme().user("new");
}

/// Servers go on with the copy on PostgreSQL, under the key of the original.
#[test]
fn a_copy_on_postgres_serves() {
    let server = TestServer::start(Database::Sqlite);
    let kari = furnish(&server);
    let postgres = TestDatabase::empty();
    let from = url(server.directory(), "stagedoor.db");
    server.cli_ok(&["database", "copy", "--from", &from, "--to", &postgres.url()]);
    let (moved, _home) = server.moved_to(postgres.url(), "stagedoor.db.key");
    let acme = moved.acme();
    let there = acme.get(&format!("/Users/{kari}")).expect(200).json;
    assert_eq!(there["groups"].as_array().unwrap().len(), 2);
    // What PostgreSQL numbers by itself goes on behind what was copied.
    for name in ["a", "b"] {
        acme.user(name);
        acme.group(name, &[&kari]);
    }
    assert_eq!(acme.get("/Users?count=0").expect(200).total(), 4);
}

#[test]
fn what_cannot_be_copied_is_one_line() {
    let server = TestServer::start(Database::Sqlite);
    let place = server.directory();
    let (from, to) = (url(place, "stagedoor.db"), url(place, "copy.db"));
    assert!(refused(&server, &url(place, "missing.db"), &to).contains("from: there is no such"));
    assert!(!place.join("missing.db").exists(), "nothing is made of a wrong name");
    assert!(refused(&server, &from, &from).contains("to: "));
    assert!(refused(&server, "mysql://x", &to).contains("from: "));
    assert!(refused(&server, &from, "copy.db").contains("to: "));
    fs::write(place.join("text.db"), "no database").unwrap();
    assert!(refused(&server, &url(place, "text.db"), &to).contains("from: "));
    fs::write(place.join("copy.db.key"), "0".repeat(64)).unwrap();
    assert!(refused(&server, &from, &to).contains("the key of another installation"));
    fs::remove_file(place.join("copy.db.key")).unwrap();
    fs::rename(place.join("stagedoor.db.key"), place.join("moved")).unwrap();
    assert!(refused(&server, &from, &to).contains("stagedoor.db.key"));
    // Whoever keeps the key elsewhere goes on keeping it there.
    let copy = ["database", "copy", "--from", &from, "--to", &to, "--secret-key-file", "moved"];
    assert!(server.cli_ok(&copy).contains("the same secret key as before"));
    assert!(!place.join("copy.db.key").exists());
}

/// A number is never given twice, not even that of a row which is gone.
#[test]
fn numbers_go_on_behind_those_of_the_original() {
    let server = TestServer::start(Database::Sqlite);
    let acme = server.acme();
    for name in ["a", "b", "c"] {
        let id = acme.user(name);
        acme.delete(&format!("/Users/{id}")).expect(204);
    }
    let place = server.directory();
    let (from, to) = (url(place, "stagedoor.db"), url(place, "copy.db"));
    let copy = ["database", "copy", "--from", &from, "--to", &to, "--format", "json"];
    let told: Value = serde_json::from_str(&server.cli_ok(&copy)).unwrap();
    assert_eq!(told["tables"], stagedoor::db::copy::TABLES.len());
    let last = server.number("copy.db", "SELECT seq FROM sqlite_sequence WHERE name = 'users'");
    assert_eq!(last, 3);
}
