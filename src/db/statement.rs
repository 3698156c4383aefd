//! A statement put together at run time: texts of ours, values as binds, never one in the other.
//!
//! Diesel's typed queries serve where the shape is fixed; this serves filters, sets and lists.

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};

use super::DbConn;

/// SQL text and binds in their order.
#[derive(Debug, Clone, Default)]
pub struct Statement {
    parts: Vec<Part>,
    one_off: bool,
}

#[derive(Debug, Clone)]
enum Part {
    Sql(Cow<'static, str>),
    Text(String),
    Int(i64),
    Bool(bool),
    MaybeText(Option<String>),
    MaybeInt(Option<i64>),
    Bytes(Vec<u8>),
}

impl Statement {
    /// A statement that starts with this text.
    pub fn new(sql: &'static str) -> Self {
        // Room for the parts of most.
        let mut parts = Vec::with_capacity(24);
        parts.push(Part::Sql(Cow::Borrowed(sql)));
        Self { parts, one_off: false }
    }

    /// A number alone.
    pub fn of_int(value: i64) -> Self {
        Self { parts: vec![Part::Int(value)], one_off: false }
    }

    /// A text value alone.
    pub fn of_text(value: &str) -> Self {
        Self { parts: vec![Part::Text(value.to_owned())], one_off: false }
    }

    /// Goes on with a text of ours.
    pub fn sql(&mut self, sql: impl Into<Cow<'static, str>>) -> &mut Self {
        self.parts.push(Part::Sql(sql.into()));
        self
    }

    /// Goes on with a text value.
    pub fn text(&mut self, value: impl Into<String>) -> &mut Self {
        self.parts.push(Part::Text(value.into()));
        self
    }

    /// Goes on with a number.
    pub fn int(&mut self, value: i64) -> &mut Self {
        self.parts.push(Part::Int(value));
        self
    }

    /// Goes on with a truth value.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.parts.push(Part::Bool(value));
        self
    }

    /// Goes on with a text value or NULL.
    pub fn maybe_text(&mut self, value: Option<impl Into<String>>) -> &mut Self {
        self.parts.push(Part::MaybeText(value.map(Into::into)));
        self
    }

    /// Goes on with a number or NULL.
    pub fn maybe_int(&mut self, value: Option<i64>) -> &mut Self {
        self.parts.push(Part::MaybeInt(value));
        self
    }

    /// Goes on with bytes.
    pub fn bytes(&mut self, value: Vec<u8>) -> &mut Self {
        self.parts.push(Part::Bytes(value));
        self
    }

    /// Goes on with another statement.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.one_off |= other.one_off;
        self.parts.extend(other.parts);
        self
    }

    /// Goes on with what stands between the elements of a list: nothing in front of the first.
    pub fn between(&mut self, place: usize, separator: &'static str) -> &mut Self {
        self.sql(if place == 0 { "" } else { separator })
    }

    /// Goes on with `(?, ?, …)`, padded to a power of two by repeating the last value, so that the
    /// cache of prepared statements sees few shapes.
    pub fn int_list(&mut self, values: &[i64]) -> &mut Self {
        self.list(values.iter().map(|v| Part::Int(*v)).collect())
    }

    /// As [`Self::int_list`], of texts.
    pub fn text_list<'v>(&mut self, values: impl IntoIterator<Item = &'v str>) -> &mut Self {
        self.list(values.into_iter().map(|v| Part::Text(v.to_owned())).collect())
    }

    fn list(&mut self, mut values: Vec<Part>) -> &mut Self {
        let Some(last) = values.last().cloned() else { return self.sql("(NULL)") };
        values.resize(values.len().next_power_of_two(), last);
        self.sql("(");
        for (i, value) in values.into_iter().enumerate() {
            self.between(i, ", ").parts.push(value);
        }
        self.sql(")")
    }

    /// Says that this shape is rare: it is not kept in the cache of prepared statements, which has
    /// no bound of its own.
    pub fn one_off(&mut self) -> &mut Self {
        self.one_off = true;
        self
    }

    /// Runs it and counts the rows that it changed.
    ///
    /// # Errors
    /// The database's.
    pub fn run(self, conn: &mut DbConn) -> QueryResult<usize> {
        Rows::<BigInt>(self, PhantomData).execute(conn)
    }

    /// The statement as a query whose rows have the SQL type `ST`.
    pub fn rows<ST>(self) -> Rows<ST> {
        Rows(self, PhantomData)
    }

    /// The same, for a text that is the same whenever the marker is `K`.
    pub fn known<K, ST>(self) -> Known<K, ST> {
        Known(self.rows(), PhantomData)
    }
}

/// A statement whose rows have the SQL type `ST`.
#[derive(Debug, Clone)]
pub struct Rows<ST>(Statement, PhantomData<ST>);

/// A statement whose text is always the same for the marker `K`: its preparation is found by type,
/// and the text is not even put together to look for it.
#[derive(Debug, Clone)]
pub struct Known<K, ST>(Rows<ST>, PhantomData<K>);

impl<K, ST> Query for Known<K, ST> {
    type SqlType = ST;
}

impl<K: 'static, ST> QueryId for Known<K, ST> {
    type QueryId = Known<K, ()>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<K, ST, C> RunQueryDsl<C> for Known<K, ST> {}

impl<K, ST, DB: Backend> QueryFragment<DB> for Known<K, ST>
where
    Rows<ST>: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }
}

impl<ST> Query for Rows<ST> {
    type SqlType = ST;
}

impl<ST> QueryId for Rows<ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<ST, C> RunQueryDsl<C> for Rows<ST> {}

impl<ST, DB> QueryFragment<DB> for Rows<ST>
where
    DB: Backend
        + diesel::sql_types::HasSqlType<Text>
        + diesel::sql_types::HasSqlType<BigInt>
        + diesel::sql_types::HasSqlType<Bool>
        + diesel::sql_types::HasSqlType<Binary>,
    String: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
    bool: ToSql<Bool, DB>,
    Vec<u8>: ToSql<Binary, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if self.0.one_off {
            out.unsafe_to_cache_prepared();
        }
        for part in &self.0.parts {
            match part {
                Part::Sql(text) => out.push_sql(text),
                Part::Text(value) => out.push_bind_param::<Text, _>(value)?,
                Part::Int(value) => out.push_bind_param::<BigInt, _>(value)?,
                Part::Bool(value) => out.push_bind_param::<Bool, _>(value)?,
                Part::MaybeText(value) => out.push_bind_param::<Nullable<Text>, _>(value)?,
                Part::MaybeInt(value) => out.push_bind_param::<Nullable<BigInt>, _>(value)?,
                Part::Bytes(value) => out.push_bind_param::<Binary, _>(value)?,
            }
        }
        Ok(())
    }
}
