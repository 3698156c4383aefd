//! How a connection is shown: with what the identity provider must be told of us, without its secret.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::connection::{Connection, IdpCertificate, Protocol};
use crate::scim::value::format_time;
use crate::service::connections::Beside;

/// A connection.
#[derive(Serialize, ToSchema)]
pub(super) struct ConnectionView {
    id: String,
    /// Its name in addresses; it never changes.
    name: String,
    provider: String,
    /// oidc or saml.
    protocol: &'static str,
    /// draft, active or inactive.
    state: &'static str,
    /// company, or legacy for one of an organization alone.
    r#type: &'static str,
    login_path: Option<String>,
    /// Where people begin.
    login_url: String,
    /// The same for the identity provider's tile; `client_id` and `redirect_uri` of an application follow.
    initiate_login_uri: String,
    /// always or claim.
    trust_email_verified: Value,
    /// null: as the company has it.
    jit_provisioning: Option<bool>,
    oidc: Option<OidcView>,
    saml: Option<SamlView>,
    /// Names of claims that are looked at instead of the usual ones.
    #[schema(value_type = BTreeMap<String, String>)]
    attribute_mapping: Value,
    groups: Value,
    /// The company's domains.
    domains: Vec<String>,
    created_at: String,
    activated_at: Option<String>,
    /// When somebody last signed in through it, give or take a minute.
    last_login_at: Option<String>,
    /// Codes of what an admin should know.
    warnings: Vec<&'static str>,
}

/// What is kept for OIDC.
#[derive(Serialize, ToSchema)]
struct OidcView {
    /// What the identity provider must be told: the same from every organization.
    redirect_uri: String,
    issuer: String,
    discovery_url: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    client_id: String,
    client_secret_set: bool,
    client_secret_expires_at: Option<String>,
    token_endpoint_auth_method: &'static str,
    pkce: bool,
    scopes: Vec<String>,
    extra_params: BTreeMap<String, String>,
    id_token_algorithms: Vec<String>,
    allow_idp_initiated: bool,
}

/// What is kept for SAML.
#[derive(Serialize, ToSchema)]
struct SamlView {
    /// What the identity provider must be told: the same from every organization.
    acs_url: String,
    sp_entity_id: String,
    sp_metadata_url: String,
    idp_entity_id: String,
    idp_sso_url: String,
    idp_slo_url: Option<String>,
    idp_metadata_url: Option<String>,
    certificates: Vec<CertificateView>,
    sign_requests: bool,
    want_assertions_signed: bool,
    want_encrypted: bool,
    name_id_format: String,
    signature_algorithms: Vec<String>,
    allow_idp_initiated: bool,
    force_authn: bool,
}

/// A certificate of the identity provider.
#[derive(Serialize, ToSchema)]
pub(super) struct CertificateView {
    /// SHA-256, in hexadecimal digits.
    fingerprint: String,
    not_before: Option<String>,
    not_after: Option<String>,
    /// Whole days until it ends; negative where it has.
    days_left: Option<i64>,
    /// metadata or manual.
    source: Value,
    pem: String,
}

/// Shows a connection with what lies beside it; `more` are warnings of what was just done.
pub(super) fn view(
    connection: &Connection,
    (public_url, now): (&str, Timestamp),
    beside: Beside,
    more: &[&'static str],
) -> Value {
    let (document, name) = (&connection.document, &connection.name);
    let initiate = format!("{public_url}/oauth/authorize?connection={name}");
    let path = document.login_path.as_ref();
    let mut warnings = more.to_vec();
    warnings.extend(connection.warnings(now, beside.last_login.map(|(_, claimed)| claimed)));
    let oidc = (connection.protocol == Protocol::Oidc).then(|| oidc(connection, public_url));
    let saml = (connection.protocol == Protocol::Saml).then(|| saml(connection, (public_url, now)));
    json!(ConnectionView {
        id: connection.id.clone(),
        name: name.clone(),
        provider: connection.provider.clone(),
        protocol: connection.protocol.name(),
        state: connection.state.name(),
        r#type: if connection.organization.is_some() { "legacy" } else { "company" },
        login_url: path
            .map_or_else(|| initiate.clone(), |path| format!("{public_url}/login/{path}")),
        login_path: path.cloned(),
        initiate_login_uri: initiate,
        trust_email_verified: json!(document.trust_email_verified),
        jit_provisioning: document.jit_provisioning,
        oidc,
        saml,
        attribute_mapping: json!(document.attribute_mapping),
        groups: json!(document.groups),
        domains: beside.domains,
        created_at: format_time(connection.created_at),
        activated_at: connection.activated_at.map(format_time),
        last_login_at: beside.last_login.map(|(at, _)| format_time(at)),
        warnings,
    })
}

fn oidc(connection: &Connection, public_url: &str) -> OidcView {
    let oidc = connection.document.oidc.clone();
    OidcView {
        redirect_uri: format!("{public_url}/sso/callback/{}", connection.name),
        issuer: oidc.issuer,
        discovery_url: oidc.discovery_url,
        authorization_endpoint: oidc.authorization_endpoint,
        token_endpoint: oidc.token_endpoint,
        jwks_uri: oidc.jwks_uri,
        userinfo_endpoint: oidc.userinfo_endpoint,
        end_session_endpoint: oidc.end_session_endpoint,
        client_id: oidc.client_id,
        client_secret_set: connection.sealed_secret.is_some(),
        client_secret_expires_at: oidc.client_secret_expires_at.map(format_time),
        token_endpoint_auth_method: oidc.token_endpoint_auth_method.name(),
        pkce: true,
        scopes: oidc.scopes,
        extra_params: oidc.extra_params,
        id_token_algorithms: oidc.algorithms,
        allow_idp_initiated: oidc.allow_idp_initiated,
    }
}

fn saml(connection: &Connection, (public_url, now): (&str, Timestamp)) -> SamlView {
    let saml = connection.document.saml.clone();
    let base = format!("{public_url}/sso/saml/{}", connection.name);
    SamlView {
        acs_url: format!("{base}/acs"),
        sp_entity_id: format!("{base}/metadata"),
        sp_metadata_url: format!("{base}/metadata"),
        idp_entity_id: saml.idp_entity_id,
        idp_sso_url: saml.idp_sso_url,
        idp_slo_url: saml.idp_slo_url,
        idp_metadata_url: saml.idp_metadata_url,
        certificates: saml.certificates.iter().map(|one| certificate(one, now)).collect(),
        sign_requests: saml.sign_requests,
        want_assertions_signed: true,
        want_encrypted: saml.want_encrypted,
        name_id_format: saml.name_id_format,
        signature_algorithms: saml.signature_algorithms,
        allow_idp_initiated: saml.allow_idp_initiated,
        force_authn: saml.force_authn,
    }
}

/// Shows a certificate.
pub(super) fn certificate(one: &IdpCertificate, now: Timestamp) -> CertificateView {
    let days = |end: Timestamp| end.duration_since(now).as_secs().div_euclid(86_400);
    CertificateView {
        fingerprint: one.fingerprint.clone(),
        not_before: one.not_before.map(format_time),
        not_after: one.not_after.map(format_time),
        days_left: one.not_after.map(days),
        source: json!(one.source),
        pem: one.pem.clone(),
    }
}
