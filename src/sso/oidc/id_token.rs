//! The checks of an ID token (OpenID Connect Core 1.0 §3.1.3.7, §2): every one of them, in one place.
//!
//! The signature is checked with the one key that may have made it, under an algorithm that is fixed by the
//! connection. Claims are read as JSON and by their exact types: a claim of another type is a wrong one, never
//! an absent one (security O5).

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use crate::domain::refusal::{Reason, Refusal};

use super::algorithm;
use super::jwks::Jwks;

/// Longest token, in bytes.
const LONGEST: usize = 64 * 1024;
/// How far two clocks may be apart, in seconds.
const SKEW: f64 = 60.0;
/// The first number that a float does not tell from its neighbour; no moment lies there.
const BEYOND: f64 = 9_007_199_254_740_992.0;
/// Longest subject (Core §2: 255 ASCII characters).
const LONGEST_SUBJECT: usize = 255;

/// The claims of a token, or of a userinfo answer.
pub type Claims = Map<String, Value>;

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'e> {
    /// The issuer of the connection.
    pub issuer: &'e str,
    /// The client that we are at it.
    pub client_id: &'e str,
    /// The nonce of the attempt.
    pub nonce: &'e str,
    /// The algorithms of the connection.
    pub algorithms: &'e [Algorithm],
    /// The moment.
    pub now: Timestamp,
    /// The access token that came along.
    pub access_token: Option<&'e str>,
}

/// Checks an ID token; its claims, where all is as expected.
///
/// # Errors
/// A refusal with the reason of the first check that fails. `oidc.key_unknown`: the keys may be fetched anew, once.
pub fn check(keys: &Jwks, token: &str, expect: &Expect<'_>) -> Result<Claims, Refusal> {
    let (algorithm, claims) = signed(keys, token, expect.algorithms)?;
    let claims: Claims = object(claims)?;
    if text(&claims, "iss") != Some(expect.issuer) {
        return Err(wrong(Reason::Issuer, &claims, "iss"));
    }
    audience(&claims, expect.client_id)?;
    subject(&claims)?;
    times(&claims, expect.now)?;
    if text(&claims, "nonce") != Some(expect.nonce) {
        return Err(Reason::Nonce.into());
    }
    if let (Some(hash), Some(access_token)) = (claims.get("at_hash"), expect.access_token) {
        // Core §3.1.3.6: the left half of the hash that goes with the algorithm.
        if hash.as_str() != Some(half_hash(algorithm, access_token).as_str()) {
            return Err(Reason::AccessTokenHash.into());
        }
    }
    Ok(claims)
}

/// The subject of claims, as the standard wants it.
///
/// # Errors
/// `oidc.subject`.
pub fn subject(claims: &Claims) -> Result<&str, Refusal> {
    let subject = text(claims, "sub").filter(|subject| {
        let fits = (1..=LONGEST_SUBJECT).contains(&subject.len());
        fits && subject.is_ascii() && !subject.contains('\0')
    });
    subject.ok_or_else(|| wrong(Reason::Subject, claims, "sub"))
}

/// Checks form, algorithm and signature; the algorithm and the encoded claims.
fn signed<'t>(
    keys: &Jwks,
    token: &'t str,
    allowed: &[Algorithm],
) -> Result<(Algorithm, &'t str), Refusal> {
    let malformed = |detail: &str| Refusal::new(Reason::Malformed, detail);
    if token.len() > LONGEST {
        return Err(malformed("The ID token is longer than 64 KiB"));
    }
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed("The ID token has not three parts"));
    };
    let about: Map<String, Value> = object(header)?;
    let name = text(&about, "alg").unwrap_or_default();
    let algorithm = algorithm(name).filter(|algorithm| allowed.contains(algorithm));
    let unfit = || Refusal::new(Reason::Algorithm, format!("alg is {}", brief(name)));
    let algorithm = algorithm.ok_or_else(unfit)?;
    // An extension that must be understood is not (RFC 7515 §4.1.11); tokens for other ends are none of ours.
    let typ = text(&about, "typ").unwrap_or("JWT");
    if about.contains_key("crit") || ["at+jwt", "logout+jwt"].contains(&typ) {
        return Err(malformed("The header of the ID token is not one of an ID token"));
    }
    let id = match about.get("kid") {
        Some(id) => Some(id.as_str().ok_or_else(|| malformed("kid is not a text"))?),
        None => None,
    };
    let key = keys.find(id, algorithm)?;
    let message = &token.as_bytes()[..header.len() + 1 + claims.len()];
    match jsonwebtoken::crypto::verify(signature, message, key, algorithm) {
        Ok(true) => Ok((algorithm, claims)),
        Ok(false) | Err(_) => Err(Reason::Signature.into()),
    }
}

/// The object in an encoded part.
fn object(part: &str) -> Result<Map<String, Value>, Refusal> {
    let malformed = |_| Refusal::new(Reason::Malformed, "A part of the ID token is not JSON");
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::from(Reason::Malformed))?;
    serde_json::from_slice(&bytes).map_err(malformed)
}

/// We are among the audience, and where others are too, the token was made for us (§3.1.3.7, 3 to 5).
fn audience(claims: &Claims, client_id: &str) -> Result<(), Refusal> {
    let several = match claims.get("aud") {
        Some(Value::String(only)) if only == client_id => false,
        Some(Value::Array(all))
            if all.iter().all(Value::is_string) && all.iter().any(|one| one == client_id) =>
        {
            all.len() > 1
        }
        _ => return Err(wrong(Reason::Audience, claims, "aud")),
    };
    match claims.get("azp") {
        None if several => Err(Refusal::new(
            Reason::AuthorizedParty,
            "aud names several audiences, and azp is absent",
        )),
        Some(azp) if azp != client_id => Err(wrong(Reason::AuthorizedParty, claims, "azp")),
        _ => Ok(()),
    }
}

/// The token is of now (§3.1.3.7, 9 and 10), give or take the skew.
fn times(claims: &Claims, now: Timestamp) -> Result<(), Refusal> {
    let now = now.as_duration().as_secs_f64();
    if !moment(claims, "exp").is_some_and(|exp| exp + SKEW > now) {
        return Err(wrong(Reason::Expiry, claims, "exp"));
    }
    if !moment(claims, "iat").is_some_and(|iat| iat - SKEW <= now) {
        return Err(wrong(Reason::IssuedAt, claims, "iat"));
    }
    if claims.contains_key("nbf") && !moment(claims, "nbf").is_some_and(|nbf| nbf - SKEW <= now) {
        return Err(wrong(Reason::NotBefore, claims, "nbf"));
    }
    Ok(())
}

/// A moment as a claim (RFC 7519 §2, NumericDate): a number, a fraction allowed, a text never.
pub fn moment(claims: &Claims, name: &str) -> Option<f64> {
    let seconds = claims.get(name)?.as_f64()?;
    (seconds.is_finite() && seconds > 0.0 && seconds < BEYOND).then_some(seconds)
}

fn text<'c>(claims: &'c Claims, name: &str) -> Option<&'c str> {
    claims.get(name)?.as_str()
}

/// A refusal that names the claim, and what it was where that is no secret.
fn wrong(reason: Reason, claims: &Claims, name: &str) -> Refusal {
    let detail = match claims.get(name) {
        None => format!("{name} is absent"),
        Some(value) => format!("{name} is {}", brief(&value.to_string())),
    };
    Refusal::new(reason, detail)
}

/// At most 200 characters of a text that somebody else wrote.
fn brief(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn half_hash(algorithm: Algorithm, access_token: &str) -> String {
    use Algorithm::{ES384, EdDSA, PS384, PS512, RS384, RS512};
    let hash = match algorithm {
        RS384 | PS384 | ES384 => &digest::SHA384,
        // Ed25519 hashes with SHA-512 (RFC 8032 §5.1).
        RS512 | PS512 | EdDSA => &digest::SHA512,
        _ => &digest::SHA256,
    };
    let hash = digest::digest(hash, access_token.as_bytes());
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

#[cfg(test)]
mod tests;
