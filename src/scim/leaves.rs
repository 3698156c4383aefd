//! The comparable values of a resource, one by one: what storage indexes for filters and sorts.
//!
//! Attributes that storage keeps in columns of their own are left out ([`in_column`]).

use serde_json::{Map, Value};

use super::resource::{Resource, is_primary};
use super::schema::{
    Attribute, AttributePath, ENTERPRISE_URN, ResourceSchema, ResourceType, STATUS_URN,
};
use super::value;

/// One comparable value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leaf {
    /// Which attribute, by [`path_key`].
    pub path: String,
    /// The value as [`value::key`] gives it.
    pub key: String,
    /// Which element of the attribute; 0 is the primary one, or else the first.
    pub element: i16,
}

/// Whether storage keeps this attribute in a column of its own.
pub fn in_column(resource_type: ResourceType, path: &AttributePath) -> bool {
    match (path.extension.as_deref(), path.name.as_str()) {
        (None, "id" | "externalId" | "displayName" | "meta") | (Some(STATUS_URN), _) => true,
        (None, "userName" | "active") => resource_type == ResourceType::User,
        _ => false,
    }
}

/// The name under which an attribute's values are indexed.
pub fn path_key(path: &AttributePath) -> String {
    match path.extension.as_deref() {
        // The longest URN is on most users; a short form keeps the index small.
        Some(ENTERPRISE_URN) => {
            let short = AttributePath { extension: Some("enterprise".to_owned()), ..path.clone() };
            short.to_string()
        }
        _ => path.to_string(),
    }
}

/// The range of names under which the parts of a complex attribute are indexed: from the first text
/// (included) to the second one (not included).
pub fn part_keys(path: &AttributePath) -> (String, String) {
    let whole = path_key(&AttributePath { sub: None, ..path.clone() });
    // '/' follows '.' in every byte order.
    (format!("{whole}."), format!("{whole}/"))
}

/// All comparable values of a resource, in no particular order.
pub fn leaves(schema: &ResourceSchema, resource: &Resource) -> Vec<Leaf> {
    let mut out = Vec::new();
    collect(schema.resource_type, None, &schema.core().attributes, &resource.0, &mut out);
    for extension in schema.extensions() {
        if let Some(Value::Object(map)) = resource.0.get(&extension.id) {
            collect(
                schema.resource_type,
                Some(&extension.id),
                &extension.attributes,
                map,
                &mut out,
            );
        }
    }
    out
}

fn collect(
    resource_type: ResourceType,
    extension: Option<&str>,
    attributes: &[Attribute],
    map: &Map<String, Value>,
    out: &mut Vec<Leaf>,
) {
    for attribute in attributes {
        let path = AttributePath {
            extension: extension.map(str::to_owned),
            name: attribute.name.clone(),
            sub: None,
        };
        let Some(value) = map.get(&attribute.name) else { continue };
        if in_column(resource_type, &path) {
            continue;
        }
        match value {
            Value::Array(items) => {
                let first = items.iter().position(is_primary).unwrap_or(0);
                for (i, item) in items.iter().enumerate() {
                    element(attribute, &path, item, rank(i, first), out);
                }
            }
            value => element(attribute, &path, value, 0, out),
        }
    }
}

/// The place of element `i` where the one at `first` comes first.
fn rank(i: usize, first: usize) -> i16 {
    let place = match i.cmp(&first) {
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Less => i + 1,
        std::cmp::Ordering::Greater => i,
    };
    i16::try_from(place).unwrap_or(i16::MAX)
}

fn element(
    attribute: &Attribute,
    path: &AttributePath,
    value: &Value,
    rank: i16,
    out: &mut Vec<Leaf>,
) {
    match value {
        Value::Object(map) => {
            for sub in &attribute.sub_attributes {
                // A custom sub-attribute may be a list of its own: all of it is of this element.
                let values = match map.get(&sub.name) {
                    Some(Value::Array(items)) => items.as_slice(),
                    Some(single) => std::slice::from_ref(single),
                    None => continue,
                };
                let path = AttributePath { sub: Some(sub.name.clone()), ..path.clone() };
                out.extend(
                    values.iter().filter_map(|value| value::key(sub, value)).map(|key| Leaf {
                        path: path_key(&path),
                        key,
                        element: rank,
                    }),
                );
            }
        }
        value => {
            if let Some(key) = value::key(attribute, value) {
                out.push(Leaf { path: path_key(path), key, element: rank });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::resource::normalise;

    #[test]
    fn every_value_but_those_in_columns_is_a_leaf() {
        let schema = ResourceSchema::user([]);
        let Value::Object(body) = json!({
            "userName": "A", "externalId": "x", "displayName": "D", "active": true, "title": "Dr",
            "emails": [{"value": "A@x", "type": "home"}, {"value": "b@x", "primary": true}],
            ENTERPRISE_URN: {"department": "Locks"},
        }) else {
            unreachable!()
        };
        let resource = normalise(&schema, body).unwrap().resource;
        let mut leaves: Vec<String> = leaves(&schema, &resource)
            .into_iter()
            .map(|l| format!("{} {} {}", l.path, l.element, l.key))
            .collect();
        leaves.sort();
        let want = [
            "emails.primary 0 true",
            "emails.type 1 home",
            "emails.value 0 b@x",
            "emails.value 1 a@x",
            "enterprise:department 0 locks",
            "title 0 dr",
        ];
        assert_eq!(leaves, want);
    }
}
