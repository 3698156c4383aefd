//! `stagedoor keys …`.

use clap::Subcommand;
use serde_json::json;

use crate::config::Format;
use crate::service::{Result, Service};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new key that seals secrets, and seal all of them anew; servers may run meanwhile, and take the
    /// key within a minute.
    Rotate,
}

/// Does a subcommand.
///
/// # Errors
/// The service's.
pub async fn run(command: &Command, service: &Service, format: Format) -> Result<String> {
    match command {
        Command::Rotate => {
            let done = service.rotate_sealing_key().await?;
            Ok(match format {
                Format::Text => {
                    format!(
                        "key {} seals now; {} secrets were sealed anew\n",
                        done.key, done.renewed
                    )
                }
                Format::Json => format!("{}\n", json!({"key": done.key, "renewed": done.renewed})),
            })
        }
    }
}
