//! `C/jobs`: what is done in the background, and how far it is; `C/scim/resync` has it done again.

use actix_web::web::{get, post};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::job::{Job, Kind, Work};
use crate::scim::value::format_time;
use crate::service::idempotency::Reply;
use crate::service::jobs;

use super::frame::{Answer, Call, ok};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(("GET", "C/jobs"), Act::ReadJobs, "List background jobs", || get().to(list))
        .pages::<JobView>(),
    Entry::new(("GET", "C/jobs/{job}"), Act::ReadJobs, "Read how far a job is", || get().to(read))
        .gives::<JobView>(200),
    Entry::new(
        ("POST", "C/scim/resync"),
        Act::Resync,
        "Bring the teams of everybody up to date with the directory's groups",
        || post().to(resync),
    )
    .gives::<Resync>(202),
];

/// A background job.
#[derive(Serialize, ToSchema)]
pub struct JobView {
    id: String,
    /// `group_filters`, `team_sync`, `group_members` or resync.
    kind: &'static str,
    /// queued, running, succeeded or failed.
    state: &'static str,
    /// Users that are done.
    done: i64,
    /// Users that there are to do.
    total: i64,
    /// Why it failed.
    error: Option<String>,
    /// What it has changed so far.
    changed: Changed,
    created_at: String,
    finished_at: Option<String>,
}

/// What a job has changed.
#[derive(Serialize, ToSchema)]
struct Changed {
    teams_added: i64,
    teams_removed: i64,
    memberships_added: i64,
    memberships_removed: i64,
}

/// The job that was begun.
#[derive(Serialize, ToSchema)]
struct Resync {
    job: JobView,
}

/// A job as it is shown.
pub fn view(job: &Job) -> JobView {
    JobView {
        id: job.id.clone(),
        kind: job.kind.name(),
        state: job.state.name(),
        done: job.done,
        total: job.total,
        error: job.error.clone(),
        changed: Changed {
            teams_added: job.place.teams_added,
            teams_removed: job.place.teams_removed,
            memberships_added: job.place.memberships_added,
            memberships_removed: job.place.memberships_removed,
        },
        created_at: format_time(job.created_at),
        finished_at: job.finished_at.map(format_time),
    }
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let place = page.clone();
    let read = call.read(move |conn, at| jobs::page(conn, at.company()?.seq, place.place()));
    let all: Vec<Value> = read.await?.iter().map(|job| json!(view(job))).collect();
    Ok(page.answer(all))
}

async fn read(call: Call) -> Answer {
    let id = call.part("job");
    let job = call.read(move |conn, at| jobs::find(conn, at.company()?.seq, &id)).await?;
    Ok(ok(&json!(view(&job))))
}

async fn resync(call: Call) -> Answer {
    call.write(|cx, at| {
        let by = (at.company()?.seq, &at.actor());
        let job = jobs::enqueue(cx, by, Kind::Resync, Work::everybody())?;
        Ok(Reply::new(202, json!(Resync { job: view(&job) })))
    })
    .await
}
