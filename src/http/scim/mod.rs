//! `/scim/v2`: what identity providers call (RFC 7644).
#![expect(
    clippy::missing_errors_doc,
    reason = "every handler answers with the errors of the service that it calls, in SCIM's form"
)]

pub mod answer;
pub mod bulk;
pub mod discovery;
pub mod groups;
pub mod members;
pub mod search;
pub mod users;

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::domain::id::is_id;
use crate::scim::list::{self, ListQuery};
use crate::scim::projection::{Projection, split_names};
use crate::scim::version::{Precondition, Version};
use crate::scim::{ResourceSchema, ScimError};
use crate::service::{Error, Result};

use super::caller::ScimCaller;
use super::error::ScimFailure;

/// The media type of every answer (RFC 7644 §3.1).
pub const SCIM_JSON: &str = "application/scim+json";

/// The id in the path. What has not the form of an id of ours cannot be one.
fn id(request: &HttpRequest) -> Result<String> {
    let id = request.match_info().get("id").filter(|id| is_id(id));
    id.map(str::to_owned).ok_or(Error::NotFound("Resource"))
}

/// The parameters of the URL, decoded: a plus is a blank, as Entra writes it.
fn pairs(request: &HttpRequest) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(request.query_string().as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// The query of a list.
fn list_query(request: &HttpRequest) -> Result<ListQuery> {
    Ok(list::from_query(pairs(request))?)
}

/// `attributes` and `excludedAttributes` of a request about one resource, and whether any was sent.
fn projection(request: &HttpRequest, schema: &ResourceSchema) -> Result<(Projection, bool)> {
    let (mut attributes, mut excluded) = (None, None);
    if !request.query_string().is_empty() {
        for (name, value) in pairs(request) {
            let place = if name.eq_ignore_ascii_case("attributes") {
                &mut attributes
            } else if name.eq_ignore_ascii_case("excludedAttributes") {
                &mut excluded
            } else {
                continue;
            };
            if place.replace(split_names(&value)?).is_some() {
                return Err(ScimError::invalid_value(format!("{name} stands twice")).into());
            }
        }
    }
    let asked = attributes.is_some() || excluded.is_some();
    let projection = Projection::new(schema, attributes.as_deref(), excluded.as_deref())?;
    Ok((projection, asked))
}

/// A precondition header, its lines joined (RFC 9110 §5.3).
fn precondition(request: &HttpRequest, name: header::HeaderName) -> Result<Option<Precondition>> {
    let lines: Vec<&str> =
        request.headers().get_all(name).map(|v| v.to_str().unwrap_or("?")).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    Ok(Some(Precondition::parse(&lines.join(","))?))
}

fn if_match(request: &HttpRequest) -> Result<Option<Precondition>> {
    precondition(request, header::IF_MATCH)
}

/// Whether the client has this version already (RFC 7644 §3.14).
fn is_known(request: &HttpRequest, version: &Version) -> Result<bool> {
    Ok(precondition(request, header::IF_NONE_MATCH)?.is_some_and(|p| p.matches(version)))
}

/// Names what was left out of a request, for the log (ruling 16).
fn log_left_out(left_out: &[String]) {
    if !left_out.is_empty() {
        let some: Vec<&String> = left_out.iter().take(20).collect();
        tracing::info!(count = left_out.len(), names = ?some, "left out of the request");
    }
}

/// Any other path.
pub async fn not_found(_: ScimCaller) -> std::result::Result<(), ScimFailure> {
    Err(ScimError::not_found().into())
}

/// `/Me`: a SCIM token is nobody (ruling 16, RFC 7644 §3.11).
pub async fn me(_: ScimCaller) -> std::result::Result<(), ScimFailure> {
    Err(ScimError::new(501, None, "/Me is not supported: a SCIM token is no user").into())
}
