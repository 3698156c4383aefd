//! Everything as JSON, with the sample of every round.

use serde_json::{Value, json};

use super::Report;
use crate::figures::{Figures, Sample, medians, micros};
use crate::process::Memory;

/// The whole run.
pub fn text(report: &Report) -> String {
    let (machine, options) = (&report.machine, report.options);
    let lines = report.lines.iter().map(|line| {
        json!({
            "database": line.database.to_string(), "asked": line.asked, "measured": line.measured,
            "passed": line.passed,
        })
    });
    let value = json!({
        "machine": machine.line(),
        "rustc": machine.rustc, "sqlite": machine.sqlite, "postgres": machine.postgres,
        "day": machine.day, "command": machine.command, "seed": options.seed,
        "rounds": options.rounds, "seconds": options.seconds,
        "databases": report.figures.iter().map(figures).collect::<Vec<_>>(),
        "acceptance": lines.collect::<Vec<_>>(),
    });
    value.to_string()
}

fn figures(figures: &Figures) -> Value {
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
    let seeded = figures.seeded.iter().map(|s| {
        json!({
            "users": s.users, "neighbours": s.neighbours, "seconds": s.seconds,
            "memory": memory(&s.memory),
        })
    });
    let walks = figures.walks.iter().map(|walk| walk.iter().map(sample).collect::<Vec<_>>());
    let starts = figures
        .starts
        .iter()
        .map(|s| json!({"accepting_us": micros(s.accepting), "ready_us": micros(s.ready)}));
    json!({
        "database": figures.database.to_string(),
        "sync_us": figures.sync(),
        "bare_inserts_per_second": figures.inserts(),
        "disk": disk.collect::<Vec<_>>(),
        "figures": rows.collect::<Vec<_>>(),
        "beside_writers": beside.collect::<Vec<_>>(),
        "directories": seeded.collect::<Vec<_>>(),
        "walks_by_start_index": walks.collect::<Vec<_>>(),
        "memory_under_load": figures.memory.iter().map(memory).collect::<Vec<_>>(),
        "starts_after_kill": starts.collect::<Vec<_>>(),
        "wrong_members": figures.wrong_members,
    })
}

fn memory(memory: &Memory) -> Value {
    json!({"peak_mib": memory.peak, "own_mib": memory.own})
}

fn sample(sample: &Sample) -> Value {
    json!({
        "requests_per_second": sample.rate, "p50_us": sample.p50, "p99_us": sample.p99,
        "server_us_per_request": sample.processor, "database_us_per_request": sample.database,
    })
}
