//! The envelope of a protocol message (RFC 7644 §8.2): its members under any case, and its URN.
//!
//! Shared by the messages that are no resource (`SearchRequest`, `BulkRequest`). It never looks at
//! what a member means.

use serde_json::{Map, Value};

use super::error::{ScimError, ScimResult};

/// The members of one JSON object, found without regard to case (RFC 7643 §2.1).
#[derive(Debug)]
pub struct Message(Map<String, Value>);

impl Message {
    /// Reads a whole message. A missing `schemas` is tolerated, as for resources; another
    /// message's URN is not.
    ///
    /// # Errors
    /// `invalidSyntax`: two spellings of one name, or `schemas` without `urn`.
    pub fn read(body: Map<String, Value>, urn: &str) -> ScimResult<Self> {
        let mut message = Self::part(body)?;
        let is_ours = |v: &Value| v.as_str().is_some_and(|s| s.eq_ignore_ascii_case(urn));
        let named = match message.take("schemas") {
            None => true,
            Some(Value::Array(urns)) => urns.is_empty() || urns.iter().any(is_ours),
            Some(other) => is_ours(&other),
        };
        if !named {
            return Err(ScimError::invalid_syntax(format!("schemas must name {urn}")));
        }
        Ok(message)
    }

    /// Reads an object inside a message: it has no `schemas` of its own.
    ///
    /// # Errors
    /// `invalidSyntax`: two spellings of one name.
    pub fn part(body: Map<String, Value>) -> ScimResult<Self> {
        let mut members = Map::with_capacity(body.len());
        for (key, value) in body {
            if members.insert(key.to_ascii_lowercase(), value).is_some() {
                return Err(ScimError::invalid_syntax(format!(
                    "{key} stands twice, in two spellings"
                )));
            }
        }
        Ok(Self(members))
    }

    /// Takes the member out; null is unassigned (RFC 7643 §2.5).
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.0.swap_remove(&name.to_ascii_lowercase()).filter(|value| !value.is_null())
    }

    /// Takes a member that must be a text.
    ///
    /// # Errors
    /// `invalidValue`: it is something else.
    pub fn take_text(&mut self, name: &str) -> ScimResult<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ScimError::invalid_value(format!("{name} must be a text"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const URN: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

    fn read(body: Value) -> ScimResult<Message> {
        let Value::Object(map) = body else { panic!("an object") };
        Message::read(map, URN)
    }

    #[test]
    fn schemas_may_be_missing_but_not_foreign() {
        for ok in [json!({}), json!({"schemas": []}), json!({"Schemas": [URN.to_lowercase()]})] {
            assert!(read(ok.clone()).is_ok(), "{ok}");
        }
        let other = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
        for bad in [json!({"schemas": [other]}), json!({"schemas": 1}), json!({"schemas": {}})] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn members_are_found_without_case_and_only_once() {
        let mut message = read(json!({"SortBy": "userName", "count": null})).unwrap();
        assert_eq!(message.take_text("sortBy").unwrap().as_deref(), Some("userName"));
        assert_eq!(message.take("count"), None);
        assert!(read(json!({"count": 1, "Count": 1})).is_err());
    }
}
