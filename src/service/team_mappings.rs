//! Mappings of groups to the teams of an organization (`management-api.md` D5, D8; rows 158, 177, 178).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::db::{self, DbConn};
use crate::domain::company::Company;
use crate::domain::event::{Action, Actor};
use crate::domain::organization::Organization;
use crate::domain::problem::{Code, Problem};
use crate::domain::role::Role;
use crate::domain::team::Team;
use crate::domain::team_mapping::{MAX_MAPPINGS, TeamMapping};

use super::error::{Error, Result};
use super::{Cx, events, organizations, projection};

/// A mapping with the id of its team.
pub type Listed = (TeamMapping, String);

/// A mapping to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMapping {
    /// The group's name; case counts.
    pub group: String,
    /// The team's id.
    pub team: String,
    /// What mapped users are in the organization.
    pub role: Option<Role>,
}

/// The organization's mappings, in the order of their making.
///
/// # Errors
/// The database's.
pub fn list(conn: &mut DbConn, organization: &Organization) -> Result<Vec<Listed>> {
    Ok(db::team_mappings::list(conn, organization)?)
}

/// What is done to mappings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These are all from now on.
    Replace(Vec<NewMapping>),
    /// This one comes.
    Add(NewMapping),
    /// The one with this id goes.
    Remove(String),
}

/// Changes the mappings. Users whom the directory describes follow at once, others at their next login or
/// switch (ruling 8).
///
/// # Errors
/// 412 `idp_not_configured` without a connection in any state (row 158); 422
/// `at_least_one_mapping_required` (row 178), `unknown_role`; 404 `team_not_found`; 409
/// `team_already_mapped` (row 177), `team_managed_by_idp`; [`Error::NotFound`] for an unknown mapping.
pub fn change(
    cx: &mut Cx<'_>,
    (company, actor): (&Company, &Actor),
    mut organization: Organization,
    change: Change,
) -> Result<(Vec<Listed>, Organization)> {
    let which = db::connections::which(cx.conn, company.seq)?;
    if !which.of_company && !which.legacy {
        return Err(Code::IdpNotConfigured.into());
    }
    let before = list(cx.conn, &organization)?;
    match change {
        Change::Replace(all) => replace(cx, (company, &organization), &before, &all)?,
        Change::Add(one) => {
            let new = made(cx, (company, &organization), std::slice::from_ref(&one))?;
            let all = before.iter().map(|(mapping, _)| mapping).chain(&new);
            check_teams(company, &all.cloned().collect::<Vec<_>>())?;
            db::team_mappings::insert(cx.conn, company.seq, &new)?;
        }
        Change::Remove(id) => {
            if !before.iter().any(|(mapping, _)| mapping.id == id) {
                return Err(Error::NotFound("Mapping"));
            }
            if before.len() == 1 {
                return Err(Code::AtLeastOneMappingRequired.into());
            }
            db::team_mappings::delete(cx.conn, &organization, Some(&id))?;
        }
    }
    let after = list(cx.conn, &organization)?;
    organization.updated_at = cx.now;
    if !db::organizations::update(cx.conn, &mut organization)? {
        return Err(Code::PreconditionFailed.into());
    }
    let detail = json!({"before": shown(&before), "after": shown(&after)});
    let what = (Action::MappingsChanged, organization.id.as_str());
    events::record(cx, company.seq, actor, what, detail)?;
    let groups = before.iter().chain(&after).filter_map(|(mapping, _)| mapping.group);
    let groups: Vec<i64> = groups.collect::<BTreeSet<i64>>().into_iter().collect();
    projection::mapping_changed(cx, (company.seq, actor), &groups)?;
    Ok((after, organization))
}

/// The organization as a unit of work may change it.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find_to_change(cx: &mut Cx<'_>, organization: &Organization) -> Result<Organization> {
    organizations::find_to_change(cx, organization.company, &organization.id)
}

fn replace(
    cx: &mut Cx<'_>,
    (company, organization): (&Company, &Organization),
    before: &[Listed],
    all: &[NewMapping],
) -> Result<()> {
    if all.is_empty() {
        return Err(Code::AtLeastOneMappingRequired.into());
    }
    let mut new = made(cx, (company, organization), all)?;
    check_teams(company, &new)?;
    // A mapping that stays keeps its id, and the group that it is tied to.
    for mapping in &mut new {
        let same =
            |(old, _): &&Listed| old.team == mapping.team && old.group_name == mapping.group_name;
        if let Some((old, _)) = before.iter().find(same) {
            mapping.id.clone_from(&old.id);
            mapping.created_at = old.created_at;
        }
    }
    db::team_mappings::delete(cx.conn, organization, None)?;
    Ok(db::team_mappings::insert(cx.conn, company.seq, &new)?)
}

/// The mappings as they would be stored.
fn made(
    cx: &mut Cx<'_>,
    (company, organization): (&Company, &Organization),
    all: &[NewMapping],
) -> Result<Vec<TeamMapping>> {
    if all.len() > MAX_MAPPINGS {
        let rule = format!("an organization has at most {MAX_MAPPINGS} mappings");
        return Err(Problem::field("mappings", rule).into());
    }
    let ids: BTreeSet<&str> = all.iter().map(|one| one.team.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let teams = db::teams::by_ids(cx.conn, organization, &ids)?;
    let teams: BTreeMap<&str, &Team> = teams.iter().map(|team| (team.id.as_str(), team)).collect();
    let mut out = Vec::with_capacity(all.len());
    for one in all {
        if one.group.trim().is_empty() || one.group.len() > 256 {
            return Err(Problem::field("group", "a name of 1 to 256 bytes").into());
        }
        if one.role == Some(Role::Admin) {
            let detail = "A mapping makes nobody an admin: the role is moderator or member";
            return Err(Problem::new(Code::UnknownRole, detail).into());
        }
        let team = teams.get(one.team.as_str()).ok_or(Code::TeamNotFound)?;
        if team.provider.is_idp() {
            let detail = format!("{} follows a group already: map to a local team", team.name);
            return Err(Problem::new(Code::TeamManagedByIdp, detail).into());
        }
        out.push(TeamMapping {
            id: cx.clock.id(),
            company: company.seq,
            organization: organization.seq,
            team: team.seq,
            group_name: one.group.clone(),
            group: None,
            role: one.role,
            created_at: cx.now,
        });
    }
    Ok(out)
}

/// Each team has one group, or several different ones where the company's setting says so (D9).
fn check_teams(company: &Company, all: &[TeamMapping]) -> Result<()> {
    let mut seen: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
    for mapping in all {
        let groups = seen.entry(mapping.team).or_default();
        let again = !groups.insert(&mapping.group_name);
        if again || groups.len() > 1 && !company.settings.multi_group {
            let detail = format!("The team of the group {} is mapped already", mapping.group_name);
            return Err(Problem::new(Code::TeamAlreadyMapped, detail).into());
        }
    }
    Ok(())
}

fn shown(all: &[Listed]) -> Value {
    let one = |(mapping, team): &Listed| json!({"group": mapping.group_name, "team_id": team, "role": mapping.role.map(Role::name)});
    all.iter().map(one).collect()
}
