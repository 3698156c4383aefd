//! Hostile inputs 50 to 53 and 61 to 63 and threats O1, O2, O8, O10 and S16, at the doors of OIDC: who brings what,
//! whose address it is, and what is switched off meanwhile.

use serde_json::{Value, json};
use url::Url;

use super::behaviours::refused;
use super::{ACME, Browser, Idp, connect, connection, last_attempt, switches, with};
use crate::api::Api;
use crate::client::Reply;
use crate::company;
use crate::server::{TestServer, on_both_databases};

/// A sign-in at acme that the provider has answered: the path that the browser is sent back to.
pub fn answered(browser: &mut Browser, server: &TestServer, idp: &Idp) -> String {
    let begun = browser.get("/sso/start/acme");
    let back = idp.authorize(begun.header("location").unwrap());
    back.strip_prefix(server.address()).unwrap().to_owned()
}

/// One parameter of a path.
fn parameter(path: &str, name: &str) -> String {
    let url = Url::parse("http://x").unwrap().join(path).unwrap();
    url.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned()
}

/// The path with these parameters in place of its own.
fn callback(path: &str, parameters: &[(&str, &str)]) -> String {
    with(path.split('?').next().unwrap(), parameters)
}

/// Fails unless this is the page of a refusal, and its browser has no session.
#[track_caller]
fn kept_out(server: &TestServer, browser: &Browser, page: &Reply, (status, code): (u16, &str)) {
    assert_eq!(page.status, status, "{page}");
    assert!(page.text().contains(&format!("<code>{code}</code>")), "{code}: {page}");
    assert!(browser.session(server).is_none(), "{page}");
}

/// The ids of acme's users.
fn users(api: &Api) -> Vec<Value> {
    let page = api.get("/companies/acme/users").expect(200);
    page.data().iter().map(|user| user["id"].clone()).collect()
}

/// How many people have signed in ever: whoever has is linked.
fn active(api: &Api) -> usize {
    let page = api.get("/companies/acme/users").expect(200);
    page.data().iter().filter(|user| user["status"] == "ACTIVE").count()
}

on_both_databases! {
    with crate::sign_on::LOOPBACK;

    fn f52_an_answer_of_another_issuer(server: &TestServer) {
        let (api, idp, evil) = (server.operator(), Idp::start(), Idp::start());
        connect(&api, &idp, "acme");
        server.acme().user("ada@acme.example");
        for issuer in [evil.issuer(), String::new(), format!("{}/", idp.issuer()), idp.issuer().to_uppercase()] {
            idp.behaves();
            idp.adds("iss", &issuer);
            let mut browser = Browser::new(server);
            let page = browser.sign_in("/sso/start/acme", &idp);
            kept_out(server, &browser, &page, (400, "oidc.callback_issuer"));
            assert_eq!(last_attempt(&api)["code"], "oidc.callback_issuer");
        }
        assert_eq!(idp.heard("/token"), 0, "no code was exchanged");
        idp.behaves();
        idp.adds("iss", &idp.issuer());
        assert_eq!(Browser::new(server).sign_in("/sso/start/acme", &idp).status, 303);
        // It is missed where the provider says that it sends it (RFC 9207 §2.4).
        idp.behaves();
        idp.describes(&json!({"authorization_response_iss_parameter_supported": true}));
        api.post(&format!("{ACME}/connection/refresh-metadata"), &json!({})).expect(200);
        let mut browser = Browser::new(server);
        let page = browser.sign_in("/sso/start/acme", &idp);
        kept_out(server, &browser, &page, (400, "oidc.callback_issuer"));
    }

    /// Ruling 15, threat O2: in no shape of mix-up does a hostile provider learn a code of an honest one.
    fn o2_no_code_goes_to_another_provider(server: &TestServer) {
        let (api, honest, evil) = (server.operator(), Idp::start(), Idp::start());
        connect(&api, &honest, "acme");
        server.company("globex");
        connect(&api, &evil, "globex");
        server.acme().user("ada@acme.example");
        let passed_on = |browser: &mut Browser| {
            let begun = browser.get("/sso/start/globex");
            let asked = Url::parse(begun.header("location").unwrap()).unwrap();
            let mut to = Url::parse(&format!("{}/authorize", honest.issuer())).unwrap();
            to.set_query(asked.query());
            let back = honest.authorize(to.as_str());
            back.strip_prefix(server.address()).unwrap().to_owned()
        };
        let mut codes = Vec::new();
        let mut judge = |browser: &Browser, page: &Reply, path: &str, what: (u16, &str)| {
            kept_out(server, browser, page, what);
            codes.push(parameter(path, "code"));
        };
        // 1: it passes the browser on, and the honest one answers where it was told to: acme's address.
        let mut browser = Browser::new(server);
        let path = passed_on(&mut browser).replace("/callback/globex", "/callback/acme");
        let page = browser.get(&path);
        judge(&browser, &page, &path, (400, "other_connection"));
        // 2: the same in a browser that has begun at acme too.
        let mut browser = Browser::new(server);
        browser.get("/sso/start/acme");
        let path = passed_on(&mut browser).replace("/callback/globex", "/callback/acme");
        let page = browser.get(&path);
        judge(&browser, &page, &path, (400, "other_connection"));
        // 3: the honest one tells its name, and answers anywhere.
        honest.adds("iss", &honest.issuer());
        let mut browser = Browser::new(server);
        let path = passed_on(&mut browser);
        let page = browser.get(&path);
        judge(&browser, &page, &path, (400, "oidc.callback_issuer"));
        // 4: an answer for acme is brought to the hostile one's address.
        let mut browser = Browser::new(server);
        let path = answered(&mut browser, server, &honest).replace("/callback/acme", "/callback/globex");
        let page = browser.get(&path);
        judge(&browser, &page, &path, (400, "other_connection"));
        // 5: a code of the honest one under a state of the hostile one's at acme: the browser's own state decides.
        honest.behaves();
        let mut browser = Browser::new(server);
        let path = answered(&mut browser, server, &honest);
        let other = parameter(&passed_on(&mut browser), "state");
        let mixed = callback(&path, &[("state", other.as_str()), ("code", &parameter(&path, "code"))]);
        let page = browser.get(&mixed);
        judge(&browser, &page, &mixed, (400, "other_connection"));
        // 6: it names the honest one's pages as its own; these are asked to answer at an address that is not theirs.
        let change = json!({"oidc": {"authorization_endpoint": format!("{}/authorize", honest.issuer()),
            "client_secret": "hunter2"}});
        api.patch("/companies/globex/sso/connection", &change).expect(200);
        let begun = Browser::new(server).get("/sso/start/globex");
        let asked = Url::parse(begun.header("location").unwrap()).unwrap();
        let (_, to) = asked.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap();
        assert!(to.ends_with("/sso/callback/globex"), "{to} is not registered at the honest provider");
        for code in &codes {
            assert!(!evil.was_told(code), "{code}");
        }
        assert_eq!((codes.len(), evil.heard("/token")), (5, 0));
    }

    /// The state of an attempt at acme with the code of another provider: it fits no verifier, and no client.
    fn f51_a_code_of_another_provider_opens_nothing(server: &TestServer) {
        let (api, idp, other) = (server.operator(), Idp::start(), Idp::start());
        connect(&api, &idp, "acme");
        server.company("globex");
        connect(&api, &other, "globex");
        let mut browser = Browser::new(server);
        let path = answered(&mut browser, server, &idp);
        let begun = browser.get("/sso/start/globex");
        let theirs = parameter(&other.authorize(begun.header("location").unwrap()), "code");
        let mixed = callback(&path, &[("state", parameter(&path, "state").as_str()), ("code", &theirs)]);
        let page = browser.get(&mixed);
        kept_out(server, &browser, &page, (400, "oidc.code_refused"));
        let page = browser.get(&path);
        kept_out(server, &browser, &page, (400, "state_used"));
        assert!(!other.was_told(&theirs));
    }

    fn f61_an_address_of_another_companys_domain(server: &TestServer) {
        let (api, idp, theirs) = (server.operator(), Idp::start(), Idp::start());
        connect(&api, &idp, "acme");
        server.company("globex");
        connect(&api, &theirs, "globex");
        server.acme().user("ada@globex.example");
        let before = users(&api);
        api.patch(&format!("{ACME}/connection"), &json!({"jit_provisioning": true})).expect(200);
        for (claims, code) in [
            (json!({"email": "ada@globex.example"}), "email_outside_domains"),
            (json!({"email": "ada@globex.example", "email_verified": true}), "email_outside_domains"),
            (json!({"email": "ada@acme.example", "email_verified": "false"}), "email_not_verified"),
            (json!({"email_verified": false}), "email_not_verified"),
        ] {
            idp.person(&claims);
            let mut browser = Browser::new(server);
            let page = browser.sign_in("/sso/start/acme", &idp);
            kept_out(server, &browser, &page, (403, code));
            refused(&api, &browser, server, (&page, code));
        }
        assert_eq!((users(&api), active(&api)), (before, 0), "no row and no link");
    }

    fn f62_who_is_out_stays_out(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        let acme = server.acme();
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        let person = |name: &str| {
            idp.person(&json!({"sub": name, "email": format!("{name}@acme.example")}));
            let mut browser = Browser::new(server);
            let page = browser.sign_in("/sso/start/acme", &idp);
            (browser, page)
        };
        // Who has signed in before, and who never has; deactivated by the directory, by an admin, and deleted.
        for jit in [false, true] {
            api.patch(&format!("{ACME}/connection"), &json!({"jit_provisioning": jit})).expect(200);
            for known in [true, false] {
                for (how, code) in [("scim", "user_deactivated"), ("admin", "user_deactivated"), ("gone", "user_deleted")] {
                    let name = format!("{how}-{known}-{jit}");
                    let id = acme.user(&format!("{name}@acme.example"));
                    if known {
                        assert_eq!(person(&name).1.status, 303);
                    }
                    match how {
                        "scim" => drop(acme.patch(&format!("/Users/{id}"), &off).expect(200)),
                        "admin" => {
                            let body = json!({"deactivated": true});
                            api.patch(&format!("/companies/acme/users/{id}"), &body).expect(200);
                        }
                        _ => drop(acme.delete(&format!("/Users/{id}")).expect(204)),
                    }
                    let (before, sessions) = (users(&api), api.get("/companies/acme/sessions").expect(200).json);
                    let (browser, page) = person(&name);
                    assert!(browser.session(server).is_none(), "{page}");
                    assert_eq!(page.status, 403, "{name}: {page}");
                    let said = last_attempt(&api)["code"].clone();
                    // Nobody is made by a login here, so that there is nothing to be made anew.
                    let code = if code == "user_deleted" && !known && !jit { "user_not_provisioned" } else { code };
                    assert_eq!(said, code, "{name}");
                    assert_eq!(users(&api), before, "{name}");
                    assert_eq!(api.get("/companies/acme/sessions").expect(200).json, sessions);
                }
            }
        }
    }

    /// Threat O1: who somebody is, is who the provider says under its own name for them; an address is a first hint,
    /// in a verified domain, and nothing else.
    fn o1_an_address_is_no_identity(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        let acme = server.acme();
        let ada = acme.user("ada@acme.example");
        acme.user("bo@acme.example");
        let enter = |claims: Value| -> Result<Value, String> {
            idp.behaves();
            idp.person(&json!({"email_verified": null}));
            idp.person(&claims);
            let mut browser = Browser::new(server);
            let page = browser.sign_in("/sso/start/acme", &idp);
            match browser.session(server) {
                Some(session) => Ok(session.get("/me").expect(200)["id"].clone()),
                None => {
                    assert_eq!(page.status, 403, "{page}");
                    Err(last_attempt(&api)["code"].as_str().unwrap().to_owned())
                }
            }
        };
        let outside = Err("email_outside_domains".to_owned());
        let unverified = Err("email_not_verified".to_owned());
        let nobody = Err("user_not_provisioned".to_owned());
        // Nobody is linked yet: what an address may not do.
        assert_eq!(enter(json!({"email": "ada@globex.example"})), outside, "a foreign domain");
        assert_eq!(enter(json!({"email": "ada@аcme.example"})), outside, "a letter that looks alike in the domain");
        assert_eq!(enter(json!({"email": "ada@acme.example.evil.example"})), outside, "a longer domain");
        assert_eq!(enter(json!({"email": "аda@acme.example"})), nobody, "a letter that looks alike in the name");
        assert_eq!(enter(json!({"email": "ada+x@acme.example"})), nobody, "an address with a plus is another one");
        for flag in [json!(false), json!("false"), json!(0), json!("no"), json!([true])] {
            let name = flag.to_string();
            assert_eq!(enter(json!({"email": "ada@acme.example", "email_verified": flag})), unverified, "{name}");
        }
        assert_eq!(active(&api), 0);
        // Two people with one address: nobody guesses.
        for name in ["eve1", "eve2"] {
            let mut body = company::user(name);
            body["emails"] = json!([{"value": "eve@acme.example", "primary": true}]);
            acme.post("/Users", &body).expect(201);
        }
        assert_eq!(enter(json!({"sub": "eve", "email": "eve@acme.example"})), Err("email_ambiguous".to_owned()));
        assert_eq!(active(&api), 0);
        // What it may do: find the one user, in any case, where the flag is absent or true in any spelling.
        for flag in [Value::Null, json!(true), json!("true"), json!(1)] {
            let claims = json!({"sub": "ada-at-idp", "email": "ADA@Acme.example", "email_verified": flag});
            assert_eq!(enter(claims), Ok(json!(ada)));
        }
        // She is linked now. Another subject with her address is another person, and her own subject stays she.
        let conflict = Err("identity_conflict".to_owned());
        assert_eq!(enter(json!({"sub": "mallory", "email": "ada@acme.example"})), conflict);
        assert_eq!(enter(json!({"sub": "ada-at-idp", "email": "bo@acme.example"})), Ok(json!(ada)), "a changed address");
        assert_eq!(active(&api), 1);
        // Another issuer's subject of the same name is not hers.
        let other = Idp::start();
        server.company("globex");
        connect(&api, &other, "globex");
        let page = Browser::new(server).sign_in("/sso/start/globex", &other);
        assert!(page.text().contains("email_outside_domains"), "{page}");
    }

    /// However many first sign-ins of one person come at once, they are one person's: known before, or made by them.
    fn o7_first_sign_ins_at_once_are_one_persons(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        api.patch(&format!("{ACME}/connection"), &json!({"jit_provisioning": true})).expect(200);
        for round in 0..8 {
            let email = format!("p{round}@acme.example");
            if round % 2 == 0 {
                server.acme().user(&email);
            }
            idp.person(&json!({"sub": format!("subject {round}"), "email": email}));
            let many = 6;
            let backs: Vec<(Browser, String)> = (0..many).map(|_| {
                let mut browser = Browser::new(server);
                let path = answered(&mut browser, server, &idp);
                (browser, path)
            }).collect();
            let start = std::sync::Barrier::new(many);
            std::thread::scope(|scope| {
                for (mut browser, path) in backs {
                    let start = &start;
                    scope.spawn(move || {
                        start.wait();
                        let done = browser.get(&path);
                        assert_eq!(done.status, 303, "round {round}: {done}");
                    });
                }
            });
            assert_eq!(users(&api).len(), round + 1);
        }
    }

    /// Threat O8: a login begins a session of its own, and each step asks for what the step before it left.
    fn o8_no_session_is_forced_on_a_browser(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        server.acme().user("ada@acme.example");
        server.acme().user("mallory@acme.example");
        // A session, or what looks like one, that was put into the browser before is not the one after.
        let mut first = Browser::new(server);
        first.sign_in("/sso/start/acme", &idp);
        let planted = first.session(server).unwrap();
        for value in [planted.key(), "planted", ""] {
            let mut browser = Browser::new(server);
            browser.plant("stgd_session", value);
            browser.sign_in("/sso/start/acme", &idp);
            let session = browser.session(server).unwrap();
            assert_ne!(session.key(), value);
            session.get("/session").expect(200);
        }
        // A browser's secret that nobody made is not taken over.
        let mut browser = Browser::new(server);
        browser.plant("stgd_login", "planted");
        browser.get("/sso/start/acme");
        assert_ne!(browser.cookie("stgd_login").unwrap(), "planted");
        // Somebody else's answer, brought by a link: in a browser that has begun nothing, and in one that has.
        idp.person(&json!({"sub": "mallory", "email": "mallory@acme.example"}));
        let mut attacker = Browser::new(server);
        for begun in [false, true] {
            let mut victim = Browser::new(server);
            if begun {
                victim.get("/sso/start/acme");
            }
            let path = answered(&mut attacker, server, &idp);
            let page = victim.get(&path);
            kept_out(server, &victim, &page, (400, "other_browser"));
        }
        // Steps without the step before them.
        let sessions = || api.get("/companies/acme/sessions").expect(200).data().len();
        let before = sessions();
        for (method, path) in [("POST", "/login"), ("GET", "/sso/continue/x"), ("GET", "/oauth/continue?request=x"),
            ("GET", "/sso/callback/acme"), ("POST", "/sso/callback/acme"), ("POST", "/sso/start/acme"),
            ("GET", "/login/social/x/callback"), ("POST", "/sso/saml/acme/acs"), ("GET", "/oauth/continue")] {
            let mut browser = Browser::new(server);
            let page = if method == "GET" { browser.get(path) } else { browser.post(path, "") };
            assert!((400..500).contains(&page.status), "{method} {path}: {page}");
            assert!(browser.session(server).is_none(), "{method} {path}");
        }
        // A wrong method uses nothing up, and a link alone signs nobody out.
        let mut browser = Browser::new(server);
        let path = answered(&mut browser, server, &idp);
        browser.post(&path, "");
        assert_eq!(browser.get(&path).status, 303);
        browser.get("/logout");
        browser.session(server).unwrap().get("/session").expect(200);
        assert_eq!(sessions(), before + 1);
    }

    /// Threat O10: wherever a link wants to lead, a sign-in ends at a path of this site.
    fn o10_no_sign_in_leads_elsewhere(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        api.patch(&format!("{ACME}/connection"), &json!({"login_path": "acmelogin"})).expect(200);
        server.acme().user("ada@acme.example");
        let long = format!("/{}", "a".repeat(3_000));
        let targets = [
            "//evil.example", "///evil.example", "////evil.example", "/\\evil.example", "\\\\evil.example",
            "\\/evil.example", "\\evil.example", "https://evil.example", "HTTPS://evil.example", "https:evil.example",
            "https:/evil.example", "http:evil.example", "http:///evil.example", "javascript:alert(1)",
            "JaVaScRiPt:alert(1)", " javascript:alert(1)", "data:text/html,x", "blob:x", "vbscript:x", "file:///etc/passwd",
            "ftp://evil.example", "mailto:a@evil.example", "evil.example", "www.evil.example", ".evil.example",
            "@evil.example", " //evil.example", "\t//evil.example", "/\t/evil.example", "/\n/evil.example", "/\r/evil.example",
            "/ /evil.example", "/\u{a0}/evil.example", "/\u{1}/evil.example", "/a\r\nSet-Cookie: a=b", "?x=//evil.example",
            "#//evil.example", "3232235777", "http://127.1", "*.example", long.as_str(),
        ];
        assert!(targets.len() >= 40);
        for target in targets {
            for start in ["/sso/start/acme", "/login/acmelogin"] {
                let mut browser = Browser::new(server);
                let done = browser.sign_in(&with(start, &[("to", target)]), &idp);
                assert_eq!((done.status, done.header("location")), (303, Some("/login")), "{target:?}: {done}");
            }
        }
        for target in ["/docs", "/a/b?c=d#e"] {
            let done = Browser::new(server).sign_in(&with("/sso/start/acme", &[("to", target)]), &idp);
            assert_eq!(done.header("location"), Some(target), "{done}");
        }
    }

    /// Threat S16, by OIDC.
    fn s16_what_is_switched_off_meanwhile_by_oidc(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        let body = connection(&idp);
        for (n, switch) in switches::ALL.iter().enumerate() {
            let name = switches::on_again(&api, &body);
            let email = format!("u{n}@acme.example");
            let user = server.acme().user(&email);
            idp.person(&json!({"sub": format!("subject {n}"), "email": email}));
            let mut browser = Browser::new(server);
            let begun = browser.get(&format!("/sso/start/{name}"));
            let back = idp.authorize(begun.header("location").unwrap());
            (switch.off)(server, &api, (&user, &body));
            let page = browser.get(back.strip_prefix(server.address()).unwrap());
            let told = |(status, code): &(u16, &str)| {
                page.status == *status && page.text().contains(&format!("<code>{code}</code>"))
            };
            assert!(switch.told.iter().any(told), "{}: {page}", switch.name);
            assert!(browser.session(server).is_none(), "{}", switch.name);
        }
    }
}
