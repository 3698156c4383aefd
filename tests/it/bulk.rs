//! Bulk (RFC 7644 §3.7): order, `bulkId` references, `failOnErrors`, one answer an operation.

use serde_json::{Value, json};

use crate::company::{BULK_REQUEST, Company, ENTERPRISE, PATCH_OP, USER, group, user};
use crate::server::on_both_databases;

/// Sends operations; the answers in their order.
#[track_caller]
fn bulk(company: &Company, operations: &[Value]) -> Vec<Value> {
    let body = json!({"schemas": [BULK_REQUEST], "Operations": operations});
    let answer = company.post("/Bulk", &body).expect(200);
    assert_eq!(answer["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    answer["Operations"].as_array().unwrap_or_else(|| panic!("{}", answer.reply)).clone()
}

/// A POST of a user or a group.
fn create(bulk_id: &str, path: &str, data: &Value) -> Value {
    json!({"method": "POST", "path": path, "bulkId": bulk_id, "data": data})
}

/// The statuses of the answers.
fn statuses(answers: &[Value]) -> Vec<&str> {
    answers.iter().map(|a| a["status"].as_str().unwrap_or_default()).collect()
}

/// The id at the end of an answer's `location`.
fn id_of(answer: &Value) -> String {
    answer["location"]
        .as_str()
        .unwrap_or_default()
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned()
}

on_both_databases! {
    fn every_method(server: &TestServer) {
        let acme = server.acme();
        let (ada, bo, cy) = (acme.user("ada"), acme.user("bo"), acme.user("cy"));
        let patch = json!({"schemas": [PATCH_OP], "Operations": [{"op": "replace", "path": "title",
            "value": "Pilot"}]});
        let answers = bulk(
            acme,
            &[
                create("new", "/Users", &user("dag")),
                json!({"method": "PUT", "path": format!("/Users/{ada}"), "data": user("ada.ek")}),
                json!({"method": "PATCH", "path": format!("/Users/{bo}"), "data": patch}),
                json!({"method": "DELETE", "path": format!("/Users/{cy}")}),
            ],
        );
        assert_eq!(statuses(&answers), ["201", "200", "200", "204"]);
        let title = acme.get(&format!("/Users/{bo}")).expect(200)["title"].clone();
        assert_eq!(title, "Pilot");
        assert_eq!(
            acme.get("/Users?sortBy=userName").expect(200).each("userName"),
            ["ada.ek", "bo", "dag"]
        );
    }

    fn an_answer_has_location_and_bulk_id(server: &TestServer) {
        let acme = server.acme();
        let answers = bulk(acme, &[create("new", "/Users", &user("ada"))]);
        let id = id_of(&answers[0]);
        assert_eq!((&answers[0]["bulkId"], &answers[0]["method"]), (&json!("new"), &json!("POST")));
        assert_eq!(answers[0]["location"], acme.url(&format!("/Users/{id}")));
        let read = acme.get(&format!("/Users/{id}")).expect(200);
        assert_eq!(answers[0]["version"].as_str(), read.header("etag"));
    }

    /// RFC 7644 §3.7.2: a group that names a user of the same request.
    fn a_reference_to_a_new_user(server: &TestServer) {
        let acme = server.acme();
        let answers = bulk(
            acme,
            &[
                create("u", "/Users", &user("ada")),
                create("g", "/Groups", &group("Harbour", &["bulkId:u"])),
            ],
        );
        assert_eq!(statuses(&answers), ["201", "201"]);
        assert_eq!(acme.members(&id_of(&answers[1])), [id_of(&answers[0])]);
    }

    /// RFC 7644 §3.7.2: the order of the request does not matter to references.
    fn a_reference_ahead_of_its_user(server: &TestServer) {
        let acme = server.acme();
        let answers = bulk(
            acme,
            &[
                create("g", "/Groups", &group("Harbour", &["bulkId:u"])),
                create("u", "/Users", &user("ada")),
            ],
        );
        assert_eq!(statuses(&answers), ["201", "201"]);
        assert_eq!(answers[0]["bulkId"], "g", "answers keep the order of the request");
        assert_eq!(acme.members(&id_of(&answers[0])), [id_of(&answers[1])]);
    }

    fn a_reference_in_a_path(server: &TestServer) {
        let acme = server.acme();
        let patch = json!({"schemas": [PATCH_OP], "Operations": [{"op": "add", "path": "members",
            "value": [{"value": "bulkId:u"}]}]});
        let answers = bulk(
            acme,
            &[
                create("u", "/Users", &user("ada")),
                create("g", "/Groups", &group("Harbour", &[])),
                json!({"method": "PATCH", "path": "/Groups/bulkId:g", "data": patch}),
            ],
        );
        assert_eq!(statuses(&answers[..2]), ["201", "201"]);
        assert!(matches!(answers[2]["status"].as_str(), Some("200" | "204")), "{answers:?}");
        assert_eq!(acme.members(&id_of(&answers[1])), [id_of(&answers[0])]);
    }

    fn a_reference_to_a_manager(server: &TestServer) {
        let acme = server.acme();
        let ada = json!({"schemas": [USER, ENTERPRISE], "userName": "ada",
            ENTERPRISE: {"manager": {"value": "bulkId:boss"}}});
        let answers =
            bulk(acme, &[create("ada", "/Users", &ada), create("boss", "/Users", &user("bo"))]);
        let read = acme.get(&format!("/Users/{}", id_of(&answers[0]))).expect(200);
        assert_eq!(read[ENTERPRISE]["manager"]["value"], id_of(&answers[1]));
    }

    /// RFC 7644 §3.7.1.
    fn three_groups_in_a_circle(server: &TestServer) {
        let acme = server.acme();
        let answers = bulk(
            acme,
            &[
                create("a", "/Groups", &group("A", &["bulkId:b"])),
                create("b", "/Groups", &group("B", &["bulkId:c"])),
                create("c", "/Groups", &group("C", &["bulkId:a"])),
            ],
        );
        assert_eq!(statuses(&answers), ["201"; 3]);
        let ids: Vec<String> = answers.iter().map(id_of).collect();
        for i in 0..3 {
            assert_eq!(acme.members(&ids[i]), [ids[(i + 1) % 3].clone()]);
        }
    }

    fn a_reference_to_nothing(server: &TestServer) {
        let acme = server.acme();
        let answers = bulk(acme, &[create("g", "/Groups", &group("Harbour", &["bulkId:nobody"]))]);
        assert!(matches!(answers[0]["status"].as_str(), Some("400" | "409")), "{answers:?}");
        assert_eq!(acme.get("/Groups").expect(200).total(), 0);
    }

    /// A failed operation fails what refers to it, and nothing else.
    fn a_reference_to_a_failed_operation(server: &TestServer) {
        let acme = server.acme();
        acme.user("ada");
        let answers = bulk(
            acme,
            &[
                create("u", "/Users", &user("ada")),
                create("g", "/Groups", &group("Harbour", &["bulkId:u"])),
                create("v", "/Users", &user("bo")),
            ],
        );
        assert_eq!((&answers[0]["status"], &answers[2]["status"]), (&json!("409"), &json!("201")));
        assert!(answers[1]["status"].as_str().is_some_and(|s| s.starts_with('4')), "{answers:?}");
    }

    /// Each operation for itself: what fails undoes nothing of the others.
    fn errors_stand_beside_successes(server: &TestServer) {
        let acme = server.acme();
        acme.user("ada");
        let answers = bulk(
            acme,
            &[
                create("a", "/Users", &user("ada")),
                create("b", "/Users", &user("bo")),
                json!({"method": "DELETE", "path": "/Users/nobody"}),
            ],
        );
        assert_eq!(statuses(&answers), ["409", "201", "404"]);
        let error = &answers[0]["response"];
        assert_eq!((&error["scimType"], &error["status"]), (&json!("uniqueness"), &json!("409")));
        assert_eq!(acme.get("/Users").expect(200).total(), 2);
    }

    /// RFC 7644 §3.7.3.
    fn fail_on_errors_stops(server: &TestServer) {
        let acme = server.acme();
        acme.user("ada");
        let operations = [
            create("a", "/Users", &user("bo")),
            create("b", "/Users", &user("ada")),
            create("c", "/Users", &user("cy")),
        ];
        let body = json!({"schemas": [BULK_REQUEST], "failOnErrors": 1, "Operations": operations});
        let answer = acme.post("/Bulk", &body).expect(200);
        assert_eq!(statuses(answer["Operations"].as_array().unwrap()), ["201", "409"]);
        assert_eq!(acme.get("/Users?sortBy=userName").expect(200).each("userName"), ["ada", "bo"]);
    }

    /// RFC 7644 §3.7: `version` is an If-Match.
    fn a_stale_version(server: &TestServer) {
        let acme = server.acme();
        let made = acme.post("/Users", &user("ada")).expect(201);
        let version = made.header("etag").unwrap().to_owned();
        let path = format!("/Users/{}", made.id());
        acme.put(&path, &json!({"userName": "ada", "title": "Pilot"})).expect(200);
        let answers = bulk(acme, &[json!({"method": "DELETE", "path": path, "version": version})]);
        assert_eq!(statuses(&answers), ["412"]);
        acme.get(&path).expect(200);
    }

    /// RFC 7644 §3.7: a POST needs a bulkId.
    fn a_post_without_a_bulk_id(server: &TestServer) {
        let acme = server.acme();
        let answers =
            bulk(acme, &[json!({"method": "POST", "path": "/Users", "data": user("ada")})]);
        assert_eq!(statuses(&answers), ["400"]);
    }

    fn a_whole_company_at_once(server: &TestServer) {
        let acme = server.acme();
        let mut operations: Vec<Value> =
            (0..400).map(|i| create(&format!("u{i}"), "/Users", &user(&format!("u{i}")))).collect();
        let members: Vec<String> = (0..400).map(|i| format!("bulkId:u{i}")).collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        operations.push(create("g", "/Groups", &group("Everybody", &members)));
        let answers = bulk(acme, &operations);
        assert!(answers.iter().all(|a| a["status"] == "201"));
        assert_eq!(acme.members(&id_of(&answers[400])).len(), 400);
    }

    fn bulk_is_a_post(server: &TestServer) {
        server.acme().get("/Bulk").fails(405);
    }
}
