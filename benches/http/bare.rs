//! The yardstick: a handler that does nothing but answer about as many bytes as a user has.
//!
//! It is the least that actix-web costs on this machine. A process of its own, so that its
//! processor time is not the load generator's.

use actix_web::rt::System;
use actix_web::{App, HttpResponse, HttpServer, web};

use crate::Result;

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
    System::new().block_on(async {
        let app = || App::new().route("/scim/v2/bare", web::get().to(answer));
        let server = HttpServer::new(app).bind(("127.0.0.1", 0))?;
        for address in server.addrs() {
            println!("http://{address}");
        }
        server.run().await?;
        Ok(())
    })
}

async fn answer() -> HttpResponse {
    HttpResponse::Ok().content_type("application/scim+json").body(ANSWER)
}
