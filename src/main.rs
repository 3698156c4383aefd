//! The `stagedoor` binary: hands the command line to the server or to a command.

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
            eprintln!("stagedoor: {line}");
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
            print!("{}", cli::database::run(&command, &server::key_source(&settings)?, format)?);
            Ok(ExitCode::SUCCESS)
        }
        command => {
            let service = server::open(&Settings::load(cli.common, ServeFlags::default())?)?;
            let printed = cli::run(command, &service, format).await?;
            print!("{}", printed.text);
            Ok(if printed.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
    }
}

fn migrate(settings: &Settings, check: bool) -> Result<ExitCode, String> {
    let pending = service::pending_migrations(&settings.database_url)?;
    for name in &pending {
        println!("{name}");
    }
    if check {
        return Ok(if pending.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    server::open(settings)?;
    println!("{} migrations applied", pending.len());
    Ok(ExitCode::SUCCESS)
}
