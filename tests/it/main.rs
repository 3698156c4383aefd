//! Integration tests: a real server, over HTTP.
