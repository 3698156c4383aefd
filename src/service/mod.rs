//! Floor 4: what the product does; one unit of work each.
//!
//! A unit of work loads, decides and saves on one connection and awaits nothing (I5). Nothing here
//! knows HTTP.

pub mod access;
pub mod api_keys;
pub mod applications;
pub mod auth_settings;
pub mod bulk;
pub mod companies;
pub mod connections;
pub mod copy;
mod directory;
pub mod domains;
pub mod error;
pub mod events;
pub mod explain;
pub mod export;
pub mod group_filters;
pub mod groups;
pub mod idempotency;
pub mod import;
pub mod invitations;
pub mod jobs;
pub mod keys;
pub mod lists;
pub mod login;
pub mod memberships;
mod open;
pub mod organizations;
pub mod profiles;
pub mod projection;
pub mod provider;
mod recognition;
pub mod sealing;
pub mod sessions;
pub mod sign_on;
pub mod social_connections;
pub mod team_mappings;
pub mod teams;
pub mod tokens;
pub mod users;

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use governor::Quota;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::db::users::Creation;
use crate::db::{self, Database, DbConn, installation};
use crate::egress::Egress;
use crate::sso::saml::own_key::OwnKey;

pub use db::DbConn as Reading;
pub use directory::Directory;
pub use error::{Error, Result, Unauthorized};
pub use keys::Keys;
pub use open::{KeySource, pending_migrations};

/// Longest wait for a place among the blocking reads.
const POOL_WAIT: Duration = Duration::from_secs(2);
/// Longest time until an answer begins; identity providers wait 60 seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time that a command waits for its change.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(3_600);
/// Most blocking reads at once; each has a connection and a thread.
const BLOCKING_READS: usize = 4;
/// The same on PostgreSQL, where look-ups are among them.
const REMOTE_READS: usize = 16;

/// What a client is told whose change took too long.
const LATE: &str = "The server is busy; the change may come to be still";

/// The product, ready to work.
#[derive(Clone)]
pub struct Service {
    database: Arc<Database>,
    clock: Clock,
    keys: Keys,
    reads: Arc<Semaphore>,
    access: Arc<tokens::AccessCache>,
    scim_rate: Option<Arc<tokens::ScimRate>>,
    patience: Duration,
    egress: Egress,
    sign_on: Arc<sign_on::Memory>,
    saml_key: Arc<OnceLock<Arc<OwnKey>>>,
    provider: Arc<provider::Provider>,
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

impl Cx<'_> {
    /// Runs a part of the unit of work that may fail without taking the rest with it.
    ///
    /// # Errors
    /// The part's own; nothing of it is kept then.
    pub fn nested<T>(&mut self, part: impl FnOnce(&mut Cx<'_>) -> Result<T>) -> Result<T> {
        let (now, clock) = (self.now, self.clock);
        db::nested(self.conn, |conn| part(&mut Cx { conn, now, clock }))
    }
}

impl Service {
    /// Puts the parts together.
    pub fn new(database: Database, clock: Clock, keys: Keys) -> Self {
        let places = if database.is_embedded() { BLOCKING_READS } else { REMOTE_READS };
        Self {
            database: Arc::new(database),
            clock,
            keys,
            reads: Arc::new(Semaphore::new(places)),
            access: Arc::default(),
            scim_rate: None,
            patience: COMMAND_TIMEOUT,
            egress: Egress::default(),
            sign_on: Arc::default(),
            saml_key: Arc::default(),
            provider: Arc::default(),
        }
    }

    /// The same, with this way out.
    #[must_use]
    pub fn with_egress(mut self, egress: Egress) -> Self {
        self.egress = egress;
        self
    }

    /// The way out: what every call to others goes through.
    pub fn egress(&self) -> &Egress {
        &self.egress
    }

    /// The same, for requests: a client is told after seconds that its change is late, where a
    /// command waits until it is done.
    #[must_use]
    pub fn for_requests(mut self) -> Self {
        self.patience = ANSWER_TIMEOUT;
        self
    }

    /// The same, with each token held to so many requests a second (ruling 17).
    #[must_use]
    pub fn with_scim_rate(mut self, rate: NonZeroU32) -> Self {
        self.scim_rate = Some(Arc::new(tokens::ScimRate::keyed(Quota::per_second(rate))));
        self
    }

    /// The clock that everything here goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Runs a unit of work; when this returns `Ok`, it is committed and synced (ruling 14). It may be
    /// run more than once, but is kept once.
    ///
    /// # Errors
    /// The unit's own; [`Error::Unavailable`] where the database did not take it.
    pub async fn transact<T: Send + 'static>(
        &self,
        unit: impl FnOnce(&mut Cx<'_>) -> Result<T> + Clone + Send + 'static,
    ) -> Result<T> {
        let work = self.on_connection(unit);
        let done = tokio::time::timeout(self.patience, self.database.write(work)).await;
        done.map_err(|_| Error::Unavailable(LATE))??
    }

    /// Makes a user without a unit of work of its own ([`Database::create_user`]).
    ///
    /// # Errors
    /// Those of [`Self::transact`].
    async fn create_together(&self, new: Arc<Creation>) -> Result<Option<i64>> {
        let done = tokio::time::timeout(self.patience, self.database.create_user(new)).await;
        Ok(done.map_err(|_| Error::Unavailable(LATE))???)
    }

    fn on_connection<T>(
        &self,
        unit: impl FnOnce(&mut Cx<'_>) -> Result<T> + Clone + Send + 'static,
    ) -> impl FnOnce(&mut DbConn) -> Result<T> + Clone + Send + 'static {
        let clock = self.clock.clone();
        move |conn: &mut DbConn| {
            let now = clock.now();
            unit(&mut Cx { conn, now, clock: &clock })
        }
    }

    /// Reads at once, on the caller's thread, which may block: a command's.
    ///
    /// # Errors
    /// The work's own, or the database's.
    pub fn read_now<T>(&self, work: impl FnOnce(&mut DbConn) -> Result<T>) -> Result<T> {
        self.database.read(work)
    }

    /// A look-up that an index answers: at once where the database lies in this process, since it
    /// takes less time than the way to another thread, else as [`Self::read`].
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub async fn look_up<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.database.is_embedded() {
            self.database.look_up(work)
        } else {
            self.read(work).await
        }
    }

    /// Reads on a thread where blocking is allowed.
    ///
    /// # Errors
    /// The work's own; [`Error::Unavailable`] where no place came free in time, or no answer.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let wait = tokio::time::timeout(POOL_WAIT, Arc::clone(&self.reads).acquire_owned());
        let Ok(Ok(place)) = wait.await else {
            return Err(Error::Unavailable("The server is busy; try again"));
        };
        let read = self.database.read_beside(place, work);
        let done = tokio::time::timeout(self.patience, read).await;
        let done =
            done.map_err(|_| Error::Unavailable("The database does not answer; try again"))?;
        done.ok_or_else(|| Error::Internal("a read panicked".into()))?
    }

    /// Does what keeps the database cheap to read; safe at any time, on any number of replicas.
    ///
    /// # Errors
    /// As [`Self::transact`].
    pub async fn sweep(&self) -> Result<()> {
        self.in_slices(sign_on::attempts::sweep).await?;
        let keys = |cx: &mut Cx<'_>| {
            Ok(db::idempotency::sweep(cx.conn, db::micros(cx.now - idempotency::LIFE))?)
        };
        self.in_slices(keys).await?;
        self.transact(|cx| Ok(db::counts::fold(cx.conn)?)).await
    }

    /// Removes what is over slice by slice, each a unit of work of its own, until there is less than one.
    async fn in_slices(&self, slice: fn(&mut Cx<'_>) -> Result<usize>) -> Result<()> {
        while self.transact(slice).await? >= db::SLICE {}
        Ok(())
    }

    /// Whether replicas may share the database, which then is not embedded.
    pub fn is_shared(&self) -> bool {
        !self.database.is_embedded()
    }

    /// Whether the database answers; what `/readyz` asks.
    ///
    /// # Errors
    /// The database's.
    pub async fn ready(&self) -> Result<()> {
        // Where the database is embedded, a look-up of one row does not wait behind people's lists.
        let look = self.look_up(|conn| Ok(installation::find(conn, "key").map(drop)?));
        let late = |_| Error::Unavailable("The database does not answer; try again");
        tokio::time::timeout(POOL_WAIT, look).await.map_err(late)?
    }
}
