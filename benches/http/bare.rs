//! The yardsticks: a handler that does nothing but answer about as many bytes as a user has, and one
//! that stores the body it is sent as one row, through the server's own writer, before it answers.
//!
//! The first is the least that actix-web costs on this machine, the second the least that a durable
//! create over HTTP can cost. A process of its own, so that its processor time is not the load
//! generator's.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::rt::System;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer, web};
use stagedoor::db::{Database, DatabaseUrl};

use crate::Result;
use crate::disk;

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
        disk::make_table(&database).await?;
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

async fn insert(rows: Data<Rows>, body: Bytes) -> HttpResponse {
    let body = String::from_utf8_lossy(&body).into_owned();
    match disk::insert_row(&rows.database, rows.next.fetch_add(1, Ordering::Relaxed), body).await {
        Ok(()) => HttpResponse::Created().content_type("application/scim+json").body(ANSWER),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}
