//! The routes of connections.

use actix_web::web::{delete, get, patch, post, put};

use crate::domain::authorization::Act;
use crate::http::management::table::Entry;

use super::body::{ConnectionChange, NewConnection};
use super::view::{CertificateView, ConnectionView};
use super::{Activation, Named, NewCertificate, NewSecret, SsoView};

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(
        ("GET", "C/sso/connection"),
        Act::ReadConnection,
        "Read the company's connection",
        || get().to(|call| super::read(call, Named::Company)),
    )
    .gives::<ConnectionView>(200),
    Entry::new(
        ("POST", "C/sso/connection"),
        Act::CreateConnection,
        "Make the company's connection, without the wizard",
        || post().to(|call| super::create(call, Named::Company)),
    )
    .takes::<NewConnection>()
    .gives::<ConnectionView>(201),
    Entry::new(
        ("PATCH", "C/sso/connection"),
        Act::ChangeConnection,
        "Change the connection; the identity provider's discovery document or metadata is read",
        || patch().to(|call| super::change(call, Named::Company)),
    )
    .takes::<ConnectionChange>()
    .gives::<ConnectionView>(200),
    Entry::new(
        ("DELETE", "C/sso/connection"),
        Act::DeleteConnection,
        "Delete the connection, its candidate and the sessions that came through it",
        || delete().to(|call| super::delete(call, Named::Company)),
    ),
    Entry::new(
        ("POST", "C/sso/connection/activate"),
        Act::ActivateConnection,
        "Let people in; an operator may do so without a passed test",
        || post().to(|call| super::activate(call, Named::Company)),
    )
    .takes::<Activation>()
    .gives::<ConnectionView>(200),
    Entry::new(
        ("POST", "C/sso/connection/deactivate"),
        Act::ActivateConnection,
        "Let nobody in any more, and end the sessions of those who came in",
        || post().to(|call| super::deactivate(call, Named::Company)),
    )
    .gives::<ConnectionView>(200),
    Entry::new(
        ("POST", "C/sso/connection/rotate-secret"),
        Act::ChangeConnection,
        "Put another client secret in the place of the one that is there",
        || post().to(|call| super::rotate_secret(call, Named::Company)),
    )
    .takes::<NewSecret>()
    .gives::<ConnectionView>(200),
    Entry::new(
        ("POST", "C/sso/connection/refresh-metadata"),
        Act::ChangeConnection,
        "Read the identity provider's discovery document or metadata again",
        || post().to(|call| super::refresh(call, Named::Company)),
    )
    .gives::<ConnectionView>(200),
    Entry::new(
        ("GET", "C/sso/connection/certificates"),
        Act::ReadConnection,
        "List the certificates that the identity provider may sign with",
        || get().to(super::certificates),
    )
    .pages::<CertificateView>(),
    Entry::new(
        ("POST", "C/sso/connection/certificates"),
        Act::ChangeConnection,
        "Add a certificate beside those that are there",
        || post().to(super::add_certificate),
    )
    .takes::<NewCertificate>()
    .gives::<ConnectionView>(200),
    Entry::new(
        ("DELETE", "C/sso/connection/certificates/{fingerprint}"),
        Act::ChangeConnection,
        "Take a certificate away",
        || delete().to(super::remove_certificate),
    )
    .gives::<ConnectionView>(200),
    Entry::new(
        ("GET", "C/sso/connection/candidate"),
        Act::ReadConnection,
        "Read the connection that is to follow the company's",
        || get().to(|call| super::read(call, Named::Candidate)),
    )
    .gives::<ConnectionView>(200),
    Entry::new(
        ("PUT", "C/sso/connection/candidate"),
        Act::ChangeConnection,
        "Make or change the connection that is to follow the company's",
        || put().to(super::put_candidate),
    )
    .takes::<NewConnection>()
    .gives::<ConnectionView>(200),
    Entry::new(
        ("DELETE", "C/sso/connection/candidate"),
        Act::ChangeConnection,
        "Give the candidate up",
        || delete().to(|call| super::delete(call, Named::Candidate)),
    ),
    Entry::new(
        ("POST", "C/sso/connection/candidate/promote"),
        Act::ActivateConnection,
        "Put the candidate in the place of the company's connection, in one stroke",
        || post().to(super::promote),
    )
    .takes::<Activation>()
    .gives::<ConnectionView>(200),
    Entry::new(
        ("GET", "O/sso"),
        Act::ReadConnection,
        "See what an organization signs in through",
        || get().to(super::of_organization),
    )
    .gives::<SsoView>(200),
    Entry::new(
        ("GET", "O/sso/legacy-connection"),
        Act::CreateLegacyConnection,
        "Read the connection of one organization alone",
        || get().to(|call| super::read(call, Named::Legacy)),
    )
    .gives::<ConnectionView>(200),
    Entry::new(
        ("POST", "O/sso/legacy-connection"),
        Act::CreateLegacyConnection,
        "Make a connection of one organization alone",
        || post().to(|call| super::create(call, Named::Legacy)),
    )
    .takes::<NewConnection>()
    .gives::<ConnectionView>(201),
    Entry::new(
        ("PATCH", "O/sso/legacy-connection"),
        Act::CreateLegacyConnection,
        "Change the connection of one organization alone",
        || patch().to(|call| super::change(call, Named::Legacy)),
    )
    .takes::<ConnectionChange>()
    .gives::<ConnectionView>(200),
    Entry::new(
        ("DELETE", "O/sso/legacy-connection"),
        Act::CreateLegacyConnection,
        "Delete the connection of one organization alone",
        || delete().to(|call| super::delete(call, Named::Legacy)),
    ),
    Entry::new(
        ("POST", "O/sso/legacy-connection/activate"),
        Act::CreateLegacyConnection,
        "Let people into one organization",
        || post().to(|call| super::activate(call, Named::Legacy)),
    )
    .takes::<Activation>()
    .gives::<ConnectionView>(200),
    Entry::new(
        ("POST", "O/sso/legacy-connection/deactivate"),
        Act::CreateLegacyConnection,
        "Let nobody in through it any more",
        || post().to(|call| super::deactivate(call, Named::Legacy)),
    )
    .gives::<ConnectionView>(200),
];
