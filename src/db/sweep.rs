//! The removal of what is over, in slices: however much there is, nobody waits behind it for long.

use diesel::QueryResult;

use super::DbConn;
use super::dialect::Dialect;
use super::statement::Statement;

/// Most rows that one unit of work removes.
pub const SLICE: usize = 500;

/// The condition and order that pick rows, and no more of them than a slice; those that another replica removes at
/// this moment are left to it.
pub(super) fn first(conn: &DbConn, picked: &Statement) -> Statement {
    let mut statement = picked.clone();
    statement.sql(format!(" LIMIT {SLICE}")).sql(Dialect::of(conn).skip_locked());
    statement
}

/// Removes the first rows of a table by its key; how many. `picked`: the condition, and an order that has an index.
pub(super) fn slice(
    conn: &mut DbConn,
    (table, key): (&'static str, &'static str),
    picked: &Statement,
) -> QueryResult<usize> {
    let mut statement = Statement::new("DELETE FROM ");
    statement.sql(table).sql(" WHERE (").sql(key).sql(") IN (SELECT ").sql(key).sql(" FROM ");
    statement.sql(table).sql(" WHERE ").append(first(conn, picked)).sql(")");
    statement.run(conn)
}
