//! The table of what the last login of each user said of groups.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use jiff::Timestamp;

use crate::domain::id::CompanySeq;

use super::statement::Statement;
use super::{DbConn, micros};

/// Keeps what a login said: the names of the groups, or that it named none at all.
///
/// # Errors
/// The database's.
pub fn keep(
    conn: &mut DbConn,
    company: CompanySeq,
    user: i64,
    (groups, now): (Option<&[String]>, Timestamp),
) -> QueryResult<()> {
    let groups = groups.map(|groups| serde_json::json!(groups).to_string());
    let mut statement = Statement::new(
        "INSERT INTO user_claims (user_seq, company_seq, connection_seq, groups, overage, \
         observed_at) VALUES (",
    );
    statement.int(user).sql(", ").int(company.0);
    // The connection that the company has; zero where a legacy one of an organization was the way.
    statement.sql(", COALESCE((SELECT seq FROM connections WHERE company_seq = ").int(company.0);
    statement
        .sql(" AND organization_seq IS NULL AND deleted_at IS NULL AND NOT candidate), 0), ")
        .maybe_text(groups);
    statement.sql(", FALSE, ").int(micros(now));
    statement.sql(
        ") ON CONFLICT (user_seq) DO UPDATE SET connection_seq = excluded.connection_seq, \
         groups = excluded.groups, overage = excluded.overage, observed_at = excluded.observed_at",
    );
    statement.run(conn).map(drop)
}

/// Whether the user is in any team of the company, by whatever way.
///
/// # Errors
/// The database's.
pub fn has_team(conn: &mut DbConn, company: CompanySeq, user: i64) -> QueryResult<bool> {
    let mut statement = Statement::new("SELECT team_seq FROM team_members WHERE user_seq = ");
    statement.int(user).sql(" AND company_seq = ").int(company.0).sql(" LIMIT 1");
    let row: Option<i64> = statement.rows::<BigInt>().get_result(conn).optional()?;
    Ok(row.is_some())
}
