//! `C/sso/group-filters`, their playground, and `C/sso/groups`: which groups give a team.

use actix_web::web::{get, post, put};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::group_filter::{GroupFilters, Verdict};
use crate::domain::job::Job;
use crate::domain::problem::{Code, Problem};
use crate::scim::value::format_time;
use crate::service::Result;
use crate::service::group_filters::{self, Judged, Preview, Seen, SeenPlace, Wanted};
use crate::service::idempotency::Reply;

use super::frame::{Answer, Call, ok, versioned};
use super::jobs::{self, JobView};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(
        ("GET", "C/sso/group-filters"),
        Act::ReadFilters,
        "Read which groups give a team",
        || get().to(read),
    )
    .gives::<FiltersView>(200),
    Entry::new(
        ("PUT", "C/sso/group-filters"),
        Act::ChangeFilters,
        "Say which groups give a team; a job brings it to the teams",
        || put().to(save),
    )
    .takes::<NewFilters>()
    .gives::<FiltersView>(200),
    Entry::new(
        ("POST", "C/sso/group-filters/preview"),
        Act::ChangeFilters,
        "Try patterns out on given groups, or on all that were seen; nothing is written",
        || post().to(preview),
    )
    .takes::<Trial>()
    .gives::<PreviewView>(200),
    Entry::new(
        ("GET", "C/sso/groups"),
        Act::ReadFilters,
        "List all groups that logins or the directory have named",
        || get().to(groups),
    )
    .pages::<SeenView>(),
    Entry::new(
        ("PUT", "O/sso/group-filters"),
        Act::ChangeFilters,
        "Refused: group filters are the company's",
        || put().to(of_organization),
    )
    .takes::<NewFilters>(),
];

/// Which groups give a team.
#[derive(Serialize, ToSchema)]
struct FiltersView {
    /// Only groups that one of these patterns matches; all, where there is none.
    allow: Vec<String>,
    /// But never those that one of these matches.
    block: Vec<String>,
    /// Always true: `(?i)` at the beginning of a pattern makes that one blind to case.
    case_sensitive: bool,
    version: i64,
    /// The version that a job has brought to all teams.
    applied_version: i64,
    updated_at: Option<String>,
    /// The job that brings this change to the teams.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<JobView>,
}

/// Which groups are to give a team: replaces both lists.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewFilters {
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    block: Vec<String>,
    case_sensitive: Option<bool>,
    /// The version that this is a change of, as `If-Match` says it.
    version: Option<i64>,
    /// Whether many people may lose memberships by it.
    #[serde(default)]
    confirm_impact: bool,
}

/// Patterns to be tried out; a list that is absent is the stored one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Trial {
    allow: Option<Vec<String>>,
    block: Option<Vec<String>>,
    /// Names of groups; all that were ever seen where it is absent.
    groups: Option<Vec<String>>,
    case_sensitive: Option<bool>,
}

/// What patterns would do.
#[derive(Serialize, ToSchema)]
struct PreviewView {
    /// supplied or synced: whose groups these are.
    source: &'static str,
    results: Vec<ResultView>,
    impact: ImpactView,
}

/// What patterns say of a group.
#[derive(Serialize, ToSchema)]
struct ResultView {
    group: String,
    /// allowed, blocked or `not_allowed`.
    verdict: &'static str,
    /// The first allow pattern that matched.
    matched_allow: Option<String>,
    /// The first block pattern that matched.
    matched_block: Option<String>,
    /// What becomes of its teams: none, `would_be_kept`, `would_be_added` or `would_be_removed`.
    teams: &'static str,
}

/// What would become of the teams; of claims what the next logins take, of the directory's groups what the
/// job takes and gives.
#[derive(Serialize, ToSchema)]
struct ImpactView {
    teams_added: i64,
    teams_removed: i64,
    memberships_added: i64,
    memberships_removed: i64,
    /// Users who would be left without a team in an organization.
    users_losing_all_teams: i64,
    /// Users who would lose a membership.
    users_losing_memberships: i64,
}

/// A group that was seen.
#[derive(Serialize, ToSchema)]
struct SeenView {
    name: String,
    last_seen_at: String,
    /// claim or scim.
    source: &'static str,
    /// How many are in it.
    users: i64,
    /// allowed, blocked or `not_allowed`.
    verdict: &'static str,
}

fn view(filters: &GroupFilters, job: Option<&Job>) -> Value {
    json!(FiltersView {
        allow: filters.allow.clone(),
        block: filters.block.clone(),
        case_sensitive: true,
        version: filters.version,
        applied_version: filters.applied_version,
        updated_at: filters.updated_at.map(format_time),
        job: job.map(jobs::view),
    })
}

/// Ruling 6: there is one way to search.
fn check_case(case_sensitive: Option<bool>) -> Result<()> {
    if case_sensitive == Some(false) {
        let rule = "patterns are case-sensitive; begin one with (?i) where it is not to be";
        return Err(Problem::field("case_sensitive", rule).into());
    }
    Ok(())
}

async fn read(call: Call) -> Answer {
    let filters = call.read(|conn, at| group_filters::find(conn, at.company()?.seq)).await?;
    Ok(versioned(&view(&filters, None), filters.version))
}

async fn save(call: Call) -> Answer {
    let (body, if_match): (NewFilters, _) = (call.json()?, call.if_match());
    check_case(body.case_sensitive)?;
    let NewFilters { allow, block, version, confirm_impact, .. } = body;
    let wanted = Wanted { allow, block };
    let asked = wanted.clone();
    call.read(move |conn, at| {
        group_filters::check_impact(conn, at.company()?, &asked, confirm_impact)
    })
    .await?;
    call.write(move |cx, at| {
        let check = |stored| match version {
            Some(version) if version != stored => Err(Code::PreconditionFailed.into()),
            _ => if_match.check(stored),
        };
        let by = (at.company()?, &at.actor());
        let (filters, job) = group_filters::save(cx, by, wanted, check)?;
        Ok(Reply::new(200, view(&filters, job.as_ref())).version(filters.version))
    })
    .await
}

async fn of_organization(_call: Call) -> Answer {
    let detail = "Group filters are the company's: /companies/{company}/sso/group-filters";
    Err(Problem::new(Code::CompanyLevelSetting, detail).into())
}

async fn preview(call: Call) -> Answer {
    let body: Trial = call.json()?;
    check_case(body.case_sensitive)?;
    let Trial { allow, block, groups, .. } = body;
    let most = usize::try_from(group_filters::MAX_PREVIEWED).unwrap_or_default();
    if groups.as_ref().is_some_and(|groups| groups.len() > most) {
        return Err(Problem::field("groups", format!("at most {most}")).into());
    }
    let source = if groups.is_some() { "supplied" } else { "synced" };
    let read = call.read(move |conn, at| {
        let (company, stored) = (at.company()?, group_filters::find(conn, at.company()?.seq)?);
        let wanted =
            Wanted { allow: allow.unwrap_or(stored.allow), block: block.unwrap_or(stored.block) };
        let preview = group_filters::preview(conn, company, wanted.clone(), groups)?;
        Ok(shown(source, &preview, &wanted))
    });
    Ok(ok(&read.await?))
}

fn shown(source: &'static str, preview: &Preview, wanted: &Wanted) -> Value {
    let result = |judged: &Judged| {
        let of = |list: &[String], at: Option<usize>| at.and_then(|at| list.get(at).cloned());
        let judgement = judged.judgement;
        ResultView {
            group: judged.name.clone(),
            verdict: judgement.verdict.name(),
            matched_allow: of(&wanted.allow, judgement.allow),
            matched_block: of(&wanted.block, judgement.block),
            teams: match (judgement.verdict == Verdict::Allowed, judged.has_team) {
                (true, true) => "would_be_kept",
                (true, false) => "would_be_added",
                (false, true) => "would_be_removed",
                (false, false) => "none",
            },
        }
    };
    let impact = preview.impact;
    json!(PreviewView {
        source,
        results: preview.groups.iter().map(result).collect(),
        impact: ImpactView {
            teams_added: impact.teams_added,
            teams_removed: impact.teams_removed,
            memberships_added: impact.memberships_added,
            memberships_removed: impact.memberships_removed,
            users_losing_all_teams: impact.users_losing_all_teams,
            users_losing_memberships: preview.users,
        },
    })
}

async fn groups(call: Call) -> Answer {
    let page = call.page()?;
    let from = place(&page.after).ok_or(Code::InvalidCursor)?;
    let limit = page.limit;
    let read = call.read(move |conn, at| {
        let company = at.company()?.seq;
        let (seen, next) = group_filters::seen(conn, company, (from, limit))?;
        let names: Vec<&str> = seen.iter().map(|seen| seen.name.as_str()).collect();
        let verdicts = group_filters::verdicts(conn, company, &names)?;
        let shown = |(seen, verdict): (&Seen, &Verdict)| SeenView {
            name: seen.name.clone(),
            last_seen_at: format_time(seen.last_seen_at),
            source: if seen.group.is_some() { "scim" } else { "claim" },
            users: seen.users,
            verdict: verdict.name(),
        };
        let data: Vec<SeenView> = seen.iter().zip(&verdicts).map(shown).collect();
        let next = next.map(cursor);
        Ok(json!({"data": data, "page": {"next_cursor": next, "limit": limit}}))
    });
    Ok(ok(&read.await?))
}

fn cursor(place: SeenPlace) -> String {
    match place {
        SeenPlace::Directory(after) => format!("scim-{after}"),
        SeenPlace::Claimed(skip) => format!("claim-{skip}"),
    }
}

/// The other way round; `None` for what is no cursor of ours.
fn place(cursor: &str) -> Option<SeenPlace> {
    if cursor.is_empty() {
        return Some(SeenPlace::Directory(0));
    }
    let (kind, number) = cursor.split_once('-')?;
    let number = number.parse().ok().filter(|number| *number >= 0)?;
    match kind {
        "scim" => Some(SeenPlace::Directory(number)),
        "claim" => Some(SeenPlace::Claimed(number)),
        _ => None,
    }
}
