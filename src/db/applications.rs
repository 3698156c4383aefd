//! The tables of the operator's applications and of requests for authorization that wait for a sign-in.
//! They belong to the installation, not to a company.

use diesel::QueryResult;
use diesel::prelude::*;
use jiff::Timestamp;

use crate::domain::application::{Addresses, Algorithm, Application};

use super::schema::{applications as t, authorization_requests as r};
use super::statement::Statement;
use super::{DbConn, micros, sweep, time};

type Row = (
    String,
    String,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<i64>,
    String,
    Option<String>,
    String,
    i64,
    i64,
    i64,
);

fn from_row(row: Row) -> Application {
    let (id, name, digest, former, until, alg, backchannel, document, created, updated, version) =
        row;
    Application {
        id,
        name,
        digest,
        former: former.zip(until.map(time)),
        // Written by us from the same enum.
        id_token_alg: alg.parse().unwrap_or(Algorithm::Es256),
        backchannel_logout_uri: backchannel,
        // Written by us from the same type; what does not read is nowhere.
        addresses: serde_json::from_str::<Addresses>(&document).unwrap_or_default(),
        created_at: time(created),
        updated_at: time(updated),
        version,
    }
}

fn document(application: &Application) -> String {
    serde_json::to_string(&application.addresses).unwrap_or_else(|_| "{}".to_owned())
}

/// The application with this id.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, id: &str) -> QueryResult<Option<Application>> {
    t::table.find(id).first::<Row>(conn).optional().map(|row| row.map(from_row))
}

/// Applications behind this id, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn page(conn: &mut DbConn, (after, limit): (&str, i64)) -> QueryResult<Vec<Application>> {
    let rows = t::table.filter(t::id.gt(after)).order(t::id).limit(limit).load::<Row>(conn)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Stores a new application.
///
/// # Errors
/// The database's.
pub fn insert(conn: &mut DbConn, application: &Application) -> QueryResult<()> {
    diesel::insert_into(t::table)
        .values((
            t::id.eq(&application.id),
            t::name.eq(&application.name),
            t::digest.eq(&application.digest),
            t::id_token_alg.eq(application.id_token_alg.name()),
            t::backchannel_logout_uri.eq(&application.backchannel_logout_uri),
            t::document.eq(document(application)),
            t::created_at.eq(micros(application.created_at)),
            t::updated_at.eq(micros(application.updated_at)),
            t::version.eq(application.version),
        ))
        .execute(conn)
        .map(drop)
}

/// Stores a changed application if its stored version is still `application.version`, and counts that up.
///
/// # Errors
/// The database's.
pub fn update(conn: &mut DbConn, application: &mut Application) -> QueryResult<bool> {
    let row = t::table.filter(t::id.eq(&application.id));
    let changed = diesel::update(row.filter(t::version.eq(application.version)))
        .set((
            t::name.eq(&application.name),
            t::digest.eq(&application.digest),
            t::former_digest.eq(application.former.as_ref().map(|(digest, _)| digest)),
            t::former_until.eq(application.former.as_ref().map(|(_, until)| micros(*until))),
            t::id_token_alg.eq(application.id_token_alg.name()),
            t::backchannel_logout_uri.eq(&application.backchannel_logout_uri),
            t::document.eq(document(application)),
            t::updated_at.eq(micros(application.updated_at)),
            t::version.eq(application.version + 1),
        ))
        .execute(conn)?;
    application.version += 1;
    Ok(changed == 1)
}

/// Removes an application with all that it was granted; `false` where there is none such.
///
/// # Errors
/// The database's.
pub fn delete(conn: &mut DbConn, id: &str) -> QueryResult<bool> {
    diesel::delete(t::table.find(id)).execute(conn).map(|rows| rows == 1)
}

/// Stores a request for authorization: its parameters, as JSON.
///
/// # Errors
/// The database's.
pub fn ask(
    conn: &mut DbConn,
    (id, application): (&str, &str),
    document: &str,
    now: Timestamp,
) -> QueryResult<()> {
    diesel::insert_into(r::table)
        .values((
            r::id.eq(id),
            r::application_id.eq(application),
            r::document.eq(document),
            r::created_at.eq(micros(now)),
        ))
        .execute(conn)
        .map(drop)
}

/// The parameters of a request that was stored after this moment.
///
/// # Errors
/// The database's.
pub fn asked(conn: &mut DbConn, id: &str, since: Timestamp) -> QueryResult<Option<String>> {
    let row = r::table.find(id).filter(r::created_at.gt(micros(since)));
    row.select(r::document).first(conn).optional()
}

/// Uses a request up; `false` where somebody was faster.
///
/// # Errors
/// The database's.
pub fn answered(conn: &mut DbConn, id: &str) -> QueryResult<bool> {
    diesel::delete(r::table.find(id)).execute(conn).map(|rows| rows == 1)
}

/// Removes a slice of the requests from before this moment; how many.
///
/// # Errors
/// The database's.
pub fn sweep(conn: &mut DbConn, before: Timestamp) -> QueryResult<usize> {
    let mut picked = Statement::new("created_at < ");
    picked.int(micros(before)).sql(" ORDER BY created_at");
    sweep::slice(conn, ("authorization_requests", "id"), &picked)
}
