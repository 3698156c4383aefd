//! The whole way with programs that we did not write: `oidc-provider` from npm as the identity provider, Chromium
//! as the browser, `openid-client` from npm as the application.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::{Value, json};

use super::{ACME, verify};
use crate::house::root;
use crate::server::on_both_databases;

/// A peer's script, which must be installed.
fn script(name: &str) -> PathBuf {
    let folder = root().join("tests/it/peers/oidc-provider");
    let there = folder.join("node_modules").is_dir();
    assert!(there, "oidc-provider and playwright-core are missing: run `make tools`");
    folder.join(name)
}

/// The provider; it is ended when dropped.
struct Provider {
    child: Child,
    issuer: String,
}

impl Provider {
    fn start(redirect_uri: &str) -> Self {
        let told = json!({"redirect_uri": redirect_uri}).to_string();
        let mut command = Command::new("node");
        command.arg(script("idp.mjs")).arg(told).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("node");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines
            .find_map(|line| serde_json::from_str::<Value>(&line.unwrap()).ok())
            .expect("its issuer");
        // It would end where nobody reads what it prints.
        thread::spawn(move || lines.for_each(drop));
        Self { child, issuer: said["issuer"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn walk(told: &Value) -> Value {
    let output =
        Command::new("node").arg(script("walk.mjs")).arg(told.to_string()).output().expect("node");
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{wrong}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {wrong}"))
}

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

on_both_databases! {
    with crate::sign_on::LOOPBACK;

    /// Rows 98, 99, 111, 112, 123, 193: SCIM makes a user, who signs in through a real provider in a real browser
    /// into an application; teams come to that organization alone, a switch takes them along, and the directory
    /// ends it all.
    fn r111_r193_from_the_directory_into_the_application(server: &TestServer) {
        let api = server.operator();
        for slug in ["dev", "prod"] {
            api.organization("acme", slug, &json!({"automatic_user_access": true}));
        }
        let idp = Provider::start(&format!("{}/sso/callback/acme", server.address()));
        let body = json!({"provider": "okta", "protocol": "oidc",
            "oidc": {"issuer": idp.issuer, "client_id": "client", "client_secret": "hunter2"}});
        api.post(&format!("{ACME}/connection"), &body).expect(201);
        api.post(&format!("{ACME}/connection/activate"), &json!({"skip_test": true})).expect(200);
        verify(&api, "acme", "acme.example");
        let ada = server.acme().user("ada@acme.example");
        assert_eq!(api.get(&format!("/companies/acme/users/{ada}")).expect(200)["status"], "STAGED");
        // From the application by the address, then by the connection that it names.
        for (email, more) in [(Some("ada@acme.example"), json!({})), (None, json!({"connection": "acme"}))] {
            let port = free_port();
            let app = json!({"name": "App", "redirect_uris": [format!("http://127.0.0.1:{port}/callback")]});
            let app = api.post("/applications", &app).expect(201);
            let got = walk(&json!({"issuer": server.address(), "id": app["id"], "secret": app["client_secret"],
                "port": port, "email": email, "more": more}));
            assert_eq!((&got["claims"]["sub"], &got["claims"]["status"]), (&json!(ada), &json!("ACTIVE")), "{got}");
            assert_eq!((&got["claims"]["company_slug"], &got["claims"]["organization_slug"]), (&json!("acme"), &json!("dev")), "{got}");
            assert_eq!(got["http_only"], true);
            let session = server.api_as(got["session"].as_str().unwrap());
            session.get("/session").expect(200);
        }
        assert_eq!(api.get(&format!("/companies/acme/users/{ada}")).expect(200)["status"], "ACTIVE");
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        server.acme().patch(&format!("/Users/{ada}"), &off).expect(200);
        let live = api.get("/companies/acme/sessions").expect(200);
        assert!(live.data().is_empty(), "{}", live.reply);
    }
}
