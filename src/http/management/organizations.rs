//! `C/organizations`, and `/organizations/{organization}`: the same resource by its id alone.

use actix_web::web::{delete, get, patch, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::organization::Organization;
use crate::domain::role::Role;
use crate::scim::value::format_time;
use crate::service::idempotency::Reply;
use crate::service::organizations;

use super::frame::{Answer, Call, versioned};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(
        ("GET", "C/organizations"),
        Act::ListOrganizations,
        "List a company's organizations",
        || get().to(list),
    )
    .pages::<OrganizationView>(),
    Entry::new(
        ("POST", "C/organizations"),
        Act::CreateOrganization,
        "Make an organization",
        || post().to(create),
    )
    .takes::<NewOrganization>()
    .gives::<OrganizationView>(201),
    Entry::new(("GET", "O"), Act::ReadOrganization, "Read an organization", || get().to(read))
        .gives::<OrganizationView>(200),
    Entry::new(
        ("PATCH", "O"),
        Act::ChangeOrganization,
        "Change an organization; automatic user access needs an account admin and the plan",
        || patch().to(change),
    )
    .takes::<OrganizationChange>()
    .gives::<OrganizationView>(200),
    Entry::new(
        ("DELETE", "O"),
        Act::DeleteOrganization,
        "Delete an organization with its members and teams",
        || delete().to(remove),
    ),
];

/// An organization.
#[derive(Serialize, ToSchema)]
struct OrganizationView {
    id: String,
    slug: String,
    name: String,
    company_id: String,
    /// Whether everybody who is ACTIVE by SSO may enter.
    automatic_user_access: bool,
    /// What they are there then: admin, moderator or member.
    default_role: &'static str,
    created_at: String,
    updated_at: String,
}

/// An organization to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOrganization {
    name: String,
    /// Made from the name where it is absent; unique in the company.
    slug: Option<String>,
    /// Off where it is absent.
    automatic_user_access: Option<bool>,
    /// member where it is absent.
    default_role: Option<String>,
}

/// What is to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OrganizationChange {
    name: Option<String>,
    automatic_user_access: Option<bool>,
    default_role: Option<String>,
}

fn view(organization: &Organization, company_id: &str) -> Value {
    json!(OrganizationView {
        id: organization.id.clone(),
        slug: organization.slug.clone(),
        name: organization.name.clone(),
        company_id: company_id.to_owned(),
        automatic_user_access: organization.automatic_user_access,
        default_role: organization.default_role.name(),
        created_at: format_time(organization.created_at),
        updated_at: format_time(organization.updated_at),
    })
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let place = page.clone();
    let read = move |conn: &mut _, at: &crate::service::access::At| {
        organizations::page(conn, at.company()?.seq, place.place())
    };
    let all = call.read(read).await?;
    let company = &call.company()?.id;
    Ok(page.answer(all.iter().map(|organization| view(organization, company)).collect()))
}

async fn create(call: Call) -> Answer {
    let body: NewOrganization = call.json()?;
    let new = organizations::NewOrganization {
        slug: body.slug,
        name: body.name,
        automatic_user_access: body.automatic_user_access.unwrap_or(false),
        default_role: super::role(body.default_role.as_deref())?.unwrap_or(Role::Member),
    };
    call.write(move |cx, at| {
        let company = at.company()?;
        let made = organizations::create(cx, &at.actor(), company, new)?;
        Ok(Reply::new(201, view(&made, &company.id)).version(made.version))
    })
    .await
}

async fn read(call: Call) -> Answer {
    let organization = call.organization()?;
    Ok(versioned(&view(organization, &call.company()?.id), organization.version))
}

async fn change(call: Call) -> Answer {
    let (body, if_match): (OrganizationChange, _) = (call.json()?, call.if_match());
    if body.automatic_user_access.is_some() {
        call.at.may(Act::ChangeAccess)?;
    }
    let change = organizations::Change {
        name: body.name,
        automatic_user_access: body.automatic_user_access,
        default_role: super::role(body.default_role.as_deref())?,
    };
    call.write(move |cx, at| {
        let company = at.company()?;
        let found = organizations::find_to_change(cx, company.seq, &at.organization()?.id)?;
        if_match.check(found.version)?;
        let changed = organizations::change(cx, &at.actor(), found, change)?;
        Ok(Reply::new(200, view(&changed, &company.id)).version(changed.version))
    })
    .await
}

async fn remove(call: Call) -> Answer {
    call.write(|cx, at| {
        organizations::delete(cx, &at.actor(), at.organization()?)?;
        Ok(Reply::nothing())
    })
    .await
}
