//! The certificates of a SAML identity provider: read, pinned, counted by their fingerprints.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;

use crate::domain::connection::{CertificateSource, IdpCertificate, SamlSettings};
use crate::domain::problem::{Code, Problem};
use crate::sso::saml::certificate::{self, CertificateError};

use super::super::error::Result;
use super::super::keys::hex;

/// Most certificates of a connection.
const MOST: usize = 20;
/// What a wrong one is told of.
const FIELD: &str = "saml.certificates";

/// Reads a certificate that is to be pinned.
///
/// # Errors
/// 422 `certificate_invalid`, `certificate_expired`.
pub(super) fn read(
    text: &str,
    (source, now): (CertificateSource, Timestamp),
) -> Result<IdpCertificate> {
    let read = certificate::read(text).and_then(|read| read.not_expired(now));
    let read = read.map_err(|error| {
        let code = match error {
            CertificateError::Expired => Code::CertificateExpired,
            CertificateError::Unreadable | CertificateError::Weak => Code::CertificateInvalid,
        };
        Problem::new(code, error.to_string()).at(FIELD, error.to_string())
    })?;
    Ok(IdpCertificate {
        pem: read.pem(),
        fingerprint: hex(digest(&SHA256, &read.der).as_ref()),
        not_before: Some(read.not_before),
        not_after: Some(read.not_after),
        source,
    })
}

/// Puts these in place of all of their source. Of metadata, which may still hold those of the past, one
/// that holds is enough.
///
/// # Errors
/// 422: none that holds; a wrong one; more than 20.
pub(super) fn replace(
    settings: &mut SamlSettings,
    texts: &[String],
    (source, now): (CertificateSource, Timestamp),
) -> Result<()> {
    let mut kept = settings.certificates.clone();
    kept.retain(|known| known.source != source);
    let mut expired = None;
    for text in texts {
        match read(text, (source, now)) {
            Ok(certificate) => add(&mut kept, certificate)?,
            Err(super::Error::Problem(problem))
                if source == CertificateSource::Metadata
                    && problem.code == Code::CertificateExpired =>
            {
                expired = Some(problem);
            }
            Err(error) => return Err(error),
        }
    }
    match expired {
        Some(problem) if !kept.iter().any(|known| known.source == source) => Err(problem.into()),
        _ => {
            settings.certificates = kept;
            Ok(())
        }
    }
}

/// Pins one more; one that is there already stays what it is.
///
/// # Errors
/// 422: more than 20.
pub(super) fn add(known: &mut Vec<IdpCertificate>, new: IdpCertificate) -> Result<()> {
    let there: BTreeSet<&str> = known.iter().map(|one| one.fingerprint.as_str()).collect();
    if there.contains(new.fingerprint.as_str()) {
        return Ok(());
    }
    if known.len() >= MOST {
        let rule = format!("at most {MOST} certificates; remove those of the past");
        return Err(Problem::field(FIELD, rule).into());
    }
    known.push(new);
    Ok(())
}
