//! The OpenID Provider as applications see it, over HTTP.

mod applications;
mod flows;
mod logout;
mod peers;
mod purposes;
mod sessions;
mod tokens;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::api::Api;
use crate::client::{Call, Reply};
use crate::company::Answer;
use crate::server::{TestServer, anonymous};

pub use tokens::eventually;

/// Where codes of test applications go.
pub const CALLBACK: &str = "https://app.example/callback";
/// What the challenge of tests is made from (RFC 7636, appendix B).
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// The challenge.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// An application that is registered at a server.
#[derive(Clone)]
pub struct App {
    address: String,
    /// Its id.
    pub id: String,
    /// Its secret; blank where it keeps none.
    pub secret: String,
}

/// What an application got.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The answer.
    pub answer: Value,
}

impl Tokens {
    /// A token by its name.
    #[track_caller]
    pub fn get(&self, name: &str) -> String {
        self.answer[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {}", self.answer))
            .to_owned()
    }

    /// The claims of a token.
    #[track_caller]
    pub fn claims(&self, name: &str) -> Value {
        claims(&self.get(name))
    }
}

/// The claims of a token, unchecked.
#[track_caller]
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).expect("base64url"))
        .expect("JSON")
}

/// The parameters of an address.
pub fn parameters(location: &str) -> Vec<(String, String)> {
    let (_, query) = location.split_once('?').unwrap_or((location, ""));
    let query = query.split('#').next().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// One parameter of an address.
#[track_caller]
pub fn parameter(location: &str, name: &str) -> String {
    let found = parameters(location).into_iter().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("no {name} in {location}")).1
}

/// A call of a browser or of an application.
pub fn send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    form: Option<&[(&str, &str)]>,
) -> Reply {
    let mut headers: Vec<(String, String)> =
        headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    if form.is_some() {
        let kind = "application/x-www-form-urlencoded".to_owned();
        headers.push(("Content-Type".to_owned(), kind));
    }
    let body = form.map(|form| {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish().into_bytes()
    });
    let call = Call { method: method.to_owned(), url: url.to_owned(), headers, body };
    anonymous().send(&call).unwrap_or_else(|why| panic!("{why}\n{call}"))
}

impl App {
    /// Registers an application with these fields beside its name and its callback.
    #[track_caller]
    pub fn register(server: &TestServer, more: &Value) -> Self {
        let mut body = json!({"name": "An application", "redirect_uris": [CALLBACK]});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name.as_str()] = value.clone();
        }
        let made = server.operator().post("/applications", &body).expect(201);
        let secret = made["client_secret"].as_str().unwrap_or_default().to_owned();
        Self { address: server.address().to_owned(), id: made.id(), secret }
    }

    /// The same application with another secret.
    pub fn with_secret(&self, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..self.clone() }
    }

    /// The same application, which calls another server.
    pub fn at(&self, address: &str) -> Self {
        Self { address: address.to_owned(), ..self.clone() }
    }

    /// What a request for a code names.
    pub fn request<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let base = [
            ("client_id", self.id.as_str()),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid profile email"),
            ("state", "a-state"),
            ("nonce", "a-nonce"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let kept =
            base.into_iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
        kept.chain(more.iter().copied()).filter(|(_, value)| !value.is_empty()).collect()
    }

    /// A browser at `/oauth/authorize`, with a session or without one.
    pub fn authorize(&self, session: Option<&Api>, more: &[(&str, &str)]) -> Reply {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.request(more))
            .finish();
        visit(&format!("{}/oauth/authorize?{query}", self.address), session)
    }

    /// A code for the person of a session.
    #[track_caller]
    pub fn code(&self, session: &Api, more: &[(&str, &str)]) -> String {
        let reply = self.authorize(Some(session), more);
        let location = reply.header("location").unwrap_or_else(|| panic!("{reply}"));
        assert!(location.starts_with(CALLBACK), "{location}");
        parameter(location, "code")
    }

    /// A call with the application's credentials in the header, or its id in the form.
    #[track_caller]
    pub fn call(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let url = format!("{}{path}", self.address);
        let basic = BASE64_STANDARD.encode(format!("{}:{}", self.id, self.secret));
        let header = format!("Basic {basic}");
        let reply = if self.secret.is_empty() {
            send("POST", &url, &[], Some(&[form, &[("client_id", self.id.as_str())]].concat()))
        } else {
            send("POST", &url, &[("Authorization", &header)], Some(form))
        };
        let json = serde_json::from_slice(&reply.body).unwrap_or_default();
        Answer { status: reply.status, json, reply }
    }

    /// Exchanges a code.
    #[track_caller]
    pub fn exchange(&self, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.call("/oauth/token", &form)
    }

    /// Tokens for the person of a session.
    #[track_caller]
    pub fn tokens(&self, session: &Api) -> Tokens {
        Tokens { answer: self.exchange(&self.code(session, &[])).expect(200).json }
    }

    /// Renews tokens.
    #[track_caller]
    pub fn refresh(&self, token: &str) -> Answer {
        self.call("/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// Asks what a token is.
    #[track_caller]
    pub fn introspect(&self, token: &str) -> Value {
        self.call("/oauth/introspect", &[("token", token)]).expect(200).json
    }

    /// What userinfo says to a token.
    pub fn userinfo(&self, token: &str) -> Answer {
        let header = format!("Bearer {token}");
        let url = format!("{}/oauth/userinfo", self.address);
        let reply = send("GET", &url, &[("Authorization", &header)], None);
        let json = serde_json::from_slice(&reply.body).unwrap_or_default();
        Answer { status: reply.status, json, reply }
    }
}

/// A browser that goes to an address, with a session or without one.
pub fn visit(url: &str, session: Option<&Api>) -> Reply {
    let cookie = session.map(|session| format!("stgd_session={}", session.key()));
    let headers: Vec<(&str, &str)> = cookie.iter().map(|c| ("Cookie", c.as_str())).collect();
    send("GET", url, &headers, None)
}

impl Answer {
    /// Fails unless this is a refusal of this status and name (RFC 6749 §5.2).
    #[track_caller]
    pub fn oauth_error(self, status: u16, name: &str) -> Self {
        assert_eq!(self.status, status, "{}", self.reply);
        assert_eq!(self.json["error"], name, "{}", self.reply);
        assert!(self.json["error_description"].is_string(), "{}", self.reply);
        assert_eq!(self.header("cache-control"), Some("no-store"), "{}", self.reply);
        self
    }
}
