//! `O/teams`: local ones, and those that the IdP's groups make.

use actix_web::web::{delete, get, patch, post, put};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::team::Team;
use crate::scim::value::format_time;
use crate::service::idempotency::Reply;
use crate::service::teams;

use super::frame::{Answer, Call, ok};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(("GET", "O/teams"), Act::ReadTeams, "List an organization's teams", || {
        get().to(list)
    })
    .pages::<TeamView>(),
    Entry::new(("POST", "O/teams"), Act::ChangeTeams, "Make a local team", || post().to(create))
        .takes::<NewTeam>()
        .gives::<TeamView>(201),
    Entry::new(("GET", "O/teams/{team}"), Act::ReadTeams, "Read a team", || get().to(read))
        .gives::<TeamView>(200),
    Entry::new(
        ("PATCH", "O/teams/{team}"),
        Act::ChangeTeams,
        "Change a local team; one that the IdP manages follows its group",
        || patch().to(change),
    )
    .takes::<TeamChange>()
    .gives::<TeamView>(200),
    Entry::new(("DELETE", "O/teams/{team}"), Act::ChangeTeams, "Delete a local team", || {
        delete().to(remove)
    }),
    Entry::new(("GET", "O/teams/{team}/members"), Act::ReadTeams, "List a team's members", || {
        get().to(members)
    })
    .pages::<TeamMember>(),
    Entry::new(
        ("PUT", "O/teams/{team}/members"),
        Act::ChangeTeams,
        "Set the members of a local team; memberships that the IdP gave stay",
        || put().to(set_members),
    )
    .takes::<Members>()
    .gives::<TeamView>(200),
];

/// A team.
#[derive(Serialize, ToSchema)]
struct TeamView {
    id: String,
    name: String,
    description: String,
    /// sso, scim or manual.
    provider: &'static str,
    /// The group that it follows; null for a local team.
    external_group: Option<String>,
    /// How many people are in it.
    size: i64,
    created_at: String,
    updated_at: String,
}

/// A local team to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTeam {
    /// Unique among the organization's local teams.
    name: String,
    description: Option<String>,
}

/// What is to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TeamChange {
    name: Option<String>,
    description: Option<String>,
}

/// The people of a local team.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Members {
    user_ids: Vec<String>,
}

/// Somebody in a team.
#[derive(Serialize, ToSchema)]
struct TeamMember {
    id: String,
    /// Who made them a member: sso, scim, manual.
    origins: Vec<&'static str>,
}

fn view(team: &Team, size: i64) -> Value {
    json!(TeamView {
        id: team.id.clone(),
        name: team.name.clone(),
        description: team.description.clone(),
        provider: team.provider.name(),
        external_group: team.provider.is_idp().then(|| team.name.clone()),
        size,
        created_at: format_time(team.created_at),
        updated_at: format_time(team.updated_at),
    })
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let place = page.clone();
    let read = call.read(move |conn, at| teams::page(conn, at.organization()?, place.place()));
    let all = read.await?;
    Ok(page.answer(all.iter().map(|(team, size)| view(team, *size)).collect()))
}

async fn create(call: Call) -> Answer {
    let body: NewTeam = call.json()?;
    let named = (body.name, body.description.unwrap_or_default());
    call.write(move |cx, at| {
        let made = teams::create(cx, &at.actor(), at.organization()?, named)?;
        Ok(Reply::new(201, view(&made, 0)))
    })
    .await
}

async fn read(call: Call) -> Answer {
    let id = call.part("team");
    let (team, size) =
        call.read(move |conn, at| teams::find(conn, at.organization()?, &id)).await?;
    Ok(ok(&view(&team, size)))
}

async fn change(call: Call) -> Answer {
    let (id, body): (_, TeamChange) = (call.part("team"), call.json()?);
    let change = teams::Change { name: body.name, description: body.description };
    call.write(move |cx, at| {
        let place = (at.organization()?, id.as_str());
        let (team, size) = teams::change(cx, &at.actor(), place, change)?;
        Ok(Reply::new(200, view(&team, size)))
    })
    .await
}

async fn remove(call: Call) -> Answer {
    let id = call.part("team");
    call.write(move |cx, at| {
        teams::delete(cx, &at.actor(), (at.organization()?, &id))?;
        Ok(Reply::nothing())
    })
    .await
}

async fn members(call: Call) -> Answer {
    let (id, page) = (call.part("team"), call.page()?);
    let place = page.clone();
    let read =
        call.read(move |conn, at| teams::members(conn, (at.organization()?, &id), place.place()));
    let member = |(_, id, origins): crate::service::teams::Member| {
        json!(TeamMember { id, origins: origins.iter().map(|origin| origin.name()).collect() })
    };
    Ok(page.answer(read.await?.into_iter().map(member).collect()))
}

async fn set_members(call: Call) -> Answer {
    let (id, body): (_, Members) = (call.part("team"), call.json()?);
    call.write(move |cx, at| {
        let (who, place) = ((at.company()?, &at.actor()), (at.organization()?, id.as_str()));
        let (team, size) = teams::set_members(cx, who, place, &body.user_ids)?;
        Ok(Reply::new(200, view(&team, size)))
    })
    .await
}
