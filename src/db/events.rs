//! The table of events: what happened, for webhooks and for the audit. Rows are added and never changed.

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Text};

use crate::domain::event::Event;
use crate::domain::id::CompanySeq;

use super::dialect::{List, table_of};
use super::statement::Statement;
use super::{DbConn, micros};

const COLUMNS: &str = "INSERT INTO events (company_seq, id, at, action, actor, target, detail) ";

/// The company of what is the installation's own.
pub const INSTALLATION: CompanySeq = CompanySeq(0);

/// Stores an event.
///
/// # Errors
/// The database's.
pub fn insert(conn: &mut DbConn, company: CompanySeq, event: &Event) -> QueryResult<()> {
    struct Insert;
    let mut statement = Statement::new(COLUMNS);
    statement.sql("VALUES (").append(values(company, event)).sql(")");
    statement.known::<Insert, BigInt>().execute(conn).map(drop)
}

/// Stores events of one change, many by one statement.
///
/// # Errors
/// The database's.
pub fn insert_all(conn: &mut DbConn, company: CompanySeq, events: &[Event]) -> QueryResult<()> {
    if let [event] = events {
        return insert(conn, company, event);
    }
    for chunk in events.chunks(200) {
        let mut statement = Statement::new(COLUMNS);
        statement.sql("VALUES ");
        for (i, event) in chunk.iter().enumerate() {
            statement.sql(if i == 0 { "(" } else { ", (" }).append(values(company, event)).sql(")");
        }
        statement.one_off();
        statement.run(conn)?;
    }
    Ok(())
}

/// Stores an event where the part `made` of the same statement has a row: the rest of that part, as SQL.
pub(super) fn tell_made(company: CompanySeq, event: &Event) -> Statement {
    let mut statement = Statement::new(COLUMNS);
    statement.sql("SELECT ").append(values(company, event)).sql(" FROM made");
    statement
}

/// Stores the events of those of whom `made` of the same statement has a row, which are their targets: the
/// rest of that part, as SQL.
pub(super) fn tell_all_made<'e>(events: impl Iterator<Item = &'e Event>) -> Statement {
    let events: Vec<&Event> = events.collect();
    let details: Vec<String> = events.iter().map(|event| event.detail.to_string()).collect();
    let actors: Vec<String> = events.iter().map(|event| event.actor.text()).collect();
    let mut statement = Statement::new(COLUMNS);
    statement.sql("SELECT made.company_seq, e.* FROM made JOIN ").append(table_of(
        vec![
            List::texts(events.iter().map(|event| Some(event.id.as_str()))),
            List::numbers(events.iter().map(|event| Some(micros(event.at)))),
            List::texts(events.iter().map(|event| Some(event.action.name()))),
            List::texts(actors.iter().map(|actor| Some(actor.as_str()))),
            List::texts(events.iter().map(|event| Some(event.target.as_str()))),
            List::texts(details.iter().map(|detail| Some(detail.as_str()))),
        ],
        "e (id, at, action, actor, target, detail) ON e.target = made.id",
    ));
    statement
}

fn values(company: CompanySeq, event: &Event) -> Statement {
    let mut statement = Statement::default();
    statement.int(company.0).sql(", ").text(event.id.as_str());
    statement.sql(", ").int(micros(event.at)).sql(", ").text(event.action.name());
    statement.sql(", ").text(event.actor.text()).sql(", ").text(event.target.as_str());
    statement.sql(", ").text(event.detail.to_string());
    statement
}

/// An event as it is read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its id.
    pub id: String,
    /// When, in microseconds.
    pub at: i64,
    /// What was done.
    pub action: String,
    /// By whom.
    pub actor: String,
    /// To what.
    pub target: String,
    /// What else there is to say, as JSON.
    pub detail: String,
}

/// The company's events in front of this one, the latest first; without one, the latest of all. Those of one
/// target alone where one is named.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    company: CompanySeq,
    target: Option<&str>,
    (before, limit): (Option<i64>, i64),
) -> QueryResult<Vec<(i64, Recorded)>> {
    let mut statement = Statement::new(
        "SELECT seq, id, at, action, actor, target, detail FROM events WHERE company_seq = ",
    );
    statement.int(company.0);
    if let Some(target) = target {
        statement.sql(" AND target = ").text(target);
    }
    if let Some(before) = before {
        statement.sql(" AND seq < ").int(before);
    }
    statement.sql(" ORDER BY seq DESC LIMIT ").int(limit);
    let rows: Vec<(i64, String, i64, String, String, String, String)> =
        statement.rows::<(BigInt, Text, BigInt, Text, Text, Text, Text)>().load(conn)?;
    let read = |(seq, id, at, action, actor, target, detail)| {
        (seq, Recorded { id, at, action, actor, target, detail })
    };
    Ok(rows.into_iter().map(read).collect())
}
