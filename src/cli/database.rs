//! `stagedoor database …`: works on databases as a whole, not on an open service.

use clap::Subcommand;
use serde_json::Value;

use crate::config::Format;
use crate::service::KeySource;
use crate::service::copy::{Copied, Copy};

use super::{import, print};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Copy a whole installation into a new database: SQLite to PostgreSQL, or any other way.
    Copy {
        /// The database that is copied; it is not changed.
        #[arg(long, value_name = "URL")]
        from: String,
        /// The new one; it may be there, but must be empty.
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

/// Does a subcommand and returns what to print.
///
/// # Errors
/// One line for the operator.
pub fn run(command: &Command, key: &KeySource, format: Format) -> Result<String, String> {
    let Command::Copy { from, to } = command;
    let mut copy = Copy::begin(from, to, key)?;
    let bar = import::bar(copy.progress().total);
    loop {
        let done = copy.step()?;
        bar.set_position(copy.progress().done);
        if let Some(copied) = done {
            bar.finish_and_clear();
            return Ok(told(format, &copied));
        }
    }
}

fn told(format: Format, copied: &Copied) -> String {
    let ((rows, tables), path) = (copied.rows, |p: &std::path::PathBuf| p.display().to_string());
    let (key_to, key_from) = (copied.key_to.as_ref().map(path), copied.key_from.as_ref().map(path));
    if format == Format::Json {
        let names = ["rows", "tables", "key written", "key to give"];
        let key = |key: Option<String>| key.map_or(Value::Null, Value::from);
        let values = vec![rows.into(), tables.into(), key(key_to), key(key_from)];
        return print::record(format, &names, values);
    }
    let mut out = format!("copied and compared: {rows} rows of {tables} tables\n");
    match (key_to, key_from) {
        (Some(path), _) => out.push_str(&format!("the server key is in {path}\n")),
        (None, Some(path)) => {
            out.push_str(&format!("start the servers with --secret-key-file {path}\n"));
        }
        (None, None) => out.push_str("start the servers with the same secret key as before\n"),
    }
    out
}
