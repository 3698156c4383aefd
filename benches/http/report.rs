//! The table, as Markdown and as JSON. Prints what it is given, judges nothing.

use std::fs;
use std::thread;

use serde_json::{Value, json};

use crate::acceptance::Line;
use crate::figures::{Figures, Sample, medians, micros};

/// Prints the table and the acceptance lines.
pub fn print(figures: &Figures, lines: &[Line]) {
    println!("{}\n", machine());
    println!(
        "One sync (4 KiB) takes {:.2} ms; rows into a table with one index through the writer, in process: {:.0}/s.\n",
        figures.sync() / 1e3,
        figures.inserts()
    );
    println!("| operation | users | clients | requests/s | p50 us | p99 us | server us/request |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (key, samples) in figures.all() {
        let Sample { rate, p50, p99, processor } = medians(samples);
        let users = if key.users == 0 { "-".to_owned() } else { key.users.to_string() };
        println!(
            "| {} | {users} | {} | {rate:.0} | {p50:.0} | {p99:.0} | {processor:.1} |",
            key.operation, key.clients
        );
    }
    println!(
        "\nEach figure is the median of the rounds. Members are added and removed in turn: rate and \
         processor time are of both, p50 and p99 of the adding.\n"
    );
    for seeded in &figures.seeded {
        println!(
            "{} users: seeded in {:.1} s, the server held at most {} MiB.",
            seeded.users, seeded.seconds, seeded.memory
        );
    }
    println!("\n| | asked | measured |\n| --- | --- | --- |");
    for line in lines {
        let verdict = if line.passed { "PASS" } else { "FAIL" };
        println!("| {verdict} | {} | {} |", line.asked, line.measured);
    }
}

/// Everything, with the sample of every round.
pub fn json(figures: &Figures, lines: &[Line]) -> Value {
    let rows = figures.all().map(|(key, samples)| {
        json!({
            "operation": key.operation.to_string(), "users": key.users, "clients": key.clients,
            "median": sample(&medians(samples)),
            "rounds": samples.iter().map(sample).collect::<Vec<_>>(),
        })
    });
    let disk = figures
        .disk
        .iter()
        .map(|d| json!({"sync_us": micros(d.sync), "bare_inserts_per_second": d.inserts}));
    let beside = figures.beside.iter().map(
        |b| json!({"quiet_p50_us": b.quiet, "busy_p50_us": b.busy, "writes_per_second": b.pace}),
    );
    let seeded = figures
        .seeded
        .iter()
        .map(|s| json!({"users": s.users, "seconds": s.seconds, "peak_memory_mib": s.memory}));
    let lines = lines
        .iter()
        .map(|line| json!({"asked": line.asked, "measured": line.measured, "passed": line.passed}));
    json!({
        "machine": machine(),
        "sync_us": figures.sync(),
        "bare_inserts_per_second": figures.inserts(),
        "disk": disk.collect::<Vec<_>>(),
        "figures": rows.collect::<Vec<_>>(),
        "beside_writers": beside.collect::<Vec<_>>(),
        "directories": seeded.collect::<Vec<_>>(),
        "acceptance": lines.collect::<Vec<_>>(),
    })
}

fn sample(sample: &Sample) -> Value {
    json!({
        "requests_per_second": sample.rate, "p50_us": sample.p50, "p99_us": sample.p99,
        "server_us_per_request": sample.processor,
    })
}

/// One line about the machine, as far as it says something about itself.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let version = env!("CARGO_PKG_VERSION");
    format!("stagedoor {version}, {cores} x {model}, Linux {}", kernel.trim())
}
