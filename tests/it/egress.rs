//! The way out, as the server takes it: what the operator allows, and no proxy of the environment.

use std::path::Path;

use serde_json::json;

use crate::server::{Database, TestServer};
use crate::web::Web;

const CONNECTION: &str = "/companies/acme/sso/connection";

/// A connection to a provider on loopback.
fn connection(web: &Web) -> serde_json::Value {
    json!({
        "provider": "custom_oidc", "protocol": "oidc",
        "oidc": {"issuer": web.url(""), "client_id": "x"},
    })
}

/// A provider with a discovery document.
fn provider() -> Web {
    let web = Web::start();
    let document = json!({
        "issuer": web.url(""),
        "authorization_endpoint": web.url("/authorize"),
        "token_endpoint": web.url("/token"),
        "jwks_uri": web.url("/keys"),
    });
    web.put("/.well-known/openid-configuration", &document.to_string());
    web
}

/// Threat X1: nothing inside is reached unless the operator says so, and nothing else then.
#[test]
fn private_addresses_are_the_operators_to_allow() {
    let web = provider();
    let server = TestServer::start(Database::Sqlite);
    let refused = server.operator().post(CONNECTION, &connection(&web));
    refused.problem(422, "endpoint_private_address");
    let elsewhere = TestServer::start_with(Database::Sqlite, &["--egress-allow", "10.0.0.0/8"]);
    let refused = elsewhere.operator().post(CONNECTION, &connection(&web));
    refused.problem(422, "endpoint_private_address");
    assert!(web.heard().is_empty(), "{:?}", web.heard());
    let flags = ["--egress-allow", "10.0.0.0/8,127.0.0.0/8"];
    let allowed = TestServer::start_with(Database::Sqlite, &flags);
    allowed.operator().post(CONNECTION, &connection(&web)).expect(201);
    assert_eq!(web.heard().len(), 1);
}

/// A proxy would resolve names where nobody checks them.
#[test]
fn no_proxy_of_the_environment_is_asked() {
    let (web, proxy) = (provider(), Web::start());
    let address = proxy.url("");
    let path = Path::new(&address);
    let allow = Path::new("127.0.0.0/8");
    let names =
        ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let mut environment: Vec<(&str, &Path)> = names.iter().map(|name| (*name, path)).collect();
    environment.push(("STAGEDOOR_EGRESS_ALLOW", allow));
    let server = TestServer::start_in(&environment);
    server.operator().post(CONNECTION, &connection(&web)).expect(201);
    assert!(proxy.heard().is_empty(), "{:?}", proxy.heard());
    assert_eq!(web.heard().len(), 1);
}

#[test]
fn a_wrong_network_stops_the_start() {
    let server = TestServer::start(Database::Sqlite);
    let output = server.cli(&["serve", "--egress-allow", "10.0.0.0/99"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("--egress-allow"), "{said}");
}
