//! The table of what holds for the whole installation: names and values.

use diesel::QueryResult;
use diesel::prelude::*;

use super::DbConn;
use super::schema::installation as t;

/// The value of this name.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, name: &str) -> QueryResult<Option<String>> {
    t::table.find(name).select(t::value).first(conn).optional()
}

/// Stores a new value.
///
/// # Errors
/// A unique violation where the name has one.
pub fn insert(conn: &mut DbConn, name: &str, value: &str) -> QueryResult<()> {
    diesel::insert_into(t::table)
        .values((t::name.eq(name), t::value.eq(value)))
        .execute(conn)
        .map(drop)
}
