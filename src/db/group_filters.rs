//! The table of group filters: one row a company, none where there never were any.

use diesel::QueryResult;
use diesel::prelude::*;

use crate::domain::group_filter::GroupFilters;
use crate::domain::id::CompanySeq;

use super::schema::group_filters as t;
use super::statement::Statement;
use super::{DbConn, micros, time};

type Row = (i64, String, String, i64, i64, i64);

fn from_row((_, allow, block, version, applied_version, updated_at): Row) -> GroupFilters {
    // Written by us. What does not read must open nothing: a pattern that cannot be compiled is refused.
    let list = |text: String| serde_json::from_str(&text).unwrap_or_else(|_| vec!["(".to_owned()]);
    let (allow, block, updated_at) = (list(allow), list(block), Some(time(updated_at)));
    GroupFilters { allow, block, version, applied_version, updated_at }
}

/// The company's filters; those that let everything through where none are stored.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, company: CompanySeq) -> QueryResult<GroupFilters> {
    let row = t::table.find(company.0).first::<Row>(conn).optional()?;
    Ok(row.map(from_row).unwrap_or_default())
}

/// Stores the company's filters.
///
/// # Errors
/// The database's.
pub fn save(conn: &mut DbConn, company: CompanySeq, filters: &GroupFilters) -> QueryResult<()> {
    let mut statement = Statement::new(
        "INSERT INTO group_filters (company_seq, allow, block, version, applied_version, updated_at) \
         VALUES (",
    );
    statement.int(company.0).sql(", ").text(serde_json::json!(filters.allow).to_string());
    statement.sql(", ").text(serde_json::json!(filters.block).to_string());
    statement.sql(", ").int(filters.version).sql(", ").int(filters.applied_version);
    statement.sql(", ").int(filters.updated_at.map(micros).unwrap_or_default());
    statement.sql(
        ") ON CONFLICT (company_seq) DO UPDATE SET allow = excluded.allow, block = excluded.block, \
         version = excluded.version, updated_at = excluded.updated_at",
    );
    statement.run(conn).map(drop)
}

/// Notes that all teams are as this version of the filters says.
///
/// # Errors
/// The database's.
pub fn applied(conn: &mut DbConn, company: CompanySeq, version: i64) -> QueryResult<()> {
    let row = t::table.find(company.0).filter(t::applied_version.lt(version));
    diesel::update(row).set(t::applied_version.eq(version)).execute(conn).map(drop)
}
