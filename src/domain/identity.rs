//! Who an identity provider says somebody is, once its word is verified: the same for every protocol.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The way somebody came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Through the SSO connection with this storage key.
    Sso(i64),
    /// Through a social connection of the operator, which activates and lets in nobody new (row 69).
    Social,
}

/// A verified identity: what a protocol's checks have left. Whether its address may be believed, and whether
/// it lies in a verified domain of the company, is decided behind them, for all protocols alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedIdentity {
    /// Who says so.
    pub issuer: String,
    /// Whom the issuer means: `sub`, `NameID`.
    pub subject: String,
    /// What the directory calls the same person as `externalId`, where that is not the subject (Entra: `oid`).
    pub external_id: Option<String>,
    /// The address; empty where none was sent.
    pub email: String,
    /// Whether the address is the person's, where the provider says.
    pub email_verified: Option<bool>,
    /// The given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// The whole name.
    pub name: Option<String>,
    /// A telephone number.
    pub phone_number: Option<String>,
    /// The address of a picture.
    pub picture: Option<String>,
    /// The groups that were claimed; `None`: the claim was absent, or too long to be sent (D12).
    pub groups: Option<Vec<String>>,
    /// Whether there are more groups than the provider sends (row 184).
    pub overage: bool,
    /// The session at the identity provider.
    pub at_provider: AtProvider,
    /// What was claimed at all, by name, each with a short digest of its value, for the log of attempts.
    pub claims: Vec<(String, String)>,
}

/// What an identity provider says of its own session with somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtProvider {
    /// What it calls the session: `sid`, `SessionIndex`.
    pub session: Option<String>,
    /// When it ends there (`SessionNotOnOrAfter`).
    #[serde(with = "super::connection::moment")]
    pub expires_at: Option<Timestamp>,
}
