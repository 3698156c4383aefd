//! A social connection of the operator (ruling 10): a provider at which people have accounts of their own.

use std::str::FromStr;

use jiff::Timestamp;

use super::connection::OidcSettings;

/// How it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// OpenID Connect.
    Oidc,
    /// GitHub's OAuth, which knows no ID token.
    GitHub,
}

impl Speech {
    /// Its name in requests, answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::GitHub => "github",
        }
    }
}

impl FromStr for Speech {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Oidc, Self::GitHub]
            .into_iter()
            .find(|speech| speech.name() == text)
            .ok_or_else(|| "a kind is oidc or github".to_owned())
    }
}

/// A social connection as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct SocialConnection {
    /// Its id.
    pub id: String,
    /// Its name in addresses and in discovery, such as `google`; never another.
    pub name: String,
    /// What people read on its button.
    pub label: String,
    /// How it speaks.
    pub speech: Speech,
    /// Endpoints, client and scopes.
    pub settings: OidcSettings,
    /// The client secret, sealed.
    pub sealed_secret: Option<Vec<u8>>,
    /// Whether it lets people in.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// What GitHub needs, at github.com or at an own server's address.
pub fn github(base: &str) -> OidcSettings {
    let base = base.trim_end_matches('/');
    // An enterprise server has its API below its own address.
    let api =
        if base == GITHUB { "https://api.github.com".to_owned() } else { format!("{base}/api/v3") };
    OidcSettings {
        issuer: base.to_owned(),
        authorization_endpoint: format!("{base}/login/oauth/authorize"),
        token_endpoint: format!("{base}/login/oauth/access_token"),
        userinfo_endpoint: Some(format!("{api}/user")),
        token_endpoint_auth_method: super::connection::TokenAuth::ClientSecretPost,
        scopes: ["read:user", "user:email"].map(str::to_owned).to_vec(),
        ..OidcSettings::default()
    }
}

/// GitHub's own address.
pub const GITHUB: &str = "https://github.com";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn github_lies_in_two_places() {
        let public = github(GITHUB).userinfo_endpoint;
        assert_eq!(public.as_deref(), Some("https://api.github.com/user"));
        let own = github("https://git.acme.example/");
        assert_eq!(own.userinfo_endpoint.as_deref(), Some("https://git.acme.example/api/v3/user"));
        assert_eq!(own.token_endpoint, "https://git.acme.example/login/oauth/access_token");
    }
}
