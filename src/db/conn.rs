//! The connection: one type for both databases, how it is opened, and how long a statement may take.
#![expect(missing_docs, reason = "the derive of Diesel generates public items without docs")]

mod running;

use std::cell::Cell;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;

use super::postgres_url::PostgresUrl;

/// A connection to the database.
#[derive(diesel::MultiConnection)]
pub enum DbConn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Where the data lies, from `--database-url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite://PATH`: a file on this machine.
    Sqlite(PathBuf),
    /// `postgres://…`: a server, which any number of replicas share.
    Postgres(PostgresUrl),
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(url) = PostgresUrl::parse(text) {
            return url.map(Self::Postgres);
        }
        match text.strip_prefix("sqlite://") {
            // What SQLite would not take for the name of a file, or a file that nobody meant.
            Some(path) if path == ":memory:" || path.starts_with("file:") || path.contains('?') => {
                Err("a sqlite URL is sqlite://PATH of a file, without parameters".to_owned())
            }
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            _ => Err("a database URL is sqlite://PATH, such as sqlite://stagedoor.db, or \
                      postgres://USER@HOST/DATABASE"
                .to_owned()),
        }
    }
}

/// Longest time that the statements of one read may take.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a row that another writer holds.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
/// The same where others would wait along, who do not want that row.
const HASTE: Duration = Duration::from_millis(100);

impl DatabaseUrl {
    /// Whether there is something to be opened; a server is taken to be there.
    pub fn is_there(&self) -> bool {
        match self {
            Self::Sqlite(path) => path.exists(),
            Self::Postgres(_) => true,
        }
    }

    /// The file that holds the server key beside the database, where that is a file itself.
    pub fn key_file(&self) -> Option<PathBuf> {
        match self {
            Self::Sqlite(path) => {
                let mut path = path.clone().into_os_string();
                path.push(".key");
                Some(PathBuf::from(path))
            }
            Self::Postgres(_) => None,
        }
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Units of work, and commands.
    Write,
    /// What several requests write together: nobody else's row is waited for.
    WriteTogether,
    /// Lists: the database refuses every change on it.
    Read,
    /// Look-ups of single resources, otherwise the same.
    LookUp,
}

diesel::define_sql_function! {
    /// False once the statement has used up its time: then no further row is looked at for long.
    fn within_deadline(row: BigInt) -> Bool;
}

/// Opens a connection.
///
/// # Errors
/// Where the file cannot be opened, or is no database; where the server does not answer or does not
/// let us in. One line, without a password.
pub fn open(url: &DatabaseUrl, purpose: Purpose) -> Result<DbConn, String> {
    match url {
        DatabaseUrl::Sqlite(path) => open_sqlite(path, purpose).map(DbConn::Sqlite),
        DatabaseUrl::Postgres(url) => open_postgres(url, purpose).map(DbConn::Postgres),
    }
}

fn open_sqlite(path: &Path, purpose: Purpose) -> Result<SqliteConnection, String> {
    let name = path.to_str().ok_or("the database path is not UTF-8")?;
    create_private(path).map_err(|e| format!("{name}: {e}"))?;
    let mut conn = SqliteConnection::establish(name).map_err(|e| format!("{name}: {e}"))?;
    let (cache, setting) = match purpose {
        // A longer log is checkpointed less often, and the pages that many commits share only once.
        Purpose::Write | Purpose::WriteTogether => (12_000, "PRAGMA wal_autocheckpoint = 16000;"),
        // The upper pages of the indexes stay in a reader's cache; the leaves of a large directory are
        // found in the system's cache, which all readers share.
        Purpose::Read => (4_000, "PRAGMA query_only = ON;"),
        // A look-up reads a leaf of each of its indexes, which no cache that fits into memory would have:
        // a small one is in the processor's own cache when they are copied into it.
        Purpose::LookUp => (2_000, "PRAGMA query_only = ON;"),
    };
    // The size of the cache comes first: it is taken whole when the first page is read.
    // FULL: an answer means synced (ruling 14). LIKE compares exactly, since keys are folded already.
    conn.batch_execute(&format!(
        "PRAGMA cache_size = -{cache}; PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA case_sensitive_like = ON;
         PRAGMA temp_store = MEMORY; {setting}"
    ))
    .map_err(|e| format!("{name}: {e}"))?;
    within_deadline_utils::register_nondeterministic_impl(&mut conn, |_: i64| within())
        .map_err(|e| format!("{name}: {e}"))?;
    Ok(conn)
}

fn open_postgres(url: &PostgresUrl, purpose: Purpose) -> Result<PgConnection, String> {
    let mut conn =
        PgConnection::establish(&url.to_connect()).map_err(|e| url.explain(&e.to_string()))?;
    // What a commit waits for is the server's own setting: an answer means as much as it does there.
    // Compiling a query costs more than any of ours takes. Pages lie in memory or on a disk without
    // heads. A few rows are looked up one by one: a merge would walk the other table from its beginning.
    let mut settings =
        "SET client_min_messages = warning; SET jit = off; SET random_page_cost = 1.1; \
         SET enable_mergejoin = off;"
            .to_owned();
    match purpose {
        Purpose::Write => {
            settings.push_str(&format!("SET lock_timeout = {};", LOCK_TIMEOUT.as_millis()));
        }
        Purpose::WriteTogether => {
            settings.push_str(&format!("SET lock_timeout = {};", HASTE.as_millis()));
        }
        Purpose::Read | Purpose::LookUp => settings.push_str(&format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {};",
            STATEMENT_TIMEOUT.as_millis()
        )),
    }
    if purpose == Purpose::Read {
        // The groups of a page's users are a few hundred of any number: a hash would read them all.
        settings.push_str("SET enable_hashjoin = off;");
    }
    conn.batch_execute(&settings).map_err(|e| url.explain(&e.to_string()))?;
    Ok(conn)
}

/// Makes a missing database file readable by its owner alone: it holds people's data. SQLite gives
/// the files beside it the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

thread_local! {
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    static EXCEEDED: Cell<bool> = const { Cell::new(false) };
}

fn within() -> bool {
    let late = DEADLINE.get().is_some_and(|d| Instant::now() > d);
    if late {
        EXCEEDED.set(true);
    }
    !late
}

/// Runs statements under a time limit; `None` where one of them had to be cut short, so that what
/// it returned is not the whole and must not be shown.
pub fn with_deadline<T>(limit: Duration, work: impl FnOnce() -> T) -> Option<T> {
    DEADLINE.set(Instant::now().checked_add(limit));
    EXCEEDED.set(false);
    let result = work();
    DEADLINE.set(None);
    (!EXCEEDED.get()).then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        assert_eq!("sqlite://a/b.db".parse(), Ok(DatabaseUrl::Sqlite("a/b.db".into())));
        assert_eq!("sqlite:///b.db".parse(), Ok(DatabaseUrl::Sqlite("/b.db".into())));
        for bad in [
            "",
            "sqlite://",
            "sqlite://:memory:",
            "sqlite://file:a.db",
            "sqlite://a.db?mode=ro",
            "mysql://x",
            "stagedoor.db",
            "postgres://",
        ] {
            assert!(bad.parse::<DatabaseUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_deadline_is_noticed() {
        assert_eq!(with_deadline(Duration::from_secs(60), within), Some(true));
        let late = with_deadline(Duration::ZERO, || {
            std::thread::sleep(Duration::from_millis(1));
            within()
        });
        assert_eq!(late, None);
    }
}
