//! Keys that sign tokens, and tokens in their compact form (RFC 7515). Private parts are sealed in the
//! database; this process holds them opened, and looks for a newer key once a minute.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::db;
use crate::domain::application::Algorithm;
use crate::domain::id::CompanySeq;
use crate::domain::signing_key::{self, StoredKey};
use crate::service::error::{Error, Result};
use crate::service::sealing::Place;
use crate::service::{Cx, Keys, Service};

/// A key, opened.
struct OpenKey {
    stored: StoredKey,
    pair: Pair,
}

enum Pair {
    Es256(Box<EcdsaKeyPair>),
    Rs256(Box<rsa::KeyPair>),
}

/// All keys of the installation, opened.
pub struct KeyRing {
    keys: Vec<OpenKey>,
    random: SystemRandom,
}

/// What a token is for: its `typ`. No token of ours is taken for one of another kind (RFC 8725 §3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typ {
    /// An ID token.
    Id,
    /// An access token (RFC 9068).
    Access,
    /// A notice that a session has ended (OpenID Connect Back-Channel Logout 1.0 §2.4).
    Logout,
}

impl Typ {
    fn name(self) -> &'static str {
        match self {
            Self::Id => "JWT",
            Self::Access => "at+jwt",
            Self::Logout => "logout+jwt",
        }
    }
}

fn internal(_: impl Sized) -> Error {
    Error::Internal("a signing key could not be used".into())
}

fn base64(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl KeyRing {
    /// Signs claims.
    ///
    /// # Errors
    /// Where there is no key yet, or the key does not work.
    pub fn sign(
        &self,
        (algorithm, typ): (Algorithm, Typ),
        claims: &str,
        now: Timestamp,
    ) -> Result<String> {
        let mine = self.keys.iter().filter(|key| key.stored.algorithm == algorithm).rev();
        let mut active = mine.filter(|key| key.stored.active_from <= now);
        let key = active.next().ok_or_else(|| internal(()))?;
        let (algorithm, typ, id) = (algorithm.name(), typ.name(), &key.stored.id);
        let header = format!(r#"{{"alg":"{algorithm}","typ":"{typ}","kid":"{id}"}}"#);
        let mut token = format!("{}.{}", base64(header.as_bytes()), base64(claims.as_bytes()));
        let signed = key.pair.sign(&self.random, token.as_bytes())?;
        token.push('.');
        token.push_str(&base64(&signed));
        Ok(token)
    }

    /// The claims of a token of ours of this kind, as they were signed; whether they hold still is another
    /// question.
    pub fn verify(&self, typ: Typ, token: &str) -> Option<Vec<u8>> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
        let key = self.keys.iter().find(|key| header["kid"] == key.stored.id.as_str())?;
        let fits = header["alg"] == key.stored.algorithm.name() && header["typ"] == typ.name();
        let fits = fits && header.get("crit").is_none();
        let genuine = fits && key.pair.verifies(signed.as_bytes(), &decode(signature)?);
        if genuine { decode(claims) } else { None }
    }

    /// The public parts of the keys that are shown at this moment (RFC 7517).
    pub fn public(&self, now: Timestamp) -> Value {
        let of = |algorithm: Algorithm| {
            let keys = self.keys.iter().map(|key| key.stored.clone());
            let keys: Vec<StoredKey> = keys.filter(|key| key.algorithm == algorithm).collect();
            let shown = signing_key::shown(&keys, now);
            shown.filter_map(|key| serde_json::from_str(&key.public).ok()).collect::<Vec<Value>>()
        };
        json!({"keys": Algorithm::ALL.map(of).concat()})
    }
}

impl Pair {
    fn sign(&self, random: &SystemRandom, message: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Es256(pair) => {
                let signed = pair.sign(random, message).map_err(internal)?;
                Ok(signed.as_ref().to_vec())
            }
            Self::Rs256(pair) => {
                let mut signed = vec![0; pair.public_modulus_len()];
                let how = &signature::RSA_PKCS1_SHA256;
                pair.sign(how, random, message, &mut signed).map_err(internal)?;
                Ok(signed)
            }
        }
    }

    fn verifies(&self, message: &[u8], signed: &[u8]) -> bool {
        let (how, public): (&dyn VerificationAlgorithm, &[u8]) = match self {
            Self::Es256(pair) => (&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()),
            Self::Rs256(pair) => {
                (&signature::RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())
            }
        };
        UnparsedPublicKey::new(how, public).verify(message, signed).is_ok()
    }

    /// A new pair in its sealable form.
    fn generate(algorithm: Algorithm) -> Result<Vec<u8>> {
        match algorithm {
            Algorithm::Es256 => {
                let how = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let made = EcdsaKeyPair::generate_pkcs8(how, &SystemRandom::new());
                Ok(made.map_err(internal)?.as_ref().to_vec())
            }
            Algorithm::Rs256 => {
                let made = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(internal)?;
                let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&made).map_err(internal)?;
                Ok(der.as_ref().to_vec())
            }
        }
    }

    fn read(algorithm: Algorithm, private: &[u8]) -> Result<Self> {
        match algorithm {
            Algorithm::Es256 => {
                let how = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let pair = EcdsaKeyPair::from_pkcs8(how, private).map_err(internal)?;
                Ok(Self::Es256(Box::new(pair)))
            }
            Algorithm::Rs256 => {
                let pair = rsa::KeyPair::from_pkcs8(private).map_err(internal)?;
                Ok(Self::Rs256(Box::new(pair)))
            }
        }
    }

    /// The public part as it is shown (RFC 7517, RFC 7518 §6).
    fn public(&self, id: &str) -> Result<Value> {
        match self {
            Self::Es256(pair) => {
                // The uncompressed point: a byte that says so, x, y.
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at_checked(32).ok_or_else(|| internal(()))?;
                Ok(json!({
                    "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id,
                    "x": base64(x), "y": base64(y),
                }))
            }
            Self::Rs256(pair) => {
                let public = pair.public_key();
                let n = public.modulus().big_endian_without_leading_zero();
                let e = public.exponent().big_endian_without_leading_zero();
                Ok(json!({
                    "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
                    "n": base64(n), "e": base64(e),
                }))
            }
        }
    }
}

fn place(id: &str) -> Place<'_> {
    Place { table: "signing_keys", column: "private_key", company: CompanySeq(0), row: id }
}

/// The keys of an algorithm of all that are stored.
fn of(all: &[StoredKey], algorithm: Algorithm) -> Vec<StoredKey> {
    all.iter().filter(|key| key.algorithm == algorithm).cloned().collect()
}

/// Whether a key is to be made or removed.
fn is_work_due(all: &[StoredKey], now: Timestamp) -> bool {
    Algorithm::ALL.into_iter().any(|algorithm| {
        let keys = of(all, algorithm);
        signing_key::due(&keys, now).is_some()
            || signing_key::shown(&keys, now).count() < keys.len()
    })
}

/// New pairs of both algorithms: made before the unit of work, since an RSA key takes its time.
fn generate() -> Result<Vec<(Algorithm, Vec<u8>)>> {
    let made = Algorithm::ALL.into_iter().map(|a| Ok((a, Pair::generate(a)?)));
    made.collect()
}

/// Makes the keys that are due, and removes those that nobody needs any more.
fn renew(cx: &mut Cx<'_>, keys: &Keys, fresh: &[(Algorithm, Vec<u8>)]) -> Result<()> {
    let all = db::signing_keys::list(cx.conn)?;
    for (algorithm, private) in fresh {
        let mine = of(&all, *algorithm);
        if let Some((generation, active_from)) = signing_key::due(&mine, cx.now) {
            let id = cx.clock.id();
            let public = Pair::read(*algorithm, private)?.public(&id)?.to_string();
            let sealed = keys.seal(&place(&id), private)?;
            let algorithm = *algorithm;
            let key = StoredKey { algorithm, generation, id, public, sealed, active_from };
            // Another server may have made it already; then its key counts.
            db::signing_keys::insert(cx.conn, &key, cx.now)?;
        }
        let shown: Vec<i64> = signing_key::shown(&mine, cx.now).map(|key| key.generation).collect();
        for old in mine.iter().filter(|key| !shown.contains(&key.generation)) {
            db::signing_keys::delete(cx.conn, old)?;
        }
    }
    Ok(())
}

fn open(keys: &Keys, stored: StoredKey) -> Result<OpenKey> {
    let private = keys.open(&place(&stored.id), &stored.sealed)?;
    let pair = Pair::read(stored.algorithm, &private)?;
    Ok(OpenKey { stored, pair })
}

impl Service {
    /// The keys as the database has them now, with those made that are due.
    pub(super) async fn load_keys(&self) -> Result<KeyRing> {
        let now = self.clock().now();
        let list = |conn: &mut db::DbConn| Ok(db::signing_keys::list(conn)?);
        let mut all = self.look_up(list).await?;
        if is_work_due(&all, now) {
            let made = tokio::task::spawn_blocking(generate).await;
            let fresh = made.map_err(|e| Error::Internal(Box::new(e)))??;
            let keys = self.keys();
            self.transact(move |cx| renew(cx, &keys, &fresh)).await?;
            all = self.look_up(list).await?;
        }
        let keys = self.keys();
        let opened =
            all.into_iter().map(|stored| open(&keys, stored)).collect::<Result<Vec<_>>>()?;
        Ok(KeyRing { keys: opened, random: SystemRandom::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> KeyRing {
        let keys = Algorithm::ALL.map(|algorithm| {
            let pair = Pair::read(algorithm, &Pair::generate(algorithm).unwrap()).unwrap();
            let id = algorithm.name().to_lowercase();
            let public = pair.public(&id).unwrap().to_string();
            let active_from = Timestamp::UNIX_EPOCH;
            let (generation, sealed) = (1, Vec::new());
            let stored = StoredKey { algorithm, generation, id, public, sealed, active_from };
            OpenKey { stored, pair }
        });
        KeyRing { keys: keys.into(), random: SystemRandom::new() }
    }

    /// Our tokens are what another library takes, by the keys that are shown.
    #[test]
    fn another_library_verifies_what_is_signed() {
        let (ring, now) = (ring(), Timestamp::UNIX_EPOCH);
        let shown = ring.public(now);
        let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(shown).unwrap();
        for (algorithm, theirs) in [
            (Algorithm::Es256, jsonwebtoken::Algorithm::ES256),
            (Algorithm::Rs256, jsonwebtoken::Algorithm::RS256),
        ] {
            let claims = json!({"sub": "ada", "aud": "a", "exp": 4_102_444_800_i64}).to_string();
            let token = ring.sign((algorithm, Typ::Id), &claims, now).unwrap();
            let key = set.find(&algorithm.name().to_lowercase()).unwrap();
            let key = jsonwebtoken::DecodingKey::from_jwk(key).unwrap();
            let mut rules = jsonwebtoken::Validation::new(theirs);
            rules.set_audience(&["a"]);
            let read = jsonwebtoken::decode::<Value>(&token, &key, &rules).unwrap();
            assert_eq!(read.claims["sub"], "ada");
            assert_eq!(ring.verify(Typ::Id, &token), Some(claims.into_bytes()));
        }
    }

    #[test]
    fn one_kind_of_token_is_not_another() {
        let (ring, now) = (ring(), Timestamp::UNIX_EPOCH);
        let token = ring.sign((Algorithm::Es256, Typ::Id), "{}", now).unwrap();
        assert!(ring.verify(Typ::Id, &token).is_some());
        assert_eq!(ring.verify(Typ::Access, &token), None);
        assert_eq!(ring.verify(Typ::Logout, &token), None);
    }

    /// No letter of a token may be another one, and no algorithm may be left out or exchanged.
    #[test]
    fn a_changed_token_is_refused() {
        let (ring, now) = (ring(), Timestamp::UNIX_EPOCH);
        let token = ring.sign((Algorithm::Es256, Typ::Id), r#"{"sub":"ada"}"#, now).unwrap();
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(ring.verify(Typ::Id, &changed), None, "{at}");
        }
        let (_, rest) = token.split_once('.').unwrap();
        for header in [
            json!({"alg": "none", "typ": "JWT", "kid": "es256"}),
            json!({"alg": "HS256", "typ": "JWT", "kid": "es256"}),
            json!({"alg": "RS256", "typ": "JWT", "kid": "es256"}),
            json!({"alg": "ES256", "typ": "JWT", "kid": "rs256"}),
            json!({"alg": "ES256", "typ": "JWT"}),
        ] {
            let forged = format!("{}.{rest}", base64(header.to_string().as_bytes()));
            assert_eq!(ring.verify(Typ::Id, &forged), None, "{header}");
        }
        for text in ["", ".", "..", "a.b", "a.b.c.d"] {
            assert_eq!(ring.verify(Typ::Id, text), None, "{text}");
        }
    }
}
