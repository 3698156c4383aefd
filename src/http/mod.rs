//! Floor 5: bytes in, bytes out. Handlers extract, call the service, answer; they decide nothing.

pub mod body;
pub mod caller;
pub mod cookie;
pub mod error;
pub mod guard;
pub mod management;
pub mod oauth;
pub mod ops;
pub mod page;
pub mod routes;
pub mod scim;
pub mod sign_on;
pub mod trace;

/// What handlers need to know of the server beside the service.
#[derive(Debug, Clone)]
pub struct Site {
    /// The URL under which the world reaches the server, without a slash at its end.
    pub public_url: String,
    /// The SCIM base URL, without a slash at its end (ruling 1).
    pub scim_base_url: String,
    /// Peers whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<ipnet::IpNet>,
}
