//! Roles and permissions: what a person may be in a company and in an organization, and the names of
//! what they may do there (the permissions of the management API).

use std::collections::BTreeSet;
use std::str::FromStr;

/// What somebody is in an organization.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Works there.
    Member,
    /// Manages its teams and invites.
    Moderator,
    /// Manages all of it.
    Admin,
}

impl Role {
    /// Its name in requests, answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
        }
    }

    /// Whether the role alone gives a permission in its organization.
    pub fn gives(self, permission: Permission) -> bool {
        match self {
            Self::Member => false,
            Self::Moderator => {
                matches!(permission, Permission::OrgMembers | Permission::OrgTeams)
            }
            Self::Admin => matches!(
                permission,
                Permission::OrgMembers | Permission::OrgTeams | Permission::OrgSettings
            ),
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Member, Self::Moderator, Self::Admin]
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| "a role is admin, moderator or member".to_owned())
    }
}

/// What somebody is in the company as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CompanyRole {
    /// Nothing beyond the permissions given one by one.
    #[default]
    Member,
    /// The account admin.
    Admin,
}

impl CompanyRole {
    /// Its name in requests, answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for CompanyRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "member" => Ok(Self::Member),
            // Two words for the same person (requirements.md D2).
            "admin" | "account_admin" | "company_admin" => Ok(Self::Admin),
            _ => Err("a company role is admin or member".to_owned()),
        }
    }
}

/// Something that may be done; also the scope of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// The company itself: its name, organizations, people, keys and audit.
    CompanyManage,
    /// Connections, group filters, how teams are synced.
    CompanySso,
    /// SCIM settings and tokens.
    CompanyScim,
    /// Seeing the directory.
    CompanyUsersRead,
    /// Members and invitations of an organization.
    OrgMembers,
    /// Teams and mappings of an organization.
    OrgTeams,
    /// The organization itself.
    OrgSettings,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::CompanyManage,
        Self::CompanySso,
        Self::CompanyScim,
        Self::CompanyUsersRead,
        Self::OrgMembers,
        Self::OrgTeams,
        Self::OrgSettings,
    ];

    /// Its name in requests, answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::CompanyManage => "company:manage",
            Self::CompanySso => "company:sso:manage",
            Self::CompanyScim => "company:scim:manage",
            Self::CompanyUsersRead => "company:users:read",
            Self::OrgMembers => "org:members:manage",
            Self::OrgTeams => "org:teams:manage",
            Self::OrgSettings => "org:settings:manage",
        }
    }
}

impl FromStr for Permission {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // An alias of the field's other tools (row 146).
        let text = if text == "org:sys_entconns:manage" { "company:sso:manage" } else { text };
        let found = Self::ALL.into_iter().find(|permission| permission.name() == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|p| p.name()).collect();
            format!("a permission is one of {}", names.join(", "))
        })
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions(pub BTreeSet<Permission>);

impl Permissions {
    /// Reads names.
    ///
    /// # Errors
    /// One sentence about the first that is none.
    pub fn parse<'t>(names: impl IntoIterator<Item = &'t str>) -> Result<Self, String> {
        names.into_iter().map(str::parse).collect::<Result<_, _>>().map(Self)
    }

    /// The names with blanks between them, as rows hold them.
    pub fn text(&self) -> String {
        self.names().join(" ")
    }

    /// The names.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|p| p.name()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for permission in Permission::ALL {
            assert_eq!(permission.name().parse(), Ok(permission));
        }
        assert_eq!("org:sys_entconns:manage".parse(), Ok(Permission::CompanySso));
        assert_eq!("account_admin".parse(), Ok(CompanyRole::Admin));
        assert!("owner".parse::<Role>().is_err());
        let set = Permissions::parse(["company:manage", "org:teams:manage"]).unwrap();
        assert_eq!(Permissions::parse(set.text().split(' ')), Ok(set));
    }
}
