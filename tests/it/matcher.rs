//! Does an answer look as a recorded exchange expects? The rules stand in `conformance/README.md`.
//!
//! Pure: JSON against JSON, differences out. It never sends anything and never stops at the first
//! difference, so that one run shows all that is wrong with an answer.

use regex::Regex;
use serde_json::{Map, Value};

/// The operators; an object is one of operators where every key of it is in this list.
const OPERATORS: [&str; 13] = [
    "$absent",
    "$present",
    "$regex",
    "$noCase",
    "$type",
    "$length",
    "$min",
    "$max",
    "$contains",
    "$lacks",
    "$unordered",
    "$oneOf",
    "$noNulls",
];

/// Everything in which `got` differs from `expected`, one sentence each.
pub fn differences(expected: &Value, got: Option<&Value>) -> Vec<String> {
    let mut found = Vec::new();
    compare(expected, got, "", &mut found);
    found
}

fn compare(expected: &Value, got: Option<&Value>, at: &str, found: &mut Vec<String>) {
    if let Some(operators) = operators(expected) {
        for (operator, argument) in operators {
            if let Err(why) = apply(operator, argument, got, at, found) {
                found.push(format!("{}: {why}, got {}", place(at), shown(got)));
            }
        }
        return;
    }
    match (expected, got) {
        (Value::Object(expected), Some(Value::Object(got))) => {
            for (key, value) in expected {
                compare(value, got.get(key), &format!("{at}/{key}"), found);
            }
        }
        (Value::Array(expected), Some(Value::Array(got))) if expected.len() == got.len() => {
            for (i, value) in expected.iter().enumerate() {
                compare(value, got.get(i), &format!("{at}/{i}"), found);
            }
        }
        (expected, Some(got)) if expected == got => {}
        (expected, got) => {
            found.push(format!("{}: expected {expected}, got {}", place(at), shown(got)));
        }
    }
}

fn operators(expected: &Value) -> Option<&Map<String, Value>> {
    let map = expected.as_object()?;
    let all = map.keys().all(|key| OPERATORS.contains(&key.as_str()));
    (all && !map.is_empty()).then_some(map)
}

/// One operator; `Err` says what it wanted.
fn apply(
    operator: &str,
    argument: &Value,
    got: Option<&Value>,
    at: &str,
    found: &mut Vec<String>,
) -> Result<(), String> {
    let text = argument.as_str().unwrap_or_default();
    let number = argument.as_f64().unwrap_or_default();
    let arguments = argument.as_array().map(Vec::as_slice).unwrap_or_default();
    let items = got.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    match operator {
        "$absent" => ensure(unassigned(got), "expected nothing"),
        "$present" => ensure(!unassigned(got), "expected something"),
        "$regex" => ensure(matches_regex(text, got)?, &format!("expected to match {text:?}")),
        "$noCase" => {
            let same = got.and_then(Value::as_str).map(str::to_lowercase);
            ensure(same == Some(text.to_lowercase()), &format!("expected {text:?} in any case"))
        }
        "$type" => ensure(got.is_some_and(|g| has_type(text, g)), &format!("expected a {text}")),
        "$length" => length(argument, got, at, found),
        "$min" => ensure(
            got.and_then(Value::as_f64).is_some_and(|n| n >= number),
            &format!("expected at least {number}"),
        ),
        "$max" => ensure(
            got.and_then(Value::as_f64).is_some_and(|n| n <= number),
            &format!("expected at most {number}"),
        ),
        "$contains" => match arguments.iter().find(|e| !any(items, e)) {
            Some(missing) => Err(format!("expected an entry {missing}")),
            None => Ok(()),
        },
        "$lacks" => match arguments.iter().find(|e| any(items, e)) {
            Some(unwanted) => Err(format!("expected no entry {unwanted}")),
            None => Ok(()),
        },
        "$unordered" => unordered(arguments, items),
        "$oneOf" => ensure(
            arguments.iter().any(|e| differences(e, got).is_empty()),
            &format!("expected one of {argument}"),
        ),
        "$noNulls" => ensure(got.is_some_and(has_no_null), "expected no null anywhere"),
        _ => Err(format!("unknown operator {operator}")),
    }
}

fn ensure(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

/// RFC 7643 §2.5: null, an empty list and no attribute at all are the same.
fn unassigned(got: Option<&Value>) -> bool {
    match got {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

fn matches_regex(pattern: &str, got: Option<&Value>) -> Result<bool, String> {
    let regex = Regex::new(pattern).map_err(|e| format!("the flow's own pattern is wrong: {e}"))?;
    Ok(got.and_then(Value::as_str).is_some_and(|text| regex.is_match(text)))
}

fn has_type(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

/// The length of a list; an attribute that is not there counts as an empty one.
fn length(
    argument: &Value,
    got: Option<&Value>,
    at: &str,
    found: &mut Vec<String>,
) -> Result<(), String> {
    let length = match got {
        None | Some(Value::Null) => 0,
        Some(Value::Array(items)) => items.len(),
        Some(_) => return Err("expected a list".to_owned()),
    };
    compare(argument, Some(&Value::from(length)), &format!("{at} (its length)"), found);
    Ok(())
}

fn any(items: &[Value], expected: &Value) -> bool {
    items.iter().any(|item| differences(expected, Some(item)).is_empty())
}

/// Each expected entry takes one entry of its own; none may be left.
fn unordered(expected: &[Value], got: &[Value]) -> Result<(), String> {
    let mut left: Vec<&Value> = got.iter().collect();
    for entry in expected {
        let fits = left.iter().position(|item| differences(entry, Some(item)).is_empty());
        let Some(fits) = fits else { return Err(format!("expected an entry {entry}")) };
        left.remove(fits);
    }
    match left.first() {
        Some(extra) => Err(format!("expected no further entry {extra}")),
        None => Ok(()),
    }
}

fn has_no_null(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().all(has_no_null),
        Value::Object(map) => map.values().all(has_no_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

fn place(at: &str) -> &str {
    if at.is_empty() { "the body" } else { at }
}

fn shown(got: Option<&Value>) -> String {
    got.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn fits(expected: &Value, got: &Value) {
        assert_eq!(differences(expected, Some(got)), Vec::<String>::new());
    }

    #[track_caller]
    fn differs(expected: &Value, got: &Value) {
        assert!(!differences(expected, Some(got)).is_empty(), "{expected} fitted {got}");
    }

    #[test]
    fn an_object_is_matched_as_a_subset() {
        fits(&json!({"a": 1, "b": {"c": [1, 2]}}), &json!({"a": 1, "b": {"c": [1, 2], "d": 3}}));
        differs(&json!({"a": 1}), &json!({"a": "1"}));
        differs(&json!({"a": [1]}), &json!({"a": [1, 2]}));
        differs(&json!({"a": 1}), &json!({}));
    }

    #[test]
    fn a_reference_is_not_an_operator() {
        fits(&json!({"$ref": "x"}), &json!({"$ref": "x", "value": "y"}));
        differs(&json!({"$ref": "x"}), &json!({"$ref": "z"}));
    }

    #[test]
    fn unassigned_is_absent() {
        for got in [json!({}), json!({"a": null}), json!({"a": []})] {
            fits(&json!({"a": {"$absent": true}}), &got);
            differs(&json!({"a": {"$present": true}}), &got);
        }
        differs(&json!({"a": {"$absent": true}}), &json!({"a": ""}));
    }

    #[test]
    fn operators_on_texts_and_numbers() {
        fits(&json!({"$regex": "^a+$"}), &json!("aaa"));
        differs(&json!({"$regex": "^a+$"}), &json!("ab"));
        fits(&json!({"$noCase": "ABC"}), &json!("abc"));
        fits(&json!({"$type": "integer", "$min": 2, "$max": 2}), &json!(2));
        differs(&json!({"$type": "integer"}), &json!("2"));
        fits(&json!({"$oneOf": [1, {"$type": "string"}]}), &json!("x"));
        differs(&json!({"$oneOf": [1, 2]}), &json!(3));
    }

    #[test]
    fn operators_on_lists() {
        let got = json!([{"v": 1}, {"v": 2}]);
        fits(&json!({"$length": 2, "$contains": [{"v": 2}], "$lacks": [{"v": 3}]}), &got);
        fits(&json!({"$unordered": [{"v": 2}, {"v": 1}]}), &got);
        fits(&json!({"$length": {"$min": 1}}), &got);
        differs(&json!({"$unordered": [{"v": 2}]}), &got);
        differs(&json!({"$unordered": [{"v": 2}, {"v": 2}]}), &got);
        differs(&json!({"$lacks": [{"v": 1}]}), &got);
        differs(&json!({"$length": 3}), &got);
        fits(&json!({"$noNulls": true}), &got);
        differs(&json!({"$noNulls": true}), &json!([{"v": null}]));
    }
}
