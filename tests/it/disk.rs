//! A disk that fails, and one that is full: the calls of the C library through which SQLite writes and
//! syncs answer as the system does then, as long as a file of that name is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::client::Call;
use crate::company::{USER, user};
use crate::server::{TestServer, anonymous};

/// The calls, in front of those of the C library. What is left alone goes to the system.
const CALLS: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_there(const char *fault) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("FAULTS"), fault);
    return access(path, F_OK) == 0;
}

int fsync(int fd) {
    if (is_there("no-sync")) { errno = EIO; return -1; }
    return syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    if (is_there("no-sync")) { errno = EIO; return -1; }
    return syscall(SYS_fdatasync, fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    if (is_there("no-space")) { errno = ENOSPC; return -1; }
    return syscall(SYS_pwrite64, fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    return pwrite64(fd, bytes, count, at);
}
"#;

/// Compiles the calls into a library in this folder.
fn library(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("faults.c"), folder.join("faults.so"));
    fs::write(&source, CALLS).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .output()
        .expect("a C compiler, which the build needs too");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

/// A server whose disk fails while the file of a fault lies in `folder`.
fn server(folder: &Path) -> TestServer {
    let library = library(folder);
    TestServer::start_in(&[("LD_PRELOAD", &library), ("FAULTS", folder)])
}

/// A second sync may succeed although what the first one was for is lost: so there is no second one.
#[test]
fn a_failed_sync_ends_the_process_without_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(folder.path());
    let kari = server.acme().user("kari");
    let create = Call {
        method: "POST".to_owned(),
        url: format!("{}/scim/v2/Users", server.address()),
        headers: vec![
            ("Authorization".to_owned(), format!("Bearer {}", server.acme().token())),
            ("Content-Type".to_owned(), "application/scim+json".to_owned()),
        ],
        body: Some(format!(r#"{{"schemas":["{USER}"],"userName":"ola"}}"#).into_bytes()),
    };
    fs::write(folder.path().join("no-sync"), "").unwrap();
    assert!(
        anonymous().send(&create).is_err(),
        "nobody is told that it is stored, or that it is not"
    );
    assert_eq!(server.ended().code(), Some(1));
    fs::remove_file(folder.path().join("no-sync")).unwrap();
    server.crash_and_restart();
    server.acme().get(&format!("/Users/{kari}")).expect(200);
    server.acme().user("mia");
}

/// It says so in one line.
#[test]
fn a_failed_sync_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    fs::write(folder.path().join("no-sync"), "").unwrap();
    let done = server.cli(&["company", "create", "other"]);
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.starts_with("stagedoor: the disk failed under the database"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// Space comes back, and nobody has to start anything again.
#[test]
fn a_full_disk_costs_the_writes_of_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let acme = server.acme();
    let kari = acme.user("kari");
    fs::write(folder.path().join("no-space"), "").unwrap();
    for name in ["ola", "per", "pia"] {
        let refused = acme.post("/Users", &user(name)).fails(503);
        assert!(refused.header("retry-after").is_some(), "{}", refused.reply);
        acme.get(&format!("/Users/{kari}")).expect(200);
    }
    fs::remove_file(folder.path().join("no-space")).unwrap();
    for name in ["ola", "per", "pia"] {
        acme.user(name);
    }
    assert_eq!(acme.get("/Users").expect(200).json["totalResults"], 4);
}
