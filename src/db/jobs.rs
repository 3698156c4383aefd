//! The table of jobs. A worker holds one by a lease that it renews with every slice.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use jiff::Timestamp;

use crate::domain::id::CompanySeq;
use crate::domain::job::{Job, Kind, State};

use super::dialect::Dialect;
use super::statement::Statement;
use super::{DbConn, micros, time};

const COLUMNS: &str = "seq, id, company_seq, kind, state, payload, place, done, total, error, attempts, \
                       created_at, finished_at";

type Types = (
    BigInt,
    Text,
    BigInt,
    Text,
    Text,
    Text,
    Text,
    BigInt,
    BigInt,
    Nullable<Text>,
    BigInt,
    BigInt,
    Nullable<BigInt>,
);
type Row = (
    i64,
    String,
    i64,
    String,
    String,
    String,
    String,
    i64,
    i64,
    Option<String>,
    i64,
    i64,
    Option<i64>,
);

fn from_row(row: Row) -> Job {
    let (seq, id, company, kind, state, work, place, done, total, error, attempts, made, ended) =
        row;
    Job {
        seq,
        id,
        company: CompanySeq(company),
        // Written by us from the same types; to do everything anew is always right.
        kind: Kind::of(&kind).unwrap_or(Kind::Resync),
        state: State::of(&state).unwrap_or(State::Queued),
        work: serde_json::from_str(&work).unwrap_or_default(),
        place: serde_json::from_str(&place).unwrap_or_default(),
        done,
        total,
        error,
        attempts,
        created_at: time(made),
        finished_at: ended.map(time),
    }
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}

/// Stores a new job; its `seq` is not looked at.
///
/// # Errors
/// The database's.
pub fn insert(conn: &mut DbConn, job: &Job) -> QueryResult<i64> {
    let mut statement = Statement::new(
        "INSERT INTO jobs (id, company_seq, kind, state, payload, place, done, total, attempts, \
         created_at) VALUES (",
    );
    statement.text(job.id.as_str()).sql(", ").int(job.company.0).sql(", ").text(job.kind.name());
    statement.sql(", ").text(job.state.name()).sql(", ").text(json(&job.work)).sql(", ");
    statement.text(json(&job.place)).sql(", ").int(job.done).sql(", ").int(job.total);
    statement.sql(", ").int(job.attempts).sql(", ").int(micros(job.created_at));
    statement.sql(") RETURNING seq");
    statement.rows::<BigInt>().get_result(conn)
}

fn select(company: CompanySeq) -> Statement {
    let mut statement = Statement::new("SELECT ");
    statement.sql(COLUMNS).sql(" FROM jobs WHERE company_seq = ").int(company.0);
    statement
}

/// The company's job with this id.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, company: CompanySeq, id: &str) -> QueryResult<Option<Job>> {
    let mut statement = select(company);
    statement.sql(" AND id = ").text(id);
    statement.rows::<Types>().get_result::<Row>(conn).optional().map(|row| row.map(from_row))
}

/// The company's jobs behind this id, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    company: CompanySeq,
    (after, limit): (&str, i64),
) -> QueryResult<Vec<Job>> {
    let mut statement = select(company);
    statement.sql(" AND id > ").text(after).sql(" ORDER BY id LIMIT ").int(limit);
    let rows: Vec<Row> = statement.rows::<Types>().load(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// The company's job of this kind that nobody has begun; it is kept from being begun until the unit of
/// work ends.
///
/// # Errors
/// The database's.
pub fn waiting(conn: &mut DbConn, company: CompanySeq, kind: Kind) -> QueryResult<Option<Job>> {
    let mut statement = select(company);
    statement.sql(" AND finished_at IS NULL AND state = ").text(State::Queued.name());
    statement.sql(" AND kind = ").text(kind.name()).sql(" ORDER BY seq LIMIT 1");
    statement.sql(Dialect::of(conn).skip_locked());
    statement.rows::<Types>().get_result::<Row>(conn).optional().map(|row| row.map(from_row))
}

/// Gives a job that nobody has begun other work.
///
/// # Errors
/// The database's.
pub fn set_work(conn: &mut DbConn, job: &Job) -> QueryResult<()> {
    let mut statement = Statement::new("UPDATE jobs SET payload = ");
    statement.text(json(&job.work)).sql(", total = ").int(job.total);
    statement.sql(" WHERE company_seq = ").int(job.company.0).sql(" AND seq = ").int(job.seq);
    statement.run(conn).map(drop)
}

/// Which jobs may be begun or gone on with at this moment: nobody holds them, and they are the oldest of
/// their company, since two at once would do the same work.
fn free(now: Timestamp) -> Statement {
    let mut statement = Statement::new(
        " FROM jobs j WHERE j.finished_at IS NULL AND (j.leased_until IS NULL OR j.leased_until <= ",
    );
    statement.int(micros(now)).sql(
        ") AND NOT EXISTS (SELECT 1 FROM jobs k WHERE k.finished_at IS NULL \
         AND k.company_seq = j.company_seq AND k.seq < j.seq)",
    );
    statement
}

/// Whether there is a job to be done, whosever.
///
/// # Errors
/// The database's.
pub fn is_any(conn: &mut DbConn, now: Timestamp) -> QueryResult<bool> {
    let mut statement = Statement::new("SELECT j.seq");
    statement.append(free(now)).sql(" LIMIT 1");
    let found: Option<i64> = statement.rows::<BigInt>().get_result(conn).optional()?;
    Ok(found.is_some())
}

/// Gives a worker the job whose last slice is the longest ago, so that companies take turns.
///
/// # Errors
/// The database's.
pub fn claim(
    conn: &mut DbConn,
    worker: &str,
    (now, until): (Timestamp, Timestamp),
) -> QueryResult<Option<Job>> {
    let mut statement = Statement::new("UPDATE jobs SET state = ");
    statement.text(State::Running.name()).sql(", leased_by = ").text(worker);
    statement.sql(", leased_until = ").int(micros(until));
    statement.sql(" WHERE seq = (SELECT j.seq").append(free(now));
    statement.sql(" ORDER BY coalesce(j.leased_until, 0), j.seq LIMIT 1");
    statement.sql(Dialect::of(conn).skip_locked()).sql(") RETURNING ").sql(COLUMNS);
    statement.rows::<Types>().get_result::<Row>(conn).optional().map(|row| row.map(from_row))
}

/// Renews a worker's lease; `false`: another has the job by now, or it is gone. Until the transaction ends
/// no other gets it.
///
/// # Errors
/// The database's.
pub fn hold(conn: &mut DbConn, job: &Job, worker: &str, until: Timestamp) -> QueryResult<bool> {
    let mut statement = Statement::new("UPDATE jobs SET leased_until = ");
    statement.int(micros(until)).sql(" WHERE company_seq = ").int(job.company.0);
    statement.sql(" AND finished_at IS NULL AND seq = ").int(job.seq);
    statement.sql(" AND leased_by = ").text(worker);
    statement.run(conn).map(|rows| rows == 1)
}

/// Stores how far a job has come; of one that has ended, how.
///
/// # Errors
/// The database's.
pub fn keep(conn: &mut DbConn, job: &Job) -> QueryResult<()> {
    let mut statement = Statement::new("UPDATE jobs SET state = ");
    statement.text(job.state.name()).sql(", place = ").text(json(&job.place));
    statement.sql(", done = ").int(job.done).sql(", attempts = ").int(job.attempts);
    statement.sql(", error = ").maybe_text(job.error.as_deref());
    statement.sql(", finished_at = ").maybe_int(job.finished_at.map(micros));
    statement.sql(" WHERE company_seq = ").int(job.company.0).sql(" AND seq = ").int(job.seq);
    statement.run(conn).map(drop)
}

/// Lets a job go: whoever comes at this moment or later may have it.
///
/// # Errors
/// The database's.
pub fn release(conn: &mut DbConn, job: &Job, worker: &str, from: Timestamp) -> QueryResult<bool> {
    let mut statement = Statement::new("UPDATE jobs SET leased_by = NULL, leased_until = ");
    statement.int(micros(from)).sql(" WHERE company_seq = ").int(job.company.0);
    statement.sql(" AND finished_at IS NULL AND seq = ").int(job.seq);
    statement.sql(" AND leased_by = ").text(worker);
    statement.run(conn).map(|rows| rows == 1)
}

/// Storage keys of the company's users behind one and up to another, in order.
///
/// # Errors
/// The database's.
pub fn users(
    conn: &mut DbConn,
    company: CompanySeq,
    (after, until): (i64, i64),
    limit: i64,
) -> QueryResult<Vec<i64>> {
    let mut statement = Statement::new("SELECT seq FROM users WHERE company_seq = ");
    statement.int(company.0).sql(" AND seq > ").int(after).sql(" AND seq <= ").int(until);
    statement.sql(" ORDER BY seq LIMIT ").int(limit);
    statement.rows::<BigInt>().load(conn)
}

/// The storage key of the company's newest user; 0 for none.
///
/// # Errors
/// The database's.
pub fn last_user(conn: &mut DbConn, company: CompanySeq) -> QueryResult<i64> {
    let mut statement = Statement::new("SELECT seq FROM users WHERE company_seq = ");
    statement.int(company.0).sql(" ORDER BY seq DESC LIMIT 1");
    let last: Option<i64> = statement.rows::<BigInt>().get_result(conn).optional()?;
    Ok(last.unwrap_or_default())
}
