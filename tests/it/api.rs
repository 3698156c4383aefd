//! The management API as a test speaks to it: short calls, whole answers.

use serde_json::Value;

use crate::client::{Call, HttpClient};
use crate::company::Answer;
use crate::server::TestServer;

/// A key or a session, and the server that knows it.
#[derive(Clone)]
pub struct Api {
    client: HttpClient,
    address: String,
    key: String,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Api at {}", self.address)
    }
}

impl Api {
    /// A client with this key or session.
    pub fn new(address: &str, key: &str) -> Self {
        Self { client: HttpClient::new(), address: address.to_owned(), key: key.to_owned() }
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    /// POST.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], Some(body))
    }

    /// PATCH.
    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, &[], Some(body))
    }

    /// PUT.
    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[], Some(body))
    }

    /// DELETE.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None)
    }

    /// Anything, with the key, at a path behind `/api/v1`.
    #[track_caller]
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut headers: Vec<(String, String)> =
            headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        if !self.key.is_empty() {
            headers.push(("Authorization".to_owned(), format!("Bearer {}", self.key)));
        }
        if body.is_some() {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        let url = format!("{}/api/v1{path}", self.address);
        let body = body.map(|body| body.to_string().into_bytes());
        let call = Call { method: method.to_owned(), url, headers, body };
        let reply = self.client.send(&call).unwrap_or_else(|why| panic!("{why}\n{call}"));
        let json = serde_json::from_slice(&reply.body).unwrap_or_default();
        Answer { status: reply.status, json, reply }
    }

    /// Makes an organization and returns its id.
    #[track_caller]
    pub fn organization(&self, company: &str, slug: &str, more: &Value) -> String {
        let mut body = serde_json::json!({"name": slug, "slug": slug});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name.as_str()] = value.clone();
        }
        self.post(&format!("/companies/{company}/organizations"), &body).expect(201).id()
    }
}

impl Answer {
    /// Fails unless this is a problem of this status and code (RFC 9457).
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status, status, "{}", self.reply);
        assert_eq!(self.json["code"], code, "{}", self.reply);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.reply);
        assert_eq!(self.json["status"], status, "{}", self.reply);
        for field in ["type", "title", "detail"] {
            assert!(self.json[field].is_string(), "{}", self.reply);
        }
        self
    }

    /// The items of a page.
    #[track_caller]
    pub fn data(&self) -> &[Value] {
        self.json["data"].as_array().unwrap_or_else(|| panic!("no data in {}", self.reply))
    }
}

impl TestServer {
    /// A client with an operator's key.
    pub fn operator(&self) -> Api {
        self.api(&["--name", "test"])
    }

    /// A client with a new key; flags such as `--company acme`.
    pub fn api(&self, flags: &[&str]) -> Api {
        let key = self.cli_ok(&[&["api-key", "create"], flags].concat());
        Api::new(self.address(), key.trim())
    }

    /// A client with any credential, or with none.
    pub fn api_as(&self, key: &str) -> Api {
        Api::new(self.address(), key)
    }

    /// Signs a user of acme in by the function that every sign-in calls, and returns the session.
    pub fn sign_in(&self, user: &str) -> Result<Api, String> {
        let company = "acme";
        let service = self.service();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (keys, user) = (service.keys(), user.to_owned());
        let done = runtime.block_on(service.transact(move |cx| {
            let company = stagedoor::service::companies::find(cx.conn, company)?;
            let directory = stagedoor::service::Directory::load(cx.conn, company.seq)?;
            stagedoor::service::login::sign_in(cx, &keys, &directory, (&user, None))
        }));
        done.map(|(_, text)| self.api_as(&text)).map_err(|e| e.to_string())
    }
}
