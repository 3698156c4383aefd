//! The short table of the README, which stands between two marks and is never typed.

use std::fs;
use std::path::Path;

use super::Report;
use super::tables::line;
use crate::Result;
use crate::figures::Figures;
use crate::operation::Operation;

/// The line before the table, and the one after it.
const MARKS: [&str; 2] = ["<!-- benchmark: made by make bench -->", "<!-- benchmark: end -->"];

/// Puts a text between the marks.
pub fn refresh(file: &Path, text: &str) -> Result<()> {
    let before = fs::read_to_string(file)?;
    let [begin, end] = MARKS;
    let parts =
        before.split_once(begin).and_then(|(head, rest)| Some((head, rest.split_once(end)?.1)));
    let Some((head, tail)) = parts else {
        return Err(format!("{} has no marks {begin} and {end}", file.display()).into());
    };
    Ok(fs::write(file, format!("{head}{begin}\n{text}\n{end}{tail}"))?)
}

/// The operations at the ends of the sizes, on each database, with the number of passed lines.
pub fn table(report: &Report) -> String {
    let (machine, options) = (&report.machine, report.options);
    let sync = report.sync() / 1e3;
    let mut out = String::new();
    line(
        &mut out,
        &format!("{}: {}, one sync of the disk {sync:.2} ms.\n", machine.day, machine.line()),
    );
    for figures in &report.figures {
        let lines = report.lines.iter().filter(|line| line.database == figures.database);
        let (all, passed) = (lines.clone().count(), lines.filter(|line| line.passed).count());
        let database = figures.database;
        line(&mut out, &format!("**{database}**: {passed} of {all} acceptance lines hold.\n"));
        line(&mut out, &rows(figures, &options.clients));
        for failed in report.lines.iter().filter(|line| line.database == database && !line.passed) {
            line(&mut out, &format!("- Not met: {}: {}.", failed.asked, failed.measured));
        }
        if passed < all {
            line(&mut out, "");
        }
    }
    out.trim_end().to_owned()
}

fn rows(figures: &Figures, clients: &[usize]) -> String {
    let (least, most) = (clients.first().copied(), clients.last().copied());
    let (least, most) = (least.unwrap_or(1), most.unwrap_or(1));
    let mut out = String::from("| operation | users | p50 us");
    line(
        &mut out,
        &format!(
            ", {least} at once | processor us, {least} at once | requests/s, {most} at once |"
        ),
    );
    line(&mut out, "| --- | ---: | ---: | ---: | ---: |");
    for key in figures.all().map(|(key, _)| key).filter(|key| key.clients == most) {
        let ends = [Some(0), figures.sizes().next(), figures.sizes().next_back()];
        if !ends.contains(&Some(key.users)) || key.operation == Operation::Mix {
            continue;
        }
        let of = |clients| figures.get(key.operation, key.users, clients);
        let Some((quiet, busy)) = of(least).zip(of(most)) else { continue };
        let users = if key.users == 0 { "-".to_owned() } else { key.users.to_string() };
        let (operation, p50, cost, rate) = (key.operation, quiet.p50, quiet.cost(), busy.rate);
        line(&mut out, &format!("| {operation} | {users} | {p50:.0} | {cost:.0} | {rate:.0} |"));
    }
    out
}
