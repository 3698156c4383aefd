//! Lifecycle (ruling 3) and access (ruling 7).

use std::collections::BTreeSet;

use super::{Answer, Model, Origin, Seat, Source, Team, User, ok, refused};
use crate::steps::{Member, Role, USERS};

impl Model {
    /// Why a user stands where they stand.
    pub(super) fn reason(&self, user: usize) -> &'static str {
        match &self.users[user] {
            User { by_admin: true, .. } => "deactivated_by_admin",
            User { active: false, .. } => "deactivated_by_directory",
            User { unmapped: true, .. } => "no_mapped_group",
            User { signed_in: true, .. } => "signed_in",
            _ => "staged_first_login_required",
        }
    }

    pub(super) fn is_deactivated(&self, user: usize) -> bool {
        !matches!(self.reason(user), "signed_in" | "staged_first_login_required")
    }

    /// D9: of the account admins all but DEACTIVATED ones count.
    pub(super) fn is_last_admin(&self, user: usize) -> bool {
        let counts = |user: usize| self.users[user].account_admin && !self.is_deactivated(user);
        counts(user) && !(0..USERS).any(|other| other != user && counts(other))
    }

    /// Changes the causes of a status; a deactivation ends every session (ruling 12).
    pub(super) fn cause(&mut self, user: usize, change: impl FnOnce(&mut User)) {
        let before = self.is_deactivated(user);
        change(&mut self.users[user]);
        if !before && self.is_deactivated(user) {
            self.users[user].sessions.iter_mut().for_each(|session| session.live = false);
        }
    }

    /// The same by the directory or an admin: who comes back is brought up to date.
    pub(super) fn change_user(&mut self, user: usize, change: impl FnOnce(&mut User)) -> Answer {
        if !self.users[user].there {
            return refused("not_found");
        }
        let before = self.is_deactivated(user);
        self.cause(user, change);
        if before && !self.is_deactivated(user) {
            self.event(&[user].into());
        }
        ok()
    }

    pub(super) fn deactivate(&mut self, user: usize, on: bool) -> Answer {
        if on && self.is_last_admin(user) {
            return refused("last_admin");
        }
        self.change_user(user, |user| user.by_admin = on)
    }

    pub(super) fn promote(&mut self, user: usize, on: bool) -> Answer {
        if !on && self.is_last_admin(user) {
            return refused("last_admin");
        }
        if !self.users[user].there {
            return refused("not_found");
        }
        self.users[user].account_admin = on;
        ok()
    }

    /// Ruling 4.
    pub(super) fn provision(&mut self, user: usize) -> Answer {
        let mine = &mut self.users[user];
        if mine.there && mine.active {
            return refused("uniqueness");
        }
        if !mine.there {
            let known = mine.known;
            *mine = User { there: true, active: true, provisioned: true, known, ..User::default() };
            return ok();
        }
        // Whom SCIM revives it has provisioned, whoever made the user (ruling 8).
        self.change_user(user, |user| (user.active, user.provisioned) = (true, true))
    }

    pub(super) fn delete_user(&mut self, user: usize) -> Answer {
        if !self.users[user].there {
            return refused("not_found");
        }
        self.users[user] = User { known: true, ..User::default() };
        for organization in &mut self.organizations {
            organization.seats.remove(&user);
            organization.teams.retain(|(_, other, _)| *other != user);
        }
        for group in self.groups.values_mut() {
            group.members.remove(&Member::User(user));
        }
        ok()
    }

    /// What somebody is in an organization who belongs there: automatic access is derived.
    pub(super) fn seat(&self, place: usize, user: usize) -> Option<Seat> {
        let organization = &self.organizations[place];
        match organization.seats.get(&user) {
            Some(seat) if seat.source != Source::Automatic || organization.automatic => {
                Some(seat.clone())
            }
            Some(_) => None,
            None if organization.automatic && self.is_active_by_sso(user) => Some(Seat {
                role: Role::Member,
                source: Source::Automatic,
                off: false,
                unmapped: false,
            }),
            None => None,
        }
    }

    /// Row 69: a social login makes ACTIVE, and lets in nobody.
    pub(super) fn is_active_by_sso(&self, user: usize) -> bool {
        self.users[user].there && self.reason(user) == "signed_in" && self.users[user].linked
    }

    /// What somebody is where they may enter now.
    pub(super) fn access(&self, place: usize, user: usize) -> Option<Role> {
        if !self.users[user].there || self.is_deactivated(user) {
            return None;
        }
        let seat = self.seat(place, user).filter(|seat| !seat.off && !seat.unmapped)?;
        Some(seat.role)
    }

    /// Whether somebody may enter but for a mapped group that is lacking, which the sync itself decides.
    pub(super) fn may_be_synced(&self, place: usize, user: usize) -> bool {
        let mut lenient = self.clone();
        lenient.users[user].unmapped = false;
        if let Some(seat) = lenient.organizations[place].seats.get_mut(&user) {
            seat.unmapped = false;
        }
        lenient.access(place, user).is_some()
    }

    /// An SSO login writes automatic access down (row 67).
    pub(super) fn write_automatic(&mut self, user: usize) {
        for organization in self.organizations.iter_mut().filter(|o| o.automatic) {
            let seat =
                Seat { role: Role::Member, source: Source::Automatic, off: false, unmapped: false };
            organization.seats.entry(user).or_insert(seat);
        }
    }

    pub(super) fn change_seat(
        &mut self,
        place: usize,
        user: usize,
        change: impl FnOnce(&mut Seat),
    ) -> Answer {
        if !self.users[user].there {
            return refused("not_found");
        }
        let Some(mut seat) = self.seat(place, user) else { return refused("not_found") };
        change(&mut seat);
        self.organizations[place].seats.insert(user, seat);
        ok()
    }

    /// What a mapping gives is the mapping's.
    pub(super) fn set_role(&mut self, place: usize, user: usize, role: Role) -> Answer {
        let seat = self.seat(place, user);
        if seat.is_some_and(|seat| seat.source == Source::Mapping && seat.role != role) {
            return refused("membership_managed_by_idp");
        }
        self.change_seat(place, user, |seat| seat.role = role)
    }

    pub(super) fn invite(
        &mut self,
        place: usize,
        user: usize,
        (role, team): (Role, Option<usize>),
    ) -> Answer {
        if !self.users[user].there {
            let known = self.users[user].known;
            self.users[user] = User { there: true, active: true, known, ..User::default() };
        }
        let invited = self.reason(user) == "staged_first_login_required";
        if let Some(seat) = self.seat(place, user) {
            let open = seat.source == Source::Invitation && invited && !seat.off && !seat.unmapped;
            if !open {
                return refused("already_member");
            }
        }
        let seat = Seat { role, source: Source::Invitation, off: false, unmapped: false };
        let organization = &mut self.organizations[place];
        organization.seats.insert(user, seat);
        organization.teams.extend(team.map(|team| (Team::Local(team), user, Origin::Manual)));
        ok()
    }

    pub(super) fn expel(&mut self, place: usize, user: usize) -> Answer {
        match self.seat(place, user).map(|seat| seat.source) {
            _ if !self.users[user].there => refused("not_found"),
            None => refused("not_found"),
            Some(Source::Mapping) => refused("membership_managed_by_idp"),
            Some(Source::Automatic) => refused("automatic_access"),
            Some(Source::Invitation) => {
                self.organizations[place].seats.remove(&user);
                self.organizations[place].teams.retain(|(_, other, _)| *other != user);
                ok()
            }
        }
    }

    pub(super) fn set_local(
        &mut self,
        place: usize,
        team: usize,
        users: &BTreeSet<usize>,
    ) -> Answer {
        let wanted: BTreeSet<usize> =
            users.iter().copied().filter(|user| self.users[*user].there).collect();
        let organization = &self.organizations[place];
        let of = |origins: &[Origin]| -> BTreeSet<usize> {
            let rows = organization.teams.iter();
            let mine = rows.filter(|(t, _, o)| *t == Team::Local(team) && origins.contains(o));
            mine.map(|(_, user, _)| *user).collect()
        };
        let (by_hand, by_idp) = (of(&[Origin::Manual]), of(&[Origin::Scim, Origin::Sso]));
        let coming: BTreeSet<usize> = wanted
            .iter()
            .copied()
            .filter(|u| !by_hand.contains(u) && !by_idp.contains(u))
            .collect();
        let going: BTreeSet<usize> = by_hand.difference(&wanted).copied().collect();
        // Row 165; with mapping by people as well, teams are given by hand (row 176).
        let admin = |user: &usize| self.is_admin(place, *user);
        let ruled = self.by_groups && !self.by_people;
        if !by_idp.is_subset(&wanted) || ruled && !coming.union(&going).all(admin) {
            return refused("membership_managed_by_idp");
        }
        let teams = &mut self.organizations[place].teams;
        teams.retain(|(t, u, o)| {
            *t != Team::Local(team) || *o != Origin::Manual || !going.contains(u)
        });
        teams.extend(coming.into_iter().map(|user| (Team::Local(team), user, Origin::Manual)));
        ok()
    }
}
