//! What an admin writes into a connection: checked and put into its document, before anything is fetched.

use std::collections::BTreeMap;

use jiff::Timestamp;
use url::Url;

use super::settings::{
    AttributeMapping, Document, EmailTrust, GroupsFormat, OidcSettings, SIGNATURE_ALGORITHMS,
    SamlSettings, TokenAuth,
};
use super::{Connection, Protocol};
use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;

/// Longest text of a setting, in bytes.
const LONGEST: usize = 2_048;
/// Most entries of a list or map of settings.
const MOST: usize = 50;
/// Parameters of the authorization request that are ours alone to set, whatever a connection adds.
pub const OURS: [&str; 13] = [
    "client_id",
    "client_secret",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
    "iss",
];
/// What an issuer is often pasted with.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// What is to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The provider, which cannot change.
    pub provider: Option<String>,
    /// The protocol, which cannot change.
    pub protocol: Option<Protocol>,
    /// The path below `/login`; empty for none.
    pub login_path: Option<String>,
    /// When an address counts as verified.
    pub trust_email_verified: Option<EmailTrust>,
    /// Whether a login may make a user; the inner `None`: as the company has it.
    pub jit_provisioning: Option<Option<bool>>,
    /// Where the parts of an identity are found.
    pub attribute_mapping: Option<AttributeMapping>,
    /// How groups are read.
    pub groups: Option<GroupsFormat>,
    /// What OIDC needs.
    pub oidc: Option<OidcChange>,
    /// What SAML needs.
    pub saml: Option<SamlChange>,
}

/// What of an OIDC connection is to change; an empty text clears what may be absent.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the setting of that name")]
pub struct OidcChange {
    pub issuer: Option<String>,
    pub okta_domain: Option<String>,
    pub discovery_url: Option<String>,
    pub authorization_endpoint: Option<String>,
    pub token_endpoint: Option<String>,
    pub jwks_uri: Option<String>,
    pub userinfo_endpoint: Option<String>,
    pub end_session_endpoint: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    pub client_secret_expires_at: Option<Timestamp>,
    pub token_endpoint_auth_method: Option<TokenAuth>,
    pub pkce: Option<bool>,
    pub scopes: Option<Vec<String>>,
    pub extra_params: Option<BTreeMap<String, String>>,
    pub allow_idp_initiated: Option<bool>,
}

/// What of a SAML connection is to change; an empty text clears what may be absent.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the setting of that name")]
pub struct SamlChange {
    pub idp_entity_id: Option<String>,
    pub idp_sso_url: Option<String>,
    pub idp_slo_url: Option<String>,
    pub idp_metadata_url: Option<String>,
    pub idp_metadata_xml: Option<String>,
    pub certificates: Option<Vec<String>>,
    pub sign_requests: Option<bool>,
    pub want_assertions_signed: Option<bool>,
    pub want_encrypted: Option<bool>,
    pub name_id_format: Option<String>,
    pub signature_algorithms: Option<Vec<String>>,
    pub allow_idp_initiated: Option<bool>,
    pub force_authn: Option<bool>,
}

impl Change {
    /// Puts the change into the connection's document.
    ///
    /// # Errors
    /// 422: `provider_immutable`, `one_protocol_only`, `openid_scope_required`, `invalid_issuer_url`,
    /// `okta_admin_domain`, `client_secret_or_pkce_required`, `invalid_field`.
    pub fn apply(&self, connection: &mut Connection) -> Result<(), Problem> {
        let other = |given: Option<&String>| given.is_some_and(|p| *p != connection.provider);
        if other(self.provider.as_ref()) {
            let text = "The provider stays what it is: delete the connection and make a new one, or make \
                        a candidate that follows it";
            return Err(Problem::new(Code::ProviderImmutable, text));
        }
        let wrong = match connection.protocol {
            Protocol::Oidc => self.saml.is_some(),
            Protocol::Saml => self.oidc.is_some(),
        };
        if wrong || self.protocol.is_some_and(|protocol| protocol != connection.protocol) {
            let text = format!("The connection speaks {} alone", connection.protocol.name());
            return Err(Problem::new(Code::OneProtocolOnly, text));
        }
        let document = &mut connection.document;
        self.apply_common(document)?;
        if let Some(change) = &self.oidc {
            change.apply(&mut document.oidc, &connection.provider)?;
        }
        if let Some(change) = &self.saml {
            change.apply(&mut document.saml)?;
        }
        Ok(())
    }

    fn apply_common(&self, document: &mut Document) -> Result<(), Problem> {
        if let Some(path) = &self.login_path {
            document.login_path = login_path(path)?;
        }
        document.trust_email_verified =
            self.trust_email_verified.unwrap_or(document.trust_email_verified);
        document.jit_provisioning = self.jit_provisioning.unwrap_or(document.jit_provisioning);
        if let Some(mapping) = &self.attribute_mapping {
            for (field, name) in mapping.given() {
                check_text(&format!("attribute_mapping.{field}"), name)?;
            }
            document.attribute_mapping = mapping.clone();
        }
        if let Some(groups) = &self.groups {
            let long = |text: &String| text.is_empty() || text.len() > LONGEST;
            let wrong = groups.aliases.len() > 1_000
                || groups.aliases.iter().any(|(id, name)| long(id) || long(name));
            if wrong || groups.delimiter.as_ref().is_some_and(|d| d.is_empty() || d.len() > 8) {
                let rule = "at most 1,000 aliases; a delimiter of 1 to 8 characters";
                return Err(Problem::field("groups", rule));
            }
            document.groups = groups.clone();
        }
        Ok(())
    }
}

impl OidcChange {
    fn apply(&self, settings: &mut OidcSettings, provider: &str) -> Result<(), Problem> {
        if let Some(host) = &self.okta_domain {
            settings.issuer = okta_issuer(host)?;
        }
        if let Some(issuer) = &self.issuer {
            settings.issuer = issuer_of(issuer, provider)?;
        }
        if self.okta_domain.is_some() || self.issuer.is_some() {
            settings.discovery_url.clear();
        }
        settable("oidc.discovery_url", &mut settings.discovery_url, &self.discovery_url)?;
        let endpoint = &self.authorization_endpoint;
        settable("oidc.authorization_endpoint", &mut settings.authorization_endpoint, endpoint)?;
        settable("oidc.token_endpoint", &mut settings.token_endpoint, &self.token_endpoint)?;
        settable("oidc.jwks_uri", &mut settings.jwks_uri, &self.jwks_uri)?;
        settable("oidc.client_id", &mut settings.client_id, &self.client_id)?;
        clearable(
            "oidc.userinfo_endpoint",
            &mut settings.userinfo_endpoint,
            &self.userinfo_endpoint,
        )?;
        let end = &self.end_session_endpoint;
        clearable("oidc.end_session_endpoint", &mut settings.end_session_endpoint, end)?;
        if let Some(secret) = &self.client_secret {
            check_secret(secret)?;
            settings.client_secret_expires_at = self.client_secret_expires_at;
        }
        let expires = self.client_secret_expires_at.or(settings.client_secret_expires_at);
        settings.client_secret_expires_at = expires;
        settings.token_endpoint_auth_method =
            self.token_endpoint_auth_method.unwrap_or(settings.token_endpoint_auth_method);
        settings.allow_idp_initiated =
            self.allow_idp_initiated.unwrap_or(settings.allow_idp_initiated);
        if self.pkce == Some(false) {
            let text = "PKCE is always used; it cannot be switched off";
            return Err(Problem::new(Code::ClientSecretOrPkceRequired, text).at("oidc.pkce", text));
        }
        self.apply_lists(settings)
    }

    fn apply_lists(&self, settings: &mut OidcSettings) -> Result<(), Problem> {
        if let Some(scopes) = &self.scopes {
            if !scopes.iter().any(|scope| scope == "openid") {
                return Err(Code::OpenidScopeRequired.into());
            }
            // RFC 6749 §3.3.
            let is_scope = |scope: &String| {
                let fits = |b| matches!(b, b'!' | b'#'..=b'[' | b']'..=b'~');
                (1..=200).contains(&scope.len()) && scope.bytes().all(fits)
            };
            if scopes.len() > MOST || !scopes.iter().all(is_scope) {
                return Err(Problem::field("oidc.scopes", "names of scopes without blanks"));
            }
            settings.scopes.clone_from(scopes);
        }
        if let Some(params) = &self.extra_params {
            let ours = params.keys().find(|name| OURS.contains(&name.as_str()));
            if let Some(name) = ours {
                let rule = format!("{name} is set by the server");
                return Err(Problem::field("oidc.extra_params", rule));
            }
            let long = |(name, value): (&String, &String)| {
                name.is_empty() || name.len() > 200 || value.len() > LONGEST
            };
            if params.len() > MOST || params.iter().any(long) {
                return Err(Problem::field("oidc.extra_params", "at most 50 short parameters"));
            }
            settings.extra_params.clone_from(params);
        }
        Ok(())
    }

    /// Whether the endpoints are to be read from the discovery document: somebody names the issuer, and
    /// does not say all of them.
    pub fn asks_discovery(&self) -> bool {
        let named = [&self.issuer, &self.okta_domain, &self.discovery_url];
        let told = [&self.authorization_endpoint, &self.token_endpoint, &self.jwks_uri];
        named.iter().any(|field| field.is_some()) && !told.iter().all(|field| field.is_some())
    }
}

impl SamlChange {
    fn apply(&self, settings: &mut SamlSettings) -> Result<(), Problem> {
        settable("saml.idp_entity_id", &mut settings.idp_entity_id, &self.idp_entity_id)?;
        settable("saml.idp_sso_url", &mut settings.idp_sso_url, &self.idp_sso_url)?;
        clearable("saml.idp_slo_url", &mut settings.idp_slo_url, &self.idp_slo_url)?;
        let url = &self.idp_metadata_url;
        clearable("saml.idp_metadata_url", &mut settings.idp_metadata_url, url)?;
        if let Some(format) = &self.name_id_format {
            if format.len() > LONGEST || !format.is_ascii() {
                return Err(Problem::field("saml.name_id_format", "a URN, or empty for none"));
            }
            settings.name_id_format.clone_from(format);
        }
        if self.want_assertions_signed == Some(false) {
            let rule = "what is not signed is not read; it cannot be switched off";
            return Err(Problem::field("saml.want_assertions_signed", rule));
        }
        if let Some(algorithms) = &self.signature_algorithms {
            let known = |name: &String| SIGNATURE_ALGORITHMS.contains(&name.as_str());
            if algorithms.is_empty() || !algorithms.iter().all(known) {
                let rule = format!("at least one of {}", SIGNATURE_ALGORITHMS.join(", "));
                return Err(Problem::field("saml.signature_algorithms", rule));
            }
            settings.signature_algorithms.clone_from(algorithms);
        }
        settings.sign_requests = self.sign_requests.unwrap_or(settings.sign_requests);
        settings.want_encrypted = self.want_encrypted.unwrap_or(settings.want_encrypted);
        settings.allow_idp_initiated =
            self.allow_idp_initiated.unwrap_or(settings.allow_idp_initiated);
        settings.force_authn = self.force_authn.unwrap_or(settings.force_authn);
        Ok(())
    }
}

/// Sets a text that is always there.
fn settable(field: &str, to: &mut String, from: &Option<String>) -> Result<(), Problem> {
    let Some(text) = from else { return Ok(()) };
    check_text(field, text)?;
    text.trim().clone_into(to);
    Ok(())
}

/// Sets a text that may be absent: an empty one takes it away.
fn clearable(field: &str, to: &mut Option<String>, from: &Option<String>) -> Result<(), Problem> {
    match from.as_deref().map(str::trim) {
        Some("") => *to = None,
        Some(text) => {
            check_text(field, text)?;
            *to = Some(text.to_owned());
        }
        None => {}
    }
    Ok(())
}

fn check_text(field: &str, text: &str) -> Result<(), Problem> {
    if (1..=LONGEST).contains(&text.trim().len()) && !text.contains(|c: char| c.is_control()) {
        return Ok(());
    }
    Err(Problem::field(field, format!("a text of 1 to {LONGEST} bytes, all in one line")))
}

/// Checks a client secret, without a word of it.
///
/// # Errors
/// 422.
pub fn check_secret(secret: &Secret) -> Result<(), Problem> {
    check_text("oidc.client_secret", secret.expose())
}

/// Row 172: letters and digits alone.
fn login_path(path: &str) -> Result<Option<String>, Problem> {
    let fits = path.len() <= 63 && path.bytes().all(|b| b.is_ascii_alphanumeric());
    // Addresses of ours below the same path.
    if !fits || ["social", "discover"].contains(&path.to_ascii_lowercase().as_str()) {
        let rule = "1 to 63 letters and digits, without a slash; social and discover are taken";
        return Err(Problem::field("login_path", rule));
    }
    Ok((!path.is_empty()).then(|| path.to_owned()))
}

/// Row 119: an issuer from what people paste.
fn issuer_of(text: &str, provider: &str) -> Result<String, Problem> {
    let text = text.trim();
    let text = text.strip_suffix(WELL_KNOWN).unwrap_or(text);
    let wrong = |why: &str| Problem::new(Code::InvalidIssuerUrl, why).at("oidc.issuer", why);
    let rule = "an address such as https://login.acme.example, without user, ? or #";
    if text.len() > LONGEST || !text.is_ascii() || text.contains(|c: char| c.is_control()) {
        return Err(wrong(rule));
    }
    let url = Url::parse(text).map_err(|_| wrong(rule))?;
    let plain = url.username().is_empty() && url.password().is_none();
    let bare = url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "https" | "http") || !plain || !bare || url.host().is_none() {
        return Err(wrong(rule));
    }
    if provider == "okta" {
        check_okta(url.host_str().unwrap_or_default())?;
        // A page of the console is no issuer; a custom authorization server is.
        if !url.path().starts_with("/oauth2/") {
            return Ok(format!(
                "{}://{}",
                url.scheme(),
                &url[url::Position::BeforeHost..url::Position::AfterPort]
            ));
        }
    }
    Ok(text.to_owned())
}

fn okta_issuer(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let text = text.strip_prefix("https://").unwrap_or(text);
    let host = text.split('/').next().unwrap_or_default();
    issuer_of(&format!("https://{host}"), "okta")
}

/// Okta's admin console has another host than its issuer.
fn check_okta(host: &str) -> Result<(), Problem> {
    let Some((name, rest)) = host.split_once("-admin.") else { return Ok(()) };
    if !rest.starts_with("okta") {
        return Ok(());
    }
    let text = format!("Without -admin: {name}.{rest}");
    Err(Problem::new(Code::OktaAdminDomain, text.as_str()).at("oidc.issuer", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oidc(change: OidcChange, provider: &str) -> Result<OidcSettings, Code> {
        let mut connection = Connection::draft(provider, Protocol::Oidc);
        let change = Change { oidc: Some(change), ..Change::default() };
        change.apply(&mut connection).map_err(|problem| problem.code)?;
        Ok(connection.document.oidc)
    }

    fn issuer(text: &str, provider: &str) -> Result<String, Code> {
        let change = OidcChange { issuer: Some(text.to_owned()), ..OidcChange::default() };
        oidc(change, provider).map(|settings| settings.issuer)
    }

    /// Row 119.
    #[test]
    fn an_okta_domain_is_read_however_it_is_pasted() {
        let wanted = Ok("https://acme.okta.com".to_owned());
        for text in ["acme.okta.com", "https://acme.okta.com/", " acme.okta.com/app/x "] {
            let change = OidcChange { okta_domain: Some(text.to_owned()), ..OidcChange::default() };
            assert_eq!(oidc(change, "okta").map(|s| s.issuer), wanted, "{text}");
        }
        assert_eq!(issuer("https://acme.okta.com/app/x", "okta"), wanted);
        assert_eq!(issuer("https://acme-admin.okta.com", "okta"), Err(Code::OktaAdminDomain));
        assert_eq!(
            issuer("https://acme-admin.oktapreview.com", "okta"),
            Err(Code::OktaAdminDomain)
        );
        let custom = "https://acme.okta.com/oauth2/default";
        assert_eq!(issuer(custom, "okta").as_deref(), Ok(custom));
    }

    #[test]
    fn an_issuer_is_an_address_and_nothing_else() {
        let well_known = "https://a.example/t/.well-known/openid-configuration";
        assert_eq!(issuer(well_known, "entra").as_deref(), Ok("https://a.example/t"));
        for text in [
            "",
            "a.example",
            "file:///etc/passwd",
            "gopher://a",
            "https://u@a.example",
            "https://a.example?x",
            "https://a.example#x",
            "https://ⓔxample.test",
            "https://a\n.example",
        ] {
            assert_eq!(issuer(text, "custom_oidc"), Err(Code::InvalidIssuerUrl), "{text}");
        }
    }

    /// Row 173.
    #[test]
    fn openid_is_always_asked_for() {
        let scopes = |scopes: &[&str]| {
            let scopes = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
            oidc(OidcChange { scopes, ..OidcChange::default() }, "entra").map(|s| s.scopes)
        };
        assert_eq!(scopes(&["email"]), Err(Code::OpenidScopeRequired));
        assert_eq!(scopes(&["openid", "a b"]), Err(Code::InvalidField));
        assert_eq!(scopes(&["openid", "groups"]).unwrap(), ["openid", "groups"]);
    }

    #[test]
    fn our_parameters_are_ours() {
        for name in OURS {
            let params = BTreeMap::from([(name.to_owned(), "x".to_owned())]);
            let change = OidcChange { extra_params: Some(params), ..OidcChange::default() };
            assert_eq!(oidc(change, "entra"), Err(Code::InvalidField), "{name}");
        }
    }

    /// Row 172.
    #[test]
    fn a_login_path_is_letters_and_digits() {
        assert_eq!(login_path("Acme1").unwrap().as_deref(), Some("Acme1"));
        assert_eq!(login_path("").unwrap(), None);
        for bad in ["a/b", "a-b", "ä", " ", "social", "Discover", &"a".repeat(64)] {
            assert!(login_path(bad).is_err(), "{bad}");
        }
    }

    /// Row 45.
    #[test]
    fn provider_and_protocol_stay() {
        let mut okta = Connection::draft("okta", Protocol::Oidc);
        let mut code = |change: Change| change.apply(&mut okta).err().map(|p| p.code);
        let entra = Change { provider: Some("entra".to_owned()), ..Change::default() };
        assert_eq!(code(entra), Some(Code::ProviderImmutable));
        let saml = Change { protocol: Some(Protocol::Saml), ..Change::default() };
        assert_eq!(code(saml), Some(Code::OneProtocolOnly));
        let both = Change { saml: Some(SamlChange::default()), ..Change::default() };
        assert_eq!(code(both), Some(Code::OneProtocolOnly));
    }

    /// Threats M4 and M8: the policy on signatures cannot be lowered.
    #[test]
    fn signatures_are_not_weakened() {
        let code = |change: SamlChange| {
            let mut adfs = Connection::draft("adfs", Protocol::Saml);
            let change = Change { saml: Some(change), ..Change::default() };
            change.apply(&mut adfs).err().map(|problem| problem.code)
        };
        let sha1 = vec!["http://www.w3.org/2000/09/xmldsig#rsa-sha1".to_owned()];
        for algorithms in [vec![], sha1] {
            let change =
                SamlChange { signature_algorithms: Some(algorithms), ..SamlChange::default() };
            assert_eq!(code(change), Some(Code::InvalidField));
        }
        let unsigned = SamlChange { want_assertions_signed: Some(false), ..SamlChange::default() };
        assert_eq!(code(unsigned), Some(Code::InvalidField));
    }
}
