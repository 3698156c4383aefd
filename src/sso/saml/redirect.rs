//! The redirect binding (SAML 2.0 Bindings §3.4): a message deflated into a query, with a signature over the query
//! as it stands there.

use std::io::{Read as _, Write as _};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::Fault;
use super::own_key::{ALGORITHM, OwnKey};
use super::verify::Pinned;
use super::xml::{self, MESSAGE};

/// Longest query that is read, in bytes.
const LONGEST_QUERY: usize = 64 * 1024;

/// Whether a message asks or answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It asks.
    Request,
    /// It answers.
    Response,
}

impl Kind {
    /// The parameter that carries it, in queries and in forms.
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Request => "SAMLRequest",
            Self::Response => "SAMLResponse",
        }
    }
}

/// The address that takes a message to its receiver, signed where there is a key to sign with.
///
/// # Errors
/// [`Fault::Signature`], which no key that was read gives.
pub fn address(
    receiver: &str,
    (kind, message): (Kind, &str),
    relay_state: Option<&str>,
    key: Option<&OwnKey>,
) -> Result<String, Fault> {
    let mut query =
        format!("{}={}", kind.parameter(), escaped(&STANDARD.encode(deflated(message))));
    if let Some(relay_state) = relay_state {
        query.push_str(&format!("&RelayState={}", escaped(relay_state)));
    }
    if let Some(key) = key {
        query.push_str(&format!("&SigAlg={}", escaped(ALGORITHM)));
        let signature = STANDARD.encode(key.sign(query.as_bytes())?);
        query.push_str(&format!("&Signature={}", escaped(&signature)));
    }
    let joint = if receiver.contains('?') { '&' } else { '?' };
    Ok(format!("{receiver}{joint}{query}"))
}

fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn deflated(message: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail.
    let written = encoder.write_all(message.as_bytes());
    written.and_then(|()| encoder.finish()).unwrap_or_default()
}

/// A message that came by the redirect binding.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    /// Whether it asks or answers.
    pub kind: Kind,
    /// The message.
    pub message: String,
    /// What the sender wants back.
    pub relay_state: Option<String>,
}

/// Reads a query, and checks the signature in it, which must be there. Its size is checked first: no more is
/// inflated than a message may have.
///
/// # Errors
/// [`Fault::TooLarge`], counted while inflating; [`Fault::Malformed`]; [`Fault::Structure`] where a parameter is
/// there twice; [`Fault::Unsigned`], [`Fault::Algorithm`], [`Fault::Signature`].
pub fn read(query: &str, pinned: &Pinned) -> Result<Received, Fault> {
    if query.len() > LONGEST_QUERY {
        return Err(Fault::TooLarge);
    }
    let raw = |name: &str| {
        let mut found =
            query.split('&').filter_map(|pair| pair.split_once('=').filter(|(n, _)| *n == name));
        match (found.next(), found.next()) {
            (first, None) => Ok(first.map(|(_, value)| value)),
            _ => Err(Fault::Structure("a parameter is there twice")),
        }
    };
    let (kind, message) = match (raw("SAMLRequest")?, raw("SAMLResponse")?) {
        (Some(message), None) => (Kind::Request, message),
        (None, Some(message)) => (Kind::Response, message),
        _ => return Err(Fault::Malformed("it carries no message, or two")),
    };
    if raw("SAMLEncoding")?.is_some() {
        return Err(Fault::Malformed("its encoding is not known"));
    }
    let text = inflated(&base64(message)?)?;
    let (Some(algorithm), Some(signature)) = (raw("SigAlg")?, raw("Signature")?) else {
        return Err(Fault::Unsigned);
    };
    let mut octets = format!("{}={message}", kind.parameter());
    let relay_state = raw("RelayState")?;
    if let Some(relay_state) = relay_state {
        octets.push_str(&format!("&RelayState={relay_state}"));
    }
    octets.push_str(&format!("&SigAlg={algorithm}"));
    pinned.check(&unescaped(algorithm)?, octets.as_bytes(), &base64(signature)?)?;
    let relay_state = relay_state.map(unescaped).transpose()?;
    Ok(Received { kind, message: text, relay_state })
}

fn unescaped(raw: &str) -> Result<String, Fault> {
    let named = format!("v={raw}");
    let mut pairs = form_urlencoded::parse(named.as_bytes());
    match (pairs.next(), pairs.next()) {
        (Some((_, value)), None) => Ok(value.into_owned()),
        _ => Err(Fault::Malformed("a parameter cannot be read")),
    }
}

fn base64(raw: &str) -> Result<Vec<u8>, Fault> {
    xml::base64(&unescaped(raw)?).ok_or(Fault::Malformed("a parameter is not base64"))
}

fn inflated(deflated: &[u8]) -> Result<String, Fault> {
    let mut plain = Vec::new();
    let most = u64::try_from(MESSAGE.bytes).unwrap_or(u64::MAX).saturating_add(1);
    let read = DeflateDecoder::new(deflated).take(most).read_to_end(&mut plain);
    if read.is_err() {
        return Err(Fault::Malformed("it is not deflated"));
    }
    if plain.len() > MESSAGE.bytes {
        return Err(Fault::TooLarge);
    }
    String::from_utf8(plain).map_err(|_| Fault::Malformed("it is not UTF-8"))
}
