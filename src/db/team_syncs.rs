//! The table of the last team sync of each user in each organization.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use jiff::Timestamp;

use crate::domain::id::CompanySeq;
use crate::domain::organization::OrganizationSeq;

use super::dialect::Dialect;
use super::statement::Statement;
use super::{DbConn, micros, time};

/// Most rows of one statement that names each of them.
const CHUNK: usize = 200;

/// A sync as it is written down.
#[derive(Debug, Clone, PartialEq)]
pub struct Sync {
    /// Whose teams.
    pub user: i64,
    /// Where.
    pub organization: OrganizationSeq,
    /// What set it off.
    pub cause: &'static str,
    /// Who described the groups.
    pub source: &'static str,
    /// The names of the groups, as a JSON list; null where they were not known.
    pub groups_seen: String,
    /// Groups that gave no team, each with the reason, as JSON.
    pub dropped: String,
}

/// Writes syncs down in the place of the former ones.
///
/// # Errors
/// The database's.
pub fn keep(
    conn: &mut DbConn,
    company: CompanySeq,
    syncs: &[Sync],
    now: Timestamp,
) -> QueryResult<()> {
    for chunk in syncs.chunks(CHUNK) {
        let mut statement = Statement::new(
            "INSERT INTO team_syncs (user_seq, organization_seq, company_seq, cause, source, \
             groups_seen, dropped, synced_at) VALUES ",
        );
        for (i, sync) in chunk.iter().enumerate() {
            statement.sql(if i == 0 { "(" } else { ", (" }).int(sync.user).sql(", ");
            statement.int(sync.organization.0).sql(", ").int(company.0).sql(", ");
            statement.text(sync.cause).sql(", ").text(sync.source).sql(", ");
            statement.text(sync.groups_seen.as_str()).sql(", ").text(sync.dropped.as_str());
            statement.sql(", ").int(micros(now)).sql(")");
        }
        statement.sql(
            " ON CONFLICT (user_seq, organization_seq) DO UPDATE SET cause = excluded.cause, \
             source = excluded.source, groups_seen = excluded.groups_seen, \
             dropped = excluded.dropped, synced_at = excluded.synced_at",
        );
        if chunk.len() > 1 {
            statement.one_off();
        }
        statement.run(conn)?;
    }
    Ok(())
}

/// What set the last sync of a user in an organization off; `None`: there was none.
///
/// # Errors
/// The database's.
pub fn last(
    conn: &mut DbConn,
    company: CompanySeq,
    (user, organization): (i64, OrganizationSeq),
) -> QueryResult<Option<String>> {
    let mut statement = Statement::new("SELECT cause FROM team_syncs WHERE user_seq = ");
    statement.int(user).sql(" AND organization_seq = ").int(organization.0);
    statement.sql(" AND company_seq = ").int(company.0);
    statement.rows::<Text>().get_result(conn).optional()
}

/// The state of a user's teams in an organization.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The organization's storage key.
    pub organization: OrganizationSeq,
    /// The organization's id.
    pub id: String,
    /// What set the last sync off; `None`: there was none.
    pub cause: Option<String>,
    /// The names of the groups that it saw, as JSON.
    pub groups_seen: Option<String>,
    /// Groups that gave no team then, as JSON.
    pub dropped: Option<String>,
    /// When it was.
    pub synced_at: Option<Timestamp>,
}

/// The states of a user's teams behind this organization's id, in the order of the ids: where the user
/// was synced or has a team.
///
/// # Errors
/// The database's.
pub fn states(
    conn: &mut DbConn,
    company: CompanySeq,
    user: i64,
    (after, limit): (&str, i64),
) -> QueryResult<Vec<State>> {
    let mut statement = Statement::new(
        "SELECT o.seq, o.id, s.cause, s.groups_seen, s.dropped, s.synced_at FROM organizations o \
         LEFT JOIN team_syncs s ON s.organization_seq = o.seq AND s.user_seq = ",
    );
    statement.int(user).sql(" WHERE ").sql(Dialect::of(conn).aside()).sql("o.company_seq = ");
    statement.int(company.0).sql(" AND o.id > ").text(after);
    statement.sql(" AND o.seq IN (SELECT organization_seq FROM team_syncs WHERE user_seq = ");
    statement.int(user);
    statement.sql(" UNION SELECT organization_seq FROM team_members WHERE user_seq = ").int(user);
    statement.sql(") ORDER BY o.id LIMIT ").int(limit);
    type Types = (BigInt, Text, Nullable<Text>, Nullable<Text>, Nullable<Text>, Nullable<BigInt>);
    type Row = (i64, String, Option<String>, Option<String>, Option<String>, Option<i64>);
    let rows: Vec<Row> = statement.rows::<Types>().load(conn)?;
    let read = |(seq, id, cause, groups_seen, dropped, at): Row| State {
        organization: OrganizationSeq(seq),
        id,
        cause,
        groups_seen,
        dropped,
        synced_at: at.map(time),
    };
    Ok(rows.into_iter().map(read).collect())
}

/// The teams of a user in these organizations, as (organization, team id, name, origin).
///
/// # Errors
/// The database's.
pub fn teams(
    conn: &mut DbConn,
    company: CompanySeq,
    user: i64,
) -> QueryResult<Vec<(OrganizationSeq, String, String, String)>> {
    let mut statement = Statement::new(
        "SELECT m.organization_seq, t.id, t.name, m.origin FROM team_members m \
         CROSS JOIN teams t WHERE t.seq = m.team_seq AND m.user_seq = ",
    );
    statement.int(user).sql(" AND ").sql(Dialect::of(conn).aside());
    statement.sql("m.company_seq = ").int(company.0).sql(" ORDER BY t.name, t.id, m.origin");
    let rows: Vec<(i64, String, String, String)> =
        statement.rows::<(BigInt, Text, Text, Text)>().load(conn)?;
    let read = |(seq, id, name, origin)| (OrganizationSeq(seq), id, name, origin);
    Ok(rows.into_iter().map(read).collect())
}
