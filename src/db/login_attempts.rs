//! The table of sign-ins on their way, which is the log of them afterwards.

use std::borrow::Cow;

use diesel::QueryResult;
use diesel::prelude::*;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::CompanySeq;
use crate::domain::login_attempt::{Demand, Door, GoesTo, LIFE, Logged, LoginAttempt, Outcome};
use crate::domain::refusal::Refusal;

use super::schema::login_attempts as t;
use super::statement::Statement;
use super::{DbConn, micros, sweep, time};

/// Longest address that is kept, in characters.
const LONGEST_EMAIL: usize = 320;

/// What a new attempt keeps of its secrets.
#[derive(Debug, Clone)]
pub struct Digests {
    /// Of the state.
    pub state: Vec<u8>,
    /// Of the browser's own secret.
    pub browser: Vec<u8>,
    /// The id of the request that is sent, which is no secret.
    pub request_id: String,
}

#[derive(Queryable)]
struct Row {
    id: String,
    reference: String,
    company_seq: i64,
    connection_seq: Option<i64>,
    document: String,
    _state: Vec<u8>,
    browser_digest: Vec<u8>,
    _request_id: String,
    held: Option<String>,
    _ticket: Option<Vec<u8>>,
    expires_at: i64,
    consumed_at: Option<i64>,
    outcome: Option<String>,
    code: Option<String>,
    email: Option<String>,
    report: Option<String>,
}

/// The rest of an attempt, as JSON.
#[derive(Serialize, Deserialize)]
struct Document<'d> {
    name: Cow<'d, str>,
    kind: Cow<'d, str>,
    version: i64,
    organization: Option<Cow<'d, str>>,
    goes_to: Cow<'d, str>,
    #[serde(default, skip_serializing_if = "Demand::is_none")]
    demand: Demand,
}

/// How it ended, as JSON; times in microseconds.
#[derive(Default, Serialize, Deserialize)]
struct Report<'r> {
    finished_at: i64,
    verified_at: Option<i64>,
    detail: Option<Cow<'r, str>>,
    user: Option<Cow<'r, str>>,
    claims: Cow<'r, [(String, String)]>,
}

/// An attempt with what is needed to go on with it.
#[derive(Debug, Clone)]
pub struct Found {
    /// The attempt.
    pub attempt: LoginAttempt,
    /// The digest of the secret of the browser that began.
    pub browser: Vec<u8>,
    /// The identity that waits for that browser, as JSON.
    pub held: Option<String>,
}

impl Row {
    /// The attempt; `None` where its document, which we wrote, does not read.
    fn attempt(&self) -> Option<LoginAttempt> {
        let document: Document<'_> = serde_json::from_str(&self.document).ok()?;
        Some(LoginAttempt {
            id: self.id.clone(),
            reference: self.reference.clone(),
            door: Door {
                company: (self.company_seq != 0).then_some(CompanySeq(self.company_seq)),
                connection: self.connection_seq,
                name: document.name.into_owned(),
                kind: document.kind.parse().ok()?,
                version: document.version,
            },
            organization: document.organization.map(Cow::into_owned),
            goes_to: GoesTo::read(&document.goes_to),
            demand: document.demand,
            created_at: time(self.expires_at) - LIFE,
            expires_at: time(self.expires_at),
            consumed_at: self.consumed_at.map(time),
        })
    }

    fn found(self) -> Option<Found> {
        Some(Found { attempt: self.attempt()?, browser: self.browser_digest, held: self.held })
    }

    /// A line of the log; `None` of an attempt on its way.
    fn logged(self) -> Option<Logged> {
        let attempt = self.attempt()?;
        let report: Report<'_> = serde_json::from_str(self.report.as_deref()?).ok()?;
        Some(Logged {
            attempt,
            verified_at: report.verified_at.map(time),
            finished_at: time(report.finished_at),
            outcome: self.outcome?.parse().ok()?,
            code: self.code,
            detail: report.detail.map(Cow::into_owned),
            email: self.email,
            user: report.user.map(Cow::into_owned),
            claims: report.claims.into_owned(),
        })
    }
}

/// Stores a new attempt.
///
/// # Errors
/// The database's.
pub fn insert(conn: &mut DbConn, attempt: &LoginAttempt, digests: &Digests) -> QueryResult<()> {
    let door = &attempt.door;
    let document = serde_json::json!(Document {
        name: Cow::from(&door.name),
        kind: Cow::from(door.kind.name()),
        version: door.version,
        organization: attempt.organization.as_ref().map(Cow::from),
        goes_to: Cow::from(attempt.goes_to.text()),
        demand: attempt.demand,
    });
    diesel::insert_into(t::table)
        .values((
            t::id.eq(&attempt.id),
            t::reference.eq(&attempt.reference),
            t::company_seq.eq(door.company.map_or(0, |company| company.0)),
            t::connection_seq.eq(door.connection),
            t::document.eq(document.to_string()),
            t::state_digest.eq(&digests.state),
            t::browser_digest.eq(&digests.browser),
            t::request_id.eq(&digests.request_id),
            t::expires_at.eq(micros(attempt.expires_at)),
        ))
        .execute(conn)
        .map(drop)
}

/// The attempt with this state.
///
/// # Errors
/// The database's.
pub fn find_by_state(conn: &mut DbConn, state: &[u8]) -> QueryResult<Option<Found>> {
    let row = t::table.filter(t::state_digest.eq(state)).first::<Row>(conn).optional()?;
    Ok(row.and_then(Row::found))
}

/// The attempt whose request, sent to this connection, had this id.
///
/// # Errors
/// The database's.
pub fn find_by_request_id(
    conn: &mut DbConn,
    (company, connection): (CompanySeq, i64),
    request_id: &str,
) -> QueryResult<Option<Found>> {
    let row = t::table.filter(t::request_id.eq(request_id)).filter(t::company_seq.eq(company.0));
    let row = row.filter(t::connection_seq.eq(connection)).first::<Row>(conn).optional()?;
    Ok(row.and_then(Row::found))
}

/// The attempt whose identity waits under this ticket.
///
/// # Errors
/// The database's.
pub fn find_by_ticket(conn: &mut DbConn, ticket: &[u8]) -> QueryResult<Option<Found>> {
    let row = t::table.filter(t::ticket_digest.eq(ticket)).first::<Row>(conn).optional()?;
    Ok(row.and_then(Row::found))
}

/// Takes the attempt for answered; `false` where it was already, or is over (security O7: the row count of one
/// conditional statement decides).
///
/// # Errors
/// The database's.
pub fn consume(conn: &mut DbConn, id: &str, now: Timestamp) -> QueryResult<bool> {
    let row = t::table.filter(t::id.eq(id)).filter(t::consumed_at.is_null());
    let row = row.filter(t::outcome.is_null()).filter(t::expires_at.gt(micros(now)));
    diesel::update(row).set(t::consumed_at.eq(micros(now))).execute(conn).map(|rows| rows == 1)
}

/// Keeps a verified identity for the browser that began; `false` where the attempt has one already, was
/// answered or is over.
///
/// # Errors
/// The database's.
pub fn hold(
    conn: &mut DbConn,
    id: &str,
    (identity, ticket): (&str, &[u8]),
    now: Timestamp,
) -> QueryResult<bool> {
    let row = t::table.filter(t::id.eq(id)).filter(t::consumed_at.is_null());
    let row = row.filter(t::held.is_null()).filter(t::outcome.is_null());
    let row = row.filter(t::expires_at.gt(micros(now)));
    let set = (t::held.eq(identity), t::ticket_digest.eq(ticket));
    diesel::update(row).set(set).execute(conn).map(|rows| rows == 1)
}

/// What is known of who tried.
#[derive(Debug, Clone, Default)]
pub struct Who<'w> {
    /// The company, where it was not known at the beginning.
    pub company: Option<CompanySeq>,
    /// The address that was claimed.
    pub email: &'w str,
    /// The user's id.
    pub user: Option<&'w str>,
    /// What was claimed.
    pub claims: &'w [(String, String)],
    /// When the identity provider's word was found to be true.
    pub verified_at: Option<Timestamp>,
}

/// Writes down how an attempt ended: `None`: with a session.
///
/// # Errors
/// The database's.
pub fn finish(
    conn: &mut DbConn,
    attempt: &LoginAttempt,
    (refusal, who): (Option<&Refusal>, &Who<'_>),
    now: Timestamp,
) -> QueryResult<()> {
    let outcome = if refusal.is_none() { Outcome::Succeeded } else { Outcome::Refused };
    let company = who.company.or(attempt.door.company).map_or(0, |company| company.0);
    let report = serde_json::json!(Report {
        finished_at: micros(now),
        verified_at: who.verified_at.map(micros),
        detail: refusal.map(|refusal| Cow::from(&refusal.detail)),
        user: who.user.map(Cow::from),
        claims: Cow::from(who.claims),
    });
    let row = t::table.filter(t::id.eq(&attempt.id)).filter(t::outcome.is_null());
    let set = (
        t::company_seq.eq(company),
        t::outcome.eq(outcome.name()),
        t::code.eq(refusal.map(|refusal| refusal.reason.code())),
        t::email.eq((!who.email.is_empty()).then(|| shown(who.email))),
        t::report.eq(report.to_string()),
        t::held.eq(None::<String>),
    );
    diesel::update(row).set(set).execute(conn).map(drop)
}

/// An address as the log keeps it: what was claimed may be none, and longer than an index holds.
fn shown(email: &str) -> String {
    email.to_lowercase().chars().filter(|c| *c != '\0').take(LONGEST_EMAIL).collect()
}

/// Which lines of the log are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this address.
    pub email: Option<String>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// That ended for this reason.
    pub code: Option<String>,
    /// With what a person told support.
    pub reference: Option<String>,
    /// That began at this moment or later.
    pub since: Option<Timestamp>,
}

/// Lines of a company's log before this id, the latest first.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    company: CompanySeq,
    wanted: &Wanted,
    (before, limit): (Option<&str>, i64),
) -> QueryResult<Vec<Logged>> {
    let mut rows = t::table.filter(t::company_seq.eq(company.0)).into_boxed();
    rows = rows.filter(t::outcome.is_not_null());
    if let Some(before) = before {
        rows = rows.filter(t::id.lt(before.to_owned()));
    }
    if let Some(email) = &wanted.email {
        rows = rows.filter(t::email.eq(email.to_lowercase()));
    }
    if let Some(outcome) = wanted.outcome {
        rows = rows.filter(t::outcome.eq(outcome.name()));
    }
    if let Some(code) = &wanted.code {
        rows = rows.filter(t::code.eq(code.clone()));
    }
    if let Some(reference) = &wanted.reference {
        rows = rows.filter(t::reference.eq(reference.to_uppercase()));
    }
    if let Some(since) = wanted.since {
        rows = rows.filter(t::expires_at.ge(micros(since + LIFE)));
    }
    let rows: Vec<Row> = rows.order(t::id.desc()).limit(limit).load(conn)?;
    Ok(rows.into_iter().filter_map(Row::logged).collect())
}

/// One line of a company's log.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, company: CompanySeq, id: &str) -> QueryResult<Option<Logged>> {
    let row = t::table.filter(t::id.eq(id)).filter(t::company_seq.eq(company.0));
    Ok(row.first::<Row>(conn).optional()?.and_then(Row::logged))
}

/// Removes a slice of what nobody came back from, tickets that wait for their browser among it; how many.
///
/// # Errors
/// The database's.
pub fn sweep_open(conn: &mut DbConn, now: Timestamp) -> QueryResult<usize> {
    let mut open = Statement::new("outcome IS NULL AND expires_at < ");
    // One that was answered in time may still be at its network part.
    open.int(micros(now - LIFE)).sql(" ORDER BY expires_at");
    sweep::slice(conn, ("login_attempts", "id"), &open)
}

/// Removes a slice of the lines older than they are kept; how many.
///
/// # Errors
/// The database's.
pub fn sweep_old(conn: &mut DbConn, kept_since: Timestamp) -> QueryResult<usize> {
    let mut old = Statement::new("expires_at < ");
    old.int(micros(kept_since)).sql(" ORDER BY expires_at");
    sweep::slice(conn, ("login_attempts", "id"), &old)
}
