//! Certificates of identity providers, which here are keys with a name and two dates: what signs is pinned by its
//! certificate, and no chain is followed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// The smallest RSA key that may sign, in bits.
const SMALLEST_RSA: usize = 2_048;

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its octets.
    pub der: Vec<u8>,
    /// From when it is good.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
}

/// Why a certificate cannot be pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is no X.509 certificate.
    #[error("the certificate cannot be read: X.509 in PEM or base64 is needed")]
    Unreadable,
    /// RSA below 2,048 bits, or neither RSA nor a NIST curve.
    #[error(
        "the certificate's key is too weak: RSA of 2,048 bits or more, or P-256, P-384 or P-521 is needed"
    )]
    Weak,
    /// Its time is over.
    #[error("the certificate has expired")]
    Expired,
}

/// Reads a certificate, in PEM or as the base64 of its octets, and checks that its key may be relied on.
///
/// # Errors
/// [`CertificateError::Unreadable`] and [`CertificateError::Weak`].
pub fn read(text: &str) -> Result<Certificate, CertificateError> {
    let bare: String = text
        .replace("-----BEGIN CERTIFICATE-----", "")
        .replace("-----END CERTIFICATE-----", "")
        .split_ascii_whitespace()
        .collect();
    let der = STANDARD.decode(bare).map_err(|_| CertificateError::Unreadable)?;
    let (rest, read) = X509Certificate::from_der(&der).map_err(|_| CertificateError::Unreadable)?;
    if !rest.is_empty() {
        return Err(CertificateError::Unreadable);
    }
    let time = |time: x509_parser::time::ASN1Time| {
        Timestamp::from_second(time.timestamp()).map_err(|_| CertificateError::Unreadable)
    };
    let strong = match read.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => key.key_size() >= SMALLEST_RSA,
        // Points of P-256, P-384 and P-521; a compressed one has the same size here.
        Ok(PublicKey::EC(point)) => matches!(point.key_size(), 256 | 384 | 521 | 528),
        Ok(_) | Err(_) => false,
    };
    let (not_before, not_after) =
        (time(read.validity().not_before)?, time(read.validity().not_after)?);
    if !strong {
        return Err(CertificateError::Weak);
    }
    Ok(Certificate { not_before, not_after, der })
}

impl Certificate {
    /// The same, where its time is not over. One that begins later may be pinned before it begins.
    ///
    /// # Errors
    /// [`CertificateError::Expired`].
    pub fn not_expired(self, now: Timestamp) -> Result<Self, CertificateError> {
        if now >= self.not_after { Err(CertificateError::Expired) } else { Ok(self) }
    }

    /// It in PEM.
    pub fn pem(&self) -> String {
        let base64 = STANDARD.encode(&self.der);
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        let mut rest = base64.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = more;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        pem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        let certificate = read(&made.pem()).unwrap();
        assert_eq!(certificate.der, made.der().to_vec());
        assert_eq!(read(&certificate.pem()), Ok(certificate.clone()));
        let after = certificate.not_after;
        assert_eq!(certificate.not_expired(after), Err(CertificateError::Expired));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in
            ["", "x", "AAAA", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
        {
            assert_eq!(read(text), Err(CertificateError::Unreadable), "{text}");
        }
    }
}
