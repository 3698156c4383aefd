//! A table of users: its first row names attributes, and each further row is a user.

use serde_json::{Map, Number, Value};

use crate::scim::ResourceSchema;
use crate::scim::schema::{Attribute, Found, Kind};

/// What the columns of a table mean.
#[derive(Debug)]
pub struct Table(Vec<Column>);

#[derive(Debug)]
struct Column {
    name: String,
    extension: Option<String>,
    attribute: String,
    sub: Option<String>,
    in_list: bool,
    kind: Kind,
}

impl Table {
    /// Reads the first row. A column is an attribute by its path: `userName`, `name.givenName`,
    /// `emails.value`, `urn:…:User:department`. All columns of a list make one value of it.
    ///
    /// # Errors
    /// A column that no schema knows, that stands twice or that is not one simple value; a table
    /// without `userName`.
    pub fn new(schema: &ResourceSchema, names: &[String]) -> Result<Self, String> {
        let mut columns: Vec<Column> = Vec::new();
        for name in names {
            let column = column(schema, name)?;
            let same = |c: &&Column| {
                (&c.extension, &c.attribute, &c.sub)
                    == (&column.extension, &column.attribute, &column.sub)
            };
            if columns.iter().any(|c| same(&c)) {
                return Err(format!("the column {name} stands twice"));
            }
            columns.push(column);
        }
        if !columns.iter().any(|c| c.extension.is_none() && c.attribute == "userName") {
            return Err("the first row must name the columns, userName among them".to_owned());
        }
        Ok(Self(columns))
    }

    /// The user of one row as a JSON object; an empty cell is an attribute that is not there.
    ///
    /// # Errors
    /// Another number of cells than columns; a cell that is not UTF-8 or not of its column's type.
    pub fn object(&self, row: &csv::ByteRecord) -> Result<Map<String, Value>, String> {
        if row.len() != self.0.len() {
            return Err(format!("{} cells where there are {} columns", row.len(), self.0.len()));
        }
        let mut out = Map::new();
        for (column, cell) in self.0.iter().zip(row) {
            let cell = std::str::from_utf8(cell)
                .map_err(|_| format!("{}: the text is not UTF-8", column.name))?;
            if !crate::scim::json::is_clean(cell) {
                return Err(format!("{}: control characters are not allowed", column.name));
            }
            if !cell.is_empty() {
                column.put(&mut out, column.value(cell)?);
            }
        }
        Ok(out)
    }
}

fn column(schema: &ResourceSchema, name: &str) -> Result<Column, String> {
    let unknown = || format!("no schema knows the column {name}");
    let Some(Found::Attribute { extension, attribute, sub }) = schema.find(name) else {
        return Err(unknown());
    };
    // A complex attribute by itself means its `value`, as a bare text does in JSON.
    let sub = sub.or_else(|| attribute.sub("value"));
    let leaf: &Attribute = sub.unwrap_or(attribute);
    if leaf.kind == Kind::Complex {
        return Err(format!("the column {name} has parts: name one of them"));
    }
    Ok(Column {
        name: name.to_owned(),
        extension: extension.map(str::to_owned),
        attribute: attribute.name.clone(),
        sub: sub.map(|s| s.name.clone()),
        in_list: attribute.multi_valued,
        kind: leaf.kind,
    })
}

impl Column {
    fn value(&self, cell: &str) -> Result<Value, String> {
        let wrong = || format!("{}: {cell:?} is no number", self.name);
        match self.kind {
            Kind::Integer => cell.trim().parse::<i64>().map(Value::from).map_err(|_| wrong()),
            Kind::Decimal => {
                let number = cell.trim().parse::<f64>().ok().and_then(Number::from_f64);
                number.map(Value::Number).ok_or_else(wrong)
            }
            // What else a text may stand for, the schema knows (`"True"`).
            _ => Ok(Value::from(cell)),
        }
    }

    fn put(&self, out: &mut Map<String, Value>, value: Value) {
        let holder = match &self.extension {
            None => out,
            Some(urn) => {
                let entry = out.entry(urn.clone()).or_insert_with(|| Map::new().into());
                let Value::Object(map) = entry else { return };
                map
            }
        };
        let Some(sub) = &self.sub else {
            let value = if self.in_list { Value::Array(vec![value]) } else { value };
            holder.insert(self.attribute.clone(), value);
            return;
        };
        let empty = || {
            let object = Value::Object(Map::new());
            if self.in_list { Value::Array(vec![object]) } else { object }
        };
        let entry = holder.entry(self.attribute.clone()).or_insert_with(empty);
        let object = match entry {
            Value::Array(items) => items.first_mut(),
            other => Some(other),
        };
        if let Some(Value::Object(map)) = object {
            map.insert(sub.clone(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::schema::ENTERPRISE_URN;

    fn table(names: &[&str]) -> Result<Table, String> {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        Table::new(&ResourceSchema::user([]), &names)
    }

    #[test]
    fn columns_become_attributes() {
        let department = format!("{ENTERPRISE_URN}:department");
        let manager = format!("{ENTERPRISE_URN}:manager");
        let names =
            ["username", "name.givenName", "emails.value", "emails.type", &department, &manager];
        let table = table(&names).unwrap();
        let row = csv::ByteRecord::from(vec!["kari", "Kari", "k@x", "work", "", "7"]);
        let want = json!({
            "userName": "kari", "name": {"givenName": "Kari"},
            "emails": [{"value": "k@x", "type": "work"}], ENTERPRISE_URN: {"manager": {"value": "7"}},
        });
        assert_eq!(Value::Object(table.object(&row).unwrap()), want);
        let row = csv::ByteRecord::from(vec!["kari", "Kari"]);
        assert!(table.object(&row).unwrap_err().contains("2 cells"));
    }

    #[test]
    fn a_column_that_means_nothing_is_named() {
        for (names, why) in [
            (vec!["userName", "shoeSize"], "shoeSize"),
            (vec!["userName", "USERNAME"], "USERNAME"),
            (vec!["displayName"], "userName"),
            (vec!["userName", "name"], "name"),
            (vec![], "userName"),
        ] {
            assert!(table(&names).unwrap_err().contains(why), "{names:?}");
        }
    }
}
