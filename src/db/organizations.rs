//! The table of organizations.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use crate::domain::id::CompanySeq;
use crate::domain::organization::{Organization, OrganizationSeq};
use crate::domain::role::Role;

use super::schema::organizations as t;
use super::statement::Statement;
use super::{DbConn, micros, time};

/// The columns that make an [`Organization`], of the table alias `o`.
pub(super) const COLUMNS: &str = "o.seq, o.id, o.company_seq, o.slug, o.name, \
     o.automatic_user_access, o.default_role, o.created_at, o.updated_at, o.version";

/// The SQL types of [`COLUMNS`].
pub(super) type Types = (BigInt, Text, BigInt, Text, Text, Bool, Text, BigInt, BigInt, BigInt);

/// One row of [`COLUMNS`].
pub(super) type Row = (i64, String, i64, String, String, bool, String, i64, i64, i64);

pub(super) fn from_row(row: Row) -> Organization {
    let (seq, id, company, slug, name, automatic, role, created_at, updated_at, version) = row;
    Organization {
        seq: OrganizationSeq(seq),
        company: CompanySeq(company),
        id,
        slug,
        name,
        automatic_user_access: automatic,
        // Written by us from the same enum; an unknown one gives the least.
        default_role: role.parse().unwrap_or(Role::Member),
        created_at: time(created_at),
        updated_at: time(updated_at),
        version,
    }
}

/// Stores a new organization; its `seq` is not looked at.
///
/// # Errors
/// A unique violation where the company has one of this slug.
pub fn insert(conn: &mut DbConn, new: &Organization) -> QueryResult<OrganizationSeq> {
    diesel::insert_into(t::table)
        .values((
            t::id.eq(&new.id),
            t::company_seq.eq(new.company.0),
            t::slug.eq(&new.slug),
            t::name.eq(&new.name),
            t::automatic_user_access.eq(new.automatic_user_access),
            t::default_role.eq(new.default_role.name()),
            t::created_at.eq(micros(new.created_at)),
            t::updated_at.eq(micros(new.updated_at)),
            t::version.eq(new.version),
        ))
        .returning(t::seq)
        .get_result(conn)
        .map(OrganizationSeq)
}

/// The organization with this id, of whatever company: who may see it is the service's to say.
///
/// # Errors
/// The database's.
pub fn find_by_id(conn: &mut DbConn, id: &str) -> QueryResult<Option<Organization>> {
    t::table.filter(t::id.eq(id)).first::<Row>(conn).optional().map(|row| row.map(from_row))
}

/// The company's organization with this id or slug.
///
/// # Errors
/// The database's.
pub fn find(
    conn: &mut DbConn,
    company: CompanySeq,
    id_or_slug: &str,
) -> QueryResult<Option<Organization>> {
    t::table
        .filter(t::company_seq.eq(company.0))
        .filter(t::id.eq(id_or_slug).or(t::slug.eq(id_or_slug)))
        .first::<Row>(conn)
        .optional()
        .map(|row| row.map(from_row))
}

/// The company's organizations behind this id, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    company: CompanySeq,
    (after, limit): (&str, i64),
) -> QueryResult<Vec<Organization>> {
    let rows = t::table
        .filter(t::company_seq.eq(company.0))
        .filter(t::id.gt(after))
        .order(t::id)
        .limit(limit)
        .load::<Row>(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Those of these organizations that are the company's, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn some(
    conn: &mut DbConn,
    company: CompanySeq,
    seqs: &[OrganizationSeq],
) -> QueryResult<Vec<Organization>> {
    let seqs: Vec<i64> = seqs.iter().map(|seq| seq.0).collect();
    let mut statement = Statement::new("SELECT ");
    statement.sql(COLUMNS).sql(" FROM organizations o WHERE o.seq IN ").int_list(&seqs);
    statement.sql(" AND o.company_seq = ").int(company.0).sql(" ORDER BY o.id");
    let rows: Vec<Row> = statement.rows::<Types>().load(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// How many organizations the company has.
///
/// # Errors
/// The database's.
pub fn count(conn: &mut DbConn, company: CompanySeq) -> QueryResult<i64> {
    t::table.filter(t::company_seq.eq(company.0)).count().get_result(conn)
}

/// Stores a changed organization if its stored version is still `organization.version`, and counts that
/// up. `false`: somebody else changed it since.
///
/// # Errors
/// A unique violation where the company has one of this slug.
pub fn update(conn: &mut DbConn, organization: &mut Organization) -> QueryResult<bool> {
    let row = t::table
        .filter(t::seq.eq(organization.seq.0))
        .filter(t::company_seq.eq(organization.company.0))
        .filter(t::version.eq(organization.version));
    let changed = diesel::update(row)
        .set((
            t::slug.eq(&organization.slug),
            t::name.eq(&organization.name),
            t::automatic_user_access.eq(organization.automatic_user_access),
            t::default_role.eq(organization.default_role.name()),
            t::updated_at.eq(micros(organization.updated_at)),
            t::version.eq(organization.version + 1),
        ))
        .execute(conn)?;
    organization.version += 1;
    Ok(changed == 1)
}

/// Removes an organization with its members, teams, mappings and invitations.
///
/// # Errors
/// The database's.
pub fn delete(conn: &mut DbConn, organization: &Organization) -> QueryResult<()> {
    for table in ["organization_members", "team_members", "team_syncs"] {
        let mut statement = Statement::new("DELETE FROM ");
        statement.sql(table).sql(" WHERE organization_seq = ").int(organization.seq.0);
        statement.sql(" AND company_seq = ").int(organization.company.0);
        statement.run(conn)?;
    }
    let row = t::table
        .filter(t::seq.eq(organization.seq.0))
        .filter(t::company_seq.eq(organization.company.0));
    diesel::delete(row).execute(conn).map(drop)
}
