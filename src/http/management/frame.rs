//! What every request of the management API goes through: who calls, the body, pages, preconditions,
//! `Idempotency-Key`. Handlers get a [`Call`] and cannot run without one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev::Payload, web};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use crate::domain::company::Company;
use crate::domain::event::Actor;
use crate::domain::organization::Organization;
use crate::domain::problem::{Code, Problem};
use crate::domain::token::{self, Kind};
use crate::http::caller::{authorization, client_ip};
use crate::http::{Site, body, cookie};
use crate::scim::json as scim_json;
use crate::service::access::{At, Caller, Wanted};
use crate::service::idempotency::{self, Claim, LONGEST_KEY, Reply};
use crate::service::{Cx, Error, Reading, Result, Service};

use super::problem::Failure;
use super::table;

/// What a handler gives.
pub type Answer = std::result::Result<HttpResponse, Failure>;

/// Items of a page where none are asked for.
const PAGE: i64 = 50;
/// Most items of a page.
const LONGEST_PAGE: i64 = 200;

/// A request whose caller may do what it wants.
pub struct Call {
    /// The product.
    pub service: web::Data<Service>,
    /// What else the server is.
    pub site: web::Data<Site>,
    /// Who calls, and where.
    pub at: Arc<At>,
    request: HttpRequest,
    body: Bytes,
    _place: OwnedSemaphorePermit,
}

impl FromRequest for Call {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(admit(request, payload))
    }
}

async fn admit(request: HttpRequest, mut payload: Payload) -> std::result::Result<Call, Failure> {
    let (Some(service), Some(site), Some(entry)) = (
        request.app_data::<web::Data<Service>>().cloned(),
        request.app_data::<web::Data<Site>>().cloned(),
        table::of(&request),
    ) else {
        return Err(Error::Internal("a route that the table does not know".into()).into());
    };
    let ip = client_ip(&request, &site);
    let part = |name| request.match_info().get(name).map(str::to_owned);
    let asked = entry.asks.iter().any(|(name, ..)| *name == "company");
    let company = part("company").or_else(|| parameter(&request, "company").filter(|_| asked));
    let wanted = Wanted { act: entry.act, company, organization: part("organization") };
    let session = cookie_of(&request, &site);
    let credential = authorization(request.headers())?.or(session.as_deref());
    let at = service.admit(credential, &ip, wanted).await?;
    let place = service.enter_as(at.caller.id())?;
    note_use(&service, &at.caller, ip);
    let body = match body::bytes(&request, &mut payload).await {
        Ok(body) => body,
        Err(error) => return Err(Failure::unread(error, payload)),
    };
    Ok(Call { service, site, at: Arc::new(at), request, body, _place: place })
}

fn parameter(request: &HttpRequest, name: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(request.query_string().as_bytes());
    pairs.into_iter().find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

/// The session of a browser. What changes something must come from a page of ours: other sites' pages
/// cannot send the cookie with it (`SameSite=Lax`), and other origins of this site name themselves. What else it
/// holds, a key or an application's token, opens nothing here: such are brought in the header alone.
fn cookie_of(request: &HttpRequest, site: &Site) -> Option<String> {
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let ours = origin == Some(site.public_url.as_str());
    let session =
        if request.method().is_safe() || ours { cookie::session_of(site, request) } else { None };
    session.filter(|text| token::parse(Kind::Session, text).is_some())
}

/// Writes the use of a key or of a session down beside the request, as often as it matters.
fn note_use(service: &web::Data<Service>, caller: &Caller, ip: String) {
    let service = service.clone();
    match caller {
        Caller::Key(key) if service.is_due(&key.id) => {
            let id = key.id.clone();
            actix_web::rt::spawn(async move {
                if let Err(error) = service.note_key_use(id, ip).await {
                    tracing::warn!(%error, "the last use of a key was not noted");
                }
            });
        }
        Caller::Person(person)
            if person.session.is_use_due(person.settings, service.clock().now()) =>
        {
            let session = person.session.clone();
            actix_web::rt::spawn(async move {
                if let Err(error) = service.note_session_use(&session).await {
                    tracing::warn!(%error, "the last use of a session was not noted");
                }
            });
        }
        _ => {}
    }
}

/// Where a page begins, and how long it is.
#[derive(Debug, Clone)]
pub struct Page {
    /// The id behind which it begins; empty for the first.
    pub after: String,
    /// Most items.
    pub limit: i64,
}

impl Page {
    /// What is asked of the database: one item more than is shown tells whether there is a next page.
    pub fn place(&self) -> (&str, i64) {
        (&self.after, self.limit + 1)
    }

    /// The answer: at most `limit` of the items, and the cursor of the next page where there are more.
    pub fn answer(&self, items: Vec<Value>) -> HttpResponse {
        self.answer_by("id", items)
    }

    /// The same of items that are named by another member than `id`.
    pub fn answer_by(&self, name: &str, mut items: Vec<Value>) -> HttpResponse {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more).and_then(|item| item[name].as_str());
        let page = json!({"next_cursor": last, "limit": self.limit});
        ok(&json!({"data": items, "page": page}))
    }
}

/// The versions that a client wants to change; `None`: any.
#[derive(Debug, Clone)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// Whether this version is among them (RFC 9110 §13.1.1).
    ///
    /// # Errors
    /// 412 `precondition_failed`.
    pub fn check(&self, version: i64) -> Result<()> {
        let Some(wanted) = &self.0 else { return Ok(()) };
        let mine = format!("\"{version}\"");
        if wanted.split(',').any(|tag| tag.trim() == "*" || tag.trim() == mine) {
            return Ok(());
        }
        Err(Code::PreconditionFailed.into())
    }
}

impl Call {
    /// The company of the request.
    ///
    /// # Errors
    /// 404 where it names none.
    pub fn company(&self) -> Result<&Company> {
        self.at.company()
    }

    /// The organization of the request.
    ///
    /// # Errors
    /// 404 where it names none.
    pub fn organization(&self) -> Result<&Organization> {
        self.at.organization()
    }

    /// Who calls, for the record of changes.
    pub fn actor(&self) -> Actor {
        self.at.actor()
    }

    /// A part of the path.
    pub fn part(&self, name: &str) -> String {
        self.request.match_info().get(name).unwrap_or_default().to_owned()
    }

    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        parameter(&self.request, name)
    }

    /// The body.
    ///
    /// # Errors
    /// 400 `malformed_request` where it is no JSON object, or names a member twice (ruling 16); 422
    /// `invalid_body` where it is another one than is expected.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let object = scim_json::object(&self.body)?;
        serde_json::from_value(Value::Object(object))
            .map_err(|e| Problem::new(Code::InvalidBody, e.to_string()).into())
    }

    /// Whether there is no body.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// The page that is asked for.
    ///
    /// # Errors
    /// 422.
    pub fn page(&self) -> Result<Page> {
        let limit = match self.parameter("limit") {
            None => PAGE,
            Some(text) => {
                text.parse().ok().filter(|n| (1..=LONGEST_PAGE).contains(n)).ok_or_else(|| {
                    Problem::field("limit", format!("a number from 1 to {LONGEST_PAGE}"))
                })?
            }
        };
        let after = self.parameter("cursor").unwrap_or_default();
        if after.len() > 64 || !after.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(Code::InvalidCursor.into());
        }
        Ok(Page { after, limit })
    }

    /// The versions that may be changed.
    pub fn if_match(&self) -> IfMatch {
        let lines = self.request.headers().get_all(header::IF_MATCH);
        let lines: Vec<&str> = lines.map(|v| v.to_str().unwrap_or("?")).collect();
        IfMatch((!lines.is_empty()).then(|| lines.join(",")))
    }

    /// Reads.
    ///
    /// # Errors
    /// The work's own.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Reading, &At) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let at = Arc::clone(&self.at);
        self.service.read(move |conn| work(conn, &at)).await
    }

    /// Does a change, once for each `Idempotency-Key`, and answers.
    ///
    /// # Errors
    /// The change's own.
    pub async fn write(
        &self,
        unit: impl FnOnce(&mut Cx<'_>, &At) -> Result<Reply> + Clone + Send + 'static,
    ) -> Answer {
        let (claim, at) = (self.claim()?, Arc::clone(&self.at));
        let work = move |cx: &mut Cx<'_>| idempotency::once(cx, claim.as_ref(), |cx| unit(cx, &at));
        let reply = self.service.transact(work).await?;
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
        let mut answer = HttpResponse::build(status);
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        for (name, value) in &reply.headers {
            answer.insert_header((name.as_str(), value.as_str()));
        }
        if reply.replayed {
            answer.insert_header(("Idempotency-Replayed", "true"));
        }
        if reply.body.is_null() {
            return Ok(answer.finish());
        }
        Ok(answer.content_type("application/json").body(reply.shown().to_string()))
    }

    fn claim(&self) -> Result<Option<Claim>> {
        let Some(key) = self.request.headers().get("Idempotency-Key") else { return Ok(None) };
        let key = key.to_str().ok().filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
        let rule = format!("1 to {LONGEST_KEY} visible characters");
        let key = key.ok_or_else(|| Problem::field("Idempotency-Key", rule))?.to_owned();
        let (method, target) = (self.request.method().as_str(), self.request.uri().to_string());
        let parts = [method.as_bytes(), target.as_bytes(), &self.body];
        let fingerprint = self.service.keys().fingerprint_of(&parts);
        Ok(Some(Claim { caller: self.at.caller.id().to_owned(), key, fingerprint }))
    }
}

/// 200 with a body.
pub fn ok(body: &Value) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.content_type("application/json").body(body.to_string())
}

/// The same, with the version of what is shown.
pub fn versioned(body: &Value, version: i64) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((header::ETAG, format!("\"{version}\"")));
    answer.content_type("application/json").body(body.to_string())
}
