//! The management API as a test speaks to it: short calls, whole answers.

use std::future::Future;

use diesel::RunQueryDsl;
use serde_json::Value;
use stagedoor::domain::identity::{VerifiedIdentity, Way};
use stagedoor::domain::problem::Problem;
use stagedoor::service::login::{self, Outcome};
use stagedoor::service::{Error, companies};

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
        let read = self.operator().get(&format!("/companies/acme/users/{user}")).expect(200);
        let name = read["user_name"].as_str().unwrap().to_owned();
        self.log_in(&Who { subject: user.to_owned(), ..Who::new(&name) })
    }

    /// Logs somebody in as the SSO callback will, once the identity provider's word is verified: through the
    /// connection of acme, which is made where there is none. The code and the words of a refusal.
    pub fn log_in(&self, who: &Who) -> Result<Api, String> {
        let way = if who.social { Way::Social } else { Way::Sso(self.connection()) };
        let (service, who) = (self.service(), who.clone());
        let keys = service.keys();
        let done = wait(service.transact(move |cx| {
            let company = companies::find(cx.conn, "acme")?;
            let identity = VerifiedIdentity {
                issuer: "https://idp.example".to_owned(),
                subject: who.subject,
                email: who.email,
                first_name: Some("First".to_owned()),
                groups: who.groups,
                ..VerifiedIdentity::default()
            };
            login::complete(cx, &keys, &company, (way, &identity), who.organization.as_deref())
        }));
        let refused = |problem: &Problem| format!("{}: {}", problem.code.name(), problem.detail);
        match done {
            Ok(Outcome::SignedIn(login)) => Ok(self.api_as(&login.secret)),
            Ok(Outcome::Refused(problem)) | Err(Error::Problem(problem)) => Err(refused(&problem)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The storage key of acme's connection.
    fn connection(&self) -> i64 {
        const FIND: &str = "COALESCE((SELECT MIN(n.seq) FROM connections n JOIN companies c \
             ON c.seq = n.company_seq WHERE c.slug = 'acme' AND n.organization_seq IS NULL \
             AND n.deleted_at IS NULL AND NOT n.candidate), 0)";
        let service = self.service();
        let find = || {
            let value = diesel::dsl::sql::<diesel::sql_types::BigInt>(FIND);
            let read = service.read_now(|conn| Ok(diesel::select(value).get_result::<i64>(conn)?));
            read.unwrap()
        };
        if find() == 0 {
            self.sql(
                "INSERT INTO connections (id, company_seq, name, provider, protocol, state, document, \
                 created_at, version) SELECT 'a-connection', seq, 'acme', 'okta', 'oidc', 'active', \
                 '{}', 1, 1 FROM companies WHERE slug = 'acme'",
            );
        }
        find()
    }
}

/// Who logs in, and where to.
#[derive(Debug, Clone)]
pub struct Who {
    /// Whom the identity provider means.
    pub subject: String,
    /// The address that it says.
    pub email: String,
    /// The groups that it claims.
    pub groups: Option<Vec<String>>,
    /// The organization that is asked for.
    pub organization: Option<String>,
    /// Whether it is a social connection.
    pub social: bool,
}

impl Who {
    /// Somebody with this address, through the connection of acme.
    pub fn new(email: &str) -> Self {
        let (subject, email) = (format!("subject of {email}"), email.to_owned());
        Self { subject, email, groups: None, organization: None, social: false }
    }

    /// The same, who wants to go to this organization.
    #[must_use]
    pub fn to(mut self, organization: &str) -> Self {
        self.organization = Some(organization.to_owned());
        self
    }

    /// The same, through a social connection.
    #[must_use]
    pub fn by_social(mut self) -> Self {
        self.social = true;
        self
    }
}

/// Waits for something that the service does in this process.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(work)
}
