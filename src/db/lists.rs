//! Pages of users and groups: filter, order, place (RFC 7644 §3.4.2, RFC 9865).
//!
//! A page is one statement, and a second one counts where the count is not known already; of a sorted
//! list it is two where some resources have the value and others do not.

mod sorted;

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::domain::group::Group;
use crate::domain::id::CompanySeq;
use crate::domain::user::User;
use crate::scim::filter::Condition;
use crate::scim::schema::{AttributePath, ResourceSchema, ResourceType};

use super::counts::Place;
use super::dialect::Dialect;
use super::filter_sql::{FilterSql, Lead};
use super::statement::Statement;
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
    /// The same order from its end: greatest first, what has no value in front (§3.4.2.3), and of equals
    /// the youngest first.
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
    let rows: Vec<(users::Row, _)> = query.read(conn, users::COLUMNS, |conn, statement| {
        statement.rows::<(users::Types, Nullable<Text>)>().load(conn)
    })?;
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
    let rows: Vec<(groups::Row, _)> = query.read(conn, groups::COLUMNS, |conn, statement| {
        statement.rows::<(groups::Types, Nullable<Text>)>().load(conn)
    })?;
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
    if query.condition.is_none() {
        return counts::total(conn, query.company, query.schema.resource_type);
    }
    let dialect = Dialect::of(conn);
    let mut statement = Statement::new("SELECT count(*)");
    statement.append(query.rows(dialect)).one_off();
    statement.rows::<BigInt>().get_result(conn)
}

fn table(resource_type: ResourceType) -> &'static str {
    match resource_type {
        ResourceType::User => "users",
        ResourceType::Group => "groups",
    }
}

/// Rows as they are loaded, each with its key in the order asked for.
type Rows<R> = Vec<(R, Option<String>)>;

impl<'q> Query<'q> {
    /// The next resources of a company behind a storage key, in the order of their making.
    pub fn slice(
        company: CompanySeq,
        schema: &'q ResourceSchema,
        (behind, limit): (i64, i64),
    ) -> Self {
        let from = From::After(behind, None);
        Self { company, schema, condition: None, sort: None, from, limit }
    }
}

impl Query<'_> {
    fn read<R>(
        &self,
        conn: &mut DbConn,
        columns: &'static str,
        load: impl Fn(&mut DbConn, Statement) -> QueryResult<Rows<R>>,
    ) -> QueryResult<Rows<R>> {
        if let Some(sort) = &self.sort {
            return sorted::read(conn, (self, sort), columns, load);
        }
        let Some(from) = self.begin(conn)? else { return Ok(Vec::new()) };
        load(conn, self.in_order(Dialect::of(conn), columns, &from))
    }

    /// Where the page begins in the order of making, found without stepping over all rows before it
    /// where that can be; `None` behind the last row.
    fn begin(&self, conn: &mut DbConn) -> QueryResult<Option<From>> {
        match &self.from {
            From::Offset(offset) if *offset > 0 && self.condition.is_none() => {
                let kind = self.schema.resource_type;
                Ok(counts::locate(conn, self.company, kind, *offset)?.map(From::At))
            }
            from => Ok(Some(from.clone())),
        }
    }

    fn sql(&self, dialect: Dialect) -> FilterSql<'_> {
        FilterSql { company: self.company, schema: self.schema, dialect }
    }

    fn lead(&self, dialect: Dialect) -> Lead {
        self.condition.map_or(Lead::Order, |condition| self.sql(dialect).lead(condition))
    }

    fn filter(&self, dialect: Dialect, condition: Option<&Condition>) -> Statement {
        let sql = self.sql(dialect);
        // The plus hides the column from the planner, which else takes any company for a small one.
        let mut out = Statement::new(match condition.map(|c| sql.lead(c)) {
            Some(Lead::Set) => dialect.aside(),
            Some(Lead::Column(_) | Lead::Order) | None => "",
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

    /// ` FROM … WHERE …`: the resources `r` that satisfy the condition.
    fn rows(&self, dialect: Dialect) -> Statement {
        let mut out = Statement::new(" FROM ");
        out.sql(table(self.schema.resource_type)).sql(" r");
        if let Lead::Column(index) = self.lead(dialect) {
            out.sql(dialect.by_index(index));
        }
        out.sql(" WHERE ").append(self.filter(dialect, self.condition));
        out
    }

    /// A page in the order of making.
    fn in_order(&self, dialect: Dialect, columns: &'static str, from: &From) -> Statement {
        let mut out = Statement::new("SELECT ");
        out.sql(columns).sql(", NULL").append(self.rows(dialect));
        match from {
            From::Offset(_) => {}
            From::At(Place { from, skip: 0 }) => drop(out.sql(" AND r.seq >= ").int(*from)),
            From::At(place) => drop(out.sql(" AND r.seq >= ").append(self.nth(place))),
            From::After(seq, _) => drop(out.sql(" AND r.seq > ").int(*seq)),
        }
        out.sql(" ORDER BY ");
        if self.lead(dialect) == Lead::Set {
            out.sql(dialect.put_in_order());
        }
        out.sql("r.seq");
        let skip = if let From::Offset(skip) = from { *skip } else { 0 };
        if self.condition.is_none() && skip == 0 {
            return dialect.first_rows(out, self.limit);
        }
        out.sql(" LIMIT ").int(self.limit);
        if skip > 0 {
            out.sql(" OFFSET ").int(skip);
        }
        out
    }

    /// The storage key at a place, as SQL: its rows are stepped over in the index, where PostgreSQL would else
    /// read each of them (as it does where they are too new to be known as visible to all).
    fn nth(&self, place: &Place) -> Statement {
        let mut out = Statement::new("(SELECT s.seq FROM ");
        out.sql(table(self.schema.resource_type)).sql(" s WHERE s.company_seq = ");
        out.int(self.company.0).sql(" AND s.seq >= ").int(place.from);
        out.sql(" ORDER BY s.seq LIMIT 1 OFFSET ").int(place.skip).sql(")");
        out
    }
}
