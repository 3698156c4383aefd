//! Model tests: random PATCH sequences, the server's protocol core against an independent oracle.
//!
//! The oracle (`oracle.rs`, `groups.rs`) is written from RFC 7644 §3.5.2; the server never reads it and it
//! never reads the server's PATCH. `PROPTEST_CASES` says how many sequences each property plays.
#![expect(clippy::unwrap_used, reason = "all of this program is tests, its helpers too")]

mod generate;
mod groups;
mod oracle;
mod values;
mod words;

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::Value;
use stagedoor::scim::schema::parse_extension;
use stagedoor::scim::{Resource, ResourceSchema, ScimResult, ScimType, patch, resource};

use oracle::Refusal;
use words::{Operation, body};

/// Sequences of each property, unless the environment says otherwise.
const CASES: u32 = 2_000;

static SCHEMA: LazyLock<ResourceSchema> = LazyLock::new(|| {
    ResourceSchema::user([Arc::new(parse_extension(generate::custom_extension()).unwrap())])
});

/// proptest reads `PROPTEST_CASES` itself. A find is printed whole, so no file keeps its seed.
fn config() -> Config {
    let given = std::env::var_os("PROPTEST_CASES").is_some();
    let config = Config { failure_persistence: None, max_shrink_iters: 1_000, ..Config::default() };
    if given { config } else { Config { cases: CASES, ..config } }
}

/// One request as the server plays it: on a copy, which counts only where nothing was refused.
fn play(user: &Resource, operations: &[Operation]) -> ScimResult<(Resource, bool)> {
    let operations = patch::parse(body(operations))?;
    let mut copy = user.clone();
    let applied = patch::apply(&SCHEMA, &mut copy, &operations)?;
    Ok((copy, applied.changed))
}

/// Whether table 9 of RFC 7644 leaves the server this keyword for the oracle's refusal.
fn agrees(refusal: Refusal, keyword: Option<&ScimType>) -> bool {
    match refusal {
        Refusal::Mutability => keyword == Some(&ScimType::Mutability),
        Refusal::InvalidPath => keyword == Some(&ScimType::InvalidPath),
        Refusal::NoTarget => keyword == Some(&ScimType::NoTarget),
        Refusal::Other => true,
    }
}

/// One request to both; what they made of it, if it is the same.
fn compare(before: &Resource, request: &[Operation]) -> Result<Option<Resource>, String> {
    let expected = oracle::patch(&SCHEMA, &before.0, request);
    let found = play(before, request);
    let same = match (&expected, &found) {
        (Ok(expected), Ok((after, changed))) => {
            &after.0 == expected && *changed == (after != before)
        }
        // With more than one fault in a request, which comes first is the server's choice.
        (Err(refusal), Err(error)) => {
            request.len() > 1 || agrees(*refusal, error.scim_type.as_ref())
        }
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    };
    if same {
        return Ok(found.ok().map(|(after, _)| after));
    }
    let found = match found {
        Ok((after, changed)) => format!("{} changed: {changed}", Value::Object(after.0)),
        Err(error) => format!("{:?} {error}", error.scim_type),
    };
    let expected = expected.map(|map| Value::Object(map).to_string());
    let (before, sent) = (Value::Object(before.0.clone()), body(request)["Operations"].to_string());
    Err(format!("before: {before}\n  sent: {sent}\noracle: {expected:?}\nserver: {found}"))
}

proptest! {
    #![proptest_config(config())]

    /// RFC 7644 §3.5.2: every request gives the oracle's resource or the oracle's refusal.
    #[test]
    fn users_equal_the_oracle(start in generate::user(), requests in generate::requests()) {
        let mut user = resource::normalise(&SCHEMA, start).unwrap().resource;
        for request in requests {
            match compare(&user, &request) {
                Ok(Some(after)) => user = after,
                Ok(None) => {}
                Err(difference) => prop_assert!(false, "{}", difference),
            }
        }
    }

    /// RFC 7644 §3.5.2: "if any operation fails … the original resource MUST be restored"; so one
    /// fault anywhere must refuse the whole request.
    #[test]
    fn a_bad_operation_anywhere_refuses_the_whole_request(
        start in generate::user(),
        mut request in proptest::collection::vec(generate::operation(), 1..5),
        bad in generate::bad_operation(),
        at in any::<prop::sample::Index>(),
    ) {
        let user = resource::normalise(&SCHEMA, start).unwrap().resource;
        request.insert(at.index(request.len() + 1), bad);
        prop_assert!(play(&user, &request).is_err());
    }
}
