//! Logins and switches by the numbers of the requirements: through the function that the SSO login will
//! call, seen over HTTP.

use serde_json::{Value, json};

use crate::api::{Api, Who};
use crate::company::user;
use crate::server::{TestServer, on_both_databases};

/// The slugs of the organizations that a session may enter.
fn slugs(session: &Api) -> Vec<String> {
    let mine = session.get("/me/organizations").expect(200);
    mine.data().iter().map(|o| o["slug"].as_str().unwrap().to_owned()).collect()
}

/// Where a session works now.
fn here(session: &Api) -> Value {
    session.get("/session").expect(200)["organization"]["slug"].clone()
}

/// Lets logins make users, or not.
fn set_jit(server: &TestServer, on: bool) {
    server.sql(&format!(
        "UPDATE companies SET settings = '{{\"jit_provisioning\": {on}}}' WHERE slug = 'acme'"
    ));
}

on_both_databases! {
    fn r053_one_login_serves_all_organizations(server: &TestServer) {
        let api = server.operator();
        for slug in ["dev", "prod"] {
            api.organization("acme", slug, &json!({"automatic_user_access": true}));
        }
        let ada = server.acme().user("ada");
        let session = server.sign_in(&ada).unwrap();
        assert_eq!(slugs(&session), ["dev", "prod"]);
        assert_eq!(session.get("/me").expect(200)["id"], *ada);
        let first = session.get("/me/organizations?limit=1").expect(200);
        let next = first["page"]["next_cursor"].as_str().unwrap();
        let rest = session.get(&format!("/me/organizations?limit=1&cursor={next}")).expect(200);
        assert_eq!((&rest.data()[0]["slug"], &rest["page"]["next_cursor"]), (&json!("prod"), &Value::Null));
        api.get("/me").problem(404, "user_not_found");
    }

    fn r057_access_of_each_organization_is_honoured_separately(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        api.organization("acme", "prod", &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        assert_eq!(slugs(&session), ["dev"]);
        session.post("/session/switch", &json!({"organization": "dev"})).expect(200);
        session.post("/session/switch", &json!({"organization": "prod"})).problem(403, "organization_access_denied");
    }

    fn r065_without_access_a_login_leads_nowhere(server: &TestServer) {
        let api = server.operator();
        let prod = api.organization("acme", "prod", &json!({}));
        let ada = server.acme().user("ada");
        let session = server.sign_in(&ada).unwrap();
        let shown = session.get("/session").expect(200);
        assert_eq!((&shown["organizations"], &shown["organization"]), (&json!([]), &Value::Null));
        assert_eq!(shown["notice"], "no_organization_access");
        session.post("/session/switch", &json!({"organization": prod})).problem(403, "organization_access_denied");
        session.post("/session/switch", &json!({"organization": "nothing"})).problem(404, "organization_not_found");
        let refused = server.log_in(&Who::new("ada").to("prod")).map(drop);
        assert!(refused.is_err_and(|why| why.starts_with("identity_conflict")), "another subject");
        let mut again = Who::new("ada").to("prod");
        again.subject = ada;
        let refused = server.log_in(&again).map(drop);
        assert!(refused.is_err_and(|why| why.starts_with("organization_access_denied")));
    }

    fn r067_automatic_access_gives_the_member_role(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let ada = server.acme().user("ada");
        server.sign_in(&ada).unwrap();
        let member = api.get(&format!("/organizations/{dev}/members/{ada}")).expect(200);
        assert_eq!((&member["role"], &member["source"]), (&json!("member"), &json!("automatic")));
        assert_eq!(member["status"], "ACTIVE");
    }

    fn r068_automatic_access_changes_no_role(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let invitation = json!({"email": "ada@acme.example", "role": "admin"});
        api.post(&format!("/organizations/{dev}/invitations"), &invitation).expect(201);
        for _ in 0..2 {
            let session = server.log_in(&Who::new("ada@acme.example")).unwrap();
            let shown = session.get("/session").expect(200);
            assert_eq!((&shown["organization"]["slug"], &shown["organization"]["role"]), (&json!("dev"), &json!("admin")));
        }
    }

    fn r069_automatic_access_is_for_sso_logins(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        set_jit(server, true);
        let stranger = server.log_in(&Who::new("stranger@mail.example").by_social()).map(drop);
        assert!(stranger.is_err_and(|why| why.starts_with("user_not_provisioned")));
        server.acme().user("ada");
        let session = server.log_in(&Who::new("ada").by_social()).unwrap();
        assert!(slugs(&session).is_empty());
        session.post("/session/switch", &json!({"organization": "dev"})).problem(403, "organization_access_denied");
        assert!(api.get(&format!("/organizations/{dev}/members")).expect(200).data().is_empty());
    }

    fn r070_automatic_access_is_switched_off_again(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let invitation = json!({"email": "eve@acme.example", "role": "moderator"});
        api.post(&format!("/organizations/{dev}/invitations"), &invitation).expect(201);
        let eve = server.log_in(&Who::new("eve@acme.example")).unwrap();
        let ada = server.acme().user("ada");
        let session = server.sign_in(&ada).unwrap();
        api.patch(&format!("/organizations/{dev}/members/{ada}"), &json!({"role": "moderator"})).expect(200);
        session.get(&format!("/organizations/{dev}/members")).expect(200);
        let set = |on: bool| {
            let change = json!({"automatic_user_access": on});
            api.patch(&format!("/organizations/{dev}"), &change).expect(200);
        };
        set(false);
        session.get(&format!("/organizations/{dev}/members")).problem(403, "missing_permission");
        session.post("/session/switch", &json!({"organization": "dev"})).problem(403, "organization_access_denied");
        let mut again = Who::new("ada").to("dev");
        again.subject = ada.clone();
        let refused = server.log_in(&again).map(drop);
        assert!(refused.is_err_and(|why| why.starts_with("organization_access_denied")));
        api.get(&format!("/organizations/{dev}/members/{ada}")).problem(404, "not_found");
        eve.get(&format!("/organizations/{dev}/members")).expect(200);
        set(true);
        let back = api.get(&format!("/organizations/{dev}/members/{ada}")).expect(200);
        assert_eq!(back["role"], "moderator");
        session.get(&format!("/organizations/{dev}/members")).expect(200);
    }

    /// Ruling 7: it takes effect at the next request, for who signed in before as well.
    fn automatic_access_takes_effect_at_the_next_request(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        assert!(slugs(&session).is_empty());
        api.patch(&format!("/organizations/{dev}"), &json!({"automatic_user_access": true})).expect(200);
        assert_eq!(slugs(&session), ["dev"]);
        session.get(&format!("/organizations/{dev}")).expect(200);
        session.post("/session/switch", &json!({"organization": "dev"})).expect(200);
        assert_eq!(here(&session), "dev");
    }

    fn r097_scim_works_at_the_companys_level(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({}));
        api.organization("acme", "prod", &json!({}));
        let ada = server.acme().user("ada");
        let access = api.get(&format!("/companies/acme/users/{ada}/access")).expect(200);
        assert!(access.data().iter().all(|o| o["access"] == "denied" && o["role"] == "none"), "{}", access.reply);
        let scim = api.get("/companies/acme/scim").expect(200);
        assert!(scim["base_url"].as_str().unwrap().ends_with("/scim/v2"));
    }

    fn r099_the_first_login_through_the_connection_activates(server: &TestServer) {
        let ada = server.acme().user("ada");
        let session = server.sign_in(&ada).unwrap();
        let me = session.get("/me").expect(200);
        assert_eq!(me["status"], "ACTIVE");
        let at = me["activated_at"].clone();
        assert!(at.is_string());
        assert_eq!(server.sign_in(&ada).unwrap().get("/me").expect(200)["activated_at"], at);
    }

    fn r100_a_scim_user_appears_with_the_first_login(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let ada = server.acme().user("ada");
        assert!(api.get(&format!("/organizations/{dev}/members")).expect(200).data().is_empty());
        let access = api.get(&format!("/companies/acme/users/{ada}/access")).expect(200);
        assert_eq!(access.data()[0]["reasons"], json!(["staged_first_login_required"]));
        server.sign_in(&ada).unwrap();
        let members = api.get(&format!("/organizations/{dev}/members")).expect(200);
        assert_eq!((&members.data()[0]["user_id"], &members.data()[0]["role"]), (&json!(ada), &json!("member")));
    }

    fn r101_without_automatic_access_an_invitation_is_needed(server: &TestServer) {
        let api = server.operator();
        let prod = api.organization("acme", "prod", &json!({}));
        let ada = server.acme().user("ada@acme.example");
        server.sign_in(&ada).unwrap();
        let members = || api.get(&format!("/organizations/{prod}/members")).expect(200);
        assert!(members().data().is_empty());
        api.post(&format!("/organizations/{prod}/invitations"), &json!({"email": "ada@acme.example"})).expect(201);
        assert_eq!(members().data()[0]["user_id"], *ada);
    }

    fn r102_a_change_over_scim_leaves_access_alone(server: &TestServer) {
        let api = server.operator();
        let prod = api.organization("acme", "prod", &json!({}));
        let ada = server.acme().user("ada@acme.example");
        let invitation = json!({"email": "ada@acme.example", "role": "admin"});
        api.post(&format!("/organizations/{prod}/invitations"), &invitation).expect(201);
        let path = format!("/organizations/{prod}/members/{ada}");
        let before = api.get(&path).expect(200);
        let rename = json!([{"op": "replace", "path": "name.givenName", "value": "Augusta"}]);
        server.acme().patch(&format!("/Users/{ada}"), &rename).expect(200);
        let after = api.get(&path).expect(200);
        assert_eq!(after["first_name"], "Augusta");
        for field in ["role", "source", "status", "updated_at"] {
            assert_eq!(after[field], before[field], "{field}");
        }
    }

    fn r103_scim_needs_company_level_sso(server: &TestServer) {
        let api = server.operator();
        let prod = api.organization("acme", "prod", &json!({}));
        server.sql(&format!(
            "INSERT INTO connections (id, company_seq, organization_seq, name, provider, protocol, state, \
             document, created_at, version) SELECT 'legacy', company_seq, seq, 'legacy', 'okta', 'oidc', \
             'active', '{{}}', 1, 1 FROM organizations WHERE id = '{prod}'"
        ));
        let name = json!({"name": "okta"});
        api.post("/companies/acme/scim/tokens", &name).problem(409, "company_sso_required");
    }

    /// Ruling 9: by the subject as externalId, then by the address, where no login has linked the user yet.
    fn a_first_login_finds_the_provisioned_user(server: &TestServer) {
        let create = |name: &str, external: &str| {
            let mut body = user(name);
            body["externalId"] = json!(external);
            body["emails"] = json!([{"value": format!("{name}@acme.example")}]);
            server.acme().post("/Users", &body).expect(201).id()
        };
        let (ada, bob) = (create("ada", "00u1"), create("bob", "00u2"));
        let me = |who: &Who| server.log_in(who).map(|session| session.get("/me").expect(200).id());
        let by_subject = Who { subject: "00u1".to_owned(), ..Who::new("moved@acme.example") };
        assert_eq!(me(&by_subject).as_ref(), Ok(&ada));
        assert_eq!(me(&Who::new("BOB@acme.example")).as_ref(), Ok(&bob));
        // The link counts from then on, whatever becomes of the address.
        let moved = Who { email: "x@acme.example".to_owned(), ..Who::new("BOB@acme.example") };
        assert_eq!(me(&moved).as_ref(), Ok(&bob));
        let other = Who { subject: "somebody else".to_owned(), ..Who::new("bob@acme.example") };
        assert!(me(&other).is_err_and(|why| why.starts_with("identity_conflict")));
    }

    /// Ruling 9: on without SCIM, off once SCIM is on; the company may say otherwise.
    fn a_login_makes_a_user_where_the_company_lets_it(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let who = Who::new("new@acme.example");
        let refused = server.log_in(&who).map(drop);
        assert!(refused.is_err_and(|why| why.starts_with("user_not_provisioned")));
        api.patch("/companies/acme", &json!({"scim_enabled": false})).expect(200);
        let session = server.log_in(&who).unwrap();
        let me = session.get("/me").expect(200);
        assert_eq!((&me["user_name"], &me["managed_by_scim"]), (&json!("new@acme.example"), &json!(false)));
        assert_eq!((&me["first_name"], &me["status"]), (&json!("First"), &json!("ACTIVE")));
        assert_eq!(here(&session), "dev");
        assert_eq!(server.log_in(&who).unwrap().get("/me").expect(200)["id"], me["id"]);
    }

    /// Ruling 9: who was deleted is never made anew by a login; who is provisioned again is linked again.
    fn a_deleted_user_is_not_made_anew(server: &TestServer) {
        set_jit(server, true);
        let ada = server.acme().user("ada@acme.example");
        let who = Who::new("ada@acme.example");
        server.log_in(&who).unwrap();
        server.acme().delete(&format!("/Users/{ada}")).expect(204);
        let refused = server.log_in(&who).map(drop);
        assert!(refused.is_err_and(|why| why.starts_with("user_deleted")));
        let again = server.acme().user("ada@acme.example");
        assert_eq!(server.log_in(&who).unwrap().get("/me").expect(200)["id"], *again);
    }

    /// The same of somebody who was deleted before any login: by the name, an address, or the directory's id.
    fn nobody_is_made_anew_who_never_signed_in(server: &TestServer) {
        set_jit(server, true);
        let mut body = user("ada@acme.example");
        body["externalId"] = json!("00u1");
        body["emails"] = json!([{"value": "Ada.L@acme.example"}]);
        let ada = server.acme().post("/Users", &body).expect(201).id();
        server.acme().delete(&format!("/Users/{ada}")).expect(204);
        let by_id = Who { subject: "00u1".to_owned(), ..Who::new("new@acme.example") };
        for who in [Who::new("ADA@acme.example"), Who::new("ada.l@acme.example"), by_id] {
            let refused = server.log_in(&who).map(drop);
            assert!(refused.is_err_and(|why| why.starts_with("user_deleted")), "{who:?}");
        }
        server.log_in(&Who::new("bob@acme.example")).unwrap();
        // Whom an admin wants again is wanted.
        let again = server.acme().user("ada@acme.example");
        assert_eq!(server.log_in(&Who::new("ada@acme.example")).unwrap().get("/me").expect(200)["id"], *again);
    }

    /// Ruling 8: whom a login made, the directory describes once it gives them an `externalId`.
    fn the_directory_adopts_whom_a_login_made(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        set_jit(server, true);
        let mut who = Who::new("ada@acme.example");
        who.groups = Some(vec!["claimed".to_owned()]);
        let session = server.log_in(&who).unwrap();
        let ada = session.get("/me").expect(200).id();
        let path = format!("/companies/acme/users/{ada}");
        api.patch(&path, &json!({"first_name": "Ada"})).expect(200);
        assert_eq!(api.get(&path).expect(200)["managed_by_scim"], false);
        let set = json!([{"op": "add", "path": "externalId", "value": "00u1"}]);
        server.acme().patch(&format!("/Users/{ada}"), &set).expect(200);
        assert_eq!(api.get(&path).expect(200)["managed_by_scim"], true);
        server.acme().group("pushed", &[&ada]);
        assert_eq!(crate::teams::teams_of(&api, &ada, "dev"), ["pushed by scim"]);
    }

    /// Row 30: the groups that logins name are among those seen, and are tried by the preview.
    fn groups_that_a_login_names_are_seen(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        server.acme().user("ada");
        let mut who = Who::new("ada");
        who.groups = Some(vec!["platform".to_owned(), "temp-1".to_owned()]);
        server.log_in(&who).unwrap();
        let seen = api.get("/companies/acme/sso/groups").expect(200);
        let names: Vec<(&Value, &Value)> =
            seen.data().iter().map(|group| (&group["name"], &group["source"])).collect();
        assert_eq!(names, [(&json!("platform"), &json!("claim")), (&json!("temp-1"), &json!("claim"))]);
        let block = json!({"block": ["^temp-"]});
        let tried = api.post("/companies/acme/sso/group-filters/preview", &block).expect(200);
        assert_eq!((&tried["results"][0]["verdict"], &tried["results"][1]["verdict"]), (&json!("allowed"), &json!("blocked")));
    }

    /// What happened to one user, also when they are gone.
    fn a_user_has_a_timeline(server: &TestServer) {
        let api = server.operator();
        let [ada, _] = ["ada", "bob"].map(|name| server.acme().user(name));
        server.sign_in(&ada).unwrap();
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        server.acme().patch(&format!("/Users/{ada}"), &off).expect(200);
        server.acme().delete(&format!("/Users/{ada}")).expect(204);
        let path = format!("/companies/acme/users/{ada}/timeline");
        let (mut actions, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = api.get(&format!("{path}?limit=1&cursor={cursor}")).expect(200);
            actions.extend(page.data().iter().map(|event| event["action"].as_str().unwrap().to_owned()));
            let Some(next) = page["page"]["next_cursor"].as_str() else { break };
            cursor = next.to_owned();
        }
        assert_eq!(
            actions,
            ["user.deleted", "user.deactivated", "session.revoked", "user.activated", "user.staged"]
        );
        let nobody = "0198c0de-0000-7000-8000-00000000abcd";
        api.get(&format!("/companies/acme/users/{nobody}/timeline")).problem(404, "user_not_found");
    }

    /// D7: the organization asked for, else the last one visited, else the first; active per session.
    fn a_login_leads_where_the_user_was(server: &TestServer) {
        let api = server.operator();
        for slug in ["dev", "prod"] {
            api.organization("acme", slug, &json!({"automatic_user_access": true}));
        }
        server.acme().user("ada");
        let who = Who::new("ada");
        let first = server.log_in(&who).unwrap();
        assert_eq!(here(&first), "dev");
        let other = server.log_in(&who.clone().to("prod")).unwrap();
        assert_eq!((here(&other), here(&first)), (json!("prod"), json!("dev")));
        assert_eq!(here(&server.log_in(&who).unwrap()), "prod");
        let switched = first.post("/session/switch", &json!({"organization": "prod"})).expect(200);
        assert_eq!(switched["organization"]["slug"], "prod");
        assert_eq!(here(&first), "prod");
    }
}
