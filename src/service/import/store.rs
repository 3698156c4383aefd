//! The units of work of an import: one batch each, whole or not at all.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::db;
use crate::db::import::Holder;
use crate::domain::group::{Group, MemberKey};
use crate::domain::user::User;
use crate::scim::ResourceType;

use super::super::error::{Error, Result};
use super::super::groups::load as group_load;
use super::super::users::{NewUser, load};
use super::super::{Cx, Directory};
use super::line::{FileId, GroupLine, Meant, Members, UserLine};
use super::taken::{Match, Owner, Taken};
use super::{BadLine, LeftOut, Tally};

/// What an import knows beyond the batch in hand.
#[derive(Debug, Default)]
pub struct Known {
    /// Whom the ids of the file mean.
    pub ids: HashMap<FileId, Meant>,
    /// Which line each user was stored from: a second line about the same one is refused, since the
    /// result would depend on their order and every run would change something.
    pub users: HashMap<i64, u64>,
    /// The same of groups.
    pub groups: HashMap<i64, u64>,
    /// The storage keys of the groups' lines, as far as they are stored.
    pub places: HashMap<usize, i64>,
    /// Groups that were made before all their members were there: the second time is no change.
    made: HashSet<usize>,
}

impl Known {
    /// Adds what a batch has found out, once it is committed.
    pub fn learn(&mut self, batch: Self) {
        self.ids.extend(batch.ids);
        self.users.extend(batch.users);
        self.groups.extend(batch.groups);
        self.places.extend(batch.places);
        self.made.extend(batch.made);
    }
}

/// Why a line is bad whose `id` stands in another one.
pub const SAME_ID: &str = "another line has the same id";

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Done {
    /// Lines that could not be stored.
    pub bad: Vec<BadLine>,
    /// What was passed over in lines that were stored.
    pub left_out: Vec<LeftOut>,
    /// How many were made, changed and found as they should be.
    pub tally: Tally,
    /// Groups of which a member is a group that was not stored yet.
    pub waiting: Vec<usize>,
    /// What is known from here on, if the batch is committed.
    pub learned: Known,
}

impl Done {
    /// Counts an update, or notes why it could not be; an error that is nobody's input ends the batch.
    fn note(&mut self, number: u64, result: Result<bool>) -> Result<bool> {
        match result {
            Ok(changed) => {
                let count =
                    if changed { &mut self.tally.changed } else { &mut self.tally.unchanged };
                *count += 1;
                Ok(true)
            }
            Err(Error::Scim(error)) => {
                self.bad.push(BadLine::new(number, error.to_string()));
                Ok(false)
            }
            Err(other) => Err(other),
        }
    }
}

/// A batch on its way: whom its lines mean, and what is to be stored at its end.
struct Work<'w, T, N> {
    directory: &'w Directory,
    known: &'w Known,
    holders: Vec<Holder<T>>,
    taken: Taken,
    done: Done,
    new: Vec<N>,
    stored: HashMap<i64, u64>,
}

impl<'w, T, N> Work<'w, T, N> {
    fn new(directory: &'w Directory, known: &'w Known, holders: Vec<Holder<T>>) -> Self {
        let mut taken = Taken::default();
        for (place, holder) in holders.iter().enumerate() {
            taken.put(&holder.name_key, holder.external_id.as_deref(), Owner::Stored(place));
        }
        let (done, new, stored) = (Done::default(), Vec::new(), HashMap::new());
        Self { directory, known, holders, taken, done, new, stored }
    }

    fn refuse(&mut self, number: u64, why: impl Into<String>) {
        self.done.bad.push(BadLine::new(number, why.into()));
    }

    /// Finds out whom a line is about. The names of a new one are taken from here on.
    fn claim(&mut self, number: u64, name_key: &str, external_id: Option<&str>) -> Claim {
        match self.taken.find(name_key, external_id) {
            Match::Nobody => {
                self.taken.put(name_key, external_id, Owner::Line(number));
                Claim::New
            }
            Match::One(Owner::Stored(place)) => Claim::Stored(place),
            Match::One(Owner::Line(line)) => {
                self.refuse(number, twice(line));
                Claim::Bad
            }
            Match::Two => {
                self.refuse(number, TWO);
                Claim::Bad
            }
        }
    }

    /// Notes that a stored resource has another name or external id now.
    fn renamed(&mut self, place: usize, (name_key, external_id): &(String, Option<String>)) {
        if let Some(holder) = self.holders.get(place) {
            self.taken.free(&holder.name_key, holder.external_id.as_deref());
        }
        self.taken.put(name_key, external_id.as_deref(), Owner::Stored(place));
    }

    /// Whether no other line was about a stored resource before this one; notes it where one was.
    fn is_first(&mut self, number: u64, earlier: Option<u64>, seq: i64) -> bool {
        let line = earlier.or_else(|| self.stored.get(&seq).copied());
        match line.filter(|line| *line != number) {
            None => true,
            Some(line) => {
                self.refuse(number, twice(line));
                false
            }
        }
    }

    fn left_out(&mut self, line: u64, names: impl IntoIterator<Item = String>) {
        self.done.left_out.extend(names.into_iter().map(|name| LeftOut { line, name }));
    }
}

/// Whom a line is about.
enum Claim {
    /// Nobody that is there.
    New,
    /// The stored resource at this place among the holders.
    Stored(usize),
    /// It is noted why it cannot be said.
    Bad,
}

fn twice(earlier: u64) -> String {
    format!("line {earlier} is about the same resource")
}

const TWO: &str = "one resource has this name, and another one this externalId";

type UserToStore<'l> = (&'l NewUser, u64, Option<FileId>);

/// Stores the users of a batch: one look-up for all, one insert for those who are new, and the
/// ordinary way of a change for those who are there and differ. `strict`: to the first bad line.
pub fn users(
    cx: &mut Cx<'_>,
    directory: &Directory,
    known: &Mutex<Known>,
    (lines, strict): (&[UserLine], bool),
) -> Result<Done> {
    let known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let holders = {
        let names: Vec<&str> = lines.iter().map(|l| l.new.name_key()).collect();
        let ids: Vec<&str> = lines.iter().filter_map(|l| l.new.external_id()).collect();
        db::import::users_with(cx.conn, directory.company, &names, &ids)?
    };
    let mut work: Work<'_, User, UserToStore<'_>> = Work::new(directory, &known, holders);
    let mut ids: HashMap<FileId, i64> = HashMap::new();
    let mut seen = HashSet::new();
    for line in lines {
        if strict && !work.done.bad.is_empty() {
            break;
        }
        let (number, id) = (line.number, line.id);
        if id.is_some_and(|id| work.known.ids.contains_key(&id) || seen.contains(&id)) {
            work.refuse(number, SAME_ID);
            continue;
        }
        match user(cx, &mut work, line)? {
            Outcome::Bad => continue,
            Outcome::New => {}
            Outcome::Stored(seq) => ids.extend(id.map(|id| (id, seq))),
        }
        seen.extend(id);
        work.left_out(number, line.left_out.iter().cloned());
    }
    let Work { mut done, new, mut stored, .. } = work;
    let users: Vec<&NewUser> = new.iter().map(|(new, ..)| *new).collect();
    let seqs = load::insert_all(cx, directory, &users)?;
    done.tally.created += seqs.len() as u64;
    for (seq, (_, number, id)) in seqs.into_iter().zip(&new) {
        stored.insert(seq, *number);
        ids.extend(id.map(|id| (id, seq)));
    }
    let ids = ids.into_iter().map(|(id, seq)| (id, Meant::User(seq))).collect();
    done.learned = Known { users: stored, ids, ..Known::default() };
    Ok(done)
}

/// What became of a line.
enum Outcome {
    /// It is noted why not.
    Bad,
    /// It is stored at the end of the batch.
    New,
    /// It is this resource.
    Stored(i64),
}

fn user<'l>(
    cx: &mut Cx<'_>,
    work: &mut Work<'_, User, UserToStore<'l>>,
    line: &'l UserLine,
) -> Result<Outcome> {
    let UserLine { number, id, new, .. } = line;
    let (number, id) = (*number, *id);
    let place = match work.claim(number, new.name_key(), new.external_id()) {
        Claim::Bad => return Ok(Outcome::Bad),
        Claim::New => {
            work.new.push((new, number, id));
            return Ok(Outcome::New);
        }
        Claim::Stored(place) => place,
    };
    let Some(holder) = work.holders.get(place) else { return Ok(Outcome::Bad) };
    let (user, keys) = (holder.item.clone(), new.keys_over(holder.external_id.as_deref()));
    let seq = user.seq;
    if !work.is_first(number, work.known.users.get(&seq).copied(), seq) {
        return Ok(Outcome::Bad);
    }
    let result = if load::is_same(&user, new) {
        Ok(false)
    } else {
        cx.nested(|cx| load::bring_to(cx, work.directory, user, new))
    };
    if !work.done.note(number, result)? {
        return Ok(Outcome::Bad);
    }
    work.renamed(place, &keys);
    work.stored.insert(seq, number);
    Ok(Outcome::Stored(seq))
}

type GroupToStore<'l> = (group_load::New<'l>, u64, usize, bool);

/// Stores the groups of a batch with their members. A group of which a member is not stored yet is
/// made where it is new, and else left as it is; it waits for the second time, when `last` is set.
pub fn groups(
    cx: &mut Cx<'_>,
    directory: &Directory,
    known: &Mutex<Known>,
    (lines, strict, last): (&[(usize, GroupLine)], bool, bool),
) -> Result<Done> {
    let known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let holders = {
        let names: Vec<&str> = lines.iter().map(|(_, l)| l.draft.name_key()).collect();
        let ids: Vec<&str> = lines.iter().filter_map(|(_, l)| l.draft.external_id()).collect();
        db::import::groups_with(cx.conn, directory.company, &names, &ids)?
    };
    let others = others(cx, directory, lines)?;
    let there = there(cx, directory, &known, lines)?;
    let mut work: Work<'_, Group, GroupToStore<'_>> = Work::new(directory, &known, holders);
    let mut places = HashMap::new();
    for (place, line) in lines {
        let place = *place;
        if strict && !work.done.bad.is_empty() {
            break;
        }
        let number = line.number;
        let members = line.members.as_ref();
        let resolve =
            |members| resolve((work.known, &places), (&others, &there), (members, place), last);
        let named = members.map(resolve);
        let mut named = named.unwrap_or_default();
        if let Some(why) = named.refusal() {
            work.refuse(number, why);
            continue;
        }
        let unknown = std::mem::take(&mut named.unknown);
        match group(cx, &mut work, (line, place), &mut named)? {
            Outcome::Bad => continue,
            Outcome::New => {}
            Outcome::Stored(seq) => drop(places.insert(place, seq)),
        }
        if named.waits {
            work.done.waiting.push(place);
        } else {
            work.left_out(number, line.left_out.iter().cloned().chain(unknown));
        }
    }
    let Work { mut done, new, mut stored, .. } = work;
    let drafts: Vec<&group_load::New<'_>> = new.iter().map(|(draft, ..)| draft).collect();
    let seqs = group_load::insert_all(cx, directory, &drafts)?;
    done.tally.created += seqs.len() as u64;
    let mut made = HashSet::new();
    for (seq, (_, number, place, waits)) in seqs.into_iter().zip(&new) {
        stored.insert(seq, *number);
        places.insert(*place, seq);
        if *waits {
            made.insert(*place);
        }
    }
    done.learned = Known { groups: stored, places, made, ..Known::default() };
    Ok(done)
}

fn group<'l>(
    cx: &mut Cx<'_>,
    work: &mut Work<'_, Group, GroupToStore<'l>>,
    (line, at): (&'l GroupLine, usize),
    named: &mut Named,
) -> Result<Outcome> {
    let GroupLine { number, draft, .. } = line;
    let number = *number;
    let members = named.keys.take();
    let place = match work.claim(number, draft.name_key(), draft.external_id()) {
        Claim::Bad => return Ok(Outcome::Bad),
        Claim::New => {
            work.new.push(((draft, members.unwrap_or_default()), number, at, named.waits));
            return Ok(Outcome::New);
        }
        Claim::Stored(place) => place,
    };
    let Some(holder) = work.holders.get(place) else { return Ok(Outcome::Bad) };
    let (group, keys) = (holder.item.clone(), draft.keys_over(holder.external_id.as_deref()));
    let seq = group.seq;
    if !work.is_first(number, work.known.groups.get(&seq).copied(), seq) {
        return Ok(Outcome::Bad);
    }
    if !named.waits {
        let tally = work.done.tally;
        let result =
            cx.nested(|cx| group_load::bring_to(cx, work.directory, group, (draft, members)));
        if !work.done.note(number, result)? {
            return Ok(Outcome::Bad);
        }
        if work.known.made.contains(&at) {
            // It was counted when it was made.
            work.done.tally = tally;
        }
        work.renamed(place, &keys);
    }
    work.stored.insert(seq, number);
    Ok(Outcome::Stored(seq))
}

/// The members of a batch that only the directory may know: one look-up for all.
fn others(
    cx: &mut Cx<'_>,
    directory: &Directory,
    lines: &[(usize, GroupLine)],
) -> Result<HashMap<String, MemberKey>> {
    let members = lines.iter().filter_map(|(_, line)| line.members.as_ref());
    let mut ids: Vec<&str> = members.flat_map(|m| m.others.iter().map(String::as_str)).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(db::members::resolve_to_add(cx.conn, directory.company, &ids)?.into_iter().collect())
}

/// The resources that a batch makes members and that nobody has deleted since they were stored.
fn there(
    cx: &mut Cx<'_>,
    directory: &Directory,
    known: &Known,
    lines: &[(usize, GroupLine)],
) -> Result<HashSet<MemberKey>> {
    let members = lines.iter().filter_map(|(_, line)| line.members.as_ref());
    let groups = members.clone().flat_map(|m| m.groups.iter());
    let groups = groups.filter_map(|place| known.places.get(place));
    let groups = groups.map(|seq| MemberKey { kind: ResourceType::Group, seq: *seq });
    let mut keys: Vec<MemberKey> =
        members.flat_map(|m| m.known.iter().copied()).chain(groups).collect();
    keys.sort_unstable();
    keys.dedup();
    Ok(db::members::still_there(cx.conn, directory.company, &keys)?)
}

/// The members that a line names, as far as they are known.
#[derive(Default)]
struct Named {
    /// `None`: the line says nothing about members.
    keys: Option<BTreeSet<MemberKey>>,
    unknown: Vec<String>,
    waits: bool,
    itself: bool,
}

impl Named {
    /// Why the line cannot be stored: the group is its own member, has too many, or names members of
    /// whom none is known (ruling 5).
    fn refusal(&self) -> Option<String> {
        if self.itself {
            return Some("a group cannot be a member of itself".to_owned());
        }
        let keys = self.keys.as_ref()?;
        if let Err(error) = group_load::check_count(keys) {
            return Some(error.to_string());
        }
        if self.waits || !keys.is_empty() || self.unknown.is_empty() {
            return None;
        }
        let some: Vec<&str> = self.unknown.iter().take(5).map(String::as_str).collect();
        Some(format!("none of its members is known: {}", some.join(", ")))
    }
}

fn resolve(
    (known, places): (&Known, &HashMap<usize, i64>),
    (others, there): (&HashMap<String, MemberKey>, &HashSet<MemberKey>),
    (members, own): (&Members, usize),
    last: bool,
) -> Named {
    let mut named = Named::default();
    let known_users = members.known.iter().copied();
    let mut keys: BTreeSet<MemberKey> = known_users.filter(|key| there.contains(key)).collect();
    if keys.len() < members.known.len() && members.known.iter().any(|key| !there.contains(key)) {
        named.unknown.push("members[deleted meanwhile]".to_owned());
    }
    for place in &members.groups {
        named.itself |= *place == own;
        match known.places.get(place).or_else(|| places.get(place)) {
            Some(seq) => {
                let key = MemberKey { kind: ResourceType::Group, seq: *seq };
                if there.contains(&key) || places.contains_key(place) {
                    keys.insert(key);
                } else {
                    named.unknown.push("members[deleted meanwhile]".to_owned());
                }
            }
            None if last => named.unknown.push("members[a group whose line is bad]".to_owned()),
            None => named.waits = true,
        }
    }
    for id in &members.others {
        match others.get(id) {
            Some(key) => drop(keys.insert(*key)),
            None => named.unknown.push(format!("members[value eq \"{id}\"]")),
        }
    }
    named.keys = Some(keys);
    named
}
