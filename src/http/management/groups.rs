//! `C/groups`: the directory's groups, to be read.

use actix_web::web::get;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::group::Group;
use crate::scim::value::format_time;
use crate::service::{Result, profiles};

use super::frame::{Answer, Call, ok};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(("GET", "C/groups"), Act::ReadGroups, "List the directory's groups", || {
        get().to(list)
    })
    .pages::<GroupView>(),
    Entry::new(("GET", "C/groups/{group}"), Act::ReadGroups, "Read a group", || get().to(read))
        .gives::<GroupView>(200),
];

/// A group of the directory.
#[derive(Serialize, ToSchema)]
struct GroupView {
    id: String,
    name: String,
    external_id: Option<String>,
    /// How many members it has, nested groups among them.
    members: i64,
    created_at: String,
    updated_at: String,
}

fn view(group: &Group) -> Result<Value> {
    let resource = group.resource()?;
    Ok(json!(GroupView {
        id: group.id.clone(),
        name: resource.display_name().unwrap_or_default().to_owned(),
        external_id: resource.external_id().map(str::to_owned),
        members: group.member_count,
        created_at: format_time(group.created_at),
        updated_at: format_time(group.last_modified),
    }))
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let place = page.clone();
    let read = call.read(move |conn, at| {
        let all = profiles::groups(conn, at.company()?.seq, place.place())?;
        all.iter().map(view).collect::<Result<Vec<Value>>>()
    });
    let all = read.await?;
    Ok(page.answer(all))
}

async fn read(call: Call) -> Answer {
    let id = call.part("group");
    let read = call.read(move |conn, at| view(&profiles::group(conn, at.company()?.seq, &id)?));
    Ok(ok(&read.await?))
}
