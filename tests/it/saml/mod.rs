//! Signing in by SAML: against programs that we did not write, and against attacks.

mod corpus;
mod flows;
mod hostile;
mod logout;
mod messages;
pub mod peers;
pub mod visit;
