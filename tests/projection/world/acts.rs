//! Changes of the directory, of the rules and of people.

use jiff::SignedDuration;
use serde_json::json;
use stagedoor::db;
use stagedoor::domain::event::Actor;
use stagedoor::domain::job::{Kind, Work};
use stagedoor::domain::role;
use stagedoor::scim::patch;
use stagedoor::service::access::At;
use stagedoor::service::invitations::NewInvitation;
use stagedoor::service::team_mappings::{Change, NewMapping};
use stagedoor::service::{
    Error, Result, auth_settings, group_filters, groups, invitations, jobs, memberships,
    organizations, profiles, team_mappings, teams, users,
};

use super::{Play, address, object, role_of};
use crate::model::Answer;
use crate::steps::{Mapping, Step};

/// Who does the jobs.
const WORKER: &str = "here";

impl Play<'_, '_> {
    pub(super) fn change_user(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Provision(user) => {
                let body = json!({"userName": address(*user), "externalId": format!("x{user}")});
                let new = users::read_new(&self.directory.users, object(body))?;
                let made = users::create(self.cx, &self.directory, new)?;
                self.users[*user] = Some(made.item.user.id);
            }
            Step::Active(user, on) => {
                let id = self.user(*user)?;
                let operation = json!({"op": "replace", "path": "active", "value": on});
                let operations = patch::parse(object(json!({"Operations": [operation]})))?;
                users::patch(self.cx, &self.directory, (&id, None), &operations)?;
            }
            Step::DeleteUser(user) => {
                let id = self.user(*user)?;
                users::delete(self.cx, &self.directory, &id, None)?;
                (self.users[*user], self.sessions[*user]) = (None, None);
            }
            _ => unreachable!("a change of a user"),
        }
        Ok(())
    }

    pub(super) fn change_group(&mut self, step: &Step) -> Result<Answer> {
        let (place, operation) = match step {
            Step::CreateGroup(place, name, members) => {
                if self.groups[*place].is_some() {
                    return Ok("there already".to_owned());
                }
                let body = json!({"displayName": name, "members": self.members(*place, members)});
                let body = groups::read_body(&self.directory.groups, object(body))?;
                self.groups[*place] = Some(groups::create(self.cx, &self.directory, body)?.item.id);
                return Ok("ok".to_owned());
            }
            Step::DeleteGroup(place) => {
                let id = self.group(*place)?;
                groups::delete(self.cx, &self.directory, &id, None)?;
                self.groups[*place] = None;
                return Ok("ok".to_owned());
            }
            Step::Rename(place, name) => {
                (*place, json!({"op": "replace", "path": "displayName", "value": name}))
            }
            Step::Add(place, member) => {
                // Somebody whom the company does not know.
                let id = self.member(*member).unwrap_or_else(|| "nobody".to_owned());
                (*place, json!({"op": "add", "path": "members", "value": [{"value": id}]}))
            }
            Step::Remove(place, member) => {
                let id = self.member(*member).unwrap_or_else(|| "nobody".to_owned());
                (*place, json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")}))
            }
            Step::Replace(place, members) => {
                let members = self.members(*place, members);
                (*place, json!({"op": "replace", "path": "members", "value": members}))
            }
            _ => unreachable!("a change of a group"),
        };
        let id = self.group(place)?;
        let operations = patch::parse(object(json!({"Operations": [operation]})))?;
        groups::patch(self.cx, &self.directory, (&id, None), operations)?;
        Ok("ok".to_owned())
    }

    pub(super) fn change_rules(&mut self, step: &Step) -> Result<()> {
        let (company, actor) = (self.company()?, Actor::Command);
        match step {
            Step::Filters { allow, block } => {
                let list =
                    |pattern: &Option<&str>| pattern.iter().map(|p| (*p).to_owned()).collect();
                let wanted = group_filters::Wanted { allow: list(allow), block: list(block) };
                group_filters::save(self.cx, (&company, &actor), wanted, |_| Ok(()))?;
            }
            Step::Automatic(n, on) => {
                let organization = self.organization(*n)?;
                let change = organizations::Change {
                    automatic_user_access: Some(*on),
                    ..organizations::Change::default()
                };
                organizations::change(self.cx, &actor, organization, change)?;
            }
            Step::Modes { groups, people } => {
                let change = auth_settings::Change {
                    idp_mapping: Some(*groups),
                    product_mapping: Some(*people),
                    ..auth_settings::Change::default()
                };
                auth_settings::change(self.cx, (company, &actor), change)?;
            }
            Step::MultiGroup(on) => {
                let multi_group = Some(*on);
                let change =
                    auth_settings::Change { multi_group, ..auth_settings::Change::default() };
                auth_settings::change(self.cx, (company, &actor), change)?;
            }
            Step::Mappings(n, all) => {
                let all = all.iter().map(|mapping| self.mapping(*n, mapping)).collect();
                let organization = self.organization(*n)?;
                let change = Change::Replace(all);
                team_mappings::change(self.cx, (&company, &actor), organization, change)?;
            }
            Step::Resync => {
                let everybody = Work::everybody();
                jobs::enqueue(self.cx, (company.seq, &actor), Kind::Resync, everybody)?;
            }
            _ => unreachable!("a change of a rule"),
        }
        self.work()
    }

    fn mapping(&self, n: usize, (group, team, role): &Mapping) -> NewMapping {
        let team = self.ground.teams[n][*team].clone();
        NewMapping { group: (*group).to_owned(), team, role: role.map(role_of) }
    }

    /// Does every job to its end, two users a slice.
    fn work(&mut self) -> Result<()> {
        let until = self.cx.now + SignedDuration::from_hours(1);
        while let Some(mut job) = db::jobs::claim(self.cx.conn, WORKER, (self.cx.now, until))? {
            while job.finished_at.is_none() {
                let done = jobs::slice(self.cx, WORKER, &job, 2)?;
                job = done.ok_or(Error::NotFound("Job"))?;
            }
        }
        Ok(())
    }

    pub(super) fn manage(&mut self, step: &Step) -> Result<()> {
        let (company, actor) = (self.company()?, Actor::Command);
        let at = |play: &mut Self, n: usize| -> Result<At> {
            Ok(At { organization: Some(play.organization(n)?), ..play.at(None)? })
        };
        match step {
            Step::Invite { to, user, role, team } => {
                let at = at(self, *to)?;
                let teams = team.iter().map(|team| self.ground.teams[*to][*team].clone()).collect();
                let (email, role) = (address(*user), role_of(*role));
                let new = NewInvitation { email, role, teams, notify: false };
                let invited = invitations::create(self.cx, &at, &new)?;
                self.users[*user] = Some(invited.member.user.id);
            }
            Step::Expel(n, user) => {
                let (at, id) = (at(self, *n)?, self.user(*user)?);
                memberships::remove(self.cx, &at, &id)?;
            }
            Step::Suspend(n, user, on) => {
                let (at, id) = (at(self, *n)?, self.user(*user)?);
                let change = memberships::Change { role: None, deactivated: Some(*on) };
                memberships::change(self.cx, &at, &id, change)?;
            }
            Step::SetRole(n, user, role) => {
                let (at, id) = (at(self, *n)?, self.user(*user)?);
                let change = memberships::Change { role: Some(role_of(*role)), deactivated: None };
                memberships::change(self.cx, &at, &id, change)?;
            }
            Step::Deactivate(user, on) => {
                let id = self.user(*user)?;
                let change =
                    profiles::Change { deactivated: Some(*on), ..profiles::Change::default() };
                profiles::change(self.cx, (&company, &actor), &id, &change)?;
            }
            Step::Promote(user, on) => {
                let id = self.user(*user)?;
                let role = if *on { role::CompanyRole::Admin } else { role::CompanyRole::Member };
                let company_role = Some(role);
                let change = profiles::Change { company_role, ..profiles::Change::default() };
                profiles::change(self.cx, (&company, &actor), &id, &change)?;
            }
            Step::Local(n, team, users) => {
                let organization = self.organization(*n)?;
                let team = &self.ground.teams[*n][*team];
                let ids: Vec<String> =
                    users.iter().filter_map(|u| self.users[*u].clone()).collect();
                teams::set_members(self.cx, (&company, &actor), (&organization, team), &ids)?;
            }
            _ => unreachable!("what an admin does"),
        }
        Ok(())
    }
}
