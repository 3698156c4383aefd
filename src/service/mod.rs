//! Floor 4: what the product does; one unit of work each.
//!
//! A unit of work loads, decides and saves on one connection and awaits nothing (I5). Nothing here
//! knows HTTP.

pub mod companies;
mod directory;
pub mod error;
pub mod groups;
pub mod keys;
pub mod lists;
pub mod tokens;
pub mod users;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::db::{Database, DbConn, installation};

pub use directory::Directory;
pub use error::{Error, Result, Unauthorized};
pub use keys::Keys;

/// Longest wait for a place among the blocking reads (security.md (c)).
const POOL_WAIT: Duration = Duration::from_secs(2);
/// Most blocking reads at once; each has a connection and a thread.
const BLOCKING_READS: usize = 8;

/// The product, ready to work.
#[derive(Clone)]
pub struct Service {
    database: Arc<Database>,
    clock: Clock,
    keys: Keys,
    reads: Arc<Semaphore>,
    access: Arc<tokens::AccessCache>,
}

/// What a unit of work works with.
pub struct Cx<'c> {
    /// The connection, inside a transaction.
    pub conn: &'c mut DbConn,
    /// The moment of the unit of work: one for everything that it writes.
    pub now: Timestamp,
    /// Makes ids.
    pub clock: &'c Clock,
}

impl Service {
    /// Puts the parts together.
    pub fn new(database: Database, clock: Clock, keys: Keys) -> Self {
        Self {
            database: Arc::new(database),
            clock,
            keys,
            reads: Arc::new(Semaphore::new(BLOCKING_READS)),
            access: Arc::default(),
        }
    }

    /// The clock that everything here goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Runs a unit of work; when this returns `Ok`, it is committed and synced (ruling 14).
    ///
    /// # Errors
    /// The unit's own; [`Error::Unavailable`] where the database did not take it.
    pub async fn transact<T: Send + 'static>(
        &self,
        unit: impl FnOnce(&mut Cx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let clock = self.clock.clone();
        let work = move |conn: &mut DbConn| {
            let now = clock.now();
            unit(&mut Cx { conn, now, clock: &clock })
        };
        self.database.write(work).await?
    }

    /// Reads at once, on the caller's thread: for look-ups that an index answers in less time than
    /// the way to another thread takes.
    ///
    /// # Errors
    /// The work's own, or the database's.
    pub fn read_now<T>(&self, work: impl FnOnce(&mut DbConn) -> Result<T>) -> Result<T> {
        self.database.read(work)
    }

    /// Reads on a thread where blocking is allowed.
    ///
    /// # Errors
    /// The work's own; [`Error::Unavailable`] where no place came free in time.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let wait = tokio::time::timeout(POOL_WAIT, Arc::clone(&self.reads).acquire_owned());
        let Ok(Ok(place)) = wait.await else {
            return Err(Error::Unavailable("The server is busy; try again"));
        };
        let database = Arc::clone(&self.database);
        let task = tokio::task::spawn_blocking(move || {
            let result = database.read(work);
            drop(place);
            result
        });
        task.await.map_err(|e| Error::Internal(Box::new(e)))?
    }

    /// Whether the database answers; what `/readyz` asks.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn ready(&self) -> Result<()> {
        self.read(|conn| Ok(installation::find(conn, "key").map(drop)?)).await
    }
}

/// Makes a fresh database remember its key, or checks that this key is the one it remembers.
///
/// # Errors
/// [`Error::Refused`]: it is another key, under which no token would work.
pub fn check_key(conn: &mut DbConn, keys: &Keys) -> Result<()> {
    let mine = keys.fingerprint();
    match installation::find(conn, "key")? {
        None => Ok(installation::insert(conn, "key", &mine)?),
        Some(known) if known == mine => Ok(()),
        Some(_) => Err(Error::Refused(
            "this key is not the one that the database was made with; no token would work".to_owned(),
        )),
    }
}
