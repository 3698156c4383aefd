//! SAML 2.0 as a service provider. One parser and one tree; a message is read from the very octets whose digest
//! was signed, and from nothing else (docs/decisions/0009).

pub mod certificate;
pub mod metadata;
pub mod xml;
