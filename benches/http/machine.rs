//! Where it was measured, and with what: as far as machine and programs say it themselves.

use std::fs;
use std::process::Command;
use std::thread;

use diesel::sql_types::Text;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};

use crate::Result;

/// The machine and the versions.
#[derive(Debug, Clone)]
pub struct Machine {
    /// What the processors call themselves.
    pub processor: String,
    /// How many of them there are.
    pub cores: usize,
    /// The memory, in GiB.
    pub memory: f64,
    /// The release of Linux.
    pub kernel: String,
    /// The version of stagedoor, with the commit where there is one.
    pub stagedoor: String,
    /// How it was built: only a release build says anything.
    pub build: &'static str,
    /// The version of the compiler.
    pub rustc: String,
    /// The version of SQLite.
    pub sqlite: String,
    /// The version of PostgreSQL and its settings, where it was measured.
    pub postgres: Option<String>,
    /// The day, as the machine sees it.
    pub day: String,
    /// The command that this run was started by.
    pub command: String,
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

impl Machine {
    /// Asks around.
    pub fn look() -> Result<Self> {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let memory = memory.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let commit = said("git", &["describe", "--always", "--dirty", "--abbrev=10"]);
        let commit = commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
        let mut conn = SqliteConnection::establish(":memory:")?;
        let sqlite: Version =
            diesel::sql_query("SELECT sqlite_version() AS version").get_result(&mut conn)?;
        let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        let arguments: Vec<String> = arguments.collect();
        Ok(Self {
            processor: model.map_or("unknown processor", |(_, name)| name).to_owned(),
            cores: thread::available_parallelism().map_or(0, usize::from),
            memory: memory.unwrap_or(0.0) / 1024.0 / 1024.0,
            kernel: kernel.trim().to_owned(),
            stagedoor: format!("{}{commit}", env!("CARGO_PKG_VERSION")),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            rustc: said("rustc", &["--version"]).unwrap_or_else(|| "unknown".to_owned()),
            sqlite: sqlite.version,
            postgres: None,
            day: said("date", &["-u", "+%Y-%m-%d"]).unwrap_or_default(),
            command: format!("cargo bench --bench http -- {}", arguments.join(" ")),
        })
    }

    /// All of it in one line.
    pub fn line(&self) -> String {
        let Self { processor, cores, memory, kernel, stagedoor, .. } = self;
        format!("stagedoor {stagedoor}, {cores} x {processor}, {memory:.0} GiB, Linux {kernel}")
    }
}

/// What a program says, in one line; `None` where it is not there.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
