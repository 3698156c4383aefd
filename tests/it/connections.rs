//! The connection of a company: made, changed, completed by what its identity provider publishes, switched on
//! and off, followed by another, taken away (`management-api.md` D4). Signing in through it is elsewhere.

use std::slice::from_ref;
use std::sync::Barrier;

use serde_json::{Value, json};

use crate::api::{Api, Who};
use crate::server::on_both_databases;
use crate::web::Web;

const CONNECTION: &str = "/companies/acme/sso/connection";
/// Identity providers of the tests lie on loopback.
const LOOPBACK: &[&str] = &["--egress-allow", "127.0.0.0/8"];

/// The members of a second object put into a first one.
fn with(mut object: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        object[name.as_str()] = value.clone();
    }
    object
}

/// The discovery document of a provider, with these members besides.
fn document(web: &Web, more: &Value) -> Value {
    let usual = json!({
        "issuer": web.url(""),
        "authorization_endpoint": web.url("/authorize"),
        "token_endpoint": web.url("/token"),
        "jwks_uri": web.url("/keys"),
        "userinfo_endpoint": web.url("/me"),
        "id_token_signing_alg_values_supported": ["HS256", "RS256", "ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "authorization_response_iss_parameter_supported": true,
    });
    with(usual, more)
}

/// A provider with a discovery document.
fn provider(more: &Value) -> Web {
    let web = Web::start();
    publish(&web, more);
    web
}

fn publish(web: &Web, more: &Value) {
    web.put("/.well-known/openid-configuration", &document(web, more).to_string());
}

/// A connection to a provider, with a client secret.
fn oidc(web: &Web) -> Value {
    json!({
        "provider": "custom_oidc", "protocol": "oidc",
        "oidc": {"issuer": web.url(""), "client_id": "0oa1", "client_secret": "hunter2"},
    })
}

/// Metadata of a SAML identity provider with these certificates, in PEM.
fn metadata(entity: &str, sso_url: &str, certificates: &[String]) -> String {
    let keys = certificates.iter().map(|pem| {
        let bare: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        format!(
            "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\
             <ds:X509Data><ds:X509Certificate>{bare}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\
             </md:KeyDescriptor>"
        )
    });
    let keys: String = keys.collect();
    format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{entity}\">\
         <md:IDPSSODescriptor WantAuthnRequestsSigned=\"true\" \
         protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{keys}\
         <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" \
         Location=\"{sso_url}\"/></md:IDPSSODescriptor></md:EntityDescriptor>"
    )
}

/// A certificate in PEM, good until the end of this year.
fn certificate(last_year: i32) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(last_year, 12, 31);
    params.self_signed(&key).unwrap().pem()
}

fn saml(xml: &str) -> Value {
    json!({"provider": "adfs", "protocol": "saml", "saml": {"idp_metadata_xml": xml}})
}

/// Makes a connection of acme that lets people in.
fn active(api: &Api, web: &Web) -> Value {
    api.post(CONNECTION, &oidc(web)).expect(201);
    let skip = json!({"skip_test": true});
    api.post(&format!("{CONNECTION}/activate"), &skip).expect(200).json
}

on_both_databases! {
    with super::LOOPBACK;

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

    /// Rows 180 and 181.
    fn r180_metadata_fills_the_form(server: &TestServer) {
        let (api, web) = (server.operator(), Web::start());
        let base = server.address();
        let pem = certificate(2095);
        web.put("/metadata", &metadata("https://idp.example", "https://idp.example/sso", from_ref(&pem)));
        let body = json!({"provider": "adfs", "protocol": "saml", "login_path": "acme",
            "saml": {"idp_metadata_url": web.url("/metadata")}});
        let made = api.post(CONNECTION, &body).expect(201);
        let saml = &made["saml"];
        assert_eq!(saml["idp_entity_id"], "https://idp.example");
        assert_eq!(saml["idp_sso_url"], "https://idp.example/sso");
        assert_eq!(saml["sign_requests"], true, "the metadata asks for it");
        assert_eq!((&saml["certificates"][0]["pem"], &saml["certificates"][0]["source"]), (&json!(pem), &json!("metadata")));
        assert!(saml["certificates"][0]["days_left"].as_i64().unwrap() > 10_000);
        // Row 181: what the identity provider must be told.
        assert_eq!(saml["acs_url"], format!("{base}/sso/saml/acme/acs"));
        assert_eq!(saml["sp_entity_id"], format!("{base}/sso/saml/acme/metadata"));
        assert_eq!(saml["sp_metadata_url"], saml["sp_entity_id"]);
        assert_eq!(made["login_url"], format!("{base}/login/acme"));
        api.patch(CONNECTION, &json!({"saml": {"acs_url": "https://evil.example"}})).problem(422, "invalid_body");
        // Read again, the next certificate takes the place of the former.
        let next = certificate(2096);
        web.put("/metadata", &metadata("https://idp.example", "https://idp.example/sso", from_ref(&next)));
        let read = api.post(&format!("{CONNECTION}/refresh-metadata"), &json!({})).expect(200);
        assert_eq!(read["saml"]["certificates"].as_array().unwrap().len(), 1);
        assert_eq!(read["saml"]["certificates"][0]["pem"], next);
        web.put_raw("/metadata", Vec::from(b"HTTP/1.1 500 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        let failed = api.post(&format!("{CONNECTION}/refresh-metadata"), &json!({}));
        failed.problem(502, "metadata_fetch_failed");
        assert_eq!(api.get(CONNECTION).expect(200).json, read.json);
    }

    /// Row 181 by fields, without metadata.
    fn r181_saml_by_fields(server: &TestServer) {
        let api = server.operator();
        let pem = certificate(2095);
        let fields = json!({"idp_entity_id": "urn:idp", "idp_sso_url": "https://10.0.0.1/sso",
            "certificates": [pem], "allow_idp_initiated": true});
        let body = json!({"provider": "custom_saml", "protocol": "saml", "saml": fields});
        let made = api.post(CONNECTION, &body).expect(201);
        assert_eq!(made["saml"]["certificates"][0]["source"], "manual");
        assert_eq!(made["saml"]["allow_idp_initiated"], true);
        // A browser reaches what the server does not; plain http is nobody's.
        let plain = json!({"saml": {"idp_sso_url": "http://idp.example/sso"}});
        let refused = api.patch(CONNECTION, &plain).problem(422, "invalid_field");
        assert_eq!(refused["errors"][0]["field"], "saml.idp_sso_url");
        let own = format!("{}/sso/saml/acme/metadata", server.address());
        api.patch(CONNECTION, &json!({"saml": {"idp_entity_id": own}})).problem(422, "metadata_is_sp");
        let on = api.post(&format!("{CONNECTION}/activate"), &json!({"skip_test": true}));
        assert_eq!(on.expect(200)["state"], "active");
    }

    /// Row 189.
    fn r189_a_second_connection_is_refused_with_the_reason(server: &TestServer) {
        let (api, web) = (server.operator(), provider(&json!({})));
        api.post(CONNECTION, &oidc(&web)).expect(201);
        let refused = api.post(CONNECTION, &oidc(&web)).problem(409, "connection_exists");
        let why = refused["detail"].as_str().unwrap();
        assert!(why.contains("One connection serves all organizations"), "{why}");
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
        refused(502, "discovery_timeout");
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

    /// Hostile input 77.
    fn f77_metadata_that_is_not_to_be_trusted(server: &TestServer) {
        let api = server.operator();
        let good = certificate(2095);
        let text = |certificates: &[String]| metadata("https://idp.example", "https://idp.example/sso", certificates);
        let own = format!("{}/sso/saml/acme/metadata", server.address());
        let sp = text(from_ref(&good)).replace("IDPSSODescriptor", "SPSSODescriptor");
        let two = format!("<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">{0}{0}\
             </md:EntitiesDescriptor>", text(from_ref(&good)));
        for (xml, code) in [
            (text(&[]), "metadata_missing_fields"),
            (text(&[certificate(2021)]), "certificate_expired"),
            (text(&["bm90IGEgY2VydA==".to_owned()]), "certificate_invalid"),
            (two, "metadata_parse_failed"),
            (metadata(&own, "https://idp.example/sso", from_ref(&good)), "metadata_is_sp"),
            (sp, "metadata_is_sp"),
            (metadata("https://idp.example", "http://idp.example/sso", from_ref(&good)), "metadata_missing_fields"),
            ("<html>".to_owned(), "metadata_parse_failed"),
            (format!("<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]>{}", text(from_ref(&good))), "metadata_parse_failed"),
        ] {
            let refused = api.post(CONNECTION, &saml(&xml)).problem(422, code);
            let field = refused["errors"][0]["field"].as_str().unwrap();
            assert!(field.starts_with("saml."), "{}", refused.reply);
        }
        api.get(CONNECTION).problem(404, "not_found");
        // In a roll-over an old one may stand beside the one that holds.
        let made = api.post(CONNECTION, &saml(&text(&[certificate(2021), good]))).expect(201);
        assert_eq!(made["saml"]["certificates"].as_array().unwrap().len(), 1);
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

    /// Two certificates overlap, so that nobody is locked out on the day.
    fn certificates_are_rolled_over(server: &TestServer) {
        let api = server.operator();
        let xml = metadata("https://idp.example", "https://idp.example/sso", &[certificate(2095)]);
        api.post(CONNECTION, &saml(&xml)).expect(201);
        api.post(&format!("{CONNECTION}/activate"), &json!({"skip_test": true})).expect(200);
        let path = format!("{CONNECTION}/certificates");
        let first = api.get(&path).expect(200).data()[0]["fingerprint"].as_str().unwrap().to_owned();
        api.delete(&format!("{path}/{first}")).problem(409, "fields_missing");
        api.post(&path, &json!({"certificate": certificate(2021)})).problem(422, "certificate_expired");
        api.post(&path, &json!({"certificate": "x"})).problem(422, "certificate_invalid");
        let next = json!({"certificate": certificate(2096)});
        assert_eq!(api.post(&path, &next).expect(200)["saml"]["certificates"].as_array().unwrap().len(), 2);
        api.post(&path, &next).expect(200);
        let all = api.get(&path).expect(200);
        assert_eq!(all.data().len(), 2, "the same one twice is one");
        api.delete(&format!("{path}/{}", first.to_uppercase())).expect(200);
        api.delete(&format!("{path}/{first}")).problem(404, "not_found");
        assert_eq!(api.get(&path).expect(200).data()[0]["source"], "manual");
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
