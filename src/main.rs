//! The `stagedoor` binary: hands the command line to the server or to a command.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use stagedoor::cli::{self, Cli, Command};
use stagedoor::config::{ServeFlags, Settings};
use stagedoor::{server, service};

// Without huge pages (`no_thp`): they make a heap of a few busy spots resident whole.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match actix_web::rt::System::new().block_on(run(cli)) {
        Ok(code) => code,
        Err(line) => {
            // Nobody may read it any more; the exit code says enough then.
            let _unread = writeln!(io::stderr(), "stagedoor: {line}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode, String> {
    let format = cli.common.format;
    match cli.command {
        Command::Serve(flags) => {
            server::serve(Settings::load(cli.common, *flags)?).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Migrate { check } => {
            migrate(&Settings::load(cli.common, ServeFlags::default())?, check)
        }
        Command::Database(command) => {
            let settings = Settings::load(cli.common, ServeFlags::default())?;
            say(&cli::database::run(&command, &server::key_source(&settings)?, format)?)?;
            Ok(ExitCode::SUCCESS)
        }
        command => {
            let service = server::open(&Settings::load(cli.common, ServeFlags::default())?)?;
            let printed = cli::run(command, &service, format).await?;
            say(&printed.text)?;
            Ok(if printed.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
    }
}

/// Prints a result.
///
/// # Errors
/// Where standard output does not take it.
fn say(text: &str) -> Result<(), String> {
    let mut out = io::stdout();
    let said = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    said.map_err(|e| format!("standard output: {e}"))
}

fn migrate(settings: &Settings, check: bool) -> Result<ExitCode, String> {
    let pending = service::pending_migrations(&settings.database_url)?;
    for name in &pending {
        say(&format!("{name}\n"))?;
    }
    if check {
        return Ok(if pending.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    server::open(settings)?;
    say(&format!("{} migrations applied\n", pending.len()))?;
    Ok(ExitCode::SUCCESS)
}
