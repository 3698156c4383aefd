//! A team: a group of people inside one organization, made by hand or by the IdP's groups (rows 79, 165).

use std::str::FromStr;

use jiff::Timestamp;

use super::id::CompanySeq;
use super::organization::OrganizationSeq;

/// Who made a team, and who made somebody its member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Group claims of a login.
    Sso,
    /// Groups of the directory.
    Scim,
    /// A person, here: team sync never touches it.
    Manual,
}

impl Provider {
    /// Its name in answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sso => "sso",
            Self::Scim => "scim",
            Self::Manual => "manual",
        }
    }

    /// Whether the IdP owns it.
    pub fn is_idp(self) -> bool {
        self != Self::Manual
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Sso, Self::Scim, Self::Manual];
        let found = all.into_iter().find(|provider| provider.name() == text);
        found.ok_or_else(|| "a provider is sso, scim or manual".to_owned())
    }
}

/// A team as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Team {
    /// Its storage key.
    pub seq: i64,
    /// Its id, as the outside sees it.
    pub id: String,
    /// Whose it is.
    pub company: CompanySeq,
    /// Where it is.
    pub organization: OrganizationSeq,
    /// Its name; unique in the organization among those of one provider.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Who made it.
    pub provider: Provider,
    /// The storage key of the directory's group that it follows.
    pub group: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its name or description last changed.
    pub updated_at: Timestamp,
}

/// Longest description, in bytes.
pub const LONGEST_DESCRIPTION: usize = 1_000;
/// Most members that a local team is given at once.
pub const MAX_LOCAL_MEMBERS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for provider in [Provider::Sso, Provider::Scim, Provider::Manual] {
            assert_eq!(provider.name().parse(), Ok(provider));
        }
        assert!("idp".parse::<Provider>().is_err());
        assert!(!Provider::Manual.is_idp());
    }
}
