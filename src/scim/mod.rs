//! Floor 1, pure: the SCIM protocol (RFC 7643, RFC 7644, RFC 9865) as functions from data to data.
//!
//! Nothing here reads a clock, a socket, a database or a setting.

pub mod bulk;
pub mod cursor;
pub mod discovery;
pub mod document;
pub mod error;
pub mod filter;
pub mod json;
pub mod leaves;
pub mod list;
pub mod members;
pub mod message;
pub mod patch;
pub mod path;
pub mod projection;
pub mod quirks;
pub mod resource;
pub mod schema;
pub mod value;
pub mod version;

pub use error::{ScimError, ScimResult, ScimType};
pub use resource::Resource;
pub use schema::{ResourceSchema, ResourceType};
