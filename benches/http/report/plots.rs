//! The plots of the report: which figures each of them shows.

use super::chart::{Scale, Series, Words, bars, lines};
use crate::Result;
use crate::acceptance::counted;
use crate::figures::{Database, Figures, Key, Sample};
use crate::operation::Operation;

/// The files of the plots, with what they show.
pub const ABOUT: [(&str, &str); 5] = [
    ("sizes.svg", "Processor time of a request by size of the directory, one client"),
    ("groups.svg", "Processor time of adding a member by size of the group"),
    ("clients.svg", "Requests a second by clients, in the largest directory"),
    ("walk.svg", "Time of a page by depth of the walk over the largest directory"),
    ("databases.svg", "Both databases and their yardsticks, most clients"),
];

/// Operations that show how a cost grows.
const SHOWN: [Operation; 5] =
    [Operation::Get, Operation::Filter, Operation::FirstPage, Operation::Create, Operation::Active];

/// Every plot with the name of its file.
pub fn all(figures: &[Figures]) -> Result<Vec<(&'static str, String)>> {
    let texts =
        [sizes(figures)?, groups(figures)?, clients(figures)?, walk(figures)?, databases(figures)?];
    Ok(ABOUT.iter().map(|(name, _)| *name).zip(texts).collect())
}

fn sizes(figures: &[Figures]) -> Result<String> {
    let words = Words { title: ABOUT[0].1, x: "users (logarithmic)", y: "us (logarithmic)" };
    let series = each(figures, &SHOWN, |figures, operation| {
        let least = figures.all().map(|(key, _)| key.clients).min().unwrap_or(1);
        points(
            figures,
            |key| (key.operation == operation && key.clients == least).then_some(key.users),
            Sample::cost,
        )
    });
    lines(&words, Scale::Logarithmic, &series)
}

fn groups(figures: &[Figures]) -> Result<String> {
    let words = Words { title: ABOUT[1].1, x: "members (logarithmic)", y: "us (logarithmic)" };
    let mut series = Vec::new();
    for figures in figures {
        let largest = figures.sizes().next_back().unwrap_or(0);
        for (colour, clients) in clients_of(figures).into_iter().enumerate() {
            let points = points(
                figures,
                |key| match key.operation {
                    Operation::Member(size) => {
                        (key.users == largest && key.clients == clients).then_some(size)
                    }
                    _ => None,
                },
                Sample::cost,
            );
            let name = format!("{}, {}", counted(clients), figures.database);
            let dashed = figures.database == Database::Postgres;
            series.push(Series { name, points, colour, dashed });
        }
    }
    lines(&words, Scale::Logarithmic, &series)
}

fn clients(figures: &[Figures]) -> Result<String> {
    let words =
        Words { title: ABOUT[2].1, x: "clients (logarithmic)", y: "requests/s (logarithmic)" };
    let series = each(figures, &SHOWN, |figures, operation| {
        let largest = figures.sizes().next_back().unwrap_or(0);
        points(
            figures,
            |key| (key.operation == operation && key.users == largest).then_some(key.clients),
            |sample| sample.rate,
        )
    });
    lines(&words, Scale::Logarithmic, &series)
}

fn walk(figures: &[Figures]) -> Result<String> {
    let words = Words { title: ABOUT[3].1, x: "% of the directory", y: "p50, us" };
    let mut series = Vec::new();
    for (colour, figures) in figures.iter().enumerate() {
        let tenths = (0_u32..10).zip(0..).filter_map(|(tenth, number)| {
            Some((f64::from(tenth * 10 + 10), figures.tenth(number)?.p50))
        });
        let dashed = figures.database == Database::Postgres;
        let name = figures.database.to_string();
        series.push(Series { name, points: tenths.collect(), colour, dashed });
    }
    lines(&words, Scale::Linear, &series)
}

/// The largest directory beside what the database and the wire can do at most.
fn databases(figures: &[Figures]) -> Result<String> {
    let words = Words { title: ABOUT[4].1, x: "requests/s", y: "" };
    let mut all = Vec::new();
    let rows = [
        Operation::Bare,
        Operation::DriverSelect,
        Operation::BareSelect,
        Operation::Get,
        Operation::Filter,
        Operation::BareInsert,
        Operation::DriverInsert,
        Operation::Create,
    ];
    for operation in rows {
        for (colour, figures) in figures.iter().enumerate() {
            let largest = figures.sizes().next_back().unwrap_or(0);
            let users = if operation.is_bare() { 0 } else { largest };
            let most = clients_of(figures).pop().unwrap_or(1);
            if let Some(sample) = figures.get(operation, users, most) {
                let colour = if operation.is_bare() { 6 } else { colour };
                all.push((format!("{operation}, {}", figures.database), sample.rate, colour));
            }
        }
    }
    bars(&words, &all)
}

/// A line for each operation on each database.
fn each(
    figures: &[Figures],
    operations: &[Operation],
    points: impl Fn(&Figures, Operation) -> Vec<(f64, f64)>,
) -> Vec<Series> {
    let mut series = Vec::new();
    for figures in figures {
        for (colour, &operation) in operations.iter().enumerate() {
            series.push(Series {
                name: format!("{operation}, {}", figures.database),
                points: points(figures, operation),
                colour,
                dashed: figures.database == Database::Postgres,
            });
        }
    }
    series
}

/// The figures that have a place on the one side, with their value on the other.
fn points(
    figures: &Figures,
    place: impl Fn(&Key) -> Option<usize>,
    value: impl Fn(&Sample) -> f64,
) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for key in figures.all().map(|(key, _)| key) {
        let sample = figures.get(key.operation, key.users, key.clients);
        if let Some((place, sample)) = place(key).zip(sample) {
            points.push((f64::from(u32::try_from(place).unwrap_or(u32::MAX)), value(&sample)));
        }
    }
    points
}

/// The numbers of clients, in rising order. The mix is measured with the most only.
fn clients_of(figures: &Figures) -> Vec<usize> {
    let mut clients: Vec<usize> = figures.all().map(|(key, _)| key.clients).collect();
    clients.sort_unstable();
    clients.dedup();
    clients
}
