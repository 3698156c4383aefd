//! The table of domains: claimed by a company, verified for one at most.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use crate::domain::id::CompanySeq;
use crate::domain::verified_domain::{Domain, Strategy, lineage};

use super::schema::domains as t;
use super::statement::Statement;
use super::{DbConn, micros, time};

#[derive(Queryable)]
struct Row {
    id: String,
    company: i64,
    name: String,
    token: String,
    strategy: String,
    verified_at: Option<i64>,
    expires_at: i64,
    attempts: i64,
    last_checked_at: Option<i64>,
    last_seen: String,
    block_social_login: bool,
    include_subdomains: bool,
    created_at: i64,
    version: i64,
}

impl Row {
    fn into_domain(self) -> Domain {
        Domain {
            id: self.id,
            company: CompanySeq(self.company),
            name: self.name,
            token: self.token,
            strategy: Strategy::of(&self.strategy),
            verified_at: self.verified_at.map(time),
            expires_at: time(self.expires_at),
            attempts: self.attempts,
            last_checked_at: self.last_checked_at.map(time),
            last_seen: serde_json::from_str(&self.last_seen).unwrap_or_default(),
            block_social_login: self.block_social_login,
            include_subdomains: self.include_subdomains,
            created_at: time(self.created_at),
            version: self.version,
        }
    }
}

/// The company's domain with this name or id.
///
/// # Errors
/// The database's.
pub fn find(
    conn: &mut DbConn,
    company: CompanySeq,
    name_or_id: &str,
) -> QueryResult<Option<Domain>> {
    let mine = t::table.filter(t::company_seq.eq(company.0));
    let found = mine.filter(t::domain.eq(name_or_id).or(t::id.eq(name_or_id)));
    Ok(found.first(conn).optional()?.map(Row::into_domain))
}

/// The company's domains behind this id, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    company: CompanySeq,
    (after, limit): (&str, i64),
) -> QueryResult<Vec<Domain>> {
    let mine = t::table.filter(t::company_seq.eq(company.0)).filter(t::id.gt(after));
    let rows: Vec<Row> = mine.order(t::id).limit(limit).load(conn)?;
    Ok(rows.into_iter().map(Row::into_domain).collect())
}

/// How many domains the company has, and how many of them are verified.
///
/// # Errors
/// The database's.
pub fn counts(conn: &mut DbConn, company: CompanySeq) -> QueryResult<(i64, i64)> {
    let mut statement =
        Statement::new("SELECT count(*), count(verified_at) FROM domains WHERE company_seq = ");
    statement.int(company.0);
    statement.rows::<(BigInt, BigInt)>().get_result(conn)
}

/// The names of the company's domains, in their order.
///
/// # Errors
/// The database's.
pub fn names(conn: &mut DbConn, company: CompanySeq) -> QueryResult<Vec<String>> {
    t::table.filter(t::company_seq.eq(company.0)).order(t::domain).select(t::domain).load(conn)
}

/// The company's verified domains that include what is below them.
///
/// # Errors
/// The database's.
pub fn including(conn: &mut DbConn, company: CompanySeq) -> QueryResult<Vec<String>> {
    let mine = t::table.filter(t::company_seq.eq(company.0)).filter(t::verified_at.is_not_null());
    mine.filter(t::include_subdomains.eq(true)).select(t::domain).load(conn)
}

/// Stores a new claim.
///
/// # Errors
/// A unique violation where the company has it already.
pub fn insert(conn: &mut DbConn, domain: &Domain) -> QueryResult<()> {
    diesel::insert_into(t::table)
        .values((
            t::id.eq(&domain.id),
            t::company_seq.eq(domain.company.0),
            t::domain.eq(&domain.name),
            t::token.eq(&domain.token),
            t::strategy.eq(domain.strategy.name()),
            t::verified_at.eq(domain.verified_at.map(micros)),
            t::expires_at.eq(micros(domain.expires_at)),
            t::attempts.eq(domain.attempts),
            t::last_seen.eq("[]"),
            t::block_social_login.eq(domain.block_social_login),
            t::include_subdomains.eq(domain.include_subdomains),
            t::created_at.eq(micros(domain.created_at)),
            t::version.eq(domain.version),
        ))
        .execute(conn)
        .map(drop)
}

/// Stores a changed domain if its stored version is still `domain.version`, and counts that up.
///
/// `false`: somebody else changed it since.
///
/// # Errors
/// A unique violation where it is verified for another company.
pub fn update(conn: &mut DbConn, domain: &mut Domain) -> QueryResult<bool> {
    let row = t::table.filter(t::id.eq(&domain.id)).filter(t::company_seq.eq(domain.company.0));
    let changed = diesel::update(row.filter(t::version.eq(domain.version)))
        .set((
            t::strategy.eq(domain.strategy.name()),
            t::verified_at.eq(domain.verified_at.map(micros)),
            t::block_social_login.eq(domain.block_social_login),
            t::include_subdomains.eq(domain.include_subdomains),
            t::version.eq(domain.version + 1),
        ))
        .execute(conn)?;
    domain.version += 1;
    Ok(changed == 1)
}

/// Gives a claim up.
///
/// # Errors
/// The database's.
pub fn delete(conn: &mut DbConn, domain: &Domain) -> QueryResult<()> {
    let row = t::table.filter(t::id.eq(&domain.id)).filter(t::company_seq.eq(domain.company.0));
    diesel::delete(row).execute(conn).map(drop)
}

/// Whose a domain is, and what that means for a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The company for which it is verified.
    pub company: CompanySeq,
    /// The domain that was verified: itself, or one above it.
    pub domain: String,
    /// Whether its people may not come through a social connection: the company says so, and has an
    /// active connection that they can come through instead (row 46).
    pub blocks_social_login: bool,
}

/// Whose the domain of an address is: verified by itself, or through the nearest one above it that
/// includes what is below.
///
/// # Errors
/// The database's.
pub fn owner_of(conn: &mut DbConn, domain: &str) -> QueryResult<Option<Owner>> {
    let mut statement = Statement::new(
        "SELECT d.company_seq, d.domain, d.block_social_login AND EXISTS (SELECT 1 FROM connections c \
         WHERE c.company_seq = d.company_seq AND c.organization_seq IS NULL \
         AND c.deleted_at IS NULL AND NOT c.candidate AND c.state = 'active') \
         FROM domains d WHERE d.verified_at IS NOT NULL AND ",
    );
    statement.append(covers(domain)).sql(" ORDER BY length(d.domain) DESC LIMIT 1");
    let row: Option<(i64, String, bool)> =
        statement.rows::<(BigInt, Text, Bool)>().get_result(conn).optional()?;
    Ok(row.map(|(company, domain, blocks_social_login)| Owner {
        company: CompanySeq(company),
        domain,
        blocks_social_login,
    }))
}

/// Whether the domain of an address is verified for this company.
///
/// # Errors
/// The database's.
pub fn verified(conn: &mut DbConn, company: CompanySeq, domain: &str) -> QueryResult<bool> {
    let mut statement =
        Statement::new("SELECT d.company_seq FROM domains d WHERE d.verified_at IS NOT NULL AND ");
    statement.append(covers(domain)).sql(" AND d.company_seq = ").int(company.0).sql(" LIMIT 1");
    Ok(statement.rows::<BigInt>().get_result::<i64>(conn).optional()?.is_some())
}

/// Rows of `d` that speak for this domain.
fn covers(domain: &str) -> Statement {
    let names = lineage(domain);
    let mut statement = Statement::new("d.domain IN ");
    statement.text_list(names.iter().copied());
    statement.sql(" AND (d.include_subdomains OR d.domain = ").text(domain).sql(")");
    statement
}
