//! Signing in through OIDC, over HTTP: a provider of our own that can be made to misbehave, and real ones.

mod access;
mod attempts;
mod behaviours;
mod fresh;
mod groups;
mod hostile;
mod idp;
mod rows;
mod social;
pub mod switches;
mod tokens;

use serde_json::{Value, json};

use crate::api::Api;
use crate::client::{Call, HttpClient, Reply};
use crate::server::TestServer;

pub use idp::{Idp, Word};

/// Identity providers of the tests lie on loopback.
pub const LOOPBACK: &[&str] = &["--egress-allow", "127.0.0.0/8"];

/// A browser: it keeps cookies, and follows nothing by itself.
pub struct Browser {
    client: HttpClient,
    address: String,
    cookies: Vec<(String, String)>,
}

impl Browser {
    /// A browser that has been nowhere yet.
    pub fn new(server: &TestServer) -> Self {
        let (client, address) = (HttpClient::new(), server.address().to_owned());
        Self { client, address, cookies: Vec::new() }
    }

    /// Another window of it.
    pub fn copy(&self) -> Self {
        let (client, address) = (HttpClient::new(), self.address.clone());
        Self { client, address, cookies: self.cookies.clone() }
    }

    /// The same, whom a proxy leads to another server.
    #[must_use]
    pub fn at(mut self, address: &str) -> Self {
        address.clone_into(&mut self.address);
        self
    }

    /// Goes to a path of the site.
    pub fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, None)
    }

    /// Sends a form to a path of the site.
    pub fn post(&mut self, path: &str, form: &str) -> Reply {
        self.send("POST", path, Some(form))
    }

    fn send(&mut self, method: &str, path: &str, form: Option<&str>) -> Reply {
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let mut headers = vec![("Cookie".to_owned(), cookies.join("; "))];
        if form.is_some() {
            let kind = "application/x-www-form-urlencoded".to_owned();
            headers.push(("Content-Type".to_owned(), kind));
        }
        let url = format!("{}{path}", self.address);
        let body = form.map(|form| form.as_bytes().to_vec());
        let reply =
            self.client.send(&Call { method: method.to_owned(), url, headers, body }).unwrap();
        for (name, value) in &reply.headers {
            if name == "set-cookie" {
                let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.retain(|(known, _)| known != name);
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        reply
    }

    /// Puts a cookie into it.
    pub fn plant(&mut self, name: &str, value: &str) {
        self.cookies.retain(|(known, _)| known != name);
        self.cookies.push((name.to_owned(), value.to_owned()));
    }

    /// The value of a cookie that it has.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The session, where it has one.
    pub fn session(&self, server: &TestServer) -> Option<Api> {
        let found = self.cookies.iter().find(|(name, _)| name == "stgd_session")?;
        Some(server.api_as(&found.1))
    }

    /// Begins at this path, signs in at the provider, and comes back: the last answer.
    pub fn sign_in(&mut self, start: &str, idp: &Idp) -> Reply {
        let begun = self.get(start);
        assert_eq!(begun.status, 303, "{begun}");
        let back = idp.authorize(begun.header("location").unwrap());
        let path = back.strip_prefix(&self.address).unwrap_or_else(|| panic!("{back}")).to_owned();
        self.get(&path)
    }
}

/// Where people of acme begin.
pub const START: &str = "/sso/start/acme";

/// Signs in whom these claims, put over Ada's, tell of, in a new browser that begins at this path: the session, or
/// the code of the refusal.
pub fn come(server: &TestServer, idp: &Idp, start: &str, claims: &Value) -> Result<Api, String> {
    idp.person(claims);
    let mut browser = Browser::new(server);
    let done = browser.sign_in(start, idp);
    browser.session(server).ok_or_else(|| {
        let page = done.text();
        let code = page.split_once("Code: <code>").expect(&page).1;
        code.split_once('<').unwrap().0.to_owned()
    })
}

/// The claims of somebody of acme who is in these groups.
pub fn person(name: &str, groups: &[&str]) -> Value {
    json!({"sub": name, "email": format!("{name}@acme.example"), "groups": groups})
}

/// The path below a company's address in the management API.
pub const ACME: &str = "/companies/acme/sso";

/// Acme, connected with a provider.
pub fn acme(server: &TestServer) -> (Api, Idp) {
    let (api, idp) = (server.operator(), Idp::start());
    connect(&api, &idp, "acme");
    (api, idp)
}

/// Connects a company with a provider: an active connection, and its domain verified.
pub fn connect(api: &Api, idp: &Idp, company: &str) -> Value {
    let base = format!("/companies/{company}/sso");
    let made = api.post(&format!("{base}/connection"), &connection(idp)).expect(201).json;
    api.post(&format!("{base}/connection/activate"), &json!({"skip_test": true})).expect(200);
    verify(api, company, &format!("{company}.example"));
    made
}

/// A connection to a provider, with a client secret.
pub fn connection(idp: &Idp) -> Value {
    json!({
        "provider": "custom_oidc", "protocol": "oidc",
        "oidc": {"issuer": idp.issuer(), "client_id": "client", "client_secret": "hunter2"},
    })
}

/// Verifies a domain of a company, on the operator's word.
pub fn verify(api: &Api, company: &str, domain: &str) {
    let path = format!("/companies/{company}/sso/domains");
    api.post(&path, &json!({"domain": domain})).expect(201);
    api.post(&format!("{path}/{domain}/override"), &json!({})).expect(200);
}

/// The last line of acme's log of sign-ins.
pub fn last_attempt(api: &Api) -> Value {
    let page = api.get(&format!("{ACME}/attempts?limit=1")).expect(200);
    page.data().first().cloned().unwrap_or_default()
}

/// A path of the site with these parameters.
pub fn with(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    format!("{path}?{}", query.extend_pairs(parameters).finish())
}
