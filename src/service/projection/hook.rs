//! What a change of the directory does to teams: in the transaction of the change, and nothing at all where
//! the company has no organization.

use std::collections::BTreeSet;

use serde_json::json;

use crate::db;
use crate::db::projection::Gate;
use crate::domain::event::{Action, Event};
use crate::domain::group::MemberKey;
use crate::domain::job::{Kind, Work};
use crate::domain::projection::{Reach, Trigger};
use crate::scim::ResourceType;

use super::super::error::Result;
use super::super::{Cx, Directory, events, jobs};
use super::{Run, SLICE, filter, run_behind};

/// The members that a change of a group touches, gathered while it is made; only where the company has
/// an organization.
#[derive(Debug)]
pub struct Follow {
    gate: Gate,
    touched: BTreeSet<MemberKey>,
}

/// Begins to follow a change; `None`: the company has no organization, and there is nothing to follow.
///
/// # Errors
/// The database's.
pub fn open(cx: &mut Cx<'_>, directory: &Directory) -> Result<Option<Follow>> {
    let gate = db::projection::gate(cx.conn, directory.company)?;
    Ok(gate.map(|gate| Follow { gate, touched: BTreeSet::new() }))
}

impl Follow {
    /// These came or went.
    pub fn touch(&mut self, members: impl IntoIterator<Item = MemberKey>) {
        self.touched.extend(members);
    }

    /// Users came or went.
    pub fn touch_users(&mut self, users: Vec<i64>) {
        self.touch(users.into_iter().map(|seq| MemberKey { kind: ResourceType::User, seq }));
    }

    /// Brings the teams of all who were touched up to date, those below nested groups too.
    ///
    /// # Errors
    /// The database's.
    pub fn end(self, cx: &mut Cx<'_>, directory: &Directory) -> Result<()> {
        let groups = self.touched.iter().filter(|member| member.kind == ResourceType::Group);
        let groups: Vec<i64> = groups.map(|member| member.seq).collect();
        let mut users: BTreeSet<i64> = BTreeSet::new();
        if !groups.is_empty() {
            users.extend(db::members::users_below(cx.conn, directory.company, &groups)?);
        }
        let direct = self.touched.iter().filter(|member| member.kind == ResourceType::User);
        users.extend(direct.map(|member| member.seq));
        let users: Vec<i64> = users.into_iter().collect();
        if users.len() > SLICE {
            // No request waits behind so many.
            let by = (directory.company, &directory.actor);
            return jobs::enqueue(cx, by, Kind::GroupMembers, Work::on(users)).map(drop);
        }
        let (trigger, reach) = (Trigger::Scim, Reach::All);
        let event = Run { company: directory.company, actor: &directory.actor, trigger, reach };
        run_behind(cx, &event, &self.gate, &users).map(drop)
    }
}

/// Ties mappings that wait for groups of these names to them.
///
/// # Errors
/// The database's.
pub fn groups_created(cx: &mut Cx<'_>, directory: &Directory, groups: &[i64]) -> Result<()> {
    db::team_mappings::bind(cx.conn, directory.company, groups)?;
    Ok(())
}

/// A renamed group renames its teams and mappings; where a filter thinks otherwise of the new name, its
/// members are brought up to date.
///
/// # Errors
/// The database's.
pub fn group_renamed(
    cx: &mut Cx<'_>,
    directory: &Directory,
    follow: &mut Follow,
    (group, before, after): (i64, &str, &str),
) -> Result<()> {
    let company = directory.company;
    db::teams::rename(cx.conn, company, group, (after, cx.now))?;
    db::team_mappings::rename(cx.conn, company, (group, after))?;
    let verdict = filter(cx.conn, company)?;
    if verdict(before) != verdict(after) {
        follow.touch_users(db::members::users_below(cx.conn, company, &[group])?);
    }
    Ok(())
}

/// A group that goes ends its teams. Called before the group's row is removed; its users are brought up to
/// date behind that, since groups above it lose them too.
///
/// # Errors
/// The database's.
pub fn group_removed(
    cx: &mut Cx<'_>,
    directory: &Directory,
    follow: &mut Follow,
    group: i64,
) -> Result<()> {
    let company = directory.company;
    follow.touch_users(db::members::users_below(cx.conn, company, &[group])?);
    let teams = db::teams::of_groups(cx.conn, company, &[group], None)?;
    let told: Vec<Event> = teams
        .iter()
        .map(|team| {
            let detail = json!({"name": team.name, "reason": "group_deleted"});
            events::event(cx, &directory.actor, (Action::TeamRemoved, &team.id), detail)
        })
        .collect();
    db::events::insert_all(cx.conn, company, &told)?;
    let seqs: Vec<i64> = teams.iter().map(|team| team.seq).collect();
    db::teams::delete(cx.conn, company, &seqs)?;
    db::team_mappings::unbind(cx.conn, company, group)?;
    Ok(())
}
