//! The table of sessions, and what a person who has one may do where.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use jiff::Timestamp;

use crate::domain::id::CompanySeq;
use crate::domain::organization::OrganizationSeq;
use crate::domain::role::{CompanyRole, Permissions, Role};
use crate::domain::session::Session;

use super::dialect::Dialect;
use super::schema::sessions as t;
use super::statement::Statement;
use super::{DbConn, grants, identities, micros, sweep, time};

pub(super) type Row = (
    String,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    Vec<u8>,
    i64,
    i64,
    i64,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<i64>,
);
pub(super) type Types = (
    Text,
    BigInt,
    BigInt,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Binary,
    BigInt,
    BigInt,
    BigInt,
    Nullable<BigInt>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<BigInt>,
);

/// The columns of the table alias `s`, in the order of [`Row`].
pub(super) const COLUMNS: &str = "s.id, s.company_seq, s.user_seq, s.connection_seq, s.organization_seq, \
     s.digest, s.created_at, s.last_used_at, s.expires_at, s.ended_at, s.end_reason, s.idp_session, \
     s.authenticated_at";

pub(super) fn from_row(row: Row) -> Session {
    let (
        id,
        company,
        user,
        connection,
        organization,
        digest,
        created,
        used,
        expires,
        ended,
        end_reason,
        idp_session,
        authenticated,
    ) = row;
    Session {
        id,
        company: CompanySeq(company),
        user,
        connection,
        organization: organization.map(OrganizationSeq),
        digest,
        created_at: time(created),
        last_used_at: time(used),
        expires_at: time(expires),
        ended_at: ended.map(time),
        end_reason,
        idp_session,
        authenticated_at: authenticated.map(time),
    }
}

/// The session with this public id, of whatever company: the session is what names the company.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, id: &str) -> QueryResult<Option<Session>> {
    t::table.find(id).first::<Row>(conn).optional().map(|row| row.map(from_row))
}

/// Stores a new session.
///
/// # Errors
/// The database's.
pub fn insert(conn: &mut DbConn, session: &Session) -> QueryResult<()> {
    diesel::insert_into(t::table)
        .values((
            t::id.eq(&session.id),
            t::company_seq.eq(session.company.0),
            t::user_seq.eq(session.user),
            t::connection_seq.eq(session.connection),
            t::organization_seq.eq(session.organization.map(|o| o.0)),
            t::digest.eq(&session.digest),
            t::created_at.eq(micros(session.created_at)),
            t::last_used_at.eq(micros(session.last_used_at)),
            t::expires_at.eq(micros(session.expires_at)),
            t::idp_session.eq(&session.idp_session),
            t::authenticated_at.eq(session.authenticated_at.map(micros)),
        ))
        .execute(conn)
        .map(drop)
}

/// Makes another organization the session's active one.
///
/// # Errors
/// The database's.
pub fn enter(
    conn: &mut DbConn,
    session: &Session,
    organization: Option<OrganizationSeq>,
) -> QueryResult<()> {
    let row = t::table.filter(t::id.eq(&session.id)).filter(t::company_seq.eq(session.company.0));
    let set = t::organization_seq.eq(organization.map(|o| o.0));
    diesel::update(row).set(set).execute(conn).map(drop)
}

/// Where a user worked last.
///
/// # Errors
/// The database's.
pub fn last_organization(
    conn: &mut DbConn,
    company: CompanySeq,
    user: i64,
) -> QueryResult<Option<OrganizationSeq>> {
    let mut statement = Statement::new("SELECT organization_seq FROM sessions WHERE user_seq = ");
    statement.int(user).sql(" AND ").sql(Dialect::of(conn).aside());
    statement.sql("company_seq = ").int(company.0);
    statement.sql(" AND organization_seq IS NOT NULL ORDER BY created_at DESC LIMIT 1");
    let found: Option<i64> = statement.rows::<BigInt>().get_result(conn).optional()?;
    Ok(found.map(OrganizationSeq))
}

/// What a user is in the company, and what was given beside that.
///
/// # Errors
/// The database's.
pub fn company_role(
    conn: &mut DbConn,
    company: CompanySeq,
    user: i64,
) -> QueryResult<(CompanyRole, Permissions)> {
    let mut statement =
        Statement::new("SELECT role, permissions FROM company_roles WHERE user_seq = ");
    statement.int(user).sql(" AND company_seq = ").int(company.0);
    let row: Option<(String, String)> =
        statement.rows::<(Text, Text)>().get_result(conn).optional()?;
    let Some((role, permissions)) = row else { return Ok(Default::default()) };
    // Written by us from the same enums; what does not read gives nothing.
    let permissions = Permissions::parse(permissions.split_whitespace()).unwrap_or_default();
    Ok((role.parse().unwrap_or_default(), permissions))
}

/// That a user is not DEACTIVATED, up to the user's storage key.
const STANDS: &str = " AND EXISTS (SELECT 1 FROM users u WHERE u.active AND NOT u.admin_deactivated \
     AND NOT u.unmapped AND u.seq = ";

/// That somebody came through a connection that counts in the organization `o`, up to the storage key of the user.
fn came(statement: &mut Statement) -> &mut Statement {
    statement.sql("EXISTS (SELECT 1").sql(identities::COUNTING);
    statement.sql("(n.organization_seq IS NULL OR n.organization_seq = o.seq) AND i.user_seq = ")
}

/// The roles of a user who has signed in, in the organizations that the user may enter (ruling 7): by a membership
/// that is not deactivated, or because the organization lets everybody in who came through a connection that counts
/// there. Who is DEACTIVATED may enter none.
///
/// # Errors
/// The database's.
pub fn roles(
    conn: &mut DbConn,
    company: CompanySeq,
    user: i64,
) -> QueryResult<Vec<(OrganizationSeq, Role)>> {
    // A row of automatic access counts only while the organization lets everybody in (row 70).
    let mut statement = Statement::new(
        "SELECT m.organization_seq, m.role FROM organization_members m \
         JOIN organizations o ON o.seq = m.organization_seq WHERE m.user_seq = ",
    );
    statement.int(user).sql(" AND m.company_seq = ").int(company.0).sql(
        " AND NOT m.deactivated AND NOT m.unmapped \
         AND (m.source <> 'automatic' OR o.automatic_user_access)",
    );
    statement.sql(STANDS).int(user).sql(
        ") UNION ALL SELECT o.seq, o.default_role FROM organizations o \
         WHERE o.automatic_user_access AND o.company_seq = ",
    );
    statement.int(company.0).sql(" AND ");
    came(&mut statement).int(user).sql(
        ") AND NOT EXISTS (SELECT 1 FROM organization_members m \
         WHERE m.organization_seq = o.seq AND m.user_seq = ",
    );
    statement.int(user).sql(")").sql(STANDS).int(user).sql(")");
    let rows: Vec<(i64, String)> = statement.rows::<(BigInt, Text)>().load(conn)?;
    let read = |(seq, role): (i64, String)| Some((OrganizationSeq(seq), role.parse().ok()?));
    Ok(rows.into_iter().filter_map(read).collect())
}

/// What the user is in one organization, as [`roles`] says of all: its id and slug, and the role; `None`
/// where the user may not enter it now.
///
/// # Errors
/// The database's.
pub fn place(
    conn: &mut DbConn,
    (company, organization): (CompanySeq, OrganizationSeq),
    user: i64,
) -> QueryResult<Option<(String, String, Role)>> {
    struct Place;
    let mut statement = Statement::new(
        "SELECT o.id, o.slug, coalesce(m.role, o.default_role) FROM organizations o \
         LEFT JOIN organization_members m ON m.organization_seq = o.seq AND m.user_seq = ",
    );
    statement.int(user).sql(" WHERE o.seq = ").int(organization.0);
    statement.sql(" AND o.company_seq = ").int(company.0).sql(
        " AND ((m.role IS NOT NULL AND NOT m.deactivated AND NOT m.unmapped \
         AND (m.source <> 'automatic' OR o.automatic_user_access)) \
         OR (m.role IS NULL AND o.automatic_user_access AND ",
    );
    came(&mut statement).int(user).sql(")))").sql(STANDS).int(user).sql(")");
    let row: Option<(String, String, String)> =
        statement.known::<Place, (Text, Text, Text)>().get_result(conn).optional()?;
    Ok(row.and_then(|(id, slug, role)| Some((id, slug, role.parse().ok()?))))
}

/// Which sessions of a company are meant.
#[derive(Debug, Clone, Copy)]
pub enum Which<'w> {
    /// The one with this public id.
    One(&'w str),
    /// All of a user.
    User(i64),
    /// All that came through a connection.
    Connection(i64),
    /// All of the company.
    Company,
    /// Those that came through a connection and are called so at its identity provider.
    AtProvider(i64, &'w str),
}

/// The condition that picks them, of the table alias `s`.
pub(super) fn picked(company: CompanySeq, which: Which<'_>, aside: &'static str) -> Statement {
    let mut statement = Statement::default();
    match which {
        Which::One(id) => statement.sql("s.id = ").text(id),
        Which::User(user) => statement.sql("s.user_seq = ").int(user),
        Which::Connection(connection) => statement.sql("s.connection_seq = ").int(connection),
        Which::Company => {
            statement.sql("s.company_seq = ").int(company.0);
            return statement;
        }
        Which::AtProvider(connection, name) => {
            statement.sql("s.connection_seq = ").int(connection);
            statement.sql(" AND s.idp_session = ").text(name)
        }
    };
    statement.sql(" AND ").sql(aside).sql("s.company_seq = ").int(company.0);
    statement
}

/// Ends live sessions; how many there were.
///
/// # Errors
/// The database's.
pub fn end(
    conn: &mut DbConn,
    company: CompanySeq,
    which: Which<'_>,
    (at, reason): (Timestamp, &str),
) -> QueryResult<usize> {
    let aside = Dialect::of(conn).aside();
    let mut statement = Statement::new("UPDATE sessions AS s SET ended_at = ");
    statement.int(micros(at)).sql(", end_reason = ").text(reason).sql(" WHERE ");
    statement.append(picked(company, which, aside)).sql(" AND s.ended_at IS NULL");
    statement.run(conn)
}

/// Ends a slice of what has ended by its longest life, as far as nobody has; how many.
///
/// # Errors
/// The database's.
pub fn end_expired(conn: &mut DbConn, now: Timestamp) -> QueryResult<usize> {
    let mut over = Statement::new("ended_at IS NULL AND expires_at <= ");
    over.int(micros(now)).sql(" ORDER BY expires_at");
    let mut statement = Statement::new(
        "UPDATE sessions SET ended_at = expires_at, end_reason = 'expired' \
         WHERE id IN (SELECT id FROM sessions WHERE ",
    );
    statement.append(sweep::first(conn, &over)).sql(")");
    statement.run(conn)
}

/// Removes a slice of the sessions that ended before this moment, with what was granted in them; how many.
///
/// # Errors
/// The database's.
pub fn sweep(conn: &mut DbConn, before: Timestamp) -> QueryResult<usize> {
    let mut over = Statement::new("ended_at < ");
    over.int(micros(before)).sql(" ORDER BY ended_at");
    let mut statement = Statement::new("SELECT id FROM sessions WHERE ");
    statement.append(sweep::first(conn, &over));
    let ids: Vec<String> = statement.rows::<Text>().load(conn)?;
    if ids.is_empty() {
        return Ok(0);
    }
    grants::forget(conn, &ids)?;
    let mut gone = Statement::new("DELETE FROM sessions WHERE id IN ");
    gone.text_list(ids.iter().map(String::as_str));
    gone.run(conn)
}

/// Whose live sessions are called so at an identity provider: company and connection, each once.
///
/// # Errors
/// The database's.
pub fn at_provider(conn: &mut DbConn, name: &str) -> QueryResult<Vec<(CompanySeq, i64)>> {
    let mut statement = Statement::new(
        "SELECT DISTINCT company_seq, connection_seq FROM sessions WHERE ended_at IS NULL \
         AND connection_seq IS NOT NULL AND idp_session = ",
    );
    statement.text(name).sql(" LIMIT 100");
    let rows: Vec<(i64, i64)> = statement.rows::<(BigInt, BigInt)>().load(conn)?;
    Ok(rows.into_iter().map(|(company, connection)| (CompanySeq(company), connection)).collect())
}

/// Notes a request of this moment.
///
/// # Errors
/// The database's.
pub fn used(conn: &mut DbConn, company: CompanySeq, id: &str, at: Timestamp) -> QueryResult<()> {
    struct Used;
    let mut statement = Statement::new("UPDATE sessions SET last_used_at = ");
    statement.int(micros(at)).sql(" WHERE id = ").text(id);
    statement.sql(" AND company_seq = ").int(company.0).sql(" AND ended_at IS NULL");
    statement.sql(" AND last_used_at < ").int(micros(at));
    statement.known::<Used, BigInt>().execute(conn).map(drop)
}

/// A session, the id of its user, and the name of the connection.
pub type Listed = (Session, String, Option<String>);

/// The company's sessions that nobody has ended, behind this id, in the order of their ids; of one user
/// alone where one is named.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    (company, user): (CompanySeq, Option<i64>),
    (after, limit): (&str, i64),
) -> QueryResult<Vec<Listed>> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(COLUMNS).sql(
        ", u.id, n.name FROM sessions s JOIN users u ON u.seq = s.user_seq \
         LEFT JOIN connections n ON n.seq = s.connection_seq WHERE ",
    );
    match user {
        Some(user) => {
            statement.sql("s.user_seq = ").int(user);
            statement.sql(" AND ").sql(Dialect::of(conn).aside()).sql("s.company_seq = ");
        }
        None => drop(statement.sql("s.company_seq = ")),
    }
    statement.int(company.0).sql(" AND s.ended_at IS NULL AND s.id > ").text(after);
    statement.sql(" ORDER BY s.id LIMIT ").int(limit);
    let rows: Vec<(Row, String, Option<String>)> =
        statement.rows::<(Types, Text, Nullable<Text>)>().load(conn)?;
    Ok(rows.into_iter().map(|(row, user, name)| (from_row(row), user, name)).collect())
}

/// Gives a user this company role and these permissions.
///
/// # Errors
/// The database's.
pub fn set_company_role(
    conn: &mut DbConn,
    company: CompanySeq,
    user: i64,
    (role, permissions, now): (CompanyRole, &Permissions, i64),
) -> QueryResult<()> {
    let mut statement = Statement::new(
        "INSERT INTO company_roles (user_seq, company_seq, role, permissions, updated_at) VALUES (",
    );
    statement.int(user).sql(", ").int(company.0).sql(", ").text(role.name());
    statement.sql(", ").text(permissions.text()).sql(", ").int(now);
    statement.sql(
        ") ON CONFLICT (user_seq) DO UPDATE SET role = excluded.role, \
         permissions = excluded.permissions, updated_at = excluded.updated_at",
    );
    statement.run(conn).map(drop)
}

/// Whether the company has an account admin beside this user who is not DEACTIVATED (D9: `last_admin`).
///
/// # Errors
/// The database's.
pub fn has_other_admin(conn: &mut DbConn, company: CompanySeq, user: i64) -> QueryResult<bool> {
    let mut statement = Statement::new(
        "SELECT r.user_seq FROM company_roles r JOIN users u ON u.seq = r.user_seq \
         WHERE r.role = 'admin' AND u.active AND NOT u.admin_deactivated AND NOT u.unmapped \
         AND r.company_seq = ",
    );
    statement.int(company.0).sql(" AND r.user_seq <> ").int(user).sql(" LIMIT 1");
    let row: Option<Option<i64>> =
        statement.rows::<Nullable<BigInt>>().get_result(conn).optional()?;
    Ok(row.is_some())
}
