//! Our own key pair: it signs requests and opens encrypted assertions. Its certificate is signed by itself; the
//! identity provider pins it, as we pin theirs.

use bergshamra::crypto::sign::{self, SigningKey};
use bergshamra::keys::loader::load_pem_auto;

use super::Fault;
use super::certificate::{self, Certificate};

/// What we sign by: every identity provider takes it.
pub const ALGORITHM: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

/// The key pair, ready for use.
pub struct OwnKey {
    key: SigningKey,
    certificate: Certificate,
}

impl OwnKey {
    /// A private RSA key in PEM with its certificate; nothing where one of them cannot be read.
    pub fn new(key: &str, certificate: &str) -> Option<Self> {
        let key = load_pem_auto(key.as_bytes(), None).ok()?.to_signing_key().ok()??;
        Some(Self { key, certificate: certificate::read(certificate).ok()? })
    }

    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Signs octets by [`ALGORITHM`].
    ///
    /// # Errors
    /// [`Fault::Signature`], which no key that was read gives.
    pub fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, Fault> {
        let method = sign::from_uri(ALGORITHM).map_err(|_| Fault::Signature)?;
        method.sign(&self.key, octets).map_err(|_| Fault::Signature)
    }

    /// The private key, for opening.
    pub(super) fn private(&self) -> &SigningKey {
        &self.key
    }
}
