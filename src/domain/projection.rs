//! From groups to teams: the one rule of login, switch, SCIM event and resync (ruling 8, `management-api.md`
//! D8). It is given what is seen and what is there, and says what has to change.
//!
//! Rows that people made are never touched. A claim that is absent is not a claim that is empty (D12).

use std::collections::BTreeSet;

use super::organization::OrganizationSeq;
use super::role::Role;
use super::team::Provider;
use super::team_mapping::TeamMapping;

/// What sets a sync off; nothing else does (D9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A login, into the organization that it leads to.
    Login,
    /// A session that goes to another organization.
    Switch,
    /// A change of the directory.
    Scim,
    /// A person or a changed rule wants all of it brought up to date.
    Resync,
}

impl Trigger {
    /// Its name in answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Switch => "switch",
            Self::Scim => "scim",
            Self::Resync => "resync",
        }
    }
}

/// Who describes a user's groups (ruling 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The directory: SCIM made the user, and the company has a SCIM group.
    Directory,
    /// The claims of the last login.
    Claims,
}

impl Source {
    /// Who describes the groups of a user.
    pub fn of(made_by_directory: bool, company_has_groups: bool) -> Self {
        if made_by_directory && company_has_groups { Self::Directory } else { Self::Claims }
    }

    /// The origin of the rows that it writes.
    pub fn origin(self) -> Provider {
        match self {
            Self::Directory => Provider::Scim,
            Self::Claims => Provider::Sso,
        }
    }
}

/// A group that a user is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenGroup {
    /// Its name.
    pub name: String,
    /// Its storage key, where it is the directory's.
    pub group: Option<i64>,
}

/// The groups that a user is in, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The claim is absent, or there are more groups than it holds.
    Absent,
    /// These and no others.
    Groups(Vec<SeenGroup>),
}

impl Seen {
    /// The groups of a claim: one name, one group.
    pub fn claim(names: Option<&[String]>) -> Self {
        let Some(names) = names else { return Self::Absent };
        let names: BTreeSet<&String> = names.iter().collect();
        let group = |name: &String| SeenGroup { name: name.clone(), group: None };
        Self::Groups(names.into_iter().map(group).collect())
    }

    /// The names, where they are known.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Absent => Vec::new(),
            Self::Groups(groups) => groups.iter().map(|group| group.name.as_str()).collect(),
        }
    }
}

/// Why a group gives no team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A block pattern matches it.
    Blocked,
    /// No allow pattern matches it.
    NotAllowed,
    /// No mapping of the organization names it.
    NotMapped,
}

impl Reason {
    /// Its name in answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::NotAllowed => "not_allowed",
            Self::NotMapped => "not_mapped",
        }
    }
}

/// Why a group gives no team by the company's filters; `None`: it gives one.
pub type Filter<'r> = &'r dyn Fn(&str) -> Option<Reason>;

/// How groups become teams in one organization.
#[derive(Clone, Copy)]
pub enum Mode<'r> {
    /// By name, through the group filters.
    Filters(Filter<'r>),
    /// By the organization's mappings, those at least that name a group of the user.
    Mapping {
        /// The mappings.
        mappings: &'r [TeamMapping],
        /// Whether the organization has any: without one there is no rule yet, and nothing changes.
        any: bool,
    },
}

/// A user's row among an organization's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What the user is there.
    pub role: Role,
    /// Whether the row came from automatic access, and counts while that is on.
    pub automatic: bool,
    /// Whether the row came from a mapping, which then owns the role.
    pub by_mapping: bool,
    /// An admin's deactivation there.
    pub deactivated: bool,
    /// Whether no mapped group is left there.
    pub unmapped: bool,
}

/// A user at an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The user's row there.
    pub entry: Option<Entry>,
    /// Whether everybody who is ACTIVE may enter.
    pub automatic: bool,
    /// Whether the user has signed in through the connection: automatic access is for these alone (row 69).
    pub by_sso: bool,
    /// Whether the directory or an admin has deactivated the user.
    pub deactivated: bool,
    /// Whether the user is an account admin, or an admin of this organization: nobody remaps those (row 163).
    pub admin: bool,
}

impl Standing {
    fn is_barred(&self) -> bool {
        self.deactivated || self.entry.is_some_and(|entry| entry.deactivated)
    }

    /// Whether the user may enter, but for a mapped group that is lacking (ruling 7).
    pub fn may_enter(&self) -> bool {
        let assigned = self.entry.is_some_and(|entry| !entry.automatic);
        !self.is_barred() && (assigned || self.automatic && self.by_sso)
    }
}

/// A team as it is told from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TeamKey {
    /// The one that follows this group of the directory, and its name.
    Group(i64, String),
    /// The one that claims call so.
    Claim(String),
    /// The one with this storage key.
    Team(i64),
}

/// A membership that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The team's storage key.
    pub team: i64,
    /// The team's name.
    pub name: String,
    /// Who made the team.
    pub provider: Provider,
    /// The group that the team follows.
    pub group: Option<i64>,
    /// Who wrote the membership.
    pub origin: Provider,
}

impl Held {
    fn is(&self, key: &TeamKey) -> bool {
        match key {
            TeamKey::Group(seq, _) => self.group == Some(*seq),
            TeamKey::Claim(name) => self.provider == Provider::Sso && self.name == *name,
            TeamKey::Team(seq) => self.team == *seq,
        }
    }
}

/// What has to change for a user in an organization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the user's teams there were looked at: it is written down when.
    pub synced: bool,
    /// Teams to be a member of, made where they are not there.
    pub add: Vec<TeamKey>,
    /// Memberships to end: team and origin.
    pub remove: Vec<(i64, Provider)>,
    /// Groups that give no team.
    pub dropped: Vec<(String, Reason)>,
    /// Whether the row among the members says that no mapped group is left; `None`: as it is.
    pub unmapped: Option<bool>,
    /// The role of the row that a mapping gives; `None`: no row is made or changed.
    pub assign: Option<Option<Role>>,
}

impl Outcome {
    /// The same without what concerns teams.
    pub fn leave_teams(&mut self) {
        self.synced = false;
        self.add.clear();
        self.remove.clear();
        self.dropped.clear();
    }
}

/// What has to change for a user in an organization, by the groups that `source` names.
pub fn project(
    standing: &Standing,
    mode: Mode<'_>,
    (source, seen): (Source, &Seen),
    held: &[Held],
) -> Outcome {
    let mapped = match (mode, seen) {
        (Mode::Mapping { mappings, .. }, Seen::Groups(groups)) => {
            mappings.iter().filter(|mapping| groups.iter().any(|g| mapping.names(g))).collect()
        }
        _ => Vec::new(),
    };
    let enters = standing.may_enter() || !standing.is_barred() && !mapped.is_empty();
    let left_alone = match mode {
        Mode::Filters(_) => false,
        Mode::Mapping { any, .. } => standing.admin || !any,
    };
    if !enters || left_alone {
        return Outcome::default();
    }
    let Seen::Groups(groups) = seen else {
        return Outcome { synced: true, ..Outcome::default() };
    };
    let mut out = Outcome { synced: true, ..Outcome::default() };
    let wanted = match mode {
        Mode::Filters(filter) => by_name(groups, filter, &mut out.dropped),
        Mode::Mapping { .. } => by_mapping(groups, &mapped, &mut out.dropped),
    };
    if let Mode::Mapping { .. } = mode {
        out.assign = assigned(standing, &mapped);
    }
    if let Some(entry) = standing.entry {
        let unmapped = matches!(mode, Mode::Mapping { .. }) && wanted.is_empty();
        out.unmapped = (entry.unmapped != unmapped).then_some(unmapped);
    }
    let origin = source.origin();
    let right = |held: &Held| held.origin == origin && wanted.iter().any(|key| held.is(key));
    let wrong = held.iter().filter(|held| held.origin.is_idp() && !right(held));
    out.remove = wrong.map(|held| (held.team, held.origin)).collect();
    let there = |key: &TeamKey| held.iter().any(|held| held.origin == origin && held.is(key));
    out.add = wanted.into_iter().filter(|key| !there(key)).collect();
    out
}

fn by_name(
    groups: &[SeenGroup],
    filter: Filter<'_>,
    dropped: &mut Vec<(String, Reason)>,
) -> BTreeSet<TeamKey> {
    let mut wanted = BTreeSet::new();
    for group in groups {
        match (filter(&group.name), group.group) {
            (Some(reason), _) => dropped.push((group.name.clone(), reason)),
            (None, Some(seq)) => drop(wanted.insert(TeamKey::Group(seq, group.name.clone()))),
            (None, None) => drop(wanted.insert(TeamKey::Claim(group.name.clone()))),
        }
    }
    wanted
}

fn by_mapping(
    groups: &[SeenGroup],
    mapped: &[&TeamMapping],
    dropped: &mut Vec<(String, Reason)>,
) -> BTreeSet<TeamKey> {
    let unmapped = groups.iter().filter(|group| !mapped.iter().any(|mapping| mapping.names(group)));
    dropped.extend(unmapped.map(|group| (group.name.clone(), Reason::NotMapped)));
    mapped.iter().map(|mapping| TeamKey::Team(mapping.team)).collect()
}

/// The row that mappings give: none beside one that an invitation, automatic access or a person gave.
fn assigned(standing: &Standing, mapped: &[&TeamMapping]) -> Option<Option<Role>> {
    if mapped.is_empty() {
        return None;
    }
    let role = mapped.iter().filter_map(|mapping| mapping.role).max();
    match standing.entry {
        None => Some(role),
        Some(entry) if entry.by_mapping => role.filter(|role| *role != entry.role).map(Some),
        // Automatic access is off again: from now on it is the mapping that lets the user in.
        Some(entry) if entry.automatic && !standing.automatic => Some(Some(entry.role)),
        Some(_) => None,
    }
}

/// Whether, in mapping mode, a user is without a mapped group in all the company; `None`: that cannot be
/// said, since the groups are not known, nothing is mapped yet, or the user is an admin.
pub fn is_unmapped(seen: &Seen, mappings: &[TeamMapping], any: bool, admin: bool) -> Option<bool> {
    let Seen::Groups(groups) = seen else { return None };
    if admin || !any {
        return None;
    }
    Some(!mappings.iter().any(|mapping| groups.iter().any(|group| mapping.names(group))))
}

/// What a change of teams comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Impact {
    /// Teams that are made.
    pub teams_added: i64,
    /// Teams that end.
    pub teams_removed: i64,
    /// Memberships that are made.
    pub memberships_added: i64,
    /// Memberships that end.
    pub memberships_removed: i64,
    /// Users who are in no team of an organization any more, and were in one.
    pub users_losing_all_teams: i64,
}

impl Impact {
    /// The sum of both.
    pub fn add(&mut self, other: Self) {
        self.teams_added += other.teams_added;
        self.teams_removed += other.teams_removed;
        self.memberships_added += other.memberships_added;
        self.memberships_removed += other.memberships_removed;
        self.users_losing_all_teams += other.users_losing_all_teams;
    }
}

/// Where a sync looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In every organization that the user may enter: a SCIM event, a resync.
    All,
    /// In this one: a login, a switch.
    One(OrganizationSeq),
}

#[cfg(test)]
mod tests;
