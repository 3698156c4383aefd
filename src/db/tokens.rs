//! The table of SCIM tokens.

use diesel::QueryResult;
use diesel::prelude::*;
use jiff::Timestamp;

use crate::domain::id::CompanySeq;
use crate::domain::token::ScimToken;

use super::schema::scim_tokens as t;
use super::{DbConn, micros, time};

type Row = (
    String,
    i64,
    String,
    Vec<u8>,
    i64,
    i64,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<String>,
);

fn from_row(row: Row) -> ScimToken {
    let (id, company, name, digest, created_at, expires_at, revoked_at, rotated_to, used_at, ip) =
        row;
    ScimToken {
        id,
        company: CompanySeq(company),
        name,
        digest,
        created_at: time(created_at),
        expires_at: time(expires_at),
        revoked_at: revoked_at.map(time),
        rotated_to,
        last_used_at: used_at.map(time),
        last_used_ip: ip,
    }
}

/// The token with this public id, of whatever company: the token is what names the company.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, id: &str) -> QueryResult<Option<ScimToken>> {
    t::table.find(id).first::<Row>(conn).optional().map(|row| row.map(from_row))
}

/// The company's tokens, the oldest first.
///
/// # Errors
/// The database's.
pub fn list(conn: &mut DbConn, company: CompanySeq) -> QueryResult<Vec<ScimToken>> {
    let rows = t::table
        .filter(t::company_seq.eq(company.0))
        .order((t::created_at, t::id))
        .load::<Row>(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Stores a new token.
///
/// # Errors
/// The database's.
pub fn insert(conn: &mut DbConn, token: &ScimToken) -> QueryResult<()> {
    diesel::insert_into(t::table)
        .values((
            t::id.eq(&token.id),
            t::company_seq.eq(token.company.0),
            t::name.eq(&token.name),
            t::digest.eq(&token.digest),
            t::created_at.eq(micros(token.created_at)),
            t::expires_at.eq(micros(token.expires_at)),
        ))
        .execute(conn)
        .map(drop)
}

/// Ends a token at `at` unless it ends before; `false` where the company has no such token.
///
/// # Errors
/// The database's.
pub fn revoke(
    conn: &mut DbConn,
    company: CompanySeq,
    id: &str,
    at: Timestamp,
) -> QueryResult<bool> {
    let mine = t::table.filter(t::company_seq.eq(company.0)).filter(t::id.eq(id));
    let earlier = t::revoked_at.is_null().or(t::revoked_at.gt(micros(at)));
    diesel::update(mine.filter(earlier)).set(t::revoked_at.eq(micros(at))).execute(conn)?;
    mine.count().get_result::<i64>(conn).map(|n| n == 1)
}

/// Marks a token as followed by another and ends it at `until`; `false` where it was rotated
/// already, so that of two rotations at once one wins.
///
/// # Errors
/// The database's.
pub fn rotate(
    conn: &mut DbConn,
    token: &ScimToken,
    to: &str,
    until: Timestamp,
) -> QueryResult<bool> {
    let until = token.revoked_at.map_or(until, |at| at.min(until));
    let row = t::table
        .filter(t::company_seq.eq(token.company.0))
        .filter(t::id.eq(&token.id))
        .filter(t::rotated_to.is_null());
    let set = (t::rotated_to.eq(to), t::revoked_at.eq(micros(until)));
    diesel::update(row).set(set).execute(conn).map(|n| n == 1)
}

/// Notes the last use.
///
/// # Errors
/// The database's.
pub fn used(conn: &mut DbConn, id: &str, at: Timestamp, ip: &str) -> QueryResult<()> {
    diesel::update(t::table.find(id))
        .set((t::last_used_at.eq(micros(at)), t::last_used_ip.eq(ip)))
        .execute(conn)
        .map(drop)
}
