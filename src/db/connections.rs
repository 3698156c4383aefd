//! The table of SSO connections: one of the company, and legacy ones of an organization each.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::domain::id::CompanySeq;

use super::DbConn;
use super::statement::Statement;

/// Which connections a company has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Which {
    /// One of its own, in any state.
    pub of_company: bool,
    /// A legacy one of an organization.
    pub legacy: bool,
}

/// Which connections the company has.
///
/// # Errors
/// The database's.
pub fn which(conn: &mut DbConn, company: CompanySeq) -> QueryResult<Which> {
    let mut statement =
        Statement::new("SELECT organization_seq IS NULL FROM connections WHERE company_seq = ");
    statement.int(company.0).sql(" ORDER BY seq");
    let rows: Vec<bool> = statement.rows::<Bool>().load(conn)?;
    Ok(Which { of_company: rows.contains(&true), legacy: rows.contains(&false) })
}
