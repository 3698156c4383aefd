//! What a person holds, and that nothing of it opens anything at the next request once the directory has let them go
//! (security S15): every channel by every way in which a directory says so, at the server that was told and at
//! another. No channel is an API key's: those belong to companies.

use serde_json::json;

use crate::api::Api;
use crate::client::Reply;
use crate::company::{BULK_REQUEST, Company, PATCH_OP, user};
use crate::oauth::{App, CALLBACK, Tokens};
use crate::saml::peers::Idp as SamlIdp;
use crate::saml::visit::{self, Visit, bring, ticket};
use crate::server::{Database, Replica, TestServer, on_both_databases};
use crate::sign_on::{Browser, Idp, connect};

/// Lets somebody go.
type LetGo = fn(&Company, &str);

/// How a directory does.
const WAYS: [(&str, LetGo); 5] = [
    ("PATCH", |acme, id| drop(acme.patch(&format!("/Users/{id}"), &off()).expect(200))),
    ("PUT", put),
    ("DELETE", |acme, id| drop(acme.delete(&format!("/Users/{id}")).expect(204))),
    ("bulk PATCH", |acme, id| {
        let data = json!({"schemas": [PATCH_OP], "Operations": off()});
        bulk(acme, &json!({"method": "PATCH", "path": format!("/Users/{id}"), "data": data}));
    }),
    ("bulk DELETE", |acme, id| {
        bulk(acme, &json!({"method": "DELETE", "path": format!("/Users/{id}")}));
    }),
];

fn off() -> serde_json::Value {
    json!([{"op": "replace", "path": "active", "value": false}])
}

fn put(acme: &Company, id: &str) {
    let mut body =
        user(acme.get(&format!("/Users/{id}")).expect(200)["userName"].as_str().unwrap());
    body["active"] = json!(false);
    acme.put(&format!("/Users/{id}"), &body).expect(200);
}

fn bulk(acme: &Company, operation: &serde_json::Value) {
    let body = json!({"schemas": [BULK_REQUEST], "Operations": [operation]});
    let done = acme.post("/Bulk", &body).expect(200);
    let status = done["Operations"][0]["status"].as_str().unwrap();
    assert!(["200", "204"].contains(&status), "{}", done.reply);
}

/// Another server on the same database, where servers share one: reached, like the first, under its address.
fn replica(server: &TestServer) -> Option<Replica> {
    let flags = [crate::sign_on::LOOPBACK, &["--public-url", server.address()]].concat();
    (server.database() == Database::Postgres).then(|| server.replica_with(&flags))
}

/// The addresses of all servers.
fn places(server: &TestServer, replica: Option<&Replica>) -> Vec<String> {
    let all = [Some(server.address()), replica.map(Replica::address)];
    all.into_iter().flatten().map(str::to_owned).collect()
}

/// One of everything that a person can hold, all of it good.
struct Holdings {
    email: String,
    id: String,
    session: Api,
    tokens: Tokens,
    code: String,
    /// A browser that is on its way back from the provider.
    browser: Browser,
    back: String,
}

impl Holdings {
    fn new(server: &TestServer, (idp, app): (&Idp, &App), email: &str) -> Self {
        let (email, id) = (email.to_owned(), server.acme().user(email));
        idp.person(&json!({"sub": email, "email": email}));
        let mut browser = Browser::new(server);
        assert_eq!(browser.sign_in("/sso/start/acme", idp).status, 303);
        let session = browser.session(server).unwrap();
        let (tokens, code) = (app.tokens(&session), app.code(&session, &[]));
        let mut browser = Browser::new(server);
        let begun = browser.get("/sso/start/acme");
        let back = idp.authorize(begun.header("location").unwrap());
        let back = back.strip_prefix(server.address()).unwrap().to_owned();
        Self { email, id, session, tokens, code, browser, back }
    }

    /// Uses everything at a server: which of it opens something.
    fn open(self, idp: &Idp, app: &App, place: &str) -> Vec<(&'static str, bool)> {
        let (app, nobody) = (app.at(place), Api::new(place, ""));
        let (access, refresh) = (self.tokens.get("access_token"), self.tokens.get("refresh_token"));
        let cookie = format!("stgd_session={}", self.session.key());
        let cookie = nobody.send("GET", "/session", &[("Cookie", &cookie)], None);
        let bearer = Api::new(place, self.session.key()).get("/session");
        let token = Api::new(place, &access).get("/session");
        let to = app.authorize(Some(&self.session), &[]);
        let to = to.header("location").unwrap();
        assert!(to.starts_with(CALLBACK) || to.contains("/login?request="), "{to}");
        let active = app.introspect(&access);
        assert!(active["active"] == true || active == json!({"active": false}), "{active}");
        idp.person(&json!({"sub": self.email, "email": self.email}));
        let attempt = self.browser.at(place).get(&self.back);
        vec![
            ("cookie", is_open(&cookie.reply, &[401])),
            ("session", is_open(&bearer.reply, &[401])),
            ("access token", is_open(&token.reply, &[401])),
            ("userinfo", is_open(&app.userinfo(&access).reply, &[401])),
            ("introspection", active["active"] == true),
            ("refresh token", is_open(&app.refresh(&refresh).reply, &[400])),
            ("code", is_open(&app.exchange(&self.code).reply, &[400])),
            ("authorization", to.starts_with(CALLBACK)),
            ("attempt", is_open(&attempt, &[403])),
        ]
    }
}

/// Whether a door was open; fails unless it was closed as it should be.
#[track_caller]
fn is_open(reply: &Reply, closed: &[u16]) -> bool {
    let is_open = [200, 303].contains(&reply.status);
    assert!(is_open || closed.contains(&reply.status), "{reply}");
    is_open
}

on_both_databases! {
    with crate::sign_on::LOOPBACK;

    fn s15_nothing_that_a_person_holds_outlives_them(server: &TestServer) {
        let (api, idp, replica) = (server.operator(), Idp::start(), replica(server));
        connect(&api, &idp, "acme");
        let app = App::register(server, &json!({}));
        for (number, place) in places(server, replica.as_ref()).iter().enumerate() {
            let bystander = Holdings::new(server, (&idp, &app), &format!("bystander{number}@acme.example"));
            for (way, let_go) in WAYS {
                let email = format!("{}{number}@acme.example", way.replace(' ', "-"));
                let held = Holdings::new(server, (&idp, &app), &email);
                let_go(server.acme(), &held.id);
                for (channel, is_open) in held.open(&idp, &app, place) {
                    assert!(!is_open, "after {way} the {channel} opens something at {number}");
                }
            }
            for (channel, is_open) in bystander.open(&idp, &app, place) {
                assert!(is_open, "the {channel} of somebody else opens nothing at {number}");
            }
        }
        // Who came back was nobody of those.
        let live = api.get("/companies/acme/sessions?limit=200").expect(200);
        let per_place = 2; // A bystander's, and the one of the attempt.
        assert_eq!(live.data().len(), per_place * places(server, replica.as_ref()).len());
    }

    /// The same of what an identity provider has said by SAML, and a browser is about to go on with.
    fn s15_a_held_assertion_opens_nothing_for_who_was_let_go(server: &TestServer) {
        let (idp, replica) = (SamlIdp::pysaml2(), replica(server));
        visit::connect(server, &idp, &json!({}));
        for (number, place) in places(server, replica.as_ref()).iter().enumerate() {
            let begin = |name: &str| {
                let email = format!("{}{number}@acme.example", name.replace(' ', "-"));
                idp.tell(&json!({"metadata": server.get_plain("/sso/saml/acme/metadata").text(), "name": email}));
                let (id, visit) = (server.acme().user(&email), Visit::begin(server));
                let held = ticket(&bring(server.address(), &idp.form(&visit.address)));
                (id, visit, held)
            };
            let (_, bystander, theirs) = begin("bystander");
            for (way, let_go) in WAYS {
                let (id, visit, held) = begin(way);
                let_go(server.acme(), &id);
                let expected = if way.ends_with("DELETE") { "user_not_provisioned" } else { "user_deactivated" };
                assert_eq!(visit.finish_at(place, &held).unwrap_err(), expected, "{way} at {number}");
            }
            bystander.finish_at(place, &theirs).unwrap();
        }
        let live = server.operator().get("/companies/acme/sessions").expect(200);
        assert_eq!(live.data().len(), places(server, replica.as_ref()).len());
    }
}
