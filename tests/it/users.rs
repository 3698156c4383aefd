//! Users over HTTP: create, read, replace, change, delete, the rehire rule, versions (RFC 7644 §3).
//!
//! One fact a test. What identity providers send stands in `conformance/`, not here.

use serde_json::json;

use crate::company::{Company, ENTERPRISE, STATUS, USER, user};
use crate::server::{TestServer, on_both_databases};

/// A user with an `externalId`.
fn known(user_name: &str, external_id: &str) -> serde_json::Value {
    json!({"schemas": [USER], "userName": user_name, "externalId": external_id})
}

/// Sets `active`.
fn activate(company: &Company, id: &str, active: bool) {
    let operations = json!([{"op": "replace", "path": "active", "value": active}]);
    let answer = company.patch(&format!("/Users/{id}"), &operations).expect(200);
    assert_eq!(answer["active"], active);
}

on_both_databases! {
    /// RFC 7644 §3.3: 201, Location, the whole resource.
    fn create_answers_with_the_resource(server: &TestServer) {
        let acme = server.acme();
        let made = acme.post("/Users", &user("ada@tern.example")).expect(201);
        assert_eq!(made["schemas"], json!([USER]));
        assert_eq!(made["userName"], "ada@tern.example");
        assert_eq!(made.header("content-type"), Some("application/scim+json"));
        let location = acme.url(&format!("/Users/{}", made.id()));
        assert_eq!(made.header("location"), Some(location.as_str()));
        assert_eq!(made["meta"]["location"], location);
    }

    /// RFC 7643 §3.1.
    fn meta_is_complete(server: &TestServer) {
        let acme = server.acme();
        let made = acme.post("/Users", &user("ada@tern.example")).expect(201);
        let meta = &made["meta"];
        assert_eq!(meta["resourceType"], "User");
        assert_eq!(meta["created"], meta["lastModified"]);
        let created = meta["created"].as_str().unwrap();
        assert!(created.contains('T') && created.ends_with('Z'), "{created}");
        assert_eq!(meta["version"].as_str(), made.header("etag"));
        let changed = acme.patch(
            &format!("/Users/{}", made.id()),
            &json!([{"op": "add", "path": "title", "value": "x"}]),
        );
        let changed = changed.expect(200);
        assert_eq!(changed["meta"]["created"], meta["created"]);
        assert!(changed["meta"]["lastModified"].as_str() > meta["lastModified"].as_str());
        assert_ne!(changed["meta"]["version"], meta["version"]);
    }

    /// What is made behind a refusal has a key of its own; a user has as many values in the index as she has.
    fn every_value_leads_to_its_own_user(server: &TestServer) {
        let acme = server.acme();
        let emails = |name: &str, some: std::ops::Range<usize>| -> serde_json::Value {
            some.map(|n| json!({"value": format!("{name}{n}@tern.example")})).collect()
        };
        for (name, made, added) in [("a", 1, 1), ("b", 16, 17), ("c", 17, 16), ("d", 0, 20)] {
            let new = json!({"schemas": [USER], "userName": name, "emails": emails(name, 0..made)});
            let id = acme.post("/Users", &new).expect(201).id().to_owned();
            acme.post("/Users", &new).expect(409);
            let more = emails(name, made..made + added);
            let operations = json!([{"op": "add", "path": "emails", "value": more}]);
            acme.patch(&format!("/Users/{id}"), &operations).expect(200);
            for n in 0..made + added {
                let filter = format!("/Users?filter=emails.value%20eq%20%22{name}{n}@tern.example%22");
                let found = acme.get(&filter).expect(200);
                assert_eq!(found["totalResults"], 1, "{name}{n}");
                assert_eq!(found["Resources"][0]["id"], id.as_str(), "{name}{n}");
            }
        }
    }

    /// Ruling 1: ids are UUIDs of version 7.
    fn ids_are_made_by_the_server(server: &TestServer) {
        let id = server.acme().user("ada@tern.example");
        assert_eq!((id.len(), id.as_bytes()[14]), (36, b'7'), "{id}");
    }

    /// Ruling 3.
    fn a_new_user_is_staged(server: &TestServer) {
        let acme = server.acme();
        let made = acme.post("/Users", &user("ada@tern.example")).expect(201);
        assert!(made[STATUS].is_null(), "only where it is asked for");
        assert_eq!(acme.status(&made.id()), json!({"status": "STAGED"}));
        activate(acme, &made.id(), false);
        assert_eq!(acme.status(&made.id()), json!({"status": "DEACTIVATED"}));
    }

    /// Ruling 3: SCIM shows `active` as it was last written; without a word a user is active.
    fn active_is_shown(server: &TestServer) {
        let acme = server.acme();
        let made = acme.post("/Users", &user("ada@tern.example")).expect(201);
        assert_eq!(made["active"], true);
    }

    /// Ruling 3: the status is ours to compute.
    fn the_status_cannot_be_written(server: &TestServer) {
        let acme = server.acme();
        let id = acme.user("ada@tern.example");
        let operations =
            json!([{"op": "replace", "path": format!("{STATUS}:status"), "value": "ACTIVE"}]);
        acme.patch(&format!("/Users/{id}"), &operations).refused(400, "mutability");
        let body = json!({"schemas": [USER], "userName": "ada@tern.example",
            STATUS: {"status": "ACTIVE"}});
        let put = acme.put(&format!("/Users/{id}"), &body).expect(200);
        assert_eq!(acme.status(&put.id())["status"], "STAGED");
    }

    fn every_attribute_of_the_rfc_comes_back(server: &TestServer) {
        let acme = server.acme();
        let body = json!({"schemas": [USER, ENTERPRISE], "userName": "ada@tern.example",
            "externalId": "x-1",
            "name": {"formatted": "Dr Ada B. Ek", "familyName": "Ek", "givenName": "Ada",
                "middleName": "B.",
                "honorificPrefix": "Dr", "honorificSuffix": "III"},
            "displayName": "Ada Ek", "nickName": "A", "profileUrl": "https://tern.example/ada",
                "title": "Pilot",
            "userType": "Employee", "preferredLanguage": "sv", "locale": "sv-SE",
                "timezone": "Europe/Stockholm", "active": true,
            "emails": [{"value": "ada@tern.example", "type": "work", "display": "Ada",
                "primary": true}, {"value": "a@home.example", "type": "home"}],
            "phoneNumbers": [{"value": "tel:+46-555-0100", "type": "work"}],
                "ims": [{"value": "ada", "type": "xmpp"}],
            "photos": [{"value": "https://tern.example/ada.png", "type": "photo"}],
            "addresses": [{"type": "work", "streetAddress": "Quay 7", "locality": "Tern",
                "region": "North", "postalCode": "1",
                "country": "SE", "formatted": "Quay 7\nTern", "primary": true}],
            "entitlements": [{"value": "crane"}], "roles": [{"value": "Cook", "primary": true}],
            "x509Certificates": [{"value": "MIIB"}],
            ENTERPRISE: {"employeeNumber": "1", "costCenter": "2", "organization": "Tern",
                "division": "North", "department": "Locks",
                "manager": {"value": "boss"}}});
        let made = acme.post("/Users", &body).expect(201);
        for read in [&made, &acme.get(&format!("/Users/{}", made.id())).expect(200)] {
            for (name, sent) in body.as_object().unwrap() {
                if name != "schemas" {
                    assert_eq!(&read[name.as_str()], sent, "{name}");
                }
            }
        }
    }

    /// RFC 7644 §3.5.1: what a PUT leaves out is cleared.
    fn put_clears_what_it_leaves_out(server: &TestServer) {
        let acme = server.acme();
        let body = json!({"schemas": [USER], "userName": "ada@tern.example", "title": "Pilot",
            "emails": [{"value": "a@tern.example"}]});
        let id = acme.post("/Users", &body).expect(201).id();
        let put = acme.put(&format!("/Users/{id}"), &user("ada@tern.example")).expect(200);
        assert!(put["title"].is_null() && put["emails"].is_null(), "{}", put.reply);
        assert_eq!(put.id(), id);
    }

    /// Ruling 16: the path decides.
    fn put_ignores_the_id_in_the_body(server: &TestServer) {
        let acme = server.acme();
        let (ada, bo) = (acme.user("ada@tern.example"), acme.user("bo@tern.example"));
        let body =
            json!({"schemas": [USER], "id": bo, "userName": "ada@tern.example", "title": "Pilot"});
        assert_eq!(acme.put(&format!("/Users/{ada}"), &body).expect(200).id(), ada);
        assert!(acme.get(&format!("/Users/{bo}")).expect(200)["title"].is_null());
    }

    fn put_needs_a_user_name(server: &TestServer) {
        let acme = server.acme();
        let id = acme.user("ada@tern.example");
        acme.put(&format!("/Users/{id}"), &json!({"schemas": [USER], "title": "x"}))
            .refused(400, "invalidValue");
    }

    /// RFC 7644 §3.6.
    fn delete_is_the_end(server: &TestServer) {
        let acme = server.acme();
        let id = acme.user("ada@tern.example");
        let path = format!("/Users/{id}");
        let gone = acme.delete(&path).expect(204);
        assert!(gone.reply.body.is_empty());
        acme.get(&path).fails(404);
        acme.put(&path, &user("ada@tern.example")).fails(404);
        acme.patch(&path, &json!([{"op": "replace", "path": "active", "value": true}])).fails(404);
        acme.delete(&path).fails(404);
        assert_eq!(acme.get("/Users").expect(200).total(), 0);
    }

    fn a_deleted_user_name_is_free(server: &TestServer) {
        let acme = server.acme();
        let first = acme.post("/Users", &known("ada@tern.example", "x-1")).expect(201).id();
        acme.delete(&format!("/Users/{first}")).expect(204);
        let second = acme.post("/Users", &known("ada@tern.example", "x-1")).expect(201);
        assert_ne!(second.id(), first);
        assert_eq!(acme.status(&second.id())["status"], "STAGED");
    }

    /// Ruling 4: the same person under the same id.
    fn rehire_by_user_name_revives(server: &TestServer) {
        let acme = server.acme();
        let id = acme.user("ada@tern.example");
        activate(acme, &id, false);
        let again = acme.post(
            "/Users",
            &json!({"schemas": [USER], "userName": "ADA@tern.example", "title": "Pilot"}),
        );
        let again = again.expect(201);
        assert_eq!((again.id(), &again["active"]), (id, &json!(true)));
        assert_eq!(
            (&again["userName"], &again["title"]),
            (&json!("ADA@tern.example"), &json!("Pilot"))
        );
    }

    fn rehire_by_external_id_revives(server: &TestServer) {
        let acme = server.acme();
        let id = acme.post("/Users", &known("ada@tern.example", "x-1")).expect(201).id();
        activate(acme, &id, false);
        let again = acme.post("/Users", &known("ada.ek@tern.example", "x-1")).expect(201);
        assert_eq!((again.id(), &again["userName"]), (id, &json!("ada.ek@tern.example")));
    }

    /// Ruling 4: the same person keeps their groups.
    fn rehire_with_the_same_external_id_keeps_the_groups(server: &TestServer) {
        let acme = server.acme();
        let id = acme.post("/Users", &known("ada@tern.example", "x-1")).expect(201).id();
        let group = acme.group("Harbour", &[&id]);
        activate(acme, &id, false);
        acme.post("/Users", &known("ada@tern.example", "x-1")).expect(201);
        assert_eq!(acme.members(&group), [id]);
    }

    /// Ruling 4: another person with a recycled name starts afresh.
    fn rehire_with_another_external_id_starts_afresh(server: &TestServer) {
        let acme = server.acme();
        let id = acme.post("/Users", &known("ada@tern.example", "x-1")).expect(201).id();
        let group = acme.group("Harbour", &[&id]);
        activate(acme, &id, false);
        let again = acme.post("/Users", &known("ada@tern.example", "x-2")).expect(201);
        assert_eq!((again.id(), &again["externalId"]), (id, &json!("x-2")));
        assert_eq!(acme.status(&again.id()), json!({"status": "STAGED"}));
        assert!(again["groups"].is_null(), "{}", again.reply);
        assert!(acme.members(&group).is_empty());
    }

    /// Ruling 4: the same by PUT and by PATCH.
    fn another_external_id_for_an_inactive_user_starts_afresh(server: &TestServer) {
        let acme = server.acme();
        for (i, patch) in [false, true].into_iter().enumerate() {
            let name = format!("ada{i}@tern.example");
            let id = acme.post("/Users", &known(&name, &format!("x-{i}"))).expect(201).id();
            let group = acme.group(&format!("Harbour {i}"), &[&id]);
            activate(acme, &id, false);
            let path = format!("/Users/{id}");
            let other = format!("y-{i}");
            if patch {
                acme.patch(
                    &path,
                    &json!([{"op": "replace", "path": "externalId", "value": other}]),
                )
                .expect(200);
            } else {
                acme.put(&path, &known(&name, &other)).expect(200);
            }
            assert!(acme.members(&group).is_empty());
        }
    }

    /// Ruling 4: a first `externalId` is no other person.
    fn a_first_external_id_for_an_inactive_user_keeps_the_groups(server: &TestServer) {
        let acme = server.acme();
        let id = acme.user("ada@tern.example");
        let group = acme.group("Harbour", &[&id]);
        activate(acme, &id, false);
        acme.post("/Users", &known("ada@tern.example", "x-1")).expect(201);
        assert_eq!(acme.members(&group), [id]);
    }

    fn a_post_of_an_active_user_is_refused(server: &TestServer) {
        let acme = server.acme();
        acme.post("/Users", &known("ada@tern.example", "x-1")).expect(201);
        acme.post("/Users", &known("Ada@Tern.example", "x-9")).refused(409, "uniqueness");
        acme.post("/Users", &known("bo@tern.example", "x-1")).refused(409, "uniqueness");
        assert_eq!(acme.get("/Users").expect(200).total(), 1);
    }

    /// Ruling 4: `userName` of one, `externalId` of another.
    fn a_post_that_means_two_users_is_refused(server: &TestServer) {
        let acme = server.acme();
        for (name, external) in [("ada@tern.example", "x-1"), ("bo@tern.example", "x-2")] {
            let id = acme.post("/Users", &known(name, external)).expect(201).id();
            activate(acme, &id, false);
        }
        acme.post("/Users", &known("ada@tern.example", "x-2")).refused(409, "uniqueness");
    }

    fn an_inactive_user_still_owns_the_name(server: &TestServer) {
        let acme = server.acme();
        let (ada, bo) = (acme.user("ada@tern.example"), acme.user("bo@tern.example"));
        activate(acme, &ada, false);
        let rename = json!([{"op": "replace", "path": "userName", "value": "ada@tern.example"}]);
        acme.patch(&format!("/Users/{bo}"), &rename).refused(409, "uniqueness");
    }

    /// RFC 7643 §2.5: null, an empty list and nothing are one.
    fn null_clears(server: &TestServer) {
        let acme = server.acme();
        let body = json!({"schemas": [USER], "userName": "ada", "title": "x",
            "emails": [{"value": "a@tern.example"}]});
        let id = acme.post("/Users", &body).expect(201).id();
        let operations = json!([{"op": "replace", "path": "title", "value": null}, {"op": "replace",
            "path": "emails", "value": []}]);
        let after = acme.patch(&format!("/Users/{id}"), &operations).expect(200);
        assert!(after["title"].is_null() && after["emails"].is_null(), "{}", after.reply);
    }

    /// RFC 7644 §3.5.2: a new primary takes it from the old one.
    fn one_entry_is_primary(server: &TestServer) {
        let acme = server.acme();
        let body = json!({"schemas": [USER], "userName": "ada",
            "emails": [{"value": "a@tern.example", "type": "work", "primary": true}]});
        let id = acme.post("/Users", &body).expect(201).id();
        let add = json!([{"op": "add", "path": "emails", "value": [{"value": "b@tern.example",
            "type": "home", "primary": true}]}]);
        let after = acme.patch(&format!("/Users/{id}"), &add).expect(200);
        let primary = after["emails"].as_array().unwrap().iter().filter(|e| e["primary"] == true);
        assert_eq!(primary.map(|e| &e["value"]).collect::<Vec<_>>(), ["b@tern.example"]);
    }

    /// RFC 7644 §3.5.2.1: no change, no new version.
    fn a_patch_that_changes_nothing_keeps_the_version(server: &TestServer) {
        let acme = server.acme();
        let made = acme
            .post("/Users", &json!({"schemas": [USER], "userName": "ada", "title": "Pilot"}))
            .expect(201);
        let same = json!([{"op": "replace", "path": "title", "value": "Pilot"}]);
        let after = acme.patch(&format!("/Users/{}", made.id()), &same).expect(200);
        assert_eq!(after["meta"], made["meta"]);
    }

    /// Ruling 16.
    fn unknown_attributes_are_left_out(server: &TestServer) {
        let acme = server.acme();
        let body = json!({"schemas": [USER], "userName": "ada", "favouriteBoat": "Tern",
            "name": {"boat": "x", "givenName": "Ada"}});
        let made = acme.post("/Users", &body).expect(201);
        assert!(!made.reply.text().contains("oat"), "{}", made.reply);
        assert_eq!(made["name"], json!({"givenName": "Ada"}));
    }

    /// Ruling 16.
    fn schemas_may_be_missing_but_not_wrong(server: &TestServer) {
        let acme = server.acme();
        acme.post("/Users", &json!({"userName": "ada"})).expect(201);
        acme.post("/Users", &json!({"schemas": [USER, "urn:x:y:z"], "userName": "bo"})).expect(201);
        acme.post("/Users", &json!({"schemas": [crate::company::GROUP], "userName": "cy"}))
            .refused(400, "invalidSyntax");
    }

    /// RFC 7643 §2.1.
    fn names_in_any_case(server: &TestServer) {
        let acme = server.acme();
        let made = acme
            .post(
                "/Users",
                &json!({"SCHEMAS": [USER], "USERNAME": "ada", "Name": {"GIVENNAME": "Ada"}}),
            )
            .expect(201);
        assert_eq!((&made["userName"], &made["name"]["givenName"]), (&json!("ada"), &json!("Ada")));
    }

    /// RFC 7644 §3.14.
    fn if_none_match_answers_304(server: &TestServer) {
        let acme = server.acme();
        let made = acme.post("/Users", &user("ada")).expect(201);
        let (path, tag) =
            (format!("/Users/{}", made.id()), made.header("etag").unwrap().to_owned());
        assert!(tag.starts_with("W/\""), "{tag}");
        let same = acme.send("GET", &path, &[("If-None-Match", &tag)], None).expect(304);
        assert!(same.reply.body.is_empty());
        acme.send("GET", &path, &[("If-None-Match", "W/\"other\"")], None).expect(200);
        acme.send("GET", &path, &[("If-None-Match", &format!("W/\"a\", {tag}"))], None).expect(304);
        acme.send("GET", &path, &[("If-None-Match", "*")], None).expect(304);
    }

    /// RFC 7644 §3.14.
    fn if_match_guards_writes(server: &TestServer) {
        let acme = server.acme();
        let made = acme.post("/Users", &user("ada")).expect(201);
        let (path, tag) =
            (format!("/Users/{}", made.id()), made.header("etag").unwrap().to_owned());
        let put = |tag: &str| {
            let headers = [("Content-Type", "application/scim+json"), ("If-Match", tag)];
            acme.send(
                "PUT",
                &path,
                &headers,
                Some(json!({"userName": "ada", "title": tag}).to_string().as_bytes()),
            )
        };
        put("W/\"other\"").fails(412);
        let new = put(&tag).expect(200).header("etag").unwrap().to_owned();
        put(&tag).fails(412);
        put("*").expect(200);
        acme.send("DELETE", &path, &[("If-Match", &new)], None).fails(412);
        acme.send("DELETE", &path, &[("If-Match", "*")], None).expect(204);
    }

    /// RFC 7644 §3.9.
    fn attributes_limit_the_answer(server: &TestServer) {
        let acme = server.acme();
        let body = json!({"schemas": [USER, ENTERPRISE], "userName": "ada", "displayName": "Ada",
            "name": {"givenName": "Ada", "familyName": "Ek"},
            ENTERPRISE: {"department": "Locks", "division": "North"}});
        let made = acme.post("/Users?attributes=userName", &body).expect(201);
        assert!(made["displayName"].is_null(), "{}", made.reply);
        let read =
            |list: &str| acme.get(&format!("/Users/{}?attributes={list}", made.id())).expect(200);
        let name = read("name.givenName");
        assert_eq!(
            (&name["name"], &name["userName"]),
            (&json!({"givenName": "Ada"}), &json!(null))
        );
        assert_eq!(name["id"], made["id"]);
        assert_eq!(read("USERNAME,displayname")["displayName"], "Ada");
        assert_eq!(
            read(&format!("{ENTERPRISE}:department"))[ENTERPRISE],
            json!({"department": "Locks"})
        );
        assert_eq!(
            read(ENTERPRISE)[ENTERPRISE],
            json!({"department": "Locks", "division": "North"})
        );
    }

    /// RFC 7644 §3.9.
    fn excluded_attributes_limit_the_answer(server: &TestServer) {
        let acme = server.acme();
        let body = json!({"schemas": [USER], "userName": "ada", "displayName": "Ada",
            "name": {"givenName": "Ada", "familyName": "Ek"}});
        let id = acme.post("/Users", &body).expect(201).id();
        let read = acme
            .get(&format!("/Users/{id}?excludedAttributes=displayName,name.familyName,meta"))
            .expect(200);
        assert_eq!(read["name"], json!({"givenName": "Ada"}));
        assert!(read["displayName"].is_null() && read["meta"].is_null(), "{}", read.reply);
        assert_eq!(read["userName"], "ada");
    }

    /// Ruling 16.
    fn me_is_nobody(server: &TestServer) {
        let acme = server.acme();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            acme.send(method, "/Me", &[], None).fails(501);
        }
    }

    /// Ruling 14: an answer means stored.
    fn acknowledged_users_survive_a_crash(server: &TestServer) {
        let mut own = TestServer::start(server.database());
        let ids: Vec<String> = (0..20).map(|i| own.acme().user(&format!("u{i}"))).collect();
        own.crash_and_restart();
        for id in ids {
            own.acme().get(&format!("/Users/{id}")).expect(200);
        }
    }

    /// Who has a name is asked each time, whoever had it when it was asked before.
    fn a_name_is_found_with_who_has_it_now(server: &TestServer) {
        let acme = server.acme();
        let rename = |id: &str, name: &str| {
            let operations = json!([{"op": "replace", "path": "userName", "value": name}]);
            acme.patch(&format!("/Users/{id}"), &operations).expect(200);
        };
        let who = |name: &str| {
            acme.filter("/Users", &format!("userName eq \"{name}\""), "").expect(200).each("id")
        };
        let (one, two) = (acme.user("one@tern.example"), acme.user("two@tern.example"));
        assert_eq!(who("one@tern.example"), [one.as_str()]);
        assert_eq!(who("two@tern.example"), [two.as_str()]);
        rename(&one, "three@tern.example");
        rename(&two, "one@tern.example");
        assert_eq!(who("one@tern.example"), [two.as_str()]);
        assert!(who("two@tern.example").is_empty());
        assert_eq!(who("three@tern.example"), [one.as_str()]);
        acme.delete(&format!("/Users/{two}")).expect(204);
        assert!(who("one@tern.example").is_empty());
        acme.get(&format!("/Users/{two}")).expect(404);
        let new = acme.user("one@tern.example");
        assert_eq!(who("one@tern.example"), [new.as_str()]);
    }
}
