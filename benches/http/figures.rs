//! The figures: samples of every round, and their medians. Judges nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::Result;
use crate::disk::Disk;
use crate::operation::Operation;
use crate::process::{Memory, Start, Used};

/// What one round says of one figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Requests a second.
    pub rate: f64,
    /// Median time of a request, in microseconds.
    pub p50: f64,
    /// The time that one request in a hundred exceeds, in microseconds.
    pub p99: f64,
    /// The server's processor time a request, in microseconds.
    pub processor: f64,
    /// The database's, where the database is a process of its own.
    pub database: f64,
}

impl Sample {
    /// The sample of `requests` that took `elapsed` together, and the server `used`.
    pub fn new(
        elapsed: Duration,
        used: Used,
        requests: u32,
        mut times: Vec<Duration>,
    ) -> Result<Self> {
        times.sort_unstable();
        let at = |hundredth: usize| {
            let time = times.get(times.len() * hundredth / 100).ok_or("no request was timed");
            time.map(|time| micros(*time))
        };
        Ok(Self {
            rate: f64::from(requests) / elapsed.as_secs_f64(),
            p50: at(50)?,
            p99: at(99)?,
            processor: micros(used.own) / f64::from(requests.max(1)),
            database: micros(used.database) / f64::from(requests.max(1)),
        })
    }

    /// The processor time that a request takes on all sides that answer it.
    pub fn cost(&self) -> f64 {
        self.processor + self.database
    }
}

/// A time in microseconds.
pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Which figure: a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// What was asked.
    pub operation: Operation,
    /// Users in the directory; 0 for the bare handler.
    pub users: usize,
    /// Clients at once.
    pub clients: usize,
}

/// Reads while others write, in one round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beside {
    /// Median time of a get by id with nobody else there, in microseconds.
    pub quiet: f64,
    /// The same while others write.
    pub busy: f64,
    /// Writes a second that the others did.
    pub pace: f64,
}

/// One seeded directory, as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Seeded {
    /// Users in the company that is measured.
    pub users: usize,
    /// Users in each company beside it.
    pub neighbours: Vec<usize>,
    /// Seconds that its seeding took.
    pub seconds: f64,
    /// The memory of its server, from its start to the end of the run.
    pub memory: Memory,
}

/// The database of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Database {
    /// In the server's own process.
    #[default]
    Sqlite,
    /// Processes of its own.
    Postgres,
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// Everything that a run has measured on one database.
#[derive(Debug, Default)]
pub struct Figures {
    /// Which one.
    pub database: Database,
    samples: BTreeMap<Key, Vec<Sample>>,
    /// The disk, beside the creates of most clients.
    pub disk: Vec<Disk>,
    /// Reads beside writers, one a round: in the directory of this many users.
    pub beside: Vec<Beside>,
    /// Its size.
    pub beside_users: usize,
    /// The directories.
    pub seeded: Vec<Seeded>,
    /// The largest directory's pages by `startIndex` from the first to the last, in tenths, one walk a
    /// round unless it is long.
    pub walks: Vec<Vec<Sample>>,
    /// How long the last walk took.
    pub walked: Duration,
    /// Memory of the largest directory's server while many read and write, one a round.
    pub memory: Vec<Memory>,
    /// How long the largest directory's server took to start after a kill.
    pub starts: Vec<Start>,
    /// Members that were lost or doubled.
    pub wrong_members: usize,
}

impl Figures {
    /// Nothing yet, on this database.
    pub fn of(database: Database) -> Self {
        Self { database, ..Self::default() }
    }

    /// Adds the sample of one round.
    pub fn add(&mut self, key: Key, sample: Sample) {
        self.samples.entry(key).or_default().push(sample);
    }

    /// Every figure with its samples, in the order of the table.
    pub fn all(&self) -> impl Iterator<Item = (&Key, &[Sample])> {
        self.samples.iter().map(|(key, samples)| (key, samples.as_slice()))
    }

    /// The median time of one sync, in microseconds.
    pub fn sync(&self) -> f64 {
        median(self.disk.iter().map(|disk| micros(disk.sync)))
    }

    /// The median rate of bare inserts.
    pub fn inserts(&self) -> f64 {
        median(self.disk.iter().map(|disk| disk.inserts))
    }

    /// The sizes of the directories, in rising order.
    pub fn sizes(&self) -> impl DoubleEndedIterator<Item = usize> + Clone {
        self.seeded.iter().map(|seeded| seeded.users)
    }

    /// A tenth of the walk: the medians of the rounds.
    pub fn tenth(&self, number: usize) -> Option<Sample> {
        let samples = self.walks.iter().map(|walk| walk.get(number).copied());
        let samples = samples.collect::<Option<Vec<Sample>>>()?;
        (!samples.is_empty()).then(|| medians(&samples))
    }

    /// The median of a figure's rounds, each of its numbers by itself.
    pub fn get(&self, operation: Operation, users: usize, clients: usize) -> Option<Sample> {
        self.samples.get(&Key { operation, users, clients }).map(|samples| medians(samples))
    }
}

/// The medians of the rounds.
pub fn medians(samples: &[Sample]) -> Sample {
    let of = |part: fn(&Sample) -> f64| median(samples.iter().map(part));
    Sample {
        rate: of(|s| s.rate),
        p50: of(|s| s.p50),
        p99: of(|s| s.p99),
        processor: of(|s| s.processor),
        database: of(|s| s.database),
    }
}

/// The middle of some numbers; of an even count the upper one, of none zero.
pub fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(0.0)
}
