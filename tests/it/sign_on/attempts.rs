//! Attempts: bound to the browser that began and to the connection, answered once; and the log of them.

use std::thread;

use serde_json::json;

use super::{ACME, Browser, Idp, connect, last_attempt, with};
use crate::server::{TestServer, on_both_databases};

/// The path that the provider sends the browser back to.
fn back(browser: &mut Browser, server: &TestServer, idp: &Idp) -> String {
    let begun = browser.get("/sso/start/acme");
    let back = idp.authorize(begun.header("location").unwrap());
    back.strip_prefix(server.address()).unwrap().to_owned()
}

on_both_databases! {
    with crate::sign_on::LOOPBACK;

    fn f50_a_callback_that_nobody_began_opens_nothing(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        server.acme().user("ada@acme.example");
        let mut browser = Browser::new(server);
        for (query, code) in [("?code=c", "state_missing"), ("?code=c&state=unknown", "state_unknown"),
            ("?code=c&state=a&state=b", "state_missing"), ("?iss=https://idp.example", "state_missing")] {
            let page = browser.get(&format!("/sso/callback/acme{query}"));
            assert_eq!(page.status, 400, "{page}");
            assert!(page.text().contains(code), "{code}: {page}");
            assert!(browser.session(server).is_none(), "{code}");
        }
        let path = back(&mut browser, server, &idp);
        let mut other = Browser::new(server);
        for _ in 0..2 {
            let page = other.get(&path);
            assert!(page.status == 400 && page.text().contains("other_browser"), "{page}");
            other.get("/sso/start/acme");
        }
        assert!(other.session(server).is_none());
        // The browser that began is not kept from it by that, and comes in once.
        assert_eq!(browser.get(&path).status, 303);
        let page = browser.get(&path);
        assert_eq!(page.status, 400);
        assert!(page.text().contains("state_used"), "{page}");
        assert_eq!(idp.heard("/token"), 1);
        assert_eq!(api.get("/companies/acme/sessions").expect(200).data().len(), 1);
    }

    /// Row 116, O2: a state of another connection.
    fn f51_r116_a_state_belongs_to_its_connection(server: &TestServer) {
        let (api, idp, other) = (server.operator(), Idp::start(), Idp::start());
        connect(&api, &idp, "acme");
        server.company("globex");
        connect(&api, &other, "globex");
        let mut browser = Browser::new(server);
        let path = back(&mut browser, server, &idp).replace("/callback/acme", "/callback/globex");
        let page = browser.get(&path);
        assert_eq!(page.status, 400);
        assert!(page.text().contains("other_connection"), "{page}");
        assert_eq!((idp.heard("/token"), other.heard("/token")), (0, 0), "the code goes nowhere");
    }

    /// Ruling 15: a hostile customer's provider passes the browser on to another customer's, and never sees a
    /// code of it.
    fn a_provider_that_passes_the_browser_on_gets_no_code(server: &TestServer) {
        let (api, honest, evil) = (server.operator(), Idp::start(), Idp::start());
        connect(&api, &honest, "acme");
        server.company("globex");
        connect(&api, &evil, "globex");
        server.acme().user("ada@acme.example");
        // The browser begins at the hostile one, which sends it to the honest one with its own state.
        let mut browser = Browser::new(server);
        let begun = browser.get("/sso/start/globex");
        let asked = url::Url::parse(begun.header("location").unwrap()).unwrap();
        let mut passed = url::Url::parse(&format!("{}/authorize", honest.issuer())).unwrap();
        passed.set_query(asked.query());
        // The honest provider sends the browser to the address that is registered there: acme's.
        let code = honest.authorize(passed.as_str()).replace("/callback/globex", "/callback/acme");
        let page = browser.get(code.strip_prefix(server.address()).unwrap());
        assert!(page.text().contains("other_connection"), "{page}");
        assert_eq!((evil.heard("/token"), honest.heard("/token")), (0, 0));
    }

    /// O7: of many callbacks at once exactly one opens a session.
    fn o7_parallel_callbacks_open_one_session(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        server.acme().user("ada@acme.example");
        let mut browser = Browser::new(server);
        let path = back(&mut browser, server, &idp);
        let browsers: Vec<Browser> = (0..8).map(|_| browser.copy()).collect();
        let statuses: Vec<u16> = thread::scope(|scope| {
            let tries = browsers.into_iter().map(|mut browser| {
                let path = &path;
                scope.spawn(move || browser.get(path).status)
            });
            let tries: Vec<_> = tries.collect();
            tries.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
        assert_eq!(api.get("/companies/acme/sessions").expect(200).data().len(), 1);
    }

    fn f53_what_a_provider_says_is_shown_as_text(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        let mut browser = Browser::new(server);
        let begun = browser.get("/sso/start/acme");
        let url = url::Url::parse(begun.header("location").unwrap()).unwrap();
        let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let words = format!("<script>alert(1)</script>{}", "a".repeat(5_000));
        let query = [("state", state.as_str()), ("error", "server_error"), ("error_description", &words)];
        let page = browser.get(&with("/sso/callback/acme", &query));
        assert_eq!(page.status, 400);
        let text = page.text();
        assert!(!text.contains("<script") && text.contains("&#60;script"), "{text}");
        let longest = text.split(|c| c != 'a').map(str::len).max().unwrap();
        assert!((100..=200).contains(&longest) && text.contains("idp_error"), "{longest}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(last_attempt(&api)["code"], "idp_error");
    }

    fn the_log_tells_what_support_must_know(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        let ada = server.acme().user("ada@acme.example");
        let mut browser = Browser::new(server);
        browser.sign_in("/sso/start/acme", &idp);
        let good = last_attempt(&api);
        assert_eq!((&good["state"], &good["user_id"], &good["protocol"]), (&json!("succeeded"), &json!(ada), &json!("oidc")));
        let phases: Vec<&str> = good["phases"].as_array().unwrap().iter().map(|p| p["phase"].as_str().unwrap()).collect();
        assert_eq!(phases, ["begun", "returned", "verified", "finished"]);
        assert!(good["claims"]["email"].is_string() && !good.to_string().contains("Lovelace"), "{good}");
        idp.person(&json!({"email": "ada@elsewhere.example"}));
        Browser::new(server).sign_in("/sso/start/acme", &idp);
        let path = format!("{ACME}/attempts");
        for (query, many) in [("", 2), ("?state=refused", 1), ("?code=email_outside_domains", 1), ("?code=oidc.alg", 0),
            ("?email=ADA@elsewhere.example", 1), ("?since=2020-01-01T00:00:00Z", 2), ("?since=2090-01-01T00:00:00Z", 0)] {
            assert_eq!(api.get(&format!("{path}{query}")).expect(200).data().len(), many, "{query}");
        }
        let refused = last_attempt(&api);
        assert_eq!(refused["fix_at"], "here");
        let found = api.get(&format!("{path}?reference={}", refused["reference"].as_str().unwrap())).expect(200);
        assert_eq!(found.data(), std::slice::from_ref(&refused));
        let one = api.get(&format!("{path}/{}", refused["id"].as_str().unwrap())).expect(200);
        assert_eq!(one.json, refused);
        let first = api.get(&format!("{path}?limit=1")).expect(200);
        let next = first["page"]["next_cursor"].as_str().unwrap();
        let rest = api.get(&format!("{path}?limit=1&cursor={next}")).expect(200);
        assert_eq!((&rest.data()[0], &rest["page"]["next_cursor"]), (&good, &json!(null)));
        api.get(&format!("{path}?state=pending")).problem(422, "invalid_field");
        api.get(&format!("{path}/unknown")).problem(404, "not_found");
    }

    /// What a provider calls people, sessions and groups may be nothing that a database takes: the person is told
    /// what is wrong, support finds it in the log, and what does no harm is left out.
    fn names_that_no_database_takes_are_no_fault_of_ours(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        server.acme().user("ada@acme.example");
        // No letter like the one before it, so that no database makes it shorter.
        let long: String = (0..6_000_u32)
            .map(|n| char::from_u32(33 + (n * n * 7 + n / 90 * 31) % 90).unwrap())
            .collect();
        for (claim, value, code) in [
            ("sub", json!("ada\0"), "oidc.subject"),
            ("email", json!("ada\0@acme.example"), "email_missing"),
            ("email", json!(format!("{long}@acme.example")), "email_missing"),
        ] {
            idp.says(move |word| word.claims[claim] = value.clone());
            let page = Browser::new(server).sign_in("/sso/start/acme", &idp);
            assert!(page.text().contains(code), "{claim}: {page}");
            assert_eq!(last_attempt(&api)["code"], code, "{claim}");
        }
        for (claim, value) in [("sid", json!("a\0")), ("sid", json!(long)), ("groups", json!(["a\0", long, "b"]))] {
            idp.says(move |word| word.claims[claim] = value.clone());
            assert_eq!(Browser::new(server).sign_in("/sso/start/acme", &idp).status, 303, "{claim}");
        }
    }

    /// Whoever begins chooses what is kept of it: an attempt stays small.
    fn an_attempt_keeps_no_more_than_names(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        let long = "a".repeat(10_000);
        let page = Browser::new(server).get(&with("/sso/start/acme", &[("organization", &long)]));
        assert!(page.status == 404 && page.text().contains("organization_not_found"), "{page}");
        let mut browser = Browser::new(server);
        server.acme().user("ada@acme.example");
        let start = with("/sso/start/acme", &[("request", long.as_str())]);
        let done = browser.sign_in(&start, &idp);
        assert_eq!((done.status, done.header("location")), (303, Some("/login")), "{done}");
    }

    /// D1: a browser begins thirty sign-ins a minute.
    fn too_many_sign_ins_of_a_browser_wait(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        let mut browser = Browser::new(server);
        let statuses: Vec<u16> = (0..32).map(|_| browser.get("/sso/start/acme").status).collect();
        assert_eq!(statuses[..31], [303; 31], "the first one had no cookie yet");
        let page = browser.get("/sso/start/acme");
        assert_eq!((page.status, page.header("retry-after")), (429, Some("60")), "{page}");
        assert_eq!(Browser::new(server).get("/sso/start/acme").status, 303);
    }
}
