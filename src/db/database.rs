//! The database as the service sees it: readers that cannot write; one writer on SQLite, writers side
//! by side on PostgreSQL.

use std::sync::Arc;
use std::time::Instant;

use super::anchor::Anchor;
use super::conn::{self, DatabaseUrl, DbConn, Purpose, STATEMENT_TIMEOUT};
use super::pool::{Form, Idle, Pool};
use super::threads::Threads;
use super::users::{self, Creation};
use super::writer::Writer;
use super::{DbError, dialect};

/// An open database.
pub struct Database {
    readers: Idle,
    look_ups: Idle,
    writers: Writers,
    threads: Threads,
}

enum Writers {
    One(Writer),
    Many(Pool),
}

/// Why the database gave no answer to a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// It could not be finished in time.
    TimedOut,
    /// There is no connection, or it was lost.
    Unreachable,
}

/// Why a unit of work has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCommitted {
    /// It was not committed; nothing of it is kept.
    #[error("the database did not take the change")]
    Refused,
    /// The connection was lost while it was being committed.
    #[error("the database did not say whether it took the change")]
    Unknown,
}

/// What work on the database may fail with, as far as the database must know it.
pub trait Failure {
    /// The database's own error, where it is the cause.
    fn database_error(&self) -> Option<&DbError>;
}

impl Failure for DbError {
    fn database_error(&self) -> Option<&DbError> {
        Some(self)
    }
}

impl Database {
    /// Opens and migrates the database at `url`.
    ///
    /// # Errors
    /// One line for the operator.
    pub fn open(url: &DatabaseUrl) -> Result<Self, String> {
        let mut conn = conn::open(url, Purpose::Write)?;
        dialect::migrate(&mut conn).map_err(|e| format!("the migrations failed: {e}"))?;
        let readers = Idle::new(url.clone(), Purpose::Read);
        let look_ups = Idle::new(url.clone(), Purpose::LookUp);
        let writers = if dialect::Dialect::of(&conn).locks_rows() {
            Writers::Many(Pool::new(url.clone(), conn))
        } else {
            let writer = Writer::start(conn, Anchor::new(url)?);
            Writers::One(writer.map_err(|e| format!("no thread for the writer: {e}"))?)
        };
        Ok(Self { readers, look_ups, writers, threads: Threads::default() })
    }

    /// Whether the database lies in this process: then a look-up by an index takes less time than the
    /// hop to another thread would.
    pub fn is_embedded(&self) -> bool {
        matches!(self.writers, Writers::One(_))
    }

    /// How many units of work went through the one writer since the start; `None`: there is no such queue.
    pub fn units_taken(&self) -> Option<usize> {
        match &self.writers {
            Writers::One(writer) => Some(writer.taken()),
            Writers::Many(_) => None,
        }
    }

    /// Runs reads on a connection that refuses to write, under the statement timeout.
    ///
    /// Blocks; call it where blocking is allowed.
    ///
    /// # Errors
    /// The work's own; [`Unanswered`] as `E` where a statement had to be cut short, or where the
    /// connection was lost.
    pub fn read<T, E: Failure + From<Unanswered>>(
        &self,
        work: impl FnOnce(&mut DbConn) -> Result<T, E>,
    ) -> Result<T, E> {
        read_on(&self.readers, self.is_embedded(), work)
    }

    /// As [`Self::read`], on a thread where it may block; `place` is given back when it has ended. `None`: it
    /// panicked.
    pub async fn read_beside<T: Send + 'static, E: Failure + From<Unanswered> + Send + 'static>(
        self: &Arc<Self>,
        place: impl Send + 'static,
        work: impl FnOnce(&mut DbConn) -> Result<T, E> + Send + 'static,
    ) -> Option<Result<T, E>> {
        let database = Arc::clone(self);
        self.threads.run(place, move || database.read(work)).await
    }

    /// As [`Self::read`], for a look-up by an index on a thread that must not block for long: only
    /// where [`Self::is_embedded`].
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn look_up<T, E: Failure + From<Unanswered>>(
        &self,
        work: impl FnOnce(&mut DbConn) -> Result<T, E>,
    ) -> Result<T, E> {
        read_on(&self.look_ups, self.is_embedded(), work)
    }

    /// A connection that refuses to write and sees the database as it is now, however long it lives.
    ///
    /// # Errors
    /// One line for the operator.
    pub fn snapshot(&self) -> Result<DbConn, String> {
        let mut conn = self.readers.take()?;
        dialect::begin_snapshot(&mut conn).map_err(|e| e.to_string())?;
        Ok(conn)
    }

    /// Runs a unit of work in a transaction; it is committed and synced when this returns `Ok(Ok(_))`.
    ///
    /// On PostgreSQL the unit may be run more than once, each time from its beginning.
    ///
    /// # Errors
    /// [`NotCommitted`], or inside the unit's own refusal.
    pub async fn write<T, E>(
        &self,
        unit: impl FnOnce(&mut DbConn) -> Result<T, E> + Clone + Send + 'static,
    ) -> Result<Result<T, E>, NotCommitted>
    where
        T: Send + 'static,
        E: Failure + Send + 'static,
    {
        match &self.writers {
            Writers::One(writer) => writer.run(unit, Form::Transaction).await,
            Writers::Many(pool) => pool.run(unit, Form::Transaction).await,
        }
    }

    /// The same for a unit of work of `Form::Statement`, which needs no transaction or savepoint of its own.
    ///
    /// # Errors
    /// Those of [`Self::write`].
    pub async fn write_alone<T, E>(
        &self,
        unit: impl FnOnce(&mut DbConn) -> Result<T, E> + Clone + Send + 'static,
    ) -> Result<Result<T, E>, NotCommitted>
    where
        T: Send + 'static,
        E: Failure + Send + 'static,
    {
        match &self.writers {
            Writers::One(writer) => writer.run(unit, Form::Statement).await,
            Writers::Many(pool) => pool.run(unit, Form::Statement).await,
        }
    }

    /// Makes a user; its storage key. On PostgreSQL by one statement with all who wait for the same, on SQLite
    /// without a savepoint. `None`: the id, the `userName` or the `externalId` is taken.
    ///
    /// # Errors
    /// Those of [`Self::write`].
    pub async fn create_user(
        &self,
        new: Arc<Creation>,
    ) -> Result<Result<Option<i64>, DbError>, NotCommitted> {
        match &self.writers {
            Writers::One(_) => self.write_alone(move |conn| users::create(conn, &new)).await,
            Writers::Many(pool) => pool.create(new).await,
        }
    }
}

/// Runs reads on one of these connections.
fn read_on<T, E: Failure + From<Unanswered>>(
    readers: &Idle,
    embedded: bool,
    work: impl FnOnce(&mut DbConn) -> Result<T, E>,
) -> Result<T, E> {
    // As many connections come to be as there are reads at once; the callers bound them.
    let mut conn = readers.take().map_err(|error| {
        tracing::error!(error, "the database cannot be reached");
        Unanswered::Unreachable
    })?;
    let begun = Instant::now();
    let result = conn::with_deadline(STATEMENT_TIMEOUT, || work(&mut conn));
    let Some(result) = result else {
        readers.give(conn);
        return Err(Unanswered::TimedOut.into());
    };
    let Err(failure) = result else {
        readers.give(conn);
        return result;
    };
    let Some(error) = failure.database_error() else {
        readers.give(conn);
        return Err(failure);
    };
    // Diesel has no name for a statement that PostgreSQL cut short; its age tells.
    let late = begun.elapsed() >= STATEMENT_TIMEOUT && !embedded;
    let cause = error.to_string();
    if !readers.give_doubtful(conn) {
        tracing::error!(cause, "the connection to the database was lost");
        return Err(Unanswered::Unreachable.into());
    }
    Err(if late { Unanswered::TimedOut.into() } else { failure })
}
