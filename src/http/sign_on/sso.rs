//! `/sso`: a sign-in through a connection begins, is answered, and ends.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::domain::refusal::Reason;
use crate::service::sign_on::{self, Callback, Named};

use super::{Asked, Visitor, unconfigured};

/// `GET /sso/start/{connection}`.
pub async fn start(
    request: HttpRequest,
    name: web::Path<String>,
    asked: web::Query<Asked>,
) -> HttpResponse {
    begin(&request, Named::Name(name.into_inner()), &asked).await
}

/// Begins a sign-in through a connection.
pub(super) async fn begin(request: &HttpRequest, named: Named, asked: &Asked) -> HttpResponse {
    let Some(visitor) = Visitor::new(request) else { return unconfigured() };
    if let Err(refused) = visitor.count_start() {
        return visitor.refuse(&refused);
    }
    let (who, wish) = ((named, visitor.browser()), (asked.wish(), asked.hint()));
    let started = sign_on::start(&visitor.service, &visitor.site.public_url, who, wish).await;
    visitor.leave(started)
}

/// `GET /sso/callback/{connection}` (ruling 15).
pub async fn callback(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let Some(visitor) = Visitor::new(&request) else { return unconfigured() };
    let came = (Callback::read(request.query_string()), visitor.browser());
    // An initiate-login call has an issuer, but no answer to anything (row 124).
    if came.0.state.is_none() {
        return visitor.refuse(&Reason::StateMissing.into());
    }
    let url = &visitor.site.public_url;
    let finished = sign_on::answer(&visitor.service, url, &name, came).await;
    visitor.arrive(finished)
}

/// `GET /sso/continue/{ticket}`.
pub async fn go_on(request: HttpRequest, ticket: web::Path<String>) -> HttpResponse {
    let Some(visitor) = Visitor::new(&request) else { return unconfigured() };
    let came = (ticket.into_inner(), visitor.browser());
    let finished = sign_on::go_on(&visitor.service, came).await;
    visitor.arrive(finished)
}
