use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::Step::{AddMembers, Conflict, Run, RunWithout};
use super::*;
use crate::scim::bulk::parse;

fn operations(list: Value) -> Vec<Result<BulkOperation, Refused>> {
    let body = Map::from_iter([("Operations".to_owned(), list)]);
    parse(body).unwrap().operations
}

fn steps(list: Value) -> Vec<Step> {
    plan(&operations(list))
}

fn user(bulk_id: &str, manager: &str) -> Value {
    json!({"method": "POST", "path": "/Users", "bulkId": bulk_id,
        "data": {"userName": bulk_id, "urn:x:y:z": {"manager": {"value": manager}}}})
}

fn group(bulk_id: &str, members: &[&str]) -> Value {
    let members: Vec<_> = members.iter().map(|m| json!({"value": format!("bulkId:{m}")})).collect();
    json!({"method": "POST", "path": "/Groups", "bulkId": bulk_id,
        "data": {"displayName": bulk_id, "members": members}})
}

fn patch(path: &str, value: &str) -> Value {
    json!({"method": "PATCH", "path": path,
        "data": {"Operations": [{"op": "add", "path": "members", "value": [{"value": value}]}]}})
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|&n| n.to_owned()).collect()
}

#[test]
fn the_order_sent_is_kept() {
    let list = json!([user("b", "-"), 1, patch("/Groups/1", "u"), group("g", &["b", "unknown"])]);
    assert_eq!(steps(list), [Run(0), Run(1), Run(2), Run(3)]);
}

/// RFC 7644 §3.7: a User must be created before a Group that names it.
#[test]
fn an_operation_waits_for_what_it_refers_to() {
    let list = json!([group("g", &["a", "b"]), user("a", "bulkId:b"), user("b", "-")]);
    assert_eq!(steps(list), [Run(2), Run(1), Run(0)]);
    let list = json!([patch("/Groups/bulkId:g", "bulkId:a"), user("a", "-"), group("g", &[])]);
    assert_eq!(steps(list), [Run(1), Run(2), Run(0)]);
}

/// RFC 7644 §3.7: the same stateful result as in the order sent.
#[test]
fn operations_on_one_resource_keep_their_order() {
    let list = json!([
        patch("/Groups/1", "bulkId:a"),
        patch("/Groups/1", "x"),
        patch("/Groups/2", "x"),
        user("a", "-")
    ]);
    assert_eq!(steps(list), [Run(2), Run(3), Run(0), Run(1)]);
}

/// RFC 7644 §3.7.1, its example; hostile input 43.
#[test]
fn groups_that_name_each_other_are_made_in_two_steps() {
    let list = json!([group("q", &["y"]), group("y", &["q"])]);
    let want = [
        RunWithout { index: 0, deferred: names(&["y"]) },
        Run(1),
        AddMembers { index: 0, members: names(&["y"]) },
    ];
    assert_eq!(steps(list), want);
}

#[test]
fn a_change_waits_for_the_second_step() {
    let list = json!([
        patch("/Groups/bulkId:q", "1"),
        group("q", &["y"]),
        group("y", &["q", "a"]),
        user("a", "-")
    ]);
    let want = [
        Run(3),
        RunWithout { index: 1, deferred: names(&["y"]) },
        Run(2),
        AddMembers { index: 1, members: names(&["y"]) },
        Run(0),
    ];
    assert_eq!(steps(list), want);
}

/// What only leads into a circle is not part of it.
#[test]
fn a_group_outside_the_circle_waits() {
    let list = json!([group("o", &["q"]), group("q", &["y"]), group("y", &["q"])]);
    let first = RunWithout { index: 1, deferred: names(&["y"]) };
    assert_eq!(steps(list)[0], first);
}

/// Hostile input 43: circles of anything else.
#[test]
fn other_circles_are_conflicts() {
    let list = json!([
        user("a", "bulkId:b"),
        user("b", "bulkId:a"),
        user("c", "bulkId:a"),
        user("d", "bulkId:d"),
        group("g", &["g"]),
        group("h", &["a", "e"]),
        user("e", "-")
    ]);
    let want = [Conflict(0), Conflict(1), Run(2), Conflict(3), Conflict(4), Run(6), Run(5)];
    assert_eq!(steps(list), want);
    // The name of a member elsewhere in the Group cannot be put off with the member.
    let mut g = group("g", &["h"]);
    g["data"]["externalId"] = json!("bulkId:h");
    let mut h = group("h", &["g"]);
    h["data"]["externalId"] = json!("bulkId:g");
    assert_eq!(steps(json!([g, h])), [Conflict(0), Conflict(1)]);
    // One of the two can be: the other waits for it.
    let want = [
        RunWithout { index: 1, deferred: names(&["g"]) },
        Run(0),
        AddMembers { index: 1, members: names(&["g"]) },
    ];
    assert_eq!(steps(json!([g, group("h", &["g"])])), want);
}

#[test]
fn a_long_chain_and_a_dense_circle_are_planned() {
    let chain: Vec<_> =
        (0..500).map(|i| user(&i.to_string(), &format!("bulkId:{}", i + 1))).collect();
    assert_eq!(steps(json!(chain)), (0..500).rev().map(Run).collect::<Vec<_>>());
    let all: Vec<String> = (0..100).map(|i| i.to_string()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let others = |i: &&str| all.iter().copied().filter(|o| o != i).collect::<Vec<_>>();
    let dense: Vec<_> = all.iter().map(|i| group(i, &others(i))).collect();
    assert_eq!(steps(json!(dense)).len(), 100 + 99);
}

/// A request of users (even places) and groups (odd ones) with these references.
fn random(kinds: &[u8], edges: &[(usize, usize)]) -> Value {
    let list = kinds.iter().enumerate().map(|(i, kind)| {
        let to: Vec<String> =
            edges.iter().filter(|e| e.0 == i).map(|e| format!("n{}", e.1 % kinds.len())).collect();
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        let one = to.first().map(|t| format!("bulkId:{t}")).unwrap_or_default();
        match kind % 3 {
            0 => user(&format!("n{i}"), &one),
            1 => group(&format!("n{i}"), &to),
            _ => patch(&format!("/Groups/bulkId:n{}", i / 2), &one),
        }
    });
    list.collect()
}

proptest! {
    #[test]
    fn every_plan_can_be_followed(
        kinds in prop::collection::vec(0_u8..3, 1..9),
        edges in prop::collection::vec((0_usize..9, 0_usize..9), 0..14),
    ) {
        let operations = operations(random(&kinds, &edges));
        let steps = plan(&operations);
        let conflicts: HashSet<String> = steps.iter().filter_map(|step| match step {
            Conflict(i) => operations[*i].as_ref().unwrap().bulk_id.clone(),
            _ => None,
        }).collect();
        let posts: HashSet<String> = operations.iter().flatten()
            .filter(|o| o.method == Method::Post).filter_map(|o| o.bulk_id.clone()).collect();
        let (mut made, mut seen, mut owed) = (HashSet::new(), HashSet::new(), HashMap::new());
        for step in &steps {
            let (index, deferred) = match step {
                Conflict(index) => { prop_assert!(seen.insert(*index)); continue; }
                AddMembers { index, members } => {
                    prop_assert!(members.iter().all(|m| made.contains(m)));
                    prop_assert_eq!(owed.remove(index), Some(members.clone()));
                    continue;
                }
                Run(index) => (*index, Vec::new()),
                RunWithout { index, deferred } => (*index, deferred.clone()),
            };
            prop_assert!(seen.insert(index));
            let mut operation = operations[index].clone().unwrap();
            super::super::put_off_members(&mut operation, &deferred);
            for id in references(&operation) {
                prop_assert!(made.contains(&id) || conflicts.contains(&id) || !posts.contains(&id));
            }
            if !deferred.is_empty() {
                prop_assert!(deferred.iter().all(|d| !made.contains(d) && posts.contains(d)));
                owed.insert(index, deferred);
            }
            if operation.method == Method::Post {
                made.extend(operation.bulk_id);
            }
        }
        prop_assert_eq!(seen.len(), operations.len());
        prop_assert!(owed.is_empty());
    }
}
