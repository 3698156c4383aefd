//! `C/scim`: what the identity provider's administrator needs, and the tokens.

use actix_web::web::{delete, get, post};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::token::{self, ScimToken, TokenState};
use crate::scim::value::format_time;
use crate::service::idempotency::Reply;
use crate::service::tokens;

use super::frame::{Answer, Call, ok};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(("GET", "C/scim"), Act::ManageScim, "Read the SCIM settings", || get().to(settings))
        .gives::<ScimView>(200),
    Entry::new(("GET", "C/scim/tokens"), Act::ManageScim, "List SCIM tokens", || get().to(list))
        .pages::<TokenView>(),
    Entry::new(
        ("POST", "C/scim/tokens"),
        Act::ManageScim,
        "Make a SCIM token, shown this once",
        || post().to(create),
    )
    .takes::<NewToken>()
    .gives::<TokenView>(201),
    Entry::new(
        ("POST", "C/scim/tokens/{token}/rotate"),
        Act::ManageScim,
        "Make the token that follows another",
        || post().to(rotate),
    )
    .takes::<Rotation>()
    .gives::<RotatedView>(201),
    Entry::new(("DELETE", "C/scim/tokens/{token}"), Act::ManageScim, "End a SCIM token", || {
        delete().to(revoke)
    }),
];

/// What an identity provider is told.
#[derive(Serialize, ToSchema)]
struct ScimView {
    enabled: bool,
    base_url: String,
    /// How it proves who it is.
    auth: &'static str,
    /// The last request with any of the tokens.
    last_seen_at: Option<String>,
    tokens: usize,
}

/// A SCIM token; its text is in the answer that made it alone.
#[derive(Serialize, ToSchema)]
struct TokenView {
    id: String,
    name: String,
    /// live, rotated, expired or revoked.
    state: &'static str,
    base_url: String,
    auth: &'static str,
    created_at: String,
    expires_at: String,
    last_used_at: Option<String>,
    last_used_ip: Option<String>,
    /// The text, shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// Such as that of the identity provider.
    name: Option<String>,
    /// When it ends; in a year where it is absent, in 730 days at the latest.
    expires_at: Option<String>,
}

/// How a token is followed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// How long the former one lives on: 86,400 where it is absent, at most 604,800.
    overlap_seconds: Option<i64>,
}

/// The token that follows.
#[derive(Serialize, ToSchema)]
struct RotatedView {
    id: String,
    expires_at: String,
    previous_expires_at: String,
    /// The text, shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

const AUTH: &str = "Authorization: Bearer";

fn view(token: &ScimToken, base_url: &str, now: Timestamp) -> Value {
    let state = match token.state(now) {
        TokenState::Expired => "expired",
        TokenState::Revoked => "revoked",
        TokenState::Live if token.rotated_to.is_some() => "rotated",
        TokenState::Live => "live",
    };
    json!(TokenView {
        id: token.id.clone(),
        name: token.name.clone(),
        state,
        base_url: base_url.to_owned(),
        auth: AUTH,
        created_at: format_time(token.created_at),
        expires_at: format_time(
            token.revoked_at.map_or(token.expires_at, |at| at.min(token.expires_at))
        ),
        last_used_at: token.last_used_at.map(format_time),
        last_used_ip: token.last_used_ip.clone(),
        token: None,
    })
}

async fn settings(call: Call) -> Answer {
    let all = call.read(|conn, at| tokens::list(conn, at.company()?.seq)).await?;
    let now = call.service.clock().now();
    let live = all.iter().filter(|token| token.state(now) == TokenState::Live).count();
    Ok(ok(&json!(ScimView {
        enabled: call.company()?.scim_enabled,
        base_url: call.site.scim_base_url.clone(),
        auth: AUTH,
        last_seen_at: all.iter().filter_map(|token| token.last_used_at).max().map(format_time),
        tokens: live,
    })))
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let mut all = call.read(|conn, at| tokens::list(conn, at.company()?.seq)).await?;
    all.sort_by(|a, b| a.id.cmp(&b.id));
    let now = call.service.clock().now();
    let limit = usize::try_from(page.limit + 1).unwrap_or(usize::MAX);
    let here = all.iter().filter(|token| token.id > page.after).take(limit);
    Ok(page.answer(here.map(|token| view(token, &call.site.scim_base_url, now)).collect()))
}

async fn create(call: Call) -> Answer {
    let (body, keys): (NewToken, _) = (call.json()?, call.service.keys());
    let base_url = call.site.scim_base_url.clone();
    let end = super::time("expires_at", body.expires_at.as_deref())?;
    let name = body.name.unwrap_or_else(|| "SCIM".to_owned());
    call.write(move |cx, at| {
        let life = end.map_or(token::DEFAULT_LIFE, |end| end.duration_since(cx.now));
        let by = (&keys, &at.actor());
        let (token, text) = tokens::create(cx, by, at.company()?, (&name, life))?;
        Ok(Reply::new(201, view(&token, &base_url, cx.now)).secret("token", text))
    })
    .await
}

async fn rotate(call: Call) -> Answer {
    let (id, body, keys): (_, Rotation, _) =
        (call.part("token"), call.json()?, call.service.keys());
    let seconds = body.overlap_seconds.map(SignedDuration::from_secs);
    let overlap = seconds.unwrap_or(token::DEFAULT_OVERLAP);
    call.write(move |cx, at| {
        let by = (&keys, &at.actor());
        let (token, text) = tokens::rotate(cx, by, at.company()?, (&id, overlap))?;
        let body = json!(RotatedView {
            id: token.id,
            expires_at: format_time(token.expires_at),
            previous_expires_at: format_time(cx.now + overlap),
            token: None,
        });
        Ok(Reply::new(201, body).secret("token", text))
    })
    .await
}

async fn revoke(call: Call) -> Answer {
    let id = call.part("token");
    call.write(move |cx, at| {
        tokens::revoke(cx, &at.actor(), at.company()?.seq, &id)?;
        Ok(Reply::nothing())
    })
    .await
}
