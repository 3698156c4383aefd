//! The only place that turns an [`Error`] into an answer of the management API: `application/problem+json`
//! with a stable code (RFC 9457).

use std::cell::Cell;
use std::fmt;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

use crate::domain::problem::{Code, Problem};
use crate::domain::session::Over;
use crate::http::error::{Closing, chain};
use crate::scim::ScimError;
use crate::service::{Error, Unauthorized};

/// The media type of refusals (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An error, to be told as a problem.
pub struct Failure {
    error: Error,
    allow: Option<String>,
    unread: Cell<Option<Payload>>,
}

impl Failure {
    /// An error after which the connection cannot be used on: the rest of the body is not wanted.
    pub fn unread(error: ScimError, rest: Payload) -> Self {
        Self { unread: Cell::new(Some(rest)), ..Self::from(error) }
    }

    /// 405, with the methods that are allowed (RFC 9110 §15.5.6).
    pub fn method_not_allowed(allow: String) -> Self {
        Self { allow: Some(allow), ..Self::from(Error::from(Code::MethodNotAllowed)) }
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), allow: None, unread: Cell::new(None) }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// An error in the words of the management API. What is ours to mend is named, not told.
pub fn problem(error: &Error) -> Problem {
    match error {
        Error::Problem(problem) => problem.clone(),
        Error::Scim(error) => Problem::new(code_of(error.status), error.detail.as_str()),
        Error::NotFound(what) => {
            let code = match *what {
                "Company" => Code::CompanyNotFound,
                "Organization" => Code::OrganizationNotFound,
                "User" => Code::UserNotFound,
                "Team" => Code::TeamNotFound,
                _ => Code::NotFound,
            };
            Problem::new(code, format!("{what} not found"))
        }
        Error::Refused(text) => Problem::new(Code::InvalidField, text.as_str()),
        Error::Unauthorized(Unauthorized::Over(over)) => session_over(*over),
        Error::Unauthorized(why) => Problem::new(Code::Unauthorized, unauthorized(*why)),
        Error::ScimDisabled => Code::ScimNotEnabled.into(),
        Error::TooMany { .. } => Code::TooMany.into(),
        Error::Unavailable(text) => Problem::new(Code::Unavailable, *text),
        Error::Internal(_) => Code::Internal.into(),
    }
}

fn unauthorized(why: Unauthorized) -> &'static str {
    match why {
        Unauthorized::Missing => {
            "No key was sent: expected the header Authorization: Bearer stgd_api_…"
        }
        Unauthorized::Unknown => {
            "The key is not valid: expected the header Authorization: Bearer stgd_api_…"
        }
        Unauthorized::Expired => "The key or the session has expired",
        Unauthorized::Revoked | Unauthorized::Over(_) => "The key or the session has been ended",
    }
}

/// Why a person's session opens nothing (rows 37, 38, 139).
fn session_over(over: Over) -> Problem {
    let (code, detail) = match over {
        Over::MaxTtl => (Code::SessionExpired, "The session has reached its longest life"),
        Over::IdleTtl => (Code::SessionExpired, "The session was idle for too long"),
        Over::Ended => (Code::SessionEnded, "The session has been ended"),
        Over::UserDeactivated => (Code::UserDeactivated, "The user is deactivated"),
    };
    Problem::new(code, detail).with("reason", over.reason().into())
}

/// The status: whoever is told why a credential opens nothing is told to bring another.
fn status(error: &Error, problem: &Problem) -> u16 {
    match error {
        Error::Unauthorized(_) => 401,
        _ => problem.code.status(),
    }
}

/// The code of what the floors below refuse by a status alone.
fn code_of(status: u16) -> Code {
    match status {
        404 => Code::NotFound,
        408 => Code::Timeout,
        412 => Code::PreconditionFailed,
        413 => Code::TooLarge,
        414 => Code::TargetTooLong,
        415 => Code::UnsupportedMediaType,
        429 => Code::TooMany,
        503 => Code::Unavailable,
        _ => Code::MalformedRequest,
    }
}

/// The body of a refusal.
fn body(status: u16, problem: &Problem) -> Value {
    let code = problem.code;
    let mut body = json!({
        "type": format!("/docs#{}", code.name()),
        "title": code.title(),
        "status": status,
        "code": code.name(),
        "detail": problem.detail,
    });
    if !problem.errors().is_empty() {
        let errors = problem.errors().iter();
        let errors = errors.map(|(field, text)| json!({"field": field, "detail": text}));
        body["errors"] = errors.collect();
    }
    if let Some((name, value)) = problem.more() {
        body[*name] = value.clone();
    }
    body
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(status(&self.error, &problem(&self.error)))
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        if let Error::Internal(cause) = &self.error {
            tracing::error!(cause = %chain(cause.as_ref()), "internal error");
        }
        let problem = problem(&self.error);
        let mut answer = HttpResponse::build(self.status_code());
        answer.insert_header((header::CONTENT_TYPE, PROBLEM_JSON));
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        match &self.error {
            Error::Unauthorized(_) => {
                answer.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"api\""));
            }
            Error::TooMany { retry_after_seconds } => {
                answer.insert_header((header::RETRY_AFTER, retry_after_seconds.to_string()));
            }
            Error::Unavailable(_) => {
                answer.insert_header((header::RETRY_AFTER, "1"));
            }
            _ => {}
        }
        if let Some(allow) = &self.allow {
            answer.insert_header((header::ALLOW, allow.as_str()));
        }
        tracing::debug!(code = problem.code.name(), detail = %problem.detail, "refused");
        let text = body(status(&self.error, &problem), &problem).to_string();
        match self.unread.take() {
            Some(rest) => {
                answer.force_close();
                answer.body(Closing::new(text, rest))
            }
            None => answer.body(text),
        }
    }
}
