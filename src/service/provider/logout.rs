//! The end of a session by its person, by an application (OpenID Connect RP-Initiated Logout 1.0), by an
//! identity provider (Front-Channel Logout 1.0); and the notices that applications get of it
//! (Back-Channel Logout 1.0).

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use url::Url;

use crate::db::grants::Notice;
use crate::db::{self, DbConn};
use crate::domain::application::Algorithm;
use crate::domain::event::Actor;
use crate::domain::session;
use crate::egress::Limits;
use crate::service::error::Result;
use crate::service::sessions::{self, Which};
use crate::service::{Cx, Service};

use super::issuer_of;
use super::signing::Typ;

/// How long a notice is an application's to hear before another server tries.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Notices that are taken at once.
const NOTICES: i64 = 20;
/// How often a notice is tried: over about a day, the pauses growing fourfold.
const ATTEMPTS: i64 = 8;
/// How long a notice is good for once it is sent (Back-Channel Logout §2.4).
const NOTICE_LIFE: SignedDuration = SignedDuration::from_secs(120);
/// How long an application may take to answer.
const LIMITS: Limits = Limits { bytes: 4_096, time: Duration::from_secs(10), redirects: 0 };

/// The event that a notice tells (§2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What an ID token says that an application hands back as a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The application.
    pub application: String,
    /// The session.
    pub session: String,
    /// The user.
    pub user: String,
}

impl Service {
    /// Reads a hint: an ID token of ours, however old (RP-Initiated Logout §2).
    ///
    /// # Errors
    /// The database's.
    pub async fn hint(&self, token: &str) -> Result<Option<Hint>> {
        let Some(claims) = self.key_ring().await?.verify(Typ::Id, token) else { return Ok(None) };
        let claims: Value = serde_json::from_slice(&claims)?;
        let text = |name: &str| claims[name].as_str().map(str::to_owned);
        let read =
            || Some(Hint { application: text("aud")?, session: text("sid")?, user: text("sub")? });
        Ok(read())
    }

    /// Ends the session of a browser's cookie; whether there was one.
    ///
    /// # Errors
    /// As [`Service::transact`].
    pub async fn log_out(&self, cookie: Option<String>) -> Result<bool> {
        let (keys, now) = (self.keys(), self.clock().now());
        let find = move |conn: &mut DbConn| {
            sessions::find_by_cookie(conn, &keys, cookie.as_deref().unwrap_or_default(), now)
        };
        let Some(presence) = self.look_up(find).await? else { return Ok(false) };
        let end = move |cx: &mut Cx<'_>| {
            let (session, actor) = (&presence.session, Actor::User(presence.user_id.clone()));
            let which = (session.company, Which::One(&session.id), session.id.as_str());
            Ok(sessions::end(cx, &actor, which, "logout")? > 0)
        };
        self.transact(end).await
    }

    /// Ends the session that an application's hint names.
    ///
    /// # Errors
    /// As [`Service::transact`].
    pub async fn log_out_by(&self, hint: Hint) -> Result<bool> {
        let session = hint.session.clone();
        let found = self.look_up(move |conn| Ok(db::presence::of_session(conn, &session)?)).await?;
        let Some(presence) = found.filter(|presence| presence.user_id == hint.user) else {
            return Ok(false);
        };
        let end = move |cx: &mut Cx<'_>| {
            let (company, actor) = (presence.session.company, Actor::User(hint.user.clone()));
            let which = (company, Which::One(&hint.session), hint.session.as_str());
            Ok(sessions::end(cx, &actor, which, "logout")? > 0)
        };
        self.transact(end).await
    }

    /// Ends the sessions that an identity provider calls so (Front-Channel Logout §3); how many.
    ///
    /// # Errors
    /// As [`Service::transact`].
    pub async fn log_out_at(&self, issuer: String, name: String) -> Result<usize> {
        let end = move |cx: &mut Cx<'_>| {
            let mut ended = 0;
            for (company, connection) in db::sessions::at_provider(cx.conn, &name)? {
                let found = db::connections::find_by_seq(cx.conn, company, connection)?;
                let same = found.is_some_and(|connection| issuer_of(&connection) == issuer);
                if same {
                    let which = (company, Which::AtProvider(connection, &name), name.as_str());
                    ended += sessions::end(cx, &Actor::System, which, "idp_logout")?;
                }
            }
            Ok(ended)
        };
        self.transact(end).await
    }

    /// Tells applications of ended sessions, as far as notices are due; how many were taken.
    ///
    /// # Errors
    /// As [`Service::transact`].
    pub async fn send_notices(&self, issuer: &str) -> Result<usize> {
        let now = self.clock().now();
        if !self.look_up(move |conn| Ok(db::grants::is_any_due(conn, now)?)).await? {
            return Ok(0);
        }
        let claim =
            |cx: &mut Cx<'_>| Ok(db::grants::claim(cx.conn, (cx.now, cx.now + LEASE), NOTICES)?);
        let notices = self.transact(claim).await?;
        let taken = notices.len();
        for notice in notices {
            self.send_notice(issuer, notice).await?;
        }
        Ok(taken)
    }

    async fn send_notice(&self, issuer: &str, notice: Notice) -> Result<()> {
        let (ring, now) = (self.key_ring().await?, self.clock().now());
        let end = now.checked_add(NOTICE_LIFE).unwrap_or(now).as_second();
        let claims = json!({
            "iss": issuer, "aud": notice.application, "iat": now.as_second(), "exp": end,
            "jti": self.clock().id(), "events": {EVENT: {}}, "sub": notice.user, "sid": notice.session,
        });
        let algorithm = notice.algorithm.parse().unwrap_or(Algorithm::Es256);
        let token = ring.sign((algorithm, Typ::Logout), &claims.to_string(), now)?;
        let heard = match Url::parse(&notice.uri) {
            Ok(url) => {
                let form = [("logout_token", token.as_str())];
                self.egress().post_form(&url, &form, None, LIMITS).await.map_err(|e| e.to_string())
            }
            // The application does not want to hear it any more.
            Err(_) => {
                return self.transact(move |cx| Ok(db::grants::done(cx.conn, &notice)?)).await;
            }
        };
        let unit = move |cx: &mut Cx<'_>| match heard {
            Ok(_) => Ok(db::grants::done(cx.conn, &notice)?),
            Err(why) => {
                let (application, attempts) = (&notice.application, notice.attempts);
                tracing::warn!(
                    application,
                    attempts,
                    why,
                    "an application did not hear of a logout"
                );
                if attempts >= ATTEMPTS {
                    return Ok(db::grants::done(cx.conn, &notice)?);
                }
                Ok(db::grants::put_off(cx.conn, &notice, cx.now + pause(attempts))?)
            }
        };
        self.transact(unit).await
    }

    /// Removes requests and codes that nobody used, notes the end of sessions that are over, and forgets those
    /// that are so for long.
    ///
    /// # Errors
    /// As [`Service::transact`].
    pub async fn sweep_provider(&self) -> Result<()> {
        let requests = |cx: &mut Cx<'_>| {
            let life = crate::domain::authorization_request::LIFE;
            let before = cx.now.checked_sub(life).unwrap_or(cx.now);
            Ok(db::applications::sweep(cx.conn, before)?)
        };
        self.in_slices(requests).await?;
        self.in_slices(|cx| Ok(db::grants::sweep(cx.conn, cx.now)?)).await?;
        self.in_slices(|cx| Ok(db::sessions::end_expired(cx.conn, cx.now)?)).await?;
        self.in_slices(|cx| Ok(db::sessions::sweep(cx.conn, cx.now - session::KEPT)?)).await
    }
}

/// How long a notice waits that was tried so often: 5 seconds, 20, 80, …
fn pause(attempts: i64) -> SignedDuration {
    let times = u32::try_from(attempts.clamp(1, ATTEMPTS) - 1).unwrap_or_default();
    SignedDuration::from_secs(5 * 4_i64.pow(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_tried_for_a_day() {
        let pauses: Vec<i64> = (1..ATTEMPTS).map(|attempt| pause(attempt).as_secs()).collect();
        assert_eq!(pauses[..3], [5, 20, 80]);
        let sum: i64 = pauses.iter().sum();
        assert!((3_600 * 6..3_600 * 30).contains(&sum), "{sum}");
    }
}
