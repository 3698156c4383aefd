//! The benchmark over HTTP.

fn main() {}
