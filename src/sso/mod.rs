//! The protocols that people sign in by, as pure functions: what arrived and the moment go in, what it proves
//! comes out. No clock, no network, no table.

pub mod saml;
