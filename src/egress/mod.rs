//! Floor 3: the only way out. One guarded client for everything that the server asks of others: https to
//! public addresses, and what the operator allowed; never the IdP's answer in a refusal's text.
//!
//! The address that is dialled is the one that was checked: names are resolved inside the connector, by a
//! resolver that refuses (threats X1 and X2). IP literals do not pass a resolver and are checked before.

mod address;
mod answer;
mod resolver;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ipnet::IpNet;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION};
use reqwest::{Client, RequestBuilder, Response};
use url::{Host, Url};

pub use address::is_public;
pub use answer::Answer;
use resolver::{Guard, Lookup, system};

/// Where the server may connect to beside the public internet.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Networks whose addresses may be dialled, over plain http and on any port too.
    pub allow: Vec<IpNet>,
}

/// How much one call may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest body of the answer.
    pub bytes: usize,
    /// Longest time for everything: name, connection, redirects and body.
    pub time: Duration,
    /// Most redirects that are followed, all on the same host.
    pub redirects: u8,
}

/// A client's id and secret for `Authorization: Basic` (RFC 6749 §2.3.1).
#[derive(Clone, Copy)]
pub struct Basic<'a> {
    /// The id.
    pub user: &'a str,
    /// The secret.
    pub password: &'a str,
}

/// Why there is no answer. The text is for the admin; it holds nothing that came back.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Neither https, nor http to an allowed address.
    #[error("the address must begin with https://")]
    Scheme,
    /// A user name or password in the address.
    #[error("the address must not hold a user name or password")]
    Userinfo,
    /// Another port than 443, and not to an allowed address.
    #[error("the port must be 443")]
    Port,
    /// An address that is not public and not allowed.
    #[error(
        "the name stands for an address that is not public, which --egress-allow does not allow"
    )]
    Private,
    /// The name has no address.
    #[error("the name cannot be resolved")]
    Unresolved,
    /// A redirect to another host, one too many, or where none is followed.
    #[error("the answer is a redirect, which is not followed")]
    Redirect,
    /// The body is longer than it may be.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
    /// It took too long.
    #[error("there was no whole answer in {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// A status that is no success; the answer is kept for whoever knows how to read it.
    #[error("the answer has the status {}", .0.status)]
    Status(Box<Answer>),
    /// No connection, no trusted certificate, or one that broke.
    #[error("no secure connection could be made, or it broke")]
    Connect,
    /// The client cannot be built, such as where the system has no trusted certificates.
    #[error("the server cannot make secure connections: {0}")]
    Client(String),
}

/// The way out.
#[derive(Clone)]
pub struct Egress(Arc<Inner>);

struct Inner {
    policy: Arc<Policy>,
    lookup: Lookup,
    clients: OnceLock<Result<Clients, String>>,
}

/// One client for what is public, and one that reaches allowed addresses alone, so that the rule for
/// scheme and port cannot be met with one address and broken with another.
struct Clients {
    public: Client,
    allowed: Client,
}

impl Default for Egress {
    fn default() -> Self {
        Self::new(Policy::default())
    }
}

impl Egress {
    /// A way out under this policy. The client is built at the first call: commands need none.
    pub fn new(policy: Policy) -> Self {
        Self::with_lookup(policy, system())
    }

    fn with_lookup(policy: Policy, lookup: Lookup) -> Self {
        let (policy, clients) = (Arc::new(policy), OnceLock::new());
        Self(Arc::new(Inner { policy, lookup, clients }))
    }

    /// GET, with a body of success.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn get(&self, url: &Url, limits: Limits) -> Result<Answer, Refusal> {
        self.in_time(limits, self.follow(url, None, limits)).await
    }

    /// The same with a bearer token (RFC 6750 §2.1); redirects are not followed, whatever the limits say.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn get_as(&self, url: &Url, token: &str, limits: Limits) -> Result<Answer, Refusal> {
        let limits = Limits { redirects: 0, ..limits };
        self.in_time(limits, self.follow(url, Some(token), limits)).await
    }

    /// POST of a form; redirects are not followed, whatever the limits say.
    ///
    /// # Errors
    /// [`Refusal`]; [`Refusal::Status`] holds the answer, whose `error` a token endpoint's caller reads.
    pub async fn post_form(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        auth: Option<Basic<'_>>,
        limits: Limits,
    ) -> Result<Answer, Refusal> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let call = async {
            let request = self.client(url)?.post(url.clone()).body(body);
            let mut request = request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(ACCEPT, "application/json");
            if let Some(auth) = auth {
                request = request.header(AUTHORIZATION, auth.header());
            }
            let response = send(request).await?;
            if response.status().is_redirection() {
                return Err(Refusal::Redirect);
            }
            read(response, limits.bytes).await
        };
        self.in_time(limits, call).await
    }

    /// Whether an address may be called: its form, and every address behind its name. Nothing is dialled.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn check(&self, url: &Url, time: Duration) -> Result<(), Refusal> {
        self.client(url)?;
        let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
        let guard =
            Guard::new(Arc::clone(&self.0.policy), Arc::clone(&self.0.lookup), is_plain(url));
        let found = tokio::time::timeout(time, guard.check(name)).await;
        let found = found.map_err(|_| Refusal::Timeout(time))?;
        found.map(drop).map_err(|refusal| by_form(refusal, url))
    }

    async fn in_time(
        &self,
        limits: Limits,
        call: impl Future<Output = Result<Answer, Refusal>>,
    ) -> Result<Answer, Refusal> {
        let done = tokio::time::timeout(limits.time, call).await;
        done.map_err(|_| Refusal::Timeout(limits.time))?
    }

    /// GET, and again wherever a redirect leads on the same host.
    async fn follow(
        &self,
        url: &Url,
        token: Option<&str>,
        limits: Limits,
    ) -> Result<Answer, Refusal> {
        let mut url = url.clone();
        for _ in 0..=limits.redirects {
            let mut request = self.client(&url)?.get(url.clone());
            if let Some(token) = token {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            let accept = "application/json, application/samlmetadata+xml, */*;q=0.5";
            let response = send(request.header(ACCEPT, accept)).await?;
            if !response.status().is_redirection() {
                return read(response, limits.bytes).await;
            }
            let location = response.headers().get(LOCATION).and_then(|v| v.to_str().ok());
            let next = location.and_then(|to| url.join(to).ok()).ok_or(Refusal::Redirect)?;
            // Down from https, or to another host, is another party's word.
            if next.host() != url.host() || (url.scheme() == "https" && next.scheme() != "https") {
                return Err(Refusal::Redirect);
            }
            url = next;
        }
        Err(Refusal::Redirect)
    }

    /// The client that may send to this address.
    fn client(&self, url: &Url) -> Result<&Client, Refusal> {
        let plain = is_plain(url);
        if !matches!(url.scheme(), "https" | "http") {
            return Err(Refusal::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Userinfo);
        }
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => Some(ip.into()),
            Some(Host::Ipv6(ip)) => Some(ip.into()),
            Some(Host::Domain(_)) => None,
            None => return Err(Refusal::Scheme),
        };
        if let Some(ip) = ip {
            self.0.policy.check(ip, plain).map_err(|refusal| by_form(refusal, url))?;
        }
        let build = || Clients::build(&self.0.policy, &self.0.lookup);
        match self.0.clients.get_or_init(build) {
            Ok(clients) if plain => Ok(&clients.public),
            Ok(clients) => Ok(&clients.allowed),
            Err(why) => Err(Refusal::Client(why.clone())),
        }
    }
}

impl Clients {
    fn build(policy: &Arc<Policy>, lookup: &Lookup) -> Result<Self, String> {
        let build = |plain| {
            Client::builder()
                .dns_resolver(Arc::new(Guard::new(Arc::clone(policy), Arc::clone(lookup), plain)))
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .no_proxy()
                .user_agent("stagedoor")
                .build()
                .map_err(|e| format!("{:?}", e.without_url()))
        };
        Ok(Self { public: build(true)?, allowed: build(false)? })
    }
}

impl Basic<'_> {
    /// The header's value: both parts are encoded as in a form first (RFC 6749 §2.3.1).
    fn header(self) -> String {
        let encode =
            |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
        let pair = format!("{}:{}", encode(self.user), encode(self.password));
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    }
}

/// Whether it is https on port 443, as what is public must be.
fn is_plain(url: &Url) -> bool {
    url.scheme() == "https" && url.port_or_known_default() == Some(443)
}

/// Where a public address was reached for in a form that only allowed ones may be: what is wrong with it.
fn by_form(refusal: Refusal, url: &Url) -> Refusal {
    match refusal {
        Refusal::Scheme if url.scheme() == "https" => Refusal::Port,
        other => other,
    }
}

async fn send(request: RequestBuilder) -> Result<Response, Refusal> {
    let (client, request) = request.build_split();
    let request = request.map_err(|_| Refusal::Connect)?;
    let url = request.url().clone();
    client.execute(request).await.map_err(|error| by_form(refusal(&error), &url))
}

/// What stopped a call: our own resolver's word where it is among the causes.
fn refusal(error: &reqwest::Error) -> Refusal {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<Refusal>() {
            Some(Refusal::Private) => return Refusal::Private,
            Some(Refusal::Scheme) => return Refusal::Scheme,
            Some(_) => return Refusal::Unresolved,
            None => cause = error.source(),
        }
    }
    Refusal::Connect
}

/// Reads a whole answer, as long as it stays below the limit.
async fn read(mut response: Response, most: usize) -> Result<Answer, Refusal> {
    let (status, url) = (response.status().as_u16(), response.url().clone());
    let headers = response.headers().clone();
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|_| Refusal::Connect)? {
        if body.len() + part.len() > most {
            return Err(Refusal::TooLarge(most));
        }
        body.extend_from_slice(&part);
    }
    let answer = Answer::new(status, url, headers, body);
    if (200..300).contains(&status) { Ok(answer) } else { Err(Refusal::Status(Box::new(answer))) }
}
