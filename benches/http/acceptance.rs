//! The acceptance lines: what must hold, what was measured, and whether it passed.
//!
//! The strictest reading counts: of several directories the worst one, of a cost processor time and
//! p50. A line that names a size is judged at the largest directory that is no larger.

use std::time::Duration;

use crate::figures::{Database, Figures, Sample, median};
use crate::operation::Operation;
use crate::options::Options;
use crate::rounds::PACE;

/// A cost may grow by this much from the smallest to a larger directory, and from page to page.
const FLAT_IN_DIRECTORY: f64 = 1.3;
/// A cost may grow by this much from the smallest to the largest group.
const FLAT_IN_GROUP: f64 = 1.2;
/// Users up to whom every operation is flat.
const MANY: usize = 200_000;
/// Users up to whom the reads of one user and of one page are flat.
const MOST: usize = 1_000_000;
/// Creates a second that are asked for where one sync takes [`SYNC`].
const CREATES: f64 = 3_000.0;
/// The sync time that [`CREATES`] belongs to, in microseconds.
const SYNC: f64 = 4_000.0;
/// Longest time from the start after a kill until connections are accepted.
const RESTART: Duration = Duration::from_secs(2);
/// Longest time from the start until the server says that it is ready.
const READY: Duration = Duration::from_secs(1);
/// Most memory, in MiB.
const MEMORY: u64 = 150;
/// The share of their rate on different groups that clients keep on the same group.
const TOGETHER: f64 = 0.8;

/// One acceptance line.
#[derive(Debug, Clone)]
pub struct Line {
    /// On which database.
    pub database: Database,
    /// What is asked for.
    pub asked: String,
    /// What was measured.
    pub measured: String,
    /// Whether that is enough.
    pub passed: bool,
}

/// Every acceptance line of one database, judged.
pub fn judge(figures: &Figures, options: &Options) -> Vec<Line> {
    let judge = Judge { figures, options };
    let mut lines = Vec::new();
    match figures.database {
        Database::Sqlite => {
            lines.push(judge.against_bare(Operation::Get));
            lines.push(judge.against_bare(Operation::Filter));
            lines.extend(judge.flat_up_to_many());
            lines.extend(judge.creates());
            lines.push(judge.beside_writers());
            lines.push(judge.restart());
        }
        Database::Postgres => {
            lines.push(judge.half_of(Operation::Get, Operation::BareSelect));
            lines.push(judge.half_of(Operation::Create, Operation::BareInsert));
        }
    }
    lines.extend(judge.flat_up_to_most());
    lines.extend(judge.flat_in_depth());
    lines.push(judge.ready());
    lines.extend(judge.flat_in_group());
    if figures.database == Database::Sqlite {
        lines.push(judge.memory());
        lines.extend(judge.on_one_group());
    }
    lines.push(judge.nothing_lost());
    lines
}

struct Judge<'a> {
    figures: &'a Figures,
    options: &'a Options,
}

impl Judge<'_> {
    fn line(&self, asked: String, measured: String, passed: bool) -> Line {
        Line { database: self.figures.database, asked, measured, passed }
    }

    /// The largest directory of no more users than this.
    fn up_to(&self, users: usize) -> usize {
        let sizes = self.figures.sizes();
        sizes.clone().rfind(|&size| size <= users).or(sizes.min()).unwrap_or(0)
    }

    fn largest(&self) -> usize {
        self.figures.sizes().next_back().unwrap_or(0)
    }

    fn clients(&self) -> usize {
        self.options.clients.first().copied().unwrap_or(1)
    }

    fn against_bare(&self, operation: Operation) -> Line {
        let clients = nearest(&self.options.clients, 8);
        let bare = self.rate(Operation::Bare, clients);
        let rate = self.slowest(operation, clients, MANY);
        self.line(
            format!(
                "{operation}: at {clients} clients at least a third of the bare handler's rate"
            ),
            format!("{rate:.0}/s of {bare:.0}/s, {:.2}", rate / bare),
            rate * 3.0 >= bare,
        )
    }

    /// The rate of a yardstick.
    fn rate(&self, operation: Operation, clients: usize) -> f64 {
        self.figures.get(operation, 0, clients).map_or(f64::INFINITY, |sample| sample.rate)
    }

    /// The rate in the directory where it is lowest, of those with no more users than this.
    fn slowest(&self, operation: Operation, clients: usize, most: usize) -> f64 {
        let sizes = self.figures.sizes().filter(|&users| users <= self.up_to(most));
        let samples = sizes.filter_map(|users| self.figures.get(operation, users, clients));
        let slowest = samples.map(|sample| sample.rate).fold(f64::INFINITY, f64::min);
        if slowest.is_finite() { slowest } else { 0.0 }
    }

    fn flat_up_to_many(&self) -> impl Iterator<Item = Line> {
        use Operation::{Active, Create, Filter, Get, List, Member};
        let members = self.options.groups.iter().map(|&size| Member(size));
        let operations = [Get, Filter, List, Create, Active].into_iter().chain(members);
        operations.filter_map(|operation| self.flat_in_directory(operation, MANY))
    }

    fn flat_up_to_most(&self) -> impl Iterator<Item = Line> {
        use Operation::{Filter, FirstPage, Get};
        // What was judged up to many is not judged again where that is all.
        let again =
            self.figures.database == Database::Postgres || self.largest() > self.up_to(MANY);
        let operations: &[Operation] = if again { &[Get, Filter, FirstPage] } else { &[FirstPage] };
        operations.iter().filter_map(|&operation| self.flat_in_directory(operation, MOST))
    }

    /// `None` where fewer than two directories have the operation.
    fn flat_in_directory(&self, operation: Operation, most: usize) -> Option<Line> {
        let clients = self.clients();
        let mut samples = self
            .figures
            .sizes()
            .filter(|&users| users <= self.up_to(most))
            .filter_map(|users| Some((users, self.figures.get(operation, users, clients)?)));
        let (small, before) = samples.next()?;
        let (large, after) = samples.next_back()?;
        let asked = format!(
            "{operation}: at {} cost at {large} users against {small} at most {FLAT_IN_DIRECTORY}",
            counted(clients)
        );
        Some(self.growth(asked, before, after, FLAT_IN_DIRECTORY))
    }

    /// Pages by cursor and by `startIndex`, at the end against the beginning.
    fn flat_in_depth(&self) -> [Line; 2] {
        let (users, clients) = (self.largest(), self.clients());
        let page = |operation| self.figures.get(operation, users, clients);
        let pages = [
            (
                format!(
                    "cursor page of 100 of {users} users: at 99 % of the depth at most {FLAT_IN_DIRECTORY} times the first"
                ),
                page(Operation::FirstPage).zip(page(Operation::DeepPage)),
            ),
            (
                format!(
                    "walk by startIndex over {users} users: the last tenth of the pages at most {FLAT_IN_DIRECTORY} times the first"
                ),
                self.figures.tenth(0).zip(self.figures.tenth(9)),
            ),
        ];
        pages.map(|(asked, ends)| match ends {
            Some((first, last)) => self.growth(asked, first, last, FLAT_IN_DIRECTORY),
            None => self.line(asked, "fewer than ten pages".to_owned(), false),
        })
    }

    fn flat_in_group(&self) -> impl Iterator<Item = Line> {
        self.options.clients.iter().map(|&clients| {
            let users = self.largest();
            let mut samples = self.options.groups.iter().filter_map(|&size| {
                Some((size, self.figures.get(Operation::Member(size), users, clients)?))
            });
            match samples.next().zip(samples.next_back()) {
                Some(((small, before), (large, after))) => {
                    let asked = format!("add member: at {} cost at {large} members against {small} at most {FLAT_IN_GROUP}", counted(clients));
                    self.growth(asked, before, after, FLAT_IN_GROUP)
                }
                None => {
                    let asked = "add member: cost flat in group size".to_owned();
                    self.line(asked, "fewer than two groups".to_owned(), false)
                }
            }
        })
    }

    /// Both costs: processor time, and the time of a request.
    fn growth(&self, asked: String, before: Sample, after: Sample, limit: f64) -> Line {
        let (processor, p50) = (after.cost() / before.cost(), after.p50 / before.p50);
        let measured = format!("processor {processor:.2}, p50 {p50:.2}");
        self.line(asked, measured, processor <= limit && p50 <= limit)
    }

    fn creates(&self) -> [Line; 2] {
        let clients = nearest(&self.options.clients, 32);
        let rate = self.slowest(Operation::Create, clients, MANY);
        let sync = self.figures.sync();
        let inserts = self.rate(Operation::BareInsert, clients);
        // A slower disk is asked for less, in proportion; a faster one is asked for the same.
        let asked = CREATES * (SYNC / sync).min(1.0);
        let of_bare = rate / inserts;
        [
            self.line(
                format!(
                    "create: at {clients} clients at least {asked:.0}/s durable, where one sync takes {:.2} ms",
                    sync / 1e3
                ),
                format!("{rate:.0}/s"),
                rate >= asked,
            ),
            self.line(
                format!(
                    "create: at {clients} clients at least half of bare one-row inserts through the same \
                     writer, into a table with the same indexes, both over HTTP"
                ),
                format!("{rate:.0}/s of {inserts:.0}/s, {of_bare:.2}"),
                of_bare >= 0.5,
            ),
        ]
    }

    /// Against what a bare statement reaches, both over HTTP and through the same pool of connections; in
    /// every directory. What the driver reaches by itself is in the table: where client, server and
    /// database share the processors, HTTP alone takes more than half of it.
    fn half_of(&self, operation: Operation, yardstick: Operation) -> Line {
        let clients = nearest(&self.options.clients, 32);
        let rate = self.slowest(operation, clients, usize::MAX);
        let bare = self.rate(yardstick, clients);
        self.line(
            format!(
                "{operation}: at {clients} clients at least half of the rate of a {yardstick}, both over \
                 HTTP by the same driver and through as many connections, with the same indexes"
            ),
            format!("{rate:.0}/s of {bare:.0}/s, {:.2}", rate / bare),
            rate * 2.0 >= bare,
        )
    }

    fn beside_writers(&self) -> Line {
        let beside = &self.figures.beside;
        let ratio = median(beside.iter().map(|b| b.busy / b.quiet));
        let quiet = median(beside.iter().map(|b| b.quiet));
        let busy = median(beside.iter().map(|b| b.busy));
        let pace = median(beside.iter().map(|b| b.pace));
        let kept = pace >= f64::from(PACE) * 0.95;
        let users = self.figures.beside_users;
        self.line(
            format!(
                "get by id of {users} users: p50 at 1 client beside {PACE} writes/s at most twice the quiet one"
            ),
            format!("{busy:.0} us against {quiet:.0} us, {ratio:.2} (at {pace:.0} writes/s)"),
            ratio <= 2.0 && kept,
        )
    }

    fn restart(&self) -> Line {
        let worst = self.figures.starts.iter().map(|start| start.accepting).max();
        let worst = worst.unwrap_or(Duration::MAX);
        let users = self.largest();
        self.line(
            format!("restart after kill -9 with {users} users: accepts connections in at most 2 s"),
            format!("{:.2} s", worst.as_secs_f64()),
            worst <= RESTART,
        )
    }

    fn ready(&self) -> Line {
        let worst = self.figures.starts.iter().map(|start| start.ready).max();
        let worst = worst.unwrap_or(Duration::MAX);
        let users = self.largest();
        self.line(
            format!("from start (after kill -9) to /readyz with {users} users: under 1 s"),
            format!("{:.2} s", worst.as_secs_f64()),
            worst < READY,
        )
    }

    fn memory(&self) -> Line {
        let most = self.figures.memory.iter().copied().max().unwrap_or_default();
        let clients = self.options.clients.last().copied().unwrap_or(0);
        let users = self.largest();
        self.line(
            format!(
                "resident memory while {clients} clients read and write {users} users: under {MEMORY} MiB"
            ),
            format!("{} MiB, {} of them no page of a file", most.peak, most.own),
            most.peak < MEMORY && most.peak > 0,
        )
    }

    /// All clients on one group, the largest, against each on one of its own.
    fn on_one_group(&self) -> impl Iterator<Item = Line> {
        let users = self.largest();
        let group = self.options.groups.iter().copied().rfind(|&size| size < users).unwrap_or(0);
        self.options.clients.iter().filter(|&&clients| clients > 1).map(move |&clients| {
            let rate = |operation| {
                self.figures.get(operation, users, clients).map_or(0.0, |sample| sample.rate)
            };
            let (together, apart) =
                (rate(Operation::Member(group)), rate(Operation::MemberApart));
            self.line(
                format!(
                    "add member: {clients} clients on one group of {group} at least {TOGETHER} of their rate on groups apart"
                ),
                format!("{together:.0}/s of {apart:.0}/s, {:.2}", together / apart),
                together >= apart * TOGETHER && apart > 0.0,
            )
        })
    }

    fn nothing_lost(&self) -> Line {
        let wrong = self.figures.wrong_members;
        self.line(
            "add member: nobody lost and nobody doubled, in any group after any load".to_owned(),
            format!("{wrong} wrong members"),
            wrong == 0,
        )
    }
}

/// The wanted number of clients, or the nearest one that was measured.
fn nearest(clients: &[usize], wanted: usize) -> usize {
    clients.iter().copied().min_by_key(|c| c.abs_diff(wanted)).unwrap_or(wanted)
}

/// Clients with their number.
pub fn counted(clients: usize) -> String {
    format!("{clients} client{}", if clients == 1 { "" } else { "s" })
}
