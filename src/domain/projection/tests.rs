//! The rule of team sync by example, and what holds of it whatever comes.

use proptest::prelude::*;

use super::*;
use crate::domain::id::CompanySeq;

const OPEN: Filter<'static> = &|_| None;

fn standing() -> Standing {
    let (automatic, by_sso) = (true, true);
    Standing { entry: None, automatic, by_sso, deactivated: false, admin: false }
}

fn entry(role: Role) -> Entry {
    let (automatic, by_mapping, deactivated, unmapped) = (false, false, false, false);
    Entry { role, automatic, by_mapping, deactivated, unmapped }
}

fn claim(names: &[&str]) -> Seen {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Seen::claim(Some(&names))
}

fn mapping(team: i64, group: &str, role: Option<Role>) -> TeamMapping {
    TeamMapping {
        id: String::new(),
        company: CompanySeq(1),
        organization: OrganizationSeq(1),
        team,
        group_name: group.to_owned(),
        group: None,
        role,
        created_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

fn held(team: i64, name: &str, origin: Provider) -> Held {
    Held { team, name: name.to_owned(), provider: origin, group: None, origin }
}

/// D12.
#[test]
fn a_claim_that_is_absent_is_not_one_that_is_empty() {
    let there = [held(1, "a", Provider::Sso), held(2, "b", Provider::Manual)];
    let mode = Mode::Filters(OPEN);
    let kept = project(&standing(), mode, (Source::Claims, &Seen::Absent), &there);
    assert_eq!((kept.synced, kept.remove.is_empty()), (true, true));
    let emptied = project(&standing(), mode, (Source::Claims, &claim(&[])), &there);
    assert_eq!(emptied.remove, [(1, Provider::Sso)]);
}

#[test]
fn who_may_not_enter_is_left_alone() {
    let staged = Standing { by_sso: false, ..standing() };
    let seen = claim(&["a"]);
    let none = project(&staged, Mode::Filters(OPEN), (Source::Claims, &seen), &[]);
    assert_eq!(none, Outcome::default());
    let invited = Standing { entry: Some(entry(Role::Member)), ..staged };
    assert!(project(&invited, Mode::Filters(OPEN), (Source::Claims, &seen), &[]).synced);
}

/// Row 163.
#[test]
fn a_mapping_leaves_admins_alone() {
    let admin = Standing { admin: true, ..standing() };
    let mappings = [mapping(7, "a", None)];
    let mode = Mode::Mapping { mappings: &mappings, any: true };
    let out = project(&admin, mode, (Source::Claims, &claim(&["a"])), &[]);
    assert_eq!(out, Outcome::default());
}

#[test]
fn a_mapping_assigns_and_its_loss_deactivates() {
    let mappings = [mapping(7, "a", Some(Role::Moderator)), mapping(8, "b", None)];
    let mode = Mode::Mapping { mappings: &mappings, any: true };
    let outside = Standing { automatic: false, ..standing() };
    let came = project(&outside, mode, (Source::Claims, &claim(&["a", "c"])), &[]);
    assert_eq!(came.assign, Some(Some(Role::Moderator)));
    assert_eq!(came.add, [TeamKey::Team(7)]);
    assert_eq!(came.dropped, [("c".to_owned(), Reason::NotMapped)]);
    let entry = Entry { by_mapping: true, ..entry(Role::Moderator) };
    let inside = Standing { entry: Some(entry), ..outside };
    let left =
        project(&inside, mode, (Source::Claims, &claim(&[])), &[held(7, "t", Provider::Sso)]);
    assert_eq!((left.unmapped, left.remove), (Some(true), vec![(7, Provider::Sso)]));
}

/// What is renamed to a mapped name gains nothing.
#[test]
fn a_mapping_knows_the_directorys_group_by_what_it_is() {
    let mut mine = mapping(7, "admins", None);
    mine.group = Some(1);
    let renamed = SeenGroup { name: "admins".to_owned(), group: Some(2) };
    let same = SeenGroup { name: "former admins".to_owned(), group: Some(1) };
    assert!(!mine.names(&renamed) && mine.names(&same));
}

#[test]
fn who_is_unmapped_in_all_the_company() {
    let mappings = [mapping(7, "a", None)];
    assert_eq!(is_unmapped(&Seen::Absent, &mappings, true, false), None);
    assert_eq!(is_unmapped(&claim(&["a"]), &mappings, true, false), Some(false));
    assert_eq!(is_unmapped(&claim(&["b"]), &mappings, true, false), Some(true));
    assert_eq!(is_unmapped(&claim(&["b"]), &mappings, true, true), None);
    assert_eq!(is_unmapped(&claim(&["b"]), &[], false, false), None);
}

fn groups() -> impl Strategy<Value = Vec<SeenGroup>> {
    let all: Vec<SeenGroup> = (0..6)
        .map(|n| SeenGroup { name: format!("g{n}"), group: (n % 2 == 0).then_some(n) })
        .collect();
    proptest::sample::subsequence(all, 0..=6)
}

fn memberships() -> impl Strategy<Value = Vec<Held>> {
    let origin = prop_oneof![Just(Provider::Sso), Just(Provider::Scim), Just(Provider::Manual)];
    let one = (0..6_i64, origin).prop_map(|(n, origin)| Held {
        team: 100 + n,
        name: format!("g{n}"),
        provider: origin,
        group: (origin == Provider::Scim).then_some(n),
        origin,
    });
    proptest::collection::vec(one, 0..8).prop_map(|mut all| {
        all.sort_by_key(|held| (held.team, held.origin));
        all.dedup_by_key(|held| (held.team, held.origin));
        all
    })
}

fn any_standing() -> impl Strategy<Value = Standing> {
    let entry = (any::<[bool; 4]>(), any::<bool>()).prop_map(|(flags, there)| {
        let [automatic, by_mapping, deactivated, unmapped] = flags;
        let role = Role::Member;
        there.then_some(Entry { role, automatic, by_mapping, deactivated, unmapped })
    });
    (entry, any::<[bool; 4]>()).prop_map(|(entry, flags)| {
        let [automatic, by_sso, deactivated, admin] = flags;
        Standing { entry, automatic, by_sso, deactivated, admin }
    })
}

/// The memberships after an outcome.
fn after(outcome: &Outcome, source: Source, before: &[Held]) -> Vec<Held> {
    let stays = |held: &&Held| !outcome.remove.contains(&(held.team, held.origin));
    let mut out: Vec<Held> = before.iter().filter(stays).cloned().collect();
    for key in &outcome.add {
        let (name, group, team) = match key {
            TeamKey::Group(seq, name) => (name.clone(), Some(*seq), 200 + seq),
            TeamKey::Claim(name) => (name.clone(), None, 300 + i64::from(name.as_bytes()[1])),
            TeamKey::Team(seq) => (String::new(), None, *seq),
        };
        let origin = source.origin();
        let provider = if group.is_some() { Provider::Scim } else { Provider::Sso };
        out.push(Held { team, name, provider, group, origin });
    }
    out
}

fn is_blocked(name: &str) -> bool {
    name.ends_with('1') || name.ends_with('4')
}

proptest! {
    /// Whatever is seen: what people made stays, the rest is what the groups say, and a second sync
    /// finds nothing to do.
    #[test]
    fn the_groups_decide_and_people_are_left_alone(
        standing in any_standing(),
        seen in groups(),
        there in memberships(),
        mapping_mode in any::<bool>(),
    ) {
        let block: Filter<'_> = &|name| is_blocked(name).then_some(Reason::Blocked);
        let mappings: Vec<TeamMapping> =
            [(1, 101), (3, 103)].map(|(n, team)| mapping(team, &format!("g{n}"), None)).to_vec();
        let mode = match mapping_mode {
            true => Mode::Mapping { mappings: &mappings, any: true },
            false => Mode::Filters(block),
        };
        let says = (Source::Claims, &Seen::Groups(seen.clone()));
        let outcome = project(&standing, mode, says, &there);
        prop_assert!(outcome.remove.iter().all(|(_, origin)| origin.is_idp()));
        let now = after(&outcome, Source::Claims, &there);
        if outcome.synced {
            let wanted = seen.iter().filter(|group| match mapping_mode {
                true => mappings.iter().any(|mapping| mapping.names(group)),
                false => !is_blocked(&group.name),
            });
            let synced = now.iter().filter(|held| held.origin.is_idp());
            prop_assert_eq!(synced.count(), wanted.count());
            prop_assert!(now.iter().all(|held| held.origin != Provider::Scim));
        } else {
            prop_assert_eq!(&now, &there);
            prop_assert!(outcome.unmapped.is_none() && outcome.assign.is_none());
        }
        let again = project(&standing, mode, says, &now);
        prop_assert!(again.add.is_empty() && again.remove.is_empty(), "{again:?}");
    }

    /// D12: nothing is known, so nothing changes.
    #[test]
    fn without_groups_nothing_changes(standing in any_standing(), there in memberships()) {
        let mappings = [mapping(101, "g1", None)];
        for mode in [Mode::Filters(OPEN), Mode::Mapping { mappings: &mappings, any: true }] {
            let out = project(&standing, mode, (Source::Claims, &Seen::Absent), &there);
            let synced = out.synced;
            prop_assert_eq!(out, Outcome { synced, ..Outcome::default() });
        }
    }
}
