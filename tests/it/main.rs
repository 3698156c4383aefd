//! Integration tests: a real server, over HTTP.

mod client;
mod company;
mod matcher;
mod recorded;
mod replay;
mod server;
