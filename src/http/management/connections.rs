//! `C/sso/connection` and `O/sso`: the record of the connection to an identity provider.

use actix_web::web::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::connection::{Connection, Protocol};
use crate::domain::problem::Problem;
use crate::scim::value::format_time;
use crate::service::connections;
use crate::service::idempotency::Reply;

use super::frame::{Answer, Call, ok, versioned};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(
        ("GET", "C/sso/connection"),
        Act::ReadConnection,
        "Read the company's connection",
        || get().to(read),
    )
    .gives::<ConnectionView>(200),
    Entry::new(
        ("POST", "C/sso/connection"),
        Act::CreateConnection,
        "Make the record of the company's connection, without the wizard",
        || post().to(create),
    )
    .takes::<NewConnection>()
    .gives::<ConnectionView>(201),
    Entry::new(
        ("POST", "O/sso/legacy-connection"),
        Act::CreateLegacyConnection,
        "Make the record of a connection of one organization alone",
        || post().to(create_legacy),
    )
    .takes::<NewConnection>()
    .gives::<ConnectionView>(201),
    Entry::new(
        ("GET", "O/sso"),
        Act::ReadConnection,
        "See what an organization signs in through",
        || get().to(of_organization),
    )
    .gives::<SsoView>(200),
];

/// A connection.
#[derive(Serialize, ToSchema)]
struct ConnectionView {
    id: String,
    /// Its name in addresses.
    name: String,
    provider: String,
    /// oidc or saml.
    protocol: &'static str,
    /// draft, active or inactive.
    state: &'static str,
    /// company, or legacy for one of an organization alone.
    r#type: &'static str,
    created_at: String,
    activated_at: Option<String>,
}

/// A connection to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewConnection {
    /// Such as okta, entra or google; `custom_saml` or `custom_oidc` for any other.
    provider: String,
    /// oidc or saml.
    protocol: String,
}

/// What an organization signs in through.
#[derive(Serialize, ToSchema)]
struct SsoView {
    /// company, or organization for a legacy connection.
    scope: &'static str,
    /// The company's id, where it is its connection.
    inherited_from: Option<String>,
    /// The connection; null where there is none.
    connection: Option<Value>,
}

fn view(connection: &Connection) -> Value {
    json!(ConnectionView {
        id: connection.id.clone(),
        name: connection.name.clone(),
        provider: connection.provider.clone(),
        protocol: connection.protocol.name(),
        state: connection.state.name(),
        r#type: if connection.organization.is_some() { "legacy" } else { "company" },
        created_at: format_time(connection.created_at),
        activated_at: connection.activated_at.map(format_time),
    })
}

fn wanted(call: &Call) -> crate::service::Result<(String, Protocol)> {
    let body: NewConnection = call.json()?;
    let protocol = body.protocol.parse().map_err(|rule: String| Problem::field("protocol", rule));
    Ok((body.provider, protocol?))
}

async fn read(call: Call) -> Answer {
    let found = call.read(|conn, at| connections::find(conn, at.company()?.seq)).await?;
    Ok(versioned(&view(&found), found.version))
}

async fn create(call: Call) -> Answer {
    let wanted = wanted(&call)?;
    call.write(move |cx, at| {
        let made = connections::create(cx, (at.company()?, &at.actor()), None, wanted)?;
        Ok(Reply::new(201, view(&made)).version(made.version))
    })
    .await
}

async fn create_legacy(call: Call) -> Answer {
    let wanted = wanted(&call)?;
    call.write(move |cx, at| {
        let organization = Some(at.organization()?);
        let made = connections::create(cx, (at.company()?, &at.actor()), organization, wanted)?;
        Ok(Reply::new(201, view(&made)).version(made.version))
    })
    .await
}

async fn of_organization(call: Call) -> Answer {
    let read = call.read(|conn, at| {
        connections::of_organization(conn, at.company()?.seq, at.organization()?.seq)
    });
    let found = read.await?;
    let legacy = found.as_ref().is_some_and(|connection| connection.organization.is_some());
    let company = call.company()?.id.clone();
    Ok(ok(&json!(SsoView {
        scope: if legacy { "organization" } else { "company" },
        inherited_from: (!legacy).then_some(company),
        connection: found.as_ref().map(view),
    })))
}
