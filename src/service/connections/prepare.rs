//! What a connection is saved with: the admin's change, completed by what the identity provider says of
//! itself. All of the network is here, and no transaction (I5).

use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use crate::domain::connection::change::{Change, OidcChange, SamlChange};
use crate::domain::connection::{
    CertificateSource, Connection, Document, OidcSettings, Protocol, SamlSettings, TokenAuth,
};
use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;
use crate::egress::{Limits, Refusal};
use crate::sso::oidc::discovery::{self, Discovery, DiscoveryError};
use crate::sso::saml::metadata::{self, IdpMetadata, MetadataError};

use super::super::Service;
use super::super::error::Result;
use super::certificates;

/// Longest wait for a discovery document, metadata, or a name.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest metadata, in bytes.
const LONGEST_METADATA: usize = 1024 * 1024;

/// A connection as it is to be stored, and what it was before.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// As it is to be; its version is the one that was read.
    pub(super) connection: Connection,
    /// What was kept before.
    pub(super) before: Document,
    /// A new client secret.
    pub(super) secret: Option<Secret>,
}

impl Service {
    /// Changes a connection as it was read, fetches what the change asks for, and checks every address.
    /// `public_url` is ours, so that our own metadata is known again.
    ///
    /// # Errors
    /// Those of [`Change::apply`]; 422 and 502 as of the discovery document and the metadata (D4).
    pub async fn prepare_connection(
        &self,
        mut connection: Connection,
        change: &Change,
        public_url: &str,
    ) -> Result<Prepared> {
        let before = connection.document.clone();
        change.apply(&mut connection)?;
        match connection.protocol {
            Protocol::Oidc => {
                if let Some(wanted) = &change.oidc {
                    let first = before.oidc.client_id.is_empty();
                    self.complete_oidc(&mut connection, wanted, first).await?;
                }
            }
            Protocol::Saml => {
                if let Some(wanted) = &change.saml {
                    self.complete_saml(&mut connection.document.saml, wanted).await?;
                }
                refuse_our_own(&connection.document.saml, public_url)?;
            }
        }
        let secret = change.oidc.as_ref().and_then(|oidc| oidc.client_secret.clone());
        Ok(Prepared { connection, before, secret })
    }

    /// Reads again what the identity provider says of itself.
    ///
    /// # Errors
    /// As [`Self::prepare_connection`]; 409 `fields_missing` where no address is known.
    pub async fn refresh_connection(
        &self,
        connection: Connection,
        public_url: &str,
    ) -> Result<Prepared> {
        let (oidc, saml) = (&connection.document.oidc, &connection.document.saml);
        let missing =
            |field: &str| Problem::new(Code::FieldsMissing, format!("{field} is not set"));
        let change = match connection.protocol {
            Protocol::Oidc if oidc.issuer.is_empty() => return Err(missing("oidc.issuer").into()),
            Protocol::Oidc => {
                let discovery_url = Some(discovery_url(oidc));
                let oidc = Some(OidcChange { discovery_url, ..OidcChange::default() });
                Change { oidc, ..Change::default() }
            }
            Protocol::Saml if saml.idp_metadata_url.is_none() => {
                return Err(missing("saml.idp_metadata_url").into());
            }
            Protocol::Saml => {
                let idp_metadata_url = saml.idp_metadata_url.clone();
                let saml = Some(SamlChange { idp_metadata_url, ..SamlChange::default() });
                Change { saml, ..Change::default() }
            }
        };
        self.prepare_connection(connection, &change, public_url).await
    }

    /// `first`: no client was known until now, so that one without a secret is meant to be public.
    async fn complete_oidc(
        &self,
        connection: &mut Connection,
        wanted: &OidcChange,
        first: bool,
    ) -> Result<()> {
        let oidc = &mut connection.document.oidc;
        let methods = if wanted.asks_discovery() {
            let found = self.discover(oidc).await?;
            let methods = found.token_auth_methods.clone();
            take_discovery(oidc, found, wanted);
            methods
        } else {
            Vec::new()
        };
        let has_secret = wanted.client_secret.is_some() || connection.sealed_secret.is_some();
        choose_auth(oidc, wanted, (&methods, has_secret, first))?;
        for (field, url) in [
            ("oidc.token_endpoint", Some(&oidc.token_endpoint)),
            ("oidc.jwks_uri", Some(&oidc.jwks_uri)),
            ("oidc.userinfo_endpoint", oidc.userinfo_endpoint.as_ref()),
        ] {
            if let Some(url) = url.filter(|url| !url.is_empty()) {
                self.check_endpoint(field, url).await?;
            }
        }
        for (field, url) in [
            ("oidc.authorization_endpoint", Some(&oidc.authorization_endpoint)),
            ("oidc.end_session_endpoint", oidc.end_session_endpoint.as_ref()),
        ] {
            if let Some(url) = url.filter(|url| !url.is_empty()) {
                self.check_page(field, url).await?;
            }
        }
        Ok(())
    }

    /// The discovery document of the issuer. An issuer that was typed with or without its last slash is
    /// taken as the document has it; everything else must be the same to the letter.
    async fn discover(&self, oidc: &mut OidcSettings) -> Result<Discovery> {
        let address = discovery_url(oidc);
        let field = "oidc.issuer";
        let url = Url::parse(&address)
            .map_err(|_| problem(Code::InvalidIssuerUrl, field, "no address"))?;
        let limits = Limits { bytes: discovery::LONGEST, time: PATIENCE, redirects: 3 };
        let answer = self.egress().get(&url, limits).await;
        let answer = answer.map_err(|refusal| discovery_refused(&refusal))?;
        let read = match discovery::read(&answer.body, &oidc.issuer) {
            Err(DiscoveryError::Issuer { found, expected })
                if found.trim_end_matches('/') == expected.trim_end_matches('/') =>
            {
                oidc.issuer.clone_from(&found);
                discovery::read(&answer.body, &found)
            }
            read => read,
        };
        read.map_err(|error| {
            let code = match error {
                DiscoveryError::NotJson => Code::DiscoveryInvalidJson,
                DiscoveryError::Issuer { .. } => Code::IssuerMismatch,
                DiscoveryError::Incomplete(_) | DiscoveryError::Algorithms => {
                    Code::DiscoveryIncomplete
                }
            };
            problem(code, field, &error.to_string()).into()
        })
    }

    /// Has the provider at `oidc.issuer` describe itself: endpoints and algorithms are its own.
    ///
    /// # Errors
    /// 422 and 502 as of the discovery document (D4).
    pub(in crate::service) async fn describe(&self, oidc: &mut OidcSettings) -> Result<()> {
        let found = self.discover(oidc).await?;
        let basic =
            found.token_auth_methods.iter().any(|m| m == TokenAuth::ClientSecretBasic.name());
        take_discovery(oidc, found, &OidcChange::default());
        if !basic {
            oidc.token_endpoint_auth_method = TokenAuth::ClientSecretPost;
        }
        Ok(())
    }

    async fn complete_saml(&self, saml: &mut SamlSettings, wanted: &SamlChange) -> Result<()> {
        let now = self.clock().now();
        if let Some(pems) = &wanted.certificates {
            certificates::replace(saml, pems, (CertificateSource::Manual, now))?;
        }
        let text = match (&wanted.idp_metadata_xml, &wanted.idp_metadata_url) {
            (Some(xml), _) => Some(("saml.idp_metadata_xml", xml.clone())),
            (None, Some(url)) if !url.trim().is_empty() => {
                Some(("saml.idp_metadata_url", self.fetch_metadata(url.trim()).await?))
            }
            _ => None,
        };
        if let Some((field, text)) = text {
            let read = metadata::read(&text).map_err(|error| {
                let code = match error {
                    MetadataError::TooLarge => Code::MetadataTooLarge,
                    MetadataError::IsServiceProvider => Code::MetadataIsSp,
                    MetadataError::Missing(_) | MetadataError::Insecure(_) => {
                        Code::MetadataMissingFields
                    }
                    MetadataError::Certificate(_) => Code::CertificateInvalid,
                    MetadataError::Unreadable(_) | MetadataError::SeveralEntities => {
                        Code::MetadataParseFailed
                    }
                };
                problem(code, field, &error.to_string())
            })?;
            take_metadata(saml, read, (wanted, now))?;
        }
        for (field, url) in [
            ("saml.idp_sso_url", Some(&saml.idp_sso_url)),
            ("saml.idp_slo_url", saml.idp_slo_url.as_ref()),
        ] {
            if let Some(url) = url.filter(|url| !url.is_empty()) {
                self.check_page(field, url).await?;
            }
        }
        Ok(())
    }

    async fn fetch_metadata(&self, url: &str) -> Result<String> {
        let field = "saml.idp_metadata_url";
        let url = Url::parse(url).map_err(|_| Problem::field(field, "an https address"))?;
        let limits = Limits { bytes: LONGEST_METADATA, time: PATIENCE, redirects: 3 };
        let answer = self.egress().get(&url, limits).await.map_err(|refusal| {
            let code = match refusal {
                Refusal::Private => Code::EndpointPrivateAddress,
                Refusal::Scheme | Refusal::Userinfo | Refusal::Port => Code::InvalidField,
                Refusal::Redirect => Code::EndpointRedirect,
                Refusal::TooLarge(_) => Code::MetadataTooLarge,
                _ => Code::MetadataFetchFailed,
            };
            problem(code, field, &refusal.to_string())
        })?;
        let text = String::from_utf8(answer.body);
        Ok(text.map_err(|_| problem(Code::MetadataParseFailed, field, "it is not UTF-8"))?)
    }

    /// An address that the server itself will call.
    async fn check_endpoint(&self, field: &str, text: &str) -> Result<()> {
        let url = Url::parse(text).map_err(|_| Problem::field(field, "an https address"))?;
        let checked = self.egress().check(&url, PATIENCE).await;
        Ok(checked.map_err(|refusal| {
            let code = match refusal {
                Refusal::Private => Code::EndpointPrivateAddress,
                _ => Code::InvalidField,
            };
            problem(code, field, &refusal.to_string())
        })?)
    }

    /// An address that browsers are sent to: theirs to reach, so that only its form counts; plain http is
    /// for addresses that the operator allowed.
    async fn check_page(&self, field: &str, text: &str) -> Result<()> {
        let url = Url::parse(text).map_err(|_| Problem::field(field, "an https address"))?;
        let plain = url.username().is_empty() && url.password().is_none() && url.host().is_some();
        if url.scheme() == "https" && plain {
            return Ok(());
        }
        self.check_endpoint(field, text).await
    }
}

/// Where the discovery document lies.
fn discovery_url(oidc: &OidcSettings) -> String {
    if oidc.discovery_url.is_empty() {
        return discovery::address(&oidc.issuer);
    }
    oidc.discovery_url.clone()
}

/// Takes what the document says, but for what the admin says in the same breath.
fn take_discovery(oidc: &mut OidcSettings, found: Discovery, wanted: &OidcChange) {
    oidc.discovery_url = discovery_url(oidc);
    for (to, from, own) in [
        (
            &mut oidc.authorization_endpoint,
            found.authorization_endpoint,
            &wanted.authorization_endpoint,
        ),
        (&mut oidc.token_endpoint, found.token_endpoint, &wanted.token_endpoint),
        (&mut oidc.jwks_uri, found.jwks_uri, &wanted.jwks_uri),
    ] {
        if own.is_none() {
            *to = from;
        }
    }
    if wanted.userinfo_endpoint.is_none() {
        oidc.userinfo_endpoint = found.userinfo_endpoint;
    }
    oidc.algorithms = found.algorithms.iter().map(|a| format!("{a:?}")).collect();
    oidc.sends_iss = found.sends_issuer;
}

/// How we say who we are: as the admin wants it, else as it fits what there is and what the IdP takes.
fn choose_auth(
    oidc: &mut OidcSettings,
    wanted: &OidcChange,
    (methods, has_secret, first): (&[String], bool, bool),
) -> Result<()> {
    let field = "oidc.token_endpoint_auth_method";
    let takes =
        |method: TokenAuth| methods.is_empty() || methods.iter().any(|m| m == method.name());
    let fits = [TokenAuth::ClientSecretBasic, TokenAuth::ClientSecretPost].map(takes);
    match wanted.token_endpoint_auth_method {
        Some(TokenAuth::None) => {}
        Some(_) if !has_secret => {
            let text = "give client_secret, or the method none for a public client";
            return Err(problem(Code::ClientSecretOrPkceRequired, field, text).into());
        }
        Some(method) if takes(method) => {}
        None if !has_secret && first => oidc.token_endpoint_auth_method = TokenAuth::None,
        // A secret that was cleared is missed, not done without.
        None if !has_secret => {}
        // The method in use stays, as long as the IdP takes it.
        None if oidc.token_endpoint_auth_method != TokenAuth::None
            && takes(oidc.token_endpoint_auth_method) => {}
        None if wanted.client_secret.is_none() => {}
        None if fits[0] => oidc.token_endpoint_auth_method = TokenAuth::ClientSecretBasic,
        None if fits[1] => oidc.token_endpoint_auth_method = TokenAuth::ClientSecretPost,
        Some(_) | None => {
            let text = format!("the identity provider takes {}", methods.join(", "));
            return Err(problem(Code::UnsupportedTokenAuthMethod, field, &text).into());
        }
    }
    Ok(())
}

/// Takes what the metadata says; certificates that a person added stay.
fn take_metadata(
    saml: &mut SamlSettings,
    found: IdpMetadata,
    (wanted, now): (&SamlChange, Timestamp),
) -> Result<()> {
    certificates::replace(saml, &found.certificates, (CertificateSource::Metadata, now))?;
    saml.idp_entity_id = found.entity_id;
    saml.idp_sso_url = found.sso_url;
    saml.idp_slo_url = found.slo_url;
    // Who asks for signed requests gets them; who does not may get them all the same.
    saml.sign_requests |= found.want_signed_requests && wanted.sign_requests.is_none();
    Ok(())
}

fn refuse_our_own(saml: &SamlSettings, public_url: &str) -> Result<()> {
    if saml.idp_entity_id.starts_with(&format!("{public_url}/sso/saml/")) {
        let text = "this is our own entity id; give that of the identity provider";
        return Err(problem(Code::MetadataIsSp, "saml.idp_entity_id", text).into());
    }
    Ok(())
}

fn discovery_refused(refusal: &Refusal) -> Problem {
    let code = match refusal {
        Refusal::Scheme | Refusal::Userinfo | Refusal::Port => Code::InvalidIssuerUrl,
        Refusal::Private => Code::EndpointPrivateAddress,
        Refusal::Redirect => Code::EndpointRedirect,
        Refusal::TooLarge(_) => Code::DiscoveryInvalidJson,
        Refusal::Timeout(_) => Code::DiscoveryTimeout,
        Refusal::Unresolved | Refusal::Status(_) | Refusal::Connect | Refusal::Client(_) => {
            Code::DiscoveryNotFound
        }
    };
    problem(code, "oidc.issuer", &refusal.to_string())
}

fn problem(code: Code, field: &str, detail: &str) -> Problem {
    Problem::new(code, format!("{field}: {detail}")).at(field, detail)
}
