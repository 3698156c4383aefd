//! `/Bulk` (RFC 7644 §3.7).

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use crate::http::Site;
use crate::http::body::{BULK, ScimBody};
use crate::http::caller::ScimCaller;
use crate::http::error::ScimFailure;
use crate::scim::bulk as bulk_message;
use crate::service::{Cx, Service, bulk};

use super::answer;

/// `POST /Bulk`: 200 with an outcome for each operation that was tried.
pub async fn run(
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
    body: ScimBody<BULK>,
) -> std::result::Result<HttpResponse, ScimFailure> {
    let request = bulk_message::parse(body.object)?;
    let access = caller.access();
    let unit =
        move |cx: &mut Cx<'_>| bulk::run(cx, &access.directory, &site.scim_base_url, request);
    let outcomes = service.transact(unit).await?;
    Ok(answer::json(StatusCode::OK, bulk_message::response(&outcomes).to_string()))
}
