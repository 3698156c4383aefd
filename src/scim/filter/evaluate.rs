//! Does a resource in memory satisfy a condition? (RFC 7644 §3.4.2.2)
//!
//! The reference for the SQL that answers the same question. It never changes a resource.

use serde_json::{Map, Value};

use super::{CompareOp, Condition};
use crate::scim::schema::{Attribute, AttributePath, ResourceSchema};
use crate::scim::value;

/// Whether a whole resource, as it is answered, satisfies the condition.
pub fn matches(
    schema: &ResourceSchema,
    condition: &Condition,
    resource: &Map<String, Value>,
) -> bool {
    match condition {
        Condition::Compare { path, op, key } if is_schemas(path) => {
            let listed = resource.get("schemas").unwrap_or(&Value::Null);
            any(listed, None, &mut |urn| {
                urn.as_str().is_some_and(|u| compares(op, &u.to_ascii_lowercase(), key))
            })
        }
        Condition::Compare { path, op, key } => {
            let (Some(attribute), Some(value)) = (simple(schema, path), at(resource, path)) else {
                return false;
            };
            any(value, path.sub.as_deref(), &mut |v| {
                value::key(attribute, v).is_some_and(|k| compares(op, &k, key))
            })
        }
        Condition::Present(path) => {
            at(resource, path).is_some_and(|v| any(v, path.sub.as_deref(), &mut is_assigned))
        }
        Condition::Element { path, condition } => match at(resource, path) {
            Some(Value::Array(items)) => {
                items.iter().any(|item| element_matches(schema, condition, item))
            }
            _ => false,
        },
        Condition::Not(inner) => !matches(schema, inner, resource),
        Condition::And(all) => all.iter().all(|c| matches(schema, c, resource)),
        Condition::Or(some) => some.iter().any(|c| matches(schema, c, resource)),
    }
}

/// Whether one element of a list satisfies the condition of a value path (RFC 7644 §3.5.2).
pub fn element_matches(schema: &ResourceSchema, condition: &Condition, element: &Value) -> bool {
    match condition {
        Condition::Compare { path, op, key } => simple(schema, path).is_some_and(|attribute| {
            any(element, path.sub.as_deref(), &mut |v| {
                value::key(attribute, v).is_some_and(|k| compares(op, &k, key))
            })
        }),
        Condition::Present(path) => any(element, path.sub.as_deref(), &mut is_assigned),
        Condition::Element { .. } => false,
        Condition::Not(inner) => !element_matches(schema, inner, element),
        Condition::And(all) => all.iter().all(|c| element_matches(schema, c, element)),
        Condition::Or(some) => some.iter().any(|c| element_matches(schema, c, element)),
    }
}

/// Whether a value's key stands so to the operand's.
pub(super) fn compares(op: &CompareOp, value: &str, operand: &str) -> bool {
    match op {
        CompareOp::Eq => value == operand,
        CompareOp::Ne => value != operand,
        CompareOp::Co => value.contains(operand),
        CompareOp::Sw => value.starts_with(operand),
        CompareOp::Ew => value.ends_with(operand),
        CompareOp::Gt => value > operand,
        CompareOp::Ge => value >= operand,
        CompareOp::Lt => value < operand,
        CompareOp::Le => value <= operand,
    }
}

fn is_schemas(path: &AttributePath) -> bool {
    path.extension.is_none() && path.name == "schemas"
}

/// The definition that says how values at the path compare.
fn simple<'s>(schema: &'s ResourceSchema, path: &AttributePath) -> Option<&'s Attribute> {
    let attribute = match &path.extension {
        None => schema.attribute(&path.name),
        Some(urn) => schema.extension(urn)?.attribute(&path.name),
    }?;
    match &path.sub {
        None => Some(attribute),
        Some(sub) => attribute.sub(sub),
    }
}

/// The attribute's value, without regard to the sub-attribute.
fn at<'r>(resource: &'r Map<String, Value>, path: &AttributePath) -> Option<&'r Value> {
    match &path.extension {
        None => resource.get(&path.name),
        Some(urn) => resource.get(urn)?.get(&path.name),
    }
}

/// Whether a value below the lists of `value`, at the sub-attribute, passes the test.
fn any(value: &Value, sub: Option<&str>, test: &mut dyn FnMut(&Value) -> bool) -> bool {
    match (value, sub) {
        (Value::Array(items), _) => items.iter().any(|item| any(item, sub, test)),
        (Value::Object(map), Some(sub)) => map.get(sub).is_some_and(|v| any(v, None, test)),
        (_, Some(_)) => false,
        (_, None) => test(value),
    }
}

/// RFC 7644 table 3, `pr`: a non-empty value, or a complex one with a non-empty node.
fn is_assigned(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(is_assigned),
        Value::Object(map) => map.values().any(is_assigned),
        Value::Bool(_) | Value::Number(_) => true,
    }
}
