//! The table of companies, and what hangs on one: its custom schemas.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::domain::company::{Company, Plan};
use crate::domain::id::CompanySeq;

use super::dialect::{Dialect, Lock};
use super::schema::{companies as t, scim_schemas as s};
use super::statement::Statement;
use super::{DbConn, micros, time, values};

type Row =
    (i64, String, String, String, String, bool, i64, Option<String>, bool, bool, String, i64);

fn from_row(row: Row) -> Company {
    let (
        seq,
        id,
        slug,
        name,
        plan,
        scim_enabled,
        created_at,
        region,
        multi_org,
        self_serve,
        settings,
        version,
    ) = row;
    Company {
        seq: CompanySeq(seq),
        id,
        slug,
        name,
        // Written by us from the same enum; an unknown one opens nothing.
        plan: plan.parse().unwrap_or(Plan::Free),
        scim_enabled,
        created_at: time(created_at),
        region,
        multi_org,
        self_serve_sso: self_serve,
        // Written by us from the same type; what does not read is what was never set.
        settings: serde_json::from_str(&settings).unwrap_or_default(),
        version,
    }
}

fn settings(company: &Company) -> String {
    serde_json::to_string(&company.settings).unwrap_or_else(|_| "{}".to_owned())
}

/// Stores a new company; its `seq` is not looked at.
///
/// # Errors
/// A unique violation where the slug is taken.
pub fn insert(conn: &mut DbConn, company: &Company) -> QueryResult<CompanySeq> {
    diesel::insert_into(t::table)
        .values((
            t::id.eq(&company.id),
            t::slug.eq(&company.slug),
            t::name.eq(&company.name),
            t::plan.eq(company.plan.name()),
            t::scim_enabled.eq(company.scim_enabled),
            t::created_at.eq(micros(company.created_at)),
            t::region.eq(&company.region),
            t::multi_org.eq(company.multi_org),
            t::self_serve_sso.eq(company.self_serve_sso),
            t::settings.eq(settings(company)),
            t::version.eq(company.version),
        ))
        .returning(t::seq)
        .get_result(conn)
        .map(CompanySeq)
}

/// Stores a changed company if its stored version is still `company.version`, and counts that up.
///
/// `false`: somebody else changed it since.
///
/// # Errors
/// The database's.
pub fn update(conn: &mut DbConn, company: &mut Company) -> QueryResult<bool> {
    let row = t::table.filter(t::seq.eq(company.seq.0)).filter(t::version.eq(company.version));
    let changed = diesel::update(row)
        .set((
            t::name.eq(&company.name),
            t::plan.eq(company.plan.name()),
            t::scim_enabled.eq(company.scim_enabled),
            t::region.eq(&company.region),
            t::multi_org.eq(company.multi_org),
            t::self_serve_sso.eq(company.self_serve_sso),
            t::settings.eq(settings(company)),
            t::version.eq(company.version + 1),
        ))
        .execute(conn)?;
    company.version += 1;
    Ok(changed == 1)
}

/// Companies behind this id, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn page(conn: &mut DbConn, after: &str, limit: i64) -> QueryResult<Vec<Company>> {
    let rows = t::table.filter(t::id.gt(after)).order(t::id).limit(limit).load::<Row>(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// The company with this id or slug.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, id_or_slug: &str) -> QueryResult<Option<Company>> {
    t::table
        .filter(t::id.eq(id_or_slug).or(t::slug.eq(id_or_slug)))
        .first::<Row>(conn)
        .optional()
        .map(|row| row.map(from_row))
}

/// The company with this storage key.
///
/// # Errors
/// The database's.
pub fn find_by_seq(conn: &mut DbConn, seq: CompanySeq) -> QueryResult<Option<Company>> {
    t::table.filter(t::seq.eq(seq.0)).first::<Row>(conn).optional().map(|row| row.map(from_row))
}

/// Makes other units of work that change what belongs to the company as a whole wait.
///
/// # Errors
/// The database's.
pub fn lock(conn: &mut DbConn, seq: CompanySeq) -> QueryResult<()> {
    let dialect = Dialect::of(conn);
    if !dialect.locks_rows() {
        return Ok(());
    }
    let mut statement = Statement::new("SELECT seq FROM companies WHERE seq = ");
    statement.int(seq.0).sql(dialect.lock(Lock::Change));
    statement.rows::<BigInt>().load::<i64>(conn).map(drop)
}

/// All companies, the oldest first.
///
/// # Errors
/// The database's.
pub fn list(conn: &mut DbConn) -> QueryResult<Vec<Company>> {
    let rows = t::table.order(t::seq).load::<Row>(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Tables of a company's rows that no foreign key removes with it. The counts come last: while they are held,
/// those of other companies are not brought together.
const OWNED: [&str; 20] = [
    "users",
    "groups",
    "shown_groups",
    "company_roles",
    "organization_members",
    "invitations",
    "team_members",
    "team_syncs",
    "teams",
    "team_mappings",
    "claimed_groups",
    "user_claims",
    "oauth_grants",
    "logout_notices",
    "login_attempts",
    "departed",
    "sessions",
    "saml_assertions",
    "saml_names",
    "resource_counts",
];

/// Removes a company and everything that it owns but its events, which tell that it is gone.
///
/// # Errors
/// The database's.
pub fn delete(conn: &mut DbConn, company: CompanySeq) -> QueryResult<()> {
    values::delete_company(conn, company)?;
    for table in OWNED {
        let mut statement = Statement::new("DELETE FROM ");
        statement.sql(table).sql(" WHERE company_seq = ").int(company.0);
        statement.run(conn)?;
    }
    diesel::delete(t::table.filter(t::seq.eq(company.0))).execute(conn).map(drop)
}

/// The custom schemas of a company, as (resource type, document), in the order of registration.
///
/// # Errors
/// The database's.
pub fn schemas(conn: &mut DbConn, company: CompanySeq) -> QueryResult<Vec<(String, String)>> {
    s::table
        .filter(s::company_seq.eq(company.0))
        .order((s::created_at, s::urn_key))
        .select((s::resource_type, s::document))
        .load(conn)
}

/// Registers a custom schema.
///
/// # Errors
/// A unique violation where the company has one of this URN.
pub fn insert_schema(
    conn: &mut DbConn,
    company: CompanySeq,
    (urn_key, resource_type): (&str, &str),
    document: &str,
    now: i64,
) -> QueryResult<()> {
    diesel::insert_into(s::table)
        .values((
            s::company_seq.eq(company.0),
            s::urn_key.eq(urn_key),
            s::resource_type.eq(resource_type),
            s::document.eq(document),
            s::created_at.eq(now),
        ))
        .execute(conn)
        .map(drop)
}

/// Takes a custom schema back; `false` where there is none of this URN.
///
/// # Errors
/// The database's.
pub fn delete_schema(conn: &mut DbConn, company: CompanySeq, urn_key: &str) -> QueryResult<bool> {
    let rows = s::table.filter(s::company_seq.eq(company.0)).filter(s::urn_key.eq(urn_key));
    diesel::delete(rows).execute(conn).map(|n| n == 1)
}
