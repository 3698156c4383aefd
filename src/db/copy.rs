//! Whole tables as texts: what moves from one database to another, and how the two are compared.
//!
//! Every value is read as the same text whatever the database, so that a row is the same row on both.
//! [`TABLES`] is the one list of tables and columns; a test holds it against the migrations.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, QueryableByName};
use diesel::prelude::*;
use diesel::result::Error::QueryBuilderError;
use diesel::row::{Field, NamedRow};
use diesel::sql_types::{BigInt, Nullable, Text, Untyped};

use super::dialect::Dialect;
use super::statement::Statement;
use super::{DbConn, dialect};

mod tables;
#[cfg(test)]
mod tests;

pub use tables::TABLES;

/// Most rows of one page and of one insert.
pub const PAGE: usize = 500;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Bool,
    Text,
    Bytes,
}
use Kind::{Bool, Bytes, Int, Text as Words};

/// A table as it is copied.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    columns: &'static [(&'static str, Kind)],
    /// How many of the columns, from the first, are its key.
    key: usize,
    /// Whether its first column is numbered by the database.
    numbered: bool,
}

/// A row of any table, each value as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub Vec<Option<String>>);

impl<DB: Backend> QueryableByName<DB> for Row
where
    Option<String>: FromSql<Nullable<Text>, DB>,
{
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let mut values = Vec::with_capacity(row.field_count());
        for place in 0..row.field_count() {
            let field = diesel::row::Row::get(row, place).ok_or("a column is missing")?;
            values.push(<Option<String> as FromSql<_, DB>>::from_nullable_sql(field.value())?);
        }
        Ok(Self(values))
    }
}

impl Table {
    /// How many rows it has.
    ///
    /// # Errors
    /// The database's.
    pub fn count(&self, conn: &mut DbConn) -> QueryResult<i64> {
        let mut statement = Statement::new("SELECT count(*) FROM ");
        statement.sql(self.name);
        statement.rows::<BigInt>().get_result(conn)
    }

    /// Whether it has no row; costs nothing, however many there are.
    ///
    /// # Errors
    /// The database's.
    pub fn is_empty(&self, conn: &mut DbConn) -> QueryResult<bool> {
        let mut statement = Statement::new("SELECT CAST(1 AS BIGINT) FROM ");
        statement.sql(self.name).sql(" LIMIT 1");
        let row: Option<i64> = statement.rows::<BigInt>().get_result(conn).optional()?;
        Ok(row.is_none())
    }

    /// Removes all its rows.
    ///
    /// # Errors
    /// The database's.
    pub fn clear(&self, conn: &mut DbConn) -> QueryResult<()> {
        let mut statement = Statement::new("DELETE FROM ");
        statement.sql(self.name);
        statement.run(conn).map(drop)
    }

    /// The next rows in the order of the key, behind this one.
    ///
    /// # Errors
    /// The database's.
    pub fn page(&self, conn: &mut DbConn, after: Option<&Row>) -> QueryResult<Vec<Row>> {
        let dialect = Dialect::of(conn);
        let mut statement = Statement::new("SELECT ");
        for (place, (name, kind)) in self.columns.iter().enumerate() {
            statement.between(place, ", ").sql(as_text(dialect, name, *kind));
            statement.sql(format!(" AS c{place}"));
        }
        statement.sql(" FROM ").sql(self.name);
        let key = self.columns.get(..self.key).unwrap_or_default();
        let names = key.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        if let Some(Row(values)) = after {
            statement.sql(format!(" WHERE ({names}) > ("));
            bind_all(&mut statement, key, values)?;
            statement.sql(")");
        }
        statement.sql(format!(" ORDER BY {names} LIMIT {PAGE}"));
        statement.rows::<Untyped>().load(conn)
    }

    /// Stores rows that are not there yet.
    ///
    /// # Errors
    /// The database's; a text that is not of its column's type.
    pub fn insert(&self, conn: &mut DbConn, rows: &[Row]) -> QueryResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let names = self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let mut statement = Statement::new("INSERT INTO ");
        statement.sql(format!("{} ({names}) VALUES ", self.name));
        for (place, Row(values)) in rows.iter().enumerate() {
            statement.between(place, ", ").sql("(");
            bind_all(&mut statement, self.columns, values)?;
            statement.sql(")");
        }
        if rows.len() < PAGE {
            statement.one_off();
        }
        statement.run(conn).map(drop)
    }

    /// Makes the database number on where the other one would have: a number is never given twice.
    ///
    /// # Errors
    /// The database's.
    pub fn number_on(&self, from: &mut DbConn, to: &mut DbConn) -> QueryResult<()> {
        if !self.numbered {
            return Ok(());
        }
        let last = dialect::last_number(from, self.name)?;
        dialect::set_last_number(to, self.name, last)
    }
}

/// A column as the text that is the same on every database.
fn as_text(dialect: Dialect, name: &str, kind: Kind) -> String {
    match kind {
        Int => format!("CAST({name} AS TEXT)"),
        Bool => format!("CASE WHEN {name} THEN '1' WHEN NOT {name} THEN '0' END"),
        Words => name.to_owned(),
        Bytes => dialect.hex(name),
    }
}

/// Binds the values of these columns, with commas between them.
fn bind_all(
    statement: &mut Statement,
    columns: &[(&str, Kind)],
    values: &[Option<String>],
) -> QueryResult<()> {
    for (place, ((_, kind), value)) in columns.iter().zip(values).enumerate() {
        statement.between(place, ", ");
        bind(statement, *kind, value.as_deref())?;
    }
    Ok(())
}

/// Binds a text as the value that it stands for.
fn bind(statement: &mut Statement, kind: Kind, value: Option<&str>) -> QueryResult<()> {
    let wrong = |value: &str| QueryBuilderError(format!("{value:?} is no {kind:?}").into());
    match (kind, value) {
        (Words, value) => drop(statement.maybe_text(value)),
        (Int, None) => drop(statement.maybe_int(None)),
        (Int, Some(text)) => {
            let number = text.parse().map_err(|_| wrong(text))?;
            statement.maybe_int(Some(number));
        }
        (Bool, Some(text @ ("0" | "1"))) => drop(statement.bool(text == "1")),
        (Bytes, Some(text)) => drop(statement.bytes(unhex(text).ok_or_else(|| wrong(text))?)),
        // The shape differs, but no column of these kinds may be NULL.
        (Bool | Bytes, None) => drop(statement.sql("NULL").one_off()),
        (Bool, Some(other)) => return Err(wrong(other)),
    }
    Ok(())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}
