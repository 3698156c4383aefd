//! Mapping mode, the record of the connection and the settings of authentication, by the numbers of the
//! requirements. Sign-ins are in process, by the functions that every sign-in calls.

use serde_json::{Value, json};

use crate::api::Api;
use crate::server::{TestServer, on_both_databases};
use crate::teams::{enroll, sign_in, teams_of};

const DEV: &str = "/companies/acme/organizations/dev";

/// Dev, into which nobody may go by themselves, a connection, and local teams of these names: their ids.
fn furnish<const N: usize>(server: &TestServer, teams: [&str; N]) -> (Api, [String; N]) {
    let api = server.operator();
    api.organization("acme", "dev", &json!({}));
    let oidc = json!({"provider": "okta", "protocol": "oidc"});
    api.post("/companies/acme/sso/connection", &oidc).expect(201);
    let teams = teams
        .map(|name| api.post(&format!("{DEV}/teams"), &json!({"name": name})).expect(201).id());
    (api, teams)
}

/// Maps groups to teams and switches the mapping mode on.
fn map(api: &Api, mappings: &[(&str, &str)]) {
    let mappings: Vec<Value> =
        mappings.iter().map(|(group, team)| json!({"group": group, "team_id": team})).collect();
    api.put(&format!("{DEV}/team-mappings"), &json!({"mappings": mappings})).expect(200);
    settings(api, &json!({"idp_mapping_enabled": true}));
}

#[track_caller]
fn settings(api: &Api, change: &Value) -> Value {
    api.patch("/companies/acme/sso/auth-settings", change).expect(200).json
}

fn user(api: &Api, id: &str) -> Value {
    api.get(&format!("/companies/acme/users/{id}")).expect(200).json
}

on_both_databases! {
    fn r158_groups_are_mapped_before_sso_is_on(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({}));
        let team = api.post(&format!("{DEV}/teams"), &json!({"name": "a"})).expect(201).id();
        let path = format!("{DEV}/team-mappings");
        let body = json!({"mappings": [{"group": "A", "team_id": team, "role": "moderator"}]});
        api.put(&path, &body).problem(412, "idp_not_configured");
        let oidc = json!({"provider": "okta", "protocol": "oidc"});
        let made = api.post("/companies/acme/sso/connection", &oidc).expect(201);
        assert_eq!((&made["state"], &made["name"]), (&json!("draft"), &json!("acme")));
        let mapped = api.put(&path, &body).expect(200);
        assert_eq!(mapped["mappings"][0]["group"], "A");
        assert_eq!(api.get(&path).expect(200).json, mapped.json);
    }

    fn r160_without_a_mapped_group_nobody_signs_in(server: &TestServer) {
        let (api, [team]) = furnish(server, ["a"]);
        map(&api, &[("A", &team)]);
        let ada = server.acme().user("ada");
        assert_eq!(sign_in(server, (&ada, "dev"), Some(&["B"])).unwrap_err(), "no_mapped_group");
        // Case counts, and an absent claim is no group either; it deactivates nobody (D12).
        let bob = server.acme().user("bob");
        assert_eq!(sign_in(server, (&bob, "dev"), None).unwrap_err(), "no_mapped_group");
        assert_eq!(user(&api, &bob)["status"], "STAGED");
        assert_eq!(sign_in(server, (&bob, "dev"), Some(&["a"])).unwrap_err(), "no_mapped_group");
    }

    fn r161_the_first_login_gives_team_and_role(server: &TestServer) {
        let (api, [team]) = furnish(server, ["a"]);
        let one = json!({"mappings": [{"group": "A", "team_id": team, "role": "moderator"}]});
        api.put(&format!("{DEV}/team-mappings"), &one).expect(200);
        settings(&api, &json!({"team_sync_mode": "mapping"}));
        let ada = server.acme().user("ada");
        let session = sign_in(server, (&ada, "dev"), Some(&["A", "B"])).unwrap();
        assert_eq!(teams_of(&api, &ada, "dev"), ["a by sso"]);
        // A moderator may make teams.
        session.post(&format!("{DEV}/teams"), &json!({"name": "x"})).expect(201);
    }

    fn r162_existing_users_are_mapped_at_their_next_login(server: &TestServer) {
        let (api, [team]) = furnish(server, ["mapped"]);
        let ada = server.acme().user("ada");
        enroll(server, &ada, "dev", "member");
        sign_in(server, (&ada, "dev"), Some(&["A"])).unwrap();
        assert_eq!(teams_of(&api, &ada, "dev"), ["A by sso"]);
        map(&api, &[("A", &team)]);
        assert_eq!(teams_of(&api, &ada, "dev"), ["A by sso"]);
        sign_in(server, (&ada, "dev"), Some(&["A"])).unwrap();
        assert_eq!(teams_of(&api, &ada, "dev"), ["mapped by sso"]);
    }

    fn r163_admins_are_not_remapped(server: &TestServer) {
        let (api, [team, own]) = furnish(server, ["mapped", "own"]);
        let ada = server.acme().user("ada");
        enroll(server, &ada, "dev", "admin");
        api.put(&format!("{DEV}/teams/{own}/members"), &json!({"user_ids": [ada]})).expect(200);
        map(&api, &[("A", &team)]);
        let session = sign_in(server, (&ada, "dev"), Some(&[])).unwrap();
        assert_eq!(teams_of(&api, &ada, "dev"), ["own by manual"]);
        session.patch(DEV, &json!({"name": "Development"})).expect(200);
    }

    fn r165_memberships_of_the_idp_are_not_edited(server: &TestServer) {
        let (api, [team, other]) = furnish(server, ["a", "other"]);
        map(&api, &[("A", &team)]);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), Some(&["A"])).unwrap();
        let none = json!({"user_ids": []});
        let refused = api.put(&format!("{DEV}/teams/{team}/members"), &none);
        refused.problem(409, "membership_managed_by_idp");
        let more = json!({"user_ids": [ada]});
        let refused = api.put(&format!("{DEV}/teams/{other}/members"), &more);
        refused.problem(409, "membership_managed_by_idp");
        api.delete(&format!("{DEV}/teams/{team}")).problem(409, "team_already_mapped");
    }

    fn r166_a_changed_mapping_changes_teams_at_the_next_login(server: &TestServer) {
        let (api, [a, b]) = furnish(server, ["a", "b"]);
        map(&api, &[("A", &a)]);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), Some(&["A"])).unwrap();
        map(&api, &[("A", &b)]);
        assert_eq!(teams_of(&api, &ada, "dev"), ["a by sso"]);
        sign_in(server, (&ada, "dev"), Some(&["A"])).unwrap();
        assert_eq!(teams_of(&api, &ada, "dev"), ["b by sso"]);
    }

    fn r167_the_loss_of_the_last_mapped_group_deactivates(server: &TestServer) {
        let (api, [team]) = furnish(server, ["a"]);
        map(&api, &[("A", &team)]);
        let ada = server.acme().user("ada");
        let session = sign_in(server, (&ada, "dev"), Some(&["A"])).unwrap();
        session.get(DEV).expect(200);
        assert_eq!(sign_in(server, (&ada, "dev"), Some(&[])).unwrap_err(), "no_mapped_group");
        let now = user(&api, &ada);
        assert_eq!((&now["status"], &now["status_reason"]), (&json!("DEACTIVATED"), &json!("no_mapped_group")));
        session.get(DEV).problem(401, "user_deactivated");
        assert!(teams_of(&api, &ada, "dev").is_empty());
        let events = api.get("/companies/acme/audit-events").expect(200);
        let revoked = events.data().iter().find(|event| event["action"] == "access.revoked").unwrap();
        assert!(revoked.to_string().contains("no_mapped_group"), "{revoked}");
    }

    /// Over SCIM, without any login between.
    fn r168_moving_from_group_to_group_changes_the_team(server: &TestServer) {
        let (api, [a, b]) = furnish(server, ["a", "b"]);
        let ada = server.acme().user("ada");
        let groups = ["A", "B"].map(|name| server.acme().group(name, &[]));
        map(&api, &[("A", &a), ("B", &b)]);
        let change = |group: &str, operation: Value| {
            server.acme().patch(&format!("/Groups/{group}"), &json!([operation])).expect(204);
        };
        let add = json!({"op": "add", "path": "members", "value": [{"value": ada}]});
        let remove = json!({"op": "remove", "path": format!("members[value eq \"{ada}\"]")});
        change(&groups[0], add.clone());
        assert_eq!(teams_of(&api, &ada, "dev"), ["a by scim"]);
        change(&groups[1], add);
        change(&groups[0], remove);
        assert_eq!(teams_of(&api, &ada, "dev"), ["b by scim"]);
    }

    fn r169_a_group_given_again_reactivates(server: &TestServer) {
        let (api, [team]) = furnish(server, ["a"]);
        let ada = server.acme().user("ada");
        let group = server.acme().group("A", &[&ada]);
        map(&api, &[("A", &team)]);
        sign_in(server, (&ada, "dev"), None).unwrap();
        let path = format!("/Groups/{group}");
        let remove = json!([{"op": "remove", "path": "members"}]);
        let add = json!([{"op": "add", "path": "members", "value": [{"value": ada}]}]);
        server.acme().patch(&path, &remove).expect(204);
        assert_eq!(user(&api, &ada)["status_reason"], "no_mapped_group");
        server.acme().patch(&path, &add).expect(204);
        assert_eq!(user(&api, &ada)["status"], "ACTIVE");
        assert_eq!(teams_of(&api, &ada, "dev"), ["a by scim"]);
        // Not where an admin has disabled the account by hand.
        let by_hand = json!({"deactivated": true});
        api.patch(&format!("/companies/acme/users/{ada}"), &by_hand).expect(200);
        server.acme().patch(&path, &remove).expect(204);
        server.acme().patch(&path, &add).expect(204);
        assert_eq!(user(&api, &ada)["status_reason"], "deactivated_by_admin");
    }

    fn r176_who_maps_is_a_setting(server: &TestServer) {
        let (api, [team]) = furnish(server, ["a"]);
        let now = settings(&api, &json!({"product_mapping_enabled": true}));
        assert_eq!((&now["team_sync_mode"], &now["idp_mapping_enabled"]), (&json!("filters"), &json!(false)));
        let ada = server.acme().user("ada");
        let refused = sign_in(server, (&ada, "dev"), Some(&["A"])).unwrap_err();
        assert_eq!(refused, "awaiting_team_assignment");
        api.put(&format!("{DEV}/teams/{team}/members"), &json!({"user_ids": [ada]})).expect(200);
        enroll(server, &ada, "dev", "member");
        sign_in(server, (&ada, "dev"), Some(&["A"])).unwrap();
        let both = settings(&api, &json!({"idp_mapping_enabled": true}));
        assert_eq!((&both["team_sync_mode"], &both["product_mapping_enabled"]), (&json!("mapping"), &json!(true)));
        let against = json!({"idp_mapping_enabled": true, "team_sync_mode": "filters"});
        let path = "/companies/acme/sso/auth-settings";
        api.patch(path, &against).problem(422, "invalid_field");
        let two = json!({"oidc_auth_enabled": true, "saml_auth_enabled": true});
        api.patch(path, &two).problem(422, "one_protocol_only");
        api.patch(path, &json!({"oidc_auth_enabled": true})).problem(409, "test_required");
        let tag = api.get(path).expect(200).header("etag").unwrap().to_owned();
        let body = json!({"multi_group": true});
        api.send("PATCH", path, &[("If-Match", &tag)], Some(&body)).expect(200);
        api.send("PATCH", path, &[("If-Match", &tag)], Some(&json!({"multi_group": false})))
            .problem(412, "precondition_failed");
    }

    fn r177_a_team_has_one_group(server: &TestServer) {
        let (api, [a, b]) = furnish(server, ["a", "b"]);
        let path = format!("{DEV}/team-mappings");
        let twice = json!({"mappings": [{"group": "A", "team_id": a}, {"group": "B", "team_id": a}]});
        api.put(&path, &twice).problem(409, "team_already_mapped");
        let once = json!({"mappings": [{"group": "A", "team_id": a}]});
        api.put(&path, &once).expect(200);
        let more = |group: &str, team: &str| api.post(&path, &json!({"group": group, "team_id": team}));
        more("B", &a).problem(409, "team_already_mapped");
        assert_eq!(more("A", &b).expect(201)["mappings"].as_array().unwrap().len(), 2);
        settings(&api, &json!({"multi_group": true}));
        more("B", &a).expect(201);
        more("B", &a).problem(409, "team_already_mapped");
        let off = json!({"multi_group": false});
        api.patch("/companies/acme/sso/auth-settings", &off).problem(409, "team_already_mapped");
        more("C", "0198c0de-0000-7000-8000-00000000abcd").problem(404, "team_not_found");
        let admin = json!({"group": "C", "team_id": b, "role": "admin"});
        api.post(&path, &admin).problem(422, "unknown_role");
    }

    fn r178_at_least_one_group_is_mapped(server: &TestServer) {
        let (api, [a]) = furnish(server, ["a"]);
        let path = format!("{DEV}/team-mappings");
        let none = json!({"mappings": []});
        api.put(&path, &none).problem(422, "at_least_one_mapping_required");
        let one = json!({"mappings": [{"group": "A", "team_id": a}]});
        let id = api.put(&path, &one).expect(200)["mappings"][0]["id"].as_str().unwrap().to_owned();
        api.delete(&format!("{path}/{id}")).problem(422, "at_least_one_mapping_required");
        api.delete(&format!("{path}/{a}")).problem(404, "not_found");
    }

    /// What is renamed to a mapped name gains nothing; what was mapped keeps its right.
    fn a_rename_moves_no_right(server: &TestServer) {
        let (api, [team]) = furnish(server, ["a"]);
        let [ada, bob] = ["ada", "bob"].map(|name| server.acme().user(name));
        let mine = server.acme().group("A", &[]);
        let other = server.acme().group("other", &[]);
        map(&api, &[("A", &team)]);
        let change = |group: &str, operations: &Value| {
            server.acme().patch(&format!("/Groups/{group}"), operations).expect(204);
        };
        let rename = |name: &str| json!([{"op": "replace", "path": "displayName", "value": name}]);
        let add = |user: &str| json!([{"op": "add", "path": "members", "value": [{"value": user}]}]);
        change(&mine, &rename("former A"));
        change(&other, &rename("A"));
        change(&mine, &add(&ada));
        change(&other, &add(&bob));
        assert_eq!(teams_of(&api, &ada, "dev"), ["a by scim"]);
        assert!(teams_of(&api, &bob, "dev").is_empty());
        let mapped = api.get(&format!("{DEV}/team-mappings")).expect(200);
        assert_eq!(mapped["mappings"][0]["group"], "former A");
    }

    fn filters_again_end_what_mapping_deactivated(server: &TestServer) {
        let (api, [team]) = furnish(server, ["a"]);
        map(&api, &[("A", &team)]);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), Some(&["A"])).unwrap();
        sign_in(server, (&ada, "dev"), Some(&[])).unwrap_err();
        assert_eq!(user(&api, &ada)["status"], "DEACTIVATED");
        settings(&api, &json!({"team_sync_mode": "filters"}));
        assert_eq!(user(&api, &ada)["status"], "ACTIVE");
    }

    fn a_company_has_one_connection_and_an_organization_a_legacy_one(server: &TestServer) {
        let api = server.operator();
        for slug in ["dev", "prod"] {
            api.organization("acme", slug, &json!({}));
        }
        let path = "/companies/acme/sso/connection";
        api.get(path).problem(404, "not_found");
        let oidc = json!({"provider": "okta", "protocol": "oidc"});
        let made = api.post(path, &oidc).expect(201);
        assert_eq!(api.get(path).expect(200).json, made.json);
        api.post(path, &oidc).problem(409, "connection_exists");
        let unknown = json!({"provider": "acme", "protocol": "oidc"});
        api.post(&format!("{DEV}/sso/legacy-connection"), &unknown).problem(422, "invalid_field");
        let saml = json!({"provider": "entra", "protocol": "saml"});
        let legacy = api.post(&format!("{DEV}/sso/legacy-connection"), &saml).expect(201);
        assert_eq!((&legacy["name"], &legacy["type"]), (&json!("acme-dev"), &json!("legacy")));
        let seen = api.get(&format!("{DEV}/sso")).expect(200);
        assert_eq!((&seen["scope"], &seen["connection"]["id"]), (&json!("organization"), &legacy["id"]));
        let seen = api.get("/companies/acme/organizations/prod/sso").expect(200);
        assert_eq!((&seen["scope"], &seen["connection"]["id"]), (&json!("company"), &made["id"]));
        assert!(seen["inherited_from"].is_string());
    }
}
