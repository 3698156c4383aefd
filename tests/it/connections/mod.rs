//! The connection of a company: made, changed, completed by what its identity provider publishes, switched on
//! and off, followed by another, taken away (`management-api.md` D4). Signing in through it is elsewhere.

mod addresses;
mod oidc;
mod records;
mod saml;
mod states;

use serde_json::{Value, json};

use crate::api::Api;
use crate::web::Web;

const CONNECTION: &str = "/companies/acme/sso/connection";
/// Identity providers of the tests lie on loopback.
pub const LOOPBACK: &[&str] = &["--egress-allow", "127.0.0.0/8"];

/// The members of a second object put into a first one.
fn with(mut object: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        object[name.as_str()] = value.clone();
    }
    object
}

/// The discovery document of a provider, with these members besides.
fn document(web: &Web, more: &Value) -> Value {
    let usual = json!({
        "issuer": web.url(""),
        "authorization_endpoint": web.url("/authorize"),
        "token_endpoint": web.url("/token"),
        "jwks_uri": web.url("/keys"),
        "userinfo_endpoint": web.url("/me"),
        "id_token_signing_alg_values_supported": ["HS256", "RS256", "ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "authorization_response_iss_parameter_supported": true,
    });
    with(usual, more)
}

/// A provider with a discovery document.
fn provider(more: &Value) -> Web {
    let web = Web::start();
    publish(&web, more);
    web
}

fn publish(web: &Web, more: &Value) {
    web.put("/.well-known/openid-configuration", &document(web, more).to_string());
}

/// A connection to a provider, with a client secret.
fn oidc(web: &Web) -> Value {
    json!({
        "provider": "custom_oidc", "protocol": "oidc",
        "oidc": {"issuer": web.url(""), "client_id": "0oa1", "client_secret": "hunter2"},
    })
}

/// Makes a connection of acme that lets people in.
fn active(api: &Api, web: &Web) -> Value {
    api.post(CONNECTION, &oidc(web)).expect(201);
    let skip = json!({"skip_test": true});
    api.post(&format!("{CONNECTION}/activate"), &skip).expect(200).json
}
