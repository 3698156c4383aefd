//! The table of users.

mod creation;
mod places;

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use jiff::Timestamp;

use crate::domain::group::GroupRef;
use crate::domain::id::CompanySeq;
use crate::domain::user::{Origin, User};

use super::dialect::{Dialect, Lock};
use super::statement::Statement;
use super::{DbConn, DbError, micros, shown_groups, time};

pub use creation::{Creation, create, create_all};

/// The columns that make a [`User`], of the table alias `r`.
pub(super) const COLUMNS: &str = "r.seq, r.id, r.document, r.active, r.admin_deactivated, \
     r.activated_at, r.created_at, r.last_modified, r.version, r.unmapped";

/// The SQL types of [`COLUMNS`].
pub(super) type Types =
    (BigInt, Text, Text, Bool, Bool, Nullable<BigInt>, BigInt, BigInt, BigInt, Bool);

/// One row of [`COLUMNS`].
pub(super) type Row = (i64, String, String, bool, bool, Option<i64>, i64, i64, i64, bool);

pub(super) fn from_row(row: Row) -> User {
    let (
        seq,
        id,
        document,
        active,
        admin_deactivated,
        activated_at,
        created,
        modified,
        version,
        unmapped,
    ) = row;
    User {
        seq,
        id,
        document,
        active,
        admin_deactivated,
        unmapped,
        activated_at: activated_at.map(time),
        created_at: time(created),
        last_modified: time(modified),
        version,
    }
}

/// What columns hold beside the document, for look-ups and uniqueness.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The folded `userName`.
    pub user_name_key: String,
    /// `externalId` as sent.
    pub external_id: Option<String>,
    /// The folded `displayName`.
    pub display_name_key: Option<String>,
    /// The values that no column and no index has ([`crate::scim::leaves::facts`]).
    pub facts: String,
}

/// The company's user with this id, kept from other writers.
///
/// # Errors
/// The database's.
pub fn lock(
    conn: &mut DbConn,
    company: CompanySeq,
    id: &str,
    lock: Lock,
) -> QueryResult<Option<User>> {
    let mut statement = select();
    statement.sql(" WHERE r.company_seq = ").int(company.0).sql(" AND r.id = ").text(id);
    statement.sql(Dialect::of(conn).lock(lock));
    statement.rows::<Types>().get_result::<Row>(conn).optional().map(|row| row.map(from_row))
}

/// The value by which one user is looked up, and the index that answers.
#[derive(Debug, Clone, Copy)]
pub enum By<'k> {
    /// `users_by_id`.
    Id(&'k str),
    /// `users_by_user_name`; the folded `userName`.
    UserName(&'k str),
    /// `users_by_external_id`.
    ExternalId(&'k str),
}

/// The company's user with this value, and the user's groups: one statement for the commonest requests; one
/// more where the name of a group is not remembered, and as [`groups_of`] where a group lies in another.
///
/// The groups are one value of the user's row: joined, every group would bring the whole user along.
///
/// # Errors
/// The database's.
pub fn find_with_groups(
    conn: &mut DbConn,
    company: CompanySeq,
    by: By<'_>,
) -> QueryResult<Option<(User, Vec<GroupRef>)>> {
    let embedded = Dialect::of(conn).is_embedded();
    let place = if embedded { places::find(company, by) } else { None };
    let mut found = None;
    if place.is_some() {
        found = read_with_groups(conn, company, by, place)?;
    }
    if found.is_none() {
        found = read_with_groups(conn, company, by, None)?;
        if let Some((row, ..)) = found.as_ref().filter(|_| embedded) {
            places::note(company, by, row.0);
        }
    }
    let Some((row, groups, state)) = found else { return Ok(None) };
    let user = from_row(row);
    let groups = groups.as_deref().unwrap_or_default().split_terminator(',').map(str::parse);
    let mut groups: Vec<i64> = groups
        .collect::<Result<_, _>>()
        .map_err(|error| DbError::DeserializationError(Box::new(error)))?;
    groups.sort_unstable();
    let memberships = groups.into_iter().map(|group| (user.seq, group)).collect();
    let (mut groups, mut nested) = (Vec::new(), BTreeSet::new());
    for (_, group, nests) in shown_groups::named(conn, company, state, memberships)? {
        if nests {
            nested.insert(group.seq);
        }
        groups.push(group);
    }
    if nested.is_empty() {
        return Ok(Some((user, groups)));
    }
    let mut all = BTreeMap::from([(user.seq, groups)]);
    add_ancestors(conn, company, &nested, &mut all)?;
    let groups = all.remove(&user.seq).unwrap_or_default();
    Ok(Some((user, groups)))
}

/// A row, the storage keys of its groups with commas, and the state of the company's groups.
type WithGroups = (Row, Option<String>, Option<i64>);

/// The row with this value, by the index of the value or at this place.
fn read_with_groups(
    conn: &mut DbConn,
    company: CompanySeq,
    by: By<'_>,
    place: Option<i64>,
) -> QueryResult<Option<WithGroups>> {
    struct Indexed<const BY: u8>;
    struct Placed<const BY: u8>;
    fn run<K: 'static>(statement: Statement, conn: &mut DbConn) -> QueryResult<WithGroups> {
        statement.known::<K, (Types, Nullable<Text>, Nullable<BigInt>)>().get_result(conn)
    }
    let (column, key) = match by {
        By::Id(id) => (" AND r.id = ", id),
        By::UserName(key) => (" AND r.user_name_key = ", key),
        By::ExternalId(id) => (" AND r.external_id = ", id),
    };
    let (joined, end) = Dialect::of(conn).joined();
    let mut statement = Statement::new("SELECT ");
    statement.sql(COLUMNS).sql(", (SELECT ").sql(joined).sql("m.group_seq").sql(end);
    statement.sql(" FROM group_members m WHERE m.member_type = 0 AND m.member_seq = r.seq), ");
    shown_groups::state_of(company, &mut statement).sql(" FROM users r WHERE ");
    if let Some(seq) = place {
        statement.sql("r.seq = ").int(seq).sql(" AND ");
    }
    statement.sql("r.company_seq = ").int(company.0).sql(column).text(key);
    let found = match (by, place) {
        (By::Id(_), None) => run::<Indexed<0>>(statement, conn),
        (By::UserName(_), None) => run::<Indexed<1>>(statement, conn),
        (By::ExternalId(_), None) => run::<Indexed<2>>(statement, conn),
        (By::Id(_), Some(_)) => run::<Placed<0>>(statement, conn),
        (By::UserName(_), Some(_)) => run::<Placed<1>>(statement, conn),
        (By::ExternalId(_), Some(_)) => run::<Placed<2>>(statement, conn),
    };
    found.optional()
}

/// The company's users that have this folded `userName` or this `externalId`: at most two.
///
/// # Errors
/// The database's.
pub fn find_by_keys(conn: &mut DbConn, company: CompanySeq, keys: &Keys) -> QueryResult<Vec<User>> {
    let mut statement = select();
    statement.sql(" WHERE r.company_seq = ").int(company.0);
    statement.sql(" AND r.user_name_key = ").text(keys.user_name_key.as_str());
    if let Some(external_id) = &keys.external_id {
        // UNION drops the second mention of a user that has both.
        statement.sql(" UNION ").append(select());
        statement.sql(" WHERE r.company_seq = ").int(company.0);
        statement.sql(" AND r.external_id = ").text(external_id.as_str());
    }
    let rows: Vec<Row> = statement.rows::<Types>().load(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

fn select() -> Statement {
    let mut statement = Statement::new("SELECT ");
    statement.sql(COLUMNS).sql(" FROM users r");
    statement
}

/// Stores a changed user if its stored version is still `user.version`, and counts that up; `moved_at`
/// where the status became another.
///
/// `false`: somebody else changed it since.
///
/// # Errors
/// A unique violation where the `userName` or the `externalId` is taken.
pub fn update(
    conn: &mut DbConn,
    company: CompanySeq,
    user: &mut User,
    (keys, moved_at): (&Keys, Option<Timestamp>),
) -> QueryResult<bool> {
    use super::schema::users as t;
    let changed = diesel::update(t::table)
        .filter(t::seq.eq(user.seq))
        .filter(t::company_seq.eq(company.0))
        .filter(t::version.eq(user.version))
        .set((
            t::user_name_key.eq(&keys.user_name_key),
            t::external_id.eq(&keys.external_id),
            t::display_name_key.eq(&keys.display_name_key),
            t::active.eq(user.active),
            t::admin_deactivated.eq(user.admin_deactivated),
            t::unmapped.eq(user.unmapped),
            t::activated_at.eq(user.activated_at.map(micros)),
            moved_at.map(|at| t::status_changed_at.eq(micros(at))),
            t::last_modified.eq(micros(user.last_modified)),
            t::version.eq(user.version + 1),
            t::document.eq(&user.document),
            t::facts.eq(&keys.facts),
        ))
        .execute(conn)?;
    user.version += 1;
    Ok(changed == 1)
}

/// Stores the causes of a user's status alone, if the stored version is still `user.version`, and counts
/// that up. `false`: somebody else changed the user since.
///
/// # Errors
/// The database's.
pub fn stand(
    conn: &mut DbConn,
    company: CompanySeq,
    user: &mut User,
    moved_at: Option<Timestamp>,
) -> QueryResult<bool> {
    use super::schema::users as t;
    let changed = diesel::update(t::table)
        .filter(t::seq.eq(user.seq))
        .filter(t::company_seq.eq(company.0))
        .filter(t::version.eq(user.version))
        .set((
            t::active.eq(user.active),
            t::admin_deactivated.eq(user.admin_deactivated),
            t::unmapped.eq(user.unmapped),
            t::activated_at.eq(user.activated_at.map(micros)),
            moved_at.map(|at| t::status_changed_at.eq(micros(at))),
            t::last_modified.eq(micros(user.last_modified)),
            t::version.eq(user.version + 1),
        ))
        .execute(conn)?;
    user.version += 1;
    Ok(changed == 1)
}

/// Notes who made a user, where that was not the directory.
///
/// # Errors
/// The database's.
pub fn set_origin(
    conn: &mut DbConn,
    company: CompanySeq,
    seq: i64,
    origin: Origin,
) -> QueryResult<()> {
    let mut statement = Statement::new("UPDATE users SET origin = ");
    statement.int(origin.code().into()).sql(" WHERE company_seq = ").int(company.0);
    statement.sql(" AND seq = ").int(seq);
    statement.run(conn).map(drop)
}

/// Removes a user; its memberships and values are the caller's to remove.
///
/// # Errors
/// The database's.
pub fn delete(conn: &mut DbConn, company: CompanySeq, seq: i64) -> QueryResult<()> {
    let mut statement = Statement::new("DELETE FROM users WHERE company_seq = ");
    statement.int(company.0).sql(" AND seq = ").int(seq);
    statement.run(conn).map(drop)
}

/// The groups of each of these users, direct ones and those above them, in the groups' order.
///
/// Three rules keep it cheap: one statement for any number of users, one more where the name of a group is not
/// remembered, and one for each level of nesting, if some group lies in another.
///
/// # Errors
/// The database's.
pub fn groups_of(
    conn: &mut DbConn,
    company: CompanySeq,
    users: &[i64],
) -> QueryResult<BTreeMap<i64, Vec<GroupRef>>> {
    let mut out: BTreeMap<i64, Vec<GroupRef>> = BTreeMap::new();
    if users.is_empty() {
        return Ok(out);
    }
    let mut nested = BTreeSet::new();
    for (user, group, nests) in shown_groups::of_users(conn, company, users)? {
        if nests {
            nested.insert(group.seq);
        }
        out.entry(user).or_default().push(group);
    }
    if !nested.is_empty() {
        add_ancestors(conn, company, &nested, &mut out)?;
    }
    Ok(out)
}

/// Adds the groups above `nested` to the users that are in them.
fn add_ancestors(
    conn: &mut DbConn,
    company: CompanySeq,
    nested: &BTreeSet<i64>,
    users: &mut BTreeMap<i64, Vec<GroupRef>>,
) -> QueryResult<()> {
    let mut parents: BTreeMap<i64, Vec<GroupRef>> = BTreeMap::new();
    let mut level: Vec<i64> = nested.iter().copied().collect();
    while !level.is_empty() {
        let found = super::members::parents_of(conn, company, &level)?;
        level.clear();
        for (child, parent, nests) in found {
            if nests && !parents.contains_key(&parent.seq) {
                level.push(parent.seq);
            }
            parents.entry(child).or_default().push(parent);
        }
        level.sort_unstable();
        level.dedup();
        // A group whose parents are known is not asked for again: this ends in a cycle too.
        level.retain(|seq| !parents.contains_key(seq));
    }
    for groups in users.values_mut() {
        let mut seen: BTreeSet<i64> = groups.iter().map(|g| g.seq).collect();
        let mut open: Vec<i64> = seen.iter().copied().collect();
        while let Some(child) = open.pop() {
            for parent in parents.get(&child).into_iter().flatten() {
                if seen.insert(parent.seq) {
                    open.push(parent.seq);
                    groups.push(parent.clone());
                }
            }
        }
        groups.sort_by_key(|g| g.seq);
    }
    Ok(())
}

/// Stores the facts of a user anew, nothing else of it, nor its version; unless its document is another
/// by now, whose writer has stored the facts of it.
///
/// # Errors
/// The database's.
pub fn set_facts(
    conn: &mut DbConn,
    company: CompanySeq,
    user: &User,
    facts: &str,
) -> QueryResult<()> {
    let mut statement = Statement::new("UPDATE users SET facts = ");
    statement.text(facts).sql(" WHERE company_seq = ").int(company.0);
    statement.sql(" AND seq = ").int(user.seq).sql(" AND document = ").text(user.document.as_str());
    statement.run(conn).map(drop)
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::db::{self, DatabaseUrl, Purpose};

    /// Two companies with a user of one name and `externalId` each, and one without.
    const ROWS: &str = "
        INSERT INTO companies (seq, id, slug, name, plan, scim_enabled, created_at) VALUES
            (1, 'c1', 'acme', 'Acme', 'free', TRUE, 0), (2, 'c2', 'globex', 'Globex', 'free', TRUE, 0),
            (3, 'c3', 'initech', 'Initech', 'free', TRUE, 0);
        INSERT INTO users (seq, company_seq, id, user_name_key, external_id, active, created_at, last_modified,
            version, document, facts) VALUES
            (1, 1, 'one', 'ada', 'e', TRUE, 0, 0, 1, '{}', '{}'), (2, 2, 'two', 'ada', 'e', TRUE, 0, 0, 1, '{}', '{}'),
            (3, 2, 'three', 'bo', NULL, TRUE, 0, 0, 1, '{}', '{}');";

    /// Wherever a place points, the answer is that of the index.
    #[test]
    fn a_wrong_place_changes_no_answer() {
        let files = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(files.path().join("places.db"));
        let mut conn = db::open(&url, Purpose::Write).unwrap();
        db::migrate(&mut conn).unwrap();
        conn.batch_execute(ROWS).unwrap();
        let (acme, globex, initech) = (CompanySeq(1), CompanySeq(2), CompanySeq(3));
        let cases = [
            (acme, By::UserName("ada"), Some(1)),
            (globex, By::UserName("ada"), Some(2)),
            (initech, By::UserName("ada"), None),
            (acme, By::ExternalId("e"), Some(1)),
            (globex, By::ExternalId("e"), Some(2)),
            (initech, By::ExternalId("e"), None),
            (acme, By::Id("one"), Some(1)),
            (globex, By::Id("one"), None),
            (globex, By::UserName("bo"), Some(3)),
        ];
        for place in 1..=4 {
            for (company, by, seq) in cases {
                places::note(company, by, place);
                let found = find_with_groups(&mut conn, company, by).unwrap();
                assert_eq!(found.map(|(user, _)| user.seq), seq, "{company:?} {by:?} at {place}");
            }
        }
    }
}
