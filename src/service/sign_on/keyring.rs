//! What this replica remembers between sign-ins: the keys of identity providers (security O6), and how often
//! somebody has begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use tokio::sync::Mutex;
use url::Url;

use crate::domain::refusal::{Reason, Refusal};
use crate::egress::{Answer, Egress, Limits};
use crate::service::Service;
use crate::service::error::{Error, Result};
use crate::sso::oidc::jwks::{self, Jwks};

/// How long keys are fresh, where the provider does not say.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// The shortest and the longest that it may say.
const FRESH_LIMITS: (Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(24 * 60 * 60));
/// How long keys are good for that cannot be fetched anew.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// Least time between two fetches that an unknown key asks for.
const FORCED: Duration = Duration::from_secs(30);
/// Least time between two fetches of which the first failed.
const FAILED: Duration = Duration::from_secs(5);
/// What one fetch may cost.
const LIMITS: Limits = Limits { bytes: jwks::LONGEST, time: Duration::from_secs(5), redirects: 3 };
/// Most connections whose keys are remembered.
const MOST_RINGS: u64 = 10_000;
/// Most browsers and addresses that are counted.
const MOST_COUNTED: u64 = 200_000;
/// How long is counted.
const MINUTE: Duration = Duration::from_secs(60);

/// What is counted, and how often it may come in a minute (`management-api.md` D1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Sign-ins that a browser begins.
    StartOfBrowser,
    /// Sign-ins that an address begins: a company's people share one.
    StartOfAddress,
    /// Unknown addresses that somebody asks about.
    UnknownEmail,
    /// Requests for authorization of an address that wait for a sign-in: each is kept for an hour.
    Waiting,
}

impl Counted {
    fn most(self) -> u32 {
        match self {
            Self::StartOfBrowser => 30,
            Self::StartOfAddress | Self::Waiting => 1_200,
            Self::UnknownEmail => 60,
        }
    }
}

/// What is remembered, on this replica.
pub struct Memory {
    rings: Cache<String, Arc<Mutex<Ring>>>,
    counts: Cache<(Counted, String), Arc<AtomicU32>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            rings: Cache::new(MOST_RINGS),
            counts: Cache::builder().max_capacity(MOST_COUNTED).time_to_live(MINUTE).build(),
        }
    }
}

/// The keys of one connection.
#[derive(Default)]
struct Ring {
    keys: Option<Arc<Jwks>>,
    fetched: Option<Instant>,
    fresh_for: Duration,
    forced: Option<Instant>,
    failed: Option<Instant>,
}

impl Ring {
    /// What is answered without asking the provider; `None`: it is asked. Who comes with an unknown key asks at most
    /// once in 30 seconds, and everybody else not again within seconds of a failure, so that a provider that is
    /// silent costs one person the wait and not all of them.
    fn at_hand(&self, anew: bool, now: Instant) -> Option<std::result::Result<Arc<Jwks>, Refusal>> {
        let enough = if anew {
            self.keys.is_some() && within(self.forced, FORCED, now)
        } else {
            within(self.fetched, self.fresh_for, now) || within(self.failed, FAILED, now)
        };
        enough.then(|| self.usable(now).ok_or_else(|| Reason::KeysFailed.into()))
    }

    /// The keys, as long as they are good for anything.
    fn usable(&self, now: Instant) -> Option<Arc<Jwks>> {
        self.keys.clone().filter(|_| within(self.fetched, STALE, now))
    }
}

/// Whether something happened less than so long ago.
fn within(at: Option<Instant>, limit: Duration, now: Instant) -> bool {
    at.is_some_and(|at| now.saturating_duration_since(at) < limit)
}

impl Memory {
    /// The keys of a connection, by a clock that a test can move.
    async fn keys(
        &self,
        egress: &Egress,
        (connection, address): (&str, &str),
        anew: bool,
        now: impl Fn() -> Instant,
    ) -> std::result::Result<Arc<Jwks>, Refusal> {
        let ring = self.rings.get_with(format!("{connection} {address}"), Arc::default);
        let mut ring = ring.lock().await;
        if let Some(answer) = ring.at_hand(anew, now()) {
            return answer;
        }
        if anew {
            ring.forced = Some(now());
        }
        match fetch(egress, address).await {
            Ok((keys, fresh_for)) => {
                let (keys, fetched) = (Arc::new(keys), Some(now()));
                let (held, forced) = (Some(Arc::clone(&keys)), ring.forced);
                *ring = Ring { keys: held, fetched, fresh_for, forced, failed: None };
                Ok(keys)
            }
            Err(refusal) => {
                ring.failed = Some(now());
                ring.usable(now()).ok_or(refusal)
            }
        }
    }
}

async fn fetch(egress: &Egress, address: &str) -> std::result::Result<(Jwks, Duration), Refusal> {
    let failed = |detail: String| Refusal::new(Reason::KeysFailed, detail);
    let url = Url::parse(address).map_err(|_| failed("jwks_uri is no URL".to_owned()))?;
    let answer = egress.get(&url, LIMITS).await;
    let answer = answer.map_err(|refusal| failed(format!("jwks_uri: {refusal}")))?;
    Ok((Jwks::read(&answer.body)?, fresh_for(&answer)))
}

impl Service {
    /// The keys of a connection. `anew`: a token names one that is not among them, so they are fetched even
    /// though they are fresh, at most once in 30 seconds. Who comes while they are fetched waits for them.
    ///
    /// # Errors
    /// `oidc.keys_failed`, `oidc.keys_invalid`.
    pub(super) async fn provider_keys(
        &self,
        connection: &str,
        address: &str,
        anew: bool,
    ) -> std::result::Result<Arc<Jwks>, Refusal> {
        self.sign_on.keys(self.egress(), (connection, address), anew, Instant::now).await
    }

    /// Counts something of this minute.
    ///
    /// # Errors
    /// [`Error::TooMany`].
    pub fn count_sign_on(&self, what: Counted, whose: &str) -> Result<()> {
        let count = self.sign_on.counts.get_with((what, whose.to_owned()), Arc::default);
        if count.fetch_add(1, Ordering::Relaxed) >= what.most() {
            return Err(Error::TooMany { retry_after_seconds: MINUTE.as_secs() });
        }
        Ok(())
    }
}

/// How long an answer says that it is fresh (RFC 9111 §5.2.2.1), within limits.
fn fresh_for(answer: &Answer) -> Duration {
    let said = answer.header("cache-control").and_then(max_age);
    said.map_or(FRESH, |age| age.clamp(FRESH_LIMITS.0, FRESH_LIMITS.1))
}

fn max_age(header: &str) -> Option<Duration> {
    let directives = header.split(',').map(str::trim);
    let age = directives.filter_map(|d| d.strip_prefix("max-age=")).next()?;
    age.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
