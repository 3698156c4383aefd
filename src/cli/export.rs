//! `stagedoor export …`.

use std::io::{self, Write};

use clap::Args;

use crate::service::{Error, Result, Service};

use super::Printed;

/// What the command takes.
#[derive(Debug, Args)]
pub struct Command {
    /// Id or slug of the company.
    company: String,
}

/// Writes the directory to standard output, one SCIM resource a line: users first, then groups.
///
/// # Errors
/// The service's, and those of standard output.
pub fn run(command: &Command, service: &Service) -> Result<Printed> {
    let mut export = service.export(&command.company)?;
    let mut out = io::stdout().lock();
    let refused = |e: io::Error| Error::Refused(format!("standard output: {e}"));
    while let Some(part) = export.part()? {
        out.write_all(part.as_bytes()).map_err(refused)?;
    }
    out.flush().map_err(refused)?;
    Ok(Printed::default())
}
