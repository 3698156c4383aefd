//! The one place that records what happened: in the transaction of the change itself, so that there is
//! no change without its event and no event without its change.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::db::events;
pub use crate::db::events::Recorded;
use crate::db::{self, DbConn};
use crate::domain::event::{Action, Actor, Event};
use crate::domain::id::CompanySeq;
use crate::domain::lifecycle::Step;

use super::Cx;
use super::error::{Error, Result};

/// Makes an event of this moment; it counts once it is stored.
pub fn event(cx: &Cx<'_>, actor: &Actor, (action, target): (Action, &str), detail: Value) -> Event {
    at((cx.clock, cx.now), actor, (action, target), detail)
}

/// The same without a unit of work.
pub fn at(
    (clock, at): (&Clock, Timestamp),
    actor: &Actor,
    (action, target): (Action, &str),
    detail: Value,
) -> Event {
    let (id, target) = (clock.id(), target.to_owned());
    Event { id, at, action, actor: actor.clone(), target, detail }
}

/// Stores what happened in a company.
///
/// # Errors
/// The database's.
pub fn record(
    cx: &mut Cx<'_>,
    company: CompanySeq,
    actor: &Actor,
    what: (Action, &str),
    detail: Value,
) -> Result<()> {
    let event = event(cx, actor, what, detail);
    Ok(events::insert(cx.conn, company, &event)?)
}

/// What there is to say of a change of status.
pub fn status_detail(step: &Step) -> Value {
    if !step.moved() {
        return json!({});
    }
    let (before, after) = (step.from.name(), step.to.name());
    json!({"status": {"before": before, "after": after}, "reason": step.causes.reason().name()})
}

/// A page of a company's events, the latest first.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    company: CompanySeq,
    place: (Option<i64>, i64),
) -> Result<Vec<(i64, Recorded)>> {
    Ok(db::events::page(conn, company, None, place)?)
}

/// A page of what happened to a user, the latest first; of a deleted one too.
///
/// # Errors
/// [`Error::NotFound`] of somebody whom the company never had.
pub fn timeline(
    conn: &mut DbConn,
    company: CompanySeq,
    user: &str,
    place: (Option<i64>, i64),
) -> Result<Vec<(i64, Recorded)>> {
    let all = db::events::page(conn, company, Some(user), place)?;
    if all.is_empty() && db::profiles::user(conn, company, user)?.is_none() {
        return Err(Error::NotFound("User"));
    }
    Ok(all)
}
