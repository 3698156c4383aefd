//! Many users or groups in few statements: what a bulk load asks and writes.

use std::collections::{BTreeMap, HashMap};

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::domain::group::Group;
use crate::domain::id::CompanySeq;
use crate::domain::user::User;

use super::statement::Statement;
use super::{DbConn, groups, micros, users};

/// Most names of one look-up.
const NAMES: usize = 512;
/// Most rows of one insert: thirteen values each, far below every limit on binds.
const ROWS: usize = 256;

/// A stored resource beside the values that are unique in its company.
#[derive(Debug, Clone)]
pub struct Holder<T> {
    /// The resource.
    pub item: T,
    /// The folded `userName` or `displayName`.
    pub name_key: String,
    /// `externalId` as sent.
    pub external_id: Option<String>,
}

/// The company's users that have one of these folded `userName`s or of these `externalId`s.
///
/// # Errors
/// The database's.
pub fn users_with(
    conn: &mut DbConn,
    company: CompanySeq,
    names: &[&str],
    external_ids: &[&str],
) -> QueryResult<Vec<Holder<User>>> {
    let mut out = BTreeMap::new();
    for (column, values) in [("r.user_name_key", names), ("r.external_id", external_ids)] {
        for chunk in values.chunks(NAMES) {
            let mut statement = select(users::COLUMNS, "r.user_name_key", "users");
            statement.int(company.0).sql(" AND ").sql(column).sql(" IN ");
            statement.text_list(chunk.iter().copied());
            let rows: Vec<(users::Row, String, Option<String>)> =
                statement.rows::<(users::Types, Text, Nullable<Text>)>().load(conn)?;
            out.extend(rows.into_iter().map(|(row, name_key, external_id)| {
                let item = users::from_row(row);
                (item.seq, Holder { item, name_key, external_id })
            }));
        }
    }
    Ok(out.into_values().collect())
}

/// The company's groups that have one of these folded `displayName`s or of these `externalId`s.
///
/// # Errors
/// The database's.
pub fn groups_with(
    conn: &mut DbConn,
    company: CompanySeq,
    names: &[&str],
    external_ids: &[&str],
) -> QueryResult<Vec<Holder<Group>>> {
    let mut out = BTreeMap::new();
    for (column, values) in [("r.display_name_key", names), ("r.external_id", external_ids)] {
        for chunk in values.chunks(NAMES) {
            let mut statement = select(groups::COLUMNS, "r.display_name_key", "groups");
            statement.int(company.0).sql(" AND ").sql(column).sql(" IN ");
            statement.text_list(chunk.iter().copied());
            let rows: Vec<(groups::Row, String, Option<String>)> =
                statement.rows::<(groups::Types, Text, Nullable<Text>)>().load(conn)?;
            out.extend(rows.into_iter().map(|(row, name_key, external_id)| {
                let item = groups::from_row(row);
                (item.seq, Holder { item, name_key, external_id })
            }));
        }
    }
    Ok(out.into_values().collect())
}

fn select(columns: &'static str, name: &'static str, table: &'static str) -> Statement {
    let mut statement = Statement::new("SELECT ");
    statement.sql(columns).sql(", ").sql(name).sql(", r.external_id FROM ").sql(table);
    statement.sql(" r WHERE r.company_seq = ");
    statement
}

/// Stores new users and returns their storage keys in the same order.
///
/// # Errors
/// A unique violation where an id, a `userName` or an `externalId` is taken.
pub fn insert_users(
    conn: &mut DbConn,
    company: CompanySeq,
    new: &[(User, &users::Keys)],
) -> QueryResult<Vec<i64>> {
    struct Full;
    let mut seqs = HashMap::with_capacity(new.len());
    for chunk in new.chunks(ROWS) {
        let mut statement = Statement::new(
            "INSERT INTO users (company_seq, id, user_name_key, external_id, display_name_key, \
             active, admin_deactivated, activated_at, created_at, last_modified, version, \
             document, facts) VALUES ",
        );
        for (i, (user, keys)) in chunk.iter().enumerate() {
            statement.sql(if i == 0 { "(" } else { ", (" }).int(company.0);
            statement.sql(", ").text(user.id.as_str());
            statement.sql(", ").text(keys.user_name_key.as_str());
            statement.sql(", ").maybe_text(keys.external_id.as_deref());
            statement.sql(", ").maybe_text(keys.display_name_key.as_deref());
            statement.sql(", ").bool(user.active).sql(", ").bool(user.admin_deactivated);
            statement.sql(", ").maybe_int(user.activated_at.map(micros));
            statement.sql(", ").int(micros(user.created_at));
            statement.sql(", ").int(micros(user.last_modified)).sql(", ").int(user.version);
            statement.sql(", ").text(user.document.as_str()).sql(", ").text(keys.facts.as_str());
            statement.sql(")");
        }
        statement.sql(" RETURNING id, seq");
        seqs.extend(run::<Full>(conn, statement, chunk.len())?);
    }
    Ok(in_order(&seqs, new.iter().map(|(user, _)| user.id.as_str())))
}

/// Stores new groups and returns their storage keys in the same order.
///
/// # Errors
/// A unique violation where an id, a `displayName` or an `externalId` is taken.
pub fn insert_groups(
    conn: &mut DbConn,
    company: CompanySeq,
    new: &[(Group, &groups::Keys)],
) -> QueryResult<Vec<i64>> {
    struct Full;
    let mut seqs = HashMap::with_capacity(new.len());
    for chunk in new.chunks(ROWS) {
        let mut statement = Statement::new(
            "INSERT INTO groups (company_seq, id, display_name, display_name_key, external_id, \
             member_count, created_at, last_modified, version, document, facts) VALUES ",
        );
        for (i, (group, keys)) in chunk.iter().enumerate() {
            statement.sql(if i == 0 { "(" } else { ", (" }).int(company.0);
            statement.sql(", ").text(group.id.as_str());
            statement.sql(", ").text(keys.display_name.as_str());
            statement.sql(", ").text(keys.display_name_key.as_str());
            statement.sql(", ").maybe_text(keys.external_id.as_deref());
            statement.sql(", ").int(group.member_count).sql(", ").int(micros(group.created_at));
            statement.sql(", ").int(micros(group.last_modified)).sql(", ").int(group.version);
            statement.sql(", ").text(group.document.as_str()).sql(", ").text(keys.facts.as_str());
            statement.sql(")");
        }
        statement.sql(" RETURNING id, seq");
        seqs.extend(run::<Full>(conn, statement, chunk.len())?);
    }
    Ok(in_order(&seqs, new.iter().map(|(group, _)| group.id.as_str())))
}

/// Runs an insert of so many rows; the full one is prepared once, and found by its marker.
fn run<Full: 'static>(
    conn: &mut DbConn,
    mut statement: Statement,
    rows: usize,
) -> QueryResult<Vec<(String, i64)>> {
    if rows == ROWS {
        return statement.known::<Full, (Text, BigInt)>().load(conn);
    }
    statement.one_off();
    statement.rows::<(Text, BigInt)>().load(conn)
}

/// No database promises the order of what RETURNING returns.
fn in_order<'i>(seqs: &HashMap<String, i64>, ids: impl Iterator<Item = &'i str>) -> Vec<i64> {
    ids.filter_map(|id| seqs.get(id).copied()).collect()
}
