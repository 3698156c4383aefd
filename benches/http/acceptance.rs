//! The acceptance lines: what must hold, what was measured, and whether it passed.
//!
//! The strictest reading counts: of several directories the worst one.

use std::time::Duration;

use crate::figures::{Figures, Sample, median};
use crate::operation::Operation;
use crate::options::Options;
use crate::rounds::PACE;

/// A cost may grow by this much from the smallest to the largest directory.
const FLAT_IN_DIRECTORY: f64 = 1.3;
/// A cost may grow by this much from the smallest to the largest group.
const FLAT_IN_GROUP: f64 = 1.2;
/// Creates a second that are asked for where one sync takes [`SYNC`].
const CREATES: f64 = 3_000.0;
/// The sync time that [`CREATES`] belongs to, in microseconds.
const SYNC: f64 = 4_000.0;
/// Longest time from the start after a kill until connections are accepted.
const RESTART: Duration = Duration::from_secs(2);

/// One acceptance line.
#[derive(Debug, Clone)]
pub struct Line {
    /// What is asked for.
    pub asked: String,
    /// What was measured.
    pub measured: String,
    /// Whether that is enough.
    pub passed: bool,
}

/// Every acceptance line, judged.
pub fn judge(figures: &Figures, restart: Duration, options: &Options) -> Vec<Line> {
    let mut lines = vec![
        against_bare(figures, options, Operation::Get),
        against_bare(figures, options, Operation::Filter),
    ];
    let operations =
        [Operation::Get, Operation::Filter, Operation::List, Operation::Create, Operation::Active];
    let members = options.groups.iter().map(|&size| Operation::Member(size));
    lines.extend(
        operations
            .into_iter()
            .chain(members)
            .filter_map(|o| flat_in_directory(figures, options, o)),
    );
    lines.push(flat_in_group(figures, options));
    lines.extend(creates(figures, options));
    lines.push(beside_writers(figures));
    lines.push(Line {
        asked: "restart after kill -9 in the largest directory: ready in at most 2 s".to_owned(),
        measured: format!("{:.2} s", restart.as_secs_f64()),
        passed: restart <= RESTART,
    });
    lines
}

fn against_bare(figures: &Figures, options: &Options, operation: Operation) -> Line {
    let clients = nearest(&options.clients, 8);
    let bare = figures.get(Operation::Bare, 0, clients).map_or(f64::INFINITY, |s| s.rate);
    let rate = slowest(figures, options, operation, clients);
    Line {
        asked: format!(
            "{operation}: at {clients} clients at least a third of the bare handler's rate"
        ),
        measured: format!("{rate:.0}/s of {bare:.0}/s, {:.2}", rate / bare),
        passed: rate * 3.0 >= bare,
    }
}

/// The rate in the directory where it is lowest.
fn slowest(figures: &Figures, options: &Options, operation: Operation, clients: usize) -> f64 {
    let rates = options.sizes.iter().filter_map(|&users| figures.get(operation, users, clients));
    let slowest = rates.map(|sample| sample.rate).fold(f64::INFINITY, f64::min);
    if slowest.is_finite() { slowest } else { 0.0 }
}

/// `None` where fewer than two directories have the operation.
fn flat_in_directory(figures: &Figures, options: &Options, operation: Operation) -> Option<Line> {
    let clients = *options.clients.first()?;
    let mut samples = options
        .sizes
        .iter()
        .filter_map(|&users| Some((users, figures.get(operation, users, clients)?)));
    let (small, before) = samples.next()?;
    let (large, after) = samples.next_back()?;
    let asked = format!(
        "{operation}: at {clients} client cost at {large} users against {small} at most {FLAT_IN_DIRECTORY}"
    );
    Some(growth(asked, before, after, FLAT_IN_DIRECTORY))
}

fn flat_in_group(figures: &Figures, options: &Options) -> Line {
    let ends = options.clients.first().zip(options.sizes.last()).and_then(|(&clients, &users)| {
        let mut samples = options.groups.iter().filter_map(|&size| {
            Some((size, figures.get(Operation::Member(size), users, clients)?))
        });
        samples.next().zip(samples.next_back())
    });
    let Some(((small, before), (large, after))) = ends else {
        let asked = "add member: cost flat in group size".to_owned();
        return Line { asked, measured: "fewer than two groups".to_owned(), passed: false };
    };
    let asked =
        format!("add member: cost at {large} members against {small} at most {FLAT_IN_GROUP}");
    growth(asked, before, after, FLAT_IN_GROUP)
}

/// Both costs: processor time, and the time of a request.
fn growth(asked: String, before: Sample, after: Sample, limit: f64) -> Line {
    let (processor, p50) = (after.processor / before.processor, after.p50 / before.p50);
    let measured = format!("processor {processor:.2}, p50 {p50:.2}");
    Line { asked, measured, passed: processor <= limit && p50 <= limit }
}

fn creates(figures: &Figures, options: &Options) -> [Line; 2] {
    let clients = nearest(&options.clients, 32);
    let rate = slowest(figures, options, Operation::Create, clients);
    let sync = figures.sync();
    let inserts = figures.get(Operation::BareInsert, 0, clients).map_or(f64::INFINITY, |s| s.rate);
    // A slower disk is asked for less, in proportion; a faster one is asked for the same.
    let asked = CREATES * (SYNC / sync).min(1.0);
    let of_bare = rate / inserts;
    [
        Line {
            asked: format!(
                "create: at {clients} clients at least {asked:.0}/s durable, where one sync takes {:.2} ms",
                sync / 1e3
            ),
            measured: format!("{rate:.0}/s"),
            passed: rate >= asked,
        },
        Line {
            asked: format!(
                "create: at {clients} clients at least half of bare one-row inserts through the same \
                 writer, into a table with the same indexes, both over HTTP"
            ),
            measured: format!("{rate:.0}/s of {inserts:.0}/s, {of_bare:.2}"),
            passed: of_bare >= 0.5,
        },
    ]
}

fn beside_writers(figures: &Figures) -> Line {
    let ratio = median(figures.beside.iter().map(|b| b.busy / b.quiet));
    let quiet = median(figures.beside.iter().map(|b| b.quiet));
    let busy = median(figures.beside.iter().map(|b| b.busy));
    let pace = median(figures.beside.iter().map(|b| b.pace));
    let kept = pace >= f64::from(PACE) * 0.95;
    Line {
        asked: format!(
            "get by id: p50 at 1 client beside {PACE} writes/s at most twice the quiet one"
        ),
        measured: format!("{busy:.0} us against {quiet:.0} us, {ratio:.2} (at {pace:.0} writes/s)"),
        passed: ratio <= 2.0 && kept,
    }
}

/// The wanted number of clients, or the nearest one that was measured.
fn nearest(clients: &[usize], wanted: usize) -> usize {
    clients.iter().copied().min_by_key(|c| c.abs_diff(wanted)).unwrap_or(wanted)
}
