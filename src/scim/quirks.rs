//! What real `IdPs` send, rewritten into the RFC's form: one named function an oddity.
//!
//! Rules are those of `conformance/README.md`, rows those of `conformance/regressions`. Nothing here
//! refuses a request: what is not an oddity passes unchanged, and the RFC's grammar judges it. Oddities
//! that need a schema to be seen are where the schema is:
//!
//! | oddity | where |
//! |---|---|
//! | texts for booleans, one object for a list, a list of one for a single value, `{"$ref":null,"value":x}`, a bare text for a complex value (rules 4 and 10, rows 1, 23, 35, 36, 40, 43, 44) | [`normal_value`](super::resource::normal_value) |
//! | `name.givenName`, `URN:attribute`, `URN.attribute` as names (rule 6, rows 29 to 32, 38) | [`ResourceSchema::find`](super::schema::ResourceSchema::find) |
//! | `not(` and `emails[…].value eq` in filters (row 48) | [`filter::parse`](super::filter::parse) |
//! | an extension's attribute without its URN in a filter (Entra ID) | [`ResourceSchema::find_in_extensions`](super::schema::ResourceSchema::find_in_extensions) |
//! | elements created by a path (rule 5, rows 25, 26, 41) | [`patch::apply`](super::patch::apply) |
//! | `remove` with a list of values (rule 7, row 10) | [`patch::apply`](super::patch::apply), [`members::split`](super::members::split) |

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::patch::Op;

/// What stands for `$ref` inside the grammar of `scim_v2`, whose names have no dollar.
const REF_NAME: &str = "dollar--ref";

/// The comparing operators of RFC 7644 §3.4.2.2, in lower case.
const OPERATORS: [&str; 9] = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"];

/// Whether a word of a filter is a comparing operator, in any case (row 53).
pub fn is_operator(word: &str) -> bool {
    OPERATORS.iter().any(|op| word.eq_ignore_ascii_case(op))
}

/// `$ref`, `manager.$ref`: a name that RFC 7643 §2.4 has and the grammar of RFC 7644 §3.4.2.2 lacks.
pub fn without_dollar(name: &str) -> Cow<'_, str> {
    let Some(start) = name.len().checked_sub(4) else { return Cow::Borrowed(name) };
    match (name.get(..start), name.get(start..)) {
        (Some(head), Some(tail))
            if tail.eq_ignore_ascii_case("$ref")
                && (head.is_empty() || head.ends_with(['.', ':'])) =>
        {
            Cow::Owned(format!("{head}{REF_NAME}"))
        }
        _ => Cow::Borrowed(name),
    }
}

/// The way back from [`without_dollar`].
pub fn with_dollar(name: &str) -> Cow<'_, str> {
    match name.strip_suffix(REF_NAME) {
        Some(head) if head.is_empty() || head.ends_with(['.', ':']) => {
            Cow::Owned(format!("{head}$ref"))
        }
        _ => Cow::Borrowed(name),
    }
}

/// An unquoted operand of a filter as the literal that was meant.
///
/// `True`, `FALSE`, `Null` in any case (rule 4); a bare word as the text that Entra's tutorial
/// prints without quotes (`externalId eq kari`). Numbers stay numbers.
pub fn bare_operand(word: &str) -> Cow<'_, str> {
    for literal in ["true", "false", "null"] {
        if word.eq_ignore_ascii_case(literal) {
            return Cow::Borrowed(literal);
        }
    }
    let plain = |c: char| c.is_alphanumeric() || "-_.@+:/~=".contains(c);
    let keyword = ["and", "or", "not", "pr"].iter().any(|k| word.eq_ignore_ascii_case(k));
    if serde_json::from_str::<Number>(word).is_ok()
        || keyword
        || is_operator(word)
        || !word.starts_with(char::is_alphanumeric)
        || !word.chars().all(plain)
    {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("\"{word}\""))
}

/// The operand of a comparison with a boolean, where it came as a text (rule 4, row 41):
/// `roles[primary eq "True"]`.
pub fn boolean_text(text: &str) -> Option<bool> {
    match text {
        t if t.eq_ignore_ascii_case("true") => Some(true),
        t if t.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// What an operation of a PATCH does, its name in any case (rule 3, rows 2 and 3).
pub fn operation(name: &str) -> Option<Op> {
    [("add", Op::Add), ("remove", Op::Remove), ("replace", Op::Replace)]
        .into_iter()
        .find_map(|(own, op)| name.eq_ignore_ascii_case(own).then_some(op))
}

/// The value of a key in any case: `Operations`, `operations` (rule 3).
pub fn take(map: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let key = map.keys().find(|k| k.eq_ignore_ascii_case(name))?.clone();
    map.shift_remove(&key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dollars_come_and_go() {
        for name in ["$ref", "manager.$ref", "urn:x:y:User:$ref", ".$ref"] {
            let without = without_dollar(name);
            assert!(!without.contains('$'));
            assert_eq!(with_dollar(&without), name);
        }
        assert_eq!(with_dollar(&without_dollar("manager.$REF")), "manager.$ref");
        for name in ["ref", "a$ref", "$refs", "é$re", "", "$"] {
            assert_eq!(without_dollar(name), name);
            assert_eq!(with_dollar(name), name);
        }
    }

    /// Rule 4, and Entra's tutorial.
    #[test]
    fn bare_operands_become_literals() {
        for (bare, literal) in [
            ("True", "true"),
            ("FALSE", "false"),
            ("Null", "null"),
            ("kari", "\"kari\""),
            ("kari@tern.example", "\"kari@tern.example\""),
            ("5f0c2c1e-fict", "\"5f0c2c1e-fict\""),
            ("Ünal", "\"Ünal\""),
            ("01", "\"01\""),
        ] {
            assert_eq!(bare_operand(bare), literal);
        }
    }

    #[test]
    fn what_no_client_means_as_a_text_stays() {
        for word in
            ["5", "-1.5e3", "and", "NOT", "pr", "Eq", "'kari'", "", "-x", "a\\b", "a,b", "a*"]
        {
            assert_eq!(bare_operand(word), word);
        }
    }

    /// Rows 2 and 3.
    #[test]
    fn operations_have_no_case() {
        assert_eq!(operation("Add"), Some(Op::Add));
        assert_eq!(operation("rePlace"), Some(Op::Replace));
        assert_eq!(operation("REMOVE"), Some(Op::Remove));
        assert_eq!(operation("destroy"), None);
    }

    /// Rule 3.
    #[test]
    fn keys_have_no_case() {
        let Value::Object(mut map) = json!({"OPERATIONS": 1, "b": 2}) else { panic!("an object") };
        assert_eq!(take(&mut map, "Operations"), Some(json!(1)));
        assert_eq!(take(&mut map, "Operations"), None);
        assert_eq!(map.len(), 1);
    }
}
