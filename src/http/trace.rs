//! What the log says of a request: an id, the route, the outcome. Never a header, never a query,
//! never a body: they hold tokens and people.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};

/// The name of the answer's header that carries the id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Builds the span of a request from what is safe to log.
pub struct SafeSpan;

impl RootSpanBuilder for SafeSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = request.extensions().get::<RequestId>().map(ToString::to_string);
        let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
        tracing::info_span!(
            "request",
            id = id.as_deref().unwrap_or_default(),
            method = request.method().as_str(),
            route,
            status = tracing::field::Empty,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(answer) => answer.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("status", status.as_u16());
        let _entered = span.enter();
        // A line for each success would cost more than many a success itself.
        if status.is_server_error() {
            tracing::warn!("failed");
        } else if status.is_client_error() {
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
