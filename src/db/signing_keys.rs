//! The table of the keys that sign tokens. They belong to the installation.

use diesel::QueryResult;
use diesel::prelude::*;
use jiff::Timestamp;

use crate::domain::signing_key::StoredKey;

use super::schema::signing_keys as k;
use super::statement::Statement;
use super::{DbConn, micros, time};

/// All keys, by algorithm, the oldest first.
///
/// # Errors
/// The database's.
pub fn list(conn: &mut DbConn) -> QueryResult<Vec<StoredKey>> {
    type Row = (String, i64, String, String, Vec<u8>, i64, i64, i64);
    let rows: Vec<Row> = k::table.order((k::algorithm, k::generation)).load(conn)?;
    let read = |(algorithm, generation, id, public, sealed, active, ..): Row| {
        Some(StoredKey {
            algorithm: algorithm.parse().ok()?,
            generation,
            id,
            public,
            sealed,
            active_from: time(active),
        })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Stores a key; `false` where another server made the key of this generation.
///
/// # Errors
/// The database's.
pub fn insert(conn: &mut DbConn, key: &StoredKey, now: Timestamp) -> QueryResult<bool> {
    let mut statement = Statement::new(
        "INSERT INTO signing_keys (algorithm, generation, id, public_key, private_key, active_from, \
         created_at, company_seq) VALUES (",
    );
    statement.text(key.algorithm.name()).sql(", ").int(key.generation).sql(", ");
    statement.text(key.id.as_str()).sql(", ").text(key.public.as_str()).sql(", ");
    statement.bytes(key.sealed.clone()).sql(", ").int(micros(key.active_from)).sql(", ");
    statement.int(micros(now)).sql(", 0) ON CONFLICT (algorithm, generation) DO NOTHING");
    statement.run(conn).map(|rows| rows == 1)
}

/// Removes a key that nobody needs any more.
///
/// # Errors
/// The database's.
pub fn delete(conn: &mut DbConn, key: &StoredKey) -> QueryResult<()> {
    let mut statement = Statement::new("DELETE FROM signing_keys WHERE algorithm = ");
    statement.text(key.algorithm.name()).sql(" AND generation = ").int(key.generation);
    statement.run(conn).map(drop)
}
