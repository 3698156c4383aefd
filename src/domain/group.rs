//! A directory group. Its members are rows of their own, never part of this record.

use jiff::Timestamp;

use crate::scim::{Resource, ResourceSchema, ResourceType};

/// A group as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its storage key.
    pub seq: i64,
    /// Its id, as the outside sees it.
    pub id: String,
    /// The SCIM attributes but `members`, ready to be answered: begins with `schemas`.
    pub document: String,
    /// How many members it has.
    pub member_count: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it or its list of members last changed.
    pub last_modified: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// Most members that a group may have.
pub const MAX_STORED_MEMBERS: i64 = 1_000_000;

impl Group {
    /// The SCIM attributes as a resource.
    ///
    /// # Errors
    /// Where the stored document is damaged.
    pub fn resource(&self) -> Result<Resource, serde_json::Error> {
        Resource::from_document(&self.document)
    }
}

/// The document to store for a group: the resource behind the list of its schemas.
pub fn document(schema: &ResourceSchema, resource: &Resource) -> String {
    resource.to_document(schema)
}

/// A group as a user's `groups` shows it (RFC 7643 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRef {
    /// The group's storage key.
    pub seq: i64,
    /// The group's id.
    pub id: String,
    /// The group's `displayName`.
    pub display_name: String,
    /// Whether the user is a member itself, not only through a nested group.
    pub direct: bool,
}

/// One row of a group's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberKey {
    /// What the member is.
    pub kind: ResourceType,
    /// The member's storage key.
    pub seq: i64,
}

/// A member as a group shows it (RFC 7643 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRef {
    /// Its storage key.
    pub key: MemberKey,
    /// Its id.
    pub id: String,
}
