//! The tables, as Markdown.

use std::fmt::Write as _;

use super::Report;
use crate::figures::{Figures, Sample, medians};

/// Every figure of one database.
pub fn figures(figures: &Figures) -> String {
    let mut out = String::from(
        "| operation | users | clients | requests/s | p50 us | p99 us | server us/request | database us/request |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for (key, samples) in figures.all() {
        let Sample { rate, p50, p99, processor, database } = medians(samples);
        let users = if key.users == 0 { "-".to_owned() } else { key.users.to_string() };
        let (processor, database) = (time(processor), time(database));
        line(
            &mut out,
            &format!(
                "| {} | {users} | {} | {rate:.0} | {p50:.0} | {p99:.0} | {processor} | {database} |",
                key.operation, key.clients
            ),
        );
    }
    out
}

/// The walk by `startIndex`, a row a tenth.
pub fn walk(figures: &Figures) -> String {
    let mut out = String::from(
        "| pages | p50 us | p99 us | server us/page | database us/page |\n\
         | --- | ---: | ---: | ---: | ---: |\n",
    );
    for number in 0..10 {
        let Some(tenth) = figures.tenth(number) else { continue };
        let Sample { p50, p99, processor, database, .. } = tenth;
        let (processor, database) = (time(processor), time(database));
        let (from, to) = (number * 10, number * 10 + 10);
        line(
            &mut out,
            &format!("| {from} to {to} % | {p50:.0} | {p99:.0} | {processor} | {database} |"),
        );
    }
    out
}

/// The directories of one database.
pub fn directories(figures: &Figures) -> String {
    let mut out = String::from(
        "| users | users of the companies beside | seeded in s | most memory of the server, MiB |\n\
         | ---: | --- | ---: | ---: |\n",
    );
    for seeded in &figures.seeded {
        let neighbours: Vec<String> = seeded.neighbours.iter().map(ToString::to_string).collect();
        let (users, seconds, memory) = (seeded.users, seeded.seconds, seeded.memory.peak);
        let neighbours = neighbours.join(", ");
        line(&mut out, &format!("| {users} | {neighbours} | {seconds:.1} | {memory} |"));
    }
    out
}

/// The acceptance lines.
pub fn acceptance(report: &Report) -> String {
    let mut out = String::from("| | database | asked | measured |\n| --- | --- | --- | --- |\n");
    for judged in &report.lines {
        let verdict = if judged.passed { "PASS" } else { "FAIL" };
        let (database, asked, measured) = (judged.database, &judged.asked, &judged.measured);
        line(&mut out, &format!("| {verdict} | {database} | {asked} | {measured} |"));
    }
    out
}

/// A processor time, where there was one.
fn time(micros: f64) -> String {
    if micros > 0.0 { format!("{micros:.1}") } else { "-".to_owned() }
}

/// Adds a line.
pub fn line(out: &mut String, text: &str) {
    // Writing into a text cannot fail.
    let _written = writeln!(out, "{text}");
}
