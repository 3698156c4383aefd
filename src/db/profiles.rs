//! Users and groups as the management API lists them: in the order of their ids, with what lies beside
//! the directory.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
use jiff::Timestamp;

use crate::domain::group::Group;
use crate::domain::id::CompanySeq;
use crate::domain::role::{CompanyRole, Permissions};
use crate::domain::user::{Origin, User};

use super::statement::Statement;
use super::{DbConn, groups, time, users};

/// A user with what lies beside the record.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The record.
    pub user: User,
    /// Who made the user.
    pub origin: Origin,
    /// When the status last changed; `None`: never since the user was made.
    pub status_changed_at: Option<Timestamp>,
    /// What the user is in the company.
    pub company_role: CompanyRole,
    /// What was given beside that.
    pub permissions: Permissions,
}

type Types = (users::Types, SmallInt, Nullable<BigInt>, Nullable<Text>, Nullable<Text>);
type Row = (users::Row, i16, Option<i64>, Option<String>, Option<String>);

fn from_row((user, origin, changed, role, permissions): Row) -> Profile {
    let permissions = permissions.unwrap_or_default();
    Profile {
        user: users::from_row(user),
        origin: Origin::from_code(origin),
        status_changed_at: changed.map(time),
        // Written by us from the same enums; what does not read gives nothing.
        company_role: role.and_then(|role| role.parse().ok()).unwrap_or_default(),
        permissions: Permissions::parse(permissions.split_whitespace()).unwrap_or_default(),
    }
}

fn select(company: CompanySeq) -> Statement {
    let mut statement = Statement::new("SELECT ");
    statement.sql(users::COLUMNS).sql(
        ", r.origin, r.status_changed_at, c.role, c.permissions FROM users r \
         LEFT JOIN company_roles c ON c.user_seq = r.seq WHERE r.company_seq = ",
    );
    statement.int(company.0);
    statement
}

/// The company's user with this id.
///
/// # Errors
/// The database's.
pub fn user(conn: &mut DbConn, company: CompanySeq, id: &str) -> QueryResult<Option<Profile>> {
    let mut statement = select(company);
    statement.sql(" AND r.id = ").text(id);
    statement.rows::<Types>().get_result::<Row>(conn).optional().map(|row| row.map(from_row))
}

/// The company's user with this storage key.
///
/// # Errors
/// The database's.
pub fn user_by_seq(
    conn: &mut DbConn,
    company: CompanySeq,
    seq: i64,
) -> QueryResult<Option<Profile>> {
    let mut statement = select(company);
    statement.sql(" AND r.seq = ").int(seq);
    statement.rows::<Types>().get_result::<Row>(conn).optional().map(|row| row.map(from_row))
}

/// The company's users behind this id, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn users(
    conn: &mut DbConn,
    company: CompanySeq,
    (after, limit): (&str, i64),
) -> QueryResult<Vec<Profile>> {
    let mut statement = select(company);
    statement.sql(" AND r.id > ").text(after).sql(" ORDER BY r.id LIMIT ").int(limit);
    let rows: Vec<Row> = statement.rows::<Types>().load(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// The company's groups behind this id, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn groups(
    conn: &mut DbConn,
    company: CompanySeq,
    (after, limit): (&str, i64),
) -> QueryResult<Vec<Group>> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(groups::COLUMNS).sql(" FROM groups r WHERE r.company_seq = ").int(company.0);
    statement.sql(" AND r.id > ").text(after).sql(" ORDER BY r.id LIMIT ").int(limit);
    let rows: Vec<groups::Row> = statement.rows::<groups::Types>().load(conn)?;
    Ok(rows.into_iter().map(groups::from_row).collect())
}
