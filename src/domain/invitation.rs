//! An invitation: somebody is let into an organization by their e-mail address (rows 71 to 74).

use jiff::Timestamp;

use super::id::CompanySeq;
use super::organization::OrganizationSeq;
use super::role::Role;

/// An invitation as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Invitation {
    /// Its id, as the outside sees it.
    pub id: String,
    /// The company of the organization.
    pub company: CompanySeq,
    /// Where to.
    pub organization: OrganizationSeq,
    /// Who, by the user's storage key: an invitation makes the user where there is none (row 73).
    pub user: i64,
    /// The address as it was given.
    pub email: String,
    /// What the user is to be there.
    pub role: Role,
    /// The ids of the local teams that the user is to be in.
    pub teams: Vec<String>,
    /// Who invited, in the words of the record of changes.
    pub invited_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was last sent.
    pub sent_at: Timestamp,
    /// The first login after it; of one who has signed in before, the invitation itself.
    pub accepted_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

impl Invitation {
    /// What has become of it.
    pub fn status(&self) -> &'static str {
        match (self.revoked_at, self.accepted_at) {
            (Some(_), _) => "REVOKED",
            (None, Some(_)) => "ACCEPTED",
            (None, None) => "INVITED",
        }
    }
}

/// Most teams of one invitation.
pub const MAX_TEAMS: usize = 100;

/// Checks an e-mail address as far as a look can: one `@` with something on both sides, no blank and no
/// control character, at most 254 bytes (RFC 5321 §4.5.3.1.3).
pub fn is_address(text: &str) -> bool {
    let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;".contains(c));
    let parts = text.rsplit_once('@');
    let sides = parts.is_some_and(|(local, domain)| {
        let labels = domain.split('.').all(|label| !label.is_empty());
        !local.is_empty() && local.len() <= 64 && !local.contains('@') && labels
    });
    plain && sides && text.len() <= 254
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["ada@acme.example", "a+b@x", "ü@exämple.org"] {
            assert!(is_address(good), "{good}");
        }
        let long = format!("{}@acme.example", "a".repeat(65));
        for bad in ["", "ada", "@x", "a@", "a@b@c", "a b@c", "a@b..c", "a@b,c@d", "a@\n", &long] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
