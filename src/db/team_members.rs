//! The table of team members: a row for each team, user and origin.

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use jiff::Timestamp;

use crate::domain::id::CompanySeq;
use crate::domain::organization::OrganizationSeq;
use crate::domain::projection::Held;
use crate::domain::team::{Provider, Team};

use super::dialect::Dialect;
use super::statement::Statement;
use super::{DbConn, micros};

/// Most rows of one statement that names each of them.
const CHUNK: usize = 200;

/// A membership to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMember {
    /// The team.
    pub team: i64,
    /// The user.
    pub user: i64,
    /// Who writes it.
    pub origin: Provider,
    /// Where the team is.
    pub organization: OrganizationSeq,
}

/// The memberships of these users, as (user, organization, what is held).
///
/// # Errors
/// The database's.
pub fn of_users(
    conn: &mut DbConn,
    company: CompanySeq,
    users: &[i64],
) -> QueryResult<Vec<(i64, OrganizationSeq, Held)>> {
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new(
        "SELECT m.user_seq, m.organization_seq, t.seq, t.name, t.provider, t.group_seq, m.origin \
         FROM team_members m CROSS JOIN teams t WHERE t.seq = m.team_seq AND ",
    );
    statement.append(dialect.any_of("m.user_seq", users)).sql(" AND ").sql(dialect.aside());
    statement.sql("m.company_seq = ").int(company.0);
    type Types = (BigInt, BigInt, BigInt, Text, Text, Nullable<BigInt>, Text);
    type Row = (i64, i64, i64, String, String, Option<i64>, String);
    let rows: Vec<Row> = statement.rows::<Types>().load(conn)?;
    let read = |(user, organization, team, name, provider, group, origin): Row| {
        // What does not read is the IdP's, and no person's to change.
        let provider = provider.parse().unwrap_or(Provider::Scim);
        let origin = origin.parse().unwrap_or(Provider::Scim);
        (user, OrganizationSeq(organization), Held { team, name, provider, group, origin })
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Stores memberships; one that is there already stays as it is. How many are new.
///
/// # Errors
/// The database's.
pub fn insert(
    conn: &mut DbConn,
    company: CompanySeq,
    members: &[NewMember],
    now: Timestamp,
) -> QueryResult<usize> {
    let mut made = 0;
    for chunk in members.chunks(CHUNK) {
        let mut statement = Statement::new(
            "INSERT INTO team_members (team_seq, user_seq, origin, organization_seq, company_seq, \
             created_at) VALUES ",
        );
        for (i, member) in chunk.iter().enumerate() {
            statement.sql(if i == 0 { "(" } else { ", (" }).int(member.team).sql(", ");
            statement.int(member.user).sql(", ").text(member.origin.name()).sql(", ");
            statement.int(member.organization.0).sql(", ").int(company.0).sql(", ");
            statement.int(micros(now)).sql(")");
        }
        statement.sql(" ON CONFLICT DO NOTHING");
        if chunk.len() > 1 {
            statement.one_off();
        }
        made += statement.run(conn)?;
    }
    Ok(made)
}

/// Ends memberships, each named by team, user and origin.
///
/// # Errors
/// The database's.
pub fn delete(
    conn: &mut DbConn,
    company: CompanySeq,
    members: &[(i64, i64, Provider)],
) -> QueryResult<usize> {
    let mut gone = 0;
    for chunk in members.chunks(CHUNK) {
        let mut statement = Statement::new("DELETE FROM team_members WHERE ");
        statement.sql(Dialect::of(conn).aside()).sql("company_seq = ").int(company.0);
        let rows = chunk.iter().map(|(team, user, origin)| {
            vec![
                Statement::of_int(*team),
                Statement::of_int(*user),
                Statement::of_text(origin.name()),
            ]
        });
        let columns = ["team_seq", "user_seq", "origin"];
        let these = Dialect::of(conn).is_among(&columns, rows.collect());
        statement.sql(" AND (").append(these).sql(")");
        if chunk.len() > 1 {
            statement.one_off();
        }
        gone += statement.run(conn)?;
    }
    Ok(gone)
}

/// A member of a team as a list shows it: the user's storage key and id, and every origin of it.
pub type Listed = (i64, String, Vec<Provider>);

/// Members of a team behind this user id, in the order of the ids.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    team: &Team,
    (after, limit): (&str, i64),
) -> QueryResult<Vec<Listed>> {
    let mut statement = Statement::new(
        "SELECT u.seq, u.id, max(CASE m.origin WHEN 'sso' THEN 1 ELSE 0 END), \
         max(CASE m.origin WHEN 'scim' THEN 1 ELSE 0 END), \
         max(CASE m.origin WHEN 'manual' THEN 1 ELSE 0 END) \
         FROM team_members m CROSS JOIN users u WHERE u.seq = m.user_seq AND m.team_seq = ",
    );
    statement.int(team.seq).sql(" AND ").sql(Dialect::of(conn).aside());
    statement.sql("m.company_seq = ").int(team.company.0).sql(" AND u.id > ").text(after);
    statement.sql(" GROUP BY u.seq, u.id ORDER BY u.id LIMIT ").int(limit);
    type Types = (BigInt, Text, Integer, Integer, Integer);
    let rows: Vec<(i64, String, i32, i32, i32)> = statement.rows::<Types>().load(conn)?;
    let read = |(seq, id, sso, scim, manual)| {
        let all = [(sso, Provider::Sso), (scim, Provider::Scim), (manual, Provider::Manual)];
        let origins = all.into_iter().filter(|(there, _)| *there == 1).map(|(_, origin)| origin);
        (seq, id, origins.collect())
    };
    Ok(rows.into_iter().map(read).collect())
}

/// The names of the teams that a user is in, in one organization.
///
/// # Errors
/// The database's.
pub fn names(
    conn: &mut DbConn,
    (company, organization): (CompanySeq, OrganizationSeq),
    user: i64,
) -> QueryResult<Vec<String>> {
    struct Names;
    let mut statement = Statement::new(
        "SELECT DISTINCT t.name FROM team_members m JOIN teams t ON t.seq = m.team_seq \
         WHERE m.user_seq = ",
    );
    statement.int(user).sql(" AND m.organization_seq = ").int(organization.0);
    statement.sql(" AND m.company_seq = ").int(company.0).sql(" ORDER BY t.name");
    statement.known::<Names, Text>().load(conn)
}
