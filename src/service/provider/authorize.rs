//! A request for authorization: answered at once where the browser brings a session that will do, kept until
//! somebody has signed in where it does not (`management-api.md` D7).

use std::sync::Arc;

use crate::db::{self, DbConn};
use crate::domain::application::Application;
use crate::domain::authorization_request::{AuthorizationRequest, LIFE, Parameters, Wrong};
use crate::domain::grant::{CODE_LIFE, Grant, Terms};
use crate::domain::presence::Presence;
use crate::domain::problem::{Code, Problem};
use crate::domain::session::Session;
use crate::domain::token::{self, Kind};
use crate::service::error::{Error, Result};
use crate::service::sign_on::Counted;
use crate::service::{Cx, Keys, Service, login, sessions};

use super::issuer_of;
use super::refusal::{Fault, Refusal};

/// What the browser is to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It goes back to the application with a code.
    Code(AuthorizationRequest, String),
    /// It goes back to the application with a refusal.
    Refuse(AuthorizationRequest, Refusal),
    /// It goes where the application begins a login of its own, or else where the request said.
    Initiate(AuthorizationRequest, Option<String>),
    /// Its person signs in; then this request is gone on with.
    SignIn(AuthorizationRequest, String),
}

/// A request that is about to be answered.
struct Asked {
    application: Arc<Application>,
    request: AuthorizationRequest,
    id: Option<String>,
}

/// Finds who asks, and where the answer may go: until both are known, nothing is answered by a redirect.
async fn begin(service: &Service, parameters: &Parameters) -> Result<(Arc<Application>, String)> {
    let id = parameters.get("client_id").unwrap_or_default();
    let Some(application) = service.application(id).await? else {
        let detail = "client_id names no application that is registered here";
        return Err(Problem::new(Code::UnknownApplication, detail).into());
    };
    let only = match application.addresses.redirect_uris.as_slice() {
        [only] => Some(only.as_str()),
        _ => None,
    };
    let uri = parameters.get("redirect_uri").or(only).unwrap_or_default().to_owned();
    if application.redirects_to(&uri) {
        return Ok((application, uri));
    }
    let detail = "redirect_uri is not, letter by letter, one that the application has registered";
    Err(Problem::new(Code::RedirectUriMismatch, detail).into())
}

fn refusal(wrong: Wrong) -> Refusal {
    match wrong {
        Wrong::Request(about) => Refusal::new(Fault::InvalidRequest, about),
        Wrong::ResponseType => {
            Refusal::new(Fault::UnsupportedResponseType, "response_type is code")
        }
        Wrong::Object => Refusal::new(Fault::RequestNotSupported, "request is not taken"),
        Wrong::Reference => Refusal::new(Fault::RequestUriNotSupported, "request_uri is not taken"),
    }
}

/// Checks what names a connection or a target: a wrong one is told to the browser, since it came in a link.
fn check(conn: &mut DbConn, asked: &Asked, issuer: Option<&str>) -> Result<()> {
    if let Some(target) = &asked.request.target_link_uri
        && !asked.application.owns(target)
    {
        let detail = "target_link_uri is none of the application's own addresses";
        return Err(Problem::new(Code::InvalidTarget, detail).into());
    }
    let Some(name) = &asked.request.connection else { return Ok(()) };
    let found = db::connections::find_by_name(conn, name)?;
    let connection = found.ok_or_else(|| Error::from(Code::ConnectionNotFound))?;
    if let Some(issuer) = issuer
        && issuer_of(&connection).trim_end_matches('/') != issuer.trim_end_matches('/')
    {
        let detail = "iss is not the issuer of the connection";
        return Err(Problem::new(Code::IssuerMismatch, detail).into());
    }
    Ok(())
}

/// Whether a session answers a request without another sign-in.
fn meets(presence: &Presence, request: &AuthorizationRequest) -> bool {
    let through = presence.connection.as_ref().map(|through| through.name.as_str());
    let same = request.connection.is_none() || request.connection.as_deref() == through;
    same && request.is_met_by(&presence.session)
}

/// Goes on with a request whose person has signed in, and uses it up.
fn answer(cx: &mut Cx<'_>, keys: &Keys, asked: &Asked, session: &Session) -> Result<Step> {
    let request = asked.request.clone();
    if let Some(id) = &asked.id
        && !db::applications::answered(cx.conn, id)?
    {
        return Err(Code::RequestExpired.into());
    }
    db::sessions::used(cx.conn, session.company, &session.id, cx.now)?;
    if let Some(organization) = &request.organization {
        match login::enter(cx, session, organization) {
            Ok(_) => {}
            Err(Error::Problem(_) | Error::NotFound(_)) => {
                let about = "The person may not enter this organization";
                return Ok(Step::Refuse(request, Refusal::new(Fault::AccessDenied, about)));
            }
            Err(error) => return Err(error),
        }
    }
    let Some(challenge) = request.code_challenge.clone() else {
        let initiate = asked.application.addresses.initiate_login_uri.clone();
        return Ok(Step::Initiate(request, initiate));
    };
    let (id, text) = crate::service::tokens::new_text(Kind::Code)?;
    let parsed = token::parse(Kind::Code, &text);
    let secret = parsed.ok_or_else(|| "a new code does not parse".to_owned())?.secret;
    let grant = Grant {
        code_digest: keys.digest(Kind::Code, secret),
        id,
        company: session.company,
        user: session.user,
        session: session.id.clone(),
        application: request.application.clone(),
        terms: Terms {
            redirect_uri: request.redirect_uri.clone(),
            code_challenge: challenge,
            scope: request.scope.clone(),
            nonce: request.nonce.clone(),
        },
        code_until: cx.now + CODE_LIFE,
        family: None,
        digest: None,
        created_at: cx.now,
    };
    db::grants::insert(cx.conn, &grant)?;
    Ok(Step::Code(request, text))
}

/// The request that waits under this id, for whoever signs its person in.
///
/// # Errors
/// 400 `request_expired`.
pub fn find(cx: &mut Cx<'_>, id: &str) -> Result<AuthorizationRequest> {
    let since = cx.now.checked_sub(LIFE).unwrap_or(cx.now);
    read(cx.conn, id, since)
}

fn read(conn: &mut DbConn, id: &str, since: jiff::Timestamp) -> Result<AuthorizationRequest> {
    let document = db::applications::asked(conn, id, since)?;
    let document = document.ok_or_else(|| Error::from(Code::RequestExpired))?;
    Ok(serde_json::from_str(&document)?)
}

impl Service {
    /// What to do with a request for authorization that a browser at the address `ip` brings, with its
    /// session's cookie if it has one.
    ///
    /// # Errors
    /// What is told to the browser, since it cannot be told to the application: 400
    /// `unknown_application`, `redirect_uri_mismatch`, `invalid_target`, `issuer_mismatch`; 404
    /// `connection_not_found`; [`Error::TooMany`] of requests that wait for a sign-in.
    pub async fn authorize(
        &self,
        parameters: &Parameters,
        (cookie, ip): (Option<String>, &str),
    ) -> Result<Step> {
        let (application, uri) = begin(self, parameters).await?;
        let (now, keys) = (self.clock().now(), self.keys());
        let request = match AuthorizationRequest::read(parameters, (&application.id, &uri), now) {
            Ok(request) => request,
            Err(wrong) => {
                let told = AuthorizationRequest {
                    redirect_uri: uri,
                    state: parameters.get("state").map(str::to_owned),
                    ..AuthorizationRequest::default()
                };
                return Ok(Step::Refuse(told, refusal(wrong)));
            }
        };
        let asked = Arc::new(Asked { application, request, id: None });
        let (issuer, look) = (parameters.get("iss").map(str::to_owned), Arc::clone(&asked));
        let presence = self
            .look_up(move |conn| {
                check(conn, &look, issuer.as_deref())?;
                let cookie = cookie.as_deref().unwrap_or_default();
                sessions::find_by_cookie(conn, &keys, cookie, now)
            })
            .await?;
        match presence.filter(|presence| meets(presence, &asked.request)) {
            Some(presence) => self.give(asked, presence).await,
            None => self.ask(&asked, ip).await,
        }
    }

    /// Goes on with a request that waited for a sign-in. Where the browser brings no session that will do,
    /// its person signs in (again).
    ///
    /// # Errors
    /// 400 `request_expired`.
    pub async fn go_on(&self, id: &str, cookie: Option<String>) -> Result<Step> {
        let (now, keys) = (self.clock().now(), self.keys());
        let (key, since) = (id.to_owned(), now.checked_sub(LIFE).unwrap_or(now));
        let read = move |conn: &mut DbConn| {
            let request = read(conn, &key, since)?;
            let cookie = cookie.as_deref().unwrap_or_default();
            Ok((request, sessions::find_by_cookie(conn, &keys, cookie, now)?))
        };
        let (request, presence) = self.look_up(read).await?;
        let found = self.application(&request.application).await?;
        let application = found.ok_or_else(|| Error::from(Code::RequestExpired))?;
        let Some(presence) = presence.filter(|presence| meets(presence, &request)) else {
            return Ok(Step::SignIn(request, id.to_owned()));
        };
        let asked = Asked { application, request, id: Some(id.to_owned()) };
        self.give(Arc::new(asked), presence).await
    }

    async fn give(&self, asked: Arc<Asked>, presence: Presence) -> Result<Step> {
        let (keys, session) = (self.keys(), presence.session);
        if let Some(organization) = asked.request.organization.clone() {
            // What a sync of teams does to memberships holds, whatever comes after it.
            let session = session.clone();
            let unit = move |cx: &mut Cx<'_>| login::prepare_entry(cx, &session, &organization);
            match self.transact(unit).await {
                Ok(()) | Err(Error::Problem(_) | Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.transact(move |cx| answer(cx, &keys, &asked, &session)).await
    }

    /// Keeps a request until its person has signed in; one that may ask nobody is refused.
    async fn ask(&self, asked: &Asked, ip: &str) -> Result<Step> {
        let request = asked.request.clone();
        if request.silent {
            let about = "Nobody is signed in, or not lately enough";
            return Ok(Step::Refuse(request, Refusal::new(Fault::LoginRequired, about)));
        }
        self.count_sign_on(Counted::Waiting, ip)?;
        let document = serde_json::to_string(&request)?;
        let application = request.application.clone();
        let id = self
            .transact(move |cx| {
                let id = cx.clock.id();
                db::applications::ask(cx.conn, (&id, &application), &document, cx.now)?;
                Ok(id)
            })
            .await?;
        Ok(Step::SignIn(request, id))
    }
}
