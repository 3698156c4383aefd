//! What the record of changes says of a change of a connection: what differs, without what might be secret.

use serde_json::{Map, Value, json};

use crate::domain::connection::Document;

/// Settings whose values an IdP may keep secret: that they changed is said, not to what.
const MASKED: [&str; 1] = ["extra_params"];
/// Longest value that is written down.
const LONGEST: usize = 500;

/// The settings that differ, as `section.name`, before and after.
pub(super) fn difference(before: &Document, after: &Document) -> (Value, Value) {
    let (old, new) = (flat(before), flat(after));
    let mut parts = (Map::new(), Map::new());
    for (name, value) in &new {
        let former = old.get(name).unwrap_or(&Value::Null);
        if former != value {
            parts.0.insert(name.clone(), shown(name, former));
            parts.1.insert(name.clone(), shown(name, value));
        }
    }
    for (name, value) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        parts.0.insert(name.clone(), shown(name, value));
        parts.1.insert(name.clone(), Value::Null);
    }
    (Value::Object(parts.0), Value::Object(parts.1))
}

fn flat(document: &Document) -> Map<String, Value> {
    let mut out = Map::new();
    let Ok(Value::Object(sections)) = serde_json::to_value(document) else { return out };
    for (section, value) in sections {
        match value {
            Value::Object(fields) => {
                out.extend(fields.into_iter().map(|(name, v)| (format!("{section}.{name}"), v)));
            }
            other => {
                out.insert(section, other);
            }
        }
    }
    // Certificates by their fingerprints.
    if let Some(Value::Array(certificates)) = out.get_mut("saml.certificates") {
        for one in certificates {
            *one = one["fingerprint"].take();
        }
    }
    out
}

fn shown(name: &str, value: &Value) -> Value {
    let masked = MASKED.iter().any(|field| name.ends_with(field));
    if masked || value.to_string().len() > LONGEST { json!("…") } else { value.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_and_nothing_secret() {
        let before = Document::default();
        let mut after = before.clone();
        after.oidc.client_id = "0oa1".to_owned();
        after.oidc.extra_params.insert("api_key".to_owned(), "hunter2".to_owned());
        let (old, new) = difference(&before, &after);
        assert_eq!(old, json!({"oidc.client_id": "", "oidc.extra_params": "…"}));
        assert_eq!(new, json!({"oidc.client_id": "0oa1", "oidc.extra_params": "…"}));
    }
}
