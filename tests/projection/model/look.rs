//! What can be seen of the model.

use super::{Model, Origin, Seat, Source, Team};
use crate::seen::Seen;
use crate::steps::{LOCAL, ORGANIZATIONS, Role, USERS};

impl Model {
    /// Everything that can be seen.
    pub fn seen(&self) -> Seen {
        let mut out = Seen::default();
        for user in (0..USERS).filter(|user| self.users[*user].there) {
            let live = self.users[user].sessions.iter().filter(|session| session.live).count();
            out.users.insert((user, self.reason(user), live));
            for place in 0..ORGANIZATIONS {
                if let Some(role) = self.access(place, user) {
                    out.access.insert((place, user, role_name(role)));
                }
                if let Some(seat) = self.seat(place, user) {
                    let source = match seat.source {
                        Source::Invitation => "invitation",
                        Source::Automatic => "automatic",
                        Source::Mapping => "mapping",
                    };
                    let status = self.status(user, &seat);
                    out.members.insert((place, user, role_name(seat.role), source, status));
                }
            }
        }
        for (place, organization) in self.organizations.iter().enumerate() {
            for (team, user, origin) in &organization.teams {
                let (name, provider) = match team {
                    Team::Local(local) => (LOCAL[*local], "manual"),
                    Team::Claim(name) => (*name, "sso"),
                    Team::Group(number) => {
                        let group = self.groups.values().find(|group| group.number == *number);
                        (group.map_or("gone", |group| group.name), "scim")
                    }
                };
                let origin = match origin {
                    Origin::Manual => "manual",
                    Origin::Scim => "scim",
                    Origin::Sso => "sso",
                };
                let row = (place, name.to_owned(), provider.to_owned(), *user, origin.to_owned());
                out.teams.insert(row);
            }
        }
        out
    }

    /// D13.
    pub(super) fn status(&self, user: usize, seat: &Seat) -> &'static str {
        let staged = self.reason(user) == "staged_first_login_required";
        match seat.source {
            _ if seat.off || seat.unmapped || self.is_deactivated(user) => "DEACTIVATED",
            Source::Invitation if staged => "INVITED",
            _ if staged => "STAGED",
            _ => "ACTIVE",
        }
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Moderator => "moderator",
        Role::Admin => "admin",
    }
}
