//! The server's own key, and everything that is derived from it: digests of tokens, tags of cursors.
//!
//! The key never lies in the database, so that a copy of the database opens nothing.

use aws_lc_rs::{constant_time, hmac};

use crate::clock;
use crate::domain::token::Kind;

use super::sealing::Sealer;

/// Length of the server key in bytes.
pub const KEY_LENGTH: usize = 32;

/// What is derived from the server key, one derived key a purpose.
#[derive(Clone)]
pub struct Keys {
    token: hmac::Key,
    api: hmac::Key,
    session: hmac::Key,
    client: hmac::Key,
    code: hmac::Key,
    refresh: hmac::Key,
    cursor: hmac::Key,
    check: hmac::Key,
    pub(super) sealer: Sealer,
}

impl Keys {
    /// Derives all keys from the server key.
    pub fn new(key: &[u8; KEY_LENGTH]) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, key);
        let derive = |purpose: &str| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, purpose.as_bytes()).as_ref())
        };
        let mut wrapping = [0; KEY_LENGTH];
        for (to, from) in wrapping.iter_mut().zip(hmac::sign(&root, b"sealing").as_ref()) {
            *to = *from;
        }
        Self {
            token: derive("scim token"),
            api: derive("api key"),
            session: derive("session"),
            client: derive("application secret"),
            code: derive("code"),
            refresh: derive("refresh token"),
            cursor: derive("cursor"),
            check: derive("check"),
            sealer: Sealer::new(wrapping),
        }
    }

    /// A new server key, as the hexadecimal text of a key file.
    ///
    /// # Errors
    /// Where the system gives no random bytes.
    pub fn generate() -> Result<String, clock::NoRandomness> {
        Ok(hex(&clock::random::<KEY_LENGTH>()?))
    }

    /// Reads the text of a key file: 64 hexadecimal digits.
    ///
    /// # Errors
    /// One sentence; the text itself is not repeated.
    pub fn parse(text: &str) -> Result<[u8; KEY_LENGTH], &'static str> {
        let wrong = "must be 64 hexadecimal digits (32 bytes)";
        let text = text.trim();
        if text.len() != KEY_LENGTH * 2 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong);
        }
        let mut key = [0; KEY_LENGTH];
        for (byte, pair) in key.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
            let digits = std::str::from_utf8(pair).map_err(|_| wrong)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong)?;
        }
        Ok(key)
    }

    /// The keyed digest of a secret of this kind: no slow hash, since the secret is 256 random bits.
    pub fn digest(&self, kind: Kind, secret: &str) -> Vec<u8> {
        let key = match kind {
            Kind::Scim => &self.token,
            Kind::Api => &self.api,
            Kind::Session => &self.session,
            Kind::Client => &self.client,
            Kind::Code => &self.code,
            Kind::Refresh => &self.refresh,
        };
        hmac::sign(key, secret.as_bytes()).as_ref().to_vec()
    }

    /// A digest by which a request is known again; no secret is in it.
    pub fn fingerprint_of(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.check);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        context.sign().as_ref().to_vec()
    }

    /// Whether a secret has this digest, in a time that does not tell how nearly.
    pub fn fits(&self, kind: Kind, secret: &str, digest: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.digest(kind, secret), digest).is_ok()
    }

    /// The tag that makes a cursor ours.
    pub fn cursor_tag(&self, cursor: &[u8]) -> [u8; 16] {
        let mut tag = [0; 16];
        let signed = hmac::sign(&self.cursor, cursor);
        for (to, from) in tag.iter_mut().zip(signed.as_ref()) {
            *to = *from;
        }
        tag
    }

    /// A text by which a database knows its own key again; tells nothing about it.
    pub fn fingerprint(&self) -> String {
        hex(hmac::sign(&self.check, b"stagedoor").as_ref())
    }
}

/// Bytes as two digits each.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_read_as_it_was_written() {
        let text = Keys::generate().unwrap();
        let key = Keys::parse(&format!("{text}\n")).unwrap();
        assert_eq!(hex(&key), text);
    }

    /// Security S8: an empty or short key stops the start.
    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", " ", "null", &"0".repeat(63), &"g".repeat(64), &"0".repeat(128)] {
            assert!(Keys::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn digests_depend_on_key_and_secret() {
        let (a, b) = (Keys::new(&[1; 32]), Keys::new(&[2; 32]));
        let digest = a.digest(Kind::Scim, "secret");
        assert!(a.fits(Kind::Scim, "secret", &digest));
        assert!(!a.fits(Kind::Scim, "other", &digest));
        assert!(!a.fits(Kind::Api, "secret", &digest));
        assert!(!b.fits(Kind::Scim, "secret", &digest));
        assert!(!a.fits(Kind::Scim, "", &[]));
        assert_ne!(a.fingerprint(), b.fingerprint());
    }
}
