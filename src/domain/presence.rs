//! Whether a session holds: itself, its user, its company's settings and its connection, looked at together.
//! Whatever opens something by a session asks here, and nowhere else.

use jiff::Timestamp;

use super::connection::{Protocol, State};
use super::lifecycle::Causes;
use super::session::{Over, Session, SessionSettings};
use super::user::UserStatus;

/// A session with everything that decides whether it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Presence {
    /// The session.
    pub session: Session,
    /// The user's id.
    pub user_id: String,
    /// What the user's status follows from.
    pub causes: Causes,
    /// The user's attributes, where they were asked for.
    pub document: String,
    /// The company's id.
    pub company_id: String,
    /// The company's short name.
    pub company_slug: String,
    /// How long its sessions last.
    pub settings: SessionSettings,
    /// The connection that the user came through, where it is still there.
    pub connection: Option<Through>,
}

/// The connection that a user came through.
#[derive(Debug, Clone, PartialEq)]
pub struct Through {
    /// Its name in addresses.
    pub name: String,
    /// How it speaks.
    pub protocol: Protocol,
    /// How far it is.
    pub state: State,
}

impl Presence {
    /// Why the session opens nothing at this moment; `None`: it opens.
    pub fn over(&self, now: Timestamp) -> Option<Over> {
        if self.causes.status() != UserStatus::Active {
            return Some(Over::UserDeactivated);
        }
        let lost = match (&self.session.connection, &self.connection) {
            (Some(_), Some(through)) => through.state == State::Inactive,
            (Some(_), None) => true,
            (None, _) => false,
        };
        self.session.over(self.settings, now).or(lost.then_some(Over::Ended))
    }

    /// How the person signed in, for the claim `amr`.
    pub fn method(&self) -> &'static str {
        self.connection.as_ref().map_or("social", |through| through.protocol.name())
    }
}
