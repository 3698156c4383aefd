//! Lists in the order of an attribute (RFC 7644 §3.4.2.3).
//!
//! What is promised an index is read along it, in two parts: the resources that have a value, and those
//! that have none. A filter that leaves few resources leads instead, and these few are put in order;
//! so is a whole directory by an attribute without an index, under the statement timeout.

use diesel::QueryResult;
use diesel::sql_types::BigInt;

use crate::db::dialect::Dialect;
use crate::db::filter_sql::{Column, Lead};
use crate::db::statement::Statement;
use crate::db::values::type_code;
use crate::db::{DbConn, counts};
use crate::scim::leaves::{self, Home};
use crate::scim::schema::AttributePath;

use super::{From, Query, Rows, Sort, table};

/// A page in the order of an attribute.
pub(super) fn read<R>(
    conn: &mut DbConn,
    (query, sort): (&Query<'_>, &Sort),
    columns: &'static str,
    load: impl Fn(&mut DbConn, Statement) -> QueryResult<Rows<R>>,
) -> QueryResult<Rows<R>> {
    let sorted = Sorted { query, sort, columns, dialect: Dialect::of(conn) };
    let Some(key) = sorted.walked() else { return load(conn, sorted.gathered()) };
    let (mut parts, mut rows) = (vec![Part::With, Part::Without], Vec::new());
    if !key.may_be_missing() {
        parts.pop();
    }
    if sort.descending {
        parts.reverse();
    }
    let length = |rows: &Rows<R>| i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let (mut skip, mut after) = match &query.from {
        From::Offset(skip) => (*skip, None),
        From::At(place) => (place.skip, None),
        From::After(seq, last) => (0, Some((*seq, last.as_deref()))),
    };
    for part in parts {
        // The part that the page before ended in is gone on with; those before it are behind us.
        let goes_on = match after {
            Some((_, last)) if last.is_some() != (part == Part::With) => continue,
            other => other,
        };
        after = None;
        let left = query.limit - length(&rows);
        if left <= 0 {
            break;
        }
        if part == Part::Without && sorted.is_complete(conn, key)? {
            continue;
        }
        let found = load(conn, sorted.page(&key, part, goes_on, (left, skip)))?;
        if found.is_empty() && skip > 0 {
            skip -= sorted.count(&key, part).rows::<BigInt>().get_result::<i64>(conn)?;
        } else {
            skip = 0;
        }
        rows.extend(found);
    }
    Ok(rows)
}

/// A sorted list of one database.
struct Sorted<'q> {
    query: &'q Query<'q>,
    sort: &'q Sort,
    columns: &'static str,
    dialect: Dialect,
}

/// Where the values to sort by are.
#[derive(Debug, Clone, Copy)]
enum Key {
    /// In a column of `r`, with an index of this name; whether a row may have none.
    Column(Column, &'static str, bool),
    /// In `attribute_values v`.
    Values,
}

/// The resources with a value, or those without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    With,
    Without,
}

impl Key {
    fn may_be_missing(self) -> bool {
        match self {
            Self::Column(.., may) => may,
            Self::Values => true,
        }
    }

    /// The value as SQL, and the storage key that equals are ordered by.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Column(column, ..) => (column.name(), "r.seq"),
            Self::Values => ("v.value_key", "v.resource_seq"),
        }
    }
}

impl Sorted<'_> {
    /// The key whose index the list is read along, if that is the way to go.
    fn walked(&self) -> Option<Key> {
        let kind = self.query.schema.resource_type;
        let lead = self.query.lead(self.dialect);
        if leaves::home(kind, &self.sort.path) == Home::Index {
            return (lead == Lead::Order).then_some(Key::Values);
        }
        let column = self.query.sql(self.dialect).column(&self.sort.path)?;
        let (index, may_be_missing) = self.query.sql(self.dialect).index(column)?;
        // A range of the very values is in their order.
        let leads = lead == Lead::Order || lead == Lead::Column(index);
        leads.then_some(Key::Column(column, index, may_be_missing))
    }

    /// A page of one part: behind a row, or behind so many of them.
    fn page(
        &self,
        key: &Key,
        part: Part,
        after: Option<(i64, Option<&str>)>,
        (limit, skip): (i64, i64),
    ) -> Statement {
        let (name, seq) = key.names();
        let mut out = Statement::new("SELECT ");
        out.sql(self.columns).sql(", ");
        match (part, key) {
            (Part::Without, _) => out.sql("NULL"),
            (Part::With, Key::Column(column, ..)) => out.sql(as_text(*column)),
            (Part::With, Key::Values) => out.sql(name),
        };
        out.append(self.rows(key, part));
        let (beyond, direction) = if self.sort.descending { (" < ", " DESC") } else { (" > ", "") };
        match (part, after) {
            (_, None) => {}
            (Part::Without, Some((last, _))) => drop(out.sql(" AND r.seq").sql(beyond).int(last)),
            (Part::With, Some((last, value))) => {
                out.sql(format!(" AND ({name}, {seq})")).sql(beyond).sql("(");
                bind(&mut out, *key, value.unwrap_or_default());
                out.sql(", ").int(last).sql(")");
            }
        }
        out.sql(" ORDER BY ");
        match (part, key) {
            (Part::Without, Key::Values) => out.sql("r.seq").sql(direction),
            // Of what is NULL too: PostgreSQL sees by that that the index has the order.
            _ => out.sql(format!("{name}{direction}, {seq}{direction}")),
        };
        out.sql(" LIMIT ").int(limit);
        if skip > 0 {
            out.sql(" OFFSET ").int(skip);
        }
        // The planner is to know the place and the length of the page.
        out.one_off();
        out
    }

    /// Whether every resource of the company has a value in the index: then nobody need be looked for
    /// who has none, which would be a join of all of them.
    fn is_complete(&self, conn: &mut DbConn, key: Key) -> QueryResult<bool> {
        let Key::Values = key else { return Ok(false) };
        let mut with = Statement::new("SELECT count(*) FROM attribute_values v WHERE ");
        with.append(self.values()).one_off();
        let with: i64 = with.rows::<BigInt>().get_result(conn)?;
        let kind = self.query.schema.resource_type;
        Ok(with == counts::total(conn, self.query.company, kind)?)
    }

    /// How many resources a part has.
    fn count(&self, key: &Key, part: Part) -> Statement {
        let mut out = Statement::new("SELECT count(*)");
        out.append(self.rows(key, part)).one_off();
        out
    }

    /// ` FROM … WHERE …`: the resources of a part.
    fn rows(&self, key: &Key, part: Part) -> Statement {
        let kind = self.query.schema.resource_type;
        let filter = self.query.filter(self.dialect, self.query.condition);
        let mut out = Statement::new(" FROM ");
        match (key, part) {
            (Key::Column(column, index, _), Part::With) => {
                out.sql(table(kind)).sql(" r").sql(self.dialect.by_index(index)).sql(" WHERE ");
                out.append(filter).sql(" AND ").sql(column.name()).sql(" IS NOT NULL");
            }
            (Key::Column(column, ..), Part::Without) => {
                out.sql(table(kind)).sql(" r WHERE ").append(filter);
                out.sql(" AND ").sql(column.name()).sql(" IS NULL");
            }
            (Key::Values, Part::With) => {
                out.sql("attribute_values v CROSS JOIN ").sql(table(kind)).sql(" r WHERE ");
                out.append(self.values()).sql(" AND r.seq = v.resource_seq AND ").append(filter);
            }
            (Key::Values, Part::Without) => {
                let mut having =
                    Statement::new("SELECT v.resource_seq FROM attribute_values v WHERE ");
                having.append(self.values());
                out.sql(table(kind)).sql(" r WHERE ").append(filter).sql(" AND ");
                out.append(self.dialect.outside("r.seq", having));
            }
        }
        out
    }

    /// The values `v` to sort by: element 0 is the primary or else the first.
    fn values(&self) -> Statement {
        let mut out = Statement::new("v.company_seq = ");
        out.int(self.query.company.0).sql(" AND v.resource_type = ");
        out.int(type_code(self.query.schema.resource_type));
        out.sql(" AND v.path = ").text(leaves::path_key(&self.sort.path)).sql(" AND v.element = 0");
        out
    }
}

/// The value of a column as a cursor keeps it.
fn as_text(column: Column) -> String {
    match column {
        Column::Text(name) => name.to_owned(),
        Column::Time(name) => format!("CAST({name} AS TEXT)"),
        Column::Flag(name) => format!("CASE WHEN {name} THEN '1' ELSE '0' END"),
    }
}

/// Goes on with a value as a cursor keeps it.
fn bind(out: &mut Statement, key: Key, last: &str) {
    match key {
        Key::Column(Column::Time(_), ..) => out.int(last.parse().unwrap_or_default()),
        Key::Column(Column::Flag(_), ..) => out.bool(last == "1"),
        Key::Column(Column::Text(_), ..) | Key::Values => out.text(last),
    };
}

/// Lists whose rows are gathered first, then put in order.
impl Sorted<'_> {
    fn gathered(&self) -> Statement {
        let column = self.query.sql(self.dialect).column(&self.sort.path);
        let name = column.map_or("s.value_key", Column::name);
        let mut out = Statement::new("SELECT ");
        out.sql(self.columns).sql(", ");
        out.sql(column.map_or_else(|| name.to_owned(), as_text));
        let kind = self.query.schema.resource_type;
        out.sql(" FROM ").sql(table(kind)).sql(" r");
        if let Lead::Column(index) = self.query.lead(self.dialect) {
            out.sql(self.dialect.by_index(index));
        }
        if column.is_none() {
            out.append(self.joined());
        }
        out.sql(" WHERE ").append(self.query.filter(self.dialect, self.query.condition));
        let key = column.map_or(Key::Values, |column| Key::Column(column, "", true));
        self.place(&mut out, name, key);
        out.sql(" ORDER BY ");
        if column.is_some() {
            // The filter's index leads, not that of the order.
            out.sql(self.dialect.aside());
        }
        out.sql(name).sql(if self.sort.descending {
            " DESC NULLS FIRST, r.seq DESC"
        } else {
            " ASC NULLS LAST, r.seq"
        });
        out.sql(" LIMIT ").int(self.query.limit);
        if let From::Offset(skip) = self.query.from
            && skip > 0
        {
            out.sql(" OFFSET ").int(skip);
        }
        out.one_off();
        out
    }

    /// The values to sort by, gathered once.
    fn joined(&self) -> Statement {
        let kind = self.query.schema.resource_type;
        let path = &self.sort.path;
        let mut out = Statement::new(" LEFT JOIN (SELECT ");
        if leaves::home(kind, path) == Home::Index {
            out.sql("v.resource_seq, v.value_key FROM attribute_values v WHERE ");
            out.append(self.values());
        } else {
            let whole = leaves::path_key(&AttributePath { sub: None, ..path.clone() });
            let first = self.dialect.first_text("v.facts", &whole, path.sub.as_deref());
            out.sql("v.seq AS resource_seq, ").append(first).sql(" AS value_key FROM ");
            out.sql(table(kind)).sql(" v WHERE v.company_seq = ").int(self.query.company.0);
        }
        out.sql(") s ON s.resource_seq = r.seq");
        out
    }

    /// Only what comes behind the row that the page before ended with.
    fn place(&self, out: &mut Statement, name: &'static str, key: Key) {
        let From::After(seq, last) = &self.query.from else { return };
        let (beyond, descending) =
            if self.sort.descending { (" < ", true) } else { (" > ", false) };
        out.sql(" AND (");
        match last {
            Some(last) => {
                out.sql(format!("({name}, r.seq)")).sql(beyond).sql("(");
                bind(out, key, last);
                out.sql(", ").int(*seq).sql(")");
                if !descending {
                    out.sql(" OR ").sql(name).sql(" IS NULL");
                }
            }
            None => {
                out.sql("(").sql(name).sql(" IS NULL AND r.seq").sql(beyond).int(*seq).sql(")");
                if descending {
                    out.sql(" OR ").sql(name).sql(" IS NOT NULL");
                }
            }
        }
        out.sql(")");
    }
}
