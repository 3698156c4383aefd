//! The measured processes: started, metered through `/proc`, ended.
//!
//! It never kills what it did not start.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::wire::Target;

/// A running process that accepts connections. It is killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// Where it listens, and the token that it takes.
    pub target: Target,
    home: PathBuf,
    log: Option<PathBuf>,
}

impl Program {
    /// Makes a company with a token in a new database below `home`, and serves it.
    pub fn start_server(home: &Path, log: Option<PathBuf>) -> Result<Self> {
        fs::create_dir_all(home)?;
        run(
            home,
            &["company", "create", "acme", "--name", "Acme", "--plan", "enterprise", "--scim"],
        )?;
        let token = run(home, &["token", "create", "acme", "--name", "bench"])?;
        let (child, address) = ready(serve(home, log.as_deref())?)?;
        let target = Target { address, token: token.trim().to_owned() };
        Ok(Self { child, target, home: home.to_owned(), log })
    }

    /// Starts this program again, as the bare handler.
    pub fn start_bare() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let (child, address) = ready(command.arg("--bare-handler").stderr(Stdio::null()))?;
        let target = Target { address, token: "none".to_owned() };
        Ok(Self { child, target, home: PathBuf::new(), log: None })
    }

    /// Kills the server without a word and starts it again; the time until it accepts connections.
    pub fn crash_and_restart(&mut self) -> Result<Duration> {
        self.child.kill()?;
        self.child.wait()?;
        let begun = Instant::now();
        let (child, address) = ready(serve(&self.home, self.log.as_deref())?)?;
        self.child = child;
        self.target.address = address;
        Ok(begun.elapsed())
    }

    /// The processor time that it has used until now.
    pub fn meter(&self) -> Result<Meter> {
        let mut threads = HashMap::new();
        for entry in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let path = entry?.path();
            // A thread may end between the two reads.
            let Ok(text) = fs::read_to_string(path.join("schedstat")) else { continue };
            let nanoseconds = text.split_whitespace().next().ok_or("an empty schedstat")?;
            threads.insert(path, nanoseconds.parse()?);
        }
        Ok(Meter { threads })
    }

    /// The most memory that it has held, in MiB.
    pub fn peak_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|rest| rest.split_whitespace().next());
        Ok(kilobytes.ok_or("no VmHWM")?.parse::<u64>()? / 1024)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Processor time of each thread, in nanoseconds: finer than the ticks of `/proc/PID/stat`.
#[derive(Debug)]
pub struct Meter {
    threads: HashMap<PathBuf, u64>,
}

impl Meter {
    /// The processor time since `earlier`. A thread that has ended since counts until `earlier`.
    pub fn since(&self, earlier: &Self) -> Duration {
        let used = self.threads.iter().map(|(thread, now)| {
            now.saturating_sub(earlier.threads.get(thread).copied().unwrap_or(0))
        });
        Duration::from_nanos(used.sum())
    }
}

/// A command of `stagedoor` on the database below `home`, with no setting from outside.
fn stagedoor(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stagedoor"));
    let database = format!("sqlite://{}", home.join("stagedoor.db").display());
    command.args(arguments).args(["--database-url", &database]);
    command.env_clear().current_dir(home).stdin(Stdio::null());
    command
}

fn run(home: &Path, arguments: &[&str]) -> Result<String> {
    let output = stagedoor(home, arguments).output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("stagedoor {} failed: {said}", arguments.join(" ")).into())
}

fn serve(home: &Path, log: Option<&Path>) -> Result<Command> {
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
            std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
            return Ok((child, address));
        }
        line.clear();
    }
    child.wait()?;
    Err("a process ended before it was ready; --logs DIRECTORY keeps what it says".into())
}
