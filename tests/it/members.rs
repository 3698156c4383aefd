//! Members of organizations over the management API, by the numbers of the requirements.

use serde_json::{Value, json};

use crate::api::{Api, Who};
use crate::server::{TestServer, on_both_databases};

/// A user of acme who is in this organization by an invitation with this role, and has signed in.
fn member(server: &TestServer, name: &str, organization: &str, role: &str) -> (String, Api) {
    let user = server.acme().user(name);
    let email = format!("{name}@acme.example");
    let mail = json!([{"op": "add", "path": "emails", "value": [{"value": email}]}]);
    server.acme().patch(&format!("/Users/{user}"), &mail).expect(200);
    let path = format!("/companies/acme/organizations/{organization}/invitations");
    server.operator().post(&path, &json!({"email": email, "role": role})).expect(201);
    let session = server.sign_in(&user).unwrap();
    (user, session)
}

/// Role, source and status of a user of acme in an organization.
fn seen(server: &TestServer, organization: &str, user: &str) -> Value {
    let path = format!("/companies/acme/organizations/{organization}/members/{user}");
    let read = server.operator().get(&path).expect(200);
    json!([read["role"], read["source"], read["status"]])
}

on_both_databases! {
    fn r092_roles_are_per_organization(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let prod = api.organization("acme", "prod", &json!({}));
        let (alice, _) = member(server, "alice", "prod", "member");
        api.patch(&format!("/organizations/{dev}/members/{alice}"), &json!({"role": "admin"})).expect(200);
        assert_eq!(seen(server, "dev", &alice), json!(["admin", "automatic", "ACTIVE"]));
        assert_eq!(seen(server, "prod", &alice), json!(["member", "invitation", "ACTIVE"]));
        api.patch(&format!("/organizations/{prod}/members/{alice}"), &json!({"role": "moderator"})).expect(200);
        assert_eq!(seen(server, "dev", &alice)[0], "admin");
        assert_eq!(seen(server, "prod", &alice)[0], "moderator");
    }

    fn r093_no_access_is_a_legal_state(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({}));
        api.organization("acme", "prod", &json!({}));
        let (carol, _) = member(server, "carol", "dev", "admin");
        let access = api.get(&format!("/companies/acme/users/{carol}/access")).expect(200);
        let [dev, prod] = access.data() else { panic!("{}", access.reply) };
        assert_eq!((&dev["access"], &dev["role"]), (&json!("allowed"), &json!("admin")));
        assert_eq!((&prod["access"], &prod["role"]), (&json!("denied"), &json!("none")));
        assert_eq!(prod["reasons"], json!(["automatic_access_disabled_and_not_invited"]));
        let first = api.get(&format!("/companies/acme/users/{carol}/access?limit=1")).expect(200);
        assert_eq!(first["page"]["next_cursor"], dev["organization_id"]);
    }

    fn r095_there_are_three_roles(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({}));
        let (ada, _) = member(server, "ada", "dev", "member");
        let path = format!("/organizations/{dev}/members/{ada}");
        for role in ["admin", "moderator", "member"] {
            assert_eq!(api.patch(&path, &json!({"role": role})).expect(200)["role"], role);
        }
        api.patch(&path, &json!({"role": "owner"})).problem(422, "unknown_role");
        let invitation = json!({"email": "x@acme.example", "role": "owner"});
        api.post(&format!("/organizations/{dev}/invitations"), &invitation).problem(422, "unknown_role");
    }

    /// Row 191's shape: who is deleted at the identity provider is nowhere a member, and the record stays.
    fn a_deleted_user_is_nobodys_member(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        api.organization("acme", "prod", &json!({}));
        let (ada, session) = member(server, "ada", "prod", "admin");
        server.acme().delete(&format!("/Users/{ada}")).expect(204);
        server.acme().get(&format!("/Users/{ada}")).fails(404);
        session.get("/me").problem(401, "unauthorized");
        for slug in ["dev", "prod"] {
            let members = api.get(&format!("/companies/acme/organizations/{slug}/members")).expect(200);
            assert!(members.data().is_empty(), "{}", members.reply);
        }
        api.get(&format!("/organizations/{dev}/members/{ada}")).problem(404, "user_not_found");
        let events = api.get("/companies/acme/audit-events").expect(200);
        assert_eq!((&events.data()[0]["action"], &events.data()[0]["target"]), (&json!("user.deleted"), &json!(ada)));
    }

    /// D13: a deactivation of the membership blocks everything there, and the role comes back with the person.
    fn a_deactivated_member_does_not_enter(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({}));
        let (ada, session) = member(server, "ada", "dev", "moderator");
        let path = format!("/organizations/{dev}/members/{ada}");
        session.get(&format!("/organizations/{dev}/members")).expect(200);
        let off = api.patch(&path, &json!({"deactivated": true})).expect(200);
        assert_eq!((&off["status"], &off["role"]), (&json!("DEACTIVATED"), &json!("moderator")));
        session.get(&format!("/organizations/{dev}/members")).problem(403, "missing_permission");
        session.post("/session/switch", &json!({"organization": "dev"})).problem(403, "organization_access_denied");
        let access = api.get(&format!("/companies/acme/users/{ada}/access")).expect(200);
        assert_eq!(access.data()[0]["reasons"], json!(["membership_deactivated"]));
        assert_eq!(api.patch(&path, &json!({"deactivated": false})).expect(200)["role"], "moderator");
        session.post("/session/switch", &json!({"organization": "dev"})).expect(200);
    }

    /// Roles are not the directory's to take: they come back with the person.
    fn a_role_survives_the_directory(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({}));
        let (ada, _) = member(server, "ada", "dev", "admin");
        let set = |active: bool| {
            let operations = json!([{"op": "replace", "path": "active", "value": active}]);
            server.acme().patch(&format!("/Users/{ada}"), &operations).expect(200);
        };
        set(false);
        assert_eq!(seen(server, "dev", &ada), json!(["admin", "invitation", "DEACTIVATED"]));
        set(true);
        assert_eq!(seen(server, "dev", &ada), json!(["admin", "invitation", "ACTIVE"]));
    }

    /// A moderator manages members, but neither makes nor unmakes an admin.
    fn an_admin_is_made_by_an_admin(server: &TestServer) {
        let dev = server.operator().organization("acme", "dev", &json!({}));
        let (ada, admin) = member(server, "ada", "dev", "admin");
        let (bob, moderator) = member(server, "bob", "dev", "moderator");
        let (eve, _) = member(server, "eve", "dev", "member");
        let at = |user: &str| format!("/organizations/{dev}/members/{user}");
        for (user, body) in [
            (&bob, json!({"role": "admin"})),
            (&eve, json!({"role": "admin"})),
            (&ada, json!({"role": "member"})),
            (&ada, json!({"deactivated": true})),
        ] {
            moderator.patch(&at(user), &body).problem(403, "missing_permission");
        }
        moderator.delete(&at(&ada)).problem(403, "missing_permission");
        let invitation = json!({"email": "new@acme.example", "role": "admin"});
        moderator.post(&format!("/organizations/{dev}/invitations"), &invitation).problem(403, "missing_permission");
        moderator.patch(&at(&eve), &json!({"role": "moderator"})).expect(200);
        admin.patch(&at(&eve), &json!({"role": "admin"})).expect(200);
        admin.patch(&at(&ada), &json!({"deactivated": true})).problem(403, "cannot_change_own_status");
        admin.delete(&at(&ada)).problem(403, "cannot_change_own_status");
        admin.delete(&at(&eve)).expect(204);
        admin.get(&at(&eve)).problem(404, "not_found");
    }

    fn what_a_mapping_gave_is_the_idps(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({}));
        let (ada, _) = member(server, "ada", "dev", "member");
        server.sql("UPDATE organization_members SET source = 'mapping'");
        let path = format!("/organizations/{dev}/members/{ada}");
        api.patch(&path, &json!({"role": "admin"})).problem(409, "membership_managed_by_idp");
        api.delete(&path).problem(409, "membership_managed_by_idp");
        api.patch(&path, &json!({"deactivated": true})).expect(200);
    }

    /// Who could enter again at once is deactivated, not removed.
    fn an_automatic_member_is_not_removed(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let ada = server.acme().user("ada");
        let session = server.sign_in(&ada).unwrap();
        let path = format!("/organizations/{dev}/members/{ada}");
        api.delete(&path).problem(409, "automatic_access");
        api.patch(&path, &json!({"deactivated": true})).expect(200);
        session.post("/session/switch", &json!({"organization": dev})).problem(403, "organization_access_denied");
    }

    /// Ruling 7: who is ACTIVE by SSO may enter as soon as the switch is on, and is listed; pages follow each
    /// other however the members came in.
    fn members_are_listed_in_pages(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({}));
        let mut all = Vec::new();
        for n in 0..3 {
            let user = server.acme().user(&format!("linked{n}"));
            server.sign_in(&user).unwrap();
            all.push(user);
            let (user, _) = member(server, &format!("invited{n}"), "dev", "member");
            all.push(user);
            server.acme().user(&format!("staged{n}"));
        }
        let walk = || {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = api.get(&format!("/organizations/{dev}/members?limit=2&cursor={cursor}")).expect(200);
                seen.extend(page.data().iter().map(|m| m["user_id"].as_str().unwrap().to_owned()));
                match page["page"]["next_cursor"].as_str() {
                    Some(next) => cursor = next.to_owned(),
                    None => return seen,
                }
            }
        };
        let invited: Vec<String> = all.iter().skip(1).step_by(2).cloned().collect();
        assert_eq!(walk(), invited);
        api.patch(&format!("/organizations/{dev}"), &json!({"automatic_user_access": true})).expect(200);
        assert_eq!(walk(), all);
    }

    fn a_social_login_stays_what_it_is(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let ada = server.acme().user("ada");
        let session = server.log_in(&Who::new("ada").by_social()).unwrap();
        assert_eq!(session.get("/session").expect(200)["notice"], "no_organization_access");
        api.get(&format!("/organizations/{dev}/members/{ada}")).problem(404, "not_found");
    }
}
