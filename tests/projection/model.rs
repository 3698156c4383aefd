//! A small model of the rules: lifecycle (ruling 3), access (ruling 7), team sync (ruling 8, `management-api.md`
//! D8) and what the requirements say of them by number. Written from these texts; it never reads the server.

mod directory;
mod look;
mod people;
mod sync;

use std::collections::{BTreeMap, BTreeSet};

use crate::steps::{Member, ORGANIZATIONS, Role, Step, USERS};

/// A team, as what it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Team {
    Local(usize),
    /// A group of the directory, by its number.
    Group(usize),
    Claim(&'static str),
}

/// Who wrote a membership of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Manual,
    Scim,
    Sso,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Invitation,
    Automatic,
    Mapping,
}

/// What a user is in an organization.
#[derive(Debug, Clone)]
struct Seat {
    role: Role,
    source: Source,
    /// An admin's deactivation.
    off: bool,
    /// No mapped group is left there.
    unmapped: bool,
}

#[derive(Debug, Clone)]
struct Session {
    at: Option<usize>,
    live: bool,
    by_sso: bool,
}

#[derive(Debug, Clone, Default)]
struct User {
    there: bool,
    active: bool,
    by_admin: bool,
    unmapped: bool,
    signed_in: bool,
    /// Whether the directory made the user.
    provisioned: bool,
    account_admin: bool,
    /// Whether the user is linked with the connection.
    linked: bool,
    /// Whether somebody of this subject was, or was deleted: no login makes them anew (ruling 9). The link is no
    /// link of the user who is provisioned next.
    known: bool,
    /// The claim of the last login; `None`: it was absent.
    claim: Option<BTreeSet<&'static str>>,
    sessions: Vec<Session>,
    /// Where the user worked last.
    last: Option<usize>,
}

#[derive(Debug, Clone)]
struct Group {
    /// Another group's number is another one, though it lies in the same place.
    number: usize,
    name: &'static str,
    members: BTreeSet<Member>,
}

/// A mapping: by the directory's group where it was one, else by name.
#[derive(Debug, Clone)]
struct Mapped {
    name: &'static str,
    group: Option<usize>,
    team: usize,
    role: Option<Role>,
}

#[derive(Debug, Clone, Default)]
struct Organization {
    automatic: bool,
    seats: BTreeMap<usize, Seat>,
    teams: BTreeSet<(Team, usize, Origin)>,
    mappings: Vec<Mapped>,
}

/// A group that a user is in: its name, and its number where it is the directory's.
type Named = (&'static str, Option<usize>);

#[derive(Debug, Clone)]
pub struct Model {
    users: Vec<User>,
    organizations: Vec<Organization>,
    groups: BTreeMap<usize, Group>,
    numbers: usize,
    allow: Option<&'static str>,
    block: Option<&'static str>,
    by_groups: bool,
    by_people: bool,
    multi_group: bool,
}

/// What comes of a step: a word, or the code of the refusal.
pub type Answer = String;

fn ok() -> Answer {
    "ok".to_owned()
}

fn refused(code: &str) -> Answer {
    code.to_owned()
}

impl Model {
    /// A company with its organizations, the first of which lets everybody in.
    pub fn new() -> Self {
        let mut organizations = vec![Organization::default(); ORGANIZATIONS];
        organizations[0].automatic = true;
        Self {
            users: vec![User::default(); USERS],
            organizations,
            groups: BTreeMap::new(),
            numbers: 0,
            allow: None,
            block: None,
            by_groups: false,
            by_people: false,
            multi_group: false,
        }
    }

    /// What a step does, and what it answers.
    pub fn play(&mut self, step: &Step) -> Answer {
        match step {
            Step::Login { user, claim, to } => self.visit(*user, Some(claim.clone()), *to),
            Step::Social { user, to } => self.visit(*user, None, *to),
            Step::Switch { user, to } => self.switch(*user, *to),
            Step::Provision(user) => self.provision(*user),
            Step::Active(user, on) => self.change_user(*user, |user| user.active = *on),
            Step::DeleteUser(user) => self.delete_user(*user),
            Step::CreateGroup(place, name, members) => self.create_group(*place, name, members),
            Step::DeleteGroup(place) => self.delete_group(*place),
            Step::Rename(place, name) => self.rename(*place, name),
            Step::Add(place, member) => self.add(*place, *member),
            Step::Remove(place, member) => self.remove(*place, *member),
            Step::Replace(place, members) => self.replace(*place, members),
            Step::Filters { allow, block } => self.filter(*allow, *block),
            Step::Automatic(place, on) => {
                // Ruling 7: nothing is copied.
                self.organizations[*place].automatic = *on;
                ok()
            }
            Step::Modes { groups, people } => self.set_modes(*groups, *people),
            Step::MultiGroup(on) => self.set_multi_group(*on),
            Step::Mappings(place, all) => self.map(*place, all),
            Step::Invite { to, user, role, team } => self.invite(*to, *user, (*role, *team)),
            Step::Expel(place, user) => self.expel(*place, *user),
            Step::Suspend(place, user, on) => {
                self.change_seat(*place, *user, |seat| seat.off = *on)
            }
            Step::SetRole(place, user, role) => self.set_role(*place, *user, *role),
            Step::Deactivate(user, on) => self.deactivate(*user, *on),
            Step::Promote(user, on) => self.promote(*user, *on),
            Step::Local(place, team, users) => self.set_local(*place, *team, users),
            Step::Resync => {
                self.resync();
                ok()
            }
        }
    }
}
