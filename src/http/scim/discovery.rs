//! `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` (RFC 7644 §4).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use crate::http::Site;
use crate::http::body::BULK;
use crate::http::caller::ScimCaller;
use crate::http::error::ScimFailure;
use crate::scim::ScimError;
use crate::scim::bulk::MAX_OPERATIONS;
use crate::scim::discovery::{self, Limits};
use crate::scim::list::{self, ListHead};
use crate::service::lists::CURSOR_LIFE;

use super::answer;

type Answer = std::result::Result<HttpResponse, ScimFailure>;

/// `GET /ServiceProviderConfig`.
pub async fn config(site: web::Data<Site>, _: ScimCaller) -> Answer {
    let limits = Limits {
        max_operations: MAX_OPERATIONS,
        max_payload_size: BULK,
        cursor_timeout: CURSOR_LIFE.unsigned_abs(),
    };
    let config = discovery::service_provider_config(&site.scim_base_url, &limits);
    Ok(answer::json(StatusCode::OK, config.to_string()))
}

/// `GET /ResourceTypes`.
pub async fn resource_types(
    request: HttpRequest,
    site: web::Data<Site>,
    caller: ScimCaller,
) -> Answer {
    all(&request, &types_of(&site, &caller))
}

/// `GET /ResourceTypes/{id}`.
pub async fn resource_type(
    request: HttpRequest,
    site: web::Data<Site>,
    caller: ScimCaller,
) -> Answer {
    one(&request, &types_of(&site, &caller))
}

/// `GET /Schemas`.
pub async fn schemas(request: HttpRequest, site: web::Data<Site>, caller: ScimCaller) -> Answer {
    all(&request, &schemas_of(&site, &caller))
}

/// `GET /Schemas/{id}`.
pub async fn schema(request: HttpRequest, site: web::Data<Site>, caller: ScimCaller) -> Answer {
    one(&request, &schemas_of(&site, &caller))
}

fn types_of(site: &Site, caller: &ScimCaller) -> Vec<Value> {
    let directory = caller.directory();
    discovery::resource_types(&site.scim_base_url, &directory.users, &directory.groups)
}

fn schemas_of(site: &Site, caller: &ScimCaller) -> Vec<Value> {
    let directory = caller.directory();
    discovery::schemas(&site.scim_base_url, &directory.users, &directory.groups)
}

/// The whole list, whatever page is asked for; a filter is refused (RFC 7644 §4).
fn all(request: &HttpRequest, resources: &[Value]) -> Answer {
    let filtered = super::pairs(request)
        .any(|(name, value)| name.eq_ignore_ascii_case("filter") && !value.is_empty());
    if filtered {
        return Err(ScimError::new(403, None, "Discovery takes no filter (RFC 7644 §4)").into());
    }
    let texts: Vec<String> = resources.iter().map(ToString::to_string).collect();
    let total = texts.len().try_into().ok();
    let head = ListHead { total_results: total, start_index: Some(1), ..ListHead::default() };
    Ok(answer::json(StatusCode::OK, list::write(&head, &texts)))
}

fn one(request: &HttpRequest, resources: &[Value]) -> Answer {
    let id = request.match_info().get("id").unwrap_or_default();
    match discovery::find(resources, id) {
        Some(resource) => Ok(answer::json(StatusCode::OK, resource.to_string())),
        None => Err(ScimError::not_found().into()),
    }
}
