//! Floor 3b: storage. Diesel, and nothing but Diesel; one file a table. No rule lives here.
//!
//! Every function on a company's data takes the company; its rows are reached by no other way (I2).

mod anchor;
pub mod api_keys;
pub mod applications;
pub mod claimed_groups;
pub mod companies;
pub mod conn;
pub mod connections;
pub mod copy;
pub mod counts;
mod database;
pub mod departed;
mod dialect;
pub mod domains;
pub mod events;
mod filter_sql;
pub mod grants;
pub mod group_filters;
pub mod groups;
pub mod idempotency;
pub mod identities;
pub mod impact;
pub mod import;
pub mod installation;
pub mod invitations;
pub mod jobs;
pub mod lists;
pub mod login_attempts;
pub mod members;
pub mod memberships;
pub mod organizations;
pub mod people;
mod pool;
mod postgres_url;
pub mod presence;
pub mod profiles;
pub mod projection;
pub mod saml;
mod schema;
pub mod sealing;
pub mod sessions;
mod shown_groups;
pub mod signing_keys;
pub mod social_connections;
mod statement;
mod sweep;
pub mod team_mappings;
pub mod team_members;
pub mod team_syncs;
pub mod teams;
mod threads;
pub mod tokens;
pub mod user_claims;
pub mod users;
pub mod values;
mod writer;

pub use conn::{DatabaseUrl, DbConn, Purpose, STATEMENT_TIMEOUT, open};
pub use database::{Database, Failure, NotCommitted, Unanswered};
pub use dialect::{Lock, begin, begin_snapshot, commit, known, lacking, migrate, pending};
pub use diesel::result::DatabaseErrorKind::UniqueViolation;
pub use diesel::result::Error as DbError;
pub use sweep::SLICE;

use diesel::sql_types::BigInt;
use jiff::Timestamp;

use statement::Statement;

/// Runs a part of a transaction that may fail without taking the rest with it: in a savepoint.
///
/// # Errors
/// The part's own, or the database's.
pub fn nested<T, E: From<DbError>>(
    conn: &mut DbConn,
    part: impl FnOnce(&mut DbConn) -> Result<T, E>,
) -> Result<T, E> {
    struct Begin;
    struct Release;
    struct Rollback;
    // Not Diesel's own nesting: were the part to panic, its count of savepoints would stay wrong.
    // The savepoint of the whole unit takes this one along when it is rolled back.
    Statement::new("SAVEPOINT part").known::<Begin, BigInt>().execute(conn)?;
    let result = part(conn);
    if result.is_err() {
        Statement::new("ROLLBACK TO SAVEPOINT part").known::<Rollback, BigInt>().execute(conn)?;
    }
    Statement::new("RELEASE SAVEPOINT part").known::<Release, BigInt>().execute(conn)?;
    result
}

/// A stored time. Rows hold only what [`micros`] made, so the range always fits.
fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or_default()
}

/// A time as stored: microseconds since 1970 (UTC).
pub fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}
