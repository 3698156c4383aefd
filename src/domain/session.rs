//! A session: a person who has signed in, and the organization that they work in now.

use jiff::{SignedDuration, Timestamp};

use super::id::CompanySeq;
use super::organization::OrganizationSeq;

/// A session as stored: never the secret itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its public id.
    pub id: String,
    /// Whose user it is.
    pub company: CompanySeq,
    /// The user's storage key.
    pub user: i64,
    /// The connection that the user came through.
    pub connection: Option<i64>,
    /// The organization that the user works in now.
    pub organization: Option<OrganizationSeq>,
    /// The keyed digest of the secret.
    pub digest: Vec<u8>,
    /// When the user signed in.
    pub created_at: Timestamp,
    /// The last request.
    pub last_used_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
}

impl Session {
    /// Whether it still opens.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none_or(|at| at > now) && self.expires_at > now
    }
}

/// Life of a session where the company sets none (session settings, 1,440 minutes).
pub const DEFAULT_LIFE: SignedDuration = SignedDuration::from_mins(1_440);
