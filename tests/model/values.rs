//! Values in the form of their attributes, as the oracle reads them (RFC 7643 §2.3 to §2.5).

use serde_json::{Map, Value, json};
use stagedoor::scim::schema::{Attribute, Kind, Mutability};

use crate::oracle::{Outcome, Refusal, is_primary};

/// A value in its attribute's form; null where it is unassigned (RFC 7643 §2.3, §2.5).
pub fn coerce(attribute: &Attribute, value: Value) -> Outcome<Value> {
    if !attribute.multi_valued {
        return match value {
            Value::Array(mut items) if items.len() == 1 => coerce_one(attribute, items.remove(0)),
            Value::Array(items) if items.is_empty() => Ok(Value::Null),
            other => coerce_one(attribute, other),
        };
    }
    let items = match value {
        Value::Null => return Ok(Value::Null),
        Value::Array(items) => items,
        other => vec![other],
    };
    let mut list = Vec::new();
    for item in items {
        let item = coerce_one(attribute, item)?;
        if !is_empty(&item) && !list.contains(&item) {
            list.push(item);
        }
    }
    // RFC 7643 §2.4: "primary … MUST appear no more than once".
    let one = list.iter().filter(|v| is_primary(v)).count() <= 1;
    if one { Ok(list.into()) } else { Err(Refusal::Other) }
}

fn coerce_one(attribute: &Attribute, value: Value) -> Outcome<Value> {
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(Value::Null),
        (Kind::Complex, Value::Object(map)) => coerce_object(attribute, map),
        (Kind::Complex, Value::Array(_)) => Err(Refusal::Other),
        // Rule 10: a bare text is the `value`; an empty one clears.
        (Kind::Complex, Value::String(text)) if text.is_empty() => Ok(Value::Null),
        (Kind::Complex, bare) => {
            let sub = attribute.sub("value").ok_or(Refusal::Other)?;
            Ok(json!({"value": coerce_one(sub, bare)?}))
        }
        // Row 43: a single value that is wrapped.
        (_, Value::Object(mut map)) => match map.remove("value") {
            Some(Value::Object(_)) | None => Err(Refusal::Other),
            Some(inner) => coerce_one(attribute, inner),
        },
        (Kind::Boolean, Value::Bool(b)) => Ok(b.into()),
        (Kind::Boolean, Value::String(s)) => match s.to_ascii_lowercase().as_str() {
            // Rule 4.
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            "" => Ok(Value::Null),
            _ => Err(Refusal::Other),
        },
        (Kind::Integer, Value::Number(n)) if n.is_i64() => Ok(n.into()),
        (Kind::Integer, Value::String(s)) if s.is_empty() => Ok(Value::Null),
        (Kind::String, Value::String(s)) if attribute.name == "userName" => Ok(s.trim().into()),
        (Kind::String | Kind::Reference, Value::String(s)) => Ok(s.into()),
        _ => Err(Refusal::Other),
    }
}

fn coerce_object(attribute: &Attribute, map: Map<String, Value>) -> Outcome<Value> {
    let mut out = Map::new();
    for (key, value) in map {
        if let Some(sub) = attribute.sub(&key)
            && sub.mutability != Mutability::ReadOnly
        {
            put(&mut out, &sub.name, coerce(sub, value)?);
        }
    }
    Ok(out.into())
}

/// Whether a value counts as unassigned.
pub fn is_empty(value: &Value) -> bool {
    value.is_null() || value == &json!([]) || value == &json!({})
}

/// Puts a value, or takes away what is empty (RFC 7643 §2.5).
pub fn put(map: &mut Map<String, Value>, name: &str, value: Value) {
    if is_empty(&value) {
        map.shift_remove(name);
    } else {
        map.insert(name.to_owned(), value);
    }
}

/// The values of a list; none where it is none.
pub fn list_of(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}
