//! The frame of the management API: problems, pages, versions, keys that are sent twice, the description.

use serde_json::{Value, json};

use crate::server::on_both_databases;

on_both_databases! {
    fn a_company_is_made_read_and_changed(server: &TestServer) {
        let api = server.operator();
        let made = api.post("/companies", &json!({"name": "Initech, Inc.", "plan": "pro"})).expect(201);
        assert_eq!((&made["slug"], &made["plan"]), (&json!("initech-inc"), &json!("pro")));
        assert_eq!(made["self_serve_sso"], false);
        let by_slug = api.get("/companies/initech-inc").expect(200);
        assert_eq!(by_slug.json, made.json);
        let path = format!("/companies/{}", made.id());
        let changed = api.patch(&path, &json!({"plan": "enterprise", "scim_enabled": true}));
        assert_eq!(changed.expect(200)["plan"], "enterprise");
        api.post("/companies", &json!({"name": "X", "slug": "initech-inc"})).problem(409, "slug_taken");
        api.delete(&path).expect(204);
        api.get(&path).problem(404, "company_not_found");
    }

    fn wrong_bodies_are_told(server: &TestServer) {
        let api = server.operator();
        let refused = api.post("/companies", &json!({"name": " "})).problem(422, "invalid_field");
        assert_eq!(refused["errors"][0]["field"], "name");
        api.post("/companies", &json!({"name": "x", "plan": "gold"})).problem(422, "invalid_field");
        api.post("/companies", &json!({"nmae": "x"})).problem(422, "invalid_body");
        api.post("/companies", &json!([])).problem(400, "malformed_request");
        let html = [("Content-Type", "text/html")];
        api.send("POST", "/companies", &html, None).problem(415, "unsupported_media_type");
        api.put("/companies", &json!({})).problem(405, "method_not_allowed");
        api.get("/nothing").problem(404, "not_found");
    }

    /// Ruling 16: a member that is named twice is refused.
    fn a_doubled_member_is_refused(server: &TestServer) {
        let api = server.operator();
        let answer = server.raw(
            format!(
                "POST /api/v1/companies HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
                 Content-Length: 23\r\n\r\n{{\"name\":\"a\",\"name\":\"b\"}}",
                api.key()
            )
            .as_bytes(),
        );
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }

    fn pages_follow_each_other(server: &TestServer) {
        let api = server.operator();
        for n in 0..5 {
            api.organization("acme", &format!("o{n}"), &json!({}));
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/companies/acme/organizations?limit=2&cursor={cursor}");
            let page = api.get(&path).expect(200);
            assert!(page.data().len() <= 2);
            seen.extend(page.data().iter().map(|o| o["slug"].as_str().unwrap().to_owned()));
            match page["page"]["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, ["o0", "o1", "o2", "o3", "o4"]);
        for bad in ["limit=0", "limit=201", "limit=x"] {
            api.get(&format!("/companies?{bad}")).problem(422, "invalid_field");
        }
        api.get("/companies?cursor=%27").problem(422, "invalid_cursor");
    }

    fn a_changed_version_is_not_overwritten(server: &TestServer) {
        let api = server.operator();
        let tag = api.get("/companies/acme").expect(200).header("etag").unwrap().to_owned();
        let send = |name: &str| {
            let headers = [("If-Match", tag.as_str())];
            api.send("PATCH", "/companies/acme", &headers, Some(&json!({"name": name})))
        };
        let first = send("One").expect(200);
        assert_ne!(first.header("etag"), Some(tag.as_str()));
        send("Two").problem(412, "precondition_failed");
        assert_eq!(api.get("/companies/acme").expect(200)["name"], "One");
    }

    fn the_same_key_does_it_once(server: &TestServer) {
        let api = server.operator();
        let send = |key: &str, name: &str| {
            let headers = [("Idempotency-Key", key)];
            let body = json!({"name": name});
            api.send("POST", "/companies/acme/organizations", &headers, Some(&body))
        };
        let first = send("a", "Dev").expect(201);
        let again = send("a", "Dev").expect(201);
        assert_eq!(first.json, again.json);
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        send("a", "Prod").problem(422, "idempotency_conflict");
        assert_eq!(api.get("/companies/acme/organizations").expect(200).data().len(), 1);
        // A refusal leaves the key free.
        send("b", " ").problem(422, "invalid_field");
        send("b", "Prod").expect(201);
    }

    /// Hostile input 89: a key belongs to one request, to its method, its target and its body.
    fn f89_a_key_with_another_body(server: &TestServer) {
        let api = server.operator();
        let send = |path: &str, name: &str| {
            let headers = [("Idempotency-Key", "k")];
            api.send("POST", path, &headers, Some(&json!({"name": name})))
        };
        let path = "/companies/acme/organizations";
        let made = send(path, "Dev").expect(201);
        send(path, "Prod").problem(422, "idempotency_conflict");
        send("/companies/acme/scim/tokens", "Dev").problem(422, "idempotency_conflict");
        assert_eq!(send(path, "Dev").expect(201).reply.body, made.reply.body, "byte for byte");
        assert_eq!(api.get(path).expect(200).data().len(), 1);
        // Another caller's key is another key.
        let other = server.operator();
        other.send("POST", path, &[("Idempotency-Key", "k")], Some(&json!({"name": "Prod"}))).expect(201);
    }

    /// A key is free again after a day: the sweeper removes what was kept.
    fn an_old_key_is_swept(server: &TestServer) {
        let api = server.operator();
        let send = |name: &str| {
            let headers = [("Idempotency-Key", "k")];
            api.send("POST", "/companies/acme/organizations", &headers, Some(&json!({"name": name})))
        };
        let sweep = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(server.service().sweep()).unwrap();
        };
        send("Dev").expect(201);
        sweep();
        send("Prod").problem(422, "idempotency_conflict");
        server.sql("UPDATE idempotency_keys SET created_at = created_at - 86400000001");
        sweep();
        send("Prod").expect(201);
    }

    /// I6: what is kept to be answered again holds no secret.
    fn a_replay_shows_no_secret(server: &TestServer) {
        let api = server.operator();
        let send = || {
            let headers = [("Idempotency-Key", "k")];
            api.send("POST", "/companies/acme/scim/tokens", &headers, Some(&json!({"name": "okta"})))
        };
        let first = send().expect(201);
        let secret = first["token"].as_str().unwrap().to_owned();
        let again = send().expect(201);
        assert_eq!(again["id"], first["id"]);
        assert!(again["token"].is_null(), "{}", again.reply);
        server.client(&secret).get("/Users").expect(200);
    }

    fn every_change_is_in_the_audit(server: &TestServer) {
        let api = server.operator();
        let user = server.acme().user("ada");
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        server.acme().patch(&format!("/Users/{user}"), &off).expect(200);
        server.acme().delete(&format!("/Users/{user}")).expect(204);
        api.patch("/companies/acme", &json!({"name": "Acme 2"})).expect(200);
        let events = api.get("/companies/acme/audit-events").expect(200);
        let actions: Vec<&str> =
            events.data().iter().map(|e| e["action"].as_str().unwrap()).take(4).collect();
        assert_eq!(
            actions,
            ["company.updated", "user.deleted", "user.deactivated", "user.staged"]
        );
        assert_eq!(events.data()[2]["detail"]["status"]["after"], "DEACTIVATED");
        assert!(events.data()[2]["actor"].as_str().unwrap().starts_with("scim_token:"));
        assert_eq!(events.data()[0]["detail"]["before"]["name"], "Acme");
        let page = api.get("/companies/acme/audit-events?limit=1").expect(200);
        let next = page["page"]["next_cursor"].as_str().unwrap();
        let second = api.get(&format!("/companies/acme/audit-events?limit=1&cursor={next}"));
        assert_eq!(second.expect(200).data()[0]["action"], "user.deleted");
    }

    fn keys_are_made_listed_and_ended(server: &TestServer) {
        let api = server.operator();
        let body = json!({"name": "ci", "scopes": ["company:users:read"]});
        let made = api.post("/companies/acme/api-keys", &body).expect(201);
        let key = server.api_as(made["key"].as_str().unwrap());
        key.get("/companies/acme/users").expect(200);
        let refused = key.patch("/companies/acme", &json!({"name": "x"}));
        assert_eq!(refused.problem(403, "missing_permission")["missing_permission"], "company:manage");
        let listed = api.get("/companies/acme/api-keys").expect(200);
        assert_eq!(listed.data().len(), 1);
        assert!(!listed.reply.text().contains(&key.key()[25..]));
        api.delete(&format!("/companies/acme/api-keys/{}", made.id())).expect(204);
        key.get("/companies/acme/users").problem(401, "unauthorized");
        api.delete(&format!("/api-keys/{}", made.id())).problem(404, "not_found");
    }

    fn a_key_makes_no_stronger_key(server: &TestServer) {
        let weak = server.api(&["--name", "weak", "--company", "acme", "--scope", "company:manage"]);
        for scopes in [json!([]), json!(["company:scim:manage"])] {
            let body = json!({"name": "x", "scopes": scopes});
            weak.post("/companies/acme/api-keys", &body).problem(422, "invalid_field");
        }
        let body = json!({"name": "x", "scopes": ["company:manage"]});
        weak.post("/companies/acme/api-keys", &body).expect(201);
    }

    fn the_description_is_there(server: &TestServer) {
        let document = server.get_plain("/openapi.json");
        let document: Value = serde_json::from_slice(&document.body).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let text = document.to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
        }
        let page = server.get_plain("/docs").text();
        for word in ["/api/v1/companies", "plan_required", "stgd_api_"] {
            assert!(page.contains(word), "{word}");
        }
        for outside in ["http://", "https://", "<script", "src="] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
