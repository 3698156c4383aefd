//! Signing in through a connection that speaks SAML: what is asked, what is made of an answer, and the end of
//! it. Answers are checked on a thread of their own, then kept in one unit of work.

use tokio::sync::Semaphore;

use crate::db;
use crate::domain::connection::{Connection, Protocol, SamlSettings, State};
use crate::domain::login_attempt::{Door, LoginAttempt};
use crate::domain::refusal::{Reason, Refusal};
use crate::service::error::{Error, Result};
use crate::service::{Cx, Keys, POOL_WAIT, Service};
use crate::sso::saml::redirect::{self, Kind};
use crate::sso::saml::request::{Addresses, AuthnRequest};
use crate::sso::saml::response::{Accepted, Trust, accept};
use crate::sso::saml::verify::Pinned;
use crate::sso::saml::{Fault, gate, identity};

use super::attempts::{self, Begun, Wish};
use super::finish::Refused;
use super::saml_name;

/// Messages that are checked at once; others wait for a place.
static CHECKS: Semaphore = Semaphore::const_new(4);

/// An answer that was taken: the browser goes on by itself, where it shows that it began.
#[derive(Debug, Clone)]
pub struct Taken {
    /// What it goes on with.
    pub ticket: String,
    /// The browser's new secret, where nobody here had begun.
    pub browser: Option<String>,
}

/// What a browser brings to the ACS.
#[derive(Debug, Clone)]
pub struct Brought {
    /// The message, as the form carries it.
    pub message: String,
    /// The address that it came to.
    pub acs: String,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let reason = Reason::find(fault.code()).unwrap_or(Reason::Internal);
        Self::new(reason, fault.to_string())
    }
}

/// What a connection's identity provider may sign with.
pub(super) fn pinned(settings: &SamlSettings) -> Pinned {
    let certificates: Vec<&str> = settings.certificates.iter().map(|c| c.pem.as_str()).collect();
    Pinned::new(&certificates, &settings.signature_algorithms)
}

/// The connection with this name, where it speaks SAML and lets people in.
///
/// # Errors
/// `connection_not_found`, `connection_inactive`.
pub(super) async fn connection(
    service: &Service,
    name: &str,
) -> std::result::Result<Connection, Refused> {
    let wanted = name.to_owned();
    let found =
        service.look_up(move |conn| Ok(db::connections::find_by_name(conn, &wanted)?)).await?;
    let found = found.filter(|connection| connection.protocol == Protocol::Saml);
    let connection = found.ok_or(Reason::ConnectionNotFound)?;
    if connection.state != State::Active || connection.candidate {
        return Err(Reason::ConnectionInactive.into());
    }
    Ok(connection)
}

/// The address that takes a browser to the identity provider with our request, whose id the attempt has. SAML
/// knows no `max_age`: who must have signed in lately signs in anew.
///
/// # Errors
/// The database's, and those of our key.
pub async fn request_address(
    service: &Service,
    public_url: &str,
    connection: &Connection,
    begun: &Begun,
) -> Result<String> {
    let (settings, ours) =
        (&connection.document.saml, Addresses::new(public_url, &connection.name));
    let request = AuthnRequest {
        id: &begun.request_id,
        now: service.clock().now(),
        destination: &settings.idp_sso_url,
        ours: &ours,
        name_id_format: &settings.name_id_format,
        force_authn: settings.force_authn || !begun.attempt.demand.is_none(),
    };
    let key = if settings.sign_requests { Some(service.saml_key().await?) } else { None };
    let message = (Kind::Request, request.xml());
    let message = (message.0, message.1.as_str());
    let address = redirect::address(&settings.idp_sso_url, message, None, key.as_deref());
    address.map_err(|fault| Error::Internal(Box::new(fault)))
}

/// Takes an answer of an identity provider: checks it, remembers it, and holds what it says for the browser that
/// began. Where nobody here began, this browser has begun now, if the connection allows that.
///
/// # Errors
/// The refusal, which stands in the log of attempts then.
pub async fn answer(
    service: &Service,
    public_url: &str,
    name: &str,
    brought: Brought,
) -> std::result::Result<Taken, Refused> {
    let connection = connection(service, name).await?;
    let checked = check(service, public_url, &connection, brought).await?;
    let keys = service.keys();
    let unit = move |cx: &mut Cx<'_>| match checked {
        Ok(accepted) => take(cx, &keys, &connection, &accepted),
        Err(fault) => refuse(cx, &keys, &connection, None, fault.into()).map(Err),
    };
    service.transact(unit).await?
}

/// Checks a message, in one of a few places, on a thread that may work for a while.
async fn check(
    service: &Service,
    public_url: &str,
    connection: &Connection,
    brought: Brought,
) -> Result<std::result::Result<Accepted, Fault>> {
    let busy = Error::Unavailable("The server is busy; begin again");
    let place = tokio::time::timeout(POOL_WAIT, CHECKS.acquire()).await;
    let _place = place.map_err(|_| busy)?.map_err(|e| Error::Internal(Box::new(e)))?;
    let (key, now) = (service.saml_key().await?, service.clock().now());
    let ours = Addresses::new(public_url, &connection.name);
    let settings = connection.document.saml.clone();
    let work = move || {
        let trust = Trust {
            idp: &settings.idp_entity_id,
            sp: &ours.entity_id,
            acs: &brought.acs,
            pinned: &pinned(&settings),
            own_key: Some(&key),
            want_encrypted: settings.want_encrypted,
        };
        gate::decode(&brought.message).and_then(|text| accept(&text, &trust, now))
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::Internal(Box::new(e)))
}

/// The unit of work behind the checks. Everything is read again: the connection may have ended meanwhile.
fn take(
    cx: &mut Cx<'_>,
    keys: &Keys,
    connection: &Connection,
    accepted: &Accepted,
) -> Result<std::result::Result<Taken, Refused>> {
    let at = (connection.company, connection.seq);
    let current = db::connections::find_by_seq(cx.conn, at.0, at.1)?;
    let Some(current) = current.filter(|c| c.state == State::Active && !c.candidate) else {
        return Ok(Err(Reason::ConnectionInactive.into()));
    };
    let begun = match begun(cx, keys, &current, accepted)? {
        Ok(begun) => begun,
        Err(refusal) => return refuse(cx, keys, &current, None, refusal).map(Err),
    };
    if !db::saml::remember(cx.conn, at, &accepted.assertion_id, accepted.remember_until)? {
        return refuse(cx, keys, &current, None, Reason::SamlReplay.into()).map(Err);
    }
    let about = (current.document.saml.idp_entity_id.as_str(), current.provider.as_str());
    let told = match identity::identity(accepted, about, &current.document) {
        Ok(told) => told,
        Err(fault) => return refuse(cx, keys, &current, Some(&begun.0), fault.into()).map(Err),
    };
    saml_name::note(cx, at, accepted)?;
    match attempts::hold(cx, keys, &begun.0, &told)? {
        Some(ticket) => Ok(Ok(Taken { ticket, browser: begun.1 })),
        None => refuse(cx, keys, &current, None, Reason::StateUsed.into()).map(Err),
    }
}

/// The attempt that an answer belongs to: the one whose request it names; or a new one where it names none, and
/// the connection lets its identity provider begin. The browser's secret with it, where it is new.
type Attempted = (LoginAttempt, Option<String>);

fn begun(
    cx: &mut Cx<'_>,
    keys: &Keys,
    connection: &Connection,
    accepted: &Accepted,
) -> Result<std::result::Result<Attempted, Refusal>> {
    if let Some(request) = &accepted.in_response_to {
        let found = attempts::find_by_request_id(cx.conn, connection, request)?;
        return Ok(found.map(|attempt| (attempt, None)).ok_or(Fault::InResponseTo.into()));
    }
    if !connection.document.saml.allow_idp_initiated {
        return Ok(Err(Reason::IdpInitiatedDisabled.into()));
    }
    let begun = attempts::begin(cx, keys, Door::from(connection), None, Wish::default())?;
    Ok(Ok((begun.attempt, Some(begun.browser))))
}

/// Writes a refusal into the log: of its attempt, or as one of its own where it is not known whose it is. A
/// message that proves nothing says nothing of an attempt either.
pub(super) fn refuse(
    cx: &mut Cx<'_>,
    keys: &Keys,
    connection: &Connection,
    attempt: Option<&LoginAttempt>,
    refusal: Refusal,
) -> Result<Refused> {
    let own = match attempt {
        Some(_) => None,
        None => {
            Some(attempts::begin(cx, keys, Door::from(connection), None, Wish::default())?.attempt)
        }
    };
    let Some(attempt) = attempt.or(own.as_ref()) else { return Ok(refusal.into()) };
    attempts::refuse(cx, attempt, &refusal)?;
    Ok(Refused::of(attempt, refusal))
}

/// Our metadata for a connection, whether or not it lets people in: the identity provider is set up before.
///
/// # Errors
/// [`Error::NotFound`]; those of our key.
pub async fn metadata(service: &Service, public_url: &str, name: &str) -> Result<String> {
    let wanted = name.to_owned();
    let found =
        service.look_up(move |conn| Ok(db::connections::find_by_name(conn, &wanted)?)).await?;
    let found = found.filter(|connection| connection.protocol == Protocol::Saml);
    let settings = found.ok_or(Error::NotFound("Connection"))?.document.saml;
    let key = service.saml_key().await?;
    let ours = Addresses::new(public_url, name);
    let about = (settings.sign_requests, settings.name_id_format.as_str());
    Ok(crate::sso::saml::request::metadata(&ours, &[key.certificate()], about))
}

impl Service {
    /// Forgets assertions that no longer would be accepted, and names of sessions that are over.
    ///
    /// # Errors
    /// As [`Service::transact`].
    pub async fn sweep_saml(&self) -> Result<()> {
        self.in_slices(|cx| Ok(db::saml::sweep(cx.conn, cx.now)?)).await
    }
}
