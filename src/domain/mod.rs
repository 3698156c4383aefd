//! Floor 2, pure: the product's nouns and their rules, one noun a file.
//!
//! Nothing here reads a clock, a socket, a database or a setting: time is a parameter.

pub mod company;
pub mod group;
pub mod id;
pub mod name;
pub mod token;
pub mod user;
