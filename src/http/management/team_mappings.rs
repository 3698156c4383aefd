//! `O/team-mappings`: which group of the IdP is which team of the organization.

use actix_web::web::{delete, get, post, put};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::role::Role;
use crate::service::Result;
use crate::service::idempotency::Reply;
use crate::service::team_mappings::{self, Change, Listed};

use super::frame::{Answer, Call, versioned};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(
        ("GET", "O/team-mappings"),
        Act::ReadMappings,
        "See which groups are mapped to teams",
        || get().to(list),
    )
    .gives::<MappingsView>(200),
    Entry::new(
        ("PUT", "O/team-mappings"),
        Act::ChangeMappings,
        "Map groups to local teams; needs a connection, active or not",
        || put().to(replace),
    )
    .takes::<NewMappings>()
    .gives::<MappingsView>(200),
    Entry::new(("POST", "O/team-mappings"), Act::ChangeMappings, "Map one more group", || {
        post().to(add)
    })
    .takes::<NewMapping>()
    .gives::<MappingsView>(201),
    Entry::new(
        ("DELETE", "O/team-mappings/{mapping}"),
        Act::ChangeMappings,
        "Take a mapping away; the last one stays",
        || delete().to(remove),
    ),
];

/// The mappings of an organization.
#[derive(Serialize, ToSchema)]
struct MappingsView {
    mappings: Vec<MappingView>,
}

/// A mapping.
#[derive(Serialize, ToSchema)]
struct MappingView {
    id: String,
    group: String,
    team_id: String,
    /// moderator or member; null: the organization's default role.
    role: Option<&'static str>,
    /// Whether the directory has the group: a rename moves no right then.
    in_directory: bool,
}

/// All mappings to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMappings {
    mappings: Vec<NewMapping>,
}

/// A mapping to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMapping {
    /// The group's name; case counts.
    group: String,
    team_id: String,
    /// moderator or member.
    role: Option<String>,
}

fn view(all: Vec<Listed>) -> Value {
    let one = |(mapping, team_id): Listed| MappingView {
        id: mapping.id,
        group: mapping.group_name,
        team_id,
        role: mapping.role.map(Role::name),
        in_directory: mapping.group.is_some(),
    };
    json!(MappingsView { mappings: all.into_iter().map(one).collect() })
}

fn wanted(new: NewMapping) -> Result<team_mappings::NewMapping> {
    let role = super::role(new.role.as_deref())?;
    Ok(team_mappings::NewMapping { group: new.group, team: new.team_id, role })
}

async fn list(call: Call) -> Answer {
    let all = call.read(|conn, at| team_mappings::list(conn, at.organization()?)).await?;
    Ok(versioned(&view(all), call.organization()?.version))
}

async fn replace(call: Call) -> Answer {
    let body: NewMappings = call.json()?;
    let all: Result<Vec<_>> = body.mappings.into_iter().map(wanted).collect();
    change(call, Change::Replace(all?), 200).await
}

async fn add(call: Call) -> Answer {
    let one = wanted(call.json()?)?;
    change(call, Change::Add(one), 201).await
}

async fn remove(call: Call) -> Answer {
    let id = call.part("mapping");
    change(call, Change::Remove(id), 204).await
}

async fn change(call: Call, change: Change, status: u16) -> Answer {
    let if_match = call.if_match();
    call.write(move |cx, at| {
        let organization = team_mappings::find_to_change(cx, at.organization()?)?;
        if_match.check(organization.version)?;
        let who = (at.company()?, &at.actor());
        let (all, organization) = team_mappings::change(cx, who, organization, change)?;
        let body = if status == 204 { Value::Null } else { view(all) };
        Ok(Reply::new(status, body).version(organization.version))
    })
    .await
}
