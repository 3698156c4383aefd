//! Every way a unit of work can end other than well.

use crate::db::{DbError, Failure, NotCommitted, Unanswered};
use crate::domain::problem::{Code, Problem};
use crate::domain::session::Over;
use crate::domain::token::TokenState;
use crate::scim::ScimError;

/// The result of the service's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Every way a unit of work can end other than well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is wrong in SCIM's own words.
    #[error(transparent)]
    Scim(#[from] ScimError),
    /// A refusal of the management API, with its code.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// Not there, or another company's: the two are never told apart.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// What an operator asked for cannot be; the sentence says why.
    #[error("{0}")]
    Refused(String),
    /// No valid token; the reason is for whoever holds the token.
    #[error("{0}")]
    Unauthorized(Unauthorized),
    /// The token is valid, but its company may not use SCIM.
    #[error("SCIM is switched off for this company")]
    ScimDisabled,
    /// Too many of something that is counted; try again after so many seconds.
    #[error("too many requests")]
    TooMany {
        /// When to try again.
        retry_after_seconds: u64,
    },
    /// The server or its database is busy; the same request may pass later.
    #[error("{0}")]
    Unavailable(&'static str),
    /// Ours to mend. Logged with its cause, shown to nobody.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a token does not open the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// No `Authorization` header.
    #[error("No token was sent: expected the header Authorization: Bearer stgd_scim_…")]
    Missing,
    /// Not one of ours, or not this one. Which of the two is not said.
    #[error("The token is not valid: expected the header Authorization: Bearer stgd_scim_…")]
    Unknown,
    /// Ended by time: said, since an expired token silently stops deprovisioning.
    #[error("The token has expired: make a new one and enter it at the identity provider")]
    Expired,
    /// Ended by hand.
    #[error("The token has been revoked: make a new one and enter it at the identity provider")]
    Revoked,
    /// A person's session opens nothing any more.
    #[error("The session is over")]
    Over(Over),
}

impl Unauthorized {
    /// Why a token in this state does not open; `None` for a live one.
    pub fn of(state: TokenState) -> Option<Self> {
        match state {
            TokenState::Live => None,
            TokenState::Expired => Some(Self::Expired),
            TokenState::Revoked => Some(Self::Revoked),
        }
    }
}

impl Error {
    /// The error in SCIM's own words (RFC 7644 §3.12). What is ours to mend is named, not told.
    pub fn to_scim(&self) -> ScimError {
        match self {
            Self::Scim(error) => error.clone(),
            Self::Problem(problem) => {
                ScimError::new(problem.code.status(), None, problem.detail.as_str())
            }
            Self::NotFound(_) => ScimError::not_found(),
            Self::Refused(text) => ScimError::invalid_value(text.as_str()),
            Self::Unauthorized(reason) => ScimError::new(401, None, reason.to_string()),
            Self::ScimDisabled => ScimError::new(403, None, self.to_string()),
            Self::TooMany { .. } => ScimError::new(429, None, "Too many requests; see Retry-After"),
            Self::Unavailable(text) => ScimError::new(503, None, *text),
            Self::Internal(_) => ScimError::new(500, None, "Internal error"),
        }
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Problem::from(code).into()
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl From<Unanswered> for Error {
    fn from(why: Unanswered) -> Self {
        Self::Unavailable(match why {
            Unanswered::TimedOut => {
                "The query took too long: narrow the filter, or ask for it later"
            }
            Unanswered::Unreachable => "The database does not answer; try again",
        })
    }
}

impl From<NotCommitted> for Error {
    fn from(why: NotCommitted) -> Self {
        Self::Unavailable(match why {
            NotCommitted::Refused => {
                "The database is busy, full or out of reach: the change was not stored; try again"
            }
            NotCommitted::Unknown => {
                "The database was lost at the last moment; the change may be stored or not"
            }
        })
    }
}

impl Failure for Error {
    fn database_error(&self) -> Option<&DbError> {
        match self {
            Self::Internal(cause) => cause.downcast_ref(),
            _ => None,
        }
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self::Internal(text.into())
    }
}
