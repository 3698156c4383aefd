//! `C/users/{user}/team-state`: what teams a user has where, and since when (rows 78, 80).

use actix_web::web::get;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::scim::value::format_time;
use crate::service::teams::{self, State};

use super::frame::{Answer, Call};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[Entry::new(
    ("GET", "C/users/{user}/team-state"),
    Act::ReadUsers,
    "See a user's teams in each organization, and whether the groups have changed since",
    || get().to(list),
)
.pages::<TeamState>()];

/// A user's teams in an organization.
#[derive(Serialize, ToSchema)]
struct TeamState {
    /// The organization's id, by which the list is paged.
    id: String,
    organization_id: String,
    teams: Vec<TeamOfState>,
    last_synced_at: Option<String>,
    /// login, switch, scim or resync.
    trigger: Option<String>,
    /// Whether the user's groups are others by now.
    stale: bool,
    /// The groups seen then; null where the IdP did not name any.
    groups_seen: Value,
    /// Groups that gave no team, each with the reason.
    dropped: Value,
}

/// A team of the user.
#[derive(Serialize, ToSchema)]
struct TeamOfState {
    id: String,
    name: String,
    /// Who made the user a member: sso, scim or manual.
    origin: String,
}

fn view(state: State) -> Value {
    let team = |(id, name, origin)| TeamOfState { id, name, origin };
    json!(TeamState {
        id: state.organization.clone(),
        organization_id: state.organization,
        teams: state.teams.into_iter().map(team).collect(),
        last_synced_at: state.last_synced_at.map(format_time),
        trigger: state.trigger,
        stale: state.stale,
        groups_seen: state.groups_seen,
        dropped: state.dropped,
    })
}

async fn list(call: Call) -> Answer {
    let (user, page) = (call.part("user"), call.page()?);
    let place = page.clone();
    let read =
        call.read(move |conn, at| teams::states(conn, at.company()?.seq, &user, place.place()));
    Ok(page.answer(read.await?.into_iter().map(view).collect()))
}
