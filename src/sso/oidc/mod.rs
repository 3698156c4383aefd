//! OpenID Connect, as a relying party (OpenID Connect Core 1.0): the authorization request, what the
//! provider says of itself, its keys, the checks of an ID token, and who the claims say somebody is.

pub mod claims;
pub mod discovery;
pub mod id_token;
pub mod jwks;
pub mod request;

use jsonwebtoken::Algorithm;

/// The algorithms that are accepted at all, where the provider announces them: never one with a shared
/// secret, never none (security O4). ES512 lacks for want of a key type in the library.
pub const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The algorithm of this name, where it is among those accepted.
fn algorithm(name: &str) -> Option<Algorithm> {
    let named = name.parse().ok()?;
    ALGORITHMS.contains(&named).then_some(named)
}
