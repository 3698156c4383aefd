//! The directory, and the rules of groups (ruling 6, rows 162, 177).

use std::collections::BTreeSet;

use super::{Answer, Group, Mapped, Model, Team, ok, refused};
use crate::steps::{Mapping, Member};

impl Model {
    pub(super) fn is_there(&self, member: Member) -> bool {
        match member {
            Member::User(user) => self.users[user].there,
            Member::Group(group) => self.groups.contains_key(&group),
        }
    }

    /// Those of these members that the company knows, without the group itself.
    pub(super) fn known(&self, place: usize, members: &BTreeSet<Member>) -> BTreeSet<Member> {
        let there = |member: &Member| self.is_there(*member) && *member != Member::Group(place);
        members.iter().copied().filter(there).collect()
    }

    pub(super) fn members(&self, place: usize) -> Option<BTreeSet<Member>> {
        self.groups.get(&place).map(|group| group.members.clone())
    }

    /// Everybody in these members, through nested groups, cycles too.
    pub(super) fn below(&self, members: impl IntoIterator<Item = Member>) -> BTreeSet<usize> {
        let (mut users, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let mut open: Vec<Member> = members.into_iter().collect();
        while let Some(member) = open.pop() {
            match member {
                Member::User(user) => drop(users.insert(user)),
                Member::Group(group) if seen.insert(group) => {
                    open.extend(self.groups.get(&group).iter().flat_map(|group| &group.members));
                }
                Member::Group(_) => {}
            }
        }
        users
    }

    pub(super) fn add(&mut self, place: usize, member: Member) -> Answer {
        let Some(mut members) = self.members(place) else { return refused("not_found") };
        if !self.is_there(member) || member == Member::Group(place) {
            return refused("invalidValue");
        }
        members.insert(member);
        self.set_members(place, members)
    }

    pub(super) fn remove(&mut self, place: usize, member: Member) -> Answer {
        let Some(mut members) = self.members(place) else { return refused("not_found") };
        members.remove(&member);
        self.set_members(place, members)
    }

    pub(super) fn replace(&mut self, place: usize, members: &BTreeSet<Member>) -> Answer {
        if self.members(place).is_none() {
            return refused("not_found");
        }
        let members = self.known(place, members);
        self.set_members(place, members)
    }

    pub(super) fn set_members(&mut self, place: usize, members: BTreeSet<Member>) -> Answer {
        let Some(group) = self.groups.get_mut(&place) else { return refused("not_found") };
        let moved: Vec<Member> = group.members.symmetric_difference(&members).copied().collect();
        group.members = members;
        self.event(&self.below(moved));
        ok()
    }

    pub(super) fn create_group(
        &mut self,
        place: usize,
        name: &'static str,
        members: &BTreeSet<Member>,
    ) -> Answer {
        if self.groups.contains_key(&place) {
            return refused("there already");
        }
        if self.groups.values().any(|group| group.name == name) {
            return refused("uniqueness");
        }
        let members = self.known(place, members);
        self.numbers += 1;
        let group = Group { number: self.numbers, name, members: members.clone() };
        self.groups.insert(place, group);
        // A mapping that waits for a group of this name is tied to it.
        for mapping in self.organizations.iter_mut().flat_map(|o| &mut o.mappings) {
            if mapping.group.is_none() && mapping.name == name {
                mapping.group = Some(self.numbers);
            }
        }
        self.event(&self.below(members));
        ok()
    }

    /// A deleted group ends its teams.
    pub(super) fn delete_group(&mut self, place: usize) -> Answer {
        let users = self.below([Member::Group(place)]);
        let described = self.described();
        let Some(group) = self.groups.remove(&place) else { return refused("not_found") };
        for other in self.groups.values_mut() {
            other.members.remove(&Member::Group(place));
        }
        for organization in &mut self.organizations {
            organization.teams.retain(|(team, ..)| *team != Team::Group(group.number));
            for mapping in &mut organization.mappings {
                if mapping.group == Some(group.number) {
                    mapping.group = None;
                }
            }
        }
        // The directory's last word on them, though it may have been its last group.
        for user in users.intersection(&described) {
            self.sync(*user, true, None);
        }
        ok()
    }

    /// A renamed group renames its teams, and moves no right.
    pub(super) fn rename(&mut self, place: usize, name: &'static str) -> Answer {
        let taken = |(other, group): (&usize, &Group)| *other != place && group.name == name;
        if !self.groups.contains_key(&place) {
            return refused("not_found");
        }
        if self.groups.iter().any(taken) {
            return refused("uniqueness");
        }
        let Some(group) = self.groups.get_mut(&place) else { return refused("not_found") };
        let (number, before) = (group.number, std::mem::replace(&mut group.name, name));
        for mapping in self.organizations.iter_mut().flat_map(|o| &mut o.mappings) {
            if mapping.group == Some(number) {
                mapping.name = name;
            }
        }
        if self.passes(before) != self.passes(name) {
            self.event(&self.below([Member::Group(place)]));
        }
        ok()
    }

    /// Ruling 6: unanchored, block wins, no allow pattern allows all.
    pub(super) fn passes(&self, name: &str) -> bool {
        let class =
            |pattern: &str| name.chars().any(|c| pattern.trim_matches(['[', ']']).contains(c));
        self.allow.is_none_or(class) && !self.block.is_some_and(class)
    }

    pub(super) fn filter(
        &mut self,
        allow: Option<&'static str>,
        block: Option<&'static str>,
    ) -> Answer {
        if (self.allow, self.block) != (allow, block) {
            (self.allow, self.block) = (allow, block);
            self.resync();
        }
        ok()
    }

    pub(super) fn set_multi_group(&mut self, on: bool) -> Answer {
        if !on && self.organizations.iter().any(|o| doubled(&o.mappings)) {
            return refused("team_already_mapped");
        }
        self.multi_group = on;
        ok()
    }

    /// Row 162: on touches nobody yet; off ends what it deactivated, and goes by the filters again.
    pub(super) fn set_modes(&mut self, groups: bool, people: bool) -> Answer {
        if self.organizations.iter().any(|o| doubled(&o.mappings)) && !self.multi_group {
            return refused("team_already_mapped");
        }
        let off = self.by_groups && !groups;
        (self.by_groups, self.by_people) = (groups, people);
        if off {
            self.users.iter_mut().for_each(|user| user.unmapped = false);
            for seat in self.organizations.iter_mut().flat_map(|o| o.seats.values_mut()) {
                seat.unmapped = false;
            }
            self.resync();
        }
        ok()
    }

    pub(super) fn map(&mut self, place: usize, all: &[Mapping]) -> Answer {
        let number = |name: &str| {
            let group = self.groups.values().find(|group| group.name == name);
            group.map(|group| group.number)
        };
        let new = all.iter().map(|(name, team, role)| Mapped {
            name,
            group: number(name),
            team: *team,
            role: *role,
        });
        let new: Vec<Mapped> = new.collect();
        let pairs: BTreeSet<_> = all.iter().map(|(name, team, _)| (name, team)).collect();
        if pairs.len() < all.len() || !self.multi_group && doubled(&new) {
            return refused("team_already_mapped");
        }
        let before = std::mem::replace(&mut self.organizations[place].mappings, new.clone());
        if self.by_groups {
            let numbers: BTreeSet<usize> =
                before.iter().chain(&new).filter_map(|mapping| mapping.group).collect();
            let places = self.groups.iter().filter(|(_, group)| numbers.contains(&group.number));
            let groups: Vec<Member> = places.map(|(place, _)| Member::Group(*place)).collect();
            self.event(&self.below(groups));
        }
        ok()
    }
}

/// Row 177: whether a team has several groups.
pub(super) fn doubled(mappings: &[Mapped]) -> bool {
    let teams: BTreeSet<usize> = mappings.iter().map(|mapping| mapping.team).collect();
    teams.len() < mappings.len()
}
