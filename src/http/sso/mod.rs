//! `/sso`: what browsers and identity providers bring when somebody signs in.

pub mod saml;

use actix_web::http::StatusCode;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use tracing_actix_web::RequestId;

use crate::service::sign_on::Refused;

use super::page;

/// The page of a sign-in that was refused. Its reference is that of the attempt, which the company's log has; where
/// there is no attempt, that of the request.
pub fn refused(request: &HttpRequest, refused: &Refused) -> HttpResponse {
    let reason = refused.refusal.reason;
    let own = request.extensions().get::<RequestId>().map(ToString::to_string);
    let reference = refused.reference.as_deref().or(own.as_deref());
    let status = StatusCode::from_u16(reason.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    page::told(status, (reason.title(), reason.advice()), (reason.code(), reference))
}
