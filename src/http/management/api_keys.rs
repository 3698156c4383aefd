//! `/api-keys`, the operators', and `C/api-keys`, a company's.

use actix_web::web::{delete, get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::api_key::ApiKey;
use crate::domain::authorization::Act;
use crate::domain::id::CompanySeq;
use crate::domain::problem::Problem;
use crate::domain::role::Permissions;
use crate::domain::token;
use crate::scim::value::format_time;
use crate::service::Result;
use crate::service::access::{At, Caller};
use crate::service::api_keys::{self, NewKey as New};
use crate::service::idempotency::Reply;

use super::frame::{Answer, Call};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(("GET", "/api-keys"), Act::ManageOperatorKeys, "List operators' API keys", || {
        get().to(list)
    })
    .pages::<KeyView>(),
    Entry::new(
        ("POST", "/api-keys"),
        Act::ManageOperatorKeys,
        "Make an operator's API key, shown this once",
        || post().to(create),
    )
    .takes::<NewKey>()
    .gives::<KeyView>(201),
    Entry::new(
        ("DELETE", "/api-keys/{key}"),
        Act::ManageOperatorKeys,
        "End an operator's API key",
        || delete().to(revoke),
    ),
    Entry::new(("GET", "C/api-keys"), Act::ManageKeys, "List a company's API keys", || {
        get().to(list)
    })
    .pages::<KeyView>(),
    Entry::new(
        ("POST", "C/api-keys"),
        Act::ManageKeys,
        "Make a company's API key, shown this once",
        || post().to(create),
    )
    .takes::<NewKey>()
    .gives::<KeyView>(201),
    Entry::new(("DELETE", "C/api-keys/{key}"), Act::ManageKeys, "End a company's API key", || {
        delete().to(revoke)
    }),
];

/// An API key; its text is in the answer that made it alone.
#[derive(Serialize, ToSchema)]
struct KeyView {
    id: String,
    name: String,
    /// What it may do; none named means everything that its kind may.
    scopes: Vec<&'static str>,
    created_at: String,
    expires_at: String,
    revoked_at: Option<String>,
    last_used_at: Option<String>,
    last_used_ip: Option<String>,
    /// The text, shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    name: String,
    /// None named means everything that its kind may.
    scopes: Option<Vec<String>>,
    /// When it ends; in a year where it is absent, in 730 days at the latest.
    expires_at: Option<String>,
}

fn view(key: &ApiKey) -> Value {
    json!(KeyView {
        id: key.id.clone(),
        name: key.name.clone(),
        scopes: key.scopes.names(),
        created_at: format_time(key.created_at),
        expires_at: format_time(key.expires_at),
        revoked_at: key.revoked_at.map(format_time),
        last_used_at: key.last_used_at.map(format_time),
        last_used_ip: key.last_used_ip.clone(),
        key: None,
    })
}

/// The company that the path names; `None`: the operators' own keys. That the caller has a company of
/// its own does not matter here.
fn owner(call: &Call) -> Option<CompanySeq> {
    let named = !call.part("company").is_empty();
    call.at.company.as_ref().filter(|_| named).map(|company| company.seq)
}

/// No key may make one that may do more than itself.
fn within(at: &At, scopes: &Permissions) -> Result<()> {
    let Caller::Key(mine) = &at.caller else { return Ok(()) };
    let all = mine.scopes.0.is_empty();
    if all || (!scopes.0.is_empty() && scopes.0.is_subset(&mine.scopes.0)) {
        return Ok(());
    }
    Err(Problem::field("scopes", "a key with scopes makes keys with these scopes at most").into())
}

async fn list(call: Call) -> Answer {
    let (page, owner) = (call.page()?, owner(&call));
    let place = page.clone();
    let all = call.read(move |conn, _| api_keys::page(conn, owner, place.place())).await?;
    Ok(page.answer(all.iter().map(view).collect()))
}

async fn create(call: Call) -> Answer {
    let (body, keys, owner): (NewKey, _, _) = (call.json()?, call.service.keys(), owner(&call));
    let names = body.scopes.unwrap_or_default();
    let scopes = Permissions::parse(names.iter().map(String::as_str));
    let scopes = scopes.map_err(|rule| Problem::field("scopes", rule))?;
    within(&call.at, &scopes)?;
    let end = super::time("expires_at", body.expires_at.as_deref())?;
    let name = body.name;
    call.write(move |cx, at| {
        let life = end.map_or(token::DEFAULT_LIFE, |end| end.duration_since(cx.now));
        let new = New { name, scopes, life };
        let (key, text) = api_keys::create(cx, &keys, &at.actor(), (owner, new))?;
        Ok(Reply::new(201, view(&key)).secret("key", text))
    })
    .await
}

async fn revoke(call: Call) -> Answer {
    let (id, owner) = (call.part("key"), owner(&call));
    call.write(move |cx, at| {
        api_keys::revoke(cx, &at.actor(), (owner, &id))?;
        Ok(Reply::nothing())
    })
    .await
}
