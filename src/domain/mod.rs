//! Floor 2, pure: the product's nouns and their rules, one noun a file.
//!
//! Nothing here reads a clock, a socket, a database or a setting: time is a parameter.

pub mod api_key;
pub mod application;
pub mod authorization;
pub mod authorization_request;
pub mod company;
pub mod connection;
pub mod event;
pub mod grant;
pub mod group;
pub mod group_filter;
pub mod id;
pub mod identity;
pub mod invitation;
pub mod job;
pub mod lifecycle;
pub mod login_attempt;
pub mod membership;
pub mod name;
pub mod organization;
pub mod presence;
pub mod problem;
pub mod projection;
pub mod refusal;
pub mod role;
pub mod secret;
pub mod session;
pub mod signing_key;
pub mod social_connection;
pub mod team;
pub mod team_mapping;
pub mod token;
pub mod user;
pub mod verified_domain;
