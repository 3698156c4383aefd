//! `/companies`.

use actix_web::web::{delete, get, patch, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::company::{Company, Plan};
use crate::scim::value::format_time;
use crate::service::companies;
use crate::service::idempotency::Reply;
use crate::service::organizations::slug_of;

use super::frame::{Answer, Call, versioned};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(("GET", "/companies"), Act::ListCompanies, "List companies", || get().to(list))
        .pages::<CompanyView>(),
    Entry::new(("POST", "/companies"), Act::CreateCompany, "Make a company", || post().to(create))
        .takes::<NewCompany>()
        .gives::<CompanyView>(201),
    Entry::new(("GET", "C"), Act::ReadCompany, "Read a company", || get().to(read))
        .gives::<CompanyView>(200),
    Entry::new(("PATCH", "C"), Act::ChangeCompany, "Change a company", || patch().to(change))
        .takes::<CompanyChange>()
        .gives::<CompanyView>(200),
    Entry::new(
        ("DELETE", "C"),
        Act::DeleteCompany,
        "Delete a company with its directory, organizations and keys",
        || delete().to(remove),
    ),
];

/// A company.
#[derive(Serialize, ToSchema)]
struct CompanyView {
    id: String,
    slug: String,
    name: String,
    /// free, pro, enterprise, poc or internal.
    plan: &'static str,
    region: Option<String>,
    /// Whether it may have several organizations.
    multi_org: bool,
    /// Whether its own people may set up SSO.
    self_serve_sso: bool,
    /// Whether its identity provider may push over SCIM.
    scim_enabled: bool,
    /// Most people whose teams a change of group filters may take without being confirmed.
    confirm_impact_above: i64,
    created_at: String,
}

/// A company to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCompany {
    name: String,
    /// Made from the name where it is absent.
    slug: Option<String>,
    /// free where it is absent.
    plan: Option<String>,
    region: Option<String>,
    multi_org: Option<bool>,
    self_serve_sso: Option<bool>,
    scim_enabled: Option<bool>,
}

/// What is to change; what is absent stays. The plan and the switches are the operator's.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CompanyChange {
    name: Option<String>,
    plan: Option<String>,
    region: Option<String>,
    multi_org: Option<bool>,
    self_serve_sso: Option<bool>,
    scim_enabled: Option<bool>,
    confirm_impact_above: Option<i64>,
}

fn view(company: &Company) -> Value {
    json!(CompanyView {
        id: company.id.clone(),
        slug: company.slug.clone(),
        name: company.name.clone(),
        plan: company.plan.name(),
        region: company.region.clone(),
        multi_org: company.multi_org,
        self_serve_sso: company.self_serve_sso,
        scim_enabled: company.scim_enabled,
        confirm_impact_above: company.confirm_impact_above(),
        created_at: format_time(company.created_at),
    })
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let place = page.clone();
    let all = call.read(move |conn, _| companies::page(conn, place.place())).await?;
    Ok(page.answer(all.iter().map(view).collect()))
}

async fn create(call: Call) -> Answer {
    let body: NewCompany = call.json()?;
    let new = companies::NewCompany {
        slug: body.slug.unwrap_or_else(|| slug_of(&body.name)),
        name: body.name,
        plan: super::field("plan", body.plan.as_deref())?.unwrap_or(Plan::Free),
        scim_enabled: body.scim_enabled.unwrap_or(false),
        multi_org: body.multi_org.unwrap_or(true),
        self_serve_sso: body.self_serve_sso.unwrap_or(false),
        region: body.region,
    };
    call.write(move |cx, at| {
        let company = companies::create(cx, &at.actor(), new)?;
        Ok(Reply::new(201, view(&company)).version(company.version))
    })
    .await
}

async fn read(call: Call) -> Answer {
    let company = call.company()?;
    Ok(versioned(&view(company), company.version))
}

async fn change(call: Call) -> Answer {
    let (body, if_match): (CompanyChange, _) = (call.json()?, call.if_match());
    let switches = [body.multi_org, body.self_serve_sso, body.scim_enabled];
    if body.plan.is_some() || body.region.is_some() || switches.iter().any(Option::is_some) {
        call.at.may(Act::ChangePlan)?;
    }
    let change = companies::Change {
        name: body.name,
        plan: super::field("plan", body.plan.as_deref())?,
        scim_enabled: body.scim_enabled,
        multi_org: body.multi_org,
        self_serve_sso: body.self_serve_sso,
        region: body.region,
        confirm_impact_above: body.confirm_impact_above,
    };
    call.write(move |cx, at| {
        let company = companies::find_to_change(cx, at.company()?.seq)?;
        if_match.check(company.version)?;
        let company = companies::change(cx, &at.actor(), company, change)?;
        Ok(Reply::new(200, view(&company)).version(company.version))
    })
    .await
}

async fn remove(call: Call) -> Answer {
    call.write(|cx, at| {
        companies::delete(cx, &at.actor(), &at.company()?.id)?;
        Ok(Reply::nothing())
    })
    .await
}
