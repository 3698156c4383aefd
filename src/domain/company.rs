//! A company: the operator's customer, the tenant that owns a directory.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::id::{CompanySeq, is_id};

/// A tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Company {
    /// Its storage key.
    pub seq: CompanySeq,
    /// Its id, as the outside sees it.
    pub id: String,
    /// Its short name in commands and addresses; unique in the installation.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// What the operator sold it.
    pub plan: Plan,
    /// Whether its IdP may push over SCIM.
    pub scim_enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a company pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// Without single sign-on.
    Free,
    /// Without single sign-on.
    Pro,
    /// With everything.
    Enterprise,
    /// A trial with everything.
    Poc,
    /// The operator's own people.
    Internal,
}

impl Plan {
    /// Its name in commands, settings and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
            Self::Poc => "poc",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Free, Self::Pro, Self::Enterprise, Self::Poc, Self::Internal]
            .into_iter()
            .find(|p| p.name() == text)
            .ok_or_else(|| "a plan is free, pro, enterprise, poc or internal".to_owned())
    }
}

/// Checks a slug: 1 to 63 of `a-z`, `0-9` and `-`, starting and ending with a letter or digit.
///
/// # Errors
/// The rule, as one sentence.
pub fn check_slug(slug: &str) -> Result<(), String> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let mut chars = slug.chars();
    // A company is named by id or by slug: a slug in the form of an id could name another one.
    if is_id(slug) {
        return Err("a slug must not have the form of an id".to_owned());
    }
    if slug.len() <= 63 && edge(chars.next()) && edge(slug.chars().last()) && chars.all(inner) {
        return Ok(());
    }
    Err("a slug is 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0198c0de-0000-7000-8000-00000000abcd";

    #[test]
    fn slugs() {
        for good in ["a", "acme", "acme-2", "7"] {
            assert!(check_slug(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "Acme", "a b", "ä", &"a".repeat(64), ID] {
            assert!(check_slug(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn plans_read_what_they_print() {
        assert_eq!("poc".parse(), Ok(Plan::Poc));
        assert!("gold".parse::<Plan>().is_err());
    }
}
