//! The table of API keys.

use diesel::QueryResult;
use diesel::prelude::*;
use jiff::Timestamp;

use crate::domain::api_key::ApiKey;
use crate::domain::id::CompanySeq;
use crate::domain::role::Permissions;

use super::schema::api_keys as t;
use super::{DbConn, micros, time};

type Row = (
    String,
    Option<i64>,
    String,
    String,
    Vec<u8>,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    Option<String>,
);

fn from_row(row: Row) -> Option<ApiKey> {
    let (id, company, name, scopes, digest, created_at, expires_at, revoked_at, used_at, ip) = row;
    Some(ApiKey {
        id,
        company: company.map(CompanySeq),
        name,
        // A scope that does not read must not become none, which means all.
        scopes: Permissions::parse(scopes.split_whitespace()).ok()?,
        digest,
        created_at: time(created_at),
        expires_at: time(expires_at),
        revoked_at: revoked_at.map(time),
        last_used_at: used_at.map(time),
        last_used_ip: ip,
    })
}

/// The key with this public id, whosever it is: the key is what names the company.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, id: &str) -> QueryResult<Option<ApiKey>> {
    t::table.find(id).first::<Row>(conn).optional().map(|row| row.and_then(from_row))
}

/// The company's keys behind this id, or the operators' own, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    company: Option<CompanySeq>,
    (after, limit): (&str, i64),
) -> QueryResult<Vec<ApiKey>> {
    let behind = t::table.filter(t::id.gt(after)).order(t::id).limit(limit);
    let rows: Vec<Row> = match company {
        Some(company) => behind.filter(t::company_seq.eq(company.0)).load(conn)?,
        None => behind.filter(t::company_seq.is_null()).load(conn)?,
    };
    Ok(rows.into_iter().filter_map(from_row).collect())
}

/// Stores a new key.
///
/// # Errors
/// The database's.
pub fn insert(conn: &mut DbConn, key: &ApiKey) -> QueryResult<()> {
    diesel::insert_into(t::table)
        .values((
            t::id.eq(&key.id),
            t::company_seq.eq(key.company.map(|company| company.0)),
            t::name.eq(&key.name),
            t::scopes.eq(key.scopes.text()),
            t::digest.eq(&key.digest),
            t::created_at.eq(micros(key.created_at)),
            t::expires_at.eq(micros(key.expires_at)),
        ))
        .execute(conn)
        .map(drop)
}

/// Ends a key at `at` unless it has ended; `false` where the company, or the operator, has none such.
///
/// # Errors
/// The database's.
pub fn revoke(
    conn: &mut DbConn,
    company: Option<CompanySeq>,
    id: &str,
    at: Timestamp,
) -> QueryResult<bool> {
    let found = find(conn, id)?.filter(|key| key.company == company);
    let Some(key) = found else { return Ok(false) };
    if key.revoked_at.is_none() {
        let set = t::revoked_at.eq(micros(at));
        diesel::update(t::table.find(id)).set(set).execute(conn)?;
    }
    Ok(true)
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
