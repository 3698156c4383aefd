//! The OpenID Provider: what applications ask of stagedoor once it knows who somebody is (OpenID Connect
//! Core 1.0, RFC 6749, RFC 9700). Every token hangs on a session, and every use of one looks at it.

pub mod authorize;
mod claims;
pub mod clients;
pub mod logout;
pub mod refusal;
pub mod signing;
pub mod tokens;
mod verified;

use crate::domain::connection::{Connection, Protocol};

pub use refusal::{Fault, Refusal};
pub use verified::Provider;

/// Who the identity provider of a connection says that it is.
fn issuer_of(connection: &Connection) -> &str {
    match connection.protocol {
        Protocol::Oidc => &connection.document.oidc.issuer,
        Protocol::Saml => &connection.document.saml.idp_entity_id,
    }
}
