//! Users that are made: one by one, and on PostgreSQL many by one statement.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::db::dialect::{Dialect, List, table_of};
use crate::db::statement::Statement;
use crate::db::values::{self, Owner};
use crate::db::{DbConn, counts, events, micros};
use crate::domain::event::Event;
use crate::domain::id::CompanySeq;
use crate::domain::user::User;
use crate::scim::ResourceType;
use crate::scim::leaves::Leaf;

use super::{By, Keys, places};

/// All that is stored of a user that is to be made.
#[derive(Debug, Clone)]
pub struct Creation {
    /// Whose user it is.
    pub company: CompanySeq,
    /// The record; its `seq` is not looked at.
    pub user: User,
    /// What is told of it.
    pub event: Event,
    /// What columns hold beside the document.
    pub keys: Keys,
    /// The values that are indexed.
    pub leaves: Vec<Leaf>,
}

/// The columns of a row that is inserted.
const INSERT: &str = "INSERT INTO users (company_seq, id, user_name_key, external_id, display_name_key, \
     active, admin_deactivated, activated_at, created_at, last_modified, version, document, facts) ";

/// Stores a new user with its values in the index and the event of it, counts it, and returns its storage
/// key. `None`: the id, the `userName` or the `externalId` is taken, and nothing is stored.
///
/// # Errors
/// The database's.
pub fn create(conn: &mut DbConn, new: &Creation) -> QueryResult<Option<i64>> {
    struct Insert;
    struct LastMade;
    let Creation { company, user, event, keys, leaves } = new;
    let company = *company;
    let insert = insertion(company, user, keys);
    let dialect = Dialect::of(conn);
    if dialect.writes_within() {
        let mut statement = Statement::new("WITH made AS (");
        statement.append(insert).sql(" RETURNING seq), counted AS (");
        statement.append(counts::count_made(dialect, company, ResourceType::User)).sql(")");
        if !leaves.is_empty() {
            statement.sql(", indexed AS (");
            statement.append(values::index_made(company, ResourceType::User, leaves)).sql(")");
        }
        statement.sql(", told AS (").append(events::tell_made(company, event)).sql(")");
        statement.sql(" SELECT seq FROM made");
        return statement.rows::<BigInt>().get_result(conn).optional();
    }
    if insert.known::<Insert, BigInt>().execute(conn)? == 0 {
        return Ok(None);
    }
    let last_made = Statement::new(dialect.last_made()).known::<LastMade, BigInt>();
    let seq = last_made.get_result(conn)?;
    if dialect.is_embedded() {
        places::note(company, By::Id(&user.id), seq);
        places::note(company, By::UserName(&keys.user_name_key), seq);
    }
    let owner = Owner { company, resource_type: ResourceType::User, seq };
    values::update(conn, owner, &[], leaves)?;
    counts::add(conn, company, (ResourceType::User, seq), 1)?;
    events::insert(conn, company, event)?;
    Ok(Some(seq))
}

/// Stores new users as [`create`] does, each of them or not, by one statement that does not depend on how
/// many they are; the storage keys in the order of `new`. Only where a WITH may hold an INSERT.
///
/// # Errors
/// The database's; none of them is stored then.
pub fn create_all(conn: &mut DbConn, new: &[&Creation]) -> QueryResult<Vec<Option<i64>>> {
    struct All;
    let dialect = Dialect::of(conn);
    // Everybody takes names in the same order, so that nobody waits for who waits for her.
    let mut rows = new.to_vec();
    rows.sort_unstable_by_key(|row| (row.company.0, row.keys.user_name_key.as_str()));
    let events = rows.iter().map(|row| &row.event);
    let leaves =
        rows.iter().flat_map(|row| row.leaves.iter().map(|leaf| (row.user.id.as_str(), leaf)));
    let mut statement = Statement::new("WITH made AS (");
    statement.append(insertion_of_all(&rows)).sql("), counted AS (");
    statement.append(counts::count_all_made(dialect, ResourceType::User)).sql("), indexed AS (");
    statement.append(values::index_all_made(ResourceType::User, leaves)).sql("), told AS (");
    statement.append(events::tell_all_made(events)).sql(") SELECT id, seq FROM made");
    let made: Vec<(String, i64)> = statement.known::<All, (Text, BigInt)>().load(conn)?;
    let made: HashMap<String, i64> = made.into_iter().collect();
    Ok(new.iter().map(|row| made.get(&row.user.id).copied()).collect())
}

fn insertion(company: CompanySeq, user: &User, keys: &Keys) -> Statement {
    let mut statement = Statement::new(INSERT);
    statement.sql("VALUES (").int(company.0).sql(", ").text(user.id.as_str());
    statement.sql(", ").text(keys.user_name_key.as_str());
    statement.sql(", ").maybe_text(keys.external_id.as_deref());
    statement.sql(", ").maybe_text(keys.display_name_key.as_deref());
    statement.sql(", ").bool(user.active).sql(", ").bool(user.admin_deactivated);
    statement.sql(", ").maybe_int(user.activated_at.map(micros));
    statement.sql(", ").int(micros(user.created_at)).sql(", ").int(micros(user.last_modified));
    statement.sql(", ").int(user.version).sql(", ").text(user.document.as_str());
    statement.sql(", ").text(keys.facts.as_str()).sql(") ON CONFLICT DO NOTHING");
    statement
}

fn insertion_of_all(rows: &[&Creation]) -> Statement {
    let numbers =
        |of: fn(&User) -> Option<i64>| List::numbers(rows.iter().map(|row| of(&row.user)));
    let flags = |of: fn(&User) -> bool| List::flags(rows.iter().map(|row| of(&row.user)));
    let mut statement = Statement::new(INSERT);
    statement.sql("SELECT * FROM ").append(table_of(
        vec![
            List::numbers(rows.iter().map(|row| Some(row.company.0))),
            List::texts(rows.iter().map(|row| Some(row.user.id.as_str()))),
            List::texts(rows.iter().map(|row| Some(row.keys.user_name_key.as_str()))),
            List::texts(rows.iter().map(|row| row.keys.external_id.as_deref())),
            List::texts(rows.iter().map(|row| row.keys.display_name_key.as_deref())),
            flags(|user| user.active),
            flags(|user| user.admin_deactivated),
            numbers(|user| user.activated_at.map(micros)),
            numbers(|user| Some(micros(user.created_at))),
            numbers(|user| Some(micros(user.last_modified))),
            numbers(|user| Some(user.version)),
            List::texts(rows.iter().map(|row| Some(row.user.document.as_str()))),
            List::texts(rows.iter().map(|row| Some(row.keys.facts.as_str()))),
        ],
        "n",
    ));
    statement.sql(" ON CONFLICT DO NOTHING RETURNING seq, company_seq, id");
    statement
}
