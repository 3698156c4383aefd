//! Codes, refresh tokens, access tokens: what each opens, how often, and for how long.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stagedoor::domain::token::{self, Kind};

use super::{App, CALLBACK, Tokens, VERIFIER, claims, send};
use crate::server::on_both_databases;

/// Asks again until it is so; fails after ten seconds.
#[track_caller]
pub fn eventually(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < end, "it did not come to be");
        std::thread::sleep(Duration::from_millis(50));
    }
}

on_both_databases! {
    fn tokens_say_where_a_person_stands(server: &TestServer) {
        let (api, app) = (server.operator(), App::register(server, &json!({})));
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let ada = server.acme().user("ada");
        let session = server.sign_in(&ada).unwrap();
        let tokens = app.tokens(&session);
        let shown = session.get("/session").expect(200);
        for name in ["access_token", "id_token"] {
            let claims = tokens.claims(name);
            let expected = [
                ("sub", json!(ada)), ("sid", shown["id"].clone()), ("aud", json!(app.id)),
                ("company_slug", json!("acme")), ("company_id", shown["company_id"].clone()),
                ("organization_id", json!(dev)), ("organization_slug", json!("dev")), ("role", json!("member")),
                ("teams", json!([])), ("status", json!("ACTIVE")), ("preferred_username", json!("ada")),
            ];
            for (claim, value) in expected {
                assert_eq!(claims[claim], value, "{name}: {claim}");
            }
            assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
            assert!(claims["session_expiry"].as_i64() > claims["exp"].as_i64());
        }
        let access = tokens.claims("access_token");
        assert_eq!((&access["client_id"], &access["scope"]), (&json!(app.id), &json!("openid profile email")));
        let info = app.userinfo(&tokens.get("access_token")).expect(200);
        assert_eq!((&info["sub"], &info["role"]), (&json!(ada), &json!("member")));
    }

    /// An address is verified where its domain is the company's, and says so nowhere else.
    fn an_address_is_verified_by_its_domain(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let ada = server.acme().user("ada@acme.example");
        let session = server.sign_in(&ada).unwrap();
        let tokens = app.tokens(&session);
        let id = tokens.claims("id_token");
        assert_eq!((&id["email"], &id["email_verified"]), (&json!("ada@acme.example"), &json!(false)));
        let api = server.operator();
        let made = api.post("/companies/acme/sso/domains", &json!({"domain": "acme.example"})).expect(201).id();
        api.post(&format!("/companies/acme/sso/domains/{made}/override"), &json!({})).expect(200);
        let next = app.refresh(&tokens.get("refresh_token")).expect(200);
        assert_eq!(claims(next["id_token"].as_str().unwrap())["email_verified"], true);
        let code = app.code(&session, &[("scope", "openid")]);
        let narrow = app.exchange(&code).expect(200);
        assert_eq!(claims(narrow["id_token"].as_str().unwrap())["email"], Value::Null);
    }

    /// Row 94: a team is gone with the group, at the next token.
    fn r094_permission_follows_the_group(server: &TestServer) {
        let (api, app, acme) = (server.operator(), App::register(server, &json!({})), server.acme());
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let ada = acme.user("ada");
        let made = acme.group("deployers", &[&ada]);
        let session = server.sign_in(&ada).unwrap();
        let tokens = app.tokens(&session);
        assert_eq!(tokens.claims("access_token")["teams"], json!(["deployers"]));
        let gone = json!([{"op": "remove", "path": format!("members[value eq \"{ada}\"]")}]);
        acme.patch(&format!("/Groups/{made}"), &gone).expect(204);
        let next = app.refresh(&tokens.get("refresh_token")).expect(200);
        assert_eq!(claims(next["access_token"].as_str().unwrap())["teams"], json!([]));
    }

    fn a_code_is_exchanged_once(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let code = app.code(&session, &[]);
        let first = Tokens { answer: app.exchange(&code).expect(200).json };
        assert_eq!(app.introspect(&first.get("access_token"))["active"], true);
        app.exchange(&code).oauth_error(400, "invalid_grant");
        // It was in two hands: what came of it is taken back (RFC 6749 §4.1.2).
        assert_eq!(app.introspect(&first.get("access_token")), json!({"active": false}));
        app.refresh(&first.get("refresh_token")).oauth_error(400, "invalid_grant");
        session.get("/session").expect(200);
    }

    /// security.md O7: of many at once exactly one is answered.
    fn parallel_exchanges_of_a_code(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let code = app.code(&session, &[]);
        let answers: Vec<u16> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| app.exchange(&code).status)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|status| [200, 400].contains(status)), "{answers:?}");
    }

    fn a_code_is_bound_to_what_asked_for_it(server: &TestServer) {
        let (app, other) = (App::register(server, &json!({})), App::register(server, &json!({})));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let with = |code: &str, uri: &str, verifier: &str| {
            let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", uri), ("code_verifier", verifier)];
            app.call("/oauth/token", &form)
        };
        let code = app.code(&session, &[]);
        other.exchange(&code).oauth_error(400, "invalid_grant");
        app.exchange(&code).expect(200);
        with(&app.code(&session, &[]), CALLBACK, &"x".repeat(43)).oauth_error(400, "invalid_grant");
        with(&app.code(&session, &[]), CALLBACK, "short").oauth_error(400, "invalid_grant");
        with(&app.code(&session, &[]), "https://app.example/other", VERIFIER).oauth_error(400, "invalid_grant");
        let code = app.code(&session, &[]);
        app.with_secret("stgd_client_x").exchange(&code).oauth_error(401, "invalid_client");
        server.sql("UPDATE oauth_grants SET code_until = 1 WHERE digest IS NULL");
        app.exchange(&code).oauth_error(400, "invalid_grant");
        for code in ["", "x", "stgd_code_x", "stgd_code_000000000000_0000000000000000000000000000000000000000000000000"] {
            let answer = with(code, CALLBACK, VERIFIER);
            assert_eq!(answer.status, 400, "{}", answer.reply);
        }
    }

    /// Row 198: there are no passwords, and no other way to a token.
    fn r198_there_is_no_grant_by_password(server: &TestServer) {
        let app = App::register(server, &json!({}));
        for kind in ["password", "client_credentials", "implicit", "urn:ietf:params:oauth:grant-type:device_code", "x"] {
            let form = [("grant_type", kind), ("username", "ada"), ("password", "secret")];
            app.call("/oauth/token", &form).oauth_error(400, "unsupported_grant_type");
        }
        app.call("/oauth/token", &[("username", "ada")]).oauth_error(400, "invalid_request");
    }

    fn refresh_tokens_follow_each_other(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let mut tokens = app.tokens(&session);
        for _ in 0..3 {
            let next = Tokens { answer: app.refresh(&tokens.get("refresh_token")).expect(200).json };
            assert_ne!(next.get("refresh_token"), tokens.get("refresh_token"));
            assert_eq!(app.introspect(&next.get("access_token"))["active"], true);
            assert_eq!(app.introspect(&next.get("refresh_token"))["active"], true);
            assert_eq!(app.introspect(&tokens.get("refresh_token"))["active"], false);
            tokens = next;
        }
    }

    /// security.md (b), RFC 9700 §4.14: a refresh token that comes again ends the session.
    fn a_reused_refresh_token_ends_the_session(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let first = app.tokens(&session);
        let next = Tokens { answer: app.refresh(&first.get("refresh_token")).expect(200).json };
        app.refresh(&first.get("refresh_token")).oauth_error(400, "invalid_grant");
        app.refresh(&next.get("refresh_token")).oauth_error(400, "invalid_grant");
        assert_eq!(app.introspect(&next.get("access_token")), json!({"active": false}));
        app.userinfo(&next.get("access_token")).oauth_error(401, "invalid_token");
        session.get("/session").problem(401, "session_ended");
        let events = server.operator().get("/companies/acme/audit-events").expect(200);
        assert!(events.data().iter().any(|event| event["action"] == "refresh_token.reused"));
    }

    /// Somebody who knows what a token begins with, but never had one, ends nothing.
    fn a_forged_refresh_token_ends_nothing(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let tokens = app.tokens(&session);
        let latest = tokens.get("refresh_token");
        let id = &latest["stgd_refresh_".len()..][..12];
        let forged = token::text(Kind::Refresh, id, &"A".repeat(43)).unwrap();
        app.refresh(&forged).oauth_error(400, "invalid_grant");
        app.refresh("stgd_refresh_x").oauth_error(400, "invalid_grant");
        app.refresh(&tokens.get("access_token")).oauth_error(400, "invalid_grant");
        let other = App::register(server, &json!({}));
        other.refresh(&tokens.get("refresh_token")).oauth_error(400, "invalid_grant");
        app.refresh(&tokens.get("refresh_token")).expect(200);
    }

    /// Of many refreshes at once one is answered; the others count as reuse.
    fn parallel_refreshes(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let token = app.tokens(&session).get("refresh_token");
        let answers: Vec<u16> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| app.refresh(&token).status)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        session.get("/session").problem(401, "session_ended");
    }

    fn scopes_may_be_narrowed_and_not_widened(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let tokens = app.tokens(&session);
        let refresh = |token: &str, scope: &str| {
            app.call("/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)])
        };
        let token = tokens.get("refresh_token");
        refresh(&token, "openid phone").oauth_error(400, "invalid_scope");
        let narrow = refresh(&token, "openid").expect(200);
        assert_eq!(narrow["scope"], "openid");
        let access = claims(narrow["access_token"].as_str().unwrap());
        assert_eq!(access["preferred_username"], Value::Null);
        let wide = app.refresh(narrow["refresh_token"].as_str().unwrap()).expect(200);
        assert_eq!(wide["scope"], "openid profile email");
    }

    fn introspection_tells_what_a_token_is(server: &TestServer) {
        let (app, api) = (App::register(server, &json!({})), App::register(server, &json!({"name": "An API"})));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let tokens = app.tokens(&session);
        // A resource server is another application than the one that the token is for.
        let told = api.introspect(&tokens.get("access_token"));
        for (name, value) in tokens.claims("access_token").as_object().unwrap() {
            assert_eq!(&told[name], value, "{name}");
        }
        assert_eq!((&told["active"], &told["token_type"]), (&json!(true), &json!("Bearer")));
        let refresh = app.introspect(&tokens.get("refresh_token"));
        assert_eq!((&refresh["active"], &refresh["client_id"]), (&json!(true), &json!(app.id)));
        let access = tokens.get("access_token");
        let mut forged = access.clone();
        forged.replace_range(access.len() - 4.., if access.ends_with("AAAA") { "BBBB" } else { "AAAA" });
        for token in [forged.as_str(), "", "x", "a.b.c", &tokens.get("id_token"), session.key(), &access[..access.len() - 1]] {
            if !token.is_empty() {
                assert_eq!(app.introspect(token), json!({"active": false}), "{token}");
            }
        }
    }

    fn a_revoked_token_opens_nothing(server: &TestServer) {
        let (app, other) = (App::register(server, &json!({})), App::register(server, &json!({})));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        for name in ["access_token", "refresh_token"] {
            let tokens = app.tokens(&session);
            other.call("/oauth/revoke", &[("token", &tokens.get(name))]).expect(200);
            assert_eq!(app.introspect(&tokens.get("access_token"))["active"], true, "another application's");
            app.call("/oauth/revoke", &[("token", &tokens.get(name)), ("token_type_hint", "nonsense")]).expect(200);
            assert_eq!(app.introspect(&tokens.get("access_token")), json!({"active": false}));
            app.refresh(&tokens.get("refresh_token")).oauth_error(400, "invalid_grant");
        }
        app.call("/oauth/revoke", &[("token", "nothing")]).expect(200);
        session.get("/session").expect(200);
    }

    fn userinfo_asks_for_a_token(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let tokens = app.tokens(&session);
        let url = format!("{}/oauth/userinfo", server.address());
        let bare = send("GET", &url, &[], None);
        assert_eq!(bare.status, 401);
        assert!(bare.header("www-authenticate").unwrap().starts_with("Bearer"));
        let access = tokens.get("access_token");
        assert_eq!(send("POST", &url, &[], Some(&[("access_token", &access)])).status, 200);
        assert_eq!(send("GET", &format!("{url}?access_token={access}"), &[], None).status, 401);
        for wrong in [tokens.get("id_token"), tokens.get("refresh_token"), session.key().to_owned()] {
            app.userinfo(&wrong).oauth_error(401, "invalid_token");
        }
        let code = app.code(&session, &[("scope", "email")]);
        let narrow = app.exchange(&code).expect(200);
        assert_eq!(narrow["id_token"], Value::Null, "no openid, no ID token");
        app.userinfo(narrow["access_token"].as_str().unwrap()).oauth_error(403, "insufficient_scope");
    }

    /// Public and confidential applications, and both algorithms of ID tokens.
    fn every_kind_of_application_gets_tokens(server: &TestServer) {
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        for (kind, algorithm) in [("public", "ES256"), ("public", "RS256"), ("confidential", "RS256")] {
            let body = json!({"type": kind, "id_token_signed_response_alg": algorithm});
            let app = App::register(server, &body);
            let tokens = app.tokens(&session);
            let header = |name: &str| {
                use base64::Engine;
                let token = tokens.get(name);
                let head = token.split('.').next().unwrap().to_owned();
                let head = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(head).unwrap();
                serde_json::from_slice::<Value>(&head).unwrap()
            };
            assert_eq!(header("id_token")["alg"], algorithm);
            assert_eq!((&header("access_token")["alg"], &header("access_token")["typ"]), (&json!("ES256"), &json!("at+jwt")));
            app.refresh(&tokens.get("refresh_token")).expect(200);
        }
    }

    /// security.md A1: codes and tokens are in no row and in no line of the log.
    fn no_token_lies_in_the_clear(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let code = app.code(&session, &[]);
        let tokens = Tokens { answer: app.exchange(&code).expect(200).json };
        let refresh = tokens.get("refresh_token");
        let secrets = [&code[23..60], &refresh[26..60], &app.secret[26..60], &session.key()[26..60]].map(str::to_owned);
        let mut stored = server.log();
        for file in std::fs::read_dir(server.directory()).unwrap().map(|entry| entry.unwrap().path()) {
            stored.push_str(&String::from_utf8_lossy(&std::fs::read(file).unwrap()));
        }
        for secret in secrets {
            assert!(!stored.contains(&secret), "{secret}");
        }
        assert!(!stored.contains(tokens.get("access_token").rsplit('.').next().unwrap()));
        assert!(!stored.contains("PRIVATE KEY"));
    }

    /// An account admin's access token opens the management API as the session does; no ID token does.
    fn an_access_token_opens_the_management_api(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let ada = server.acme().user("ada");
        server.operator().patch(&format!("/companies/acme/users/{ada}"), &json!({"company_role": "admin"})).expect(200);
        let session = server.sign_in(&ada).unwrap();
        let tokens = app.tokens(&session);
        let by_token = server.api_as(&tokens.get("access_token"));
        assert_eq!(by_token.get("/me").expect(200)["id"], *ada);
        by_token.get("/companies/acme/users").expect(200);
        server.api_as(&tokens.get("id_token")).get("/me").problem(401, "unauthorized");
        app.call("/oauth/revoke", &[("token", &tokens.get("refresh_token"))]).expect(200);
        by_token.get("/me").problem(401, "session_ended");
    }

    /// Bodies and headers that are no request of an application.
    fn what_is_no_request_is_refused(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let url = format!("{}/oauth/token", server.address());
        assert_eq!(send("GET", &url, &[], None).status, 405);
        assert_eq!(send("POST", &url, &[("Content-Type", "application/json")], None).status, 415);
        let huge = "x".repeat(70_000);
        assert_eq!(send("POST", &url, &[], Some(&[("code", &huge)])).status, 413);
        let long = "x".repeat(3_000);
        app.call("/oauth/token", &[("grant_type", &long)]).oauth_error(400, "invalid_request");
        let form = [("grant_type", "refresh_token"), ("refresh_token", "\0")];
        app.call("/oauth/token", &form).oauth_error(400, "invalid_request");
        for header in ["Basic", "Basic !", "Basic Og==", "Bearer x", "Basic Zm9v"] {
            let sent = send("POST", &url, &[("Authorization", header)], Some(&[("grant_type", "refresh_token")]));
            assert_eq!(sent.status, 401, "{header}: {sent}");
        }
        let allowed = send("OPTIONS", &url, &[("Origin", "https://app.example")], None);
        assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, Some("*")));
    }
}
