//! The cursor of a list (RFC 9865 §2): a place in it, as an opaque text that only we can make.
//!
//! The caller gives the key's work (`tag`) and the time: this module holds neither key nor clock.
//! It never says where the place is in a table.

use super::error::{ScimError, ScimResult};

/// The layout below; another one is another number, so that an old cursor is refused, not misread.
const FORMAT: u8 = 1;
/// Length of the keyed tag.
const TAG: usize = 16;
/// Format, three numbers of 64 bits, and whether a sort key follows.
const HEAD: usize = 1 + 3 * 8 + 1;
/// Longest cursor that is looked at. The longest sort key (16,384 characters) fits.
const MAX_LENGTH: usize = 256 * 1024;

/// A place in a list: behind the last resource of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The last resource's own place in the order that never changes.
    pub position: i64,
    /// Its key of `sortBy`; `None` where it has no value there, or nothing is sorted.
    pub sort: Option<String>,
    /// Which query it belongs to ([`fingerprint`](super::list::ListQuery::fingerprint)).
    pub fingerprint: u64,
    /// When it was made, in seconds of Unix time.
    pub issued: i64,
}

impl Cursor {
    /// The cursor as a text of hexadecimal digits, which RFC 3986 §2.3 leaves unreserved.
    /// `tag` is a keyed digest of what it is given.
    pub fn encode(&self, tag: impl Fn(&[u8]) -> [u8; TAG]) -> String {
        let sort = self.sort.as_deref().unwrap_or_default();
        let mut bytes = Vec::with_capacity(HEAD + sort.len() + TAG);
        bytes.push(FORMAT);
        bytes.extend(self.issued.to_be_bytes());
        bytes.extend(self.position.to_be_bytes());
        bytes.extend(self.fingerprint.to_be_bytes());
        bytes.push(u8::from(self.sort.is_some()));
        bytes.extend(sort.as_bytes());
        bytes.extend(tag(&bytes));
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads a cursor of the query with this `fingerprint`. It lives `ttl` seconds until `now`.
    ///
    /// # Errors
    /// `invalidCursor`: forged, cut, of another query, company or server, in one sentence for all;
    /// `expiredCursor`: genuine, but too old (RFC 9865 §2.1).
    pub fn decode(
        text: &str,
        fingerprint: u64,
        now: i64,
        ttl: i64,
        tag: impl Fn(&[u8]) -> [u8; TAG],
    ) -> ScimResult<Self> {
        let cursor = Self::read(text, tag).filter(|c| c.fingerprint == fingerprint);
        let Some(cursor) = cursor else {
            return Err(ScimError::paging(
                "invalidCursor",
                "The cursor is not one of this query; start again with an empty one",
            ));
        };
        if now.saturating_sub(cursor.issued) > ttl {
            return Err(ScimError::paging(
                "expiredCursor",
                format!("The cursor is older than {ttl} seconds; start again with an empty one"),
            ));
        }
        Ok(cursor)
    }

    fn read(text: &str, tag: impl Fn(&[u8]) -> [u8; TAG]) -> Option<Self> {
        let bytes = from_hex(text)?;
        let (signed, given) = bytes.split_last_chunk::<TAG>()?;
        if !same(&tag(signed), given) {
            return None;
        }
        let (&format, rest) = signed.split_first()?;
        let (issued, rest) = rest.split_first_chunk::<8>()?;
        let (position, rest) = rest.split_first_chunk::<8>()?;
        let (fingerprint, rest) = rest.split_first_chunk::<8>()?;
        let (&sorted, sort) = rest.split_first()?;
        let sort = String::from_utf8(sort.to_vec()).ok()?;
        (format == FORMAT).then(|| Self {
            issued: i64::from_be_bytes(*issued),
            position: i64::from_be_bytes(*position),
            fingerprint: u64::from_be_bytes(*fingerprint),
            sort: (sorted == 1).then_some(sort),
        })
    }
}

/// Compares in a time that does not tell where two tags differ.
fn same(a: &[u8; TAG], b: &[u8; TAG]) -> bool {
    a.iter().zip(b).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands in for a keyed digest: depends on every byte, on its place and on the key.
    fn keyed(key: u8) -> impl Fn(&[u8]) -> [u8; TAG] {
        move |bytes| {
            let mut tag = [key; TAG];
            for (i, byte) in bytes.iter().enumerate() {
                let slot = &mut tag[i % TAG];
                *slot = slot.wrapping_mul(31).wrapping_add(*byte).rotate_left(3) ^ key;
            }
            tag
        }
    }

    fn cursor(sort: Option<&str>) -> Cursor {
        Cursor { position: -7, sort: sort.map(str::to_owned), fingerprint: 42, issued: 1_000 }
    }

    fn refusal(text: &str, now: i64) -> String {
        Cursor::decode(text, 42, now, 60, keyed(1)).unwrap_err().scim_type.unwrap().to_string()
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        for sort in [None, Some(""), Some("väre"), Some(&*"x".repeat(16_384))] {
            let text = cursor(sort).encode(keyed(1));
            assert!(text.bytes().all(|b| b.is_ascii_hexdigit()));
            assert_eq!(Cursor::decode(&text, 42, 1_060, 60, keyed(1)), Ok(cursor(sort)));
        }
    }

    /// Hostile input 31: nobody makes a cursor but the server.
    #[test]
    fn a_forged_or_foreign_cursor_is_refused() {
        let text = cursor(Some("k")).encode(keyed(1));
        for i in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[i] = if forged[i] == b'0' { b'1' } else { b'0' };
            assert_eq!(refusal(&String::from_utf8(forged).unwrap(), 1_000), "invalidCursor");
            assert_eq!(refusal(&text[..i], 1_000), "invalidCursor");
        }
        for bad in ["", "x", "zz", "é", &text.to_uppercase(), &"0".repeat(MAX_LENGTH + 2)] {
            assert_eq!(refusal(bad, 1_000), "invalidCursor");
        }
        assert!(Cursor::decode(&text, 43, 1_000, 60, keyed(1)).is_err());
        assert!(Cursor::decode(&text, 42, 1_000, 60, keyed(2)).is_err());
    }

    #[test]
    fn another_format_is_refused() {
        let tag = keyed(1);
        let mut bytes = from_hex(&cursor(None).encode(&tag)).unwrap();
        bytes.truncate(bytes.len() - TAG);
        bytes[0] = FORMAT + 1;
        bytes.extend(tag(&bytes));
        let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(refusal(&text, 1_000), "invalidCursor");
    }

    #[test]
    fn a_cursor_ages_but_a_clock_set_back_does_no_harm() {
        let text = cursor(None).encode(keyed(1));
        assert_eq!(refusal(&text, 1_061), "expiredCursor");
        assert!(Cursor::decode(&text, 42, 0, 60, keyed(1)).is_ok());
        assert!(Cursor::decode(&text, 42, i64::MIN, 60, keyed(1)).is_ok());
    }
}
