//! What the groups of a sign-in give and take, by the numbers of the requirements, through a provider.

use serde_json::{Value, json};

use super::{ACME, Idp, START, acme, come, person};
use crate::api::Api;
use crate::oauth::App;
use crate::server::{TestServer, on_both_databases};
use crate::teams::teams_of;

const DEV: &str = "/companies/acme/organizations/dev";

/// Acme in mapping mode: group A gives the team a of dev, group B the team b.
fn mapped(server: &TestServer) -> (Api, Idp) {
    let (api, idp) = acme(server);
    api.organization("acme", "dev", &json!({}));
    map(&api, "member");
    (api, idp)
}

/// Makes the teams and mappings of [`mapped`], which give this role.
fn map(api: &Api, role: &str) {
    let mappings = ["a", "b"].map(|name| {
        let team = api.post(&format!("{DEV}/teams"), &json!({"name": name})).expect(201).id();
        json!({"group": name.to_uppercase(), "team_id": team, "role": role})
    });
    api.put(&format!("{DEV}/team-mappings"), &json!({"mappings": mappings})).expect(200);
    api.patch(&format!("{ACME}/auth-settings"), &json!({"idp_mapping_enabled": true})).expect(200);
}

/// Acme by names of groups, where sign-ins make users; dev lets everybody in.
fn named(server: &TestServer) -> (Api, Idp) {
    let (api, idp) = acme(server);
    api.organization("acme", "dev", &json!({"automatic_user_access": true}));
    api.patch(&format!("{ACME}/connection"), &json!({"jit_provisioning": true})).expect(200);
    (api, idp)
}

/// Signs Ada in with these groups.
fn ada(server: &TestServer, idp: &Idp, groups: &[&str]) -> Result<Api, String> {
    come(server, idp, START, &person("ada", groups))
}

/// The names of the teams of a session where it works.
fn teams(session: &Api) -> Vec<String> {
    let shown = session.get("/session").expect(200);
    let teams = shown["teams"].as_array().unwrap().iter();
    teams.map(|team| team["name"].as_str().unwrap().to_owned()).collect()
}

fn user(api: &Api, id: &str) -> Value {
    api.get(&format!("/companies/acme/users/{id}")).expect(200).json
}

on_both_databases! {
    with crate::sign_on::LOOPBACK;

    /// The provider narrows which groups it sends: those alone are there.
    fn r128_what_the_provider_leaves_out_is_no_team(server: &TestServer) {
        let (api, idp) = named(server);
        assert_eq!(teams(&ada(server, &idp, &["app-core", "app-web"]).unwrap()), ["app-core", "app-web"]);
        assert_eq!(teams(&ada(server, &idp, &["app-web"]).unwrap()), ["app-web"]);
        let seen = api.get(&format!("{ACME}/groups")).expect(200);
        let names: Vec<&Value> = seen.data().iter().map(|group| &group["name"]).collect();
        assert_eq!(names, ["app-core", "app-web"]);
    }

    fn r159_who_is_in_a_mapped_group_signs_in(server: &TestServer) {
        let (_, idp) = mapped(server);
        server.acme().user("ada@acme.example");
        let session = ada(server, &idp, &["A", "other"]).unwrap();
        assert_eq!(session.get("/session").expect(200)["organization"]["slug"], "dev");
        assert_eq!(teams(&session), ["a"]);
    }

    fn r160_who_is_in_no_mapped_group_does_not(server: &TestServer) {
        let (api, idp) = mapped(server);
        let id = server.acme().user("ada@acme.example");
        for groups in [json!(["other"]), json!(["a"]), json!([]), Value::Null] {
            let claims = json!({"sub": "ada", "groups": groups});
            assert_eq!(come(server, &idp, START, &claims).unwrap_err(), "no_mapped_group", "{groups}");
        }
        let attempts = api.get(&format!("{ACME}/attempts?code=no_mapped_group")).expect(200);
        assert_eq!(attempts.data().len(), 4);
        assert!(api.get("/companies/acme/sessions").expect(200).data().is_empty());
        assert_eq!(user(&api, &id)["activated_at"], Value::Null);
    }

    fn r161_the_first_sign_in_makes_account_team_and_role(server: &TestServer) {
        let (api, idp) = named(server);
        map(&api, "moderator");
        assert!(api.get("/companies/acme/users").expect(200).data().is_empty());
        let session = ada(server, &idp, &["A", "other"]).unwrap();
        let me = session.get("/me").expect(200);
        assert_eq!((&me["user_name"], &me["status"]), (&json!("ada@acme.example"), &json!("ACTIVE")));
        assert_eq!(teams_of(&api, &me.id(), "dev"), ["a by sso"]);
        // A moderator may make teams.
        session.post(&format!("{DEV}/teams"), &json!({"name": "x"})).expect(201);
        // Whom a mapping lets in nowhere is not made.
        assert_eq!(come(server, &idp, START, &person("eve", &["other"])).unwrap_err(), "no_mapped_group");
        assert_eq!(api.get("/companies/acme/users").expect(200).data().len(), 1);
    }

    fn r162_who_was_there_is_mapped_at_the_next_sign_in(server: &TestServer) {
        let (api, idp) = named(server);
        let me = ada(server, &idp, &["A"]).unwrap().get("/me").expect(200).id();
        assert_eq!(teams_of(&api, &me, "dev"), ["A by sso"]);
        map(&api, "member");
        assert_eq!(teams_of(&api, &me, "dev"), ["A by sso"]);
        ada(server, &idp, &["A"]).unwrap();
        assert_eq!(teams_of(&api, &me, "dev"), ["a by sso"]);
    }

    fn r167_a_sign_in_without_a_mapped_group_deactivates(server: &TestServer) {
        let (api, idp) = mapped(server);
        let id = server.acme().user("ada@acme.example");
        let session = ada(server, &idp, &["A"]).unwrap();
        session.get(DEV).expect(200);
        assert_eq!(ada(server, &idp, &["other"]).unwrap_err(), "no_mapped_group");
        let now = user(&api, &id);
        assert_eq!((&now["status"], &now["status_reason"]), (&json!("DEACTIVATED"), &json!("no_mapped_group")));
        session.get(DEV).problem(401, "user_deactivated");
        assert!(teams_of(&api, &id, "dev").is_empty());
        let member = api.get(&format!("{DEV}/members/{id}")).expect(200);
        assert_eq!(member["status"], "DEACTIVATED");
    }

    /// By a sign-in, and by the directory beside a session that goes on.
    fn r168_another_group_is_another_team(server: &TestServer) {
        let (api, idp) = mapped(server);
        let id = server.acme().user("ada@acme.example");
        ada(server, &idp, &["A"]).unwrap();
        assert_eq!(teams_of(&api, &id, "dev"), ["a by sso"]);
        let session = ada(server, &idp, &["B"]).unwrap();
        assert_eq!((teams_of(&api, &id, "dev"), teams(&session)), (vec!["b by sso".to_owned()], vec!["b".to_owned()]));
        let groups = ["A", "B"].map(|name| server.acme().group(name, &[&id]));
        assert_eq!(teams(&session), ["a", "b"]);
        let remove = json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]);
        server.acme().patch(&format!("/Groups/{}", groups[1]), &remove).expect(204);
        assert_eq!(teams(&session), ["a"]);
    }

    fn r169_a_group_that_returns_reactivates(server: &TestServer) {
        let (api, idp) = mapped(server);
        let id = server.acme().user("ada@acme.example");
        ada(server, &idp, &["A"]).unwrap();
        assert_eq!(ada(server, &idp, &[]).unwrap_err(), "no_mapped_group");
        assert_eq!(user(&api, &id)["status"], "DEACTIVATED");
        assert_eq!(teams(&ada(server, &idp, &["A"]).unwrap()), ["a"]);
        assert_eq!(user(&api, &id)["status"], "ACTIVE");
        // Not where an admin has disabled the account by hand.
        api.patch(&format!("/companies/acme/users/{id}"), &json!({"deactivated": true})).expect(200);
        assert_eq!(ada(server, &idp, &["A"]).unwrap_err(), "user_deactivated");
        assert_eq!(user(&api, &id)["status_reason"], "deactivated_by_admin");
    }

    fn r175_the_claims_describe_who_is_new(server: &TestServer) {
        let (api, idp) = named(server);
        let told = json!({
            "sub": "eve", "email": "eve@acme.example", "given_name": "Eve", "family_name": "Byrne",
            "name": "Dr. Eve Byrne", "phone_number": "+44 20 7946 0000", "picture": "https://idp.example/eve.png",
            "groups": ["platform"],
        });
        let fields = ["first_name", "last_name", "phone_number", "picture"];
        let shown = |id: &str| fields.map(|field| user(&api, id)[field].clone());
        let all = ["Eve", "Byrne", "+44 20 7946 0000", "https://idp.example/eve.png"].map(Value::from);
        let session = come(server, &idp, START, &told).unwrap();
        let eve = session.get("/me").expect(200).id();
        assert_eq!((shown(&eve), &user(&api, &eve)["email"]), (all.clone(), &json!("eve@acme.example")));
        assert_eq!(teams(&session), ["platform"]);
        let resource = server.acme().get(&format!("/Users/{eve}")).expect(200);
        assert_eq!(resource.json["displayName"], "Dr. Eve Byrne");
        // What a later sign-in says is no news: an admin may have changed it here.
        api.patch(&format!("/companies/acme/users/{eve}"), &json!({"first_name": "Evelyn"})).expect(200);
        come(server, &idp, START, &told).unwrap();
        assert_eq!(user(&api, &eve)["first_name"], "Evelyn");
        // Of whom is invited there is an address alone, and of whom the directory made it says everything.
        let invitation = json!({"email": "eva@acme.example", "role": "member"});
        api.post(&format!("{DEV}/invitations"), &invitation).expect(201);
        let session = come(server, &idp, START, &json!({"sub": "eva", "email": "eva@acme.example"})).unwrap();
        let eva = session.get("/me").expect(200).id();
        assert_eq!(shown(&eva), all);
        let ada = server.acme().user("ada@acme.example");
        let before = server.acme().get(&format!("/Users/{ada}")).expect(200).json;
        come(server, &idp, START, &json!({"sub": "ada", "email": "ada@acme.example"})).unwrap();
        let after = server.acme().get(&format!("/Users/{ada}")).expect(200).json;
        for name in ["name", "displayName", "phoneNumbers", "photos"] {
            assert_eq!(after[name], before[name], "{name}");
        }
        // Nobody is kept out by what no user can have.
        let odd = json!({"sub": "odd", "email": "odd@acme.example", "given_name": "a\0", "name": "x".repeat(10_000), "picture": "data:,"});
        let session = come(server, &idp, START, &odd).unwrap();
        let odd = session.get("/me").expect(200);
        assert_eq!((&odd["first_name"], &odd["last_name"]), (&Value::Null, &json!("Byrne")));
        let long = json!({
            "sub": "long", "email": "long@acme.example", "name": "x".repeat(513), "phone_number": "1".repeat(1_025),
            "picture": format!("https://idp.example/{}", "x".repeat(1_024)),
        });
        come(server, &idp, START, &long).unwrap();
        let email = format!("{}@acme.example", "x".repeat(256));
        let told = json!({"sub": "longer", "email": email});
        assert_eq!(come(server, &idp, START, &told).err().as_deref(), Some("oidc.claim_type"));
    }

    fn r195_the_team_of_a_group_is_in_the_token(server: &TestServer) {
        let (_, idp) = named(server);
        let app = App::register(server, &json!({}));
        let session = ada(server, &idp, &["deployers", "web"]).unwrap();
        let tokens = app.tokens(&session);
        for token in ["access_token", "id_token"] {
            assert_eq!(tokens.claims(token)["teams"], json!(["deployers", "web"]), "{token}");
        }
        // The next sync takes it away from every token that is made from then on.
        ada(server, &idp, &["web"]).unwrap();
        let renewed = app.refresh(&tokens.get("refresh_token")).expect(200);
        let access = crate::oauth::claims(renewed["access_token"].as_str().unwrap());
        assert_eq!(access["teams"], json!(["web"]));
        assert_eq!(app.userinfo(renewed["access_token"].as_str().unwrap()).expect(200)["teams"], json!(["web"]));
    }
}
