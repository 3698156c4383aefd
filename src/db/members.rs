//! The table of group members: rows, so that one is added or removed without touching the others.

use std::collections::{HashMap, HashSet};

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Bool, Text};

use crate::domain::group::{GroupRef, MemberKey, MemberRef};
use crate::domain::id::CompanySeq;
use crate::scim::ResourceType;

use super::DbConn;
use super::dialect::{Dialect, Lock};
use super::statement::Statement;
use super::values::type_code;

/// Most rows of one statement that names each of them.
const CHUNK: usize = 500;

/// The storage keys of those of these ids that the company knows, Users first.
///
/// # Errors
/// The database's.
pub fn resolve(
    conn: &mut DbConn,
    company: CompanySeq,
    ids: &[&str],
) -> QueryResult<HashMap<String, MemberKey>> {
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
) -> QueryResult<HashMap<String, MemberKey>> {
    let lock = Dialect::of(conn).lock(Lock::Stay);
    resolve_with(conn, company, ids, lock)
}

/// One statement for all of them, and a second one where not all are users.
fn resolve_with(
    conn: &mut DbConn,
    company: CompanySeq,
    ids: &[&str],
    lock: &'static str,
) -> QueryResult<HashMap<String, MemberKey>> {
    let mut out = HashMap::with_capacity(ids.len());
    for kind in [ResourceType::User, ResourceType::Group] {
        let left: Vec<&str> = ids.iter().filter(|id| !out.contains_key(**id)).copied().collect();
        if left.is_empty() {
            break;
        }
        let dialect = Dialect::of(conn);
        let mut statement = Statement::new("SELECT r.id, r.seq FROM ");
        statement.append(dialect.texts(&left, "l")).sql(" CROSS JOIN ").sql(table(kind));
        statement.sql(" r WHERE r.company_seq = ").int(company.0);
        statement.sql(" AND r.id = l.value").sql(lock);
        let rows: Vec<(String, i64)> = statement.rows::<(Text, BigInt)>().load(conn)?;
        out.extend(rows.into_iter().map(|(id, seq)| (id, MemberKey { kind, seq })));
    }
    Ok(out)
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
    let dialect = Dialect::of(conn);
    let mut out = HashSet::with_capacity(members.len());
    for kind in [ResourceType::User, ResourceType::Group] {
        let seqs = of_kind(members, kind);
        if seqs.is_empty() {
            continue;
        }
        let mut statement = Statement::new("SELECT r.seq FROM ");
        statement.append(dialect.numbers(&seqs, "l")).sql(" CROSS JOIN ").sql(table(kind));
        statement.sql(" r WHERE r.seq = l.value AND +r.company_seq = ").int(company.0);
        statement.sql(dialect.lock(Lock::Stay));
        let rows: Vec<i64> = statement.rows::<BigInt>().load(conn)?;
        out.extend(rows.into_iter().map(|seq| MemberKey { kind, seq }));
    }
    Ok(out)
}

fn table(kind: ResourceType) -> &'static str {
    match kind {
        ResourceType::User => "users",
        ResourceType::Group => "groups",
    }
}

fn of_kind(members: &[MemberKey], kind: ResourceType) -> Vec<i64> {
    members.iter().filter(|m| m.kind == kind).map(|m| m.seq).collect()
}

/// A member as one number, in which a list is handed to the database.
fn coded(members: &[MemberKey]) -> Vec<i64> {
    let mut codes: Vec<i64> =
        members.iter().map(|member| member.seq * 2 + type_code(member.kind)).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn decoded(code: i64) -> MemberKey {
    MemberKey { kind: kind(code % 2), seq: code / 2 }
}

/// Adds members to a group and counts those that were not in it yet.
///
/// # Errors
/// The database's.
pub fn add(conn: &mut DbConn, group: i64, members: &[MemberKey]) -> QueryResult<usize> {
    if members.is_empty() {
        return Ok(0);
    }
    let mut statement =
        Statement::new("INSERT INTO group_members (group_seq, member_type, member_seq) SELECT ");
    statement.int(group).sql(", CAST(l.value % 2 AS SMALLINT), l.value / 2 FROM ");
    statement.append(Dialect::of(conn).numbers(&coded(members), "l"));
    // Without a condition SQLite takes what follows for that of a join.
    statement.sql(" WHERE TRUE ON CONFLICT DO NOTHING");
    let added = statement.run(conn)?;
    mark_nested(conn, &of_kind(members, ResourceType::Group))?;
    Ok(added)
}

/// Remembers of groups that they have been members: whose mark is absent has no groups above it, and nobody
/// looks for them. A mark stays where the membership ends; it costs a look-up that finds nothing.
fn mark_nested(conn: &mut DbConn, groups: &[i64]) -> QueryResult<()> {
    if groups.is_empty() {
        return Ok(());
    }
    let mut statement = Statement::new("UPDATE groups SET nested = TRUE WHERE NOT nested AND ");
    statement.append(Dialect::of(conn).any_of("seq", groups));
    statement.run(conn).map(drop)
}

/// Makes these the members of a group, and counts those that left it and those that came.
///
/// The group is locked. Who is in it and stays is not touched; of those who come, whoever is deleted
/// meanwhile does not.
///
/// # Errors
/// The database's.
pub fn replace(
    conn: &mut DbConn,
    company: CompanySeq,
    group: i64,
    members: &[MemberKey],
) -> QueryResult<(usize, usize)> {
    let (dialect, codes) = (Dialect::of(conn), coded(members));
    let mut gone = Statement::new("DELETE FROM group_members WHERE group_seq = ");
    gone.int(group).sql(" AND member_seq * 2 + member_type NOT IN (SELECT l.value FROM ");
    gone.append(dialect.numbers(&codes, "l")).sql(")");
    let removed = gone.run(conn)?;

    let mut new = Statement::new("SELECT l.value FROM ");
    new.append(dialect.numbers(&codes, "l"));
    new.sql(" WHERE NOT EXISTS (SELECT 1 FROM group_members m WHERE m.group_seq = ").int(group);
    new.sql(" AND m.member_type = l.value % 2 AND m.member_seq = l.value / 2)");
    let new: Vec<i64> = new.rows::<BigInt>().load(conn)?;
    let mut new: Vec<MemberKey> = new.into_iter().map(decoded).collect();
    if dialect.locks_rows() {
        new = still_there(conn, company, &new)?.into_iter().collect();
    }
    Ok((removed, add(conn, group, &new)?))
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
    let mut nested: Vec<i64> =
        rows.iter().filter(|row| row.1.kind == ResourceType::Group).map(|row| row.1.seq).collect();
    nested.sort_unstable();
    nested.dedup();
    mark_nested(conn, &nested)
}

/// Removes members from a group and counts those that were in it.
///
/// # Errors
/// The database's.
pub fn remove(conn: &mut DbConn, group: i64, members: &[MemberKey]) -> QueryResult<usize> {
    let mut removed = 0;
    for kind in [ResourceType::User, ResourceType::Group] {
        let seqs = of_kind(members, kind);
        if seqs.is_empty() {
            continue;
        }
        let mut statement = Statement::new("DELETE FROM group_members WHERE group_seq = ");
        statement.int(group).sql(" AND member_type = ").int(type_code(kind));
        statement.sql(" AND ").append(Dialect::of(conn).any_of("member_seq", &seqs));
        removed += statement.run(conn)?;
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

/// The groups that hold these groups as members, as (child, parent, whether that may lie in another).
///
/// # Errors
/// The database's.
pub fn parents_of(
    conn: &mut DbConn,
    company: CompanySeq,
    groups: &[i64],
) -> QueryResult<Vec<(i64, GroupRef, bool)>> {
    let mut out = Vec::new();
    for chunk in groups.chunks(CHUNK) {
        let mut statement = Statement::new(
            "SELECT m.member_seq, g.seq, g.id, g.display_name, g.nested \
             FROM group_members m CROSS JOIN groups g",
        );
        statement.sql(Dialect::of(conn).groups_shown());
        statement.sql(" WHERE g.seq = m.group_seq AND m.member_type = 1 AND m.member_seq IN ");
        statement.int_list(chunk).sql(" AND ").sql(Dialect::of(conn).aside());
        statement.sql("g.company_seq = ").int(company.0);
        let rows: Vec<(i64, i64, String, String, bool)> =
            statement.rows::<(BigInt, BigInt, Text, Text, Bool)>().load(conn)?;
        out.extend(rows.into_iter().map(|(child, seq, id, display_name, nests)| {
            (child, GroupRef { seq, id, display_name, direct: false }, nests)
        }));
    }
    Ok(out)
}

/// The users in these groups, also through groups that lie in them.
///
/// # Errors
/// The database's.
pub fn users_below(
    conn: &mut DbConn,
    company: CompanySeq,
    groups: &[i64],
) -> QueryResult<Vec<i64>> {
    let dialect = Dialect::of(conn);
    let mut seen: HashSet<i64> = groups.iter().copied().collect();
    let mut level = groups.to_vec();
    let mut users = HashSet::new();
    while !level.is_empty() {
        let mut statement = Statement::new(
            "SELECT m.member_seq * 2 + m.member_type FROM group_members m CROSS JOIN groups g \
             WHERE g.seq = m.group_seq AND ",
        );
        statement.append(dialect.any_of("m.group_seq", &level)).sql(" AND ").sql(dialect.aside());
        statement.sql("g.company_seq = ").int(company.0);
        let rows: Vec<i64> = statement.rows::<BigInt>().load(conn)?;
        level.clear();
        for member in rows.into_iter().map(decoded) {
            match member.kind {
                ResourceType::User => drop(users.insert(member.seq)),
                ResourceType::Group if seen.insert(member.seq) => level.push(member.seq),
                ResourceType::Group => {}
            }
        }
    }
    let mut users: Vec<i64> = users.into_iter().collect();
    users.sort_unstable();
    Ok(users)
}

/// Who would leave a group and who would come, were these its members.
///
/// # Errors
/// The database's.
pub fn difference(
    conn: &mut DbConn,
    group: i64,
    members: &[MemberKey],
) -> QueryResult<Vec<MemberKey>> {
    let (dialect, codes) = (Dialect::of(conn), coded(members));
    let mut statement = Statement::new(
        "SELECT m.member_seq * 2 + m.member_type FROM group_members m WHERE m.group_seq = ",
    );
    statement.int(group).sql(" AND m.member_seq * 2 + m.member_type NOT IN (SELECT l.value FROM ");
    statement.append(dialect.numbers(&codes, "l")).sql(") UNION ALL SELECT l.value FROM ");
    statement.append(dialect.numbers(&codes, "l"));
    statement.sql(" WHERE NOT EXISTS (SELECT 1 FROM group_members m WHERE m.group_seq = ");
    statement.int(group);
    statement.sql(" AND m.member_type = l.value % 2 AND m.member_seq = l.value / 2)");
    let rows: Vec<i64> = statement.rows::<BigInt>().load(conn)?;
    Ok(rows.into_iter().map(decoded).collect())
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
