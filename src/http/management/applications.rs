//! `/applications`: the operator's clients of the OpenID Provider.

use actix_web::web::{delete, get, patch, post};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::application::Application;
use crate::domain::authorization::Act;
use crate::domain::problem::Problem;
use crate::domain::token;
use crate::scim::value::format_time;
use crate::service::Result;
use crate::service::applications::{self, Registration};
use crate::service::idempotency::Reply;

use super::frame::{Answer, Call, versioned};
use super::table::Entry;

const ACT: Act = Act::ManageApplications;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(("GET", "/applications"), ACT, "List applications", || get().to(list))
        .pages::<ApplicationView>(),
    Entry::new(
        ("POST", "/applications"),
        ACT,
        "Register an application; its secret is shown this once",
        || post().to(create),
    )
    .takes::<NewApplication>()
    .gives::<ApplicationView>(201),
    Entry::new(("GET", "/applications/{application}"), ACT, "See an application", || {
        get().to(read)
    })
    .gives::<ApplicationView>(200),
    Entry::new(("PATCH", "/applications/{application}"), ACT, "Change an application", || {
        patch().to(change)
    })
    .takes::<ApplicationChange>()
    .gives::<ApplicationView>(200),
    Entry::new(
        ("DELETE", "/applications/{application}"),
        ACT,
        "Remove an application and all that it was granted",
        || delete().to(remove),
    ),
    Entry::new(
        ("POST", "/applications/{application}/rotate-secret"),
        ACT,
        "Give an application another secret, shown this once",
        || post().to(rotate),
    )
    .takes::<Overlap>()
    .gives::<ApplicationView>(200),
];

/// An application; its secret is in the answer that made it alone.
#[derive(Serialize, ToSchema)]
struct ApplicationView {
    id: String,
    /// The same as its id.
    client_id: String,
    name: String,
    /// confidential or public.
    r#type: &'static str,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    initiate_login_uri: Option<String>,
    /// ES256 or RS256.
    id_token_signed_response_alg: &'static str,
    backchannel_logout_uri: Option<String>,
    /// Until when the secret before counts.
    former_secret_expires_at: Option<String>,
    created_at: String,
    updated_at: String,
    /// The secret, shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

/// An application to be registered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewApplication {
    name: String,
    /// confidential, which keeps a secret, where it is absent; or public.
    r#type: Option<String>,
    /// Compared letter by letter.
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Option<Vec<String>>,
    /// Where a login begins that somebody else asks for.
    initiate_login_uri: Option<String>,
    /// ES256 where it is absent, or RS256.
    id_token_signed_response_alg: Option<String>,
    /// Where the application hears that a session has ended.
    backchannel_logout_uri: Option<String>,
}

/// What is to change; what is absent stays, and a blank address goes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ApplicationChange {
    name: Option<String>,
    redirect_uris: Option<Vec<String>>,
    post_logout_redirect_uris: Option<Vec<String>>,
    initiate_login_uri: Option<String>,
    id_token_signed_response_alg: Option<String>,
    backchannel_logout_uri: Option<String>,
}

/// How long the secret before counts still.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Overlap {
    /// A day where it is absent, seven days at most.
    overlap_seconds: Option<i64>,
}

fn view(application: &Application) -> Value {
    let addresses = &application.addresses;
    json!(ApplicationView {
        id: application.id.clone(),
        client_id: application.id.clone(),
        name: application.name.clone(),
        r#type: if application.is_confidential() { "confidential" } else { "public" },
        redirect_uris: addresses.redirect_uris.clone(),
        post_logout_redirect_uris: addresses.post_logout_redirect_uris.clone(),
        initiate_login_uri: addresses.initiate_login_uri.clone(),
        id_token_signed_response_alg: application.id_token_alg.name(),
        backchannel_logout_uri: application.backchannel_logout_uri.clone(),
        former_secret_expires_at: application.former.as_ref().map(|(_, until)| format_time(*until)),
        created_at: format_time(application.created_at),
        updated_at: format_time(application.updated_at),
        client_secret: None,
    })
}

fn registration(body: ApplicationChange) -> Result<Registration> {
    let alg = body.id_token_signed_response_alg;
    Ok(Registration {
        name: body.name,
        redirect_uris: body.redirect_uris,
        post_logout_redirect_uris: body.post_logout_redirect_uris,
        initiate_login_uri: body.initiate_login_uri,
        id_token_alg: super::field("id_token_signed_response_alg", alg.as_deref())?,
        backchannel_logout_uri: body.backchannel_logout_uri,
    })
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let place = page.clone();
    let all = call.read(move |conn, _| applications::page(conn, place.place())).await?;
    Ok(page.answer(all.iter().map(view).collect()))
}

async fn read(call: Call) -> Answer {
    let id = call.part("application");
    let found = call.read(move |conn, _| applications::find(conn, &id)).await?;
    Ok(versioned(&view(&found), found.version))
}

async fn create(call: Call) -> Answer {
    let body: NewApplication = call.json()?;
    let confidential = match body.r#type.as_deref() {
        None | Some("confidential") => true,
        Some("public") => false,
        Some(_) => return Err(Problem::field("type", "confidential or public").into()),
    };
    let new = registration(ApplicationChange {
        name: Some(body.name),
        redirect_uris: Some(body.redirect_uris),
        post_logout_redirect_uris: body.post_logout_redirect_uris,
        initiate_login_uri: body.initiate_login_uri,
        id_token_signed_response_alg: body.id_token_signed_response_alg,
        backchannel_logout_uri: body.backchannel_logout_uri,
    })?;
    let keys = call.service.keys();
    call.write(move |cx, at| {
        let made = applications::create(cx, (&keys, &at.actor()), confidential, &new)?;
        let reply = Reply::new(201, view(&made.0)).version(made.0.version);
        Ok(match made.1 {
            Some(secret) => reply.secret("client_secret", secret),
            None => reply,
        })
    })
    .await
}

async fn change(call: Call) -> Answer {
    let (id, body, if_match) = (call.part("application"), call.json()?, call.if_match());
    let change = registration(body)?;
    call.write(move |cx, at| {
        let found = applications::find(cx.conn, &id)?;
        if_match.check(found.version)?;
        let changed = applications::change(cx, &at.actor(), found, &change)?;
        Ok(Reply::new(200, view(&changed)).version(changed.version))
    })
    .await
}

async fn remove(call: Call) -> Answer {
    let id = call.part("application");
    call.write(move |cx, at| {
        applications::delete(cx, &at.actor(), &id)?;
        Ok(Reply::nothing())
    })
    .await
}

async fn rotate(call: Call) -> Answer {
    let (id, body): (_, Overlap) = (call.part("application"), call.json()?);
    let overlap = body.overlap_seconds.map_or(token::DEFAULT_OVERLAP, SignedDuration::from_secs);
    let keys = call.service.keys();
    call.write(move |cx, at| {
        let found = applications::find(cx.conn, &id)?;
        let (application, text) = applications::rotate(cx, (&keys, &at.actor()), found, overlap)?;
        let reply = Reply::new(200, view(&application)).version(application.version);
        Ok(reply.secret("client_secret", text))
    })
    .await
}
