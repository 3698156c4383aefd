//! A connection switched on and off, followed by another, taken away; sessions end with it.

use serde_json::{Value, json};

use super::{CONNECTION, active, oidc, provider, with};
use crate::api::Who;
use crate::server::on_both_databases;

on_both_databases! {
    with crate::connections::LOOPBACK;

    /// Row 45.
    fn r045_a_provider_is_left_by_making_another_connection(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        let first = api.post(CONNECTION, &oidc(&web)).expect(201);
        api.patch(CONNECTION, &json!({"provider": "entra"})).problem(422, "provider_immutable");
        api.patch(CONNECTION, &json!({"protocol": "saml"})).problem(422, "one_protocol_only");
        assert_eq!(api.get(CONNECTION).expect(200).json, first.json);
        api.delete(CONNECTION).expect(204);
        api.get(CONNECTION).problem(404, "not_found");
        let second = api.post(CONNECTION, &json!({"provider": "entra", "protocol": "oidc"})).expect(201);
        // Addresses at the former identity provider still hold the former name.
        assert_eq!((&first["name"], &second["name"]), (&json!("acme"), &json!("acme-2")));
        assert_eq!(second["oidc"]["client_secret_set"], false);
    }

    /// Row 46: sessions end with the connection that they came through.
    fn r046_deleting_ends_what_came_through(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        active(&api, &web);
        let ada = server.acme().user("ada@acme.example");
        let session = server.log_in(&Who { subject: ada, ..Who::new("ada@acme.example") }).unwrap();
        session.get("/me").expect(200);
        api.delete(CONNECTION).expect(204);
        session.get("/me").problem(401, "session_ended");
        let events = api.get("/companies/acme/audit-events?limit=200").expect(200);
        let actions: Vec<&str> =
            events.data().iter().map(|event| event["action"].as_str().unwrap()).collect();
        assert!(actions.contains(&"connection.deleted"), "{actions:?}");
    }

    fn switching_off_ends_sessions_too(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        active(&api, &web);
        let ada = server.acme().user("ada@acme.example");
        let session = server.log_in(&Who { subject: ada, ..Who::new("ada@acme.example") }).unwrap();
        let off = api.post(&format!("{CONNECTION}/deactivate"), &json!({})).expect(200);
        assert_eq!(off["state"], "inactive");
        session.get("/me").problem(401, "session_ended");
        // It was on, and is the same: no other test is needed.
        let on = api.post(&format!("{CONNECTION}/activate"), &json!({})).expect(200);
        assert_eq!(on["state"], "active");
        session.get("/me").problem(401, "session_ended");
    }

    /// Row 157.
    fn r157_sso_is_switched_in_the_settings_too(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        let path = "/companies/acme/sso/auth-settings";
        let switch = |field: &str, on: bool| api.patch(path, &json!({field: on}));
        switch("oidc_auth_enabled", true).problem(412, "idp_not_configured");
        api.post(CONNECTION, &oidc(&web)).expect(201);
        switch("oidc_auth_enabled", true).problem(409, "test_required");
        api.post(&format!("{CONNECTION}/activate"), &json!({"skip_test": true})).expect(200);
        assert_eq!(api.get(path).expect(200)["oidc_auth_enabled"], true);
        assert_eq!(switch("oidc_auth_enabled", false).expect(200)["oidc_auth_enabled"], false);
        assert_eq!(api.get(CONNECTION).expect(200)["state"], "inactive");
        assert_eq!(switch("oidc_auth_enabled", true).expect(200)["oidc_auth_enabled"], true);
        switch("saml_auth_enabled", true).problem(412, "idp_not_configured");
        let both = json!({"oidc_auth_enabled": true, "saml_auth_enabled": true});
        api.patch(path, &both).problem(422, "one_protocol_only");
        assert_eq!(switch("basic_auth_enabled", false).expect(200)["basic_auth_enabled"], false);
    }

    /// Only an operator leaves the test out, and what is missing is named.
    fn a_connection_is_switched_on_when_it_is_whole(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        let company = server.api(&["--name", "c", "--company", "acme"]);
        let (path, skip) = (format!("{CONNECTION}/activate"), json!({"skip_test": true}));
        company.post(&path, &skip).problem(403, "operator_required");
        company.post(&path, &json!({})).problem(404, "not_found");
        api.post(CONNECTION, &json!({"provider": "custom_oidc", "protocol": "oidc"})).expect(201);
        let lacks = api.post(&path, &skip).problem(409, "fields_missing");
        let fields: Vec<&str> =
            lacks["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
        assert!(fields.contains(&"oidc.issuer") && fields.contains(&"oidc.client_id"), "{fields:?}");
        company.patch(CONNECTION, &json!({"oidc": oidc(&web)["oidc"]})).expect(200);
        company.post(&path, &json!({})).problem(409, "test_required");
        assert_eq!(api.get(CONNECTION).expect(200)["activated_at"], Value::Null);
        let on = api.post(&path, &skip).expect(200);
        assert!(on["activated_at"].is_string());
        // Off, and another identity provider: what was tested is not what would be switched on.
        company.post(&format!("{CONNECTION}/deactivate"), &json!({})).expect(200);
        let other = provider(&json!({}));
        let changed = company.patch(CONNECTION, &json!({"oidc": {"issuer": other.url(""), "client_secret": "x"}}));
        assert_eq!(changed.expect(200)["state"], "draft");
        company.post(&path, &json!({})).problem(409, "test_required");
    }

    /// D4: the next identity provider is set up beside the one in use, and takes its place in one stroke.
    fn a_candidate_follows_the_connection(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        active(&api, &web);
        api.patch(CONNECTION, &json!({"login_path": "acme"})).expect(200);
        let ada = server.acme().user("ada@acme.example");
        let session = server.log_in(&Who { subject: ada, ..Who::new("ada@acme.example") }).unwrap();
        let path = format!("{CONNECTION}/candidate");
        api.get(&path).problem(404, "not_found");
        let next = with(oidc(&provider(&json!({}))), &json!({"provider": "keycloak"}));
        let made = api.put(&path, &next).expect(201);
        assert_eq!((&made["name"], &made["state"]), (&json!("acme-2"), &json!("draft")));
        // The same provider again is a change; another one takes the place.
        let changed = api.put(&path, &next).expect(200);
        assert_eq!(changed["id"], made["id"]);
        let other = with(next.clone(), &json!({"provider": "custom_oidc"}));
        assert_eq!(api.put(&path, &other).expect(201)["name"], "acme-3");
        api.delete(&path).expect(204);
        assert_eq!(api.put(&path, &next).expect(201)["name"], "acme-4");
        api.post(&format!("{path}/promote"), &json!({})).problem(409, "test_required");
        session.get("/me").expect(200);
        let promoted = api.post(&format!("{path}/promote"), &json!({"skip_test": true})).expect(200);
        assert_eq!((&promoted["state"], &promoted["name"]), (&json!("active"), &json!("acme-4")));
        assert_eq!(promoted["login_path"], "acme");
        assert_eq!(api.get(CONNECTION).expect(200)["id"], promoted["id"]);
        api.get(&path).problem(404, "not_found");
        session.get("/me").problem(401, "session_ended");
    }
}
