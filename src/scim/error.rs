//! What SCIM says when it refuses (RFC 7644 §3.12): a status, a keyword, a sentence.
//!
//! This module never decides who sees what; `http::error` writes the answer.

pub use scim_v2::models::errors::{ScimHttpError, ScimType};

/// The result of every protocol function.
pub type ScimResult<T> = Result<T, ScimError>;

/// Longest `detail` that leaves the server, in characters: a hostile input is never echoed whole.
const DETAIL_LIMIT: usize = 300;

/// A refusal in SCIM's own words (RFC 7644 §3.12).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    /// The HTTP status.
    pub status: u16,
    /// The keyword of RFC 7644 table 9 or RFC 9865 §3, where one fits.
    pub scim_type: Option<ScimType>,
    /// What to mend, for a person. Capped, free of secrets.
    pub detail: String,
}

impl ScimError {
    /// A refusal with any status and keyword.
    pub fn new(status: u16, scim_type: Option<ScimType>, detail: impl Into<String>) -> Self {
        let mut detail: String = detail.into();
        if let Some((end, _)) = detail.char_indices().nth(DETAIL_LIMIT) {
            detail.truncate(end);
            detail.push('…');
        }
        Self { status, scim_type, detail }
    }

    /// 400 `invalidFilter`: the filter cannot be read, or asks for what cannot be compared.
    pub fn invalid_filter(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidFilter), detail)
    }

    /// 400 `invalidPath`: a PATCH path that is malformed or names nothing.
    pub fn invalid_path(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidPath), detail)
    }

    /// 400 `invalidValue`: a value of the wrong type, too long, or missing where one is required.
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidValue), detail)
    }

    /// 400 `invalidSyntax`: the body is not what the request's schema says.
    pub fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidSyntax), detail)
    }

    /// 400 `noTarget`: a path that matches nothing where something is needed.
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::NoTarget), detail)
    }

    /// 400 `mutability`: a readOnly attribute as a target, or a set immutable one.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::Mutability), detail)
    }

    /// 400 with a keyword of RFC 9865 §3 (`invalidCursor`, `expiredCursor`, `invalidCount`).
    pub fn paging(keyword: &str, detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::Other(keyword.to_owned())), detail)
    }

    /// 409 `uniqueness`: another resource of the company has this value.
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        Self::new(409, Some(ScimType::Uniqueness), detail)
    }

    /// 413: more than a documented maximum.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(413, None, detail)
    }

    /// 404, in the same words for an unknown id and another company's.
    pub fn not_found() -> Self {
        Self::new(404, None, "Resource not found")
    }

    /// 412: `If-Match` named another version (RFC 7644 §3.14).
    pub fn version_mismatch() -> Self {
        Self::new(412, None, "The resource has changed since the version in If-Match")
    }

    /// The error resource of RFC 7644 §3.12.
    pub fn to_body(&self) -> ScimHttpError {
        ScimHttpError {
            scim_type: self.scim_type.clone(),
            detail: Some(self.detail.clone()),
            status: self.status.to_string(),
            ..ScimHttpError::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_detail_is_cut() {
        let error = ScimError::invalid_filter("ü".repeat(10_000));
        assert_eq!(error.detail.chars().count(), DETAIL_LIMIT + 1);
    }

    #[test]
    fn the_body_has_a_status_as_string() {
        let body = serde_json::to_value(ScimError::uniqueness("taken").to_body()).unwrap();
        assert_eq!(body["status"], "409");
        assert_eq!(body["scimType"], "uniqueness");
        assert_eq!(body["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error");
    }
}
