//! Signing in: attempts, the word of the identity provider, and what it leads to. The network part lies
//! between two units of work, never inside one (I5).

pub mod attempts;
mod finish;
pub mod saml;
mod saml_key;
pub mod saml_logout;
mod saml_name;

pub use finish::{Finished, Refused, finish};
