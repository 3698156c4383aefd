//! The database as the service sees it: readers that cannot write, one writer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::conn::{self, DatabaseUrl, DbConn, Purpose};
use super::dialect;
use super::writer::{NotCommitted, Writer};

/// Longest time that the statements of one read may take (security.md (c)).
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// An open database.
pub struct Database {
    url: DatabaseUrl,
    idle: Mutex<Vec<DbConn>>,
    writer: Writer,
}

/// A read could not be finished in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

impl Database {
    /// Opens and migrates the database at `url`.
    ///
    /// # Errors
    /// One line for the operator.
    pub fn open(url: &DatabaseUrl) -> Result<Self, String> {
        let mut conn = conn::open(url, Purpose::Write)?;
        dialect::migrate(&mut conn).map_err(|e| format!("the migrations failed: {e}"))?;
        let writer = Writer::start(conn).map_err(|e| format!("no thread for the writer: {e}"))?;
        Ok(Self { url: url.clone(), idle: Mutex::new(Vec::new()), writer })
    }

    /// Runs reads on a connection that refuses to write, under the statement timeout.
    ///
    /// Blocks; call it where blocking is allowed, or for point reads from an index, which take less
    /// time than the hop to another thread would.
    ///
    /// # Errors
    /// The work's own; [`TimedOut`] as `E` where a statement had to be cut short.
    pub fn read<T, E: From<TimedOut> + From<String>>(
        &self,
        work: impl FnOnce(&mut DbConn) -> Result<T, E>,
    ) -> Result<T, E> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // As many connections come to be as threads read at once; the pools of threads bound them.
        let mut conn = match idle {
            Some(conn) => conn,
            None => conn::open(&self.url, Purpose::Read)?,
        };
        let result = conn::with_deadline(STATEMENT_TIMEOUT, || work(&mut conn));
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        result.unwrap_or_else(|| Err(TimedOut.into()))
    }

    /// Runs a unit of work on the writer; it is committed and synced when this returns `Ok(Ok(_))`.
    ///
    /// # Errors
    /// [`NotCommitted`], or inside the unit's own refusal.
    pub async fn write<T, E>(
        &self,
        unit: impl FnOnce(&mut DbConn) -> Result<T, E> + Send + 'static,
    ) -> Result<Result<T, E>, NotCommitted>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.writer.run(unit).await
    }
}
