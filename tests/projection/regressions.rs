//! Sequences that were once answered otherwise than the rules say.

use std::collections::BTreeSet;

use crate::steps::{Member, Role, Step};
use crate::world::{Database, World};
use crate::{Answers, agree};

/// On both databases.
fn holds(steps: &[Step]) {
    for database in [Database::Sqlite, Database::Postgres] {
        agree(&World::new(database), steps, &Answers::default()).unwrap();
    }
}

/// Mapping by the IdP's groups.
const BY_GROUPS: Step = Step::Modes { groups: true, people: false };

fn invite(user: usize, to: usize, role: Role) -> Step {
    Step::Invite { to, user, role, team: None }
}

fn login(user: usize, claim: &[&'static str]) -> Step {
    Step::Login { user, claim: Some(claim.iter().copied().collect()), to: None }
}

fn member(user: usize) -> BTreeSet<Member> {
    [Member::User(user)].into()
}

/// An organization that lets everybody in maps no group of an admin of another one: that is no reason to lead the
/// admin there, and to turn them away.
#[test]
fn a_login_leads_where_the_mapping_lets_in() {
    let mapped = Step::Mappings(0, vec![("a", 0, None)]);
    holds(&[invite(1, 1, Role::Admin), BY_GROUPS, mapped, login(1, &[])]);
}

/// A social login finds that the last mapped group is gone: no session begins for a deactivated user.
#[test]
fn a_login_that_deactivates_begins_no_session() {
    let mapped = Step::Mappings(1, vec![("a", 0, None)]);
    holds(&[login(0, &[]), mapped, BY_GROUPS, Step::Social { user: 0, to: None }]);
}

/// Row 163 at a switch: an admin of another organization is one.
#[test]
fn a_switch_deactivates_no_admin() {
    let mapped = Step::Mappings(0, vec![("a", 0, None)]);
    let steps = [invite(0, 1, Role::Admin), login(0, &[]), mapped, BY_GROUPS];
    holds(&[&steps[..], &[Step::Switch { user: 0, to: 0 }]].concat());
}

/// Rows 69 and 81: who has come by a social login alone may not enter, and is in no team there.
#[test]
fn no_team_for_whom_automatic_access_does_not_let_in() {
    let social = Step::Social { user: 0, to: None };
    holds(&[Step::Provision(0), social, Step::CreateGroup(0, "a", member(0))]);
}

/// Mapping mode goes off: the teams are those of the filters again, without any login.
#[test]
fn filters_again_give_the_teams_of_filters() {
    let mapped = Step::Mappings(0, vec![("a", 0, None)]);
    let off = Step::Modes { groups: false, people: false };
    let group = Step::CreateGroup(0, "a", member(0));
    holds(&[Step::Provision(0), login(0, &[]), mapped, BY_GROUPS, group, off]);
}
