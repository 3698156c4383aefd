//! The table of links: which user a subject of an issuer is, on one connection (ruling 9).

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use jiff::Timestamp;

use crate::domain::id::CompanySeq;
use crate::domain::identity::VerifiedIdentity;
use crate::domain::organization::OrganizationSeq;

use super::dialect::Dialect;
use super::schema::identities as t;
use super::statement::Statement;
use super::{DbConn, micros};

/// Where a statement looks for links of a user, `i`, and the connections that they are on, `n`: one on a legacy
/// connection counts in its own organization alone (row 58).
pub(super) const COUNTING: &str =
    " FROM identities i JOIN connections n ON n.seq = i.connection_seq WHERE ";

/// Whom a subject is linked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linked {
    /// With nobody.
    Nobody,
    /// With the user of this id.
    User(String),
    /// With a user who was deleted.
    Deleted,
}

/// Whom the subject is linked with on this connection of the company.
///
/// # Errors
/// The database's.
pub fn find(
    conn: &mut DbConn,
    (company, connection): (CompanySeq, i64),
    identity: &VerifiedIdentity,
) -> QueryResult<Linked> {
    let mut statement = Statement::new(
        "SELECT u.id FROM identities i LEFT JOIN users u ON u.seq = i.user_seq \
         AND u.company_seq = i.company_seq WHERE i.connection_seq = ",
    );
    statement.int(connection).sql(" AND i.issuer = ").text(identity.issuer.as_str());
    statement.sql(" AND i.subject = ").text(identity.subject.as_str());
    statement.sql(" AND i.company_seq = ").int(company.0);
    let found: Option<Option<String>> =
        statement.rows::<Nullable<Text>>().get_result(conn).optional()?;
    Ok(match found {
        None => Linked::Nobody,
        Some(None) => Linked::Deleted,
        Some(Some(id)) => Linked::User(id),
    })
}

/// Where what a user came through counts: in organizations of these storage keys, and in all where there is none
/// (`None`).
///
/// # Errors
/// The database's.
pub fn counting(
    conn: &mut DbConn,
    company: CompanySeq,
    user: i64,
) -> QueryResult<Vec<Option<OrganizationSeq>>> {
    let mut statement = Statement::new("SELECT DISTINCT n.organization_seq");
    statement.sql(COUNTING).sql("i.user_seq = ").int(user);
    statement.sql(" AND ").sql(Dialect::of(conn).aside()).sql("i.company_seq = ").int(company.0);
    let rows: Vec<Option<i64>> = statement.rows::<Nullable<BigInt>>().load(conn)?;
    Ok(rows.into_iter().map(|seq| seq.map(OrganizationSeq)).collect())
}

/// Whether the user has come through this connection.
///
/// # Errors
/// The database's.
pub fn has(
    conn: &mut DbConn,
    (company, user): (CompanySeq, i64),
    connection: i64,
) -> QueryResult<bool> {
    let mut statement = Statement::new("SELECT connection_seq FROM identities WHERE user_seq = ");
    statement.int(user).sql(" AND company_seq = ").int(company.0);
    statement.sql(" AND connection_seq = ").int(connection);
    let found: Option<i64> = statement.rows::<BigInt>().get_result(conn).optional()?;
    Ok(found.is_some())
}

/// Links the subject with the user, or notes that the two met again.
///
/// # Errors
/// A unique violation where the user is linked with another subject on this connection.
pub fn link(
    conn: &mut DbConn,
    (company, connection): (CompanySeq, i64),
    (identity, user): (&VerifiedIdentity, i64),
    now: Timestamp,
) -> QueryResult<()> {
    let mut statement = Statement::new(
        "INSERT INTO identities (connection_seq, issuer, subject, company_seq, user_seq, linked_at, \
         last_login_at) VALUES (",
    );
    statement.int(connection).sql(", ").text(identity.issuer.as_str()).sql(", ");
    statement.text(identity.subject.as_str()).sql(", ").int(company.0).sql(", ").int(user);
    statement.sql(", ").int(micros(now)).sql(", ").int(micros(now)).sql(
        ") ON CONFLICT (connection_seq, issuer, subject) DO UPDATE \
         SET user_seq = excluded.user_seq, last_login_at = excluded.last_login_at",
    );
    statement.run(conn).map(drop)
}

/// Removes a user's links: the row becomes another person's (ruling 4).
///
/// # Errors
/// The database's.
pub fn unlink(conn: &mut DbConn, company: CompanySeq, user: i64) -> QueryResult<()> {
    let row = t::table.filter(t::user_seq.eq(user)).filter(t::company_seq.eq(company.0));
    diesel::delete(row).execute(conn).map(drop)
}
