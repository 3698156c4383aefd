//! Who the claims say that somebody is.
