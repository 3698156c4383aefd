//! `attribute_values`: one row a value that is promised an index.

use std::collections::BTreeSet;

use diesel::QueryResult;
use diesel::sql_types::BigInt;

use crate::domain::id::CompanySeq;
use crate::scim::ResourceType;
use crate::scim::leaves::Leaf;

use super::DbConn;
use super::dialect::{Dialect, List, table_of};
use super::statement::Statement;

/// Most rows of one statement: six numbers and texts each, far below every limit on binds.
const CHUNK: usize = 200;

/// The table, with what its rows are made of.
const COLUMNS: &str =
    "attribute_values (company_seq, resource_type, resource_seq, path, value_key, element) ";

/// The number that stands for a resource type in rows.
pub fn type_code(resource_type: ResourceType) -> i64 {
    match resource_type {
        ResourceType::User => 0,
        ResourceType::Group => 1,
    }
}

/// Which resource the values belong to.
#[derive(Debug, Clone, Copy)]
pub struct Owner {
    /// Whose data it is.
    pub company: CompanySeq,
    /// User or Group.
    pub resource_type: ResourceType,
    /// Its storage key.
    pub seq: i64,
}

/// Makes the rows of a resource those of `after`, touching only what differs from `before`.
///
/// # Errors
/// The database's.
pub fn update(conn: &mut DbConn, owner: Owner, before: &[Leaf], after: &[Leaf]) -> QueryResult<()> {
    let old: BTreeSet<&Leaf> = before.iter().collect();
    let new: BTreeSet<&Leaf> = after.iter().collect();
    for leaf in old.difference(&new) {
        delete(conn, owner, leaf)?;
    }
    let added: Vec<&Leaf> = new.difference(&old).copied().collect();
    for chunk in added.chunks(CHUNK) {
        insert(conn, owner, chunk)?;
    }
    Ok(())
}

fn insert(conn: &mut DbConn, owner: Owner, leaves: &[&Leaf]) -> QueryResult<()> {
    let dialect = Dialect::of(conn);
    let [company, resource_type, seq] = dialect.first_bound();
    let mut statement = Statement::new(dialect.insert_many());
    statement.sql(COLUMNS);
    for (i, leaf) in leaves.iter().enumerate() {
        if i == 0 {
            statement.sql("VALUES (").int(owner.company.0);
            statement.sql(", ").int(type_code(owner.resource_type)).sql(", ").int(owner.seq);
        } else {
            statement.sql("), (").sql(company).sql(", ").sql(resource_type).sql(", ").sql(seq);
        }
        statement.sql(", ").text(leaf.path.as_str()).sql(", ").text(leaf.key.as_str());
        statement.sql(", ").int(leaf.element.into());
    }
    statement.sql(")");
    run_known(conn, statement, leaves.len())
}

/// Runs an INSERT of as many rows, whose preparation is found by their number where they are few.
fn run_known(conn: &mut DbConn, statement: Statement, rows: usize) -> QueryResult<()> {
    struct Of<const ROWS: usize>;
    macro_rules! by_number {
        ($($number:literal)*) => {
            match rows {
                $($number => statement.known::<Of<$number>, BigInt>().execute(conn),)*
                _ => statement.run(conn),
            }
        };
    }
    by_number!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16).map(drop)
}

/// Indexes what the part `made` of the same statement stores: the rest of that part, as SQL.
pub(super) fn index_made(
    company: CompanySeq,
    resource_type: ResourceType,
    leaves: &[Leaf],
) -> Statement {
    let mut statement = Statement::new("INSERT INTO ");
    statement.sql(COLUMNS).sql("SELECT ").int(company.0).sql(", ").int(type_code(resource_type));
    statement.sql(", made.seq, v.path, v.value_key, v.element FROM made, (VALUES ");
    let distinct: BTreeSet<&Leaf> = leaves.iter().collect();
    for (i, leaf) in distinct.into_iter().enumerate() {
        statement.sql(if i == 0 { "(" } else { ", (" });
        statement.text(leaf.path.as_str()).sql(", ").text(leaf.key.as_str());
        statement.sql(", ").int(leaf.element.into()).sql(")");
    }
    statement.sql(") v (path, value_key, element)");
    statement
}

/// The same for many, each value with the id of its resource; `made` has `company_seq` and `id` too.
pub(super) fn index_all_made<'l>(
    resource_type: ResourceType,
    leaves: impl Iterator<Item = (&'l str, &'l Leaf)>,
) -> Statement {
    let rows: BTreeSet<(&Leaf, &str)> = leaves.map(|(id, leaf)| (leaf, id)).collect();
    let mut statement = Statement::new("INSERT INTO ");
    statement.sql(COLUMNS).sql("SELECT made.company_seq, ").int(type_code(resource_type));
    statement.sql(", made.seq, v.path, v.value_key, v.element FROM made JOIN ").append(table_of(
        vec![
            List::texts(rows.iter().map(|(_, id)| Some(*id))),
            List::texts(rows.iter().map(|(leaf, _)| Some(leaf.path.as_str()))),
            List::texts(rows.iter().map(|(leaf, _)| Some(leaf.key.as_str()))),
            List::numbers(rows.iter().map(|(leaf, _)| Some(leaf.element.into()))),
        ],
        "v (id, path, value_key, element) ON v.id = made.id",
    ));
    statement
}

/// Stores the values of many new resources, each with its storage key, in the order of the index.
///
/// # Errors
/// The database's.
pub fn insert_all(
    conn: &mut DbConn,
    company: CompanySeq,
    resource_type: ResourceType,
    mut rows: Vec<(&Leaf, i64)>,
) -> QueryResult<()> {
    struct Full;
    rows.sort_unstable();
    rows.dedup();
    for chunk in rows.chunks(CHUNK) {
        let mut statement = Statement::new(Dialect::of(conn).insert_many());
        statement.sql(COLUMNS).sql("VALUES ");
        for (i, (leaf, seq)) in chunk.iter().enumerate() {
            statement.sql(if i == 0 { "(" } else { ", (" });
            statement.int(company.0).sql(", ").int(type_code(resource_type)).sql(", ");
            statement.int(*seq).sql(", ").text(leaf.path.as_str()).sql(", ");
            statement.text(leaf.key.as_str()).sql(", ").int(leaf.element.into()).sql(")");
        }
        if chunk.len() == CHUNK {
            statement.known::<Full, BigInt>().execute(conn)?;
        } else {
            statement.one_off();
            statement.run(conn)?;
        }
    }
    Ok(())
}

fn delete(conn: &mut DbConn, owner: Owner, leaf: &Leaf) -> QueryResult<()> {
    let mut statement = Statement::new("DELETE FROM attribute_values WHERE company_seq = ");
    statement.int(owner.company.0).sql(" AND resource_type = ").int(type_code(owner.resource_type));
    statement.sql(" AND path = ").text(leaf.path.as_str());
    statement.sql(" AND value_key = ").text(leaf.key.as_str());
    statement.sql(" AND resource_seq = ").int(owner.seq);
    statement.sql(" AND element = ").int(leaf.element.into());
    statement.run(conn).map(drop)
}

/// Removes every value of a company.
///
/// # Errors
/// The database's.
pub fn delete_company(conn: &mut DbConn, company: CompanySeq) -> QueryResult<()> {
    let mut statement = Statement::new("DELETE FROM attribute_values WHERE company_seq = ");
    statement.int(company.0);
    statement.run(conn).map(drop)
}
