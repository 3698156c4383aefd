//! `/me` and `/session`: the person who calls, and the organization that they work in.

use std::sync::Arc;

use actix_web::web::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::organization::{Organization, OrganizationSeq};
use crate::domain::role::Role;
use crate::scim::value::format_time;
use crate::service::access::At;
use crate::service::idempotency::Reply;
use crate::service::{Reading, Result, login, memberships, profiles};

use super::frame::{Answer, Call, ok};
use super::members::TeamOfMember;
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(("GET", "/me"), Act::ReadSelf, "See oneself as a user of the company", || {
        get().to(read)
    })
    .gives::<super::users::UserView>(200),
    Entry::new(
        ("GET", "/me/organizations"),
        Act::ReadSelf,
        "List the organizations that one may enter",
        || get().to(list),
    )
    .pages::<MyOrganization>(),
    Entry::new(("GET", "/session"), Act::ReadSelf, "See one's session", || get().to(session))
        .gives::<SessionView>(200),
    Entry::new(
        ("POST", "/session/switch"),
        Act::ReadSelf,
        "Work in another organization; teams there are brought up to date",
        || post().to(switch),
    )
    .takes::<Switch>()
    .gives::<SessionView>(200),
];

/// An organization that one may enter.
#[derive(Serialize, ToSchema)]
struct MyOrganization {
    id: String,
    slug: String,
    name: String,
    /// admin, moderator or member.
    role: &'static str,
}

/// A session.
#[derive(Serialize, ToSchema)]
struct SessionView {
    id: String,
    user_id: String,
    company_id: String,
    /// The one that the session works in.
    organization: Option<MyOrganization>,
    /// The teams that one is in there.
    teams: Vec<TeamOfMember>,
    /// All that one may enter.
    organizations: Vec<MyOrganization>,
    /// `no_organization_access` where there are none.
    notice: Option<&'static str>,
    created_at: String,
    expires_at: String,
}

/// Where to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Switch {
    /// Its id or slug.
    organization: String,
}

fn mine((organization, role): &(Organization, Role)) -> MyOrganization {
    MyOrganization {
        id: organization.id.clone(),
        slug: organization.slug.clone(),
        name: organization.name.clone(),
        role: role.name(),
    }
}

async fn read(call: Call) -> Answer {
    let read = call.read(|conn, at| {
        let person = login::person(at)?;
        let profile = profiles::find(conn, person.session.company, &person.user.id)?;
        super::users::view(&profile, Vec::new())
    });
    Ok(ok(&read.await?))
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let all = call.read(|conn, at| login::organizations_of(conn, login::person(at)?)).await?;
    let (after, limit) = page.place();
    let behind = all.iter().filter(|(organization, _)| organization.id.as_str() > after);
    let items = behind.take(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(page.answer(items.map(|item| json!(mine(item))).collect()))
}

/// The session as it is now, working in `active`.
fn view(conn: &mut Reading, at: &At, active: Option<OrganizationSeq>) -> Result<Value> {
    let person = login::person(at)?;
    let all = login::organizations_of(conn, person)?;
    let here = all.iter().find(|(organization, _)| Some(organization.seq) == active);
    let teams = match here {
        Some((organization, _)) => memberships::teams(conn, organization, &person.user)?,
        None => Vec::new(),
    };
    Ok(json!(SessionView {
        id: person.session.id.clone(),
        user_id: person.user.id.clone(),
        company_id: at.company()?.id.clone(),
        organization: here.map(mine),
        teams: teams.iter().map(TeamOfMember::new).collect(),
        organizations: all.iter().map(mine).collect(),
        notice: all.is_empty().then_some("no_organization_access"),
        created_at: format_time(person.session.created_at),
        expires_at: format_time(person.session.ends_at(person.settings)),
    }))
}

async fn session(call: Call) -> Answer {
    let read = call.read(|conn, at| {
        let active = login::person(at)?.session.organization;
        view(conn, at, active)
    });
    Ok(ok(&read.await?))
}

async fn switch(call: Call) -> Answer {
    let body: Switch = call.json()?;
    let (at, name) = (Arc::clone(&call.at), body.organization.clone());
    call.service.transact(move |cx| login::prepare_switch(cx, &at, &name)).await?;
    call.write(move |cx, at| {
        let entered = login::switch(cx, at, &body.organization)?;
        Ok(Reply::new(200, view(cx.conn, at, Some(entered.seq))?))
    })
    .await
}
