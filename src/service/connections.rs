//! Connections to identity providers: made, changed, switched on and off, followed by another, taken away
//! (`management-api.md` D4). What is asked of the network is in `prepare`; signing in is elsewhere.

mod beside;
mod certificates;
mod detail;
mod prepare;

use serde_json::{Value, json};

use crate::db::sessions::Which;
use crate::db::{self, DbConn, DbError};
use crate::domain::company::Company;
use crate::domain::connection::{
    CertificateSource, Connection, Document, Protocol, State, TokenAuth, change, check, free_name,
};
use crate::domain::event::{Action, Actor};
use crate::domain::id::CompanySeq;
use crate::domain::organization::{Organization, OrganizationSeq};
use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;

use super::companies::or_taken;
use super::error::{Error, Result};
use super::sealing::Place;
use super::{Cx, Keys, events, sessions};

pub use beside::{Beside, beside};
pub use prepare::Prepared;

/// Which connection of a company is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Its own.
    Company,
    /// The one that is to follow its own.
    Candidate,
    /// The legacy one of an organization.
    Legacy(OrganizationSeq),
}

/// The connection.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(conn: &mut DbConn, company: CompanySeq, slot: Slot) -> Result<Connection> {
    let found = match slot {
        Slot::Company => db::connections::find(conn, company, None)?,
        Slot::Candidate => db::connections::candidate(conn, company)?,
        Slot::Legacy(organization) => db::connections::find(conn, company, Some(organization))?,
    };
    found.ok_or(Error::NotFound("Connection"))
}

/// What an organization signs in through: its legacy connection, else the company's (D1).
///
/// # Errors
/// The database's.
pub fn of_organization(
    conn: &mut DbConn,
    company: CompanySeq,
    organization: OrganizationSeq,
) -> Result<Option<Connection>> {
    let legacy = db::connections::find(conn, company, Some(organization))?;
    match legacy {
        Some(legacy) => Ok(Some(legacy)),
        None => Ok(db::connections::find(conn, company, None)?),
    }
}

/// The client secret of a connection, in the clear: for the one call that sends it.
///
/// # Errors
/// [`Error::Internal`] where it does not open.
pub fn secret(keys: &Keys, connection: &Connection) -> Result<Option<Secret>> {
    let sealed = connection.sealed_secret.as_deref();
    Ok(sealed.map(|sealed| keys.open_text(&place(connection), sealed)).transpose()?)
}

fn place(connection: &Connection) -> Place<'_> {
    let (company, row) = (connection.company, connection.id.as_str());
    Place { table: "connections", column: "secret", company, row }
}

/// A connection of this kind that is not stored yet: what a change is applied to.
///
/// # Errors
/// 422 `invalid_field`.
pub fn blank(
    company: CompanySeq,
    slot: Slot,
    (provider, protocol): (&str, Protocol),
    now: jiff::Timestamp,
) -> Result<Connection> {
    check(provider, protocol).map_err(|rule| Problem::field("provider", rule))?;
    Ok(Connection {
        seq: 0,
        id: String::new(),
        company,
        organization: match slot {
            Slot::Legacy(organization) => Some(organization),
            Slot::Company | Slot::Candidate => None,
        },
        name: String::new(),
        provider: provider.to_owned(),
        protocol,
        state: State::Draft,
        document: Document::default(),
        sealed_secret: None,
        candidate: slot == Slot::Candidate,
        created_at: now,
        activated_at: None,
        version: 1,
    })
}

/// Stores a connection that is new; its name is made here and stays (row 125).
///
/// # Errors
/// 409 `connection_exists` (D5), `login_path_taken`.
pub fn create(
    cx: &mut Cx<'_>,
    keys: &Keys,
    (company, actor): (&Company, &Actor),
    (organization, prepared): (Option<&Organization>, Prepared),
) -> Result<Connection> {
    db::companies::lock(cx.conn, company.seq)?;
    let mut made = prepared.connection;
    let there = match made.candidate {
        true => db::connections::candidate(cx.conn, company.seq)?,
        false => db::connections::find(cx.conn, company.seq, made.organization)?,
    };
    if there.is_some() {
        let text =
            "One connection serves all organizations of the company: change it, or delete it first";
        return Err(Problem::new(Code::ConnectionExists, text).into());
    }
    let base = match organization {
        Some(organization) => format!("{}-{}", company.slug, organization.slug),
        None => company.slug.clone(),
    };
    let taken = db::connections::names_like(cx.conn, &base)?;
    (made.id, made.name) = (cx.clock.id(), free_name(&base, &taken));
    (made.created_at, made.state) = (cx.now, State::Draft);
    let secret = prepared.secret.as_ref();
    made.sealed_secret =
        secret.map(|text| keys.seal(&place(&made), text.expose().as_bytes())).transpose()?;
    check_path(cx, &made)?;
    // Another company may have taken the name or the path at the same moment.
    let taken = Error::Unavailable("The connection's name was taken at the same moment; try again");
    made.seq = db::connections::insert(cx.conn, &made).map_err(|e| or_taken(e, taken))?;
    let mut after = json!({
        "name": made.name, "provider": made.provider, "protocol": made.protocol.name(),
    });
    let (_, settings) = detail::difference(&Document::default(), &made.document);
    if let (Value::Object(after), Value::Object(settings)) = (&mut after, settings) {
        after.extend(settings);
    }
    let what = (Action::ConnectionCreated, made.id.as_str());
    events::record(cx, company.seq, actor, what, json!({"after": after}))?;
    Ok(made)
}

/// Stores a changed connection, if nobody changed it since it was read.
///
/// # Errors
/// 412 `precondition_failed`; 409 `login_path_taken`; 422 `client_secret_or_pkce_required` where the secret
/// of an active connection would be sent to somebody else.
pub fn save(
    cx: &mut Cx<'_>,
    keys: &Keys,
    (company, actor): (CompanySeq, &Actor),
    prepared: Prepared,
) -> Result<Connection> {
    let Prepared { mut connection, before, secret } = prepared;
    let stored = db::connections::find_by_seq(cx.conn, company, connection.seq)?;
    let stored = stored.ok_or(Error::NotFound("Connection"))?;
    if stored.version != connection.version {
        return Err(Code::PreconditionFailed.into());
    }
    check_path(cx, &connection)?;
    keep_secret(keys, &mut connection, (&before, secret.as_ref()))?;
    if connection.state == State::Inactive && connection.document.is_another(&before) {
        (connection.state, connection.activated_at) = (State::Draft, None);
    }
    if connection == stored {
        return Ok(stored);
    }
    let (was, is) = detail::difference(&before, &connection.document);
    let mut about = json!({"before": was, "after": is});
    if connection.sealed_secret != stored.sealed_secret {
        about["client_secret"] = if secret.is_some() { "set" } else { "cleared" }.into();
    }
    update(cx, &mut connection)?;
    let what = (Action::ConnectionUpdated, connection.id.as_str());
    events::record(cx, company, actor, what, about)?;
    Ok(connection)
}

/// Seals a new secret; takes the old one away where it would go to another address (threat O9), and where
/// the client is public now.
fn keep_secret(
    keys: &Keys,
    connection: &mut Connection,
    (before, secret): (&Document, Option<&Secret>),
) -> Result<()> {
    if let Some(secret) = secret {
        let sealed = keys.seal(&place(connection), secret.expose().as_bytes())?;
        connection.sealed_secret = Some(sealed);
        return Ok(());
    }
    let public = connection.document.oidc.token_endpoint_auth_method == TokenAuth::None;
    let elsewhere = connection.document.leads_elsewhere(before);
    if connection.sealed_secret.is_none() || !(public || elsewhere) {
        return Ok(());
    }
    if connection.state == State::Active && !public {
        let text = "with another issuer or endpoint the secret must be given again";
        let problem = Problem::new(Code::ClientSecretOrPkceRequired, text);
        return Err(problem.at("oidc.client_secret", text).into());
    }
    connection.sealed_secret = None;
    connection.document.oidc.client_secret_expires_at = None;
    Ok(())
}

/// Whether another connection has the login path; said before it is stored.
fn check_path(cx: &mut Cx<'_>, connection: &Connection) -> Result<()> {
    let Some(path) = &connection.document.login_path else { return Ok(()) };
    match db::connections::find_by_login_path(cx.conn, path)? {
        Some(other) if other.id != connection.id => Err(Code::LoginPathTaken.into()),
        _ => Ok(()),
    }
}

fn update(cx: &mut Cx<'_>, connection: &mut Connection) -> Result<()> {
    match db::connections::update(cx.conn, connection) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Code::PreconditionFailed.into()),
        Err(DbError::DatabaseError(db::UniqueViolation, _)) => Err(Code::LoginPathTaken.into()),
        Err(error) => Err(error.into()),
    }
}

/// Gives a connection another client secret.
///
/// # Errors
/// 422 where there is none to have; 412 `precondition_failed`.
pub fn rotate_secret(
    cx: &mut Cx<'_>,
    keys: &Keys,
    (mut connection, actor): (Connection, &Actor),
    (secret, expires_at): (&Secret, Option<jiff::Timestamp>),
) -> Result<Connection> {
    change::check_secret(secret)?;
    if connection.protocol != Protocol::Oidc {
        return Err(Code::OneProtocolOnly.into());
    }
    let sealed = keys.seal(&place(&connection), secret.expose().as_bytes())?;
    connection.sealed_secret = Some(sealed);
    let oidc = &mut connection.document.oidc;
    oidc.client_secret_expires_at = expires_at;
    if oidc.token_endpoint_auth_method == TokenAuth::None {
        oidc.token_endpoint_auth_method = TokenAuth::default();
    }
    update(cx, &mut connection)?;
    let what = (Action::ConnectionSecretRotated, connection.id.as_str());
    events::record(cx, connection.company, actor, what, json!({}))?;
    Ok(connection)
}

/// Lets people in. A passed test sign-in is what shows that it works; an operator may go without.
///
/// # Errors
/// 409 `fields_missing`, which it names; `test_required`.
pub fn activate(
    cx: &mut Cx<'_>,
    (mut connection, actor): (Connection, &Actor),
    skip_test: bool,
) -> Result<Connection> {
    if connection.state == State::Active {
        return Ok(connection);
    }
    admit(cx, &mut connection, skip_test)?;
    update(cx, &mut connection)?;
    let what = (Action::ConnectionActivated, connection.id.as_str());
    events::record(cx, connection.company, actor, what, json!({"skip_test": skip_test}))?;
    Ok(connection)
}

/// Checks that a connection may let people in, and marks it so.
fn admit(cx: &mut Cx<'_>, connection: &mut Connection, skip_test: bool) -> Result<()> {
    if !skip_test && !connection.may_return() {
        return Err(Code::TestRequired.into());
    }
    let missing = connection.missing(cx.now);
    if !missing.is_empty() {
        let text = format!("The connection lacks {}", missing.join(", "));
        let problem = Problem::new(Code::FieldsMissing, text);
        return Err(missing.iter().fold(problem, |p, field| p.at(field, "is missing")).into());
    }
    connection.state = State::Active;
    connection.activated_at.get_or_insert(cx.now);
    Ok(())
}

/// Lets nobody in any more, and ends the sessions of those who came in.
///
/// # Errors
/// 412 `precondition_failed`.
pub fn deactivate(
    cx: &mut Cx<'_>,
    (mut connection, actor): (Connection, &Actor),
) -> Result<Connection> {
    if connection.state != State::Active {
        return Ok(connection);
    }
    connection.state = State::Inactive;
    update(cx, &mut connection)?;
    let what = (Action::ConnectionDeactivated, connection.id.as_str());
    events::record(cx, connection.company, actor, what, json!({}))?;
    end_sessions(cx, actor, &connection, "connection_deactivated")?;
    Ok(connection)
}

fn end_sessions(cx: &mut Cx<'_>, actor: &Actor, gone: &Connection, reason: &str) -> Result<()> {
    let which = (gone.company, Which::Connection(gone.seq), gone.id.as_str());
    sessions::end(cx, actor, which, reason).map(drop)
}

/// Takes a connection away with the sessions of those who came in; links and history stay. With the
/// company's own its candidate goes.
///
/// # Errors
/// The database's.
pub fn delete(cx: &mut Cx<'_>, (gone, actor): (&Connection, &Actor)) -> Result<()> {
    db::companies::lock(cx.conn, gone.company)?;
    remove(cx, (gone, actor), "connection_deleted")?;
    if gone.candidate || gone.organization.is_some() {
        return Ok(());
    }
    match db::connections::candidate(cx.conn, gone.company)? {
        Some(candidate) => remove(cx, (&candidate, actor), "connection_deleted"),
        None => Ok(()),
    }
}

fn remove(cx: &mut Cx<'_>, (gone, actor): (&Connection, &Actor), reason: &str) -> Result<()> {
    db::connections::delete(cx.conn, gone, cx.now)?;
    let detail =
        json!({"before": {"name": gone.name, "provider": gone.provider}, "reason": reason});
    let what = (Action::ConnectionDeleted, gone.id.as_str());
    events::record(cx, gone.company, actor, what, detail)?;
    end_sessions(cx, actor, gone, reason)
}

/// Puts the candidate in the place of the company's connection, in one stroke: who signed in through the
/// former signs in anew, and is the same user (ruling 9).
///
/// # Errors
/// [`Error::NotFound`]; those of [`activate`].
pub fn promote(
    cx: &mut Cx<'_>,
    (mut candidate, actor): (Connection, &Actor),
    skip_test: bool,
) -> Result<Connection> {
    db::companies::lock(cx.conn, candidate.company)?;
    admit(cx, &mut candidate, skip_test)?;
    let former = db::connections::find(cx.conn, candidate.company, None)?;
    if let Some(former) = &former {
        remove(cx, (former, actor), "connection_replaced")?;
        if candidate.document.login_path.is_none() {
            candidate.document.login_path.clone_from(&former.document.login_path);
        }
    }
    candidate.candidate = false;
    update(cx, &mut candidate)?;
    let former = former.map(|former| former.id);
    let detail = json!({"before": former, "skip_test": skip_test});
    let what = (Action::ConnectionPromoted, candidate.id.as_str());
    events::record(cx, candidate.company, actor, what, detail)?;
    Ok(candidate)
}

/// Pins a certificate beside those that are there: a roll-over without a gap.
///
/// # Errors
/// 422 `certificate_invalid`, `certificate_expired`, `one_protocol_only`.
pub fn add_certificate(
    cx: &mut Cx<'_>,
    (connection, actor): (Connection, &Actor),
    pem: &str,
) -> Result<Connection> {
    if connection.protocol != Protocol::Saml {
        return Err(Code::OneProtocolOnly.into());
    }
    let new = certificates::read(pem, (CertificateSource::Manual, cx.now))?;
    change_certificates(cx, (connection, actor), move |known| certificates::add(known, new))
}

/// Takes a certificate away.
///
/// # Errors
/// [`Error::NotFound`]; 409 `fields_missing` where it is the last one of an active connection.
pub fn remove_certificate(
    cx: &mut Cx<'_>,
    (connection, actor): (Connection, &Actor),
    fingerprint: &str,
) -> Result<Connection> {
    let now = cx.now;
    let active = connection.state == State::Active;
    let changed = change_certificates(cx, (connection, actor), |known| {
        let there = known.iter().position(|one| one.fingerprint == fingerprint);
        known.remove(there.ok_or(Error::NotFound("Certificate"))?);
        Ok(())
    })?;
    if active && changed.missing(now).contains(&"saml.certificates") {
        let text = "An active connection keeps a certificate: add the next one first";
        return Err(Problem::new(Code::FieldsMissing, text).into());
    }
    Ok(changed)
}

fn change_certificates(
    cx: &mut Cx<'_>,
    (mut connection, actor): (Connection, &Actor),
    change: impl FnOnce(&mut Vec<crate::domain::connection::IdpCertificate>) -> Result<()>,
) -> Result<Connection> {
    let before = connection.document.clone();
    change(&mut connection.document.saml.certificates)?;
    if connection.document == before {
        return Ok(connection);
    }
    let (was, is) = detail::difference(&before, &connection.document);
    update(cx, &mut connection)?;
    let what = (Action::ConnectionUpdated, connection.id.as_str());
    events::record(cx, connection.company, actor, what, json!({"before": was, "after": is}))?;
    Ok(connection)
}
