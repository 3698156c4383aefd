//! The order of the run: all directories at once, and every round visits all of them.
//!
//! Figures that are compared with each other take turns, a slice of each at a time: the sizes of a
//! directory, the sizes of a group, the bare handler and the reads, the creates and the bare inserts.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::{System, SystemRunner};

use crate::Result;
use crate::directory::Directory;
use crate::disk::Probe;
use crate::figures::{Beside, Figures, Key, Seeded};
use crate::load;
use crate::operation::{Operation, Script};
use crate::options::Options;
use crate::process::Program;

/// Writes a second that the others do while reads are timed.
pub const PACE: u32 = 500;
/// Users whom the paced writers change.
const WRITTEN: usize = 512;

/// A server with its directory.
struct Place {
    program: Program,
    directory: Rc<RefCell<Directory>>,
    users: usize,
    seeding: Duration,
}

/// Everything that runs at once.
pub struct Stage {
    system: SystemRunner,
    bare: Program,
    probe: Probe,
    places: Vec<Place>,
}

impl Stage {
    /// Starts a server for each size and seeds it.
    pub fn set(home: &Path, options: &Options, bare: Program) -> Result<Self> {
        if let Some(logs) = &options.logs {
            std::fs::create_dir_all(logs)?;
        }
        let mut places = Vec::new();
        for &users in &options.sizes {
            let log = options.logs.as_ref().map(|logs| logs.join(format!("server-{users}.log")));
            let program = Program::start_server(&home.join(users.to_string()), log)?;
            let begun = Instant::now();
            let directory = Directory::seed(&program.target, users, &options.groups)?;
            let (directory, seeding) = (Rc::new(RefCell::new(directory)), begun.elapsed());
            eprintln!("seeded {users} users in {:.1} s", seeding.as_secs_f64());
            places.push(Place { program, directory, users, seeding });
        }
        let system = System::new();
        let probe = Probe::new(&system, &home.join("disk"))?;
        Ok(Self { system, bare, probe, places })
    }

    /// Plays all rounds.
    pub fn play(&mut self, options: &Options) -> Result<Figures> {
        let mut figures = Figures::default();
        for round in 0..options.rounds {
            for &clients in &options.clients {
                eprintln!("round {} of {}, {clients} clients", round + 1, options.rounds);
                for family in families(options) {
                    self.visit(&family, clients, options, &mut figures)?;
                }
            }
            self.beside_writers(options, &mut figures)?;
        }
        for place in &self.places {
            let (users, seconds) = (place.users, place.seeding.as_secs_f64());
            let memory = place.program.peak_memory()?;
            figures.seeded.push(Seeded { users, seconds, memory });
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
        let mut keys = Vec::new();
        let mut subjects = Vec::new();
        let yardstick = match family {
            [Operation::Get] => Some(Operation::Bare),
            [Operation::Create] => Some(Operation::BareInsert),
            _ => None,
        };
        if let Some(operation) = yardstick {
            keys.push(Key { operation, users: 0, clients });
            subjects.push((&self.bare, Script::bare(operation)));
        }
        for &operation in family {
            for place in &self.places {
                if matches!(operation, Operation::Member(members) if members >= place.users) {
                    continue;
                }
                keys.push(Key { operation, users: place.users, clients });
                subjects.push((&place.program, Script::new(operation, &place.directory)));
            }
        }
        let most = family == [Operation::Create] && Some(&clients) == options.clients.last();
        let disk = &mut figures.disk;
        let samples =
            load::take_turns(&self.system, &subjects, (clients, options.seconds), |slice| {
                if most {
                    disk.push(self.probe.slice(&self.system, slice)?);
                }
                Ok(())
            })?;
        for (key, sample) in keys.into_iter().zip(samples) {
            figures.add(key, sample);
        }
        Ok(())
    }

    /// Reads of the largest directory, quiet and beside writers.
    fn beside_writers(&self, options: &Options, figures: &mut Figures) -> Result<()> {
        let place = self.places.last().ok_or("no directory")?;
        let users = place.directory.borrow().ids.iter().take(WRITTEN).cloned().collect::<Vec<_>>();
        let reads = || (&place.program, Script::new(Operation::Get, &place.directory));
        let quiet = load::alone(&self.system, reads(), options.seconds)?;
        let writers = (users.as_slice(), PACE);
        let time = options.seconds * 2.0;
        let (busy, pace) = load::drive_beside_writers(&self.system, reads(), time, writers)?;
        figures.beside.push(Beside { quiet: quiet.p50, busy: busy.p50, pace });
        Ok(())
    }

    /// Kills the server of the largest directory, and the time until it serves again.
    pub fn restart_largest(&mut self) -> Result<Duration> {
        self.places.last_mut().ok_or("no directory")?.program.crash_and_restart()
    }
}

/// The operations, those together that are compared with each other.
fn families(options: &Options) -> Vec<Vec<Operation>> {
    let members = options.groups.iter().map(|&members| Operation::Member(members)).collect();
    vec![
        vec![Operation::Get],
        vec![Operation::Filter],
        vec![Operation::List],
        vec![Operation::Create],
        vec![Operation::Active],
        members,
    ]
}
