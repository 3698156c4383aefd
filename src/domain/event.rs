//! What happened: one record a change, which is its event and its line in the audit alike.

use jiff::Timestamp;
use serde_json::Value;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Actor {
    /// The server by itself.
    #[default]
    System,
    /// Somebody on the server's machine, by a command.
    Command,
    /// An identity provider, by the token with this public id.
    ScimToken(String),
    /// A program, by the API key with this public id.
    ApiKey(String),
    /// The user with this id.
    User(String),
}

impl Actor {
    /// Whether it is the user with this id.
    pub fn is(&self, user: &str) -> bool {
        matches!(self, Self::User(id) if id == user)
    }

    /// Its text in records: a kind, and which one.
    pub fn text(&self) -> String {
        match self {
            Self::System => "system".to_owned(),
            Self::Command => "command".to_owned(),
            Self::ScimToken(id) => format!("scim_token:{id}"),
            Self::ApiKey(id) => format!("api_key:{id}"),
            Self::User(id) => format!("user:{id}"),
        }
    }
}

macro_rules! actions {
    ($($(#[$about:meta])* $name:ident = $text:literal,)*) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action { $($(#[$about])* $name,)* }

        impl Action {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in events and in the audit.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

actions! {
    /// A company was made.
    CompanyCreated = "company.created",
    /// A company's name, plan or switches changed.
    CompanyUpdated = "company.updated",
    /// The last account admin of a company lost access by the directory's word.
    CompanyWithoutAdmin = "company.without_admin",
    /// A company is gone with all that it had.
    CompanyDeleted = "company.deleted",
    /// An organization was made.
    OrganizationCreated = "organization.created",
    /// An organization's name or access changed.
    OrganizationUpdated = "organization.updated",
    /// An organization is gone.
    OrganizationDeleted = "organization.deleted",
    /// A user was made who cannot sign in yet because the IdP says so.
    UserCreated = "user.created",
    /// A user stands as STAGED.
    UserStaged = "user.staged",
    /// A user stands as ACTIVE.
    UserActivated = "user.activated",
    /// A user stands as DEACTIVATED.
    UserDeactivated = "user.deactivated",
    /// A user's attributes changed.
    UserUpdated = "user.updated",
    /// A user is gone.
    UserDeleted = "user.deleted",
    /// Users and groups were loaded from a file.
    DirectoryImported = "directory.imported",
    /// A group was made.
    GroupCreated = "group.created",
    /// A group's attributes or members changed.
    GroupUpdated = "group.updated",
    /// A group is gone.
    GroupDeleted = "group.deleted",
    /// A user's company role or permissions changed.
    RoleChanged = "role.changed",
    /// Somebody may enter an organization.
    AccessGranted = "access.granted",
    /// Somebody may not enter an organization any more.
    AccessRevoked = "access.revoked",
    /// Somebody was invited.
    InvitationCreated = "invitation.created",
    /// An invitation was taken back.
    InvitationRevoked = "invitation.revoked",
    /// A team was made.
    TeamCreated = "team.created",
    /// A team's name changed.
    TeamUpdated = "team.updated",
    /// A team is gone.
    TeamRemoved = "team.removed",
    /// A user's teams follow the groups.
    TeamSynced = "team.synced",
    /// Team mappings changed.
    MappingsChanged = "team_mappings.changed",
    /// Group filters changed.
    FiltersChanged = "group_filters.changed",
    /// A job was begun by a person.
    JobQueued = "job.queued",
    /// A connection was made.
    ConnectionCreated = "connection.created",
    /// A connection's settings changed.
    ConnectionUpdated = "connection.updated",
    /// A SCIM token was made.
    TokenCreated = "scim_token.created",
    /// A SCIM token was followed by another.
    TokenRotated = "scim_token.rotated",
    /// A SCIM token was ended.
    TokenRevoked = "scim_token.revoked",
    /// An API key was made.
    KeyCreated = "api_key.created",
    /// An API key was ended.
    KeyRevoked = "api_key.revoked",
    /// A session began.
    SessionCreated = "session.created",
    /// Sessions ended before their time.
    SessionRevoked = "session.revoked",
    /// An application was registered.
    ApplicationCreated = "application.created",
    /// An application's registration changed.
    ApplicationUpdated = "application.updated",
    /// An application got another secret.
    ApplicationRotated = "application.secret_rotated",
    /// An application is gone.
    ApplicationDeleted = "application.deleted",
    /// A connection lets people in.
    ConnectionActivated = "connection.activated",
    /// A connection lets nobody in any more.
    ConnectionDeactivated = "connection.deactivated",
    /// A connection took the place of the company's.
    ConnectionPromoted = "connection.promoted",
    /// A connection is gone.
    ConnectionDeleted = "connection.deleted",
    /// A connection has another client secret.
    ConnectionSecretRotated = "connection.secret_rotated",
    /// A domain was claimed.
    DomainCreated = "domain.created",
    /// What holds for a domain changed.
    DomainUpdated = "domain.updated",
    /// A domain is a company's.
    DomainVerified = "domain.verified",
    /// A domain is a company's no more.
    DomainDeleted = "domain.deleted",
    /// A refresh token came a second time, and its session was ended for it.
    TokenReused = "refresh_token.reused",
    /// Somebody who signed in has more groups than the provider sends.
    GroupsOverage = "groups_overage",
    /// A social connection was made.
    SocialCreated = "social_connection.created",
    /// A social connection changed.
    SocialUpdated = "social_connection.updated",
    /// A social connection is gone.
    SocialDeleted = "social_connection.deleted",
}

/// One record, ready to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its id, as the outside sees it.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub action: Action,
    /// By whom.
    pub actor: Actor,
    /// The id of what it was done to.
    pub target: String,
    /// What else there is to say, such as `before` and `after`; never a secret.
    pub detail: Value,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_different() {
        let names: BTreeSet<&str> = Action::ALL.iter().map(|a| a.name()).collect();
        assert_eq!(names.len(), Action::ALL.len());
    }
}
