//! Threads for work that waits for a database: of those that rest, the one that worked last goes on.
//!
//! Threads that take turns come to their work with cold caches, each with memory of its own: where one
//! client asks, one thread answers, however many there have been.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::writer;

/// A thread that has rested for so long ends.
const REST: Duration = Duration::from_secs(30);

/// Work, and what it calls when nothing but its answer is left to do.
type Job = Box<dyn FnOnce(&dyn Fn()) + Send>;

/// Threads that are started when they are needed. Callers bound how many work at once.
#[derive(Debug, Clone, Default)]
pub struct Threads {
    resting: Arc<Mutex<Resting>>,
}

/// Those that rest, the latest last.
#[derive(Debug, Default)]
struct Resting {
    threads: Vec<(u64, mpsc::Sender<Job>)>,
    started: u64,
}

impl Threads {
    /// Runs `work` on a thread where it may block, also where nobody waits for it any more; then gives back
    /// `place`. `None`: it panicked, or there is no thread to be had.
    pub async fn run<T: Send + 'static>(
        &self,
        place: impl Send + 'static,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        self.begin(place, work).await.ok()
    }

    /// The same without waiting for it.
    pub fn begin<T: Send + 'static>(
        &self,
        place: impl Send + 'static,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (tell, told) = oneshot::channel();
        let job = move |rest: &dyn Fn()| {
            let done = catch_unwind(AssertUnwindSafe(work));
            // First: who is told may come again at once.
            rest();
            drop(place);
            match done {
                // Nobody may be waiting.
                Ok(value) => drop(tell.send(value)),
                Err(panic) => {
                    let panic = writer::panic_text(panic.as_ref());
                    tracing::error!(panic, "work beside the requests panicked");
                }
            }
        };
        self.give(Box::new(job));
        told
    }

    fn give(&self, mut job: Job) {
        loop {
            let mut resting = lock(&self.resting);
            let Some((_, thread)) = resting.threads.pop() else {
                resting.started += 1;
                let number = resting.started;
                drop(resting);
                return self.start(number, job);
            };
            drop(resting);
            match thread.send(job) {
                Ok(()) => return,
                Err(mpsc::SendError(unsent)) => job = unsent,
            }
        }
    }

    fn start(&self, number: u64, first: Job) {
        let resting = Arc::clone(&self.resting);
        let life = move || {
            let (sender, jobs) = mpsc::channel::<Job>();
            let rest = || lock(&resting).threads.push((number, sender.clone()));
            first(&rest);
            loop {
                match jobs.recv_timeout(REST) {
                    Ok(job) => job(&rest),
                    Err(_) => {
                        let mut resting = lock(&resting);
                        let before = resting.threads.len();
                        resting.threads.retain(|(other, _)| *other != number);
                        // Who is not among those that rest is being given a job.
                        if resting.threads.len() < before {
                            return;
                        }
                    }
                }
            }
        };
        if let Err(error) = thread::Builder::new().name("database".to_owned()).spawn(life) {
            tracing::error!(%error, "no thread for the database");
        }
    }
}

fn lock(resting: &Mutex<Resting>) -> MutexGuard<'_, Resting> {
    resting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One after the other, all are done by one thread; and one that panics costs no other its answer.
    #[tokio::test]
    async fn the_last_one_goes_on() {
        let threads = Threads::default();
        let name = || thread::current().id();
        let first = threads.run((), name).await;
        assert!(first.is_some());
        for _ in 0..100 {
            assert_eq!(threads.run((), name).await, first);
        }
        assert_eq!(threads.run((), || -> u8 { panic!("wrong") }).await, None);
        assert_eq!(threads.run((), name).await, first);
    }

    /// Work that waits for other work has a thread of its own.
    #[tokio::test]
    async fn who_waits_keeps_nobody_waiting() {
        let threads = Threads::default();
        let (open, closed) = mpsc::channel::<()>();
        let waits = tokio::spawn({
            let threads = threads.clone();
            async move { threads.run((), move || closed.recv().is_ok()).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(threads.run((), move || open.send(()).is_ok()).await, Some(true));
        assert_eq!(waits.await.unwrap(), Some(true));
    }
}
