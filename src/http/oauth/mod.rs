//! The OpenID Provider over HTTP: `/oauth`, `/.well-known` and `/logout`. Applications get the errors of
//! RFC 6749, browsers get pages.

mod answer;
mod authorize;
mod caller;
mod discovery;
mod logout;
mod token;

use actix_web::web::{ServiceConfig, get, head, post, resource, to};
use actix_web::{HttpResponse, Resource, Route};

/// Registers all routes.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(open("/.well-known/openid-configuration", discovery::document))
        .service(open("/.well-known/oauth-authorization-server", discovery::document))
        .service(open("/.well-known/jwks.json", discovery::keys))
        .service(
            resource("/oauth/authorize")
                .route(get().to(authorize::get))
                .route(post().to(authorize::post))
                .default_service(other_than("GET, POST")),
        )
        .service(
            resource("/oauth/continue")
                .route(get().to(authorize::go_on))
                .default_service(other_than("GET")),
        )
        .service(called("/oauth/token", post().to(token::token)))
        .service(called("/oauth/introspect", post().to(token::introspect)))
        .service(called("/oauth/revoke", post().to(token::revoke)))
        .service(
            resource("/oauth/userinfo")
                .route(get().to(token::userinfo))
                .route(post().to(token::userinfo))
                .route(preflight())
                .default_service(other_than("GET, POST")),
        )
        .service(
            resource("/oauth/end_session")
                .route(get().to(logout::end_session))
                .route(post().to(logout::end_session))
                .default_service(other_than("GET, POST")),
        )
        .service(
            resource("/logout")
                .route(get().to(logout::ask))
                .route(post().to(logout::log_out))
                .default_service(other_than("GET, POST")),
        );
}

/// What everybody may read.
fn open<F, A>(path: &'static str, handler: F) -> Resource
where
    F: actix_web::Handler<A>,
    A: actix_web::FromRequest + 'static,
    F::Output: actix_web::Responder + 'static,
{
    resource(path)
        .route(get().to(handler.clone()))
        .route(head().to(handler))
        .route(preflight())
        .default_service(other_than("GET"))
}

/// What applications post to.
fn called(path: &'static str, route: Route) -> Resource {
    resource(path).route(route).route(preflight()).default_service(other_than("POST"))
}

/// What a browser asks before an application's script may call from another origin. Nothing here goes by a
/// cookie, so every origin may.
fn preflight() -> Route {
    actix_web::web::route().method(actix_web::http::Method::OPTIONS).to(|| async {
        let mut answer = HttpResponse::NoContent();
        answer.insert_header(answer::ANY_ORIGIN);
        answer.insert_header(("Access-Control-Allow-Methods", "GET, POST"));
        answer.insert_header(("Access-Control-Allow-Headers", "Authorization, Content-Type"));
        answer.insert_header(("Access-Control-Max-Age", "600"));
        answer.finish()
    })
}

/// 405 for every method but these.
fn other_than(allow: &'static str) -> Route {
    to(
        move || async move { HttpResponse::MethodNotAllowed().insert_header(("Allow", allow)).finish() },
    )
}
