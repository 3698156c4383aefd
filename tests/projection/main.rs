//! Random logins, switches, changes of the directory, of the rules and of people, against a small model of what
//! the rules say (`model.rs`): after each step all that can be seen is the same, on both databases.
//!
//! In process, through the functions that every request calls. `PROPTEST_CASES` says how many sequences.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of this program is tests, its helpers too"
)]

mod model;
#[path = "../it/postgres.rs"]
#[expect(dead_code, reason = "the other program of tests uses the rest of it")]
mod postgres;
mod regressions;
mod seen;
mod steps;
mod world;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use self::model::Model;
use self::steps::{Step, sequences};
use self::world::{Database, World};

/// Sequences on each database, unless the environment says otherwise.
const CASES: u32 = 1_000;
/// More than these are no further proof, however many `make prove` asks of other programs.
const MOST: u32 = 20_000;

/// What has been answered.
type Answers = Arc<Mutex<BTreeSet<String>>>;

/// Answers that are among those of every longer run.
const USUAL: [&str; 16] = [
    "already_member",
    "automatic_access",
    "awaiting_team_assignment",
    "in 0",
    "in 1",
    "in 2",
    "invalidValue",
    "membership_managed_by_idp",
    "no_mapped_group",
    "nowhere",
    "ok",
    "organization_access_denied",
    "team_already_mapped",
    "unauthorized",
    "uniqueness",
    "user_deactivated",
];

/// Plays a sequence in both.
fn agree(world: &World, steps: &[Step], answers: &Answers) -> Result<(), String> {
    let (mut model, answers) = (Model::new(), Arc::clone(answers));
    world.play(steps, move |step, answer, seen| {
        answers.lock().unwrap().insert(answer.clone());
        let wanted = model.play(step);
        if *answer != wanted {
            return Err(format!("answered {answer}, but {wanted} is right"));
        }
        let right = model.seen();
        if *seen != right {
            let (surplus, lacking) = (seen.beyond(&right), right.beyond(seen));
            return Err(format!("too much is {surplus}; there lack {lacking}"));
        }
        Ok(())
    })
}

fn sequences_agree(database: Database) {
    let world = World::new(database);
    let given = std::env::var_os("PROPTEST_CASES").is_some();
    let mut config =
        Config { failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    config.cases = if given { config.cases.min(MOST) } else { CASES };
    let (cases, answers) = (config.cases, Answers::default());
    let outcome = TestRunner::new(config)
        .run(&sequences(), |steps| agree(&world, &steps, &answers).map_err(TestCaseError::fail));
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let answers = answers.lock().unwrap();
    let missed: Vec<_> = USUAL.iter().filter(|answer| !answers.contains(**answer)).collect();
    assert!(cases < CASES || missed.is_empty(), "{cases} sequences and never {missed:?}");
}

#[test]
fn the_rules_hold() {
    sequences_agree(Database::Sqlite);
}

#[test]
fn the_rules_hold_on_postgres() {
    sequences_agree(Database::Postgres);
}
