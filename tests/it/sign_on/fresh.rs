//! What an application asks of a sign-in reaches the identity provider: that the person shows anew who they are, or
//! has done so lately, and who is expected; and what the provider says of it is checked.

use serde_json::json;

use super::idp::jiff_now;
use super::{Browser, Idp, acme, last_attempt};
use crate::client::Reply;
use crate::oauth::{App, CALLBACK, claims, parameter, parameters};
use crate::server::{TestServer, on_both_databases};

/// Begins where an application sends a browser that asks this: the browser, and where the provider is asked.
fn begin(server: &TestServer, app: &App, more: &[(&str, &str)]) -> (Browser, String) {
    let asked = app.authorize(None, &[&[("connection", "acme")], more].concat());
    let start =
        asked.header("location").unwrap().strip_prefix(server.address()).unwrap().to_owned();
    let mut browser = Browser::new(server);
    let begun = browser.get(&start);
    assert_eq!(begun.status, 303, "{begun}");
    (browser, begun.header("location").unwrap().to_owned())
}

/// The whole way: the answer of the callback, and of where that leads.
fn walk(server: &TestServer, app: &App, idp: &Idp, more: &[(&str, &str)]) -> (Browser, Reply) {
    let (mut browser, asked) = begin(server, app, more);
    let back = idp.authorize(&asked).strip_prefix(server.address()).unwrap().to_owned();
    let came = browser.get(&back);
    if came.status != 303 {
        return (browser, came);
    }
    let reply = browser.get(came.header("location").unwrap());
    (browser, reply)
}

/// Lets the provider say that the person signed in there so many seconds ago.
fn since(idp: &Idp, seconds: i64) {
    idp.says(move |word| word.claims["auth_time"] = json!(jiff_now() - seconds));
}

on_both_databases! {
    with crate::sign_on::LOOPBACK;

    fn what_is_asked_reaches_the_provider(server: &TestServer) {
        let (api, _) = acme(server);
        let app = App::register(server, &json!({}));
        let of = |more: &[(&str, &str)]| {
            let (_, asked) = begin(server, &app, more);
            let all = parameters(&asked).into_iter();
            let mut all: Vec<_> = all.filter(|(name, _)| ["prompt", "max_age", "login_hint"].contains(&name.as_str())).collect();
            all.sort();
            all.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(&[]), "");
        assert_eq!(of(&[("prompt", "login"), ("login_hint", "ada@acme.example")]), "login_hint=ada@acme.example prompt=login");
        assert_eq!(of(&[("prompt", "select_account"), ("max_age", "300")]), "max_age=300 prompt=login");
        assert_eq!(of(&[("max_age", "0")]), "max_age=0");
        // Neither is left out by who changes the address, nor by way of another door.
        let asked = app.authorize(None, &[("prompt", "login"), ("login_hint", "ada@acme.example")]);
        let page = asked.header("location").unwrap().strip_prefix(server.address()).unwrap();
        assert!(Browser::new(server).get(page).text().contains("value=\"ada@acme.example\""));
        let google = Idp::start();
        let body = json!({"name": "google", "kind": "oidc", "issuer": google.issuer(), "client_id": "g", "client_secret": "x"});
        api.post("/social-connections", &body).expect(201);
        let request = parameter(page, "request");
        for door in ["/sso/start/acme", "/login/social/google"] {
            let begun = Browser::new(server).get(&format!("{door}?request={request}"));
            let to = begun.header("location").unwrap();
            assert_eq!((parameter(to, "prompt").as_str(), parameter(to, "login_hint").as_str()), ("login", "ada@acme.example"));
        }
    }

    fn who_is_not_asked_again_does_not_come_in(server: &TestServer) {
        let (api, idp) = acme(server);
        let app = App::register(server, &json!({}));
        server.acme().user("ada@acme.example");
        let refused = |more: &[(&str, &str)]| {
            let (browser, page) = walk(server, &app, &idp, more);
            assert_eq!(page.status, 403, "{page}");
            assert!(page.text().contains("reauthentication_required"), "{page}");
            assert!(browser.session(server).is_none());
            assert_eq!(last_attempt(&api)["code"], "reauthentication_required");
        };
        let taken = |more: &[(&str, &str)]| {
            let (_, reply) = walk(server, &app, &idp, more);
            let to = reply.header("location").unwrap_or_else(|| panic!("{reply}"));
            assert!(to.starts_with(CALLBACK), "{to}");
            let tokens = app.exchange(&parameter(to, "code")).expect(200);
            claims(tokens["id_token"].as_str().unwrap())["auth_time"].as_i64().unwrap()
        };
        // A provider that says nothing is believed to have done what it was asked, and knows no age.
        assert!((jiff_now() - taken(&[("prompt", "login")])).abs() < 60);
        refused(&[("max_age", "300")]);
        since(&idp, 1_000);
        refused(&[("prompt", "login")]);
        refused(&[("max_age", "300")]);
        assert!(jiff_now() - taken(&[("max_age", "3600")]) >= 1_000, "the provider's word goes on");
        since(&idp, 0);
        assert!(jiff_now() - taken(&[("prompt", "login"), ("max_age", "0")]) < 60);
        idp.says(|word| word.claims["auth_time"] = json!("yesterday"));
        refused(&[("max_age", "3600")]);
    }

    /// How long ago somebody signed in is what the provider says, not when they came from there.
    fn a_session_is_as_old_as_the_provider_says(server: &TestServer) {
        let (_, idp) = acme(server);
        let app = App::register(server, &json!({}));
        server.acme().user("ada@acme.example");
        since(&idp, 1_000);
        let (browser, _) = walk(server, &app, &idp, &[]);
        let session = browser.session(server).unwrap();
        app.code(&session, &[("max_age", "3600")]);
        for more in [[("max_age", "300")], [("prompt", "login")]] {
            let asked = app.authorize(Some(&session), &more);
            assert!(asked.header("location").unwrap().contains("/login?request="), "{asked}");
        }
        let silent = app.authorize(Some(&session), &[("max_age", "300"), ("prompt", "none")]);
        assert_eq!(parameter(silent.header("location").unwrap(), "error"), "login_required");
    }
}
