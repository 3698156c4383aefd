//! Teams and team sync in filter mode, by the numbers of the requirements. Sign-ins are in process, by the
//! functions that every sign-in calls.

use serde_json::{Value, json};

use crate::api::{Api, Who};
use crate::server::{TestServer, on_both_databases};

use stagedoor::service::{companies, organizations, projection};

/// Works inside acme, in one transaction.
fn within<T: Send + 'static>(
    server: &TestServer,
    work: impl FnOnce(&mut stagedoor::service::Cx<'_>) -> stagedoor::service::Result<T>
    + Clone
    + Send
    + 'static,
) -> T {
    let service = server.service();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(service.transact(work)).unwrap()
}

/// Signs a user in who leads to this organization, with these groups; `None`: the claim is absent. Or the
/// code of the refusal.
pub fn sign_in(
    server: &TestServer,
    (user, organization): (&str, &str),
    claim: Option<&[&str]>,
) -> Result<Api, String> {
    let read = server.operator().get(&format!("/companies/acme/users/{user}")).expect(200);
    let who = Who {
        subject: user.to_owned(),
        groups: claim.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        ..Who::new(read["user_name"].as_str().unwrap()).to(organization)
    };
    let code = |refusal: String| refusal.split(':').next().unwrap_or_default().to_owned();
    server.log_in(&who).map_err(code)
}

/// Goes to another organization.
fn switch(server: &TestServer, user: &str, organization: &str) {
    let (id, slug) = (user.to_owned(), organization.to_owned());
    within(server, move |cx| {
        let company = companies::find(cx.conn, "acme")?;
        let organization = organizations::find(cx.conn, company.seq, &slug)?.seq;
        let seq = stagedoor::service::profiles::find(cx.conn, company.seq, &id)?.user.seq;
        projection::at_switch(cx, company.seq, organization, seq).map(drop)
    });
}

/// The names of an organization's teams that a user is in, sorted, each with its origin.
pub fn teams_of(api: &Api, user: &str, organization: &str) -> Vec<String> {
    let id = api.get(&format!("/companies/acme/organizations/{organization}")).expect(200).id();
    let states = api.get(&format!("/companies/acme/users/{user}/team-state")).expect(200);
    let state = states.data().iter().find(|state| state["organization_id"] == id.as_str());
    let teams = state.map(|state| state["teams"].as_array().unwrap().clone()).unwrap_or_default();
    let name = |team: &Value| {
        format!("{} by {}", team["name"].as_str().unwrap(), team["origin"].as_str().unwrap())
    };
    let mut names: Vec<String> = teams.iter().map(name).collect();
    names.sort();
    names
}

/// What `team-state` says of a user in an organization.
fn state_of(api: &Api, user: &str, organization: &str) -> Value {
    let id = api.get(&format!("/companies/acme/organizations/{organization}")).expect(200).id();
    let states = api.get(&format!("/companies/acme/users/{user}/team-state")).expect(200);
    let found = states.data().iter().find(|state| state["organization_id"] == id.as_str()).cloned();
    found.unwrap_or_default()
}

/// The names of an organization's teams.
fn team_names(api: &Api, organization: &str) -> Vec<String> {
    let all = api.get(&format!("/companies/acme/organizations/{organization}/teams")).expect(200);
    let mut names: Vec<String> =
        all.data().iter().map(|team| team["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Dev and prod, into which everybody may go who has signed in.
fn dev_and_prod(server: &TestServer) -> Api {
    let api = server.operator();
    for slug in ["dev", "prod"] {
        api.organization("acme", slug, &json!({"automatic_user_access": true}));
    }
    api
}

/// Gives a user a row among the members, as an invitation or a person does.
pub fn enroll(server: &TestServer, user: &str, organization: &str, role: &str) {
    server.sql(&format!(
        "INSERT INTO organization_members (organization_seq, user_seq, company_seq, role, source, \
         deactivated, unmapped, status_changed_at, created_at, updated_at) \
         SELECT o.seq, u.seq, u.company_seq, '{role}', 'manual', FALSE, FALSE, 1, 1, 1 \
         FROM organizations o, users u WHERE o.slug = '{organization}' AND u.id = '{user}'"
    ));
}

fn set_member(server: &TestServer, operation: &str, group: &str, user: &str) {
    let operations = match operation {
        "add" => json!([{"op": "add", "path": "members", "value": [{"value": user}]}]),
        _ => json!([{"op": "remove", "path": format!("members[value eq \"{user}\"]")}]),
    };
    server.acme().patch(&format!("/Groups/{group}"), &operations).expect(204);
}

on_both_databases! {
    fn r075_teams_sync_at_login_where_it_leads(server: &TestServer) {
        let api = dev_and_prod(server);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), Some(&["platform-team"])).unwrap();
        assert_eq!(team_names(&api, "dev"), ["platform-team"]);
        assert_eq!(teams_of(&api, &ada, "dev"), ["platform-team by sso"]);
        assert!(team_names(&api, "prod").is_empty());
    }

    fn r076_a_switch_syncs_there(server: &TestServer) {
        let api = dev_and_prod(server);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), Some(&["platform-team"])).unwrap();
        switch(server, &ada, "prod");
        assert_eq!(teams_of(&api, &ada, "prod"), ["platform-team by sso"]);
        assert_eq!(state_of(&api, &ada, "prod")["trigger"], "switch");
    }

    fn r077_a_scim_event_syncs_everywhere(server: &TestServer) {
        let api = dev_and_prod(server);
        api.organization("acme", "closed", &json!({}));
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), None).unwrap();
        let group = server.acme().group("platform", &[]);
        set_member(server, "add", &group, &ada);
        for slug in ["dev", "prod"] {
            assert_eq!(teams_of(&api, &ada, slug), ["platform by scim"], "{slug}");
            assert_eq!(state_of(&api, &ada, slug)["trigger"], "scim");
        }
        assert!(team_names(&api, "closed").is_empty());
        set_member(server, "remove", &group, &ada);
        for slug in ["dev", "prod"] {
            assert!(teams_of(&api, &ada, slug).is_empty(), "{slug}");
        }
    }

    fn r078_other_organizations_stay_stale(server: &TestServer) {
        let api = dev_and_prod(server);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), Some(&["platform"])).unwrap();
        switch(server, &ada, "prod");
        sign_in(server, (&ada, "dev"), Some(&[])).unwrap();
        assert!(teams_of(&api, &ada, "dev").is_empty());
        assert_eq!(teams_of(&api, &ada, "prod"), ["platform by sso"]);
        assert_eq!(state_of(&api, &ada, "prod")["stale"], true);
        assert_eq!(state_of(&api, &ada, "dev")["stale"], false);
        switch(server, &ada, "prod");
        assert!(teams_of(&api, &ada, "prod").is_empty());
        assert_eq!(state_of(&api, &ada, "prod")["stale"], false);
    }

    fn r079_a_team_belongs_to_one_organization(server: &TestServer) {
        let api = dev_and_prod(server);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), Some(&["platform"])).unwrap();
        switch(server, &ada, "prod");
        let id = |slug: &str| {
            let all = api.get(&format!("/companies/acme/organizations/{slug}/teams")).expect(200);
            all.data()[0]["id"].as_str().unwrap().to_owned()
        };
        assert_ne!(id("dev"), id("prod"));
        let elsewhere = format!("/companies/acme/organizations/prod/teams/{}", id("dev"));
        api.get(&elsewhere).problem(404, "team_not_found");
    }

    fn r080_a_user_has_a_state_in_each_organization(server: &TestServer) {
        let api = dev_and_prod(server);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), Some(&["a"])).unwrap();
        switch(server, &ada, "prod");
        sign_in(server, (&ada, "dev"), Some(&["a", "b"])).unwrap();
        let (dev, prod) = (state_of(&api, &ada, "dev"), state_of(&api, &ada, "prod"));
        assert_eq!((&dev["groups_seen"], &prod["groups_seen"]), (&json!(["a", "b"]), &json!(["a"])));
        assert!(dev["last_synced_at"].as_str() > prod["last_synced_at"].as_str());
        assert_eq!((dev["teams"].as_array().unwrap().len(), &prod["stale"]), (2, &json!(true)));
    }

    fn r081_no_team_where_the_user_has_no_access(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        api.organization("acme", "prod", &json!({}));
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), Some(&["platform"])).unwrap();
        switch(server, &ada, "prod");
        assert!(team_names(&api, "prod").is_empty());
        assert_eq!(state_of(&api, &ada, "prod"), json!(null));
    }

    fn r094_a_permission_by_team_follows_the_group(server: &TestServer) {
        let api = dev_and_prod(server);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), None).unwrap();
        let group = server.acme().group("deployers", &[&ada]);
        assert_eq!(teams_of(&api, &ada, "prod"), ["deployers by scim"]);
        set_member(server, "remove", &group, &ada);
        assert!(teams_of(&api, &ada, "prod").is_empty());
        let events = api.get("/companies/acme/audit-events").expect(200);
        let synced = events.data().iter().find(|event| event["action"] == "team.synced").unwrap();
        assert!(synced.to_string().contains("\"removed\":[\"deployers\"]"), "{synced}");
    }

    fn r104_dev_is_open_and_prod_is_not(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        api.organization("acme", "prod", &json!({}));
        let [alice, bob] = ["alice", "bob"].map(|name| server.acme().user(name));
        enroll(server, &alice, "prod", "member");
        for user in [&alice, &bob] {
            sign_in(server, (user, "dev"), None).unwrap();
        }
        server.acme().group("platform", &[&alice, &bob]);
        for (user, slug, count) in [(&alice, "dev", 1), (&alice, "prod", 1), (&bob, "dev", 1), (&bob, "prod", 0)] {
            assert_eq!(teams_of(&api, user, slug).len(), count, "{user} {slug}");
        }
    }

    fn r106_the_same_team_in_both_organizations(server: &TestServer) {
        let api = dev_and_prod(server);
        let [alice, bob] = ["alice", "bob"].map(|name| server.acme().user(name));
        for user in [&alice, &bob] {
            sign_in(server, (user, "dev"), Some(&["platform"])).unwrap();
        }
        switch(server, &alice, "prod");
        let size = |slug: &str| {
            let all = api.get(&format!("/companies/acme/organizations/{slug}/teams")).expect(200);
            all.data()[0]["size"].as_i64().unwrap()
        };
        assert_eq!((size("dev"), size("prod")), (2, 1));
    }

    /// D12, over real rows.
    fn a_claim_that_is_absent_changes_nothing(server: &TestServer) {
        let api = dev_and_prod(server);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), Some(&["platform"])).unwrap();
        sign_in(server, (&ada, "dev"), None).unwrap();
        assert_eq!(teams_of(&api, &ada, "dev"), ["platform by sso"]);
        assert_eq!(state_of(&api, &ada, "dev")["groups_seen"], json!(null));
        sign_in(server, (&ada, "dev"), Some(&[])).unwrap();
        assert!(teams_of(&api, &ada, "dev").is_empty());
    }

    /// Ruling 8: once the company has a SCIM group, claims say nothing of a user whom SCIM made.
    fn the_directory_outweighs_the_claim(server: &TestServer) {
        let api = dev_and_prod(server);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), Some(&["claimed"])).unwrap();
        server.acme().group("pushed", &[&ada]);
        assert_eq!(teams_of(&api, &ada, "dev"), ["pushed by scim"]);
        sign_in(server, (&ada, "dev"), Some(&["claimed"])).unwrap();
        assert_eq!(teams_of(&api, &ada, "dev"), ["pushed by scim"]);
    }

    fn a_nested_group_gives_its_team_and_takes_it_back(server: &TestServer) {
        let api = dev_and_prod(server);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), None).unwrap();
        let inner = server.acme().group("inner", &[&ada]);
        let outer = server.acme().group("outer", &[&inner]);
        assert_eq!(teams_of(&api, &ada, "dev"), ["inner by scim", "outer by scim"]);
        server.acme().put(&format!("/Groups/{outer}"), &crate::company::group("outer", &[])).expect(200);
        assert_eq!(teams_of(&api, &ada, "dev"), ["inner by scim"]);
        set_member(server, "add", &outer, &inner);
        server.acme().delete(&format!("/Groups/{inner}")).expect(204);
        assert!(teams_of(&api, &ada, "dev").is_empty());
        assert_eq!(team_names(&api, "dev"), ["outer"]);
    }

    fn a_renamed_group_renames_its_teams_and_a_deleted_one_ends_them(server: &TestServer) {
        let api = dev_and_prod(server);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), None).unwrap();
        let group = server.acme().group("platform", &[&ada]);
        let id = api.get("/companies/acme/organizations/dev/teams").expect(200).data()[0]["id"].clone();
        let rename = json!([{"op": "replace", "path": "displayName", "value": "core"}]);
        server.acme().patch(&format!("/Groups/{group}"), &rename).expect(204);
        assert_eq!((team_names(&api, "dev"), team_names(&api, "prod")), (vec!["core".to_owned()], vec!["core".to_owned()]));
        assert_eq!(api.get("/companies/acme/organizations/dev/teams").expect(200).data()[0]["id"], id);
        server.acme().delete(&format!("/Groups/{group}")).expect(204);
        assert!(team_names(&api, "dev").is_empty() && team_names(&api, "prod").is_empty());
    }

    fn every_way_to_change_members_is_followed(server: &TestServer) {
        let api = dev_and_prod(server);
        let [ada, bob] = ["ada", "bob"].map(|name| server.acme().user(name));
        for user in [&ada, &bob] {
            sign_in(server, (user, "dev"), None).unwrap();
        }
        let group = server.acme().group("g", &[&ada]);
        let path = format!("/Groups/{group}");
        let there = |ada_is: usize, bob_is: usize| {
            assert_eq!((teams_of(&api, &ada, "dev").len(), teams_of(&api, &bob, "dev").len()), (ada_is, bob_is));
        };
        there(1, 0);
        server.acme().put(&path, &crate::company::group("g", &[&bob])).expect(200);
        there(0, 1);
        let replace = json!([{"op": "replace", "path": "members", "value": [{"value": ada}, {"value": bob}]}]);
        server.acme().patch(&path, &replace).expect(204);
        there(1, 1);
        let clear = json!([{"op": "remove", "path": "members"}]);
        server.acme().patch(&path, &clear).expect(204);
        there(0, 0);
        set_member(server, "add", &group, &ada);
        set_member(server, "add", &group, &bob);
        let by_type = json!([{"op": "remove", "path": "members[type eq \"User\"]"}]);
        server.acme().patch(&path, &by_type).expect(204);
        there(0, 0);
    }

    /// Roles and teams are not the directory's to take: they wait for the person.
    fn who_comes_back_is_brought_up_to_date(server: &TestServer) {
        let api = dev_and_prod(server);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), None).unwrap();
        let group = server.acme().group("platform", &[]);
        let active = |on: bool| {
            let operation = json!([{"op": "replace", "path": "active", "value": on}]);
            server.acme().patch(&format!("/Users/{ada}"), &operation).expect(200);
        };
        active(false);
        set_member(server, "add", &group, &ada);
        assert!(teams_of(&api, &ada, "dev").is_empty());
        active(true);
        assert_eq!(teams_of(&api, &ada, "dev"), ["platform by scim"]);
        let path = format!("/companies/acme/users/{ada}");
        api.patch(&path, &json!({"deactivated": true})).expect(200);
        set_member(server, "remove", &group, &ada);
        assert_eq!(teams_of(&api, &ada, "dev"), ["platform by scim"]);
        api.patch(&path, &json!({"deactivated": false})).expect(200);
        assert!(teams_of(&api, &ada, "dev").is_empty());
    }

    fn local_teams_are_made_changed_and_removed(server: &TestServer) {
        let api = dev_and_prod(server);
        let base = "/companies/acme/organizations/dev/teams";
        let [ada, bob] = ["ada", "bob"].map(|name| server.acme().user(name));
        let made = api.post(base, &json!({"name": "night shift"})).expect(201);
        assert_eq!((&made["provider"], &made["external_group"]), (&json!("manual"), &json!(null)));
        api.post(base, &json!({"name": "night shift"})).problem(409, "team_name_taken");
        api.post(base, &json!({"name": " "})).problem(422, "invalid_field");
        let path = format!("{base}/{}", made.id());
        let renamed = api.patch(&path, &json!({"name": "day shift", "description": "8 to 4"})).expect(200);
        assert_eq!((&renamed["name"], &renamed["description"]), (&json!("day shift"), &json!("8 to 4")));
        let members = format!("{path}/members");
        assert_eq!(api.put(&members, &json!({"user_ids": [ada, bob]})).expect(200)["size"], 2);
        assert_eq!(api.put(&members, &json!({"user_ids": [bob]})).expect(200)["size"], 1);
        assert_eq!(api.get(&members).expect(200).data(), [json!({"id": bob, "origins": ["manual"]})]);
        let nobody = json!({"user_ids": ["0198c0de-0000-7000-8000-00000000abcd"]});
        api.put(&members, &nobody).problem(404, "user_not_found");
        api.delete(&path).expect(204);
        api.get(&path).problem(404, "team_not_found");
        assert!(teams_of(&api, &bob, "dev").is_empty());
    }

    /// What people made stays, whatever the groups say; a local team may be called like a group (D9).
    fn sync_leaves_local_teams_and_local_members_alone(server: &TestServer) {
        let api = dev_and_prod(server);
        let base = "/companies/acme/organizations/dev/teams";
        let ada = server.acme().user("ada");
        let local = api.post(base, &json!({"name": "platform"})).expect(201).id();
        api.put(&format!("{base}/{local}/members"), &json!({"user_ids": [ada]})).expect(200);
        sign_in(server, (&ada, "dev"), Some(&["platform"])).unwrap();
        assert_eq!(teams_of(&api, &ada, "dev"), ["platform by manual", "platform by sso"]);
        sign_in(server, (&ada, "dev"), Some(&[])).unwrap();
        assert_eq!(teams_of(&api, &ada, "dev"), ["platform by manual"]);
    }

    fn what_the_idp_manages_is_not_edited(server: &TestServer) {
        let api = dev_and_prod(server);
        let ada = server.acme().user("ada");
        sign_in(server, (&ada, "dev"), None).unwrap();
        server.acme().group("platform", &[&ada]);
        let team = api.get("/companies/acme/organizations/dev/teams").expect(200).data()[0].clone();
        assert_eq!((&team["provider"], &team["external_group"]), (&json!("scim"), &json!("platform")));
        let path = format!("/companies/acme/organizations/dev/teams/{}", team["id"].as_str().unwrap());
        let refused = api.patch(&path, &json!({"name": "x"})).problem(409, "team_managed_by_idp");
        assert!(refused["detail"].as_str().unwrap().contains("directory's group platform"));
        api.delete(&path).problem(409, "team_managed_by_idp");
        let none = json!({"user_ids": []});
        api.put(&format!("{path}/members"), &none).problem(409, "membership_managed_by_idp");
    }

    /// Nobody who may not see an organization's teams changes them.
    fn a_member_sees_teams_and_changes_none(server: &TestServer) {
        dev_and_prod(server);
        let ada = server.acme().user("ada");
        enroll(server, &ada, "dev", "member");
        let session = server.sign_in(&ada).unwrap();
        let base = "/companies/acme/organizations/dev/teams";
        session.get(base).expect(200);
        session.post(base, &json!({"name": "x"})).problem(403, "missing_permission");
    }
}
