//! Members of a Group against a set of ids, in the dialects of Okta and Entra ID.
//!
//! The set is changed as RFC 7644 §3.5.2 says; the server's answer is a list of member changes,
//! which are played here on a set of their own.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use stagedoor::scim::filter::{Condition, element_matches};
use stagedoor::scim::members::{MemberChange, split};
use stagedoor::scim::schema::GROUP_URN;
use stagedoor::scim::{Resource, ResourceSchema, ScimResult, patch};

use crate::config;

type Ids = BTreeSet<String>;

/// One operation, in what it means; how it is written is chosen beside it.
#[derive(Debug, Clone)]
enum Change {
    Add(Vec<String>),
    Remove(Vec<String>),
    RemoveAllBut(String),
    Replace(Vec<String>),
    Clear,
    Rename(String),
    /// What no server may take.
    Bad(Value),
}

/// A change and its spelling.
#[derive(Debug, Clone)]
struct Sent {
    change: Change,
    operation: Value,
}

fn id() -> impl Strategy<Value = String> {
    select(vec!["u-1", "u-2", "u-3", "U-3", "u-4", "g-5"]).prop_map(String::from)
}

fn ids(from: usize) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(id(), from..4)
}

/// The value list of Okta, of Entra, and of clients that say the type.
fn listed(ids: &[String], spelling: u8) -> Value {
    let one = |id: &String| match spelling % 4 {
        0 => json!({"value": id, "display": "Somebody"}),
        1 => json!({"$ref": null, "value": id}),
        2 => json!({"VALUE": id, "type": "User"}),
        _ => json!({"value": id}),
    };
    match ids {
        [only] if spelling % 8 == 7 => one(only),
        several => several.iter().map(one).collect(),
    }
}

fn word(word: &str, spelling: u8) -> String {
    match spelling % 3 {
        0 => word.to_owned(),
        1 => word[..1].to_uppercase() + &word[1..],
        _ => word.to_uppercase(),
    }
}

fn path(spelling: u8) -> String {
    match spelling % 5 {
        0 => "Members".to_owned(),
        1 => format!("{GROUP_URN}:members"),
        _ => "members".to_owned(),
    }
}

fn spell(change: &Change, n: u8) -> Value {
    let bare = n.is_multiple_of(3);
    match change {
        Change::Add(ids) if bare => {
            json!({"op": word("add", n / 3), "value": {path(n): listed(ids, n)}})
        }
        Change::Add(ids) => {
            json!({"op": word("add", n), "path": path(n), "value": listed(ids, n)})
        }
        Change::Replace(ids) if bare => {
            json!({"op": word("replace", n / 3), "value": {"id": "g-9", path(n): listed(ids, n)}})
        }
        Change::Replace(ids) => {
            json!({"op": word("replace", n), "path": path(n), "value": listed(ids, n)})
        }
        // Entra's list, flag off; Okta's value path; several at once.
        Change::Remove(ids) if bare => {
            json!({"op": word("remove", n / 3), "path": path(n), "value": listed(ids, n)})
        }
        Change::Remove(ids) => {
            let terms: Vec<String> = ids.iter().map(|id| format!("value eq \"{id}\"")).collect();
            json!({"op": word("remove", n), "path": format!("{}[{}]", path(n), terms.join(" or "))})
        }
        Change::RemoveAllBut(id) if bare => {
            json!({"op": "remove", "path": format!("members[not (value eq \"{id}\")]")})
        }
        Change::RemoveAllBut(id) => {
            json!({"op": "Remove", "path": format!("members[value ne \"{id}\"]")})
        }
        Change::Clear => json!({"op": word("remove", n), "path": path(n)}),
        Change::Rename(name) if bare => {
            json!({"op": word("replace", n / 3), "value": {"id": "g-9", "displayName": name}})
        }
        Change::Rename(name) => {
            json!({"op": word("replace", n), "path": "displayName", "value": name})
        }
        Change::Bad(operation) => operation.clone(),
    }
}

fn bad() -> impl Strategy<Value = Change> {
    select(vec![
        json!({"op": "remove"}),
        json!({"op": "add", "path": "nope", "value": "x"}),
        json!({"op": "replace", "path": "id", "value": "x"}),
        json!({"op": "add", "path": "members", "value": [7]}),
        json!({"op": "remove", "path": "members[nope eq \"x\"]"}),
    ])
    .prop_map(Change::Bad)
}

fn sent() -> impl Strategy<Value = Sent> {
    let change = prop_oneof![
        8 => ids(0).prop_map(Change::Add),
        8 => ids(1).prop_map(Change::Remove),
        1 => id().prop_map(Change::RemoveAllBut),
        3 => ids(0).prop_map(Change::Replace),
        1 => Just(Change::Clear),
        3 => select(vec!["Harbour", "Pilots"]).prop_map(|n| Change::Rename(n.into())),
        1 => bad(),
    ];
    (change, any::<u8>()).prop_map(|(change, n)| Sent { operation: spell(&change, n), change })
}

/// The set and the name after one request; `None`: refused, and nothing happened.
fn expected(members: &Ids, name: &str, request: &[Sent]) -> Option<(Ids, String)> {
    let (mut members, mut name) = (members.clone(), name.to_owned());
    for sent in request {
        match &sent.change {
            // Rule 8: twice is once, and a stranger is no error.
            Change::Add(ids) => members.extend(ids.iter().cloned()),
            Change::Remove(ids) => members.retain(|m| !ids.contains(m)),
            Change::RemoveAllBut(id) => members.retain(|m| m == id),
            Change::Replace(ids) => members = ids.iter().cloned().collect(),
            Change::Clear => members.clear(),
            Change::Rename(new) => new.clone_into(&mut name),
            Change::Bad(_) => return None,
        }
    }
    Some((members, name))
}

/// The same request as the server plays it.
fn found(members: &Ids, name: &str, request: &[Sent]) -> ScimResult<(Ids, String)> {
    let schema = ResourceSchema::group([]);
    let mut body = Map::new();
    body.insert("Operations".into(), request.iter().map(|s| s.operation.clone()).collect());
    let (rest, changes, _) = split(&schema, patch::parse(body)?)?;
    let mut group = Resource(Map::from_iter([("displayName".to_owned(), name.into())]));
    if !rest.is_empty() {
        patch::apply(&schema, &mut group, &rest)?;
    }
    let mut members = members.clone();
    changes.iter().for_each(|change| play(&schema, &mut members, change));
    Ok((members, group.display_name().unwrap_or_default().to_owned()))
}

fn play(schema: &ResourceSchema, members: &mut Ids, change: &MemberChange) {
    let matches = |condition: &Condition, id: &String| {
        element_matches(schema, condition, &json!({"value": id, "type": "User"}))
    };
    match change {
        MemberChange::Add(new) => members.extend(new.iter().map(|m| m.value.clone())),
        MemberChange::Remove(ids) => members.retain(|m| !ids.contains(m)),
        MemberChange::Replace(new) => *members = new.iter().map(|m| m.value.clone()).collect(),
        MemberChange::Clear => members.clear(),
        MemberChange::RemoveWhere(condition) => members.retain(|m| !matches(condition, m)),
    }
}

proptest! {
    #![proptest_config(config())]

    /// RFC 7644 §3.5.2: members are a set, whatever the dialect.
    #[test]
    fn members_equal_a_set(
        start in proptest::collection::btree_set(id(), 0..5),
        requests in proptest::collection::vec(proptest::collection::vec(sent(), 1..5), 1..7),
    ) {
        let (mut members, mut name) = (start, "Harbour".to_owned());
        for request in requests {
            let (wanted, got) =
                (expected(&members, &name, &request), found(&members, &name, &request));
            match (wanted, got) {
                (Some(wanted), Ok(got)) => {
                    prop_assert_eq!(&got, &wanted, "from {:?}", members);
                    (members, name) = got;
                }
                (None, Err(_)) => {}
                (wanted, got) => prop_assert!(false, "oracle {:?}, server {:?}", wanted, got),
            }
        }
    }
}
