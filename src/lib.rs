//! stagedoor: a self-hosted SCIM 2.0 provisioning server with self-serve SSO.
//!
//! The floors, lowest first; a module imports only from floors below it (ARCHITECTURE.md, I1).

pub mod clock;
pub mod db;
pub mod domain;
pub mod scim;
