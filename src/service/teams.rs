//! Teams: made by hand and looked at. What the IdP manages is not changed here (rows 79, 80, 165).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

pub use crate::db::team_members::Listed as Member;
use crate::db::team_members::{Listed, NewMember};
use crate::db::teams::Sized;
use crate::db::{self, DbConn};
use crate::domain::company::{Company, TeamSyncMode};
use crate::domain::event::{Action, Actor};
use crate::domain::group::MemberKey;
use crate::domain::id::CompanySeq;
use crate::domain::organization::Organization;
use crate::domain::problem::{Code, Problem};
use crate::domain::role::Role;
use crate::domain::team::{LONGEST_DESCRIPTION, MAX_LOCAL_MEMBERS, Provider, Team};

use super::companies::{check_name, or_taken};
use super::error::{Error, Result};
use super::{Cx, events};

/// What is to change of a team; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

/// A page of the organization's teams, in the order of their ids, each with how many people are in it.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    organization: &Organization,
    place: (&str, i64),
) -> Result<Vec<Sized>> {
    Ok(db::teams::page(conn, organization, place)?)
}

/// The organization's team with this id.
///
/// # Errors
/// 404 `team_not_found`.
pub fn find(conn: &mut DbConn, organization: &Organization, id: &str) -> Result<Sized> {
    db::teams::find(conn, organization, id)?.ok_or_else(|| Code::TeamNotFound.into())
}

/// Makes a local team.
///
/// # Errors
/// 422; 409 `team_name_taken` where a local team has the name; a synced one may have it too (D9).
pub fn create(
    cx: &mut Cx<'_>,
    actor: &Actor,
    organization: &Organization,
    (name, description): (String, String),
) -> Result<Team> {
    check(&name, &description)?;
    let mut team = Team {
        seq: 0,
        id: cx.clock.id(),
        company: organization.company,
        organization: organization.seq,
        name,
        description,
        provider: Provider::Manual,
        group: None,
        created_at: cx.now,
        updated_at: cx.now,
    };
    team.seq = db::teams::insert(cx.conn, &team).map_err(|e| or_taken(e, taken(&team)))?;
    let detail = json!({"after": shown(&team)});
    events::record(cx, team.company, actor, (Action::TeamCreated, &team.id), detail)?;
    Ok(team)
}

fn check(name: &str, description: &str) -> Result<()> {
    check_name(name)?;
    if description.len() > LONGEST_DESCRIPTION {
        let rule = format!("at most {LONGEST_DESCRIPTION} bytes");
        return Err(Problem::field("description", rule).into());
    }
    Ok(())
}

fn taken(team: &Team) -> Error {
    Problem::new(Code::TeamNameTaken, format!("A local team is called {}", team.name)).into()
}

fn shown(team: &Team) -> Value {
    json!({"name": team.name, "description": team.description, "provider": team.provider.name()})
}

/// Refuses to change a team that the IdP manages.
fn local(team: &Team) -> Result<()> {
    if !team.provider.is_idp() {
        return Ok(());
    }
    let detail = match team.provider {
        Provider::Scim => {
            format!("The team follows the directory's group {}: change it there", team.name)
        }
        Provider::Sso | Provider::Manual => {
            format!("The team follows the group {} of sign-ins: change it at the IdP", team.name)
        }
    };
    Err(Problem::new(Code::TeamManagedByIdp, detail).into())
}

/// Changes the name and description of a local team.
///
/// # Errors
/// 404; 409 `team_managed_by_idp`, `team_name_taken`; 422.
pub fn change(
    cx: &mut Cx<'_>,
    actor: &Actor,
    (organization, id): (&Organization, &str),
    change: Change,
) -> Result<Sized> {
    db::companies::lock(cx.conn, organization.company)?;
    let (mut team, size) = find(cx.conn, organization, id)?;
    local(&team)?;
    let before = shown(&team);
    team.name = change.name.unwrap_or(team.name);
    team.description = change.description.unwrap_or(team.description);
    check(&team.name, &team.description)?;
    if shown(&team) == before {
        return Ok((team, size));
    }
    team.updated_at = cx.now;
    db::teams::update(cx.conn, &team).map_err(|e| or_taken(e, taken(&team)))?;
    let detail = json!({"before": before, "after": shown(&team)});
    events::record(cx, team.company, actor, (Action::TeamUpdated, &team.id), detail)?;
    Ok((team, size))
}

/// Removes a local team with its members.
///
/// # Errors
/// 404; 409 `team_managed_by_idp`; 409 `team_already_mapped` where a group is mapped to it: nobody loses
/// the right to sign in by the way.
pub fn delete(
    cx: &mut Cx<'_>,
    actor: &Actor,
    (organization, id): (&Organization, &str),
) -> Result<()> {
    db::companies::lock(cx.conn, organization.company)?;
    let (team, _) = find(cx.conn, organization, id)?;
    local(&team)?;
    let mapped = db::team_mappings::list(cx.conn, organization)?;
    if mapped.iter().any(|(mapping, _)| mapping.team == team.seq) {
        let detail = "A group is mapped to the team: take the mapping away first";
        return Err(Problem::new(Code::TeamAlreadyMapped, detail).into());
    }
    db::teams::delete(cx.conn, team.company, &[team.seq])?;
    let detail = json!({"before": shown(&team), "reason": "deleted_by_hand"});
    events::record(cx, team.company, actor, (Action::TeamRemoved, &team.id), detail)
}

/// A page of a team's members, in the order of their ids.
///
/// # Errors
/// 404 `team_not_found`.
pub fn members(
    conn: &mut DbConn,
    (organization, id): (&Organization, &str),
    place: (&str, i64),
) -> Result<Vec<Listed>> {
    let (team, _) = find(conn, organization, id)?;
    Ok(db::team_members::page(conn, &team, place)?)
}

/// Makes these the members of a local team whom people gave it; rows of the IdP stay.
///
/// # Errors
/// 404 `team_not_found`, `user_not_found`; 409 `membership_managed_by_idp` where the team is the IdP's, or a
/// row of the IdP would go, or, in mapping mode, a user whose teams the mapping decides would come (row 165).
pub fn set_members(
    cx: &mut Cx<'_>,
    (company, actor): (&Company, &Actor),
    (organization, id): (&Organization, &str),
    user_ids: &[String],
) -> Result<Sized> {
    if user_ids.len() > MAX_LOCAL_MEMBERS {
        let rule = format!("at most {MAX_LOCAL_MEMBERS} people at once");
        return Err(Problem::field("user_ids", rule).into());
    }
    db::companies::lock(cx.conn, company.seq)?;
    let (team, _) = find(cx.conn, organization, id)?;
    if team.provider.is_idp() {
        return Err(managed(format!("The IdP says who is in {}", team.name)));
    }
    let wanted = users(cx.conn, company.seq, user_ids)?;
    let everybody = ("", i64::MAX);
    let there = db::team_members::page(cx.conn, &team, everybody)?;
    let from_idp = |row: &&Listed| row.2.iter().any(|origin| origin.is_idp());
    let by_hand = |row: &&Listed| row.2.contains(&Provider::Manual);
    if let Some(kept) = there.iter().filter(from_idp).find(|row| !wanted.contains_key(&row.0)) {
        return Err(managed(format!("The IdP has made {} a member", kept.1)));
    }
    let manual: BTreeSet<i64> = there.iter().filter(by_hand).map(|row| row.0).collect();
    let synced: BTreeSet<i64> = there.iter().filter(from_idp).map(|row| row.0).collect();
    let new: Vec<i64> = wanted.keys().copied().filter(|seq| !manual.contains(seq)).collect();
    let new: Vec<i64> = new.into_iter().filter(|seq| !synced.contains(seq)).collect();
    let gone: Vec<i64> = manual.iter().copied().filter(|seq| !wanted.contains_key(seq)).collect();
    let mut moved = new.clone();
    moved.extend(&gone);
    may_be_moved(cx.conn, company, organization, &moved)?;
    let rows = gone.iter().map(|user| (team.seq, *user, Provider::Manual));
    let rows: Vec<_> = rows.collect();
    db::team_members::delete(cx.conn, company.seq, &rows)?;
    let (origin, organization_seq) = (Provider::Manual, organization.seq);
    let row = |user| NewMember { team: team.seq, user, origin, organization: organization_seq };
    let rows: Vec<NewMember> = new.iter().copied().map(row).collect();
    db::team_members::insert(cx.conn, company.seq, &rows, cx.now)?;
    if !moved.is_empty() {
        let detail = json!({"members": {"added": new.len(), "removed": gone.len()}});
        events::record(cx, company.seq, actor, (Action::TeamUpdated, &team.id), detail)?;
    }
    find(cx.conn, organization, id)
}

fn managed(detail: String) -> Error {
    Problem::new(Code::MembershipManagedByIdp, detail).into()
}

/// The users with these ids, by storage key.
fn users(
    conn: &mut DbConn,
    company: CompanySeq,
    ids: &[String],
) -> Result<BTreeMap<i64, MemberKey>> {
    let ids: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let found = db::members::resolve_to_add(conn, company, &ids)?;
    let is_user =
        |id: &&str| found.get(*id).is_some_and(|key| key.kind == crate::scim::ResourceType::User);
    if let Some(unknown) = ids.iter().find(|id| !is_user(id)) {
        let detail = format!("There is no user {unknown}");
        return Err(Problem::new(Code::UserNotFound, detail).into());
    }
    Ok(found.into_values().map(|key| (key.seq, key)).collect())
}

/// In mapping mode the groups decide the teams of everybody but admins, unless teams are given by hand as
/// well (rows 163, 165, 176).
fn may_be_moved(
    conn: &mut DbConn,
    company: &Company,
    organization: &Organization,
    users: &[i64],
) -> Result<()> {
    let settings = &company.settings;
    let by_mapping = settings.team_sync_mode == TeamSyncMode::Mapping;
    if !by_mapping || settings.product_mapping_enabled || users.is_empty() {
        return Ok(());
    }
    let entries = db::projection::entries(conn, company.seq, users)?;
    let admins = entries
        .into_iter()
        .filter(|(_, place, entry)| place.seq == organization.seq && entry.role == Role::Admin);
    let mut admins: BTreeSet<i64> = admins.map(|(user, ..)| user).collect();
    let lock = false;
    let people = db::projection::people(conn, company.seq, users, lock)?;
    admins.extend(people.iter().filter(|person| person.account_admin).map(|person| person.seq));
    match people.iter().find(|person| !admins.contains(&person.seq)) {
        Some(other) => Err(managed(format!(
            "The IdP's groups decide the teams of {}: change the groups or the mapping",
            other.id
        ))),
        None => Ok(()),
    }
}

/// The state of a user's teams in an organization (row 80).
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The organization's id.
    pub organization: String,
    /// Teams: id, name, origin.
    pub teams: Vec<(String, String, String)>,
    /// When they were last synced.
    pub last_synced_at: Option<Timestamp>,
    /// What set that off.
    pub trigger: Option<String>,
    /// The groups that were seen then; null where they were not known.
    pub groups_seen: Value,
    /// Groups that gave no team then, each with the reason.
    pub dropped: Value,
    /// Whether the user's groups are others by now: a login, a switch or a SCIM event has yet to follow
    /// (row 78).
    pub stale: bool,
}

/// A page of the states of a user's teams, in the order of the organizations' ids.
///
/// # Errors
/// [`Error::NotFound`].
pub fn states(
    conn: &mut DbConn,
    company: CompanySeq,
    user: &str,
    place: (&str, i64),
) -> Result<Vec<State>> {
    let user = db::profiles::user(conn, company, user)?.ok_or(Error::NotFound("User"))?.user.seq;
    let now = super::projection::names_now(conn, company, user)?;
    let mut teams: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (organization, id, name, origin) in db::team_syncs::teams(conn, company, user)? {
        teams.entry(organization).or_default().push((id, name, origin));
    }
    let read = |text: Option<String>| -> Value {
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    };
    let rows = db::team_syncs::states(conn, company, user, place)?.into_iter();
    Ok(rows
        .map(|row| {
            let groups_seen = read(row.groups_seen);
            State {
                organization: row.id,
                teams: teams.remove(&row.organization).unwrap_or_default(),
                last_synced_at: row.synced_at,
                trigger: row.cause,
                stale: now.as_ref().is_some_and(|now| is_other(&groups_seen, now)),
                groups_seen,
                dropped: read(row.dropped),
            }
        })
        .collect())
}

/// Whether the groups that were seen are others than those of now.
fn is_other(seen: &Value, now: &BTreeSet<String>) -> bool {
    let seen = seen.as_array().map(Vec::as_slice).unwrap_or_default();
    let seen: BTreeSet<String> = seen.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    seen != *now
}
