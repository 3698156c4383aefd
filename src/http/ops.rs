//! `/healthz` and `/readyz`: whether the process lives, and whether it can work. Neither tells a
//! version or a name.

use actix_web::{HttpResponse, web};

use crate::service::Service;

/// `GET /healthz`: the process answers. The database is not asked.
pub async fn health() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// `GET /readyz`: the database answers too; 503 otherwise.
pub async fn ready(service: web::Data<Service>) -> HttpResponse {
    match service.ready().await {
        Ok(()) => HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            HttpResponse::ServiceUnavailable()
                .insert_header(("Retry-After", "1"))
                .content_type("text/plain; charset=utf-8")
                .body("not ready\n")
        }
    }
}
