//! Jobs: large changes of teams, done in slices beside the requests. Each slice is one unit of work that
//! stores how far it has come, so that a kill costs a slice at most and comes to the same result.

use std::ops::Range;
use std::sync::Arc;

use serde_json::json;

use crate::db::{self, DbConn};
use crate::domain::event::{Action, Actor};
use crate::domain::id::CompanySeq;
use crate::domain::job::{
    Job, Kind, LEASE, MAX_ATTEMPTS, MAX_SLICE, MIN_SLICE, Place, State, Work, patience,
};
use crate::scim::ResourceType;

use super::error::{Error, Result};
use super::{Cx, Service, events, projection};

/// Has a job made, or says which one will do the same: a job that nobody has begun takes it over.
///
/// # Errors
/// The database's.
pub fn enqueue(
    cx: &mut Cx<'_>,
    (company, actor): (CompanySeq, &Actor),
    kind: Kind,
    work: Work,
) -> Result<Job> {
    let total = match &work.users {
        Some(users) => i64::try_from(users.len()).unwrap_or(i64::MAX),
        None => db::counts::total(cx.conn, company, ResourceType::User)?,
    };
    if work.users.is_none()
        && let Some(mut waiting) = db::jobs::waiting(cx.conn, company, kind)?
        && waiting.work.users.is_none()
    {
        (waiting.work, waiting.total) = (work, total);
        db::jobs::set_work(cx.conn, &waiting)?;
        return Ok(waiting);
    }
    let mut job = Job {
        seq: 0,
        id: cx.clock.id(),
        company,
        kind,
        state: State::Queued,
        work,
        place: Place::default(),
        done: 0,
        total,
        error: None,
        attempts: 0,
        created_at: cx.now,
        finished_at: None,
    };
    job.seq = db::jobs::insert(cx.conn, &job)?;
    let detail = json!({"kind": kind.name(), "total": total});
    events::record(cx, company, actor, (Action::JobQueued, &job.id), detail)?;
    Ok(job)
}

/// The company's job with this id.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(conn: &mut DbConn, company: CompanySeq, id: &str) -> Result<Job> {
    db::jobs::find(conn, company, id)?.ok_or(Error::NotFound("Job"))
}

/// A page of the company's jobs, in the order of their ids, which is that of their making.
///
/// # Errors
/// The database's.
pub fn page(conn: &mut DbConn, company: CompanySeq, place: (&str, i64)) -> Result<Vec<Job>> {
    Ok(db::jobs::page(conn, company, place)?)
}

/// Does a slice of a job that this worker holds; `None` where another has it by now.
///
/// # Errors
/// The database's; nothing of the slice is kept then.
pub fn slice(cx: &mut Cx<'_>, worker: &str, job: &Job, size: i64) -> Result<Option<Job>> {
    if !db::jobs::hold(cx.conn, job, worker, cx.now + LEASE)? {
        return Ok(None);
    }
    let mut job = job.clone();
    let users = match job.work.next(job.place.after, size) {
        Some(users) => users,
        None => everybody(cx.conn, &mut job, size)?,
    };
    if let Some(last) = users.last() {
        let impact = projection::project_users(cx, job.company, &users)?;
        job.place = Place {
            after: *last,
            until: job.place.until,
            teams_added: job.place.teams_added + impact.teams_added,
            teams_removed: job.place.teams_removed + impact.teams_removed,
            memberships_added: job.place.memberships_added + impact.memberships_added,
            memberships_removed: job.place.memberships_removed + impact.memberships_removed,
        };
    }
    let did = i64::try_from(users.len()).unwrap_or(i64::MAX);
    job.done += did;
    // Between the order and the first slice some may have come.
    job.total = job.total.max(job.done);
    job.attempts = 0;
    if did < size {
        (job.state, job.finished_at) = (State::Succeeded, Some(cx.now));
        if let Some(version) = job.work.filters {
            db::group_filters::applied(cx.conn, job.company, version)?;
        }
    }
    db::jobs::keep(cx.conn, &job)?;
    Ok(Some(job))
}

/// The users of the next slice of a job for everybody.
fn everybody(conn: &mut DbConn, job: &mut Job, size: i64) -> Result<Vec<i64>> {
    let until = match job.place.until {
        Some(until) => until,
        None => db::jobs::last_user(conn, job.company)?,
    };
    job.place.until = Some(until);
    Ok(db::jobs::users(conn, job.company, (job.place.after, until), size)?)
}

/// Notes that a slice failed: it is tried again later, a few times.
///
/// # Errors
/// The database's.
pub fn failed(cx: &mut Cx<'_>, worker: &str, job: &Job) -> Result<()> {
    let mut job = job.clone();
    job.attempts += 1;
    let until = cx.now + patience(job.attempts);
    if !db::jobs::release(cx.conn, &job, worker, until)? {
        return Ok(());
    }
    if job.attempts >= MAX_ATTEMPTS {
        (job.state, job.finished_at) = (State::Failed, Some(cx.now));
        job.error = Some("it failed again and again: the server's log says why".to_owned());
    }
    Ok(db::jobs::keep(cx.conn, &job)?)
}

/// Sizes of slices, in users.
pub const SLICES: Range<i64> = MIN_SLICE..MAX_SLICE;

/// A job in the hands of a worker.
#[derive(Debug, Clone)]
pub struct Holding {
    worker: Arc<str>,
    job: Arc<Job>,
}

impl Holding {
    /// The job's id.
    pub fn id(&self) -> &str {
        &self.job.id
    }

    /// How many users are done.
    pub fn done(&self) -> i64 {
        self.job.done
    }

    /// Whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        self.job.finished_at.is_some()
    }
}

/// What a worker does.
impl Service {
    /// An id for a worker.
    pub fn worker_id(&self) -> String {
        self.clock.id()
    }

    /// How many changes, of whomever, have taken their turn at the database since the start; `None`: they
    /// take no turns there.
    pub fn turns_taken(&self) -> Option<usize> {
        self.database.units_taken()
    }

    /// Takes a job that nobody works on, where there is one.
    ///
    /// # Errors
    /// Those of [`Self::transact`].
    pub async fn take_job(&self, worker: &Arc<str>) -> Result<Option<Holding>> {
        let now = self.clock.now();
        // Looking costs the writer nothing.
        if !self.look_up(move |conn| Ok(db::jobs::is_any(conn, now)?)).await? {
            return Ok(None);
        }
        let worker = Arc::clone(worker);
        self.transact(move |cx| {
            let lease = (cx.now, cx.now + LEASE);
            let job = db::jobs::claim(cx.conn, &worker, lease)?;
            Ok(job.map(|job| Holding { worker, job: Arc::new(job) }))
        })
        .await
    }

    /// Does a slice, as [`slice()`].
    ///
    /// # Errors
    /// Those of [`Self::transact`].
    pub async fn do_slice(&self, held: &Holding, size: i64) -> Result<Option<Holding>> {
        let Holding { worker, job } = held.clone();
        self.transact(move |cx| {
            let job = slice(cx, &worker, &job, size)?;
            Ok(job.map(|job| Holding { worker, job: Arc::new(job) }))
        })
        .await
    }

    /// Lets a job go that is not done yet, so that another gets its turn.
    ///
    /// # Errors
    /// Those of [`Self::transact`].
    pub async fn release_job(&self, held: &Holding) -> Result<()> {
        let Holding { worker, job } = held.clone();
        let unit = move |cx: &mut Cx<'_>| Ok(db::jobs::release(cx.conn, &job, &worker, cx.now)?);
        self.transact(unit).await.map(drop)
    }

    /// Notes that a slice failed.
    ///
    /// # Errors
    /// Those of [`Self::transact`].
    pub async fn job_failed(&self, held: &Holding) -> Result<()> {
        let Holding { worker, job } = held.clone();
        self.transact(move |cx| failed(cx, &worker, &job)).await
    }
}
