//! Signing in: attempts, the word of the identity provider, and what it leads to. The network part lies
//! between two units of work, never inside one (I5).

pub mod attempts;
mod finish;

pub use finish::{Finished, Refused, finish};
