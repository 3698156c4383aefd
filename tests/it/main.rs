//! Integration tests: a real server, over HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of this program is tests, its helpers too"
)]

mod alike;
mod api;
mod authorization;
mod bulk;
mod client;
mod commands;
mod companies;
mod companies_and_users;
mod company;
mod concurrency;
mod connections;
mod crash;
mod database_copy;
mod discovery;
mod disk;
mod domains;
mod egress;
mod explain;
mod export;
mod extensions;
mod group_filters;
mod groups;
mod hostile;
mod house;
mod import;
mod invitations;
mod jobs;
mod licences;
mod limits;
mod lists;
mod logins;
mod management;
mod mapping;
mod matcher;
mod members;
mod oauth;
mod offboarding;
mod operations;
mod plans;
mod postgres;
mod recorded;
mod replay;
mod replicas;
mod rows;
mod saml;
mod scenarios;
mod sealing;
mod secrets;
mod server;
mod side_by_side;
mod sign_on;
mod sweeps;
mod teams;
mod tenancy;
mod tokens;
mod users;
mod walks;
mod web;
