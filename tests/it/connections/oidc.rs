//! A connection by OIDC: what is written, what its provider publishes, and where its secret goes.

use serde_json::{Value, json};

use super::{CONNECTION, active, oidc, provider, publish};
use crate::server::on_both_databases;
use crate::web::Web;

on_both_databases! {
    with crate::connections::LOOPBACK;

    /// Row 119.
    fn r119_an_okta_domain_is_enough(server: &TestServer) {
        let api = server.operator();
        let okta = |oidc: Value| json!({"provider": "okta", "protocol": "oidc", "oidc": oidc});
        for host in ["acme-admin.okta.com", "https://acme-admin.okta.com/admin"] {
            let refused = api.post(CONNECTION, &okta(json!({"okta_domain": host})));
            let refused = refused.problem(422, "okta_admin_domain");
            assert!(refused["detail"].as_str().unwrap().contains("acme.okta.com"), "{}", refused.reply);
        }
        // The endpoints are told, so that nothing is fetched.
        let told = json!({
            "okta_domain": "https://acme.okta.com/", "client_id": "0oa1",
            "authorization_endpoint": "https://1.1.1.1/a", "token_endpoint": "https://1.1.1.1/t",
            "jwks_uri": "https://1.1.1.1/j",
        });
        let made = api.post(CONNECTION, &okta(told)).expect(201);
        assert_eq!(made["oidc"]["issuer"], "https://acme.okta.com");
    }

    /// Row 114: without a secret the client is a public one, and PKCE its proof.
    fn r114_a_public_client_has_no_secret(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        let mut body = oidc(&web);
        body["oidc"].as_object_mut().unwrap().remove("client_secret");
        let made = api.post(CONNECTION, &body).expect(201);
        assert_eq!(made["oidc"]["token_endpoint_auth_method"], "none");
        let basic = json!({"oidc": {"token_endpoint_auth_method": "client_secret_basic"}});
        api.patch(CONNECTION, &basic).problem(422, "client_secret_or_pkce_required");
        let without = json!({"oidc": {"pkce": false}});
        api.patch(CONNECTION, &without).problem(422, "client_secret_or_pkce_required");
        let on = api.post(&format!("{CONNECTION}/activate"), &json!({"skip_test": true}));
        assert_eq!(on.expect(200)["state"], "active");
    }

    fn the_token_endpoint_says_what_it_takes(server: &TestServer) {
        let api = server.operator();
        let post = json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]});
        let web = provider(&post);
        let made = api.post(CONNECTION, &oidc(&web)).expect(201);
        assert_eq!(made["oidc"]["token_endpoint_auth_method"], "client_secret_post");
        api.delete(CONNECTION).expect(204);
        publish(&web, &json!({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}));
        api.post(CONNECTION, &oidc(&web)).problem(422, "unsupported_token_auth_method");
    }

    /// Rows 173 and 174.
    fn r173_openid_is_always_asked_for(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        let made = api.post(CONNECTION, &oidc(&web)).expect(201);
        assert_eq!(made["oidc"]["scopes"], json!(["openid", "email", "profile"]));
        let refused = api.patch(CONNECTION, &json!({"oidc": {"scopes": ["email", "groups"]}}));
        refused.problem(422, "openid_scope_required");
        let scopes = json!({"oidc": {"scopes": ["openid", "groups"]}});
        assert_eq!(api.patch(CONNECTION, &scopes).expect(200)["oidc"]["scopes"], json!(["openid", "groups"]));
        let ours = json!({"oidc": {"extra_params": {"redirect_uri": "https://evil.example"}}});
        api.patch(CONNECTION, &ours).problem(422, "invalid_field");
    }

    /// Row 174: what is written of claims and groups is kept; each is replaced as a whole.
    fn r174_claims_are_mapped(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        api.post(CONNECTION, &oidc(&web)).expect(201);
        let mapping = json!({"groups": "custom_groups", "email": "upn"});
        let groups = json!({"format": "delimited", "delimiter": ";", "aliases": {"0f": "Port"}});
        let change = json!({"attribute_mapping": mapping, "groups": groups});
        let changed = api.patch(CONNECTION, &change).expect(200);
        assert_eq!(changed["attribute_mapping"], mapping);
        assert_eq!(changed["groups"]["aliases"]["0f"], "Port");
        let cleared = json!({"attribute_mapping": {"groups": "roles", "email": ""}});
        let changed = api.patch(CONNECTION, &cleared).expect(200);
        assert_eq!(changed["attribute_mapping"], json!({"groups": "roles"}));
        for bad in [
            json!({"attribute_mapping": {"nobody": "x"}}),
            json!({"groups": {"format": "xml"}}),
            json!({"groups": {"delimiter": ""}}),
            json!({"trust_email_verified": "never"}),
        ] {
            api.patch(CONNECTION, &bad).problem(422, "invalid_field");
        }
        let null = json!({"jit_provisioning": true, "trust_email_verified": "claim"});
        let changed = api.patch(CONNECTION, &null).expect(200);
        assert_eq!((&changed["jit_provisioning"], &changed["trust_email_verified"]), (&json!(true), &json!("claim")));
        let back = api.patch(CONNECTION, &json!({"jit_provisioning": null})).expect(200);
        assert_eq!(back["jit_provisioning"], Value::Null);
    }

    /// Hostile input 60: the provider's own document is what is wrong.
    fn f60_a_discovery_document_that_is_none(server: &TestServer) {
        let (api, web) = (server.operator(), Web::start());
        let well_known = "/.well-known/openid-configuration";
        let refused = |status: u16, code: &str| {
            let refused = api.post(CONNECTION, &oidc(&web)).problem(status, code);
            let field = refused["errors"][0]["field"].as_str().unwrap().to_owned();
            assert!(!refused.reply.text().contains("hunter2"), "{}", refused.reply);
            api.get(CONNECTION).problem(404, "not_found");
            (field, refused["detail"].as_str().unwrap().to_owned())
        };
        refused(422, "discovery_not_found");
        web.put(well_known, "<html>");
        refused(422, "discovery_invalid_json");
        web.put(well_known, &json!({"issuer": web.url("")}).to_string());
        let (_, why) = refused(422, "discovery_incomplete");
        assert!(why.contains("authorization_endpoint, token_endpoint, jwks_uri"), "{why}");
        publish(&web, &json!({"issuer": "https://evil.example"}));
        let (field, why) = refused(422, "issuer_mismatch");
        assert_eq!(field, "oidc.issuer");
        assert!(why.contains("evil.example") && why.contains(&web.url("")), "{why}");
        for (endpoint, address, code) in [
            ("token_endpoint", "http://8.8.8.8/token", "invalid_field"),
            ("token_endpoint", "https://10.0.0.1/token", "endpoint_private_address"),
            ("jwks_uri", "https://169.254.169.254/", "endpoint_private_address"),
            ("userinfo_endpoint", "https://user@1.1.1.1/", "invalid_field"),
            ("authorization_endpoint", "http://8.8.8.8/", "invalid_field"),
            ("authorization_endpoint", "javascript:alert(1)", "invalid_field"),
        ] {
            publish(&web, &json!({endpoint: address}));
            assert_eq!(refused(422, code).0, format!("oidc.{endpoint}"), "{address}");
        }
        web.put(well_known, &format!("{{\"x\": \"{}\"}}", "x".repeat(300_000)));
        refused(422, "discovery_invalid_json");
        let away = "HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nConnection: close\r\n\r\n";
        web.put_raw(well_known, away);
        refused(422, "endpoint_redirect");
        let loops = format!("HTTP/1.1 302 Found\r\nLocation: {well_known}\r\nConnection: close\r\n\r\n");
        web.put_raw(well_known, loops);
        refused(422, "endpoint_redirect");
        web.put_raw(well_known, "");
        assert_eq!(refused(502, "discovery_timeout").0, "oidc.issuer");
        publish(&web, &json!({"id_token_signing_alg_values_supported": ["none", "HS256"]}));
        refused(422, "discovery_incomplete");
        publish(&web, &json!({}));
        api.post(CONNECTION, &oidc(&web)).expect(201);
    }

    /// An issuer is taken as its document has it where only the last slash differs.
    fn a_slash_at_the_end_is_the_documents(server: &TestServer) {
        let (api, web) = (server.operator(), Web::start());
        publish(&web, &json!({"issuer": web.url("/")}));
        let made = api.post(CONNECTION, &oidc(&web)).expect(201);
        assert_eq!(made["oidc"]["issuer"], web.url("/"));
    }

    /// Threat O9: the secret goes to no address that the admin did not give it for.
    fn o9_another_endpoint_clears_the_secret(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        let set = |on: bool| assert_eq!(api.get(CONNECTION).expect(200)["oidc"]["client_secret_set"], on);
        api.post(CONNECTION, &oidc(&web)).expect(201);
        api.patch(CONNECTION, &json!({"oidc": {"client_id": "other"}})).expect(200);
        set(true);
        for field in ["token_endpoint", "jwks_uri", "userinfo_endpoint", "authorization_endpoint"] {
            let secret = json!({"client_secret": "hunter2"});
            api.post(&format!("{CONNECTION}/rotate-secret"), &secret).expect(200);
            set(true);
            api.patch(CONNECTION, &json!({"oidc": {field: web.url("/elsewhere")}})).expect(200);
            set(false);
        }
        let other = provider(&json!({}));
        api.post(&format!("{CONNECTION}/rotate-secret"), &json!({"client_secret": "x"})).expect(200);
        api.patch(CONNECTION, &json!({"oidc": {"issuer": other.url("")}})).expect(200);
        set(false);
        // It is missed, not done without: no public client is made by leaving things out.
        let kept = api.patch(CONNECTION, &json!({"oidc": {"client_id": "third"}})).expect(200);
        assert_eq!(kept["oidc"]["token_endpoint_auth_method"], "client_secret_basic");
        let on = api.post(&format!("{CONNECTION}/activate"), &json!({"skip_test": true}));
        let lacks = on.problem(409, "fields_missing");
        assert_eq!(lacks["errors"][0]["field"], "oidc.client_secret", "{}", lacks.reply);
        // Given in the same breath it is for the new address.
        let both = json!({"oidc": {"issuer": web.url(""), "client_secret": "y"}});
        api.patch(CONNECTION, &both).expect(200);
        set(true);
        // An empty field of a form keeps it.
        api.patch(CONNECTION, &json!({"oidc": {"client_secret": "", "client_id": "z"}})).expect(200);
        set(true);
        // The provider itself moves its token endpoint: the same.
        publish(&web, &json!({"token_endpoint": web.url("/moved")}));
        api.post(&format!("{CONNECTION}/refresh-metadata"), &json!({})).expect(200);
        set(false);
    }

    /// While people sign in the secret is given again, or nothing changes.
    fn o9_an_active_connection_keeps_what_it_has(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        let before = active(&api, &web);
        let change = json!({"oidc": {"token_endpoint": web.url("/elsewhere")}});
        api.patch(CONNECTION, &change).problem(422, "client_secret_or_pkce_required");
        assert_eq!(api.get(CONNECTION).expect(200).json, before);
        let both = json!({"oidc": {"token_endpoint": web.url("/x"), "client_secret": "new"}});
        let changed = api.patch(CONNECTION, &both).expect(200);
        assert_eq!(changed["warnings"], json!(["connection_live", "http_issuer"]));
    }

    /// Hostile input 82 at the form: nothing is dialled, and the answer names the field.
    fn f82_an_issuer_that_leads_inside(server: &TestServer) {
        let api = server.operator();
        for issuer in [
            "https://10.0.0.1", "https://[::1]", "https://0xa.1", "https://[::ffff:10.0.0.1]",
            "https://[64:ff9b::a00:1]", "https://169.254.169.254", "https://0",
        ] {
            let body = json!({"provider": "custom_oidc", "protocol": "oidc", "oidc": {"issuer": issuer}});
            api.post(CONNECTION, &body).problem(422, "endpoint_private_address");
        }
        for issuer in [
            "https://user@h.example", "file:///etc/passwd", "gopher://h.example",
            "https://ⓔxample.test", "https://1.1.1.1:22", "http://1.1.1.1", "",
        ] {
            let body = json!({"provider": "custom_oidc", "protocol": "oidc", "oidc": {"issuer": issuer}});
            let refused = api.post(CONNECTION, &body).problem(422, "invalid_issuer_url");
            assert_eq!(refused["errors"][0]["field"], "oidc.issuer", "{issuer}");
        }
        api.get(CONNECTION).problem(404, "not_found");
    }
}
