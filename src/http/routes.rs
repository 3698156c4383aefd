//! Every URL of the product, in one place.

use actix_web::web::{self, ServiceConfig, delete, get, patch, post, put, resource, scope, to};

use super::ops;
use super::scim::{self, bulk, discovery, groups, search, users};

/// Registers all routes.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/healthz").route(get().to(ops::health)))
        .service(resource("/readyz").route(get().to(ops::ready)))
        .service(scope("/scim/v2").configure(scim_routes).default_service(to(scim::not_found)));
}

fn scim_routes(config: &mut ServiceConfig) {
    let refused = || to(scim::method_not_allowed);
    let discovered = |path: [&'static str; 2]| web::resource(path).default_service(refused());
    config
        .service(
            resource(["/Users", "/Users/"])
                .route(get().to(users::list))
                .route(post().to(users::create))
                .default_service(refused()),
        )
        .service(
            resource("/Users/.search").route(post().to(users::search)).default_service(refused()),
        )
        .service(
            resource("/Users/{id}")
                .route(get().to(users::read))
                .route(put().to(users::replace))
                .route(patch().to(users::patch))
                .route(delete().to(users::delete))
                .default_service(refused()),
        )
        .service(
            resource(["/Groups", "/Groups/"])
                .route(get().to(groups::list))
                .route(post().to(groups::create))
                .default_service(refused()),
        )
        .service(
            resource("/Groups/.search").route(post().to(groups::search)).default_service(refused()),
        )
        .service(
            resource("/Groups/{id}")
                .route(get().to(groups::read))
                .route(put().to(groups::replace))
                .route(patch().to(groups::patch))
                .route(delete().to(groups::delete))
                .default_service(refused()),
        )
        .service(resource("/Bulk").route(post().to(bulk::run)).default_service(refused()))
        .service(resource("/.search").route(post().to(search::search)).default_service(refused()))
        .service(resource(["", "/"]).route(get().to(search::list)).default_service(refused()))
        .service(resource("/Me").default_service(to(scim::me)))
        .service(
            discovered(["/ServiceProviderConfig", "/ServiceProviderConfig/"])
                .route(get().to(discovery::config)),
        )
        .service(
            discovered(["/ResourceTypes", "/ResourceTypes/"])
                .route(get().to(discovery::resource_types)),
        )
        .service(
            resource("/ResourceTypes/{id}")
                .route(get().to(discovery::resource_type))
                .default_service(refused()),
        )
        .service(discovered(["/Schemas", "/Schemas/"]).route(get().to(discovery::schemas)))
        .service(
            resource("/Schemas/{id}").route(get().to(discovery::schema)).default_service(refused()),
        );
}
