//! A company whose people sign in by SAML, and a browser that does.

use std::future::Future;
use std::io::Read;

use base64::Engine;
use serde_json::{Value, json};
use stagedoor::domain::refusal::Reason;

use super::peers::Idp;
use crate::api::Api;
use crate::client::{Call, HttpClient, Reply};
use crate::server::TestServer;

/// The identity providers of the tests lie on loopback.
pub const LOOPBACK: &[&str] = &["--egress-allow", "127.0.0.0/8"];
pub const ADA: &str = "ada@acme.example";
pub const EMAIL: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
pub const CONNECTION: &str = "/companies/acme/sso/connection";

/// This moment.
pub fn now() -> jiff::Timestamp {
    stagedoor::clock::Clock::system().now()
}

/// Waits for what the service does in this process.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(work)
}

/// Has acme sign in through an identity provider, whose metadata it pastes, and the provider know acme.
pub fn connect(server: &TestServer, idp: &Idp, more: &Value) -> Api {
    let api = server.operator();
    api.post("/companies/acme/sso/domains", &json!({"domain": "acme.example"})).expect(201);
    api.post("/companies/acme/sso/domains/acme.example/override", &json!({})).expect(200);
    let mut saml = json!({"idp_metadata_xml": idp.metadata(), "sign_requests": true});
    saml.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = json!({"provider": "custom_saml", "protocol": "saml", "saml": saml});
    api.post(CONNECTION, &body).expect(201);
    api.post(&format!("{CONNECTION}/activate"), &json!({"skip_test": true})).expect(200);
    idp.tell(&json!({
        "metadata": server.get_plain("/sso/saml/acme/metadata").text(), "name": ADA, "format": EMAIL,
        "sign_response": false, "sign_assertion": true, "attributes": {"groups": "platform"},
    }));
    api
}

/// A sign-in that a browser has begun.
pub struct Visit<'s> {
    server: &'s TestServer,
    /// Where the browser is sent.
    pub address: String,
    browser: String,
}

impl<'s> Visit<'s> {
    /// Begins one through acme's connection.
    pub fn begin(server: &'s TestServer) -> Self {
        Self::begin_at(server, "acme")
    }

    /// Begins one through the connection with this name.
    pub fn begin_at(server: &'s TestServer, name: &str) -> Self {
        let answer = server.get_plain(&format!("/sso/start/{name}"));
        assert_eq!(answer.status, 303, "{answer}");
        let address = answer.header("location").unwrap().to_owned();
        Self { server, address, browser: cookie(&answer, "stgd_login") }
    }

    /// The id of the request that it was sent with.
    pub fn request_id(&self) -> String {
        let query = self.address.split_once('?').unwrap().1;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let message = pairs.find(|(name, _)| name == "SAMLRequest").unwrap().1;
        let deflated = base64::engine::general_purpose::STANDARD.decode(&*message).unwrap();
        let mut text = String::new();
        flate2::read::DeflateDecoder::new(&deflated[..]).read_to_string(&mut text).unwrap();
        text.split_once(" ID=\"").unwrap().1.split_once('"').unwrap().0.to_owned()
    }

    /// The session that a ticket becomes in this browser, or the code of the refusal.
    pub fn finish(&self, ticket: &str) -> Result<Api, String> {
        self.finish_at(self.server.address(), ticket)
    }

    /// The same at another server on the same database.
    pub fn finish_at(&self, address: &str, ticket: &str) -> Result<Api, String> {
        finish(address, ticket, &self.browser)
    }
}

/// The value of a cookie that an answer sets.
#[track_caller]
pub fn cookie(answer: &Reply, name: &str) -> String {
    let mut all = answer.headers.iter().filter(|(header, _)| header == "set-cookie");
    let found = all.find_map(|(_, value)| value.strip_prefix(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("no {name}: {answer}")).split(';').next().unwrap().to_owned()
}

/// The session that a ticket becomes in a browser, or the code of the refusal. No message says where a sign-in leads
/// (security O10).
pub fn finish(address: &str, ticket: &str, browser: &str) -> Result<Api, String> {
    let answer = go_on(address, ticket, browser);
    if answer.status == 303 {
        let there = answer.header("location").unwrap();
        // An application's request is the browser's own.
        assert!(there == "/login" || there.starts_with("/oauth/continue?request="), "{answer}");
        return Ok(Api::new(address, &cookie(&answer, "stgd_session")));
    }
    let page = answer.text();
    let code = page.split_once("Code: <code>").expect(&page).1.split_once('<').unwrap().0;
    let known = Reason::find(code).expect(code);
    assert_eq!(answer.status, known.status(), "{answer}");
    Err(code.to_owned())
}

/// What a browser is answered that goes on with a ticket.
pub fn go_on(address: &str, ticket: &str, browser: &str) -> Reply {
    let call = Call {
        method: "GET".to_owned(),
        url: format!("{address}/sso/continue/{ticket}"),
        headers: vec![("Cookie".to_owned(), format!("stgd_login={browser}"))],
        body: None,
    };
    HttpClient::new().send(&call).unwrap()
}

/// Posts a form, as a browser does that comes from elsewhere: without a cookie.
pub fn post(address: &str, fields: &[(&str, &str)]) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let media = ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned());
    let call = Call {
        method: "POST".to_owned(),
        url: address.to_owned(),
        headers: vec![media],
        body: Some(body.into_bytes()),
    };
    HttpClient::new().send(&call).unwrap()
}

/// Brings a message to acme's ACS.
pub fn bring(server: &str, message: &str) -> Reply {
    post(&format!("{server}/sso/saml/acme/acs"), &[("SAMLResponse", message)])
}

/// The ticket of an answer that sends the browser on.
#[track_caller]
pub fn ticket(reply: &Reply) -> String {
    assert_eq!(reply.status, 303, "{reply}");
    let location = reply.header("location").unwrap();
    location.strip_prefix("/sso/continue/").expect(location).to_owned()
}

/// Fails unless this is the page of a refusal with this status and code.
#[track_caller]
pub fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{reply}");
    assert!(reply.text().contains(&format!("<code>{code}</code>")), "{code}: {reply}");
    assert!(reply.text().contains("Reference: "), "{reply}");
}
