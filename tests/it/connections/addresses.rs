//! Hostile inputs 60 and 82, threats X1 and X2: addresses that an admin writes or a provider publishes, at a server
//! that may dial nothing but the public internet; and providers that never come to an end.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{CONNECTION, LOOPBACK};
use crate::api::Api;
use crate::server::{Database, TestServer, on_both_databases};

/// Row 82, but the names, and some more. What a name stands for is the resolver's word, which `egress::tests` gives:
/// there are the name that rebinds, and all others.
const INSIDE: [&str; 23] = [
    "https://127.0.0.1",
    "https://[::1]",
    "https://2130706433",
    "https://0x7f.1",
    "https://127.1",
    "https://0177.0.0.1",
    "https://127.0.0.1.",
    "https://10.0.0.1",
    "https://172.16.0.1",
    "https://192.168.0.1",
    "https://100.64.0.1",
    "https://[::ffff:10.0.0.1]",
    "https://[64:ff9b::a00:1]",
    "https://[fd00::1]",
    "https://169.254.169.254",
    "https://localhost",
    "https://0",
    "https://user@h.example",
    "https://h.example:22",
    "http://1.1.1.1",
    "file:///etc/passwd",
    "gopher://h.example",
    "ftp://h.example",
];

/// Names of row 82. This machine's own resolver may take its time over them.
const NAMED: [&str; 3] =
    ["https://metadata.google.internal", "https://x.localhost", "https://ⓔxample.test"];

/// A listener on loopback that nobody may reach.
struct Trap(TcpListener);

impl Trap {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    #[track_caller]
    fn is_untouched(&self) {
        let came = self.0.accept().unwrap_err();
        assert_eq!(came.kind(), ErrorKind::WouldBlock, "somebody dialled");
    }
}

/// A connection by OIDC with public endpoints, and this in one of its fields.
fn oidc(field: &str, address: &str) -> Value {
    let mut oidc = json!({
        "issuer": "https://1.1.1.1", "client_id": "x", "client_secret": "hunter2",
        "authorization_endpoint": "https://1.1.1.1/a", "token_endpoint": "https://1.1.1.1/t",
        "jwks_uri": "https://1.1.1.1/j",
    });
    if ["issuer", "discovery_url"].contains(&field) {
        oidc = json!({"issuer": "https://1.1.1.1", "client_id": "x"});
    }
    oidc[field] = json!(address);
    json!({"provider": "custom_oidc", "protocol": "oidc", "oidc": oidc})
}

/// Fails unless a request is refused with 422 and the name of the field, and no address of ours is told.
#[track_caller]
fn refuses(api: &Api, path: &str, body: &Value, field: &str) -> String {
    let refused = api.post(path, body);
    assert_eq!(refused.status, 422, "{body}: {}", refused.reply);
    let code = refused["code"].as_str().unwrap().to_owned();
    let known =
        ["endpoint_private_address", "invalid_issuer_url", "invalid_field", "discovery_not_found"];
    assert!(known.contains(&code.as_str()), "{body}: {}", refused.reply);
    assert_eq!(refused["errors"][0]["field"], field, "{body}: {}", refused.reply);
    code
}

on_both_databases! {
    fn f82_x1_no_address_inside_is_dialled(server: &TestServer) {
        let (api, trap) = (server.operator(), Trap::new());
        let own = ["https://127.0.0.1", "https://localhost", "http://127.0.0.1", "http://[::ffff:127.0.0.1]"];
        let own = own.map(|start| format!("{start}:{}/x", trap.port()));
        let mut cases = 0;
        for address in INSIDE.iter().copied().chain(own.iter().map(String::as_str)) {
            for field in ["issuer", "discovery_url", "token_endpoint", "jwks_uri", "userinfo_endpoint"] {
                let body = oidc(field, address);
                // What is fetched first is the discovery document, whose address is the issuer's.
                let named = if field == "discovery_url" { "issuer" } else { field };
                refuses(&api, CONNECTION, &body, &format!("oidc.{named}"));
                cases += 1;
            }
            let saml = json!({"provider": "adfs", "protocol": "saml", "saml": {"idp_metadata_url": address}});
            let refused = api.post(CONNECTION, &saml);
            assert!([422, 502].contains(&refused.status), "{address}: {}", refused.reply);
            assert_eq!(refused["errors"][0]["field"], "saml.idp_metadata_url", "{address}: {}", refused.reply);
            let social = json!({"name": "google", "kind": "oidc", "issuer": address, "client_id": "g", "client_secret": "x"});
            let refused = api.post("/social-connections", &social);
            assert_eq!(refused.status, 422, "{address}: {}", refused.reply);
            cases += 2;
        }
        assert!(cases >= 180, "{cases}");
        for address in NAMED {
            let refused = api.post(CONNECTION, &oidc("issuer", address));
            let late = refused.status == 502 && refused["code"] == "discovery_timeout";
            assert!(refused.status == 422 || late, "{address}: {}", refused.reply);
            assert_eq!(refused["errors"][0]["field"], "oidc.issuer", "{address}: {}", refused.reply);
        }
        trap.is_untouched();
        api.get(CONNECTION).problem(404, "not_found");
        assert!(api.get("/social-connections").expect(200).data().is_empty());
    }
}

/// Everything that a caller of this address is answered with: written by a function, which is given the connection
/// behind the request. What it says in the end comes back by the thread.
fn peer<T: Send + 'static>(
    say: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (String, thread::JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let running = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4_096];
        assert!(stream.read(&mut request).unwrap() > 0);
        say(stream)
    });
    (address, running)
}

/// Row 60: a document of 100 MB is not read to its end.
#[test]
fn f60_a_document_without_end_is_not_read() {
    const LENGTH: usize = 100 * 1024 * 1024;
    let server = TestServer::start_with(Database::Sqlite, LOOPBACK);
    let (address, sent) = peer(|mut stream| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let (part, mut sent) = (vec![b' '; 64 * 1024], 0);
        while sent < LENGTH && stream.write_all(&part).is_ok() {
            sent += part.len();
        }
        sent
    });
    let body = json!({"provider": "custom_oidc", "protocol": "oidc", "oidc": {"issuer": address, "client_id": "x"}});
    let refused = server.operator().post(CONNECTION, &body).problem(422, "discovery_invalid_json");
    assert_eq!(refused["errors"][0]["field"], "oidc.issuer");
    assert!(
        refused["detail"].as_str().unwrap().contains("longer than 262144 bytes"),
        "{}",
        refused.reply
    );
    // What lies in buffers on the way counts as sent.
    let sent = sent.join().unwrap();
    assert!(sent < LENGTH / 5, "{sent}");
}

/// Row 60: a byte a second is too slow.
#[test]
fn f60_a_document_byte_by_byte_is_given_up() {
    let server = TestServer::start_with(Database::Sqlite, LOOPBACK);
    let (address, done) = peer(|mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").unwrap();
        // Waiting for a word of the caller is the pause between two bytes.
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let (mut bytes, mut heard) = (0, [0; 16]);
        while bytes < 1_000 && stream.write_all(b" ").is_ok() {
            bytes += 1;
            match stream.read(&mut heard) {
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                _ => break,
            }
        }
        bytes
    });
    let body = json!({"provider": "custom_oidc", "protocol": "oidc", "oidc": {"issuer": address, "client_id": "x"}});
    let refused = server.operator().post(CONNECTION, &body).problem(502, "discovery_timeout");
    assert_eq!(refused["errors"][0]["field"], "oidc.issuer");
    let bytes = done.join().unwrap();
    assert!((2..30).contains(&bytes), "{bytes}");
}
