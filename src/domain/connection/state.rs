//! How far a connection is, what it lacks, and what an admin should know of it.

use jiff::{SignedDuration, Timestamp};

use super::settings::{Document, TokenAuth};
use super::{Connection, Protocol, State};

/// How long before its end something is warned of.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Connection {
    /// What it lacks before anybody can sign in through it: the names of the settings.
    pub fn missing(&self, now: Timestamp) -> Vec<&'static str> {
        let (oidc, saml) = (&self.document.oidc, &self.document.saml);
        let holds = |end: Option<Timestamp>| end.is_none_or(|end| end > now);
        let certified = saml.certificates.iter().any(|one| holds(one.not_after));
        let secret =
            oidc.token_endpoint_auth_method == TokenAuth::None || self.sealed_secret.is_some();
        let wanted: &[(&'static str, bool)] = match self.protocol {
            Protocol::Oidc => &[
                ("oidc.issuer", !oidc.issuer.is_empty()),
                ("oidc.authorization_endpoint", !oidc.authorization_endpoint.is_empty()),
                ("oidc.token_endpoint", !oidc.token_endpoint.is_empty()),
                ("oidc.jwks_uri", !oidc.jwks_uri.is_empty()),
                ("oidc.client_id", !oidc.client_id.is_empty()),
                ("oidc.client_secret", secret),
            ],
            Protocol::Saml => &[
                ("saml.idp_entity_id", !saml.idp_entity_id.is_empty()),
                ("saml.idp_sso_url", !saml.idp_sso_url.is_empty()),
                ("saml.certificates", certified),
            ],
        };
        wanted.iter().filter(|(_, there)| !there).map(|(field, _)| *field).collect()
    }

    /// What an admin should know of it. `claimed`: whether the last sign-in claimed groups; `None`: there was none.
    pub fn warnings(&self, now: Timestamp, claimed: Option<bool>) -> Vec<&'static str> {
        let (oidc, saml) = (&self.document.oidc, &self.document.saml);
        let soon = |end: Option<Timestamp>| end.is_some_and(|end| end <= now + SOON);
        let mut out = Vec::new();
        // Row 127: no team changes by such sign-ins.
        if claimed == Some(false) {
            out.push("no_groups_claim");
        }
        match self.protocol {
            Protocol::Oidc => {
                if oidc.issuer.starts_with("http://") {
                    out.push("http_issuer");
                }
                if self.sealed_secret.is_some() && soon(oidc.client_secret_expires_at) {
                    out.push("secret_expires_soon");
                }
                // Row 184: Entra sends ids, and of more than 200 groups none at all.
                if self.provider == "entra" && self.document.groups.aliases.is_empty() {
                    out.push("group_ids_not_names");
                }
            }
            Protocol::Saml => {
                let ends = saml.certificates.iter().map(|one| one.not_after);
                // The longest counts: one of two may end in a roll-over.
                if ends.max().is_some_and(soon) {
                    out.push("certificate_expires_soon");
                }
            }
        }
        out
    }

    /// Whether it may be switched on again without another test: it was on, and nothing of what was tested
    /// changed since.
    pub fn may_return(&self) -> bool {
        self.state == State::Inactive && self.activated_at.is_some()
    }
}

impl Document {
    /// Whether another party may be at the other end of what the client secret is sent to (threat O9).
    pub fn leads_elsewhere(&self, before: &Self) -> bool {
        let ends = |document: &Self| {
            let oidc = document.oidc.clone();
            let endpoints = [oidc.authorization_endpoint, oidc.token_endpoint, oidc.jwks_uri];
            (oidc.issuer, endpoints, oidc.userinfo_endpoint)
        };
        ends(self) != ends(before)
    }

    /// Whether another identity provider, or another client at it, is meant: a test of the former says
    /// nothing then.
    pub fn is_another(&self, before: &Self) -> bool {
        self.leads_elsewhere(before)
            || self.oidc.client_id != before.oidc.client_id
            || self.saml.idp_entity_id != before.saml.idp_entity_id
            || self.saml.idp_sso_url != before.saml.idp_sso_url
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::connection::{CertificateSource, IdpCertificate};

    fn days(count: i64) -> Option<Timestamp> {
        Some(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * count))
    }

    fn pinned(ends: &[i64]) -> Connection {
        let mut adfs = Connection::draft("adfs", Protocol::Saml);
        let one = |end: &i64| IdpCertificate {
            pem: String::new(),
            fingerprint: end.to_string(),
            not_before: None,
            not_after: days(*end),
            source: CertificateSource::Manual,
        };
        adfs.document.saml.certificates = ends.iter().map(one).collect();
        adfs
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut okta = Connection::draft("okta", Protocol::Oidc);
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(okta.missing(now).len(), 6);
        okta.document.oidc.token_endpoint_auth_method = TokenAuth::None;
        assert!(!okta.missing(now).contains(&"oidc.client_secret"));
        assert_eq!(pinned(&[]).missing(now).len(), 3);
        assert!(pinned(&[0]).missing(now).contains(&"saml.certificates"), "it has ended");
        assert!(!pinned(&[0, 1]).missing(now).contains(&"saml.certificates"));
    }

    #[test]
    fn what_ends_soon_is_warned_of() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(pinned(&[30]).warnings(now, None), ["certificate_expires_soon"]);
        assert!(pinned(&[30, 31]).warnings(now, None).is_empty(), "the next one is there");
        let mut entra = Connection::draft("entra", Protocol::Oidc);
        assert_eq!(entra.warnings(now, None), ["group_ids_not_names"]);
        entra.document.groups.aliases.insert("0f".to_owned(), "Port".to_owned());
        entra.document.oidc.client_secret_expires_at = days(10);
        assert!(entra.warnings(now, None).is_empty(), "there is no secret");
        entra.sealed_secret = Some(vec![1]);
        assert_eq!(entra.warnings(now, None), ["secret_expires_soon"]);
    }

    #[test]
    fn what_was_on_may_return_as_it_was() {
        let mut okta = Connection::draft("okta", Protocol::Oidc);
        assert!(!okta.may_return());
        (okta.state, okta.activated_at) = (State::Inactive, days(1));
        assert!(okta.may_return());
        let before = okta.document.clone();
        okta.document.oidc.client_id = "other".to_owned();
        assert!(okta.document.is_another(&before) && !okta.document.leads_elsewhere(&before));
        okta.document.oidc.token_endpoint = "https://elsewhere.example".to_owned();
        assert!(okta.document.leads_elsewhere(&before));
    }
}
