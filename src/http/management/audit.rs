//! `C/audit-events`: who changed what, the latest first.

use actix_web::web::get;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::problem::Code;
use crate::scim::value::format_time;
use crate::service::Error;
use crate::service::events::{self, Recorded};

use super::frame::{Answer, Call, ok};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[Entry::new(
    ("GET", "C/audit-events"),
    Act::ReadEvents,
    "List what was changed in a company, the latest first",
    || get().to(list),
)
.pages::<EventView>()];

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
    let page = call.page()?;
    let before = match page.after.as_str() {
        "" => None,
        text => Some(i64::from_str_radix(text, 16).map_err(|_| Error::from(Code::InvalidCursor))?),
    };
    let limit = page.limit;
    let read = move |conn: &mut _, at: &crate::service::access::At| {
        events::page(conn, at.company()?.seq, before, limit + 1)
    };
    let mut all = call.read(read).await?;
    let more = all.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = all.last().filter(|_| more).map(|(seq, _)| format!("{seq:x}"));
    let data: Vec<Value> = all.iter().map(|(_, event)| view(event)).collect();
    Ok(ok(&json!({"data": data, "page": {"next_cursor": next, "limit": limit}})))
}
