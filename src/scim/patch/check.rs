//! What must hold of a resource after a PATCH, whatever the operations were.
//!
//! Looks at the state before and the state after, never at an operation.

use serde_json::{Map, Value};

use super::MAX_FOREIGN_BYTES;
use crate::scim::error::{ScimError, ScimResult};
use crate::scim::json::MAX_TOP_LEVEL_KEYS;
use crate::scim::resource::{MAX_VALUES, Resource, check_required, is_primary};
use crate::scim::schema::{Attribute, AttributePath, Mutability, ResourceSchema};

/// The same checks as for a write: what is required is there, one value of a list is primary, lists
/// and foreign extensions are within their limits, set immutable attributes stand.
pub fn all(schema: &ResourceSchema, before: &Resource, after: &Resource) -> ScimResult<()> {
    check_required(schema, after)?;
    check_lists(&after.0)?;
    check_immutable(None, &schema.core().attributes, before, after)?;
    for extension in schema.extensions() {
        if let Some(Value::Object(map)) = after.0.get(&extension.id) {
            check_lists(map)?;
        }
        check_immutable(Some(&extension.id), &extension.attributes, before, after)?;
    }
    check_foreign(schema, &after.0)
}

fn check_lists(map: &Map<String, Value>) -> ScimResult<()> {
    for (name, value) in map {
        let Value::Array(items) = value else { continue };
        if items.len() > MAX_VALUES && name != "members" {
            return Err(ScimError::invalid_value(format!(
                "{name} has {} values, more than {MAX_VALUES}",
                items.len()
            )));
        }
        if items.iter().filter(|item| is_primary(item)).count() > 1 {
            return Err(ScimError::invalid_value(format!(
                "{name}: only one value may be primary (RFC 7643 §2.4)"
            )));
        }
    }
    Ok(())
}

fn check_immutable(
    extension: Option<&str>,
    attributes: &[Attribute],
    before: &Resource,
    after: &Resource,
) -> ScimResult<()> {
    let immutable = |a: &Attribute| a.mutability == Mutability::Immutable;
    for attribute in attributes {
        let whole = immutable(attribute).then_some(None);
        let subs = attribute.sub_attributes.iter().filter(|s| immutable(s)).map(|s| Some(&s.name));
        for sub in whole.into_iter().chain(subs) {
            let path = AttributePath {
                extension: extension.map(str::to_owned),
                name: attribute.name.clone(),
                sub: sub.cloned(),
            };
            if before.get(&path).is_some_and(|old| after.get(&path) != Some(old)) {
                return Err(ScimError::mutability(format!("{path} is immutable and already set")));
            }
        }
    }
    Ok(())
}

fn check_foreign(schema: &ResourceSchema, map: &Map<String, Value>) -> ScimResult<()> {
    let foreign = map
        .iter()
        .filter(|(key, _)| schema.attribute(key).is_none() && schema.extension(key).is_none());
    let (mut count, mut bytes) = (0, 0);
    for (key, value) in foreign {
        count += 1;
        bytes += key.len() + value.to_string().len();
    }
    if count > MAX_TOP_LEVEL_KEYS || bytes > MAX_FOREIGN_BYTES {
        return Err(ScimError::too_large("Too much in extensions that are not registered"));
    }
    Ok(())
}
