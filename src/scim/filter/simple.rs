//! The filter that nearly every request carries, `userName eq "…"`, read without the grammar.
//!
//! The general parser costs more than the whole look-up that follows. What is not exactly of this
//! form is left to it; a property test keeps the two alike.

use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter};

use crate::scim::json::is_clean;

use super::MAX_BYTES;

/// Reads `name op "text"` and `name.sub op "text"` with single blanks and nothing escaped; `None`
/// for everything else.
pub fn parse(text: &str) -> Option<Filter> {
    let (path, rest) = text.split_once(' ')?;
    let (operator, operand) = rest.split_once(' ')?;
    let operand = operand.strip_prefix('"')?.strip_suffix('"')?;
    if text.len() > MAX_BYTES || operand.contains(['"', '\\']) || !is_clean(operand) {
        return None;
    }
    let (name, sub_attr) = match path.split_once('.') {
        Some((name, sub)) => (word(name)?, Some(word(sub)?)),
        None => (word(path)?, None),
    };
    let path = AttrPath { uri: None, name, sub_attr };
    let operand = CompValue::Str(operand.to_owned());
    Some(Filter::Attr(AttrExp::Comparison(path, compare_op(operator)?, operand)))
}

fn word(text: &str) -> Option<String> {
    let sound = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && !text.eq_ignore_ascii_case("not");
    sound.then(|| text.to_owned())
}

fn compare_op(word: &str) -> Option<CompareOp> {
    let operators = [
        ("eq", CompareOp::Eq),
        ("ne", CompareOp::Ne),
        ("co", CompareOp::Co),
        ("sw", CompareOp::Sw),
        ("ew", CompareOp::Ew),
        ("gt", CompareOp::Gt),
        ("ge", CompareOp::Ge),
        ("lt", CompareOp::Lt),
        ("le", CompareOp::Le),
    ];
    operators.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, op)| op)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse_by_grammar;
    use super::*;

    #[test]
    fn other_forms_are_left_to_the_grammar() {
        for text in [
            "userName pr",
            "userName  eq \"a\"",
            "userName eq \"a\\\"b\"",
            "userName eq \"a\" or active eq true",
            "not eq \"a\"",
            "active eq true",
            "urn:a:b:c eq \"x\"",
            "a.b.c eq \"x\"",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_short_way_reads_as_the_grammar_does(
            text in "[a-zA-Z]{1,3}(\\.[a-z]{1,3})? (eq|EQ|co|sW|ne|gt|le|xx|and) \"[ -~äß]{0,8}\"",
        ) {
            if let Some(filter) = parse(&text) {
                prop_assert_eq!(parse_by_grammar(&text).ok(), Some(filter));
            }
        }
    }
}
