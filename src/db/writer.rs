//! The one writer: units of work from many requests, committed together.
//!
//! One sync to disk costs as much as dozens of inserts. So a thread takes every unit of work that
//! waits, runs each in a savepoint of its own where it needs one, commits them all at once, and only then tells each
//! requester. A unit that fails takes nothing down but itself.

use std::any::Any;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use diesel::result::DatabaseErrorKind;
use diesel::sql_types::BigInt;
use tokio::sync::oneshot;

use super::anchor::Anchor;
use super::database::{Failure, NotCommitted};
use super::pool::Form;
use super::statement::Statement;
use super::{DbConn, DbError, dialect};

/// Rest after which the log is emptied.
const REST: Duration = Duration::from_millis(100);
/// How long the reader that stays keeps other processes from emptying the log; longer than they rest, so that
/// one of them that empties it finds the moment where nothing is held.
const STAY: Duration = Duration::from_millis(250);
/// Longest wait for requests on their way to a batch.
const MAX_PATIENCE: Duration = Duration::from_millis(2);
/// Most units of work in one commit: the last of a full batch waits no longer than a few syncs.
const MAX_BATCH: usize = 256;

type Job = Box<dyn FnOnce(&mut DbConn) -> Done + Send>;

/// A unit of work that has run.
struct Done {
    /// Tells its requester, once it is known whether the batch is committed.
    tell: Box<dyn FnOnce(bool)>,
    /// Whether the transaction is still there: SQLite rolls back the whole of it after some errors,
    /// a full disk for one.
    intact: bool,
}

/// The handle to the writer thread. The thread ends when the last handle is gone.
#[derive(Debug)]
pub struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    /// How many units of work are in the queue.
    waiting: Arc<AtomicUsize>,
    /// How many ever were.
    taken: AtomicUsize,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread that owns this connection, and the reader that stays while it rests.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(conn: DbConn, anchor: Anchor) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut queue = Queue { jobs: queue, waiting: Arc::clone(&waiting) };
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || work(conn, anchor, &mut queue))?;
        Ok(Self { jobs: Some(jobs), waiting, taken: AtomicUsize::new(0), thread: Some(thread) })
    }

    /// How many units of work there have been since the start.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Runs a unit of work and waits until it is committed and synced.
    ///
    /// On `Ok(Err(_))` the unit of work itself refused, and nothing of it is kept.
    ///
    /// # Errors
    /// [`NotCommitted::Refused`]: the database failed, or the work panicked.
    pub async fn run<T, E>(
        &self,
        unit: impl FnOnce(&mut DbConn) -> Result<T, E> + Send + 'static,
        form: Form,
    ) -> Result<Result<T, E>, NotCommitted>
    where
        T: Send + 'static,
        E: Failure + Send + 'static,
    {
        let (answer, wait) = oneshot::channel();
        let job: Job = Box::new(move |conn| {
            let ended = match form {
                Form::Transaction => in_savepoint(conn, unit),
                Form::Statement => as_statement(conn, unit),
            };
            let (result, intact) = match ended {
                Ok(result) => (result, true),
                Err(Lost) => (None, false),
            };
            let tell = Box::new(move |committed| {
                // The requester may have gone away; its work is done all the same.
                let _gone = answer.send(if committed { result } else { None });
            });
            Done { tell, intact }
        });
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(job));
        if !matches!(sent, Some(Ok(()))) {
            return Err(NotCommitted::Refused);
        }
        wait.await.ok().flatten().ok_or(NotCommitted::Refused)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// The units of work that wait.
struct Queue {
    jobs: mpsc::Receiver<Job>,
    waiting: Arc<AtomicUsize>,
}

impl Queue {
    /// How many there are.
    fn len(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The next one, after this time at most.
    fn next_within(&mut self, time: Duration) -> Result<Job, mpsc::RecvTimeoutError> {
        let job = self.jobs.recv_timeout(time)?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Ok(job)
    }

    /// The next one, if it is there.
    fn next_now(&mut self) -> Option<Job> {
        let job = self.jobs.try_recv().ok()?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(job)
    }
}

fn work(mut conn: DbConn, mut anchor: Anchor, queue: &mut Queue) {
    let mut pace = Pace::default();
    while let Some(first) = first(queue, (&mut conn, &mut anchor), pace.expected > 0) {
        if let Err(error) = dialect::begin(&mut conn) {
            tracing::error!(%error, "no transaction could be begun");
            // Dropping the job drops its answer, which tells the requester.
            continue;
        }
        let mut done = first(&mut conn);
        let (mut intact, mut tells) = (done.intact, vec![done.tell]);
        let mut patience = pace.patience();
        // Without the transaction, further units would each be a transaction of their own.
        while intact
            && tells.len() < MAX_BATCH
            && let Some(job) = next(queue, &mut patience, tells.len() < pace.expected)
        {
            done = job(&mut conn);
            intact = done.intact;
            tells.push(done.tell);
        }
        let begun = Instant::now();
        let committed = intact && commit(&mut conn);
        if !committed {
            dialect::rollback(&mut conn);
        }
        pace = Pace { expected: tells.len() + queue.len(), commit: begun.elapsed() };
        for tell in tells {
            tell(committed);
        }
    }
}

/// Whether the batch is committed and synced.
fn commit(conn: &mut DbConn) -> bool {
    let done = dialect::commit(conn);
    done.inspect_err(|error| {
        end_where_the_disk_failed(error);
        tracing::error!(%error, "a commit failed");
    })
    .is_ok()
}

/// Ends the process where the disk refused to read, to write or to sync.
///
/// No answer would be true: the system forgets what it could not write, so that the next sync succeeds
/// without it, and a commit that was written but not synced may be found at the next start. So nobody
/// is answered, and whoever starts the process again reads what is really there.
fn end_where_the_disk_failed(error: &DbError) {
    if dialect::is_disk_failure(error) {
        // The log is written by another thread, which may not come to it any more.
        let _closed = writeln!(
            std::io::stderr(),
            "stagedoor: the disk failed under the database: {error}; what was not answered may be \
             stored or not. Check the disk, then start again"
        );
        std::process::exit(1);
    }
}

/// The first unit of work of a batch. A writer that has written and has nothing to do for a moment
/// empties the log, so that readers need not look through it; what a reader kept in the log goes the
/// next moment. Then a reader stays until there is something to do, and what another process has written is
/// brought out of the log like the writer's own. `None` at the end.
fn first(
    queue: &mut Queue,
    (conn, anchor): (&mut DbConn, &mut Anchor),
    written: bool,
) -> Option<Job> {
    let mut full = written;
    loop {
        if !full {
            full = anchor.renew();
        }
        let came = queue.next_within(if full { REST } else { STAY });
        match came {
            Err(mpsc::RecvTimeoutError::Timeout) if full => full = !empty(conn),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            came => {
                anchor.weigh();
                return came.ok();
            }
        }
    }
}

/// Whether the log is empty now.
fn empty(conn: &mut DbConn) -> bool {
    dialect::checkpoint(conn).unwrap_or_else(|error| {
        end_where_the_disk_failed(&error);
        tracing::warn!(%error, "the log could not be emptied");
        false
    })
}

/// How the last commit went: what the next one may wait for.
#[derive(Debug, Default)]
struct Pace {
    /// How many may come: who was told, and is likely to ask again, and who was in the queue then. Where
    /// the sync takes long, those two would else take turns for ever, each waiting for the other's sync.
    expected: usize,
    commit: Duration,
}

impl Pace {
    /// How long to wait for requests that are on their way: a small part of the sync that they
    /// would else wait for in whole. A lone writer waits for nobody.
    fn patience(&self) -> Duration {
        if self.expected > 1 { (self.commit / 2).min(MAX_PATIENCE) } else { Duration::ZERO }
    }
}

/// The next unit of work that is there, or comes while there is patience and fewer came than are
/// expected.
fn next(queue: &mut Queue, patience: &mut Duration, wait: bool) -> Option<Job> {
    let there = queue.next_now();
    if there.is_some() || !wait || patience.is_zero() {
        return there;
    }
    let begun = Instant::now();
    let came = queue.next_within(*patience).ok();
    *patience = patience.saturating_sub(begun.elapsed());
    came
}

/// The transaction is not there any more, or cannot be trusted.
struct Lost;

/// The result of one unit of work; `None` where it panicked.
fn in_savepoint<T, E: Failure>(
    conn: &mut DbConn,
    unit: impl FnOnce(&mut DbConn) -> Result<T, E>,
) -> Result<Option<Result<T, E>>, Lost> {
    Savepoint::Begin.run(conn)?;
    let result = catch_unwind(AssertUnwindSafe(|| unit(conn)));
    match result {
        Ok(Ok(value)) => {
            Savepoint::Release.run(conn)?;
            Ok(Some(Ok(value)))
        }
        Ok(Err(refusal)) => {
            refusal.database_error().inspect(|error| end_where_the_disk_failed(error));
            Savepoint::undo(conn)?;
            Ok(Some(Err(refusal)))
        }
        Err(panic) => {
            tracing::error!(panic = panic_text(panic.as_ref()), "a unit of work panicked");
            Savepoint::undo(conn)?;
            Ok(None)
        }
    }
}

/// As [`in_savepoint`], of a unit that has written nothing where it refuses. A savepoint costs a copy of every
/// page that the unit touches.
fn as_statement<T, E: Failure>(
    conn: &mut DbConn,
    unit: impl FnOnce(&mut DbConn) -> Result<T, E>,
) -> Result<Option<Result<T, E>>, Lost> {
    let result = match catch_unwind(AssertUnwindSafe(|| unit(conn))) {
        Ok(result) => result,
        Err(panic) => {
            tracing::error!(panic = panic_text(panic.as_ref()), "a unit of work panicked");
            return Err(Lost);
        }
    };
    match result.as_ref().err().and_then(Failure::database_error) {
        // Its company was deleted a moment ago: the row is refused before any of it is written.
        None | Some(DbError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _)) => {
            Ok(Some(result))
        }
        Some(error) => {
            end_where_the_disk_failed(error);
            tracing::error!(%error, "a unit of work failed");
            Err(Lost)
        }
    }
}

/// The steps of a unit's savepoint, as statements that are prepared once: Diesel's own savepoints
/// are parsed anew each time, which costs as much as a small write.
enum Savepoint {
    Begin,
    Release,
    Rollback,
}

impl Savepoint {
    /// Runs the step; where the database fails there is a line in the log.
    fn run(self, conn: &mut DbConn) -> Result<(), Lost> {
        struct Begin;
        struct Release;
        struct Rollback;
        let done = match self {
            Self::Begin => Statement::new("SAVEPOINT unit").known::<Begin, BigInt>().execute(conn),
            Self::Release => {
                Statement::new("RELEASE SAVEPOINT unit").known::<Release, BigInt>().execute(conn)
            }
            Self::Rollback => {
                let statement = Statement::new("ROLLBACK TO SAVEPOINT unit");
                statement.known::<Rollback, BigInt>().execute(conn)
            }
        };
        done.map(drop).map_err(|error| {
            end_where_the_disk_failed(&error);
            tracing::error!(%error, "a savepoint failed");
            Lost
        })
    }

    fn undo(conn: &mut DbConn) -> Result<(), Lost> {
        Self::Rollback.run(conn)?;
        Self::Release.run(conn)
    }
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use diesel::RunQueryDsl;

    use super::*;
    use crate::db::{DatabaseUrl, Purpose, open};

    fn insert(bytes: usize) -> impl FnOnce(&mut DbConn) -> Result<(), DbError> {
        move |conn| {
            let row = format!("INSERT INTO things VALUES (zeroblob({bytes}))");
            diesel::sql_query(row).execute(conn).map(drop)
        }
    }

    /// A full disk makes SQLite roll back all of a batch, not the unit alone that met it: nobody is told
    /// otherwise, and nobody behind it pays for it.
    #[tokio::test]
    async fn a_lost_transaction_is_the_whole_batchs_and_no_others() {
        let files = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(files.path().join("small.db"));
        let mut conn = open(&url, Purpose::Write).unwrap();
        for setting in ["PRAGMA max_page_count = 20", "CREATE TABLE things (bytes)"] {
            diesel::sql_query(setting).execute(&mut conn).unwrap();
        }
        let writer = Writer::start(conn, Anchor::new(&url).unwrap()).unwrap();
        let (go, wait) = mpsc::channel();
        let first = writer.run(
            move |conn: &mut DbConn| {
                wait.recv().unwrap();
                insert(1)(conn)
            },
            Form::Transaction,
        );
        let (first, full, behind, ()) = tokio::join!(
            first,
            writer.run(insert(1_000_000), Form::Transaction),
            writer.run(insert(1), Form::Transaction),
            async {
                go.send(()).unwrap();
            }
        );
        assert_eq!(first.unwrap_err(), NotCommitted::Refused);
        assert_eq!(full.unwrap_err(), NotCommitted::Refused);
        behind.unwrap().unwrap();
        writer.run(insert(1), Form::Transaction).await.unwrap().unwrap();
        let count = writer.run(
            |conn: &mut DbConn| {
                Statement::new("SELECT count(*) FROM things")
                    .rows::<BigInt>()
                    .get_result::<i64>(conn)
            },
            Form::Transaction,
        );
        assert_eq!(count.await.unwrap().unwrap(), 2);
    }

    /// A unit without a savepoint that finds its company gone is refused alone; one that fails behind a row
    /// that it has written keeps nothing of it, nor does its batch.
    #[tokio::test]
    async fn without_a_savepoint_nothing_is_half_kept() {
        fn run(statements: &'static [&str]) -> impl FnOnce(&mut DbConn) -> Result<(), DbError> {
            move |conn| {
                for statement in statements {
                    diesel::sql_query(*statement).execute(conn)?;
                }
                Ok(())
            }
        }
        const WRITE: &[&str] = &["INSERT INTO things VALUES (1)"];
        let files = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(files.path().join("batch.db"));
        let mut conn = open(&url, Purpose::Write).unwrap();
        let tables: &[&str] = &[
            "CREATE TABLE owners (seq INTEGER PRIMARY KEY)",
            "CREATE TABLE things (owner REFERENCES owners (seq))",
            "INSERT INTO owners VALUES (1)",
        ];
        run(tables)(&mut conn).unwrap();
        let writer = Writer::start(conn, Anchor::new(&url).unwrap()).unwrap();
        let orphan: &[&str] = &["INSERT INTO things VALUES (2)"];
        let broken: &[&str] = &["INSERT INTO things VALUES (1)", "INSERT INTO nowhere VALUES (1)"];
        for (odd, committed) in [(orphan, true), (broken, false)] {
            let (go, wait) = mpsc::channel();
            let held = move |conn: &mut DbConn| {
                wait.recv().unwrap();
                run(WRITE)(conn)
            };
            let (first, odd, behind, ()) = tokio::join!(
                writer.run(held, Form::Transaction),
                writer.run(run(odd), Form::Statement),
                writer.run(run(WRITE), Form::Statement),
                async { go.send(()).unwrap() }
            );
            assert_eq!(first.is_ok(), committed);
            assert_eq!(odd.is_ok_and(|unit| unit.is_err()), committed);
            // Where the batch was lost, this one was in the next.
            behind.unwrap().unwrap();
        }
        let count = writer.run(
            |conn: &mut DbConn| {
                let count = Statement::new("SELECT count(*) FROM things");
                count.rows::<BigInt>().get_result::<i64>(conn)
            },
            Form::Transaction,
        );
        assert_eq!(count.await.unwrap().unwrap(), 3);
    }
}
