//! Invitations: made, sent again, listed, taken back (rows 71 to 74). One gives access at once.

use serde_json::{Map, Value, json};

use crate::db::{self, DbConn};
use crate::domain::authorization::Act;
use crate::domain::event::Action;
use crate::domain::id::CompanySeq;
use crate::domain::invitation::{self, Invitation, MAX_TEAMS};
use crate::domain::membership::{Membership, MembershipStatus, Source};
use crate::domain::organization::Organization;
use crate::domain::problem::{Code, Problem};
use crate::domain::role::Role;
use crate::domain::user::{Origin, UserStatus};

use super::access::At;
use super::error::{Error, Result};
use super::memberships::{self, Member};
use super::{Cx, Directory, events, users};

/// What an invitation is made from.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// Whom, by e-mail address.
    pub email: String,
    /// What the user is to be.
    pub role: Role,
    /// The ids of the local teams that the user is to be in.
    pub teams: Vec<String>,
    /// Whether the user is to be told (ruling 18).
    pub notify: bool,
}

/// What became of an invitation.
#[derive(Debug, Clone)]
pub struct Invited {
    /// The invitation.
    pub invitation: Invitation,
    /// The member that the user is by it.
    pub member: Member,
    /// Whether there was one already, which is sent again (row 74).
    pub again: bool,
}

/// Invites, and makes the user where the company has none of this address.
///
/// # Errors
/// 422 `email_invalid`; 403 `missing_permission` where somebody invites an admin who may not change the
/// organization; 409 `already_member`, `email_ambiguous`; 404 `team_not_found`; 409 `team_managed_by_idp`.
pub fn create(cx: &mut Cx<'_>, at: &At, new: &NewInvitation) -> Result<Invited> {
    if !invitation::is_address(&new.email) {
        return Err(Code::EmailInvalid.into());
    }
    if new.role == Role::Admin {
        at.may(Act::ChangeOrganization)?;
    }
    let organization = at.organization()?;
    // Of two who invite the same address at once, the second one sends the first one's again.
    db::companies::lock(cx.conn, organization.company)?;
    let teams = local_teams(cx, organization, &new.teams)?;
    let user = match addressee(cx.conn, organization.company, &new.email)? {
        Some(id) => id,
        None => provision(cx, at, &new.email)?,
    };
    let seat = db::memberships::find(cx.conn, organization, &user)?;
    let seat = seat.ok_or(Error::NotFound("User"))?;
    let known = memberships::membership(organization, &seat);
    let stands = known.as_ref().map(|membership| membership.status(seat.user.status()));
    if stands.is_some_and(|status| status != MembershipStatus::Invited) {
        return Err(Code::AlreadyMember.into());
    }
    let begun = memberships::new(organization, &seat.user, (new.role, Source::Invitation));
    let created_at = known.as_ref().map_or(cx.now, |membership| membership.created_at);
    let member = Membership { created_at, updated_at: cx.now, ..begun };
    db::memberships::save(cx.conn, &member)?;
    db::memberships::join(cx.conn, organization, (seat.user.seq, &teams), cx.now)?;
    let signed_in = seat.user.status() == UserStatus::Active;
    let (invitation, again) = store(cx, at, (new, seat.user.seq, signed_in))?;
    tell(cx, at, (&invitation, &user), (new.notify, again))?;
    let member = memberships::find(cx.conn, organization, &user)?;
    Ok(Invited { invitation, member, again })
}

/// The storage keys of these teams, which are all local ones of the organization.
fn local_teams(cx: &mut Cx<'_>, organization: &Organization, ids: &[String]) -> Result<Vec<i64>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    if ids.len() > MAX_TEAMS {
        return Err(Problem::field("teams", format!("at most {MAX_TEAMS} teams")).into());
    }
    let found = db::memberships::teams(cx.conn, organization, ids)?;
    if let Some(unknown) = ids.iter().find(|id| !found.iter().any(|(_, known, _)| known == *id)) {
        return Err(Problem::new(Code::TeamNotFound, format!("There is no team {unknown}")).into());
    }
    if found.iter().any(|(_, _, provider)| provider != "manual") {
        return Err(Code::TeamManagedByIdp.into());
    }
    Ok(found.into_iter().map(|(seq, ..)| seq).collect())
}

/// The user with this address: the one whose `userName` it is, or else the only one who has it.
///
/// # Errors
/// 409 `email_ambiguous`.
pub(super) fn addressee(
    conn: &mut DbConn,
    company: CompanySeq,
    email: &str,
) -> Result<Option<String>> {
    let mut found = db::invitations::addressees(conn, company, email)?;
    if let Some((_, id, _)) = found.iter().find(|(_, _, by_name)| *by_name) {
        return Ok(Some(id.clone()));
    }
    match (found.pop(), found.is_empty()) {
        (None, _) => Ok(None),
        (Some((_, id, _)), true) => Ok(Some(id)),
        (Some(_), false) => Err(Code::EmailAmbiguous.into()),
    }
}

/// Makes the user of an address that nobody has (row 73).
fn provision(cx: &mut Cx<'_>, at: &At, email: &str) -> Result<String> {
    let company = at.company()?.seq;
    let directory = Directory::load(cx.conn, company)?.for_actor(at.actor());
    make_user(cx, &directory, Map::new(), (email, Origin::Invitation))
}

/// Makes a user whom the directory did not: named by an address.
///
/// # Errors
/// Those of [`users::create`].
pub(super) fn make_user(
    cx: &mut Cx<'_>,
    directory: &Directory,
    mut body: Map<String, Value>,
    (email, origin): (&str, Origin),
) -> Result<String> {
    body.insert("userName".to_owned(), Value::from(email));
    let emails = json!([{"value": email, "type": "work", "primary": true}]);
    body.insert("emails".to_owned(), emails);
    let new = users::read_new(&directory.users, body)?;
    let made = users::create(cx, directory, new)?.item.user;
    db::users::set_origin(cx.conn, directory.company, made.seq, origin)?;
    Ok(made.id)
}

/// Writes the invitation down: a new one, or the open one anew. Who has signed in needs not accept it.
fn store(
    cx: &mut Cx<'_>,
    at: &At,
    (new, user, signed_in): (&NewInvitation, i64, bool),
) -> Result<(Invitation, bool)> {
    let organization = at.organization()?;
    let open = db::invitations::open(cx.conn, organization, user)?;
    let again = open.is_some();
    let begun = open.unwrap_or_else(|| Invitation {
        id: cx.clock.id(),
        company: organization.company,
        organization: organization.seq,
        user,
        email: new.email.clone(),
        role: new.role,
        teams: Vec::new(),
        invited_by: at.actor().text(),
        created_at: cx.now,
        sent_at: cx.now,
        accepted_at: signed_in.then_some(cx.now),
        revoked_at: None,
    });
    let (role, teams) = (new.role, new.teams.clone());
    let invitation = Invitation { role, teams, sent_at: cx.now, ..begun };
    db::invitations::save(cx.conn, &invitation)?;
    Ok((invitation, again))
}

fn tell(
    cx: &mut Cx<'_>,
    at: &At,
    (invitation, user): (&Invitation, &str),
    (notify, again): (bool, bool),
) -> Result<()> {
    let organization = at.organization()?;
    let (company, actor) = (organization.company, at.actor());
    let role = invitation.role.name();
    let detail = json!({
        "organization_id": organization.id,
        "user_id": user,
        "role": role,
        "notify": notify,
        "again": again,
    });
    events::record(cx, company, &actor, (Action::InvitationCreated, &invitation.id), detail)?;
    if again {
        return Ok(());
    }
    let detail = json!({"organization_id": organization.id, "after": {"role": role}});
    events::record(cx, company, &actor, (Action::AccessGranted, user), detail)
}

/// A page of the organization's invitations, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    organization: &Organization,
    place: (&str, i64),
) -> Result<Vec<Invitation>> {
    Ok(db::invitations::page(conn, organization, place)?)
}

/// Takes an invitation back, and the access that it gave. One that is taken back already stays so.
///
/// # Errors
/// [`Error::NotFound`]; 409 `already_member` where it was accepted: the member is to be removed; 403
/// `missing_permission` as in [`create`].
pub fn revoke(cx: &mut Cx<'_>, at: &At, id: &str) -> Result<()> {
    let organization = at.organization()?;
    db::companies::lock(cx.conn, organization.company)?;
    let found = db::invitations::find(cx.conn, organization, id)?;
    let mut invitation = found.ok_or(Error::NotFound("Invitation"))?;
    if invitation.revoked_at.is_some() {
        return Ok(());
    }
    if invitation.accepted_at.is_some() {
        let detail = "The invitation was accepted: remove the member instead";
        return Err(Problem::new(Code::AlreadyMember, detail).into());
    }
    if invitation.role == Role::Admin {
        at.may(Act::ChangeOrganization)?;
    }
    invitation.revoked_at = Some(cx.now);
    db::invitations::save(cx.conn, &invitation)?;
    db::memberships::delete(cx.conn, organization, invitation.user)?;
    let detail = json!({"organization_id": organization.id});
    let what = (Action::InvitationRevoked, invitation.id.as_str());
    events::record(cx, organization.company, &at.actor(), what, detail)
}
