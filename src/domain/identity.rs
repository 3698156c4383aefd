//! Who an identity provider says somebody is, once its word is verified: the same for every protocol.

use jiff::Timestamp;

/// The way somebody came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Through the SSO connection with this storage key.
    Sso(i64),
    /// Through a social connection of the operator, which activates and lets in nobody new (row 69).
    Social,
}

/// A verified identity. That its address lies in a verified domain of the company is checked before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifiedIdentity {
    /// Who says so.
    pub issuer: String,
    /// Whom the issuer means: `sub`, `NameID`.
    pub subject: String,
    /// What the directory calls the same person as `externalId`, where that is not the subject (Entra: `oid`).
    pub external_id: Option<String>,
    /// The address.
    pub email: String,
    /// The given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// The groups that were claimed; `None`: the claim was absent, or too long to be sent (D12).
    pub groups: Option<Vec<String>>,
    /// The session at the identity provider.
    pub at_provider: AtProvider,
}

/// What an identity provider says of its own session with somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AtProvider {
    /// What it calls the session: `sid`, `SessionIndex`.
    pub session: Option<String>,
    /// When it ends there (`SessionNotOnOrAfter`).
    pub expires_at: Option<Timestamp>,
}
