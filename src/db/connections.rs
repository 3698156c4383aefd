//! The table of SSO connections: one of the company, and legacy ones of an organization each.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use crate::domain::connection::{Connection, Protocol, State};
use crate::domain::id::CompanySeq;
use crate::domain::organization::OrganizationSeq;

use super::schema::connections as t;
use super::statement::Statement;
use super::{DbConn, micros, time};

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

type Row =
    (i64, String, i64, Option<i64>, String, String, String, String, String, i64, Option<i64>, i64);

fn from_row(row: Row) -> Connection {
    let (
        seq,
        id,
        company,
        organization,
        name,
        provider,
        protocol,
        state,
        _,
        created,
        activated,
        version,
    ) = row;
    Connection {
        seq,
        id,
        company: CompanySeq(company),
        organization: organization.map(OrganizationSeq),
        name,
        provider,
        // Written by us from the same enums; what does not read lets nobody in.
        protocol: protocol.parse().unwrap_or(Protocol::Oidc),
        state: state.parse().unwrap_or(State::Inactive),
        created_at: time(created),
        activated_at: activated.map(time),
        version,
    }
}

/// The company's own connection, or the legacy one of an organization of it.
///
/// # Errors
/// The database's.
pub fn find(
    conn: &mut DbConn,
    company: CompanySeq,
    organization: Option<OrganizationSeq>,
) -> QueryResult<Option<Connection>> {
    let mine = t::table.filter(t::company_seq.eq(company.0));
    let row: Option<Row> = match organization {
        None => mine.filter(t::organization_seq.is_null()).first(conn).optional()?,
        Some(seq) => mine.filter(t::organization_seq.eq(seq.0)).first(conn).optional()?,
    };
    Ok(row.map(from_row))
}

/// Names in the installation that are this one, or this one with something behind a hyphen.
///
/// # Errors
/// The database's.
pub fn names_like(conn: &mut DbConn, name: &str) -> QueryResult<Vec<String>> {
    let mut statement = Statement::new("SELECT name FROM connections WHERE name = ");
    // In the order of bytes nothing but the names that begin so lies between the two.
    statement.text(name).sql(" OR (name > ").text(format!("{name}-"));
    statement.sql(" AND name < ").text(format!("{name}.")).sql(") ORDER BY name");
    statement.rows::<Text>().load(conn)
}

/// Stores a new connection; its `seq` is not looked at.
///
/// # Errors
/// A unique violation where there is one already, or the name is taken.
pub fn insert(conn: &mut DbConn, connection: &Connection) -> QueryResult<i64> {
    diesel::insert_into(t::table)
        .values((
            t::id.eq(&connection.id),
            t::company_seq.eq(connection.company.0),
            t::organization_seq.eq(connection.organization.map(|o| o.0)),
            t::name.eq(&connection.name),
            t::provider.eq(&connection.provider),
            t::protocol.eq(connection.protocol.name()),
            t::state.eq(connection.state.name()),
            t::document.eq("{}"),
            t::created_at.eq(micros(connection.created_at)),
            t::version.eq(connection.version),
        ))
        .returning(t::seq)
        .get_result(conn)
}

/// Puts a connection into another state.
///
/// # Errors
/// The database's.
pub fn set_state(conn: &mut DbConn, connection: &Connection, state: State) -> QueryResult<()> {
    let row = t::table.filter(t::seq.eq(connection.seq));
    let row = row.filter(t::company_seq.eq(connection.company.0));
    let set = (t::state.eq(state.name()), t::version.eq(connection.version + 1));
    diesel::update(row).set(set).execute(conn).map(drop)
}
