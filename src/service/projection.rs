//! Team sync: what login, switch, SCIM event and resync do about teams. Loads what the one rule
//! (`domain::projection`) wants to know, by a number of statements that does not depend on how many users
//! and organizations there are, and stores what it says.

mod glance;
mod hook;
mod store;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::db::projection::{Gate, Person, Place};
use crate::db::{self, DbConn};
use crate::domain::company::TeamSyncMode;
use crate::domain::event::Actor;
use crate::domain::group_filter;
use crate::domain::id::CompanySeq;
use crate::domain::job::{Kind, Work};
use crate::domain::lifecycle::Happening;
use crate::domain::organization::OrganizationSeq;
use crate::domain::problem::Code;
pub use crate::domain::projection::Impact;
use crate::domain::projection::{
    self, Entry, Held, Mode, Outcome, Reach, Reason, Seen, SeenGroup, Source, Standing, Trigger,
};
use crate::domain::role::Role;
use crate::domain::team_mapping::TeamMapping;
use crate::domain::user::Origin;

use super::error::Result;
use super::{Cx, group_filters, jobs};

pub use glance::{Glance, glance};
pub use hook::{Follow, group_removed, group_renamed, groups_created, open};

/// Most users of one slice: those of a change are projected in its own transaction.
pub const SLICE: usize = 500;

/// What sets a sync off, for whom, and where.
#[derive(Debug, Clone, Copy)]
struct Run<'r> {
    company: CompanySeq,
    actor: &'r Actor,
    trigger: Trigger,
    reach: Reach,
}

/// Keeps what a login says of groups, and decides by it whether the user may sign in: in mapping mode a
/// mapped group is needed (row 160), with teams given by hand a team (row 176). Ends a deactivation for lack
/// of a mapped group where one returns (row 169), so it comes before the lifecycle. Says why the login is refused;
/// what was found out is stored none the less.
///
/// The caller commits also where it is refused: a login without any mapped group deactivates (row 167).
///
/// # Errors
/// The database's.
pub fn admit(
    cx: &mut Cx<'_>,
    company: CompanySeq,
    user: i64,
    claim: Option<&[String]>,
) -> Result<Option<Code>> {
    db::user_claims::keep(cx.conn, company, user, (claim, cx.now))?;
    let names: Vec<&str> = claim.unwrap_or_default().iter().map(String::as_str).collect();
    db::claimed_groups::see(cx.conn, company, &names, cx.now)?;
    let Some(gate) = db::projection::gate(cx.conn, company)? else { return Ok(None) };
    let mapping = gate.settings.team_sync_mode == TeamSyncMode::Mapping;
    if !mapping && !gate.settings.product_mapping_enabled {
        return Ok(None);
    }
    let actor = Actor::System;
    let run = Run { company, actor: &actor, trigger: Trigger::Login, reach: Reach::All };
    let mut all = load(cx.conn, &run, &gate, &[user])?;
    let Some(one) = all.first_mut() else { return Ok(None) };
    let refused = refusal(cx.conn, (company, &gate), one)?;
    if !mapping {
        return Ok(refused);
    }
    if refused.is_none() {
        // Teams follow in the organization that the login leads to; here it is only decided which may
        // be entered.
        one.places.iter_mut().for_each(|place| place.outcome.leave_teams());
    }
    store::store(cx, &run, &all)?;
    Ok(refused)
}

/// Why the company's groups or teams let nobody in who is like this.
fn refusal(
    conn: &mut DbConn,
    (company, gate): (CompanySeq, &Gate),
    one: &Decided,
) -> Result<Option<Code>> {
    let mapping = gate.settings.team_sync_mode == TeamSyncMode::Mapping;
    if one.admin || mapping && !one.mapped.is_empty() {
        return Ok(None);
    }
    if gate.settings.product_mapping_enabled {
        let has = db::user_claims::has_team(conn, company, one.person.seq)?;
        return Ok((!has).then_some(Code::AwaitingTeamAssignment));
    }
    Ok(mapping.then_some(Code::NoMappedGroup))
}

/// Brings a user's teams in the organization that a login leads to up to date (row 75), by the groups of the
/// claim that [`admit`] has kept, or by the directory's where that describes the user (ruling 8).
///
/// # Errors
/// The database's.
pub fn at_login(
    cx: &mut Cx<'_>,
    company: CompanySeq,
    organization: OrganizationSeq,
    user_seq: i64,
) -> Result<Impact> {
    enter(cx, company, (organization, user_seq), Trigger::Login)
}

/// The same where a session goes to another organization (row 76): by the groups of the last login.
///
/// # Errors
/// The database's.
pub fn at_switch(
    cx: &mut Cx<'_>,
    company: CompanySeq,
    organization: OrganizationSeq,
    user_seq: i64,
) -> Result<Impact> {
    enter(cx, company, (organization, user_seq), Trigger::Switch)
}

fn enter(
    cx: &mut Cx<'_>,
    company: CompanySeq,
    (organization, user): (OrganizationSeq, i64),
    trigger: Trigger,
) -> Result<Impact> {
    let (actor, reach) = (Actor::System, Reach::One(organization));
    run(cx, &Run { company, actor: &actor, trigger, reach }, &[user])
}

/// Brings the teams of these users up to date in every organization that they may enter, as far as the
/// directory describes them: who comes by claims follows at the next login or switch (ruling 8).
///
/// # Errors
/// The database's.
pub fn project_users(cx: &mut Cx<'_>, company: CompanySeq, users: &[i64]) -> Result<Impact> {
    let actor = Actor::System;
    let job = Run { company, actor: &actor, trigger: Trigger::Resync, reach: Reach::All };
    run(cx, &job, users)
}

/// Brings those up to date whom the directory describes and who are in groups whose mapping changed; in
/// filter mode there is nothing to do.
///
/// # Errors
/// The database's.
pub fn mapping_changed(
    cx: &mut Cx<'_>,
    (company, actor): (CompanySeq, &Actor),
    groups: &[i64],
) -> Result<()> {
    let Some(gate) = db::projection::gate(cx.conn, company)? else { return Ok(()) };
    if gate.settings.team_sync_mode != TeamSyncMode::Mapping || groups.is_empty() {
        return Ok(());
    }
    let users = db::members::users_below(cx.conn, company, groups)?;
    if users.len() > SLICE {
        // No request waits behind so many.
        return jobs::enqueue(cx, (company, actor), Kind::TeamSync, Work::on(users)).map(drop);
    }
    project_users(cx, company, &users).map(drop)
}

fn run(cx: &mut Cx<'_>, run: &Run<'_>, users: &[i64]) -> Result<Impact> {
    match db::projection::gate(cx.conn, run.company)? {
        Some(gate) => run_behind(cx, run, &gate, users),
        None => Ok(Impact::default()),
    }
}

/// The same for a company that is known to have an organization.
fn run_behind(cx: &mut Cx<'_>, run: &Run<'_>, gate: &Gate, users: &[i64]) -> Result<Impact> {
    let mut impact = Impact::default();
    for slice in users.chunks(SLICE) {
        let all = load(cx.conn, run, gate, slice)?;
        impact.add(store::store(cx, run, &all)?);
    }
    Ok(impact)
}

/// A user with what the rule says of them in each organization.
#[derive(Debug)]
struct Decided {
    person: Person,
    source: Source,
    seen: Seen,
    /// Mappings, of whatever organization, that name a group of the user; mapping mode alone.
    mapped: Vec<TeamMapping>,
    /// Whether the user is without a mapped group in all the company; `None`: it is not for this sync to say.
    unmapped: Option<bool>,
    /// Whether the user is an admin somewhere: whom no mapping keeps out (row 163).
    admin: bool,
    places: Vec<AtPlace>,
}

/// A user at an organization.
#[derive(Debug)]
struct AtPlace {
    place: Place,
    standing: Standing,
    outcome: Outcome,
    held: Vec<Held>,
}

/// What the company's group filters say of a name.
type Verdict = Box<dyn Fn(&str) -> Option<Reason>>;

/// The company's group filters: the one place where they are loaded for team sync.
fn filter(conn: &mut DbConn, company: CompanySeq) -> Result<Verdict> {
    let matcher = group_filters::matcher(conn, company)?;
    Ok(Box::new(move |name| match matcher.verdict(name) {
        group_filter::Verdict::Allowed => None,
        group_filter::Verdict::Blocked => Some(Reason::Blocked),
        group_filter::Verdict::NotAllowed => Some(Reason::NotAllowed),
    }))
}

/// What users and organizations are to each other.
type Entries = HashMap<i64, Vec<(Place, Option<Entry>)>>;

/// Asks all that the rule wants to know of these users, whom nobody else changes meanwhile, and asks the rule.
fn load(conn: &mut DbConn, run: &Run<'_>, gate: &Gate, users: &[i64]) -> Result<Vec<Decided>> {
    let lock = true;
    look(conn, run, gate, (users, lock))
}

/// The same, of users who are kept from other writers where `lock` says so.
fn look(
    conn: &mut DbConn,
    run: &Run<'_>,
    gate: &Gate,
    (users, lock): (&[i64], bool),
) -> Result<Vec<Decided>> {
    let mapping = gate.settings.team_sync_mode == TeamSyncMode::Mapping;
    let entries = db::projection::entries(conn, run.company, users)?;
    let automatic = db::projection::automatic(conn, run.company)?;
    // Of whom signs in it may be asked what they are, though they may enter nowhere.
    let nowhere = entries.is_empty() && automatic.is_empty();
    if nowhere && !mapping && run.trigger != Trigger::Login {
        return Ok(Vec::new());
    }
    let people = relevant(run, gate, db::projection::people(conn, run.company, users, lock)?);
    let mut places = entered(entries, &automatic, users);
    let mut seen = seen(conn, run.company, gate, &people)?;
    let mappings = if mapping { mappings(conn, run, &seen)? } else { Vec::new() };
    add_mapped(conn, run.company, (&people, &seen), &mappings, &mut places)?;
    let admins = admins(&people, &places);
    if let Reach::One(organization) = run.reach {
        places.values_mut().for_each(|all| all.retain(|(place, _)| place.seq == organization));
    }
    places.retain(|_, all| !all.is_empty());
    let with_mapping = if mapping { with_mapping(conn, run.company, &places)? } else { Vec::new() };
    let any = mapping && db::team_mappings::any(conn, run.company)?;
    let mut held =
        if places.is_empty() { HashMap::new() } else { held(conn, run.company, &people)? };
    let verdict = filter(conn, run.company)?;
    let mut out = Vec::with_capacity(people.len());
    for person in people {
        let (source, seen) = seen.remove(&person.seq).unwrap_or((Source::Claims, Seen::Absent));
        let mut one = Decided {
            mapped: naming(&mappings, &seen),
            unmapped: None,
            admin: admins.contains(&person.seq),
            places: Vec::new(),
            person,
            source,
            seen,
        };
        for (place, entry) in places.remove(&one.person.seq).unwrap_or_default() {
            let there = held.remove(&(one.person.seq, place.seq)).unwrap_or_default();
            let mode = match mapping {
                false => Mode::Filters(&*verdict),
                true => Mode::Mapping {
                    mappings: &in_place(&one.mapped, place.seq),
                    any: with_mapping.contains(&place.seq),
                },
            };
            let standing = standing(&one.person, &place, entry);
            let outcome = projection::project(&standing, mode, (one.source, &one.seen), &there);
            one.places.push(AtPlace { place, standing, outcome, held: there });
        }
        one.unmapped = match mapping {
            false => Some(false),
            true => projection::is_unmapped(&one.seen, &one.mapped, any, one.admin),
        };
        out.push(one);
    }
    Ok(out)
}

/// The memberships in teams that these people have, by user and organization.
fn held(
    conn: &mut DbConn,
    company: CompanySeq,
    people: &[Person],
) -> Result<HashMap<(i64, OrganizationSeq), Vec<Held>>> {
    let mut out: HashMap<_, Vec<Held>> = HashMap::new();
    let seqs: Vec<i64> = people.iter().map(|person| person.seq).collect();
    if !seqs.is_empty() {
        for (user, organization, one) in db::team_members::of_users(conn, company, &seqs)? {
            out.entry((user, organization)).or_default().push(one);
        }
    }
    Ok(out)
}

/// The organizations of each user: those with a row of theirs, and those that let everybody in.
fn entered(rows: Vec<(i64, Place, Entry)>, automatic: &[Place], users: &[i64]) -> Entries {
    let mut out: Entries = HashMap::new();
    for (user, place, entry) in rows {
        out.entry(user).or_default().push((place, Some(entry)));
    }
    for user in users {
        let all = out.entry(*user).or_default();
        let mine: BTreeSet<OrganizationSeq> = all.iter().map(|(place, _)| place.seq).collect();
        let others = automatic.iter().filter(|place| !mine.contains(&place.seq));
        all.extend(others.map(|place| (place.clone(), None)));
    }
    out
}

/// Who of these is an account admin, or an admin in whatever organization.
fn admins(people: &[Person], places: &Entries) -> BTreeSet<i64> {
    let rules = |(_, entry): &(Place, Option<Entry>)| entry.is_some_and(|e| e.role == Role::Admin);
    let somewhere = places.iter().filter(|(_, all)| all.iter().any(rules)).map(|(user, _)| *user);
    let of_account = people.iter().filter(|person| person.account_admin).map(|person| person.seq);
    somewhere.chain(of_account).collect()
}

/// Of a change of the directory, those whom it describes: the others' rows came from claims.
fn relevant(run: &Run<'_>, gate: &Gate, people: Vec<Person>) -> Vec<Person> {
    let by_directory = |person: &Person| source(person, gate) == Source::Directory;
    match run.trigger {
        Trigger::Login | Trigger::Switch => people,
        Trigger::Scim | Trigger::Resync => people.into_iter().filter(by_directory).collect(),
    }
}

fn source(person: &Person, gate: &Gate) -> Source {
    Source::of(person.origin == Origin::Directory, gate.has_groups)
}

/// The groups of each user, by who describes them.
fn seen(
    conn: &mut DbConn,
    company: CompanySeq,
    gate: &Gate,
    people: &[Person],
) -> Result<HashMap<i64, (Source, Seen)>> {
    let described = people.iter().filter(|person| source(person, gate) == Source::Directory);
    let described: Vec<i64> = described.map(|person| person.seq).collect();
    let mut groups = db::users::groups_of(conn, company, &described)?;
    let mut out = HashMap::with_capacity(people.len());
    for person in people {
        let seen = match source(person, gate) {
            Source::Claims => Seen::claim(person.claim.as_deref()),
            Source::Directory => {
                let mine = groups.remove(&person.seq).unwrap_or_default().into_iter();
                let group = |g: crate::domain::group::GroupRef| SeenGroup {
                    name: g.display_name,
                    group: Some(g.seq),
                };
                Seen::Groups(mine.map(group).collect())
            }
        };
        out.insert(person.seq, (source(person, gate), seen));
    }
    Ok(out)
}

/// The names of the groups that a user is in by now, by who describes them; `None` where that is not known.
///
/// # Errors
/// The database's.
pub fn names_now(
    conn: &mut DbConn,
    company: CompanySeq,
    user: i64,
) -> Result<Option<BTreeSet<String>>> {
    let Some(gate) = db::projection::gate(conn, company)? else { return Ok(None) };
    let lock = false;
    let people = db::projection::people(conn, company, &[user], lock)?;
    Ok(match seen(conn, company, &gate, &people)?.remove(&user) {
        Some((_, Seen::Groups(groups))) => Some(groups.into_iter().map(|g| g.name).collect()),
        Some((_, Seen::Absent)) | None => None,
    })
}

/// All mappings of the company that name a group of these users.
fn mappings(
    conn: &mut DbConn,
    run: &Run<'_>,
    seen: &HashMap<i64, (Source, Seen)>,
) -> Result<Vec<TeamMapping>> {
    let (mut names, mut groups) = (BTreeSet::new(), BTreeSet::new());
    for (_, seen) in seen.values() {
        let Seen::Groups(all) = seen else { continue };
        for group in all {
            match group.group {
                Some(seq) => drop(groups.insert(seq)),
                None => drop(names.insert(group.name.as_str())),
            }
        }
    }
    let (names, groups): (Vec<&str>, Vec<i64>) =
        (names.into_iter().collect(), groups.into_iter().collect());
    Ok(db::team_mappings::naming(conn, run.company, (&names, &groups))?)
}

fn naming(mappings: &[TeamMapping], seen: &Seen) -> Vec<TeamMapping> {
    let Seen::Groups(groups) = seen else { return Vec::new() };
    let names = |mapping: &&TeamMapping| groups.iter().any(|group| mapping.names(group));
    mappings.iter().filter(names).cloned().collect()
}

fn in_place(mappings: &[TeamMapping], organization: OrganizationSeq) -> Vec<TeamMapping> {
    mappings.iter().filter(|mapping| mapping.organization == organization).cloned().collect()
}

/// Adds the organizations that a mapping assigns users to.
fn add_mapped(
    conn: &mut DbConn,
    company: CompanySeq,
    (people, seen): (&[Person], &HashMap<i64, (Source, Seen)>),
    mappings: &[TeamMapping],
    places: &mut Entries,
) -> Result<()> {
    if mappings.is_empty() {
        return Ok(());
    }
    let seqs: BTreeSet<i64> = mappings.iter().map(|mapping| mapping.organization.0).collect();
    let seqs: Vec<i64> = seqs.into_iter().collect();
    let found = db::projection::places(conn, company, &seqs)?;
    let found: BTreeMap<OrganizationSeq, Place> =
        found.into_iter().map(|place| (place.seq, place)).collect();
    for person in people {
        let Some((_, seen)) = seen.get(&person.seq) else { continue };
        let all = places.entry(person.seq).or_default();
        for mapping in naming(mappings, seen) {
            let known = all.iter().any(|(place, _)| place.seq == mapping.organization);
            if let (false, Some(place)) = (known, found.get(&mapping.organization)) {
                all.push((place.clone(), None));
            }
        }
    }
    Ok(())
}

/// Those of these organizations that map groups at all.
fn with_mapping(
    conn: &mut DbConn,
    company: CompanySeq,
    places: &Entries,
) -> Result<Vec<OrganizationSeq>> {
    let all = places.values().flatten().map(|(place, _)| place.seq.0);
    let all: Vec<i64> = all.collect::<BTreeSet<i64>>().into_iter().collect();
    Ok(db::team_mappings::organizations(conn, company, &all)?)
}

fn standing(person: &Person, place: &Place, entry: Option<Entry>) -> Standing {
    let causes = person.causes;
    let admin = person.account_admin || entry.is_some_and(|entry| entry.role == Role::Admin);
    Standing {
        entry,
        automatic: place.automatic,
        by_sso: causes.activated_at.is_some() && person.came_to(place.seq),
        deactivated: causes.admin_deactivated || !causes.active,
        admin,
    }
}

/// What happens to a user's status.
fn happening(one: &Decided) -> Option<Happening> {
    let unmapped = one.unmapped.filter(|unmapped| *unmapped != one.person.causes.unmapped)?;
    Some(Happening::Unmapped(unmapped))
}
