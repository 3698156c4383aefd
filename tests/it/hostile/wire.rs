//! Rows 46 to 49: what is wrong already below SCIM.

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Watch, people};
use crate::client::Call;
use crate::company::user;
use crate::server::{TestServer, anonymous, on_both_databases};

/// A request with these headers and this body, as bytes.
fn request(server: &TestServer, headers: &str, body: &str) -> String {
    let token = server.acme().token();
    format!(
        "POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/scim+json\r\n{headers}\r\n{body}"
    )
}

/// A slow sender is cut off within this time: 5 s for the head, and some more for a busy machine.
const HEAD_LIMIT: Duration = Duration::from_secs(9);
/// The same of the body, which may take 30 s.
const BODY_LIMIT: Duration = Duration::from_secs(40);

/// Sends a beginning at once and then these parts over and over, one each second, until there is an
/// answer or the connection is closed; the answer.
fn drip(server: &TestServer, begin: &str, parts: &[&[u8]], limit: Duration) -> String {
    let mut stream = server.connect();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.write_all(begin.as_bytes()).unwrap();
    let begun = Instant::now();
    let mut buffer = [0; 1024];
    for part in parts.iter().cycle() {
        assert!(begun.elapsed() < limit, "the connection is still open");
        if stream.write_all(part).is_err() {
            break;
        }
        // Waiting a second for an answer is the pause between two bytes.
        match stream.read(&mut buffer) {
            Ok(read) => return String::from_utf8_lossy(&buffer[..read]).into_owned(),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    String::new()
}

on_both_databases! {
    fn f46_bodies_of_two_lengths(server: &TestServer) {
        let watch = Watch::over(server);
        let smuggled = "0\r\n\r\nDELETE /scim/v2/Users/x HTTP/1.1\r\nHost: x\r\n\r\n";
        let requests = [
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", smuggled),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", smuggled),
            ("Content-Length: 2\r\nContent-Length: 3\r\n", "{} "),
            ("Content-Length: 2, 3\r\n", "{} "),
            ("Content-Length: -1\r\n", "{}"),
            ("Content-Length: +2\r\n", "{}"),
            ("Content-Length: 2x\r\n", "{}"),
            ("Transfer-Encoding: chunked\r\n", "ZZZ\r\n{}\r\n0\r\n\r\n"),
            ("Transfer-Encoding: chunked, identity\r\n", "2\r\n{}\r\n0\r\n\r\n"),
        ];
        for (headers, body) in requests {
            let begun = Instant::now();
            let answer = server.raw(request(server, headers, body).as_bytes());
            assert!(answer.starts_with("HTTP/1.1 400"), "{headers}{answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "one answer, then closed: {answer}");
            assert!(begun.elapsed() < Duration::from_secs(5), "{headers} was not closed");
        }
        watch.lives();
    }

    fn f46_request_lines_that_are_none(server: &TestServer) {
        let watch = Watch::over(server);
        for line in [
            "GET\r\n\r\n",
            "GET /scim/v2/Users\r\n\r\n",
            "\x00\x01\x02\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n",
            "GET /scim/v2/Users HTTP/1.1\r\nHost x\r\n\r\n",
            "GET /scim/v2/Users HTTP/1.1\r\nA\x00: b\r\n\r\n",
        ] {
            let answer = server.raw(line.as_bytes());
            assert!(
                answer.is_empty()
                    || answer.starts_with("HTTP/1.1 4")
                    || answer.starts_with("HTTP/1.1 505"),
                "{line}: {answer}"
            );
        }
        watch.lives();
    }

    /// Characters that RFC 3986 wants encoded: served or refused, and the connection goes on.
    fn f46_an_address_as_typed(server: &TestServer) {
        let watch = Watch::over(server);
        let token = server.acme().token();
        for query in [
            "filter=userName+eq+\"x\"",
            "filter=userName eq x",
            "filter={}",
            "filter=\u{e4}",
            "a=%zz",
            "a=%",
            "%",
        ] {
            let head = format!(
                "GET /scim/v2/Users?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                Authorization: Bearer {token}\r\n\r\n"
            );
            let answer = server.raw(head.as_bytes());
            assert!(
                answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 400"),
                "{query}: {answer}"
            );
        }
        watch.nothing_changed();
    }

    fn f47_headers_without_end(server: &TestServer) {
        let watch = Watch::over(server);
        let one = format!("X-Long: {}\r\n", "a".repeat(200_000));
        let many: String = (0..2_000).map(|i| format!("X-{i}: {i}\r\n")).collect();
        for headers in [one, many] {
            let answer = server
                .raw(request(server, &format!("{headers}Content-Length: 2\r\n"), "{}").as_bytes());
            // The answer may be lost where the server closes on a sender that goes on.
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
                "{}",
                &answer[..answer.len().min(300)]
            );
        }
        watch.nothing_changed();
    }

    fn f47_an_address_without_end(server: &TestServer) {
        let watch = Watch::over(server);
        let path = format!("/Users?filter={}", "a".repeat(100_000));
        let request = format!("GET /scim/v2{path} HTTP/1.1\r\nHost: x\r\n\r\n");
        let answer = server.raw(request.as_bytes());
        let statuses = ["HTTP/1.1 400", "HTTP/1.1 414", "HTTP/1.1 431"];
        let refused = statuses.iter().any(|status| answer.starts_with(status));
        assert!(answer.is_empty() || refused, "{}", &answer[..answer.len().min(300)]);
        watch.nothing_changed();
    }

    fn f48_a_foreign_host(server: &TestServer) {
        let acme = server.acme();
        let headers = [
            ("Host", "evil.example"),
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Proto", "https"),
            ("Forwarded", "host=evil.example;proto=https"),
            ("Content-Type", "application/scim+json"),
        ];
        let body = user("ada@tern.example").to_string();
        let made = acme.send("POST", "/Users", &headers, Some(body.as_bytes())).expect(201);
        assert!(!made.reply.to_string().contains("evil"), "{}", made.reply);
        assert_eq!(made["meta"]["location"], acme.url(&format!("/Users/{}", made.id())));
        for path in ["/Users", "/ResourceTypes", "/Schemas", "/ServiceProviderConfig"] {
            let answer = acme.send("GET", path, &headers[..4], None).expect(200);
            assert!(!answer.reply.to_string().contains("evil"), "{}", answer.reply);
        }
    }

    /// Nor does it move an issuer, a link, or the address that an identity provider sends people back to.
    fn f48_a_foreign_host_moves_nobody(server: &TestServer) {
        let api = server.operator();
        server.company("globex");
        let oidc = json!({"provider": "custom_oidc", "protocol": "oidc", "oidc": {
            "issuer": "https://1.1.1.1", "client_id": "x", "authorization_endpoint": "https://1.1.1.1/a",
            "token_endpoint": "https://1.1.1.1/t", "jwks_uri": "https://1.1.1.1/j",
        }});
        let saml = json!({"provider": "custom_saml", "protocol": "saml"});
        api.post("/companies/acme/sso/connection", &oidc).expect(201);
        api.post("/companies/acme/sso/connection/activate", &json!({"skip_test": true})).expect(200);
        api.post("/companies/globex/sso/connection", &saml).expect(201);
        let key = format!("Bearer {}", api.key());
        let ask = |path: &str, host: &str| {
            let headers = [("Host", host), ("X-Forwarded-Host", host), ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Port", "1"), ("Forwarded", &format!("host={host};proto=https")), ("X-Original-Host", host),
                ("Authorization", &key)];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
            let url = format!("{}{path}", server.address());
            anonymous().send(&Call { method: "GET".to_owned(), url, headers, body: None }).unwrap()
        };
        for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/login", "/logout",
            "/sso/start/acme", "/sso/saml/globex/metadata", "/sso/callback/acme?state=x", "/openapi.json", "/docs",
            "/api/v1/companies/acme/sso/connection", "/api/v1/companies/globex/sso/connection", "/api/v1/companies/acme/scim",
            "/oauth/authorize?client_id=x", "/oauth/userinfo"] {
            let answer = ask(path, "evil.example");
            assert!(!answer.to_string().contains("evil"), "{path}: {answer}");
            let own = server.address().strip_prefix("http://").unwrap();
            let same = ask(path, own);
            assert_eq!(answer.status, same.status, "{path}");
        }
        let told = ask("/.well-known/openid-configuration", "evil.example");
        let told: serde_json::Value = serde_json::from_slice(&told.body).unwrap();
        assert_eq!(told["issuer"], server.address());
        let begun = ask("/sso/start/acme", "evil.example");
        let back: String = form_urlencoded::byte_serialize(format!("{}/sso/callback/acme", server.address()).as_bytes()).collect();
        assert!(begun.header("location").unwrap().contains(&format!("redirect_uri={back}")), "{begun}");
    }

    fn f49_a_head_byte_by_byte(server: &TestServer) {
        people(server.acme());
        let watch = Watch::over(server);
        let bytes: Vec<&[u8]> = b"GET /scim/v2/Users HTTP/1.1\r\nHost: x\r\n".chunks(1).collect();
        let answer = drip(server, "", &bytes, HEAD_LIMIT);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
        watch.lives();
    }

    fn f49_a_body_byte_by_byte(server: &TestServer) {
        let watch = Watch::over(server);
        let slow: [(&str, &str, &[u8]); 2] = [
            ("Content-Length: 1000\r\n", "{", b" "),
            ("Transfer-Encoding: chunked\r\n", "1\r\n{\r\n", b"1\r\n \r\n"),
        ];
        thread::scope(|scope| {
            for (length, begin, part) in slow {
                let begin = request(server, length, begin);
                scope.spawn(move || {
                    let answer = drip(server, &begin, &[part], BODY_LIMIT);
                    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
                });
            }
        });
        watch.lives();
    }

    fn f49_a_silent_connection(server: &TestServer) {
        let watch = Watch::over(server);
        let begun = Instant::now();
        let answer = server.raw(b"GET /scim/v2/Users HT");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(begun.elapsed() < HEAD_LIMIT, "the connection is still open");
        watch.lives();
    }
}
