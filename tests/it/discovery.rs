//! What the server says of itself, and whether it is true (RFC 7644 §4; RFC 7643 §5 to §7; RFC 9865 §4).

use serde_json::{Value, json};

use crate::company::{BULK_REQUEST, ENTERPRISE, GROUP, STATUS, USER};
use crate::server::on_both_databases;

on_both_databases! {
    /// Requirements row 137: Okta's probes.
    fn the_three_endpoints_answer(server: &TestServer) {
        let acme = server.acme();
        for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"] {
            let answer = acme.get(path).expect(200);
            assert_eq!(answer.header("content-type"), Some("application/scim+json"));
        }
    }

    fn the_configuration_is_complete(server: &TestServer) {
        let config = server.acme().get("/ServiceProviderConfig").expect(200);
        for feature in ["patch", "bulk", "filter", "sort", "etag"] {
            assert_eq!(config[feature]["supported"], true, "{feature}");
        }
        assert_eq!(config["changePassword"]["supported"], false);
        assert_eq!(config["authenticationSchemes"][0]["type"], "oauthbearertoken");
        assert_eq!(config["meta"]["resourceType"], "ServiceProviderConfig");
    }

    /// RFC 9865 §4.
    fn the_pagination_is_published(server: &TestServer) {
        let config = server.acme().get("/ServiceProviderConfig").expect(200);
        let pagination = &config["pagination"];
        assert_eq!((&pagination["cursor"], &pagination["index"]), (&json!(true), &json!(true)));
        assert_eq!(
            (&pagination["defaultPageSize"], &pagination["maxPageSize"]),
            (&json!(100), &json!(500))
        );
        assert!(pagination["cursorTimeout"].is_u64(), "{}", config.reply);
    }

    /// The published maximum is the enforced one.
    fn the_bulk_limit_is_true(server: &TestServer) {
        let acme = server.acme();
        let config = acme.get("/ServiceProviderConfig").expect(200);
        assert_eq!(config["bulk"]["maxPayloadSize"], 4 << 20);
        let limit = usize::try_from(config["bulk"]["maxOperations"].as_u64().unwrap()).unwrap();
        let delete = json!({"method": "DELETE", "path": "/Users/none"});
        let body = |count: usize| {
            json!({"schemas": [BULK_REQUEST],
            "Operations": vec![delete.clone(); count]})
        };
        acme.post("/Bulk", &body(limit)).expect(200);
        acme.post("/Bulk", &body(limit + 1)).fails(413);
    }

    fn the_payload_limit_is_true(server: &TestServer) {
        let acme = server.acme();
        let body = |padding: usize| {
            format!(
                "{{\"schemas\":[\"{BULK_REQUEST}\"],{}\"Operations\":[{}]}}",
                " ".repeat(padding),
                r#"{"method":"DELETE","path":"/Users/none"}"#
            )
        };
        acme.send_bytes("POST", "/Bulk", body((4 << 20) - 1_000).as_bytes()).expect(200);
        acme.send_bytes("POST", "/Bulk", body(4 << 20).as_bytes()).fails(413);
    }

    fn the_filter_limit_is_true(server: &TestServer) {
        let config = server.acme().get("/ServiceProviderConfig").expect(200);
        assert_eq!(config["filter"]["maxResults"], 500);
    }

    fn resource_types_are_a_list(server: &TestServer) {
        let types = server.acme().get("/ResourceTypes").expect(200);
        assert_eq!(
            (types.total(), types.each("name")),
            (2, vec!["User".to_owned(), "Group".to_owned()])
        );
        let user = &types.resources()[0];
        assert_eq!((&user["endpoint"], &user["schema"]), (&json!("/Users"), &json!(USER)));
        let extensions: Vec<&Value> =
            user["schemaExtensions"].as_array().unwrap().iter().map(|e| &e["schema"]).collect();
        assert_eq!(extensions, [ENTERPRISE], "the status is no extension to write");
    }

    fn one_resource_type(server: &TestServer) {
        let acme = server.acme();
        let group = acme.get("/ResourceTypes/Group").expect(200);
        assert_eq!(
            (&group["schema"], &group["meta"]["location"]),
            (&json!(GROUP), &json!(acme.url("/ResourceTypes/Group")))
        );
        acme.get("/ResourceTypes/Boat").fails(404);
    }

    fn schemas_are_a_list(server: &TestServer) {
        let schemas = server.acme().get("/Schemas").expect(200);
        let ids = schemas.each("id");
        for urn in [USER, GROUP, ENTERPRISE, STATUS] {
            assert!(ids.iter().any(|id| id == urn), "{urn}");
        }
        assert_eq!(schemas.total() as usize, ids.len());
    }

    /// RFC 7644 §3.10: URNs compare without case.
    fn one_schema(server: &TestServer) {
        let acme = server.acme();
        assert_eq!(acme.get(&format!("/Schemas/{USER}")).expect(200)["name"], "User");
        assert_eq!(acme.get(&format!("/Schemas/{}", USER.to_lowercase())).expect(200)["id"], USER);
        acme.get("/Schemas/urn:nosuch:2.0:User").fails(404);
    }

    /// Entra cannot read nulls.
    fn nothing_published_is_null(server: &TestServer) {
        for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"] {
            assert!(!server.acme().get(path).expect(200).reply.text().contains("null"), "{path}");
        }
    }

    /// Ruling 10.
    fn no_password_is_published(server: &TestServer) {
        let user = server.acme().get(&format!("/Schemas/{USER}")).expect(200);
        assert!(user["attributes"].as_array().unwrap().iter().all(|a| a["name"] != "password"));
    }

    /// RFC 7643 §4: every attribute but `password`.
    fn every_other_attribute_is_published(server: &TestServer) {
        let user = server.acme().get(&format!("/Schemas/{USER}")).expect(200);
        let names: Vec<&str> = user["attributes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|a| a["name"].as_str())
            .collect();
        for name in [
            "userName",
            "name",
            "displayName",
            "nickName",
            "profileUrl",
            "title",
            "userType",
            "preferredLanguage",
            "locale",
            "timezone",
            "active",
            "emails",
            "phoneNumbers",
            "ims",
            "photos",
            "addresses",
            "groups",
            "entitlements",
            "roles",
            "x509Certificates",
        ] {
            assert!(names.contains(&name), "{name}");
        }
    }

    /// RFC 7644 §4: a filter on discovery is 403; writes are 405.
    fn discovery_is_read_only(server: &TestServer) {
        let acme = server.acme();
        for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas", "/ResourceTypes/User"]
        {
            for method in ["POST", "PUT", "PATCH", "DELETE"] {
                let answer = acme.send_json(method, path, &json!({})).fails(405);
                assert_eq!(answer.header("allow"), Some("GET"), "{method} {path}");
            }
        }
        for path in ["/ResourceTypes", "/Schemas"] {
            acme.filter(path, "name eq \"User\"", "").fails(403);
        }
    }

    fn an_unknown_endpoint_is_404(server: &TestServer) {
        for path in ["/Boats", "/users", "/Users/x/y"] {
            server.acme().get(path).fails(404);
        }
    }
}
