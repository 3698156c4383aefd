//! A provider's public keys (RFC 7517), and which of them may have signed a token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use crate::domain::refusal::{Reason, Refusal};

/// Longest set, in bytes.
pub const LONGEST: usize = 64 * 1024;
/// Most keys in a set.
pub const MOST_KEYS: usize = 100;

/// A provider's keys, as far as they are good for checking signatures.
#[derive(Debug, Clone, Default)]
pub struct Jwks(Vec<Key>);

/// One key.
#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    /// The one algorithm that it is for, where it says so.
    algorithm: Option<Algorithm>,
    form: Form,
    key: DecodingKey,
}

/// What a key is, as far as it decides which algorithms it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Form {
    fn fits(self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        match self {
            Self::Rsa => matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512),
            Self::P256 => algorithm == ES256,
            Self::P384 => algorithm == ES384,
            Self::Ed25519 => algorithm == EdDSA,
        }
    }
}

impl Jwks {
    /// Reads a set. Keys that are for something else, or of a kind that is not accepted, are left out: a
    /// provider may add such at any time (RFC 7517 §5).
    ///
    /// # Errors
    /// `oidc.keys_invalid` of what is no set, or too large a one.
    pub fn read(text: &[u8]) -> Result<Self, Refusal> {
        let wrong = |detail: &str| Refusal::new(Reason::KeysInvalid, detail);
        if text.len() > LONGEST {
            return Err(wrong("The JWKS is longer than 64 KiB"));
        }
        let set: Map<String, Value> =
            serde_json::from_slice(text).map_err(|_| wrong("The JWKS is not a JSON object"))?;
        let keys = set.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or_else(|| wrong("The JWKS has no list of keys"))?;
        if keys.len() > MOST_KEYS {
            return Err(wrong("The JWKS has more than 100 keys"));
        }
        Ok(Self(keys.iter().filter_map(key).collect()))
    }

    /// How many keys of it can be used.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no key of it can be used.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one key that may have signed a token with this header (security O4): by its id where the token
    /// names one, else the only one that fits the algorithm.
    ///
    /// # Errors
    /// `oidc.alg` where the named key is for another algorithm; `oidc.key_unknown`, after which the set may be
    /// fetched anew; `oidc.key_ambiguous`.
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&DecodingKey, Refusal> {
        let named: Vec<&Key> = match id {
            Some(_) => self.0.iter().filter(|key| key.id.as_deref() == id).collect(),
            None => self.0.iter().collect(),
        };
        let mut fitting = named.iter().filter(|key| {
            key.form.fits(algorithm) && key.algorithm.is_none_or(|its| its == algorithm)
        });
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(&key.key),
            (Some(_), Some(_)) => Err(Reason::KeyAmbiguous.into()),
            (None, _) if id.is_some() && !named.is_empty() => Err(Refusal::new(
                Reason::Algorithm,
                "The key that is named is for another algorithm",
            )),
            (None, _) => Err(Reason::KeyUnknown.into()),
        }
    }
}

/// A key that can check signatures of ID tokens; `None` of any other.
fn key(value: &Value) -> Option<Key> {
    let parameter = |name: &str| value.get(name).and_then(Value::as_str);
    // One that says what it is for must say that it is for this (§4.2, §4.3).
    if value.get("use").is_some_and(|its| its != "sig") {
        return None;
    }
    if let Some(operations) = value.get("key_ops")
        && !operations.as_array()?.iter().any(|operation| operation == "verify")
    {
        return None;
    }
    let algorithm = match value.get("alg") {
        Some(name) => Some(super::algorithm(name.as_str()?)?),
        None => None,
    };
    let id = match value.get("kid") {
        Some(id) => Some(id.as_str()?.to_owned()),
        None => None,
    };
    let (form, key) = match (parameter("kty")?, parameter("crv")) {
        ("RSA", _) => {
            // The verifier takes no modulus below 2,048 bits.
            (Form::Rsa, DecodingKey::from_rsa_components(parameter("n")?, parameter("e")?).ok()?)
        }
        ("EC", Some("P-256")) => (Form::P256, point(value, 32)?),
        ("EC", Some("P-384")) => (Form::P384, point(value, 48)?),
        ("OKP", Some("Ed25519")) => {
            (Form::Ed25519, DecodingKey::from_ed_components(parameter("x")?).ok()?)
        }
        _ => return None,
    };
    Some(Key { id, algorithm, form, key })
}

/// A point of a curve whose coordinates have this length (RFC 7518 §6.2.1).
fn point(value: &Value, length: usize) -> Option<DecodingKey> {
    let coordinate = |name: &str| {
        let text = value.get(name)?.as_str()?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == length).then_some(text)
    };
    DecodingKey::from_ec_components(coordinate("x")?, coordinate("y")?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sso::oidc::ALGORITHMS;

    fn rsa(more: &Value) -> Value {
        let mut key = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
        extend(&mut key, more);
        key
    }

    fn ec(curve: &str, length: usize, more: &Value) -> Value {
        let x = URL_SAFE_NO_PAD.encode(vec![7; length]);
        let mut key = json!({"kty": "EC", "crv": curve, "x": x, "y": x});
        extend(&mut key, more);
        key
    }

    fn ed() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([7; 32])})
    }

    fn extend(key: &mut Value, more: &Value) {
        for (name, value) in more.as_object().unwrap() {
            key[name.as_str()] = value.clone();
        }
    }

    fn set(keys: &[Value]) -> Jwks {
        Jwks::read(json!({"keys": keys}).to_string().as_bytes()).unwrap()
    }

    fn reason(found: Result<&DecodingKey, Refusal>) -> Result<(), Reason> {
        found.map(drop).map_err(|refusal| refusal.reason)
    }

    /// Security O4, the matrix of algorithms and keys: 9 algorithms with each of 6 keys.
    #[test]
    fn an_algorithm_has_its_own_kind_of_key() {
        let keys = [
            (rsa(&json!({"kid": "k"})), vec!["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
            (ec("P-256", 32, &json!({"kid": "k"})), vec!["ES256"]),
            (ec("P-384", 48, &json!({"kid": "k"})), vec!["ES384"]),
            (json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": ed()["x"]}), vec!["EdDSA"]),
            (json!({"kty": "oct", "kid": "k", "k": "AAAA"}), vec![]),
            (ec("P-521", 66, &json!({"kid": "k"})), vec![]),
        ];
        for (key, fitting) in keys {
            let set = set(std::slice::from_ref(&key));
            for algorithm in ALGORITHMS {
                let fits = fitting.contains(&format!("{algorithm:?}").as_str());
                for id in [Some("k"), None] {
                    assert_eq!(set.find(id, algorithm).is_ok(), fits, "{algorithm:?} with {key}");
                }
            }
        }
    }

    #[test]
    fn a_key_for_something_else_is_no_key() {
        for more in [
            json!({"use": "enc"}),
            json!({"use": null}),
            json!({"key_ops": ["sign"]}),
            json!({"key_ops": "verify"}),
            json!({"alg": "HS256"}),
            json!({"alg": "RSA-OAEP"}),
            json!({"alg": 7}),
            json!({"kid": 7}),
            json!({"n": null}),
            json!({"kty": "rsa"}),
        ] {
            assert!(set(&[rsa(&more)]).is_empty(), "{more}");
        }
        assert_eq!(
            set(&[rsa(&json!({"use": "sig", "key_ops": ["verify"], "alg": "PS256"}))]).len(),
            1
        );
        assert!(set(&[ec("P-256", 48, &json!({})), ec("P-384", 32, &json!({}))]).is_empty());
    }

    /// (f) 58.
    #[test]
    fn f58_one_key_or_none() {
        let two = set(&[
            rsa(&json!({"kid": "a"})),
            rsa(&json!({"kid": "a"})),
            ec("P-256", 32, &json!({"kid": "a"})),
        ]);
        assert_eq!(reason(two.find(Some("a"), Algorithm::RS256)), Err(Reason::KeyAmbiguous));
        assert_eq!(reason(two.find(Some("a"), Algorithm::ES256)), Ok(()));
        assert_eq!(reason(two.find(None, Algorithm::RS256)), Err(Reason::KeyAmbiguous));
        assert_eq!(reason(two.find(None, Algorithm::ES256)), Ok(()));
        assert_eq!(reason(two.find(Some("b"), Algorithm::RS256)), Err(Reason::KeyUnknown));
        assert_eq!(reason(two.find(Some("a"), Algorithm::EdDSA)), Err(Reason::Algorithm));
        assert_eq!(reason(set(&[]).find(None, Algorithm::RS256)), Err(Reason::KeyUnknown));
        let bound = set(&[rsa(&json!({"kid": "a", "alg": "RS256"}))]);
        assert_eq!(reason(bound.find(Some("a"), Algorithm::RS512)), Err(Reason::Algorithm));
        let nameless = set(&[rsa(&json!({}))]);
        assert_eq!(reason(nameless.find(Some("a"), Algorithm::RS256)), Err(Reason::KeyUnknown));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in ["", "[]", "{}", r#"{"keys": {}}"#, "<html>"] {
            assert_eq!(
                Jwks::read(text.as_bytes()).unwrap_err().reason,
                Reason::KeysInvalid,
                "{text}"
            );
        }
        let many = vec![ed(); MOST_KEYS + 1];
        let text = json!({"keys": many}).to_string();
        assert_eq!(Jwks::read(text.as_bytes()).unwrap_err().reason, Reason::KeysInvalid);
        assert_eq!(set(&vec![ed(); MOST_KEYS]).len(), MOST_KEYS);
        assert!(Jwks::read(&vec![b' '; LONGEST + 1]).is_err());
    }
}
