//! What can be seen of a company, by the model's own names.

use std::collections::BTreeSet;

/// Everything that is compared after each step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// User, why they stand where they stand, and how many live sessions they have.
    pub users: BTreeSet<(usize, &'static str, usize)>,
    /// Organization, user, role, source and status of a member.
    pub members: BTreeSet<(usize, usize, &'static str, &'static str, &'static str)>,
    /// Where a user who is not deactivated may enter, and as what.
    pub access: BTreeSet<(usize, usize, &'static str)>,
    /// Organization, name and provider of a team, user, origin.
    pub teams: BTreeSet<(usize, String, String, usize, String)>,
}

impl Seen {
    /// What is here and not there.
    pub fn beyond(&self, other: &Self) -> String {
        let users: Vec<_> = self.users.difference(&other.users).collect();
        let members: Vec<_> = self.members.difference(&other.members).collect();
        let access: Vec<_> = self.access.difference(&other.access).collect();
        let teams: Vec<_> = self.teams.difference(&other.teams).collect();
        format!("users {users:?}, members {members:?}, access {access:?}, teams {teams:?}")
    }
}
