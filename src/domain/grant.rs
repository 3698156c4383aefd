//! A grant: what an application may do for a person as long as a session lasts. It is made with its code
//! (RFC 6749 §4.1) and renewed by refresh tokens, each of which ends the one before it.

use jiff::{SignedDuration, Timestamp};

use super::id::CompanySeq;

/// How long a code waits to be exchanged.
pub const CODE_LIFE: SignedDuration = SignedDuration::from_secs(60);
/// How long an access token and an ID token live (ruling 12).
pub const TOKEN_LIFE: SignedDuration = SignedDuration::from_secs(300);
/// The part of a refresh token's secret that all of one grant have in common, in characters.
pub const FAMILY_LENGTH: usize = 21;

/// A grant as stored: never a code or a token itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// Its public id, which its code and its tokens carry.
    pub id: String,
    /// Whose user it is.
    pub company: CompanySeq,
    /// The user's storage key.
    pub user: i64,
    /// The session that it lasts as long as.
    pub session: String,
    /// The application.
    pub application: String,
    /// What was asked for.
    pub terms: Terms,
    /// The keyed digest of the code's secret.
    pub code_digest: Vec<u8>,
    /// Until when the code may be exchanged.
    pub code_until: Timestamp,
    /// The keyed digest of what its refresh tokens have in common; `None`: the code was not exchanged.
    pub family: Option<Vec<u8>>,
    /// The keyed digest of the latest refresh token's secret.
    pub digest: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What was asked for when a grant was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Terms {
    /// Where the code was sent, which must be named again with it (RFC 6749 §4.1.3).
    pub redirect_uri: String,
    /// The challenge that the exchange answers (RFC 7636).
    pub code_challenge: String,
    /// The scopes, with blanks between them.
    pub scope: String,
    /// What ties the ID token to the application's own session (OpenID Connect Core §3.1.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

impl Terms {
    /// Whether a scope was asked for.
    pub fn has(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|word| word == scope)
    }
}

/// The scopes that mean something here; others are left out of what is granted.
pub const SCOPES: [&str; 5] = ["openid", "profile", "email", "phone", "offline_access"];

/// What is granted of the scopes that are asked for; each once, in the order of [`SCOPES`].
pub fn granted(asked: &str) -> String {
    let known = SCOPES.iter().filter(|scope| asked.split(' ').any(|word| word == **scope));
    known.copied().collect::<Vec<&str>>().join(" ")
}

/// What a presented refresh token is to its grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// The latest one.
    Latest,
    /// One that was followed by another: somebody has a copy (RFC 9700 §4.14).
    Former,
    /// None of its tokens.
    Foreign,
}

impl Presented {
    /// Decides by whether the whole secret and its common part are the grant's.
    pub fn of(whole: bool, family: bool) -> Self {
        match (whole, family) {
            (true, true) => Self::Latest,
            (false, true) => Self::Former,
            (_, false) => Self::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_scopes_are_left_out() {
        assert_eq!(granted("email openid admin email"), "openid email");
        assert_eq!(granted(""), "");
        let terms = Terms { scope: granted("openid"), ..Terms::default() };
        assert!(terms.has("openid") && !terms.has("open"));
    }

    #[test]
    fn a_former_token_is_told_from_a_foreign_one() {
        assert_eq!(Presented::of(true, true), Presented::Latest);
        assert_eq!(Presented::of(false, true), Presented::Former);
        assert_eq!(Presented::of(false, false), Presented::Foreign);
    }
}
