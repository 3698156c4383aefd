//! What may happen to a company, at random.
//!
//! Nothing here knows what the right outcome is.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// People who may be there.
pub const USERS: usize = 5;
/// Organizations: the first lets everybody in, at first.
pub const ORGANIZATIONS: usize = 3;
/// Groups of the directory that may be there at once.
pub const GROUPS: usize = 4;
/// Names of groups; each organization has local teams that are called like the last two.
pub const NAMES: [&str; 4] = ["a", "b", "ab", "x"];
/// The local teams of each organization.
pub const LOCAL: [&str; 2] = ["ab", "x"];

/// A member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    User(usize),
    Group(usize),
}

/// A role, from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Member,
    Moderator,
    Admin,
}

/// A mapping: a group's name, a local team, a role.
pub type Mapping = (&'static str, usize, Option<Role>);

/// Something that happens.
#[derive(Debug, Clone)]
pub enum Step {
    /// Through the connection of the company, with this claim: absent, or these groups.
    Login {
        user: usize,
        claim: Option<BTreeSet<&'static str>>,
        to: Option<usize>,
    },
    /// Through a social connection, which knows no groups.
    Social {
        user: usize,
        to: Option<usize>,
    },
    /// The newest session of the user goes to another organization.
    Switch {
        user: usize,
        to: usize,
    },
    /// POST over SCIM: a new user, or an old one again.
    Provision(usize),
    /// PATCH of `active`.
    Active(usize, bool),
    /// DELETE over SCIM.
    DeleteUser(usize),
    CreateGroup(usize, &'static str, BTreeSet<Member>),
    DeleteGroup(usize),
    Rename(usize, &'static str),
    Add(usize, Member),
    Remove(usize, Member),
    /// PUT of the members.
    Replace(usize, BTreeSet<Member>),
    /// Group filters, each pattern a class of letters; the job runs to its end.
    Filters {
        allow: Option<&'static str>,
        block: Option<&'static str>,
    },
    /// Automatic user access.
    Automatic(usize, bool),
    /// The two switches of mapping: by the IdP's groups, by people here.
    Modes {
        groups: bool,
        people: bool,
    },
    MultiGroup(bool),
    Mappings(usize, Vec<Mapping>),
    Invite {
        to: usize,
        user: usize,
        role: Role,
        team: Option<usize>,
    },
    /// Removes a member of an organization.
    Expel(usize, usize),
    /// An admin's deactivation of a member, or the end of it.
    Suspend(usize, usize, bool),
    SetRole(usize, usize, Role),
    /// An admin's deactivation of a user, or the end of it.
    Deactivate(usize, bool),
    /// Makes an account admin, or a member again.
    Promote(usize, bool),
    /// These are the members of a local team.
    Local(usize, usize, BTreeSet<usize>),
    Resync,
}

fn user() -> impl Strategy<Value = usize> {
    0..USERS
}

fn place() -> impl Strategy<Value = usize> {
    0..ORGANIZATIONS
}

fn group() -> impl Strategy<Value = usize> {
    0..GROUPS
}

fn name() -> impl Strategy<Value = &'static str> {
    select(NAMES.to_vec())
}

fn member() -> impl Strategy<Value = Member> {
    prop_oneof![4 => user().prop_map(Member::User), 1 => group().prop_map(Member::Group)]
}

fn members() -> impl Strategy<Value = BTreeSet<Member>> {
    btree_set(member(), 0..4)
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![3 => Just(Role::Member), 1 => Just(Role::Moderator), 1 => Just(Role::Admin)]
}

fn mapping() -> impl Strategy<Value = Mapping> {
    let role = prop_oneof![2 => Just(None), 1 => Just(Some(Role::Member)), 1 => Just(Some(Role::Moderator))];
    (name(), 0..LOCAL.len(), role)
}

fn pattern() -> impl Strategy<Value = Option<&'static str>> {
    option::weighted(0.5, select(vec!["[a]", "[b]", "[x]", "[ax]"]))
}

fn sign_ins() -> BoxedStrategy<Step> {
    let claim = || option::weighted(0.8, btree_set(name(), 0..3));
    let to = || option::weighted(0.6, place());
    prop_oneof![
        6 => (user(), claim(), to()).prop_map(|(user, claim, to)| Step::Login { user, claim, to }),
        1 => (user(), to()).prop_map(|(user, to)| Step::Social { user, to }),
        3 => (user(), place()).prop_map(|(user, to)| Step::Switch { user, to }),
    ]
    .boxed()
}

fn directory() -> BoxedStrategy<Step> {
    prop_oneof![
        2 => user().prop_map(Step::Provision),
        3 => (user(), any::<bool>()).prop_map(|(user, on)| Step::Active(user, on)),
        1 => user().prop_map(Step::DeleteUser),
        3 => (group(), name(), members()).prop_map(|(g, n, m)| Step::CreateGroup(g, n, m)),
        1 => group().prop_map(Step::DeleteGroup),
        2 => (group(), name()).prop_map(|(group, name)| Step::Rename(group, name)),
        4 => (group(), member()).prop_map(|(group, member)| Step::Add(group, member)),
        3 => (group(), member()).prop_map(|(group, member)| Step::Remove(group, member)),
        2 => (group(), members()).prop_map(|(group, members)| Step::Replace(group, members)),
    ]
    .boxed()
}

fn rules() -> BoxedStrategy<Step> {
    let mappings = vec(mapping(), 1..4);
    let modes = prop_oneof![
        4 => Just((true, false)), 2 => Just((false, false)), 1 => Just((false, true)), 1 => Just((true, true)),
    ];
    prop_oneof![
        3 => (pattern(), pattern()).prop_map(|(allow, block)| Step::Filters { allow, block }),
        2 => (place(), any::<bool>()).prop_map(|(place, on)| Step::Automatic(place, on)),
        3 => modes.prop_map(|(groups, people)| Step::Modes { groups, people }),
        1 => any::<bool>().prop_map(Step::MultiGroup),
        4 => (place(), mappings).prop_map(|(place, all)| Step::Mappings(place, all)),
        1 => Just(Step::Resync),
    ]
    .boxed()
}

fn people() -> BoxedStrategy<Step> {
    let team = option::weighted(0.3, 0..LOCAL.len());
    let some = btree_set(user(), 0..3);
    prop_oneof![
        4 => (place(), user(), role(), team)
            .prop_map(|(to, user, role, team)| Step::Invite { to, user, role, team }),
        1 => (place(), user()).prop_map(|(place, user)| Step::Expel(place, user)),
        2 => (place(), user(), any::<bool>()).prop_map(|(o, user, on)| Step::Suspend(o, user, on)),
        1 => (place(), user(), role()).prop_map(|(o, user, role)| Step::SetRole(o, user, role)),
        2 => (user(), any::<bool>()).prop_map(|(user, on)| Step::Deactivate(user, on)),
        2 => (user(), any::<bool>()).prop_map(|(user, on)| Step::Promote(user, on)),
        2 => (place(), 0..LOCAL.len(), some).prop_map(|(o, team, users)| Step::Local(o, team, users)),
    ]
    .boxed()
}

/// A sequence of them.
pub fn sequences() -> impl Strategy<Value = Vec<Step>> {
    vec(prop_oneof![4 => sign_ins(), 5 => directory(), 3 => rules(), 3 => people()], 1..24)
}
