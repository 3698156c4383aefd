//! How the service is opened: the database by its URL, the key from where the operator keeps it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::db::{self, Database, DatabaseUrl, DbConn, Purpose, installation};

use super::{Keys, Service, sealing};

/// Where the server key is kept.
#[derive(Clone)]
pub enum KeySource {
    /// Given as text, from the environment.
    Text(String),
    /// In this file.
    File(PathBuf),
    /// In a file beside the SQLite database, made at the first start.
    BesideDatabase,
}

impl Service {
    /// Opens the database, brings it up to date, and checks that the key is the one it was made with.
    ///
    /// # Errors
    /// One line for the operator, which names the setting.
    pub fn open(database_url: &str, key: &KeySource, clock: Clock) -> Result<Self, String> {
        let url: DatabaseUrl = database_url.parse().map_err(|e| format!("database-url: {e}"))?;
        let database = Database::open(&url).map_err(|e| format!("database-url: {e}"))?;
        let mut conn = db::open(&url, Purpose::Write).map_err(|e| format!("database-url: {e}"))?;
        let known =
            installation::find(&mut conn, "key").map_err(|e| format!("database-url: {e}"))?;
        let text = match key {
            KeySource::Text(text) => text.clone(),
            KeySource::File(path) => read(path)?,
            KeySource::BesideDatabase => beside(&url, known.is_some())?,
        };
        let keys = Keys::new(&Keys::parse(&text).map_err(|e| format!("secret-key: it {e}"))?);
        check(&mut conn, known.as_deref(), &keys.fingerprint())?;
        sealing::load(&mut conn, &keys, db::micros(clock.now()))
            .map_err(|e| format!("database-url: {e}: the sealing key cannot be read"))?;
        Ok(Self::new(database, clock, keys))
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("secret-key-file: {}: {e}", path.display()))
}

/// The key in the file beside the database; made where the database is new.
fn beside(url: &DatabaseUrl, has_key: bool) -> Result<String, String> {
    let DatabaseUrl::Sqlite(database) = url else {
        return Err("secret-key-file: PostgreSQL needs one, the same for every replica; \
                    `openssl rand -hex 32` makes its text"
            .to_owned());
    };
    let mut path = database.clone().into_os_string();
    path.push(".key");
    let path = PathBuf::from(path);
    if has_key {
        return read(&path);
    }
    let text = Keys::generate().map_err(|e| format!("secret-key: {e}"))?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    match file {
        Ok(mut file) => {
            let written = writeln!(file, "{text}").and_then(|()| file.sync_all());
            written.map_err(|e| format!("secret-key-file: {}: {e}", path.display()))?;
            Ok(text)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(&path),
        Err(error) => Err(format!("secret-key-file: {}: {error}", path.display())),
    }
}

/// Makes a fresh database remember its key; refuses another key, under which no token would work.
fn check(conn: &mut DbConn, known: Option<&str>, mine: &str) -> Result<(), String> {
    if known == Some(mine) {
        return Ok(());
    }
    if known.is_none() && installation::insert(conn, "key", mine).is_ok() {
        return Ok(());
    }
    // Another process may have been faster; then its key counts.
    match installation::find(conn, "key") {
        Ok(Some(now)) if now == mine => Ok(()),
        Ok(_) => Err("secret-key: not the key that the database was made with".to_owned()),
        Err(error) => Err(format!("database-url: {error}")),
    }
}

/// The migrations that the database at this URL lacks.
///
/// # Errors
/// One line for the operator.
pub fn pending_migrations(database_url: &str) -> Result<Vec<String>, String> {
    let url: DatabaseUrl = database_url.parse().map_err(|e| format!("database-url: {e}"))?;
    if !url.is_there() {
        // Whoever only asks leaves no empty file behind.
        return db::known().map_err(|e| format!("database-url: {e}"));
    }
    let mut conn = db::open(&url, Purpose::Write).map_err(|e| format!("database-url: {e}"))?;
    db::pending(&mut conn).map_err(|e| format!("database-url: {e}"))
}
