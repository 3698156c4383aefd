//! The table of who was deleted: digests alone, which say of an address whether it was somebody's.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use jiff::Timestamp;

use crate::domain::id::CompanySeq;

use super::statement::Statement;
use super::{DbConn, micros};

/// Notes that the user whom these digests name is gone.
///
/// # Errors
/// The database's.
pub fn insert(
    conn: &mut DbConn,
    company: CompanySeq,
    digests: &[String],
    now: Timestamp,
) -> QueryResult<()> {
    if digests.is_empty() {
        return Ok(());
    }
    let mut statement =
        Statement::new("INSERT INTO departed (company_seq, digest, departed_at) VALUES ");
    for (i, digest) in digests.iter().enumerate() {
        statement.sql(if i == 0 { "(" } else { ", (" }).int(company.0).sql(", ");
        statement.text(digest.as_str()).sql(", ").int(micros(now)).sql(")");
    }
    statement
        .sql(" ON CONFLICT (company_seq, digest) DO UPDATE SET departed_at = excluded.departed_at");
    statement.run(conn).map(drop)
}

/// Whether one of these digests is a former user's.
///
/// # Errors
/// The database's.
pub fn has(conn: &mut DbConn, company: CompanySeq, digests: &[String]) -> QueryResult<bool> {
    let mut statement = Statement::new("SELECT departed_at FROM departed WHERE company_seq = ");
    statement.int(company.0).sql(" AND digest IN ");
    statement.text_list(digests.iter().map(String::as_str)).sql(" LIMIT 1");
    let found: Option<i64> = statement.rows::<BigInt>().get_result(conn).optional()?;
    Ok(found.is_some())
}
