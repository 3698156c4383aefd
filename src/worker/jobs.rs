//! The worker of jobs: one a process, on every replica; a lease in the database says who does which. It
//! rests between slices, so that requests keep half of the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::service::Service;
use crate::service::jobs::{Holding, SLICES};

/// Time between two looks for work.
const IDLE: Duration = Duration::from_millis(500);
/// How long a job is worked on before another gets its turn.
const TURN: Duration = Duration::from_secs(5);
/// A slice takes about so long: whoever waits behind it on SQLite waits no longer.
const AIM: Duration = Duration::from_millis(60);
/// Shortest rest between two slices.
const REST: Duration = Duration::from_millis(2);

/// Works for as long as it is polled.
pub async fn run(service: Service) {
    let worker: Arc<str> = service.worker_id().into();
    loop {
        match service.take_job(&worker).await {
            Ok(Some(job)) => turn(&service, job).await,
            Ok(None) => tokio::time::sleep(IDLE).await,
            Err(error) => {
                tracing::warn!(%error, "no job could be taken");
                tokio::time::sleep(IDLE).await;
            }
        }
    }
}

/// How long to rest after a slice that took so long. Where changes take turns, a slice keeps all others out
/// and leaves its pages to be written by them: they get more than twice its time, and it waits for nobody
/// where nobody wants to write.
fn rest(took: Duration, others: Option<usize>) -> Duration {
    let rest = match others {
        Some(0) => took / 8,
        Some(_) => took * 5 / 2,
        None => took,
    };
    rest.max(REST)
}

/// Works on a job until it is done, or until another is to get its turn.
async fn turn(service: &Service, mut job: Holding) {
    let (begun, mut size) = (Instant::now(), SLICES.start);
    let mut turns = service.turns_taken();
    loop {
        let slice = Instant::now();
        match service.do_slice(&job, size).await {
            Ok(Some(next)) if next.is_over() => {
                tracing::info!(job = next.id(), users = next.done(), "a job is done");
                return;
            }
            Ok(Some(next)) => job = next,
            Ok(None) => return,
            Err(error) => return give_back(service, &job, &error).await,
        }
        let took = slice.elapsed();
        size = fit(size, took);
        // The slice was a turn too.
        let now = service.turns_taken();
        let others = now.zip(turns).map(|(now, before)| now.saturating_sub(before + 1));
        turns = now;
        tokio::time::sleep(rest(took, others)).await;
        if begun.elapsed() > TURN {
            if let Err(error) = service.release_job(&job).await {
                tracing::warn!(%error, "a job could not be let go; its lease will end");
            }
            return;
        }
    }
}

async fn give_back(service: &Service, job: &Holding, error: &dyn std::error::Error) {
    tracing::error!(job = job.id(), cause = error.source(), %error, "a slice of a job failed");
    if let Err(error) = service.job_failed(job).await {
        tracing::warn!(%error, "a job could not be let go; its lease will end");
    }
}

/// The size of the next slice: twice or half of the last, where that took far less or more than it should.
fn fit(size: i64, took: Duration) -> i64 {
    let next = if took < AIM / 2 {
        size * 2
    } else if took > AIM * 2 {
        size / 2
    } else {
        size
    };
    next.clamp(SLICES.start, SLICES.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_gets_the_larger_part() {
        let slice = Duration::from_millis(60);
        assert!(rest(slice, Some(1)) >= slice * 2);
        assert!(rest(slice, Some(0)) < slice / 2);
        assert_eq!(rest(slice, None), slice);
        assert_eq!(rest(Duration::ZERO, None), REST);
    }

    #[test]
    fn slices_fit_the_time_that_they_take() {
        let fast = (0..20).fold(SLICES.start, |size, _| fit(size, Duration::ZERO));
        assert_eq!(fast, SLICES.end);
        let slow = (0..20).fold(fast, |size, _| fit(size, Duration::from_secs(1)));
        assert_eq!(slow, SLICES.start);
        assert_eq!(fit(100, AIM), 100);
    }
}
