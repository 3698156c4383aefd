//! The PostgreSQL that is measured: the tests' own throw-away server, but one that syncs, with as much
//! memory as its documentation advises.

#[path = "../../tests/it/postgres.rs"]
#[expect(
    dead_code,
    clippy::expect_used,
    clippy::panic,
    reason = "a part of the tests, of which the benchmark needs the server only"
)]
mod postgres;

use std::fs;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl};

use crate::Result;

/// How many huge pages the system keeps.
const KEPT: &str = "/proc/sys/vm/nr_hugepages";
/// The size of a huge page of this kind of machine, in MiB.
const HUGE: f64 = 2.0;
/// The share of PostgreSQL's shared memory beside `shared_buffers`, with some to spare.
const BESIDE: f64 = 0.06;

/// The running server. It ends and its files go when this is dropped; after that, its memory is given back.
pub struct Cluster {
    server: postgres::Cluster,
    _memory: Option<HugePages>,
    /// Its first process.
    pub postmaster: u32,
    /// Its version, as it says it.
    pub version: String,
    /// Its settings of memory, as its command line has them; else it has its own, and room for connections.
    pub settings: String,
    /// Where its files lie.
    pub files: PathBuf,
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    setting: String,
}

impl Cluster {
    /// Starts one with its files below `directory`, on a machine with so much memory, in GiB; with huge pages, where
    /// they are wanted.
    pub fn start(directory: &Path, memory: f64, huge_pages: bool) -> Result<Self> {
        // PostgreSQL's documentation, 20.4.1: a quarter of the memory is a reasonable value to start with, and
        // with more of that, more of the log. The directories are no larger than 8 GiB.
        let buffers = (memory * 1024.0 / 4.0).clamp(128.0, 8192.0);
        let mut settings = format!("-c shared_buffers={buffers:.0}MB -c max_wal_size=8GB");
        let mut memory = None;
        if huge_pages {
            memory = Some(HugePages::keep(buffers * (1.0 + BESIDE) / HUGE)?);
            settings.push_str(" -c huge_pages=on");
        }
        let server = postgres::Cluster::start_in(directory, &settings);
        let mut conn = PgConnection::establish(&server.url("postgres"))?;
        let mut show = |name: &str| -> Result<String> {
            let query = format!("SELECT current_setting('{name}') AS setting");
            Ok(diesel::sql_query(query).get_result::<Setting>(&mut conn)?.setting)
        };
        for name in ["fsync", "synchronous_commit", "full_page_writes"] {
            if show(name)? != "on" {
                return Err(format!("PostgreSQL runs with {name} off").into());
            }
        }
        let version = show("server_version")?;
        let files = PathBuf::from(show("data_directory")?);
        let pid = fs::read_to_string(files.join("postmaster.pid"))?;
        let postmaster = pid.lines().next().ok_or("an empty postmaster.pid")?.trim().parse()?;
        Ok(Self { server, _memory: memory, postmaster, version, settings, files })
    }

    /// Makes a database; its URL.
    pub fn database(&self, name: &str) -> Result<String> {
        let mut conn = PgConnection::establish(&self.server.url("postgres"))?;
        conn.batch_execute(&format!("CREATE DATABASE {name}"))?;
        Ok(self.server.url(name))
    }

    /// Writes down how things are distributed, and what was seeded to its files, as it does by itself now and
    /// then: otherwise this would happen at some moment of the measurement.
    pub fn analyze(&self, url: &str) -> Result<()> {
        let mut conn = PgConnection::establish(url)?;
        conn.batch_execute("VACUUM ANALYZE")?;
        Ok(conn.batch_execute("CHECKPOINT")?)
    }
}

/// Memory that the system keeps in huge pages; when this is dropped, it keeps as many as before.
///
/// PostgreSQL's documentation advises them for much shared memory (19.4.5): else each of its processes finds its
/// own way to each page of 4 KiB, by a fault of some microseconds, and there are a million of those.
struct HugePages {
    before: String,
}

impl HugePages {
    fn keep(pages: f64) -> Result<Self> {
        let before = fs::read_to_string(KEPT)?.trim().to_owned();
        let wanted = format!("{:.0}", before.parse::<f64>()? + pages);
        let change = |pages: &str| {
            let refused = |error| format!("{KEPT}: {error}: huge pages are for the administrator");
            fs::write(KEPT, pages).map_err(refused)
        };
        change(&wanted)?;
        let kept = Self { before };
        let there = fs::read_to_string(KEPT)?;
        if there.trim() != wanted {
            return Err(format!("{} of {wanted} huge pages: memory is short", there.trim()).into());
        }
        Ok(kept)
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        if let Err(error) = fs::write(KEPT, &self.before) {
            eprintln!("{KEPT} is not {} again: {error}", self.before);
        }
    }
}
