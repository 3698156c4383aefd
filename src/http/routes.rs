//! Every URL of the product, in one place; those of the management API are in the tables of its nouns.

use actix_web::web::{ServiceConfig, delete, get, head, patch, post, put, resource, scope, to};
use actix_web::{Resource, Route};

use super::caller::ScimCaller;
use super::error::ScimFailure;
use super::management::{self, openapi};
use super::scim::{self, bulk, discovery, groups, search, users};
use super::{oauth, ops, page, sign_on};

/// Registers all routes.
pub fn configure(config: &mut ServiceConfig) {
    config
        // The commonest first: a path is compared with one pattern after the other.
        .service(scope("/scim/v2").configure(scim_routes).default_service(to(scim::not_found)))
        // Load balancers ask by HEAD as well.
        .service(resource("/healthz").route(get().to(ops::health)).route(head().to(ops::health)))
        .service(resource("/readyz").route(get().to(ops::ready)).route(head().to(ops::ready)))
        .service(resource("/openapi.json").route(get().to(openapi::document)))
        .service(resource("/docs").route(get().to(management::docs::page)))
        .service(resource("/assets/page.css").route(get().to(page::style)))
        .configure(oauth::configure)
        .configure(sign_on::configure)
        .configure(management::configure);
}

fn scim_routes(config: &mut ServiceConfig) {
    // Two patterns in one resource would be regular expressions, each tried on every path.
    for path in ["/Users", "/Users/"] {
        config.service(
            resource(path)
                .route(get().to(users::list))
                .route(post().to(users::create))
                .default_service(other_than("GET, POST")),
        );
    }
    for path in ["/Groups", "/Groups/"] {
        config.service(
            resource(path)
                .route(get().to(groups::list))
                .route(post().to(groups::create))
                .default_service(other_than("GET, POST")),
        );
    }
    config
        .service(only_post("/Users/.search", post().to(users::search)))
        .service(
            resource("/Users/{id}")
                .route(get().to(users::read))
                .route(put().to(users::replace))
                .route(patch().to(users::patch))
                .route(delete().to(users::delete))
                .default_service(other_than("GET, PUT, PATCH, DELETE")),
        )
        .service(only_post("/Groups/.search", post().to(groups::search)))
        .service(
            resource("/Groups/{id}")
                .route(get().to(groups::read))
                .route(put().to(groups::replace))
                .route(patch().to(groups::patch))
                .route(delete().to(groups::delete))
                .default_service(other_than("GET, PUT, PATCH, DELETE")),
        )
        .service(only_post("/Bulk", post().to(bulk::run)))
        .service(only_post("/.search", post().to(search::search)))
        .service(only_get("", get().to(search::list)))
        .service(only_get("/", get().to(search::list)))
        .service(resource("/Me").default_service(to(scim::me)))
        .service(only_get("/ServiceProviderConfig", get().to(discovery::config)))
        .service(only_get("/ResourceTypes", get().to(discovery::resource_types)))
        .service(only_get("/ResourceTypes/{id}", get().to(discovery::resource_type)))
        .service(only_get("/Schemas", get().to(discovery::schemas)))
        .service(only_get("/Schemas/{id}", get().to(discovery::schema)));
}

fn only_get(path: &'static str, route: Route) -> Resource {
    resource(path).route(route).default_service(other_than("GET"))
}

fn only_post(path: &'static str, route: Route) -> Resource {
    resource(path).route(route).default_service(other_than("POST"))
}

/// 405 for every method but these, to callers with a valid token.
fn other_than(allow: &'static str) -> Route {
    to(move |_: ScimCaller| async move { Err::<&str, _>(ScimFailure::method_not_allowed(allow)) })
}
