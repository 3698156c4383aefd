//! Ids: the ones that the outside sees are UUIDv7 texts, the ones that rows use are small numbers.

/// A company's storage key: the first column of every table of its data, never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CompanySeq(pub i64);

/// Whether a text has the form of an id of ours: a hyphenated UUID in lower case.
///
/// Ids compare with case (RFC 7643 §3.1), so another spelling is another, unknown id.
pub fn is_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_spelling_is_an_id() {
        assert!(is_id("0198c0de-0000-7000-8000-00000000abcd"));
        for other in [
            "",
            "0198C0DE-0000-7000-8000-00000000ABCD",
            "1",
            "' OR 1=1--",
            "0198c0de00007000800000000000abcd",
        ] {
            assert!(!is_id(other), "{other}");
        }
    }
}
