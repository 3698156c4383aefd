//! Attempts to sign in (security O7): each is begun by a browser, which alone can finish it, and answered once.
//!
//! The state is the one secret of an attempt; nonce and PKCE verifier are derived from it under the server key.
//! Only digests are stored: a copy of the database finishes no sign-in.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock;
pub use crate::db::login_attempts::Wanted;
use crate::db::login_attempts::{self as rows, Digests, Found, Who};
use crate::db::{self, DbConn};
use crate::domain::connection::Connection;
use crate::domain::id::CompanySeq;
use crate::domain::identity::VerifiedIdentity;
use crate::domain::login_attempt::{Demand, Door, GoesTo, KEPT, LIFE, Logged, LoginAttempt};
use crate::domain::refusal::{Reason, Refusal};

use super::super::error::{Error, Result};
use super::super::{Cx, Keys};

/// Longest name of an organization that is kept, in bytes: no id or slug is longer.
const LONGEST_NAME: usize = 64;
/// Letters of a reference: none that is taken for another.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What a sign-in is for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The organization that is asked for: id or slug.
    pub organization: Option<String>,
    /// Where it is to lead.
    pub goes_to: GoesTo,
    /// What the application asks of it, whose request waits there.
    pub demand: Demand,
}

/// A sign-in that was begun.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The attempt.
    pub attempt: LoginAttempt,
    /// What comes back in the answer (OIDC `state`).
    pub state: String,
    /// The id of the request (SAML `InResponseTo`).
    pub request_id: String,
    /// The browser's own secret, for its cookie.
    pub browser: String,
}

impl Begun {
    /// What binds the ID token to the attempt.
    pub fn nonce(&self, keys: &Keys) -> String {
        nonce(keys, &self.state)
    }

    /// What proves that the code is ours (RFC 7636).
    pub fn verifier(&self, keys: &Keys) -> String {
        verifier(keys, &self.state)
    }
}

/// The nonce of the attempt with this state.
pub fn nonce(keys: &Keys, state: &str) -> String {
    derived(keys, "login nonce", state)
}

/// The PKCE verifier of the attempt with this state.
pub fn verifier(keys: &Keys, state: &str) -> String {
    derived(keys, "login verifier", state)
}

fn derived(keys: &Keys, purpose: &str, state: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(keys, purpose, state))
}

fn digest(keys: &Keys, purpose: &str, secret: &str) -> Vec<u8> {
    keys.fingerprint_of(&[purpose.as_bytes(), secret.as_bytes()])
}

/// A new secret: 256 random bits.
fn secret() -> Result<String> {
    let random = clock::random::<32>().map_err(|e| Error::Internal(Box::new(e)))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// Whether a cookie's text can be a browser's secret of ours.
pub fn is_secret(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// A new reference, such as `7F3K9Q2M`: what a person reads to support.
///
/// # Errors
/// Where the system gives no random bytes.
pub fn reference() -> Result<String> {
    let random = clock::random::<8>().map_err(|e| Error::Internal(Box::new(e)))?;
    Ok(random.iter().map(|b| char::from(LETTERS[usize::from(*b) % LETTERS.len()])).collect())
}

/// Begins a sign-in through this door. `browser`: the secret in the browser's cookie, where it has one from an
/// earlier attempt; several attempts of one browser may be on their way.
///
/// # Errors
/// [`Error::NotFound`] where the name of the organization is longer than any; the database's.
pub fn begin(
    cx: &mut Cx<'_>,
    keys: &Keys,
    door: Door,
    browser: Option<&str>,
    wish: Wish,
) -> Result<Begun> {
    // What anybody sends stays in the log for a long time.
    if wish.organization.as_ref().is_some_and(|name| name.len() > LONGEST_NAME) {
        return Err(Error::NotFound("Organization"));
    }
    let browser = match browser.filter(|text| is_secret(text)) {
        Some(known) => known.to_owned(),
        None => secret()?,
    };
    let state = secret()?;
    // An XML name does not begin with a digit.
    let request_id = format!("_{}", derived(keys, "login request", &state));
    let attempt = LoginAttempt {
        id: cx.clock.id(),
        reference: reference()?,
        door,
        organization: wish.organization,
        goes_to: wish.goes_to,
        demand: wish.demand,
        created_at: cx.now,
        expires_at: cx.now + LIFE,
        consumed_at: None,
    };
    let digests = Digests {
        state: digest(keys, "login state", &state),
        browser: digest(keys, "login browser", &browser),
        request_id: request_id.clone(),
    };
    rows::insert(cx.conn, &attempt, &digests)?;
    Ok(Begun { attempt, state, request_id, browser })
}

/// The attempt whose request had this id, at this connection (SAML `InResponseTo`); one that was answered too.
///
/// # Errors
/// The database's.
pub fn find_by_request_id(
    conn: &mut DbConn,
    connection: &Connection,
    request_id: &str,
) -> Result<Option<LoginAttempt>> {
    let at = (connection.company, connection.seq);
    Ok(rows::find_by_request_id(conn, at, request_id)?.map(|found| found.attempt))
}

/// Takes the attempt with this state for answered, once: at the door with this name, by the browser that began.
/// Who brings another browser or another door has consumed nothing.
///
/// # Errors
/// The database's; the refusal is the inner result: `state_missing`, `state_unknown`, `state_used`,
/// `state_expired`, `other_browser`, `other_connection`.
pub fn consume(
    cx: &mut Cx<'_>,
    keys: &Keys,
    (state, browser): (Option<&str>, Option<&str>),
    door: &str,
) -> Result<std::result::Result<LoginAttempt, Refusal>> {
    let Some(state) = state else { return Ok(Err(Reason::StateMissing.into())) };
    let found = rows::find_by_state(cx.conn, &digest(keys, "login state", state))?;
    let Some(found) = found else { return Ok(Err(Reason::StateUnknown.into())) };
    if found.attempt.door.name != door {
        return Ok(Err(Reason::OtherConnection.into()));
    }
    take(cx, keys, found, browser)
}

/// Keeps a verified identity until the browser that began comes for it; the ticket that it comes with. `None`:
/// the attempt was answered before, or is over.
///
/// # Errors
/// The database's.
pub fn hold(
    cx: &mut Cx<'_>,
    keys: &Keys,
    attempt: &LoginAttempt,
    identity: &VerifiedIdentity,
) -> Result<Option<String>> {
    let (ticket, text) = (secret()?, serde_json::to_string(identity)?);
    let digest = digest(keys, "login ticket", &ticket);
    let held = rows::hold(cx.conn, &attempt.id, (&text, &digest), cx.now)?;
    Ok(held.then_some(ticket))
}

/// Takes what is held under a ticket, once, by the browser that began.
///
/// # Errors
/// As [`consume`], but `saml.other_browser`: what another browser brings here is a message that was taken.
pub fn take_held(
    cx: &mut Cx<'_>,
    keys: &Keys,
    ticket: &str,
    browser: Option<&str>,
) -> Result<std::result::Result<(LoginAttempt, VerifiedIdentity), Refusal>> {
    let found = rows::find_by_ticket(cx.conn, &digest(keys, "login ticket", ticket))?;
    let Some(found) = found else { return Ok(Err(Reason::StateUnknown.into())) };
    let held = found.held.clone();
    match (take(cx, keys, found, browser)?, held) {
        (Ok(attempt), Some(held)) => Ok(Ok((attempt, serde_json::from_str(&held)?))),
        (Ok(_), None) => Ok(Err(Reason::StateUsed.into())),
        (Err(refusal), _) if refusal.reason == Reason::OtherBrowser => {
            Ok(Err(Reason::SamlOtherBrowser.into()))
        }
        (Err(refusal), _) => Ok(Err(refusal)),
    }
}

/// The one conditional statement whose row count decides.
fn take(
    cx: &mut Cx<'_>,
    keys: &Keys,
    found: Found,
    browser: Option<&str>,
) -> Result<std::result::Result<LoginAttempt, Refusal>> {
    let digest = browser.map(|browser| digest(keys, "login browser", browser));
    if digest.as_ref() != Some(&found.browser) {
        return Ok(Err(Reason::OtherBrowser.into()));
    }
    if rows::consume(cx.conn, &found.attempt.id, cx.now)? {
        return Ok(Ok(LoginAttempt { consumed_at: Some(cx.now), ..found.attempt }));
    }
    let used = found.attempt.consumed_at.is_some();
    // Of two at once the other may have come first.
    let used = used || found.attempt.expires_at > cx.now;
    let reason = if used { Reason::StateUsed } else { Reason::StateExpired };
    Ok(Err(reason.into()))
}

/// Writes down that an attempt was refused before anybody was known.
///
/// # Errors
/// The database's.
pub fn refuse(cx: &mut Cx<'_>, attempt: &LoginAttempt, refusal: &Refusal) -> Result<()> {
    Ok(rows::finish(cx.conn, attempt, (Some(refusal), &Who::default()), cx.now)?)
}

/// Removes a slice of the attempts that nobody came back from, and one of what the log keeps no longer; how many
/// the larger of them had.
///
/// # Errors
/// The database's.
pub fn sweep(cx: &mut Cx<'_>) -> Result<usize> {
    let open = db::login_attempts::sweep_open(cx.conn, cx.now)?;
    Ok(db::login_attempts::sweep_old(cx.conn, cx.now - KEPT)?.max(open))
}

/// Lines of a company's log before this id, the latest first.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    company: CompanySeq,
    wanted: &Wanted,
    place: (Option<&str>, i64),
) -> Result<Vec<Logged>> {
    Ok(rows::page(conn, company, wanted, place)?)
}

/// One line of it.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(conn: &mut DbConn, company: CompanySeq, id: &str) -> Result<Logged> {
    rows::find(conn, company, id)?.ok_or(Error::NotFound("Attempt"))
}
