//! The table of group members: rows, so that one is added or removed without touching the others.

use std::collections::{BTreeSet, HashSet};

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::domain::group::{GroupRef, MemberKey, MemberRef};
use crate::domain::id::CompanySeq;
use crate::scim::ResourceType;

use super::DbConn;
use super::dialect::{Dialect, Lock};
use super::statement::Statement;
use super::values::type_code;

/// Most ids or rows of one statement.
const CHUNK: usize = 500;

/// The storage keys of those of these ids that the company knows, Users first.
///
/// # Errors
/// The database's.
pub fn resolve(
    conn: &mut DbConn,
    company: CompanySeq,
    ids: &[&str],
) -> QueryResult<Vec<(String, MemberKey)>> {
    resolve_with(conn, company, ids, "")
}

/// The same, of resources that are about to be made members: none of them is deleted meanwhile, or
/// it would stay a member.
///
/// # Errors
/// The database's.
pub fn resolve_to_add(
    conn: &mut DbConn,
    company: CompanySeq,
    ids: &[&str],
) -> QueryResult<Vec<(String, MemberKey)>> {
    let lock = Dialect::of(conn).lock(Lock::Stay);
    resolve_with(conn, company, ids, lock)
}

/// Those of these resources that are still there, to be made members: as [`resolve_to_add`].
///
/// # Errors
/// The database's.
pub fn still_there(
    conn: &mut DbConn,
    company: CompanySeq,
    members: &[MemberKey],
) -> QueryResult<HashSet<MemberKey>> {
    let lock = Dialect::of(conn).lock(Lock::Stay);
    let mut out = HashSet::with_capacity(members.len());
    for kind in [ResourceType::User, ResourceType::Group] {
        let seqs: Vec<i64> = members.iter().filter(|m| m.kind == kind).map(|m| m.seq).collect();
        for chunk in seqs.chunks(CHUNK) {
            let mut statement = Statement::new(match kind {
                ResourceType::User => "SELECT seq FROM users WHERE seq IN ",
                ResourceType::Group => "SELECT seq FROM groups WHERE seq IN ",
            });
            statement.int_list(chunk).sql(" AND +company_seq = ").int(company.0).sql(lock);
            let rows: Vec<i64> = statement.rows::<BigInt>().load(conn)?;
            out.extend(rows.into_iter().map(|seq| MemberKey { kind, seq }));
        }
    }
    Ok(out)
}

fn resolve_with(
    conn: &mut DbConn,
    company: CompanySeq,
    ids: &[&str],
    lock: &'static str,
) -> QueryResult<Vec<(String, MemberKey)>> {
    let mut out = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let before = out.len();
        resolve_in(conn, company, (ResourceType::User, lock), chunk, &mut out)?;
        if out.len() - before < chunk.len() {
            resolve_in(conn, company, (ResourceType::Group, lock), chunk, &mut out)?;
        }
    }
    Ok(out)
}

fn resolve_in(
    conn: &mut DbConn,
    company: CompanySeq,
    (kind, lock): (ResourceType, &'static str),
    ids: &[&str],
    out: &mut Vec<(String, MemberKey)>,
) -> QueryResult<()> {
    let mut statement = Statement::new(match kind {
        ResourceType::User => "SELECT id, seq FROM users WHERE company_seq = ",
        ResourceType::Group => "SELECT id, seq FROM groups WHERE company_seq = ",
    });
    statement.int(company.0).sql(" AND id IN ").text_list(ids.iter().copied()).sql(lock);
    let rows: Vec<(String, i64)> = statement.rows::<(Text, BigInt)>().load(conn)?;
    out.extend(rows.into_iter().map(|(id, seq)| (id, MemberKey { kind, seq })));
    Ok(())
}

/// Adds members to a group and counts those that were not in it yet.
///
/// # Errors
/// The database's.
pub fn add(conn: &mut DbConn, group: i64, members: &[MemberKey]) -> QueryResult<usize> {
    let mut added = 0;
    for chunk in members.chunks(CHUNK) {
        let mut statement = Statement::new(
            "INSERT INTO group_members (group_seq, member_type, member_seq) VALUES ",
        );
        // Rows repeat up to a power of two, for few shapes of prepared statements; a doubled row
        // is passed over as one that is there already.
        let rows = chunk.iter().chain(std::iter::repeat(&chunk[chunk.len() - 1]));
        for (i, member) in rows.take(chunk.len().next_power_of_two()).enumerate() {
            statement.sql(if i == 0 { "(" } else { ", (" }).int(group).sql(", ");
            statement.int(type_code(member.kind)).sql(", ").int(member.seq).sql(")");
        }
        statement.sql(" ON CONFLICT DO NOTHING");
        added += statement.run(conn)?;
    }
    Ok(added)
}

/// Stores memberships of new groups, as (group, member); none of them may be there already.
///
/// # Errors
/// The database's.
pub fn insert_all(conn: &mut DbConn, rows: &[(i64, MemberKey)]) -> QueryResult<()> {
    struct Full;
    for chunk in rows.chunks(CHUNK) {
        let mut statement = Statement::new(
            "INSERT INTO group_members (group_seq, member_type, member_seq) VALUES ",
        );
        for (i, (group, member)) in chunk.iter().enumerate() {
            statement.sql(if i == 0 { "(" } else { ", (" }).int(*group).sql(", ");
            statement.int(type_code(member.kind)).sql(", ").int(member.seq).sql(")");
        }
        if chunk.len() == CHUNK {
            statement.known::<Full, BigInt>().execute(conn)?;
        } else {
            statement.one_off();
            statement.run(conn)?;
        }
    }
    Ok(())
}

/// Removes members from a group and counts those that were in it.
///
/// # Errors
/// The database's.
pub fn remove(conn: &mut DbConn, group: i64, members: &[MemberKey]) -> QueryResult<usize> {
    let mut removed = 0;
    for kind in [ResourceType::User, ResourceType::Group] {
        let seqs: Vec<i64> = members.iter().filter(|m| m.kind == kind).map(|m| m.seq).collect();
        for chunk in seqs.chunks(CHUNK) {
            let mut statement = Statement::new("DELETE FROM group_members WHERE group_seq = ");
            statement.int(group).sql(" AND member_type = ").int(type_code(kind));
            statement.sql(" AND member_seq IN ").int_list(chunk);
            removed += statement.run(conn)?;
        }
    }
    Ok(removed)
}

/// Removes all members of a group and counts them.
///
/// # Errors
/// The database's.
pub fn clear(conn: &mut DbConn, group: i64) -> QueryResult<usize> {
    let mut statement = Statement::new("DELETE FROM group_members WHERE group_seq = ");
    statement.int(group);
    statement.run(conn)
}

/// The storage keys of a group's members.
///
/// # Errors
/// The database's.
pub fn keys(conn: &mut DbConn, group: i64) -> QueryResult<BTreeSet<MemberKey>> {
    let mut statement = Statement::new(
        "SELECT CAST(member_type AS BIGINT), member_seq FROM group_members WHERE group_seq = ",
    );
    statement.int(group);
    let rows: Vec<(i64, i64)> = statement.rows::<(BigInt, BigInt)>().load(conn)?;
    Ok(rows.into_iter().map(|(code, seq)| MemberKey { kind: kind(code), seq }).collect())
}

fn kind(code: i64) -> ResourceType {
    if code == 0 { ResourceType::User } else { ResourceType::Group }
}

/// Members of one kind of these groups, as (group, member), by group and then by member: at most
/// `limit` of them after the position `after`.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    company: CompanySeq,
    groups: &[i64],
    kind: ResourceType,
    (after, limit): ((i64, i64), i64),
) -> QueryResult<Vec<(i64, MemberRef)>> {
    let mut statement = Statement::new(match kind {
        ResourceType::User => {
            "SELECT m.group_seq, r.seq, r.id FROM group_members m CROSS JOIN users r"
        }
        ResourceType::Group => {
            "SELECT m.group_seq, r.seq, r.id FROM group_members m CROSS JOIN groups r"
        }
    });
    statement.sql(" WHERE r.seq = m.member_seq AND m.member_type = ").int(type_code(kind));
    statement.sql(" AND m.group_seq IN ").int_list(groups);
    if after != (0, 0) {
        statement
            .sql(" AND (m.group_seq, m.member_seq) > (")
            .int(after.0)
            .sql(", ")
            .int(after.1)
            .sql(")");
    }
    statement.sql(" AND ").sql(Dialect::of(conn).aside()).sql("r.company_seq = ").int(company.0);
    statement.sql(" ORDER BY m.group_seq, m.member_seq LIMIT ").int(limit);
    let rows: Vec<(i64, i64, String)> = statement.rows::<(BigInt, BigInt, Text)>().load(conn)?;
    let member = |(group, seq, id)| (group, MemberRef { key: MemberKey { kind, seq }, id });
    Ok(rows.into_iter().map(member).collect())
}

/// The groups that hold these groups as members, as (child, parent).
///
/// # Errors
/// The database's.
pub fn parents_of(
    conn: &mut DbConn,
    company: CompanySeq,
    groups: &[i64],
) -> QueryResult<Vec<(i64, GroupRef)>> {
    let mut out = Vec::new();
    for chunk in groups.chunks(CHUNK) {
        let mut statement = Statement::new(
            "SELECT m.member_seq, g.seq, g.id, g.display_name \
             FROM group_members m CROSS JOIN groups g \
             WHERE g.seq = m.group_seq AND m.member_type = 1 AND m.member_seq IN ",
        );
        statement.int_list(chunk).sql(" AND ").sql(Dialect::of(conn).aside());
        statement.sql("g.company_seq = ").int(company.0);
        let rows: Vec<(i64, i64, String, String)> =
            statement.rows::<(BigInt, BigInt, Text, Text)>().load(conn)?;
        out.extend(rows.into_iter().map(|(child, seq, id, display_name)| {
            (child, GroupRef { seq, id, display_name, direct: false })
        }));
    }
    Ok(out)
}

/// Ends every membership of a resource that goes, and counts the change at each group it was in.
///
/// The resource is locked, so that it is made a member of no other group meanwhile.
///
/// # Errors
/// The database's.
pub fn remove_everywhere(
    conn: &mut DbConn,
    company: CompanySeq,
    member: MemberKey,
    now: i64,
) -> QueryResult<()> {
    lock_groups_of(conn, company, member)?;
    let mut groups = Statement::new(
        "UPDATE groups SET version = version + 1, member_count = member_count - 1, last_modified = ",
    );
    groups.int(now).sql(" WHERE ").sql(Dialect::of(conn).aside());
    groups.sql("company_seq = ").int(company.0);
    groups.sql(" AND seq IN (SELECT group_seq FROM group_members WHERE member_type = ");
    groups.int(type_code(member.kind)).sql(" AND member_seq = ").int(member.seq).sql(")");
    groups.run(conn)?;
    let mut rows = Statement::new("DELETE FROM group_members WHERE member_type = ");
    rows.int(type_code(member.kind)).sql(" AND member_seq = ").int(member.seq);
    rows.run(conn).map(drop)
}

/// Keeps other writers from the groups that a resource is in, in one order for all: the rows that say
/// so then stay as they are, and are counted as often as they are removed.
fn lock_groups_of(conn: &mut DbConn, company: CompanySeq, member: MemberKey) -> QueryResult<()> {
    let dialect = Dialect::of(conn);
    if !dialect.locks_rows() {
        return Ok(());
    }
    let mut groups = Statement::new("SELECT seq FROM groups WHERE company_seq = ");
    groups
        .int(company.0)
        .sql(" AND seq IN (SELECT group_seq FROM group_members WHERE member_type = ");
    groups.int(type_code(member.kind)).sql(" AND member_seq = ").int(member.seq);
    groups.sql(") ORDER BY seq").sql(dialect.lock(Lock::Change));
    groups.rows::<BigInt>().load::<i64>(conn).map(drop)
}
