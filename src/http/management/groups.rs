//! `C/groups`: the directory's groups, to be read.

use actix_web::web::get;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::group::Group;
use crate::domain::group_filter::Matcher;
use crate::scim::value::format_time;
use crate::service::{Result, group_filters, profiles};

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
    /// What the group filters say of it: allowed, blocked or `not_allowed`.
    verdict: &'static str,
    created_at: String,
    updated_at: String,
}

fn view(group: &Group, filters: &Matcher) -> Result<Value> {
    let resource = group.resource()?;
    let name = resource.display_name().unwrap_or_default();
    Ok(json!(GroupView {
        id: group.id.clone(),
        name: name.to_owned(),
        verdict: filters.verdict(name).name(),
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
        let company = at.company()?.seq;
        let filters = group_filters::matcher(conn, company)?;
        let all = profiles::groups(conn, company, place.place())?;
        all.iter().map(|group| view(group, &filters)).collect::<Result<Vec<Value>>>()
    });
    let all = read.await?;
    Ok(page.answer(all))
}

async fn read(call: Call) -> Answer {
    let id = call.part("group");
    let read = call.read(move |conn, at| {
        let company = at.company()?.seq;
        let filters = group_filters::matcher(conn, company)?;
        view(&profiles::group(conn, company, &id)?, &filters)
    });
    Ok(ok(&read.await?))
}
