//! `C/sessions`: who of a company is signed in, and the end of it.

use actix_web::web::{delete, get};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::session::SessionSettings;
use crate::scim::value::format_time;
use crate::service::idempotency::Reply;
use crate::service::sessions::{self, Listed};

use super::frame::{Answer, Call};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(
        ("GET", "C/sessions"),
        Act::ReadSessions,
        "List sessions that nobody has ended, with ?user= those of one user",
        || get().to(list),
    )
    .pages::<OpenSession>(),
    Entry::new(
        ("DELETE", "C/sessions/{session}"),
        Act::EndSessions,
        "End a session and all that applications were granted in it",
        || delete().to(end),
    ),
];

/// A session that nobody has ended.
#[derive(Serialize, ToSchema)]
struct OpenSession {
    id: String,
    user_id: String,
    /// The name of the connection; none of a social sign-in.
    connection: Option<String>,
    /// active, or why it opens nothing any more: `max_ttl`, `idle_ttl`.
    state: &'static str,
    created_at: String,
    last_used_at: String,
    /// When it ends at the latest.
    expires_at: String,
}

fn view(
    (session, user, connection): &Listed,
    settings: SessionSettings,
    now: jiff::Timestamp,
) -> Value {
    json!(OpenSession {
        id: session.id.clone(),
        user_id: user.clone(),
        connection: connection.clone(),
        state: session.over(settings, now).map_or("active", |over| over.reason()),
        created_at: format_time(session.created_at),
        last_used_at: format_time(session.last_used_at),
        expires_at: format_time(session.ends_at(settings)),
    })
}

async fn list(call: Call) -> Answer {
    let (page, user) = (call.page()?, call.parameter("user"));
    let (place, now) = (page.clone(), call.service.clock().now());
    let settings = call.company()?.settings.sessions;
    let read = call.read(move |conn, at| {
        sessions::page(conn, at.company()?.seq, user.as_deref(), place.place())
    });
    let all = read.await?;
    Ok(page.answer(all.iter().map(|listed| view(listed, settings, now)).collect()))
}

async fn end(call: Call) -> Answer {
    let id = call.part("session");
    call.write(move |cx, at| {
        sessions::revoke(cx, &at.actor(), at.company()?.seq, &id)?;
        Ok(Reply::nothing())
    })
    .await
}
