//! What came back.

use std::fmt;

use reqwest::header::HeaderMap;
use url::Url;

/// An answer, whole. Its body is shown to nobody as it is: not to the tenant, and not in a log.
#[derive(Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Where it came from in the end.
    pub url: Url,
    /// The body.
    pub body: Vec<u8>,
    headers: HeaderMap,
}

impl Answer {
    pub(super) fn new(status: u16, url: Url, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self { status, url, body, headers }
    }

    /// The value of a header; `None` where it is absent or no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, body, .. } = self;
        write!(f, "Answer({status}, {} bytes)", body.len())
    }
}
