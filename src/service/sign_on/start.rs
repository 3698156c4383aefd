//! The beginning of a sign-in: which door, an attempt, and where the browser goes.

use crate::db;
use crate::domain::authorization_request::AuthorizationRequest;
use crate::domain::connection::{Connection, Protocol, State};
use crate::domain::login_attempt::{Door, GoesTo};
use crate::domain::refusal::{Reason, Refusal};
use crate::service::error::Error;
use crate::service::provider::authorize;
use crate::service::{Cx, Keys, Service};
use crate::sso::oidc::request as oidc;

use super::attempts::{self, Begun, Wish};
use super::finish::Refused;
use super::saml;

/// How a connection is named.
#[derive(Debug, Clone)]
pub enum Named {
    /// By its name.
    Name(String),
    /// By the company's path below `/login` (row 172).
    LoginPath(String),
}

/// A sign-in that has begun.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where the browser goes.
    pub address: String,
    /// The browser's own secret, for its cookie.
    pub browser: String,
}

/// Where OIDC answers of a connection come to (ruling 15).
pub fn redirect_uri(public_url: &str, name: &str) -> String {
    format!("{public_url}/sso/callback/{name}")
}

/// Begins a sign-in through a connection. `hint`: who is expected.
///
/// # Errors
/// `connection_not_found`, `connection_inactive`.
pub async fn start(
    service: &Service,
    public_url: &str,
    (named, browser): (Named, Option<String>),
    (wish, hint): (Wish, Option<String>),
) -> Result<Started, Refused> {
    let connection = find(service, named).await?;
    let (begun, hint) = begin(service, Door::from(&connection), browser, (wish, hint)).await?;
    let address = match connection.protocol {
        Protocol::Oidc => {
            let uri = redirect_uri(public_url, &connection.name);
            let keys = service.keys();
            request(&keys, &connection, &begun, (&uri, hint.as_deref()))?
        }
        Protocol::Saml => saml::request_address(service, public_url, &connection, &begun).await?,
    };
    Ok(Started { address, browser: begun.browser })
}

/// Begins the attempt, and says who is expected. Where an application's request waits for it, what that asks is
/// read there: the browser's own address could leave it out.
pub(super) async fn begin(
    service: &Service,
    door: Door,
    browser: Option<String>,
    (wish, hint): (Wish, Option<String>),
) -> Result<(Begun, Option<String>), Refused> {
    let keys = service.keys();
    let unit = move |cx: &mut Cx<'_>| {
        let (mut wish, mut hint) = (wish.clone(), hint.clone());
        if let Some(request) = waiting(cx, &wish)? {
            wish.demand = request.demand();
            hint = hint.or(request.login_hint);
        }
        let begun = attempts::begin(cx, &keys, door.clone(), browser.as_deref(), wish)?;
        Ok((begun, hint))
    };
    Ok(service.transact(unit).await?)
}

/// The request that waits for the sign-in; one that is over is told so where it is gone on with.
fn waiting(cx: &mut Cx<'_>, wish: &Wish) -> crate::service::Result<Option<AuthorizationRequest>> {
    let GoesTo::Request(id) = &wish.goes_to else { return Ok(None) };
    match authorize::find(cx, id) {
        Ok(request) => Ok(Some(request)),
        Err(Error::Problem(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The connection, where it lets people in.
async fn find(service: &Service, named: Named) -> Result<Connection, Refused> {
    let look = move |conn: &mut db::DbConn| {
        Ok(match &named {
            Named::Name(name) => db::connections::find_by_name(conn, name)?,
            Named::LoginPath(path) => db::connections::find_by_login_path(conn, path)?,
        })
    };
    let found = service.look_up(look).await?;
    let connection = found.ok_or(Reason::ConnectionNotFound)?;
    if connection.state != State::Active || connection.candidate {
        return Err(Reason::ConnectionInactive.into());
    }
    Ok(connection)
}

fn request(
    keys: &Keys,
    connection: &Connection,
    begun: &Begun,
    (redirect_uri, hint): (&str, Option<&str>),
) -> Result<String, Refusal> {
    let settings = &connection.document.oidc;
    let extra: Vec<(String, String)> =
        settings.extra_params.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
    let (nonce, verifier) = (begun.nonce(keys), begun.verifier(keys));
    let request = oidc::AuthorizationRequest {
        endpoint: &settings.authorization_endpoint,
        client_id: &settings.client_id,
        redirect_uri,
        scopes: &settings.scopes,
        state: &begun.state,
        nonce: Some(&nonce),
        verifier: &verifier,
        login_hint: hint,
        demand: begun.attempt.demand,
        extra: &extra,
    };
    let url = request.url().ok_or_else(|| Refusal::from(Reason::ConnectionInactive))?;
    Ok(url.into())
}
