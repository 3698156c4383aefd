//! The report as one page of Markdown.

use super::tables::{self, line};
use super::{Report, plots};
use crate::figures::{Database, Figures};

/// The page; without plots it is what stands on standard output.
pub fn text(report: &Report, with_plots: bool) -> String {
    let mut out = String::from("# Benchmark\n\n");
    line(&mut out, &conditions(report));
    line(&mut out, "## Acceptance\n");
    line(&mut out, &tables::acceptance(report));
    if with_plots {
        line(&mut out, "## Plots\n");
        for (name, about) in plots::ABOUT {
            line(&mut out, &format!("![{about}]({name})\n"));
        }
    }
    for figures in &report.figures {
        line(&mut out, &section(figures));
    }
    format!("{}\n", out.trim_end())
}

/// Where, with what, on which data, and how to do it again.
fn conditions(report: &Report) -> String {
    let (machine, options) = (&report.machine, report.options);
    let mut out = String::new();
    line(&mut out, "| | |\n| --- | --- |");
    let memory = format!("{:.0} GiB", machine.memory);
    let sync = format!("one sync of 4 KiB takes {:.2} ms", report.sync() / 1e3);
    let postgres = machine.postgres.as_deref().map_or("not measured".to_owned(), |version| {
        format!("{version}, else its own settings, sync on, vacuumed, analyzed and checkpointed after seeding")
    });
    let rows = [
        ("day", machine.day.clone()),
        (
            "machine",
            format!(
                "{} x {}, {memory}, shared with the load generator",
                machine.cores, machine.processor
            ),
        ),
        ("disk", sync),
        ("system", format!("Linux {}", machine.kernel)),
        ("stagedoor", format!("{}, {} build, {}", machine.stagedoor, machine.build, machine.rustc)),
        ("SQLite", machine.sqlite.clone()),
        ("PostgreSQL", postgres),
        ("data set", format!("seed {}; sizes below", options.seed)),
        ("rounds", format!("{} of {} s a figure; medians", options.rounds, options.seconds)),
        ("command", format!("`{}`", machine.command)),
    ];
    for (name, value) in rows {
        line(&mut out, &format!("| {name} | {value} |"));
    }
    line(&mut out, ABOUT);
    out
}

/// How the figures are to be read.
const ABOUT: &str = "
The same command with the same seed makes the same directories. The company that is measured has the number of users that a row
names; the companies beside it have a tenth of that among them, of Zipf sizes. Everybody is in three groups of Zipf sizes, a hundred
members on average and 20,000 at most; one project in ten lies in a portfolio, a group of groups. The growing groups come on top.

All files of the databases are read before each family of figures: the system holds them in memory, and no figure is that of the
disk's reads. Load comes from closed-loop clients in one thread, over HTTP/1.1 on the loopback. Operations that are compared take turns in
short slices. Members are added and removed in turn: rate and processor time are of both, p50 and p99 of the adding. Processor
time is that of all threads of the server, and of all processes of PostgreSQL. What has no users is a yardstick: a handler that
does nothing, one that stores one row before it answers, and PostgreSQL's driver by itself over as many connections.
";

fn section(figures: &Figures) -> String {
    let mut out = format!("## {}\n\n", figures.database);
    line(&mut out, &tables::figures(figures));
    if figures.database == Database::Sqlite {
        let inserts = figures.inserts();
        line(
            &mut out,
            &format!(
                "Rows into a table with one index through the writer, in process: {inserts:.0}/s.\n"
            ),
        );
    }
    line(&mut out, &tables::directories(figures));
    let users = figures.sizes().next_back().unwrap_or(0);
    line(&mut out, &format!("All {users} users by `startIndex`, in pages of 100, one client:\n"));
    line(&mut out, &tables::walk(figures));
    out
}
