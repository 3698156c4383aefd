//! The record of a connection: who makes and sees it, its name and its login path, and of two changes at once.

use std::sync::Barrier;

use serde_json::json;

use super::{CONNECTION, active, oidc, provider, with};
use crate::server::on_both_databases;

on_both_databases! {
    with crate::connections::LOOPBACK;

    /// Row 50.
    fn r050_an_operator_makes_a_connection_without_the_wizard(server: &TestServer) {
        let web = provider(&json!({}));
        let company = server.api(&["--name", "c", "--company", "acme"]);
        company.post(CONNECTION, &oidc(&web)).problem(403, "operator_required");
        let made = server.operator().post(CONNECTION, &oidc(&web)).expect(201);
        let oidc = &made["oidc"];
        assert_eq!((&made["state"], &made["type"]), (&json!("draft"), &json!("company")));
        assert_eq!(oidc["authorization_endpoint"], web.url("/authorize"));
        assert_eq!(oidc["token_endpoint"], web.url("/token"));
        assert_eq!(oidc["jwks_uri"], web.url("/keys"));
        assert_eq!(oidc["userinfo_endpoint"], web.url("/me"));
        assert_eq!(oidc["id_token_algorithms"], json!(["RS256", "ES256"]));
        assert_eq!(oidc["token_endpoint_auth_method"], "client_secret_basic");
        assert_eq!((&oidc["client_secret_set"], &oidc["pkce"]), (&json!(true), &json!(true)));
        assert_eq!(made["warnings"], json!(["http_issuer"]));
        assert_eq!(company.get(CONNECTION).expect(200).json, made.json);
    }

    /// Rows 54, 116 and 125: one registration at the identity provider, whichever organization asks.
    fn r054_one_registration_for_all_organizations(server: &TestServer) {
        let api = server.operator();
        let base = server.address();
        for slug in ["dev", "prod"] {
            api.organization("acme", slug, &json!({}));
        }
        let made = api.post(CONNECTION, &json!({"provider": "okta", "protocol": "oidc"})).expect(201);
        assert_eq!(made["oidc"]["redirect_uri"], format!("{base}/sso/callback/acme"));
        for slug in ["dev", "prod"] {
            let seen = api.get(&format!("/companies/acme/organizations/{slug}/sso")).expect(200);
            assert_eq!(seen["connection"], made.json, "{slug}");
        }
        let renamed = api.patch("/companies/acme", &json!({"name": "Other"})).expect(200);
        assert_eq!(renamed["name"], "Other");
        assert_eq!(api.get(CONNECTION).expect(200)["name"], "acme");
        api.patch(CONNECTION, &json!({"name": "other"})).problem(422, "invalid_body");
    }

    /// Row 125: a name that is taken gets a number, and nobody's name is another company's.
    fn r125_the_name_is_given(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({}));
        let bare = json!({"provider": "okta", "protocol": "oidc"});
        let legacy = "/companies/acme/organizations/dev/sso/legacy-connection";
        assert_eq!(api.post(legacy, &bare).expect(201)["name"], "acme-dev");
        let _other = server.company("acme-dev");
        let path = "/companies/acme-dev/sso/connection";
        assert_eq!(api.post(path, &bare).expect(201)["name"], "acme-dev-2");
        assert_eq!(api.post(CONNECTION, &bare).expect(201)["name"], "acme");
    }

    /// Row 58: the whole record of a legacy connection is the operator's.
    fn r058_a_legacy_connection_is_the_operators(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        api.organization("acme", "dev", &json!({}));
        let path = "/companies/acme/organizations/dev/sso/legacy-connection";
        server.api(&["--name", "c", "--company", "acme"]).get(path).problem(403, "operator_required");
        api.get(path).problem(404, "not_found");
        let made = api.post(path, &oidc(&web)).expect(201);
        assert_eq!(made["type"], "legacy");
        api.post(path, &oidc(&web)).problem(409, "connection_exists");
        api.patch(path, &json!({"login_path": "acmedev"})).expect(200);
        api.post(&format!("{path}/activate"), &json!({})).problem(409, "test_required");
        let on = api.post(&format!("{path}/activate"), &json!({"skip_test": true})).expect(200);
        assert_eq!((&on["state"], &on["login_path"]), (&json!("active"), &json!("acmedev")));
        let seen = api.get("/companies/acme/organizations/dev/sso").expect(200);
        assert_eq!(seen["scope"], "organization");
        // The company's own stands beside it.
        api.get(CONNECTION).problem(404, "not_found");
        api.post(CONNECTION, &oidc(&web)).expect(201);
        api.post(&format!("{path}/deactivate"), &json!({})).expect(200);
        api.delete(path).expect(204);
        assert_eq!(api.get("/companies/acme/organizations/dev/sso").expect(200)["scope"], "company");
        api.post(path, &oidc(&web)).expect(201);
        api.delete("/companies/acme/organizations/dev").expect(204);
    }

    /// Row 152.
    fn r152_another_companys_connection_is_not_there(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        active(&api, &web);
        let _other = server.company("globex");
        let globex = server.api(&["--name", "g", "--company", "globex"]);
        globex.get(CONNECTION).problem(404, "company_not_found");
        globex.patch(CONNECTION, &json!({"login_path": "x"})).problem(404, "company_not_found");
        globex.delete(CONNECTION).problem(404, "company_not_found");
        globex.get("/companies/globex/sso/connection").problem(404, "not_found");
        assert_eq!(api.get(CONNECTION).expect(200)["state"], "active");
    }

    /// Row 172.
    fn r172_a_login_path_is_one_companys(server: &TestServer) {
        let api = server.operator();
        let bare = json!({"provider": "okta", "protocol": "oidc"});
        api.post(CONNECTION, &bare).expect(201);
        for bad in ["a/b", "a-b", "ä", "social"] {
            let refused = api.patch(CONNECTION, &json!({"login_path": bad}));
            assert_eq!(refused.problem(422, "invalid_field")["errors"][0]["field"], "login_path");
        }
        let set = api.patch(CONNECTION, &json!({"login_path": "Acme"})).expect(200);
        assert_eq!(set["login_url"], format!("{}/login/Acme", server.address()));
        let _other = server.company("globex");
        let globex = "/companies/globex/sso/connection";
        let taken = with(bare.clone(), &json!({"login_path": "aCME"}));
        api.post(globex, &taken).problem(409, "login_path_taken");
        api.post(globex, &bare).expect(201);
        api.patch(globex, &json!({"login_path": "acme"})).problem(409, "login_path_taken");
        api.patch(CONNECTION, &json!({"login_path": ""})).expect(200);
        api.patch(globex, &json!({"login_path": "acme"})).expect(200);
    }

    /// Row 189.
    fn r189_a_second_connection_is_refused_with_the_reason(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        api.post(CONNECTION, &oidc(&web)).expect(201);
        let refused = api.post(CONNECTION, &oidc(&web)).problem(409, "connection_exists");
        let why = refused["detail"].as_str().unwrap();
        assert!(why.contains("One connection serves all organizations"), "{why}");
    }

    /// Of two changes at once one wins, and the other is told.
    fn one_change_wins_each_version(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        let made = api.post(CONNECTION, &oidc(&web)).expect(201);
        let tag = made.header("etag").unwrap().to_owned();
        let start = Barrier::new(4);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|n| {
                let (api, tag, start) = (api.clone(), &tag, &start);
                scope.spawn(move || {
                    let change = json!({"oidc": {"client_id": format!("c{n}")}});
                    start.wait();
                    api.send("PATCH", CONNECTION, &[("If-Match", tag.as_str())], Some(&change)).status
                })
            }).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 3, "{statuses:?}");
        let same = api.get(CONNECTION).expect(200);
        let kept = json!({"oidc": {"client_id": same["oidc"]["client_id"]}});
        let unchanged = api.patch(CONNECTION, &kept).expect(200);
        assert_eq!(unchanged.header("etag"), same.header("etag"), "nothing changed");
    }
}
