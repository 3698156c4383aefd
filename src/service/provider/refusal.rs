//! What applications are told when they are refused (RFC 6749 §5.2, OpenID Connect Core §3.1.2.6).

/// Why an application is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request cannot be read.
    InvalidRequest,
    /// The application is not who it says.
    InvalidClient,
    /// The code or the refresh token opens nothing.
    InvalidGrant,
    /// The application may not do this.
    UnauthorizedClient,
    /// There is no such way to get a token.
    UnsupportedGrantType,
    /// There is no such type of answer.
    UnsupportedResponseType,
    /// There is no such scope.
    InvalidScope,
    /// The person may not have this.
    AccessDenied,
    /// Nobody is signed in, and nobody may be asked to.
    LoginRequired,
    /// Requests as objects are not taken.
    RequestNotSupported,
    /// Requests by reference are not taken.
    RequestUriNotSupported,
    /// The access token opens nothing (RFC 6750 §3.1).
    InvalidToken,
    /// The access token is for less (RFC 6750 §3.1).
    InsufficientScope,
}

impl Fault {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::LoginRequired => "login_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
        }
    }

    /// The status of an answer that is no redirect.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            _ => 400,
        }
    }
}

/// A refusal, with a sentence for whoever wrote the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it is.
    pub fault: Fault,
    /// What it is this time; printable ASCII, as RFC 6749 §5.2 wants it.
    pub about: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(fault: Fault, about: impl Into<String>) -> Self {
        Self { fault, about: about.into() }
    }
}
