//! Companies, organizations, users, SCIM settings and tokens over the management API, by the numbers of
//! the requirements.

use serde_json::json;

use crate::company::{group, user};
use crate::server::on_both_databases;

on_both_databases! {
    fn r048_scim_tokens_only_where_scim_is_enabled(server: &TestServer) {
        let api = server.operator();
        api.post("/companies", &json!({"name": "initech", "plan": "enterprise"})).expect(201);
        let name = json!({"name": "okta"});
        api.post("/companies/initech/scim/tokens", &name).problem(409, "scim_not_enabled");
        api.patch("/companies/initech", &json!({"scim_enabled": true})).expect(200);
        api.post("/companies/initech/scim/tokens", &name).expect(201);
    }

    fn r057_each_organization_decides_alone(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        api.organization("acme", "prod", &json!({}));
        let read = |slug: &str| api.get(&format!("/companies/acme/organizations/{slug}")).expect(200);
        assert_eq!(read("dev")["automatic_user_access"], true);
        assert_eq!(read("prod")["automatic_user_access"], false);
    }

    fn r064_automatic_access_is_off_by_default(server: &TestServer) {
        let api = server.operator();
        let id = api.organization("acme", "dev", &json!({}));
        let read = api.get(&format!("/organizations/{id}")).expect(200);
        assert_eq!(read["automatic_user_access"], false);
        assert_eq!(read["default_role"], "member");
        assert_eq!(api.get("/companies/acme/organizations/dev").expect(200).json, read.json);
    }

    fn r066_automatic_access_needs_the_plan(server: &TestServer) {
        let api = server.operator();
        let id = api.organization("acme", "dev", &json!({}));
        let on = json!({"automatic_user_access": true});
        api.patch("/companies/acme", &json!({"plan": "pro"})).expect(200);
        api.patch(&format!("/organizations/{id}"), &on).problem(403, "plan_required");
        let new = json!({"name": "b", "automatic_user_access": true});
        api.post("/companies/acme/organizations", &new).problem(403, "plan_required");
        api.patch("/companies/acme", &json!({"plan": "enterprise"})).expect(200);
        api.patch(&format!("/organizations/{id}"), &on).expect(200);
    }

    fn r098_scim_users_begin_staged(server: &TestServer) {
        let api = server.operator();
        let id = server.acme().user("ada");
        let read = api.get(&format!("/companies/acme/users/{id}")).expect(200);
        assert_eq!((&read["status"], &read["managed_by_scim"]), (&json!("STAGED"), &json!(true)));
        assert_eq!(read["status_reason"], "staged_first_login_required");
        assert!(read["activated_at"].is_null());
    }

    fn r099_the_first_login_activates(server: &TestServer) {
        let api = server.operator();
        let id = server.acme().user("ada");
        server.sign_in(&id).unwrap();
        let read = api.get(&format!("/companies/acme/users/{id}")).expect(200);
        assert_eq!((&read["status"], &read["status_reason"]), (&json!("ACTIVE"), &json!("signed_in")));
        assert!(read["activated_at"].is_string());
        assert_eq!(server.acme().status(&id)["status"], "ACTIVE");
    }

    /// Ruling 9: a login never reactivates; ruling 3: the IdP does not lift an admin's deactivation.
    fn a_deactivated_user_does_not_sign_in(server: &TestServer) {
        let api = server.operator();
        let id = server.acme().user("ada");
        let session = server.sign_in(&id).unwrap();
        let path = format!("/companies/acme/users/{id}");
        let off = api.patch(&path, &json!({"deactivated": true})).expect(200);
        assert_eq!(off["status_reason"], "deactivated_by_admin");
        session.get("/companies/acme").problem(401, "user_deactivated");
        let on = json!([{"op": "replace", "path": "active", "value": true}]);
        server.acme().patch(&format!("/Users/{id}"), &on).expect(200);
        assert!(server.sign_in(&id).unwrap_err().contains("deactivated_by_admin"));
        let back = api.patch(&path, &json!({"deactivated": false})).expect(200);
        assert_eq!(back["status"], "ACTIVE");
        // The old session stays dead.
        session.get("/companies/acme").problem(401, "user_deactivated");
    }

    /// D7: SCIM owns what it describes.
    fn scim_owns_what_it_describes(server: &TestServer) {
        let api = server.operator();
        let path = format!("/companies/acme/users/{}", server.acme().user("ada"));
        api.patch(&path, &json!({"first_name": "Ada"})).problem(409, "scim_conflict");
        let mixed = json!({"first_name": "Ada", "company_role": "account_admin"});
        let mixed = api.patch(&path, &mixed).expect(200);
        assert_eq!(mixed["ignored_fields"], json!(["first_name"]));
        assert_eq!(mixed["company_role"], "admin");
    }

    /// The API refuses to leave a company without an account admin.
    fn a_company_keeps_an_account_admin(server: &TestServer) {
        let api = server.operator();
        let paths = ["ada", "bob"].map(|name| format!("/companies/acme/users/{}", server.acme().user(name)));
        for path in &paths {
            api.patch(path, &json!({"company_role": "admin"})).expect(200);
        }
        api.patch(&paths[0], &json!({"deactivated": true})).expect(200);
        api.patch(&paths[1], &json!({"company_role": "member"})).problem(409, "last_admin");
        api.patch(&paths[1], &json!({"deactivated": true})).problem(409, "last_admin");
        api.delete(&paths[1]).problem(409, "last_admin");
        api.delete(&paths[0]).expect(204);
    }

    fn a_user_does_not_change_their_own_status(server: &TestServer) {
        let ada = server.acme().user("ada");
        let path = format!("/companies/acme/users/{ada}");
        server.operator().patch(&path, &json!({"company_role": "admin"})).expect(200);
        let session = server.sign_in(&ada).unwrap();
        session.patch(&path, &json!({"deactivated": true})).problem(403, "cannot_change_own_status");
        session.delete(&path).problem(403, "cannot_change_own_status");
    }

    /// Ruling 4: another person with a recycled name has nothing of the former one.
    fn another_person_has_no_role_of_the_former(server: &TestServer) {
        let api = server.operator();
        let body = json!({"userName": "ada", "externalId": "1"});
        let id = server.acme().post("/Users", &body).expect(201).id();
        let path = format!("/companies/acme/users/{id}");
        api.patch(&path, &json!({"company_role": "admin"})).expect(200);
        let session = server.sign_in(&id).unwrap();
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        server.acme().patch(&format!("/Users/{id}"), &off).expect(200);
        let body = json!({"userName": "ada", "externalId": "2"});
        assert_eq!(server.acme().post("/Users", &body).expect(201).id(), id);
        let read = api.get(&path).expect(200);
        assert_eq!((&read["status"], &read["company_role"]), (&json!("STAGED"), &json!("member")));
        session.get("/companies/acme").problem(401, "unauthorized");
    }

    fn r132_the_token_is_shown_once(server: &TestServer) {
        let api = server.operator();
        let made = api.post("/companies/acme/scim/tokens", &json!({"name": "okta"})).expect(201);
        assert!(made["base_url"].as_str().unwrap().ends_with("/scim/v2"));
        let text = made["token"].as_str().unwrap();
        let listed = api.get("/companies/acme/scim/tokens").expect(200);
        assert!(listed.data().iter().any(|token| token["id"] == made["id"]));
        assert!(!listed.reply.text().contains(text));
        api.delete(&format!("/companies/acme/scim/tokens/{}", made.id())).expect(204);
        api.delete("/companies/acme/scim/tokens/0123456789ab").problem(404, "not_found");
    }

    fn r133_the_base_url_answers_with_the_token(server: &TestServer) {
        let api = server.operator();
        let made = api.post("/companies/acme/scim/tokens", &json!({"name": "okta"})).expect(201);
        let client = server.client(made["token"].as_str().unwrap());
        let list = client.get("/Users?startIndex=1&count=2").expect(200);
        assert_eq!(list["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
        let base = made["base_url"].as_str().unwrap();
        assert_eq!(client.url(""), base);
    }

    fn r134_the_unique_identifier_is_the_user_name(server: &TestServer) {
        server.acme().user("Ada@acme.example");
        for (name, found) in [("ada@ACME.example", 1), ("bob", 0)] {
            let list = server.acme().filter("/Users", &format!("userName eq \"{name}\""), "");
            assert_eq!(list.expect(200).total(), found);
        }
    }

    fn r135_users_profiles_and_groups_are_pushed(server: &TestServer) {
        let acme = server.acme();
        let id = acme.post("/Users", &user("ada")).expect(201).id();
        let path = format!("/Users/{id}");
        acme.put(&path, &json!({"userName": "ada", "displayName": "Ada"})).expect(200);
        let rename = json!([{"op": "replace", "path": "displayName", "value": "Ada L."}]);
        acme.patch(&path, &rename).expect(200);
        let team = acme.post("/Groups", &group("platform", &[])).expect(201).id();
        let add = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
        acme.patch(&format!("/Groups/{team}"), &add).expect(204);
        let seen = server.operator().get(&format!("/companies/acme/groups/{team}")).expect(200);
        assert_eq!((&seen["name"], &seen["members"]), (&json!("platform"), &json!(1)));
    }

    fn r136_a_bare_token_is_taken(server: &TestServer) {
        let acme = server.acme();
        for header in [format!("Bearer {}", acme.token()), acme.token().to_owned()] {
            let headers = [("Authorization", header.as_str())];
            acme.send_as("GET", "/Users", &headers, None).expect(200);
        }
        acme.send_as("GET", "/Users", &[("Authorization", "wrong")], None).fails(401);
    }

    fn r137_the_probes_of_okta_are_answered(server: &TestServer) {
        for path in
            ["/Users?startIndex=1&count=2", "/Groups?startIndex=1&count=2", "/ServiceProviderConfig"]
        {
            server.acme().get(path).expect(200);
        }
    }

    fn a_token_is_rotated(server: &TestServer) {
        let api = server.operator();
        let old = api.post("/companies/acme/scim/tokens", &json!({"name": "okta"})).expect(201);
        let path = format!("/companies/acme/scim/tokens/{}/rotate", old.id());
        let new = api.post(&path, &json!({"overlap_seconds": 60})).expect(201);
        assert!(new["previous_expires_at"].is_string());
        for token in [&old["token"], &new["token"]] {
            server.client(token.as_str().unwrap()).get("/Users").expect(200);
        }
        api.post(&path, &json!({})).problem(409, "token_ended");
        let settings = api.get("/companies/acme/scim").expect(200);
        assert_eq!(settings["enabled"], true);
    }

    /// Hostile input 45, threat S17: the directory offboards everybody, the last account admin too, and somebody is told.
    fn f45_s17_the_last_admin_loses_access_too(server: &TestServer) {
        let (api, acme) = (server.operator(), server.acme());
        let warned = || {
            let events = api.get("/companies/acme/audit-events?limit=200").expect(200);
            let all = events.data().iter().filter(|event| event["action"] == "company.without_admin");
            all.map(|event| event["target"].as_str().unwrap().to_owned()).collect::<Vec<String>>()
        };
        let admin = |name: &str| {
            let id = acme.user(name);
            let user = format!("/companies/acme/users/{id}");
            let session = server.sign_in(&id).unwrap();
            api.patch(&user, &json!({"company_role": "admin"})).expect(200);
            (id, session)
        };
        let active = |id: &str, on: bool| {
            let change = json!([{"op": "replace", "path": "active", "value": on}]);
            acme.patch(&format!("/Users/{id}"), &change).expect(200);
        };
        let (ada, of_ada) = admin("ada");
        let (bo, of_bo) = admin("bo");
        active(&bo, false);
        of_bo.get("/session").problem(401, "user_deactivated");
        assert!(warned().is_empty(), "there is another one");
        // An admin and an operator are kept from it; the directory is not.
        api.patch(&format!("/companies/acme/users/{ada}"), &json!({"deactivated": true})).problem(409, "last_admin");
        active(&ada, false);
        of_ada.get("/session").problem(401, "user_deactivated");
        assert_eq!(warned(), [ada.as_str()]);
        // The role comes back with the person; nobody is warned of who was out already.
        active(&ada, true);
        assert_eq!(api.get(&format!("/companies/acme/users/{ada}")).expect(200)["company_role"], "admin");
        acme.delete(&format!("/Users/{bo}")).expect(204);
        assert_eq!(warned().len(), 1);
        acme.delete(&format!("/Users/{ada}")).expect(204);
        assert_eq!(warned(), [ada.as_str(), ada.as_str()]);
        // Of two at once one is the last.
        let (eve, _) = admin("eve");
        let (pat, _) = admin("pat");
        std::thread::scope(|scope| {
            for id in [&eve, &pat] {
                scope.spawn(|| active(id, false));
            }
        });
        assert_eq!(warned().len(), 3, "{:?}", warned());
    }

    /// Hostile input 88: of many rotations at once one is done, and the others are told.
    fn f88_of_two_rotations_one_wins(server: &TestServer) {
        let api = server.operator();
        for many in [2, 2, 2, 8] {
            let old = api.post("/companies/acme/scim/tokens", &json!({"name": "okta"})).expect(201);
            let path = format!("/companies/acme/scim/tokens/{}/rotate", old.id());
            let start = std::sync::Barrier::new(many);
            let statuses: Vec<u16> = std::thread::scope(|scope| {
                let all: Vec<_> = (0..many).map(|_| {
                    let (api, path, start) = (api.clone(), &path, &start);
                    scope.spawn(move || {
                        start.wait();
                        api.post(path, &json!({"overlap_seconds": 60})).status
                    })
                }).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
            assert_eq!(statuses.iter().filter(|status| **status == 409).count(), many - 1, "{statuses:?}");
        }
    }

    fn a_second_organization_needs_multi_org(server: &TestServer) {
        let api = server.operator();
        api.patch("/companies/acme", &json!({"multi_org": false})).expect(200);
        api.organization("acme", "one", &json!({}));
        let second = json!({"name": "two"});
        api.post("/companies/acme/organizations", &second).problem(409, "multi_org_required");
    }

    fn an_organization_goes_with_its_members(server: &TestServer) {
        let api = server.operator();
        let id = api.organization("acme", "dev", &json!({}));
        api.delete(&format!("/organizations/{id}")).expect(204);
        api.get(&format!("/organizations/{id}")).problem(404, "organization_not_found");
        api.organization("acme", "dev", &json!({}));
    }

    fn the_command_line_does_the_same(server: &TestServer) {
        server.cli_ok(&["organization", "create", "acme", "dev", "--name", "Dev", "--automatic-user-access"]);
        let list = server.cli_ok(&["organization", "list", "acme", "--format", "json"]);
        assert!(list.contains("\"automatic_user_access\":true"), "{list}");
        let key = server.cli_ok(&["api-key", "create", "--name", "ci", "--company", "acme"]);
        let form = regex::Regex::new("^stgd_api_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}\n$").unwrap();
        assert!(form.is_match(&key), "{key}");
        let api = server.api_as(key.trim());
        api.get("/companies/acme/organizations/dev").expect(200);
        let id = &key["stgd_api_".len()..][..12];
        assert!(server.cli_ok(&["api-key", "list", "--company", "acme"]).contains(id));
        assert!(!server.cli(&["api-key", "revoke", id]).status.success(), "it is no operator's");
        server.cli_ok(&["api-key", "revoke", id, "--company", "acme"]);
        api.get("/companies/acme/organizations/dev").problem(401, "unauthorized");
    }
}
