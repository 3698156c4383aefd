//! `stagedoor import …`.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use crate::config::Format;
use crate::service::import::{Import, Source, Summary, Tally};
use crate::service::{Error, Result, Service};

use super::Printed;

/// What the command takes.
#[derive(Debug, Args)]
pub struct Command {
    /// Id or slug of the company.
    company: String,
    /// The file, or `-` for standard input: SCIM users and groups, one JSON object a line.
    file: PathBuf,
    /// The file is a table of users, whose first row names attributes. [default: for names in .csv]
    #[arg(long)]
    csv: bool,
    /// Stop at the first line that cannot be stored; nothing behind it is done.
    #[arg(long)]
    strict: bool,
}

/// Stores what the file holds; bad lines go to standard error while the others go on.
///
/// # Errors
/// The service's, and those of the file.
pub async fn run(command: Command, service: &Service, format: Format) -> Result<Printed> {
    let name = command.file.display().to_string();
    let refused = |e: io::Error| Error::Refused(format!("{name}: {e}"));
    let csv =
        command.csv || command.file.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let source = open(&command.file, csv).map_err(refused)?;
    let bar = bar(source.1);
    let mut import = Import::begin(service, &command.company, source, command.strict)?;
    while let Some(step) = import.step().await? {
        for bad in &step.bad {
            bar.suspend(|| say(&format!("{name}:{}: {}", bad.line, bad.why)));
        }
        bar.set_length(step.total);
        bar.set_position(step.done);
    }
    bar.finish_and_clear();
    let summary = import.summary();
    for (what, (times, line)) in &summary.left_out {
        say(&format!("{name}:{line}: left out, {times} in all: {what}"));
    }
    let stopped = command.strict && summary.bad > 0;
    Ok(Printed { text: print(format, summary, stopped), failed: summary.bad > 0 })
}

/// A line on standard error; where nobody reads that any more, the import goes on.
fn say(line: &str) {
    let _unread = writeln!(io::stderr(), "{line}");
}

/// Opens the file and measures it. What can be read once only is kept in a nameless file beside,
/// since groups are read again once all users are stored.
fn open(path: &Path, csv: bool) -> io::Result<(Source, u64)> {
    let mut input: Box<dyn Read + Send> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let file = File::open(path)?;
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if about.is_file() {
            let source = if csv { Source::Csv(Box::new(file)) } else { Source::Ndjson(file) };
            return Ok((source, about.len()));
        }
        Box::new(file)
    };
    if csv {
        return Ok((Source::Csv(input), 0));
    }
    let mut kept = tempfile::tempfile()?;
    let size = io::copy(&mut input, &mut kept)?;
    Ok((Source::Ndjson(kept), size))
}

/// A bar on standard error; nothing where that is no terminal.
pub(super) fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {elapsed} of {duration}");
    // The template is ours; should it be wrong, the bar looks otherwise.
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

fn print(format: Format, summary: &Summary, stopped: bool) -> String {
    let kinds = [("users", summary.users), ("groups", summary.groups)];
    match format {
        Format::Json => {
            let kind = |tally: Tally| {
                json!({
                    "created": tally.created, "changed": tally.changed,
                    "unchanged": tally.unchanged,
                })
            };
            let mut out: Map<String, Value> =
                kinds.into_iter().map(|(name, tally)| (name.to_owned(), kind(tally))).collect();
            out.insert("bad".to_owned(), summary.bad.into());
            out.insert("stopped".to_owned(), stopped.into());
            format!("{}\n", Value::Object(out))
        }
        Format::Text => {
            let line = |(name, tally): (&str, Tally)| {
                let Tally { created, changed, unchanged } = tally;
                format!("{name:6}  {created} created, {changed} changed, {unchanged} unchanged\n")
            };
            let mut out: String = kinds.into_iter().map(line).collect();
            if summary.bad > 0 {
                out.push_str(&format!("bad     {} lines were not stored\n", summary.bad));
            }
            if stopped {
                out.push_str("stopped at the first bad line; nothing behind it was done\n");
            }
            out
        }
    }
}
