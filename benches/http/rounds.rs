//! The order of the run on one database: all directories at once, and every round visits all of them.
//!
//! Figures that are compared with each other take turns, a slice of each at a time: the sizes of a
//! directory, the sizes of a group, the yardsticks and what is held against them.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::{System, SystemRunner};

use crate::Result;
use crate::cluster::Cluster;
use crate::directory::{Directory, Recipe};
use crate::disk::{self, Probe};
use crate::driver::Driver;
use crate::figures::{Beside, Database, Figures, Key, Seeded};
use crate::load::{self, Subject};
use crate::operation::Operation;
use crate::options::Options;
use crate::process::{Home, Program};
use crate::script::Script;
use crate::walk;

/// Writes a second that the others do while reads are timed.
pub const PACE: u32 = 500;
/// Users whom the paced writers change.
const WRITTEN: usize = 512;
/// Reads beside writers are timed in the largest directory of no more users than this.
pub const BESIDE: usize = 200_000;
/// Times that the largest directory's server is killed and started again.
const STARTS: usize = 3;
/// A walk that takes so long is taken once: it has seen more of the machine than a round does.
const LONG_WALK: Duration = Duration::from_secs(30);
/// Shortest time of mixed load while memory is watched, in seconds; in a quick run a tenth of it.
const MIXED: f64 = 5.0;

/// A server with its directory.
struct Place {
    program: Program,
    directory: Rc<RefCell<Directory>>,
    users: usize,
    neighbours: Vec<usize>,
    seeding: Duration,
}

/// Everything that runs at once.
pub struct Stage<'a> {
    database: Database,
    system: SystemRunner,
    bare: &'a Program,
    /// On PostgreSQL: its driver by itself, and the bare handler over it.
    driver: Option<RefCell<Driver>>,
    handler: Option<Program>,
    probe: Probe,
    places: Vec<Place>,
    /// Below which all files of the databases lie.
    files: PathBuf,
}

impl<'a> Stage<'a> {
    /// Starts a server for each size and seeds it. With a `cluster` they are on PostgreSQL.
    pub fn set(
        home: &Path,
        options: &Options,
        sizes: &[usize],
        (bare, cluster): (&'a Program, Option<&Cluster>),
    ) -> Result<Self> {
        if let Some(logs) = &options.logs {
            std::fs::create_dir_all(logs)?;
        }
        let database = if cluster.is_some() { Database::Postgres } else { Database::Sqlite };
        let (mut places, mut driver, mut handler) = (Vec::new(), None, None);
        for &users in sizes {
            let folder = home.join(format!("{database}-{users}"));
            let url = match cluster {
                Some(cluster) => cluster.database(&format!("bench_{users}"))?,
                None => format!("sqlite://{}", folder.join("stagedoor.db").display()),
            };
            let postmaster = cluster.map(|cluster| cluster.postmaster);
            let place = Place::seed(Home { folder, url: url.clone(), postmaster }, options, users)?;
            eprintln!("{database}: {users} users seeded in {:.1} s", place.seeding.as_secs_f64());
            places.push(place);
            if let (Some(cluster), true) = (cluster, Some(&users) == sizes.last()) {
                driver = Some(RefCell::new(Driver::start(&url, cluster.postmaster)?));
                handler = Some(Program::start_bare(Some((&url, cluster.postmaster)))?);
            }
            if let Some(cluster) = cluster {
                cluster.analyze(&url)?;
            }
        }
        let system = System::new();
        let probe = Probe::new(&system, &home.join("disk"))?;
        let files = cluster.map_or(home, |cluster| cluster.files.as_path()).to_owned();
        Ok(Self { database, system, bare, driver, handler, probe, places, files })
    }

    /// Plays all rounds.
    pub fn play(&mut self, options: &Options) -> Result<Figures> {
        let mut figures = Figures::of(self.database);
        for round in 0..options.rounds {
            for place in &self.places {
                place.directory.borrow_mut().dive(&place.program.target)?;
            }
            for &clients in &options.clients {
                let (round, rounds, database) = (round + 1, options.rounds, self.database);
                eprintln!("{database}: round {round} of {rounds}, {clients} clients");
                for family in families(options) {
                    self.visit(&family, clients, options, &mut figures)?;
                }
            }
            disk::into_memory(&self.files);
            self.beside_writers(options, &mut figures)?;
            self.largest_only(options, &mut figures)?;
        }
        for place in &self.places {
            let memory = place.program.memory()?;
            figures.seeded.push(Seeded {
                users: place.users,
                neighbours: place.neighbours.clone(),
                seconds: place.seeding.as_secs_f64(),
                memory,
            });
        }
        let largest = self.places.last_mut().ok_or("no directory")?;
        for _ in 0..STARTS {
            figures.starts.push(largest.program.crash_and_restart()?);
        }
        Ok(figures)
    }

    /// Operations that are compared with each other, in every directory that has them, in turns.
    fn visit(
        &self,
        family: &[Operation],
        clients: usize,
        options: &Options,
        figures: &mut Figures,
    ) -> Result<()> {
        disk::into_memory(&self.files);
        let mut keys = Vec::new();
        let mut subjects = Vec::new();
        for (operation, subject) in self.yardsticks(family) {
            keys.push(Key { operation, users: 0, clients });
            subjects.push(subject);
        }
        for &operation in family {
            for place in &self.places {
                if matches!(operation, Operation::Member(members) if members >= place.users) {
                    continue;
                }
                keys.push(Key { operation, users: place.users, clients });
                let script = Script::new(operation, &place.directory);
                subjects.push(Subject::Http(&place.program, script));
            }
        }
        let most = family == [Operation::Create] && Some(&clients) == options.clients.last();
        let disk = &mut figures.disk;
        let (samples, wrong) =
            load::take_turns(&self.system, &subjects, (clients, options.seconds), |slice| {
                if most {
                    disk.push(self.probe.slice(&self.system, slice)?);
                }
                Ok(())
            })?;
        figures.wrong_members += wrong;
        for (key, sample) in keys.into_iter().zip(samples) {
            figures.add(key, sample);
        }
        Ok(())
    }

    /// What a family is held against.
    fn yardsticks(&self, family: &[Operation]) -> Vec<(Operation, Subject<'_>)> {
        use Operation::{Bare, BareInsert, BareSelect, Create, DriverInsert, DriverSelect, Get};
        let over = self.handler.as_ref();
        let http =
            |operation, program| (operation, Subject::Http(program, Script::bare(operation)));
        let mut all = Vec::new();
        let alone = match family {
            [Get] => {
                all.push(http(Bare, self.bare));
                all.extend(over.map(|program| http(BareSelect, program)));
                DriverSelect
            }
            [Create] => {
                all.push(http(BareInsert, over.unwrap_or(self.bare)));
                DriverInsert
            }
            _ => return all,
        };
        all.extend(self.driver.as_ref().map(|driver| (alone, Subject::Driver(driver, alone))));
        all
    }

    /// Reads of one directory, quiet and beside writers.
    fn beside_writers(&self, options: &Options, figures: &mut Figures) -> Result<()> {
        let places = self.places.iter().rev();
        let place = places.clone().find(|place| place.users <= BESIDE).or(self.places.last());
        let place = place.ok_or("no directory")?;
        let users = place.directory.borrow().some_users(WRITTEN);
        let script = || Script::new(Operation::Get, &place.directory);
        let subject = Subject::Http(&place.program, script());
        let quiet = load::alone(&self.system, subject, options.seconds)?;
        let writers = (users.as_slice(), PACE);
        let time = options.seconds * 2.0;
        let subject = (&place.program, script());
        let (busy, pace) = load::drive_beside_writers(&self.system, subject, time, writers)?;
        figures.beside.push(Beside { quiet: quiet.p50, busy: busy.p50, pace });
        figures.beside_users = place.users;
        Ok(())
    }

    /// Memory under mixed load, and the walk from the first page to the last.
    fn largest_only(&self, options: &Options, figures: &mut Figures) -> Result<()> {
        let place = self.places.last().ok_or("no directory")?;
        let clients = *options.clients.last().ok_or("no clients")?;
        let operation = Operation::Mix;
        let seconds = if options.quick { MIXED / 10.0 } else { MIXED.max(options.seconds) };
        place.program.forget_peak()?;
        let subject = Subject::Http(&place.program, Script::new(operation, &place.directory));
        let mut memory = Vec::new();
        let (samples, _) = load::take_turns(&self.system, &[subject], (clients, seconds), |_| {
            memory.push(place.program.memory()?);
            Ok(())
        })?;
        figures.memory.extend(memory.into_iter().max());
        for sample in samples {
            figures.add(Key { operation, users: place.users, clients }, sample);
        }
        if figures.walked < LONG_WALK {
            let begun = Instant::now();
            figures.walks.push(walk::whole(&self.system, &place.program, place.users)?);
            figures.walked = begun.elapsed();
        }
        Ok(())
    }
}

impl Place {
    /// Starts a server and seeds the company that is measured, and its neighbours.
    fn seed(home: Home, options: &Options, users: usize) -> Result<Self> {
        let name = home.folder.with_extension("log");
        let log = options.logs.as_ref().zip(name.file_name()).map(|(logs, name)| logs.join(name));
        let recipe = Recipe::measured(options.seed, users);
        let program = Program::start_server(home, recipe.slug(), log)?;
        let begun = Instant::now();
        let directory = Directory::seed(&program.target, recipe, &options.groups)?;
        let mut neighbours = Vec::new();
        for recipe in Recipe::neighbours(options.seed, users) {
            recipe.seed(&program.add_company(recipe.slug())?)?;
            neighbours.push(recipe.users);
        }
        let directory = Rc::new(RefCell::new(directory));
        Ok(Self { program, directory, users, neighbours, seeding: begun.elapsed() })
    }
}

/// The operations, those together that are compared with each other.
fn families(options: &Options) -> Vec<Vec<Operation>> {
    let members = options.groups.iter().map(|&members| Operation::Member(members));
    vec![
        vec![Operation::Get],
        vec![Operation::Filter],
        vec![Operation::List],
        vec![Operation::FirstPage, Operation::DeepPage],
        vec![Operation::Create],
        vec![Operation::Active],
        members.chain([Operation::MemberApart]).collect(),
    ]
}
