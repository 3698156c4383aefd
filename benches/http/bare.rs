//! The yardsticks: a handler that does nothing but answer about as many bytes as a user has, and one
//! that stores the body it is sent as one row of the table of users, with an index for each value that a
//! create indexes, through the server's own writer, before it answers.
//!
//! The first is the least that actix-web costs on this machine, the second the least that a durable
//! create over HTTP can cost. A process of its own, so that its processor time is not the load
//! generator's.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::rt::System;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer, web};
use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use stagedoor::db::{Database, DatabaseUrl, DbConn, DbError};

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

/// Serves until the process is ended; prints the address first.
pub fn serve() -> Result<()> {
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
