//! Answers to applications: JSON that no cache keeps, and refusals in the words of RFC 6749 §5.2.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

use crate::http::error::chain;
use crate::scim::ScimError;
use crate::service::Error;
use crate::service::provider::{Fault, Refusal};

/// Scripts of every origin may read the answer: nothing here goes by a cookie.
pub const ANY_ORIGIN: (&str, &str) = ("Access-Control-Allow-Origin", "*");

/// What a handler gives.
pub type Answer = Result<HttpResponse, Failure>;

/// A refusal, or what keeps the server from answering.
#[derive(Debug)]
pub enum Failure {
    /// What the application is told.
    Refused(Refusal),
    /// The same, where it called with the `Authorization` header.
    Unauthorized(Refusal, &'static str),
    /// What else went wrong.
    Failed(Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<ScimError> for Failure {
    fn from(error: ScimError) -> Self {
        Self::Failed(error.into())
    }
}

impl Failure {
    /// 400 `invalid_request`.
    pub fn invalid(about: &str) -> Self {
        Self::Refused(Refusal::new(Fault::InvalidRequest, about))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) | Self::Unauthorized(refusal, _) => f.write_str(&refusal.about),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// The code and the words of what is no refusal of ours.
fn failed(error: &Error) -> (u16, &'static str, String) {
    let told = error.to_scim();
    let code = match told.status {
        429 | 503 => "temporarily_unavailable",
        500 => "server_error",
        _ => "invalid_request",
    };
    (told.status, code, told.detail)
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        let status = match self {
            Self::Refused(refusal) | Self::Unauthorized(refusal, _) => refusal.fault.status(),
            Self::Failed(error) => failed(error).0,
        };
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Failed(Error::Internal(cause)) = self {
            tracing::error!(cause = %chain(cause.as_ref()), "internal error");
        }
        let (code, about) = match self {
            Self::Refused(refusal) | Self::Unauthorized(refusal, _) => {
                (refusal.fault.name(), refusal.about.clone())
            }
            Self::Failed(error) => {
                let (_, code, about) = failed(error);
                (code, about)
            }
        };
        let mut answer = HttpResponse::build(self.status_code());
        match self {
            Self::Unauthorized(_, scheme) => {
                let realm = match *scheme {
                    "Bearer" => format!("Bearer error=\"{code}\", error_description=\"{about}\""),
                    scheme => format!("{scheme} realm=\"oauth\""),
                };
                answer.insert_header((header::WWW_AUTHENTICATE, realm));
            }
            Self::Failed(Error::TooMany { retry_after_seconds }) => {
                answer.insert_header((header::RETRY_AFTER, retry_after_seconds.to_string()));
            }
            Self::Failed(Error::Unavailable(_)) => {
                answer.insert_header((header::RETRY_AFTER, "1"));
            }
            Self::Refused(_) | Self::Failed(_) => {}
        }
        tracing::debug!(code, about, "refused");
        finish(&mut answer, json!({"error": code, "error_description": about}).to_string())
    }
}

fn finish(answer: &mut actix_web::HttpResponseBuilder, body: String) -> HttpResponse {
    answer.insert_header(ANY_ORIGIN);
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.content_type("application/json").body(body)
}

/// 200 with a body that no cache keeps.
pub fn ok(body: String) -> HttpResponse {
    finish(&mut HttpResponse::Ok(), body)
}

/// 200 with what everybody may read, for as long.
pub fn public(body: &Value, seconds: u32) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header(ANY_ORIGIN);
    answer.insert_header((header::CACHE_CONTROL, format!("public, max-age={seconds}")));
    answer.content_type("application/json").body(body.to_string())
}
