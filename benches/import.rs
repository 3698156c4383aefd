//! `stagedoor import` against raw batched inserts (decision 0007): the same rows into the same tables
//! with the same indexes, through Diesel in large transactions, without reading, rules or progress.
//!
//! `cargo bench --bench import` loads 200,000 users and 2,000 groups with 1,000,000 memberships;
//! `-- --users N --groups N --memberships N --rounds N` for other sizes. Fails below a third, but for
//! `--quick`: small sizes, which show that it runs and are not judged.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed benchmark may end with a panic"
)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::json;

use schema::{attribute_values, group_members, groups, users};

/// The product's own tables.
#[path = "../src/db/schema.rs"]
mod schema;

/// The least part of the raw rate that an import must reach.
const FLOOR: f64 = 1.0 / 3.0;
/// Rows of one transaction of the raw inserts.
const BATCH: usize = 50_000;

#[derive(Queryable, Insertable)]
#[diesel(table_name = users)]
struct User {
    seq: i64,
    company_seq: i64,
    id: String,
    user_name_key: String,
    external_id: Option<String>,
    display_name_key: Option<String>,
    active: bool,
    admin_deactivated: bool,
    activated_at: Option<i64>,
    created_at: i64,
    last_modified: i64,
    version: i64,
    document: String,
    facts: String,
    unmapped: bool,
    status_changed_at: Option<i64>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = groups)]
struct Group {
    seq: i64,
    company_seq: i64,
    id: String,
    display_name: String,
    display_name_key: String,
    external_id: Option<String>,
    member_count: i64,
    created_at: i64,
    last_modified: i64,
    version: i64,
    document: String,
    facts: String,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = group_members)]
struct Member {
    group_seq: i64,
    member_type: i16,
    member_seq: i64,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = attribute_values)]
struct Value {
    company_seq: i64,
    resource_type: i16,
    path: String,
    value_key: String,
    resource_seq: i64,
    element: i16,
}

struct Sizes {
    users: usize,
    groups: usize,
    memberships: usize,
    rounds: usize,
    quick: bool,
}

impl Sizes {
    fn read() -> Self {
        let words: Vec<String> = std::env::args().collect();
        let of = |name: &str, default: usize| {
            let place = words.iter().position(|word| word == name);
            place.map_or(default, |i| words[i + 1].parse().expect("a number"))
        };
        if words.iter().any(|word| word == "--quick") {
            return Self { users: 500, groups: 10, memberships: 2_000, rounds: 1, quick: true };
        }
        Self {
            quick: false,
            users: of("--users", 200_000),
            groups: of("--groups", 2_000),
            memberships: of("--memberships", 1_000_000),
            rounds: of("--rounds", 3),
        }
    }
}

/// Writes the file: users as identity providers send them, groups of Zipf sizes.
fn generate(path: &Path, sizes: &Sizes) -> usize {
    let mut out = BufWriter::new(File::create(path).unwrap());
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    for i in 0..sizes.users {
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise],
            "id": format!("u{i}"), "externalId": format!("00u{:016x}", spread(i)),
            "userName": format!("kari.vik{i}@tern.example"),
            "name": {"givenName": format!("Kari {}", i % 700), "familyName": format!("Vik {}", i % 5_000)},
            "displayName": format!("Kari Vik {i}"), "active": true, "title": "Fitter",
            "emails": [{"value": format!("kari.vik{i}@tern.example"), "type": "work", "primary": true}],
            enterprise: {"department": format!("Locks {}", i % 200), "employeeNumber": i.to_string()},
        });
        writeln!(out, "{user}").unwrap();
    }
    let whole: f64 = (1..=sizes.groups).map(|k| 1.0 / k as f64).sum();
    let mut memberships = 0;
    for k in 0..sizes.groups {
        let share = sizes.memberships as f64 / ((k + 1) as f64 * whole);
        let count = (share.round() as usize).clamp(1, sizes.users);
        memberships += count;
        // A prime step visits everybody once, unless it divides the number of users.
        let member = |n: usize| (spread(k) as usize % sizes.users + n * 7_919) % sizes.users;
        let mut ids: Vec<usize> = (0..count).map(member).collect();
        ids.sort_unstable();
        ids.dedup();
        memberships -= count - ids.len();
        let members: Vec<_> = ids.iter().map(|u| json!({"value": format!("u{u}")})).collect();
        let group =
            json!({"displayName": format!("Group {k}"), "id": format!("g{k}"), "members": members});
        writeln!(out, "{group}").unwrap();
    }
    out.flush().unwrap();
    memberships
}

/// A number far from those of its neighbours: identity providers' ids come in no order.
fn spread(i: usize) -> u64 {
    (i as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Runs `stagedoor` on a database file and says how long it took.
fn stagedoor(database: &Path, arguments: &[&str]) -> Duration {
    let begun = Instant::now();
    let done = Command::new(env!("CARGO_BIN_EXE_stagedoor"))
        .args(arguments)
        .args(["--database-url", &format!("sqlite://{}", database.display())])
        .output()
        .expect("stagedoor runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    begun.elapsed()
}

fn open(path: &Path) -> SqliteConnection {
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    conn.batch_execute(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = 8000; PRAGMA cache_size = -32000;",
    )
    .unwrap();
    conn
}

/// Everything that an import left.
struct Rows {
    users: Vec<User>,
    groups: Vec<Group>,
    members: Vec<Member>,
    values: Vec<Value>,
}

impl Rows {
    fn of(path: &Path) -> Self {
        let mut conn = open(path);
        Self {
            users: users::table.order(users::seq).load(&mut conn).unwrap(),
            groups: groups::table.order(groups::seq).load(&mut conn).unwrap(),
            members: group_members::table.load(&mut conn).unwrap(),
            // In the order in which users are made, as a plain loader has them.
            values: attribute_values::table
                .order((attribute_values::resource_type, attribute_values::resource_seq))
                .load(&mut conn)
                .unwrap(),
        }
    }

    /// Inserts them all into an empty database and says how long it took.
    fn insert(&self, path: &Path) -> Duration {
        let mut conn = open(path);
        let begun = Instant::now();
        insert(&mut conn, &self.users, |row, conn| {
            diesel::insert_into(users::table).values(row).execute(conn)
        });
        insert(&mut conn, &self.values, |row, conn| {
            diesel::insert_into(attribute_values::table).values(row).execute(conn)
        });
        insert(&mut conn, &self.groups, |row, conn| {
            diesel::insert_into(groups::table).values(row).execute(conn)
        });
        insert(&mut conn, &self.members, |row, conn| {
            diesel::insert_into(group_members::table).values(row).execute(conn)
        });
        begun.elapsed()
    }
}

/// One prepared statement a table, many rows a transaction: the fastest that SQLite offers.
fn insert<T>(
    conn: &mut SqliteConnection,
    rows: &[T],
    one: impl Fn(&T, &mut SqliteConnection) -> QueryResult<usize>,
) {
    for batch in rows.chunks(BATCH) {
        conn.transaction(|conn| batch.iter().try_for_each(|row| one(row, conn).map(drop))).unwrap();
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

fn main() {
    let sizes = Sizes::read();
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    let file = place("file.ndjson");
    let memberships = generate(&file, &sizes);
    let resources = (sizes.users + sizes.groups + memberships) as f64;
    println!("{} users, {} groups, {memberships} memberships", sizes.users, sizes.groups);
    let (mut imports, mut raws) = (Vec::new(), Vec::new());
    for round in 0..sizes.rounds {
        let (ours, raw) = (place(&format!("ours{round}.db")), place(&format!("raw{round}.db")));
        for database in [&ours, &raw] {
            stagedoor(database, &["company", "create", "acme"]);
        }
        let import = stagedoor(&ours, &["import", "acme", file.to_str().unwrap()]);
        let rows = Rows::of(&ours);
        assert_eq!(rows.members.len(), memberships);
        let inserts = rows.insert(&raw);
        let again = stagedoor(&ours, &["import", "acme", file.to_str().unwrap()]);
        println!(
            "round {round}: import {import:.2?}, again {again:.2?}, raw inserts {inserts:.2?}"
        );
        imports.push(import);
        raws.push(inserts);
        for database in [ours, raw] {
            std::fs::remove_file(database).unwrap();
        }
    }
    let (import, raw) = (median(imports), median(raws));
    let ratio = raw / import;
    println!("import {:.0}/s, raw inserts {:.0}/s", resources / import, resources / raw);
    println!("ratio {ratio:.2}, at least {FLOOR:.2}");
    if ratio < FLOOR && !sizes.quick {
        std::process::exit(1);
    }
}
