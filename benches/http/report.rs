//! What a run leaves behind: tables on standard output, JSON, a report with plots, the table of the
//! README. Writes down what it is given, judges nothing.

mod chart;
mod json;
mod page;
mod plots;
mod readme;
mod tables;

use crate::Result;
use crate::acceptance::Line;
use crate::figures::Figures;
use crate::machine::Machine;
use crate::options::Options;

/// A whole run.
pub struct Report<'a> {
    /// Where and with what.
    pub machine: Machine,
    /// How it was asked for.
    pub options: &'a Options,
    /// What was measured, a database each.
    pub figures: Vec<Figures>,
    /// What was judged.
    pub lines: Vec<Line>,
}

impl Report<'_> {
    /// Prints the tables and writes the files that were asked for.
    pub fn write(&self) -> Result<()> {
        println!("{}", page::text(self, false));
        if let Some(file) = &self.options.json {
            std::fs::write(file, json::text(self))?;
        }
        if let Some(folder) = &self.options.report {
            std::fs::create_dir_all(folder)?;
            for (name, plot) in plots::all(&self.figures)? {
                std::fs::write(folder.join(name), plot)?;
            }
            std::fs::write(folder.join("report.md"), page::text(self, true))?;
        }
        if let Some(file) = &self.options.readme {
            readme::refresh(file, &readme::table(self))?;
        }
        Ok(())
    }

    /// The syncs of the disk as all databases saw them, in microseconds.
    fn sync(&self) -> f64 {
        crate::figures::median(self.figures.iter().map(Figures::sync))
    }
}
