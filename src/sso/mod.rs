//! Floor 1.5, pure: the protocols by which identity providers vouch for people.
//!
//! Nothing here reads a clock or a socket: what was fetched, and `now`, are handed in.

pub mod oidc;
pub mod saml;

use aws_lc_rs::digest;

/// Most claims or attributes that the log of attempts names.
const LOGGED: usize = 64;

/// The first 12 digits of a value's digest: two attempts can be compared, and the value is not told.
fn short_digest(value: &str) -> String {
    let digest = digest::digest(&digest::SHA256, value.as_bytes());
    digest.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
