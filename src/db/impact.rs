//! What a change of group filters would come to: counted, never written.

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::domain::id::CompanySeq;

use super::DbConn;
use super::dialect::Dialect;
use super::statement::Statement;

/// A team that the identity provider's groups have made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpTeam {
    /// Its storage key.
    pub seq: i64,
    /// The storage key of its organization.
    pub organization: i64,
    /// Its name, which is the group's.
    pub name: String,
    /// The group's storage key, where that is the directory's.
    pub group: Option<i64>,
}

/// All teams of the company that the identity provider's groups have made.
///
/// # Errors
/// The database's.
pub fn idp_teams(conn: &mut DbConn, company: CompanySeq) -> QueryResult<Vec<IdpTeam>> {
    let mut statement = Statement::new(
        "SELECT t.seq, t.organization_seq, t.name, t.group_seq FROM organizations o \
         CROSS JOIN teams t WHERE t.organization_seq = o.seq AND t.provider <> 'manual' \
         AND o.company_seq = ",
    );
    statement.int(company.0);
    let rows: Vec<(i64, i64, String, Option<i64>)> =
        statement.rows::<(BigInt, BigInt, Text, Nullable<BigInt>)>().load(conn)?;
    let read = |(seq, organization, name, group)| IdpTeam { seq, organization, name, group };
    Ok(rows.into_iter().map(read).collect())
}

/// Who is in some teams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loss {
    /// Memberships that the identity provider's groups have made.
    pub memberships: i64,
    /// The users that have them.
    pub users: i64,
    /// Those of the users who have no other team in an organization of these teams.
    pub left_without: i64,
}

/// What would go with these teams.
///
/// # Errors
/// The database's.
pub fn loss(conn: &mut DbConn, company: CompanySeq, teams: &[i64]) -> QueryResult<Loss> {
    if teams.is_empty() {
        return Ok(Loss::default());
    }
    let dialect = Dialect::of(conn);
    let going = |statement: &mut Statement| {
        statement.sql(" FROM team_members m WHERE m.origin <> 'manual' AND ");
        statement.append(dialect.any_of("m.team_seq", teams));
        statement.sql(" AND ").sql(dialect.aside()).sql("m.company_seq = ").int(company.0);
    };
    let mut all = Statement::new("SELECT count(*), count(DISTINCT m.user_seq)");
    going(&mut all);
    let (memberships, users): (i64, i64) = all.rows::<(BigInt, BigInt)>().get_result(conn)?;
    let mut without = Statement::new("SELECT count(DISTINCT m.user_seq)");
    going(&mut without);
    without.sql(
        " AND NOT EXISTS (SELECT 1 FROM team_members k WHERE k.user_seq = m.user_seq \
         AND k.organization_seq = m.organization_seq AND (k.origin = 'manual' OR NOT ",
    );
    without.append(dialect.any_of("k.team_seq", teams)).sql("))");
    let left_without = without.rows::<BigInt>().get_result(conn)?;
    Ok(Loss { memberships, users, left_without })
}

/// How many memberships of the directory's groups there would be in each organization whose people may
/// enter it, as (group, organization, users): those of nested groups among them (ruling 5).
///
/// # Errors
/// The database's.
pub fn gain(
    conn: &mut DbConn,
    company: CompanySeq,
    groups: &[i64],
) -> QueryResult<Vec<(i64, i64, i64)>> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = Statement::new(
        "WITH RECURSIVE inside (root, seq) AS (SELECT l.value AS root, l.value AS seq FROM ",
    );
    statement.append(Dialect::of(conn).numbers(groups, "l"));
    statement.sql(
        " UNION SELECT i.root, g.member_seq FROM inside i JOIN group_members g \
         ON g.group_seq = i.seq AND g.member_type = 1), \
         people (root, user_seq, signed_in) AS (SELECT DISTINCT i.root, u.seq, \
         u.activated_at IS NOT NULL FROM inside i \
         JOIN group_members g ON g.group_seq = i.seq AND g.member_type = 0 \
         JOIN users u ON u.seq = g.member_seq WHERE u.origin = 0 AND u.active \
         AND NOT u.admin_deactivated AND u.company_seq = ",
    );
    statement.int(company.0).sql(
        "), entered (root, organization_seq, user_seq) AS ( \
         SELECT p.root, e.organization_seq, p.user_seq FROM people p \
         JOIN organization_members e ON e.user_seq = p.user_seq \
         WHERE e.source <> 'automatic' AND NOT e.deactivated \
         UNION SELECT p.root, o.seq, p.user_seq FROM people p JOIN organizations o \
         ON o.automatic_user_access AND o.company_seq = ",
    );
    statement.int(company.0).sql(
        " WHERE p.signed_in AND NOT EXISTS (SELECT 1 FROM organization_members e \
         WHERE e.user_seq = p.user_seq AND e.organization_seq = o.seq AND e.deactivated)) \
         SELECT w.root, w.organization_seq, count(*) FROM entered w WHERE NOT EXISTS ( \
         SELECT 1 FROM teams t JOIN team_members m ON m.team_seq = t.seq \
         WHERE t.group_seq = w.root AND t.organization_seq = w.organization_seq \
         AND m.user_seq = w.user_seq AND m.origin = 'scim') \
         GROUP BY w.root, w.organization_seq",
    );
    statement.rows::<(BigInt, BigInt, BigInt)>().load(conn)
}
