//! The table of answers that were given under a key.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};

use super::statement::Statement;
use super::{DbConn, sweep};

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What the request was, as a digest.
    pub fingerprint: Vec<u8>,
    /// The status; 0 while it is being worked out.
    pub status: i64,
    /// Headers, as JSON.
    pub headers: String,
    /// The body.
    pub body: String,
}

/// Claims a key for this request; `false` where somebody has it. Waits for another claim of the same
/// moment to be committed or given up.
///
/// # Errors
/// The database's.
pub fn claim(
    conn: &mut DbConn,
    (caller, key): (&str, &str),
    fingerprint: &[u8],
    now: i64,
) -> QueryResult<bool> {
    let mut statement = Statement::new(
        "INSERT INTO idempotency_keys (caller, key, fingerprint, status, headers, body, created_at) \
         VALUES (",
    );
    statement.text(caller).sql(", ").text(key).sql(", ").bytes(fingerprint.to_vec());
    statement.sql(", 0, '', '', ").int(now).sql(") ON CONFLICT DO NOTHING");
    statement.run(conn).map(|rows| rows == 1)
}

/// Keeps the answer of a claimed key.
///
/// # Errors
/// The database's.
pub fn keep(
    conn: &mut DbConn,
    (caller, key): (&str, &str),
    (status, headers, body): (i64, &str, &str),
) -> QueryResult<()> {
    let mut statement = Statement::new("UPDATE idempotency_keys SET status = ");
    statement.int(status).sql(", headers = ").text(headers).sql(", body = ").text(body);
    statement.sql(" WHERE caller = ").text(caller).sql(" AND key = ").text(key);
    statement.run(conn).map(drop)
}

/// What was answered under a key.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, (caller, key): (&str, &str)) -> QueryResult<Option<Kept>> {
    let mut statement = Statement::new(
        "SELECT fingerprint, status, headers, body FROM idempotency_keys WHERE caller = ",
    );
    statement.text(caller).sql(" AND key = ").text(key);
    let row: Option<(Vec<u8>, i64, String, String)> =
        statement.rows::<(Binary, BigInt, Text, Text)>().get_result(conn).optional()?;
    Ok(row.map(|(fingerprint, status, headers, body)| Kept { fingerprint, status, headers, body }))
}

/// Removes a slice of what was kept before this moment; how much.
///
/// # Errors
/// The database's.
pub fn sweep(conn: &mut DbConn, before: i64) -> QueryResult<usize> {
    let mut picked = Statement::new("created_at < ");
    picked.int(before).sql(" ORDER BY created_at");
    sweep::slice(conn, ("idempotency_keys", "caller, key"), &picked)
}
