//! Bulk load: users and groups of a file into one company (decision 0007).
//!
//! Threads read lines and hold them against the schemas; the writer stores them a batch at a time,
//! each batch whole or not at all. The rules are those of HTTP: a line that is not plainly new goes the
//! way of any other change. A second run of the same file finds everything as it should be, which is
//! also how an import that was cut short goes on.

mod line;
mod pipeline;
mod source;
mod store;
mod table;
mod taken;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

pub use source::Source;

use super::error::{Error, Result};
use super::{Directory, Service, companies};
use line::{FileId, GroupLine, GroupPlace, Meant, Parsed, UserLine};
use pipeline::Pipeline;
use source::{Again, Batch, Ndjson, Place, Rows};
use store::{Done, Known};
use table::Table;

/// Most names of passed-over attributes that the summary tells apart.
const MOST_NAMES: usize = 100;

/// A line that was not stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BadLine {
    /// Its number, from 1.
    pub line: u64,
    /// Why.
    pub why: String,
}

impl BadLine {
    fn new(line: u64, why: String) -> Self {
        Self { line, why }
    }
}

/// Something in a line that was stored without it (rulings 5 and 16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The line.
    pub line: u64,
    /// Its name.
    pub name: String,
}

/// What became of the resources of one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// New ones.
    pub created: u64,
    /// Those that were there and differed.
    pub changed: u64,
    /// Those that were there, as they should be.
    pub unchanged: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.created += other.created;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
    }
}

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Its users.
    pub users: Tally,
    /// Its groups.
    pub groups: Tally,
    /// Lines that were not stored.
    pub bad: u64,
    /// Names of what was passed over, how often, and where first.
    pub left_out: BTreeMap<String, (u64, u64)>,
}

/// One batch is done.
#[derive(Debug, Default)]
pub struct Step {
    /// How many bytes are worked off.
    pub done: u64,
    /// Of how many, as far as is known: groups are read a second time.
    pub total: u64,
    /// The lines of this batch that were not stored.
    pub bad: Vec<BadLine>,
}

/// The users and group places of one batch, and its bad lines.
struct First {
    users: Vec<UserLine>,
    groups: Vec<GroupPlace>,
    bad: Vec<BadLine>,
    end: u64,
}

/// The groups of one batch, each by its place among the groups' lines.
struct Second {
    groups: Vec<(usize, GroupLine)>,
    bad: Vec<BadLine>,
    length: u64,
}

enum Stage {
    /// Users are stored, groups are noted.
    Users(Pipeline<io::Result<First>>),
    /// Groups are stored; those that wait for others a second time.
    Groups(Pipeline<io::Result<Second>>, bool),
    /// Nothing is left to do.
    Over,
}

/// An import on its way.
pub struct Import {
    service: Service,
    directory: Arc<Directory>,
    file: Option<File>,
    strict: bool,
    known: Arc<Mutex<Known>>,
    places: Vec<Place>,
    waiting: Vec<usize>,
    meant: Arc<HashMap<FileId, Meant>>,
    stage: Stage,
    done: u64,
    total: u64,
    summary: Summary,
}

impl Import {
    /// Opens the company and begins to read; `size` is that of the source in bytes, where known.
    /// `strict`: the first bad line ends everything, and nothing behind it is stored.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] where the source cannot be read.
    pub fn begin(
        service: &Service,
        company: &str,
        (source, size): (Source, u64),
        strict: bool,
    ) -> Result<Self> {
        let directory = service.read_now(|conn| {
            let company = companies::find(conn, company)?;
            Directory::load(conn, company.seq)
        })?;
        let directory = Arc::new(directory);
        let (pipeline, file) = match source {
            Source::Ndjson(file) => {
                let again = file.try_clone().map_err(unreadable)?;
                (first(&directory, None, Ndjson::start(file).map_err(unreadable)?)?, Some(again))
            }
            Source::Csv(file) => {
                let (rows, names) = Rows::start(file).map_err(Error::Refused)?;
                let table = Table::new(&directory.users, &names).map_err(Error::Refused)?;
                (first(&directory, Some(table), rows)?, None)
            }
        };
        Ok(Self {
            service: service.clone(),
            directory,
            file,
            strict,
            known: Arc::default(),
            places: Vec::new(),
            waiting: Vec::new(),
            meant: Arc::default(),
            stage: Stage::Users(pipeline),
            done: 0,
            total: size,
            summary: Summary::default(),
        })
    }

    /// What became of the lines so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Stores the next batch; `None` where everything is done, or a bad line has ended it.
    ///
    /// # Errors
    /// [`Error::Refused`] where the file cannot be read; the database's. What was stored before stays.
    pub async fn step(&mut self) -> Result<Option<Step>> {
        loop {
            match &mut self.stage {
                Stage::Users(pipeline) => match pipeline.take().map_err(unreadable)? {
                    Some(batch) => return self.users(batch.map_err(unreadable)?).await.map(Some),
                    None => {
                        let all: Vec<usize> = (0..self.places.len()).collect();
                        self.total =
                            self.done + self.places.iter().map(|p| p.length as u64).sum::<u64>();
                        self.again(&all, false)?;
                    }
                },
                Stage::Groups(pipeline, last) => {
                    let last = *last;
                    match pipeline.take().map_err(unreadable)? {
                        Some(batch) => {
                            let batch = batch.map_err(unreadable)?;
                            return self.groups(batch, last).await.map(Some);
                        }
                        None => {
                            let waiting = mem::take(&mut self.waiting);
                            self.again(&waiting, true)?;
                        }
                    }
                }
                Stage::Over => return Ok(None),
            }
        }
    }

    /// Goes on to read groups again; to the end, where there are none.
    fn again(&mut self, places: &[usize], last: bool) -> Result<()> {
        self.stage = Stage::Over;
        let Some(file) = &self.file else { return Ok(()) };
        if places.is_empty() {
            return Ok(());
        }
        let lines: Vec<Place> =
            places.iter().filter_map(|i| self.places.get(*i)).copied().collect();
        let numbers: HashMap<u64, usize> =
            lines.iter().zip(places).map(|(line, place)| (line.number, *place)).collect();
        let file = file.try_clone().map_err(unreadable)?;
        let again = Again { file, places: lines.into_iter() };
        // Whom ids mean does not change any more: what users are called is not looked at again.
        if self.meant.is_empty() {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            self.meant = Arc::new(mem::take(&mut known.ids));
            known.users = HashMap::new();
        }
        let pipeline = second(&self.directory, Arc::clone(&self.meant), again, numbers)?;
        self.stage = Stage::Groups(pipeline, last);
        Ok(())
    }

    /// Stores the users of a batch and notes its groups.
    async fn users(&mut self, batch: First) -> Result<Step> {
        let First { mut users, mut groups, mut bad, end } = batch;
        self.cut(&mut bad, |line| {
            users.retain(|user| user.number < line);
            groups.retain(|group| group.place.number < line);
        });
        let (unit, batch) = (Unit::of(self), Arc::new(users));
        let mut done = self
            .service
            .transact(move |cx| {
                store::users(cx, &unit.directory, &unit.known, (&batch, unit.strict))
            })
            .await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.learn(mem::take(&mut done.learned));
        for GroupPlace { id, place } in groups {
            if id.is_some_and(|id| known.ids.contains_key(&id)) {
                bad.push(BadLine::new(place.number, store::SAME_ID.to_owned()));
                continue;
            }
            known.ids.extend(id.map(|id| (id, Meant::Group(self.places.len()))));
            self.places.push(place);
        }
        drop(known);
        self.summary.users.add(done.tally);
        self.done = end;
        Ok(self.finish(bad, done))
    }

    /// Stores the groups of a batch.
    async fn groups(&mut self, batch: Second, last: bool) -> Result<Step> {
        let Second { mut groups, mut bad, length } = batch;
        self.cut(&mut bad, |line| groups.retain(|(_, group)| group.number < line));
        let (unit, batch) = (Unit::of(self), Arc::new(groups));
        let mut done = self
            .service
            .transact(move |cx| {
                store::groups(cx, &unit.directory, &unit.known, (&batch, unit.strict, last))
            })
            .await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.learn(mem::take(&mut done.learned));
        drop(known);
        self.waiting.append(&mut done.waiting);
        self.summary.groups.add(done.tally);
        self.done += length;
        Ok(self.finish(bad, done))
    }

    /// Where the first bad line ends everything, takes away what comes behind it.
    fn cut(&self, bad: &mut Vec<BadLine>, take_away: impl FnOnce(u64)) {
        if let Some(line) = bad.iter().map(|b| b.line).min().filter(|_| self.strict) {
            bad.retain(|b| b.line == line);
            take_away(line);
        }
    }

    /// Adds a batch to the summary.
    fn finish(&mut self, mut bad: Vec<BadLine>, mut done: Done) -> Step {
        bad.append(&mut done.bad);
        bad.sort_unstable();
        for LeftOut { line, name } in done.left_out {
            let all = &mut self.summary.left_out;
            if all.len() < MOST_NAMES || all.contains_key(&name) {
                all.entry(name).or_insert((0, line)).0 += 1;
            }
        }
        if self.strict && !bad.is_empty() {
            bad.truncate(1);
            self.stage = Stage::Over;
        }
        self.summary.bad += bad.len() as u64;
        Step { done: self.done, total: self.total.max(self.done), bad }
    }
}

/// What a unit of work takes along; it may be run more than once.
#[derive(Clone)]
struct Unit {
    directory: Arc<Directory>,
    known: Arc<Mutex<Known>>,
    strict: bool,
}

impl Unit {
    fn of(import: &Import) -> Self {
        let (directory, known) = (Arc::clone(&import.directory), Arc::clone(&import.known));
        Self { directory, known, strict: import.strict }
    }
}

/// Starts to read the lines for the first time.
fn first(
    directory: &Arc<Directory>,
    table: Option<Table>,
    batches: impl Iterator<Item = io::Result<Batch>> + Send + 'static,
) -> Result<Pipeline<io::Result<First>>> {
    let directory = Arc::clone(directory);
    let work = move |batch: io::Result<Batch>| {
        let Batch { lines, end } = batch?;
        let mut out = First { users: Vec::new(), groups: Vec::new(), bad: Vec::new(), end };
        for line in lines {
            match line::first(&directory, table.as_ref(), line) {
                Parsed::User(user) => out.users.push(*user),
                Parsed::Group(group) => out.groups.push(group),
                Parsed::Bad(line, why) => out.bad.push(BadLine::new(line, why)),
            }
        }
        Ok(out)
    };
    Pipeline::start(batches, work).map_err(unreadable)
}

/// Starts to read groups again.
fn second(
    directory: &Arc<Directory>,
    meant: Arc<HashMap<FileId, Meant>>,
    batches: Again<std::vec::IntoIter<Place>>,
    places: HashMap<u64, usize>,
) -> Result<Pipeline<io::Result<Second>>> {
    let directory = Arc::clone(directory);
    let work = move |batch: io::Result<Batch>| {
        let Batch { lines, end } = batch?;
        let mut out = Second { groups: Vec::new(), bad: Vec::new(), length: end };
        for line in lines {
            let place = places.get(&line.number).copied();
            match line::group(&directory, &meant, line) {
                Ok(group) => out.groups.extend(place.map(|place| (place, group))),
                Err((line, why)) => out.bad.push(BadLine::new(line, why)),
            }
        }
        Ok(out)
    };
    Pipeline::start(batches, work).map_err(unreadable)
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn unreadable(error: io::Error) -> Error {
    Error::Refused(format!("the file cannot be read: {error}"))
}
