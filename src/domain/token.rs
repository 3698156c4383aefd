//! The text of a secret token: kind, public id, secret, checksum (ruling 2, SECURITY.md).
//!
//! `stgd_scim_<12 characters public id>_<43 characters secret><6 characters checksum>`: a scanner
//! finds it by its prefix and tells a real one by its checksum, without asking anybody.

use jiff::{SignedDuration, Timestamp};

use super::id::CompanySeq;

/// What a secret opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A company's directory, over SCIM.
    Scim,
    /// The management API, for a program.
    Api,
    /// The management API, for a person who signed in.
    Session,
    /// The secret of an application.
    Client,
    /// A grant's code, which an application exchanges.
    Code,
    /// A grant's refresh token.
    Refresh,
}

impl Kind {
    /// What the text begins with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Scim => SCIM_PREFIX,
            Self::Api => "stgd_api_",
            Self::Session => "stgd_session_",
            Self::Client => "stgd_client_",
            Self::Code => "stgd_code_",
            Self::Refresh => "stgd_refresh_",
        }
    }
}

/// The prefix of SCIM tokens.
pub const SCIM_PREFIX: &str = "stgd_scim_";

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;

/// A secret's text, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenText<'t> {
    /// Which one it is; no secret.
    pub id: &'t str,
    /// What proves it.
    pub secret: &'t str,
}

/// Takes a presented text apart; `None` where it cannot be a secret of this kind.
pub fn parse(kind: Kind, text: &str) -> Option<TokenText<'_>> {
    let rest = text.strip_prefix(kind.prefix())?;
    let (id, tail) = rest.split_once('_')?;
    let sound = |s: &str, n| s.len() == n && s.bytes().all(|b| b.is_ascii_alphanumeric());
    if !sound(id, ID_LENGTH) || !sound(tail, SECRET_LENGTH + CHECKSUM_LENGTH) {
        return None;
    }
    let (secret, sum) = tail.split_at(SECRET_LENGTH);
    let body = &text[..text.len() - CHECKSUM_LENGTH];
    (checksum(body) == sum).then_some(TokenText { id, secret })
}

/// A new token's text from random bytes, as (public id, whole text).
///
/// `None` where the bytes do not suffice: characters are drawn without bias, so some are passed over.
pub fn compose(kind: Kind, random: &[u8]) -> Option<(String, String)> {
    let mut letters = random
        .iter()
        .filter(|b| usize::from(**b) < 256 - 256 % ALPHABET.len())
        .map(|b| char::from(ALPHABET[usize::from(*b) % ALPHABET.len()]));
    let id: String = letters.by_ref().take(ID_LENGTH).collect();
    let secret: String = letters.take(SECRET_LENGTH).collect();
    if secret.len() < SECRET_LENGTH {
        return None;
    }
    let mut text = format!("{}{id}_{secret}", kind.prefix());
    let sum = checksum(&text);
    text.push_str(&sum);
    Some((id, text))
}

/// The text of a secret of this kind for something that has a public id already.
///
/// `None` where id or secret have not the form that [`compose`] gives them.
pub fn text(kind: Kind, id: &str, secret: &str) -> Option<String> {
    let mut text = format!("{}{id}_{secret}", kind.prefix());
    let sum = checksum(&text);
    text.push_str(&sum);
    parse(kind, &text).is_some().then_some(text)
}

/// The base62 CRC-32 of a text, as GitHub's tokens carry it.
fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes()) as usize;
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[rest % ALPHABET.len()];
        rest /= ALPHABET.len();
    }
    digits.iter().map(|d| char::from(*d)).collect()
}

/// A SCIM token as stored: never the secret itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ScimToken {
    /// Its public id.
    pub id: String,
    /// Whose directory it opens.
    pub company: CompanySeq,
    /// Its name for people.
    pub name: String,
    /// The keyed digest of the secret.
    pub digest: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
    /// The public id of the token that took its place.
    pub rotated_to: Option<String>,
    /// The last request, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// Where the last request came from.
    pub last_used_ip: Option<String>,
}

/// How a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// Opens the directory.
    Live,
    /// Ended by time.
    Expired,
    /// Ended by hand.
    Revoked,
}

impl TokenState {
    /// How a secret with these two ends stands at this moment.
    pub fn of(revoked_at: Option<Timestamp>, expires_at: Timestamp, now: Timestamp) -> Self {
        if revoked_at.is_some_and(|at| at <= now) {
            Self::Revoked
        } else if expires_at <= now {
            Self::Expired
        } else {
            Self::Live
        }
    }
}

impl ScimToken {
    /// How the token stands at this moment.
    pub fn state(&self, now: Timestamp) -> TokenState {
        TokenState::of(self.revoked_at, self.expires_at, now)
    }
}

/// Life of a token where none is asked for.
pub const DEFAULT_LIFE: SignedDuration = SignedDuration::from_hours(365 * 24);
/// Longest life of a token; "never" is not offered.
pub const MAX_LIFE: SignedDuration = SignedDuration::from_hours(730 * 24);
/// How long the former token lives on at a rotation, unless told otherwise.
pub const DEFAULT_OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// Longest overlap of a rotation.
pub const MAX_OVERLAP: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Remaining life below which `token list` and the log warn.
pub const EXPIRY_WARNING: SignedDuration = SignedDuration::from_hours(30 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> String {
        let random: Vec<u8> = (0..96).map(|i| i * 2 + 1).collect();
        compose(Kind::Scim, &random).unwrap().1
    }

    #[test]
    fn what_is_composed_is_parsed() {
        let text = token();
        assert_eq!(text.len(), SCIM_PREFIX.len() + 12 + 1 + 43 + 6);
        let parsed = parse(Kind::Scim, &text).unwrap();
        assert_eq!((parsed.id.len(), parsed.secret.len()), (12, 43));
    }

    /// security.md (b): a SCIM token is no admin token and the other way round.
    #[test]
    fn one_kind_is_not_another() {
        assert_eq!(parse(Kind::Api, &token()), None);
        let random: Vec<u8> = (0..96).collect();
        let (_, key) = compose(Kind::Api, &random).unwrap();
        assert!(parse(Kind::Api, &key).is_some());
        assert_eq!(parse(Kind::Scim, &key), None);
    }

    #[test]
    fn a_wrong_letter_is_seen_by_the_checksum() {
        let text = token();
        for at in SCIM_PREFIX.len()..text.len() {
            let mut broken: Vec<char> = text.chars().collect();
            broken[at] = if broken[at] == 'x' { 'y' } else { 'x' };
            assert_eq!(parse(Kind::Scim, &broken.into_iter().collect::<String>()), None, "{at}");
        }
    }

    /// Security S8: nothing blank authenticates.
    #[test]
    fn blank_and_foreign_texts_are_no_tokens() {
        for text in
            ["", " ", "null", "undefined", "stgd_scim_", "stgd_scim__", "stgd_api_x", "Bearer"]
        {
            assert_eq!(parse(Kind::Scim, text), None, "{text}");
        }
        assert_eq!(compose(Kind::Scim, &[255; 96]), None);
    }
}
