//! The only file that names one database: what the two say differently.

mod lists;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::migration::{MigrationSource, MigrationVersion, Result as MigrationResult};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

pub use lists::{List, table_of};

use super::conn::LOCK_TIMEOUT;
use super::statement::Statement;
use super::{DbConn, DbError};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Begins the transaction that a batch of units of work shares, or one unit on PostgreSQL.
///
/// Immediate on SQLite: a plain `BEGIN` that reads first fails at its first write when another
/// process wrote in between, whatever the timeout. Read committed on PostgreSQL, whatever the
/// server's default: a statement behind a lock sees what the holder of the lock has left.
///
/// # Errors
/// The database's; it is locked by another process, for one.
pub fn begin(conn: &mut DbConn) -> QueryResult<()> {
    match conn {
        // Not by Diesel's count of transactions: SQLite ends one by itself after some errors, and
        // a count that is wrong once stays wrong.
        DbConn::Sqlite(lite) => lite.batch_execute("BEGIN IMMEDIATE"),
        DbConn::Postgres(pg) => AnsiTransactionManager::begin_transaction_sql(
            pg,
            "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED",
        ),
    }
}

/// Begins a transaction that only reads, and in which every statement sees the same moment.
///
/// # Errors
/// The database's.
pub fn begin_snapshot(conn: &mut DbConn) -> QueryResult<()> {
    match conn {
        DbConn::Sqlite(lite) => lite.batch_execute("BEGIN"),
        DbConn::Postgres(pg) => {
            let begin = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
            AnsiTransactionManager::begin_transaction_sql(pg, begin)?;
            // Nobody waits for an answer of it: counting a large table may take its time.
            pg.batch_execute("SET LOCAL statement_timeout = 0")
        }
    }
}

/// Commits what [`begin`] began.
///
/// # Errors
/// The database's; nothing is kept then, unless the connection to PostgreSQL was lost.
pub fn commit(conn: &mut DbConn) -> QueryResult<()> {
    match conn {
        DbConn::Sqlite(lite) => lite.batch_execute("COMMIT"),
        DbConn::Postgres(pg) => AnsiTransactionManager::commit_transaction(pg),
    }
}

/// Drops what [`begin`] began; where SQLite has done so already there is nothing to drop.
pub fn rollback(conn: &mut DbConn) {
    let result = match conn {
        DbConn::Sqlite(lite) => lite.batch_execute("ROLLBACK").or(Ok(())),
        DbConn::Postgres(pg) => AnsiTransactionManager::rollback_transaction(pg),
    };
    if let Err(error) = result {
        tracing::warn!(%error, "a rollback failed");
    }
}

/// Whether the disk refused to read, write or sync: `SQLITE_IOERR`, of whose kinds Diesel passes on
/// no more than the words. A full disk is another error, after which SQLite can be used.
pub fn is_disk_failure(error: &DbError) -> bool {
    matches!(error, DbError::DatabaseError(_, about) if about.message() == "disk I/O error")
}

/// Whether the database still answers on this connection; asked after an error.
pub fn is_alive(conn: &mut DbConn) -> bool {
    match conn {
        DbConn::Sqlite(_) => true,
        DbConn::Postgres(pg) => pg.batch_execute("SELECT 1").is_ok(),
    }
}

/// Brings what the write-ahead log holds into the database file, as far as no reader stands in the
/// way; whether all of it is there now. PostgreSQL does so by itself.
///
/// # Errors
/// The database's; nothing is lost then.
pub fn checkpoint(conn: &mut DbConn) -> QueryResult<bool> {
    match conn {
        DbConn::Sqlite(lite) => {
            // Busy or not, the frames of the log, and those of them that are in the file.
            let statement =
                Statement::new("PRAGMA wal_checkpoint(PASSIVE)")
                    .rows::<(Integer, Integer, Integer)>();
            let (_, logged, moved): (i32, i32, i32) = RunQueryDsl::get_result(statement, lite)?;
            Ok(moved >= logged)
        }
        DbConn::Postgres(_) => Ok(true),
    }
}

/// Which database a statement is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Embedded SQLite.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

/// How a row that is read is kept from other writers until the transaction ends.
///
/// SQLite has one writer, who needs no lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// It stays: nobody removes it.
    Stay,
    /// It is about to be changed: nobody else changes or removes it.
    Change,
    /// It is about to be removed: nobody else makes it stay either.
    Remove,
}

impl Dialect {
    /// The dialect of this connection.
    pub fn of(conn: &DbConn) -> Self {
        match conn {
            DbConn::Sqlite(_) => Self::Sqlite,
            DbConn::Postgres(_) => Self::Postgres,
        }
    }

    /// A condition, to be added behind another, that turns false when the statement's time is up.
    ///
    /// PostgreSQL has a statement timeout of its own.
    pub fn time_guard(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!(" AND within_deadline({column})"),
            Self::Postgres => String::new(),
        }
    }

    /// The text of a column up to the first place of another text, both of ours.
    pub fn until(self, column: &str, end: &str) -> String {
        match self {
            Self::Sqlite => format!("substr({column}, 1, instr({column}, '{end}'))"),
            Self::Postgres => format!("substr({column}, 1, strpos({column}, '{end}'))"),
        }
    }

    /// What stands in front of a number and behind it, so that those of a group of rows are one text, with
    /// commas.
    pub fn joined(self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite => ("group_concat(", ")"),
            Self::Postgres => ("string_agg(CAST(", " AS text), ',')"),
        }
    }

    /// What is put in front of a column that the planner is not to begin at. SQLite takes any company
    /// for a small one, and a plus hides it; PostgreSQL has counted.
    pub fn aside(self) -> &'static str {
        match self {
            Self::Sqlite => "+",
            Self::Postgres => "",
        }
    }

    /// What stands in front of a value and behind it, so that the plan does not depend on it. PostgreSQL plans
    /// anew for each value where that looks cheaper than one plan for all, as it does for a narrow range.
    pub fn veil(self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite => ("", ""),
            Self::Postgres => ("(SELECT ", ")"),
        }
    }

    /// What is put in front of the number that rows named by another index are put in order by: PostgreSQL
    /// takes the names for many, and would rather walk the whole order until it has met enough of them.
    pub fn put_in_order(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "+",
        }
    }

    /// Which index a table is read by, where its order is wanted and a filter could lead the planner
    /// astray. PostgreSQL has counted.
    pub fn by_index(self, index: &str) -> String {
        match self {
            Self::Sqlite => format!(" INDEXED BY {index}"),
            Self::Postgres => String::new(),
        }
    }

    /// A number that is not among those of a SELECT of one column; none of them is NULL.
    ///
    /// To PostgreSQL it is a join, which needs no memory for all of them; SQLite makes a set.
    pub fn outside(self, column: &'static str, numbers: Statement) -> Statement {
        let mut out = Statement::new(match self {
            Self::Sqlite => "",
            Self::Postgres => "NOT EXISTS (SELECT 1 FROM (",
        });
        match self {
            Self::Sqlite => out.sql(column).sql(" NOT IN (").append(numbers).sql(")"),
            Self::Postgres => {
                out.append(numbers).sql(") o (number) WHERE o.number = ").sql(column).sql(")")
            }
        };
        out
    }

    /// The end of a SELECT whose rows are locked.
    pub fn lock(self, lock: Lock) -> &'static str {
        match (self, lock) {
            (Self::Sqlite, _) => "",
            (Self::Postgres, Lock::Stay) => " FOR KEY SHARE",
            (Self::Postgres, Lock::Change) => " FOR NO KEY UPDATE",
            (Self::Postgres, Lock::Remove) => " FOR UPDATE",
        }
    }

    /// The end of a SELECT that takes a row nobody else is about to take, and does not wait for those.
    pub fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// The lane in which this connection counts (`db::counts`), from 1 to 32, as SQL: one of a few on PostgreSQL,
    /// so that writers side by side seldom wait for each other's row.
    pub fn lane(self) -> &'static str {
        match self {
            Self::Sqlite => "1",
            Self::Postgres => "1 + pg_backend_pid() % 32",
        }
    }

    /// What follows a mention of `groups` of which the answers show id and name alone: SQLite reads them from
    /// an index that lies on a few pages, where the rows with their documents lie on hundreds, of which each
    /// look-up would fetch some other.
    pub fn groups_shown(self) -> &'static str {
        match self {
            Self::Sqlite => " INDEXED BY groups_shown",
            Self::Postgres => "",
        }
    }

    /// The beginning of an INSERT of many rows, inside a transaction that ends, or goes back to a savepoint, where
    /// it fails: SQLite leaves the rows before the one that failed. Else it keeps a copy of each page that the
    /// statement changes, to undo that statement alone.
    pub fn insert_many(self) -> &'static str {
        match self {
            Self::Sqlite => "INSERT OR FAIL INTO ",
            Self::Postgres => "INSERT INTO ",
        }
    }

    /// The first three values that a statement has bound, to be named again in it.
    pub fn first_bound(self) -> [&'static str; 3] {
        match self {
            Self::Sqlite => ["?1", "?2", "?3"],
            Self::Postgres => ["$1", "$2", "$3"],
        }
    }

    /// The storage key of the row that the INSERT right before has stored, of a table with a `seq`; asked only where it
    /// has stored one. SQLite knows it anyway: asked to return it, an INSERT keeps a copy of each page that it
    /// changes, for the case that it fails behind the row.
    pub fn last_made(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT last_insert_rowid()",
            Self::Postgres => "SELECT lastval()",
        }
    }

    /// Whether a WITH may hold an INSERT, so that one statement fills several tables.
    pub fn writes_within(self) -> bool {
        self == Self::Postgres
    }

    /// Whether it lies in this process, so that a look-up costs what the pages cost that it reads.
    pub fn is_embedded(self) -> bool {
        self == Self::Sqlite
    }

    /// Whether writers run side by side, so that rows must be locked.
    pub fn locks_rows(self) -> bool {
        self == Self::Postgres
    }
}

impl Dialect {
    /// The bytes of a column as hexadecimal digits.
    pub fn hex(self, column: &str) -> String {
        match self {
            Self::Sqlite => {
                format!("CASE WHEN {column} IS NULL THEN NULL ELSE lower(hex({column})) END")
            }
            Self::Postgres => format!("encode({column}, 'hex')"),
        }
    }
}

/// The last number that the database gave to a row of a table; 0 for none.
///
/// # Errors
/// The database's.
pub fn last_number(conn: &mut DbConn, table: &'static str) -> QueryResult<i64> {
    let statement = match Dialect::of(conn) {
        Dialect::Sqlite => {
            let mut statement = Statement::new("SELECT seq FROM sqlite_sequence WHERE name = ");
            statement.text(table);
            statement
        }
        Dialect::Postgres => {
            // A sequence that was never asked stands in front of its first number.
            let mut statement =
                Statement::new("SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(");
            statement.text(table).sql(", 'seq')::regclass), 0)");
            statement
        }
    };
    let last: Option<i64> = statement.rows::<BigInt>().get_result(conn).optional()?;
    Ok(last.unwrap_or_default())
}

/// Makes the database go on behind this number.
///
/// # Errors
/// The database's.
pub fn set_last_number(conn: &mut DbConn, table: &'static str, last: i64) -> QueryResult<()> {
    match Dialect::of(conn) {
        Dialect::Sqlite => {
            // The table of numbers has no key, and no row for a table that never had one.
            let mut gone = Statement::new("DELETE FROM sqlite_sequence WHERE name = ");
            gone.text(table);
            gone.run(conn)?;
            let mut next = Statement::new("INSERT INTO sqlite_sequence (name, seq) VALUES (");
            next.text(table).sql(", ").int(last).sql(")");
            next.run(conn).map(drop)
        }
        Dialect::Postgres => {
            let mut next = Statement::new("SELECT setval(pg_get_serial_sequence(");
            next.text(table).sql(", 'seq')::regclass, ").int(last.max(1)).sql(", ");
            next.bool(last > 0).sql(")");
            next.rows::<BigInt>().get_result::<i64>(conn).map(drop)
        }
    }
}

/// Applies the migrations that are missing and names them.
///
/// # Errors
/// A migration's; an encoding of the database that cannot hold every text.
pub fn migrate(conn: &mut DbConn) -> MigrationResult<Vec<MigrationVersion<'static>>> {
    match conn {
        DbConn::Sqlite(lite) => {
            may_write(lite)?;
            let done = lite.run_pending_migrations(SQLITE)?;
            Ok(done.iter().map(MigrationVersion::as_owned).collect())
        }
        DbConn::Postgres(pg) => alone(pg, |pg| {
            let encoding: String =
                diesel::select(diesel::dsl::sql::<Text>("current_setting('server_encoding')"))
                    .get_result(pg)?;
            if encoding != "UTF8" {
                return Err(format!("the database's encoding is {encoding}, not UTF8").into());
            }
            let done = pg.run_pending_migrations(POSTGRES)?;
            Ok(done.iter().map(MigrationVersion::as_owned).collect())
        }),
    }
}

/// Finds out now, not at the first change, where the files or their folder may only be read.
fn may_write(lite: &mut SqliteConnection) -> MigrationResult<()> {
    // Whoever is writing at this moment is not waited for: it can be written.
    lite.batch_execute("PRAGMA busy_timeout = 0")?;
    // A number that nobody reads: beginning alone would be let pass.
    let written = lite.batch_execute("BEGIN; PRAGMA user_version = 0");
    lite.batch_execute("ROLLBACK")?;
    lite.batch_execute("PRAGMA busy_timeout = 5000")?;
    match written {
        Err(DbError::DatabaseError(_, about)) if about.message() != "database is locked" => {
            Err(format!("its files or their folder cannot be written: {}", about.message()).into())
        }
        _ => Ok(()),
    }
}

/// The names of all migrations, which both databases have.
///
/// # Errors
/// That of a migration which cannot be read.
pub fn known() -> MigrationResult<Vec<String>> {
    let known = MigrationSource::<Sqlite>::migrations(&SQLITE)?;
    Ok(known.iter().map(|m| m.name().to_string()).collect())
}

/// The migrations that a database lacks which may only be read.
///
/// # Errors
/// The database's; it is none of ours, for one.
pub fn lacking(conn: &mut DbConn) -> MigrationResult<Vec<String>> {
    let there: Vec<String> = Statement::new("SELECT version FROM __diesel_schema_migrations")
        .rows::<Text>()
        .load(conn)?;
    // Both databases have the same migrations.
    let known = MigrationSource::<Sqlite>::migrations(&SQLITE)?;
    let lacking = known
        .iter()
        .map(|m| m.name())
        .filter(|name| !there.iter().any(|version| *version == name.version().to_string()));
    Ok(lacking.map(ToString::to_string).collect())
}

/// The migrations that are missing, by name.
///
/// # Errors
/// The database's.
pub fn pending(conn: &mut DbConn) -> MigrationResult<Vec<String>> {
    match conn {
        DbConn::Sqlite(lite) => {
            Ok(lite.pending_migrations(SQLITE)?.iter().map(|m| m.name().to_string()).collect())
        }
        DbConn::Postgres(pg) => alone(pg, |pg| {
            Ok(pg.pending_migrations(POSTGRES)?.iter().map(|m| m.name().to_string()).collect())
        }),
    }
}

/// Does something while no other replica does it; however long the others take.
fn alone<T>(
    pg: &mut PgConnection,
    work: impl FnOnce(&mut PgConnection) -> MigrationResult<T>,
) -> MigrationResult<T> {
    /// A number that means "the migrations of stagedoor" to everybody on the server.
    const LOCK: i64 = 0x7374_6167_6564_6f6f;
    pg.batch_execute(&format!("SET lock_timeout = 0; SELECT pg_advisory_lock({LOCK})"))?;
    let result = work(pg);
    // Resetting would bring back the server's setting, not ours.
    let timeout = LOCK_TIMEOUT.as_millis();
    pg.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK}); SET lock_timeout = {timeout}"))?;
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that may only be read is found out; one that somebody else is writing is not refused.
    #[test]
    fn what_cannot_be_written_is_found_out() {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("a.db").display().to_string();
        let mut writer = SqliteConnection::establish(&path).unwrap();
        writer.batch_execute("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE").unwrap();
        let mut other = SqliteConnection::establish(&path).unwrap();
        may_write(&mut other).unwrap();
        writer.batch_execute("COMMIT").unwrap();
        let mut reader = SqliteConnection::establish(&format!("file:{path}?mode=ro")).unwrap();
        let why = may_write(&mut reader).unwrap_err().to_string();
        assert!(why.starts_with("its files or their folder cannot be written"), "{why}");
    }
}
