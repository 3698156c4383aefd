//! Floor 5: what is done without being asked, beside the requests. Every replica does it; what must be
//! done once is claimed in the database.

pub mod assertions;
pub mod jobs;
pub mod keys;
pub mod logouts;
pub mod sweeper;
