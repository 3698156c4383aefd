//! What an operator sees: health, request ids, logs without secrets, start and stop.

use std::process::Command;

use crate::client::Call;
use crate::company::{Answer, user};
use crate::server::{TestServer, anonymous, on_both_databases};

/// GET below the root, without a token.
fn get(server: &TestServer, path: &str) -> (u16, String) {
    ask(server, "GET", path)
}

fn ask(server: &TestServer, method: &str, path: &str) -> (u16, String) {
    let call = Call {
        method: method.to_owned(),
        url: format!("{}{path}", server.address()),
        ..Call::default()
    };
    let reply = anonymous().send(&call).unwrap();
    (reply.status, reply.to_string())
}

/// The request id of an answer.
fn request_id(answer: &Answer) -> String {
    answer
        .header("x-request-id")
        .unwrap_or_else(|| panic!("no request id: {}", answer.reply))
        .to_owned()
}

on_both_databases! {
    fn health_and_readiness_need_no_token(server: &TestServer) {
        for path in ["/healthz", "/readyz"] {
            assert_eq!(get(server, path).0, 200, "{path}");
            assert_eq!(ask(server, "HEAD", path).0, 200, "{path}");
            assert_eq!(ask(server, "POST", path).0, 405, "{path}");
        }
    }

    /// No version without a token.
    fn health_tells_nothing(server: &TestServer) {
        for path in ["/healthz", "/readyz"] {
            let (_, answer) = get(server, path);
            assert!(!answer.contains(env!("CARGO_PKG_VERSION")), "{answer}");
        }
    }

    fn every_answer_has_a_request_id(server: &TestServer) {
        let acme = server.acme();
        let answers = [
            acme.get("/Users"),
            acme.get("/Users/nobody"),
            server.client("x").get("/Users"),
            acme.get("/nosuch"),
        ];
        let mut ids: Vec<String> = answers.iter().map(request_id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), answers.len());
    }

    fn the_id_of_a_refused_request_is_in_the_log(server: &TestServer) {
        let id = request_id(&server.acme().get("/Users/nobody").fails(404));
        let begun = std::time::Instant::now();
        while !server.log().contains(&id) {
            server.acme().get("/Users").expect(200);
            assert!(begun.elapsed().as_secs() < 5, "{id} is not in the log:\n{}", server.log());
        }
    }

    /// I6: no secret is ever logged.
    /// Whoever sends nonsense fills no log with errors.
    fn bytes_that_are_no_http_are_no_error_of_ours(server: &TestServer) {
        for _ in 0..3 {
            server.raw(b"\x00\x01\r\n\r\n");
        }
        let id = request_id(&server.acme().get("/Users/nobody").fails(404));
        let begun = std::time::Instant::now();
        while !server.log().contains(&id) {
            assert!(begun.elapsed().as_secs() < 10, "{}", server.log());
            std::thread::yield_now();
        }
        assert!(!server.log().contains("ERROR"), "{}", server.log());
    }

    fn no_token_and_no_password_in_the_log(server: &TestServer) {
        let acme = server.acme();
        let password = "a7Qm29xv-fict";
        let body = serde_json::json!({"userName": "ada", "password": password});
        let id = acme.post("/Users", &body).expect(201).id();
        acme.patch(
            &format!("/Users/{id}"),
            &serde_json::json!([{"op": "replace", "path": "password", "value": password}]),
        );
        acme.patch(
            &format!("/Users/{id}"),
            &serde_json::json!([{"op": "replace", "path": "nosuch", "value": password}]),
        )
        .fails(400);
        acme.get(&format!("/Users?filter=password+eq+%22{password}%22")).fails(400);
        acme.get(&format!("/Users?access_token={}", acme.token())).expect(200);
        let wrong = format!("{}x", acme.token());
        server.client(&wrong).get("/Users").fails(401);
        acme.send_as("GET", "/Users", &[("Authorization", acme.token())], None).expect(200);
        acme.get("/Users/nobody").fails(404);
        let (log, secret) = (server.log(), &acme.token()[acme.token().len() - 40..]);
        assert!(!log.contains(secret), "{log}");
        assert!(!log.contains(password), "{log}");
    }

    /// Left-out attributes are named in the request log (ruling 16), without their values.
    fn what_was_left_out_is_in_the_log(server: &TestServer) {
        let acme = server.acme();
        acme.post("/Users", &serde_json::json!({"userName": "ada", "favouriteBoat": "the Gull"}))
            .expect(201);
        let begun = std::time::Instant::now();
        while !server.log().contains("favouriteBoat") {
            acme.get("/Users").expect(200);
            assert!(begun.elapsed().as_secs() < 5, "{}", server.log());
        }
        assert!(!server.log().contains("the Gull"), "{}", server.log());
    }

    fn the_public_address_is_the_only_source_of_addresses(server: &TestServer) {
        let own = TestServer::start_with(
            server.database(),
            &["--public-url", "https://id.tern.example/"],
        );
        let made = own.acme().post("/Users", &user("ada")).expect(201);
        let location = format!("https://id.tern.example/scim/v2/Users/{}", made.id());
        assert_eq!(
            (made["meta"]["location"].as_str(), made.header("location")),
            (Some(location.as_str()), Some(location.as_str()))
        );
    }

    /// SIGTERM ends the process with 0.
    fn a_termination_is_clean(server: &TestServer) {
        let own = TestServer::start(server.database());
        own.acme().post("/Users", &user("ada")).expect(201);
        let killed = Command::new("kill").args(["-TERM", &own.pid().to_string()]).status().unwrap();
        assert!(killed.success());
        assert_eq!(own.ended().code(), Some(0), "{}", own.log());
    }

    fn a_wrong_setting_is_one_clear_line(server: &TestServer) {
        for (flag, value) in [
            ("--listen", "nowhere"),
            ("--public-url", "x"),
            ("--trusted-proxy", "x"),
            ("--database-url", "mysql://x/y"),
        ] {
            let refused = server.cli(&["serve", flag, value]);
            assert!(!refused.status.success(), "{flag}");
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(said.contains(flag.trim_start_matches('-')) || said.contains(value), "{said}");
        }
    }

    fn a_port_in_use_is_one_clear_line(server: &TestServer) {
        let address = server.address().strip_prefix("http://").unwrap();
        let refused = server.cli(&["serve", "--listen", address]);
        assert!(!refused.status.success());
        assert!(String::from_utf8_lossy(&refused.stderr).contains(address), "{refused:?}");
    }
}
