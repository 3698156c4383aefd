//! The table of groups.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::domain::group::Group;
use crate::domain::id::CompanySeq;

use super::dialect::{Dialect, Lock};
use super::statement::Statement;
use super::{DbConn, micros, time};

/// The columns that make a [`Group`], of the table alias `r`.
pub(super) const COLUMNS: &str =
    "r.seq, r.id, r.document, r.member_count, r.created_at, r.last_modified, r.version";

/// The SQL types of [`COLUMNS`].
pub(super) type Types = (BigInt, Text, Text, BigInt, BigInt, BigInt, BigInt);

/// One row of [`COLUMNS`].
pub(super) type Row = (i64, String, String, i64, i64, i64, i64);

pub(super) fn from_row(row: Row) -> Group {
    let (seq, id, document, member_count, created_at, last_modified, version) = row;
    let (created_at, last_modified) = (time(created_at), time(last_modified));
    Group { seq, id, document, member_count, created_at, last_modified, version }
}

/// What columns hold beside the document, for look-ups and uniqueness.
#[derive(Debug, Clone)]
pub struct Keys {
    /// `displayName` as sent.
    pub display_name: String,
    /// The folded `displayName`.
    pub display_name_key: String,
    /// `externalId` as sent.
    pub external_id: Option<String>,
    /// The values that no column and no index has ([`crate::scim::leaves::facts`]).
    pub facts: String,
}

/// The company's group with this id.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, company: CompanySeq, id: &str) -> QueryResult<Option<Group>> {
    select(conn, company, id, "")
}

/// The same, kept from other writers.
///
/// # Errors
/// The database's.
pub fn lock(
    conn: &mut DbConn,
    company: CompanySeq,
    id: &str,
    lock: Lock,
) -> QueryResult<Option<Group>> {
    let lock = Dialect::of(conn).lock(lock);
    select(conn, company, id, lock)
}

fn select(
    conn: &mut DbConn,
    company: CompanySeq,
    id: &str,
    lock: &'static str,
) -> QueryResult<Option<Group>> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(COLUMNS).sql(" FROM groups r WHERE r.company_seq = ").int(company.0);
    statement.sql(" AND r.id = ").text(id).sql(lock);
    statement.rows::<Types>().get_result::<Row>(conn).optional().map(|row| row.map(from_row))
}

/// Stores a new group and returns its storage key; `group.seq` is not looked at.
///
/// # Errors
/// A unique violation where the `displayName` or the `externalId` is taken.
pub fn insert(
    conn: &mut DbConn,
    company: CompanySeq,
    group: &Group,
    keys: &Keys,
) -> QueryResult<i64> {
    use super::schema::groups as t;
    diesel::insert_into(t::table)
        .values((
            t::company_seq.eq(company.0),
            t::id.eq(&group.id),
            t::display_name.eq(&keys.display_name),
            t::display_name_key.eq(&keys.display_name_key),
            t::external_id.eq(&keys.external_id),
            t::member_count.eq(group.member_count),
            t::created_at.eq(micros(group.created_at)),
            t::last_modified.eq(micros(group.last_modified)),
            t::version.eq(group.version),
            t::document.eq(&group.document),
            t::facts.eq(&keys.facts),
        ))
        .returning(t::seq)
        .get_result(conn)
}

/// Stores a changed group if its stored version is still `group.version`, and counts that up.
///
/// `false`: somebody else changed it since.
///
/// # Errors
/// A unique violation where the `displayName` or the `externalId` is taken.
pub fn update(
    conn: &mut DbConn,
    company: CompanySeq,
    group: &mut Group,
    keys: &Keys,
) -> QueryResult<bool> {
    use super::schema::groups as t;
    let changed = diesel::update(t::table)
        .filter(t::seq.eq(group.seq))
        .filter(t::company_seq.eq(company.0))
        .filter(t::version.eq(group.version))
        .set((
            t::display_name.eq(&keys.display_name),
            t::display_name_key.eq(&keys.display_name_key),
            t::external_id.eq(&keys.external_id),
            t::member_count.eq(group.member_count),
            t::last_modified.eq(micros(group.last_modified)),
            t::version.eq(group.version + 1),
            t::document.eq(&group.document),
            t::facts.eq(&keys.facts),
        ))
        .execute(conn)?;
    group.version += 1;
    Ok(changed == 1)
}

/// Removes a group; its members go with it, its own memberships and values are the caller's.
///
/// # Errors
/// The database's.
pub fn delete(conn: &mut DbConn, company: CompanySeq, seq: i64) -> QueryResult<()> {
    let mut statement = Statement::new("DELETE FROM groups WHERE company_seq = ");
    statement.int(company.0).sql(" AND seq = ").int(seq);
    statement.run(conn).map(drop)
}

/// Stores the facts of a group anew, nothing else of it, nor its version; unless its document is another
/// by now, whose writer has stored the facts of it.
///
/// # Errors
/// The database's.
pub fn set_facts(
    conn: &mut DbConn,
    company: CompanySeq,
    group: &Group,
    facts: &str,
) -> QueryResult<()> {
    let mut statement = Statement::new("UPDATE groups SET facts = ");
    statement.text(facts).sql(" WHERE company_seq = ").int(company.0);
    statement
        .sql(" AND seq = ")
        .int(group.seq)
        .sql(" AND document = ")
        .text(group.document.as_str());
    statement.run(conn).map(drop)
}
