//! The yardsticks of PostgreSQL: what its driver does by itself, over as many connections as there
//! are clients, with no server of ours in between.
//!
//! A select by the index that a get by id goes by, and an insert into a copy of the table of users,
//! with an index for each value that a create indexes, which begins empty: less than a create writes. A process of its own, so that its
//! processor time is not the load generator's.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{
    Connection, ExpressionMethods, OptionalExtension, PgConnection, QueryDsl, QueryResult,
    RunQueryDsl,
};
use serde::{Deserialize, Serialize};

use crate::directory::Recipe;
use crate::operation::Operation;
use crate::process::{Meter, Used};
use crate::{Result, indexed};

diesel::table! {
    users (seq) {
        seq -> BigInt,
        company_seq -> BigInt,
        id -> Text,
        document -> Text,
    }
}

diesel::table! {
    companies (seq) {
        seq -> BigInt,
        slug -> Text,
    }
}

diesel::table! {
    bare_users (seq) {
        seq -> BigInt,
        company_seq -> BigInt,
        id -> Text,
        user_name_key -> Text,
        external_id -> Text,
        display_name_key -> Text,
        document -> Text,
        email -> Text,
        family_name -> Text,
        given_name -> Text,
        employee_number -> Text,
        cost_center -> Text,
        organization -> Text,
        department -> Text,
    }
}

/// The table of the bare inserts. What is not bound is what a create would write there, or less.
const TABLE: &str = "CREATE TABLE bare_users (LIKE users INCLUDING ALL); \
     ALTER TABLE bare_users ALTER active SET DEFAULT TRUE, ALTER created_at SET DEFAULT 0, \
     ALTER last_modified SET DEFAULT 0, ALTER version SET DEFAULT 1, ALTER facts SET DEFAULT '{}'";

/// What is asked of the process, as a line of JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    insert: bool,
    clients: usize,
    seconds: f64,
}

/// What it has done, as a line of JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    seconds: f64,
    /// The time of each request, in nanoseconds.
    times: Vec<u64>,
}

/// The process, seen from the benchmark.
#[derive(Debug)]
pub struct Driver {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    postmaster: u32,
}

/// A slice of load.
#[derive(Debug)]
pub struct Slice {
    /// How long it took.
    pub elapsed: Duration,
    /// The time of each request.
    pub times: Vec<Duration>,
    /// The database's processor time.
    pub used: Used,
}

impl Driver {
    /// Starts this program again, as the driver of the database at `url`.
    pub fn start(url: &str, postmaster: u32) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--bare-database", url]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let orders = child.stdin.take().ok_or("no standard input")?;
        let mut answers = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        // An empty line: its table is there.
        answers.read_line(&mut String::new())?;
        Ok(Self { child, orders, answers, postmaster })
    }

    /// Puts load on the database for a while.
    pub fn slice(&mut self, operation: Operation, clients: usize, time: Duration) -> Result<Slice> {
        let insert = operation == Operation::DriverInsert;
        let order = Order { insert, clients, seconds: time.as_secs_f64() };
        let before = Meter::of(None, Some(self.postmaster))?;
        writeln!(self.orders, "{}", serde_json::to_string(&order)?)?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let after = Meter::of(None, Some(self.postmaster))?;
        let done: Done = serde_json::from_str(&line).map_err(|_| "the driver ended")?;
        Ok(Slice {
            elapsed: Duration::from_secs_f64(done.seconds),
            times: done.times.into_iter().map(Duration::from_nanos).collect(),
            used: after.since(&before),
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Does what is ordered on standard input until that ends.
pub fn serve(url: &str) -> Result<()> {
    let mut conns = vec![PgConnection::establish(url)?];
    let conn = conns.first_mut().ok_or("no connection")?;
    conn.batch_execute(&format!("{TABLE}; {}", indexed::columns_of("bare_users")))?;
    let stock = Stock::load(conn)?;
    println!();
    for line in std::io::stdin().lines() {
        let order: Order = serde_json::from_str(&line?)?;
        while conns.len() < order.clients {
            conns.push(PgConnection::establish(url)?);
        }
        let done = obey(&order, conns.get_mut(..order.clients).unwrap_or_default(), &stock)?;
        println!("{}", serde_json::to_string(&done)?);
    }
    Ok(())
}

/// What all threads share.
pub struct Stock {
    company: i64,
    ids: Vec<String>,
    body: String,
    next: AtomicU64,
}

impl Stock {
    /// The measured company's users.
    pub fn load(conn: &mut PgConnection) -> Result<Self> {
        let slug = Recipe::measured(0, 0).slug().to_owned();
        let company = companies::table.filter(companies::slug.eq(slug)).select(companies::seq);
        let company: i64 = company.first(conn)?;
        let ids = users::table.filter(users::company_seq.eq(company)).select(users::id);
        let (ids, body) = (ids.load(conn)?, Recipe::measured(0, 0).user(0));
        Ok(Self { company, ids, body, next: AtomicU64::new(1) })
    }

    /// A number that no other request of this process has, and one far from its neighbours.
    pub fn next(&self) -> (u64, u64) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number, number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

fn obey(order: &Order, conns: &mut [PgConnection], stock: &Stock) -> Result<Done> {
    let begun = Instant::now();
    let until = begun + Duration::from_secs_f64(order.seconds);
    let parts = thread::scope(|scope| {
        let workers: Vec<_> = conns
            .iter_mut()
            .map(|conn| scope.spawn(move || work(order.insert, conn, stock, until)))
            .collect();
        workers.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let seconds = begun.elapsed().as_secs_f64();
    let mut times = Vec::new();
    for part in parts {
        times.extend(part.map_err(|_| "a thread of the driver panicked")??);
    }
    Ok(Done { seconds, times })
}

fn work(insert: bool, conn: &mut PgConnection, stock: &Stock, until: Instant) -> Result<Vec<u64>> {
    let mut times = Vec::new();
    while Instant::now() < until || times.is_empty() {
        let (number, spread) = stock.next();
        let begun = Instant::now();
        if insert {
            insert_row(conn, stock, ('d', number, spread))?;
        } else {
            select_row(conn, stock, spread)?;
        }
        times.push(u64::try_from(begun.elapsed().as_nanos())?);
    }
    Ok(times)
}

/// Reads the document of one user.
pub fn select_row(conn: &mut PgConnection, stock: &Stock, spread: u64) -> Result<String> {
    let place = usize::try_from(spread % stock.ids.len().max(1) as u64)?;
    let id = stock.ids.get(place).ok_or("no users")?;
    let found: Option<String> = users::table
        .filter(users::company_seq.eq(stock.company))
        .filter(users::id.eq(id))
        .select(users::document)
        .first(conn)
        .optional()?;
    Ok(found.ok_or("a user is gone")?)
}

/// Stores one row; `series` tells those of one process from another's.
pub fn insert_row(
    conn: &mut PgConnection,
    stock: &Stock,
    (series, number, spread): (char, u64, u64),
) -> QueryResult<()> {
    // Ids come in the order of time, names in any.
    let (id, name) = (format!("{series}{number:035}"), format!("{spread:016x}{series}"));
    let [email, family, given, employee, cost, organization, department] =
        indexed::values(number, spread);
    diesel::insert_into(bare_users::table)
        .values((
            bare_users::company_seq.eq(stock.company),
            bare_users::id.eq(id),
            bare_users::user_name_key.eq(&name),
            bare_users::external_id.eq(&name),
            bare_users::display_name_key.eq(&name),
            bare_users::document.eq(&stock.body),
            bare_users::email.eq(email),
            bare_users::family_name.eq(family),
            bare_users::given_name.eq(given),
            bare_users::employee_number.eq(employee),
            bare_users::cost_center.eq(cost),
            bare_users::organization.eq(organization),
            bare_users::department.eq(department),
        ))
        .execute(conn)
        .map(drop)
}
