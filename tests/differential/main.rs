//! SQL and memory give the same rows, in the same order, for random filters and sorts
//! (RFC 7644 §3.4.2.2 to §3.4.2.4, RFC 9865).
//!
//! `scim::filter::matches` on whole resources is the reference; nothing here goes over HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of this program is tests, its helpers too"
)]

mod order;
#[path = "../it/postgres.rs"]
#[expect(dead_code, reason = "the other program of tests uses the rest of it")]
mod postgres;
mod values;
mod words;
mod world;

use std::cell::Cell;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};
use serde_json::{Map, Value};
use stagedoor::scim::{ResourceType, filter};

use self::words::{Vocabulary, filters};
use self::world::{Database, World, query};

/// 1,000 cases, unless `PROPTEST_CASES` moves proptest from its own default. Ids are other ones in
/// each run, so that a failure could not be replayed from a file.
fn runner() -> TestRunner {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if config.cases == 256 {
        config.cases = 1_000;
    }
    TestRunner::new(config)
}

/// The words of a type's resources.
fn vocabulary(world: &World, kind: ResourceType) -> Arc<Vocabulary> {
    Arc::new(Vocabulary::new(world.schema(kind), world.resources(kind)))
}

/// The ids of the resources that satisfy a filter in memory, and the resources; `None` where it is
/// refused.
fn chosen<'w>(
    world: &'w World,
    kind: ResourceType,
    text: &str,
) -> Option<Vec<&'w Map<String, Value>>> {
    let schema = world.schema(kind);
    let condition = filter::compile(schema, text).ok()?;
    let resources = world.resources(kind).iter();
    Some(resources.filter(|r| filter::matches(schema, &condition, r)).collect())
}

/// The ids of resources, in their order.
fn ids<'r>(resources: impl IntoIterator<Item = &'r Map<String, Value>>) -> Vec<&'r str> {
    resources.into_iter().map(|r| r["id"].as_str().unwrap()).collect()
}

/// How many filters were refused, matched nothing, matched something.
#[derive(Default)]
struct Tally {
    refused: Cell<usize>,
    none: Cell<usize>,
    some: Cell<usize>,
    all: Cell<usize>,
}

fn count(cell: &Cell<usize>) {
    cell.set(cell.get() + 1);
}

fn agree(world: &World, kind: ResourceType, text: &str, tally: &Tally) -> TestCaseResult {
    let answered = world.list(kind, query(Some(text)));
    let Some(chosen) = chosen(world, kind, text) else {
        count(&tally.refused);
        prop_assert!(answered.is_none(), "refused in memory alone: {}", text);
        return Ok(());
    };
    let Some(answered) = answered else {
        return Err(TestCaseError::fail(format!("refused by SQL alone: {text}")));
    };
    count(match chosen.len() {
        0 => &tally.none,
        n if n == world.resources(kind).len() => &tally.all,
        _ => &tally.some,
    });
    let want = ids(chosen);
    prop_assert_eq!(answered.total, u64::try_from(want.len()).ok(), "{}", text);
    // Without `sortBy` both are in the order of making.
    prop_assert_eq!(answered.ids, want, "{}", text);
    Ok(())
}

fn filters_agree(database: Database, kind: ResourceType) {
    let world = World::new(database);
    let strategy = filters(vocabulary(&world, kind));
    let (mut runner, tally) = (runner(), Tally::default());
    runner.run(&strategy, |text| agree(&world, kind, &text, &tally)).unwrap();
    let Tally { refused, none, some, all } = tally;
    let (refused, some) = (refused.get(), some.get());
    println!(
        "{}: {some} some, {} none, {} all, {refused} refused",
        kind.name(),
        none.get(),
        all.get()
    );
    let cases = usize::try_from(runner.config().cases).unwrap();
    assert!(some > cases / 4, "most filters tell no resource from another");
    assert!(refused < cases / 2, "most filters are refused");
}

#[test]
fn filters_on_users_agree() {
    filters_agree(Database::Sqlite, ResourceType::User);
}

#[test]
fn filters_on_users_agree_on_postgres() {
    filters_agree(Database::Postgres, ResourceType::User);
}

#[test]
fn filters_on_groups_agree() {
    filters_agree(Database::Sqlite, ResourceType::Group);
}

#[test]
fn filters_on_groups_agree_on_postgres() {
    filters_agree(Database::Postgres, ResourceType::Group);
}

/// What SQL and memory once answered differently.
#[test]
fn differences_that_were_found() {
    let worlds = [Database::Sqlite, Database::Postgres].map(World::new);
    let hr = "urn:acme:params:scim:schemas:extension:hr:2.0:User";
    for text in [
        format!("not ({hr}:seats.labels pr)"),
        format!("{hr}:seats[labels eq \"a\" and room pr]"),
        format!("{hr}:depot.aliases sw \"a\""),
        "schemas eq \"name\"".to_owned(),
        "schemas eq \"schemas\"".to_owned(),
        format!("schemas eq \"{}\"", values::NESTED_URN),
        format!("schemas eq \"{}\"", values::FOREIGN_URN.to_uppercase()),
        format!("schemas ne \"{hr}\""),
    ] {
        for world in &worlds {
            agree(world, ResourceType::User, &text, &Tally::default()).unwrap();
        }
    }
}
