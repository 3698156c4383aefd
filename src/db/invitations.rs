//! The table of invitations.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use jiff::Timestamp;

use crate::domain::id::CompanySeq;
use crate::domain::invitation::Invitation;
use crate::domain::organization::{Organization, OrganizationSeq};
use crate::domain::role::Role;
use crate::scim::value::fold;

use super::schema::invitations as t;
use super::statement::Statement;
use super::{DbConn, micros, time};

type Row =
    (String, i64, i64, i64, String, String, String, String, i64, i64, Option<i64>, Option<i64>);

fn from_row(row: Row) -> Invitation {
    let (id, company, organization, user, email, role, teams, by, created, sent, accepted, revoked) =
        row;
    Invitation {
        id,
        company: CompanySeq(company),
        organization: OrganizationSeq(organization),
        user,
        email,
        // Written by us from the same enum; an unknown one gives the least.
        role: role.parse().unwrap_or(Role::Member),
        teams: teams.split_whitespace().map(str::to_owned).collect(),
        invited_by: by,
        created_at: time(created),
        sent_at: time(sent),
        accepted_at: accepted.map(time),
        revoked_at: revoked.map(time),
    }
}

/// The organization's invitation with this id.
///
/// # Errors
/// The database's.
pub fn find(
    conn: &mut DbConn,
    organization: &Organization,
    id: &str,
) -> QueryResult<Option<Invitation>> {
    t::table
        .filter(t::id.eq(id))
        .filter(t::organization_seq.eq(organization.seq.0))
        .filter(t::company_seq.eq(organization.company.0))
        .first::<Row>(conn)
        .optional()
        .map(|row| row.map(from_row))
}

/// The organization's open invitation of this user.
///
/// # Errors
/// The database's.
pub fn open(
    conn: &mut DbConn,
    organization: &Organization,
    user: i64,
) -> QueryResult<Option<Invitation>> {
    t::table
        .filter(t::user_seq.eq(user))
        .filter(t::organization_seq.eq(organization.seq.0))
        .filter(t::company_seq.eq(organization.company.0))
        .filter(t::accepted_at.is_null())
        .filter(t::revoked_at.is_null())
        .first::<Row>(conn)
        .optional()
        .map(|row| row.map(from_row))
}

/// The organization's invitations behind this id, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    organization: &Organization,
    (after, limit): (&str, i64),
) -> QueryResult<Vec<Invitation>> {
    let rows: Vec<Row> = t::table
        .filter(t::organization_seq.eq(organization.seq.0))
        .filter(t::company_seq.eq(organization.company.0))
        .filter(t::id.gt(after))
        .order(t::id)
        .limit(limit)
        .load(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Stores an invitation, new or changed.
///
/// # Errors
/// A unique violation where the user has another one that is open.
pub fn save(conn: &mut DbConn, invitation: &Invitation) -> QueryResult<()> {
    let changing = (
        t::role.eq(invitation.role.name()),
        t::teams.eq(invitation.teams.join(" ")),
        t::sent_at.eq(micros(invitation.sent_at)),
        t::accepted_at.eq(invitation.accepted_at.map(micros)),
        t::revoked_at.eq(invitation.revoked_at.map(micros)),
    );
    let row =
        t::table.filter(t::id.eq(&invitation.id)).filter(t::company_seq.eq(invitation.company.0));
    if diesel::update(row).set(changing.clone()).execute(conn)? == 1 {
        return Ok(());
    }
    diesel::insert_into(t::table)
        .values((
            t::id.eq(&invitation.id),
            t::company_seq.eq(invitation.company.0),
            t::organization_seq.eq(invitation.organization.0),
            t::user_seq.eq(invitation.user),
            t::email.eq(&invitation.email),
            t::invited_by.eq(&invitation.invited_by),
            t::created_at.eq(micros(invitation.created_at)),
            changing,
        ))
        .execute(conn)
        .map(drop)
}

/// Takes the open invitations of a user for accepted, in whatever organizations: the first login.
///
/// # Errors
/// The database's.
pub fn accept(
    conn: &mut DbConn,
    company: CompanySeq,
    user: i64,
    now: Timestamp,
) -> QueryResult<()> {
    end(conn, (company, user), None, ("accepted_at", now))
}

/// Takes the open invitations of a user to an organization back.
///
/// # Errors
/// The database's.
pub fn revoke(
    conn: &mut DbConn,
    organization: &Organization,
    user: i64,
    now: Timestamp,
) -> QueryResult<()> {
    end(conn, (organization.company, user), Some(organization.seq), ("revoked_at", now))
}

fn end(
    conn: &mut DbConn,
    (company, user): (CompanySeq, i64),
    organization: Option<OrganizationSeq>,
    (column, now): (&'static str, Timestamp),
) -> QueryResult<()> {
    let mut statement = Statement::new("UPDATE invitations SET ");
    statement.sql(column).sql(" = ").int(micros(now)).sql(" WHERE user_seq = ").int(user);
    statement.sql(" AND company_seq = ").int(company.0);
    if let Some(organization) = organization {
        statement.sql(" AND organization_seq = ").int(organization.0);
    }
    statement.sql(" AND accepted_at IS NULL AND revoked_at IS NULL");
    statement.run(conn).map(drop)
}

/// The users of the company who have this address, as their `userName` or among their e-mail addresses:
/// storage key, id, and whether it is the `userName`. At most three.
///
/// # Errors
/// The database's.
pub fn addressees(
    conn: &mut DbConn,
    company: CompanySeq,
    email: &str,
) -> QueryResult<Vec<(i64, String, bool)>> {
    use diesel::sql_types::{Bool, Text};
    let key = fold(email);
    let mut statement = Statement::new("SELECT u.seq, u.id, u.user_name_key = ");
    statement.text(key.as_str()).sql(" FROM users u WHERE u.company_seq = ").int(company.0);
    statement.sql(" AND u.seq IN (SELECT seq FROM users WHERE company_seq = ").int(company.0);
    statement.sql(" AND user_name_key = ").text(key.as_str()).sql(
        " UNION SELECT resource_seq FROM attribute_values WHERE resource_type = 0 \
         AND path = 'emails.value' AND company_seq = ",
    );
    statement.int(company.0).sql(" AND value_key = ").text(key.as_str());
    statement.sql(") ORDER BY u.seq LIMIT 3");
    statement.rows::<(BigInt, Text, Bool)>().load(conn)
}
