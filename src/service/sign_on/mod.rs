//! Signing in: attempts, the word of the identity provider, and what it leads to. The network part lies
//! between two units of work, never inside one (I5).

pub mod attempts;
mod callback;
mod discover;
mod finish;
mod keyring;
mod oidc;
pub mod saml;
mod saml_key;
pub mod saml_logout;
mod saml_name;
pub mod social;
mod start;

pub use crate::sso::oidc::request::Callback;
pub use callback::{answer, go_on};
pub use discover::{Ways, ways};
pub use finish::{Finished, Refused, finish};
pub use keyring::{Counted, Memory};
pub use start::{Named, Started, redirect_uri, start};
