//! Applications of the operator: registered, changed, recognised, removed.

use serde_json::{Value, json};

use super::{App, CALLBACK, send};
use crate::server::on_both_databases;

on_both_databases! {
    fn an_application_is_registered_changed_and_removed(server: &TestServer) {
        let api = server.operator();
        let body = json!({"name": "Shop", "redirect_uris": [CALLBACK], "initiate_login_uri": "https://app.example/login",
            "id_token_signed_response_alg": "RS256", "backchannel_logout_uri": "https://app.example/logout"});
        let made = api.post("/applications", &body).expect(201);
        let secret = made["client_secret"].as_str().unwrap().to_owned();
        assert!(secret.starts_with("stgd_client_"), "{secret}");
        let (id, tag) = (made.id(), made.header("etag").unwrap().to_owned());
        assert_eq!((&made["client_id"], &made["type"]), (&made["id"], &json!("confidential")));
        let read = api.get(&format!("/applications/{id}")).expect(200);
        assert_eq!((&read["client_secret"], &read["name"]), (&Value::Null, &json!("Shop")));
        let path = format!("/applications/{id}");
        let change = json!({"name": "Store", "initiate_login_uri": ""});
        let changed = api.send("PATCH", &path, &[("If-Match", &tag)], Some(&change)).expect(200);
        assert_eq!((&changed["name"], &changed["initiate_login_uri"]), (&json!("Store"), &Value::Null));
        assert_eq!(changed["id_token_signed_response_alg"], "RS256");
        api.send("PATCH", &path, &[("If-Match", &tag)], Some(&change)).problem(412, "precondition_failed");
        assert!(api.get("/applications").expect(200).data().iter().any(|a| a["id"] == id.as_str()));
        api.delete(&path).expect(204);
        api.get(&path).problem(404, "not_found");
        api.delete(&path).problem(404, "not_found");
    }

    fn addresses_that_would_leak_codes_are_refused(server: &TestServer) {
        let api = server.operator();
        for (field, value) in [
            ("redirect_uris", json!([])),
            ("redirect_uris", json!(["http://app.example/cb"])),
            ("redirect_uris", json!(["https://app.example/cb#part"])),
            ("redirect_uris", json!(["https://*.example/cb"])),
            ("redirect_uris", json!(["javascript:alert(1)"])),
            ("redirect_uris", json!(["/callback"])),
            ("post_logout_redirect_uris", json!(["https://u:p@app.example/"])),
            ("initiate_login_uri", json!("ftp://app.example/")),
            ("backchannel_logout_uri", json!("file:///etc/passwd")),
            ("id_token_signed_response_alg", json!("none")),
            ("type", json!("native")),
            ("name", json!(" ")),
        ] {
            let mut body = json!({"name": "Shop", "redirect_uris": [CALLBACK]});
            body[field] = value;
            let refused = api.post("/applications", &body).problem(422, "invalid_field");
            assert_eq!(refused["errors"][0]["field"], field);
        }
        assert!(api.get("/applications").expect(200).data().is_empty());
    }

    fn the_former_secret_counts_for_its_time(server: &TestServer) {
        let (api, app) = (server.operator(), App::register(server, &json!({})));
        let path = format!("/applications/{}/rotate-secret", app.id);
        let next = api.post(&path, &json!({"overlap_seconds": 3600})).expect(200);
        let next = app.with_secret(next["client_secret"].as_str().unwrap());
        for app in [&app, &next] {
            assert_eq!(app.introspect("nothing")["active"], false);
        }
        let last = api.post(&path, &json!({"overlap_seconds": 0})).expect(200);
        let last = app.with_secret(last["client_secret"].as_str().unwrap());
        // An application is trusted for three seconds without a look at its row.
        crate::oauth::tokens::eventually(|| last.call("/oauth/introspect", &[("token", "x")]).status == 200);
        for former in [&app, &next] {
            former.call("/oauth/introspect", &[("token", "x")]).oauth_error(401, "invalid_client");
        }
        api.post(&path, &json!({"overlap_seconds": 999_999})).problem(422, "invalid_field");
        let public = App::register(server, &json!({"type": "public"}));
        api.post(&format!("/applications/{}/rotate-secret", public.id), &json!({})).problem(422, "invalid_field");
    }

    /// security.md A1: no secret is in the database, nor in the record of changes.
    fn a_secret_is_shown_once(server: &TestServer) {
        let key = [("Idempotency-Key", "one")];
        let body = json!({"name": "Shop", "redirect_uris": [CALLBACK]});
        let api = server.operator();
        let made = api.send("POST", "/applications", &key, Some(&body)).expect(201);
        let secret = made["client_secret"].as_str().unwrap().to_owned();
        let again = api.send("POST", "/applications", &key, Some(&body)).expect(201);
        assert_eq!((&again["id"], &again["client_secret"]), (&made["id"], &Value::Null));
        let said = [api.get("/applications").reply.text(), server.log()];
        assert!(said.iter().all(|text| !text.contains(&secret)));
    }

    /// RFC 6749 §2.3: credentials come in one place, and must be right.
    fn an_application_proves_who_it_is(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let url = format!("{}/oauth/introspect", server.address());
        let post = |form: &[(&str, &str)]| send("POST", &url, &[], Some(form)).status;
        let (id, secret) = (app.id.as_str(), app.secret.as_str());
        assert_eq!(post(&[("token", "x"), ("client_id", id), ("client_secret", secret)]), 200);
        assert_eq!(post(&[("token", "x"), ("client_id", id)]), 401);
        assert_eq!(post(&[("token", "x")]), 401);
        assert_eq!(post(&[("token", "x"), ("client_id", id), ("client_secret", "null")]), 401);
        assert_eq!(post(&[("token", "x"), ("client_id", "nobody"), ("client_secret", secret)]), 401);
        let refused = app.with_secret("wrong").call("/oauth/introspect", &[("token", "x")]);
        let refused = refused.oauth_error(401, "invalid_client");
        assert!(refused.header("www-authenticate").unwrap().starts_with("Basic"));
        app.call("/oauth/introspect", &[("token", "x"), ("client_secret", secret)]).oauth_error(400, "invalid_request");
        app.call("/oauth/introspect", &[("token", "x"), ("token", "y")]).oauth_error(400, "invalid_request");
        app.call("/oauth/introspect", &[]).oauth_error(400, "invalid_request");
        let public = App::register(server, &json!({"type": "public"}));
        public.call("/oauth/introspect", &[("token", "x")]).oauth_error(400, "unauthorized_client");
        public.with_secret("x").call("/oauth/introspect", &[("token", "x")]).oauth_error(401, "invalid_client");
    }

    fn a_removed_application_takes_its_grants_along(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let tokens = app.tokens(&session);
        app.userinfo(&tokens.get("access_token")).expect(200);
        server.operator().delete(&format!("/applications/{}", app.id)).expect(204);
        app.userinfo(&tokens.get("access_token")).oauth_error(401, "invalid_token");
    }
}
