//! A company: the operator's customer, the tenant that owns a directory.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::id::{CompanySeq, is_id};
use super::session::SessionSettings;

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
    /// Where the operator keeps it; the operator's own word.
    pub region: Option<String>,
    /// Whether it may have several organizations (requirements row 2).
    pub multi_org: bool,
    /// Whether its own people may set up SSO (row 145).
    pub self_serve_sso: bool,
    /// Its other switches.
    pub settings: Settings,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// Switches of a company, each with a default; stored as one JSON object.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Whether a first login may make a user; where it is not set, ruling 9 says: without SCIM only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jit_provisioning: Option<bool>,
    /// How groups become teams.
    pub team_sync_mode: TeamSyncMode,
    /// Whether a team may be mapped to more than one group (D9).
    pub multi_group: bool,
    /// Whether groups of the IdP decide who may sign in (row 160).
    pub idp_mapping_enabled: bool,
    /// Whether social connections may be used (ruling 10); on where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth_enabled: Option<bool>,
    /// Whether a new user waits for an admin to give a team (row 176).
    pub product_mapping_enabled: bool,
    /// What a deletion over the management API leaves behind (D7).
    pub delete_mode: DeleteMode,
    /// Most people whose teams a change of group filters may take without being confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm_impact_above: Option<i64>,
    /// How long sessions last.
    pub sessions: SessionSettings,
}

/// How groups become teams (D10).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TeamSyncMode {
    /// By name, through the group filters.
    #[default]
    Filters,
    /// By an explicit mapping of groups to teams.
    Mapping,
}

impl TeamSyncMode {
    /// Its name in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Filters => "filters",
            Self::Mapping => "mapping",
        }
    }
}

impl FromStr for TeamSyncMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Filters, Self::Mapping]
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| "a mode is filters or mapping".to_owned())
    }
}

/// What a deletion over the management API leaves behind (D7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeleteMode {
    /// A deactivated record.
    Deactivate,
    /// Nothing.
    #[default]
    Delete,
}

impl Company {
    /// Whether a first login may make a user (ruling 9).
    pub fn jit_provisioning(&self) -> bool {
        self.settings.jit_provisioning.unwrap_or(!self.scim_enabled)
    }

    /// Most people whose teams a change of group filters may take without being confirmed.
    pub fn confirm_impact_above(&self) -> i64 {
        self.settings.confirm_impact_above.unwrap_or(100)
    }
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
    /// Whether single sign-on, SCIM and what belongs to them are sold with it (D3).
    pub fn has_sso(self) -> bool {
        matches!(self, Self::Enterprise | Self::Poc | Self::Internal)
    }

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

    /// D3.
    #[test]
    fn the_plan_gate() {
        let with: Vec<bool> = ["free", "pro", "enterprise", "poc", "internal"]
            .map(|p| p.parse::<Plan>().unwrap().has_sso())
            .to_vec();
        assert_eq!(with, [false, false, true, true, true]);
    }

    #[test]
    fn settings_have_defaults() {
        let settings: Settings = serde_json::from_str("{}").unwrap();
        assert_eq!(settings, Settings::default());
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
    }

    #[test]
    fn plans_read_what_they_print() {
        assert_eq!("poc".parse(), Ok(Plan::Poc));
        assert!("gold".parse::<Plan>().is_err());
    }
}
