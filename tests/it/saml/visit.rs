//! A company whose people sign in by SAML, and a browser that does.

use std::future::Future;

use serde_json::{Value, json};
use stagedoor::db::connections::find_by_name;
use stagedoor::domain::connection::Connection;
use stagedoor::domain::login_attempt::Door;
use stagedoor::service::Service;
use stagedoor::service::sign_on::attempts::{self, Begun, Wish};
use stagedoor::service::sign_on::{self, saml};

use super::peers::Idp;
use crate::api::Api;
use crate::client::{Call, HttpClient, Reply};
use crate::server::TestServer;

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

/// The connection as the server has it.
pub fn connection(service: &Service) -> Connection {
    service.read_now(|conn| Ok(find_by_name(conn, "acme")?)).unwrap().unwrap()
}

/// A sign-in that a browser has begun.
pub struct Visit<'s> {
    server: &'s TestServer,
    service: Service,
    pub begun: Begun,
}

impl<'s> Visit<'s> {
    /// Begins one through acme's connection.
    pub fn begin(server: &'s TestServer) -> Self {
        let service = server.service();
        let (keys, door) = (service.keys(), Door::from(&connection(&service)));
        let begun =
            wait(service.transact(move |cx| {
                attempts::begin(cx, &keys, door.clone(), None, Wish::default())
            }));
        Self { server, begun: begun.unwrap(), service }
    }

    /// Where the browser is sent.
    pub fn address(&self) -> String {
        let connection = connection(&self.service);
        let (url, id) = (self.server.address(), &self.begun.request_id);
        wait(saml::request_address(&self.service, url, &connection, id)).unwrap()
    }

    /// The session that a ticket becomes in this browser, or the code of the refusal.
    pub fn finish(&self, ticket: &str) -> Result<Api, String> {
        finish(self.server, ticket, &self.begun.browser)
    }
}

/// The session that a ticket becomes in a browser, or the code of the refusal.
pub fn finish(server: &TestServer, ticket: &str, browser: &str) -> Result<Api, String> {
    let service = server.service();
    let (keys, ticket, browser) = (service.keys(), ticket.to_owned(), browser.to_owned());
    let held =
        wait(service.transact(move |cx| attempts::take_held(cx, &keys, &ticket, Some(&browser))));
    let (attempt, identity) = held.unwrap().map_err(|refusal| refusal.reason.code().to_owned())?;
    let finished = wait(sign_on::finish(&service, attempt, identity));
    let finished = finished.map_err(|refused| refused.refusal.reason.code().to_owned())?;
    Ok(server.api_as(&finished.session))
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
