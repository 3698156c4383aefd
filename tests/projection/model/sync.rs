//! Team sync (ruling 8, `management-api.md` D8), logins and switches (D7).

use std::collections::BTreeSet;

use super::{Answer, Mapped, Model, Named, Origin, Seat, Session, Source, Team, User, ok, refused};
use crate::steps::{Member, ORGANIZATIONS, Role, USERS};

impl Model {
    /// Whom the directory describes: those whom it made, once it has a group.
    pub(super) fn described(&self) -> BTreeSet<usize> {
        let there = |user: &usize| self.users[*user].there && self.users[*user].provisioned;
        (0..USERS).filter(|user| there(user) && !self.groups.is_empty()).collect()
    }

    /// A SCIM event reaches every organization of those whom the directory describes.
    pub(super) fn event(&mut self, users: &BTreeSet<usize>) {
        for user in users.intersection(&self.described()) {
            self.sync(*user, true, None);
        }
    }

    pub(super) fn resync(&mut self) {
        self.event(&(0..USERS).collect());
    }

    /// The groups of a user, by who describes them; `None`: nobody knows.
    pub(super) fn groups_of(&self, user: usize, by_directory: bool) -> Option<BTreeSet<Named>> {
        if !by_directory {
            let claim = self.users[user].claim.as_ref()?;
            return Some(claim.iter().map(|name| (*name, None)).collect());
        }
        let mine = self
            .groups
            .iter()
            .filter(|(place, _)| self.below([Member::Group(**place)]).contains(&user));
        Some(mine.map(|(_, group)| (group.name, Some(group.number))).collect())
    }

    /// Row 163: whom nobody remaps.
    pub(super) fn is_admin(&self, place: usize, user: usize) -> bool {
        self.users[user].account_admin
            || self.organizations[place]
                .seats
                .get(&user)
                .is_some_and(|seat| seat.role == Role::Admin)
    }

    pub(super) fn is_admin_somewhere(&self, user: usize) -> bool {
        (0..ORGANIZATIONS).any(|place| self.is_admin(place, user))
    }

    /// The mappings of an organization that name one of these groups.
    pub(super) fn mapped(&self, place: usize, groups: &BTreeSet<Named>) -> Vec<Mapped> {
        let names = |mapping: &&Mapped| {
            groups.iter().any(|(name, number)| match number {
                Some(_) => mapping.group == *number,
                None => mapping.name == *name,
            })
        };
        self.organizations[place].mappings.iter().filter(names).cloned().collect()
    }

    pub(super) fn is_mapped_somewhere(&self, groups: &BTreeSet<Named>) -> bool {
        (0..ORGANIZATIONS).any(|place| !self.mapped(place, groups).is_empty())
    }

    /// Brings a user up to date everywhere, or in one organization.
    pub(super) fn sync(&mut self, user: usize, by_directory: bool, only: Option<usize>) {
        let Some(groups) = self.groups_of(user, by_directory) else { return };
        self.judge(user, &groups);
        for place in (0..ORGANIZATIONS).filter(|place| only.is_none_or(|only| only == *place)) {
            self.place(user, place, &groups);
            self.teams(user, place, (by_directory, &groups));
        }
    }

    /// Row 167: in mapping mode, without a mapped group in any organization.
    pub(super) fn judge(&mut self, user: usize, groups: &BTreeSet<Named>) {
        let any = self.organizations.iter().any(|o| !o.mappings.is_empty());
        if self.by_groups && any && !self.is_admin_somewhere(user) {
            let unmapped = !self.is_mapped_somewhere(groups);
            self.cause(user, |user| user.unmapped = unmapped);
        }
    }

    /// Whether sync does anything there: by mappings, for whom they are, to whom they let in.
    pub(super) fn is_synced(&self, user: usize, place: usize, groups: &BTreeSet<Named>) -> bool {
        let organization = &self.organizations[place];
        let barred = !self.users[user].active
            || self.users[user].by_admin
            || organization.seats.get(&user).is_some_and(|seat| seat.off);
        if !self.by_groups {
            return self.may_be_synced(place, user);
        }
        let let_in = !self.mapped(place, groups).is_empty() && !barred;
        let ruled = !organization.mappings.is_empty() && !self.is_admin(place, user);
        ruled && (let_in || self.may_be_synced(place, user))
    }

    /// What mappings say of the membership: it is made, given a role, ended, and begun again.
    pub(super) fn place(&mut self, user: usize, place: usize, groups: &BTreeSet<Named>) {
        if !self.by_groups || !self.is_synced(user, place, groups) {
            return;
        }
        let mapped = self.mapped(place, groups);
        let role = mapped.iter().filter_map(|mapping| mapping.role).max();
        let organization = &mut self.organizations[place];
        if let Some(seat) = organization.seats.get_mut(&user) {
            let ended = !seat.unmapped && mapped.is_empty();
            seat.unmapped = mapped.is_empty();
            match seat.source {
                Source::Mapping => seat.role = role.unwrap_or(seat.role),
                // What let the user in is gone; the mapping does now.
                Source::Automatic if !organization.automatic && !mapped.is_empty() => {
                    seat.source = Source::Mapping;
                }
                Source::Automatic | Source::Invitation => {}
            }
            if ended {
                let here = self.users[user].sessions.iter_mut().filter(|s| s.at == Some(place));
                here.for_each(|session| session.live = false);
            }
        } else if !mapped.is_empty() {
            let role = role.unwrap_or(Role::Member);
            let seat = Seat { role, source: Source::Mapping, off: false, unmapped: false };
            organization.seats.insert(user, seat);
        }
    }

    /// Wanted teams against those that are there by the IdP's word; what people made stays.
    pub(super) fn teams(
        &mut self,
        user: usize,
        place: usize,
        (by_directory, groups): (bool, &BTreeSet<Named>),
    ) {
        if !self.is_synced(user, place, groups) {
            return;
        }
        let origin = if by_directory { Origin::Scim } else { Origin::Sso };
        let wanted: BTreeSet<Team> = if self.by_groups {
            self.mapped(place, groups).iter().map(|mapping| Team::Local(mapping.team)).collect()
        } else {
            let passing = groups.iter().filter(|(name, _)| self.passes(name));
            passing.map(|(name, number)| number.map_or(Team::Claim(name), Team::Group)).collect()
        };
        let teams = &mut self.organizations[place].teams;
        teams.retain(|(_, other, origin)| *other != user || *origin == Origin::Manual);
        teams.extend(wanted.into_iter().map(|team| (team, user, origin)));
    }

    /// A login; of one that is refused some things are kept.
    pub(super) fn visit(
        &mut self,
        user: usize,
        claim: Option<Option<BTreeSet<&'static str>>>,
        to: Option<usize>,
    ) -> Answer {
        let before = self.clone();
        let (kept, answer) = self.login(user, claim, to);
        if !kept {
            *self = before;
        }
        answer
    }

    /// A login: whether what it did is kept, and what it answers. `claim`: `None` for a social one.
    pub(super) fn login(
        &mut self,
        user: usize,
        claim: Option<Option<BTreeSet<&'static str>>>,
        to: Option<usize>,
    ) -> (bool, Answer) {
        let sso = claim.is_some();
        let made = !self.users[user].there;
        if made && !sso {
            return (false, refused("user_not_provisioned"));
        }
        if made && self.users[user].known {
            return (false, refused("user_deleted"));
        }
        if made {
            self.users[user] = User { there: true, active: true, ..User::default() };
        }
        let described = self.described().contains(&user);
        let barred = !self.users[user].active || self.users[user].by_admin;
        if barred {
            return (false, refused("user_deactivated"));
        }
        if let Some(claim) = claim {
            self.users[user].claim = claim;
            if let Some(code) = self.gate(user, described) {
                return (!(made && code == "no_mapped_group"), refused(code));
            }
        }
        if self.is_deactivated(user) {
            return (false, refused("user_deactivated"));
        }
        self.users[user].signed_in = true;
        if sso {
            (self.users[user].linked, self.users[user].known) = (true, true);
            self.write_automatic(user);
            self.places(user, described);
        }
        let last = self.users[user].last.filter(|place| self.access(*place, user).is_some());
        let first = (0..ORGANIZATIONS).find(|place| self.access(*place, user).is_some());
        let target = to.or(last).or(first);
        if let Some(place) = target {
            self.sync(user, described, Some(place));
            if self.access(place, user).is_none() {
                return (true, refused("organization_access_denied"));
            }
            self.users[user].last = target;
        }
        self.users[user].sessions.push(Session { at: target, live: true, by_sso: sso });
        (true, target.map_or("nowhere".to_owned(), |place| format!("in {place}")))
    }

    /// Rows 160, 167, 176: whom groups or people keep out.
    pub(super) fn gate(&mut self, user: usize, described: bool) -> Option<&'static str> {
        if !self.by_groups && !self.by_people {
            return None;
        }
        let groups = self.groups_of(user, described);
        let mapped = groups.as_ref().is_some_and(|groups| self.is_mapped_somewhere(groups));
        if self.is_admin_somewhere(user) || self.by_groups && mapped {
            self.places(user, described);
            return None;
        }
        let has_team =
            self.organizations.iter().any(|o| o.teams.iter().any(|(_, u, _)| *u == user));
        let refusal = match self.by_people {
            true if has_team => None,
            true => Some("awaiting_team_assignment"),
            false => Some("no_mapped_group"),
        };
        match refusal {
            Some(_) if self.by_groups => self.sync(user, described, None),
            Some(_) => {}
            None => self.places(user, described),
        }
        refusal
    }

    /// A login decides in which organizations mappings let the user in; teams follow where it leads.
    pub(super) fn places(&mut self, user: usize, described: bool) {
        let Some(groups) = self.groups_of(user, described) else { return };
        self.judge(user, &groups);
        for place in 0..ORGANIZATIONS {
            self.place(user, place, &groups);
        }
    }

    pub(super) fn switch(&mut self, user: usize, to: usize) -> Answer {
        let session = self.users[user].sessions.last().filter(|session| session.live);
        let Some(by_sso) = session.map(|session| session.by_sso) else {
            return refused("unauthorized");
        };
        if self.access(to, user).is_none() {
            return refused("organization_access_denied");
        }
        let described = self.described().contains(&user);
        self.sync(user, described, Some(to));
        if self.access(to, user).is_none() {
            return refused("organization_access_denied");
        }
        if by_sso {
            self.write_automatic(user);
        }
        if let Some(session) = self.users[user].sessions.last_mut() {
            session.at = Some(to);
        }
        self.users[user].last = Some(to);
        ok()
    }
}
