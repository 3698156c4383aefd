//! Two large companies on one database, and what it costs to ask them something.
//!
//! PostgreSQL is asked how much it read; SQLite how it goes about each statement that was run.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::connection::{Connection, InstrumentationEvent, SimpleConnection};
use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use stagedoor::clock::Clock;
use stagedoor::db::DbConn;
use stagedoor::domain::company::Plan;
use stagedoor::domain::event::Actor;
use stagedoor::scim::ResourceSchema;
use stagedoor::scim::leaves::{Home, home, path_key, promised};
use stagedoor::service::companies::{self, NewCompany};
use stagedoor::service::{Directory, KeySource, Result, Service};
use tempfile::TempDir;

use crate::postgres::TestDatabase;

/// Users of each company; every thousandth is inactive, every tenth lacks what it may lack.
pub const USERS: u64 = 10_000;

/// Which database is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// What goes with the database.
enum Place {
    Files(TempDir),
    Postgres(TestDatabase),
}

pub struct Directories {
    pub service: Service,
    pub acme: Directory,
    // Behind the service, which is to be closed first.
    _place: Place,
}

/// What an answer took.
#[derive(Debug)]
pub enum Cost {
    /// Whole tables that PostgreSQL read, and rows.
    Read { scans: i64, rows: i64, whole: String },
    /// SQLite's statements, each with its steps.
    Steps(Vec<(String, Vec<String>)>),
}

/// Waits for a unit of work.
pub fn wait<T>(work: impl Future<Output = Result<T>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(work).unwrap()
}

fn company(service: &Service, slug: &'static str) -> Directory {
    wait(service.transact(move |cx| {
        let (plan, name) = (Plan::Enterprise, slug.to_owned());
        let new = NewCompany::new(slug.to_owned(), name, plan, true);
        let company = companies::create(cx, &Actor::Command, new)?.seq;
        Directory::load(cx.conn, company)
    }))
}

/// Users, groups of ten members each, and their index, as the product would have stored them.
fn fill(company: i64, slug: &str) -> String {
    let schema = ResourceSchema::user([]);
    let indexed = promised(&schema).into_iter();
    let indexed = indexed.filter(|path| home(schema.resource_type, path) == Home::Index);
    let paths: Vec<String> =
        indexed.map(|path| format!("SELECT '{}' AS path", path_key(&path))).collect();
    let paths = paths.join(" UNION ALL ");
    let numbers = |most: u64| {
        format!(
            "(WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {most}) SELECT n FROM c) c"
        )
    };
    let (users, teams) = (numbers(USERS), numbers(USERS / 10));
    format!(
        r#"
INSERT INTO users (company_seq, id, user_name_key, external_id, display_name_key, active, created_at,
                   last_modified, version, document, facts)
SELECT {company}, '{slug}-u' || n, 'user' || n, CASE WHEN n % 10 <> 0 THEN 'ext' || n END,
       CASE WHEN n % 10 <> 0 THEN 'name ' || n END, n % 1000 <> 0, n, n, 1,
       '{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user' || n || '","active":true}}',
       '{{"emails":[{{"value":"user' || n || '@x.example","type":"work"}}]}}'
FROM {users};
INSERT INTO groups (company_seq, id, display_name, display_name_key, external_id, member_count, created_at,
                    last_modified, version, document, facts)
SELECT {company}, '{slug}-g' || n, 'Group ' || n, 'group ' || n, CASE WHEN n % 10 <> 0 THEN 'ext' || n END,
       10, n, n, 1,
       '{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Group ' || n || '"}}', '{{}}'
FROM {teams};
INSERT INTO group_members (group_seq, member_type, member_seq)
SELECT g.seq, 0, u.seq FROM users u JOIN groups g ON g.company_seq = u.company_seq
 AND g.created_at = 1 + u.created_at % ({USERS} / 10) WHERE u.company_seq = {company};
INSERT INTO attribute_values (company_seq, resource_type, path, value_key, resource_seq, element)
SELECT {company}, 0, p.path, u.user_name_key || '@x.example', u.seq, 0 FROM users u CROSS JOIN ({paths}) p
 WHERE u.company_seq = {company};
INSERT INTO resource_counts (company_seq, resource_type, lane, slot, total)
SELECT {company}, 0, 33, seq >> 11, count(*) FROM users WHERE company_seq = {company} GROUP BY seq >> 11;
INSERT INTO resource_counts (company_seq, resource_type, lane, slot, total)
SELECT {company}, 1, 33, seq >> 11, count(*) FROM groups WHERE company_seq = {company} GROUP BY seq >> 11;
INSERT INTO resource_counts (company_seq, resource_type, lane, slot, total)
SELECT company_seq, resource_type, 0, 0, sum(total) FROM resource_counts WHERE company_seq = {company} AND lane = 33
GROUP BY 1, 2;
"#
    )
}

fn run(conn: &mut DbConn, statements: &str) {
    match conn {
        DbConn::Sqlite(conn) => conn.batch_execute(statements).unwrap(),
        DbConn::Postgres(conn) => conn.batch_execute(statements).unwrap(),
    }
}

/// Counts, and notes which pages all may see; again where somebody looked on from before the rows.
fn vacuum(conn: &mut DbConn) {
    #[derive(QueryableByName)]
    struct Hidden {
        #[diesel(sql_type = BigInt)]
        pages: i64,
    }
    let_write(conn);
    for _ in 0..1_000 {
        run(conn, "VACUUM ANALYZE");
        let hidden: Hidden = sql_query(
            "SELECT CAST(sum(relpages - relallvisible) AS bigint) AS pages FROM pg_class \
             WHERE relname IN ('users', 'groups', 'group_members', 'attribute_values')",
        )
        .get_result(conn)
        .unwrap();
        if hidden.pages == 0 {
            return;
        }
    }
    panic!("somebody looks on for ever");
}

/// Lets a reading connection write, so that its changes are measured too.
pub fn let_write(conn: &mut DbConn) {
    match conn {
        DbConn::Sqlite(_) => run(conn, "PRAGMA query_only = OFF"),
        DbConn::Postgres(_) => run(conn, "SET default_transaction_read_only = off"),
    }
}

impl Directories {
    pub fn new(database: Database) -> Self {
        let place = match database {
            Database::Sqlite => Place::Files(tempfile::tempdir().unwrap()),
            Database::Postgres => Place::Postgres(TestDatabase::empty()),
        };
        let url = match &place {
            Place::Files(files) => format!("sqlite://{}", files.path().join("plans.db").display()),
            Place::Postgres(database) => database.url(),
        };
        let key = KeySource::Text("5e".repeat(32));
        let service = Service::open(&url, &key, Clock::system()).unwrap();
        let (globex, acme) = (company(&service, "globex"), company(&service, "acme"));
        let rows = [fill(globex.company.0, "globex"), fill(acme.company.0, "acme")].concat();
        wait(service.transact(move |cx| {
            run(cx.conn, &rows);
            Ok(())
        }));
        let world = Self { service, acme, _place: place };
        // PostgreSQL counts by itself after a while, and notes which pages all may see. SQLite never does.
        if database == Database::Postgres {
            let counted = world.service.read_now(|conn| {
                vacuum(conn);
                Ok(())
            });
            counted.unwrap();
        }
        world
    }

    /// Does something on a connection and says what it cost.
    pub fn cost<T>(&self, work: impl FnOnce(&mut DbConn) -> Result<T>) -> (T, Cost) {
        let watched = |conn: &mut DbConn| match conn {
            DbConn::Sqlite(_) => explained(conn, work),
            DbConn::Postgres(_) => counted(conn, work),
        };
        self.service.read_now(watched).unwrap()
    }

    /// Changes something on a connection and says how many statements that took.
    pub fn statements<T>(&self, work: impl FnOnce(&mut DbConn) -> Result<T>) -> (usize, T) {
        let counted = self.service.read_now(|conn| {
            let_write(conn);
            let (done, heard) = overheard(conn, work);
            Ok((heard.len(), done?))
        });
        counted.unwrap()
    }
}

/// Does something on PostgreSQL, whose own counts of what it did are the judge.
fn counted<T>(conn: &mut DbConn, work: impl FnOnce(&mut DbConn) -> Result<T>) -> Result<(T, Cost)> {
    #[derive(QueryableByName)]
    struct Reads {
        #[diesel(sql_type = BigInt)]
        scans: i64,
        #[diesel(sql_type = BigInt)]
        rows: i64,
        #[diesel(sql_type = Text)]
        whole: String,
    }
    // Of a table that is empty a scan is the cheapest way.
    let count = |conn: &mut DbConn| -> Reads {
        sql_query("SELECT pg_stat_force_next_flush()").execute(conn).unwrap();
        sql_query(
            "SELECT CAST(sum(seq_scan) AS bigint) AS scans, \
             CAST(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) AS bigint) AS rows, \
             string_agg(relname || ' ' || seq_scan, ', ' ORDER BY relname) AS whole \
             FROM pg_stat_user_tables WHERE relname IN \
             ('users', 'groups', 'group_members', 'attribute_values', 'organization_members', 'teams', \
             'team_members', 'team_syncs', 'identities', 'user_claims', 'sessions') \
             AND relid IN (SELECT oid FROM pg_class WHERE reltuples > 0)",
        )
        .get_result(conn)
        .unwrap()
    };
    let before = count(conn);
    let done = work(conn)?;
    let after = count(conn);
    let whole = format!("{} then {}", before.whole, after.whole);
    let (scans, rows) = (after.scans - before.scans, after.rows - before.rows);
    Ok((done, Cost::Read { scans, rows, whole }))
}

/// Does something on a connection, and hears every statement that is run.
fn overheard<T>(conn: &mut DbConn, work: impl FnOnce(&mut DbConn) -> T) -> (T, Vec<String>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            ear.lock().unwrap_or_else(PoisonError::into_inner).push(query.to_string());
        }
    });
    let done = work(conn);
    conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
    let heard = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
    assert!(!heard.is_empty(), "no statement was run");
    (done, heard)
}

/// Does something on SQLite, and asks how it went about each statement.
fn explained<T>(
    conn: &mut DbConn,
    work: impl FnOnce(&mut DbConn) -> Result<T>,
) -> Result<(T, Cost)> {
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    let (done, heard) = overheard(conn, work);
    let mut statements = Vec::new();
    for text in heard {
        let sql = text.split(" -- binds:").next().unwrap().to_owned();
        if !["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].iter().any(|w| sql.starts_with(w)) {
            continue;
        }
        let steps: Vec<Step> = sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(conn).unwrap();
        statements.push((sql, steps.into_iter().map(|step| step.detail).collect()));
    }
    Ok((done?, Cost::Steps(statements)))
}
