//! Rows that wait to be stored at the same time, and are stored by one statement.
//!
//! A statement costs a way over the network, its beginning and a commit, however much it stores. So who
//! finds no place free waits, and who gets the next place takes along all that wait. A statement that was
//! refused has stored nothing: each goes alone then, and what is wrong with one is nobody else's.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::QueryResult;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::db::DbConn;
use crate::db::database::NotCommitted;
use crate::db::threads::Threads;

use super::{Attempt, Idle, WAIT, attempt_alone};

/// Statements at once: while one of them is on its way or is synced, the server works on the other.
const PLACES: usize = 2;
/// Most rows of one statement: the last of them waits for all.
const MOST: usize = 64;

/// Whose turn has come.
pub enum Turn<I, T> {
    /// It was stored with others, or it cannot be said whether it was.
    Done(Result<T, NotCommitted>),
    /// It is to go alone: nothing is stored.
    Alone(I),
}

/// What stores several rows, each of them or not, by one statement.
type Store<I, T> = fn(&mut DbConn, &[I]) -> QueryResult<Vec<T>>;

/// One that waits.
struct Waiting<I, T> {
    number: u64,
    item: I,
    tell: oneshot::Sender<Turn<I, T>>,
}

/// Those who wait.
struct Queue<I, T> {
    waiting: VecDeque<Waiting<I, T>>,
    next: u64,
}

/// Where rows of one kind come together.
pub struct Together<I, T> {
    queue: Mutex<Queue<I, T>>,
    places: Arc<Semaphore>,
    idle: Arc<Idle>,
    threads: Threads,
    store: Store<I, T>,
}

impl<I: Send + 'static, T: Send + 'static> Together<I, T> {
    /// Rows that are stored this way on these connections.
    pub fn new((idle, threads): (Idle, Threads), store: Store<I, T>) -> Self {
        let queue = Mutex::new(Queue { waiting: VecDeque::new(), next: 0 });
        let places = Arc::new(Semaphore::new(PLACES));
        Self { queue, places, idle: Arc::new(idle), threads, store }
    }

    /// Waits for the turn of this row.
    ///
    /// # Errors
    /// [`NotCommitted::Refused`] where it did not come in time.
    pub async fn join(&self, item: I) -> Result<Turn<I, T>, NotCommitted> {
        let (tell, mut told) = oneshot::channel();
        let number = self.enter(item, tell);
        loop {
            let place = timeout(WAIT, Arc::clone(&self.places).acquire_owned());
            let place = tokio::select! {
                biased;
                turn = &mut told => return turn.map_err(|_| NotCommitted::Unknown),
                place = place => place,
            };
            let Ok(Ok(place)) = place else {
                if self.leave(number) {
                    return Err(NotCommitted::Refused);
                }
                break;
            };
            let batch = self.take();
            if batch.is_empty() {
                break;
            }
            self.go(batch, place);
        }
        // Somebody has taken it along.
        told.await.map_err(|_| NotCommitted::Unknown)
    }

    fn enter(&self, item: I, tell: oneshot::Sender<Turn<I, T>>) -> u64 {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let number = queue.next;
        queue.next += 1;
        queue.waiting.push_back(Waiting { number, item, tell });
        number
    }

    /// Whether it was waiting still.
    fn leave(&self, number: u64) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let before = queue.waiting.len();
        queue.waiting.retain(|waiting| waiting.number != number);
        queue.waiting.len() < before
    }

    /// Who goes next: nobody whose requester has gone.
    fn take(&self) -> Vec<Waiting<I, T>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.retain(|waiting| !waiting.tell.is_closed());
        let count = queue.waiting.len().min(MOST);
        queue.waiting.drain(..count).collect()
    }

    fn go(&self, batch: Vec<Waiting<I, T>>, place: OwnedSemaphorePermit) {
        let (idle, store) = (Arc::clone(&self.idle), self.store);
        // Each requester is told by itself.
        drop(self.threads.begin(place, move || store_all(&idle, batch, store)));
    }
}

fn store_all<I, T>(idle: &Idle, batch: Vec<Waiting<I, T>>, store: Store<I, T>) {
    let (items, tells): (Vec<I>, Vec<_>) =
        batch.into_iter().map(|waiting| (waiting.item, waiting.tell)).unzip();
    let attempt = match idle.take() {
        Ok(mut conn) => {
            let attempt = attempt_alone(&mut conn, |conn| store(conn, &items));
            match attempt {
                Attempt::Done(Ok(_)) => idle.give(conn),
                Attempt::Panicked => {}
                Attempt::Done(Err(_)) | Attempt::Again(_) | Attempt::Unknown => {
                    idle.give_doubtful(conn);
                }
            }
            attempt
        }
        Err(error) => {
            tracing::error!(error, "the database cannot be reached");
            Attempt::Again(None)
        }
    };
    // Who has gone meanwhile does not hear of it.
    match attempt {
        Attempt::Done(Ok(values)) => {
            for (tell, value) in tells.into_iter().zip(values) {
                let _gone = tell.send(Turn::Done(Ok(value)));
            }
        }
        Attempt::Unknown => {
            for tell in tells {
                let _gone = tell.send(Turn::Done(Err(NotCommitted::Unknown)));
            }
        }
        Attempt::Done(Err(_)) | Attempt::Again(_) | Attempt::Panicked => {
            for (tell, item) in tells.into_iter().zip(items) {
                let _gone = tell.send(Turn::Alone(item));
            }
        }
    }
}
