//! The table of the operator's social connections.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::domain::id::CompanySeq;
use crate::domain::social_connection::{SocialConnection, Speech};

use super::schema::social_connections as t;
use super::statement::Statement;
use super::{DbConn, micros, time};

#[derive(Queryable)]
struct Row {
    id: String,
    _company: i64,
    name: String,
    label: String,
    kind: String,
    document: String,
    secret: Option<Vec<u8>>,
    enabled: bool,
    created_at: i64,
    updated_at: i64,
    version: i64,
}

impl Row {
    fn into_connection(self) -> SocialConnection {
        SocialConnection {
            id: self.id,
            name: self.name,
            label: self.label,
            speech: self.kind.parse().unwrap_or(Speech::Oidc),
            // Written by us; what does not read has no endpoint, and lets nobody in.
            settings: serde_json::from_str(&self.document).unwrap_or_default(),
            sealed_secret: self.secret,
            enabled: self.enabled,
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
            version: self.version,
        }
    }
}

/// All of them, in the order of their ids, behind this one.
///
/// # Errors
/// The database's.
pub fn page(conn: &mut DbConn, (after, limit): (&str, i64)) -> QueryResult<Vec<SocialConnection>> {
    let rows = t::table.filter(t::id.gt(after)).order(t::id).limit(limit).load::<Row>(conn)?;
    Ok(rows.into_iter().map(Row::into_connection).collect())
}

/// Name and label of those that let people in.
///
/// # Errors
/// The database's.
pub fn enabled(conn: &mut DbConn) -> QueryResult<Vec<(String, String)>> {
    let open = t::table.filter(t::enabled.eq(true)).order(t::id);
    open.select((t::name, t::label)).load(conn)
}

/// The one with this name.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, name: &str) -> QueryResult<Option<SocialConnection>> {
    let row = t::table.filter(t::name.eq(name)).first::<Row>(conn).optional()?;
    Ok(row.map(Row::into_connection))
}

/// Stores a new one.
///
/// # Errors
/// A unique violation where the name is taken.
pub fn insert(conn: &mut DbConn, new: &SocialConnection) -> QueryResult<()> {
    diesel::insert_into(t::table)
        .values((
            t::id.eq(&new.id),
            t::company_seq.eq(0),
            t::name.eq(&new.name),
            t::label.eq(&new.label),
            t::kind.eq(new.speech.name()),
            t::document.eq(serde_json::json!(new.settings).to_string()),
            t::secret.eq(&new.sealed_secret),
            t::enabled.eq(new.enabled),
            t::created_at.eq(micros(new.created_at)),
            t::updated_at.eq(micros(new.updated_at)),
            t::version.eq(new.version),
        ))
        .execute(conn)
        .map(drop)
}

/// Saves what changed, where the stored version is still this one's; its next version then.
///
/// # Errors
/// The database's.
pub fn update(conn: &mut DbConn, changed: &mut SocialConnection) -> QueryResult<bool> {
    let row = t::table.filter(t::id.eq(&changed.id)).filter(t::version.eq(changed.version));
    let set = (
        t::label.eq(&changed.label),
        t::document.eq(serde_json::json!(changed.settings).to_string()),
        t::secret.eq(&changed.sealed_secret),
        t::enabled.eq(changed.enabled),
        t::updated_at.eq(micros(changed.updated_at)),
        t::version.eq(changed.version + 1),
    );
    let saved = diesel::update(row).set(set).execute(conn)? == 1;
    changed.version += i64::from(saved);
    Ok(saved)
}

/// Removes one.
///
/// # Errors
/// The database's.
pub fn delete(conn: &mut DbConn, id: &str) -> QueryResult<()> {
    diesel::delete(t::table.filter(t::id.eq(id))).execute(conn).map(drop)
}

/// The companies that have invited this address, and have not taken it back.
///
/// # Errors
/// The database's.
pub fn inviting(conn: &mut DbConn, email: &str) -> QueryResult<Vec<CompanySeq>> {
    let mut statement = Statement::new(
        "SELECT DISTINCT company_seq FROM invitations WHERE revoked_at IS NULL AND email IN (",
    );
    statement
        .text(email)
        .sql(", ")
        .text(email.to_lowercase())
        .sql(") ORDER BY company_seq LIMIT 2");
    let rows: Vec<i64> = statement.rows::<BigInt>().load(conn)?;
    Ok(rows.into_iter().map(CompanySeq).collect())
}
