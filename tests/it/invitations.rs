//! Invitations over the management API, by the numbers of the requirements.

use serde_json::json;

use crate::api::Who;
use crate::server::on_both_databases;

on_both_databases! {
    fn r071_people_are_invited_by_address_and_role(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({}));
        let path = format!("/organizations/{dev}/invitations");
        let body = json!({"email": "Ada@acme.example", "role": "moderator"});
        let made = api.post(&path, &body).expect(201);
        assert_eq!((&made["email"], &made["role"]), (&json!("Ada@acme.example"), &json!("moderator")));
        assert_eq!((&made["status"], &made["member"]["status"]), (&json!("INVITED"), &json!("INVITED")));
        assert_eq!(made["member"]["email"], "Ada@acme.example");
        let listed = api.get(&path).expect(200);
        assert_eq!(listed.data()[0]["id"], made["id"]);
        for bad in ["ada", "", "a@b@c", "a b@acme.example"] {
            api.post(&path, &json!({"email": bad})).problem(422, "email_invalid");
        }
        let events = api.get("/companies/acme/audit-events").expect(200);
        let actions: Vec<&str> = events.data().iter().map(|e| e["action"].as_str().unwrap()).take(3).collect();
        assert_eq!(actions, ["access.granted", "invitation.created", "user.staged"]);
        assert_eq!(events.data()[1]["detail"]["notify"], true);
    }

    fn r072_access_is_immediate(server: &TestServer) {
        let api = server.operator();
        let prod = api.organization("acme", "prod", &json!({}));
        let ada = server.acme().user("ada@acme.example");
        let before = api.get(&format!("/companies/acme/users/{ada}/access")).expect(200);
        assert_eq!(before.data()[0]["access"], "denied");
        let session = server.sign_in(&ada).unwrap();
        session.post("/session/switch", &json!({"organization": "prod"})).problem(403, "organization_access_denied");
        let body = json!({"email": "ada@acme.example", "role": "moderator"});
        let made = api.post(&format!("/organizations/{prod}/invitations"), &body).expect(201);
        // Who has signed in has nothing to accept.
        assert_eq!((&made["status"], &made["member"]["status"]), (&json!("ACCEPTED"), &json!("ACTIVE")));
        let after = api.get(&format!("/companies/acme/users/{ada}/access")).expect(200);
        assert_eq!(after.data()[0]["access"], "allowed");
        let here = session.post("/session/switch", &json!({"organization": "prod"})).expect(200);
        assert_eq!(here["organization"]["role"], "moderator");
        let next = server.sign_in(&ada).unwrap().get("/session").expect(200);
        assert_eq!((&next["organization"]["id"], &next["organization"]["role"]), (&json!(prod), &json!("moderator")));
    }

    fn r073_an_unknown_user_is_made(server: &TestServer) {
        let api = server.operator();
        let prod = api.organization("acme", "prod", &json!({}));
        let body = json!({"email": "new@acme.example"});
        let made = api.post(&format!("/organizations/{prod}/invitations"), &body).expect(201);
        let id = made["member"]["user_id"].as_str().unwrap();
        let members = api.get(&format!("/organizations/{prod}/members")).expect(200);
        assert_eq!((&members.data()[0]["user_id"], &members.data()[0]["status"]), (&json!(id), &json!("INVITED")));
        let user = api.get(&format!("/companies/acme/users/{id}")).expect(200);
        assert_eq!((&user["status"], &user["managed_by_scim"]), (&json!("STAGED"), &json!(false)));
        let access = api.get(&format!("/companies/acme/users/{id}/access")).expect(200);
        assert_eq!(access.data()[0]["access"], "allowed");
        let session = server.log_in(&Who::new("new@acme.example").to("prod")).unwrap();
        assert_eq!(session.get("/session").expect(200)["organization"]["id"], *prod);
        let member = api.get(&format!("/organizations/{prod}/members/{id}")).expect(200);
        assert_eq!(member["status"], "ACTIVE");
        assert!(member["entered_at"].is_string());
        let listed = api.get(&format!("/organizations/{prod}/invitations")).expect(200);
        assert_eq!(listed.data()[0]["status"], "ACCEPTED");
    }

    fn r074_a_second_invitation_is_the_first_sent_again(server: &TestServer) {
        let api = server.operator();
        let path = format!("/organizations/{}/invitations", api.organization("acme", "prod", &json!({})));
        let invite = |role: &str| api.post(&path, &json!({"email": "ada@acme.example", "role": role}));
        let first = invite("member").expect(201);
        let second = invite("moderator").expect(200);
        assert_eq!(second["id"], first["id"]);
        assert_eq!((&second["role"], &second["member"]["role"]), (&json!("moderator"), &json!("moderator")));
        assert_ne!(second["sent_at"], first["sent_at"]);
        let mut as_written = Who::new("ADA@acme.example");
        as_written.subject = "ada".to_owned();
        server.log_in(&as_written).unwrap();
        invite("member").problem(409, "already_member");
        assert_eq!(api.get(&path).expect(200).data().len(), 1);
    }

    fn an_invitation_is_taken_back(server: &TestServer) {
        let api = server.operator();
        let prod = api.organization("acme", "prod", &json!({}));
        let path = format!("/organizations/{prod}/invitations");
        let made = api.post(&path, &json!({"email": "ada@acme.example"})).expect(201);
        let one = format!("{path}/{}", made.id());
        api.delete(&one).expect(204);
        api.delete(&one).expect(204);
        assert!(api.get(&format!("/organizations/{prod}/members")).expect(200).data().is_empty());
        let session = server.log_in(&Who::new("ada@acme.example")).unwrap();
        assert_eq!(session.get("/session").expect(200)["notice"], "no_organization_access");
        assert_eq!(api.get(&path).expect(200).data()[0]["status"], "REVOKED");
        let again = api.post(&path, &json!({"email": "ada@acme.example"})).expect(201);
        api.delete(&format!("{path}/{}", again.id())).problem(409, "already_member");
        api.delete(&format!("{path}/{}", "nothing")).problem(404, "not_found");
    }

    /// The one whose userName it is, or the only one who has it.
    fn an_address_names_one_user(server: &TestServer) {
        let api = server.operator();
        let path = format!("/organizations/{}/invitations", api.organization("acme", "prod", &json!({})));
        let with = |name: &str| {
            let body = json!({"userName": name, "emails": [{"value": "Shared@acme.example"}]});
            server.acme().post("/Users", &body).expect(201).id()
        };
        let ada = with("ada");
        let made = api.post(&path, &json!({"email": "shared@acme.example"})).expect(201);
        assert_eq!(made["member"]["user_id"], *ada);
        with("bob");
        api.post(&path, &json!({"email": "shared@acme.example"})).problem(409, "email_ambiguous");
        let eve = server.acme().user("shared@acme.example");
        let made = api.post(&path, &json!({"email": "shared@acme.example"})).expect(201);
        assert_eq!(made["member"]["user_id"], *eve);
    }

    fn an_invitation_names_local_teams(server: &TestServer) {
        let api = server.operator();
        let prod = api.organization("acme", "prod", &json!({}));
        for (id, provider) in [("local-team", "manual"), ("their-team", "scim")] {
            server.sql(&format!(
                "INSERT INTO teams (id, company_seq, organization_seq, name, description, provider, created_at, \
                 updated_at) SELECT '{id}', company_seq, seq, '{id}', '', '{provider}', 1, 1 \
                 FROM organizations WHERE slug = 'prod'"
            ));
        }
        let path = format!("/organizations/{prod}/invitations");
        let invite = |team: &str| api.post(&path, &json!({"email": "ada@acme.example", "teams": [team]}));
        invite("nothing").problem(404, "team_not_found");
        invite("their-team").problem(409, "team_managed_by_idp");
        assert!(api.get(&path).expect(200).data().is_empty());
        let made = invite("local-team").expect(201);
        assert_eq!(made["member"]["teams"], json!([{"id": "local-team", "name": "local-team"}]));
        assert_eq!(made["teams"], json!(["local-team"]));
    }
}
