//! Sign-ins by the numbers of the requirements, through a provider.

use serde_json::{Value, json};

use super::{ACME, Browser, Idp, acme, connection, last_attempt, verify};
use crate::api::Api;
use crate::client::Call;
use crate::server::{TestServer, anonymous, on_both_databases};

/// Signs whoever is at the provider in, and gives the session.
#[track_caller]
fn enter(server: &TestServer, idp: &Idp) -> Api {
    let mut browser = Browser::new(server);
    let done = browser.sign_in("/sso/start/acme", idp);
    assert_eq!(done.status, 303, "{done}");
    browser.session(server).unwrap()
}

/// The code that the log has of a sign-in that is refused.
#[track_caller]
fn refused(server: &TestServer, api: &Api, idp: &Idp) -> Value {
    let mut browser = Browser::new(server);
    let page = browser.sign_in("/sso/start/acme", idp);
    assert!(browser.session(server).is_none() && page.status >= 400, "{page}");
    last_attempt(api)["code"].clone()
}

/// The names of the teams in an organization.
fn teams(api: &Api, organization: &str) -> Vec<String> {
    let all = api.get(&format!("/organizations/{organization}/teams")).expect(200);
    let names = all.data().iter().map(|team| team["name"].as_str().unwrap().to_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// What discovery answers to an address.
fn discover(server: &TestServer, email: &str) -> Value {
    let call = Call {
        method: "POST".to_owned(),
        url: format!("{}/api/v1/login/discover", server.address()),
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: Some(json!({"email": email}).to_string().into_bytes()),
    };
    let reply = anonymous().send(&call).unwrap();
    assert_eq!(reply.status, 200, "{reply}");
    serde_json::from_slice(&reply.body).unwrap()
}

on_both_databases! {
    with crate::sign_on::LOOPBACK;

    fn r098_r099_r100_a_staged_user_becomes_active_at_the_first_login(server: &TestServer) {
        let (api, idp) = acme(server);
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let prod = api.organization("acme", "prod", &json!({}));
        let ada = server.acme().user("ada@acme.example");
        let user = format!("/companies/acme/users/{ada}");
        assert_eq!(api.get(&user).expect(200)["status"], "STAGED");
        assert!(api.get(&format!("/organizations/{dev}/members")).expect(200).data().is_empty());
        let session = enter(server, &idp);
        let read = api.get(&user).expect(200);
        assert_eq!(read["status"], "ACTIVE");
        assert!(read["activated_at"].is_string());
        let members = api.get(&format!("/organizations/{dev}/members")).expect(200);
        assert_eq!((&members.data()[0]["user_id"], &members.data()[0]["role"]), (&json!(ada), &json!("member")));
        // Row 101: an organization without automatic access wants an invitation.
        assert!(api.get(&format!("/organizations/{prod}/members")).expect(200).data().is_empty());
        session.post("/session/switch", &json!({"organization": "prod"})).problem(403, "organization_access_denied");
        // Deactivation by the directory ends the session within the next call.
        server.acme().patch(&format!("/Users/{ada}"), &json!([{"op": "replace", "path": "active", "value": false}])).expect(200);
        assert_eq!(session.get("/session").status, 401);
        assert_eq!(refused(server, &api, &idp), "user_deactivated");
    }

    fn r112_r075_groups_become_teams_where_the_login_leads(server: &TestServer) {
        let (api, idp) = acme(server);
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let prod = api.organization("acme", "prod", &json!({"automatic_user_access": true}));
        let jit = json!({"jit_provisioning": true});
        api.patch(&format!("{ACME}/connection"), &jit).expect(200);
        idp.person(&json!({"groups": ["a", "b"]}));
        let session = enter(server, &idp);
        assert_eq!((teams(&api, &dev), teams(&api, &prod)), (vec!["a".to_owned(), "b".to_owned()], Vec::new()));
        // Rows 55 and 76: a switch brings them along, and the provider is not asked again.
        session.post("/session/switch", &json!({"organization": "prod"})).expect(200);
        assert_eq!(teams(&api, &prod), ["a", "b"]);
        assert_eq!(idp.heard("/authorize"), 1);
        let me = session.get("/me").expect(200);
        assert_eq!((&me["first_name"], &me["email"]), (&json!("Ada"), &json!("ada@acme.example")));
    }

    fn r127_r184_no_word_of_groups_changes_no_team(server: &TestServer) {
        let (api, idp) = acme(server);
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        api.patch(&format!("{ACME}/connection"), &json!({"jit_provisioning": true})).expect(200);
        let mine = |session: &Api| session.get("/session").expect(200)["teams"].as_array().unwrap().len();
        assert_eq!(mine(&enter(server, &idp)), 1);
        idp.person(&json!({"groups": null}));
        assert_eq!(mine(&enter(server, &idp)), 1, "the claim is absent");
        idp.person(&json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://x"}}}));
        assert_eq!(mine(&enter(server, &idp)), 1, "there are too many");
        let events = api.get("/companies/acme/audit-events").expect(200);
        assert!(events.data().iter().any(|event| event["action"] == "groups_overage"));
        idp.person(&json!({"groups": []}));
        assert_eq!(mine(&enter(server, &idp)), 0, "the list is empty");
        assert_eq!(teams(&api, &dev).len(), 1);
    }

    /// D4: an admin sees that nobody's groups arrive, and when somebody last came in.
    fn a_connection_tells_of_its_last_sign_in(server: &TestServer) {
        let (api, idp) = acme(server);
        server.acme().user("ada@acme.example");
        let path = format!("{ACME}/connection");
        let before = api.get(&path).expect(200);
        assert_eq!((&before["last_login_at"], &before["warnings"]), (&Value::Null, &json!(["http_issuer"])));
        idp.person(&json!({"groups": null}));
        enter(server, &idp);
        let after = api.get(&path).expect(200);
        assert!(after["last_login_at"].is_string(), "{}", after.reply);
        assert_eq!(after["warnings"], json!(["no_groups_claim", "http_issuer"]));
        assert_eq!(after.header("etag"), before.header("etag"), "nothing was changed");
        server.sql("UPDATE connection_logins SET at = at - 61000000");
        idp.person(&json!({"groups": []}));
        enter(server, &idp);
        assert_eq!(api.get(&path).expect(200)["warnings"], json!(["http_issuer"]));
    }

    fn r114_a_public_client_proves_itself_by_pkce(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        let body = json!({"provider": "okta", "protocol": "oidc", "oidc": {"issuer": idp.issuer(), "client_id": "spa"}});
        api.post(&format!("{ACME}/connection"), &body).expect(201);
        api.post(&format!("{ACME}/connection/activate"), &json!({"skip_test": true})).expect(200);
        verify(&api, "acme", "acme.example");
        server.acme().user("ada@acme.example");
        enter(server, &idp).get("/session").expect(200);
    }

    fn r174_other_claims_are_read_where_the_admin_says_so(server: &TestServer) {
        let (api, idp) = acme(server);
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let mapping = json!({"attribute_mapping": {"email": "upn", "groups": "custom_groups"}, "jit_provisioning": true});
        api.patch(&format!("{ACME}/connection"), &mapping).expect(200);
        idp.person(&json!({"email": "wrong@x.example", "upn": "eve@acme.example", "custom_groups": ["ops"], "sub": "eve"}));
        let session = enter(server, &idp);
        assert_eq!(session.get("/me").expect(200)["email"], "eve@acme.example");
        assert_eq!(session.get("/session").expect(200)["teams"][0]["name"], "ops");
    }

    /// Security O1, (f) 61.
    fn f61_an_address_is_believed_in_verified_domains_alone(server: &TestServer) {
        let (api, idp) = acme(server);
        server.acme().user("ada@acme.example");
        for (claims, code) in [
            (json!({"email": "ada@globex.example"}), "email_outside_domains"),
            (json!({"email": "ada@sub.acme.example"}), "email_outside_domains"),
            (json!({"email": "ada@acme.example.evil.example"}), "email_outside_domains"),
            (json!({"email": "ada@acmе.example"}), "email_outside_domains"),
            (json!({"email": null}), "email_missing"),
            (json!({"email": "ada"}), "email_missing"),
            (json!({"email": "ada@acme.example", "email_verified": "false"}), "email_not_verified"),
            (json!({"email_verified": false}), "email_not_verified"),
            (json!({"email_verified": 0}), "email_not_verified"),
        ] {
            idp.person(&claims);
            assert_eq!(refused(server, &api, &idp), code, "{claims}");
        }
        assert_eq!(api.get("/companies/acme/users").expect(200)["data"][0]["status"], "STAGED");
        idp.person(&json!({"email_verified": null, "email": "ADA@Acme.Example"}));
        enter(server, &idp);
        api.patch(&format!("{ACME}/connection"), &json!({"trust_email_verified": "claim"})).expect(200);
        assert_eq!(refused(server, &api, &idp), "email_not_verified");
        idp.person(&json!({"email_verified": true}));
        enter(server, &idp);
    }

    /// Security S16: whatever is switched off while somebody is at the provider keeps them out.
    fn what_is_switched_off_meanwhile_lets_nobody_in(server: &TestServer) {
        let (api, idp) = acme(server);
        let ada = server.acme().user("ada@acme.example");
        let begin = || {
            let mut browser = Browser::new(server);
            let url = browser.get("/sso/start/acme").header("location").unwrap().to_owned();
            let back = idp.authorize(&url).strip_prefix(server.address()).unwrap().to_owned();
            (browser, back)
        };
        let off: [(&dyn Fn(), &str); 3] = [
            (&|| drop(api.patch(&format!("/companies/acme/users/{ada}"), &json!({"deactivated": true})).expect(200)), "user_deactivated"),
            (&|| drop(api.post(&format!("{ACME}/connection/deactivate"), &json!({})).expect(200)), "connection_inactive"),
            (&|| drop(api.delete(&format!("{ACME}/connection")).expect(204)), "connection_not_found"),
        ];
        for (switch, code) in off {
            let (mut browser, back) = begin();
            switch();
            let page = browser.get(&back);
            assert!(page.text().contains(code), "{code}: {page}");
            assert!(browser.session(server).is_none());
            if code == "connection_inactive" {
                let page = browser.get("/sso/start/acme");
                assert_eq!(page.status, 403, "{page}");
                api.post(&format!("{ACME}/connection/activate"), &json!({"skip_test": true})).expect(200);
            }
        }
        assert_eq!(Browser::new(server).get("/sso/start/acme").status, 404);
    }

    fn r153_r046_an_address_leads_to_its_companys_provider(server: &TestServer) {
        let (api, idp) = acme(server);
        let found = discover(server, "Ada@ACME.example");
        assert_eq!((&found["methods"], &found["sso"]["connection"]), (&json!(["sso"]), &json!("acme")));
        assert_eq!(discover(server, "nobody@acme.example")["sso"]["enforced"], found["sso"]["enforced"]);
        assert_eq!(discover(server, "ada@sub.acme.example")["sso"], Value::Null);
        api.patch(&format!("{ACME}/domains/acme.example"), &json!({"include_subdomains": true})).expect(200);
        assert_eq!(discover(server, "ada@sub.acme.example")["sso"]["connection"], "acme");
        assert_eq!(discover(server, "ada@elsewhere.example"), json!({"methods": [], "sso": null}));
        // The page does the same without script.
        let mut browser = Browser::new(server);
        assert!(browser.get("/login").text().contains("name=\"email\""));
        let page = browser.post("/login", "email=ada%40acme.example&request=r1");
        assert!(page.text().contains("/sso/start/acme?request=r1&#38;login_hint=ada%40acme.example"), "{page}");
        assert!(browser.post("/login", "email=x%40elsewhere.example").text().contains("no sign-in for this address"));
        assert_eq!(browser.post("/login", "email=nothing").status, 400);
        assert_eq!(browser.post("/login", "nonsense").status, 400);
        api.delete(&format!("{ACME}/connection")).expect(204);
        assert_eq!(discover(server, "ada@acme.example"), json!({"methods": [], "sso": null}));
        let page = browser.get("/sso/start/acme");
        assert_eq!(page.status, 404);
        assert!(page.text().contains("connection_not_found"));
        drop(idp);
    }

    fn r183_the_login_path_leads_to_the_provider(server: &TestServer) {
        let (api, idp) = acme(server);
        api.patch(&format!("{ACME}/connection"), &json!({"login_path": "acmelogin"})).expect(200);
        server.acme().user("ada@acme.example");
        let mut browser = Browser::new(server);
        let done = browser.sign_in("/login/AcmeLOGIN?to=/docs", &idp);
        assert_eq!(done.header("location"), Some("/docs"), "{done}");
        assert!(browser.get("/login").text().contains("You are signed in"));
        let done = Browser::new(server).sign_in("/login/acmelogin?to=//evil.example", &idp);
        assert_eq!(done.header("location"), Some("/login"), "{done}");
        assert_eq!(Browser::new(server).get("/login/unknown").status, 404);
    }

    fn r058_a_legacy_connection_leads_into_its_organization(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let prod = api.organization("acme", "prod", &json!({"automatic_user_access": true}));
        let made = api.post(&format!("/organizations/{dev}/sso/legacy-connection"), &connection(&idp)).expect(201);
        assert_eq!(made["type"], "legacy");
        let name = made["name"].as_str().unwrap();
        let path = format!("/organizations/{dev}/sso/legacy-connection/activate");
        api.post(&path, &json!({"skip_test": true})).expect(200);
        verify(&api, "acme", "acme.example");
        server.acme().user("ada@acme.example");
        let mut browser = Browser::new(server);
        browser.sign_in(&format!("/sso/start/{name}"), &idp);
        let session = browser.session(server).unwrap();
        assert_eq!(session.get("/session").expect(200)["organization"]["slug"], "dev");
        let page = Browser::new(server).sign_in(&format!("/sso/start/{name}?organization=prod"), &idp);
        assert!(page.text().contains("organization_access_denied"), "{page}");
        // Whom one organization's provider vouches for is nobody in another, which lets the company's people in.
        session.post("/session/switch", &json!({"organization": "prod"})).problem(403, "organization_access_denied");
        let ada = session.get("/me").expect(200).id();
        let mine = session.get("/me/organizations").expect(200);
        assert_eq!((mine.data().len(), &mine.data()[0]["slug"]), (1, &json!("dev")));
        let access = api.get(&format!("/companies/acme/users/{ada}/access")).expect(200);
        let verdicts: Vec<&Value> = access.data().iter().map(|one| &one["access"]).collect();
        assert_eq!(verdicts, ["allowed", "denied"]);
        let members = |id: &str| api.get(&format!("/organizations/{id}/members")).expect(200).data().len();
        assert_eq!((members(&dev), members(&prod)), (1, 0));
        server.acme().group("pushed", &[&ada]);
        assert_eq!((teams(&api, &dev), teams(&api, &prod)), (vec!["platform".to_owned(), "pushed".to_owned()], Vec::new()));
        // It is by the company's own.
        api.post(&format!("{ACME}/connection"), &connection(&idp)).expect(201);
        api.post(&format!("{ACME}/connection/activate"), &json!({"skip_test": true})).expect(200);
        let session = enter(server, &idp);
        session.post("/session/switch", &json!({"organization": "prod"})).expect(200);
        assert_eq!((members(&dev), members(&prod)), (1, 1));
    }

    fn r198_nothing_knows_of_passwords(server: &TestServer) {
        let (_, idp) = acme(server);
        assert_eq!(discover(server, "ada@acme.example")["methods"], json!(["sso"]));
        assert!(!Browser::new(server).get("/login").text().contains("type=\"password\""));
        drop(idp);
    }
}
