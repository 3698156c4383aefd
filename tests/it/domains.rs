//! The domains of a company: claimed, taken at an operator's word, given up (D5).

use serde_json::{Value, json};
use stagedoor::db::domains::{Owner, owner_of, verified};
use stagedoor::service::companies;

use crate::api::Api;
use crate::server::{TestServer, on_both_databases};

const DOMAINS: &str = "/companies/acme/sso/domains";

/// Claims a domain for acme and takes it for verified.
fn verify(api: &Api, domain: &str, flags: &Value) {
    let mut body = json!({"domain": domain});
    for (name, value) in flags.as_object().into_iter().flatten() {
        body[name.as_str()] = value.clone();
    }
    api.post(DOMAINS, &body).expect(201);
    api.post(&format!("{DOMAINS}/{domain}/override"), &json!({})).expect(200);
}

/// Whose a domain is, as a login asks.
fn owner(server: &TestServer, domain: &str) -> Option<Owner> {
    server.service().read_now(|conn| Ok(owner_of(conn, domain)?)).unwrap()
}

on_both_databases! {
    /// Row 32.
    fn r032_a_domain_is_claimed_and_shown(server: &TestServer) {
        let api = server.operator();
        let made = api.post(DOMAINS, &json!({"domain": "Acme.Example."})).expect(201);
        assert_eq!(made["domain"], "acme.example");
        let proof = &made["verification"];
        assert_eq!((&proof["status"], &proof["strategy"]), (&json!("unverified"), &json!("txt")));
        assert_eq!(proof["txt_record_name"], "_stagedoor-challenge.acme.example");
        let value = proof["txt_record_value"].as_str().unwrap();
        let token = value.strip_prefix("stagedoor-verification=").unwrap();
        assert_eq!(token.len(), 40, "160 bits");
        assert_eq!(api.get(&format!("{DOMAINS}/ACME.example")).expect(200).json, made.json);
        assert_eq!(api.get(&format!("{DOMAINS}/{}", made.id())).expect(200).json, made.json);
        assert_eq!(api.get(DOMAINS).expect(200).data(), std::slice::from_ref(&made.json));
        api.post(DOMAINS, &json!({"domain": "acme.example"})).problem(409, "domain_in_use");
        api.delete(&format!("{DOMAINS}/acme.example")).expect(204);
        api.get(&format!("{DOMAINS}/acme.example")).problem(404, "not_found");
        let again = api.post(DOMAINS, &json!({"domain": "acme.example"})).expect(201);
        assert_ne!(again["verification"]["txt_record_value"], made["verification"]["txt_record_value"]);
    }

    /// Hostile input 83.
    fn f83_what_is_no_companys_domain(server: &TestServer) {
        let api = server.operator();
        let long = format!("{}.example", "a.".repeat(123) + "a");
        for (domain, code) in [
            ("com", "invalid_domain"),
            ("co.uk", "is_public_suffix"),
            ("*.a.example", "invalid_domain"),
            ("a", "invalid_domain"),
            ("a..b", "invalid_domain"),
            (&long, "invalid_domain"),
            ("127.0.0.1", "invalid_domain"),
            ("[::1]", "invalid_domain"),
            ("аcme.example", "invalid_domain"),
            ("gmail.com", "public_email_domain"),
            ("", "invalid_domain"),
            ("a.example/x", "invalid_domain"),
        ] {
            let refused = api.post(DOMAINS, &json!({"domain": domain})).problem(422, code);
            assert_eq!(refused["errors"][0]["field"], "domain", "{domain}");
        }
        assert!(api.get(DOMAINS).expect(200).data().is_empty());
        let _other = server.company("globex");
        verify(&api, "acme.example", &json!({}));
        let path = "/companies/globex/sso/domains";
        api.post(path, &json!({"domain": "acme.example"})).problem(409, "domain_in_use");
    }

    /// Threats S5 and D1: a claim tells nothing of other companies, and counts once it is verified for one.
    fn a_domain_is_verified_for_one_company(server: &TestServer) {
        let api = server.operator();
        let _other = server.company("globex");
        let globex = "/companies/globex/sso/domains";
        let mine = api.post(DOMAINS, &json!({"domain": "acme.example"})).expect(201);
        let theirs = api.post(globex, &json!({"domain": "acme.example"})).expect(201);
        assert_ne!(mine["verification"]["txt_record_value"], theirs["verification"]["txt_record_value"]);
        assert_eq!(owner(server, "acme.example"), None);
        api.post(&format!("{globex}/acme.example/override"), &json!({})).expect(200);
        api.post(&format!("{DOMAINS}/acme.example/override"), &json!({})).problem(409, "domain_in_use");
        let seen = api.get(&format!("{DOMAINS}/acme.example")).expect(200);
        assert_eq!(seen["verification"]["status"], "unverified");
        assert_eq!(owner(server, "acme.example").unwrap().domain, "acme.example");
        api.delete(&format!("{globex}/{}", mine.id())).problem(404, "not_found");
    }

    /// Row 33: what a company says of its domain holds from when it can sign people in.
    fn r033_social_logins_are_blocked_by_domain(server: &TestServer) {
        let api = server.operator();
        verify(&api, "acme.example", &json!({}));
        verify(&api, "acme.test", &json!({}));
        let path = format!("{DOMAINS}/acme.example");
        let blocked = api.patch(&path, &json!({"block_social_login": true})).expect(200);
        assert_eq!(blocked["block_social_login"], true);
        assert!(!owner(server, "acme.example").unwrap().blocks_social_login, "nowhere else to go");
        let connection = json!({
            "provider": "custom_oidc", "protocol": "oidc",
            "oidc": {
                "issuer": "https://1.1.1.1", "client_id": "x",
                "authorization_endpoint": "https://1.1.1.1/a", "token_endpoint": "https://1.1.1.1/t",
                "jwks_uri": "https://1.1.1.1/j",
            },
        });
        let made = api.post("/companies/acme/sso/connection", &connection).expect(201);
        assert_eq!(made["domains"], json!(["acme.example", "acme.test"]));
        let skip = json!({"skip_test": true});
        api.post("/companies/acme/sso/connection/activate", &skip).expect(200);
        assert!(owner(server, "acme.example").unwrap().blocks_social_login);
        assert!(!owner(server, "acme.test").unwrap().blocks_social_login);
        api.delete("/companies/acme/sso/connection").expect(204);
        assert!(!owner(server, "acme.example").unwrap().blocks_social_login, "row 46");
    }

    /// A domain that includes what is below it speaks for the nearest names alone.
    fn names_below_count_where_the_company_says_so(server: &TestServer) {
        let api = server.operator();
        verify(&api, "acme.example", &json!({}));
        assert_eq!(owner(server, "eu.acme.example"), None);
        let path = format!("{DOMAINS}/acme.example");
        api.patch(&path, &json!({"include_subdomains": true})).expect(200);
        assert_eq!(owner(server, "a.eu.acme.example").unwrap().domain, "acme.example");
        assert_eq!(owner(server, "notacme.example"), None);
        let below = api.post(DOMAINS, &json!({"domain": "eu.acme.example"})).expect(201);
        let proof = &below["verification"];
        assert_eq!((&proof["status"], &proof["strategy"]), (&json!("verified"), &json!("parent_domain")));
        // Another company proves a name below: it is the nearest, and theirs.
        let _other = server.company("globex");
        let globex = "/companies/globex/sso/domains";
        api.post(globex, &json!({"domain": "eu.acme.example"})).expect(201);
        api.post(&format!("{globex}/eu.acme.example/override"), &json!({})).expect(200);
        let service = server.service();
        let company = |slug: &str| service.read_now(|conn| companies::find(conn, slug)).unwrap();
        let (acme, theirs) = (company("acme").seq, company("globex").seq);
        assert_eq!(owner(server, "x.eu.acme.example").unwrap().company, acme, "theirs includes none");
        assert_eq!(owner(server, "eu.acme.example").unwrap().company, theirs);
        let mine = |domain| service.read_now(|conn| Ok(verified(conn, acme, domain)?)).unwrap();
        assert!(mine("x.eu.acme.example") && !mine("globex.example"));
    }

    /// Only an operator's word counts in place of a proof.
    fn the_word_is_the_operators(server: &TestServer) {
        let api = server.operator();
        let company = server.api(&["--name", "c", "--company", "acme"]);
        company.post(DOMAINS, &json!({"domain": "acme.example"})).expect(201);
        let word = format!("{DOMAINS}/acme.example/override");
        company.post(&word, &json!({})).problem(403, "operator_required");
        let taken = api.post(&word, &json!({})).expect(200);
        let proof = &taken["verification"];
        assert_eq!((&proof["status"], &proof["strategy"]), (&json!("verified"), &json!("manual_override")));
        assert_eq!(api.post(&word, &json!({})).expect(200).json, taken.json);
    }

    /// D5: nobody could sign in any more.
    fn the_last_verified_domain_stays_while_people_sign_in(server: &TestServer) {
        let api = server.operator();
        verify(&api, "acme.example", &json!({}));
        verify(&api, "acme.test", &json!({}));
        api.post("/companies/acme/sso/connection", &json!({"provider": "okta", "protocol": "oidc"}))
            .expect(201);
        server.sql("UPDATE connections SET state = 'active'");
        api.delete(&format!("{DOMAINS}/acme.test")).expect(204);
        api.delete(&format!("{DOMAINS}/acme.example")).problem(409, "last_verified_domain");
        api.post("/companies/acme/sso/connection/deactivate", &json!({})).expect(200);
        api.delete(&format!("{DOMAINS}/acme.example")).expect(204);
    }

    fn a_domain_changes_by_its_version(server: &TestServer) {
        let api = server.operator();
        let made = api.post(DOMAINS, &json!({"domain": "acme.example"})).expect(201);
        let path = format!("{DOMAINS}/acme.example");
        let tag = made.header("etag").unwrap().to_owned();
        let change = json!({"include_subdomains": true});
        let headers = [("If-Match", tag.as_str())];
        api.send("PATCH", &path, &headers, Some(&change)).expect(200);
        api.send("PATCH", &path, &headers, Some(&change)).problem(412, "precondition_failed");
        api.send("DELETE", &path, &headers, None).problem(412, "precondition_failed");
        api.patch(&path, &json!({"domain": "globex.example"})).problem(422, "invalid_body");
    }
}
