//! Writers of PostgreSQL: units of work side by side, each in a transaction of its own.
//!
//! Rows that a unit reads to change them are locked by the unit. A unit whose transaction the server
//! gave up (a deadlock, a lost connection) is run again from its beginning, since nothing of it was
//! kept; one whose commit was not answered never is, since it may have been.

mod together;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use diesel::QueryResult;
use diesel::result::DatabaseErrorKind;
use tokio::sync::Semaphore;

use super::conn::{self, DatabaseUrl, DbConn, LOCK_TIMEOUT, Purpose};
use super::database::{Failure, NotCommitted};
use super::threads::Threads;
use super::users::{self, Creation};
use super::{DbError, dialect, writer};
use together::{Together, Turn};

/// Most units of work at once; each has a connection and a thread.
const WRITERS: usize = 16;
/// Longest wait for a connection: who waits longer is better told to come again.
const WAIT: Duration = Duration::from_secs(2);
/// How often a unit of work is tried in all.
const ATTEMPTS: usize = 5;

/// Connections that are opened when they are needed, and kept. A thread is given the one again that it had
/// last, if it is there: its pages lie in the cache of the thread's processor.
pub struct Idle {
    url: DatabaseUrl,
    purpose: Purpose,
    conns: Mutex<Vec<(ThreadId, DbConn)>>,
}

impl Idle {
    /// Keeps connections for this purpose; opens none yet.
    pub fn new(url: DatabaseUrl, purpose: Purpose) -> Self {
        Self { url, purpose, conns: Mutex::default() }
    }

    /// One that is idle, or a new one.
    ///
    /// # Errors
    /// As [`conn::open`].
    pub fn take(&self) -> Result<DbConn, String> {
        let idle = {
            let mut conns = self.conns.lock().unwrap_or_else(PoisonError::into_inner);
            let own = conns.iter().position(|(thread, _)| *thread == thread::current().id());
            own.map(|place| conns.swap_remove(place)).or_else(|| conns.pop())
        };
        idle.map_or_else(|| conn::open(&self.url, self.purpose), |(_, conn)| Ok(conn))
    }

    /// Keeps a connection that is in no transaction.
    pub fn give(&self, conn: DbConn) {
        let conn = (thread::current().id(), conn);
        self.conns.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
    }

    /// Keeps a connection on which there was an error, if it is of any use still. A lost one takes
    /// the idle ones along: what ended it ended them.
    pub fn give_doubtful(&self, mut conn: DbConn) -> bool {
        let alive = dialect::is_alive(&mut conn);
        if alive {
            self.give(conn);
        } else {
            self.conns.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        alive
    }
}

/// What a unit of work is to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Statements, of which all are kept or none.
    Transaction,
    /// What has written nothing where it refuses: on PostgreSQL one statement at most; on SQLite a first one
    /// that may find its company gone, and others that can fail with the disk alone.
    Statement,
}

/// The writers.
pub struct Pool {
    idle: Arc<Idle>,
    places: Arc<Semaphore>,
    threads: Threads,
    creations: Together<Arc<Creation>, Option<i64>>,
}

impl Pool {
    /// Writers of the database at this URL, beginning with this connection.
    pub fn new(url: DatabaseUrl, first: DbConn) -> Self {
        let together = Idle::new(url.clone(), Purpose::WriteTogether);
        let threads = Threads::default();
        let creations = Together::new((together, threads.clone()), store);
        let idle = Idle::new(url, Purpose::Write);
        idle.give(first);
        let places = Arc::new(Semaphore::new(WRITERS));
        Self { idle: Arc::new(idle), places, threads, creations }
    }

    /// Makes a user, by one statement with all who wait for the same; its storage key.
    ///
    /// # Errors
    /// [`NotCommitted`]; inside the database's own.
    pub async fn create(
        &self,
        new: Arc<Creation>,
    ) -> Result<Result<Option<i64>, DbError>, NotCommitted> {
        match self.creations.join(new).await? {
            Turn::Done(made) => made.map(Ok),
            Turn::Alone(new) => {
                self.run(move |conn| users::create(conn, &new), Form::Statement).await
            }
        }
    }

    /// Runs a unit of work and waits until it is committed.
    ///
    /// On `Ok(Err(_))` the unit of work itself refused, and nothing of it is kept.
    ///
    /// # Errors
    /// [`NotCommitted`].
    pub async fn run<T, E>(
        &self,
        unit: impl FnOnce(&mut DbConn) -> Result<T, E> + Clone + Send + 'static,
        form: Form,
    ) -> Result<Result<T, E>, NotCommitted>
    where
        T: Send + 'static,
        E: Failure + Send + 'static,
    {
        let place = tokio::time::timeout(WAIT, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(NotCommitted::Refused) };
        let idle = Arc::clone(&self.idle);
        // The place is given back when the unit has ended, whoever waits for it still.
        let done = self.threads.run(place, move || insist(&idle, &unit, form)).await;
        done.unwrap_or(Err(NotCommitted::Unknown))
    }
}

fn store(conn: &mut DbConn, new: &[Arc<Creation>]) -> QueryResult<Vec<Option<i64>>> {
    match new {
        [new] => Ok(vec![users::create(conn, new)?]),
        new => users::create_all(conn, &new.iter().map(Arc::as_ref).collect::<Vec<_>>()),
    }
}

/// How one attempt ended.
enum Attempt<T, E> {
    /// It is committed, or the unit refused.
    Done(Result<T, E>),
    /// Nothing is kept, and another attempt may go better; with the unit's own error, if it had one.
    Again(Option<E>),
    /// It cannot be said whether it is kept.
    Unknown,
    /// The unit panicked.
    Panicked,
}

fn insist<T, E: Failure>(
    idle: &Idle,
    unit: &(impl FnOnce(&mut DbConn) -> Result<T, E> + Clone),
    form: Form,
) -> Result<Result<T, E>, NotCommitted> {
    for number in 1..=ATTEMPTS {
        let begun = Instant::now();
        let mut conn = idle.take().map_err(|error| {
            tracing::error!(error, "the database cannot be reached");
            NotCommitted::Refused
        })?;
        let ended = match form {
            Form::Transaction => attempt(&mut conn, unit.clone()),
            Form::Statement => attempt_alone(&mut conn, unit.clone()),
        };
        match ended {
            Attempt::Done(result) => {
                idle.give(conn);
                return Ok(result);
            }
            Attempt::Again(error) => {
                let alive = idle.give_doubtful(conn);
                // Who has waited in vain for somebody else's row is not sent to wait once more.
                let late = begun.elapsed() >= LOCK_TIMEOUT;
                match error {
                    Some(error) if alive && !late && number == ATTEMPTS => return Ok(Err(error)),
                    _ if late => break,
                    _ => {}
                }
            }
            Attempt::Unknown => {
                idle.give_doubtful(conn);
                return Err(NotCommitted::Unknown);
            }
            // The connection, in a transaction still, is closed.
            Attempt::Panicked => return Err(NotCommitted::Refused),
        }
    }
    tracing::error!("a unit of work was given up");
    Err(NotCommitted::Refused)
}

fn attempt<T, E: Failure>(
    conn: &mut DbConn,
    unit: impl FnOnce(&mut DbConn) -> Result<T, E>,
) -> Attempt<T, E> {
    if let Err(error) = dialect::begin(conn) {
        tracing::debug!(%error, "no transaction could be begun");
        return Attempt::Again(None);
    }
    match catch_unwind(AssertUnwindSafe(|| unit(conn))) {
        Ok(Ok(value)) => match dialect::commit(conn) {
            Ok(()) => Attempt::Done(Ok(value)),
            Err(error) => {
                tracing::error!(%error, "a commit failed");
                // An answer says that nothing was kept; no answer says nothing.
                if dialect::is_alive(conn) { Attempt::Again(None) } else { Attempt::Unknown }
            }
        },
        Ok(Err(refusal)) => {
            dialect::rollback(conn);
            match refusal.database_error() {
                Some(error) if is_passing(error) => {
                    tracing::debug!(%error, "a unit of work is tried again");
                    Attempt::Again(Some(refusal))
                }
                _ => Attempt::Done(Err(refusal)),
            }
        }
        Err(panic) => {
            let panic = writer::panic_text(panic.as_ref());
            tracing::error!(panic, "a unit of work panicked");
            Attempt::Panicked
        }
    }
}

/// As [`attempt`], without a transaction around the one statement.
fn attempt_alone<T, E: Failure>(
    conn: &mut DbConn,
    unit: impl FnOnce(&mut DbConn) -> Result<T, E>,
) -> Attempt<T, E> {
    let Ok(result) = catch_unwind(AssertUnwindSafe(|| unit(conn))) else {
        tracing::error!("a unit of work panicked");
        return Attempt::Panicked;
    };
    match result {
        Err(refusal) if refusal.database_error().is_some_and(is_passing) => {
            // The statement was the commit: where there was no answer it may have been taken.
            if dialect::is_alive(conn) { Attempt::Again(Some(refusal)) } else { Attempt::Unknown }
        }
        done => Attempt::Done(done),
    }
}

/// Whether the same may go well the next time. Diesel has no name for a deadlock, so what it does
/// not know is tried again as well.
fn is_passing(error: &DbError) -> bool {
    match error {
        DbError::DatabaseError(kind, _) => matches!(
            kind,
            DatabaseErrorKind::SerializationFailure
                | DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::Unknown
        ),
        DbError::BrokenTransactionManager => true,
        _ => false,
    }
}
