//! The load: closed-loop clients in one thread, and writers at a fixed pace in others.
//!
//! A closed loop cannot show what a queue outside the server would add; it shows what the server
//! itself takes. One thread holds all connections, so that the generator takes little of the two
//! processors that it shares with the server.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt;

use crate::Result;
use crate::figures::Sample;
use crate::operation::{Script, patch};
use crate::process::Program;
use crate::wire::{Client, Connection, Target};

/// The part of the measured time that goes before it, unmeasured.
const WARM_UP: f64 = 0.2;
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

/// One figure: `clients` at once for `seconds`, then the directory is tidied up.
pub fn drive(program: &Program, script: &Script, clients: usize, seconds: f64) -> Result<Sample> {
    let sample = rt::System::new().block_on(async {
        let mut connections = Vec::with_capacity(clients);
        for _ in 0..clients {
            connections.push(Connection::connect(&program.target).await?);
        }
        let warm = Duration::from_secs_f64(seconds * WARM_UP);
        let seen = at_once(connections, script, &program.target, warm).await?;
        let connections = seen.into_iter().map(|seen| seen.connection).collect();
        let (before, begun) = (program.meter()?, Instant::now());
        let time = Duration::from_secs_f64(seconds);
        let seen = at_once(connections, script, &program.target, time).await?;
        let (elapsed, used) = (begun.elapsed(), program.meter()?.since(&before));
        Sample::new(elapsed, used, seen.iter().map(|s| s.requests).sum(), {
            seen.into_iter().flat_map(|s| s.times).collect()
        })
    })?;
    script.tidy(&program.target)?;
    Ok(sample)
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
    let mut seen = Vec::with_capacity(clients.len());
    for client in clients {
        seen.push(client.await??);
    }
    Ok(seen)
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
    program: &Program,
    script: &Script,
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
        let sample = drive(program, script, 1, seconds);
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
