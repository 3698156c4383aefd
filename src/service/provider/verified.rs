//! What the OpenID Provider remembers between requests, on this replica: its keys, access tokens whose
//! signature it has checked or made, applications. None of it says that a token opens something.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use serde_json::Value;

use crate::domain::application::Application;
use crate::service::Service;
use crate::service::error::Result;

use super::signing::{KeyRing, Typ};

/// How long keys are used without a look at the database; shown keys are ahead of their use by a day.
const RING_LIFE: SignedDuration = SignedDuration::from_secs(60);
/// How long an application is trusted without a look at its row.
const CLIENT_LIFE: Duration = Duration::from_secs(3);
/// How long a checked signature is remembered: as long as an access token lives.
const TOKEN_LIFE: Duration = Duration::from_secs(300);
/// Most access tokens that are remembered.
const TOKENS: u64 = 10_000;

/// What is remembered.
pub struct Provider {
    ring: RwLock<Option<(Timestamp, Arc<KeyRing>)>>,
    loading: tokio::sync::Mutex<()>,
    tokens: Cache<[u8; 32], Arc<AccessToken>>,
    pub(super) clients: Cache<String, Arc<Application>>,
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            ring: RwLock::default(),
            loading: tokio::sync::Mutex::default(),
            tokens: Cache::builder().max_capacity(TOKENS).time_to_live(TOKEN_LIFE).build(),
            clients: Cache::builder().max_capacity(1_000).time_to_live(CLIENT_LIFE).build(),
        }
    }
}

/// An access token that we signed. Whether it opens something, its grant says.
#[derive(Debug)]
pub struct AccessToken {
    /// Its claims, as they were signed.
    pub claims: String,
    /// The grant that it hangs on.
    pub grant: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl AccessToken {
    fn read(claims: Vec<u8>) -> Option<Self> {
        let claims = String::from_utf8(claims).ok()?;
        let read: Value = serde_json::from_str(&claims).ok()?;
        let (grant, _) = read["jti"].as_str()?.split_once('.')?;
        let expires_at = Timestamp::from_second(read["exp"].as_i64()?).ok()?;
        Some(Self { grant: grant.to_owned(), expires_at, claims })
    }
}

fn name(token: &str) -> [u8; 32] {
    let mut name = [0; 32];
    for (to, from) in name.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()) {
        *to = *from;
    }
    name
}

impl Service {
    /// The keys that sign.
    ///
    /// # Errors
    /// The database's.
    pub async fn key_ring(&self) -> Result<Arc<KeyRing>> {
        if let Some(ring) = self.known_ring() {
            return Ok(ring);
        }
        let _alone = self.provider.loading.lock().await;
        if let Some(ring) = self.known_ring() {
            return Ok(ring);
        }
        let ring = Arc::new(self.load_keys().await?);
        let mut known = self.provider.ring.write().unwrap_or_else(PoisonError::into_inner);
        *known = Some((self.clock().now(), Arc::clone(&ring)));
        Ok(ring)
    }

    fn known_ring(&self) -> Option<Arc<KeyRing>> {
        let known = self.provider.ring.read().unwrap_or_else(PoisonError::into_inner);
        let (at, ring) = known.as_ref()?;
        (self.clock().now().duration_since(*at).abs() < RING_LIFE).then(|| Arc::clone(ring))
    }

    /// The access token that a text is, where we signed it and its time is not over.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn access_token(&self, text: &str) -> Result<Option<Arc<AccessToken>>> {
        let (name, now) = (name(text), self.clock().now());
        let token = match self.provider.tokens.get(&name) {
            Some(token) => Some(token),
            None => {
                let claims = self.key_ring().await?.verify(Typ::Access, text);
                let token = claims.and_then(AccessToken::read).map(Arc::new);
                if let Some(token) = &token {
                    self.provider.tokens.insert(name, Arc::clone(token));
                }
                token
            }
        };
        Ok(token.filter(|token| token.expires_at > now))
    }

    /// Remembers an access token that was signed just now.
    pub(super) fn remember(&self, text: &str, claims: String) {
        if let Some(token) = AccessToken::read(claims.into_bytes()) {
            self.provider.tokens.insert(name(text), Arc::new(token));
        }
    }
}
