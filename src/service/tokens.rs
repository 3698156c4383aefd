//! SCIM tokens: made, listed, ended, followed by others, and checked at every request
//! (rulings 1 and 2).

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::DefaultKeyedRateLimiter;
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::db::{self, DbConn};
use crate::domain::company::Company;
use crate::domain::event::{Action, Actor};
use crate::domain::id::CompanySeq;
use crate::domain::name::check_name;
use crate::domain::problem::{Code, Problem};
use crate::domain::token::{self, Kind, ScimToken};

use super::error::{Error, Result, Unauthorized};
use super::{Cx, Directory, Keys, Service, events};

/// How long a token is trusted without a look at its row; a revocation holds everywhere after it.
const CACHE_LIFE: Duration = Duration::from_secs(3);
/// After this long every server goes by the schemas that a company has now, not by former ones.
pub const SCHEMA_DELAY: Duration = Duration::from_millis(3_500);
/// Most tokens in the cache.
const CACHE_SIZE: u64 = 10_000;
/// The last use is written at most this often.
const USE_PRECISION: SignedDuration = SignedDuration::from_secs(60);
/// Most requests of one token at once: one company does not take the places of the others.
pub const IN_FLIGHT: usize = 64;
/// Failed authentications that one address may have with one public id in a minute (ruling 17).
const FAILURES_A_MINUTE: u32 = 60;

/// Makes a token and returns it with its text, which is shown this once.
///
/// # Errors
/// 409 `scim_not_enabled`, `company_sso_required` (row 59); 422: the name is blank, the life is not
/// between 1 minute and [`token::MAX_LIFE`].
pub fn create(
    cx: &mut Cx<'_>,
    (keys, actor): (&Keys, &Actor),
    company: &Company,
    (name, life): (&str, SignedDuration),
) -> Result<(ScimToken, String)> {
    let made = make(cx, keys, company, (name, life))?;
    let detail = json!({"name": name});
    events::record(cx, company.seq, actor, (Action::TokenCreated, &made.0.id), detail)?;
    Ok(made)
}

fn make(
    cx: &mut Cx<'_>,
    keys: &Keys,
    company: &Company,
    (name, life): (&str, SignedDuration),
) -> Result<(ScimToken, String)> {
    if !company.scim_enabled {
        let detail = format!("SCIM is not enabled for the company {}", company.slug);
        return Err(Problem::new(Code::ScimNotEnabled, detail).into());
    }
    let which = db::connections::which(cx.conn, company.seq)?;
    if which.legacy && !which.of_company {
        return Err(Code::CompanySsoRequired.into());
    }
    check_name(name).map_err(|rule| Problem::field("name", rule))?;
    if life < SignedDuration::from_mins(1) || life > token::MAX_LIFE {
        let rule = "a token lives at least one minute and at most 730 days";
        return Err(Problem::field("expires_at", rule).into());
    }
    let (id, text) = new_text(Kind::Scim)?;
    let secret = token::parse(Kind::Scim, &text)
        .ok_or_else(|| "a new token does not parse".to_owned())?
        .secret;
    let token = ScimToken {
        digest: keys.digest(Kind::Scim, secret),
        id,
        company: company.seq,
        name: name.to_owned(),
        created_at: cx.now,
        expires_at: cx.now + life,
        revoked_at: None,
        rotated_to: None,
        last_used_at: None,
        last_used_ip: None,
    };
    db::tokens::insert(cx.conn, &token)?;
    Ok((token, text))
}

pub(super) fn new_text(kind: Kind) -> Result<(String, String)> {
    for _ in 0..8 {
        let random = crate::clock::random::<96>().map_err(|e| Error::Internal(Box::new(e)))?;
        if let Some(made) = token::compose(kind, &random) {
            return Ok(made);
        }
    }
    Err(Error::Internal("no unbiased random characters".into()))
}

/// The company's tokens, the oldest first.
///
/// # Errors
/// The database's.
pub fn list(conn: &mut DbConn, company: CompanySeq) -> Result<Vec<ScimToken>> {
    Ok(db::tokens::list(conn, company)?)
}

/// Ends a token now.
///
/// # Errors
/// [`Error::NotFound`].
pub fn revoke(cx: &mut Cx<'_>, actor: &Actor, company: CompanySeq, id: &str) -> Result<()> {
    if !db::tokens::revoke(cx.conn, company, id, cx.now)? {
        return Err(Error::NotFound("Token"));
    }
    events::record(cx, company, actor, (Action::TokenRevoked, id), json!({}))
}

/// Makes the token that follows this one, which lives on for `overlap`: at most two are live.
///
/// # Errors
/// [`Error::NotFound`]; 409 `token_ended` where the token has ended or has a follower already.
pub fn rotate(
    cx: &mut Cx<'_>,
    (keys, actor): (&Keys, &Actor),
    company: &Company,
    (id, overlap): (&str, SignedDuration),
) -> Result<(ScimToken, String)> {
    if overlap.is_negative() || overlap > token::MAX_OVERLAP {
        let rule = "an overlap is between 0 seconds and 7 days";
        return Err(Problem::field("overlap_seconds", rule).into());
    }
    db::companies::lock(cx.conn, company.seq)?;
    let old = db::tokens::find(cx.conn, id)?.filter(|t| t.company == company.seq);
    let old = old.ok_or(Error::NotFound("Token"))?;
    if Unauthorized::of(old.state(cx.now)).is_some() {
        let detail = "the token has ended; make a new one";
        return Err(Problem::new(Code::TokenEnded, detail).into());
    }
    // A second rotation ends the grace of the first.
    for former in db::tokens::list(cx.conn, company.seq)? {
        if former.rotated_to.as_deref() == Some(id) {
            db::tokens::revoke(cx.conn, company.seq, &former.id, cx.now)?;
        }
    }
    let life = old.expires_at.duration_since(old.created_at);
    let (new, text) = make(cx, keys, company, (&old.name, life))?;
    if !db::tokens::rotate(cx.conn, &old, &new.id, cx.now + overlap)? {
        let detail = "the token has been rotated already";
        return Err(Problem::new(Code::TokenEnded, detail).into());
    }
    let detail = json!({"rotated_to": new.id});
    events::record(cx, company.seq, actor, (Action::TokenRotated, id), detail)?;
    Ok((new, text))
}

impl Service {
    /// Makes a token; see [`create`].
    ///
    /// # Errors
    /// Those of [`create`].
    pub async fn create_token(
        &self,
        company: Company,
        name: String,
        life: SignedDuration,
    ) -> Result<(ScimToken, String)> {
        let keys = self.keys.clone();
        let unit =
            move |cx: &mut Cx<'_>| create(cx, (&keys, &Actor::Command), &company, (&name, life));
        self.transact(unit).await
    }

    /// Makes the token that follows another; see [`rotate`].
    ///
    /// # Errors
    /// Those of [`rotate`].
    pub async fn rotate_token(
        &self,
        company: Company,
        id: String,
        overlap: SignedDuration,
    ) -> Result<(ScimToken, String)> {
        let keys = self.keys.clone();
        let unit =
            move |cx: &mut Cx<'_>| rotate(cx, (&keys, &Actor::Command), &company, (&id, overlap));
        self.transact(unit).await
    }
}

/// What a valid token opens.
#[derive(Debug)]
pub struct Access {
    /// The company's directory.
    pub directory: Directory,
    /// The token itself.
    pub token: ScimToken,
    enabled: bool,
    used_at: AtomicI64,
}

/// The requests a second that the operator allows each token (ruling 17).
pub type ScimRate = DefaultKeyedRateLimiter<String>;

/// What is remembered between requests, on this replica.
pub struct AccessCache {
    tokens: Cache<String, Arc<Access>>,
    in_flight: Cache<String, Arc<Semaphore>>,
    failures: Cache<(String, String), Arc<AtomicU32>>,
    warned: Cache<String, ()>,
    uses: Mutex<HashMap<String, Timestamp>>,
}

impl Default for AccessCache {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            tokens: Cache::builder().max_capacity(CACHE_SIZE).time_to_live(CACHE_LIFE).build(),
            in_flight: Cache::builder().max_capacity(CACHE_SIZE).time_to_idle(minute * 10).build(),
            failures: Cache::builder().max_capacity(100_000).time_to_live(minute).build(),
            warned: Cache::builder().max_capacity(CACHE_SIZE).time_to_live(minute * 1_440).build(),
            uses: Mutex::default(),
        }
    }
}

impl Service {
    /// What the token in an `Authorization` header opens, for a request from the address `ip`.
    ///
    /// # Errors
    /// [`Error::Unauthorized`]; [`Error::ScimDisabled`]; [`Error::TooMany`] after many failures of
    /// this address with this token's id. A valid token is never refused for others' failures.
    pub async fn authenticate(
        &self,
        header: Option<&str>,
        ip: &impl ToString,
    ) -> Result<Arc<Access>> {
        let presented = header.map(bearer).filter(|text| !text.is_empty());
        let presented = presented.ok_or(Error::Unauthorized(Unauthorized::Missing))?;
        let parsed = token::parse(Kind::Scim, presented);
        let access = match &parsed {
            Some(parsed) => self.access(parsed.id).await?,
            None => None,
        };
        let secret = parsed.as_ref().map_or(presented, |p| p.secret);
        // An unknown token costs the same work as a known one.
        let digest = access.as_ref().map_or([0; 32].as_slice(), |a| a.token.digest.as_slice());
        let fits = self.keys.fits(Kind::Scim, secret, digest);
        let refusal = match &access {
            Some(access) if fits => Unauthorized::of(access.token.state(self.clock.now())),
            _ => Some(Unauthorized::Unknown),
        };
        if let Some(refusal) = refusal {
            self.count_failure(&ip.to_string(), parsed.map_or("", |p| p.id))?;
            return Err(Error::Unauthorized(refusal));
        }
        match access {
            Some(access) if access.enabled => Ok(access),
            _ => Err(Error::ScimDisabled),
        }
    }

    async fn access(&self, id: &str) -> Result<Option<Arc<Access>>> {
        if let Some(access) = self.access.tokens.get(id) {
            return Ok(Some(access));
        }
        let key = id.to_owned();
        let found = self.look_up(move |conn| load_access(conn, &key)).await?;
        let Some(access) = found.map(Arc::new) else { return Ok(None) };
        self.access.tokens.insert(id.to_owned(), Arc::clone(&access));
        self.warn_of_expiry(&access.token);
        Ok(Some(access))
    }

    /// Says once a day that a token in use ends soon: an expired one silently stops deprovisioning.
    fn warn_of_expiry(&self, token: &ScimToken) {
        let left = token.expires_at.duration_since(self.clock.now());
        let soon = left < token::EXPIRY_WARNING && !left.is_negative();
        if soon && token.revoked_at.is_none() && !self.access.warned.contains_key(&token.id) {
            self.access.warned.insert(token.id.clone(), ());
            let (id, days) = (&token.id, left.as_hours() / 24);
            tracing::warn!(id, name = token.name, days, "a SCIM token expires soon");
        }
    }

    /// Counts a failed authentication of this address with this public id.
    ///
    /// # Errors
    /// [`Error::TooMany`] after many in a minute (ruling 17).
    pub(super) fn count_failure(&self, ip: &str, id: &str) -> Result<()> {
        let key = (ip.to_owned(), id.to_owned());
        let count = self.access.failures.get_with(key, Arc::default);
        if count.fetch_add(1, Ordering::Relaxed) >= FAILURES_A_MINUTE {
            return Err(Error::TooMany { retry_after_seconds: 60 });
        }
        Ok(())
    }

    /// A place among the token's requests in flight, held until it is dropped.
    ///
    /// # Errors
    /// [`Error::TooMany`] where all are taken, or where the operator's rate is exceeded.
    pub fn enter(&self, access: &Access) -> Result<OwnedSemaphorePermit> {
        let id = access.token.id.as_str();
        if let Some(rate) = &self.scim_rate
            && rate.check_key(&access.token.id).is_err()
        {
            return Err(Error::TooMany { retry_after_seconds: 1 });
        }
        self.enter_as(id)
    }

    /// A place among the requests in flight of whoever has this public id, held until it is dropped.
    ///
    /// # Errors
    /// [`Error::TooMany`] where all are taken.
    pub fn enter_as(&self, id: &str) -> Result<OwnedSemaphorePermit> {
        let places = self.access.in_flight.get(id).unwrap_or_else(|| {
            self.access.in_flight.get_with(id.to_owned(), || Arc::new(Semaphore::new(IN_FLIGHT)))
        });
        places.try_acquire_owned().map_err(|_| Error::TooMany { retry_after_seconds: 1 })
    }

    /// Whether this use of the token is due to be written down, which then is the caller's to do.
    pub fn notes_use(&self, access: &Access) -> bool {
        let now = self.clock.now();
        let last = access.used_at.load(Ordering::Relaxed);
        let due = now.as_microsecond() - last;
        if due < i64::try_from(USE_PRECISION.as_micros()).unwrap_or(i64::MAX) {
            return false;
        }
        access.used_at.store(now.as_microsecond(), Ordering::Relaxed);
        self.is_due(&access.token.id)
    }

    /// Whether a use of what has this public id is due to be written down: the row may be older than
    /// the last note, so the time is remembered beside it.
    pub fn is_due(&self, id: &str) -> bool {
        let now = self.clock.now();
        let mut uses = self.access.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = uses.get(id).is_some_and(|at| now.duration_since(*at) < USE_PRECISION);
        if !noted {
            uses.retain(|_, at| now.duration_since(*at) < USE_PRECISION);
            uses.insert(id.to_owned(), now);
        }
        !noted
    }

    /// Writes the use of a token down, outside the request's own unit of work.
    ///
    /// # Errors
    /// As [`Service::transact`].
    pub async fn note_use(&self, id: String, ip: String) -> Result<()> {
        self.transact(move |cx| Ok(db::tokens::used(cx.conn, &id, cx.now, &ip)?)).await
    }

    /// The same for an API key.
    ///
    /// # Errors
    /// As [`Service::transact`].
    pub async fn note_key_use(&self, id: String, ip: String) -> Result<()> {
        self.transact(move |cx| Ok(db::api_keys::used(cx.conn, &id, cx.now, &ip)?)).await
    }
}

/// The token in a header's value; a bare token is taken as well (Okta's header mode, ruling 2).
pub(super) fn bearer(header: &str) -> &str {
    let mut token = header.trim();
    // Some of Okta's templates put the word in front of what the administrator typed, who typed it
    // too.
    while let Some((scheme, rest)) = token.split_once(' ')
        && scheme.eq_ignore_ascii_case("bearer")
    {
        token = rest.trim_start();
    }
    if token.eq_ignore_ascii_case("bearer") { "" } else { token }
}

fn load_access(conn: &mut DbConn, id: &str) -> Result<Option<Access>> {
    let Some(token) = db::tokens::find(conn, id)? else { return Ok(None) };
    let Some(company) = db::companies::find_by_seq(conn, token.company)? else { return Ok(None) };
    let directory = Directory::load(conn, token.company)?;
    let directory = directory.for_actor(Actor::ScimToken(token.id.clone()));
    let used_at = token.last_used_at.map_or(0, Timestamp::as_microsecond);
    Ok(Some(Access { directory, token, enabled: company.scim_enabled, used_at: used_at.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_unwrapped_and_a_bare_token_taken() {
        for header in ["Bearer t", "bearer t", "BEARER  t ", "Bearer Bearer t", "t", " t "] {
            assert_eq!(bearer(header), "t", "{header}");
        }
        assert_eq!(bearer("Bearer "), "");
        assert_eq!(bearer("Basic t"), "Basic t");
    }
}
