//! What hangs on a user in all tables but the directory's own: roles, memberships, teams, sessions.

use diesel::QueryResult;
use diesel::sql_types::BigInt;

use crate::domain::id::CompanySeq;

use super::DbConn;
use super::dialect::Dialect;
use super::statement::Statement;

/// The tables of it, each with the columns `company_seq` and `user_seq` and an index that begins with the
/// latter.
const TABLES: [&str; 8] = [
    "company_roles",
    "organization_members",
    "invitations",
    "team_members",
    "team_syncs",
    "user_claims",
    "oauth_grants",
    "sessions",
];

/// Removes all that hangs on a user who goes, or whose row becomes another person's (ruling 4), but the
/// links: by those of a deleted user a login knows whom it must not make anew (ruling 9).
///
/// # Errors
/// The database's.
pub fn forget(conn: &mut DbConn, company: CompanySeq, user: i64) -> QueryResult<()> {
    let aside = Dialect::of(conn).aside();
    let delete = |table: &'static str| {
        let mut statement = Statement::new("DELETE FROM ");
        statement.sql(table).sql(" WHERE user_seq = ").int(user);
        statement.sql(" AND ").sql(aside).sql("company_seq = ").int(company.0);
        statement
    };
    if Dialect::of(conn).writes_within() {
        let mut all = Statement::new("WITH ");
        for (i, table) in TABLES.iter().enumerate() {
            all.sql(format!("{}d{i} AS (", if i == 0 { "" } else { ", " }));
            all.append(delete(table)).sql(")");
        }
        all.sql(" SELECT CAST(1 AS BIGINT)");
        return all.rows::<BigInt>().get_result::<i64>(conn).map(drop);
    }
    for table in TABLES {
        delete(table).run(conn)?;
    }
    Ok(())
}
