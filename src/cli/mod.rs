//! Floor 5: the command line. A file a subcommand; results on standard output, errors on standard
//! error in one line.

pub mod api_key;
pub mod company;
pub mod database;
pub mod demo;
pub mod explain;
pub mod export;
pub mod import;
pub mod keys;
pub mod organization;
mod print;
pub mod schema;
pub mod token;

use clap::{Parser, Subcommand};

use crate::config::{CommonFlags, Format, ServeFlags};
use crate::service::{Result as ServiceResult, Service};

/// A self-hosted SCIM 2.0 and single sign-on server: the companies that buy your software push their users and groups to it, and sign in through it.
#[derive(Debug, Parser)]
#[command(name = "stagedoor", version, arg_required_else_help = true)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub common: CommonFlags,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Migrate the database, then serve.
    Serve(Box<ServeFlags>),
    /// Apply the migrations that the database lacks, and stop.
    Migrate {
        /// Only say what is missing; exit 1 if anything is.
        #[arg(long)]
        check: bool,
    },
    /// Companies: the operator's customers.
    #[command(subcommand)]
    Company(company::Command),
    /// Organizations: the workspaces of a company.
    #[command(subcommand)]
    Organization(organization::Command),
    /// Keys of the management API: an operator's, or one company's.
    #[command(subcommand)]
    ApiKey(api_key::Command),
    /// The keys that seal secrets in the database.
    #[command(subcommand)]
    Keys(keys::Command),
    /// SCIM tokens: what an identity provider sends.
    #[command(subcommand)]
    Token(token::Command),
    /// Custom SCIM extensions of a company.
    #[command(subcommand)]
    Schema(schema::Command),
    /// Load users and groups from a file; once more does no harm, and goes on where it was cut short.
    Import(import::Command),
    /// Write a company's users and groups to standard output, one SCIM resource a line.
    Export(export::Command),
    /// Say why a user may enter an organization or not, which teams they get there, and what would mend it.
    Explain(explain::Command),
    /// Databases as a whole.
    #[command(subcommand)]
    Database(database::Command),
}

/// What a command leaves to print, and how it ends.
#[derive(Debug, Default)]
pub struct Printed {
    /// For standard output.
    pub text: String,
    /// Not everything was done; what was not, standard error says.
    pub failed: bool,
}

impl From<String> for Printed {
    fn from(text: String) -> Self {
        Self { text, failed: false }
    }
}

/// Does a command that works on the service and returns what to print.
///
/// # Errors
/// One line for the operator.
pub async fn run(command: Command, service: &Service, format: Format) -> Result<Printed, String> {
    let result = match command {
        Command::Company(command) => {
            company::run(command, service, format).await.map(Printed::from)
        }
        Command::Organization(command) => {
            organization::run(command, service, format).await.map(Printed::from)
        }
        Command::ApiKey(command) => api_key::run(command, service, format).await.map(Printed::from),
        Command::Keys(command) => keys::run(&command, service, format).await.map(Printed::from),
        Command::Token(command) => token::run(command, service, format).await.map(Printed::from),
        Command::Schema(command) => schema::run(command, service, format).await.map(Printed::from),
        Command::Import(command) => import::run(command, service, format).await,
        Command::Export(command) => export::run(&command, service),
        Command::Explain(command) => explain::run(command, service, format).map(Printed::from),
        Command::Serve(_) | Command::Migrate { .. } | Command::Database(_) => {
            return Err("this command does not work on an open service".to_owned());
        }
    };
    one_line(result)
}

/// An error as the one line that an operator sees, with its cause.
fn one_line<T>(result: ServiceResult<T>) -> Result<T, String> {
    result.map_err(|error| {
        let cause = std::error::Error::source(&error).map(|c| format!(": {c}"));
        format!("{error}{}", cause.unwrap_or_default())
    })
}
