//! Integration tests: a real server, over HTTP.
#![cfg(test)]

mod client;
mod company;
mod concurrency;
mod crash;
mod licences;
mod matcher;
mod recorded;
mod replay;
mod server;
