//! `C/users`: the directory with status and source.

use actix_web::web::{delete, get, patch};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::role::Permissions;
use crate::domain::user::Origin;
use crate::scim::value::format_time;
use crate::service::idempotency::Reply;
use crate::service::memberships;
use crate::service::profiles::{self, Profile};
use crate::service::{Error, Result};

use super::frame::{Answer, Call, ok};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(("GET", "C/users"), Act::ReadUsers, "List a company's users", || get().to(list))
        .pages::<UserView>(),
    Entry::new(("GET", "C/users/{user}"), Act::ReadUsers, "Read a user", || get().to(read))
        .gives::<UserView>(200),
    Entry::new(
        ("PATCH", "C/users/{user}"),
        Act::ChangeUsers,
        "Deactivate a user, give a company role and permissions, describe one whom SCIM does not own",
        || patch().to(change),
    )
    .takes::<UserChange>()
    .gives::<UserView>(200),
    Entry::new(
        ("DELETE", "C/users/{user}"),
        Act::ChangeUsers,
        "Delete a user, or deactivate where the company's delete mode says so",
        || delete().to(remove),
    ),
    Entry::new(
        ("GET", "C/users/{user}/access"),
        Act::ReadUsers,
        "Where a user may enter, and why not elsewhere",
        || get().to(access),
    )
    .pages::<AccessView>(),
];

/// What an organization is to a user.
#[derive(Serialize, ToSchema)]
struct AccessView {
    organization_id: String,
    organization_slug: String,
    /// allowed or denied.
    access: &'static str,
    /// admin, moderator, member; none where the user does not belong there.
    role: &'static str,
    /// invitation, automatic, mapping or manual.
    source: Option<&'static str>,
    /// STAGED, INVITED, ACTIVE or DEACTIVATED.
    status: Option<&'static str>,
    /// Why it is denied, in the order of the checks of a login.
    reasons: Vec<&'static str>,
}

/// A user.
#[derive(Serialize, ToSchema)]
pub(super) struct UserView {
    id: String,
    user_name: String,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    phone_number: Option<String>,
    picture: Option<String>,
    r#type: &'static str,
    /// STAGED, ACTIVE or DEACTIVATED.
    status: &'static str,
    /// Why.
    status_reason: &'static str,
    /// When the status last changed.
    status_changed_at: String,
    /// admin or member.
    company_role: &'static str,
    permissions: Vec<&'static str>,
    managed_by_scim: bool,
    scim_updated_at: Option<String>,
    external_id: Option<String>,
    activated_at: Option<String>,
    created_at: String,
    updated_at: String,
    /// Fields of a change that were left alone, because SCIM owns them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored_fields: Vec<&'static str>,
}

/// What is to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    /// An admin's deactivation, which the identity provider does not lift; false ends it.
    deactivated: Option<bool>,
    /// admin or member.
    company_role: Option<String>,
    permissions: Option<Vec<String>>,
    first_name: Option<String>,
    last_name: Option<String>,
    phone_number: Option<String>,
    picture: Option<String>,
}

/// The primary one of a list of values, or else the first.
pub(super) fn first(document: &Value, list: &str) -> Option<String> {
    let values = document.get(list)?.as_array()?;
    let primary = values.iter().find(|value| value["primary"] == true);
    primary.or_else(|| values.first())?.get("value")?.as_str().map(str::to_owned)
}

/// A user as answers show it.
///
/// # Errors
/// Where the stored document is damaged.
pub(super) fn view(profile: &Profile, ignored_fields: Vec<&'static str>) -> Result<Value> {
    let user = &profile.user;
    let document: Value = serde_json::from_str(&user.document).map_err(Error::from)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let owned = profile.origin == Origin::Directory;
    let changed = profile.status_changed_at.unwrap_or(user.created_at);
    Ok(json!(UserView {
        id: user.id.clone(),
        user_name: text(&document["userName"]).unwrap_or_default(),
        email: first(&document, "emails"),
        first_name: text(&document["name"]["givenName"]),
        last_name: text(&document["name"]["familyName"]),
        phone_number: first(&document, "phoneNumbers"),
        picture: first(&document, "photos"),
        r#type: "standard",
        status: user.status().name(),
        status_reason: user.causes().reason().name(),
        status_changed_at: format_time(changed),
        company_role: profile.company_role.name(),
        permissions: profile.permissions.names(),
        managed_by_scim: owned,
        scim_updated_at: owned.then(|| format_time(user.last_modified)),
        external_id: text(&document["externalId"]),
        activated_at: user.activated_at.map(format_time),
        created_at: format_time(user.created_at),
        updated_at: format_time(user.last_modified),
        ignored_fields,
    }))
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let place = page.clone();
    let read = call.read(move |conn, at| {
        let all = profiles::page(conn, at.company()?.seq, place.place())?;
        all.iter().map(|profile| view(profile, Vec::new())).collect::<Result<Vec<Value>>>()
    });
    let all = read.await?;
    Ok(page.answer(all))
}

async fn read(call: Call) -> Answer {
    let id = call.part("user");
    let read =
        call.read(move |conn, at| view(&profiles::find(conn, at.company()?.seq, &id)?, Vec::new()));
    Ok(ok(&read.await?))
}

async fn access(call: Call) -> Answer {
    let (id, page) = (call.part("user"), call.page()?);
    let place = page.clone();
    let read = call
        .read(move |conn, at| memberships::places(conn, at.company()?.seq, (&id, place.place())));
    let (user, places) = read.await?;
    let view = |place: memberships::Place| {
        let membership = place.membership;
        json!(AccessView {
            organization_id: place.organization.id,
            organization_slug: place.organization.slug,
            access: if place.refusals.is_empty() { "allowed" } else { "denied" },
            role: membership.as_ref().map_or("none", |m| m.role.name()),
            source: membership.as_ref().map(|m| m.source.name()),
            status: membership.as_ref().map(|m| m.status(user.status()).name()),
            reasons: place.refusals.iter().map(|refusal| refusal.name()).collect(),
        })
    };
    Ok(page.answer_by("organization_id", places.into_iter().map(view).collect()))
}

async fn change(call: Call) -> Answer {
    let (id, body): (_, UserChange) = (call.part("user"), call.json()?);
    let permissions = body.permissions.map(|names| {
        let read = Permissions::parse(names.iter().map(String::as_str));
        read.map_err(|rule| crate::domain::problem::Problem::field("permissions", rule))
    });
    let profile = [
        ("first_name", body.first_name),
        ("last_name", body.last_name),
        ("phone_number", body.phone_number),
        ("picture", body.picture),
    ];
    let profile = profile.into_iter().filter_map(|(name, to)| Some((name, Value::from(to?))));
    let change = profiles::Change {
        deactivated: body.deactivated,
        company_role: super::field("company_role", body.company_role.as_deref())?,
        permissions: permissions.transpose()?,
        profile: profile.collect(),
    };
    call.write(move |cx, at| {
        let (profile, ignored) = profiles::change(cx, (at.company()?, &at.actor()), &id, &change)?;
        Ok(Reply::new(200, view(&profile, ignored)?))
    })
    .await
}

async fn remove(call: Call) -> Answer {
    let id = call.part("user");
    call.write(move |cx, at| {
        profiles::delete(cx, (at.company()?, &at.actor()), &id)?;
        Ok(Reply::nothing())
    })
    .await
}
