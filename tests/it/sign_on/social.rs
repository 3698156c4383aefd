//! Social connections of the operator, through a provider that is not a company's.

use serde_json::{Value, json};

use super::{ACME, Browser, Idp, connect, last_attempt};
use crate::api::Api;
use crate::server::{TestServer, on_both_databases};

/// Makes the social connection `google` at a provider.
fn google(api: &Api) -> Idp {
    let idp = Idp::start();
    let body = json!({
        "name": "google", "label": "Google", "kind": "oidc", "issuer": idp.issuer(), "client_id": "g",
        "client_secret": "hunter2",
    });
    let made = api.post("/social-connections", &body).expect(201);
    assert!(!made.json.to_string().contains("hunter2"));
    assert!(made["redirect_uri"].as_str().unwrap().ends_with("/login/social/google/callback"));
    idp.person(&json!({"email_verified": true}));
    idp
}

/// Signs in at it; the session, or the text of the page.
fn enter(server: &TestServer, idp: &Idp) -> Result<Api, String> {
    let mut browser = Browser::new(server);
    let done = browser.sign_in("/login/social/google", idp);
    browser.session(server).ok_or_else(|| done.text())
}

on_both_databases! {
    with crate::sign_on::LOOPBACK;

    fn r033_r034_r035_a_company_closes_this_way_for_its_domain(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        server.acme().user("ada@acme.example");
        let google = google(&api);
        enter(server, &google).unwrap().get("/session").expect(200);
        let sessions = || api.get("/companies/acme/sessions").expect(200).data().len();
        assert_eq!(sessions(), 1);
        let block = |on: bool| {
            let body = json!({"block_social_login": on});
            api.patch(&format!("{ACME}/domains/acme.example"), &body).expect(200);
        };
        block(true);
        let page = enter(server, &google).unwrap_err();
        assert!(page.contains("social_login_blocked") && page.contains("/sso/start/acme"), "{page}");
        assert_eq!((sessions(), &last_attempt(&api)["code"]), (1, &json!("social_login_blocked")));
        block(false);
        enter(server, &google).unwrap();
        block(true);
        api.delete(&format!("{ACME}/connection")).expect(204);
        enter(server, &google).unwrap();
    }

    fn r069_a_social_sign_in_makes_nobody(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let google = google(&api);
        assert!(enter(server, &google).unwrap_err().contains("user_not_provisioned"));
        google.person(&json!({"email": "eve@mail.example"}));
        assert!(enter(server, &google).unwrap_err().contains("user_not_provisioned"));
        // Whom a company has invited comes in by an address of any domain, as long as it is verified.
        api.post(&format!("/organizations/{dev}/invitations"), &json!({"email": "eve@mail.example"})).expect(201);
        let session = enter(server, &google).unwrap();
        assert_eq!(session.get("/session").expect(200)["organization"]["slug"], "dev");
        for claim in [json!(false), Value::Null] {
            google.person(&json!({"email_verified": claim}));
            assert!(enter(server, &google).unwrap_err().contains("email_not_verified"));
        }
        // Automatic access is not for whom the directory knows either.
        let ada = server.acme().user("ada@acme.example");
        google.person(&json!({"email": "ada@acme.example", "email_verified": true}));
        let session = enter(server, &google).unwrap();
        assert_eq!(session.get("/session").expect(200)["notice"], "no_organization_access");
        api.get(&format!("/organizations/{dev}/members/{ada}")).problem(404, "not_found");
    }

    fn social_connections_are_the_operators(server: &TestServer) {
        let api = server.operator();
        let idp = google(&api);
        let path = "/social-connections/google";
        api.patch(path, &json!({"label": "G", "enabled": false})).expect(200);
        let mut browser = Browser::new(server);
        assert!(browser.get("/login/social/google").text().contains("social_connection_not_found"));
        assert!(!browser.get("/login").text().contains("/login/social/google"));
        api.patch(path, &json!({"enabled": true})).expect(200);
        assert!(browser.get("/login").text().contains("Continue with G"));
        // Security O9: another provider does not get the secret of this one.
        let other = Idp::start();
        let error = api.patch(path, &json!({"issuer": other.issuer()})).problem(422, "invalid_field");
        assert!(error["detail"].as_str().unwrap().contains("client_secret"));
        api.patch(path, &json!({"issuer": other.issuer(), "client_secret": "new"})).expect(200);
        let again = json!({"name": "google", "kind": "oidc", "issuer": idp.issuer(), "client_id": "g", "client_secret": "x"});
        api.post("/social-connections", &again).problem(409, "slug_taken");
        api.post("/social-connections", &json!({"name": "x", "kind": "saml", "client_id": "g", "client_secret": "x"}))
            .problem(422, "invalid_field");
        let key = server.api(&["--name", "c", "--company", "acme"]);
        key.get("/social-connections").problem(403, "operator_required");
        assert_eq!(api.get("/social-connections").expect(200).data().len(), 1);
        api.delete(path).expect(204);
        api.get(path).problem(404, "not_found");
        assert!(browser.get("/login/social/google/callback?state=a").text().contains("social_connection_not_found"));
    }

    /// GitHub knows no ID token: its API is asked, and the primary address counts where it is verified.
    fn github_is_asked_who_signed_in(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        super::connect(&api, &idp, "acme");
        let ada = server.acme().user("ada@acme.example");
        let hub = Idp::start();
        let body = json!({"name": "github", "kind": "github", "issuer": hub.issuer(), "client_id": "h", "client_secret": "x"});
        api.post("/social-connections", &body).expect(201);
        let say = |path: &str, value: Value| {
            let body = value.to_string();
            let page = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            hub.put_raw(path, page.as_bytes());
        };
        say("/login/oauth/access_token", json!({"access_token": "t", "token_type": "bearer"}));
        say("/api/v3/user", json!({"id": 7, "login": "ada", "name": "Ada"}));
        let enter = |verified: bool| {
            say("/api/v3/user/emails", json!([{"email": "x@y.example", "primary": false, "verified": true},
                {"email": "ada@acme.example", "primary": true, "verified": verified}]));
            let mut browser = Browser::new(server);
            let done = browser.sign_in("/login/social/github", &hub);
            browser.session(server).ok_or_else(|| done.text())
        };
        assert!(enter(false).unwrap_err().contains("email_not_verified"));
        assert_eq!(enter(true).unwrap().get("/me").expect(200)["id"], ada);
        say("/login/oauth/access_token", json!({"error": "bad_verification_code"}));
        assert!(enter(true).unwrap_err().contains("oidc.code_refused"));
    }
}
