//! Request bodies as JSON, with every limit counted before a tree exists (security.md (c), S20, S26).
//!
//! `serde_json` parses; this module only refuses what it would let through: depth, doubled keys,
//! control characters. It never looks at the meaning of a key.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::error::{ScimError, ScimResult};

/// Deepest nesting of a body (security.md (c)).
pub const MAX_DEPTH: usize = 32;
/// Most keys of the outermost object (security.md (c)).
pub const MAX_TOP_LEVEL_KEYS: usize = 200;

/// Reads a request body: one JSON object within the limits.
///
/// # Errors
/// `invalidSyntax`: not JSON, not UTF-8, not an object, too deep, a key twice.
/// `invalidValue`: a control character other than tab, newline and carriage return in a text.
pub fn object(body: &[u8]) -> ScimResult<Map<String, Value>> {
    check_depth(body)?;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = Strict
        .deserialize(&mut deserializer)
        .and_then(|v| deserializer.end().map(|()| v))
        .map_err(|e| ScimError::invalid_syntax(format!("The body is not valid JSON: {e}")))?;
    let Value::Object(map) = value else {
        return Err(ScimError::invalid_syntax("The body must be a JSON object"));
    };
    if map.len() > MAX_TOP_LEVEL_KEYS {
        return Err(ScimError::invalid_value(format!(
            "The body has {} keys, more than {MAX_TOP_LEVEL_KEYS}",
            map.len()
        )));
    }
    check_text(&map)?;
    Ok(map)
}

/// Counts brackets in the raw text, so that no deep tree is ever built or dropped.
fn check_depth(body: &[u8]) -> ScimResult<()> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(ScimError::invalid_syntax(format!(
                        "The body is nested deeper than {MAX_DEPTH}"
                    )));
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Refuses texts that PostgreSQL cannot hold or a terminal would obey (interface.md, ruling 16).
fn check_text(map: &Map<String, Value>) -> ScimResult<()> {
    fn walk(value: &Value) -> bool {
        match value {
            Value::String(text) => is_clean(text),
            Value::Array(items) => items.iter().all(walk),
            Value::Object(map) => map.iter().all(|(k, v)| is_clean(k) && walk(v)),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        }
    }
    for (key, value) in map {
        if !is_clean(key) || !walk(value) {
            return Err(ScimError::invalid_value(format!(
                "{}: control characters other than tab, newline and carriage return are not allowed",
                key.escape_default()
            )));
        }
    }
    Ok(())
}

/// Whether a text is free of control characters but tab, newline and carriage return.
pub fn is_clean(text: &str) -> bool {
    !text.bytes().any(|b| (b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r')) || b == 0x7f)
}

/// Builds a [`Value`], refusing an object that names a key twice.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> Result<Value, E> {
        Number::from_f64(v).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Strict)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(Strict)?;
            if map.insert(key.clone(), value).is_some() {
                return Err(de::Error::custom(format!("the key {key:?} stands twice")));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        object(body.as_bytes()).unwrap_err().scim_type.unwrap().to_string()
    }

    #[test]
    fn an_object_is_read_in_its_order() {
        let map = object(br#"{"b":1,"a":[true,null,"x",2.5,-1]}"#).unwrap();
        assert_eq!(serde_json::to_string(&map).unwrap(), r#"{"b":1,"a":[true,null,"x",2.5,-1]}"#);
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        for body in
            ["", "null", "[]", "1", "{} {}", "{\"a\":1e999}", "\"\\ud800\"", "{\"a\":\"\\ud800\"}"]
        {
            assert_eq!(refused(body), "invalidSyntax", "{body}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
    }

    /// Ruling 16.
    #[test]
    fn a_doubled_key_is_refused_at_any_depth() {
        assert_eq!(refused(r#"{"a":1,"a":2}"#), "invalidSyntax");
        assert_eq!(refused(r#"{"x":[{"a":1,"a":2}]}"#), "invalidSyntax");
    }

    #[test]
    fn depth_is_counted_before_parsing() {
        let nested = |n: usize| format!("{{\"a\":{}1{}}}", "[".repeat(n), "]".repeat(n));
        assert!(object(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
        assert_eq!(refused(&nested(MAX_DEPTH)), "invalidSyntax");
        assert_eq!(refused(&"[".repeat(1_000_000)), "invalidSyntax");
        let in_text = format!(r#"{{"a":"{}\"["}}"#, "[".repeat(100));
        assert!(object(in_text.as_bytes()).is_ok());
    }

    #[test]
    fn control_characters_are_refused_but_line_breaks_are_not() {
        assert_eq!(refused(r#"{"a":"\u0000"}"#), "invalidValue");
        assert_eq!(refused(r#"{"a":[{"b":"\u001b"}]}"#), "invalidValue");
        assert!(object(br#"{"a":"1\r\n\t2"}"#).is_ok());
    }
}
