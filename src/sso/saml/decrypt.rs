//! Encrypted assertions (XML Encryption 1.1): one key for us, by RSA-OAEP; one text, by AES. What comes out has
//! proved nothing yet.

use bergshamra::crypto::cipher;
use bergshamra::crypto::keytransport::{self, OaepParams};

use super::Fault;
use super::own_key::OwnKey;
use super::xml::{Node, base64, ns};

/// AES-GCM, whose texts cannot be changed unnoticed.
const AUTHENTICATED: [&str; 3] = [
    "http://www.w3.org/2009/xmlenc11#aes128-gcm",
    "http://www.w3.org/2009/xmlenc11#aes192-gcm",
    "http://www.w3.org/2009/xmlenc11#aes256-gcm",
];

/// AES-CBC, whose texts can: who may try them learns the plaintext from our answers.
const MALLEABLE: [&str; 3] = [
    "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
    "http://www.w3.org/2001/04/xmlenc#aes192-cbc",
    "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
];

/// RSA-OAEP in its two names; PKCS #1 v1.5 is an oracle too.
const TRANSPORTS: [&str; 2] =
    ["http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p", "http://www.w3.org/2009/xmlenc11#rsa-oaep"];

/// Keys that are tried, one of which should be for us.
const MOST_KEYS: usize = 4;

/// The text of an encrypted assertion. CBC is taken only inside a signed response (`authentic`), where nobody can
/// have changed it.
///
/// # Errors
/// [`Fault::Encryption`], whatever is wrong.
pub(super) fn open(encrypted: Node<'_>, own: &OwnKey, authentic: bool) -> Result<String, Fault> {
    try_open(encrypted, own, authentic).ok_or(Fault::Encryption)
}

fn try_open(encrypted: Node<'_>, own: &OwnKey, authentic: bool) -> Option<String> {
    let data = encrypted.only(ns::ENCRYPTION, "EncryptedData")?;
    let method = method(data)?;
    let accepted = AUTHENTICATED.contains(&method) || (authentic && MALLEABLE.contains(&method));
    if !accepted {
        return None;
    }
    let info = data.only(ns::SIGNATURE, "KeyInfo");
    let within = info.map(|info| info.named(ns::ENCRYPTION, "EncryptedKey")).unwrap_or_default();
    let beside = encrypted.named(ns::ENCRYPTION, "EncryptedKey");
    let cipher = cipher::from_uri(method).ok()?;
    let text = value(data)?;
    let mut keys = within.into_iter().chain(beside).take(MOST_KEYS);
    let plain = keys.find_map(|key| {
        let key = transported(key, own)?;
        (key.len() == cipher.key_size()).then(|| cipher.decrypt(&key, &text).ok())?
    });
    String::from_utf8(plain?).ok()
}

/// The key that was sent to us.
fn transported(key: Node<'_>, own: &OwnKey) -> Option<Vec<u8>> {
    let uri = method(key).filter(|uri| TRANSPORTS.contains(uri))?;
    let method = key.only(ns::ENCRYPTION, "EncryptionMethod")?;
    let of = |node: Option<Node<'_>>| Some(node?.attribute("Algorithm")?.to_owned());
    let label = match method.only(ns::ENCRYPTION, "OAEPparams") {
        Some(label) => Some(base64(&label.text()?)?),
        None => None,
    };
    let parameters = OaepParams {
        digest_uri: of(method.only(ns::SIGNATURE, "DigestMethod")),
        mgf_uri: of(method.only(ns::ENCRYPTION_11, "MGF")),
        oaep_params: label,
    };
    let transport = keytransport::from_uri_with_params(uri, parameters).ok()?;
    transport.decrypt(own.private(), &value(key)?).ok()
}

fn method(node: Node<'_>) -> Option<&str> {
    node.only(ns::ENCRYPTION, "EncryptionMethod")?.attribute("Algorithm")
}

fn value(node: Node<'_>) -> Option<Vec<u8>> {
    let data = node.only(ns::ENCRYPTION, "CipherData")?;
    base64(&data.only(ns::ENCRYPTION, "CipherValue")?.text()?)
}
