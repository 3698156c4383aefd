//! The only place that turns an [`Error`] into an answer: SCIM's error resource (RFC 7644 §3.12).

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};

use crate::scim::ScimError;
use crate::service::Error;

use super::scim::SCIM_JSON;

/// An error, to be told in SCIM's form.
#[derive(Debug)]
pub struct ScimFailure {
    error: Error,
    close: bool,
}

impl ScimFailure {
    /// An error after which the connection cannot be used on, since the body was not read.
    pub fn closing(error: ScimError) -> Self {
        Self { error: error.into(), close: true }
    }
}

impl<E: Into<Error>> From<E> for ScimFailure {
    fn from(error: E) -> Self {
        Self { error: error.into(), close: false }
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
        if self.close {
            answer.force_close();
        }
        tracing::debug!(status = refusal.status, detail = %refusal.detail, "refused");
        match serde_json::to_string(&refusal.to_body()) {
            Ok(body) => answer.body(body),
            Err(_) => answer.finish(),
        }
    }
}

/// An error with its causes, on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
