//! Group filters: read, tried out, and changed; a job brings the change to the teams (ruling 8).

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use moka::sync::Cache;
use serde_json::{Value, json};

pub use crate::db::claimed_groups::Seen;
use crate::db::{self, DbConn};
use crate::domain::company::{Company, TeamSyncMode};
use crate::domain::event::{Action, Actor};
use crate::domain::group_filter::{Fault, GroupFilters, Judgement, Matcher, Verdict};
use crate::domain::id::CompanySeq;
use crate::domain::job::{Job, Kind, Work};
use crate::domain::problem::{Code, Problem};
use crate::domain::projection::Impact;

use super::error::Result;
use super::{Cx, events, jobs};

/// Most groups that a preview judges.
pub const MAX_PREVIEWED: i64 = 10_000;
/// Compiled filters that are kept.
const KEPT: u64 = 256;

/// Patterns as the cache knows them: what compiles from them depends on nothing else.
type Patterns = (Vec<String>, Vec<String>);

static COMPILED: LazyLock<Cache<Patterns, Arc<Matcher>>> =
    LazyLock::new(|| Cache::builder().max_capacity(KEPT).build());

/// The company's filters.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, company: CompanySeq) -> Result<GroupFilters> {
    Ok(db::group_filters::find(conn, company)?)
}

/// The company's filters, ready to judge; compiled once, not for each who asks.
///
/// # Errors
/// The database's.
pub fn matcher(conn: &mut DbConn, company: CompanySeq) -> Result<Arc<Matcher>> {
    let filters = find(conn, company)?;
    compiled(filters.allow, filters.block)
}

fn compiled(allow: Vec<String>, block: Vec<String>) -> Result<Arc<Matcher>> {
    let key = (allow, block);
    if let Some(known) = COMPILED.get(&key) {
        return Ok(known);
    }
    let made = Arc::new(Matcher::new(&key.0, &key.1).map_err(|fault| refusal(&fault))?);
    COMPILED.insert(key, Arc::clone(&made));
    Ok(made)
}

/// A fault of the patterns in the words of the management API (row 90).
fn refusal(fault: &Fault) -> Problem {
    let Some((list, at)) = fault.place() else {
        return Problem::field("allow", fault.to_string());
    };
    let mut problem = Problem::field(&format!("{}[{at}]", list.name()), fault.to_string());
    problem.code = Code::InvalidRegex;
    problem.with("pattern", json!({"list": list.name(), "index": at, "hint": fault.hint()}))
}

/// Patterns that somebody tries out or wants to store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The allow list.
    pub allow: Vec<String>,
    /// The block list.
    pub block: Vec<String>,
}

/// A group with what the filters say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Its name.
    pub name: String,
    /// The verdict, with the patterns that led to it.
    pub judgement: Judgement,
    /// Whether it has a team now.
    pub has_team: bool,
}

/// What filters would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// Each group with its verdict.
    pub groups: Vec<Judged>,
    /// What would become of the teams.
    pub impact: Impact,
    /// How many people would lose a membership.
    pub users: i64,
}

/// Tries filters out on the groups of these names, or on all that were ever seen. Nothing is written.
///
/// # Errors
/// 422 `invalid_regex`.
pub fn preview(
    conn: &mut DbConn,
    company: &Company,
    wanted: Wanted,
    names: Option<Vec<String>>,
) -> Result<Preview> {
    let matcher = compiled(wanted.allow, wanted.block)?;
    let names = match names {
        Some(names) => names,
        None => names_seen(conn, company.seq)?,
    };
    let (impact, users) = impact(conn, company, &matcher)?;
    let teams = db::impact::idp_teams(conn, company.seq)?;
    let teams: HashSet<&str> = teams.iter().map(|team| team.name.as_str()).collect();
    let judge = |name: String| {
        let (judgement, has_team) = (matcher.judge(&name), teams.contains(name.as_str()));
        Judged { name, judgement, has_team }
    };
    Ok(Preview { groups: names.into_iter().map(judge).collect(), impact, users })
}

/// The names of all groups that were ever seen, each once, the directory's first (row 30).
fn names_seen(conn: &mut DbConn, company: CompanySeq) -> Result<Vec<String>> {
    let mut names = db::claimed_groups::directory(conn, company, (0, MAX_PREVIEWED))?;
    names.extend(db::claimed_groups::claimed(conn, company, (0, MAX_PREVIEWED))?);
    let mut once = HashSet::new();
    let names = names.into_iter().map(|seen| seen.name);
    let names = names.filter(|name| once.insert(name.clone()));
    Ok(names.take(usize::try_from(MAX_PREVIEWED).unwrap_or_default()).collect())
}

/// What filters would come to, and how many people would lose a membership: of claims what the next
/// logins take, of the directory's groups what the job takes and gives.
///
/// # Errors
/// The database's.
pub fn impact(conn: &mut DbConn, company: &Company, new: &Matcher) -> Result<(Impact, i64)> {
    if company.settings.team_sync_mode == TeamSyncMode::Mapping {
        // Names do not matter there.
        return Ok(Default::default());
    }
    let teams = db::impact::idp_teams(conn, company.seq)?;
    let going = teams.iter().filter(|team| !new.lets_through(&team.name));
    let going: Vec<i64> = going.map(|team| team.seq).collect();
    let loss = db::impact::loss(conn, company.seq, &going)?;
    let old = matcher(conn, company.seq)?;
    let groups = db::claimed_groups::directory(conn, company.seq, (0, i64::MAX))?;
    let coming =
        groups.iter().filter(|seen| new.lets_through(&seen.name) && !old.lets_through(&seen.name));
    let coming: Vec<i64> = coming.filter_map(|seen| seen.group).collect();
    let gain = db::impact::gain(conn, company.seq, &coming)?;
    let there: HashSet<(i64, i64)> =
        teams.iter().filter_map(|team| Some((team.group?, team.organization))).collect();
    let made = gain.iter().filter(|(group, at, _)| !there.contains(&(*group, *at))).count();
    let impact = Impact {
        teams_added: count(made),
        teams_removed: count(going.len()),
        memberships_added: gain.iter().map(|(_, _, users)| users).sum(),
        memberships_removed: loss.memberships,
        users_losing_all_teams: loss.left_without,
    };
    Ok((impact, loss.users))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Refuses filters where SSO is not the company's (rows 59 and 83); without any connection they may be set
/// up before it.
///
/// # Errors
/// 409 `company_sso_required`.
pub fn check_connection(conn: &mut DbConn, company: CompanySeq) -> Result<()> {
    let which = db::connections::which(conn, company)?;
    if which.legacy && !which.of_company {
        return Err(Code::CompanySsoRequired.into());
    }
    Ok(())
}

/// Refuses a change that takes teams from more people than the company's setting says, unless it is
/// confirmed. Asked before the change, where reading takes nobody's turn to write.
///
/// # Errors
/// 422 `invalid_regex`; 409 `company_sso_required`; 409 `impact_confirmation_required` with the impact.
pub fn check_impact(
    conn: &mut DbConn,
    company: &Company,
    wanted: &Wanted,
    confirmed: bool,
) -> Result<()> {
    check_connection(conn, company.seq)?;
    let new = compiled(wanted.allow.clone(), wanted.block.clone())?;
    if confirmed {
        return Ok(());
    }
    let (impact, users) = impact(conn, company, &new)?;
    let most = company.confirm_impact_above();
    if users <= most {
        return Ok(());
    }
    let detail = format!(
        "{users} people would lose a team membership, more than {most}: send confirm_impact where that \
         is meant"
    );
    let problem = Problem::new(Code::ImpactConfirmationRequired, detail);
    Err(problem.with("impact", shown(&impact, users)).into())
}

/// An impact as answers show it.
pub fn shown(impact: &Impact, users: i64) -> Value {
    let mut shown = json!(impact);
    shown["users_losing_memberships"] = Value::from(users);
    shown
}

/// Stores filters, and has a job bring them to the teams; without one where nothing changes.
///
/// # Errors
/// 422 `invalid_regex`; 409 `company_sso_required`; 412 `precondition_failed` where `check` says that the
/// stored version is not the one that the caller knows.
pub fn save(
    cx: &mut Cx<'_>,
    (company, actor): (&Company, &Actor),
    wanted: Wanted,
    check: impl FnOnce(i64) -> Result<()>,
) -> Result<(GroupFilters, Option<Job>)> {
    compiled(wanted.allow.clone(), wanted.block.clone())?;
    db::companies::lock(cx.conn, company.seq)?;
    check_connection(cx.conn, company.seq)?;
    let mut filters = find(cx.conn, company.seq)?;
    check(filters.version)?;
    let before = json!({"allow": filters.allow, "block": filters.block});
    let after = json!({"allow": wanted.allow, "block": wanted.block});
    if before == after {
        return Ok((filters, None));
    }
    filters.allow = wanted.allow;
    filters.block = wanted.block;
    filters.version += 1;
    filters.updated_at = Some(cx.now);
    db::group_filters::save(cx.conn, company.seq, &filters)?;
    let detail = json!({"before": before, "after": after, "version": filters.version});
    let what = (Action::FiltersChanged, company.id.as_str());
    events::record(cx, company.seq, actor, what, detail)?;
    let work = Work { filters: Some(filters.version), ..Work::everybody() };
    let job = jobs::enqueue(cx, (company.seq, actor), Kind::GroupFilters, work)?;
    Ok((filters, Some(job)))
}

/// What the company's filters say of groups of these names.
///
/// # Errors
/// The database's.
pub fn verdicts(conn: &mut DbConn, company: CompanySeq, names: &[&str]) -> Result<Vec<Verdict>> {
    let matcher = matcher(conn, company)?;
    Ok(names.iter().map(|name| matcher.verdict(name)).collect())
}

/// Where a page of all groups that were ever seen begins: the directory's come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenPlace {
    /// Behind the directory's group with this storage key.
    Directory(i64),
    /// Behind so many of those that logins have named.
    Claimed(i64),
}

/// A page of all groups that were ever seen, and where the next begins.
///
/// # Errors
/// The database's.
pub fn seen(
    conn: &mut DbConn,
    company: CompanySeq,
    (from, limit): (SeenPlace, i64),
) -> Result<(Vec<Seen>, Option<SeenPlace>)> {
    let full = |groups: &[Seen]| count(groups.len()) >= limit;
    let (mut all, skip) = match from {
        SeenPlace::Directory(after) => {
            (db::claimed_groups::directory(conn, company, (after, limit))?, 0)
        }
        SeenPlace::Claimed(skip) => (Vec::new(), skip),
    };
    if full(&all) {
        let last = all.last().and_then(|seen| seen.group);
        return Ok((all, last.map(SeenPlace::Directory)));
    }
    let room = limit - count(all.len());
    let claimed = db::claimed_groups::claimed(conn, company, (skip, room))?;
    let next = skip + count(claimed.len());
    all.extend(claimed);
    let more = full(&all).then_some(SeenPlace::Claimed(next));
    Ok((all, more))
}
