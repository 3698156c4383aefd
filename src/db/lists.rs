//! Pages of users and groups: filter, order, place (RFC 7644 §3.4.2, RFC 9865).
//!
//! A page is one statement, and a second one counts where the count is not known already.

#[cfg(test)]
mod tests;

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::domain::group::Group;
use crate::domain::id::CompanySeq;
use crate::domain::user::User;
use crate::scim::filter::Condition;
use crate::scim::leaves::{self, Home};
use crate::scim::schema::{AttributePath, ResourceSchema, ResourceType};

use super::counts::Place;
use super::dialect::Dialect;
use super::filter_sql::{Column, FilterSql, Lead};
use super::statement::Statement;
use super::values::type_code;
use super::{DbConn, counts, groups, users};

/// Which page of which resources.
#[derive(Debug, Clone)]
pub struct Query<'q> {
    /// Whose data.
    pub company: CompanySeq,
    /// Users or Groups, and what names mean.
    pub schema: &'q ResourceSchema,
    /// Which of them; all, where there is none.
    pub condition: Option<&'q Condition>,
    /// In which order; that of their making, where there is none.
    pub sort: Option<Sort>,
    /// Where the page begins.
    pub from: From,
    /// Most rows.
    pub limit: i64,
}

/// An order by one attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    /// A simple attribute, or a sub-attribute of a list: then its primary or first value counts.
    pub path: AttributePath,
    /// Greatest first; what has no value comes last going up, and first going down (§3.4.2.3).
    pub descending: bool,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq)]
pub enum From {
    /// Behind so many rows.
    Offset(i64),
    /// Behind this row: its storage key, and its sort key if it has one.
    After(i64, Option<String>),
    /// At this place in the order of making.
    At(Place),
}

/// One row of a page.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// The resource.
    pub item: T,
    /// Its key in the order asked for.
    pub sort_key: Option<String>,
}

/// A page of users.
///
/// # Errors
/// The database's.
pub fn users(conn: &mut DbConn, query: &Query<'_>) -> QueryResult<Vec<Listed<User>>> {
    let Some(from) = query.begin(conn)? else { return Ok(Vec::new()) };
    let query = Query { from, ..query.clone() };
    let statement = query.select(Dialect::of(conn), users::COLUMNS, "users");
    let rows: Vec<(users::Row, Option<String>)> =
        statement.rows::<(users::Types, Nullable<Text>)>().load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(row, sort_key)| Listed { item: users::from_row(row), sort_key })
        .collect())
}

/// A page of groups.
///
/// # Errors
/// The database's.
pub fn groups(conn: &mut DbConn, query: &Query<'_>) -> QueryResult<Vec<Listed<Group>>> {
    let Some(from) = query.begin(conn)? else { return Ok(Vec::new()) };
    let query = Query { from, ..query.clone() };
    let statement = query.select(Dialect::of(conn), groups::COLUMNS, "groups");
    let rows: Vec<(groups::Row, Option<String>)> =
        statement.rows::<(groups::Types, Nullable<Text>)>().load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(row, sort_key)| Listed { item: groups::from_row(row), sort_key })
        .collect())
}

/// How many resources there are on all pages.
///
/// # Errors
/// The database's.
pub fn total(conn: &mut DbConn, query: &Query<'_>) -> QueryResult<i64> {
    let Some(condition) = query.condition else {
        return counts::total(conn, query.company, query.schema.resource_type);
    };
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new("SELECT count(*) FROM ");
    statement.sql(table(query.schema.resource_type)).sql(" r WHERE ");
    statement.append(query.filter(dialect, Some(condition))).one_off();
    statement.rows::<BigInt>().get_result(conn)
}

fn table(resource_type: ResourceType) -> &'static str {
    match resource_type {
        ResourceType::User => "users",
        ResourceType::Group => "groups",
    }
}

/// The value to sort by, as SQL.
enum SortKey {
    Text(&'static str),
    Number(&'static str),
}

impl Query<'_> {
    /// Where the page begins, found without stepping over all rows before it where that can be;
    /// `None` behind the last row.
    fn begin(&self, conn: &mut DbConn) -> QueryResult<Option<From>> {
        match &self.from {
            From::Offset(offset)
                if *offset > 0 && self.condition.is_none() && self.sort.is_none() =>
            {
                let kind = self.schema.resource_type;
                Ok(counts::locate(conn, self.company, kind, *offset)?.map(From::At))
            }
            from => Ok(Some(from.clone())),
        }
    }

    fn sql(&self, dialect: Dialect) -> FilterSql<'_> {
        FilterSql { company: self.company, schema: self.schema, dialect }
    }

    fn filter(&self, dialect: Dialect, condition: Option<&Condition>) -> Statement {
        let sql = self.sql(dialect);
        // The plus hides the column from the planner, which else takes any company for a small one.
        let mut out = Statement::new(match condition.map(|c| sql.lead(c)) {
            Some(Lead::Set) => dialect.aside(),
            Some(Lead::Column | Lead::Order) | None => "",
        });
        out.sql("r.company_seq = ").int(self.company.0);
        if let Some(condition) = condition {
            out.sql(" AND ").append(sql.condition(condition)).sql(dialect.time_guard("r.seq"));
            if !matches!(condition, Condition::Compare { .. }) {
                out.one_off();
            }
        }
        out
    }

    fn select(&self, dialect: Dialect, columns: &'static str, table: &'static str) -> Statement {
        let key = self.sort.as_ref().map(|sort| self.sort_key(dialect, sort));
        let mut out = Statement::new("SELECT ");
        out.sql(columns).sql(", ");
        match &key {
            None => out.sql("NULL"),
            Some(SortKey::Text(name)) => out.sql(*name),
            Some(SortKey::Number(name)) => out.sql(format!("CAST({name} AS TEXT)")),
        };
        out.sql(" FROM ").sql(table).sql(" r");
        if let (Some(sort), Some(SortKey::Text("s.value_key"))) = (&self.sort, &key) {
            out.append(self.sort_join(dialect, sort));
        }
        out.sql(" WHERE ").append(self.filter(dialect, self.condition));
        self.place(&mut out, key.as_ref());
        self.order(&mut out, key.as_ref());
        out.sql(" LIMIT ").int(self.limit);
        if let From::Offset(skip) | From::At(Place { skip, .. }) = self.from
            && skip > 0
        {
            out.sql(" OFFSET ").int(skip);
        }
        out
    }

    fn sort_key(&self, dialect: Dialect, sort: &Sort) -> SortKey {
        match self.sql(dialect).column(&sort.path) {
            Some(Column::Text(name)) => SortKey::Text(name),
            Some(Column::Time(name)) => SortKey::Number(name),
            Some(Column::Flag(_)) => SortKey::Number("CASE WHEN r.active THEN 1 ELSE 0 END"),
            None => SortKey::Text("s.value_key"),
        }
    }

    /// The values to sort by, gathered once: element 0 is the primary or else the first.
    fn sort_join(&self, dialect: Dialect, sort: &Sort) -> Statement {
        let kind = self.schema.resource_type;
        let mut out = Statement::new(" LEFT JOIN (SELECT ");
        if leaves::home(kind, &sort.path) == Home::Index {
            out.sql("v.resource_seq, v.value_key FROM attribute_values v WHERE v.company_seq = ");
            out.int(self.company.0).sql(" AND v.resource_type = ").int(type_code(kind));
            out.sql(" AND v.path = ").text(leaves::path_key(&sort.path)).sql(" AND v.element = 0");
        } else {
            let whole = leaves::path_key(&AttributePath { sub: None, ..sort.path.clone() });
            let first = dialect.first_text("v.facts", &whole, sort.path.sub.as_deref());
            out.sql("v.seq AS resource_seq, ").append(first).sql(" AS value_key FROM ");
            out.sql(table(kind)).sql(" v WHERE v.company_seq = ").int(self.company.0);
        }
        out.sql(") s ON s.resource_seq = r.seq");
        out
    }

    /// Only what comes behind the row that the page before ended with.
    fn place(&self, out: &mut Statement, key: Option<&SortKey>) {
        let (seq, last) = match &self.from {
            From::Offset(_) => return,
            From::At(place) => {
                out.sql(" AND r.seq >= ").int(place.from);
                return;
            }
            From::After(seq, last) => (seq, last),
        };
        let descending = self.sort.as_ref().is_some_and(|s| s.descending);
        let Some(key) = key else {
            out.sql(" AND r.seq > ").int(*seq);
            return;
        };
        let (SortKey::Text(name) | SortKey::Number(name)) = key;
        let (name, beyond) = (*name, if descending { " < " } else { " > " });
        let value = |out: &mut Statement, last: &str| match key {
            SortKey::Text(_) => drop(out.text(last)),
            SortKey::Number(_) => drop(out.int(last.parse().unwrap_or_default())),
        };
        out.sql(" AND (");
        match last {
            Some(last) => {
                out.sql(name).sql(beyond);
                value(out, last);
                out.sql(" OR (").sql(name).sql(" = ");
                value(out, last);
                out.sql(" AND r.seq > ").int(*seq).sql(")");
                if !descending {
                    out.sql(" OR ").sql(name).sql(" IS NULL");
                }
            }
            None => {
                out.sql("(").sql(name).sql(" IS NULL AND r.seq > ").int(*seq).sql(")");
                if descending {
                    out.sql(" OR ").sql(name).sql(" IS NOT NULL");
                }
            }
        }
        out.sql(")");
    }

    fn order(&self, out: &mut Statement, key: Option<&SortKey>) {
        out.sql(" ORDER BY ");
        if let (Some(SortKey::Text(name) | SortKey::Number(name)), Some(sort)) = (key, &self.sort) {
            out.sql(*name).sql(if sort.descending {
                " DESC NULLS FIRST, "
            } else {
                " ASC NULLS LAST, "
            });
        }
        out.sql("r.seq");
    }
}
