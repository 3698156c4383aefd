//! Groups as users show them (`groups` of RFC 7643 §4.1.2), remembered by this process.
//!
//! A page of users names groups by the hundred, the same ones in page after page; to look each of them up
//! costs as much as all else of the page. What is remembered is believed only under the state that the
//! database gives together with the memberships: it is another random number after each new group and each
//! change of a name (triggers see to that), whoever made it, and no two databases share one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, PoisonError, RwLock};

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use crate::domain::group::GroupRef;
use crate::domain::id::CompanySeq;

use super::DbConn;
use super::dialect::Dialect;
use super::statement::Statement;

/// Bytes that all remembered groups may take, about; then all are forgotten.
const ROOM: usize = 16 << 20;
/// Bytes of a group beside its texts, about.
const OVERHEAD: usize = 128;

/// Up to so many users are looked for one by one, however near they are.
const FEW: usize = 8;

/// Who looks for a group reads all groups of so many storage keys in a row, so that a process soon knows the names
/// of a large company whose groups were made one after another: ten thousand groups are in some 160 blocks. A power
/// of two.
const BLOCK: i64 = 64;
/// Most blocks that are read whole; who looks for more reads no neighbours.
const BLOCKS: usize = 4;

/// The state of a company's groups, as SQL that its number follows; null where it never had any.
const STATE: &str =
    "(SELECT CAST(sum(s.state) AS BIGINT) FROM shown_groups s WHERE s.company_seq = ";

static REMEMBERED: LazyLock<RwLock<Remembered>> = LazyLock::new(RwLock::default);

/// What a user shows of a group.
#[derive(Debug, Clone)]
struct Shown {
    id: String,
    display_name: String,
    /// Whether it may lie in another group.
    nested: bool,
}

/// The groups of one company in one state, by storage key.
#[derive(Default)]
struct Names {
    state: i64,
    groups: HashMap<i64, Shown>,
}

#[derive(Default)]
struct Remembered {
    companies: HashMap<CompanySeq, Names>,
    /// Bytes taken, about.
    size: usize,
}

/// Goes on with the state of the company's groups as a column, for who reads memberships beside it and names
/// them by [`named`].
pub(super) fn state_of(company: CompanySeq, statement: &mut Statement) -> &mut Statement {
    statement.sql(STATE).int(company.0).sql(")")
}

/// The groups that these users are members of, as (user, group, whether that may lie in another), by user
/// and then by group.
///
/// # Errors
/// The database's.
pub fn of_users(
    conn: &mut DbConn,
    company: CompanySeq,
    users: &[i64],
) -> QueryResult<Vec<(i64, GroupRef, bool)>> {
    let rows = memberships(conn, company, users)?;
    let Some(&(_, _, state)) = rows.first() else { return Ok(Vec::new()) };
    let memberships = rows.into_iter().map(|(user, group, _)| (user, group)).collect();
    named(conn, company, state, memberships)
}

/// What the groups of these memberships (user, group) show, which were read together with this state; as
/// [`of_users`], in their order.
///
/// # Errors
/// The database's.
pub(super) fn named(
    conn: &mut DbConn,
    company: CompanySeq,
    state: Option<i64>,
    memberships: Vec<(i64, i64)>,
) -> QueryResult<Vec<(i64, GroupRef, bool)>> {
    let mut out = Vec::with_capacity(memberships.len());
    let mut unknown = BTreeSet::new();
    {
        let remembered = REMEMBERED.read().unwrap_or_else(PoisonError::into_inner);
        let names = remembered.companies.get(&company).filter(|names| Some(names.state) == state);
        for (user, group) in memberships {
            let shown = names.and_then(|names| names.groups.get(&group)).cloned();
            if shown.is_none() {
                unknown.insert(group);
            }
            out.push((user, group, shown));
        }
    }
    let mut read = HashMap::new();
    if !unknown.is_empty() {
        let (now, names) = look_up(conn, company, &unknown)?;
        read = names;
        if now != state {
            // Names were changed between the two statements: all are shown as they are at one moment.
            let all: BTreeSet<i64> = out.iter().map(|one| one.1).collect();
            (_, read) = look_up(conn, company, &all)?;
            out.iter_mut().for_each(|one| one.2 = None);
        }
    }
    // Who is not among them now has gone between the statements.
    let known = out.into_iter().filter_map(|(user, seq, shown)| {
        let Shown { id, display_name, nested } = shown.or_else(|| read.get(&seq).cloned())?;
        Some((user, GroupRef { seq, id, display_name, direct: true }, nested))
    });
    Ok(known.collect())
}

/// The memberships of these users, by user and then by group, each with the state of the company's groups.
fn memberships(
    conn: &mut DbConn,
    company: CompanySeq,
    users: &[i64],
) -> QueryResult<Vec<(i64, i64, Option<i64>)>> {
    let mut users = users.to_vec();
    users.sort_unstable();
    let (Some(&first), Some(&last)) = (users.first(), users.last()) else { return Ok(Vec::new()) };
    let mut statement = Statement::new("SELECT m.member_seq, m.group_seq, ");
    state_of(company, &mut statement).sql(" FROM group_members m WHERE m.member_type = 0 AND ");
    // Users who were made one after another lie side by side in the index: from the first to the last it is
    // gone down once, where a list goes down for each of them. The ends are veiled, or PostgreSQL would plan for them
    // each time.
    let many = users.len() > FEW;
    let width = users.len() + users.len() / 4;
    let in_a_row = many && usize::try_from(last - first).is_ok_and(|gap| gap < width);
    if in_a_row {
        let (veil, end) = Dialect::of(conn).veil();
        statement.sql("m.member_seq BETWEEN ").sql(veil).int(first).sql(end);
        statement.sql(" AND ").sql(veil).int(last).sql(end);
    } else {
        statement.sql("m.member_seq IN ").int_list(&users);
    }
    statement.sql(" ORDER BY m.member_seq, m.group_seq");
    let mut rows: Vec<(i64, i64, Option<i64>)> =
        statement.rows::<(BigInt, BigInt, Nullable<BigInt>)>().load(conn)?;
    if in_a_row {
        // Others in between, of other companies too, are none of the caller's.
        rows.retain(|row| users.binary_search(&row.0).is_ok());
    }
    Ok(rows)
}

/// Reads these groups of the company, and remembers them under the state that is read with them; where they lie in
/// few blocks, their neighbours too.
fn look_up(
    conn: &mut DbConn,
    company: CompanySeq,
    groups: &BTreeSet<i64>,
) -> QueryResult<(Option<i64>, HashMap<i64, Shown>)> {
    let blocks: BTreeSet<i64> = groups.iter().map(|seq| seq & -BLOCK).collect();
    let groups: Vec<i64> = if blocks.len() > BLOCKS {
        groups.iter().copied().collect()
    } else {
        blocks.into_iter().flat_map(|first| first..first + BLOCK).collect()
    };
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new("SELECT g.seq, g.id, g.display_name, g.nested, ");
    state_of(company, &mut statement).sql(" FROM groups g");
    statement.sql(dialect.groups_shown()).sql(" WHERE ").append(dialect.any_of("g.seq", &groups));
    statement.sql(" AND ").sql(dialect.aside()).sql("g.company_seq = ").int(company.0);
    let rows: Vec<(i64, String, String, bool, Option<i64>)> =
        statement.rows::<(BigInt, Text, Text, Bool, Nullable<BigInt>)>().load(conn)?;
    let state = rows.first().and_then(|row| row.4);
    let shown = rows
        .into_iter()
        .map(|(seq, id, display_name, nested, _)| (seq, Shown { id, display_name, nested }));
    let shown: HashMap<i64, Shown> = shown.collect();
    if let Some(state) = state {
        REMEMBERED.write().unwrap_or_else(PoisonError::into_inner).note(company, state, &shown);
    }
    Ok((state, shown))
}

impl Remembered {
    fn note(&mut self, company: CompanySeq, state: i64, shown: &HashMap<i64, Shown>) {
        let names = self.companies.get(&company).filter(|names| names.state == state);
        let known = |seq: &i64| names.is_some_and(|names| names.groups.contains_key(seq));
        let more = bytes(shown.iter().filter(|one| !known(one.0)).map(|one| one.1));
        if more > ROOM {
            return;
        }
        if self.size + more > ROOM {
            *self = Self::default();
        }
        let names = self.companies.entry(company).or_default();
        if names.state != state {
            self.size -= bytes(names.groups.values());
            *names = Names { state, groups: HashMap::new() };
        }
        for (seq, shown) in shown {
            if names.groups.insert(*seq, shown.clone()).is_none() {
                self.size += bytes([shown]);
            }
        }
    }
}

fn bytes<'s>(shown: impl IntoIterator<Item = &'s Shown>) -> usize {
    shown.into_iter().map(|one| OVERHEAD + one.id.len() + one.display_name.len()).sum()
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::db::{self, DatabaseUrl, Purpose, users};

    /// A company with two users in a group.
    const ROWS: &str = "
        INSERT INTO companies (seq, id, slug, name, plan, scim_enabled, created_at)
            VALUES (1, 'c1', 'acme', 'Acme', 'free', TRUE, 0);
        INSERT INTO users (seq, company_seq, id, user_name_key, active, created_at, last_modified, version, document,
            facts) VALUES (1, 1, 'u1', 'ada', TRUE, 0, 0, 1, '{}', '{}'), (2, 1, 'u2', 'bo', TRUE, 0, 0, 1, '{}', '{}');
        INSERT INTO groups (seq, company_seq, id, display_name, display_name_key, member_count, created_at,
            last_modified, version, document, facts) VALUES (1, 1, 'g1', 'Crew', 'crew', 2, 0, 0, 1, '{}', '{}');
        INSERT INTO group_members (group_seq, member_type, member_seq) VALUES (1, 0, 1), (1, 0, 2);";

    fn world(rows: &str) -> (tempfile::TempDir, DbConn) {
        let files = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(files.path().join("shown.db"));
        let mut conn = db::open(&url, Purpose::Write).unwrap();
        db::migrate(&mut conn).unwrap();
        conn.batch_execute(ROWS).unwrap();
        conn.batch_execute(rows).unwrap();
        (files, conn)
    }

    /// What both users show: on a page, and each looked up alone.
    fn names(conn: &mut DbConn) -> Vec<(i64, String, bool)> {
        let shown = of_users(conn, CompanySeq(1), &[1, 2]).unwrap();
        let listed: Vec<(i64, GroupRef)> =
            shown.iter().map(|(user, group, _)| (*user, group.clone())).collect();
        let mut found = Vec::new();
        for id in ["u1", "u2"] {
            let one = users::find_with_groups(conn, CompanySeq(1), users::By::Id(id)).unwrap();
            let (user, groups) = one.unwrap();
            found.extend(groups.into_iter().map(|group| (user.seq, group)));
        }
        assert_eq!(found, listed);
        shown.into_iter().map(|(user, group, nested)| (user, group.display_name, nested)).collect()
    }

    fn both(name: &str, nested: bool) -> Vec<(i64, String, bool)> {
        [1, 2].map(|user| (user, name.to_owned(), nested)).to_vec()
    }

    /// Users side by side are read as a range, of which others may lie in between and users without groups;
    /// those far apart are read one by one.
    #[test]
    fn users_near_and_far_show_the_same() {
        let (_files, mut conn) = world("");
        conn.batch_execute("DELETE FROM group_members").unwrap();
        conn.batch_execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000)
             INSERT INTO group_members (group_seq, member_type, member_seq) SELECT 1, 0, n FROM n WHERE n % 3 <> 0;",
        )
        .unwrap();
        for (users, width) in
            [(1, 1), (8, 8), (9, 9), (100, 100), (100, 125), (100, 126), (100, 900)]
        {
            // The last one, and from the first on as many as are left.
            let asked: Vec<i64> = std::iter::once(width).chain(1..users).collect();
            let shown = of_users(&mut conn, CompanySeq(1), &asked).unwrap();
            let shown: Vec<i64> = shown.into_iter().map(|one| one.0).collect();
            let mut wanted = asked.clone();
            wanted.sort_unstable();
            wanted.retain(|seq| seq % 3 != 0);
            assert_eq!(shown, wanted, "{users} users in {width}");
        }
    }

    /// Two databases in one process have companies and groups of the same numbers.
    #[test]
    fn each_database_shows_its_own() {
        let (_files, mut one) = world("");
        let (_more, mut two) = world("UPDATE groups SET display_name = 'Deck';");
        for _ in 0..3 {
            assert_eq!(names(&mut one), both("Crew", false));
            assert_eq!(names(&mut two), both("Deck", false));
        }
    }

    /// Whatever changes the row, with code of ours or without it, and what is taken back.
    #[test]
    fn every_change_is_seen() {
        let (_files, mut conn) = world("");
        assert_eq!(names(&mut conn), both("Crew", false));
        conn.batch_execute("UPDATE groups SET display_name = 'crew'").unwrap();
        assert_eq!(names(&mut conn), both("crew", false));
        conn.batch_execute("UPDATE groups SET nested = TRUE").unwrap();
        assert_eq!(names(&mut conn), both("crew", true));
        conn.batch_execute("SAVEPOINT s; UPDATE groups SET display_name = 'Deck'").unwrap();
        assert_eq!(names(&mut conn), both("Deck", true));
        conn.batch_execute("ROLLBACK TO s").unwrap();
        assert_eq!(names(&mut conn), both("crew", true));
    }

    /// A group that was taken back leaves its number to the next one.
    #[test]
    fn a_group_that_was_not_to_be_is_forgotten() {
        let (_files, mut conn) = world("");
        let make = |conn: &mut DbConn, name: &str| {
            conn.batch_execute(&format!(
                "INSERT INTO groups (company_seq, id, display_name, display_name_key, member_count, created_at,
                     last_modified, version, document, facts) VALUES (1, '{name}', '{name}', '{name}', 1, 0, 0, 1, '{{}}', '{{}}');
                 INSERT INTO group_members (group_seq, member_type, member_seq) VALUES (2, 0, 1);"
            ))
            .unwrap();
        };
        conn.batch_execute("SAVEPOINT s").unwrap();
        make(&mut conn, "Deck");
        assert_eq!(names(&mut conn)[1].1, "Deck");
        conn.batch_execute("ROLLBACK TO s").unwrap();
        make(&mut conn, "Bridge");
        assert_eq!(names(&mut conn)[1].1, "Bridge");
    }

    /// A name that is changed without another state is not seen: pages are made of what is remembered.
    #[test]
    fn what_is_remembered_is_not_read_again() {
        let (_files, mut conn) = world("DROP TRIGGER groups_shown_anew;");
        for name in ["Crew", "Deck"] {
            assert_eq!(names(&mut conn), both("Crew", false));
            conn.batch_execute(&format!("UPDATE groups SET display_name = '{name}'")).unwrap();
        }
        conn.batch_execute("UPDATE shown_groups SET state = state + 1").unwrap();
        assert_eq!(names(&mut conn), both("Deck", false));
    }

    /// Who looks for one group reads those beside it, and none further away.
    #[test]
    fn neighbours_are_remembered_too() {
        let (_files, mut conn) = world("DROP TRIGGER groups_shown_anew;");
        for seq in [2, 63, 64] {
            conn.batch_execute(&format!(
                "INSERT INTO groups (seq, company_seq, id, display_name, display_name_key, member_count, created_at,
                     last_modified, version, document, facts) VALUES ({seq}, 1, 'g{seq}', 'Old', 'old{seq}', 1, 0, 0, 1, '{{}}', '{{}}');
                 INSERT INTO users (seq, company_seq, id, user_name_key, active, created_at, last_modified, version,
                     document, facts) VALUES ({seq} + 1000, 1, 'v{seq}', 'v{seq}', TRUE, 0, 0, 1, '{{}}', '{{}}');
                 INSERT INTO group_members (group_seq, member_type, member_seq) VALUES ({seq}, 0, {seq} + 1000);"
            ))
            .unwrap();
        }
        assert_eq!(names(&mut conn), both("Crew", false));
        conn.batch_execute("UPDATE groups SET display_name = 'New'").unwrap();
        let shown = |conn: &mut DbConn, user| {
            let shown = of_users(conn, CompanySeq(1), &[user]).unwrap();
            shown.into_iter().map(|(_, group, _)| group.display_name).collect::<String>()
        };
        let names = [1, 1002, 1063, 1064].map(|user| shown(&mut conn, user));
        assert_eq!(names, ["Crew", "Old", "Old", "New"]);
    }

    /// Without a state nothing is believed.
    #[test]
    fn a_company_without_a_state_is_read_each_time() {
        let (_files, mut conn) = world("DELETE FROM shown_groups; DROP TRIGGER groups_shown_anew;");
        for name in ["Crew", "Deck"] {
            conn.batch_execute(&format!("UPDATE groups SET display_name = '{name}'")).unwrap();
            assert_eq!(names(&mut conn), both(name, false));
        }
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut remembered = Remembered::default();
        let name = "n".repeat(1 << 20);
        for seq in 0..100 {
            let shown = Shown { id: String::new(), display_name: name.clone(), nested: false };
            let shown = HashMap::from([(seq, shown)]);
            remembered.note(CompanySeq(seq % 3), seq / 50, &shown);
            let all = remembered.companies.values().flat_map(|names| names.groups.values());
            assert_eq!(bytes(all), remembered.size);
            assert!(remembered.size <= ROOM && remembered.size > 0);
        }
    }
}
