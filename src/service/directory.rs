//! A company's directory: whose it is, and what its resources may hold.

use std::sync::Arc;

use crate::db::{self, DbConn};
use crate::domain::event::Actor;
use crate::domain::id::CompanySeq;
use crate::scim::schema::Schema;
use crate::scim::{ResourceSchema, ResourceType};

use super::error::Result;

/// A company's directory. Every function on a company's data takes one; a token names it.
#[derive(Debug, Clone)]
pub struct Directory {
    /// Whose data it is.
    pub company: CompanySeq,
    /// What a User may hold.
    pub users: ResourceSchema,
    /// What a Group may hold.
    pub groups: ResourceSchema,
    /// Who works on it, for the record of changes.
    pub actor: Actor,
}

impl Directory {
    /// Loads a company's directory with the custom schemas registered for it, for a command.
    ///
    /// # Errors
    /// The database's.
    pub fn load(conn: &mut DbConn, company: CompanySeq) -> Result<Self> {
        let (mut users, mut groups) = (Vec::new(), Vec::new());
        for (resource_type, document) in db::companies::schemas(conn, company)? {
            let schema: Arc<Schema> = Arc::new(serde_json::from_str(&document)?);
            if resource_type == ResourceType::Group.name() {
                groups.push(schema);
            } else {
                users.push(schema);
            }
        }
        let (users, groups) = (ResourceSchema::user(users), ResourceSchema::group(groups));
        Ok(Self { company, users, groups, actor: Actor::Command })
    }

    /// The same, for somebody else.
    #[must_use]
    pub fn for_actor(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    /// The schema of one type of resource.
    pub fn schema(&self, resource_type: ResourceType) -> &ResourceSchema {
        match resource_type {
            ResourceType::User => &self.users,
            ResourceType::Group => &self.groups,
        }
    }
}
