//! The only place that turns an [`Error`] into an answer of SCIM: its error resource (RFC 7644 §3.12).

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, ResponseError};

use crate::scim::ScimError;
use crate::service::Error;

use super::scim::SCIM_JSON;

/// An error, to be told in SCIM's form.
pub struct ScimFailure {
    error: Error,
    close: bool,
    allow: Option<&'static str>,
    unread: Cell<Option<Payload>>,
}

impl ScimFailure {
    /// An error after which the connection cannot be used on.
    pub fn closing(error: ScimError) -> Self {
        Self { close: true, ..Self::from(error) }
    }

    /// The same, where the rest of the body is not wanted.
    pub fn unread(error: ScimError, rest: Payload) -> Self {
        Self { unread: Cell::new(Some(rest)), ..Self::closing(error) }
    }

    /// 405, with the methods that are allowed (RFC 9110 §15.5.6).
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let error = ScimError::new(405, None, "The method is not allowed here");
        Self { allow: Some(allow), ..Self::from(error) }
    }
}

impl fmt::Debug for ScimFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// The text of an answer, holding the rest of a request's body that nobody reads.
///
/// While it is held, the server closes the connection after the answer. Were it dropped before,
/// the server would go on reading a chunked body for as long as the client cares to send.
pub(super) struct Closing {
    text: Option<Bytes>,
    _rest: Payload,
}

impl Closing {
    /// An answer that holds the rest of the body.
    pub(super) fn new(text: String, rest: Payload) -> Self {
        Self { text: Some(text.into()), _rest: rest }
    }
}

impl MessageBody for Closing {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.text.as_ref().map_or(0, |t| t.len().try_into().unwrap_or(u64::MAX)))
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(self.text.take().map(Ok))
    }
}

impl<E: Into<Error>> From<E> for ScimFailure {
    fn from(error: E) -> Self {
        Self { error: error.into(), close: false, allow: None, unread: Cell::new(None) }
    }
}

impl fmt::Display for ScimFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for ScimFailure {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.error.to_scim().status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        if let Error::Internal(cause) = &self.error {
            tracing::error!(cause = %chain(cause.as_ref()), "internal error");
        }
        let refusal = self.error.to_scim();
        let mut answer = HttpResponse::build(self.status_code());
        answer.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(SCIM_JSON)));
        match &self.error {
            Error::Unauthorized(_) => {
                answer.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"scim\""));
            }
            Error::TooMany { retry_after_seconds } => {
                answer.insert_header((header::RETRY_AFTER, retry_after_seconds.to_string()));
            }
            Error::Unavailable(_) => {
                answer.insert_header((header::RETRY_AFTER, "1"));
            }
            _ => {}
        }
        if let Some(allow) = self.allow {
            answer.insert_header((header::ALLOW, allow));
        }
        if self.close {
            answer.force_close();
        }
        tracing::debug!(status = refusal.status, detail = %refusal.detail, "refused");
        let text = serde_json::to_string(&refusal.to_body()).unwrap_or_default();
        match self.unread.take() {
            Some(rest) => answer.body(Closing::new(text, rest)),
            None => answer.body(text),
        }
    }
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
