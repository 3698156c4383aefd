//! One comparison of one column, as SQL: the leaves of a WHERE clause. Nothing here knows a schema.

use crate::db::micros;
use crate::db::statement::Statement;
use crate::scim::filter::CompareOp;
use crate::scim::value;

/// A column of the resource's own table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Holds the value's key.
    Text(&'static str),
    /// Holds a truth value.
    Flag(&'static str),
    /// Holds microseconds.
    Time(&'static str),
}

impl Column {
    /// The column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text(name) | Self::Flag(name) | Self::Time(name) => name,
        }
    }
}

/// A comparison of a column with a key, as SQL.
pub fn compare_column(column: Column, op: &CompareOp, key: &str) -> Statement {
    let mut out = Statement::default();
    match column {
        Column::Text(name) => compare_key(&mut out, &Statement::new(name), op, key),
        Column::Flag(name) => {
            out.sql(name).sql(" = ").bool(key == "true");
        }
        Column::Time(name) => {
            out.sql(name).sql(operator(op));
            out.int(value::time_of_key(key).map_or(0, micros));
        }
    }
    out
}

/// Whether an index answers the comparison by itself, without looking at every value.
pub fn is_narrow(op: &CompareOp, key: &str) -> bool {
    matches!(op, CompareOp::Eq) || matches!(op, CompareOp::Sw if !key.is_empty())
}

fn operator(op: &CompareOp) -> &'static str {
    match op {
        CompareOp::Ne => " <> ",
        CompareOp::Gt => " > ",
        CompareOp::Ge => " >= ",
        CompareOp::Lt => " < ",
        CompareOp::Le => " <= ",
        CompareOp::Eq | CompareOp::Co | CompareOp::Sw | CompareOp::Ew => " = ",
    }
}

/// A comparison of texts, byte by byte.
pub fn compare_key(out: &mut Statement, column: &Statement, op: &CompareOp, key: &str) {
    let column = || column.clone();
    match op {
        CompareOp::Sw | CompareOp::Co | CompareOp::Ew if key.is_empty() => {
            out.append(column()).sql(" IS NOT NULL");
        }
        // A range, which an index answers.
        CompareOp::Sw => {
            out.sql("(").append(column()).sql(" >= ").text(key);
            if let Some(end) = successor(key) {
                out.sql(" AND ").append(column()).sql(" < ").text(end);
            }
            out.sql(")");
        }
        CompareOp::Co => {
            out.append(column())
                .sql(" LIKE ")
                .text(format!("%{}%", literal(key)))
                .sql(" ESCAPE '\\'");
        }
        CompareOp::Ew => {
            out.append(column())
                .sql(" LIKE ")
                .text(format!("%{}", literal(key)))
                .sql(" ESCAPE '\\'");
        }
        CompareOp::Eq
        | CompareOp::Ne
        | CompareOp::Gt
        | CompareOp::Ge
        | CompareOp::Lt
        | CompareOp::Le => {
            out.append(column()).sql(operator(op)).text(key);
        }
    }
}

/// The text as a pattern that matches nothing but itself.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The least text that is greater than every text that begins with `prefix`; `None` where none is.
fn successor(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_ends_a_prefix_range() {
        assert_eq!(successor("ab").as_deref(), Some("ac"));
        assert_eq!(successor("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(successor("\u{10ffff}"), None);
    }

    #[test]
    fn wildcards_are_literals() {
        assert_eq!(literal(r"50%_\"), r"50\%\_\\");
    }
}
