//! Versions of a resource as weak `ETag`s, and the conditions that clients put on them (RFC 7644 §3.14).
//!
//! A version is made of what the store counts. Nothing here decides which requests are conditional.

use super::error::{ScimError, ScimResult};

/// The opaque tag of one state of a resource (RFC 9110 §8.8.3). Shown as a weak `ETag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// The version of a resource's `revision`. `extra` is a digest of what an answer shows beside
    /// the stored resource (a user's groups, a status), where that can change by itself.
    pub fn new(revision: i64, extra: Option<u32>) -> Self {
        Self(match extra {
            None => revision.to_string(),
            Some(digest) => format!("{revision}-{digest:08x}"),
        })
    }

    /// The tag without the quotes: digits and a hyphen.
    pub fn opaque(&self) -> &str {
        &self.0
    }

    /// `W/"…"`, as `ETag` and `meta.version` show it.
    pub fn etag(&self) -> String {
        ["W/\"", &self.0, "\""].concat()
    }
}

/// What `If-Match`, `If-None-Match` or the `version` of a bulk operation names (RFC 9110 §13.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// `*`: whatever there is.
    Any,
    /// One of these opaque tags.
    Versions(Vec<String>),
}

impl Precondition {
    /// Reads a header's value; several headers of one name are joined with commas first.
    ///
    /// # Errors
    /// `invalidValue`: neither `*` nor a list of entity tags. A condition that cannot be read is
    /// never taken for one that holds.
    pub fn parse(header: &str) -> ScimResult<Self> {
        if header.trim() == "*" {
            return Ok(Self::Any);
        }
        let mut tags = Vec::new();
        let mut rest = header.trim_start_matches(is_separator);
        while !rest.is_empty() {
            let opened = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"');
            let (tag, after) = opened.and_then(|o| o.split_once('"')).ok_or_else(malformed)?;
            if !tag.chars().all(is_tag_char)
                || !(after.is_empty() || after.starts_with(is_separator))
            {
                return Err(malformed());
            }
            tags.push(tag.to_owned());
            rest = after.trim_start_matches(is_separator);
        }
        if tags.is_empty() { Err(malformed()) } else { Ok(Self::Versions(tags)) }
    }

    /// Whether the current version is among those named.
    ///
    /// Weak comparison, also for `If-Match`: RFC 7644 §3.14 puts weak tags there, which the strong
    /// comparison of RFC 9110 §13.1.1 would never let match. `If-None-Match` holds when this is false.
    pub fn matches(&self, current: &Version) -> bool {
        match self {
            Self::Any => true,
            Self::Versions(tags) => tags.contains(&current.0),
        }
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '\t' | ',')
}

/// `etagc` of RFC 9110 §8.8.3.
fn is_tag_char(c: char) -> bool {
    c == '!' || ('#'..='~').contains(&c) || c >= '\u{80}'
}

fn malformed() -> ScimError {
    ScimError::invalid_value("A version must be * or a list of entity tags such as W/\"17\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_weak_tag() {
        assert_eq!(Version::new(17, None).etag(), "W/\"17\"");
        assert_eq!(Version::new(17, Some(0xab)).etag(), "W/\"17-000000ab\"");
        assert_ne!(Version::new(17, None), Version::new(17, Some(0)));
    }

    #[test]
    fn what_was_printed_matches() {
        let version = Version::new(3, Some(1));
        assert!(Precondition::parse(&version.etag()).unwrap().matches(&version));
        assert!(!Precondition::parse("W/\"3\"").unwrap().matches(&version));
    }

    #[test]
    fn lists_strong_forms_and_the_star_are_read() {
        let current = Version::new(2, None);
        for header in ["\"2\"", "W/\"1\", W/\"2\"", "\"1\",,\t\"2\" ,", " * ", "\"a,b\", \"2\""] {
            assert!(Precondition::parse(header).unwrap().matches(&current), "{header}");
        }
        for header in ["\"1\"", "W/\"22\"", "\"W/2\"", "\"\""] {
            assert!(!Precondition::parse(header).unwrap().matches(&current), "{header}");
        }
    }

    #[test]
    fn a_malformed_header_is_refused() {
        for header in [
            "",
            " , ",
            "2",
            "W/2",
            "w/\"2\"",
            "\"2",
            "2\"",
            "\"2\"\"3\"",
            "\"2\" 3",
            "*, \"2\"",
            "\"a b\"",
        ] {
            assert!(Precondition::parse(header).is_err(), "{header}");
        }
    }
}
