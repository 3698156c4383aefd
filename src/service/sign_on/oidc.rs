//! Signing in through a provider that speaks OIDC: the code is exchanged, the ID token checked, what is missing
//! asked for. What is checked how stands in `sso::oidc`; here is what has to be fetched for it.

use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;

use crate::domain::connection::{Document, OidcSettings, TokenAuth};
use crate::domain::identity::VerifiedIdentity;
use crate::domain::refusal::{Reason, Refusal};
use crate::domain::secret::Secret;
use crate::egress::{self, Basic, Limits};
use crate::service::Service;
use crate::sso::oidc::claims;
use crate::sso::oidc::id_token::{self, Claims, Expect};

/// What one call may cost: two of them, and the keys, stay below what a person waits.
const LIMITS: Limits = Limits { bytes: 256 * 1024, time: Duration::from_secs(5), redirects: 0 };
/// Longest time for everything that is fetched.
const PATIENCE: Duration = Duration::from_secs(9);

/// A provider, and who we are at it.
#[derive(Debug)]
pub(super) struct Provider {
    /// By which its keys are remembered.
    pub name: String,
    /// The product at the other end.
    pub product: String,
    /// How to read what it claims; in it, where it is.
    pub document: Document,
    /// Our secret.
    pub secret: Option<Secret>,
}

impl Provider {
    pub(super) fn settings(&self) -> &OidcSettings {
        &self.document.oidc
    }
}

/// What a code is exchanged with.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The code.
    pub code: String,
    /// Where it came to.
    pub redirect_uri: String,
    /// What proves that it is ours.
    pub verifier: String,
    /// What the ID token must repeat.
    pub nonce: String,
}

/// Who signed in, by the provider's word: everything between the code and the identity.
///
/// # Errors
/// The refusal.
pub(super) async fn identify(
    service: &Service,
    provider: &Provider,
    exchange: &Exchange,
) -> Result<VerifiedIdentity, Refusal> {
    let all = async {
        let answer = redeem(service, provider, exchange).await?;
        let claims = told(service, provider, &answer, &exchange.nonce).await?;
        claims::identity(&claims, &provider.document, &provider.product)
    };
    let late = |_| Refusal::new(Reason::TokenFailed, "The identity provider took too long");
    tokio::time::timeout(PATIENCE, all).await.map_err(late)?
}

/// Exchanges the code (OIDC Core §3.1.3.1, RFC 7636 §4.5).
///
/// # Errors
/// `oidc.token_failed`, `oidc.code_refused`, `oidc.token_refused`, `oidc.token_invalid`.
pub(super) async fn redeem(
    service: &Service,
    provider: &Provider,
    exchange: &Exchange,
) -> Result<Map<String, Value>, Refusal> {
    let settings = provider.settings();
    let secret = provider.secret.as_ref().map(Secret::expose);
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", exchange.code.as_str()),
        ("redirect_uri", exchange.redirect_uri.as_str()),
        ("code_verifier", exchange.verifier.as_str()),
    ];
    let mut basic = None;
    match (settings.token_endpoint_auth_method, secret) {
        (TokenAuth::ClientSecretBasic, Some(password)) => {
            basic = Some(Basic { user: &settings.client_id, password });
        }
        (TokenAuth::ClientSecretPost, Some(password)) => {
            form.extend([("client_id", settings.client_id.as_str()), ("client_secret", password)]);
        }
        // A public client proves itself by PKCE alone (row 114).
        (TokenAuth::None, _) | (_, None) => form.push(("client_id", &settings.client_id)),
    }
    let failed = |why: String| Refusal::new(Reason::TokenFailed, format!("token_endpoint: {why}"));
    let url =
        Url::parse(&settings.token_endpoint).map_err(|_| failed("it is no URL".to_owned()))?;
    match service.egress().post_form(&url, &form, basic, LIMITS).await {
        Ok(answer) => serde_json::from_slice(&answer.body)
            .map_err(|_| Refusal::new(Reason::TokenInvalid, "The answer is not a JSON object")),
        Err(egress::Refusal::Status(answer)) if (400..500).contains(&answer.status) => {
            Err(said(answer.status, &answer.body))
        }
        Err(refusal) => Err(failed(refusal.to_string())),
    }
}

/// What a token endpoint refuses, and its word for it: the code alone, if it is one (RFC 6749 §5.2). A code that
/// it does not know is what the browser brought; everything else is how we are set up there.
fn said(status: u16, body: &[u8]) -> Refusal {
    let answer: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    let error = answer.as_ref().and_then(|answer| answer.get("error")?.as_str());
    let name = |text: &&str| {
        text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    };
    let detail = match error.filter(name) {
        Some(error) => format!("The token endpoint answered {status} {error}"),
        None => format!("The token endpoint answered {status}"),
    };
    let of_the_code = error == Some("invalid_grant");
    Refusal::new(if of_the_code { Reason::CodeRefused } else { Reason::TokenRefused }, detail)
}

/// The claims of the checked ID token, with what the userinfo endpoint adds where something is missing.
async fn told(
    service: &Service,
    provider: &Provider,
    answer: &Map<String, Value>,
    nonce: &str,
) -> Result<Claims, Refusal> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let token = text("id_token").ok_or_else(|| Refusal::from(Reason::IdTokenMissing))?;
    let access_token = text("access_token");
    let mut claims = checked(service, provider, token, (nonce, access_token)).await?;
    let document = &provider.document;
    let endpoint = document.oidc.userinfo_endpoint.as_deref().filter(|url| !url.is_empty());
    if let (Some(endpoint), Some(access_token)) = (endpoint, access_token)
        && claims::is_incomplete(&claims, document)
    {
        claims::merge(&mut claims, userinfo(service, endpoint, access_token).await?)?;
    }
    Ok(claims)
}

/// Checks the ID token; an unknown key is looked for once more among keys that are fetched anew.
///
/// # Errors
/// The refusal.
pub(super) async fn checked(
    service: &Service,
    provider: &Provider,
    token: &str,
    (nonce, access_token): (&str, Option<&str>),
) -> Result<Claims, Refusal> {
    let settings = provider.settings();
    let named = settings.algorithms.iter().filter_map(|name| name.parse().ok());
    let algorithms: Vec<_> = named.collect();
    let expect = Expect {
        issuer: &settings.issuer,
        client_id: &settings.client_id,
        nonce,
        algorithms: &algorithms,
        now: service.clock().now(),
        access_token,
    };
    let keys = service.provider_keys(&provider.name, &settings.jwks_uri, false).await?;
    match id_token::check(&keys, token, &expect) {
        Err(Refusal { reason: Reason::KeyUnknown, .. }) => {
            let keys = service.provider_keys(&provider.name, &settings.jwks_uri, true).await?;
            id_token::check(&keys, token, &expect)
        }
        checked => checked,
    }
}

/// Asks an endpoint with the access token; its JSON object.
///
/// # Errors
/// `oidc.userinfo_failed`.
pub(super) async fn userinfo(
    service: &Service,
    endpoint: &str,
    access_token: &str,
) -> Result<Claims, Refusal> {
    match asked(service, endpoint, access_token).await? {
        Value::Object(claims) => Ok(claims),
        _ => Err(Refusal::new(Reason::UserinfoFailed, "The answer is not a JSON object")),
    }
}

/// Asks an endpoint with the access token; its JSON.
///
/// # Errors
/// `oidc.userinfo_failed`.
pub(super) async fn asked(
    service: &Service,
    endpoint: &str,
    access_token: &str,
) -> Result<Value, Refusal> {
    let failed = |why: String| Refusal::new(Reason::UserinfoFailed, format!("userinfo: {why}"));
    let url = Url::parse(endpoint).map_err(|_| failed("it is no URL".to_owned()))?;
    let answer = service.egress().get_as(&url, access_token, LIMITS).await;
    let answer = answer.map_err(|refusal| failed(refusal.to_string()))?;
    serde_json::from_slice(&answer.body).map_err(|_| failed("the answer is not JSON".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Security A1: what an endpoint answers is not passed on, but for a code of the standard's form.
    #[test]
    fn of_a_refusal_only_its_code_is_told() {
        let body = br#"{"error": "invalid_grant", "error_description": "secret"}"#;
        let refusal = said(400, body);
        assert_eq!(refusal.reason, Reason::CodeRefused);
        assert_eq!(refusal.detail, "The token endpoint answered 400 invalid_grant");
        for body in ["<html>", r#"{"error": "<script>"}"#, r#"{"error": {"a": 1}}"#, ""] {
            let refusal = said(401, body.as_bytes());
            assert_eq!(refusal.reason, Reason::TokenRefused);
            assert_eq!(refusal.detail, "The token endpoint answered 401");
        }
    }
}
