//! What is written into a connection.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::connection::change::{Change, OidcChange, SamlChange};
use crate::domain::connection::{AttributeMapping, EmailTrust, GroupsFormat, Protocol, TokenAuth};
use crate::domain::problem::Problem;
use crate::domain::secret::Secret;
use crate::service::Result;

/// A connection to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewConnection {
    /// Such as okta, entra or google; `custom_saml` or `custom_oidc` for any other.
    pub(super) provider: String,
    /// oidc or saml.
    pub(super) protocol: String,
    login_path: Option<String>,
    trust_email_verified: Option<String>,
    jit_provisioning: Option<bool>,
    attribute_mapping: Option<BTreeMap<String, String>>,
    groups: Option<GroupsBody>,
    oidc: Option<OidcBody>,
    saml: Option<SamlBody>,
}

/// What of a connection is to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectionChange {
    /// It cannot change; the same one is taken.
    provider: Option<String>,
    /// It cannot change either.
    protocol: Option<String>,
    /// The path below `/login`: letters and digits; empty for none.
    login_path: Option<String>,
    /// always, or claim: only where the identity provider says so.
    trust_email_verified: Option<String>,
    /// Whether a login may make a user; null: as the company has it.
    #[serde(default, deserialize_with = "even_null")]
    jit_provisioning: Option<Option<bool>>,
    /// Names of claims by part: `subject`, `email`, `first_name`, `last_name`, `name`, `phone_number`,
    /// `picture`, `groups`, `email_verified`. The whole mapping is replaced.
    attribute_mapping: Option<BTreeMap<String, String>>,
    groups: Option<GroupsBody>,
    oidc: Option<OidcBody>,
    saml: Option<SamlBody>,
}

/// How groups are read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupsBody {
    /// array, string or delimited.
    format: Option<String>,
    /// What stands between groups that are one text; a comma where it is absent.
    delimiter: Option<String>,
    /// Names for ids.
    #[serde(default)]
    aliases: BTreeMap<String, String>,
    /// Whether a path is cut to its last part.
    #[serde(default)]
    strip_path_prefix: bool,
}

/// What OIDC needs; the endpoints come from the discovery document where they are absent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OidcBody {
    issuer: Option<String>,
    /// Okta: the domain from which the issuer is made.
    okta_domain: Option<String>,
    discovery_url: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    jwks_uri: Option<String>,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    client_id: Option<String>,
    /// Written, never read; it is cleared where the issuer or an endpoint changes.
    client_secret: Option<String>,
    client_secret_expires_at: Option<String>,
    /// `client_secret_basic`, `client_secret_post`, or `none` for a public client.
    token_endpoint_auth_method: Option<String>,
    /// Always true.
    pkce: Option<bool>,
    /// openid among them.
    scopes: Option<Vec<String>>,
    extra_params: Option<BTreeMap<String, String>>,
    allow_idp_initiated: Option<bool>,
}

/// What SAML needs: metadata by address or as XML, or the fields.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SamlBody {
    idp_entity_id: Option<String>,
    idp_sso_url: Option<String>,
    idp_slo_url: Option<String>,
    idp_metadata_url: Option<String>,
    idp_metadata_xml: Option<String>,
    /// In PEM; in place of all that a person has added.
    certificates: Option<Vec<String>>,
    sign_requests: Option<bool>,
    /// Always true.
    want_assertions_signed: Option<bool>,
    want_encrypted: Option<bool>,
    name_id_format: Option<String>,
    signature_algorithms: Option<Vec<String>>,
    allow_idp_initiated: Option<bool>,
    force_authn: Option<bool>,
}

/// Tells null, which is `Some(None)`, from what is absent.
fn even_null<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<Option<bool>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// One of the names of an enum of the domain.
fn named<T: for<'de> Deserialize<'de>>(
    field: &str,
    text: Option<String>,
    rule: &str,
) -> Result<Option<T>> {
    let read = text.map(|text| serde_json::from_value(Value::String(text)));
    Ok(read.transpose().map_err(|_| Problem::field(field, rule))?)
}

impl NewConnection {
    pub(super) fn protocol(&self) -> Result<Protocol> {
        Ok(self.protocol.parse().map_err(|rule: String| Problem::field("protocol", rule))?)
    }

    pub(super) fn change(self) -> Result<Change> {
        ConnectionChange {
            provider: None,
            protocol: None,
            login_path: self.login_path,
            trust_email_verified: self.trust_email_verified,
            jit_provisioning: self.jit_provisioning.map(Some),
            attribute_mapping: self.attribute_mapping,
            groups: self.groups,
            oidc: self.oidc,
            saml: self.saml,
        }
        .change()
    }
}

impl ConnectionChange {
    pub(super) fn change(self) -> Result<Change> {
        let protocol = super::super::field("protocol", self.protocol.as_deref())?;
        let trust = named::<EmailTrust>(
            "trust_email_verified",
            self.trust_email_verified,
            "always or claim",
        )?;
        Ok(Change {
            provider: self.provider,
            protocol,
            login_path: self.login_path,
            trust_email_verified: trust,
            jit_provisioning: self.jit_provisioning,
            attribute_mapping: self.attribute_mapping.map(mapping).transpose()?,
            groups: self.groups.map(GroupsBody::format).transpose()?,
            oidc: self.oidc.map(OidcBody::change).transpose()?,
            saml: self.saml.map(SamlBody::change),
        })
    }
}

fn mapping(names: BTreeMap<String, String>) -> Result<AttributeMapping> {
    // An empty name is the usual one again.
    let given = names.into_iter().filter(|(_, name)| !name.is_empty());
    let object = given.map(|(part, name)| (part, Value::String(name))).collect();
    let rule = "subject, email, first_name, last_name, name, phone_number, picture, groups or \
                email_verified, each with the name of a claim";
    let read = serde_json::from_value(Value::Object(object));
    Ok(read.map_err(|_| Problem::field("attribute_mapping", rule))?)
}

impl GroupsBody {
    fn format(self) -> Result<GroupsFormat> {
        let format = named("groups.format", self.format, "array, string or delimited")?;
        Ok(GroupsFormat {
            format: format.unwrap_or_default(),
            delimiter: self.delimiter,
            aliases: self.aliases,
            strip_path_prefix: self.strip_path_prefix,
        })
    }
}

impl OidcBody {
    fn change(self) -> Result<OidcChange> {
        let method = named::<TokenAuth>(
            "oidc.token_endpoint_auth_method",
            self.token_endpoint_auth_method,
            "client_secret_basic, client_secret_post or none",
        )?;
        let expires = self.client_secret_expires_at.as_deref();
        Ok(OidcChange {
            issuer: self.issuer,
            okta_domain: self.okta_domain,
            discovery_url: self.discovery_url,
            authorization_endpoint: self.authorization_endpoint,
            token_endpoint: self.token_endpoint,
            jwks_uri: self.jwks_uri,
            userinfo_endpoint: self.userinfo_endpoint,
            end_session_endpoint: self.end_session_endpoint,
            client_id: self.client_id,
            // A form sends an empty field where the secret is to stay.
            client_secret: self.client_secret.filter(|s| !s.is_empty()).map(Secret::new),
            client_secret_expires_at: super::super::time("oidc.client_secret_expires_at", expires)?,
            token_endpoint_auth_method: method,
            pkce: self.pkce,
            scopes: self.scopes,
            extra_params: self.extra_params,
            allow_idp_initiated: self.allow_idp_initiated,
        })
    }
}

impl SamlBody {
    fn change(self) -> SamlChange {
        SamlChange {
            idp_entity_id: self.idp_entity_id,
            idp_sso_url: self.idp_sso_url,
            idp_slo_url: self.idp_slo_url,
            idp_metadata_url: self.idp_metadata_url,
            idp_metadata_xml: self.idp_metadata_xml,
            certificates: self.certificates,
            sign_requests: self.sign_requests,
            want_assertions_signed: self.want_assertions_signed,
            want_encrypted: self.want_encrypted,
            name_id_format: self.name_id_format,
            signature_algorithms: self.signature_algorithms,
            allow_idp_initiated: self.allow_idp_initiated,
            force_authn: self.force_authn,
        }
    }
}
