//! How results look: a table for people, JSON for programs.

use serde_json::{Map, Value};

use crate::config::Format;

/// Rows with the same names, as a table or as a JSON list.
pub fn rows(format: Format, names: &[&str], rows: Vec<Vec<Value>>) -> String {
    match format {
        Format::Json => {
            let objects = rows.into_iter().map(|row| object(names, row)).collect();
            format!("{}\n", Value::Array(objects))
        }
        Format::Text => table(names, &rows),
    }
}

/// One record, as lines or as a JSON object.
pub fn record(format: Format, names: &[&str], row: Vec<Value>) -> String {
    match format {
        Format::Json => format!("{}\n", object(names, row)),
        Format::Text => {
            let width = names.iter().map(|n| n.len()).max().unwrap_or(0);
            let line = |(name, value): (&&str, Value)| format!("{name:width$}  {}\n", cell(&value));
            names.iter().zip(row).map(line).collect()
        }
    }
}

fn object(names: &[&str], row: Vec<Value>) -> Value {
    let named = names.iter().map(|n| n.to_ascii_lowercase().replace(' ', "_")).zip(row);
    Value::Object(named.collect::<Map<_, _>>())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

fn table(names: &[&str], rows: &[Vec<Value>]) -> String {
    let head = names.iter().map(|n| n.to_uppercase()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head)
        .chain(rows.iter().map(|row| row.iter().map(cell).collect()))
        .collect();
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line.get(column).map_or(0, |c| c.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_aligned_and_json_is_named() {
        let data = vec![vec![json!("acme"), json!(true), Value::Null]];
        let names = ["slug", "scim", "last used"];
        assert_eq!(
            rows(Format::Text, &names, data.clone()),
            "SLUG  SCIM  LAST USED\nacme  yes   -\n"
        );
        let want = "[{\"slug\":\"acme\",\"scim\":true,\"last_used\":null}]\n";
        assert_eq!(rows(Format::Json, &names, data), want);
    }
}
