//! What team sync reads and writes beside teams: people and what they are where. Every statement is for
//! all users of a change at once.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, SmallInt, Text};
use jiff::Timestamp;

use crate::domain::company::Settings;
use crate::domain::id::CompanySeq;
use crate::domain::lifecycle::Causes;
use crate::domain::organization::OrganizationSeq;
use crate::domain::projection::Entry;
use crate::domain::role::Role;
use crate::domain::user::Origin;

use super::dialect::{Dialect, Lock};
use super::statement::Statement;
use super::{DbConn, identities, micros, time};

/// Most rows of one statement that names each of them.
const CHUNK: usize = 200;

/// What is asked before anything else.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The company's switches.
    pub settings: Settings,
    /// Whether the company has a group of the directory (ruling 8).
    pub has_groups: bool,
}

/// The switches of a company that has an organization; `None`: it has none, and no teams.
///
/// # Errors
/// The database's.
pub fn gate(conn: &mut DbConn, company: CompanySeq) -> QueryResult<Option<Gate>> {
    struct Ask;
    // The first one in the order of an index. To ask whether there is any, PostgreSQL reads the table from its
    // beginning where the company has much of it, through all that others have put before.
    let mut statement = Statement::new(
        "SELECT c.settings, (SELECT g.seq FROM groups g WHERE g.company_seq BETWEEN c.seq AND c.seq \
         ORDER BY g.company_seq, g.seq LIMIT 1) IS NOT NULL FROM companies c WHERE c.seq = ",
    );
    statement.int(company.0).sql(
        " AND (SELECT o.seq FROM organizations o WHERE o.company_seq BETWEEN c.seq AND c.seq \
         ORDER BY o.company_seq, o.seq LIMIT 1) IS NOT NULL",
    );
    let row: Option<(String, bool)> =
        statement.known::<Ask, (Text, Bool)>().get_result(conn).optional()?;
    Ok(row.map(|(settings, has_groups)| {
        // Written by us; what does not read is as it is by default.
        let settings = serde_json::from_str(&settings).unwrap_or_default();
        Gate { settings, has_groups }
    }))
}

/// A user as team sync sees them.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The storage key.
    pub seq: i64,
    /// The id.
    pub id: String,
    /// The causes of the status.
    pub causes: Causes,
    /// Who made the user.
    pub origin: Origin,
    /// Whether the user is an account admin.
    pub account_admin: bool,
    /// Where what the user came through counts: 0 is every organization.
    pub linked: Vec<i64>,
    /// The groups of the last login; `None`: no login has named any.
    pub claim: Option<Vec<String>>,
    /// When that login was.
    pub claimed_at: Option<Timestamp>,
}

impl Person {
    /// Whether the user came through a connection that counts in this organization (row 58).
    pub fn came_to(&self, organization: OrganizationSeq) -> bool {
        self.linked.iter().any(|seq| [0, organization.0].contains(seq))
    }
}

/// These users of the company, kept from other writers where `lock` says so, so that of two changes of
/// one user's groups the later sees the earlier.
///
/// # Errors
/// The database's.
pub fn people(
    conn: &mut DbConn,
    company: CompanySeq,
    users: &[i64],
    lock: bool,
) -> QueryResult<Vec<Person>> {
    let dialect = Dialect::of(conn);
    let (joined, end) = dialect.joined();
    let mut statement = Statement::new(
        "SELECT u.seq, u.id, u.active, u.admin_deactivated, u.unmapped, u.activated_at, u.origin, \
         r.role, c.groups, c.observed_at, (SELECT ",
    );
    statement.sql(joined).sql("coalesce(n.organization_seq, 0)").sql(end);
    statement.sql(identities::COUNTING).sql(
        "i.user_seq = u.seq) FROM users u \
         LEFT JOIN company_roles r ON r.user_seq = u.seq \
         LEFT JOIN user_claims c ON c.user_seq = u.seq WHERE ",
    );
    statement.append(dialect.any_of("u.seq", users)).sql(" AND ").sql(dialect.aside());
    statement.sql("u.company_seq = ").int(company.0).sql(" ORDER BY u.seq");
    if lock && dialect.locks_rows() {
        statement.sql(dialect.lock(Lock::Change)).sql(" OF u");
    }
    let rows: Vec<PersonRow> = statement.rows::<PersonTypes>().load(conn)?;
    Ok(rows.into_iter().map(person).collect())
}

type PersonTypes = (
    (BigInt, Text),
    (Bool, Bool, Bool, Nullable<BigInt>),
    (SmallInt, Nullable<Text>, Nullable<Text>, Nullable<BigInt>, Nullable<Text>),
);
type PersonRow = (
    (i64, String),
    (bool, bool, bool, Option<i64>),
    (i16, Option<String>, Option<String>, Option<i64>, Option<String>),
);

fn person(((seq, id), causes, (origin, role, groups, at, linked)): PersonRow) -> Person {
    let (active, admin_deactivated, unmapped, activated) = causes;
    let activated_at = activated.map(time);
    Person {
        seq,
        id,
        causes: Causes { active, admin_deactivated, unmapped, activated_at },
        origin: Origin::from_code(origin),
        account_admin: role.as_deref() == Some("admin"),
        linked: linked
            .iter()
            .flat_map(|all| all.split(','))
            .filter_map(|n| n.parse().ok())
            .collect(),
        claim: groups.and_then(|groups| serde_json::from_str(&groups).ok()),
        claimed_at: at.map(time),
    }
}

/// An organization as team sync sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The storage key.
    pub seq: OrganizationSeq,
    /// The id.
    pub id: String,
    /// Whether everybody who is ACTIVE may enter.
    pub automatic: bool,
    /// What they are there then.
    pub default_role: Role,
}

type PlaceTypes = (BigInt, Text, Bool, Text);
type PlaceRow = (i64, String, bool, String);

fn place((seq, id, automatic, role): PlaceRow) -> Place {
    let default_role = role.parse().unwrap_or(Role::Member);
    Place { seq: OrganizationSeq(seq), id, automatic, default_role }
}

/// The organizations that everybody who is ACTIVE may enter.
///
/// # Errors
/// The database's.
pub fn automatic(conn: &mut DbConn, company: CompanySeq) -> QueryResult<Vec<Place>> {
    let mut statement = Statement::new(
        "SELECT seq, id, automatic_user_access, default_role FROM organizations \
         WHERE automatic_user_access AND company_seq = ",
    );
    statement.int(company.0).sql(" ORDER BY seq");
    let rows: Vec<PlaceRow> = statement.rows::<PlaceTypes>().load(conn)?;
    Ok(rows.into_iter().map(place).collect())
}

/// These organizations.
///
/// # Errors
/// The database's.
pub fn places(conn: &mut DbConn, company: CompanySeq, seqs: &[i64]) -> QueryResult<Vec<Place>> {
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new(
        "SELECT seq, id, automatic_user_access, default_role FROM organizations WHERE ",
    );
    statement.append(dialect.any_of("seq", seqs)).sql(" AND ").sql(dialect.aside());
    statement.sql("company_seq = ").int(company.0).sql(" ORDER BY seq");
    let rows: Vec<PlaceRow> = statement.rows::<PlaceTypes>().load(conn)?;
    Ok(rows.into_iter().map(place).collect())
}

/// What these users are in which organizations.
///
/// # Errors
/// The database's.
pub fn entries(
    conn: &mut DbConn,
    company: CompanySeq,
    users: &[i64],
) -> QueryResult<Vec<(i64, Place, Entry)>> {
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new(
        "SELECT o.seq, o.id, o.automatic_user_access, o.default_role, m.user_seq, m.role, m.source, \
         m.deactivated, m.unmapped FROM organization_members m CROSS JOIN organizations o \
         WHERE o.seq = m.organization_seq AND ",
    );
    statement.append(dialect.any_of("m.user_seq", users)).sql(" AND ").sql(dialect.aside());
    statement.sql("m.company_seq = ").int(company.0);
    type Rest = (BigInt, Text, Text, Bool, Bool);
    type Row = (PlaceRow, (i64, String, String, bool, bool));
    let rows: Vec<Row> = statement.rows::<(PlaceTypes, Rest)>().load(conn)?;
    let read = |(at, (user, role, source, deactivated, unmapped)): Row| {
        let (automatic, by_mapping) = (source == "automatic", source == "mapping");
        let role = role.parse().unwrap_or(Role::Member);
        (user, place(at), Entry { role, automatic, by_mapping, deactivated, unmapped })
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Gives rows among the members to those whom a mapping lets in, or another role to those who have one
/// of a mapping: as (organization, user, role).
///
/// # Errors
/// The database's.
pub fn assign(
    conn: &mut DbConn,
    company: CompanySeq,
    rows: &[(OrganizationSeq, i64, Role)],
    now: Timestamp,
) -> QueryResult<()> {
    for chunk in rows.chunks(CHUNK) {
        let mut statement = Statement::new(
            "INSERT INTO organization_members (organization_seq, user_seq, company_seq, role, source, \
             deactivated, unmapped, status_changed_at, created_at, updated_at) VALUES ",
        );
        for (i, (organization, user, role)) in chunk.iter().enumerate() {
            let now = micros(now);
            statement
                .sql(if i == 0 { "(" } else { ", (" })
                .int(organization.0)
                .sql(", ")
                .int(*user);
            statement.sql(", ").int(company.0).sql(", ").text(role.name());
            statement.sql(", 'mapping', FALSE, FALSE, ").int(now).sql(", ").int(now).sql(", ");
            statement.int(now).sql(")");
        }
        statement.sql(
            " ON CONFLICT (organization_seq, user_seq) DO UPDATE SET role = excluded.role, \
             source = 'mapping', updated_at = excluded.updated_at",
        );
        if chunk.len() > 1 {
            statement.one_off();
        }
        statement.run(conn)?;
    }
    Ok(())
}

/// Says of members, as (organization, user), whether no mapped group is left; ends the sessions there of
/// those of whom it is so.
///
/// # Errors
/// The database's.
pub fn set_member_unmapped(
    conn: &mut DbConn,
    company: CompanySeq,
    members: &[(OrganizationSeq, i64)],
    (unmapped, now): (bool, Timestamp),
) -> QueryResult<()> {
    for chunk in members.chunks(CHUNK) {
        let mut update = Statement::new("UPDATE organization_members SET unmapped = ");
        update.bool(unmapped).sql(", status_changed_at = ").int(micros(now));
        update.sql(", updated_at = ").int(micros(now)).append(of(conn, company, chunk));
        update.run(conn)?;
        if unmapped {
            let mut end = Statement::new("UPDATE sessions SET ended_at = ");
            end.int(micros(now)).sql(", end_reason = 'no_mapped_group'");
            end.append(of(conn, company, chunk)).sql(" AND ended_at IS NULL");
            end.run(conn)?;
        }
    }
    Ok(())
}

fn of(conn: &DbConn, company: CompanySeq, pairs: &[(OrganizationSeq, i64)]) -> Statement {
    let mut statement = Statement::new(" WHERE ");
    statement.sql(Dialect::of(conn).aside()).sql("company_seq = ").int(company.0);
    let rows = pairs.iter().map(|(organization, user)| {
        vec![Statement::of_int(*user), Statement::of_int(organization.0)]
    });
    let these = Dialect::of(conn).is_among(&["user_seq", "organization_seq"], rows.collect());
    statement.sql(" AND (").append(these).sql(")");
    if pairs.len() > 1 {
        statement.one_off();
    }
    statement
}

/// Says of users whether no mapped group is left in all the company, and ends the sessions of those of
/// whom it is so.
///
/// # Errors
/// The database's.
pub fn set_user_unmapped(
    conn: &mut DbConn,
    company: CompanySeq,
    users: &[i64],
    (unmapped, now): (bool, Timestamp),
) -> QueryResult<()> {
    if users.is_empty() {
        return Ok(());
    }
    let dialect = Dialect::of(conn);
    let mut update = Statement::new("UPDATE users SET unmapped = ");
    update.bool(unmapped).sql(", version = version + 1, last_modified = ").int(micros(now));
    update.sql(", status_changed_at = ").int(micros(now)).sql(" WHERE ");
    update.append(dialect.any_of("seq", users)).sql(" AND ").sql(dialect.aside());
    update.sql("company_seq = ").int(company.0);
    update.run(conn)?;
    if unmapped {
        let mut end = Statement::new("UPDATE sessions SET ended_at = ");
        end.int(micros(now)).sql(", end_reason = 'no_mapped_group' WHERE ");
        end.append(dialect.any_of("user_seq", users)).sql(" AND ").sql(dialect.aside());
        end.sql("company_seq = ").int(company.0).sql(" AND ended_at IS NULL");
        end.run(conn)?;
    }
    Ok(())
}

/// Ends every deactivation for lack of a mapped group: the company does not go by mappings any more.
///
/// # Errors
/// The database's.
pub fn forget_mapping(conn: &mut DbConn, company: CompanySeq, now: Timestamp) -> QueryResult<()> {
    let now = micros(now);
    let mut users = Statement::new("UPDATE users SET unmapped = FALSE, version = version + 1, ");
    users.sql("status_changed_at = ").int(now).sql(", last_modified = ").int(now);
    users.sql(" WHERE company_seq = ").int(company.0).sql(" AND unmapped");
    users.run(conn)?;
    let mut members = Statement::new("UPDATE organization_members SET unmapped = FALSE, ");
    members.sql("status_changed_at = ").int(now).sql(", updated_at = ").int(now);
    members.sql(" WHERE organization_seq IN (SELECT seq FROM organizations WHERE company_seq = ");
    members.int(company.0).sql(") AND unmapped");
    members.run(conn).map(drop)
}
