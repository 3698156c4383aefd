//! What the disk allows: the time of one sync, and the most that the server's own writer can do.
//!
//! The writer is the library's, in this process, on a database of its own: the same group commit,
//! the same settings, and of all that a create does only one row, of a table with one index.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::{self, SystemRunner};
use diesel::RunQueryDsl;
use diesel::sql_types::Text;
use stagedoor::db::{Database, DatabaseUrl, DbConn, DbError};

use crate::Result;

/// Syncs that are timed in one slice.
const SYNCS: usize = 40;
/// Inserts that wait for their commit at once.
const INSERTERS: usize = 32;
/// Bytes of a row beside its unique name: about what a user has.
const ROW: usize = 700;

/// What the disk under the databases can do, by one slice of a figure.
#[derive(Debug, Clone, Copy)]
pub struct Disk {
    /// The median time to write 4 KiB at the end of a file and sync them.
    pub sync: Duration,
    /// Bare one-row inserts a second through the server's writer, 32 at once.
    pub inserts: f64,
}

/// Reads every file below a folder, so that the system holds it in memory: some systems give up within a
/// minute what is not read, and which directory pays for that would be chance. What goes away meanwhile, or
/// is not ours to read, is passed over.
pub fn into_memory(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.path().is_dir() {
            into_memory(&entry.path());
        } else if let Ok(mut file) = File::open(entry.path()) {
            // A log may be made smaller while it is read.
            let _read = std::io::copy(&mut file, &mut std::io::sink());
        }
    }
}

/// A file and a database on the disk that is measured.
pub struct Probe {
    file: PathBuf,
    database: Rc<Database>,
    rows: Rc<Cell<u64>>,
}

impl Probe {
    /// Makes both below `home`.
    pub fn new(system: &SystemRunner, home: &Path) -> Result<Self> {
        fs::create_dir_all(home)?;
        let database = Database::open(&DatabaseUrl::Sqlite(home.join("rows.db")))?;
        system.block_on(make_table(&database))?;
        Ok(Self { file: home.join("sync"), database: Rc::new(database), rows: Rc::default() })
    }

    /// Measures the disk, while nobody else uses it.
    pub fn slice(&self, system: &SystemRunner, seconds: f64) -> Result<Disk> {
        Ok(Disk { sync: self.sync()?, inserts: self.writer_ceiling(system, seconds)? })
    }

    fn sync(&self) -> Result<Duration> {
        let mut times = Vec::with_capacity(SYNCS);
        let mut file = File::create(&self.file)?;
        let page = [7_u8; 4096];
        for _ in 0..SYNCS {
            let begun = Instant::now();
            file.write_all(&page)?;
            file.sync_data()?;
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        Ok(times.get(SYNCS / 2).copied().ok_or("no sync was timed")?)
    }

    /// Bare one-row inserts a second through the server's own group commit.
    fn writer_ceiling(&self, system: &SystemRunner, seconds: f64) -> Result<f64> {
        system.block_on(async {
            let (begun, before) = (Instant::now(), self.rows.get());
            let until = begun + Duration::from_secs_f64(seconds);
            let inserters: Vec<_> = (0..INSERTERS)
                .map(|_| rt::spawn(insert(Rc::clone(&self.database), Rc::clone(&self.rows), until)))
                .collect();
            for inserter in inserters {
                inserter.await??;
            }
            let rows = u32::try_from(self.rows.get() - before)?;
            Ok(f64::from(rows) / begun.elapsed().as_secs_f64())
        })
    }
}

/// One of those who insert at once: its next row goes out when its last one is synced.
async fn insert(database: Rc<Database>, rows: Rc<Cell<u64>>, until: Instant) -> Result<()> {
    while Instant::now() < until {
        rows.set(rows.get() + 1);
        insert_row(&database, rows.get(), "x".repeat(ROW)).await?;
    }
    Ok(())
}

/// Makes the table of bare rows.
async fn make_table(database: &Database) -> Result<()> {
    let table = "CREATE TABLE bench_rows (name TEXT NOT NULL UNIQUE, body TEXT NOT NULL)";
    let unit = move |conn: &mut DbConn| diesel::sql_query(table).execute(conn).map(drop);
    Ok(database.write::<(), DbError>(unit).await??)
}

/// Inserts the `n`-th bare row; it is synced when this returns.
async fn insert_row(database: &Database, n: u64, body: String) -> Result<()> {
    // Spread over the index, as names are.
    let name = format!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let row = move |conn: &mut DbConn| {
        diesel::sql_query("INSERT INTO bench_rows (name, body) VALUES (?, ?)")
            .bind::<Text, _>(name)
            .bind::<Text, _>(body)
            .execute(conn)
    };
    database.write::<usize, DbError>(row).await??;
    Ok(())
}
