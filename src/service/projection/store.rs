//! Stores what the rule of team sync says, all users of a change at once, and tells of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::db;
use crate::db::team_members::NewMember;
use crate::db::team_syncs::Sync;
use crate::domain::event::{Action, Event};
use crate::domain::lifecycle;
use crate::domain::organization::OrganizationSeq;
use crate::domain::projection::{Impact, Seen, Source, TeamKey};
use crate::domain::team::{Provider, Team};

use super::super::error::Result;
use super::super::{Cx, events};
use super::{AtPlace, Decided, Run, happening};

/// The storage keys of teams, where they are.
type Teams = BTreeMap<(OrganizationSeq, TeamKey), i64>;

/// Stores what was decided and says what it came to.
pub(super) fn store(cx: &mut Cx<'_>, run: &Run<'_>, all: &[Decided]) -> Result<Impact> {
    let mut impact = Impact::default();
    let mut told = Vec::new();
    statuses(cx, run, all, &mut told)?;
    entries(cx, run, all, &mut told)?;
    let (teams, made) = teams(cx, run, all, &mut told)?;
    impact.teams_added = made;
    impact.memberships_added = join(cx, run, all, &teams)?;
    impact.memberships_removed = leave(cx, run, all)?;
    impact.teams_removed = end_dropped(cx, run, all, &mut told)?;
    for (one, at) in synced(all) {
        let (add, remove) = (&at.outcome.add, &at.outcome.remove);
        if !remove.is_empty() && add.is_empty() && at.held.len() == remove.len() {
            impact.users_losing_all_teams += 1;
        }
        if !add.is_empty() || !remove.is_empty() {
            told.push(changed(cx, run, one, at));
        }
    }
    let syncs: Vec<Sync> = synced(all).map(|(one, at)| sync(run, one, at)).collect();
    db::team_syncs::keep(cx.conn, run.company, &syncs, cx.now)?;
    db::events::insert_all(cx.conn, run.company, &told)?;
    Ok(impact)
}

fn synced(all: &[Decided]) -> impl Iterator<Item = (&Decided, &AtPlace)> {
    let pairs = all.iter().flat_map(|one| one.places.iter().map(move |at| (one, at)));
    pairs.filter(|(_, at)| at.outcome.synced)
}

fn places(all: &[Decided]) -> impl Iterator<Item = (&Decided, &AtPlace)> {
    all.iter().flat_map(|one| one.places.iter().map(move |at| (one, at)))
}

fn sync(run: &Run<'_>, one: &Decided, at: &AtPlace) -> Sync {
    let groups_seen = match &one.seen {
        Seen::Absent => json!(null),
        Seen::Groups(_) => json!(one.seen.names()),
    };
    let dropped = at.outcome.dropped.iter();
    let dropped = dropped.map(|(group, why)| json!({"group": group, "reason": why.name()}));
    Sync {
        user: one.person.seq,
        organization: at.place.seq,
        cause: run.trigger.name(),
        source: match one.source {
            Source::Directory => "scim",
            Source::Claims => "claims",
        },
        groups_seen: groups_seen.to_string(),
        dropped: json!(dropped.collect::<Vec<_>>()).to_string(),
    }
}

fn changed(cx: &Cx<'_>, run: &Run<'_>, one: &Decided, at: &AtPlace) -> Event {
    let name = |team: i64| {
        let held = at.held.iter().find(|held| held.team == team);
        held.map(|held| held.name.clone()).unwrap_or_default()
    };
    let added = at.outcome.add.iter().map(|key| match key {
        TeamKey::Group(_, name) | TeamKey::Claim(name) => name.clone(),
        TeamKey::Team(team) => {
            let mapping = one.mapped.iter().find(|mapping| mapping.team == *team);
            mapping.map(|mapping| mapping.group_name.clone()).unwrap_or_default()
        }
    });
    let detail = json!({
        "organization": at.place.id,
        "trigger": run.trigger.name(),
        "added": added.collect::<Vec<_>>(),
        "removed": at.outcome.remove.iter().map(|(team, _)| name(*team)).collect::<Vec<_>>(),
    });
    events::event(cx, run.actor, (Action::TeamSynced, &one.person.id), detail)
}

/// Statuses of users who lose their last mapped group, or get one again.
fn statuses(cx: &mut Cx<'_>, run: &Run<'_>, all: &[Decided], told: &mut Vec<Event>) -> Result<()> {
    for unmapped in [true, false] {
        let mut users = Vec::new();
        for one in all {
            let Some(happening) = happening(one).filter(|_| one.unmapped == Some(unmapped)) else {
                continue;
            };
            // Only a login is ever refused.
            let Ok(step) = lifecycle::follow(one.person.causes, happening, cx.now) else {
                continue;
            };
            users.push(one.person.seq);
            if let Some(action) = step.action() {
                let what = (action, one.person.id.as_str());
                told.push(events::event(cx, run.actor, what, events::status_detail(&step)));
            }
        }
        db::projection::set_user_unmapped(cx.conn, run.company, &users, (unmapped, cx.now))?;
    }
    Ok(())
}

/// Rows among the members: made by a mapping, deactivated without one, active again with one.
fn entries(cx: &mut Cx<'_>, run: &Run<'_>, all: &[Decided], told: &mut Vec<Event>) -> Result<()> {
    let assigned: Vec<_> = places(all)
        .filter_map(|(one, at)| {
            let role = at.outcome.assign?.unwrap_or(at.place.default_role);
            Some((at.place.seq, one.person.seq, role))
        })
        .collect();
    db::projection::assign(cx.conn, run.company, &assigned, cx.now)?;
    for unmapped in [true, false] {
        let these = places(all).filter(|(_, at)| at.outcome.unmapped == Some(unmapped));
        let these: Vec<_> = these.map(|(one, at)| (at.place.seq, one.person.seq)).collect();
        db::projection::set_member_unmapped(cx.conn, run.company, &these, (unmapped, cx.now))?;
    }
    for (one, at) in places(all) {
        let made = at.standing.entry.is_none() && at.outcome.assign.is_some();
        let (action, reason) = match (at.outcome.unmapped, made) {
            (Some(true), _) => (Action::AccessRevoked, "no_mapped_group"),
            (Some(false), _) | (None, true) => (Action::AccessGranted, "mapped_group"),
            (None, false) => continue,
        };
        let detail = json!({"organization": at.place.id, "reason": reason});
        told.push(events::event(cx, run.actor, (action, &one.person.id), detail));
    }
    Ok(())
}

/// The teams that are wanted, with those made that are not there; and how many were.
fn teams(
    cx: &mut Cx<'_>,
    run: &Run<'_>,
    all: &[Decided],
    told: &mut Vec<Event>,
) -> Result<(Teams, i64)> {
    let mut wanted: BTreeSet<(OrganizationSeq, TeamKey)> = BTreeSet::new();
    for (_, at) in synced(all) {
        let named = at.outcome.add.iter().filter(|key| !matches!(key, TeamKey::Team(_)));
        wanted.extend(named.map(|key| (at.place.seq, key.clone())));
    }
    if wanted.is_empty() {
        return Ok((Teams::new(), 0));
    }
    let mut there = find(cx, run, &wanted)?;
    let new: Vec<Team> = wanted
        .iter()
        .filter(|key| !there.contains_key(*key))
        .map(|(organization, key)| new_team(cx, run, *organization, key))
        .collect();
    if new.is_empty() {
        return Ok((there, 0));
    }
    // Where another writer has made one of them at the same moment, it is theirs that counts.
    let made = db::teams::insert_missing(cx.conn, &new)?;
    for team in &new {
        let detail = json!({"name": team.name, "provider": team.provider.name()});
        told.push(events::event(cx, run.actor, (Action::TeamCreated, &team.id), detail));
    }
    there = find(cx, run, &wanted)?;
    Ok((there, i64::try_from(made).unwrap_or(i64::MAX)))
}

fn new_team(cx: &Cx<'_>, run: &Run<'_>, organization: OrganizationSeq, key: &TeamKey) -> Team {
    let (name, provider, group) = match key {
        TeamKey::Group(seq, name) => (name.clone(), Provider::Scim, Some(*seq)),
        TeamKey::Claim(name) => (name.clone(), Provider::Sso, None),
        TeamKey::Team(_) => (String::new(), Provider::Manual, None),
    };
    Team {
        seq: 0,
        id: cx.clock.id(),
        company: run.company,
        organization,
        name,
        description: String::new(),
        provider,
        group,
        created_at: cx.now,
        updated_at: cx.now,
    }
}

fn find(
    cx: &mut Cx<'_>,
    run: &Run<'_>,
    wanted: &BTreeSet<(OrganizationSeq, TeamKey)>,
) -> Result<Teams> {
    let organizations: BTreeSet<i64> = wanted.iter().map(|(o, _)| o.0).collect();
    let organizations: Vec<i64> = organizations.into_iter().collect();
    let (mut names, mut groups) = (BTreeSet::new(), BTreeMap::new());
    for (_, key) in wanted {
        match key {
            TeamKey::Group(seq, name) => drop(groups.insert(*seq, name.as_str())),
            TeamKey::Claim(name) => drop(names.insert(name.as_str())),
            TeamKey::Team(_) => {}
        }
    }
    let mut out = Teams::new();
    if !groups.is_empty() {
        let seqs: Vec<i64> = groups.keys().copied().collect();
        let among = Some(organizations.as_slice());
        for team in db::teams::of_groups(cx.conn, run.company, &seqs, among)? {
            let Some(seq) = team.group else { continue };
            let name = groups.get(&seq).copied().unwrap_or_default().to_owned();
            out.insert((team.organization, TeamKey::Group(seq, name)), team.seq);
        }
    }
    if !names.is_empty() {
        let names: Vec<&str> = names.into_iter().collect();
        for team in db::teams::of_claims(cx.conn, run.company, &names, &organizations)? {
            out.insert((team.organization, TeamKey::Claim(team.name)), team.seq);
        }
    }
    Ok(out)
}

fn join(cx: &mut Cx<'_>, run: &Run<'_>, all: &[Decided], teams: &Teams) -> Result<i64> {
    let mut new = Vec::new();
    for (one, at) in synced(all) {
        for key in &at.outcome.add {
            let team = match key {
                TeamKey::Team(seq) => Some(*seq),
                named => teams.get(&(at.place.seq, named.clone())).copied(),
            };
            let Some(team) = team else { continue };
            let (user, origin) = (one.person.seq, one.source.origin());
            new.push(NewMember { team, user, origin, organization: at.place.seq });
        }
    }
    let made = db::team_members::insert(cx.conn, run.company, &new, cx.now)?;
    Ok(i64::try_from(made).unwrap_or(i64::MAX))
}

fn leave(cx: &mut Cx<'_>, run: &Run<'_>, all: &[Decided]) -> Result<i64> {
    let mut gone = Vec::new();
    for (one, at) in synced(all) {
        let user = one.person.seq;
        gone.extend(at.outcome.remove.iter().map(|(team, origin)| (*team, user, *origin)));
    }
    let gone = db::team_members::delete(cx.conn, run.company, &gone)?;
    Ok(i64::try_from(gone).unwrap_or(i64::MAX))
}

/// Ends synced teams that a filter leaves without anybody. A team whose group is admitted stays when its last
/// member goes: its id may stand in other systems.
fn end_dropped(
    cx: &mut Cx<'_>,
    run: &Run<'_>,
    all: &[Decided],
    told: &mut Vec<Event>,
) -> Result<i64> {
    let mut why = BTreeMap::new();
    for (_, at) in synced(all) {
        for (team, _) in &at.outcome.remove {
            let Some(held) = at.held.iter().find(|held| held.team == *team) else { continue };
            let dropped = at.outcome.dropped.iter().find(|(name, _)| *name == held.name);
            if let (Some((_, reason)), true) = (dropped, held.provider.is_idp()) {
                why.insert(*team, *reason);
            }
        }
    }
    if why.is_empty() {
        return Ok(0);
    }
    let teams: Vec<i64> = why.keys().copied().collect();
    let empty = db::teams::empty_among(cx.conn, run.company, &teams)?;
    for team in &empty {
        let reason = why.get(&team.seq).map(|reason| reason.name());
        let detail = json!({"name": team.name, "reason": reason});
        told.push(events::event(cx, run.actor, (Action::TeamRemoved, &team.id), detail));
    }
    let seqs: Vec<i64> = empty.iter().map(|team| team.seq).collect();
    db::teams::delete(cx.conn, run.company, &seqs)?;
    Ok(i64::try_from(seqs.len()).unwrap_or(i64::MAX))
}
