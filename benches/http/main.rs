//! The benchmark that we publish: the release server over HTTP, beside a bare handler and a bare
//! database, in one run.
//!
//! `cargo bench --bench http` starts the server on a database of each size, seeds it through SCIM,
//! and measures every operation in rounds that are interleaved, so that a machine that drifts
//! touches all figures alike. It ends with the acceptance lines and fails if one of them fails. It
//! never reaches into the server: what it knows comes over HTTP and from `/proc`.

mod acceptance;
mod bare;
mod cluster;
mod directory;
mod disk;
mod driver;
mod figures;
mod indexed;
mod load;
mod machine;
mod operation;
mod options;
mod process;
mod report;
mod rounds;
mod script;
mod walk;
mod wire;

use std::process::ExitCode;

use clap::Parser;

use cluster::Cluster;
use figures::Database;
use machine::Machine;
use options::Options;
use process::Program;
use report::Report;

/// Whatever goes wrong ends the run with one line.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let options = Options::parse().settled();
    let outcome = match &options.bare_database {
        url if options.bare_handler => bare::serve(url.as_deref()).map(|()| true),
        Some(url) => driver::serve(url).map(|()| true),
        None => run(&options),
    };
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
    let bare = Program::start_bare(None)?;
    let mut machine = Machine::look()?;
    let (mut all, mut lines) = (Vec::new(), Vec::new());
    for (database, sizes) in options.stages() {
        let home = tempfile::Builder::new().prefix("bench").tempdir_in(&options.directory)?;
        let cluster = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(Cluster::start(&options.directory, machine.memory)?),
        };
        machine.postgres = cluster.as_ref().map(|c| format!("{}, `{}`", c.version, c.settings));
        let around = (&bare, cluster.as_ref());
        let figures = rounds::Stage::set(home.path(), options, sizes, around)?.play(options)?;
        lines.extend(acceptance::judge(&figures, options));
        all.push(figures);
    }
    let report = Report { machine, options, figures: all, lines };
    report.write()?;
    Ok(options.quick || report.lines.iter().all(|line| line.passed))
}
