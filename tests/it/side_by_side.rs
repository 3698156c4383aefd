//! Units of work side by side on PostgreSQL, in process: what no client can bring about at will.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use stagedoor::clock::Clock;
use stagedoor::db::DbConn;
use stagedoor::domain::company::Plan;
use stagedoor::domain::event::Actor;
use stagedoor::service::companies::{self, NewCompany};
use stagedoor::service::{Cx, Error, KeySource, Result, Service};

use crate::postgres::TestDatabase;

fn open(database: &TestDatabase) -> Service {
    let key = KeySource::Text("5e".repeat(32));
    Service::open(&database.url(), &key, Clock::system()).unwrap()
}

fn wait<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(work)
}

fn run(conn: &mut DbConn, statement: &str) -> Result<()> {
    match conn {
        DbConn::Postgres(conn) => Ok(conn.batch_execute(statement)?),
        DbConn::Sqlite(_) => unreachable!("the database is on PostgreSQL"),
    }
}

fn company(service: &Service, slug: &'static str) {
    let (plan, name) = (Plan::Free, slug.to_owned());
    let new = NewCompany::new(slug.to_owned(), name, plan, true);
    wait(service.transact(|cx| companies::create(cx, &Actor::Command, new))).unwrap();
}

/// Two units that each hold what the other needs: the server gives one up, and both are done.
#[test]
fn a_deadlock_is_tried_again() {
    let database = TestDatabase::empty();
    let service = open(&database);
    company(&service, "one");
    company(&service, "two");
    let (barrier, attempts) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
    thread::scope(|scope| {
        for order in [["one", "two"], ["two", "one"]] {
            let (service, barrier, attempts) =
                (&service, Arc::clone(&barrier), Arc::clone(&attempts));
            let unit = move |cx: &mut Cx<'_>| {
                for (place, slug) in order.iter().enumerate() {
                    let change =
                        format!("UPDATE companies SET name = name || '+' WHERE slug = '{slug}'");
                    run(cx.conn, &change)?;
                    // Only the first attempts meet.
                    if place == 0 && attempts.fetch_add(1, Ordering::SeqCst) < 2 {
                        barrier.wait();
                    }
                }
                Ok(())
            };
            scope.spawn(move || wait(service.transact(unit)).unwrap());
        }
    });
    // More than once, where it took its first row before the other one had woken up.
    assert!(attempts.load(Ordering::SeqCst) >= 3, "one of two was run again");
    let names = service.read_now(companies::list).unwrap();
    assert_eq!(names.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["one++", "two++"]);
}

/// Work that refuses or panics leaves nothing behind, and its connection serves on.
#[test]
fn a_unit_that_fails_leaves_nothing() {
    let database = TestDatabase::empty();
    let service = open(&database);
    company(&service, "one");
    let change = "UPDATE companies SET name = 'changed'";
    let refused = wait(service.transact(move |cx| -> Result<()> {
        run(cx.conn, change)?;
        Err(Error::NotFound("User"))
    }));
    assert!(matches!(refused, Err(Error::NotFound("User"))), "{refused:?}");
    let wrong = wait(service.transact(move |cx| {
        run(cx.conn, change)?;
        run(cx.conn, "SELECT nothing FROM nowhere")
    }));
    assert!(matches!(wrong, Err(Error::Internal(_))), "{wrong:?}");
    let panicked = wait(service.transact(move |cx| -> Result<()> {
        run(cx.conn, change)?;
        panic!("on purpose")
    }));
    assert!(matches!(panicked, Err(Error::Unavailable(_))), "{panicked:?}");
    let names = service.read_now(companies::list).unwrap();
    assert_eq!(names[0].name, "one");
    company(&service, "two");
}

/// A wait for somebody else's row ends before the client is gone.
#[test]
fn a_wait_for_a_row_ends() {
    let database = TestDatabase::empty();
    let (holder, service) = (open(&database), open(&database));
    company(&service, "one");
    let (held, done) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let change = "UPDATE companies SET name = name || '+'";
    thread::scope(|scope| {
        let (held_too, done_too) = (Arc::clone(&held), Arc::clone(&done));
        let unit = move |cx: &mut Cx<'_>| {
            run(cx.conn, change)?;
            held_too.wait();
            done_too.wait();
            Ok(())
        };
        let holder = &holder;
        scope.spawn(move || wait(holder.transact(unit)).unwrap());
        held.wait();
        let begun = Instant::now();
        let late = wait(service.transact(move |cx| run(cx.conn, change)));
        assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
        done.wait();
    });
    assert_eq!(service.read_now(companies::list).unwrap()[0].name, "one+");
}

/// A statement that runs too long is answered as on SQLite, and readers cannot write.
#[test]
fn a_reader_is_held_to_its_time_and_to_reading() {
    let database = TestDatabase::empty();
    let service = open(&database);
    let wrote = service.read_now(|conn| run(conn, "DELETE FROM companies"));
    assert!(matches!(wrote, Err(Error::Internal(_))), "{wrote:?}");
    let begun = Instant::now();
    let late = service.read_now(|conn| run(conn, "SELECT pg_sleep(60)"));
    let Err(Error::Unavailable(text)) = late else { panic!("{late:?}") };
    assert!(text.contains("took too long"), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

/// The password of the database is in no error.
#[test]
fn an_unreachable_database_is_one_line_without_a_password() {
    let key = KeySource::Text("5e".repeat(32));
    let url = "postgres://ada:gull-7-harbour@127.0.0.1:1/x";
    let Err(line) = Service::open(url, &key, Clock::system()) else { panic!("nobody is there") };
    assert!(line.starts_with("database-url: ") && line.contains("127.0.0.1"), "{line}");
    assert!(!line.contains("gull") && !line.contains('\n'), "{line}");
}
