//! A company with users and groups that have a past: made, changed, replaced, deleted.
//!
//! Beside it lies a second company with the same names, none of which may ever be seen.

use std::future::Future;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use stagedoor::clock::Clock;
use stagedoor::domain::company::Plan;
use stagedoor::domain::event::Actor;
use stagedoor::domain::group::Group;
use stagedoor::domain::id::CompanySeq;
use stagedoor::http::scim::answer::Writer;
use stagedoor::scim::list::{ListQuery, Page, SortOrder};
use stagedoor::scim::patch;
use stagedoor::scim::projection::Projection;
use stagedoor::scim::schema::STATUS_URN;
use stagedoor::scim::value::format_time;
use stagedoor::scim::{ResourceSchema, ResourceType};
use stagedoor::service::companies::{self, NewCompany};
use stagedoor::service::lists::{self, Listing, Reader};
use stagedoor::service::users::UserView;
use stagedoor::service::{Cx, Directory, Error, KeySource, Result, Service, groups, users};
use tempfile::TempDir;

use super::postgres::TestDatabase;
use super::values::{self, Dice};

const USERS: usize = 80;
const GROUPS: usize = 14;
/// Fixed, so that several resources are of one moment: 2026-02-03T04:05:06.000007Z.
const NOON: i64 = 1_770_091_506_000_007;

/// The database and what the company's resources look like to a client.
pub struct World {
    pub service: Service,
    pub directory: Directory,
    users: Vec<Map<String, Value>>,
    groups: Vec<Map<String, Value>>,
    // Behind the service, which is to be closed first.
    _home: Home,
}

/// Which database the world lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// What goes with the world.
enum Home {
    Files(TempDir),
    Postgres(TestDatabase),
}

impl Home {
    fn new(database: Database) -> Self {
        match database {
            Database::Sqlite => Self::Files(tempfile::tempdir().unwrap()),
            Database::Postgres => Self::Postgres(TestDatabase::empty()),
        }
    }

    fn open(&self) -> Service {
        let clock = Clock::fixed(Timestamp::from_microsecond(NOON).unwrap());
        let key = KeySource::Text("5e".repeat(32));
        let url = match self {
            Self::Files(files) => format!("sqlite://{}", files.path().join("world.db").display()),
            Self::Postgres(database) => database.url(),
        };
        Service::open(&url, &key, clock).unwrap()
    }

    /// Changes rows behind the service's back.
    fn sql(&self, statements: &str) {
        match self {
            Self::Files(files) => {
                let path = files.path().join("world.db");
                let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                conn.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
                conn.batch_execute(statements).unwrap();
            }
            Self::Postgres(database) => {
                let mut conn = PgConnection::establish(&database.url()).unwrap();
                conn.batch_execute(statements).unwrap();
            }
        }
    }
}

/// What a list answered: ids, the number of all, and the way on.
pub struct Answered {
    pub ids: Vec<String>,
    pub total: Option<u64>,
    pub next: Option<String>,
}

fn wait<T>(work: impl Future<Output = Result<T>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(work).unwrap()
}

fn custom(urn: &str) -> Value {
    json!({"id": urn, "attributes": [
        {"name": "exact", "type": "string", "caseExact": true},
        {"name": "folded", "type": "string"},
        {"name": "flag", "type": "boolean"},
        {"name": "level", "type": "integer"},
        {"name": "factor", "type": "decimal"},
        {"name": "since", "type": "dateTime"},
        {"name": "link", "type": "reference", "caseExact": true},
        {"name": "tags", "type": "string", "multiValued": true},
        {"name": "codes", "type": "string", "caseExact": true, "multiValued": true},
        {"name": "marks", "type": "integer", "multiValued": true},
        {"name": "seats", "type": "complex", "multiValued": true, "subAttributes": [
            {"name": "room", "type": "string"},
            {"name": "floor", "type": "integer"},
            {"name": "booked", "type": "dateTime"},
            {"name": "window", "type": "boolean"},
            {"name": "labels", "type": "string", "multiValued": true},
        ]},
        {"name": "depot", "type": "complex", "subAttributes": [
            {"name": "city", "type": "string"},
            {"name": "share", "type": "decimal"},
            {"name": "aliases", "type": "string", "multiValued": true},
        ]},
    ]})
}

/// A refusal by the protocol is a part of the past; anything else is a fault of the test.
fn attempt<T>(cx: &mut Cx<'_>, part: impl FnOnce(&mut Cx<'_>) -> Result<T>) -> Option<T> {
    match cx.nested(part) {
        Ok(done) => Some(done),
        Err(Error::Scim(_)) => None,
        Err(other) => panic!("{other}"),
    }
}

fn found(cx: &mut Cx<'_>, slug: &str) -> Result<Directory> {
    let new = NewCompany::new(slug.to_owned(), slug.to_owned(), Plan::Enterprise, true);
    let company = companies::create(cx, &Actor::Command, new)?.seq;
    for kind in [ResourceType::User, ResourceType::Group] {
        let urn = format!("urn:acme:params:scim:schemas:extension:hr:2.0:{}", kind.name());
        companies::add_schema(cx, company, kind, custom(&urn))?;
    }
    Directory::load(cx.conn, company)
}

/// Lets a moment pass, or none.
fn pass(cx: &mut Cx<'_>, dice: &mut Dice) {
    if dice.chance(40) {
        let micros = cx.now.as_microsecond() + [1, 1_000_000, 3_600_000_000][dice.below(3)];
        cx.now = Timestamp::from_microsecond(micros).unwrap();
    }
}

fn people(cx: &mut Cx<'_>, directory: &Directory, dice: &mut Dice) -> Result<Vec<String>> {
    let schema = &directory.users;
    let mut ids = Vec::new();
    for n in 0..USERS {
        pass(cx, dice);
        let new = users::read_new(schema, values::body(dice, schema, n))?;
        ids.push(users::create(cx, directory, new)?.item.user.id);
    }
    let mut changed = 0;
    for (n, id) in ids.clone().into_iter().enumerate() {
        pass(cx, dice);
        for change in values::changes(dice, schema) {
            let Value::Object(change) = change else { unreachable!() };
            let operations = patch::parse(change)?;
            let done = attempt(cx, |cx| users::patch(cx, directory, (&id, None), &operations));
            changed += usize::from(done.is_some());
        }
        if dice.chance(25) {
            let body = users::read_body(schema, values::body(dice, schema, n))?;
            attempt(cx, |cx| users::replace(cx, directory, (&id, None), body));
        }
        if dice.chance(10) {
            users::delete(cx, directory, &id, None)?;
            ids.retain(|other| *other != id);
        }
    }
    assert!(changed > USERS, "few changes were taken: {changed}");
    Ok(ids)
}

fn teams(
    cx: &mut Cx<'_>,
    directory: &Directory,
    people: &[String],
    dice: &mut Dice,
) -> Result<Vec<String>> {
    let schema = &directory.groups;
    let mut ids: Vec<String> = Vec::new();
    for n in 0..GROUPS {
        pass(cx, dice);
        let mut body = values::body(dice, schema, n);
        let members: Vec<Value> =
            (0..dice.below(7)).map(|_| json!({"value": dice.pick(people)})).collect();
        body.insert("members".to_owned(), Value::Array(members));
        let body = groups::read_body(schema, body)?;
        ids.push(groups::create(cx, directory, body)?.item.id);
    }
    let nest = |cx: &mut Cx<'_>, outer: &str, inner: &str| {
        let operation = json!({"op": "add", "path": "members", "value": [{"value": inner}]});
        let Value::Object(change) = json!({"Operations": [operation]}) else { unreachable!() };
        let operations = patch::parse(change)?;
        groups::patch(cx, directory, (outer, None), operations).map(drop)
    };
    // A cycle of three, then a chain that leads into it and one that does not.
    for (outer, inner) in [(0, 1), (1, 2), (2, 0), (3, 0), (5, 4), (6, 5), (7, 5), (4, 8), (9, 10)]
    {
        nest(cx, &ids[outer], &ids[inner])?;
    }
    for id in ids.clone() {
        pass(cx, dice);
        for change in values::changes(dice, schema) {
            let Value::Object(change) = change else { unreachable!() };
            let operations = patch::parse(change)?;
            attempt(cx, |cx| groups::patch(cx, directory, (&id, None), operations));
        }
    }
    for gone in [7, 11] {
        groups::delete(cx, directory, &ids[gone], None)?;
    }
    Ok(ids)
}

fn company(cx: &mut Cx<'_>, slug: &str) -> Result<Directory> {
    let directory = found(cx, slug)?;
    let mut dice = Dice(2026);
    let ids = people(cx, &directory, &mut dice)?;
    teams(cx, &directory, &ids, &mut dice)?;
    Ok(directory)
}

/// What the server itself writes, of users only: some have signed in, some an admin switched off.
fn sign_in(home: &Home) {
    home.sql(&format!(
        "UPDATE users SET activated_at = {NOON} + seq % 4 WHERE seq % 3 = 0;
         UPDATE users SET admin_deactivated = TRUE WHERE seq % 7 = 0;"
    ));
}

impl World {
    /// Makes both companies on a new database.
    pub fn new(database: Database) -> Self {
        let home = Home::new(database);
        let service = home.open();
        wait(service.transact(|cx| company(cx, "globex")));
        let directory = wait(service.transact(|cx| company(cx, "acme")));
        sign_in(&home);
        let (users, groups) = (Vec::new(), Vec::new());
        let mut world = Self { service, directory, users, groups, _home: home };
        assert_ne!(world.directory.company, CompanySeq(1));
        world.users = world.render_users();
        world.groups = world.render_groups();
        assert!(world.users.len() > USERS / 2 && world.groups.len() > GROUPS / 2);
        world
    }

    /// All resources of a type as a client sees them, in the order of their making.
    pub fn resources(&self, kind: ResourceType) -> &[Map<String, Value>] {
        match kind {
            ResourceType::User => &self.users,
            ResourceType::Group => &self.groups,
        }
    }

    /// What the names of a type mean.
    pub fn schema(&self, kind: ResourceType) -> &ResourceSchema {
        self.directory.schema(kind)
    }

    /// Asks for a list by SQL; `None` where the query is refused.
    pub fn list(&self, kind: ResourceType, query: ListQuery) -> Option<Answered> {
        let asked = match lists::understand(&self.directory, kind, query) {
            Ok(asked) => asked,
            Err(Error::Scim(_)) => return None,
            Err(other) => panic!("{other}"),
        };
        let reader = Reader::new(&self.directory, &self.service);
        Some(match kind {
            ResourceType::User => {
                let read = |conn: &mut _| lists::users(conn, reader, &asked, false);
                answered(self.service.read_now(read).unwrap(), |view| view.user.id)
            }
            ResourceType::Group => {
                let read = |conn: &mut _| lists::groups(conn, reader, &asked);
                answered(self.service.read_now(read).unwrap(), |group| group.id)
            }
        })
    }

    fn render_users(&self) -> Vec<Map<String, Value>> {
        let reader = Reader::new(&self.directory, &self.service);
        let asked = lists::understand(&self.directory, ResourceType::User, query(None)).unwrap();
        let read = |conn: &mut _| lists::users(conn, reader, &asked, true);
        let listing: Listing<UserView> = self.service.read_now(read).unwrap();
        let (schema, projection) = (&self.directory.users, Projection::default());
        let writer = Writer { base_url: "https://x/scim/v2", schema, projection: &projection };
        let render = |view: &UserView| {
            let mut map: Map<String, Value> =
                serde_json::from_str(&writer.user(view, &view.version())).unwrap();
            let mut status = json!({"status": view.user.status().name()});
            if let Some(at) = view.user.activated_at {
                status["activatedAt"] = Value::from(format_time(at));
            }
            map.insert(STATUS_URN.to_owned(), status);
            map
        };
        listing.items.iter().map(render).collect()
    }

    fn render_groups(&self) -> Vec<Map<String, Value>> {
        let reader = Reader::new(&self.directory, &self.service);
        let asked = lists::understand(&self.directory, ResourceType::Group, query(None)).unwrap();
        let read = |conn: &mut _| {
            let listing = lists::groups(conn, reader, &asked)?;
            let members = groups::members_of(conn, &self.directory, &listing.items)?;
            Ok((listing.items, members))
        };
        let (items, members) = self.service.read_now(read).unwrap();
        let (schema, projection) = (&self.directory.groups, Projection::default());
        let writer = Writer { base_url: "https://x/scim/v2", schema, projection: &projection };
        let render = |group: &Group| {
            let members = members.get(&group.seq).map_or(&[][..], Vec::as_slice);
            serde_json::from_str(&writer.group(group, members)).unwrap()
        };
        items.iter().map(render).collect()
    }
}

fn answered<T>(listing: Listing<T>, id: impl Fn(T) -> String) -> Answered {
    Answered {
        ids: listing.items.into_iter().map(id).collect(),
        total: listing.head.total_results,
        next: listing.head.next_cursor,
    }
}

/// The query for everything that satisfies a filter, on one page.
pub fn query(filter: Option<&str>) -> ListQuery {
    ListQuery {
        filter: filter.map(str::to_owned),
        sort_by: None,
        sort_order: SortOrder::Ascending,
        page: Page::Index { start_index: 1, count: 500 },
        attributes: None,
        excluded_attributes: None,
    }
}
