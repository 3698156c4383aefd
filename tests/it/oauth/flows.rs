//! Requests for authorization (`management-api.md` D7; OpenID Connect Core §3.1.2): what is answered at once,
//! what waits for a sign-in, what is refused and to whom.

use serde_json::{Value, json};

use super::{App, CALLBACK, CHALLENGE, claims, parameter, parameters, send, visit};
use crate::api::Who;
use crate::server::{Database, TestServer, on_both_databases};

/// Where a browser is sent.
#[track_caller]
fn location(reply: &crate::client::Reply) -> String {
    assert_eq!(reply.status, 302, "{reply}");
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{reply}");
    reply.header("location").unwrap().to_owned()
}

/// Fails unless the browser is shown a page with this code and is sent nowhere.
#[track_caller]
fn page(reply: &crate::client::Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{reply}");
    assert_eq!(reply.header("location"), None, "{reply}");
    assert!(reply.header("content-type").unwrap().starts_with("text/html"), "{reply}");
    assert!(reply.text().contains(code), "{reply}");
    assert!(
        reply.header("content-security-policy").unwrap().contains("default-src 'none'"),
        "{reply}"
    );
}

/// An address has 1,200 requests a minute that wait for a sign-in, each of which is kept for an hour; what a
/// session answers is not among them.
#[test]
fn too_many_requests_that_wait_are_refused() {
    let server = TestServer::start(Database::Sqlite);
    let app = App::register(&server, &json!({}));
    let session = server.sign_in(&server.acme().user("ada")).unwrap();
    let refused = (0..3_000).map(|_| app.authorize(None, &[])).find(|reply| reply.status != 302);
    let refused = refused.expect("a refusal");
    assert_eq!((refused.status, refused.header("location")), (429, None), "{refused}");
    assert!(refused.header("retry-after").is_some(), "{refused}");
    assert_eq!(app.authorize(Some(&session), &[]).status, 302);
}

on_both_databases! {
    fn discovery_says_what_is_served(server: &TestServer) {
        let read = server.get_plain("/.well-known/openid-configuration");
        let document: Value = serde_json::from_slice(&read.body).unwrap();
        assert_eq!(document["issuer"], server.address());
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
        for (name, value) in document.as_object().unwrap() {
            if let Some(url) = value.as_str().filter(|_| name.ends_with("_endpoint") || name == "jwks_uri") {
                let path = url.strip_prefix(server.address()).unwrap();
                assert_ne!(server.get_plain(path).status, 404, "{name}");
            }
        }
        let keys = server.get_plain("/.well-known/jwks.json");
        assert_eq!(keys.header("cache-control"), Some("public, max-age=300"));
        let keys: Value = serde_json::from_slice(&keys.body).unwrap();
        let algorithms: Vec<&Value> = keys["keys"].as_array().unwrap().iter().map(|k| &k["alg"]).collect();
        assert_eq!(algorithms, [&json!("ES256"), &json!("RS256")]);
        assert!(keys["keys"].as_array().unwrap().iter().all(|k| k.get("d").is_none() && k.get("p").is_none()));
    }

    fn a_session_is_answered_with_a_code_at_once(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let ada = server.acme().user("ada");
        let session = server.sign_in(&ada).unwrap();
        let back = location(&app.authorize(Some(&session), &[]));
        assert!(back.starts_with(&format!("{CALLBACK}?code=stgd_code_")), "{back}");
        assert_eq!(parameter(&back, "state"), "a-state");
        assert_eq!(parameter(&back, "iss"), server.address());
        let tokens = app.exchange(&parameter(&back, "code")).expect(200);
        assert_eq!((&tokens["token_type"], &tokens["scope"]), (&json!("Bearer"), &json!("openid profile email")));
        assert_eq!(tokens["expires_in"], 300);
        let id = claims(tokens["id_token"].as_str().unwrap());
        assert_eq!((&id["sub"], &id["nonce"], &id["aud"]), (&json!(ada), &json!("a-nonce"), &json!(app.id)));
        assert_eq!((&id["amr"], &id["iss"]), (&json!(["oidc"]), &json!(server.address())));
    }

    fn without_a_session_the_person_signs_in_first(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let ada = server.acme().user("ada");
        let to = location(&app.authorize(None, &[("login_hint", "ada@acme.example")]));
        assert!(to.starts_with(&format!("{}/login?request=", server.address())), "{to}");
        let request = parameter(&to, "request");
        let go_on = format!("{}/oauth/continue?request={request}", server.address());
        assert_eq!(location(&visit(&go_on, None)), to, "nobody has signed in");
        let session = server.sign_in(&ada).unwrap();
        let back = location(&visit(&go_on, Some(&session)));
        app.exchange(&parameter(&back, "code")).expect(200);
        page(&visit(&go_on, Some(&session)), 400, "request_expired");
        for unknown in ["", "0198c0de-0000-7000-8000-00000000abcd", "'"] {
            let go_on = format!("{}/oauth/continue?request={unknown}", server.address());
            page(&visit(&go_on, Some(&session)), 400, "request_expired");
        }
    }

    fn a_request_waits_for_an_hour(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let request = parameter(&location(&app.authorize(None, &[])), "request");
        server.sql("UPDATE authorization_requests SET created_at = created_at - 3600000000");
        let go_on = format!("{}/oauth/continue?request={request}", server.address());
        page(&visit(&go_on, Some(&session)), 400, "request_expired");
    }

    /// Rows 123 and 126: the initiate-login URI of a tile, from a cold browser.
    fn r123_a_tile_leads_to_the_connection(server: &TestServer) {
        let app = App::register(server, &json!({"initiate_login_uri": "https://app.example/login"}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let tile = [("response_type", "token"), ("connection", "acme"), ("code_challenge", ""), ("code_challenge_method", "")];
        let to = location(&app.authorize(None, &tile));
        assert!(to.starts_with(&format!("{}/sso/start/acme?request=", server.address())), "{to}");
        let go_on = format!("{}/oauth/continue?request={}", server.address(), parameter(&to, "request"));
        let end = location(&visit(&go_on, Some(&session)));
        assert!(end.starts_with("https://app.example/login?"), "{end}");
        assert_eq!(parameters(&end), [("iss".to_owned(), server.address().to_owned())]);
        page(&app.authorize(None, &[("connection", "nothing")]), 404, "connection_not_found");
        for uri in ["https://evil.example/", "https://app.example/callback/", "https://app.example/callback?x=1"] {
            page(&app.authorize(None, &[("connection", "acme"), ("redirect_uri", uri)]), 400, "redirect_uri_mismatch");
        }
    }

    /// Row 126: the same address as a bookmark, and again with the session that it led to.
    fn r126_a_tile_works_as_a_bookmark(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let tile = [("response_type", "token"), ("connection", "acme"), ("code_challenge", ""), ("code_challenge_method", "")];
        let url = parameter(&location(&app.authorize(None, &tile)), "request");
        assert!(!url.is_empty());
        // No code, no token, and nothing in the fragment: the application asks for a code by itself.
        assert_eq!(location(&app.authorize(Some(&session), &tile)), CALLBACK);
        app.code(&session, &[("connection", "acme")]);
    }

    /// Row 124: Okta names itself; another issuer is refused, and nothing is taken for a callback.
    fn r124_a_tile_may_name_its_issuer(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let _ = server.sign_in(&server.acme().user("ada")).unwrap();
        let set = r#"UPDATE connections SET document = '{"oidc": {"issuer": "https://acme.okta.example"}}'"#;
        server.sql(set);
        let with = |iss: &str| app.authorize(None, &[("connection", "acme"), ("iss", iss)]);
        assert!(location(&with("https://acme.okta.example")).contains("/sso/start/acme?"));
        page(&with("https://evil.okta.example"), 400, "issuer_mismatch");
        let callback = [("connection", "acme"), ("iss", "https://acme.okta.example"), ("code", "a-code")];
        assert!(location(&app.authorize(None, &callback)).contains("/sso/start/acme?"));
    }

    /// A code is given to a request with a challenge alone (RFC 9700 §2.1.1).
    fn without_a_challenge_there_is_no_code(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let bare = [("code_challenge", ""), ("code_challenge_method", "")];
        assert_eq!(location(&app.authorize(Some(&session), &bare)), CALLBACK);
        for (more, error) in [
            (vec![("code_challenge_method", "plain")], "invalid_request"),
            (vec![("code_challenge_method", "")], "invalid_request"),
            (vec![("code_challenge", "short")], "invalid_request"),
            (vec![("response_type", "id_token")], "unsupported_response_type"),
            (vec![("response_type", "code id_token")], "unsupported_response_type"),
            (vec![("response_mode", "form_post")], "invalid_request"),
            (vec![("request", "x.y.z")], "request_not_supported"),
            (vec![("request_uri", "https://app.example/r")], "request_uri_not_supported"),
            (vec![("prompt", "none login")], "invalid_request"),
            (vec![("max_age", "soon")], "invalid_request"),
        ] {
            let back = location(&app.authorize(Some(&session), &more));
            assert!(back.starts_with(CALLBACK), "{back}");
            assert_eq!(parameter(&back, "error"), error, "{more:?}");
            assert_eq!(parameter(&back, "state"), "a-state");
            assert_eq!(parameter(&back, "iss"), server.address());
            assert!(!back.contains("code="), "{back}");
        }
    }

    /// What cannot be told to the application is told to the browser, and never by a redirect.
    fn an_unknown_application_gets_no_redirect(server: &TestServer) {
        let app = App::register(server, &json!({}));
        page(&app.authorize(None, &[("client_id", "nobody")]), 400, "unknown_application");
        page(&app.authorize(None, &[("client_id", "")]), 400, "unknown_application");
        page(&app.authorize(None, &[("redirect_uri", "https://evil.example/<b>")]), 400, "redirect_uri_mismatch");
        let url = format!("{}/oauth/authorize?client_id={}&client_id=x", server.address(), app.id);
        page(&visit(&url, None), 400, "malformed_request");
        let target = [("target_link_uri", "https://evil.example/")];
        page(&app.authorize(None, &target), 400, "invalid_target");
    }

    fn prompt_and_max_age_are_honoured(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let ada = server.acme().user("ada");
        let error = |reply: &crate::client::Reply| parameter(&location(reply), "error");
        assert_eq!(error(&app.authorize(None, &[("prompt", "none")])), "login_required");
        let session = server.sign_in(&ada).unwrap();
        app.code(&session, &[("prompt", "none")]);
        app.code(&session, &[("prompt", "consent"), ("max_age", "60")]);
        server.sql("UPDATE sessions SET created_at = created_at - 120000000");
        let aged = app.authorize(Some(&session), &[("max_age", "60")]);
        assert!(location(&aged).contains("/login?request="));
        assert_eq!(error(&app.authorize(Some(&session), &[("max_age", "60"), ("prompt", "none")])), "login_required");
        let again = location(&app.authorize(Some(&session), &[("prompt", "login")]));
        let go_on = format!("{}/oauth/continue?request={}", server.address(), parameter(&again, "request"));
        assert_eq!(location(&visit(&go_on, Some(&session))), again, "the old session does not do");
        let fresh = server.sign_in(&ada).unwrap();
        assert!(location(&visit(&go_on, Some(&fresh))).starts_with(CALLBACK));
    }

    /// A request that names a connection is not answered from a session that came another way.
    fn another_connections_session_does_not_do(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let _ = server.sign_in(&server.acme().user("ada")).unwrap();
        let social = server.log_in(&Who::new("ada").by_social()).unwrap();
        app.code(&social, &[]);
        let to = location(&app.authorize(Some(&social), &[("connection", "acme")]));
        assert!(to.contains("/sso/start/acme?request="), "{to}");
    }

    /// Rows 55 and 56: the organization is the session's to change, without another sign-in.
    fn an_organization_is_entered_without_another_sign_in(server: &TestServer) {
        let (api, app) = (server.operator(), App::register(server, &json!({})));
        for slug in ["dev", "prod"] {
            api.organization("acme", slug, &json!({"automatic_user_access": true}));
        }
        api.organization("acme", "closed", &json!({}));
        let session = server.log_in(&Who { subject: server.acme().user("ada"), ..Who::new("ada").to("dev") }).unwrap();
        assert_eq!(app.tokens(&session).claims("access_token")["organization_slug"], "dev");
        let code = app.code(&session, &[("organization", "prod")]);
        let tokens = app.exchange(&code).expect(200);
        let access = claims(tokens["access_token"].as_str().unwrap());
        assert_eq!((&access["organization_slug"], &access["role"]), (&json!("prod"), &json!("member")));
        let back = location(&app.authorize(Some(&session), &[("organization", "closed")]));
        assert_eq!(parameter(&back, "error"), "access_denied");
        assert_eq!(session.get("/session").expect(200)["organization"]["slug"], "prod");
    }

    fn a_request_may_be_posted(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let cookie = format!("stgd_session={}", session.key());
        let url = format!("{}/oauth/authorize", server.address());
        let reply = send("POST", &url, &[("Cookie", &cookie)], Some(&app.request(&[])));
        assert!(location(&reply).starts_with(CALLBACK), "{reply}");
        assert_eq!(send("PUT", &url, &[], None).status, 405);
        assert_eq!(CHALLENGE.len(), 43);
    }

    fn two_tabs_use_one_request_once(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let request = parameter(&location(&app.authorize(None, &[])), "request");
        let go_on = format!("{}/oauth/continue?request={request}", server.address());
        let replies: Vec<u16> = std::thread::scope(|scope| {
            let tabs: Vec<_> =
                (0..8).map(|_| scope.spawn(|| visit(&go_on, Some(&session)).status)).collect();
            tabs.into_iter().map(|tab| tab.join().unwrap()).collect()
        });
        assert_eq!(replies.iter().filter(|status| **status == 302).count(), 1, "{replies:?}");
        assert_eq!(replies.iter().filter(|status| **status == 400).count(), 7, "{replies:?}");
    }
}
