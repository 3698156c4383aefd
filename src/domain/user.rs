//! A directory user: what the IdP pushed, and where the user stands.

use jiff::Timestamp;

use crate::scim::Resource;
use crate::scim::ResourceSchema;

use super::group::GroupRef;
use super::lifecycle::Causes;

/// A user as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Its storage key.
    pub seq: i64,
    /// Its id, as the outside sees it.
    pub id: String,
    /// The SCIM attributes, ready to be answered: a JSON object that begins with `schemas`.
    pub document: String,
    /// What the IdP last wrote as `active`.
    pub active: bool,
    /// An account admin's deactivation; the IdP's `active: true` does not lift it (ruling 3).
    pub admin_deactivated: bool,
    /// In mapping mode: no mapped group is left in any organization.
    pub unmapped: bool,
    /// The first SSO login.
    pub activated_at: Option<Timestamp>,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When the user last changed.
    pub last_modified: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// Who made a user; whom SCIM made, SCIM describes (ruling 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// The directory: SCIM, or an import.
    #[default]
    Directory,
    /// An invitation.
    Invitation,
    /// A first login.
    Login,
}

impl Origin {
    /// Its number in rows.
    pub fn code(self) -> i16 {
        match self {
            Self::Directory => 0,
            Self::Invitation => 1,
            Self::Login => 2,
        }
    }

    /// The origin with this number.
    pub fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Invitation,
            2 => Self::Login,
            _ => Self::Directory,
        }
    }
}

/// Where a user stands (ruling 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserStatus {
    /// Provisioned, never signed in.
    Staged,
    /// Has signed in.
    Active,
    /// May not sign in.
    Deactivated,
}

impl UserStatus {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Staged => "STAGED",
            Self::Active => "ACTIVE",
            Self::Deactivated => "DEACTIVATED",
        }
    }
}

impl User {
    /// Where the user stands. Computed, never stored, so it cannot contradict its causes.
    pub fn status(&self) -> UserStatus {
        self.causes().status()
    }

    /// What the status follows from.
    pub fn causes(&self) -> Causes {
        Causes {
            active: self.active,
            admin_deactivated: self.admin_deactivated,
            unmapped: self.unmapped,
            activated_at: self.activated_at,
        }
    }

    /// Takes the causes over that a step of the lifecycle left.
    pub fn stand(&mut self, causes: Causes) {
        self.active = causes.active;
        self.admin_deactivated = causes.admin_deactivated;
        self.unmapped = causes.unmapped;
        self.activated_at = causes.activated_at;
    }

    /// The SCIM attributes as a resource.
    ///
    /// # Errors
    /// Where the stored document is damaged.
    pub fn resource(&self) -> Result<Resource, serde_json::Error> {
        Resource::from_document(&self.document)
    }
}

/// What a POST does with a row that already has the `userName` or `externalId` (ruling 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rehire {
    /// The same person comes back: the row is revived as it was.
    SamePerson,
    /// Another person with a recycled name: revived without the former's links and groups.
    AnotherPerson,
}

impl Rehire {
    /// Decides by the two `externalId`s: only where both are there and differ is it another person.
    pub fn decide(before: Option<&str>, after: Option<&str>) -> Self {
        match (before, after) {
            (Some(before), Some(after)) if before != after => Self::AnotherPerson,
            _ => Self::SamePerson,
        }
    }
}

/// The document to store for a user: the resource behind the list of its schemas.
pub fn document(schema: &ResourceSchema, resource: &Resource) -> String {
    resource.to_document(schema)
}

/// A check value of a user's groups, which are part of the answer and so of its version
/// (RFC 7644 §3.14); `None` without groups.
pub fn groups_digest(groups: &[GroupRef]) -> Option<u32> {
    if groups.is_empty() {
        return None;
    }
    let mut hasher = crc32fast::Hasher::new();
    for group in groups {
        hasher.update(group.id.as_bytes());
        hasher.update(&[u8::from(group.direct)]);
        hasher.update(group.display_name.as_bytes());
        hasher.update(&[0]);
    }
    Some(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(active: bool, admin_deactivated: bool, signed_in: bool) -> UserStatus {
        let t = Timestamp::UNIX_EPOCH;
        User {
            seq: 1,
            id: String::new(),
            document: "{}".to_owned(),
            active,
            admin_deactivated,
            unmapped: false,
            activated_at: signed_in.then_some(t),
            created_at: t,
            last_modified: t,
            version: 1,
        }
        .status()
    }

    #[test]
    fn status_follows_its_causes() {
        assert_eq!(user(true, false, false), UserStatus::Staged);
        assert_eq!(user(true, false, true), UserStatus::Active);
        assert_eq!(user(false, false, true), UserStatus::Deactivated);
        assert_eq!(user(true, true, true), UserStatus::Deactivated);
    }

    /// Ruling 4.
    #[test]
    fn two_different_external_ids_are_two_people() {
        assert_eq!(Rehire::decide(Some("a"), Some("b")), Rehire::AnotherPerson);
        for (before, after) in
            [(Some("a"), Some("a")), (None, Some("b")), (Some("a"), None), (None, None)]
        {
            assert_eq!(Rehire::decide(before, after), Rehire::SamePerson);
        }
    }
}
