//! SCIM tokens: form, expiry, revocation, rotation, last use (ruling 2).

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::company::Company;
use crate::server::{TestServer, on_both_databases};

/// A revocation holds within this time, on every replica.
const REVOCATION: Duration = Duration::from_secs(5);

/// acme's tokens as `token list` shows them.
fn listed(server: &TestServer) -> Vec<Value> {
    let list = server.cli_ok(&["token", "list", "acme", "--format", "json"]);
    serde_json::from_str(&list).unwrap_or_else(|e| panic!("{e}: {list}"))
}

/// The public id inside a token.
fn public_id(token: &str) -> &str {
    token
        .strip_prefix("stgd_scim_")
        .and_then(|rest| rest.split('_').next())
        .expect("a token of ours")
}

/// The entry of a token in the list.
fn entry(server: &TestServer, token: &str) -> Value {
    let found = listed(server).into_iter().find(|t| t["id"] == public_id(token));
    found.unwrap_or_else(|| panic!("{} is not listed", public_id(token)))
}

/// Asks until the token opens nothing any more; at most [`REVOCATION`]. Returns the 401's detail.
fn until_refused(company: &Company) -> String {
    let begun = Instant::now();
    loop {
        let answer = company.get("/Users?count=1");
        if answer.status == 401 {
            return answer["detail"].as_str().unwrap_or_default().to_owned();
        }
        answer.expect(200);
        assert!(begun.elapsed() < REVOCATION, "the token still opens");
        thread::park_timeout(Duration::from_millis(100));
    }
}

on_both_databases! {
    /// Prefix, 12 characters, 43 and 6 characters.
    fn a_token_has_the_published_form(server: &TestServer) {
        let output = server.cli_ok(&["token", "create", "acme", "--name", "okta"]);
        let token = output.trim();
        assert_eq!(output.lines().count(), 1, "the token stands alone");
        let form = regex::Regex::new("^stgd_scim_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$").unwrap();
        assert!(form.is_match(token), "{token}");
        server.client(token).get("/Users").expect(200);
    }

    fn two_tokens_of_one_company(server: &TestServer) {
        let second = server.client(&server.token("acme", "entra", &[]));
        server.acme().user("ada");
        assert_eq!(second.get("/Users").expect(200).each("userName"), ["ada"]);
    }

    fn the_secret_is_in_no_file(server: &TestServer) {
        let token = server.acme().token();
        let secret = &token[token.len() - 49..];
        server.acme().get("/Users").expect(200);
        for file in std::fs::read_dir(server.directory()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(43).any(|w| w == &secret.as_bytes()[..43]));
        }
    }

    fn a_list_shows_no_secret(server: &TestServer) {
        let token = server.acme().token();
        for format in ["text", "json"] {
            let list = server.cli_ok(&["token", "list", "acme", "--format", format]);
            assert!(list.contains(public_id(token)), "{list}");
            assert!(!list.contains(&token[token.len() - 40..]), "{list}");
        }
    }

    fn a_revoked_token_opens_nothing(server: &TestServer) {
        let token = server.token("acme", "old", &[]);
        server.cli_ok(&["token", "revoke", "acme", public_id(&token)]);
        let refused = server.client(&token).get("/Users").fails(401);
        assert!(refused["detail"].as_str().unwrap().contains("revoked"), "{}", refused.reply);
        server.acme().get("/Users").expect(200);
    }

    fn a_revocation_reaches_a_token_in_use(server: &TestServer) {
        let token = server.token("acme", "old", &[]);
        let client = server.client(&token);
        client.get("/Users").expect(200);
        server.cli_ok(&["token", "revoke", "acme", public_id(&token)]);
        assert!(until_refused(&client).contains("revoked"));
    }

    fn a_token_of_another_company_cannot_be_revoked(server: &TestServer) {
        let globex = server.company("globex");
        let refused = server.cli(&["token", "revoke", "acme", public_id(globex.token())]);
        assert!(!refused.status.success());
        globex.get("/Users").expect(200);
    }

    /// 365 days by default.
    fn a_token_expires(server: &TestServer) {
        let days = |flags: &[&str]| {
            let entry = entry(server, &server.token("acme", "okta", flags));
            let time =
                |name: &str| entry[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
            time("expires").duration_since(time("created")).as_hours() / 24
        };
        assert_eq!(days(&[]), 365);
        assert_eq!(days(&["--expires-in", "180d"]), 180);
        assert_eq!(days(&["--expires-in", "730d"]), 730);
    }

    fn a_life_has_bounds(server: &TestServer) {
        for life in ["731d", "0s", "never", "-1d", "x"] {
            let refused =
                server.cli(&["token", "create", "acme", "--name", "okta", "--expires-in", life]);
            assert!(!refused.status.success(), "{life}");
        }
    }

    /// The 401 of an expired token says that it expired.
    fn an_expired_token_says_so(server: &TestServer) {
        let token = server.token("acme", "okta", &[]);
        // No command sets the clock back, and the shortest life is a minute.
        server.sql("UPDATE scim_tokens SET expires_at = created_at + 1 WHERE name = 'okta'");
        let refused = server.client(&token).get("/Users").fails(401);
        assert!(refused["detail"].as_str().unwrap().contains("expired"), "{}", refused.reply);
        assert_eq!(entry(server, &token)["state"], "expired");
    }

    fn without_an_overlap_the_former_token_ends_at_once(server: &TestServer) {
        let old = server.token("acme", "okta", &[]);
        let rotate = ["token", "rotate", "acme", public_id(&old), "--overlap", "0s"];
        let new = server.cli_ok(&rotate);
        server.client(&old).get("/Users").fails(401);
        server.client(new.trim()).get("/Users").expect(200);
    }

    fn a_rotation_overlaps(server: &TestServer) {
        let old = server.token("acme", "okta", &[]);
        let new = server.cli_ok(&["token", "rotate", "acme", public_id(&old), "--overlap", "24h"]);
        for token in [old.as_str(), new.trim()] {
            server.client(token).get("/Users").expect(200);
        }
        assert_ne!(public_id(&old), public_id(new.trim()));
    }

    /// At most two are live.
    fn a_second_rotation_ends_the_first_overlap(server: &TestServer) {
        let first = server.token("acme", "okta", &[]);
        let rotate = |token: &str| {
            server.cli_ok(&["token", "rotate", "acme", public_id(token), "--overlap", "24h"])
        };
        let second = rotate(&first).trim().to_owned();
        let third = rotate(&second).trim().to_owned();
        server.client(&first).get("/Users").fails(401);
        server.client(&second).get("/Users").expect(200);
        server.client(&third).get("/Users").expect(200);
    }

    fn a_token_is_rotated_once(server: &TestServer) {
        let old = server.token("acme", "okta", &[]);
        let rotate =
            || server.cli(&["token", "rotate", "acme", public_id(&old), "--overlap", "24h"]);
        assert!(rotate().status.success());
        assert!(!rotate().status.success());
    }

    fn an_overlap_has_a_bound(server: &TestServer) {
        let token = server.token("acme", "okta", &[]);
        assert!(
            !server
                .cli(&["token", "rotate", "acme", public_id(&token), "--overlap", "8d"])
                .status
                .success()
        );
        server.client(&token).get("/Users").expect(200);
    }

    fn the_last_use_is_shown(server: &TestServer) {
        let token = server.token("acme", "okta", &[]);
        assert!(entry(server, &token)["last_used"].is_null());
        let client = server.client(&token);
        let begun = Instant::now();
        // The note is written beside the request, so the next requests need not see it yet.
        while entry(server, &token)["last_used"].is_null() {
            client.get("/Users").expect(200);
            assert!(begun.elapsed() < Duration::from_secs(5), "the use was not noted");
        }
        assert_eq!(entry(server, &token)["from"], "127.0.0.1");
    }

    /// Row 64: a token of a deleted company, a token of another installation.
    fn a_token_of_another_installation_opens_nothing(server: &TestServer) {
        let other = TestServer::start(server.database());
        let token = other.token("acme", "okta", &[]);
        server.client(&token).get("/Users").fails(401);
    }

    /// Ruling 17: failures are counted by address and public id; a valid token is not among them.
    fn failures_are_limited_and_a_valid_token_is_not(server: &TestServer) {
        let token = server.token("acme", "okta", &[]);
        let mut wrong = token.clone();
        let place = token.len() - 20..token.len() - 19;
        wrong.replace_range(place.clone(), if &token[place] == "x" { "y" } else { "x" });
        let refused =
            (0..80).map(|_| server.client(&wrong).get("/Users")).find(|a| a.status != 401);
        let refused = refused.expect("a limit").fails(429);
        assert!(
            refused.header("retry-after").is_some_and(|s| s.parse::<u32>().is_ok()),
            "{}",
            refused.reply
        );
        server.client(&token).get("/Users").expect(200);
    }
}
