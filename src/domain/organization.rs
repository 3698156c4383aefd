//! An organization: a workspace under a company, which decides alone who may enter it (row 57).

use jiff::Timestamp;

use super::id::CompanySeq;
use super::role::Role;

/// An organization as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    /// Its storage key.
    pub seq: OrganizationSeq,
    /// Whose it is.
    pub company: CompanySeq,
    /// Its id, as the outside sees it.
    pub id: String,
    /// Its short name; unique in the company.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Whether everybody who is ACTIVE by SSO may enter it (ruling 7).
    pub automatic_user_access: bool,
    /// What they are there then (row 67).
    pub default_role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// An organization's storage key; never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrganizationSeq(pub i64);

/// Most organizations of one company.
pub const MAX_ORGANIZATIONS: i64 = 1_000;
