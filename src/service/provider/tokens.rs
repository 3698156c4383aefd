//! Codes and refresh tokens become access tokens (RFC 6749 §4.1.3, §6); and what an access token tells who
//! asks about it (RFC 7662, RFC 7009, OpenID Connect Core §5.3).

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::db::{self, DbConn};
use crate::domain::application::{Algorithm, Application};
use crate::domain::event::{Action, Actor};
use crate::domain::grant::{FAMILY_LENGTH, Grant, Presented, TOKEN_LIFE, granted};
use crate::domain::presence::Presence;
use crate::domain::session::Over;
use crate::domain::token::{self, Kind};
use crate::service::error::{Error, Result};
use crate::service::sessions::{self, Which};
use crate::service::{Cx, Keys, Service, events};
use crate::sso::oidc::request::challenge;

use super::claims::{Facts, gather};
use super::refusal::{Fault, Refusal};
use super::signing::Typ;

/// What came of a unit of work whose refusals may leave something behind.
type Turn = Result<std::result::Result<Box<Ready>, Refusal>>;

/// All that tokens are made from.
struct Ready {
    grant: Grant,
    facts: Facts,
    refresh: String,
    scope: String,
}

fn refuse(fault: Fault, about: &str) -> Turn {
    Ok(Err(Refusal::new(fault, about)))
}

/// What an application sends with a code.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The code.
    pub code: String,
    /// Where it was sent.
    pub redirect_uri: String,
    /// What the challenge was made from.
    pub verifier: String,
}

/// Whether a verifier answers a challenge (RFC 7636 §4.6, S256).
fn answers(verifier: &str, expected: &str) -> bool {
    (43..=128).contains(&verifier.len()) && challenge(verifier) == expected
}

/// A refresh token's secret of a chain that begins like this, or of a new one.
fn next_secret(family: Option<&str>) -> Result<String> {
    let (_, text) = crate::service::tokens::new_text(Kind::Refresh)?;
    let fresh = token::parse(Kind::Refresh, &text);
    let fresh = fresh.ok_or_else(|| "a new refresh token does not parse".to_owned())?.secret;
    let (begin, end) = fresh.split_at(FAMILY_LENGTH);
    Ok(format!("{}{end}", family.unwrap_or(begin)))
}

fn refresh_token(grant: &str, secret: &str) -> Result<String> {
    let text = token::text(Kind::Refresh, grant, secret);
    text.ok_or_else(|| Error::from("a new refresh token does not parse".to_owned()))
}

/// What all tokens of a chain have in common.
fn family(secret: &str) -> &str {
    secret.split_at_checked(FAMILY_LENGTH).map_or(secret, |(family, _)| family)
}

/// Takes a code, once. Whatever is wrong with it but its being unknown takes the grant back.
fn exchange(cx: &mut Cx<'_>, keys: &Keys, application: &str, sent: &Exchange) -> Turn {
    let unknown = || refuse(Fault::InvalidGrant, "The code is unknown, used or too old");
    let Some(code) = token::parse(Kind::Code, &sent.code) else { return unknown() };
    let Some((grant, presence)) = db::presence::of_grant_in_full(cx.conn, code.id)? else {
        return unknown();
    };
    if grant.application != application || !keys.fits(Kind::Code, code.secret, &grant.code_digest) {
        return unknown();
    }
    let fault = if grant.digest.is_some() || grant.code_until <= cx.now {
        Some("The code is unknown, used or too old")
    } else if grant.terms.redirect_uri != sent.redirect_uri {
        Some("redirect_uri is not the one that the code was sent to")
    } else if !answers(&sent.verifier, &grant.terms.code_challenge) {
        Some("code_verifier does not answer the code_challenge")
    } else {
        presence.over(cx.now).map(Over::reason)
    };
    if let Some(about) = fault {
        // Used twice, it was stolen (RFC 6749 §4.1.2): what came of it ends.
        db::grants::delete(cx.conn, grant.company, &grant.id)?;
        return refuse(Fault::InvalidGrant, about);
    }
    let secret = next_secret(None)?;
    let digests = [family(&secret), &secret].map(|part| keys.digest(Kind::Refresh, part));
    if !db::grants::exchange(cx.conn, &grant, (&digests[0], &digests[1]))? {
        return unknown();
    }
    ready(cx, (grant, presence), &secret, None)
}

fn ready(
    cx: &mut Cx<'_>,
    (grant, presence): (Grant, Presence),
    secret: &str,
    scope: Option<String>,
) -> Turn {
    let session = &presence.session;
    if session.is_use_due(presence.settings, cx.now) {
        db::sessions::used(cx.conn, session.company, &session.id, cx.now)?;
    }
    let facts = gather(cx.conn, presence, &grant.terms)?;
    let refresh = refresh_token(&grant.id, secret)?;
    let scope = scope.unwrap_or_else(|| grant.terms.scope.clone());
    Ok(Ok(Box::new(Ready { grant, facts, refresh, scope })))
}

/// Takes a refresh token and makes the next one of its chain. One that was followed already is in two
/// hands, and nobody knows whose is whose: the session ends (RFC 9700 §4.14).
fn refresh(
    cx: &mut Cx<'_>,
    keys: &Keys,
    application: &str,
    (sent, scope): (&str, Option<&str>),
) -> Turn {
    let unknown = || refuse(Fault::InvalidGrant, "The refresh token opens nothing");
    let Some(sent) = token::parse(Kind::Refresh, sent) else { return unknown() };
    let Some((grant, presence)) = db::presence::of_grant_in_full(cx.conn, sent.id)? else {
        return unknown();
    };
    let presented = presented(keys, &grant, sent.secret);
    if grant.application != application || presented == Presented::Foreign {
        return unknown();
    }
    if let Some(over) = presence.over(cx.now) {
        return refuse(Fault::InvalidGrant, over.reason());
    }
    let narrowed = scope.map(granted);
    if narrowed.iter().flat_map(|s| s.split(' ')).any(|s| !s.is_empty() && !grant.terms.has(s)) {
        return refuse(Fault::InvalidScope, "scope goes beyond what was granted");
    }
    let secret = next_secret(Some(family(sent.secret)))?;
    let latest = presented == Presented::Latest
        && db::grants::rotate(cx.conn, &grant, &keys.digest(Kind::Refresh, &secret))?;
    if !latest {
        let (company, session) = (grant.company, grant.session.as_str());
        let detail = json!({"session_id": session, "application_id": grant.application});
        let what = (Action::TokenReused, presence.user_id.as_str());
        events::record(cx, company, &Actor::System, what, detail)?;
        let which = (company, Which::One(session), session);
        sessions::end(cx, &Actor::System, which, "refresh_token_reused")?;
        return unknown();
    }
    ready(cx, (grant, presence), &secret, narrowed.filter(|scope| !scope.is_empty()))
}

fn presented(keys: &Keys, grant: &Grant, secret: &str) -> Presented {
    let fits = |text: &str, digest: &Option<Vec<u8>>| {
        digest.as_ref().is_some_and(|digest| keys.fits(Kind::Refresh, text, digest))
    };
    Presented::of(fits(secret, &grant.digest), fits(family(secret), &grant.family))
}

/// Takes back the grant that a token hangs on, where it is this application's (RFC 7009 §2.1).
fn revoke(cx: &mut Cx<'_>, application: &str, id: &str) -> Result<()> {
    if let Some((grant, _)) = db::presence::of_grant(cx.conn, id)?
        && grant.application == application
    {
        db::grants::delete(cx.conn, grant.company, &grant.id)?;
    }
    Ok(())
}

/// Whether a refresh token is the latest of its chain.
fn is_latest(keys: &Keys, grant: &Grant, text: &str) -> bool {
    let parsed = token::parse(Kind::Refresh, text);
    parsed.is_some_and(|sent| presented(keys, grant, sent.secret) == Presented::Latest)
}

/// The half of a digest that ties an ID token to an access token (OpenID Connect Core §3.1.3.6).
fn half(token: &str) -> String {
    let whole = digest(&SHA256, token.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(whole.as_ref().get(..16).unwrap_or_default())
}

impl Service {
    /// Exchanges a code for tokens.
    ///
    /// # Errors
    /// As [`Service::transact`]; refusals are in the answer.
    pub async fn exchange_code(
        &self,
        issuer: &str,
        client: &Application,
        sent: Exchange,
    ) -> Result<std::result::Result<Value, Refusal>> {
        let (keys, application) = (self.keys(), client.id.clone());
        let done = self.transact(move |cx| exchange(cx, &keys, &application, &sent)).await?;
        self.answer(issuer, client.id_token_alg, done).await
    }

    /// Renews tokens by a refresh token, which is used up by it.
    ///
    /// # Errors
    /// As [`Service::transact`]; refusals are in the answer.
    pub async fn refresh(
        &self,
        issuer: &str,
        client: &Application,
        (sent, scope): (String, Option<String>),
    ) -> Result<std::result::Result<Value, Refusal>> {
        let (keys, application) = (self.keys(), client.id.clone());
        let unit =
            move |cx: &mut Cx<'_>| refresh(cx, &keys, &application, (&sent, scope.as_deref()));
        let done = self.transact(unit).await?;
        self.answer(issuer, client.id_token_alg, done).await
    }

    /// Signs, after the unit of work is committed.
    async fn answer(
        &self,
        issuer: &str,
        algorithm: Algorithm,
        done: std::result::Result<Box<Ready>, Refusal>,
    ) -> Result<std::result::Result<Value, Refusal>> {
        let ready = match done {
            Ok(ready) => ready,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (ring, now) = (self.key_ring().await?, self.clock().now());
        let mut terms = ready.grant.terms.clone();
        terms.scope.clone_from(&ready.scope);
        let common = ready.facts.common(&terms, false);
        let (begin, end) = (now.as_second(), self.token_end(now, &ready.facts));
        let mut access = Map::new();
        let head = json!({
            "iss": issuer, "aud": ready.grant.application, "client_id": ready.grant.application,
            "jti": format!("{}.{}", ready.grant.id, self.clock().id()),
            "iat": begin, "nbf": begin, "exp": end, "scope": ready.scope,
        });
        access.extend(head.as_object().cloned().unwrap_or_default());
        access.extend(common.clone());
        let claims = Value::Object(access).to_string();
        let token = ring.sign((Algorithm::Es256, Typ::Access), &claims, now)?;
        self.remember(&token, claims);
        let mut answer = json!({
            "token_type": "Bearer", "expires_in": end - begin, "scope": ready.scope,
            "refresh_token": ready.refresh,
        });
        if terms.has("openid") {
            let mut id = common;
            let head = json!({
                "iss": issuer, "aud": ready.grant.application, "iat": begin, "exp": end,
                "at_hash": half(&token),
            });
            id.extend(head.as_object().cloned().unwrap_or_default());
            if let Some(nonce) = &terms.nonce {
                id.insert("nonce".to_owned(), nonce.as_str().into());
            }
            let claims = Value::Object(id).to_string();
            answer["id_token"] = ring.sign((algorithm, Typ::Id), &claims, now)?.into();
        }
        answer["access_token"] = token.into();
        Ok(Ok(answer))
    }

    fn token_end(&self, now: Timestamp, facts: &Facts) -> i64 {
        let end = now.checked_add(TOKEN_LIFE).unwrap_or(now);
        end.min(facts.ends_at()).as_second()
    }

    /// The grant that a text opens, with its session, where both hold at this moment.
    async fn live(&self, text: &str) -> Result<Option<(Grant, Presence)>> {
        let access = self.access_token(text).await?;
        let id = match (&access, token::parse(Kind::Refresh, text)) {
            (Some(access), _) => access.grant.clone(),
            (None, Some(refresh)) => refresh.id.to_owned(),
            (None, None) => return Ok(None),
        };
        let find = move |conn: &mut DbConn| Ok(db::presence::of_grant(conn, &id)?);
        let Some((grant, presence)) = self.look_up(find).await? else { return Ok(None) };
        let genuine = access.is_some() || is_latest(&self.keys(), &grant, text);
        let holds = genuine && presence.over(self.clock().now()).is_none();
        Ok(holds.then_some((grant, presence)))
    }

    /// What a token is, for whoever was shown it (RFC 7662 §2.2): one look-up by index, whatever it is.
    ///
    /// # Errors
    /// The database's.
    pub async fn introspect(&self, issuer: &str, text: &str) -> Result<String> {
        const INACTIVE: &str = r#"{"active":false}"#;
        if let Some(access) = self.access_token(text).await? {
            let (token, now) = (Arc::clone(&access), self.clock().now());
            let look = move |conn: &mut DbConn| {
                let presence = db::presence::whether(conn, &token.grant)?;
                Ok(presence.is_some_and(|presence| presence.over(now).is_none()))
            };
            if !self.look_up(look).await? {
                return Ok(INACTIVE.to_owned());
            }
            // The claims are an object of ours: what is added stands in front.
            let claims = access.claims.strip_prefix('{').unwrap_or_default();
            return Ok(format!(r#"{{"active":true,"token_type":"Bearer",{claims}"#));
        }
        let Some((grant, presence)) = self.live(text).await? else {
            return Ok(INACTIVE.to_owned());
        };
        let end = presence.session.ends_at(presence.settings).as_second();
        let answer = json!({
            "active": true, "iss": issuer, "client_id": grant.application, "sub": presence.user_id,
            "sid": presence.session.id, "scope": grant.terms.scope, "exp": end,
            "iat": grant.created_at.as_second(),
        });
        Ok(answer.to_string())
    }

    /// Takes a token back, and all that hangs on the same grant. What is no token of this application's is
    /// left alone, and nobody is told (RFC 7009 §2.2).
    ///
    /// # Errors
    /// As [`Service::transact`].
    pub async fn revoke(&self, client: &Application, text: &str) -> Result<()> {
        let Some((grant, ..)) = self.live(text).await? else { return Ok(()) };
        let application = client.id.clone();
        self.transact(move |cx| revoke(cx, &application, &grant.id)).await
    }

    /// What an application may know of the person of an access token (OpenID Connect Core §5.3).
    ///
    /// # Errors
    /// The database's; refusals are in the answer (RFC 6750 §3.1).
    pub async fn userinfo(&self, text: &str) -> Result<std::result::Result<Value, Refusal>> {
        let refused = |about: &str| Ok(Err(Refusal::new(Fault::InvalidToken, about)));
        let Some(access) = self.access_token(text).await? else {
            return refused("The access token is not valid, or too old");
        };
        let (id, now) = (access.grant.clone(), self.clock().now());
        let read = move |conn: &mut DbConn| {
            let Some((grant, presence)) = db::presence::of_grant_in_full(conn, &id)? else {
                return Ok(Err("The access token was taken back"));
            };
            match presence.over(now) {
                Some(over) => Ok(Err(over.reason())),
                None => {
                    let facts = gather(conn, presence, &grant.terms)?;
                    Ok(Ok((grant, facts)))
                }
            }
        };
        match self.look_up(read).await? {
            Err(about) => refused(about),
            Ok((grant, _)) if !grant.terms.has("openid") => {
                let about = "The access token was not asked for with the scope openid";
                Ok(Err(Refusal::new(Fault::InsufficientScope, about)))
            }
            Ok((grant, facts)) => Ok(Ok(Value::Object(facts.common(&grant.terms, true)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn a_verifier_answers_its_challenge() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(answers("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge));
        assert!(!answers("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl", challenge));
        assert!(!answers("", challenge));
        assert!(!answers(challenge, challenge));
    }

    #[test]
    fn a_chain_of_refresh_tokens_begins_alike() {
        let first = next_secret(None).unwrap();
        let second = next_secret(Some(family(&first))).unwrap();
        assert_eq!((first.len(), second.len()), (43, 43));
        assert_eq!(family(&first), family(&second));
        assert_ne!(first, second);
        let text = refresh_token("abcdefghijkl", &second).unwrap();
        assert_eq!(token::parse(Kind::Refresh, &text).unwrap().secret, second);
    }
}
