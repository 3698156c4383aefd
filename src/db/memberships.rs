//! The table of memberships: what users are in organizations, and how they came in.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use jiff::Timestamp;

use crate::domain::id::CompanySeq;
use crate::domain::membership::Membership;
use crate::domain::organization::{Organization, OrganizationSeq};
use crate::domain::role::Role;
use crate::domain::user::User;

use super::statement::Statement;
use super::{DbConn, identities, micros, organizations, time, users};

/// The columns of a membership that may be absent, of the table alias `m`.
const COLUMNS: &str =
    "m.role, m.source, m.deactivated, m.unmapped, m.entered_at, m.created_at, m.updated_at";

type Types = (
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Bool>,
    Nullable<Bool>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<BigInt>,
);
type Row = (
    Option<String>,
    Option<String>,
    Option<bool>,
    Option<bool>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

fn from_row(
    row: Row,
    (company, organization, user): (CompanySeq, OrganizationSeq, i64),
) -> Option<Membership> {
    let (role, source, deactivated, unmapped, entered, created, updated) = row;
    Some(Membership {
        organization,
        user,
        company,
        // Written by us from the same enum; an unknown one gives the least.
        role: role?.parse().unwrap_or(Role::Member),
        source: source?.parse().ok()?,
        deactivated: deactivated?,
        unmapped: unmapped?,
        entered_at: entered.map(time),
        created_at: time(created?),
        updated_at: time(updated?),
    })
}

/// A user seen from an organization.
#[derive(Debug, Clone, PartialEq)]
pub struct Seat {
    /// The user.
    pub user: User,
    /// Whether the user has come through a connection that counts there.
    pub by_sso: bool,
    /// The membership, where there is a row of one.
    pub membership: Option<Membership>,
}

type SeatTypes = (users::Types, Bool, Types);
type SeatRow = (users::Row, bool, Row);

fn seat(organization: &Organization, (user, by_sso, row): SeatRow) -> Seat {
    let user = users::from_row(user);
    let membership = from_row(row, (organization.company, organization.seq, user.seq));
    Seat { user, by_sso, membership }
}

fn seats(organization: &Organization) -> Statement {
    let mut statement = Statement::new("SELECT ");
    statement.sql(users::COLUMNS);
    statement.sql(", EXISTS (SELECT 1").sql(identities::COUNTING).sql("i.user_seq = r.seq");
    statement.sql(" AND (n.organization_seq IS NULL OR n.organization_seq = ");
    statement.int(organization.seq.0).sql(")), ");
    statement.sql(COLUMNS).sql(
        " FROM users r LEFT JOIN organization_members m ON m.user_seq = r.seq \
         AND m.organization_seq = ",
    );
    statement.int(organization.seq.0).sql(" WHERE r.company_seq = ").int(organization.company.0);
    statement
}

/// The company's user with this id, seen from the organization.
///
/// # Errors
/// The database's.
pub fn find(
    conn: &mut DbConn,
    organization: &Organization,
    user: &str,
) -> QueryResult<Option<Seat>> {
    let mut statement = seats(organization);
    statement.sql(" AND r.id = ").text(user);
    let row: Option<SeatRow> = statement.rows::<SeatTypes>().get_result(conn).optional()?;
    Ok(row.map(|row| seat(organization, row)))
}

/// The users behind this id who belong to the organization, deactivated ones too: those who have a
/// membership and, where the organization lets everybody in, those who are ACTIVE by SSO (ruling 7).
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    organization: &Organization,
    (after, limit): (&str, i64),
) -> QueryResult<Vec<Seat>> {
    let after = place(conn, organization.company, after)?;
    // Each part is read from its own index, no further than the page is long.
    let mut own = Statement::new(
        "SELECT a.user_seq FROM (SELECT user_seq FROM organization_members WHERE organization_seq = ",
    );
    own.int(organization.seq.0).sql(" AND company_seq = ").int(organization.company.0);
    if !organization.automatic_user_access {
        own.sql(" AND source <> 'automatic'");
    }
    own.sql(" AND user_seq > ").int(after).sql(" ORDER BY user_seq LIMIT ").int(limit).sql(") a");
    if organization.automatic_user_access {
        own.sql(
            " UNION SELECT b.user_seq FROM (SELECT i.user_seq FROM identities i \
             JOIN users u ON u.seq = i.user_seq JOIN connections n ON n.seq = i.connection_seq \
             WHERE u.active AND NOT u.admin_deactivated \
             AND NOT u.unmapped AND u.activated_at IS NOT NULL \
             AND (n.organization_seq IS NULL OR n.organization_seq = ",
        );
        own.int(organization.seq.0).sql(") AND i.company_seq = ");
        own.int(organization.company.0).sql(" AND i.user_seq > ").int(after);
        own.sql(" GROUP BY i.user_seq ORDER BY i.user_seq LIMIT ").int(limit).sql(") b");
    }
    let mut statement = seats(organization);
    statement.sql(" AND r.seq IN (").append(own);
    statement.sql(") ORDER BY r.seq LIMIT ").int(limit);
    let rows: Vec<SeatRow> = statement.rows::<SeatTypes>().load(conn)?;
    Ok(rows.into_iter().map(|row| seat(organization, row)).collect())
}

/// The storage key behind which a page begins that follows this id, of a user who may be gone since.
fn place(conn: &mut DbConn, company: CompanySeq, after: &str) -> QueryResult<i64> {
    if after.is_empty() {
        return Ok(0);
    }
    let mut statement = Statement::new("SELECT seq FROM users WHERE company_seq = ");
    statement.int(company.0).sql(" AND id <= ").text(after).sql(" ORDER BY id DESC LIMIT 1");
    let found: Option<i64> = statement.rows::<BigInt>().get_result(conn).optional()?;
    Ok(found.unwrap_or(0))
}

/// The company's organizations behind this id, in the order of their ids, each with this user's
/// membership where there is one.
///
/// # Errors
/// The database's.
pub fn of_user(
    conn: &mut DbConn,
    (company, user): (CompanySeq, i64),
    (after, limit): (&str, i64),
) -> QueryResult<Vec<(Organization, Option<Membership>)>> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(organizations::COLUMNS).sql(", ").sql(COLUMNS).sql(
        " FROM organizations o LEFT JOIN organization_members m ON m.organization_seq = o.seq \
         AND m.user_seq = ",
    );
    statement.int(user).sql(" WHERE o.company_seq = ").int(company.0);
    statement.sql(" AND o.id > ").text(after).sql(" ORDER BY o.id LIMIT ").int(limit);
    let rows: Vec<(organizations::Row, Row)> =
        statement.rows::<(organizations::Types, Types)>().load(conn)?;
    let read = |(organization, row): (organizations::Row, Row)| {
        let organization = organizations::from_row(organization);
        let membership = from_row(row, (company, organization.seq, user));
        (organization, membership)
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Stores a membership, new or changed.
///
/// # Errors
/// The database's.
pub fn save(conn: &mut DbConn, membership: &Membership) -> QueryResult<()> {
    let m = membership;
    let mut statement = Statement::new(
        "INSERT INTO organization_members (organization_seq, user_seq, company_seq, role, source, \
         deactivated, unmapped, entered_at, status_changed_at, created_at, updated_at) VALUES (",
    );
    statement.int(m.organization.0).sql(", ").int(m.user).sql(", ").int(m.company.0);
    statement.sql(", ").text(m.role.name()).sql(", ").text(m.source.name());
    statement.sql(", ").bool(m.deactivated).sql(", ").bool(m.unmapped);
    statement.sql(", ").maybe_int(m.entered_at.map(micros)).sql(", ").int(micros(m.updated_at));
    statement.sql(", ").int(micros(m.created_at)).sql(", ").int(micros(m.updated_at)).sql(
        ") ON CONFLICT (organization_seq, user_seq) DO UPDATE SET role = excluded.role, \
         source = excluded.source, deactivated = excluded.deactivated, \
         unmapped = excluded.unmapped, entered_at = excluded.entered_at, \
         updated_at = excluded.updated_at, status_changed_at = CASE \
         WHEN organization_members.deactivated <> excluded.deactivated \
         OR organization_members.unmapped <> excluded.unmapped THEN excluded.updated_at \
         ELSE organization_members.status_changed_at END",
    );
    statement.run(conn).map(drop)
}

/// Gives a user who came through a connection a row in every organization that lets everybody in, where there is
/// none: one statement, however many. A legacy connection counts in its own organization alone (row 58). Returns
/// the ids of those organizations.
///
/// # Errors
/// The database's.
pub fn admit(
    conn: &mut DbConn,
    company: CompanySeq,
    (user, connection): (i64, i64),
    now: Timestamp,
) -> QueryResult<Vec<String>> {
    let mut statement = Statement::new(
        "INSERT INTO organization_members (organization_seq, user_seq, company_seq, role, source, \
         deactivated, unmapped, entered_at, status_changed_at, created_at, updated_at) \
         SELECT o.seq, ",
    );
    statement.int(user).sql(", o.company_seq, o.default_role, 'automatic', FALSE, FALSE, NULL");
    for _ in 0..3 {
        statement.sql(", ").int(micros(now));
    }
    statement.sql(" FROM organizations o WHERE o.automatic_user_access AND o.company_seq = ");
    statement.int(company.0).sql(" AND EXISTS (SELECT 1 FROM connections n WHERE n.seq = ");
    statement.int(connection).sql(
        " AND (n.organization_seq IS NULL OR n.organization_seq = o.seq)) \
         ON CONFLICT (organization_seq, user_seq) DO NOTHING RETURNING \
         (SELECT id FROM organizations WHERE seq = organization_members.organization_seq)",
    );
    statement.rows::<Text>().load(conn)
}

/// Notes that a user works in an organization, the first time.
///
/// # Errors
/// The database's.
pub fn enter(
    conn: &mut DbConn,
    organization: &Organization,
    user: i64,
    now: Timestamp,
) -> QueryResult<()> {
    let mut statement = Statement::new("UPDATE organization_members SET entered_at = ");
    statement.int(micros(now)).sql(" WHERE entered_at IS NULL AND user_seq = ").int(user);
    statement.sql(" AND organization_seq = ").int(organization.seq.0);
    statement.sql(" AND company_seq = ").int(organization.company.0);
    statement.run(conn).map(drop)
}

/// Removes a user from an organization: the membership, and the teams there.
///
/// # Errors
/// The database's.
pub fn delete(conn: &mut DbConn, organization: &Organization, user: i64) -> QueryResult<()> {
    for table in ["organization_members", "team_members", "team_syncs"] {
        let mut statement = Statement::new("DELETE FROM ");
        statement.sql(table).sql(" WHERE user_seq = ").int(user);
        statement.sql(" AND organization_seq = ").int(organization.seq.0);
        statement.sql(" AND company_seq = ").int(organization.company.0);
        statement.run(conn)?;
    }
    Ok(())
}

/// The teams of these users in the organization: user, id, name; in the order of the names.
///
/// # Errors
/// The database's.
pub fn teams_of(
    conn: &mut DbConn,
    organization: &Organization,
    users: &[i64],
) -> QueryResult<Vec<(i64, String, String)>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = Statement::new(
        "SELECT DISTINCT m.user_seq, t.id, t.name FROM team_members m \
         JOIN teams t ON t.seq = m.team_seq WHERE m.user_seq IN ",
    );
    statement.int_list(users).sql(" AND m.organization_seq = ").int(organization.seq.0);
    statement.sql(" AND m.company_seq = ").int(organization.company.0);
    statement.sql(" ORDER BY t.name, t.id");
    statement.rows::<(BigInt, Text, Text)>().load(conn)
}

/// Those of these teams that the organization has: storage key, id, provider.
///
/// # Errors
/// The database's.
pub fn teams(
    conn: &mut DbConn,
    organization: &Organization,
    ids: &[String],
) -> QueryResult<Vec<(i64, String, String)>> {
    let mut statement = Statement::new("SELECT seq, id, provider FROM teams WHERE id IN ");
    statement.text_list(ids.iter().map(String::as_str));
    statement.sql(" AND organization_seq = ").int(organization.seq.0);
    statement.sql(" AND company_seq = ").int(organization.company.0);
    statement.rows::<(BigInt, Text, Text)>().load(conn)
}

/// Makes a user a member of these teams of the organization, by hand.
///
/// # Errors
/// The database's.
pub fn join(
    conn: &mut DbConn,
    organization: &Organization,
    (user, teams): (i64, &[i64]),
    now: Timestamp,
) -> QueryResult<()> {
    if teams.is_empty() {
        return Ok(());
    }
    let mut statement = Statement::new(
        "INSERT INTO team_members (team_seq, user_seq, origin, organization_seq, company_seq, created_at) \
         SELECT seq, ",
    );
    statement.int(user).sql(", 'manual', organization_seq, company_seq, ").int(micros(now));
    statement.sql(" FROM teams WHERE seq IN ").int_list(teams);
    statement.sql(" AND organization_seq = ").int(organization.seq.0);
    statement.sql(" AND company_seq = ").int(organization.company.0);
    statement.sql(" ON CONFLICT (team_seq, user_seq, origin) DO NOTHING");
    statement.run(conn).map(drop)
}
