//! What a provider says of itself (OpenID Connect Discovery 1.0 §3).

use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::algorithm;

/// Longest document, in bytes.
pub const LONGEST: usize = 256 * 1024;

/// What of it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// The issuer, exactly as it stands in ID tokens.
    pub issuer: String,
    /// Where browsers are sent.
    pub authorization_endpoint: String,
    /// Where codes are exchanged.
    pub token_endpoint: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// Where further claims are.
    pub userinfo_endpoint: Option<String>,
    /// The algorithms of ID tokens that are announced and accepted; never empty.
    pub algorithms: Vec<Algorithm>,
    /// How a client may authenticate at the token endpoint, by name.
    pub token_auth_methods: Vec<String>,
    /// Whether answers carry `iss` (RFC 9207 §3).
    pub sends_issuer: bool,
}

/// Why a document is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// It is no JSON object.
    #[error("the discovery document is not a JSON object")]
    NotJson,
    /// It is of another issuer.
    #[error("the discovery document is of the issuer {found}, expected {expected}")]
    Issuer {
        /// The one that was asked.
        expected: String,
        /// The one that it names.
        found: String,
    },
    /// Keys are missing or are no text.
    #[error("the discovery document lacks {}", .0.join(", "))]
    Incomplete(Vec<&'static str>),
    /// Nothing that it signs with is accepted.
    #[error("none of the algorithms in id_token_signing_alg_values_supported is accepted")]
    Algorithms,
}

/// Where the document of an issuer lies (§4.1).
pub fn address(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

/// Reads a document; `issuer` is whose it must be, character by character (§4.3).
///
/// # Errors
/// [`DiscoveryError`].
pub fn read(text: &[u8], issuer: &str) -> Result<Discovery, DiscoveryError> {
    let document: Map<String, Value> =
        serde_json::from_slice(text).map_err(|_| DiscoveryError::NotJson)?;
    let field = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    const NEEDED: [&str; 4] = ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"];
    let [Some(found), Some(authorization_endpoint), Some(token_endpoint), Some(jwks_uri)] =
        NEEDED.map(field)
    else {
        let missing = NEEDED.into_iter().filter(|name| field(name).is_none());
        return Err(DiscoveryError::Incomplete(missing.collect()));
    };
    if found != issuer {
        return Err(DiscoveryError::Issuer { expected: issuer.to_owned(), found });
    }
    // RS256 is what a provider signs with that announces nothing (Core §15.1).
    let announced = names(&document, "id_token_signing_alg_values_supported");
    let announced = announced.unwrap_or_else(|| vec!["RS256".to_owned()]);
    let algorithms: Vec<Algorithm> = announced.iter().filter_map(|name| algorithm(name)).collect();
    if algorithms.is_empty() {
        return Err(DiscoveryError::Algorithms);
    }
    let methods = names(&document, "token_endpoint_auth_methods_supported");
    let sends_issuer = document.get("authorization_response_iss_parameter_supported");
    Ok(Discovery {
        issuer: found,
        authorization_endpoint,
        token_endpoint,
        jwks_uri,
        userinfo_endpoint: field("userinfo_endpoint"),
        algorithms,
        token_auth_methods: methods.unwrap_or_else(|| vec!["client_secret_basic".to_owned()]),
        sends_issuer: sends_issuer == Some(&Value::Bool(true)),
    })
}

/// A list of names; `None` where there is none.
fn names(document: &Map<String, Value>, key: &str) -> Option<Vec<String>> {
    let list = document.get(key)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://idp.example";

    fn document() -> Value {
        json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://idp.example/authorize",
            "token_endpoint": "https://idp.example/token",
            "jwks_uri": "https://idp.example/keys",
        })
    }

    fn reading(document: &Value) -> Result<Discovery, DiscoveryError> {
        read(document.to_string().as_bytes(), ISSUER)
    }

    #[test]
    fn what_is_not_announced_has_the_standards_default() {
        let read = reading(&document()).unwrap();
        assert_eq!(read.algorithms, [Algorithm::RS256]);
        assert_eq!(read.token_auth_methods, ["client_secret_basic"]);
        assert!(!read.sends_issuer && read.userinfo_endpoint.is_none());
    }

    /// Security O4: what is announced is cut down to what is accepted.
    #[test]
    fn only_asymmetric_algorithms_are_taken() {
        let mut document = document();
        document["id_token_signing_alg_values_supported"] =
            json!(["none", "HS256", "RS512", "ES256", "ES512", "rs256", 7]);
        assert_eq!(reading(&document).unwrap().algorithms, [Algorithm::RS512, Algorithm::ES256]);
        document["id_token_signing_alg_values_supported"] = json!(["HS256", "none"]);
        assert_eq!(reading(&document), Err(DiscoveryError::Algorithms));
    }

    /// Discovery §4.3: another issuer's document is not this one's, a slash is a difference.
    #[test]
    fn the_issuer_is_the_one_that_was_asked() {
        for other in ["https://idp.example/", "https://IDP.example", "https://evil.example", ""] {
            let mut document = document();
            document["issuer"] = json!(other);
            assert!(matches!(reading(&document), Err(DiscoveryError::Issuer { .. })), "{other}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut document = document();
        document["jwks_uri"] = json!(7);
        document.as_object_mut().unwrap().remove("token_endpoint");
        let missing = DiscoveryError::Incomplete(vec!["token_endpoint", "jwks_uri"]);
        assert_eq!(reading(&document), Err(missing));
        for text in ["", "[]", "<html>", "null"] {
            assert_eq!(read(text.as_bytes(), ISSUER), Err(DiscoveryError::NotJson));
        }
    }

    #[test]
    fn the_address_follows_the_issuer() {
        let well_known = "/.well-known/openid-configuration";
        assert_eq!(address("https://a.example/t/"), format!("https://a.example/t{well_known}"));
    }
}
