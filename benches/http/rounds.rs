//! The order of the run: all directories at once, and every round visits all of them.
//!
//! Figures that are compared with each other are measured one right after the other: the sizes of a
//! directory innermost, the bare handler beside the reads.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

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
        let probe = Probe::new(&home.join("disk"))?;
        Ok(Self { bare, probe, places })
    }

    /// Plays all rounds.
    pub fn play(&mut self, options: &Options) -> Result<Figures> {
        let mut figures = Figures::default();
        for round in 0..options.rounds {
            for &clients in &options.clients {
                eprintln!("round {} of {}, {clients} clients", round + 1, options.rounds);
                let sample = load::drive(&self.bare, &Script::bare(), clients, options.seconds)?;
                figures.add(Key { operation: Operation::Bare, users: 0, clients }, sample);
                for operation in operations(options) {
                    self.visit(operation, clients, options, &mut figures)?;
                    // Beside the creates of most clients, which it is compared with.
                    if operation == Operation::Create && Some(&clients) == options.clients.last() {
                        figures.disk.push(self.probe.round(options.seconds)?);
                    }
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

    /// One operation in every directory that has it.
    fn visit(
        &self,
        operation: Operation,
        clients: usize,
        options: &Options,
        figures: &mut Figures,
    ) -> Result<()> {
        for place in &self.places {
            if matches!(operation, Operation::Member(members) if members >= place.users) {
                continue;
            }
            let script = Script::new(operation, &place.directory);
            let sample = load::drive(&place.program, &script, clients, options.seconds)?;
            figures.add(Key { operation, users: place.users, clients }, sample);
        }
        Ok(())
    }

    /// Reads of the largest directory, quiet and beside writers.
    fn beside_writers(&self, options: &Options, figures: &mut Figures) -> Result<()> {
        let place = self.places.last().ok_or("no directory")?;
        let users = place.directory.borrow().ids.iter().take(WRITTEN).cloned().collect::<Vec<_>>();
        let script = Script::new(Operation::Get, &place.directory);
        let quiet = load::drive(&place.program, &script, 1, options.seconds)?;
        let time = options.seconds * 2.0;
        let writers = (users.as_slice(), PACE);
        let (busy, pace) = load::drive_beside_writers(&place.program, &script, time, writers)?;
        figures.beside.push(Beside { quiet: quiet.p50, busy: busy.p50, pace });
        Ok(())
    }

    /// Kills the server of the largest directory, and the time until it serves again.
    pub fn restart_largest(&mut self) -> Result<Duration> {
        self.places.last_mut().ok_or("no directory")?.program.crash_and_restart()
    }
}

fn operations(options: &Options) -> Vec<Operation> {
    let mut operations = vec![
        Operation::Get,
        Operation::Filter,
        Operation::List,
        Operation::Create,
        Operation::Active,
    ];
    operations.extend(options.groups.iter().map(|&members| Operation::Member(members)));
    operations
}
