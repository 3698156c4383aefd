//! The measured processes: started, metered through `/proc`, ended.
//!
//! It never kills what it did not start.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::wire::{Client, Target};

/// Longest wait for a server that was started.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longest wait for a database server to get over the end of its client.
const RECOVERY: Duration = Duration::from_secs(10);

/// The file with the server key.
const KEY: &str = "server.key";

/// A running process that accepts connections. It is killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// Where it listens, and the token that it takes.
    pub target: Target,
    home: Home,
    log: Option<PathBuf>,
    /// The first process of the database, where the database is not in this one.
    database: Option<u32>,
}

/// Where a server keeps what it keeps.
#[derive(Debug, Clone, Default)]
pub struct Home {
    /// A folder of its own: its key, and its database where that is a file.
    pub folder: PathBuf,
    /// The database.
    pub url: String,
    /// The first process of the database server, if there is one.
    pub postmaster: Option<u32>,
}

/// How long a server took from its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Start {
    /// Until `/readyz` answered 200.
    pub ready: Duration,
    /// Until it accepted connections.
    pub accepting: Duration,
}

impl Program {
    /// Makes a company with a token in a new database, and serves it.
    pub fn start_server(home: Home, slug: &str, log: Option<PathBuf>) -> Result<Self> {
        fs::create_dir_all(&home.folder)?;
        // What it protects goes with the run.
        fs::write(home.folder.join(KEY), "5e".repeat(32))?;
        let token = company(&home, slug)?;
        let (child, address) = ready(serve(&home, log.as_deref())?)?;
        let (target, database) = (Target { address, token }, home.postmaster);
        Ok(Self { child, target, home, log, database })
    }

    /// Makes one more company beside the running server.
    pub fn add_company(&self, slug: &str) -> Result<Target> {
        let token = company(&self.home, slug)?;
        Ok(Target { address: self.target.address, token })
    }

    /// Starts this program again, as the bare handler: over a database file of its own, or over the
    /// server at this URL, whose first process is `postmaster`.
    pub fn start_bare(server: Option<(&str, u32)>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--bare-handler");
        if let Some((url, _)) = server {
            command.args(["--bare-database", url]);
        }
        let (child, address) = ready(command.stderr(Stdio::null()))?;
        let target = Target { address, token: "none".to_owned() };
        let database = server.map(|(_, postmaster)| postmaster);
        Ok(Self { child, target, home: Home::default(), log: None, database })
    }

    /// Kills the server without a word and starts it again, when a database server has got over it: the ends
    /// of its connections, gigabytes of shared memory mapped into each, take both processors for a second.
    pub fn crash_and_restart(&mut self) -> Result<Start> {
        self.child.kill()?;
        self.child.wait()?;
        if let Some(postmaster) = self.database {
            let begun = Instant::now();
            // It may have work of its own for longer than that.
            while !is_at_rest(postmaster)? && begun.elapsed() < RECOVERY {}
        }
        let begun = Instant::now();
        let (child, address) = ready(serve(&self.home, self.log.as_deref())?)?;
        self.child = child;
        self.target.address = address;
        let accepting = begun.elapsed();
        while let Err(error) = Client::connect(&self.target)?.send("GET", "/readyz", "") {
            if begun.elapsed() > PATIENCE {
                return Err(format!("the server does not become ready: {error}").into());
            }
            thread::yield_now();
        }
        Ok(Start { accepting, ready: begun.elapsed() })
    }

    /// The processor time that it has used until now, and what the database's processes have.
    pub fn meter(&self) -> Result<Meter> {
        Meter::of(Some(self.child.id()), self.database)
    }

    /// Forgets the most memory that it has held so far.
    pub fn forget_peak(&self) -> Result<()> {
        // proc(5): 5 resets the peak resident set size.
        Ok(fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    /// The resident memory: the most of it so far, and what is no part of a file now.
    pub fn memory(&self) -> Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number =
                line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
            Ok(number.ok_or_else(|| format!("no {name}"))?.parse()?)
        };
        Ok(Memory { peak: kilobytes("VmHWM")? / 1024, own: kilobytes("RssAnon")? / 1024 })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Resident memory, in MiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory {
    /// The most, mapped pages of files included (`VmHWM`).
    pub peak: u64,
    /// What the process holds by itself (`RssAnon`).
    pub own: u64,
}

/// Processor time of each thread, in nanoseconds: finer than the ticks of `/proc/PID/stat`.
#[derive(Debug)]
pub struct Meter {
    threads: HashMap<PathBuf, u64>,
    /// The threads of the database's processes.
    database: HashMap<PathBuf, u64>,
}

/// Processor time that something took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// The process itself.
    pub own: Duration,
    /// The database's processes.
    pub database: Duration,
}

impl Meter {
    /// The processor time of a server until now, and of the children of the database's first process.
    pub fn of(server: Option<u32>, postmaster: Option<u32>) -> Result<Self> {
        let (mut threads, mut database) = (HashMap::new(), HashMap::new());
        if let Some(server) = server {
            read_threads(server, &mut threads)?;
        }
        if let Some(postmaster) = postmaster {
            let path = format!("/proc/{postmaster}/task/{postmaster}/children");
            for child in fs::read_to_string(path)?.split_whitespace() {
                // A connection may end between the two reads.
                let _ended = read_threads(child.parse()?, &mut database);
            }
        }
        Ok(Self { threads, database })
    }

    /// The processor time since `earlier`. A thread that has ended since counts until `earlier`.
    pub fn since(&self, earlier: &Self) -> Used {
        Used {
            own: difference(&self.threads, &earlier.threads),
            database: difference(&self.database, &earlier.database),
        }
    }
}

impl std::ops::AddAssign for Used {
    fn add_assign(&mut self, more: Self) {
        self.own += more.own;
        self.database += more.database;
    }
}

fn read_threads(process: u32, threads: &mut HashMap<PathBuf, u64>) -> Result<()> {
    for entry in fs::read_dir(format!("/proc/{process}/task"))? {
        let path = entry?.path();
        // A thread may end between the two reads.
        let Ok(text) = fs::read_to_string(path.join("schedstat")) else { continue };
        let nanoseconds = text.split_whitespace().next().ok_or("an empty schedstat")?;
        threads.insert(path, nanoseconds.parse()?);
    }
    Ok(())
}

fn difference(now: &HashMap<PathBuf, u64>, earlier: &HashMap<PathBuf, u64>) -> Duration {
    let used = now
        .iter()
        .map(|(thread, now)| now.saturating_sub(earlier.get(thread).copied().unwrap_or(0)));
    Duration::from_nanos(used.sum())
}

/// Whether the database's processes have next to nothing to do; they are watched for a moment.
fn is_at_rest(postmaster: u32) -> Result<bool> {
    const MOMENT: Duration = Duration::from_millis(100);
    let before = Meter::of(None, Some(postmaster))?;
    thread::sleep(MOMENT);
    let used = Meter::of(None, Some(postmaster))?.since(&before).database;
    Ok(used < MOMENT / 20)
}

/// A command of `stagedoor` on a database, with no setting from outside.
fn stagedoor(home: &Home, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stagedoor"));
    command.args(arguments).args(["--database-url", &home.url, "--secret-key-file"]);
    command.arg(home.folder.join(KEY));
    command.env_clear().current_dir(&home.folder).stdin(Stdio::null());
    command
}

/// Makes a company; its token.
fn company(home: &Home, slug: &str) -> Result<String> {
    run(home, &["company", "create", slug, "--name", slug, "--plan", "enterprise", "--scim"])?;
    Ok(run(home, &["token", "create", slug, "--name", "bench"])?.trim().to_owned())
}

fn run(home: &Home, arguments: &[&str]) -> Result<String> {
    let output = stagedoor(home, arguments).output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("stagedoor {} failed: {said}", arguments.join(" ")).into())
}

fn serve(home: &Home, log: Option<&Path>) -> Result<Command> {
    let mut command = stagedoor(home, &["serve", "--listen", "127.0.0.1:0"]);
    command.stderr(match log {
        Some(file) => Stdio::from(File::options().create(true).append(true).open(file)?),
        None => Stdio::null(),
    });
    Ok(command)
}

/// Starts a process and waits for the line with its address.
fn ready(mut command: impl std::borrow::BorrowMut<Command>) -> Result<(Child, SocketAddr)> {
    let mut child = command.borrow_mut().stdout(Stdio::piped()).spawn()?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
    let mut line = String::new();
    while output.read_line(&mut line)? > 0 {
        if let Some((_, rest)) = line.split_once("http://") {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
            let address = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default().parse()?;
            // Whatever it prints later must not fill the pipe and stop it.
            thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
            return Ok((child, address));
        }
        line.clear();
    }
    child.wait()?;
    Err("a process ended before it was ready; --logs DIRECTORY keeps what it says".into())
}
