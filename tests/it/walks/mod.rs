//! The whole way with programs that we did not write: identity providers of both protocols, Chromium as the browser,
//! and an application that knows OpenID Connect by `openid-client` from npm. No page has script.

mod oidc;
mod peers;
mod saml;

use serde_json::{Value, json};

use crate::api::Api;
use crate::oauth::eventually;
use crate::server::TestServer;
use crate::teams::teams_of;

use peers::{Application, Person};

/// Providers lie on loopback, under a name too, so that they are another site than ours to the browser.
const LOOPBACK: &[&str] = &["--egress-allow", "127.0.0.0/8", "--egress-allow", "::1/128"];
/// Who signs in.
const ADA: &str = "ada@acme.example";
/// What the provider calls her groups, and which of them pass the filters below.
const GROUPS: [&str; 4] = ["port-platform", "port-ops", "port-temp-x", "admin-all"];
const TEAMS: [&str; 2] = ["port-ops", "port-platform"];

/// Acme with two organizations and an application, and somebody at a browser.
struct Scene<'s> {
    server: &'s TestServer,
    api: Api,
    app: Application,
    person: Person,
    ada: String,
}

impl<'s> Scene<'s> {
    /// A company whose connection is active: the directory has made its person, who is staged.
    fn new(server: &'s TestServer) -> Self {
        let api = server.operator();
        for slug in ["dev", "prod"] {
            api.organization("acme", slug, &json!({"automatic_user_access": true}));
        }
        let ada = server.acme().user(ADA);
        let filters = json!({"allow": ["^port-"], "block": ["^port-temp"]});
        let put = api.put("/companies/acme/sso/group-filters", &filters).expect(200);
        api.succeeded(&put["job"]);
        let (app, person) = (Application::start(server), Person::start());
        let scene = Self { server, api, app, person, ada };
        assert_eq!(scene.status(), "STAGED");
        scene
    }

    fn status(&self) -> String {
        let read = self.api.get(&format!("/companies/acme/users/{}", self.ada)).expect(200);
        read["status"].as_str().unwrap().to_owned()
    }

    /// The names of all teams of an organization, sorted, each of which has its one member.
    fn teams(&self, organization: &str) -> Vec<String> {
        let path = format!("/companies/acme/organizations/{organization}/teams");
        let mut names = names(&self.api.get(&path).expect(200)["data"]);
        names.sort();
        let of_ada: Vec<String> = names.iter().map(|name| format!("{name} by sso")).collect();
        assert_eq!(teams_of(&self.api, &self.ada, organization), of_ada);
        names
    }

    /// What the application knows of who is signed in.
    #[track_caller]
    fn signed_in(&mut self) -> Value {
        let home = self.person.does(&json!({"go": self.app.address, "read": "pre"}));
        assert_eq!(home["title"], "Signed in", "{home}");
        let said = said(&home);
        assert_eq!(said["claims"]["sub"], said["info"]["sub"], "{said}");
        said["claims"].clone()
    }

    /// The application asks the provider something with what it holds.
    #[track_caller]
    fn asks(&mut self, what: &str) -> Value {
        let address = format!("{}/ask/{what}", self.app.address);
        said(&self.person.does(&json!({"go": address, "read": "#answered"})))
    }

    /// The session that the browser has with us.
    #[track_caller]
    fn session(&mut self) -> Api {
        let there = self.person.does(&json!({"cookies": self.server.address()}));
        let all = there["cookies"].as_array().unwrap();
        let cookie = all.iter().find(|cookie| cookie["name"] == "stgd_session").unwrap();
        assert_eq!((&cookie["httpOnly"], &cookie["sameSite"]), (&json!(true), &json!("Lax")));
        self.server.api_as(cookie["value"].as_str().unwrap())
    }

    /// Rows 75, 78, 80, 98, 99: she came in, is active, and has teams in the first organization alone.
    fn has_come_in(&mut self) {
        let claims = self.signed_in();
        assert_eq!(claims["sub"], self.ada, "{claims}");
        stands(&claims, "dev");
        assert_eq!(self.status(), "ACTIVE");
        assert_eq!(self.teams("dev"), TEAMS);
        assert!(self.teams("prod").is_empty());
    }

    /// Rows 55, 76: the application takes her to the other organization, which brings the teams there up to date.
    fn switches(&mut self) {
        let form = json!({"go": self.app.address, "fill": {"input[name=to]": "prod"}, "click": "button",
            "until": "#switched", "read": "pre"});
        let done = self.person.does(&form);
        let session = said(&done);
        assert_eq!(session["organization"]["slug"], "prod", "{session}");
        assert_eq!(names(&session["teams"]), TEAMS);
        assert_eq!(
            (self.teams("dev"), self.teams("prod")),
            (TEAMS.map(str::to_owned).into(), TEAMS.map(str::to_owned).into())
        );
        for what in ["refresh", "userinfo"] {
            stands(&self.asks(what), "prod");
        }
        stands(&self.signed_in(), "prod");
        // A form of the application's own site has its cookie.
        assert!(sent(&done, "/switch").contains(&"app_session".to_owned()), "{done}");
    }

    /// Rows 138, 139: the directory ends it all within the next call, and the application hears of it.
    fn is_sent_away(&mut self) {
        let session = self.session();
        session.get("/session").expect(200);
        assert_eq!(self.asks("introspect")["active"], true);
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        self.server.acme().patch(&format!("/Users/{}", self.ada), &off).expect(200);
        session.get("/session").problem(401, "user_deactivated");
        assert_eq!(self.asks("introspect"), json!({"active": false}));
        assert_eq!(self.asks("session")["status"], 401);
        assert_eq!(self.asks("userinfo"), json!({"error": "invalid_token", "status": 401}));
        assert_eq!(self.asks("refresh"), json!({"error": "invalid_grant", "status": 400}));
        let (person, home) = (&mut self.person, json!({"go": self.app.address}));
        eventually(|| person.does(&home)["title"] == "Signed out");
        assert_eq!(self.status(), "DEACTIVATED");
        assert!(self.api.get("/companies/acme/sessions").expect(200).data().is_empty());
    }

    /// Who she is to the application, and where: account, company, organization.
    fn place(&mut self) -> [Value; 3] {
        let claims = self.signed_in();
        ["sub", "company_id", "organization_id"].map(|name| claims[name].clone())
    }
}

/// Fails unless claims say that she stands in this organization, with its teams.
#[track_caller]
fn stands(claims: &Value, organization: &str) {
    assert_eq!(
        (&claims["status"], &claims["company_slug"]),
        (&json!("ACTIVE"), &json!("acme")),
        "{claims}"
    );
    assert_eq!(claims["organization_slug"], organization, "{claims}");
    let mut teams: Vec<&str> =
        claims["teams"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    teams.sort_unstable();
    assert_eq!(teams, TEAMS, "{claims}");
}

/// The names of a list, sorted.
fn names(list: &Value) -> Vec<String> {
    let name = |one: &Value| one["name"].as_str().unwrap().to_owned();
    let mut names: Vec<String> = list.as_array().unwrap().iter().map(name).collect();
    names.sort();
    names
}

/// What a page of the application says.
#[track_caller]
fn said(place: &Value) -> Value {
    serde_json::from_str(place["text"].as_str().unwrap_or_else(|| panic!("{place}"))).unwrap()
}

/// The cookies that the browser sent with the last form that went to this path.
#[track_caller]
fn sent(place: &Value, path: &str) -> Vec<String> {
    let mut posts = place["posts"].as_array().unwrap().iter().rev();
    let post = posts.find(|post| post["url"].as_str().unwrap().ends_with(path));
    let cookies = post.unwrap_or_else(|| panic!("{place}"))["cookies"].as_array().unwrap();
    cookies.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}
