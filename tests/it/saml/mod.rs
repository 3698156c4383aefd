//! Signing in by SAML: against programs that we did not write, and against attacks.

mod corpus;
mod messages;
mod peers;
