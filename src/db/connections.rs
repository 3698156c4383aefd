//! The table of SSO connections: one of the company, legacy ones of an organization each, and a candidate to
//! follow the company's. A deleted one stays, unseen, for the links and sessions that refer to it.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use jiff::{SignedDuration, Timestamp};

use crate::domain::connection::{Connection, Document, Protocol, State};
use crate::domain::id::CompanySeq;
use crate::domain::organization::OrganizationSeq;

use super::schema::{connection_logins as l, connections as t};
use super::statement::Statement;
use super::{DbConn, micros, time};

/// How exactly it is known when somebody last came in.
const NOTED: SignedDuration = SignedDuration::from_secs(60);

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
    statement.int(company.0).sql(" AND deleted_at IS NULL AND NOT candidate ORDER BY seq");
    let rows: Vec<bool> = statement.rows::<Bool>().load(conn)?;
    Ok(Which { of_company: rows.contains(&true), legacy: rows.contains(&false) })
}

#[derive(Queryable)]
struct Row {
    seq: i64,
    id: String,
    company: i64,
    organization: Option<i64>,
    name: String,
    provider: String,
    protocol: String,
    state: String,
    document: String,
    created_at: i64,
    activated_at: Option<i64>,
    version: i64,
    secret: Option<Vec<u8>>,
    _login_path: Option<String>,
    candidate: bool,
    _deleted_at: Option<i64>,
}

impl Row {
    fn into_connection(self) -> Connection {
        Connection {
            seq: self.seq,
            id: self.id,
            company: CompanySeq(self.company),
            organization: self.organization.map(OrganizationSeq),
            name: self.name,
            provider: self.provider,
            // Written by us from the same enums; what does not read lets nobody in.
            protocol: self.protocol.parse().unwrap_or(Protocol::Oidc),
            state: self.state.parse().unwrap_or(State::Inactive),
            // The same of the document: without an issuer nothing is accepted.
            document: serde_json::from_str(&self.document).unwrap_or_default(),
            sealed_secret: self.secret,
            candidate: self.candidate,
            created_at: time(self.created_at),
            activated_at: self.activated_at.map(time),
            version: self.version,
        }
    }
}

fn text_of(document: &Document) -> String {
    serde_json::to_string(document).unwrap_or_else(|_| "{}".to_owned())
}

/// The path as it is unique: without case.
fn login_path(connection: &Connection) -> Option<String> {
    connection.document.login_path.as_ref().map(|path| path.to_ascii_lowercase())
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
    let mine = t::table.filter(t::company_seq.eq(company.0)).filter(t::deleted_at.is_null());
    let mine = mine.filter(t::candidate.eq(false));
    let row: Option<Row> = match organization {
        None => mine.filter(t::organization_seq.is_null()).first(conn).optional()?,
        Some(seq) => mine.filter(t::organization_seq.eq(seq.0)).first(conn).optional()?,
    };
    Ok(row.map(Row::into_connection))
}

/// The connection that is to follow the company's.
///
/// # Errors
/// The database's.
pub fn candidate(conn: &mut DbConn, company: CompanySeq) -> QueryResult<Option<Connection>> {
    let mine = t::table.filter(t::company_seq.eq(company.0)).filter(t::deleted_at.is_null());
    let row: Option<Row> = mine.filter(t::candidate.eq(true)).first(conn).optional()?;
    Ok(row.map(Row::into_connection))
}

/// The connection of this name, of whatever company: the name in a login's address says whose it is.
///
/// # Errors
/// The database's.
pub fn find_by_name(conn: &mut DbConn, name: &str) -> QueryResult<Option<Connection>> {
    let found = t::table.filter(t::name.eq(name)).filter(t::deleted_at.is_null());
    Ok(found.first(conn).optional()?.map(Row::into_connection))
}

/// The connection with this path below `/login`, of whatever company; case does not count.
///
/// # Errors
/// The database's.
pub fn find_by_login_path(conn: &mut DbConn, path: &str) -> QueryResult<Option<Connection>> {
    let found = t::table.filter(t::login_path.eq(path.to_ascii_lowercase()));
    Ok(found.filter(t::deleted_at.is_null()).first(conn).optional()?.map(Row::into_connection))
}

/// The company's connection with this storage key, unless it was deleted.
///
/// # Errors
/// The database's.
pub fn find_by_seq(
    conn: &mut DbConn,
    company: CompanySeq,
    seq: i64,
) -> QueryResult<Option<Connection>> {
    let found = t::table.filter(t::seq.eq(seq)).filter(t::company_seq.eq(company.0));
    Ok(found.filter(t::deleted_at.is_null()).first(conn).optional()?.map(Row::into_connection))
}

/// Names in the installation that are this one, or this one with something behind a hyphen; those of
/// deleted connections too, since addresses at IdPs still hold them.
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
            t::document.eq(text_of(&connection.document)),
            t::created_at.eq(micros(connection.created_at)),
            t::version.eq(connection.version),
            t::secret.eq(&connection.sealed_secret),
            t::login_path.eq(login_path(connection)),
            t::candidate.eq(connection.candidate),
        ))
        .returning(t::seq)
        .get_result(conn)
}

/// Stores a changed connection if its stored version is still `connection.version`, and counts that up.
///
/// `false`: somebody else changed it since.
///
/// # Errors
/// A unique violation where the login path is taken.
pub fn update(conn: &mut DbConn, connection: &mut Connection) -> QueryResult<bool> {
    let row = t::table.filter(t::seq.eq(connection.seq)).filter(t::deleted_at.is_null());
    let row = row.filter(t::company_seq.eq(connection.company.0));
    let changed = diesel::update(row.filter(t::version.eq(connection.version)))
        .set((
            t::state.eq(connection.state.name()),
            t::document.eq(text_of(&connection.document)),
            t::activated_at.eq(connection.activated_at.map(micros)),
            t::secret.eq(&connection.sealed_secret),
            t::login_path.eq(login_path(connection)),
            t::candidate.eq(connection.candidate),
            t::version.eq(connection.version + 1),
        ))
        .execute(conn)?;
    connection.version += 1;
    Ok(changed == 1)
}

/// When somebody last came in through the connection, give or take a minute, and whether groups were claimed then.
///
/// # Errors
/// The database's.
pub fn last_login(
    conn: &mut DbConn,
    (company, connection): (CompanySeq, i64),
) -> QueryResult<Option<(Timestamp, bool)>> {
    let row = l::table.filter(l::connection_seq.eq(connection));
    let row = row.filter(l::company_seq.eq(company.0)).select((l::at, l::groups_claimed));
    let found: Option<(i64, bool)> = row.first(conn).optional()?;
    Ok(found.map(|(at, groups)| (time(at), groups)))
}

/// Notes that somebody came in through the connection: once a minute, so that sign-ins do not wait for each other
/// at one row.
///
/// # Errors
/// The database's.
pub fn came_in(
    conn: &mut DbConn,
    connection: (CompanySeq, i64),
    groups: bool,
    now: Timestamp,
) -> QueryResult<()> {
    let last = last_login(conn, connection)?;
    if last.is_some_and(|(last, _)| now.duration_since(last) < NOTED) {
        return Ok(());
    }
    let mut statement = Statement::new(
        "INSERT INTO connection_logins (connection_seq, company_seq, at, groups_claimed) VALUES (",
    );
    statement.int(connection.1).sql(", ").int(connection.0.0).sql(", ").int(micros(now));
    statement.sql(if groups { ", TRUE)" } else { ", FALSE)" }).sql(
        " ON CONFLICT (connection_seq) DO UPDATE SET at = excluded.at, \
         groups_claimed = excluded.groups_claimed",
    );
    statement.run(conn).map(drop)
}

/// Takes a connection away: nobody finds it any more, its path is free, and its secret is gone.
///
/// # Errors
/// The database's.
pub fn delete(conn: &mut DbConn, connection: &Connection, now: Timestamp) -> QueryResult<()> {
    let row = t::table.filter(t::seq.eq(connection.seq));
    let row = row.filter(t::company_seq.eq(connection.company.0));
    let gone = (
        t::deleted_at.eq(micros(now)),
        t::state.eq(State::Inactive.name()),
        t::login_path.eq(None::<String>),
        t::secret.eq(None::<Vec<u8>>),
    );
    diesel::update(row).set(gone).execute(conn).map(drop)
}
