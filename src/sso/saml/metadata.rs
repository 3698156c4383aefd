//! Metadata of identity providers (SAML 2.0 Metadata §2.4.3): who they are, where they take requests, what they
//! sign with. It was fetched or pasted by an administrator, who answers for where it came from; no signature in
//! it is looked at, and nothing in it can weaken a check.

use super::certificate::{self, CertificateError};
use super::xml::{self, Flaw, Node, Tree, ns};

/// The binding that our requests take.
const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";

/// Certificates that are read from one document, more are a mistake.
const MOST_CERTIFICATES: usize = 10;

/// What we need to know of an identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpMetadata {
    /// Its name.
    pub entity_id: String,
    /// Where it takes our requests, by the redirect binding.
    pub sso_url: String,
    /// Where it takes logouts, by the redirect binding.
    pub slo_url: Option<String>,
    /// What it may sign with, in PEM; keys that it marks for encryption are left out.
    pub certificates: Vec<String>,
    /// Whether it asks for signed requests.
    pub want_signed_requests: bool,
}

/// Why a document is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// More than 1 MiB, or more elements than any metadata has.
    #[error("the metadata is larger than 1 MiB")]
    TooLarge,
    /// It cannot be read.
    #[error("the metadata cannot be read: {0}")]
    Unreadable(&'static str),
    /// It describes several entities.
    #[error("the metadata describes several entities; give that of one identity provider")]
    SeveralEntities,
    /// It describes a service provider, as ours does.
    #[error("this is the metadata of a service provider; give that of the identity provider")]
    IsServiceProvider,
    /// Something is not in it.
    #[error("the metadata lacks {}", .0.join(", "))]
    Missing(Vec<&'static str>),
    /// An address in it is not https.
    #[error("{0} must be an https address")]
    Insecure(&'static str),
    /// A certificate in it cannot be relied on.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
}

impl MetadataError {
    /// The stable code of the management API (D4).
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "metadata_too_large",
            Self::Unreadable(_) | Self::SeveralEntities => "metadata_parse_failed",
            Self::IsServiceProvider => "metadata_is_sp",
            Self::Missing(_) | Self::Insecure(_) => "metadata_missing_fields",
            Self::Certificate(_) => "certificate_invalid",
        }
    }
}

impl From<Flaw> for MetadataError {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::TooLarge => Self::TooLarge,
            Flaw::Doctype => Self::Unreadable("it has a DOCTYPE"),
            Flaw::Comment | Flaw::Markup => Self::Unreadable("it must be XML 1.0 in UTF-8"),
            Flaw::Malformed => Self::Unreadable("it is not well-formed XML"),
        }
    }
}

/// Reads the metadata of one identity provider. Whether a certificate has expired is another question
/// ([`certificate::Certificate::not_expired`]), since it depends on the day.
///
/// # Errors
/// What is missing or wrong, so that an administrator can mend it.
pub fn read(text: &str) -> Result<IdpMetadata, MetadataError> {
    let tree = xml::parse(text, xml::METADATA)?;
    let entity = entity(&tree)?;
    let providers = entity.named(ns::METADATA, "IDPSSODescriptor");
    let provider = match providers.as_slice() {
        [one] => *one,
        [] if !entity.named(ns::METADATA, "SPSSODescriptor").is_empty() => {
            return Err(MetadataError::IsServiceProvider);
        }
        [] => return Err(MetadataError::Missing(vec!["IDPSSODescriptor"])),
        _ => return Err(MetadataError::SeveralEntities),
    };
    let entity_id = entity.attribute("entityID").filter(|id| !id.is_empty() && id.len() <= 1024);
    let sso_url = location(provider, "SingleSignOnService")?;
    let certificates = certificates(provider)?;
    let mut missing = Vec::new();
    missing.extend(entity_id.is_none().then_some("entityID"));
    missing.extend(sso_url.is_none().then_some("SingleSignOnService (HTTP-Redirect)"));
    missing.extend(certificates.is_empty().then_some("a signing certificate"));
    let (Some(entity_id), Some(sso_url), true) = (entity_id, sso_url, missing.is_empty()) else {
        return Err(MetadataError::Missing(missing));
    };
    Ok(IdpMetadata {
        entity_id: entity_id.to_owned(),
        sso_url,
        slo_url: location(provider, "SingleLogoutService")?,
        certificates,
        want_signed_requests: matches!(
            provider.attribute("WantAuthnRequestsSigned"),
            Some("true" | "1")
        ),
    })
}

/// The one entity of a document, which may stand alone or alone in a list.
fn entity(tree: &Tree) -> Result<Node<'_>, MetadataError> {
    let root = xml::root(tree)?;
    if root.is(ns::METADATA, "EntityDescriptor") {
        return Ok(root);
    }
    if !root.is(ns::METADATA, "EntitiesDescriptor") {
        return Err(MetadataError::Missing(vec!["EntityDescriptor"]));
    }
    let lists = root.named(ns::METADATA, "EntitiesDescriptor");
    match root.named(ns::METADATA, "EntityDescriptor").as_slice() {
        [one] if lists.is_empty() => Ok(*one),
        [] if lists.is_empty() => Err(MetadataError::Missing(vec!["EntityDescriptor"])),
        _ => Err(MetadataError::SeveralEntities),
    }
}

/// Where a service is, by the redirect binding.
fn location(provider: Node<'_>, service: &'static str) -> Result<Option<String>, MetadataError> {
    let mut services = provider.named(ns::METADATA, service).into_iter();
    let Some(found) = services.find(|service| service.attribute("Binding") == Some(REDIRECT))
    else {
        return Ok(None);
    };
    let url = found.attribute("Location").unwrap_or_default();
    if is_secure(url) { Ok(Some(url.to_owned())) } else { Err(MetadataError::Insecure(service)) }
}

/// Whether a browser may be sent to an address: https, or plain http on this machine, which browsers trust alike.
pub fn is_secure(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let local = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => return false,
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    plain && (url.scheme() == "https" || (url.scheme() == "http" && local))
}

/// The signing certificates: of each key, that is not for encryption alone, the first of its chain.
fn certificates(provider: Node<'_>) -> Result<Vec<String>, MetadataError> {
    let mut found = Vec::new();
    for key in provider.named(ns::METADATA, "KeyDescriptor") {
        if !matches!(key.attribute("use"), None | Some("signing")) {
            continue;
        }
        let infos = key.named(ns::SIGNATURE, "KeyInfo").into_iter();
        for data in infos.flat_map(|info| info.named(ns::SIGNATURE, "X509Data")) {
            let Some(first) = data.named(ns::SIGNATURE, "X509Certificate").into_iter().next()
            else {
                continue;
            };
            let pem = certificate::read(&first.text().unwrap_or_default())?.pem();
            if !found.contains(&pem) {
                found.push(pem);
            }
        }
    }
    if found.len() > MOST_CERTIFICATES {
        return Err(MetadataError::Unreadable("it has more than 10 signing certificates"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
