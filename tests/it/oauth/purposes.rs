//! Threat A4: every kind of secret opens its own door and no other.

use serde_json::json;

use super::{App, send};
use crate::client::Reply;
use crate::server::{TestServer, on_both_databases};
use crate::sign_on::{Browser, Idp, connect, with};

/// A door: its name, how a secret is brought to it, and the kinds that it opens to.
type Door = (&'static str, fn(&TestServer, &App, &str) -> Reply, &'static [&'static str]);

fn bearer(server: &TestServer, path: &str, secret: &str) -> Reply {
    let header = format!("Bearer {secret}");
    send("GET", &format!("{}{path}", server.address()), &[("Authorization", &header)], None)
}

fn cookie(server: &TestServer, path: &str, cookie: &str) -> Reply {
    send("GET", &format!("{}{path}", server.address()), &[("Cookie", cookie)], None)
}

/// All doors. What the management API makes of who came in is its own matter: here, that they came in.
const DOORS: [Door; 10] = [
    ("SCIM", |server, _, secret| bearer(server, "/scim/v2/Users", secret), &["SCIM token"]),
    (
        "the management API",
        |server, _, secret| bearer(server, "/api/v1/companies/acme", secret),
        &["API key", "session", "access token"],
    ),
    (
        "the management API by cookie",
        |server, _, secret| cookie(server, "/api/v1/session", &format!("stgd_session={secret}")),
        &["session"],
    ),
    ("userinfo", |server, _, secret| bearer(server, "/oauth/userinfo", secret), &["access token"]),
    ("the exchange of a code", |_, app, secret| app.exchange(secret).reply, &["code"]),
    ("a refresh", |_, app, secret| app.refresh(secret).reply, &["refresh token"]),
    (
        "an application's own door",
        |_, app, secret| app.with_secret(secret).call("/oauth/introspect", &[("token", "x")]).reply,
        &["client secret"],
    ),
    ("a ticket", |server, _, secret| cookie(server, &format!("/sso/continue/{secret}"), ""), &[]),
    (
        "a callback",
        |server, _, secret| {
            cookie(server, &with("/sso/callback/acme", &[("state", secret), ("code", "x")]), "")
        },
        &[],
    ),
    (
        "a waiting request",
        |server, _, secret| cookie(server, &with("/oauth/continue", &[("request", secret)]), ""),
        &[],
    ),
];

on_both_databases! {
    with crate::sign_on::LOOPBACK;

    fn a4_a_secret_opens_its_own_door(server: &TestServer) {
        let (api, idp, app) = (server.operator(), Idp::start(), App::register(server, &json!({})));
        connect(&api, &idp, "acme");
        server.acme().user("ada@acme.example");
        let mut browser = Browser::new(server);
        browser.sign_in("/sso/start/acme", &idp);
        let session = browser.session(server).unwrap();
        let tokens = app.tokens(&session);
        let begun = browser.get("/sso/start/acme");
        let state = super::parameter(begun.header("location").unwrap(), "state");
        let secrets = [
            ("SCIM token", server.acme().token().to_owned()),
            ("API key", api.key().to_owned()),
            ("session", session.key().to_owned()),
            ("access token", tokens.get("access_token")),
            ("refresh token", tokens.get("refresh_token")),
            ("ID token", tokens.get("id_token")),
            ("code", app.code(&session, &[])),
            ("client secret", app.secret.clone()),
            ("browser's secret", browser.cookie("stgd_login").unwrap().to_owned()),
            ("state", state),
        ];
        let mut closed = 0;
        for (door, bring, opens_to) in DOORS {
            for (kind, secret) in secrets.iter().filter(|(kind, _)| !opens_to.contains(kind)) {
                let answer = bring(server, &app, secret);
                let unknown = if door.starts_with("the management") { 401 } else { 404 };
                let refused = [400, 401, unknown].contains(&answer.status);
                assert!(refused, "{kind} at {door}: {answer}");
                let session = |(name, value): &(String, String)| {
                    name == "set-cookie" && value.starts_with("stgd_session=")
                };
                assert!(!answer.headers.iter().any(session), "{kind} at {door}: {answer}");
                closed += 1;
            }
        }
        assert_eq!(closed, 91);
        // All of that has used up nothing: each opens its own, the exchange and the refresh last.
        for (door, bring, opens_to) in DOORS {
            for (kind, secret) in secrets.iter().filter(|(kind, _)| opens_to.contains(kind)) {
                let answer = bring(server, &app, secret);
                let known = if *kind == "client secret" { [200, 200] } else { [200, 403] };
                assert!(known.contains(&answer.status), "{kind} at {door}: {answer}");
            }
        }
    }
}
