//! What the provider says of itself: its metadata (OpenID Connect Discovery 1.0, RFC 8414) and its keys.

use actix_web::HttpRequest;
use serde_json::json;

use crate::domain::grant::SCOPES;

use super::answer::{Answer, public};
use super::caller::Parts;

/// `GET /.well-known/openid-configuration`.
pub async fn document(request: HttpRequest) -> Answer {
    let parts = Parts::of(&request)?;
    let issuer = parts.issuer();
    let at = |path: &str| format!("{issuer}{path}");
    let auth = ["client_secret_basic", "client_secret_post", "none"];
    Ok(public(
        &json!({
            "issuer": issuer,
            "authorization_endpoint": at("/oauth/authorize"),
            "token_endpoint": at("/oauth/token"),
            "userinfo_endpoint": at("/oauth/userinfo"),
            "jwks_uri": at("/.well-known/jwks.json"),
            "introspection_endpoint": at("/oauth/introspect"),
            "revocation_endpoint": at("/oauth/revoke"),
            "end_session_endpoint": at("/oauth/end_session"),
            "scopes_supported": SCOPES,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "RS256"],
            "token_endpoint_auth_methods_supported": auth,
            "revocation_endpoint_auth_methods_supported": auth,
            "introspection_endpoint_auth_methods_supported": &auth[..2],
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["none", "login", "select_account"],
            "authorization_response_iss_parameter_supported": true,
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
            "claims_supported": [
                "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "amr", "sid",
                "session_expiry", "name", "given_name", "family_name", "preferred_username", "picture",
                "locale", "zoneinfo", "email", "email_verified", "phone_number", "company_id", "company_slug",
                "organization_id", "organization_slug", "role", "teams", "status",
            ],
        }),
        300,
    ))
}

/// `GET /.well-known/jwks.json`.
pub async fn keys(request: HttpRequest) -> Answer {
    let parts = Parts::of(&request)?;
    let ring = parts.service.key_ring().await?;
    Ok(public(&ring.public(parts.service.clock().now()), 300))
}
