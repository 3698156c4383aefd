//! Standard client libraries against the OpenID Provider, in all types of clients and of ID tokens:
//! `openid-client` from npm and Authlib from `PyPI`, neither of which we wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{App, CALLBACK};
use crate::house::root;
use crate::server::{TestServer, on_both_databases};

/// Where applications go after a logout.
const AFTER: &str = "https://app.example/bye";

/// Every type of client, with every algorithm.
const KINDS: [(&str, &str, &str); 4] = [
    ("confidential", "client_secret_basic", "ES256"),
    ("confidential", "client_secret_post", "RS256"),
    ("public", "none", "ES256"),
    ("public", "none", "RS256"),
];

/// Runs a program that must succeed, and reads what it printed.
#[track_caller]
fn run(program: &Path, script: &Path, told: &Value) -> Value {
    assert!(script.is_file() && installed(program, script), "a peer is missing: run `make tools`");
    let output = Command::new(program).arg(script).arg(told.to_string()).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let (said, wrong) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{}: {wrong}", script.display());
    serde_json::from_slice(&said).unwrap_or_else(|error| panic!("{error}: {wrong}"))
}

/// Whether what the script imports is there.
fn installed(program: &Path, script: &Path) -> bool {
    let modules = script.with_file_name("node_modules");
    program.is_absolute() && program.is_file() || modules.is_dir()
}

/// What an application is told at its start.
fn told(server: &TestServer, app: &App, method: &str, algorithm: &str, session: &str) -> Value {
    json!({
        "issuer": server.address(), "id": app.id, "secret": app.secret, "method": method,
        "algorithm": algorithm, "redirect_uri": CALLBACK, "after": AFTER,
        "cookie": format!("stgd_session={session}"),
    })
}

fn register(server: &TestServer, kind: &str, algorithm: &str) -> App {
    let body = json!({"type": kind, "id_token_signed_response_alg": algorithm, "post_logout_redirect_uris": [AFTER]});
    App::register(server, &body)
}

/// What both libraries must have seen.
#[track_caller]
fn judge(got: &Value, ada: &str, kind: &str) {
    assert_eq!((&got["claims"]["sub"], &got["info"]["sub"]), (&json!(ada), &json!(ada)), "{got}");
    assert_eq!(got["claims"]["company_slug"], "acme", "{got}");
    if kind == "confidential" {
        assert_eq!(
            (&got["before"]["active"], &got["after"]),
            (&json!(true), &json!({"active": false})),
            "{got}"
        );
    }
}

on_both_databases! {
    fn openid_client_signs_in_as_every_type_of_client(server: &TestServer) {
        let ada = server.acme().user("ada");
        let script = root().join("tests/it/peers/openid-client/flow.mjs");
        for (kind, method, algorithm) in KINDS {
            let (app, session) = (register(server, kind, algorithm), server.sign_in(&ada).unwrap());
            let told = told(server, &app, method, algorithm, session.key());
            let got = run(Path::new("node"), &script, &told);
            judge(&got, &ada, kind);
            assert_eq!(got["bye"], AFTER, "{got}");
            session.get("/session").problem(401, "session_ended");
        }
    }

    fn authlib_signs_in_as_every_type_of_client(server: &TestServer) {
        let ada = server.acme().user("ada");
        let session = server.sign_in(&ada).unwrap();
        let script = root().join("tests/it/peers/authlib/flow.py");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        let python = target.join("peers/authlib/bin/python3");
        for (kind, method, algorithm) in KINDS {
            let app = register(server, kind, algorithm);
            let told = told(server, &app, method, algorithm, session.key());
            judge(&run(&python, &script, &told), &ada, kind);
        }
    }
}
