//! Lists in one value: those that a resource's facts hold, and those that a statement is given.

use super::Dialect;
use crate::db::statement::Statement;

/// Lists of texts in JSON, as [`crate::scim::leaves::facts`] makes them.
impl Dialect {
    /// A table `alias` whose rows are the elements of the list under a key of a JSON object; none
    /// where there is no such list.
    pub fn each(self, object: &Statement, key: &str, alias: &'static str) -> Statement {
        let mut out = Statement::default();
        match self {
            Self::Sqlite => {
                out.sql("json_each(").append(object.clone()).sql(", ").text(member(key)).sql(") ");
                out.sql(alias);
            }
            Self::Postgres => {
                out.sql("jsonb_array_elements(CAST(").append(object.clone());
                out.sql(" AS jsonb) -> ").text(key).sql(") AS ").sql(alias).sql("(value)");
            }
        }
        out
    }

    /// Whether these columns of one row are together a row of the list; each row has a value for each column.
    /// SQLite looks up each alternative by the index and reads the whole table for a list of rows; PostgreSQL
    /// joins the list by the index, and plans for tens of milliseconds where there are hundreds of alternatives.
    pub fn is_among(self, columns: &[&'static str], rows: Vec<Vec<Statement>>) -> Statement {
        let mut out = Statement::default();
        if self == Self::Postgres {
            out.sql(format!("({}) IN (VALUES ", columns.join(", ")));
        }
        for (i, row) in rows.into_iter().enumerate() {
            out.sql(match (self, i) {
                (_, 0) => "(",
                (Self::Sqlite, _) => " OR (",
                (Self::Postgres, _) => ", (",
            });
            for (n, (column, value)) in columns.iter().zip(row).enumerate() {
                match self {
                    Self::Sqlite => {
                        out.sql(if n == 0 { "" } else { " AND " }).sql(*column).sql(" = ")
                    }
                    Self::Postgres => out.sql(if n == 0 { "" } else { ", " }),
                };
                out.append(value);
            }
            out.sql(")");
        }
        if self == Self::Postgres {
            out.sql(")");
        }
        out
    }

    /// The first rows of a SELECT in the order of its column `seq`.
    ///
    /// PostgreSQL plans a prepared statement anew for each run, unless a plan for every limit looks as cheap;
    /// such a plan expects a tenth of all rows: here of those that an inner limit lets through, which are few.
    pub fn first_rows(self, select: Statement, limit: i64) -> Statement {
        let mut out = Statement::default();
        match self {
            Self::Sqlite => out.append(select),
            Self::Postgres => {
                let most = limit.unsigned_abs().next_power_of_two();
                out.sql("SELECT * FROM (").append(select);
                out.sql(format!(" LIMIT {most}) p ORDER BY p.seq"))
            }
        };
        out.sql(" LIMIT ").int(limit);
        out
    }

    /// A table `alias` whose rows are the texts of the list that a column holds; none where it is NULL.
    pub fn elements(self, column: &'static str, alias: &'static str) -> Statement {
        let mut out = Statement::default();
        match self {
            Self::Sqlite => out.sql("json_each(").sql(column).sql(") ").sql(alias),
            Self::Postgres => {
                out.sql("LATERAL (SELECT t.value COLLATE \"C\" AS value FROM ");
                out.sql("jsonb_array_elements_text(CAST(").sql(column);
                out.sql(" AS jsonb)) t (value)) AS ").sql(alias)
            }
        };
        out
    }

    /// The text that an element of [`Self::each`] is.
    pub fn element_text(self, alias: &'static str) -> Statement {
        match self {
            Self::Sqlite => {
                let mut out = Statement::new(alias);
                out.sql(".value");
                out
            }
            Self::Postgres => {
                let mut out = Statement::new("((");
                out.sql(alias).sql(".value #>> '{}') COLLATE \"C\")");
                out
            }
        }
    }

    /// The text under a key of the object that an element of [`Self::each`] is.
    pub fn part_text(self, alias: &'static str, key: &str) -> Statement {
        match self {
            Self::Sqlite => {
                let mut out = Statement::new("json_extract(");
                out.sql(alias).sql(".value, ").text(member(key)).sql(")");
                out
            }
            Self::Postgres => {
                let mut out = Statement::new("((");
                out.sql(alias).sql(".value ->> ").text(key).sql(") COLLATE \"C\")");
                out
            }
        }
    }

    /// The text by which a list under a key of a JSON object is sorted: its first element, or a
    /// part of that.
    pub fn first_text(self, object: &'static str, key: &str, part: Option<&str>) -> Statement {
        match self {
            Self::Sqlite => {
                let part = part.map(|part| format!(".\"{part}\"")).unwrap_or_default();
                let mut out = Statement::new("json_extract(");
                out.sql(object).sql(", ").text(format!("{}[0]{part}", member(key))).sql(")");
                out
            }
            Self::Postgres => {
                let mut out = Statement::new("((CAST(");
                out.sql(object).sql(" AS jsonb) -> ").text(key).sql(" -> 0");
                match part {
                    Some(part) => out.sql(" ->> ").text(part),
                    None => out.sql(" #>> '{}'"),
                };
                out.sql(") COLLATE \"C\")");
                out
            }
        }
    }
}

/// Lists as one value, however long they are: the statement is the same for all of them.
impl Dialect {
    /// A table `alias` whose rows are these texts.
    pub fn texts(self, list: &[&str], alias: &'static str) -> Statement {
        let list = serde_json::json!(list).to_string();
        let mut out = Statement::default();
        match self {
            Self::Sqlite => out.sql("json_each(").text(list).sql(") ").sql(alias),
            Self::Postgres => {
                out.sql(
                    "(SELECT t.value COLLATE \"C\" AS value FROM jsonb_array_elements_text(CAST(",
                );
                out.text(list).sql(" AS jsonb)) t (value)) AS ").sql(alias)
            }
        };
        out
    }

    /// A table `alias` whose rows are these numbers.
    pub fn numbers(self, list: &[i64], alias: &'static str) -> Statement {
        let mut out = Statement::default();
        match self {
            Self::Sqlite => out.sql("json_each(").text(self.array(list)).sql(") ").sql(alias),
            Self::Postgres => {
                out.sql("unnest(CAST(").text(self.array(list)).sql(" AS bigint[])) AS ");
                out.sql(alias).sql(" (value)")
            }
        };
        out
    }

    /// A column is one of these numbers; an index looks each of them up.
    pub fn any_of(self, column: &'static str, list: &[i64]) -> Statement {
        let mut out = Statement::new(column);
        match self {
            Self::Sqlite => {
                out.sql(" IN (SELECT l.value FROM json_each(").text(self.array(list)).sql(") l)")
            }
            Self::Postgres => out.sql(" = ANY (CAST(").text(self.array(list)).sql(" AS bigint[]))"),
        };
        out
    }

    fn array(self, list: &[i64]) -> String {
        let list = list.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Sqlite => format!("[{list}]"),
            Self::Postgres => format!("{{{list}}}"),
        }
    }
}

/// The path of a member of an object, as SQLite reads it. No name of an attribute holds a quote.
fn member(key: &str) -> String {
    format!("$.\"{key}\"")
}

/// A list as one value: a column of [`table_of`].
#[derive(Debug)]
pub struct List {
    kind: &'static str,
    text: String,
}

impl List {
    /// A list of numbers.
    pub fn numbers(values: impl Iterator<Item = Option<i64>>) -> Self {
        let mut list = Self::new(" AS bigint[])");
        values.for_each(|value| list.push(value, |text, value| text.push_str(&value.to_string())));
        list
    }

    /// A list of truth values.
    pub fn flags(values: impl Iterator<Item = bool>) -> Self {
        let mut list = Self::new(" AS boolean[])");
        values.for_each(|value| {
            list.push(Some(value), |text, value| text.push(if value { 't' } else { 'f' }));
        });
        list
    }

    /// A list of texts.
    pub fn texts<'v>(values: impl Iterator<Item = Option<&'v str>>) -> Self {
        let mut list = Self::new(" AS text[])");
        values.for_each(|value| list.push(value, quote));
        list
    }

    fn new(kind: &'static str) -> Self {
        Self { kind, text: "{".to_owned() }
    }

    fn push<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut String, T)) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        match value {
            Some(value) => write(&mut self.text, value),
            None => self.text.push_str("NULL"),
        }
    }
}

/// A text as an element of a list: in quotes, those of its own and backslashes behind a backslash.
fn quote(out: &mut String, value: &str) {
    out.reserve(value.len() + value.len() / 8 + 2);
    out.push('"');
    let mut rest = value;
    while let Some(at) = rest.find(['"', '\\']) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        out.push('\\');
        let (first, behind) = special.split_at(1);
        out.push_str(first);
        rest = behind;
    }
    out.push_str(rest);
    out.push('"');
}

/// A table of which each list is a column, all of them alike long. PostgreSQL's alone: for where a WITH may hold an INSERT.
pub fn table_of(columns: Vec<List>, alias: &'static str) -> Statement {
    let mut out = Statement::new("unnest(");
    for (i, List { kind, mut text }) in columns.into_iter().enumerate() {
        text.push('}');
        out.sql(if i == 0 { "CAST(" } else { ", CAST(" }).text(text).sql(kind);
    }
    out.sql(") AS ").sql(alias);
    out
}
