//! A mapping of a group to a team of an organization (D8, D9 of the requirements).

use jiff::Timestamp;

use super::id::CompanySeq;
use super::organization::OrganizationSeq;
use super::projection::SeenGroup;
use super::role::Role;

/// A mapping as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct TeamMapping {
    /// Its id, as the outside sees it.
    pub id: String,
    /// Whose it is.
    pub company: CompanySeq,
    /// Where it is.
    pub organization: OrganizationSeq,
    /// The team's storage key.
    pub team: i64,
    /// The group's name; case counts.
    pub group_name: String,
    /// The storage key of the directory's group of that name, where there was one when the mapping was
    /// made or one came since: what is renamed to a mapped name gains nothing.
    pub group: Option<i64>,
    /// What a mapped user is in the organization; its default role where there is none.
    pub role: Option<Role>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl TeamMapping {
    /// Whether a group is the mapped one: the directory's by what it is, a claim's by its name.
    pub fn names(&self, group: &SeenGroup) -> bool {
        match group.group {
            Some(seq) => self.group == Some(seq),
            None => self.group_name == group.name,
        }
    }
}

/// Most mappings of one organization.
pub const MAX_MAPPINGS: usize = 1_000;
