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

/// The running server. It ends and its files go when this is dropped.
pub struct Cluster {
    server: postgres::Cluster,
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
    /// Starts one with its files below `directory`, on a machine with so much memory, in GiB.
    pub fn start(directory: &Path, memory: f64) -> Result<Self> {
        // PostgreSQL's documentation, 20.4.1: a quarter of the memory is a reasonable value to start with, and
        // with more of that, more of the log. The directories are no larger than 8 GiB.
        let buffers = (memory * 1024.0 / 4.0).clamp(128.0, 8192.0);
        let settings = format!("-c shared_buffers={buffers:.0}MB -c max_wal_size=8GB");
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
        Ok(Self { server, postmaster, version, settings, files })
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
