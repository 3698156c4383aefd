//! Floor 1.5, pure: the protocols by which identity providers vouch for people.
//!
//! Nothing here reads a clock or a socket: what was fetched, and `now`, are handed in.

pub mod oidc;
pub mod saml;
