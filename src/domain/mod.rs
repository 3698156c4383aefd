//! Floor 2, pure: the product's nouns and their rules, one noun a file.
//!
//! Nothing here reads a clock, a socket, a database or a setting: time is a parameter.

pub mod api_key;
pub mod authorization;
pub mod company;
pub mod connection;
pub mod event;
pub mod explain;
pub mod group;
pub mod group_filter;
pub mod id;
pub mod identity;
pub mod invitation;
pub mod job;
pub mod lifecycle;
pub mod membership;
pub mod name;
pub mod organization;
pub mod problem;
pub mod projection;
pub mod role;
pub mod session;
pub mod team;
pub mod team_mapping;
pub mod token;
pub mod user;
