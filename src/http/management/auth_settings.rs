//! `C/sso/auth-settings`: how people sign in, and how groups become teams.

use actix_web::web::{get, patch};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::company::TeamSyncMode;
use crate::service::auth_settings::{self, AuthSettings, Change};
use crate::service::companies;
use crate::service::idempotency::Reply;

use super::frame::{Answer, Call, versioned};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(
        ("GET", "C/sso/auth-settings"),
        Act::ReadAuthSettings,
        "See how people sign in and how groups become teams",
        || get().to(read),
    )
    .gives::<AuthSettingsView>(200),
    Entry::new(
        ("PATCH", "C/sso/auth-settings"),
        Act::ChangeAuthSettings,
        "Change how people sign in and how groups become teams",
        || patch().to(change),
    )
    .takes::<AuthSettingsChange>()
    .gives::<AuthSettingsView>(200),
];

/// How people sign in.
#[derive(Serialize, ToSchema)]
struct AuthSettingsView {
    /// Whether social connections may be used.
    basic_auth_enabled: bool,
    /// Whether the company's connection is active and speaks OIDC.
    oidc_auth_enabled: bool,
    /// Whether the company's connection is active and speaks SAML.
    saml_auth_enabled: bool,
    /// Whether a mapped group is needed to sign in; the same switch as the mode.
    idp_mapping_enabled: bool,
    /// Whether a new user waits for an admin to give a team.
    product_mapping_enabled: bool,
    /// filters or mapping.
    team_sync_mode: &'static str,
    /// Whether a team may be mapped to more than one group.
    multi_group: bool,
}

/// What is to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AuthSettingsChange {
    basic_auth_enabled: Option<bool>,
    oidc_auth_enabled: Option<bool>,
    saml_auth_enabled: Option<bool>,
    idp_mapping_enabled: Option<bool>,
    product_mapping_enabled: Option<bool>,
    team_sync_mode: Option<String>,
    multi_group: Option<bool>,
}

fn view(settings: &AuthSettings) -> Value {
    json!(AuthSettingsView {
        basic_auth_enabled: settings.basic,
        oidc_auth_enabled: settings.oidc,
        saml_auth_enabled: settings.saml,
        idp_mapping_enabled: settings.idp_mapping,
        product_mapping_enabled: settings.product_mapping,
        team_sync_mode: settings.mode.name(),
        multi_group: settings.multi_group,
    })
}

async fn read(call: Call) -> Answer {
    let settings = call.read(|conn, at| auth_settings::find(conn, at.company()?)).await?;
    Ok(versioned(&view(&settings), call.company()?.version))
}

async fn change(call: Call) -> Answer {
    let (body, if_match): (AuthSettingsChange, _) = (call.json()?, call.if_match());
    let mode = super::field::<TeamSyncMode>("team_sync_mode", body.team_sync_mode.as_deref())?;
    let change = Change {
        basic: body.basic_auth_enabled,
        oidc: body.oidc_auth_enabled,
        saml: body.saml_auth_enabled,
        idp_mapping: body.idp_mapping_enabled,
        product_mapping: body.product_mapping_enabled,
        mode,
        multi_group: body.multi_group,
    };
    call.write(move |cx, at| {
        let company = companies::find_to_change(cx, at.company()?.seq)?;
        if_match.check(company.version)?;
        let (company, now) = auth_settings::change(cx, (company, &at.actor()), change)?;
        Ok(Reply::new(200, view(&now)).version(company.version))
    })
    .await
}
