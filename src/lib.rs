//! stagedoor: a self-hosted SCIM 2.0 provisioning server with self-serve SSO.
//!
//! The floors, lowest first; a module imports only from floors below it (ARCHITECTURE.md, I1).

pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod domain;
pub mod egress;
pub mod http;
pub mod scim;
pub mod server;
pub mod service;
pub mod sso;
pub mod worker;
