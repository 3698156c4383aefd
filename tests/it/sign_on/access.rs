//! Who may enter which organization, by the numbers of the requirements, through a provider.

use serde_json::{Value, json};

use super::{Browser, START, acme, come, connection, person};
use crate::api::Api;
use crate::oauth::{App, parameter};
use crate::server::{TestServer, on_both_databases};

/// The slugs of the organizations that a session may enter.
fn slugs(session: &Api) -> Vec<String> {
    let mine = session.get("/me/organizations").expect(200);
    mine.data().iter().map(|one| one["slug"].as_str().unwrap().to_owned()).collect()
}

/// Goes to another organization, with this status.
#[track_caller]
fn switch(session: &Api, to: &str, status: u16) {
    let switched = session.post("/session/switch", &json!({"organization": to}));
    assert_eq!(switched.status, status, "{}", switched.reply);
    if status == 403 {
        assert_eq!(switched["code"], "organization_access_denied");
    }
}

/// Invites somebody of acme to an organization.
fn invite(api: &Api, organization: &str, name: &str, role: &str) {
    let path = format!("/companies/acme/organizations/{organization}/invitations");
    let body = json!({"email": format!("{name}@acme.example"), "role": role});
    api.post(&path, &body).expect(201);
}

/// Makes dev and prod, each with automatic access or without it.
fn organizations(api: &Api, (dev, prod): (bool, bool)) -> [String; 2] {
    [("dev", dev), ("prod", prod)].map(|(slug, automatic)| {
        api.organization("acme", slug, &json!({"automatic_user_access": automatic}))
    })
}

/// Where an organization starts at acme's provider: what it is asked for there.
fn registration(server: &TestServer, start: &str) -> Vec<(String, String)> {
    let begun = Browser::new(server).get(start);
    let address = url::Url::parse(begun.header("location").unwrap()).unwrap();
    let own = |name: &str| ["client_id", "redirect_uri"].contains(&name);
    address.query_pairs().into_owned().filter(|(name, _)| own(name)).collect()
}

on_both_databases! {
    with crate::sign_on::LOOPBACK;

    /// Who signs in is the company's to say, unless an organization has a connection of its own; whom it lets
    /// in, each organization's.
    fn r042_each_setting_says_at_which_level_it_lies(server: &TestServer) {
        let (api, idp) = acme(server);
        let [_, prod] = organizations(&api, (false, false));
        let legacy = api.post(&format!("/organizations/{prod}/sso/legacy-connection"), &connection(&idp)).expect(201);
        server.acme().user("ada@acme.example");
        for slug in ["dev", "prod"] {
            invite(&api, slug, "ada", "admin");
        }
        let session = come(server, &idp, START, &person("ada", &[])).unwrap();
        let level = |slug: &str| api.get(&format!("/companies/acme/organizations/{slug}/sso")).expect(200);
        let (dev, prod) = (level("dev"), level("prod"));
        let company = api.get("/companies/acme").expect(200).id();
        assert_eq!((&dev["scope"], &dev["inherited_from"]), (&json!("company"), &json!(company)));
        assert_eq!(dev["connection"]["name"], "acme");
        assert_eq!((&prod["scope"], &prod["inherited_from"]), (&json!("organization"), &Value::Null));
        assert_eq!(prod["connection"]["id"], legacy["id"]);
        // An admin of the organization sees its own settings, and none of the company's.
        session.get("/companies/acme/organizations/dev/sso").problem(403, "company_admin_required");
        api.patch("/companies/acme/organizations/dev", &json!({"automatic_user_access": true})).expect(200);
        let access = |slug: &str| session.get(&format!("/companies/acme/organizations/{slug}")).expect(200)["automatic_user_access"].clone();
        assert_eq!((access("dev"), access("prod")), (json!(true), json!(false)));
    }

    fn r053_one_sign_in_serves_all_organizations(server: &TestServer) {
        let (api, idp) = acme(server);
        organizations(&api, (true, true));
        let ada = server.acme().user("ada@acme.example");
        let session = come(server, &idp, START, &person("ada", &[])).unwrap();
        assert_eq!(session.get("/me").expect(200)["id"], *ada);
        assert_eq!(slugs(&session), ["dev", "prod"]);
        assert_eq!((idp.heard("/authorize"), idp.heard("/token")), (1, 1));
    }

    fn r054_every_organization_is_one_registration_at_the_provider(server: &TestServer) {
        let (api, idp) = acme(server);
        organizations(&api, (true, true));
        server.acme().user("ada@acme.example");
        for slug in ["dev", "prod"] {
            let start = format!("{START}?organization={slug}");
            let shown = api.get(&format!("/companies/acme/organizations/{slug}/sso")).expect(200);
            let uri = shown["connection"]["oidc"]["redirect_uri"].as_str().unwrap().to_owned();
            assert_eq!(uri, format!("{}/sso/callback/acme", server.address()));
            let asked = registration(server, &start);
            assert_eq!(asked, [("client_id".to_owned(), "client".to_owned()), ("redirect_uri".to_owned(), uri)]);
            let session = come(server, &idp, &start, &person("ada", &[])).unwrap();
            assert_eq!(session.get("/session").expect(200)["organization"]["slug"], slug);
        }
    }

    fn r055_r056_one_sign_in_and_then_every_organization_that_is_permitted(server: &TestServer) {
        let (api, idp) = acme(server);
        organizations(&api, (true, true));
        api.organization("acme", "closed", &json!({}));
        server.acme().user("ada@acme.example");
        let session = come(server, &idp, START, &person("ada", &["platform"])).unwrap();
        let before = session.get("/session").expect(200);
        assert_eq!(before["organization"]["slug"], "dev");
        switch(&session, "prod", 200);
        switch(&session, "closed", 403);
        let after = session.get("/session").expect(200);
        assert_eq!((&after["id"], &after["organization"]["slug"]), (&before["id"], &json!("prod")));
        assert_eq!(after["teams"][0]["name"], "platform");
        assert_eq!((idp.heard("/authorize"), idp.heard("/token")), (1, 1), "the provider was asked once");
        assert_eq!(slugs(&session), ["dev", "prod"]);
        let refused = come(server, &idp, &format!("{START}?organization=closed"), &json!({}));
        assert_eq!(refused.unwrap_err(), "organization_access_denied");
    }

    /// From a tile of the provider and from the application: both end in one account, in one organization.
    fn r193_a_tile_and_the_application_lead_to_the_same_place(server: &TestServer) {
        let (api, idp) = acme(server);
        organizations(&api, (true, true));
        let app = App::register(server, &json!({"initiate_login_uri": "https://app.example/login"}));
        let ada = server.acme().user("ada@acme.example");
        idp.person(&person("ada", &[]));
        let issuer = idp.issuer();
        let tile = [("response_type", "token"), ("code_challenge", ""), ("code_challenge_method", ""), ("connection", "acme"), ("iss", &issuer)];
        let own = [("login_hint", "ada@acme.example")];
        for (from, more) in [("tile", &tile[..]), ("application", &own[..])] {
            let asked = app.authorize(None, more);
            let to = asked.header("location").unwrap();
            let door = if from == "tile" { "/sso/start/acme?request=" } else { "/login?request=" };
            assert!(to.starts_with(&format!("{}{door}", server.address())), "{from}: {to}");
            let start = format!("{START}?request={}", parameter(to, "request"));
            let mut browser = Browser::new(server);
            let came = browser.sign_in(&start, &idp);
            let end = browser.get(came.header("location").unwrap());
            let end = end.header("location").unwrap();
            let session = browser.session(server).unwrap();
            let code = match from {
                // The application begins by itself then, and is answered from the session.
                "tile" => {
                    assert!(end.starts_with("https://app.example/login?iss="), "{end}");
                    app.code(&session, &[])
                }
                _ => parameter(end, "code"),
            };
            let tokens = app.exchange(&code).expect(200);
            let told = crate::oauth::claims(tokens["access_token"].as_str().unwrap());
            assert_eq!((&told["sub"], &told["organization_slug"]), (&json!(ada), &json!("dev")), "{from}");
        }
        assert_eq!(idp.heard("/authorize"), 2);
    }

    fn r065_a_sign_in_without_access_leads_nowhere(server: &TestServer) {
        let (api, idp) = acme(server);
        organizations(&api, (false, false));
        server.acme().user("ada@acme.example");
        let session = come(server, &idp, START, &person("ada", &["platform"])).unwrap();
        let shown = session.get("/session").expect(200);
        assert_eq!((&shown["organizations"], &shown["organization"]), (&json!([]), &Value::Null));
        assert_eq!(shown["notice"], "no_organization_access");
        switch(&session, "dev", 403);
        let refused = come(server, &idp, &format!("{START}?organization=dev"), &json!({}));
        assert_eq!(refused.unwrap_err(), "organization_access_denied");
    }

    fn r067_a_sign_in_gives_the_member_role(server: &TestServer) {
        let (api, idp) = acme(server);
        let [dev, prod] = organizations(&api, (true, false));
        let ada = server.acme().user("ada@acme.example");
        come(server, &idp, START, &person("ada", &[])).unwrap();
        let member = api.get(&format!("/organizations/{dev}/members/{ada}")).expect(200);
        assert_eq!((&member["role"], &member["source"]), (&json!("member"), &json!("automatic")));
        assert_eq!(member["status"], "ACTIVE");
        api.get(&format!("/organizations/{prod}/members/{ada}")).problem(404, "not_found");
    }

    fn r068_an_admin_who_signs_in_stays_one(server: &TestServer) {
        let (api, idp) = acme(server);
        let [dev, _] = organizations(&api, (true, false));
        invite(&api, "dev", "ada", "admin");
        for _ in 0..2 {
            let session = come(server, &idp, START, &person("ada", &[])).unwrap();
            let shown = session.get("/session").expect(200);
            assert_eq!((&shown["organization"]["slug"], &shown["organization"]["role"]), (&json!("dev"), &json!("admin")));
        }
        let members = api.get(&format!("/organizations/{dev}/members")).expect(200);
        assert_eq!((members.data().len(), &members.data()[0]["source"]), (1, &json!("invitation")));
    }

    fn r070_access_ends_with_its_switch_and_comes_back(server: &TestServer) {
        let (api, idp) = acme(server);
        let [dev, _] = organizations(&api, (true, false));
        let ada = server.acme().user("ada@acme.example");
        invite(&api, "dev", "eve", "moderator");
        let to_dev = format!("{START}?organization=dev");
        let session = come(server, &idp, &to_dev, &person("ada", &[])).unwrap();
        let (at_dev, mine) = (format!("/organizations/{dev}"), format!("/organizations/{dev}/members/{ada}"));
        api.patch(&mine, &json!({"role": "moderator"})).expect(200);
        let set = |on: bool| drop(api.patch(&at_dev, &json!({"automatic_user_access": on})).expect(200));
        set(false);
        switch(&session, "dev", 403);
        let refused = come(server, &idp, &to_dev, &person("ada", &[])).unwrap_err();
        assert_eq!(refused, "organization_access_denied");
        api.get(&mine).problem(404, "not_found");
        // Who is invited is not concerned.
        let eve = come(server, &idp, &to_dev, &person("eve", &[])).unwrap();
        assert_eq!(eve.get("/session").expect(200)["organization"]["role"], "moderator");
        set(true);
        let again = come(server, &idp, &to_dev, &person("ada", &[])).unwrap();
        assert_eq!(again.get("/session").expect(200)["organization"]["role"], "moderator");
        switch(&session, "dev", 200);
    }
}
