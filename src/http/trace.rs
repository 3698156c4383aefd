//! What the log says of a request: an id in every line, the route and the outcome in the last. Never a
//! header, never a query, never a body: they hold tokens and people.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use tracing::{Level, Span};
use tracing_actix_web::{RequestId, RootSpanBuilder};

/// The name of the answer's header that carries the id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Builds the span of a request from what is safe to log.
pub struct SafeSpan;

impl RootSpanBuilder for SafeSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = request.extensions().get::<RequestId>().copied();
        tracing::info_span!(
            "request",
            id = id.map(tracing::field::display),
            method = request.method().as_str(),
            route = tracing::field::Empty,
            status = tracing::field::Empty,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(answer) => answer.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        let failed = status.is_client_error() || status.is_server_error();
        // A line for each success would cost more than many a success itself, and so would its route.
        if !failed && !tracing::enabled!(Level::DEBUG) {
            return;
        }
        let route = outcome.as_ref().ok().and_then(|answer| answer.request().match_pattern());
        span.record("route", route.as_deref().unwrap_or("none"));
        span.record("status", status.as_u16());
        let _entered = span.enter();
        if status.is_server_error() {
            tracing::warn!("failed");
        } else if failed {
            tracing::info!("refused");
        } else {
            tracing::debug!("done");
        }
    }
}

/// Tells the client the id under which the log knows its request.
///
/// # Errors
/// The inner service's.
pub async fn tell_request_id(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = request.extensions().get::<RequestId>().map(ToString::to_string);
    let mut answer = next.call(request).await?;
    if let Some(value) = id.and_then(|id| HeaderValue::from_str(&id).ok()) {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
    Ok(answer)
}
