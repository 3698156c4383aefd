//! Batches worked out by threads beside the writer, and taken in their order.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Most threads that work batches out.
const MAX_WORKERS: usize = 8;

/// Batches on their way: each worker has one in its hands and one that is ready, no more.
pub struct Pipeline<T> {
    ready: Vec<Receiver<T>>,
    next: usize,
    threads: Vec<JoinHandle<()>>,
}

impl<T: Send + 'static> Pipeline<T> {
    /// Starts a thread that takes batches from `batches`, and workers that make a `T` of each.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start<I: Send + 'static>(
        batches: impl Iterator<Item = I> + Send + 'static,
        work: impl Fn(I) -> T + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let workers = std::thread::available_parallelism().map_or(1, Into::into).min(MAX_WORKERS);
        let work = Arc::new(work);
        let (mut inputs, mut ready, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..workers {
            let (input, todo) = sync_channel::<I>(0);
            let (done, output) = sync_channel::<T>(1);
            let work = Arc::clone(&work);
            threads.push(Builder::new().name("import".to_owned()).spawn(move || {
                while let Ok(batch) = todo.recv() {
                    if done.send(work(batch)).is_err() {
                        return;
                    }
                }
            })?);
            inputs.push(input);
            ready.push(output);
        }
        let reader = Builder::new().name("import".to_owned());
        threads.push(reader.spawn(move || deal(batches, &inputs))?);
        Ok(Self { ready, next: 0, threads })
    }

    /// The next batch in order; `None` behind the last.
    ///
    /// # Errors
    /// Where a thread panicked: the end it left is not the end of the file.
    pub fn take(&mut self) -> io::Result<Option<T>> {
        let place = self.next;
        self.next = (place + 1) % self.ready.len().max(1);
        if let Some(Ok(batch)) = self.ready.get(place).map(Receiver::recv) {
            return Ok(Some(batch));
        }
        self.ready.clear();
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| io::Error::other("a thread of the import panicked"))?;
        }
        Ok(None)
    }
}

/// Deals batches to the workers in turn, so that their order is known without a number.
fn deal<I>(batches: impl Iterator<Item = I>, workers: &[SyncSender<I>]) {
    for (batch, worker) in batches.zip(workers.iter().cycle()) {
        if worker.send(batch).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_come_in_their_order() {
        let mut pipeline = Pipeline::start(0..1_000_u32, |n| n * 2).unwrap();
        let mut seen = Vec::new();
        while let Some(n) = pipeline.take().unwrap() {
            seen.push(n);
        }
        assert_eq!(seen, (0..1_000).map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(pipeline.take().unwrap(), None);
    }

    #[test]
    fn a_panic_is_not_the_end_of_the_file() {
        let mut pipeline = Pipeline::start(0..100_u32, |n| {
            assert!(n < 50, "on purpose");
            n
        })
        .unwrap();
        let mut seen = 0;
        let ended = loop {
            match pipeline.take() {
                Ok(Some(_)) => seen += 1,
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        assert!(!ended && seen <= 50, "{seen}");
    }
}
