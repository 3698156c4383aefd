//! The table of keys that seal secrets, and the columns that hold what they sealed.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};

use crate::domain::id::CompanySeq;

use super::DbConn;
use super::schema::sealing_keys as t;
use super::statement::Statement;

/// A column whose values are sealed, in a table whose rows have an `id` and a `company_seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
}

/// All sealed columns: what `stagedoor keys rotate` goes through.
pub const COLUMNS: [Column; 4] = [
    Column { table: "connections", column: "secret" },
    Column { table: "social_connections", column: "secret" },
    Column { table: "signing_keys", column: "private_key" },
    Column { table: "saml_keys", column: "private_key" },
];

/// A sealed value with its place.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The id of its row.
    pub row: String,
    /// The company of its row; 0 for the installation's own.
    pub company: CompanySeq,
    /// Itself.
    pub value: Vec<u8>,
}

/// The number and the wrapped form of the key that seals now.
///
/// # Errors
/// The database's.
pub fn newest(conn: &mut DbConn) -> QueryResult<Option<(i64, Vec<u8>)>> {
    t::table.order(t::id.desc()).select((t::id, t::wrapped)).first(conn).optional()
}

/// Stores a new key.
///
/// # Errors
/// A unique violation where there is one of this number.
pub fn insert(conn: &mut DbConn, id: i64, wrapped: &[u8], now: i64) -> QueryResult<()> {
    diesel::insert_into(t::table)
        .values((t::id.eq(id), t::wrapped.eq(wrapped), t::created_at.eq(now)))
        .execute(conn)
        .map(drop)
}

/// Marks the keys before this one: nothing is sealed by them any more.
///
/// # Errors
/// The database's.
pub fn retire(conn: &mut DbConn, before: i64, now: i64) -> QueryResult<usize> {
    let old = t::table.filter(t::id.lt(before)).filter(t::retired_at.is_null());
    diesel::update(old).set(t::retired_at.eq(now)).execute(conn)
}

impl Column {
    /// The next sealed values behind this row, in the order of the rows' ids.
    ///
    /// # Errors
    /// The database's.
    pub fn page(self, conn: &mut DbConn, after: &str, limit: i64) -> QueryResult<Vec<Sealed>> {
        let Self { table, column } = self;
        let text =
            format!("SELECT id, company_seq, {column} FROM {table} WHERE {column} IS NOT NULL");
        let mut statement = Statement::default();
        statement.sql(text).sql(" AND id > ").text(after).sql(" ORDER BY id LIMIT ").int(limit);
        let rows =
            statement.rows::<(Text, BigInt, Binary)>().load::<(String, i64, Vec<u8>)>(conn)?;
        let sealed = |(row, company, value)| Sealed { row, company: CompanySeq(company), value };
        Ok(rows.into_iter().map(sealed).collect())
    }

    /// Puts another value in place of this one; `false` where it is not there any more.
    ///
    /// # Errors
    /// The database's.
    pub fn replace(self, conn: &mut DbConn, old: &Sealed, new: Vec<u8>) -> QueryResult<bool> {
        let Self { table, column } = self;
        let mut statement = Statement::default();
        statement.sql(format!("UPDATE {table} SET {column} = ")).bytes(new);
        statement.sql(" WHERE id = ").text(old.row.as_str());
        statement.sql(format!(" AND {column} = ")).bytes(old.value.clone());
        Ok(statement.run(conn)? == 1)
    }
}
