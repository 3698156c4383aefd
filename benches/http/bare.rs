//! The yardsticks: a handler that does nothing but answer about as many bytes as a user has, one that
//! stores one row of the table of users, with an index for each value that a create indexes, through the
//! server's own writers, before it answers, and on PostgreSQL one that reads a user's document.
//!
//! The first is the least that actix-web costs on this machine, the others the least that a durable
//! create and a read over HTTP can cost. A process of its own, so that its processor time is not the load
//! generator's.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::rt::System;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer, web};
use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, RunQueryDsl};
use stagedoor::db::{Database, DatabaseUrl, DbConn, DbError, Failure, Unanswered};

use crate::driver::{Stock, insert_row, select_row};
use crate::{Result, indexed};

/// About 1 KB: a user as Okta would read it.
const ANSWER: &str = concat!(
    r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"#,
    r#""id":"019aa000-0000-7000-8000-000000000000","externalId":"00u1f96ECLNVOKVMUSEA","userName":"bjensen@acme.example","#,
    r#""name":{"givenName":"Barbara","familyName":"Jensen"},"displayName":"Barbara Jensen","nickName":"Babs","title":"Tour Guide","#,
    r#""emails":[{"value":"bjensen@acme.example","type":"work","primary":true}],"phoneNumbers":[{"value":"555-555-8377","type":"work"}],"#,
    r#""locale":"en-US","timezone":"America/Los_Angeles","active":true,"groups":[{"value":"019aa000-0000-7000-8000-000000000001","#,
    r#""$ref":"http://localhost/scim/v2/Groups/019aa000-0000-7000-8000-000000000001","display":"Tour Guides","type":"direct"}],"#,
    r#""urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"701984","department":"Tour Operations"},"#,
    r#""meta":{"resourceType":"User","created":"2026-01-23T04:56:22Z","lastModified":"2026-05-13T04:42:34Z","version":"W/\"3694e05e9dff591\"","#,
    r#""location":"http://localhost/scim/v2/Users/019aa000-0000-7000-8000-000000000000"}}"#
);

/// Serves until the process is ended; prints the address first. Rows go into the database at this URL,
/// where [`crate::driver`] has made a table for them, or else into a file.
pub fn serve(server: Option<&str>) -> Result<()> {
    if let Some(url) = server {
        return serve_postgres(url);
    }
    let home = tempfile::tempdir()?;
    let database = Database::open(&DatabaseUrl::Sqlite(home.path().join("rows.db")))?;
    System::new().block_on(async {
        let found = |conn: &mut DbConn| {
            conn.batch_execute(&indexed::columns_of("users"))?;
            diesel::sql_query(COMPANY).execute(conn)
        };
        database.write::<usize, DbError>(found).await??;
        let rows = Data::new(Rows { database, next: AtomicU64::new(1) });
        let app = move || {
            let read = web::get().to(answer);
            let write = web::post().to(insert);
            App::new()
                .app_data(rows.clone())
                .route("/scim/v2/bare", read)
                .route("/scim/v2/bare", write)
        };
        let server = HttpServer::new(app).bind(("127.0.0.1", 0))?;
        for address in server.addrs() {
            println!("http://{address}");
        }
        server.run().await?;
        Ok(())
    })
}

fn serve_postgres(url: &str) -> Result<()> {
    let stock = Stock::load(&mut PgConnection::establish(url)?)?;
    let database = Database::open(&url.parse()?)?;
    let rows = Data::new(ServerRows { database, stock });
    System::new().block_on(async {
        let app = move || {
            App::new()
                .app_data(rows.clone())
                .route("/scim/v2/bare/user", web::get().to(select_on_server))
                .route("/scim/v2/bare", web::post().to(insert_on_server))
        };
        let server = HttpServer::new(app).bind(("127.0.0.1", 0))?;
        for address in server.addrs() {
            println!("http://{address}");
        }
        server.run().await?;
        Ok(())
    })
}

/// A database server, and what is asked of it.
struct ServerRows {
    database: Database,
    stock: Stock,
}

/// The connection to the server.
fn postgres(conn: &mut DbConn) -> std::result::Result<&mut PgConnection, DbError> {
    match conn {
        DbConn::Postgres(conn) => Ok(conn),
        DbConn::Sqlite(_) => Err(DbError::NotFound),
    }
}

async fn select_on_server(rows: Data<ServerRows>) -> HttpResponse {
    let (_, spread) = rows.stock.next();
    let read = move || {
        rows.database.read::<String, Unread>(|conn| {
            select_row(postgres(conn)?, &rows.stock, spread).map_err(|_| Unread)
        })
    };
    match web::block(read).await {
        Ok(Ok(document)) => HttpResponse::Ok().content_type("application/scim+json").body(document),
        refused => HttpResponse::InternalServerError().body(format!("{refused:?}")),
    }
}

async fn insert_on_server(rows: Data<ServerRows>, _body: Bytes) -> HttpResponse {
    let (number, spread) = rows.stock.next();
    let stored = rows.clone();
    let row =
        move |conn: &mut DbConn| insert_row(postgres(conn)?, &stored.stock, ('h', number, spread));
    match rows.database.write_alone::<(), DbError>(row).await {
        Ok(Ok(())) => HttpResponse::Created().content_type("application/scim+json").body(ANSWER),
        refused => HttpResponse::InternalServerError().body(format!("{refused:?}")),
    }
}

/// A read that failed, however.
#[derive(Debug)]
struct Unread;

impl Failure for Unread {
    fn database_error(&self) -> Option<&DbError> {
        None
    }
}

impl From<Unanswered> for Unread {
    fn from(_: Unanswered) -> Self {
        Self
    }
}

impl From<DbError> for Unread {
    fn from(_: DbError) -> Self {
        Self
    }
}

/// Where the second yardstick stores its rows.
struct Rows {
    database: Database,
    next: AtomicU64,
}

async fn answer() -> HttpResponse {
    HttpResponse::Ok().content_type("application/scim+json").body(ANSWER)
}

/// The company whose users the rows are.
const COMPANY: &str = "INSERT INTO companies (seq, id, slug, name, plan, scim_enabled, created_at) \
     VALUES (1, 'bare', 'bare', 'bare', 'free', FALSE, 0)";

/// A row of which every index of the table has an entry. What is not bound is what a create would
/// write there, or less.
const USER: &str = "INSERT INTO users (company_seq, id, user_name_key, external_id, display_name_key, \
     active, created_at, last_modified, version, document, facts, email, family_name, given_name, \
     employee_number, cost_center, organization, department) \
     VALUES (1, ?, ?, ?, ?, TRUE, 0, 0, 1, ?, '{}', ?, ?, ?, ?, ?, ?, ?)";

async fn insert(rows: Data<Rows>, body: Bytes) -> HttpResponse {
    let n = rows.next.fetch_add(1, Ordering::Relaxed);
    let spread = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    // Ids come in the order of time, names in any.
    let (id, name) = (format!("{n:036}"), format!("{spread:016x}"));
    let body = String::from_utf8_lossy(&body).into_owned();
    let row = move |conn: &mut DbConn| {
        let [email, family, given, employee, cost, organization, department] =
            indexed::values(n, spread);
        diesel::sql_query(USER)
            .bind::<Text, _>(id)
            .bind::<Text, _>(&name)
            .bind::<Text, _>(&name)
            .bind::<Text, _>(&name)
            .bind::<Text, _>(body)
            .bind::<Text, _>(email)
            .bind::<Text, _>(family)
            .bind::<Text, _>(given)
            .bind::<Text, _>(employee)
            .bind::<Text, _>(cost)
            .bind::<Text, _>(organization)
            .bind::<Text, _>(department)
            .execute(conn)
    };
    match rows.database.write::<usize, DbError>(row).await {
        Ok(Ok(_)) => HttpResponse::Created().content_type("application/scim+json").body(ANSWER),
        refused => HttpResponse::InternalServerError().body(format!("{refused:?}")),
    }
}
