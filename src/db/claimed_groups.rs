//! The table of groups that logins have named, and the names of all groups that were ever seen.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Text};
use jiff::Timestamp;

use crate::domain::id::CompanySeq;

use super::dialect::Dialect;
use super::statement::Statement;
use super::{DbConn, micros, time};

/// Time after which a group that is seen again is written again: a login an hour, not every one.
const PRECISION: i64 = 3_600_000_000;

/// A group that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// When it was last seen: in a login, or changed in the directory.
    pub last_seen_at: Timestamp,
    /// How many users it has, nested groups among them where it is the directory's.
    pub users: i64,
    /// Its storage key where it is the directory's.
    pub group: Option<i64>,
}

/// Notes that a login has named these groups.
///
/// # Errors
/// The database's.
pub fn see(
    conn: &mut DbConn,
    company: CompanySeq,
    names: &[&str],
    now: Timestamp,
) -> QueryResult<()> {
    if names.is_empty() {
        return Ok(());
    }
    // In one order for all, so that two logins at once do not wait for each other both ways.
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    let mut statement =
        Statement::new("INSERT INTO claimed_groups (company_seq, name, last_seen_at) SELECT ");
    statement.sql("CAST(").int(company.0).sql(" AS BIGINT), l.value, CAST(").int(micros(now));
    statement.sql(" AS BIGINT) FROM ").append(Dialect::of(conn).texts(&names, "l"));
    statement.sql(" WHERE TRUE ON CONFLICT (company_seq, name) DO UPDATE SET ");
    statement.sql("last_seen_at = excluded.last_seen_at WHERE claimed_groups.last_seen_at < ");
    statement.int(micros(now) - PRECISION);
    statement.run(conn).map(drop)
}

/// The directory's groups behind this storage key, in the order of making.
///
/// # Errors
/// The database's.
pub fn directory(
    conn: &mut DbConn,
    company: CompanySeq,
    (after, limit): (i64, i64),
) -> QueryResult<Vec<Seen>> {
    let mut statement = Statement::new(
        "SELECT seq, display_name, last_modified, member_count FROM groups WHERE company_seq = ",
    );
    statement.int(company.0).sql(" AND seq > ").int(after).sql(" ORDER BY seq LIMIT ").int(limit);
    let rows: Vec<(i64, String, i64, i64)> =
        statement.rows::<(BigInt, Text, BigInt, BigInt)>().load(conn)?;
    let read =
        |(seq, name, at, users)| Seen { name, last_seen_at: time(at), users, group: Some(seq) };
    Ok(rows.into_iter().map(read).collect())
}

/// Groups that logins have named, behind so many of them, in the order of their names.
///
/// # Errors
/// The database's.
pub fn claimed(
    conn: &mut DbConn,
    company: CompanySeq,
    (skip, limit): (i64, i64),
) -> QueryResult<Vec<Seen>> {
    let mut statement =
        Statement::new("SELECT name, last_seen_at FROM claimed_groups WHERE company_seq = ");
    statement.int(company.0).sql(" ORDER BY name LIMIT ").int(limit).sql(" OFFSET ").int(skip);
    let rows: Vec<(String, i64)> = statement.rows::<(Text, BigInt)>().load(conn)?;
    let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    let users = users(conn, company, &names)?;
    let read = |(name, at): (String, i64)| {
        let users = users.get(&name).copied().unwrap_or_default();
        Seen { name, last_seen_at: time(at), users, group: None }
    };
    Ok(rows.into_iter().map(read).collect())
}

/// How many users' last logins named each of these groups.
fn users(
    conn: &mut DbConn,
    company: CompanySeq,
    names: &[&str],
) -> QueryResult<HashMap<String, i64>> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new("SELECT e.value, count(*) FROM user_claims c CROSS JOIN ");
    statement.append(dialect.elements("c.groups", "e"));
    statement.sql(" WHERE c.company_seq = ").int(company.0).sql(" AND c.groups IS NOT NULL");
    statement.sql(" AND e.value IN (SELECT l.value FROM ").append(dialect.texts(names, "l"));
    statement.sql(") GROUP BY e.value");
    let rows: Vec<(String, i64)> = statement.rows::<(Text, BigInt)>().load(conn)?;
    Ok(rows.into_iter().collect())
}
