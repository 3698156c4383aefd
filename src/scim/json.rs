//! Request bodies as JSON, with every limit counted before a tree exists.
//!
//! `serde_json` parses; this module only refuses what it would let through: depth, doubled keys,
//! control characters. It never looks at the meaning of a key.

use std::fmt;

use serde::Serialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::error::{ScimError, ScimResult};

/// Deepest nesting of a body.
pub const MAX_DEPTH: usize = 32;
/// Most keys of the outermost object.
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
    check_keys(&map)?;
    check_text(&map)?;
    Ok(map)
}

/// The JSON text of what always has one: values, and texts under textual keys.
#[expect(clippy::expect_used, reason = "an empty text instead would be stored without a word")]
pub fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("it has textual keys and nothing that fails")
}

fn check_keys(map: &Map<String, Value>) -> ScimResult<()> {
    if map.len() > MAX_TOP_LEVEL_KEYS {
        return Err(ScimError::invalid_value(format!(
            "The body has {} keys, more than {MAX_TOP_LEVEL_KEYS}",
            map.len()
        )));
    }
    Ok(())
}

/// Reads one JSON object within the limits, but for the list under one key, whose elements are handed
/// out one by one and not kept: a list of any length costs no more than its longest element.
///
/// `each` sees nothing where the key is absent or null; a single value counts as a list of one.
/// Returns the rest, and whether there was a list.
///
/// # Errors
/// As [`object`], and the first that `each` returned.
pub fn object_but(
    body: &[u8],
    key: &str,
    mut each: impl FnMut(Value) -> ScimResult<()>,
) -> ScimResult<(Map<String, Value>, bool)> {
    check_depth(body)?;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let mut outcome = Ok(());
    let mut listed = false;
    let mut take = |value: Value| {
        if outcome.is_ok() {
            outcome = each(value);
        }
        outcome.is_ok()
    };
    let seed = But { key, each: &mut take, listed: &mut listed };
    let read = seed.deserialize(&mut deserializer).and_then(|v| deserializer.end().map(|()| v));
    outcome?;
    let map =
        read.map_err(|e| ScimError::invalid_syntax(format!("The body is not valid JSON: {e}")))?;
    check_keys(&map)?;
    check_text(&map)?;
    Ok((map, listed))
}

/// Counts brackets in the raw text, so that no deep tree is ever built or dropped.
fn check_depth(body: &[u8]) -> ScimResult<()> {
    let mut depth = 0_usize;
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => step_over_text(&mut bytes),
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(ScimError::invalid_syntax(format!(
                        "The body is nested deeper than {MAX_DEPTH}"
                    )));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Goes behind the quote that ends a text.
fn step_over_text(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

/// Refuses texts that PostgreSQL cannot hold or a terminal would obey (ruling 16).
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

/// Whether a text is free of ASCII control characters but tab, newline and carriage return. Those
/// behind ASCII pass: a name in a wrong encoding has them, and its user must get in all the same.
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
            put(&mut map, key, value)?;
        }
        Ok(Value::Object(map))
    }
}

fn put<E: de::Error>(map: &mut Map<String, Value>, key: String, value: Value) -> Result<(), E> {
    match map.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(value);
            Ok(())
        }
        Entry::Occupied(entry) => Err(twice(entry.key())),
    }
}

fn twice<E: de::Error>(key: &str) -> E {
    E::custom(format!("the key {key:?} stands twice"))
}

/// Builds an object without the value under one key, whose elements go to `each`; `false` from it
/// ends the reading.
struct But<'b> {
    key: &'b str,
    each: &'b mut dyn FnMut(Value) -> bool,
    listed: &'b mut bool,
}

impl<'de> DeserializeSeed<'de> for But<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for But<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let (mut map, mut taken) = (Map::new(), false);
        while let Some(key) = access.next_key::<String>()? {
            if key.eq_ignore_ascii_case(self.key) {
                if std::mem::replace(&mut taken, true) {
                    return Err(twice(&key));
                }
                *self.listed = access.next_value_seed(Each(&mut *self.each))?;
                continue;
            }
            let value = access.next_value_seed(Strict)?;
            put(&mut map, key, value)?;
        }
        Ok(map)
    }
}

/// Hands out the elements of a list; whether there was one.
struct Each<'b>(&'b mut dyn FnMut(Value) -> bool);

impl<'de> DeserializeSeed<'de> for Each<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Each<'_> {
    fn one<E: de::Error>(self, value: Value) -> Result<bool, E> {
        if (self.0)(value) { Ok(true) } else { Err(E::custom("an element is refused")) }
    }
}

impl<'de> Visitor<'de> for Each<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while let Some(item) = seq.next_element_seed(Strict)? {
            if !(self.0)(item) {
                return Err(de::Error::custom("an element is refused"));
            }
        }
        Ok(true)
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> Result<bool, E> {
        self.one(Value::Bool(v))
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<bool, E> {
        self.one(Value::from(v))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<bool, E> {
        self.one(Value::from(v))
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> Result<bool, E> {
        self.one(Value::from(v))
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<bool, E> {
        self.one(Value::from(v))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<bool, A::Error> {
        let value = Strict.visit_map(access)?;
        self.one(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rest, whether there was a list, and its elements.
    fn but(body: &str) -> ScimResult<(Value, bool, Vec<Value>)> {
        let mut out = Vec::new();
        let (map, listed) = object_but(body.as_bytes(), "members", |item| {
            out.push(item);
            Ok(())
        })?;
        Ok((Value::Object(map), listed, out))
    }

    #[test]
    fn a_list_is_handed_out_element_by_element() {
        let rest = serde_json::json!({"a": 1, "b": [2]});
        let of =
            |members: &str| but(&format!("{{\"a\":1,\"Members\":{members},\"b\":[2]}}")).unwrap();
        let list = vec![Value::from("x"), serde_json::json!({"value": "y"})];
        assert_eq!(of(r#"["x",{"value":"y"}]"#), (rest.clone(), true, list));
        assert_eq!(of("[]"), (rest.clone(), true, Vec::new()));
        assert_eq!(of("null"), (rest.clone(), false, Vec::new()));
        assert_eq!(of("\"x\""), (rest, true, vec![Value::from("x")]));
        assert!(but(r#"{"members":[],"MEMBERS":[]}"#).is_err());
        assert!(but(r#"{"members":[1,]}"#).is_err());
        assert!(but(r#"{"a":1,"a":2}"#).is_err());
        assert!(but("[]").is_err());
    }

    #[test]
    fn the_first_refusal_of_an_element_is_the_answer() {
        let mut seen = 0;
        let result = object_but(br#"{"members":[1,2,3]}"#, "members", |_| {
            seen += 1;
            Err(ScimError::invalid_value("no"))
        });
        assert_eq!(result.unwrap_err().scim_type.unwrap().to_string(), "invalidValue");
        assert_eq!(seen, 1);
    }

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
        // Neither brackets in a text nor a backslash before its end lead the count astray.
        let behind = |text: &str, n| format!("{{\"a\":\"{text}\",\"b\":{}}}", nested(n));
        for text in ["[[[", "\\\\", "\\\"", "\\\\\\\"[["] {
            assert!(object(behind(text, MAX_DEPTH - 2).as_bytes()).is_ok(), "{text}");
            assert_eq!(refused(&behind(text, MAX_DEPTH - 1)), "invalidSyntax", "{text}");
        }
    }

    #[test]
    fn control_characters_are_refused_but_line_breaks_are_not() {
        assert_eq!(refused(r#"{"a":"\u0000"}"#), "invalidValue");
        assert_eq!(refused(r#"{"a":[{"b":"\u001b"}]}"#), "invalidValue");
        assert!(object(br#"{"a":"1\r\n\t2"}"#).is_ok());
    }
}
