//! A real server for one test: the built program, its own database, its own port.
//!
//! Everything goes through the command line and over HTTP, as an operator and an `IdP` would do it.
//! A prepared database (migrated, with the company `acme` and a SCIM token) is made once a run and
//! copied for each test. Nothing here sleeps: the server is ready when it prints its address.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, RunQueryDsl, SqliteConnection, sql_query};
use tempfile::TempDir;

use crate::client::HttpClient;
use crate::company::Company;
use crate::postgres::TestDatabase;
use crate::replay::Target;

/// The key of a server on PostgreSQL, in its directory.
const KEY: &str = "server.key";

/// Where a test server keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file of the test's own directory.
    Sqlite,
    /// A database of the test's own on a server that all tests share.
    Postgres,
}

/// Writes a test once and runs it on every database; each run has a server of its own, with further flags of
/// `stagedoor serve` where `with` names them.
macro_rules! on_both_databases {
    (with $flags:expr; $($(#[$about:meta])* fn $name:ident($server:ident: &TestServer) $body:block)*) => {$(
        $(#[$about])*
        fn $name($server: &$crate::server::TestServer) $body

        mod $name {
            #[test]
            fn on_sqlite() {
                use $crate::server::{Database, TestServer};
                super::$name(&TestServer::start_with(Database::Sqlite, $flags));
            }

            #[test]
            fn on_postgres() {
                use $crate::server::{Database, TestServer};
                super::$name(&TestServer::start_with(Database::Postgres, $flags));
            }
        }
    )*};
    ($($tests:tt)*) => { $crate::server::on_both_databases! { with &[]; $($tests)* } };
}
pub(crate) use on_both_databases;

/// A prepared data directory: the files with their bytes, the database if it is none of them, and
/// acme's token.
struct Template {
    files: Vec<(PathBuf, Vec<u8>)>,
    postgres: Option<TestDatabase>,
    token: String,
}

/// Where servers find their data and their key.
pub struct Home {
    directory: TempDir,
    url: String,
    database: Option<TestDatabase>,
    environment: Vec<(String, PathBuf)>,
}

/// A running server with a company `acme`. It is killed when dropped.
pub struct TestServer {
    database: Database,
    // The process ends before its data goes.
    process: Replica,
    home: Home,
}

/// One process of `stagedoor serve`, and `acme` as it serves it. It is killed when dropped.
pub struct Replica {
    child: Mutex<Child>,
    address: String,
    log: Arc<Mutex<String>>,
    acme: Company,
}

impl TestServer {
    /// Starts a server on an empty company.
    pub fn start(database: Database) -> Self {
        Self::start_with(database, &[])
    }

    /// Starts a server with further flags of `stagedoor serve`.
    pub fn start_with(database: Database, flags: &[&str]) -> Self {
        Self::start_as(database, flags, &[])
    }

    /// Starts a server on SQLite with variables in the environment of all of its processes.
    pub fn start_in(environment: &[(&str, &Path)]) -> Self {
        Self::start_as(Database::Sqlite, &[], environment)
    }

    fn start_as(database: Database, flags: &[&str], environment: &[(&str, &Path)]) -> Self {
        let template = template(database);
        let mut home = Home::new(template.postgres.as_ref().map(TestDatabase::copy_of));
        let variable = |(name, value): &(&str, &Path)| ((*name).to_owned(), value.to_path_buf());
        home.environment = environment.iter().map(variable).collect();
        for (name, bytes) in &template.files {
            fs::write(home.directory.path().join(name), bytes).expect("the template is copied");
        }
        let process = Replica::start(&home, flags, &template.token);
        Self { database, home, process }
    }

    /// Starts a server on an empty database of PostgreSQL, with an empty company.
    pub fn start_on(url: String) -> Self {
        let home = Home::at(url);
        let token = furnish(&home);
        let process = Replica::start(&home, &[], &token);
        Self { database: Database::Postgres, home, process }
    }

    /// Starts another server on the same data.
    pub fn replica(&self) -> Replica {
        self.replica_with(&[])
    }

    /// The same, with further flags of `stagedoor serve`.
    pub fn replica_with(&self, flags: &[&str]) -> Replica {
        Replica::start(&self.home, flags, self.acme().token())
    }

    /// The company that every server has, with its token.
    pub fn acme(&self) -> &Company {
        &self.process.acme
    }

    /// Makes another company, with a token.
    pub fn company(&self, slug: &str) -> Company {
        self.cli_ok(&["company", "create", slug, "--name", slug, "--plan", "enterprise", "--scim"]);
        self.client(&self.token(slug, "test", &[]))
    }

    /// Makes a further token of a company; flags such as `--expires-in 1h`.
    pub fn token(&self, company: &str, name: &str, flags: &[&str]) -> String {
        let mut arguments = vec!["token", "create", company, "--name", name];
        arguments.extend(flags);
        self.cli_ok(&arguments).trim().to_owned()
    }

    /// A client with any token.
    pub fn client(&self, token: &str) -> Company {
        Company::new(&self.process.address, token)
    }

    /// Where the server keeps its data.
    pub fn database(&self) -> Database {
        self.database
    }

    /// `http://127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.process.address
    }

    /// What the replayer needs to know.
    pub fn target(&self) -> Target {
        Target {
            base: format!("{}/scim/v2", self.address()),
            token: self.acme().token().to_owned(),
        }
    }

    /// The server's own directory, with its database.
    pub fn directory(&self) -> &Path {
        self.home.directory.path()
    }

    /// GET without any credential.
    pub fn get_plain(&self, path: &str) -> crate::client::Reply {
        let url = format!("{}{path}", self.address());
        let call = crate::client::Call { method: "GET".to_owned(), url, ..Default::default() };
        anonymous().send(&call).expect("an answer")
    }

    /// The service on the server's database, in this process: for what no request can bring about yet.
    pub fn service(&self) -> stagedoor::service::Service {
        use stagedoor::service::{KeySource, Service};
        let key = match self.database {
            Database::Sqlite => KeySource::BesideDatabase,
            Database::Postgres => KeySource::File(self.directory().join(KEY)),
        };
        let clock = stagedoor::clock::Clock::system();
        Service::open(&self.home.url, &key, clock).expect("the service")
    }

    /// The URL of its database.
    pub fn url(&self) -> &str {
        &self.home.url
    }

    /// The URL of its database, where that is on PostgreSQL.
    pub fn postgres_url(&self) -> Option<String> {
        (self.database == Database::Postgres).then(|| self.home.url.clone())
    }

    /// Runs a command of `stagedoor` on the server's database.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        cli(&self.home, arguments)
    }

    /// Runs a command that must succeed, and returns what it printed.
    pub fn cli_ok(&self, arguments: &[&str]) -> String {
        printed(arguments, &self.cli(arguments))
    }

    /// A command on the server's database that is yet to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        command(&self.home, arguments)
    }

    /// A server on the database at this URL, to which this one's was copied, under the key in this
    /// file of this one's directory; and its home.
    pub fn moved_to(&self, url: String, key: &str) -> (Replica, Home) {
        let home = Home::at(url);
        let to = home.directory.path().join(KEY);
        fs::copy(self.directory().join(key), to).expect("the key is copied");
        (Replica::start(&home, &[], self.acme().token()), home)
    }

    /// The number that a query of a database file in the server's directory gives.
    pub fn number(&self, file: &str, query: &str) -> i64 {
        let path = self.directory().join(file).display().to_string();
        let mut connection = SqliteConnection::establish(&path).expect("the database");
        let value = diesel::dsl::sql::<diesel::sql_types::BigInt>(&format!("({query})"));
        diesel::select(value).get_result(&mut connection).expect("the number")
    }

    /// Changes a row behind the server's back, for what no command can bring about.
    pub fn sql(&self, statement: &str) {
        let changed = if let Some(url) = self.postgres_url() {
            let mut connection = PgConnection::establish(&url).expect("the database");
            sql_query(statement).execute(&mut connection)
        } else {
            let path = self.directory().join("stagedoor.db").display().to_string();
            let mut connection = SqliteConnection::establish(&path).expect("the database");
            connection.batch_execute("PRAGMA busy_timeout = 5000").expect("a timeout");
            sql_query(statement).execute(&mut connection)
        };
        assert!(changed.expect("the statement") > 0);
    }

    /// How many rows a table of the database has, on either one.
    pub fn count(&self, table: &str) -> i64 {
        let value = diesel::dsl::sql::<diesel::sql_types::BigInt>(&format!(
            "(SELECT count(*) FROM {table})"
        ));
        let read =
            self.service().read_now(|conn| Ok(diesel::select(value).get_result::<i64>(conn)?));
        read.expect("the number")
    }

    /// Everything that the server has written to standard output and standard error so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Whether the process still runs.
    pub fn is_running(&self) -> bool {
        self.process.child.lock().expect("the process").try_wait().expect("its state").is_none()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.child.lock().expect("the process").id()
    }

    /// Waits for the process to end by itself.
    pub fn ended(&self) -> ExitStatus {
        self.process.child.lock().expect("the process").wait().expect("its end")
    }

    /// Sends bytes as they are and reads until the server closes the connection or falls silent.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // A server may refuse and close before it has read everything.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A plain connection with a patient read.
    pub fn connect(&self) -> TcpStream {
        let address = self.address().strip_prefix("http://").expect("an http address");
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream.set_write_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream
    }

    /// Ends the process without a word, and starts it again on the same data.
    pub fn crash_and_restart(&mut self) {
        self.process.kill();
        self.process = Replica::start(&self.home, &[], self.process.acme.token());
    }
}

impl Replica {
    fn start(home: &Home, flags: &[&str], token: &str) -> Self {
        let (child, address, log) = serve(home, flags);
        let acme = Company::new(&address, token);
        Self { child: Mutex::new(child), address, log, acme }
    }

    /// The company that every server has, at this replica.
    pub fn acme(&self) -> &Company {
        &self.acme
    }

    /// `http://127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Ends the process without a word.
    pub fn kill(&self) {
        stop(&mut self.child.lock().expect("the process"));
    }

    fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Ok(mut child) = self.child.lock() {
            stop(&mut child);
        }
        if thread::panicking() {
            eprintln!("--- the server's log\n{}", self.log());
        }
    }
}

/// Several servers that are started at the same moment on an empty database, and what they share.
pub fn start_at_once(count: usize) -> (Vec<Replica>, Home) {
    let home = Home::new(Some(TestDatabase::empty()));
    let replicas = thread::scope(|scope| {
        let start = || Replica::start(&home, &[], "no token");
        let starts: Vec<_> = (0..count).map(|_| scope.spawn(start)).collect();
        starts.into_iter().map(|start| start.join().expect("a server")).collect()
    });
    (replicas, home)
}

fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// A text of letters and digits that no other call in this run of the tests has given.
pub fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("t{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn template(database: Database) -> &'static Template {
    static SQLITE: OnceLock<Template> = OnceLock::new();
    static POSTGRES: OnceLock<Template> = OnceLock::new();
    match database {
        Database::Sqlite => SQLITE.get_or_init(|| make_template(Home::new(None))),
        Database::Postgres => {
            POSTGRES.get_or_init(|| make_template(Home::new(Some(TestDatabase::empty()))))
        }
    }
}

impl Home {
    /// In a directory of its own, or in this database.
    fn new(database: Option<TestDatabase>) -> Self {
        if let Some(database) = database {
            let url = database.url();
            return Self { database: Some(database), ..Self::at(url) };
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        let url = format!("sqlite://{}", directory.path().join("stagedoor.db").display());
        Self { directory, url, database: None, environment: Vec::new() }
    }

    /// On a server, with a key, which the product makes by itself beside a file only.
    fn at(url: String) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join(KEY), "5e".repeat(32)).expect("a key");
        Self { directory, url, database: None, environment: Vec::new() }
    }
}

/// Makes the company that every server has, and returns its token.
fn furnish(home: &Home) -> String {
    let run = |arguments: &[&str]| printed(arguments, &cli(home, arguments));
    run(&["company", "create", "acme", "--name", "Acme", "--plan", "enterprise", "--scim"]);
    run(&["token", "create", "acme", "--name", "test"]).trim().to_owned()
}

fn make_template(home: Home) -> Template {
    let token = furnish(&home);
    let files = fs::read_dir(home.directory.path()).expect("the template").map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").into();
        (name, fs::read(&path).expect("a file of the template"))
    });
    Template { files: files.collect(), postgres: home.database, token }
}

/// A command with no setting from outside: no environment, no `stagedoor.toml` but the test's own.
fn command(home: &Home, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stagedoor"));
    let directory = home.directory.path();
    command.args(arguments).args(["--database-url", &home.url]);
    if directory.join(KEY).is_file() {
        command.args(["--secret-key-file", KEY]);
    }
    let environment = home.environment.iter().map(|(name, value)| (name, value));
    command.env_clear().envs(environment).current_dir(directory).stdin(Stdio::null());
    command
}

fn cli(home: &Home, arguments: &[&str]) -> Output {
    command(home, arguments).output().expect("the program runs")
}

fn printed(arguments: &[&str], output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "stagedoor {} failed: {said}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn serve(home: &Home, flags: &[&str]) -> (Child, String, Arc<Mutex<String>>) {
    let mut command = command(home, &["serve", "--listen", "127.0.0.1:0"]);
    command.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the server starts");
    let log = Arc::new(Mutex::new(String::new()));
    collect(child.stderr.take().expect("standard error"), &log);
    let mut output = BufReader::new(child.stdout.take().expect("standard output"));
    let mut line = String::new();
    while !line.contains("http://") {
        line.clear();
        if output.read_line(&mut line).expect("the server's line") == 0 {
            let _ = child.wait();
            panic!("the server ended: {}", log.lock().expect("the log"));
        }
    }
    let address = line.split_whitespace().find_map(|word| word.find("http://").map(|i| &word[i..]));
    let address = address.expect("an address").trim_end_matches(|c: char| !c.is_ascii_digit());
    let address = address.to_owned();
    collect(output, &log);
    (child, address, log)
}

/// Keeps a pipe empty, so that the server never waits for us.
fn collect(pipe: impl Read + Send + 'static, log: &Arc<Mutex<String>>) {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut log = log.lock().expect("the log");
            log.push_str(&line);
            log.push('\n');
        }
    });
}

/// A client without a token, for what needs none.
pub fn anonymous() -> HttpClient {
    HttpClient::new()
}
