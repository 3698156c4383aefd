//! What PostgreSQL reads to answer: no table from end to end, and rows in proportion to the answer, for
//! every list and look-up that is promised an index. Its own counts of what it did are the judge.
//!
//! `db::lists::tests` asks SQLite for its plans.

use std::future::Future;

use diesel::connection::SimpleConnection;
use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use stagedoor::clock::Clock;
use stagedoor::db::DbConn;
use stagedoor::domain::company::Plan;
use stagedoor::domain::event::Actor;
use stagedoor::scim::ResourceType;
use stagedoor::scim::list::{ListQuery, Page, SortOrder};
use stagedoor::scim::patch;
use stagedoor::service::companies::{self, NewCompany};
use stagedoor::service::lists::{self, Reader};
use stagedoor::service::{Cx, Directory, Error, KeySource, Result, Service, groups, users};

use crate::postgres::TestDatabase;

/// Users of each of two companies; every tenth of a hundredth is inactive.
const USERS: u64 = 20_000;
/// Rows that an answer of at most a hundred resources may cost: a slot of 2,048 may be stepped over.
const ROWS: i64 = 2_600;

struct Directories {
    service: Service,
    acme: Directory,
    // Behind the service, which is to be closed first.
    _database: TestDatabase,
}

fn wait<T>(work: impl Future<Output = Result<T>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(work).unwrap()
}

fn company(service: &Service, slug: &'static str) -> Directory {
    wait(service.transact(move |cx| {
        let (plan, name) = (Plan::Enterprise, slug.to_owned());
        let new = NewCompany::new(slug.to_owned(), name, plan, true);
        let company = companies::create(cx, &Actor::Command, new)?.seq;
        Directory::load(cx.conn, company)
    }))
}

/// Users, groups of ten members each, and their index, as the product would have stored them.
fn fill(company: i64, slug: &str) -> String {
    format!(
        r#"
INSERT INTO users (company_seq, id, user_name_key, external_id, display_name_key, active, created_at,
                   last_modified, version, document, facts)
SELECT {company}, '{slug}-u' || n, 'user' || n, 'ext' || n, 'name ' || n, n % 1000 <> 0, n, n, 1,
       '{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user' || n || '","active":true}}',
       '{{"emails":[{{"value":"user' || n || '@x.example","type":"work"}}]}}'
FROM generate_series(1, {USERS}) n;
INSERT INTO groups (company_seq, id, display_name, display_name_key, external_id, member_count, created_at,
                    last_modified, version, document, facts)
SELECT {company}, '{slug}-g' || n, 'Group ' || n, 'group ' || n, 'ext' || n, 10, n, n, 1,
       '{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Group ' || n || '"}}', '{{}}'
FROM generate_series(1, {USERS} / 10) n;
INSERT INTO group_members (group_seq, member_type, member_seq)
SELECT g.seq, 0, u.seq FROM users u JOIN groups g ON g.company_seq = u.company_seq
 AND g.created_at = 1 + u.created_at % ({USERS} / 10) WHERE u.company_seq = {company};
INSERT INTO attribute_values (company_seq, resource_type, path, value_key, resource_seq, element)
SELECT {company}, 0, path, 'user' || u.created_at || '@x.example', u.seq, 0 FROM users u,
 unnest(ARRAY['emails.value', 'name.familyName', 'name.givenName', 'name.formatted', 'enterprise:department',
              'enterprise:employeeNumber', 'enterprise:manager.value']) path WHERE u.company_seq = {company};
INSERT INTO resource_counts (company_seq, resource_type, slot, lane, total)
SELECT {company}, 0, seq >> 11, 0, count(*) FROM users WHERE company_seq = {company} GROUP BY seq >> 11;
INSERT INTO resource_counts (company_seq, resource_type, slot, lane, total)
SELECT {company}, 1, seq >> 11, 0, count(*) FROM groups WHERE company_seq = {company} GROUP BY seq >> 11;
"#
    )
}

fn postgres(conn: &mut DbConn) -> &mut diesel::PgConnection {
    match conn {
        DbConn::Postgres(conn) => conn,
        DbConn::Sqlite(_) => unreachable!("the database is on PostgreSQL"),
    }
}

impl Directories {
    fn new() -> Self {
        let database = TestDatabase::empty();
        let key = KeySource::Text("5e".repeat(32));
        let service = Service::open(&database.url(), &key, Clock::system()).unwrap();
        let (globex, acme) = (company(&service, "globex"), company(&service, "acme"));
        let rows = [fill(globex.company.0, "globex"), fill(acme.company.0, "acme")].concat();
        wait(service.transact(move |cx| {
            postgres(cx.conn).batch_execute(&format!("{rows} ANALYZE;")).unwrap();
            Ok(())
        }));
        Self { service, acme, _database: database }
    }

    /// Does something on a connection and says what it cost: whole tables that were read, and rows.
    fn cost<T>(&self, work: impl FnOnce(&mut DbConn) -> Result<T>) -> (T, i64, i64) {
        #[derive(QueryableByName)]
        struct Reads {
            #[diesel(sql_type = BigInt)]
            scans: i64,
            #[diesel(sql_type = BigInt)]
            rows: i64,
        }
        let count = |conn: &mut DbConn| -> Reads {
            sql_query("SELECT pg_stat_force_next_flush()").execute(postgres(conn)).unwrap();
            sql_query(
                "SELECT CAST(sum(seq_scan) AS bigint) AS scans, \
                 CAST(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) AS bigint) AS rows \
                 FROM pg_stat_user_tables WHERE relname IN \
                 ('users', 'groups', 'group_members', 'attribute_values')",
            )
            .get_result(postgres(conn))
            .unwrap()
        };
        let read = |conn: &mut DbConn| -> Result<_> {
            let before = count(conn);
            let done = work(conn)?;
            let after = count(conn);
            Ok((done, after.scans - before.scans, after.rows - before.rows))
        };
        self.service.read_now(read).unwrap()
    }

    /// A page: how many there are on it and in all, and the way on; fails where it costs too much.
    fn page(
        &self,
        kind: ResourceType,
        what: &str,
        query: ListQuery,
    ) -> (usize, Option<u64>, Option<String>) {
        let asked = lists::understand(&self.acme, kind, query).unwrap();
        let reader = Reader::new(&self.acme, &self.service);
        let (page, scans, rows) = self.cost(|conn| {
            Ok(match kind {
                ResourceType::User => {
                    let page = lists::users(conn, reader, &asked, true)?;
                    (page.items.len(), page.head.total_results, page.head.next_cursor)
                }
                ResourceType::Group => {
                    let page = lists::groups(conn, reader, &asked)?;
                    (page.items.len(), page.head.total_results, page.head.next_cursor)
                }
            })
        });
        eprintln!("{}: {what}: {} found, {rows} rows, {scans} scans", kind.name(), page.0);
        assert!(scans == 0 && rows <= ROWS, "{what}: {scans} whole tables, {rows} rows");
        page
    }

    fn find(&self, kind: ResourceType, filter: &str) {
        let page = Page::Index { start_index: 1, count: 100 };
        let query = ListQuery { filter: Some(filter.to_owned()), ..all(page) };
        let (found, ..) = self.page(kind, filter, query);
        assert!((1..=100).contains(&found), "{filter} finds {found}");
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

#[test]
fn no_list_reads_a_whole_table() {
    let world = Directories::new();
    let user = ResourceType::User;
    for name in ["name.familyName", "name.givenName", "name.formatted", "emails.value"]
        .map(str::to_owned)
        .into_iter()
        .chain(["department", "employeeNumber", "manager.value"].map(|name| {
            format!("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:{name}")
        }))
    {
        world.find(user, &format!("{name} eq \"user777@x.example\""));
        world.find(user, &format!("{name} sw \"user777@\""));
    }
    for filter in [
        "id eq \"acme-u777\"",
        "userName eq \"user777\"",
        "userName sw \"user777\"",
        "externalId eq \"ext777\"",
        "displayName eq \"name 777\"",
        "displayName sw \"name 777\"",
        "emails[type eq \"work\" and value eq \"user777@x.example\"]",
        "userName eq \"user777\" and active eq true",
        "active eq false",
        "meta.created lt \"1970-01-01T00:00:00.000050Z\"",
        "meta.lastModified gt \"1970-01-01T00:00:00.019950Z\"",
        "groups.value eq \"acme-g77\"",
        "groups eq \"acme-g77\"",
    ] {
        world.find(user, filter);
    }
    for filter in [
        "id eq \"acme-g77\"",
        "displayName eq \"group 77\"",
        "displayName sw \"group 77\"",
        "externalId eq \"ext77\"",
        "members.value eq \"acme-u777\"",
        "members eq \"acme-u777\"",
        "meta.created lt \"1970-01-01T00:00:00.000050Z\"",
        "meta.lastModified gt \"1970-01-01T00:00:00.000150Z\"",
    ] {
        world.find(ResourceType::Group, filter);
    }
}

#[test]
fn no_page_costs_more_further_down() {
    let world = Directories::new();
    let user = ResourceType::User;
    for start_index in [1, USERS / 2, USERS - 99] {
        let (found, total, _) =
            world.page(user, "by index", all(Page::Index { start_index, count: 100 }));
        assert_eq!((found, total), (100, Some(USERS)));
    }
    let (mut cursor, mut seen) = (None, 0);
    loop {
        let page = world.page(user, "by cursor", all(Page::Cursor { cursor, count: 100 }));
        seen += page.0;
        cursor = page.2;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(u64::try_from(seen).unwrap(), USERS);
    for name in ["userName", "displayName", "meta.created", "meta.lastModified"] {
        let page = Page::Cursor { cursor: None, count: 100 };
        let sorted = ListQuery { sort_by: Some(name.to_owned()), ..all(page) };
        world.page(user, name, sorted);
    }
}

#[test]
fn no_change_reads_a_whole_table() {
    let world = Directories::new();
    let directory = world.acme.clone();
    let (_, scans, rows) = world.cost(|conn| {
        postgres(conn).batch_execute("SET default_transaction_read_only = off").unwrap();
        let clock = Clock::system();
        let mut cx = Cx { conn, now: clock.now(), clock: &clock };
        let object = |value: serde_json::Value| match value {
            serde_json::Value::Object(map) => map,
            _ => unreachable!("an object"),
        };
        let change = |value: serde_json::Value| {
            patch::parse(object(serde_json::json!({"Operations": [value]}))).map_err(Error::from)
        };
        let new = object(serde_json::json!({"userName": "new", "emails": [{"value": "new@x"}]}));
        users::create(&mut cx, &directory, users::read_new(&directory.users, new)?)?;
        let title = change(serde_json::json!({"op": "replace", "path": "title", "value": "x"}))?;
        users::patch(&mut cx, &directory, ("acme-u7", None), &title)?;
        for operation in [
            serde_json::json!({"op": "add", "path": "members", "value": [{"value": "acme-u7"}]}),
            serde_json::json!({"op": "remove", "path": "members[value eq \"acme-u8\"]"}),
            serde_json::json!({"op": "replace", "path": "displayName", "value": "Renamed"}),
        ] {
            groups::patch(&mut cx, &directory, ("acme-g9", None), change(operation)?)?;
        }
        users::delete(&mut cx, &directory, "acme-u9", None)?;
        groups::delete(&mut cx, &directory, "acme-g10", None)?;
        Ok(())
    });
    assert!(scans == 0 && rows <= ROWS, "{scans} whole tables, {rows} rows");
}
