//! `C/audit-events`, and the timeline of one user: who changed what, the latest first.

use actix_web::web::get;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::problem::Code;
use crate::scim::value::format_time;
use crate::service::access::At;
use crate::service::events::{self, Recorded};
use crate::service::{Error, Reading, Result};

use super::frame::{Answer, Call, ok};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(
        ("GET", "C/audit-events"),
        Act::ReadEvents,
        "List what was changed in a company, the latest first",
        || get().to(list),
    )
    .pages::<EventView>(),
    Entry::new(
        ("GET", "C/users/{user}/timeline"),
        Act::ReadEvents,
        "List what happened to a user, the latest first; of a deleted one too",
        || get().to(timeline),
    )
    .pages::<EventView>(),
];

/// A change.
#[derive(Serialize, ToSchema)]
struct EventView {
    id: String,
    at: String,
    /// What was done, such as user.deactivated.
    action: String,
    /// By whom: a kind, and which one.
    actor: String,
    /// The id of what it was done to.
    target: String,
    /// What else there is to say, such as before and after.
    detail: Value,
}

fn view(event: &Recorded) -> Value {
    let at = jiff::Timestamp::from_microsecond(event.at).unwrap_or_default();
    json!(EventView {
        id: event.id.clone(),
        at: format_time(at),
        action: event.action.clone(),
        actor: event.actor.clone(),
        target: event.target.clone(),
        detail: serde_json::from_str(&event.detail).unwrap_or_default(),
    })
}

async fn list(call: Call) -> Answer {
    answer(&call, |conn, at, place| events::page(conn, at.company()?.seq, place)).await
}

async fn timeline(call: Call) -> Answer {
    let user = call.part("user");
    let read = move |conn: &mut Reading, at: &At, place: Place| {
        events::timeline(conn, at.company()?.seq, &user, place)
    };
    answer(&call, read).await
}

/// In front of which event a page begins, and how many are asked for.
type Place = (Option<i64>, i64);

/// A page, which is cut behind the number of its last event.
async fn answer(
    call: &Call,
    read: impl FnOnce(&mut Reading, &At, Place) -> Result<Vec<(i64, Recorded)>> + Send + 'static,
) -> Answer {
    let page = call.page()?;
    let before = match page.after.as_str() {
        "" => None,
        text => Some(i64::from_str_radix(text, 16).map_err(|_| Error::from(Code::InvalidCursor))?),
    };
    let limit = page.limit;
    let mut all = call.read(move |conn, at| read(conn, at, (before, limit + 1))).await?;
    let more = all.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = all.last().filter(|_| more).map(|(seq, _)| format!("{seq:x}"));
    let data: Vec<Value> = all.iter().map(|(_, event)| view(event)).collect();
    Ok(ok(&json!({"data": data, "page": {"next_cursor": next, "limit": limit}})))
}
