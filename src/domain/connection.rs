//! A connection to an identity provider: one of the company (D5), and legacy ones of an organization each.
//! What its protocol needs is kept with it; how it signs people in is not said here.

pub mod change;
mod settings;
mod state;

use std::str::FromStr;

use jiff::Timestamp;

use super::id::CompanySeq;
use super::organization::OrganizationSeq;

pub(in crate::domain) use settings::moment;
pub use settings::{
    ALGORITHMS, Attribute, AttributeMapping, CertificateSource, Document, EMAIL_NAME_ID,
    EmailTrust, GroupsFormat, GroupsShape, IdpCertificate, OidcSettings, SIGNATURE_ALGORITHMS,
    SamlSettings, TokenAuth,
};

/// A connection as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// Its storage key.
    pub seq: i64,
    /// Its id, as the outside sees it.
    pub id: String,
    /// Whose it is.
    pub company: CompanySeq,
    /// The organization, of a legacy one.
    pub organization: Option<OrganizationSeq>,
    /// Its name in addresses: unique in the installation, and never another (ruling 15).
    pub name: String,
    /// The product at the other end.
    pub provider: String,
    /// How it speaks.
    pub protocol: Protocol,
    /// How far it is.
    pub state: State,
    /// What its protocol needs.
    pub document: Document,
    /// The client secret, sealed: nothing shows it, and only [`Secret`](super::secret::Secret) opens it.
    pub sealed_secret: Option<Vec<u8>>,
    /// Whether it is to follow the company's connection, and lets nobody in until then.
    pub candidate: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it first let somebody in.
    pub activated_at: Option<Timestamp>,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// How a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OpenID Connect.
    Oidc,
    /// SAML 2.0.
    Saml,
}

impl Protocol {
    /// Its name in requests, answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::Saml => "saml",
        }
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Oidc, Self::Saml]
            .into_iter()
            .find(|protocol| protocol.name() == text)
            .ok_or_else(|| "a protocol is oidc or saml".to_owned())
    }
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is being set up.
    Draft,
    /// It lets people in.
    Active,
    /// It is switched off.
    Inactive,
}

impl State {
    /// Its name in answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Draft, Self::Active, Self::Inactive]
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or_else(|| "a state is draft, active or inactive".to_owned())
    }
}

/// The products that a connection may name.
pub const PROVIDERS: [&str; 10] = [
    "okta",
    "entra",
    "keycloak",
    "adfs",
    "google",
    "pingfederate",
    "onelogin",
    "jumpcloud",
    "custom_saml",
    "custom_oidc",
];

/// Checks that the provider is one of ours and speaks the protocol.
///
/// # Errors
/// The rule, as one sentence.
pub fn check(provider: &str, protocol: Protocol) -> Result<(), String> {
    if !PROVIDERS.contains(&provider) {
        return Err(format!("a provider is one of {}", PROVIDERS.join(", ")));
    }
    match (provider, protocol) {
        ("custom_saml", Protocol::Oidc) | ("custom_oidc", Protocol::Saml) => {
            Err(format!("{provider} does not speak {}", protocol.name()))
        }
        _ => Ok(()),
    }
}

/// The first free name made from a slug: itself, or with a number from 2 behind it.
pub fn free_name(slug: &str, taken: &[String]) -> String {
    let mut name = slug.to_owned();
    let mut number = 2_u64;
    while taken.contains(&name) {
        name = format!("{slug}-{number}");
        number += 1;
    }
    name
}

#[cfg(test)]
impl Connection {
    /// A draft that nothing is known of yet, for tests.
    pub(in crate::domain) fn draft(provider: &str, protocol: Protocol) -> Self {
        Self {
            seq: 1,
            id: "1".to_owned(),
            company: CompanySeq(1),
            organization: None,
            name: "acme".to_owned(),
            provider: provider.to_owned(),
            protocol,
            state: State::Draft,
            document: Document::default(),
            sealed_secret: None,
            candidate: false,
            created_at: Timestamp::UNIX_EPOCH,
            activated_at: None,
            version: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for state in [State::Draft, State::Active, State::Inactive] {
            assert_eq!(state.name().parse(), Ok(state));
        }
        assert_eq!("saml".parse(), Ok(Protocol::Saml));
        assert!(check("okta", Protocol::Saml).is_ok());
        assert!(check("custom_saml", Protocol::Oidc).is_err());
        assert!(check("acme", Protocol::Oidc).is_err());
    }

    #[test]
    fn a_name_is_the_slug_or_has_a_number() {
        let taken = ["acme".to_owned(), "acme-2".to_owned()];
        assert_eq!(free_name("acme", &taken), "acme-3");
        assert_eq!(free_name("globex", &taken), "globex");
    }
}
