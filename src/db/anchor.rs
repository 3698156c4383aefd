//! A reader of SQLite that stays while nobody writes, so that those who come and go need no lock of the system.
//!
//! Every read in WAL mode locks one byte of a file and unlocks it: two calls of the system, made while the
//! other readers of the process wait. Where a connection of the process has that byte locked already, SQLite
//! only counts. But what a reader holds cannot be checkpointed: so the writer lets go before it writes, and
//! soon after another process has written.

use diesel::sql_types::Integer;

use super::conn::{self, DatabaseUrl, DbConn, Purpose};
use super::statement::Statement;
use super::{DbError, dialect};

/// The connection of the reader.
pub struct Anchor {
    conn: DbConn,
    /// Whether it reads.
    down: bool,
    /// How often the database was changed when this was last asked, if nobody here has written since.
    version: Option<i32>,
    /// Whether another process had written then.
    stirred: bool,
}

impl Anchor {
    /// Opens the connection; it does not read yet.
    ///
    /// # Errors
    /// As [`conn::open`].
    pub fn new(url: &DatabaseUrl) -> Result<Self, String> {
        let conn = conn::open(url, Purpose::LookUp)?;
        Ok(Self { conn, down: false, version: None, stirred: false })
    }

    /// Reads the database as it is now, in place of what it read. Where another process has changed it since
    /// the last time, there may be more to come, and nothing is held until the next time; if nothing came by
    /// then, this is true: what the other has left in the log is ours to bring to its place.
    pub fn renew(&mut self) -> bool {
        self.let_go();
        let version = self.begin().inspect_err(|error| {
            tracing::debug!(%error, "no reader stays");
        });
        self.down = true;
        let last = std::mem::replace(&mut self.version, version.as_ref().ok().copied());
        let changed = last.is_some() && last != self.version;
        if version.is_err() || changed {
            self.let_go();
        }
        std::mem::replace(&mut self.stirred, changed) && !changed
    }

    /// Holds nothing any more: before this process writes.
    pub fn weigh(&mut self) {
        self.let_go();
        self.version = None;
        self.stirred = false;
    }

    fn begin(&mut self) -> Result<i32, DbError> {
        dialect::begin_snapshot(&mut self.conn)?;
        // It is the first statement that begins to read.
        Statement::new("PRAGMA data_version").rows::<Integer>().get_result(&mut self.conn)
    }

    fn let_go(&mut self) {
        if std::mem::take(&mut self.down) {
            dialect::rollback(&mut self.conn);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use diesel::RunQueryDsl;

    use super::*;
    use crate::db::writer::Writer;

    fn write(conn: &mut DbConn) {
        diesel::sql_query("INSERT INTO things VALUES (1)").execute(conn).unwrap();
    }

    /// What it holds stays in the log, and nothing is held where it is said to be let go.
    #[test]
    fn it_holds_until_it_is_weighed_or_another_has_written() {
        let files = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(files.path().join("anchor.db"));
        let mut conn = conn::open(&url, Purpose::Write).unwrap();
        diesel::sql_query("CREATE TABLE things (number)").execute(&mut conn).unwrap();
        assert!(dialect::checkpoint(&mut conn).unwrap());
        let mut anchor = Anchor::new(&url).unwrap();

        anchor.renew();
        write(&mut conn);
        assert!(!dialect::checkpoint(&mut conn).unwrap(), "it holds");
        anchor.weigh();
        assert!(dialect::checkpoint(&mut conn).unwrap(), "weighed");

        assert!(!anchor.renew());
        assert!(!anchor.renew());
        write(&mut conn);
        assert!(!dialect::checkpoint(&mut conn).unwrap(), "it holds still");
        assert!(!anchor.renew());
        assert!(dialect::checkpoint(&mut conn).unwrap(), "somebody else has written");
        assert!(anchor.renew(), "and rests");
        write(&mut conn);
        assert!(!dialect::checkpoint(&mut conn).unwrap(), "nobody has since: it holds again");
    }

    /// What another process writes beside a writer that rests is soon in the file itself, and out of the log.
    #[test]
    fn what_another_process_writes_does_not_stay_in_the_log() {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("shared.db");
        let url = DatabaseUrl::Sqlite(path.clone());
        let mut other = conn::open(&url, Purpose::Write).unwrap();
        diesel::sql_query("CREATE TABLE things (number)").execute(&mut other).unwrap();
        let conn = conn::open(&url, Purpose::Write).unwrap();
        let _writer = Writer::start(conn, Anchor::new(&url).unwrap()).unwrap();
        for row in 1..=3 {
            std::thread::sleep(Duration::from_millis(700));
            write(&mut other);
            let begun = Instant::now();
            loop {
                // The file alone, as it would be without the log beside it.
                let alone = files.path().join(format!("alone{row}.db"));
                std::fs::copy(&path, &alone).unwrap();
                let mut alone = conn::open(&DatabaseUrl::Sqlite(alone), Purpose::Write).unwrap();
                let count = Statement::new("SELECT count(*) FROM things");
                if count.rows::<Integer>().get_result::<i32>(&mut alone) == Ok(row) {
                    break;
                }
                assert!(begun.elapsed() < Duration::from_secs(30), "it stays in the log");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}
