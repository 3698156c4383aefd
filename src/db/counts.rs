//! How many resources a company has, counted at each write so that no list counts a million rows.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::domain::id::CompanySeq;
use crate::scim::ResourceType;

use super::DbConn;
use super::statement::Statement;
use super::values::type_code;

/// Counts resources in (+) or out (-).
///
/// # Errors
/// The database's.
pub fn add(conn: &mut DbConn, company: CompanySeq, kind: ResourceType, by: i64) -> QueryResult<()> {
    let mut statement = Statement::new(
        "INSERT INTO resource_counts (company_seq, resource_type, slot, total) VALUES (",
    );
    statement.int(company.0).sql(", ").int(type_code(kind)).sql(", 0, ").int(by);
    statement.sql(") ON CONFLICT (company_seq, resource_type, slot) DO UPDATE SET total = resource_counts.total + ");
    statement.int(by);
    statement.run(conn).map(drop)
}

/// How many there are.
///
/// # Errors
/// The database's.
pub fn total(conn: &mut DbConn, company: CompanySeq, kind: ResourceType) -> QueryResult<i64> {
    let mut statement = Statement::new(
        "SELECT CAST(coalesce(sum(total), 0) AS BIGINT) FROM resource_counts WHERE company_seq = ",
    );
    statement.int(company.0).sql(" AND resource_type = ").int(type_code(kind));
    statement.rows::<BigInt>().get_result(conn)
}
