//! `C/sso/session-settings`: how long sessions of a company last (rows 37 to 40).

use actix_web::web::{get, put};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::problem::Problem;
use crate::domain::session::SessionSettings;
use crate::service::idempotency::Reply;
use crate::service::{Result, companies, sessions};

use super::frame::{Answer, Call, versioned};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(
        ("GET", "C/sso/session-settings"),
        Act::ReadSessionSettings,
        "See how long sessions last",
        || get().to(read),
    )
    .gives::<SessionLimits>(200),
    Entry::new(
        ("PUT", "C/sso/session-settings"),
        Act::ChangeSessionSettings,
        "Change how long sessions last, those that began before too",
        || put().to(replace),
    )
    .takes::<SessionLimits>()
    .gives::<SessionLimits>(200),
];

fn most() -> i64 {
    SessionSettings::default().max_minutes
}

fn idle() -> i64 {
    SessionSettings::default().idle_minutes
}

fn sso() -> String {
    "sso".to_owned()
}

fn yes() -> bool {
    true
}

/// How long sessions last.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SessionLimits {
    /// Longest time from sign-in on, in minutes: 1 to 43,200.
    #[serde(default = "most")]
    max_session_ttl_minutes: i64,
    /// Longest time without a request, in minutes.
    #[serde(default = "idle")]
    idle_session_ttl_minutes: i64,
    /// Whose sessions: `sso`, those that came through the company's connection. Social ones last 1,440
    /// minutes, and 480 without a request.
    #[serde(default = "sso")]
    applies_to: String,
    /// Whether a session ends when the identity provider says that its own does.
    #[serde(default = "yes")]
    honor_idp_session_expiry: bool,
}

fn view(settings: SessionSettings) -> Value {
    json!(SessionLimits {
        max_session_ttl_minutes: settings.max_minutes,
        idle_session_ttl_minutes: settings.idle_minutes,
        applies_to: sso(),
        honor_idp_session_expiry: settings.honor_idp_expiry,
    })
}

fn settings(body: &SessionLimits) -> Result<SessionSettings> {
    if body.applies_to != "sso" {
        return Err(
            Problem::field("applies_to", "sso; social sessions have limits of their own").into()
        );
    }
    Ok(SessionSettings {
        max_minutes: body.max_session_ttl_minutes,
        idle_minutes: body.idle_session_ttl_minutes,
        honor_idp_expiry: body.honor_idp_session_expiry,
    })
}

async fn read(call: Call) -> Answer {
    let company = call.company()?;
    Ok(versioned(&view(company.settings.sessions), company.version))
}

async fn replace(call: Call) -> Answer {
    let (body, if_match): (SessionLimits, _) = (call.json()?, call.if_match());
    let settings = settings(&body)?;
    call.write(move |cx, at| {
        let company = companies::find_to_change(cx, at.company()?.seq)?;
        if_match.check(company.version)?;
        let company = sessions::set_settings(cx, (company, &at.actor()), settings)?;
        Ok(Reply::new(200, view(company.settings.sessions)).version(company.version))
    })
    .await
}
