//! Rows 33 to 43: PATCH and bulk.

use serde_json::{Value, json};

use super::{Watch, people, refused_by, replace};
use crate::company::{BULK_REQUEST, ENTERPRISE, PATCH_OP, USER, group, user};
use crate::server::on_both_databases;

/// A bulk request of these operations.
fn bulk(operations: &[Value]) -> Value {
    json!({"schemas": [BULK_REQUEST], "Operations": operations})
}

on_both_databases! {
    fn f33_no_operations(server: &TestServer) {
        let acme = server.acme();
        let (ada, _, group) = people(acme);
        let watch = Watch::over(server);
        for body in [
            json!({"schemas": [PATCH_OP]}),
            json!({"schemas": [PATCH_OP], "Operations": []}),
            json!({"schemas": [PATCH_OP], "Operations": {}}),
            json!({"schemas": [PATCH_OP], "Operations": [1]}),
            json!({"schemas": [PATCH_OP], "Operations": [{"op": "destroy", "path": "title"}]}),
            json!({"schemas": [PATCH_OP], "Operations": [{"path": "title", "value": "x"}]}),
        ] {
            for path in [format!("/Users/{ada}"), format!("/Groups/{group}")] {
                acme.send_json("PATCH", &path, &body).refused(400, "invalidSyntax");
            }
        }
        watch.nothing_changed();
    }

    fn f34_remove_without_a_path(server: &TestServer) {
        let acme = server.acme();
        let (ada, _, group) = people(acme);
        let watch = Watch::over(server);
        for operations in
            [json!([{"op": "remove"}]), json!([{"op": "Remove", "value": {"title": "x"}}])]
        {
            acme.patch(&format!("/Users/{ada}"), &operations).refused(400, "noTarget");
            acme.patch(&format!("/Groups/{group}"), &operations).refused(400, "noTarget");
        }
        watch.nothing_changed();
    }

    fn f35_read_only_targets(server: &TestServer) {
        let acme = server.acme();
        let (ada, _, group) = people(acme);
        let watch = Watch::over(server);
        for path in ["id", "meta", "meta.created", "groups", "schemas"] {
            acme.patch(&format!("/Users/{ada}"), &replace(path, &json!("x")))
                .refused(400, "mutability");
        }
        acme.patch(&format!("/Groups/{group}"), &replace("id", &json!("x")))
            .refused(400, "mutability");
        let remove = json!([{"op": "remove", "path": "id"}]);
        acme.patch(&format!("/Users/{ada}"), &remove).refused(400, "mutability");
        watch.nothing_changed();
    }

    fn f36_paths_that_are_none(server: &TestServer) {
        let acme = server.acme();
        let (ada, _, group) = people(acme);
        let watch = Watch::over(server);
        let long = "a".repeat(1_025);
        let deep = format!("emails[{}type eq \"x\"{}]", "(".repeat(50), ")".repeat(50));
        for path in [
            "emails[0]",
            "__proto__.x",
            "constructor",
            "emails[",
            "emails]",
            "[type eq \"x\"]",
            "name..givenName",
            ".",
            "emails[type eq \"work\"].value.x",
            "urn:nosuch:2.0:User:x.y",
            "/name/givenName",
            "userName[0]",
            &long,
            &deep,
        ] {
            acme.patch(&format!("/Users/{ada}"), &replace(path, &json!("x")))
                .refused(400, "invalidPath");
        }
        for path in ["members[value eq", "members[value eq \"x\"", "members[0]", "owner"] {
            let operations = json!([{"op": "remove", "path": path}]);
            acme.patch(&format!("/Groups/{group}"), &operations).refused(400, "invalidPath");
        }
        watch.nothing_changed();
    }

    fn f37_a_good_operation_and_a_bad_one(server: &TestServer) {
        let acme = server.acme();
        let (ada, bo, group) = people(acme);
        let watch = Watch::over(server);
        let user = json!([{"op": "replace", "path": "title", "value": "Pilot"}, {"op": "replace",
            "path": "nosuch", "value": 1}]);
        acme.patch(&format!("/Users/{ada}"), &user).refused(400, "invalidPath");
        let members = json!([{"op": "add", "path": "members", "value": [{"value": bo}]},
            {"op": "replace", "path": "displayName", "value": "East"}, {"op": "replace",
                "path": "id", "value": "x"}]);
        acme.patch(&format!("/Groups/{group}"), &members).refused(400, "mutability");
        watch.nothing_changed();
    }

    fn f38_a_replace_without_members_keeps_them(server: &TestServer) {
        let acme = server.acme();
        let (ada, _, group) = people(acme);
        let rename =
            json!([{"op": "replace", "value": {"displayName": "East", "externalId": "g-1"}}]);
        acme.patch(&format!("/Groups/{group}"), &rename).expect(204);
        assert_eq!(acme.members(&group), [ada]);
    }

    fn f39_one_member_a_thousand_times(server: &TestServer) {
        let acme = server.acme();
        let (_, bo, group) = people(acme);
        let many = vec![json!({"value": bo}); 1_000];
        let add = json!([{"op": "add", "path": "members", "value": many}]);
        acme.patch(&format!("/Groups/{group}"), &add).expect(204);
        assert_eq!(acme.members(&group).iter().filter(|id| **id == bo).count(), 1);
        let one_by_one =
            vec![json!({"op": "add", "path": "members", "value": [{"value": bo}]}); 1_000];
        acme.patch(&format!("/Groups/{group}"), &json!(one_by_one)).expect(204);
        assert_eq!(acme.members(&group).len(), 2);
    }

    fn f40_ten_thousand_operations(server: &TestServer) {
        let acme = server.acme();
        let (ada, _, group) = people(acme);
        let watch = Watch::over(server);
        for count in [1_001, 10_000] {
            let operations =
                json!(vec![json!({"op": "replace", "path": "title", "value": "x"}); count]);
            acme.patch(&format!("/Users/{ada}"), &operations).fails(413);
            let operations =
                json!(vec![json!({"op": "replace", "path": "displayName", "value": "x"}); count]);
            acme.patch(&format!("/Groups/{group}"), &operations).fails(413);
        }
        watch.nothing_changed();
    }

    fn f41_a_group_in_itself(server: &TestServer) {
        let acme = server.acme();
        let (_, _, harbour) = people(acme);
        let watch = Watch::over(server);
        let add = json!([{"op": "add", "path": "members", "value": [{"value": harbour,
            "type": "Group"}]}]);
        acme.patch(&format!("/Groups/{harbour}"), &add).refused(400, "invalidValue");
        acme.put(&format!("/Groups/{harbour}"), &group("Harbour", &[&harbour]))
            .refused(400, "invalidValue");
        watch.nothing_changed();
    }

    fn f41_a_circle_of_groups(server: &TestServer) {
        let acme = server.acme();
        let ada = acme.user("ada@tern.example");
        let (a, b) = (acme.group("A", &[&ada]), acme.group("B", &[]));
        for (inside, outside) in [(&a, &b), (&b, &a)] {
            let add = json!([{"op": "add", "path": "members", "value": [{"value": inside}]}]);
            acme.patch(&format!("/Groups/{outside}"), &add).expect(204);
        }
        let groups =
            acme.get(&format!("/Users/{ada}")).expect(200)["groups"].as_array().unwrap().len();
        assert_eq!(groups, 2);
        acme.get("/Groups").expect(200);
    }

    fn f42_a_stale_version(server: &TestServer) {
        let acme = server.acme();
        let (ada, _, group_id) = people(acme);
        let paths = [format!("/Users/{ada}"), format!("/Groups/{group_id}")];
        let stale = paths
            .clone()
            .map(|path| acme.get(&path).expect(200).header("etag").unwrap().to_owned());
        for path in &paths {
            let answer = acme.patch(path, &replace("displayName", &json!("Newer")));
            assert!(matches!(answer.status, 200 | 204), "{}", answer.reply);
        }
        let watch = Watch::over(server);
        for (path, stale) in paths.iter().zip(&stale) {
            let headers = [("Content-Type", "application/scim+json"), ("If-Match", stale.as_str())];
            let body = if path.starts_with("/Users") {
                user("ada@tern.example")
            } else {
                group("Old", &[])
            };
            acme.send("PUT", path, &headers, Some(body.to_string().as_bytes())).fails(412);
            let patch =
                json!({"schemas": [PATCH_OP], "Operations": replace("displayName", &json!("Old"))});
            acme.send("PATCH", path, &headers, Some(patch.to_string().as_bytes())).fails(412);
            acme.send("DELETE", path, &headers[1..], None).fails(412);
        }
        watch.nothing_changed();
    }

    fn f43_a_bulk_of_twenty_thousand(server: &TestServer) {
        let watch = Watch::over(server);
        let operation = |i: usize| {
            json!({"method": "POST", "path": "/Users",
            "bulkId": format!("b{i}"), "data": {"userName": format!("u{i}")}})
        };
        for count in [501, 20_000] {
            let operations: Vec<Value> = (0..count).map(operation).collect();
            server.acme().post("/Bulk", &bulk(&operations)).fails(413);
        }
        watch.nothing_changed();
    }

    fn f43_groups_that_name_each_other(server: &TestServer) {
        let acme = server.acme();
        let make = |name: &str, other: &str| {
            json!({"method": "POST", "path": "/Groups", "bulkId": name,
            "data": group(name, &[&format!("bulkId:{other}")])})
        };
        let answer = acme.post("/Bulk", &bulk(&[make("a", "b"), make("b", "a")])).expect(200);
        let operations = answer["Operations"].as_array().unwrap();
        assert!(operations.iter().all(|o| o["status"] == "201"), "{}", answer.reply);
        let groups = acme.get("/Groups").expect(200);
        for group in groups.resources() {
            assert_eq!(group["members"][0]["type"], "Group", "{group}");
        }
        assert_eq!(groups.total(), 2);
    }

    fn f43_users_that_name_each_other(server: &TestServer) {
        let watch = Watch::over(server);
        let make = |name: &str, other: &str| {
            json!({"method": "POST", "path": "/Users", "bulkId": name,
            "data": {"schemas": [USER, ENTERPRISE], "userName": name,
                ENTERPRISE: {"manager": {"value": format!("bulkId:{other}")}}}})
        };
        let answer = server.acme().post("/Bulk", &bulk(&[make("a", "b"), make("b", "a")]));
        let refused = match answer["Operations"].as_array() {
            Some(operations) => operations.iter().all(|o| o["status"] == "409"),
            None => answer.status == 409,
        };
        assert!(refused, "{}", answer.reply);
        watch.nothing_changed();
    }

    fn f43_bulk_paths_to_elsewhere(server: &TestServer) {
        let acme = server.acme();
        people(acme);
        let watch = Watch::over(server);
        let paths = [
            "../../admin",
            "/../Users",
            "/Users/../Groups",
            "/Bulk",
            "/Schemas",
            "http://evil.example/Users",
            "",
            "/",
            "/users?filter=x",
            "/Me",
            "//Users",
        ];
        let operations = paths.map(|path| {
            json!({"method": "POST", "path": path, "bulkId": "x",
            "data": {"userName": "cy"}})
        });
        for operation in operations {
            let answer = acme.post("/Bulk", &bulk(&[operation])).expect(200);
            assert_eq!(answer["Operations"][0]["status"], "400", "{}", answer.reply);
        }
        watch.nothing_changed();
    }

    fn f43_bulk_operations_that_are_none(server: &TestServer) {
        let acme = server.acme();
        people(acme);
        let watch = Watch::over(server);
        for operations in [json!(null), json!({}), json!("x")] {
            let body = json!({"schemas": [BULK_REQUEST], "Operations": operations});
            refused_by(acme.post("/Bulk", &body), &[400]);
        }
        for operation in [
            json!(1),
            json!({"method": "GET", "path": "/Users"}),
            json!({"method": "POST", "path": "/Users"}),
            json!({"method": "DELETE", "path": "/Users"}),
            json!({"path": "/Users"}),
        ] {
            let answer = acme.post("/Bulk", &bulk(&[operation]));
            if answer.status == 200 {
                let status = answer["Operations"][0]["status"].as_str().unwrap_or_default();
                assert!(matches!(status, "400" | "404" | "405"), "{}", answer.reply);
            } else {
                refused_by(answer, &[400]);
            }
        }
        watch.nothing_changed();
    }
}
