//! A throw-away PostgreSQL for one run of a test program, and databases on it.
//!
//! Debian's binaries, as an unprivileged user, behind a socket of its own, without sync unless a test
//! asks for it. It ends with the program that started it, however that ends. With
//! `STAGEDOOR_TEST_POSTGRES_URL` the tests' databases are made on that server instead.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use tempfile::TempDir;

/// Runs the server until its input ends, then ends it and removes its files.
const KEEPER: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=400 $3 2>"$2/log" &
server=$!
echo started
while read -r order; do
    case $order in
        stop) kill -QUIT $server; wait $server ;;
        start) "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= $3 2>>"$2/log" & server=$! ;;
    esac
    echo "$order"
done
kill -QUIT $server; wait $server; rm -rf "$2" 2>/dev/null
"#;
/// Settings of a server that may lose what it has with the machine, and is quicker for it.
const RELAXED: &str = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off";

/// A server of ours.
pub struct Cluster {
    keeper: Child,
    answers: BufReader<std::process::ChildStdout>,
    directory: PathBuf,
}

impl Cluster {
    /// Makes a server and waits until it answers. `durable`: it syncs, as in production.
    pub fn start(durable: bool) -> Self {
        Self::start_in(&std::env::temp_dir(), if durable { "" } else { RELAXED })
    }

    /// The same, with its files in a new folder below `parent`, and with these settings as its command line has
    /// them.
    pub fn start_in(parent: &Path, settings: &str) -> Self {
        let binaries = binaries();
        // The keeper removes it.
        let directory =
            TempDir::with_prefix_in("stagedoor-pg", parent).expect("a directory").keep();
        let account = unprivileged();
        if let Some((user, group)) = account {
            chown(&directory, Some(user), Some(group)).expect("the directory is given away");
        }
        let locale = ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"];
        let made = command(&binaries.join("initdb"), account)
            .args(["--auth=trust", "--username=stagedoor", "--encoding=UTF8", "--no-sync", "-D"])
            .arg(directory.join("data"))
            // Texts that sort otherwise than byte by byte, unless a column says so.
            .args(locale)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut keeper = command(Path::new("/bin/sh"), account)
            .args(["-c", KEEPER, "keeper"])
            .args([&binaries, &directory])
            .arg(settings)
            // An interrupt at the terminal is for the tests; the keeper still has to clean up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let answers = BufReader::new(keeper.stdout.take().expect("standard output"));
        let mut cluster = Self { keeper, answers, directory };
        cluster.answer("started");
        cluster.wait();
        cluster
    }

    /// The URL of a database on it.
    pub fn url(&self, database: &str) -> String {
        let host = self.directory.to_str().expect("a path").replace('/', "%2F");
        format!("postgres://stagedoor@{host}/{database}")
    }

    /// Ends it at once, as a power cut would.
    pub fn stop(&mut self) {
        self.order("stop");
    }

    /// Starts it again, and waits until it answers.
    pub fn start_again(&mut self) {
        self.order("start");
        self.wait();
    }

    fn order(&mut self, order: &str) {
        use std::io::Write;
        let orders = self.keeper.stdin.as_mut().expect("standard input");
        writeln!(orders, "{order}").expect("the keeper listens");
        self.answer(order);
    }

    fn answer(&mut self, expected: &str) {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the keeper answers");
        assert_eq!(line.trim(), expected, "the keeper of PostgreSQL");
    }

    /// Waits until the server answers; asks, since it does not say.
    fn wait(&mut self) {
        let begun = std::time::Instant::now();
        loop {
            match PgConnection::establish(&self.url("postgres")) {
                Ok(_) => return,
                Err(error) => {
                    let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                    assert!(begun.elapsed().as_secs() < 30, "PostgreSQL: {error}\n{log}");
                    std::thread::yield_now();
                }
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
        // The keeper may be unable to take the folder itself out of its parent.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The folder of Debian's, or another, PostgreSQL.
fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    found.sort();
    if let Ok(said) = Command::new("pg_config").arg("--bindir").output() {
        found.push(String::from_utf8_lossy(&said.stdout).trim().into());
    }
    let found = found.into_iter().rev().find(|folder| folder.join("initdb").is_file());
    found.expect("PostgreSQL is installed (Debian: postgresql-15), or STAGEDOOR_TEST_POSTGRES_URL")
}

/// Whom the server runs as: it refuses to be root. `None`: as we are.
fn unprivileged() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let said = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8_lossy(&said.stdout).trim().parse().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let of = |name: &str| Some((id(&["-u", name])?, id(&["-g", name])?));
    Some(of("postgres").or_else(|| of("nobody")).expect("an unprivileged account"))
}

fn command(program: &Path, account: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = account {
        command.uid(user).gid(group);
    }
    command.current_dir("/").env("LC_ALL", "C.UTF-8");
    command
}

/// The server of this run: where its administrator connects, and how its databases are called.
struct Server {
    cluster: Option<Cluster>,
    given: Option<String>,
}

#[expect(clippy::disallowed_methods, reason = "a test has no settings but the environment")]
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| match std::env::var("STAGEDOOR_TEST_POSTGRES_URL") {
        Ok(url) => Server { cluster: None, given: Some(url) },
        Err(_) => Server { cluster: Some(Cluster::start(false)), given: None },
    })
}

impl Server {
    fn url(&self, database: &str) -> String {
        match (&self.cluster, &self.given) {
            (Some(cluster), _) => cluster.url(database),
            (None, Some(url)) => with_database(url, database),
            (None, None) => unreachable!("one of the two is there"),
        }
    }

    fn administrate(&self, statement: &str) {
        let url = self.given.clone().unwrap_or_else(|| self.url("postgres"));
        let mut conn = PgConnection::establish(&url).expect("PostgreSQL answers");
        conn.batch_execute(statement).unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
}

/// A URL with another database in it.
fn with_database(url: &str, database: &str) -> String {
    let (before, query) = url.split_once('?').map_or((url, None), |(b, q)| (b, Some(q)));
    let authority = before.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let mut out = format!("postgres://{authority}/{database}");
    if let Some(query) = query {
        write!(out, "?{query}").expect("a text grows");
    }
    out
}

/// A database of one test's own; it goes when this is dropped.
pub struct TestDatabase {
    name: String,
}

impl TestDatabase {
    /// An empty database.
    pub fn empty() -> Self {
        Self::create("")
    }

    /// A copy of another one, to which nobody is connected.
    pub fn copy_of(template: &Self) -> Self {
        Self::create(&format!(" TEMPLATE {}", template.name))
    }

    fn create(how: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stagedoor_test_{}_{number}", std::process::id());
        server().administrate(&format!("CREATE DATABASE {name}{how}"));
        Self { name }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        server().url(&self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        server().administrate(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}
