//! What the databases read to answer: no table from end to end, and rows in proportion to the answer,
//! for every list and look-up that is promised an index.
//!
//! What is promised is not written down here: the cases are made of `scim::leaves::promised`.

mod directories;
mod organizations;

use serde_json::{Map, Value, json};
use stagedoor::clock::Clock;
use stagedoor::db;
use stagedoor::db::users::By;
use stagedoor::domain::group::Group;
use stagedoor::scim::leaves::{path_key, promised};
use stagedoor::scim::list::{ListQuery, Page, SortOrder};
use stagedoor::scim::schema::{AttributePath, Found, Kind};
use stagedoor::scim::{ResourceType, patch};
use stagedoor::service::companies::{self, Slice};
use stagedoor::service::groups::MemberPlace;
use stagedoor::service::lists::{self, Reader};
use stagedoor::service::{Cx, Directory, Error, Result, groups, users};

use directories::{Cost, Database, Directories, USERS, let_write, wait};

/// Rows that an answer of at most a few hundred resources may cost: a slot of 2,048 may be stepped over.
const ROWS: i64 = 2_600;

/// What an index is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Few rows, whose order may be made.
    Find,
    /// The next rows in its own order.
    Order,
}

fn judge(what: &str, wanted: Use, cost: &Cost) {
    judge_steps(what, cost, |sql, step| {
        // Few are inactive.
        let most = step.contains("active=?") && !what.contains("active eq false");
        is_narrow(wanted, step) && !(most && wanted == Use::Find) || asks_for_one(sql, step)
    });
}

/// Fails where whole tables or many rows are read, or a step of a statement is not narrow.
fn judge_steps(what: &str, cost: &Cost, is_narrow: impl Fn(&str, &str) -> bool) {
    match cost {
        Cost::Read { scans, rows, whole } => {
            assert!(
                *scans == 0 && *rows <= ROWS,
                "{what}: {scans} whole tables, {rows} rows: {whole}"
            );
        }
        Cost::Steps(statements) => {
            for (sql, steps) in statements {
                for step in steps {
                    assert!(is_narrow(sql, step), "{what}: {step}\n{sql}\n{steps:#?}");
                }
            }
        }
    }
}

/// Whether a step looks for the first row of an `EXISTS` by an index, and for no other.
fn asks_for_one(sql: &str, step: &str) -> bool {
    let mut words = step.split_whitespace();
    let (Some("SEARCH"), Some(alias)) = (words.next(), words.next()) else { return false };
    let within = sql.split("EXISTS (SELECT 1 FROM ").skip(1);
    within.map(|rest| rest.split_whitespace().nth(1)).any(|name| name == Some(alias))
        && !step.contains("AUTOMATIC")
}

/// Whether a step of SQLite's reads what is wanted and little else.
fn is_narrow(wanted: Use, step: &str) -> bool {
    // The elements of a resource's own list, and what a part of the statement has made itself.
    let made = ["VIRTUAL TABLE", "SCAN below", "SCAN held", "SCAN q", "CONSTANT ROW", "VALUES"];
    if step.starts_with("SCAN") {
        return made.iter().any(|name| step.contains(name));
    }
    // A company, or an attribute, is not few: only its order may be what is wanted.
    let whole = ["(company_seq=?)", "(company_seq=? AND resource_type=? AND path=?)"];
    match wanted {
        Use::Find => !step.contains("AUTOMATIC") && !whole.iter().any(|w| step.contains(w)),
        Use::Order => !step.contains("AUTOMATIC") && !step.contains("TEMP B-TREE"),
    }
}

/// One page: how many there are on it and in all, and the way on.
type Answered = (u64, Option<u64>, Option<String>);

impl Directories {
    /// A page; fails where it costs too much.
    fn page(&self, kind: ResourceType, wanted: Use, what: &str, query: ListQuery) -> Answered {
        let asked = lists::understand(&self.acme, kind, query).unwrap();
        let reader = Reader::new(&self.acme, &self.service);
        let (page, cost) = self.cost(|conn| {
            Ok(match kind {
                ResourceType::User => {
                    let page = lists::users(conn, reader, &asked, wanted == Use::Find)?;
                    (page.items.len(), page.head.total_results, page.head.next_cursor)
                }
                ResourceType::Group => {
                    let page = lists::groups(conn, reader, &asked)?;
                    (page.items.len(), page.head.total_results, page.head.next_cursor)
                }
            })
        });
        judge(&format!("{}: {what}", kind.name()), wanted, &cost);
        (u64::try_from(page.0).unwrap(), page.1, page.2)
    }

    fn find(&self, kind: ResourceType, filter: &str) {
        let page = Page::Index { start_index: 1, count: 100 };
        let query = ListQuery { filter: Some(filter.to_owned()), ..all(page) };
        let (found, ..) = self.page(kind, Use::Find, filter, query);
        assert!((1..=100).contains(&found), "{filter} finds {found}");
    }

    /// Every resource by pages in this order, some by index and all by cursor.
    fn walk(&self, kind: ResourceType, sort_by: &str, sort_order: SortOrder) {
        let sorted =
            |page| ListQuery { sort_by: Some(sort_by.to_owned()), sort_order, ..all(page) };
        let what = format!("{sort_by} {sort_order:?}");
        for start_index in [1, 101] {
            let page = sorted(Page::Index { start_index, count: 100 });
            let (found, ..) = self.page(kind, Use::Order, &format!("{what} by index"), page);
            assert_eq!(found, 100);
        }
        let (mut cursor, mut seen) = (None, 0);
        loop {
            let page = sorted(Page::Cursor { cursor, count: 400 });
            let page = self.page(kind, Use::Order, &format!("{what} by cursor, {seen}"), page);
            seen += page.0;
            cursor = page.2;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, many(kind), "{what}");
    }
}

fn many(kind: ResourceType) -> u64 {
    match kind {
        ResourceType::User => USERS,
        ResourceType::Group => USERS / 10,
    }
}

fn all(page: Page) -> ListQuery {
    ListQuery {
        filter: None,
        sort_by: None,
        sort_order: SortOrder::Ascending,
        page,
        attributes: None,
        excluded_attributes: None,
    }
}

/// Every attribute that is promised an index, as a filter names it, and its kind.
fn attributes(world: &Directories, kind: ResourceType) -> Vec<(AttributePath, Kind)> {
    let schema = world.acme.schema(kind);
    let attributes = promised(schema).into_iter().map(|path| {
        let Some(Found::Attribute { attribute, sub, .. }) = schema.find(&path.to_string()) else {
            panic!("{path} is no attribute")
        };
        (path, sub.unwrap_or(attribute).kind)
    });
    attributes.collect()
}

/// A moment so many microseconds after the first one; resource number `n` was made at `n`.
fn moment(micros: u64) -> String {
    format!("1970-01-01T00:00:00.{micros:06}Z")
}

/// Filters on one attribute, each of which a few resources satisfy.
fn filters(kind: ResourceType, (path, attribute): &(AttributePath, Kind)) -> Vec<String> {
    let text = match attribute {
        Kind::Boolean => return vec![format!("{path} eq false")],
        Kind::DateTime => {
            let (first, last) = (moment(50), moment(many(kind) - 50));
            let operators = ["eq", "lt", "le"].map(|op| format!("{path} {op} \"{first}\""));
            let others = ["gt", "ge"].map(|op| format!("{path} {op} \"{last}\""));
            return [&operators[..], &others[..]].concat();
        }
        _ => match (path_key(path).as_str(), kind) {
            ("id", ResourceType::User) | ("members.value", _) => "acme-u777",
            ("id", ResourceType::Group) | ("groups.value", _) => "acme-g77",
            ("userName", _) => "user777",
            ("externalId", _) => "ext777",
            ("displayName", ResourceType::User) => "name 777",
            ("displayName", ResourceType::Group) => "group 77",
            _ => "user777@x.example",
        },
    };
    ["eq", "sw"].map(|op| format!("{path} {op} \"{text}\"")).to_vec()
}

fn filters_are_narrow(database: Database) {
    let world = Directories::new(database);
    for kind in [ResourceType::User, ResourceType::Group] {
        let (name, most) = match kind {
            ResourceType::User => ("userName eq \"user7\"", "active eq true"),
            ResourceType::Group => ("displayName eq \"group 7\"", "not (displayName eq \"x\")"),
        };
        let attributes = attributes(&world, kind);
        assert!(attributes.len() > 5, "{} promises too little", kind.name());
        for filter in attributes.iter().flat_map(|attribute| filters(kind, attribute)) {
            world.find(kind, &filter);
            // What most resources satisfy leads nobody astray.
            if filter != "active eq false" {
                world.find(kind, &format!("{most} and {filter}"));
            }
            // Each part is looked up by its own index.
            world.find(kind, &format!("{filter} or {name}"));
            world.find(kind, &format!("{most} and ({name} or {filter})"));
        }
    }
    for filter in [
        "emails[type eq \"work\" and value eq \"user777@x.example\"]",
        "emails[type eq \"work\" and value eq \"user777@x.example\"] or userName eq \"user7\"",
        "groups eq \"acme-g77\"",
        "groups[value eq \"acme-g77\"] or userName eq \"user7\"",
        "meta.created ge \"1970-01-01T00:00:00.000050Z\" and meta.created lt \"1970-01-01T00:00:00.000060Z\"",
    ] {
        world.find(ResourceType::User, filter);
    }
    world.find(ResourceType::Group, "members eq \"acme-u777\"");
    // The statement grows with the filter, not with each bracket twofold.
    let mut nested = "userName eq \"user7\"".to_owned();
    for n in 0..9 {
        nested = format!("(({nested}) and active eq true) or userName eq \"user{n}\"");
    }
    world.find(ResourceType::User, &nested);
}

#[test]
fn every_promised_filter_is_narrow() {
    filters_are_narrow(Database::Sqlite);
}

#[test]
fn every_promised_filter_is_narrow_on_postgres() {
    filters_are_narrow(Database::Postgres);
}

fn orders_are_read(database: Database) {
    let world = Directories::new(database);
    for kind in [ResourceType::User, ResourceType::Group] {
        let mut walked = 0;
        for (path, _) in attributes(&world, kind) {
            // A list of members or of groups has no order.
            if matches!(path.name.as_str(), "members" | "groups") {
                continue;
            }
            for order in [SortOrder::Ascending, SortOrder::Descending] {
                world.walk(kind, &path.to_string(), order);
                walked += 1;
            }
        }
        assert!(walked >= 10, "{} promises too little", kind.name());
    }
}

#[test]
fn every_promised_order_is_read_from_its_index() {
    orders_are_read(Database::Sqlite);
}

#[test]
fn every_promised_order_is_read_from_its_index_on_postgres() {
    orders_are_read(Database::Postgres);
}

fn pages_are_flat(database: Database) {
    let world = Directories::new(database);
    for kind in [ResourceType::User, ResourceType::Group] {
        for start_index in [1, many(kind) / 2, many(kind) - 99] {
            let page = all(Page::Index { start_index, count: 100 });
            let (found, total, _) = world.page(kind, Use::Order, "by index", page);
            assert_eq!((found, total), (100, Some(many(kind))));
        }
        let (mut cursor, mut seen) = (None, 0);
        loop {
            let page = all(Page::Cursor { cursor, count: 100 });
            let page = world.page(kind, Use::Order, "by cursor", page);
            seen += page.0;
            cursor = page.2;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, many(kind));
    }
}

#[test]
fn no_page_costs_more_further_down() {
    pages_are_flat(Database::Sqlite);
}

#[test]
fn no_page_costs_more_further_down_on_postgres() {
    pages_are_flat(Database::Postgres);
}

fn look_ups_are_narrow(database: Database) {
    let world = Directories::new(database);
    let directory = &world.acme;
    let (found, cost) = world.cost(|conn| {
        let by = [By::Id("acme-u777"), By::UserName("user777"), By::ExternalId("ext777")];
        let mut found = Vec::new();
        for by in by {
            found.extend(users::find_by(conn, directory, by)?.map(|view| view.user.id));
        }
        let group = groups::find(conn, directory, "acme-g77")?;
        let members = groups::members_of(conn, directory, std::slice::from_ref(&group))?;
        let (page, _) = groups::member_page(conn, directory, group.seq, MemberPlace::default())?;
        found.extend(members[&group.seq].iter().chain(&page).map(|member| member.id.clone()));
        Ok(found)
    });
    judge("look-ups", Use::Find, &cost);
    assert_eq!(found.len(), 3 + 10 + 10);
}

#[test]
fn no_look_up_reads_a_whole_table() {
    look_ups_are_narrow(Database::Sqlite);
}

#[test]
fn no_look_up_reads_a_whole_table_on_postgres() {
    look_ups_are_narrow(Database::Postgres);
}

/// An introspection asks one statement, whose every step is a look-up by a key.
#[test]
fn an_introspection_is_one_look_up() {
    let world = Directories::new(Database::Sqlite);
    let (found, cost) =
        world.cost(|conn| Ok(stagedoor::db::presence::whether(conn, "0123456789ab")?));
    judge("an introspection", Use::Find, &cost);
    let Cost::Steps(statements) = &cost else { unreachable!("SQLite tells its steps") };
    assert_eq!((statements.len(), found), (1, None));
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => unreachable!("an object"),
    }
}

fn changes_are_narrow(database: Database) {
    let world = Directories::new(database);
    let directory = &world.acme;
    let (_, cost) = world.cost(|conn| {
        let_write(conn);
        let clock = Clock::system();
        let mut cx = Cx { conn, now: clock.now(), clock: &clock };
        let change = |value: Value| -> Result<_> {
            patch::parse(object(json!({"Operations": [value]}))).map_err(Error::from)
        };
        let new = object(json!({"userName": "new", "emails": [{"value": "new@x"}]}));
        users::create(&mut cx, directory, users::read_new(&directory.users, new)?)?;
        let title = change(json!({"op": "replace", "path": "title", "value": "x"}))?;
        users::patch(&mut cx, directory, ("acme-u7", None), &title)?;
        for operation in [
            json!({"op": "add", "path": "members", "value": [{"value": "acme-u7"}]}),
            json!({"op": "remove", "path": "members[value eq \"acme-u8\"]"}),
            json!({"op": "replace", "path": "displayName", "value": "Renamed"}),
        ] {
            groups::patch(&mut cx, directory, ("acme-g9", None), change(operation)?)?;
        }
        let members = json!([{"value": "acme-u1"}, {"value": "acme-u2"}, {"value": "acme-g3"}]);
        let body = object(json!({"displayName": "Group 8", "members": members}));
        let body = groups::read_body(&directory.groups, body)?;
        groups::replace(&mut cx, directory, ("acme-g8", None), body)?;
        users::delete(&mut cx, directory, "acme-u9", None)?;
        groups::delete(&mut cx, directory, "acme-g10", None)?;
        Ok(())
    });
    judge("changes", Use::Find, &cost);
}

#[test]
fn no_change_reads_a_whole_table() {
    changes_are_narrow(Database::Sqlite);
}

#[test]
fn no_change_reads_a_whole_table_on_postgres() {
    changes_are_narrow(Database::Postgres);
}

/// What removes what is over begins at it, and goes no further than a slice.
#[test]
fn no_sweep_reads_a_whole_table() {
    let world = Directories::new(Database::Sqlite);
    let (_, cost) = world.cost(|conn| {
        let_write(conn);
        let now = Clock::system().now();
        db::sessions::end_expired(conn, now)?;
        db::sessions::sweep(conn, now)?;
        db::applications::sweep(conn, now)?;
        db::grants::sweep(conn, now)?;
        db::login_attempts::sweep_open(conn, now)?;
        db::login_attempts::sweep_old(conn, now)?;
        db::saml::sweep(conn, now)?;
        db::saml::forget(conn, world.acme.company, 7)?;
        db::idempotency::sweep(conn, db::micros(now))?;
        Ok(())
    });
    judge("sweeps", Use::Order, &cost);
    // All rows of a connection are not few.
    judge_steps("sweeps", &cost, |_, step| !step.contains("(connection_seq=?)"));
}

/// Replaces the members of a group by these, and says how many statements it took.
fn put(world: &Directories, group: &str, members: &[String]) -> (usize, Group) {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    let body = object(json!({"displayName": "Group 8", "members": members}));
    let body = groups::read_body(&world.acme.groups, body).unwrap();
    world.statements(|conn| {
        let clock = Clock::system();
        let mut cx = Cx { conn, now: clock.now(), clock: &clock };
        Ok(groups::replace(&mut cx, &world.acme, (group, None), body)?.item)
    })
}

fn lists_are_sets(database: Database) {
    let world = Directories::new(database);
    let users = |range: std::ops::Range<u64>| range.map(|n| format!("acme-u{n}"));
    let few: Vec<String> = users(1..4).chain(["acme-g3".to_owned()]).collect();
    let many: Vec<String> = users(2..4_002).chain(["acme-g4".to_owned()]).collect();
    let (first, group) = put(&world, "acme-g8", &few);
    assert_eq!((group.member_count, group.version), (4, 2));
    let (second, group) = put(&world, "acme-g8", &many);
    assert_eq!((group.member_count, group.version), (4_001, 3));
    assert_eq!(first, second, "statements for 4 and for 4,001 members");
    // In another order, and one of them twice: nothing changes.
    let again: Vec<String> = many.iter().rev().chain(&many[..1]).cloned().collect();
    let (_, group) = put(&world, "acme-g8", &again);
    assert_eq!((group.member_count, group.version), (4_001, 3));
    let other: Vec<String> = users(2_002..6_002).collect();
    let (_, group) = put(&world, "acme-g8", &other);
    assert_eq!((group.member_count, group.version), (4_000, 4));
    let (page, _) = world
        .service
        .read_now(|conn| groups::member_page(conn, &world.acme, group.seq, MemberPlace::default()))
        .unwrap();
    let mut there: Vec<String> = page.into_iter().map(|member| member.id).collect();
    let mut wanted = other;
    there.sort();
    wanted.sort();
    assert_eq!(there, wanted);
}

#[test]
fn a_list_of_members_is_replaced_as_a_set() {
    lists_are_sets(Database::Sqlite);
}

#[test]
fn a_list_of_members_is_replaced_as_a_set_on_postgres() {
    lists_are_sets(Database::Postgres);
}

/// A schema is added to a company whose users hold its values already, while others write.
fn schemas_are_indexed_in_slices(database: Database) {
    const URN: &str = "urn:acme:params:scim:schemas:extension:desk:2.0:User";
    let world = Directories::new(database);
    let change =
        |id: &'static str, path: &'static str, value: Value| {
            let operation = json!({"op": "add", "path": path, "value": value});
            let operations = patch::parse(object(json!({"Operations": [operation]}))).unwrap();
            let directory = world.acme.clone();
            wait(world.service.transact(move |cx| {
                users::patch(cx, &directory, (id, None), &operations).map(drop)
            }));
        };
    for id in ["acme-u1", "acme-u5000", "acme-u10000"] {
        change(id, URN, json!({"room": "7"}));
    }
    let company = world.acme.company;
    let schema = json!({"id": URN, "attributes": [{"name": "room", "type": "string"}]});
    wait(world.service.transact(move |cx| {
        companies::add_schema(cx, company, ResourceType::User, schema).map(drop)
    }));
    let (mut slice, mut slices) = (Some(Slice::default()), 0_u64);
    while let Some(from) = slice {
        let before = world.acme.clone();
        slice = wait(world.service.transact(move |cx| companies::reindex(cx, &before, from)));
        change("acme-u2", "title", json!(format!("{slices}")));
        slices += 1;
    }
    assert!(slices > USERS / 500, "{slices} units of work");
    let filter = Some(format!("{URN}:room eq \"7\""));
    let query = ListQuery { filter, ..all(Page::Index { start_index: 1, count: 100 }) };
    let found = world.service.read_now(|conn| {
        let after = Directory::load(conn, company)?;
        let asked = lists::understand(&after, ResourceType::User, query)?;
        Ok(lists::users(conn, Reader::new(&after, &world.service), &asked, false)?.items.len())
    });
    assert_eq!(found.unwrap(), 3);
}

#[test]
fn a_schema_is_indexed_in_slices() {
    schemas_are_indexed_in_slices(Database::Sqlite);
}

#[test]
fn a_schema_is_indexed_in_slices_on_postgres() {
    schemas_are_indexed_in_slices(Database::Postgres);
}
