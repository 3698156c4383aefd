//! The load: closed-loop clients in one thread, and writers at a fixed pace in others.
//!
//! A closed loop cannot show what a queue outside the server would add; it shows what the server
//! itself takes. One thread holds all connections, so that the generator takes little of the two
//! processors that it shares with the server. A client that is alone does not sleep: whether a sleeper
//! and the server that wakes it lie on one processor or on two is chance, and costs as much as a request.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::{self, SystemRunner};

use crate::Result;
use crate::driver::Driver;
use crate::figures::Sample;
use crate::operation::Operation;
use crate::process::{Program, Used};
use crate::script::{Script, patch};
use crate::wire::{Client, Connection, Target};

/// Slices of one figure in one round.
const SLICES: u32 = 5;
/// Threads of the paced writers: enough that none of them has to hurry after a slow sync.
const WRITERS: u32 = 16;
/// Titles given so far, so that no PATCH writes what is there already.
static TITLES: AtomicU64 = AtomicU64::new(0);

/// What one client has seen.
struct Seen {
    connection: Connection,
    times: Vec<Duration>,
    requests: u32,
}

/// What is measured.
pub enum Subject<'a> {
    /// A script against the process that answers it.
    Http(&'a Program, Script),
    /// What the driver does against the database by itself.
    Driver(&'a RefCell<Driver>, Operation),
}

/// A subject under way, and what was measured of it so far.
struct Run<'a> {
    subject: &'a Subject<'a>,
    clients: usize,
    connections: Vec<Connection>,
    times: Vec<Duration>,
    requests: u32,
    elapsed: Duration,
    used: Used,
}

/// One figure of each subject: `clients` at once, `seconds` long in slices that take turns. Also how
/// many members were lost or doubled, of which there should be none.
///
/// A disk may be quick for seconds and slow for seconds; subjects that take turns see the same of
/// both. `between` runs after each turn of all, while nobody else works.
pub fn take_turns(
    system: &SystemRunner,
    subjects: &[Subject],
    (clients, seconds): (usize, f64),
    mut between: impl FnMut(f64) -> Result<()>,
) -> Result<(Vec<Sample>, usize)> {
    let slice = seconds / f64::from(SLICES);
    let time = Duration::from_secs_f64(slice);
    let mut runs = Vec::with_capacity(subjects.len());
    for subject in subjects {
        let mut run = system.block_on(Run::connect(subject, clients))?;
        system.block_on(run.slice(time, false))?;
        runs.push(run);
    }
    for _ in 0..SLICES {
        for run in &mut runs {
            system.block_on(run.slice(time, true))?;
        }
        between(slice)?;
    }
    let samples = runs.into_iter().map(Run::sample).collect::<Result<_>>()?;
    let mut wrong = 0;
    for subject in subjects {
        if let Subject::Http(program, script) = subject {
            wrong += script.tidy(&program.target, clients)?;
        }
    }
    Ok((samples, wrong))
}

impl<'a> Run<'a> {
    async fn connect(subject: &'a Subject<'a>, clients: usize) -> Result<Self> {
        let mut connections = Vec::with_capacity(clients);
        if let Subject::Http(program, _) = subject {
            for _ in 0..clients {
                connections.push(Connection::connect(&program.target).await?);
            }
        }
        let (times, requests) = (Vec::new(), 0);
        let (elapsed, used) = (Duration::ZERO, Used::default());
        Ok(Self { subject, clients, connections, times, requests, elapsed, used })
    }

    /// A slice of load; the first one, which warms up, is not `counted`.
    async fn slice(&mut self, time: Duration, counted: bool) -> Result<()> {
        let (program, script) = match self.subject {
            Subject::Http(program, script) => (program, script),
            Subject::Driver(driver, operation) => {
                // It blocks, and there is nobody else whom this thread could serve meanwhile.
                let slice = driver.borrow_mut().slice(*operation, self.clients, time)?;
                if counted {
                    self.elapsed += slice.elapsed;
                    self.used += slice.used;
                    self.requests += u32::try_from(slice.times.len())?;
                    self.times.extend(slice.times);
                }
                return Ok(());
            }
        };
        let connections = std::mem::take(&mut self.connections);
        let (before, begun) = (program.meter()?, Instant::now());
        let seen = at_once(connections, script, &program.target, time).await?;
        let (elapsed, used) = (begun.elapsed(), program.meter()?.since(&before));
        if counted {
            self.elapsed += elapsed;
            self.used += used;
            self.requests += seen.iter().map(|seen| seen.requests).sum::<u32>();
        }
        for seen in seen {
            self.connections.push(seen.connection);
            if counted {
                self.times.extend(seen.times);
            }
        }
        Ok(())
    }

    fn sample(self) -> Result<Sample> {
        Sample::new(self.elapsed, self.used, self.requests, self.times)
    }
}

/// One figure of one subject, while nothing else is measured.
pub fn alone(system: &SystemRunner, subject: Subject, seconds: f64) -> Result<Sample> {
    let (samples, _) = take_turns(system, &[subject], (1, seconds), |_| Ok(()))?;
    Ok(samples.into_iter().next().ok_or("no sample")?)
}

async fn at_once(
    connections: Vec<Connection>,
    script: &Script,
    target: &Target,
    time: Duration,
) -> Result<Vec<Seen>> {
    let until = Instant::now() + time;
    let target = Rc::new(target.clone());
    let clients: Vec<_> = connections
        .into_iter()
        .enumerate()
        .map(|(number, connection)| {
            let (script, target) = (script.clone(), Rc::clone(&target));
            rt::spawn(async move { one(number, connection, &script, &target, until).await })
        })
        .collect();
    let awake = (clients.len() == 1).then(|| rt::spawn(stay_awake()));
    let mut seen = Vec::with_capacity(clients.len());
    for client in clients {
        seen.push(client.await??);
    }
    if let Some(awake) = awake {
        awake.abort();
    }
    Ok(seen)
}

/// Gives the thread something to do until it is aborted.
async fn stay_awake() {
    loop {
        tokio::task::yield_now().await;
    }
}

async fn one(
    number: usize,
    mut connection: Connection,
    script: &Script,
    target: &Target,
    until: Instant,
) -> Result<Seen> {
    let (mut times, mut requests, mut out) = (Vec::new(), 0, Vec::new());
    while Instant::now() < until || times.is_empty() {
        let counts = script.next(number, target, &mut out)?;
        let begun = Instant::now();
        let answer = connection.exchange(&out).await?;
        let time = begun.elapsed();
        script.answered(answer.status, connection.body(&answer))?;
        requests += 1;
        if counts {
            times.push(time);
        }
    }
    Ok(Seen { connection, times, requests })
}

/// Measures with a script while others PATCH users at `pace` a second; also the pace they kept.
pub fn drive_beside_writers(
    system: &SystemRunner,
    (program, script): (&Program, Script),
    seconds: f64,
    (users, pace): (&[String], u32),
) -> Result<(Sample, f64)> {
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let share = users.len().div_ceil(WRITERS as usize).max(1);
    thread::scope(|scope| {
        let begun = Instant::now();
        let writers: Vec<_> = users
            .chunks(share)
            .zip(0_u32..)
            .map(|(users, number)| {
                let (stop, written) = (&stop, &written);
                let step = Duration::from_secs(1) / pace * WRITERS;
                let first = begun + step / WRITERS * number;
                scope.spawn(move || write(&program.target, users, (first, step), (stop, written)))
            })
            .collect();
        let sample = alone(system, Subject::Http(program, script), seconds);
        let kept = written.load(Ordering::Relaxed);
        let kept = f64::from(u32::try_from(kept)?) / begun.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().map_err(|_| "a writer panicked")??;
        }
        Ok((sample?, kept))
    })
}

/// One writer: a PATCH of a value that is new, at each step from the first on.
fn write(
    target: &Target,
    users: &[String],
    (mut next, step): (Instant, Duration),
    (stop, written): (&AtomicBool, &AtomicU64),
) -> Result<()> {
    let mut client = Client::connect(target)?;
    for user in users.iter().cycle() {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let title = TITLES.fetch_add(1, Ordering::Relaxed);
        let title = format!(r#"{{"op":"replace","path":"title","value":"Guide {title}"}}"#);
        client.send("PATCH", &format!("/scim/v2/Users/{user}"), &patch(&title))?;
        written.fetch_add(1, Ordering::Relaxed);
        next += step;
    }
    Ok(())
}
