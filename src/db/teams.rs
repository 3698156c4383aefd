//! The table of teams.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use jiff::Timestamp;

use crate::domain::id::CompanySeq;
use crate::domain::organization::{Organization, OrganizationSeq};
use crate::domain::team::{Provider, Team};

use super::dialect::Dialect;
use super::statement::Statement;
use super::{DbConn, micros, time};

/// Most rows of one statement that names each of them.
const CHUNK: usize = 200;

const COLUMNS: &str = "t.seq, t.id, t.company_seq, t.organization_seq, t.name, t.description, \
     t.provider, t.group_seq, t.created_at, t.updated_at";

type Types = (BigInt, Text, BigInt, BigInt, Text, Text, Text, Nullable<BigInt>, BigInt, BigInt);
type Row = (i64, String, i64, i64, String, String, String, Option<i64>, i64, i64);

fn from_row(row: Row) -> Team {
    let (seq, id, company, organization, name, description, provider, group, created, updated) =
        row;
    Team {
        seq,
        id,
        company: CompanySeq(company),
        organization: OrganizationSeq(organization),
        name,
        description,
        // Written by us from the same enum; of an unknown one nobody here is the owner.
        provider: provider.parse().unwrap_or(Provider::Scim),
        group,
        created_at: time(created),
        updated_at: time(updated),
    }
}

/// A team with how many people are in it.
pub type Sized = (Team, i64);

fn select_in(organization: &Organization) -> Statement {
    let mut statement = Statement::new("SELECT ");
    statement.sql(COLUMNS).sql(
        ", (SELECT count(DISTINCT m.user_seq) FROM team_members m WHERE m.team_seq = t.seq) \
         FROM teams t WHERE t.organization_seq = ",
    );
    statement.int(organization.seq.0).sql(" AND t.company_seq = ").int(organization.company.0);
    statement
}

/// The organization's team with this id, and how many people are in it.
///
/// # Errors
/// The database's.
pub fn find(
    conn: &mut DbConn,
    organization: &Organization,
    id: &str,
) -> QueryResult<Option<Sized>> {
    let mut statement = select_in(organization);
    statement.sql(" AND t.id = ").text(id);
    let row: Option<(Row, i64)> =
        statement.rows::<(Types, BigInt)>().get_result(conn).optional()?;
    Ok(row.map(|(row, size)| (from_row(row), size)))
}

/// The organization's teams behind this id, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    organization: &Organization,
    (after, limit): (&str, i64),
) -> QueryResult<Vec<Sized>> {
    let mut statement = select_in(organization);
    statement.sql(" AND t.id > ").text(after).sql(" ORDER BY t.id LIMIT ").int(limit);
    let rows: Vec<(Row, i64)> = statement.rows::<(Types, BigInt)>().load(conn)?;
    Ok(rows.into_iter().map(|(row, size)| (from_row(row), size)).collect())
}

/// The names of these teams, by storage key.
///
/// # Errors
/// The database's.
pub fn names(
    conn: &mut DbConn,
    company: CompanySeq,
    seqs: &[i64],
) -> QueryResult<HashMap<i64, String>> {
    if seqs.is_empty() {
        return Ok(HashMap::new());
    }
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new("SELECT seq, name FROM teams WHERE ");
    statement.append(dialect.any_of("seq", seqs)).sql(" AND ").sql(dialect.aside());
    statement.sql("company_seq = ").int(company.0);
    let rows: Vec<(i64, String)> = statement.rows::<(BigInt, Text)>().load(conn)?;
    Ok(rows.into_iter().collect())
}

/// The organization's teams with these ids.
///
/// # Errors
/// The database's.
pub fn by_ids(
    conn: &mut DbConn,
    organization: &Organization,
    ids: &[&str],
) -> QueryResult<Vec<Team>> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(COLUMNS).sql(" FROM ").append(Dialect::of(conn).texts(ids, "l"));
    statement.sql(" CROSS JOIN teams t WHERE t.id = l.value AND t.organization_seq = ");
    statement.int(organization.seq.0).sql(" AND t.company_seq = ").int(organization.company.0);
    let rows: Vec<Row> = statement.rows::<Types>().load(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Stores new teams; one that is there already, by its name or its group, stays as it is.
///
/// # Errors
/// The database's.
pub fn insert_missing(conn: &mut DbConn, teams: &[Team]) -> QueryResult<usize> {
    let mut made = 0;
    for chunk in teams.chunks(CHUNK) {
        let mut statement = Statement::new(
            "INSERT INTO teams (id, company_seq, organization_seq, name, description, provider, \
             group_seq, created_at, updated_at) VALUES ",
        );
        for (i, team) in chunk.iter().enumerate() {
            statement.sql(if i == 0 { "(" } else { ", (" }).text(team.id.as_str()).sql(", ");
            statement.int(team.company.0).sql(", ").int(team.organization.0).sql(", ");
            statement.text(team.name.as_str()).sql(", ").text(team.description.as_str());
            statement.sql(", ").text(team.provider.name()).sql(", ").maybe_int(team.group);
            statement.sql(", ").int(micros(team.created_at)).sql(", ");
            statement.int(micros(team.updated_at)).sql(")");
        }
        statement.sql(" ON CONFLICT DO NOTHING");
        if chunk.len() > 1 {
            statement.one_off();
        }
        made += statement.run(conn)?;
    }
    Ok(made)
}

/// Stores a new local team.
///
/// # Errors
/// A unique violation where the organization has a local team of this name.
pub fn insert(conn: &mut DbConn, team: &Team) -> QueryResult<i64> {
    use super::schema::teams as t;
    diesel::insert_into(t::table)
        .values((
            t::id.eq(&team.id),
            t::company_seq.eq(team.company.0),
            t::organization_seq.eq(team.organization.0),
            t::name.eq(&team.name),
            t::description.eq(&team.description),
            t::provider.eq(team.provider.name()),
            t::group_seq.eq(team.group),
            t::created_at.eq(micros(team.created_at)),
            t::updated_at.eq(micros(team.updated_at)),
        ))
        .returning(t::seq)
        .get_result(conn)
}

/// Stores the name and description of a team.
///
/// # Errors
/// A unique violation where the organization has another local team of this name.
pub fn update(conn: &mut DbConn, team: &Team) -> QueryResult<()> {
    use super::schema::teams as t;
    let row = t::table.filter(t::seq.eq(team.seq)).filter(t::company_seq.eq(team.company.0));
    let set = (
        t::name.eq(&team.name),
        t::description.eq(&team.description),
        t::updated_at.eq(micros(team.updated_at)),
    );
    diesel::update(row).set(set).execute(conn).map(drop)
}

/// Removes teams with their members; their mappings go with them.
///
/// # Errors
/// The database's.
pub fn delete(conn: &mut DbConn, company: CompanySeq, teams: &[i64]) -> QueryResult<()> {
    if teams.is_empty() {
        return Ok(());
    }
    for (table, column) in [("team_members", "team_seq"), ("teams", "seq")] {
        let mut statement = Statement::new("DELETE FROM ");
        statement.sql(table).sql(" WHERE ").append(Dialect::of(conn).any_of(column, teams));
        statement.sql(" AND ").sql(Dialect::of(conn).aside()).sql("company_seq = ").int(company.0);
        statement.run(conn)?;
    }
    Ok(())
}

/// The teams of these organizations that follow these groups of the directory.
///
/// # Errors
/// The database's.
pub fn of_groups(
    conn: &mut DbConn,
    company: CompanySeq,
    groups: &[i64],
    organizations: Option<&[i64]>,
) -> QueryResult<Vec<Team>> {
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new("SELECT ");
    statement
        .sql(COLUMNS)
        .sql(" FROM teams t WHERE ")
        .append(dialect.any_of("t.group_seq", groups));
    if let Some(organizations) = organizations {
        statement.sql(" AND ").append(dialect.any_of("t.organization_seq", organizations));
    }
    statement.sql(" AND ").sql(dialect.aside()).sql("t.company_seq = ").int(company.0);
    let rows: Vec<Row> = statement.rows::<Types>().load(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// The teams of these organizations that claims made under these names.
///
/// # Errors
/// The database's.
pub fn of_claims(
    conn: &mut DbConn,
    company: CompanySeq,
    names: &[&str],
    organizations: &[i64],
) -> QueryResult<Vec<Team>> {
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new("SELECT ");
    statement.sql(COLUMNS).sql(" FROM ").append(dialect.texts(names, "l"));
    statement.sql(" CROSS JOIN teams t WHERE t.provider = 'sso' AND t.name = l.value AND ");
    statement.append(dialect.any_of("t.organization_seq", organizations));
    statement.sql(" AND ").sql(dialect.aside()).sql("t.company_seq = ").int(company.0);
    let rows: Vec<Row> = statement.rows::<Types>().load(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Gives the teams that follow a group its new name.
///
/// # Errors
/// The database's.
pub fn rename(
    conn: &mut DbConn,
    company: CompanySeq,
    group: i64,
    (name, now): (&str, Timestamp),
) -> QueryResult<usize> {
    let mut statement = Statement::new("UPDATE teams SET name = ");
    statement.text(name).sql(", updated_at = ").int(micros(now));
    statement.sql(" WHERE group_seq = ").int(group).sql(" AND ");
    statement.sql(Dialect::of(conn).aside()).sql("company_seq = ").int(company.0);
    statement.run(conn)
}

/// Those of these synced teams in which nobody is.
///
/// # Errors
/// The database's.
pub fn empty_among(
    conn: &mut DbConn,
    company: CompanySeq,
    teams: &[i64],
) -> QueryResult<Vec<Team>> {
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new("SELECT ");
    statement.sql(COLUMNS).sql(" FROM teams t WHERE ").append(dialect.any_of("t.seq", teams));
    statement.sql(" AND t.provider <> 'manual' AND ").sql(dialect.aside());
    statement.sql("t.company_seq = ").int(company.0);
    statement.sql(" AND NOT EXISTS (SELECT 1 FROM team_members m WHERE m.team_seq = t.seq)");
    let rows: Vec<Row> = statement.rows::<Types>().load(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}
