//! The groups and teams of an explanation.

use super::super::projection::{Seen, TeamKey};
use super::super::team::Provider;
use super::{Reason, Said, Teams};

/// A group, the team that it gives, and what is between them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TeamLine {
    /// The group; `None`: a person made the team, or the membership.
    pub group: Option<String>,
    /// The team; `None`: the group gives none.
    pub team: Option<String>,
    /// `synced`: it is there; `local`: it is there, and no group decides it; `missing`, `leaving`: the next
    /// sync makes or ends it; `dropped`: the group gives no team; `no_access`: teams are for those who may enter.
    pub verdict: &'static str,
    /// Why.
    pub reason: Option<Reason>,
}

impl TeamLine {
    /// Whether the next sync changes it.
    pub(super) fn is_stale(&self) -> bool {
        ["missing", "leaving"].contains(&self.verdict)
    }

    /// Whether it is about the team or group of this name.
    pub(super) fn is_about(&self, name: &str) -> bool {
        [&self.group, &self.team].into_iter().flatten().any(|known| known == name)
    }
}

/// All lines: what is there, what is to come, what gives nothing.
pub(super) fn lines(teams: &Teams) -> Vec<TeamLine> {
    let mut out: Vec<TeamLine> = teams
        .held
        .iter()
        .map(|held| {
            let of_group = held.origin.is_idp();
            let mapped = teams.mapped.iter().find(|(team, ..)| *team == held.team);
            let group = mapped.map_or(&held.name, |(_, _, group)| group);
            let leaving = teams.sync.remove.contains(&(held.team, held.origin));
            let (verdict, reason) = match (held.origin, leaving) {
                (_, true) => ("leaving", Some(Reason::NotAccessedSinceGroupChange)),
                (Provider::Manual, false) => ("local", None),
                (Provider::Sso | Provider::Scim, false) => ("synced", None),
            };
            let group = of_group.then(|| group.clone());
            TeamLine { group, team: Some(held.name.clone()), verdict, reason }
        })
        .collect();
    out.extend(teams.sync.add.iter().map(|key| missing(teams, key)));
    let dropped = teams.sync.dropped.iter();
    out.extend(dropped.map(|(group, reason)| TeamLine {
        group: Some(group.clone()),
        team: None,
        verdict: "dropped",
        reason: Some((*reason).into()),
    }));
    if let (false, Seen::Groups(groups)) = (teams.sync.synced, &teams.seen) {
        let none = groups.iter().filter(|group| !out.iter().any(|line| line.is_about(&group.name)));
        let none: Vec<String> = none.map(|group| group.name.clone()).collect();
        out.extend(none.into_iter().map(|group| TeamLine {
            group: Some(group),
            team: None,
            verdict: "no_access",
            reason: None,
        }));
    }
    out
}

fn missing(teams: &Teams, key: &TeamKey) -> TeamLine {
    let (group, team) = match key {
        TeamKey::Group(_, name) | TeamKey::Claim(name) => (name.clone(), name.clone()),
        TeamKey::Team(seq) => {
            let mapped = teams.mapped.iter().find(|(team, ..)| team == seq);
            mapped.map(|(_, team, group)| (group.clone(), team.clone())).unwrap_or_default()
        }
    };
    let reason = Some(Reason::NotAccessedSinceGroupChange);
    TeamLine { group: Some(group), team: Some(team), verdict: "missing", reason }
}

/// Why the user is not in the team that is asked for; `None`: they are.
pub(super) fn lacking(lines: &[TeamLine], name: &str) -> Option<Reason> {
    let mut about = lines.iter().filter(|line| line.is_about(name)).peekable();
    if about.peek().is_none() {
        return Some(Reason::NotInGroup);
    }
    let mut reason = None;
    for line in about {
        match line.verdict {
            "synced" | "local" => return None,
            "no_access" => {}
            _ => reason = reason.or(line.reason),
        }
    }
    reason
}

/// What the group filters do.
pub(super) fn filters(teams: &Teams) -> Said {
    let Seen::Groups(groups) = &teams.seen else {
        return (false, "no groups are known".to_owned());
    };
    if teams.by_mapping {
        return (false, "groups are mapped to teams".to_owned());
    }
    if !teams.sync.synced {
        return (false, "teams are for those who may enter".to_owned());
    }
    let (all, dropped) = (groups.len(), teams.sync.dropped.len());
    (true, format!("{} of {all} groups pass", all.saturating_sub(dropped)))
}

/// What mappings do.
pub(super) fn mapping(teams: &Teams) -> Said {
    if !teams.by_mapping {
        return (false, "groups become teams by their names".to_owned());
    }
    match &teams.seen {
        Seen::Absent => (false, "no groups are known".to_owned()),
        Seen::Groups(groups) => {
            (true, format!("{} of {} groups mapped here", teams.mapped.len(), groups.len()))
        }
    }
}

/// How far the teams are up to date.
pub(super) fn teams(teams: &Teams) -> Said {
    if !teams.sync.synced && teams.held.is_empty() {
        return (false, "teams are for those who may enter".to_owned());
    }
    let since = teams
        .last
        .as_ref()
        .map_or_else(|| "never synced".to_owned(), |trigger| format!("last synced by {trigger}"));
    let (add, remove) = (teams.sync.add.len(), teams.sync.remove.len());
    let detail = match (add, remove) {
        (0, 0) => format!("as the groups say, {since}"),
        _ => format!("{since}; the next sync adds {add} and ends {remove}"),
    };
    (true, detail)
}
