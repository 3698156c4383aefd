//! A management API key: an operator's, or one company's, with scopes (security.md (b)).

use jiff::Timestamp;

use super::id::CompanySeq;
use super::role::Permissions;
use super::token::TokenState;

/// An API key as stored: never the secret itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKey {
    /// Its public id.
    pub id: String,
    /// The one company that it opens; `None`: an operator's, which opens all.
    pub company: Option<CompanySeq>,
    /// Its name for people.
    pub name: String,
    /// What it may do; none named means everything that its kind may.
    pub scopes: Permissions,
    /// The keyed digest of the secret.
    pub digest: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
    /// The last request, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// Where the last request came from.
    pub last_used_ip: Option<String>,
}

impl ApiKey {
    /// How the key stands at this moment.
    pub fn state(&self, now: Timestamp) -> TokenState {
        TokenState::of(self.revoked_at, self.expires_at, now)
    }
}
