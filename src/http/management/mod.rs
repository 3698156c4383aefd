//! `/api/v1`: what operators' programs and account admins call. One noun a file; each lists its routes in a
//! table, and everything else is made from these tables ([`table`]).

pub mod api_keys;
pub mod applications;
pub mod attempts;
pub mod audit;
pub mod auth_settings;
pub mod companies;
pub mod connections;
pub mod docs;
mod domains;
pub mod explain;
pub mod frame;
pub mod group_filters;
pub mod groups;
pub mod invitations;
pub mod jobs;
pub mod me;
pub mod members;
pub mod openapi;
pub mod organizations;
pub mod problem;
pub mod scim;
pub mod session_settings;
pub mod sessions;
pub mod social_connections;
pub mod table;
pub mod team_mappings;
pub mod team_state;
pub mod teams;
pub mod users;

use std::str::FromStr;

use actix_web::web::{ServiceConfig, resource, scope, to};
use actix_web::{HttpResponse, Route};

use jiff::Timestamp;

use crate::domain::problem::{Code, Problem};
use crate::domain::role::Role;
use crate::service::Result;

use problem::Failure;
use table::Entry;

/// The nouns in the order of the documentation, each with its routes.
pub const NOUNS: &[(&str, &[Entry])] = &[
    ("companies", companies::ROUTES),
    ("organizations", organizations::ROUTES),
    ("members", members::ROUTES),
    ("invitations", invitations::ROUTES),
    ("users", users::ROUTES),
    ("team state", team_state::ROUTES),
    ("groups", groups::ROUTES),
    ("group filters", group_filters::ROUTES),
    ("jobs", jobs::ROUTES),
    ("teams", teams::ROUTES),
    ("team mappings", team_mappings::ROUTES),
    ("SSO", connections::ROUTES),
    ("domains", domains::ROUTES),
    ("sign-ins", attempts::ROUTES),
    ("social connections", social_connections::ROUTES),
    ("authentication", auth_settings::ROUTES),
    ("SCIM", scim::ROUTES),
    ("API keys", api_keys::ROUTES),
    ("explain", explain::ROUTES),
    ("audit", audit::ROUTES),
    ("oneself", me::ROUTES),
    ("sessions", sessions::ROUTES),
    ("session settings", session_settings::ROUTES),
    ("applications", applications::ROUTES),
];

/// Registers all routes of the table.
pub fn configure(config: &mut ServiceConfig) {
    let mut all = scope(table::BASE);
    for (path, entries) in table::resources() {
        let mut here = resource(path.strip_prefix(table::BASE).unwrap_or(&path));
        for entry in &entries {
            here = here.route((entry.route)());
        }
        let methods: Vec<&str> = entries.iter().map(|entry| entry.method).collect();
        all = all.service(here.default_service(other_than(methods.join(", "))));
    }
    config.service(all.default_service(to(not_found)));
}

/// 405 for every method but these.
fn other_than(allow: String) -> Route {
    to(move || {
        let allow = allow.clone();
        async move { Err::<HttpResponse, _>(Failure::method_not_allowed(allow)) }
    })
}

/// Any other path.
async fn not_found() -> frame::Answer {
    Err(crate::service::Error::from(Code::NotFound).into())
}

/// A field whose text is a name of ours.
///
/// # Errors
/// 422 `invalid_field`.
fn field<T: FromStr<Err = String>>(name: &str, text: Option<&str>) -> Result<Option<T>> {
    let read = text.map(|text| text.parse().map_err(|rule: String| Problem::field(name, rule)));
    Ok(read.transpose()?)
}

/// A role of an organization.
///
/// # Errors
/// 422 `unknown_role` (row 95).
fn role(text: Option<&str>) -> Result<Option<Role>> {
    let read =
        text.map(|text| text.parse().map_err(|rule: String| Problem::new(Code::UnknownRole, rule)));
    Ok(read.transpose()?)
}

/// A moment (RFC 3339).
///
/// # Errors
/// 422 `invalid_field`.
fn time(name: &str, text: Option<&str>) -> Result<Option<Timestamp>> {
    let rule = || Problem::field(name, "a time such as 2027-01-31T12:00:00Z");
    let read = text.map(|text| text.parse::<Timestamp>().map_err(|_| rule()));
    Ok(read.transpose()?)
}
