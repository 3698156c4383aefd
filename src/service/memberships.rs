//! Who is in an organization: listed, given another role, deactivated, removed; and where a user may enter.

use std::collections::HashMap;

use serde_json::json;

use crate::db::memberships::Seat;
use crate::db::{self, DbConn, Lock};
use crate::domain::authorization::Act;
use crate::domain::event::Action;
use crate::domain::id::CompanySeq;
use crate::domain::membership::{Grounds, Membership, MembershipStatus, Refusal, Source};
use crate::domain::organization::Organization;
use crate::domain::problem::{Code, Problem};
use crate::domain::role::Role;
use crate::domain::user::User;

use super::access::At;
use super::error::{Error, Result};
use super::{Cx, events};

/// A user who belongs to an organization.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The user.
    pub user: User,
    /// What the user is there: the membership's row, or what automatic access stands for one.
    pub membership: Membership,
    /// The teams there: id and name.
    pub teams: Vec<(String, String)>,
}

impl Member {
    /// Where the member stands.
    pub fn status(&self) -> MembershipStatus {
        self.membership.status(self.user.status())
    }
}

/// What is to change of a member; what is `None` stays.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change {
    /// What the member is there.
    pub role: Option<Role>,
    /// An admin's deactivation in this organization, or the end of it.
    pub deactivated: Option<bool>,
}

/// What decides beside the membership whether this user may enter.
pub(super) fn grounds(organization: &Organization, seat: &Seat) -> Grounds {
    let (status, by_sso) = (seat.user.status(), seat.by_sso);
    Grounds { status, by_sso, automatic: organization.automatic_user_access }
}

/// The membership of a user who belongs to the organization: of automatic access there need not be a row.
pub(super) fn membership(organization: &Organization, seat: &Seat) -> Option<Membership> {
    let source = grounds(organization, seat).source(seat.membership.as_ref())?;
    let row = seat.membership.clone();
    Some(row.unwrap_or_else(|| new(organization, &seat.user, (organization.default_role, source))))
}

/// A membership that begins as the organization does, until somebody writes it down.
pub(super) fn new(
    organization: &Organization,
    user: &User,
    (role, source): (Role, Source),
) -> Membership {
    let at = user.activated_at.unwrap_or(user.created_at);
    Membership {
        organization: organization.seq,
        user: user.seq,
        company: organization.company,
        role,
        source,
        deactivated: false,
        unmapped: false,
        entered_at: None,
        created_at: at,
        updated_at: at,
    }
}

/// A page of the members, in the order of making of the users.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    organization: &Organization,
    place: (&str, i64),
) -> Result<Vec<Member>> {
    let seats = db::memberships::page(conn, organization, place)?;
    with_teams(conn, organization, seats)
}

/// Members with their teams: one statement for all.
fn with_teams(
    conn: &mut DbConn,
    organization: &Organization,
    seats: Vec<Seat>,
) -> Result<Vec<Member>> {
    let seqs: Vec<i64> = seats.iter().map(|seat| seat.user.seq).collect();
    let mut teams: HashMap<i64, Vec<(String, String)>> = HashMap::new();
    for (user, id, name) in db::memberships::teams_of(conn, organization, &seqs)? {
        teams.entry(user).or_default().push((id, name));
    }
    let member = |seat: Seat| {
        let membership = membership(organization, &seat)?;
        let teams = teams.remove(&seat.user.seq).unwrap_or_default();
        Some(Member { user: seat.user, membership, teams })
    };
    Ok(seats.into_iter().filter_map(member).collect())
}

/// The member of the organization who is the user with this id.
///
/// # Errors
/// [`Error::NotFound`]: of the user, or of a membership of theirs.
pub fn find(conn: &mut DbConn, organization: &Organization, user: &str) -> Result<Member> {
    let seat = db::memberships::find(conn, organization, user)?;
    let seat = seat.ok_or(Error::NotFound("User"))?;
    with_teams(conn, organization, vec![seat])?.pop().ok_or(Error::NotFound("Member"))
}

/// The same for a unit of work that changes it: two of them take turns.
fn find_to_change(cx: &mut Cx<'_>, organization: &Organization, user: &str) -> Result<Member> {
    db::users::lock(cx.conn, organization.company, user, Lock::Change)?;
    find(cx.conn, organization, user)
}

/// Gives a member another role, deactivates one, or lifts that.
///
/// # Errors
/// [`Error::NotFound`]; 403 `cannot_change_own_status`; 403 `missing_permission` where an admin is made, or
/// stops being one, by somebody who may not change the organization; 409 `membership_managed_by_idp`.
pub fn change(cx: &mut Cx<'_>, at: &At, user: &str, change: Change) -> Result<Member> {
    let organization = at.organization()?;
    let mut member = find_to_change(cx, organization, user)?;
    let before = member.membership.clone();
    let after = &mut member.membership;
    after.role = change.role.unwrap_or(before.role);
    after.deactivated = change.deactivated.unwrap_or(before.deactivated);
    if *after == before {
        return Ok(member);
    }
    let moved = after.deactivated != before.deactivated;
    if moved && at.actor().is(user) {
        return Err(Code::CannotChangeOwnStatus.into());
    }
    if after.role != before.role && before.source == Source::Mapping {
        return Err(Code::MembershipManagedByIdp.into());
    }
    if [before.role, after.role].contains(&Role::Admin) {
        at.may(Act::ChangeOrganization)?;
    }
    after.updated_at = cx.now;
    db::memberships::save(cx.conn, after)?;
    let (from, to) = (before.status(member.user.status()), after.status(member.user.status()));
    let detail = json!({
        "organization_id": organization.id,
        "before": {"role": before.role.name(), "status": from.name()},
        "after": {"role": after.role.name(), "status": to.name()},
    });
    let action = match (moved, after.deactivated) {
        (false, _) => Action::RoleChanged,
        (true, true) => Action::AccessRevoked,
        (true, false) => Action::AccessGranted,
    };
    events::record(cx, organization.company, &at.actor(), (action, user), detail)?;
    Ok(member)
}

/// Removes a member with their teams there.
///
/// # Errors
/// [`Error::NotFound`]; 403 `cannot_change_own_status`; 403 `missing_permission` as in [`change`]; 409
/// `membership_managed_by_idp`; 409 `automatic_access` where the member could enter again at once.
pub fn remove(cx: &mut Cx<'_>, at: &At, user: &str) -> Result<()> {
    let organization = at.organization()?;
    let member = find_to_change(cx, organization, user)?;
    if at.actor().is(user) {
        return Err(Code::CannotChangeOwnStatus.into());
    }
    match member.membership.source {
        Source::Mapping => return Err(Code::MembershipManagedByIdp.into()),
        Source::Automatic => {
            let detail = "Everybody may enter this organization: deactivate the member instead";
            return Err(Problem::new(Code::AutomaticAccess, detail).into());
        }
        Source::Invitation | Source::Manual => {}
    }
    if member.membership.role == Role::Admin {
        at.may(Act::ChangeOrganization)?;
    }
    let seq = member.user.seq;
    db::invitations::revoke(cx.conn, organization, seq, cx.now)?;
    db::memberships::delete(cx.conn, organization, seq)?;
    let before = json!({"role": member.membership.role.name(), "status": member.status().name()});
    let detail = json!({"organization_id": organization.id, "before": before});
    events::record(cx, organization.company, &at.actor(), (Action::AccessRevoked, user), detail)
}

/// The teams of one user in the organization: id and name.
///
/// # Errors
/// The database's.
pub fn teams(
    conn: &mut DbConn,
    organization: &Organization,
    user: &User,
) -> Result<Vec<(String, String)>> {
    let teams = db::memberships::teams_of(conn, organization, &[user.seq])?;
    Ok(teams.into_iter().map(|(_, id, name)| (id, name)).collect())
}

/// What an organization is to a user.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The organization.
    pub organization: Organization,
    /// What the user is there, who belongs there.
    pub membership: Option<Membership>,
    /// Why the user may not enter; empty: the user may.
    pub refusals: Vec<Refusal>,
}

/// The company's organizations behind an id, each with whether this user may enter (row 93).
///
/// # Errors
/// [`Error::NotFound`].
pub fn places(
    conn: &mut DbConn,
    company: CompanySeq,
    (user, place): (&str, (&str, i64)),
) -> Result<(User, Vec<Place>)> {
    let found = db::profiles::user(conn, company, user)?;
    let user = found.ok_or(Error::NotFound("User"))?.user;
    let counting = db::identities::counting(conn, company, user.seq)?;
    let rows = db::memberships::of_user(conn, (company, user.seq), place)?;
    let places = rows.into_iter().map(|(organization, row)| {
        let counts = |there: &Option<_>| there.is_none_or(|seq| seq == organization.seq);
        let by_sso = counting.iter().any(counts);
        let seat = Seat { user: user.clone(), by_sso, membership: row };
        let refusals = grounds(&organization, &seat).refusals(seat.membership.as_ref());
        let membership = membership(&organization, &seat);
        Place { organization, membership, refusals }
    });
    let places = places.collect();
    Ok((user, places))
}
