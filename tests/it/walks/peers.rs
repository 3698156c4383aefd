//! The programs: each is started for one test and spoken to by lines.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::house::root;
use crate::server::{TestServer, anonymous};

/// Longest wait for a line.
const PATIENCE: Duration = Duration::from_secs(180);

/// A program of the folder of peers. It is ended when dropped.
struct Peer {
    child: Child,
    lines: Receiver<String>,
}

impl Peer {
    fn start(script: &str, told: &str) -> Self {
        let script = root().join("tests/it/peers").join(script);
        let installed = script.with_file_name("node_modules").is_dir();
        assert!(installed, "{} lacks its packages: run `make tools`", script.display());
        let mut command = Command::new("node");
        command.arg(&script).arg(told).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node");
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, lines) = channel();
        // Read to the end, whoever still listens: a program ends where nobody reads what it prints.
        thread::spawn(move || {
            for line in output.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    fn say(&mut self, told: &Value) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{told}").expect("it listens");
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody at a browser.
pub struct Person(Peer);

impl Person {
    /// Somebody who has been nowhere yet.
    pub fn start() -> Self {
        Self(Peer::start("browser/browser.mjs", ""))
    }

    /// Does something, and tells where that leads; the steps stand in `browser.mjs`.
    #[track_caller]
    pub fn does(&mut self, step: &Value) -> Value {
        self.0.say(step);
        let place: Value = serde_json::from_str(&self.0.line()).unwrap();
        assert!(place["error"].is_null(), "{step} leads to {place:#}");
        place
    }
}

/// The application, registered at a server.
pub struct Application {
    _peer: Peer,
    /// Where it is.
    pub address: String,
    /// Its client id.
    pub id: String,
}

impl Application {
    /// Starts and registers it.
    pub fn start(server: &TestServer) -> Self {
        let mut peer = Peer::start("openid-client/app.mjs", "");
        let address = peer.line();
        let about = json!({
            "name": "The application", "redirect_uris": [format!("{address}/callback")],
            "initiate_login_uri": format!("{address}/initiate"),
            "backchannel_logout_uri": format!("{address}/backchannel"),
        });
        let made = server.operator().post("/applications", &about).expect(201);
        peer.say(&json!({
            "issuer": server.address(), "id": made["id"], "secret": made["client_secret"],
        }));
        assert_eq!(peer.line(), "ready");
        Self { _peer: peer, address, id: made.id() }
    }
}

/// The OpenID Provider of a customer, by oidc-provider.
pub struct Provider {
    _peer: Peer,
    /// Its issuer.
    pub issuer: String,
}

impl Provider {
    /// Starts one that sends answers to this address, and whose people are in these groups.
    pub fn start(redirect_uri: &str, groups: &[&str]) -> Self {
        let told = json!({"redirect_uri": redirect_uri, "groups": groups});
        let peer = Peer::start("oidc-provider/idp.mjs", &told.to_string());
        // It prints warnings of its own, too.
        let said = loop {
            if let Ok(said) = serde_json::from_str::<Value>(&peer.line()) {
                break said;
            }
        };
        Self { _peer: peer, issuer: said["issuer"].as_str().unwrap().to_owned() }
    }

    /// How often it has seen to what.
    pub fn counts(&self) -> Value {
        counts(&self.issuer)
    }
}

/// How often an identity provider at this address has seen to what.
pub fn counts(address: &str) -> Value {
    let (method, url) = ("GET".to_owned(), format!("{address}/counts"));
    let call = crate::client::Call { method, url, ..Default::default() };
    serde_json::from_slice(&anonymous().send(&call).unwrap().body).unwrap()
}
