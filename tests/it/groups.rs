//! Groups over HTTP: members as rows, nested groups, `user.groups`, names (RFC 7643 §4.2; ruling 5).
//!
//! One fact a test. What identity providers send stands in `conformance/`, not here.

use std::thread;

use serde_json::{Value, json};

use crate::company::{Company, GROUP, group, sorted, user};
use crate::server::on_both_databases;

/// Adds one member.
fn join(company: &Company, group: &str, member: &str) {
    let add = json!([{"op": "add", "path": "members", "value": [{"value": member}]}]);
    company.patch(&format!("/Groups/{group}"), &add).expect(204);
}

/// Removes one member.
fn leave(company: &Company, group: &str, member: &str) {
    let remove = json!([{"op": "remove", "path": format!("members[value eq \"{member}\"]")}]);
    company.patch(&format!("/Groups/{group}"), &remove).expect(204);
}

/// What a user shows under `groups`: display and type, sorted.
fn groups_of(company: &Company, user: &str) -> Vec<(String, String)> {
    let user = company.get(&format!("/Users/{user}")).expect(200);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let groups = user["groups"].as_array().cloned().unwrap_or_default();
    let mut groups: Vec<_> =
        groups.iter().map(|g| (text(&g["display"]), text(&g["type"]))).collect();
    groups.sort();
    groups
}

/// A list of names and types as [`groups_of`] gives it.
fn named<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect()
}

on_both_databases! {
    fn create_answers_with_the_group(server: &TestServer) {
        let acme = server.acme();
        let ada = acme.post("/Users", &user("ada")).expect(201).id();
        let made = acme.post("/Groups", &group("Harbour", &[&ada])).expect(201);
        assert_eq!(made["schemas"], json!([GROUP]));
        assert_eq!(made["meta"]["resourceType"], "Group");
        let location = acme.url(&format!("/Groups/{}", made.id()));
        assert_eq!(
            (made.header("location"), &made["meta"]["location"]),
            (Some(location.as_str()), &json!(location))
        );
        let member = json!({"value": ada, "$ref": acme.url(&format!("/Users/{ada}")),
            "type": "User"});
        assert_eq!(made["members"], json!([member]));
        assert_eq!(acme.get(&format!("/Groups/{}", made.id())).expect(200).json, made.json);
    }

    fn a_group_needs_a_name(server: &TestServer) {
        let acme = server.acme();
        for body in [
            json!({"schemas": [GROUP]}),
            group("", &[]),
            group("  ", &[]),
            json!({"displayName": 1}),
        ] {
            acme.post("/Groups", &body).refused(400, "invalidValue");
        }
    }

    /// Ruling 5: unique without case.
    fn the_name_is_unique(server: &TestServer) {
        let acme = server.acme();
        acme.group("Harbour", &[]);
        acme.post("/Groups", &group("HARBOUR", &[])).refused(409, "uniqueness");
        let other = acme.group("Quay", &[]);
        acme.put(&format!("/Groups/{other}"), &group("harbour", &[])).refused(409, "uniqueness");
    }

    fn a_group_may_change_the_case_of_its_name(server: &TestServer) {
        let acme = server.acme();
        let id = acme.group("Harbour", &[]);
        assert_eq!(
            acme.put(&format!("/Groups/{id}"), &group("HARBOUR", &[])).expect(200)["displayName"],
            "HARBOUR"
        );
    }

    fn a_deleted_name_is_free(server: &TestServer) {
        let acme = server.acme();
        let first = acme.group("Harbour", &[]);
        acme.delete(&format!("/Groups/{first}")).expect(204);
        assert_ne!(acme.group("Harbour", &[]), first);
    }

    /// Ruling 5: 204, but RFC 7644 §3.5.2 wants 200 with `attributes`.
    fn patch_answers_204_and_with_attributes_200(server: &TestServer) {
        let acme = server.acme();
        let id = acme.group("Harbour", &[]);
        let rename = json!([{"op": "replace", "path": "displayName", "value": "East"}]);
        assert!(acme.patch(&format!("/Groups/{id}"), &rename).expect(204).reply.body.is_empty());
        let answer =
            acme.patch(&format!("/Groups/{id}?attributes=displayName"), &rename).expect(200);
        assert_eq!((&answer["displayName"], &answer["members"]), (&json!("East"), &Value::Null));
    }

    fn patch_answers_with_the_new_version(server: &TestServer) {
        let acme = server.acme();
        let (ada, id) = (acme.user("ada"), acme.group("Harbour", &[]));
        let version =
            || acme.get(&format!("/Groups/{id}")).expect(200).header("etag").unwrap().to_owned();
        let before = version();
        join(acme, &id, &ada);
        let after = version();
        assert_ne!(before, after);
        join(acme, &id, &ada);
        assert_eq!(version(), after, "nothing changed");
    }

    /// Ruling 16: an absent `members` is left alone, an empty one empties.
    fn put_without_members_keeps_them(server: &TestServer) {
        let acme = server.acme();
        let ada = acme.user("ada");
        let id = acme.group("Harbour", &[&ada]);
        acme.put(&format!("/Groups/{id}"), &json!({"schemas": [GROUP], "displayName": "East"}))
            .expect(200);
        assert_eq!(acme.members(&id), [ada]);
        acme.put(&format!("/Groups/{id}"), &group("East", &[])).expect(200);
        assert!(acme.members(&id).is_empty());
    }

    fn remove_members_empties(server: &TestServer) {
        let acme = server.acme();
        let (ada, bo) = (acme.user("ada"), acme.user("bo"));
        let id = acme.group("Harbour", &[&ada, &bo]);
        acme.patch(&format!("/Groups/{id}"), &json!([{"op": "remove", "path": "members"}]))
            .expect(204);
        assert!(acme.members(&id).is_empty());
    }

    /// Operations are applied in their order.
    fn operations_in_order(server: &TestServer) {
        let acme = server.acme();
        let (ada, bo) = (acme.user("ada"), acme.user("bo"));
        let id = acme.group("Harbour", &[&ada]);
        let operations = json!([{"op": "remove", "path": "members"}, {"op": "add",
            "path": "members", "value": [{"value": bo}]},
            {"op": "add", "path": "members", "value": [{"value": ada}]}, {"op": "remove",
                "path": format!("members[value eq \"{bo}\"]")}]);
        acme.patch(&format!("/Groups/{id}"), &operations).expect(204);
        assert_eq!(acme.members(&id), [ada]);
    }

    fn a_value_path_with_or(server: &TestServer) {
        let acme = server.acme();
        let (ada, bo, cy) = (acme.user("ada"), acme.user("bo"), acme.user("cy"));
        let id = acme.group("Harbour", &[&ada, &bo, &cy]);
        let path = format!("members[value eq \"{ada}\" or value eq \"{bo}\"]");
        acme.patch(&format!("/Groups/{id}"), &json!([{"op": "remove", "path": path}])).expect(204);
        assert_eq!(acme.members(&id), [cy]);
    }

    /// Ruling 5: the known are added, in every verb.
    fn unknown_members_are_left_out(server: &TestServer) {
        let acme = server.acme();
        let ada = acme.user("ada");
        let made = acme.post("/Groups", &group("Harbour", &[&ada, "nobody"])).expect(201);
        assert_eq!(acme.members(&made.id()), std::slice::from_ref(&ada));
        let path = format!("/Groups/{}", made.id());
        acme.put(&path, &group("Harbour", &["nobody", &ada])).expect(200);
        assert_eq!(acme.members(&made.id()), std::slice::from_ref(&ada));
        acme.put(&path, &group("Harbour", &["nobody"])).refused(400, "invalidValue");
        assert_eq!(acme.members(&made.id()), [ada]);
    }

    /// Ruling 5: only unknown members: refused by name, and nothing of the request happens.
    fn only_unknown_members_are_refused_whole(server: &TestServer) {
        let acme = server.acme();
        let id = acme.group("Harbour", &[]);
        let operations = json!([{"op": "replace", "path": "displayName", "value": "East"},
            {"op": "add", "path": "members", "value": [{"value": "nobody"}]}]);
        let answer = acme.patch(&format!("/Groups/{id}"), &operations).refused(400, "invalidValue");
        assert!(answer["detail"].as_str().unwrap().contains("nobody"), "{}", answer.reply);
        assert_eq!(acme.get(&format!("/Groups/{id}")).expect(200)["displayName"], "Harbour");
    }

    fn a_deleted_user_is_no_member(server: &TestServer) {
        let acme = server.acme();
        let (ada, bo) = (acme.user("ada"), acme.user("bo"));
        let id = acme.group("Harbour", &[&ada, &bo]);
        acme.delete(&format!("/Users/{ada}")).expect(204);
        assert_eq!(acme.members(&id), [bo]);
    }

    /// Entra ID does not send memberships again after a restore.
    fn an_inactive_user_stays_a_member(server: &TestServer) {
        let acme = server.acme();
        let ada = acme.user("ada");
        let id = acme.group("Harbour", &[&ada]);
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        acme.patch(&format!("/Users/{ada}"), &off).expect(200);
        assert_eq!(acme.members(&id), [ada]);
    }

    /// RFC 7643 §4.1.2: direct and indirect.
    fn user_groups_are_direct_and_indirect(server: &TestServer) {
        let acme = server.acme();
        let ada = acme.user("ada");
        let inner = acme.group("Inner", &[&ada]);
        let middle = acme.group("Middle", &[&inner]);
        acme.group("Outer", &[&middle]);
        assert_eq!(
            groups_of(acme, &ada),
            named([("Inner", "direct"), ("Middle", "indirect"), ("Outer", "indirect")])
        );
        leave(acme, &middle, &inner);
        assert_eq!(groups_of(acme, &ada), named([("Inner", "direct")]));
    }

    /// Both ways into one group: direct wins.
    fn direct_wins_over_indirect(server: &TestServer) {
        let acme = server.acme();
        let ada = acme.user("ada");
        let inner = acme.group("Inner", &[&ada]);
        acme.group("Outer", &[&inner, &ada]);
        assert_eq!(groups_of(acme, &ada), named([("Inner", "direct"), ("Outer", "direct")]));
    }

    fn user_groups_have_references(server: &TestServer) {
        let acme = server.acme();
        let ada = acme.user("ada");
        let id = acme.group("Harbour", &[&ada]);
        let entry = json!({"value": id, "$ref": acme.url(&format!("/Groups/{id}")),
            "display": "Harbour", "type": "direct"});
        assert_eq!(acme.get(&format!("/Users/{ada}")).expect(200)["groups"], json!([entry]));
        assert_eq!(acme.get("/Users").expect(200).resources()[0]["groups"], json!([entry]));
        assert!(
            acme.get(&format!("/Users/{ada}?excludedAttributes=groups")).expect(200)["groups"]
                .is_null()
        );
    }

    fn user_groups_follow_a_rename(server: &TestServer) {
        let acme = server.acme();
        let ada = acme.user("ada");
        let id = acme.group("Harbour", &[&ada]);
        acme.put(&format!("/Groups/{id}"), &json!({"displayName": "East"})).expect(200);
        assert_eq!(groups_of(acme, &ada), named([("East", "direct")]));
    }

    /// Nested groups are members with their own type.
    fn a_group_is_a_member_of_type_group(server: &TestServer) {
        let acme = server.acme();
        let inner = acme.group("Inner", &[]);
        let outer = acme.group("Outer", &[&inner]);
        let member = &acme.get(&format!("/Groups/{outer}")).expect(200)["members"][0];
        let want = json!({"value": inner, "$ref": acme.url(&format!("/Groups/{inner}")),
            "type": "Group"});
        assert_eq!(member, &want);
    }

    /// Ruling 5: cycle-safe.
    fn a_circle_of_three_groups(server: &TestServer) {
        let acme = server.acme();
        let ada = acme.user("ada");
        let a = acme.group("A", &[&ada]);
        let b = acme.group("B", &[&a]);
        let c = acme.group("C", &[&b]);
        join(acme, &a, &c);
        assert_eq!(
            groups_of(acme, &ada),
            named([("A", "direct"), ("B", "indirect"), ("C", "indirect")])
        );
        acme.delete(&format!("/Groups/{b}")).expect(204);
        assert_eq!(groups_of(acme, &ada), named([("A", "direct")]));
    }

    fn a_deleted_group_is_no_member(server: &TestServer) {
        let acme = server.acme();
        let inner = acme.group("Inner", &[]);
        let outer = acme.group("Outer", &[&inner]);
        acme.delete(&format!("/Groups/{inner}")).expect(204);
        assert!(acme.members(&outer).is_empty());
    }

    fn groups_are_found_by_member(server: &TestServer) {
        let acme = server.acme();
        let (ada, bo) = (acme.user("ada"), acme.user("bo"));
        acme.group("Harbour", &[&ada, &bo]);
        acme.group("Quay", &[&bo]);
        let found = acme.filter("/Groups", &format!("members.value eq \"{ada}\""), "").expect(200);
        assert_eq!(found.each("displayName"), ["Harbour"]);
        let found = acme
            .filter("/Groups", &format!("members[value eq \"{bo}\"]"), "&sortBy=displayName")
            .expect(200);
        assert_eq!(found.each("displayName"), ["Harbour", "Quay"]);
    }

    fn users_are_found_by_group(server: &TestServer) {
        let acme = server.acme();
        let (ada, _) = (acme.user("ada"), acme.user("bo"));
        let id = acme.group("Harbour", &[&ada]);
        let found = acme.filter("/Users", &format!("groups.value eq \"{id}\""), "").expect(200);
        assert_eq!(found.each("userName"), ["ada"]);
    }

    /// Row 20: nobody is lost, nobody doubled, nobody refused.
    fn row_20_sixty_four_clients_change_one_group(server: &TestServer) {
        const CLIENTS: usize = 64;
        const ROUNDS: usize = 50;
        let acme = server.acme();
        let id = acme.group("Harbour", &[]);
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (id, acme) = (&id, acme.clone());
                scope.spawn(move || {
                    let me = acme.post("/Users", &user(&format!("u{client}"))).expect(201).id();
                    for _ in 0..ROUNDS / 2 {
                        join(&acme, id, &me);
                        leave(&acme, id, &me);
                    }
                    join(&acme, id, &me);
                });
            }
        });
        let mut everybody = acme.get("/Users?count=500").expect(200).each("id");
        everybody.sort();
        assert_eq!(everybody.len(), CLIENTS);
        assert_eq!(acme.members(&id), everybody);
    }

    fn a_rename_among_member_changes(server: &TestServer) {
        let acme = server.acme();
        let id = acme.group("Harbour", &[]);
        let users: Vec<String> = (0..16).map(|i| acme.user(&format!("u{i}"))).collect();
        thread::scope(|scope| {
            for (i, member) in users.iter().enumerate() {
                let (id, acme) = (&id, acme.clone());
                scope.spawn(move || {
                    join(&acme, id, member);
                    let rename = json!([{"op": "replace", "path": "displayName",
                        "value": format!("Harbour {i}")}]);
                    acme.patch(&format!("/Groups/{id}"), &rename).expect(204);
                });
            }
        });
        assert_eq!(acme.members(&id).len(), users.len());
        assert!(
            acme.get(&format!("/Groups/{id}")).expect(200)["displayName"]
                .as_str()
                .unwrap()
                .starts_with("Harbour ")
        );
    }

    fn a_large_group_in_one_request(server: &TestServer) {
        let acme = server.acme();
        let users: Vec<String> = (0..300).map(|i| acme.user(&format!("u{i}"))).collect();
        let ids: Vec<&str> = users.iter().map(String::as_str).collect();
        let id = acme.group("Harbour", &ids);
        assert_eq!(acme.members(&id).len(), 300);
        acme.put(&format!("/Groups/{id}"), &group("Harbour", &ids[..150])).expect(200);
        assert_eq!(acme.members(&id).len(), 150);
    }

    fn two_groups_share_their_members(server: &TestServer) {
        let acme = server.acme();
        let (ada, bo) = (acme.user("ada"), acme.user("bo"));
        let (a, b) = (acme.group("A", &[&ada, &bo]), acme.group("B", &[&ada]));
        leave(acme, &a, &ada);
        assert_eq!((acme.members(&a), acme.members(&b)), (sorted([&bo]), sorted([&ada])));
    }
}
