//! The tables of SAML: our key pair, the assertions that came before, the names of those who may sign out.

use diesel::QueryResult;
use diesel::prelude::*;
use jiff::Timestamp;

use crate::domain::id::CompanySeq;

use super::dialect::Dialect;
use super::schema::{saml_keys as k, saml_names as n};
use super::statement::Statement;
use super::{DbConn, micros, sweep};

// Of keys of two columns the text comes first in every list here: with the number in front SQLite reads by that
// alone, and so all rows of a connection.

/// Most sessions of one person that end at once.
const MOST_SESSIONS: i64 = 100;

/// Our key pair as stored.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// The id of its row.
    pub id: String,
    /// The certificate, in PEM.
    pub certificate: String,
    /// The private key, sealed.
    pub sealed: Vec<u8>,
}

/// Our key pair, once there is one.
///
/// # Errors
/// The database's.
pub fn key(conn: &mut DbConn) -> QueryResult<Option<StoredKey>> {
    let columns = (k::id, k::certificate, k::private_key);
    let row: Option<(String, String, Vec<u8>)> =
        k::table.order((k::created_at, k::id)).select(columns).first(conn).optional()?;
    Ok(row.map(|(id, certificate, sealed)| StoredKey { id, certificate, sealed }))
}

/// Stores our key pair, under an id that there is once: `false` where another server was faster.
///
/// # Errors
/// The database's.
pub fn insert_key(conn: &mut DbConn, key: &StoredKey, now: Timestamp) -> QueryResult<bool> {
    let mut statement = Statement::new(
        "INSERT INTO saml_keys (id, company_seq, certificate, private_key, created_at) VALUES (",
    );
    statement.text(key.id.as_str()).sql(", 0, ").text(key.certificate.as_str()).sql(", ");
    statement.bytes(key.sealed.clone()).sql(", ").int(micros(now));
    statement.sql(") ON CONFLICT (id) DO NOTHING");
    statement.run(conn).map(|rows| rows == 1)
}

/// Remembers an assertion of a connection; `false` where it came before.
///
/// # Errors
/// The database's.
pub fn remember(
    conn: &mut DbConn,
    (company, connection): (CompanySeq, i64),
    assertion: &str,
    until: Timestamp,
) -> QueryResult<bool> {
    let mut statement = Statement::new(
        "INSERT INTO saml_assertions (connection_seq, id, company_seq, remember_until) VALUES (",
    );
    statement.int(connection).sql(", ").text(assertion).sql(", ").int(company.0).sql(", ");
    statement.int(micros(until)).sql(") ON CONFLICT (connection_seq, id) DO NOTHING");
    statement.run(conn).map(|rows| rows == 1)
}

/// Notes under which name somebody was signed in, for the session that the identity provider calls so.
///
/// # Errors
/// The database's.
pub fn note_name(
    conn: &mut DbConn,
    (company, connection): (CompanySeq, i64),
    session: &str,
    (name, name_id): (&str, &str),
    keep_until: Timestamp,
) -> QueryResult<()> {
    let mut statement = Statement::new(
        "INSERT INTO saml_names (connection_seq, session, company_seq, name, name_id, keep_until) VALUES (",
    );
    statement.int(connection).sql(", ").text(session).sql(", ").int(company.0).sql(", ");
    statement.text(name).sql(", ").text(name_id).sql(", ").int(micros(keep_until));
    statement.sql(
        ") ON CONFLICT (connection_seq, session) DO UPDATE SET name = excluded.name, \
         name_id = excluded.name_id, keep_until = excluded.keep_until",
    );
    statement.run(conn).map(drop)
}

/// The whole name, as JSON, of who has the session that the identity provider calls so.
///
/// # Errors
/// The database's.
pub fn name_of(
    conn: &mut DbConn,
    (company, connection): (CompanySeq, i64),
    session: &str,
) -> QueryResult<Option<String>> {
    n::table
        .filter(n::connection_seq.eq(connection))
        .filter(n::session.eq(session))
        .filter(n::company_seq.eq(company.0))
        .select(n::name_id)
        .first(conn)
        .optional()
}

/// What the identity provider calls the sessions of somebody of this name.
///
/// # Errors
/// The database's.
pub fn sessions_of(
    conn: &mut DbConn,
    (company, connection): (CompanySeq, i64),
    name: &str,
) -> QueryResult<Vec<(String, String)>> {
    n::table
        .filter(n::connection_seq.eq(connection))
        .filter(n::name.eq(name))
        .filter(n::company_seq.eq(company.0))
        .order(n::session)
        .limit(MOST_SESSIONS)
        .select((n::session, n::name_id))
        .load(conn)
}

/// Forgets a slice of the assertions and one of the names whose time is over; how many the larger of them had.
///
/// # Errors
/// The database's.
pub fn sweep(conn: &mut DbConn, now: Timestamp) -> QueryResult<usize> {
    let mut old = Statement::new("remember_until < ");
    old.int(micros(now)).sql(" ORDER BY remember_until");
    let assertions = sweep::slice(conn, ("saml_assertions", "id, connection_seq"), &old)?;
    let mut over = Statement::new("keep_until < ");
    over.int(micros(now)).sql(" ORDER BY keep_until");
    Ok(sweep::slice(conn, ("saml_names", "session, connection_seq"), &over)?.max(assertions))
}

/// Forgets under which names a user was signed in: those of the user's sessions, and of sign-ins that came to none.
///
/// # Errors
/// The database's.
pub fn forget(conn: &mut DbConn, company: CompanySeq, user: i64) -> QueryResult<()> {
    for of_user in [
        "(session, connection_seq) IN (SELECT s.idp_session, s.connection_seq FROM sessions s \
         WHERE s.idp_session IS NOT NULL AND s.user_seq = ",
        "(name, connection_seq) IN (SELECT i.subject, i.connection_seq FROM identities i \
         WHERE i.user_seq = ",
    ] {
        let mut statement = Statement::new("DELETE FROM saml_names WHERE ");
        statement.sql(of_user).int(user).sql(") AND ").sql(Dialect::of(conn).aside());
        statement.sql("company_seq = ").int(company.0);
        statement.run(conn)?;
    }
    Ok(())
}
