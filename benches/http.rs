//! The benchmark that we publish: the release server over HTTP, beside a bare handler, in one run.
//!
//! `cargo bench --bench http` starts the server on a database of each size, seeds it through SCIM,
//! and measures every operation in rounds that are interleaved, so that a machine that drifts
//! touches all figures alike. It ends with the acceptance lines and fails if one of them fails. It
//! never reaches into the server: what it knows comes over HTTP and from `/proc`.

#[path = "http/acceptance.rs"]
mod acceptance;
#[path = "http/bare.rs"]
mod bare;
#[path = "http/directory.rs"]
mod directory;
#[path = "http/disk.rs"]
mod disk;
#[path = "http/figures.rs"]
mod figures;
#[path = "http/load.rs"]
mod load;
#[path = "http/operation.rs"]
mod operation;
#[path = "http/options.rs"]
mod options;
#[path = "http/process.rs"]
mod process;
#[path = "http/report.rs"]
mod report;
#[path = "http/rounds.rs"]
mod rounds;
#[path = "http/wire.rs"]
mod wire;

use std::process::ExitCode;

use clap::Parser;

use options::Options;

/// Whatever goes wrong ends the run with one line.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let options = Options::parse().settled();
    let outcome = if options.bare_handler { bare::serve().map(|()| true) } else { run(&options) };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the benchmark stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs everything and prints it; whether every acceptance line passed.
fn run(options: &Options) -> Result<bool> {
    let home = tempfile::Builder::new().prefix("bench").tempdir_in(&options.directory)?;
    let bare = process::Program::start_bare()?;
    let mut stage = rounds::Stage::set(home.path(), options, bare)?;
    let figures = stage.play(options)?;
    let restart = stage.restart_largest()?;
    let lines = acceptance::judge(&figures, restart, options);
    report::print(&figures, &lines);
    if let Some(file) = &options.json {
        std::fs::write(file, report::json(&figures, &lines).to_string())?;
    }
    Ok(options.quick || lines.iter().all(|line| line.passed))
}
