//! The table of team mappings.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::domain::id::CompanySeq;
use crate::domain::organization::{Organization, OrganizationSeq};
use crate::domain::role::Role;
use crate::domain::team_mapping::TeamMapping;

use super::dialect::Dialect;
use super::statement::Statement;
use super::{DbConn, micros, time};

/// Most rows of one statement that names each of them.
const CHUNK: usize = 200;

const COLUMNS: &str = "p.id, p.company_seq, p.organization_seq, p.team_seq, p.group_name, \
     p.group_seq, p.role, p.created_at";

type Types = (Text, BigInt, BigInt, BigInt, Text, Nullable<BigInt>, Nullable<Text>, BigInt);
type Row = (String, i64, i64, i64, String, Option<i64>, Option<String>, i64);

fn from_row(row: Row) -> TeamMapping {
    let (id, company, organization, team, group_name, group, role, created_at) = row;
    TeamMapping {
        id,
        company: CompanySeq(company),
        organization: OrganizationSeq(organization),
        team,
        group_name,
        group,
        // Written by us from the same enum; what does not read gives the organization's default.
        role: role.and_then(|role| role.parse().ok()),
        created_at: time(created_at),
    }
}

/// The organization's mappings in the order of their making, each with its team's id.
///
/// # Errors
/// The database's.
pub fn list(
    conn: &mut DbConn,
    organization: &Organization,
) -> QueryResult<Vec<(TeamMapping, String)>> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(COLUMNS).sql(
        ", t.id FROM team_mappings p JOIN teams t ON t.seq = p.team_seq WHERE p.organization_seq = ",
    );
    statement.int(organization.seq.0).sql(" AND p.company_seq = ").int(organization.company.0);
    statement.sql(" ORDER BY p.created_at, p.id");
    let rows: Vec<(Row, String)> = statement.rows::<(Types, Text)>().load(conn)?;
    Ok(rows.into_iter().map(|(row, team)| (from_row(row), team)).collect())
}

/// Stores new mappings, each with the directory's group of its name where there is one.
///
/// # Errors
/// A unique violation where a team is mapped to a group already.
pub fn insert(conn: &mut DbConn, company: CompanySeq, all: &[TeamMapping]) -> QueryResult<()> {
    for chunk in all.chunks(CHUNK) {
        let mut statement = Statement::new(
            "INSERT INTO team_mappings (id, company_seq, organization_seq, team_seq, group_name, \
             role, created_at) VALUES ",
        );
        for (i, mapping) in chunk.iter().enumerate() {
            statement.sql(if i == 0 { "(" } else { ", (" }).text(mapping.id.as_str());
            statement.sql(", ").int(company.0).sql(", ").int(mapping.organization.0).sql(", ");
            statement.int(mapping.team).sql(", ").text(mapping.group_name.as_str()).sql(", ");
            statement.maybe_text(mapping.role.map(Role::name)).sql(", ");
            statement.int(micros(mapping.created_at)).sql(")");
        }
        statement.one_off();
        statement.run(conn)?;
    }
    let keys: Vec<String> =
        all.iter().map(|mapping| crate::scim::value::fold(&mapping.group_name)).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut groups = Statement::new("SELECT g.seq FROM ");
    groups.append(Dialect::of(conn).texts(&keys, "l"));
    groups.sql(" CROSS JOIN groups g WHERE g.display_name_key = l.value AND g.company_seq = ");
    groups.int(company.0);
    let groups: Vec<i64> = groups.rows::<BigInt>().load(conn)?;
    bind(conn, company, &groups).map(drop)
}

/// Whether a team of the company is mapped to more than one group.
///
/// # Errors
/// The database's.
pub fn any_doubled(conn: &mut DbConn, company: CompanySeq) -> QueryResult<bool> {
    let mut statement = Statement::new("SELECT team_seq FROM team_mappings WHERE company_seq = ");
    statement.int(company.0).sql(" GROUP BY team_seq HAVING count(*) > 1 LIMIT 1");
    let row: Option<i64> = statement.rows::<BigInt>().get_result(conn).optional()?;
    Ok(row.is_some())
}

/// Removes mappings of an organization: this one, or all.
///
/// # Errors
/// The database's.
pub fn delete(
    conn: &mut DbConn,
    organization: &Organization,
    id: Option<&str>,
) -> QueryResult<usize> {
    let mut statement = Statement::new("DELETE FROM team_mappings WHERE organization_seq = ");
    statement.int(organization.seq.0).sql(" AND company_seq = ").int(organization.company.0);
    if let Some(id) = id {
        statement.sql(" AND id = ").text(id);
    }
    statement.run(conn)
}

/// The company's mappings that name any of these groups, by the name or by what they are.
///
/// # Errors
/// The database's.
pub fn naming(
    conn: &mut DbConn,
    company: CompanySeq,
    (names, groups): (&[&str], &[i64]),
) -> QueryResult<Vec<TeamMapping>> {
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new("SELECT ");
    statement.sql(COLUMNS).sql(" FROM ").append(dialect.texts(names, "l"));
    statement.sql(" CROSS JOIN team_mappings p WHERE p.group_name = l.value AND p.company_seq = ");
    statement.int(company.0).sql(" UNION SELECT ").sql(COLUMNS).sql(" FROM team_mappings p WHERE ");
    statement.append(dialect.any_of("p.group_seq", groups)).sql(" AND ").sql(dialect.aside());
    statement.sql("p.company_seq = ").int(company.0);
    let rows: Vec<Row> = statement.rows::<Types>().load(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Whether the company has any mapping.
///
/// # Errors
/// The database's.
pub fn any(conn: &mut DbConn, company: CompanySeq) -> QueryResult<bool> {
    let mut statement = Statement::new("SELECT 1 FROM team_mappings WHERE company_seq = ");
    statement.int(company.0).sql(" LIMIT 1");
    let row: Option<i32> =
        statement.rows::<diesel::sql_types::Integer>().get_result(conn).optional()?;
    Ok(row.is_some())
}

/// Those of these organizations that have a mapping.
///
/// # Errors
/// The database's.
pub fn organizations(
    conn: &mut DbConn,
    company: CompanySeq,
    among: &[i64],
) -> QueryResult<Vec<OrganizationSeq>> {
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new("SELECT l.value FROM ");
    statement.append(dialect.numbers(among, "l"));
    statement
        .sql(" WHERE EXISTS (SELECT 1 FROM team_mappings p WHERE p.organization_seq = l.value");
    statement.sql(" AND ").sql(dialect.aside()).sql("p.company_seq = ").int(company.0).sql(")");
    let rows: Vec<i64> = statement.rows::<BigInt>().load(conn)?;
    Ok(rows.into_iter().map(OrganizationSeq).collect())
}

/// Ties mappings that only had a name to the groups of the directory that come with that name.
///
/// # Errors
/// The database's.
pub fn bind(conn: &mut DbConn, company: CompanySeq, groups: &[i64]) -> QueryResult<usize> {
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new(
        "UPDATE team_mappings SET group_seq = (SELECT g.seq FROM groups g \
         WHERE g.display_name = team_mappings.group_name AND ",
    );
    statement.append(dialect.any_of("g.seq", groups)).sql(" AND ").sql(dialect.aside());
    statement.sql("g.company_seq = ").int(company.0);
    statement.sql(") WHERE group_seq IS NULL AND company_seq = ").int(company.0);
    statement.sql(" AND group_name IN (SELECT g.display_name FROM groups g WHERE ");
    statement.append(dialect.any_of("g.seq", groups)).sql(" AND ").sql(dialect.aside());
    statement.sql("g.company_seq = ").int(company.0).sql(")");
    statement.run(conn)
}

/// Gives the mappings of a group its new name.
///
/// # Errors
/// The database's.
pub fn rename(
    conn: &mut DbConn,
    company: CompanySeq,
    (group, name): (i64, &str),
) -> QueryResult<usize> {
    let mut statement = Statement::new("UPDATE team_mappings SET group_name = ");
    statement.text(name).sql(" WHERE group_seq = ").int(group).sql(" AND ");
    statement.sql(Dialect::of(conn).aside()).sql("company_seq = ").int(company.0);
    // Where a team is mapped to both names, it is so by what is there.
    statement.sql(
        " AND NOT EXISTS (SELECT 1 FROM team_mappings o WHERE o.team_seq = team_mappings.team_seq \
         AND o.group_name = ",
    );
    statement.text(name).sql(")");
    statement.run(conn)
}

/// Leaves the mappings of a group that goes with its name alone.
///
/// # Errors
/// The database's.
pub fn unbind(conn: &mut DbConn, company: CompanySeq, group: i64) -> QueryResult<usize> {
    let mut statement =
        Statement::new("UPDATE team_mappings SET group_seq = NULL WHERE group_seq = ");
    statement.int(group).sql(" AND ").sql(Dialect::of(conn).aside());
    statement.sql("company_seq = ").int(company.0);
    statement.run(conn)
}
