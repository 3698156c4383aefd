//! Sorted lists and their pages, by SQL and in memory (RFC 7644 §3.4.2.3, §3.4.2.4; RFC 9865).

use std::cmp::Ordering;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;
use serde_json::{Map, Value};
use stagedoor::scim::list::{ListQuery, Page, SortOrder};
use stagedoor::scim::schema::{Attribute, Found, Kind};
use stagedoor::scim::{ResourceSchema, ResourceType, value};

use super::words::{Vocabulary, filters};
use super::world::{Database, World, query};
use super::{chosen, ids, runner, vocabulary};

/// One question about an order.
#[derive(Debug, Clone)]
struct Asked {
    filter: Option<String>,
    sort_by: Option<String>,
    descending: bool,
    page: u64,
}

/// Every name that a `sortBy` could be, also those that it must not be.
fn names(vocabulary: &Vocabulary) -> Vec<String> {
    let mut names = Vec::new();
    for word in &vocabulary.0 {
        names.push(word.text.clone());
        names.extend(word.parts.iter().map(|part| format!("{}.{}", word.text, part.text)));
    }
    names
}

fn asked(world: &World, kind: ResourceType) -> impl Strategy<Value = Asked> + use<> {
    let vocabulary = vocabulary(world, kind);
    let names = names(&vocabulary);
    let filter = prop::option::weighted(0.5, filters(vocabulary));
    let sort_by = prop::option::weighted(0.95, any::<Index>());
    (filter, sort_by, any::<bool>(), 1..=30_u64).prop_map(
        move |(filter, name, descending, page)| {
            let sort_by = name.map(|name| name.get(&names).clone());
            Asked { filter, sort_by, descending, page }
        },
    )
}

/// The attribute to sort by, its sub-attribute chosen; `None` where it has no order.
fn attribute<'s>(
    schema: &'s ResourceSchema,
    name: &str,
) -> Option<(Option<&'s str>, &'s Attribute, Option<&'s Attribute>)> {
    let Found::Attribute { extension, attribute, sub } = schema.find(name)? else { return None };
    let sub = sub.or_else(|| attribute.sub("value"));
    let simple = sub.unwrap_or(attribute);
    let made = match attribute.name.as_str() {
        "members" | "groups" | "schemas" => true,
        "meta" => simple.kind != Kind::DateTime,
        _ => false,
    };
    let many = sub.is_some_and(|s| s.multi_valued);
    (!made && !many && simple.kind != Kind::Complex).then_some((extension, attribute, sub))
}

/// The key that a resource is sorted under: that of its primary, first or only value.
fn key(schema: &ResourceSchema, name: &str, resource: &Map<String, Value>) -> Option<String> {
    let (extension, attribute, sub) = attribute(schema, name)?;
    let mut value = match extension {
        None => resource.get(&attribute.name)?,
        Some(urn) => resource.get(urn)?.get(&attribute.name)?,
    };
    if let Value::Array(items) = value {
        let primary = items.iter().find(|i| i.get("primary") == Some(&Value::Bool(true)));
        value = primary.or(items.first())?;
    }
    match sub {
        None => value::key(attribute, value),
        Some(sub) => value::key(sub, value.get(&sub.name)?),
    }
}

/// What has no value is last going up, and first going down (§3.4.2.3).
fn compare(a: Option<&String>, b: Option<&String>) -> Ordering {
    a.is_none().cmp(&b.is_none()).then_with(|| a.cmp(&b))
}

fn agree(world: &World, kind: ResourceType, asked: &Asked) -> TestCaseResult {
    let schema = world.schema(kind);
    let order = if asked.descending { SortOrder::Descending } else { SortOrder::Ascending };
    let sort_by = asked.sort_by.clone();
    let query = ListQuery { sort_by, sort_order: order, ..query(asked.filter.as_deref()) };
    let mut want: Vec<&Map<String, Value>> = match &asked.filter {
        None => world.resources(kind).iter().collect(),
        Some(text) => match chosen(world, kind, text) {
            Some(chosen) => chosen,
            None => return Ok(()),
        },
    };
    if let Some(name) = &asked.sort_by {
        let sortable = attribute(schema, name).is_some();
        prop_assert_eq!(world.list(kind, query.clone()).is_some(), sortable, "{}", name);
        if !sortable {
            return Ok(());
        }
        // The sort is stable, so that equals stay in the order of their making; going down is the whole
        // order from its end.
        want.sort_by(|a, b| {
            let (a, b) = (key(schema, name, a), key(schema, name, b));
            compare(a.as_ref(), b.as_ref())
        });
        if asked.descending {
            want.reverse();
        }
    }
    let want = ids(want);
    let total = u64::try_from(want.len()).ok();
    let whole = world.list(kind, query.clone()).unwrap();
    prop_assert_eq!(whole.total, total);
    prop_assert_eq!(&whole.ids, &want, "whole");
    prop_assert_eq!(&by_index(world, kind, &query, (asked.page, total)), &want, "index pages");
    prop_assert_eq!(&by_cursor(world, kind, &query, (asked.page, total)), &want, "cursor pages");
    Ok(())
}

fn by_index(
    world: &World,
    kind: ResourceType,
    query: &ListQuery,
    (count, total): (u64, Option<u64>),
) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let start_index = u64::try_from(all.len()).unwrap() + 1;
        let page = ListQuery { page: Page::Index { start_index, count }, ..query.clone() };
        let page = world.list(kind, page).unwrap();
        assert_eq!(page.total, total);
        if page.ids.is_empty() {
            return all;
        }
        all.extend(page.ids);
    }
}

fn by_cursor(
    world: &World,
    kind: ResourceType,
    query: &ListQuery,
    (count, total): (u64, Option<u64>),
) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = ListQuery { page: Page::Cursor { cursor, count }, ..query.clone() };
        let page = world.list(kind, page).unwrap();
        assert_eq!(page.total, total);
        let length = u64::try_from(page.ids.len()).unwrap();
        all.extend(page.ids);
        cursor = page.next;
        if cursor.is_none() {
            return all;
        }
        assert_eq!(length, count, "a page that is not the last is full");
    }
}

fn orders_agree(database: Database, kind: ResourceType) {
    let world = World::new(database);
    let strategy = asked(&world, kind);
    let mut runner = runner();
    // A case is up to two hundred pages.
    let mut config = runner.config().clone();
    config.cases /= 5;
    runner = proptest::test_runner::TestRunner::new(config);
    runner.run(&strategy, |asked| agree(&world, kind, &asked)).unwrap();
}

#[test]
fn orders_of_users_agree() {
    orders_agree(Database::Sqlite, ResourceType::User);
}

#[test]
fn orders_of_users_agree_on_postgres() {
    orders_agree(Database::Postgres, ResourceType::User);
}

#[test]
fn orders_of_groups_agree() {
    orders_agree(Database::Sqlite, ResourceType::Group);
}

#[test]
fn orders_of_groups_agree_on_postgres() {
    orders_agree(Database::Postgres, ResourceType::Group);
}
