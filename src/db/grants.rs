//! The table of what applications were granted, and the notices that wait for applications.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use jiff::Timestamp;

use crate::domain::grant::Grant;
use crate::domain::id::CompanySeq;

use super::dialect::Dialect;
use super::events::INSTALLATION;
use super::schema::oauth_grants as t;
use super::sessions::{Which, picked};
use super::statement::Statement;
use super::{DbConn, micros, sweep};

/// Stores a new grant, whose code is yet to be exchanged.
///
/// # Errors
/// The database's.
pub fn insert(conn: &mut DbConn, grant: &Grant) -> QueryResult<()> {
    let document = serde_json::to_string(&grant.terms).unwrap_or_else(|_| "{}".to_owned());
    diesel::insert_into(t::table)
        .values((
            t::id.eq(&grant.id),
            t::company_seq.eq(grant.company.0),
            t::user_seq.eq(grant.user),
            t::session_id.eq(&grant.session),
            t::application_id.eq(&grant.application),
            t::document.eq(document),
            t::code_digest.eq(&grant.code_digest),
            t::code_until.eq(micros(grant.code_until)),
            t::created_at.eq(micros(grant.created_at)),
        ))
        .execute(conn)
        .map(drop)
}

/// Begins the chain of refresh tokens: the code is used; `false` where somebody was faster.
///
/// # Errors
/// The database's.
pub fn exchange(
    conn: &mut DbConn,
    grant: &Grant,
    (family, digest): (&[u8], &[u8]),
) -> QueryResult<bool> {
    let row = t::table.filter(t::id.eq(&grant.id)).filter(t::company_seq.eq(grant.company.0));
    let set = (t::family.eq(family), t::digest.eq(digest));
    diesel::update(row.filter(t::digest.is_null())).set(set).execute(conn).map(|rows| rows == 1)
}

/// Puts the next refresh token in the place of the latest one; `false` where somebody was faster.
///
/// # Errors
/// The database's.
pub fn rotate(conn: &mut DbConn, grant: &Grant, next: &[u8]) -> QueryResult<bool> {
    struct Rotate;
    let latest = grant.digest.clone().unwrap_or_default();
    let mut statement = Statement::new("UPDATE oauth_grants SET digest = ");
    statement.bytes(next.to_vec()).sql(" WHERE id = ").text(grant.id.as_str());
    statement.sql(" AND company_seq = ").int(grant.company.0);
    statement.sql(" AND digest = ").bytes(latest);
    statement.known::<Rotate, BigInt>().execute(conn).map(|rows| rows == 1)
}

/// Takes a grant back.
///
/// # Errors
/// The database's.
pub fn delete(conn: &mut DbConn, company: CompanySeq, id: &str) -> QueryResult<()> {
    let row = t::table.filter(t::id.eq(id)).filter(t::company_seq.eq(company.0));
    diesel::delete(row).execute(conn).map(drop)
}

/// Removes a slice of the grants whose code nobody exchanged in time; how many.
///
/// # Errors
/// The database's.
pub fn sweep(conn: &mut DbConn, before: Timestamp) -> QueryResult<usize> {
    let mut picked = Statement::new("digest IS NULL AND code_until < ");
    picked.int(micros(before)).sql(" ORDER BY code_until");
    sweep::slice(conn, ("oauth_grants", "id"), &picked)
}

/// Removes what was granted in these sessions.
///
/// # Errors
/// The database's.
pub(super) fn forget(conn: &mut DbConn, sessions: &[String]) -> QueryResult<()> {
    let mut statement = Statement::new("DELETE FROM oauth_grants WHERE session_id IN ");
    statement.text_list(sessions.iter().map(String::as_str));
    statement.run(conn).map(drop)
}

/// Makes the notices that wait for applications the installation's own: their company goes, and they are still to
/// be heard.
///
/// # Errors
/// The database's.
pub fn keep_notices(conn: &mut DbConn, company: CompanySeq) -> QueryResult<()> {
    let mut statement = Statement::new("UPDATE logout_notices SET company_seq = ");
    statement.int(INSTALLATION.0).sql(" WHERE company_seq = ").int(company.0);
    statement.run(conn).map(drop)
}

/// Takes back what was granted in sessions that ended at this moment, and writes down which applications
/// are yet to hear of it.
///
/// # Errors
/// The database's.
pub fn end(
    conn: &mut DbConn,
    company: CompanySeq,
    which: Which<'_>,
    at: Timestamp,
) -> QueryResult<()> {
    let aside = Dialect::of(conn).aside();
    let mut ended = picked(company, which, aside);
    ended.sql(" AND s.ended_at = ").int(micros(at));
    let mut notice = Statement::new(
        "INSERT INTO logout_notices (company_seq, application_id, session_id, user_id, attempts, due_at, \
         created_at) SELECT DISTINCT g.company_seq, g.application_id, s.id, u.id, CAST(0 AS BIGINT), CAST(",
    );
    notice.int(micros(at)).sql(" AS BIGINT), CAST(").int(micros(at)).sql(
        " AS BIGINT) FROM sessions s JOIN oauth_grants g ON g.session_id = s.id \
         JOIN applications a ON a.id = g.application_id JOIN users u ON u.seq = s.user_seq \
         WHERE a.backchannel_logout_uri IS NOT NULL AND g.digest IS NOT NULL AND ",
    );
    notice.append(ended.clone());
    notice.run(conn)?;
    let mut gone = Statement::new(
        "DELETE FROM oauth_grants WHERE session_id IN (SELECT s.id FROM sessions s WHERE ",
    );
    gone.append(ended).sql(")");
    gone.run(conn).map(drop)
}

/// An application that is yet to hear that a session has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Its storage key.
    pub seq: i64,
    /// Whose session it was.
    pub company: CompanySeq,
    /// The application.
    pub application: String,
    /// Where it wants to hear it.
    pub uri: String,
    /// How its ID tokens are signed, and therefore this notice too.
    pub algorithm: String,
    /// The session's public id.
    pub session: String,
    /// The user's id.
    pub user: String,
    /// How often it was tried.
    pub attempts: i64,
}

/// Takes notices that are due, and keeps others from taking them until `until`.
///
/// # Errors
/// The database's.
pub fn claim(
    conn: &mut DbConn,
    (now, until): (Timestamp, Timestamp),
    limit: i64,
) -> QueryResult<Vec<Notice>> {
    let mut statement =
        Statement::new("UPDATE logout_notices SET attempts = attempts + 1, due_at = ");
    statement
        .int(micros(until))
        .sql(" WHERE seq IN (SELECT seq FROM logout_notices WHERE due_at <= ");
    statement.int(micros(now)).sql(" ORDER BY due_at, seq LIMIT ").int(limit);
    statement.sql(Dialect::of(conn).skip_locked()).sql(
        ") RETURNING seq, company_seq, application_id, \
         (SELECT coalesce(a.backchannel_logout_uri, '') FROM applications a WHERE a.id = application_id), \
         (SELECT a.id_token_alg FROM applications a WHERE a.id = application_id), \
         session_id, user_id, attempts",
    );
    type Row = (i64, i64, String, String, String, String, String, i64);
    let rows: Vec<Row> =
        statement.rows::<(BigInt, BigInt, Text, Text, Text, Text, Text, BigInt)>().load(conn)?;
    let read = |(seq, company, application, uri, algorithm, session, user, attempts)| Notice {
        seq,
        company: CompanySeq(company),
        application,
        uri,
        algorithm,
        session,
        user,
        attempts,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Whether a notice is due.
///
/// # Errors
/// The database's.
pub fn is_any_due(conn: &mut DbConn, now: Timestamp) -> QueryResult<bool> {
    let mut statement = Statement::new("SELECT seq FROM logout_notices WHERE due_at <= ");
    statement.int(micros(now)).sql(" LIMIT 1");
    let found: Option<i64> = statement.rows::<BigInt>().get_result(conn).optional()?;
    Ok(found.is_some())
}

/// Removes a notice that was heard, or that nobody will hear.
///
/// # Errors
/// The database's.
pub fn done(conn: &mut DbConn, notice: &Notice) -> QueryResult<()> {
    let mut statement = Statement::new("DELETE FROM logout_notices WHERE company_seq = ");
    statement.int(notice.company.0).sql(" AND seq = ").int(notice.seq);
    statement.run(conn).map(drop)
}

/// Puts a notice off.
///
/// # Errors
/// The database's.
pub fn put_off(conn: &mut DbConn, notice: &Notice, until: Timestamp) -> QueryResult<()> {
    let mut statement = Statement::new("UPDATE logout_notices SET due_at = ");
    statement.int(micros(until)).sql(" WHERE company_seq = ").int(notice.company.0);
    statement.sql(" AND seq = ").int(notice.seq);
    statement.run(conn).map(drop)
}
