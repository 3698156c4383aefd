//! Sessions and grants with all that decides whether they hold, each found by one statement.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};

use crate::domain::company::Settings;
use crate::domain::connection::{Protocol, State};
use crate::domain::grant::{Grant, Terms};
use crate::domain::id::CompanySeq;
use crate::domain::lifecycle::Causes;
use crate::domain::presence::{Presence, Through};

use super::statement::Statement;
use super::{DbConn, sessions, time};

type Types = (
    sessions::Types,
    (Text, Bool, Bool, Bool, Nullable<BigInt>, Text),
    (Text, Text, Text, Nullable<Text>, Nullable<Text>, Nullable<Text>),
);
type Row = (
    sessions::Row,
    (String, bool, bool, bool, Option<i64>, String),
    (String, String, String, Option<String>, Option<String>, Option<String>),
);

const USER: &str = ", u.id, u.active, u.admin_deactivated, u.unmapped, u.activated_at, ";
const COMPANY: &str = ", c.id, c.slug, c.settings, n.name, n.protocol, n.state";
const JOINS: &str = " JOIN users u ON u.seq = s.user_seq JOIN companies c ON c.seq = s.company_seq \
                     LEFT JOIN connections n ON n.seq = s.connection_seq AND n.deleted_at IS NULL ";

fn from_row((session, user, company): Row) -> Presence {
    let (user_id, active, admin_deactivated, unmapped, activated_at, document) = user;
    let (company_id, company_slug, settings, name, protocol, state) = company;
    let through = |name: String, protocol: String| Through {
        name,
        // Written by us from the same enums; what does not read lets nobody in.
        protocol: protocol.parse().unwrap_or(Protocol::Oidc),
        state: state.and_then(|state| state.parse().ok()).unwrap_or(State::Inactive),
    };
    Presence {
        session: sessions::from_row(session),
        user_id,
        causes: Causes {
            active,
            admin_deactivated,
            unmapped,
            activated_at: activated_at.map(time),
        },
        document,
        company_id,
        company_slug,
        // Written by us from the same type; what does not read is what was never set.
        settings: serde_json::from_str::<Settings>(&settings).unwrap_or_default().sessions,
        connection: name.zip(protocol).map(|(name, protocol)| through(name, protocol)),
    }
}

/// The session with this public id, of whatever company: the session is what names the company.
///
/// # Errors
/// The database's.
pub fn of_session(conn: &mut DbConn, id: &str) -> QueryResult<Option<Presence>> {
    struct OfSession;
    let mut statement = Statement::new("SELECT ");
    statement.sql(sessions::COLUMNS).sql(USER).sql("u.document").sql(COMPANY);
    statement.sql(" FROM sessions s").sql(JOINS).sql("WHERE s.id = ").text(id);
    let row = statement.known::<OfSession, Types>().get_result::<Row>(conn).optional()?;
    Ok(row.map(from_row))
}

/// What decides whether the session of a grant holds, and nothing else of it: names, ids and digests are
/// left blank. It is what every introspection asks.
///
/// # Errors
/// The database's.
pub fn whether(conn: &mut DbConn, grant: &str) -> QueryResult<Option<Presence>> {
    struct Whether;
    type Types = (
        (Nullable<BigInt>, BigInt, BigInt, BigInt, Nullable<BigInt>),
        (Bool, Bool, Bool, Nullable<BigInt>),
        (Text, Nullable<Text>),
    );
    type Row = (
        (Option<i64>, i64, i64, i64, Option<i64>),
        (bool, bool, bool, Option<i64>),
        (String, Option<String>),
    );
    let mut statement = Statement::new(
        "SELECT s.connection_seq, s.created_at, s.last_used_at, s.expires_at, s.ended_at, \
         u.active, u.admin_deactivated, u.unmapped, u.activated_at, c.settings, n.state \
         FROM oauth_grants g JOIN sessions s ON s.id = g.session_id",
    );
    statement.sql(JOINS).sql("WHERE g.id = ").text(grant);
    let row: Option<Row> = statement.known::<Whether, Types>().get_result(conn).optional()?;
    let Some((session, user, (settings, state))) = row else { return Ok(None) };
    let (connection, created_at, used_at, expires_at, ended_at) = session;
    let nobody = String::new;
    let bare: sessions::Row = (
        nobody(),
        0,
        0,
        connection,
        None,
        Vec::new(),
        created_at,
        used_at,
        expires_at,
        ended_at,
        None,
        None,
        None,
    );
    let (active, admin_deactivated, unmapped, activated_at) = user;
    let protocol = state.as_ref().map(|_| Protocol::Oidc.name().to_owned());
    let name = state.as_ref().map(|_| nobody());
    let user = (nobody(), active, admin_deactivated, unmapped, activated_at, nobody());
    Ok(Some(from_row((bare, user, (nobody(), nobody(), settings, name, protocol, state)))))
}

const GRANT: &str = "g.id, g.company_seq, g.user_seq, g.session_id, g.application_id, g.document, \
                     g.code_digest, g.code_until, g.family, g.digest, g.created_at, ";

type GrantTypes = (
    Text,
    BigInt,
    BigInt,
    Text,
    Text,
    Text,
    Binary,
    BigInt,
    Nullable<Binary>,
    Nullable<Binary>,
    BigInt,
);
type GrantRow =
    (String, i64, i64, String, String, String, Vec<u8>, i64, Option<Vec<u8>>, Option<Vec<u8>>, i64);

fn grant(
    (id, company, user, session, application, terms, code, until, family, digest, made): GrantRow,
) -> Grant {
    Grant {
        id,
        company: CompanySeq(company),
        user,
        session,
        application,
        // Written by us from the same type; what does not read allows nothing.
        terms: serde_json::from_str::<Terms>(&terms).unwrap_or_default(),
        code_digest: code,
        code_until: time(until),
        family,
        digest,
        created_at: time(made),
    }
}

fn select(document: &'static str, id: &str) -> Statement {
    let mut statement = Statement::new("SELECT ");
    statement.sql(GRANT).sql(sessions::COLUMNS).sql(USER).sql(document).sql(COMPANY);
    statement.sql(" FROM oauth_grants g JOIN sessions s ON s.id = g.session_id").sql(JOINS);
    statement.sql("WHERE g.id = ").text(id);
    statement
}

/// The grant with this public id and the session that it hangs on, without the user's attributes.
///
/// # Errors
/// The database's.
pub fn of_grant(conn: &mut DbConn, id: &str) -> QueryResult<Option<(Grant, Presence)>> {
    struct OfGrant;
    let found = select("''", id).known::<OfGrant, (GrantTypes, Types)>();
    let row = found.get_result::<(GrantRow, Row)>(conn).optional()?;
    Ok(row.map(|(row, presence)| (grant(row), from_row(presence))))
}

/// The same, with the user's attributes: what a token is made from.
///
/// # Errors
/// The database's.
pub fn of_grant_in_full(conn: &mut DbConn, id: &str) -> QueryResult<Option<(Grant, Presence)>> {
    struct OfGrantInFull;
    let found = select("u.document", id).known::<OfGrantInFull, (GrantTypes, Types)>();
    let row = found.get_result::<(GrantRow, Row)>(conn).optional()?;
    Ok(row.map(|(row, presence)| (grant(row), from_row(presence))))
}
