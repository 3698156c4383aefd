//! `/social-connections`: the operator's, at which people sign in with accounts of their own (ruling 10).

use actix_web::web::{delete, get, patch, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::problem::Problem;
use crate::domain::secret::Secret;
use crate::domain::social_connection::SocialConnection;
use crate::scim::value::format_time;
use crate::service::idempotency::Reply;
use crate::service::social_connections::{self, Change};

use super::frame::{Answer, Call, versioned};
use super::table::Entry;

const ACT: Act = Act::ManageSocial;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(("GET", "/social-connections"), ACT, "List social connections", || get().to(list))
        .pages::<SocialView>(),
    Entry::new(("POST", "/social-connections"), ACT, "Make a social connection", || {
        post().to(create)
    })
    .takes::<NewSocial>()
    .gives::<SocialView>(201),
    Entry::new(("GET", "/social-connections/{social}"), ACT, "See a social connection", || {
        get().to(read)
    })
    .gives::<SocialView>(200),
    Entry::new(
        ("PATCH", "/social-connections/{social}"),
        ACT,
        "Change a social connection",
        || patch().to(change),
    )
    .takes::<SocialChange>()
    .gives::<SocialView>(200),
    Entry::new(
        ("DELETE", "/social-connections/{social}"),
        ACT,
        "Remove a social connection",
        || delete().to(remove),
    ),
];

/// A social connection; its secret is shown to nobody.
#[derive(Serialize, ToSchema)]
struct SocialView {
    id: String,
    /// Its name in addresses and in discovery.
    name: String,
    /// What people read on its button.
    label: String,
    /// oidc or github.
    kind: &'static str,
    issuer: String,
    client_id: String,
    client_secret_set: bool,
    scopes: Vec<String>,
    enabled: bool,
    /// What the provider must be told.
    redirect_uri: String,
    created_at: String,
    updated_at: String,
}

/// A social connection to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSocial {
    /// a-z, 0-9 and hyphens, such as google.
    name: String,
    /// oidc or github.
    kind: String,
    label: Option<String>,
    /// The issuer; of github the address of an own server, where it is not github.com.
    issuer: Option<String>,
    client_id: String,
    client_secret: String,
    scopes: Option<Vec<String>>,
}

/// What is to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SocialChange {
    label: Option<String>,
    /// Another one clears the secret.
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    scopes: Option<Vec<String>>,
    enabled: Option<bool>,
}

fn view(social: &SocialConnection, public_url: &str) -> Value {
    json!(SocialView {
        id: social.id.clone(),
        name: social.name.clone(),
        label: social.label.clone(),
        kind: social.speech.name(),
        issuer: social.settings.issuer.clone(),
        client_id: social.settings.client_id.clone(),
        client_secret_set: social.sealed_secret.is_some(),
        scopes: social.settings.scopes.clone(),
        enabled: social.enabled,
        redirect_uri: crate::service::sign_on::social::redirect_uri(public_url, &social.name),
        created_at: format_time(social.created_at),
        updated_at: format_time(social.updated_at),
    })
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let (after, limit) = (page.after.clone(), page.limit);
    let read = call.read(move |conn, _| social_connections::page(conn, (&after, limit + 1)));
    let url = call.site.public_url.clone();
    Ok(page.answer(read.await?.iter().map(|social| view(social, &url)).collect()))
}

async fn read(call: Call) -> Answer {
    let name = call.part("social");
    let found = call.read(move |conn, _| social_connections::find(conn, &name)).await?;
    Ok(versioned(&view(&found, &call.site.public_url), found.version))
}

async fn create(call: Call) -> Answer {
    let body: NewSocial = call.json()?;
    let speech = body.kind.parse().map_err(|rule: String| Problem::field("kind", rule))?;
    let clock = call.service.clock();
    let blank = social_connections::blank(&body.name, speech, (clock.id(), clock.now()))?;
    let wanted = Change {
        label: body.label,
        issuer: body.issuer,
        client_id: Some(body.client_id),
        client_secret: Some(Secret::new(body.client_secret)),
        scopes: body.scopes,
        enabled: None,
    };
    let new = call.service.prepare_social(blank, wanted).await?;
    let url = call.site.public_url.clone();
    call.write(move |cx, at| {
        social_connections::create(cx, &at.actor(), &new)?;
        Ok(Reply::new(201, view(&new, &url)).version(new.version))
    })
    .await
}

async fn change(call: Call) -> Answer {
    let body: SocialChange = call.json()?;
    let (name, wanted) = (call.part("social"), call.if_match());
    let found = call.read(move |conn, _| social_connections::find(conn, &name)).await?;
    wanted.check(found.version)?;
    let wanted = Change {
        label: body.label,
        issuer: body.issuer,
        client_id: body.client_id,
        client_secret: body.client_secret.map(Secret::new),
        scopes: body.scopes,
        enabled: body.enabled,
    };
    let mut changed = call.service.prepare_social(found, wanted).await?;
    let url = call.site.public_url.clone();
    call.write(move |cx, at| {
        social_connections::update(cx, &at.actor(), &mut changed)?;
        Ok(Reply::new(200, view(&changed, &url)).version(changed.version))
    })
    .await
}

async fn remove(call: Call) -> Answer {
    let name = call.part("social");
    call.write(move |cx, at| {
        social_connections::delete(cx, &at.actor(), &name)?;
        Ok(Reply::nothing())
    })
    .await
}
