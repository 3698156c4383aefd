//! Facts about the members of a Group, one a test.

use serde_json::json;

use super::*;
use crate::scim::ScimType;
use crate::scim::resource::Resource;
use crate::scim::schema::GROUP_URN;
use crate::scim::{filter, patch};

fn try_split(operations: impl Into<Value>) -> ScimResult<Split> {
    let Value::Object(body) = json!({"Operations": operations.into()}) else { panic!("an object") };
    split(&ResourceSchema::group([]), patch::parse(body)?)
}

/// The changes of members of one operation, and nothing else in it.
#[track_caller]
fn changes(operation: impl Into<Value>) -> Vec<MemberChange> {
    let (rest, changes, left_out) = try_split(json!([operation.into()])).unwrap();
    assert_eq!((rest, left_out), (vec![], vec![]));
    changes
}

#[track_caller]
fn refused(operation: impl Into<Value>) -> ScimType {
    try_split(json!([operation.into()])).unwrap_err().scim_type.unwrap()
}

fn member(value: &str) -> Member {
    Member { value: value.to_owned(), kind: None }
}

fn add(value: &str) -> Vec<MemberChange> {
    vec![MemberChange::Add(vec![member(value)])]
}

fn remove(value: &str) -> Vec<MemberChange> {
    vec![MemberChange::Remove(vec![value.to_owned()])]
}

/// The members after the changes: what the database does with rows.
fn play(before: &[&str], changes: &[MemberChange]) -> Vec<String> {
    let schema = ResourceSchema::group([]);
    let mut rows: Vec<String> = before.iter().map(|m| (*m).to_owned()).collect();
    for change in changes {
        match change {
            MemberChange::Add(new) => {
                for member in new {
                    if !rows.contains(&member.value) {
                        rows.push(member.value.clone());
                    }
                }
            }
            MemberChange::Remove(ids) => rows.retain(|row| !ids.contains(row)),
            MemberChange::Replace(new) => rows = new.iter().map(|m| m.value.clone()).collect(),
            MemberChange::Clear => rows.clear(),
            MemberChange::RemoveWhere(condition) => rows.retain(|row| {
                let element = json!({"value": row, "type": "User", "display": row});
                !filter::element_matches(&schema, condition, &element)
            }),
        }
    }
    rows
}

/// Rows 10, 11, 14 and 15 and S11: the three ways to remove, each of somebody who is there, who is
/// not, who is named twice, and who is the last.
#[test]
fn three_dialects_remove_one_member() {
    let value_path =
        |id: &str| json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]);
    let value_list = |ids: &[&str]| {
        let listed: Vec<_> = ids.iter().map(|id| json!({"$ref": null, "value": id})).collect();
        json!([{"op": "Remove", "path": "members", "value": listed}])
    };
    let whole_list = |ids: &[&str]| {
        let listed: Vec<_> = ids.iter().map(|id| json!({"value": id})).collect();
        json!([{"op": "replace", "path": "members", "value": listed}])
    };
    let twice = |one: Value| json!([one[0], one[0]]);
    let (all, last, rest) = (&["a", "b", "c"][..], &["a"][..], &["b", "c"][..]);
    let none: &[&str] = &[];
    let table = [
        (value_path("a"), all, rest),
        (value_path("x"), all, all),
        (twice(value_path("a")), all, rest),
        (value_path("a"), last, none),
        (value_list(&["a"]), all, rest),
        (value_list(&["x"]), all, all),
        (value_list(&["a", "a"]), all, rest),
        (value_list(&["a"]), last, none),
        (whole_list(&["b", "c"]), all, rest),
        (whole_list(&["a", "b", "c"]), all, all),
        (whole_list(&["b", "b", "c"]), all, rest),
        (whole_list(&[]), last, none),
    ];
    for (operations, before, after) in table {
        let (rest, changes, _) = try_split(operations.clone()).unwrap();
        assert!(rest.is_empty());
        assert_eq!(play(before, &changes), after, "{operations}");
    }
}

/// Row 12.
#[test]
fn add_adds() {
    assert_eq!(
        changes(json!({"op": "add", "path": "members", "value": [{"value": "a"}]})),
        add("a")
    );
    assert_eq!(changes(json!({"op": "Add", "path": "MEMBERS", "value": {"value": "a"}})), add("a"));
    assert_eq!(changes(json!({"op": "add", "path": "members", "value": "a"})), add("a"));
    assert_eq!(changes(json!({"op": "add", "path": "members", "value": []})), []);
}

/// Security (f) row 39.
#[test]
fn a_member_named_many_times_is_one() {
    let many = vec![json!({"value": "a"}); 1_000];
    assert_eq!(changes(json!({"op": "add", "path": "members", "value": many})), add("a"));
}

/// RFC 7644 §3.10.
#[test]
fn members_may_stand_behind_their_urn() {
    let path = format!("{}:Members", GROUP_URN.to_uppercase());
    assert_eq!(changes(json!({"op": "remove", "path": path})), [MemberChange::Clear]);
    let path = format!("{GROUP_URN}:members[value eq \"a\"]");
    assert_eq!(changes(json!({"op": "remove", "path": path})), remove("a"));
}

/// Rule 7: without a value all go; an empty list names nobody.
#[test]
fn remove_without_a_value_clears() {
    let of = |value: Value| changes(json!({"op": "remove", "path": "members", "value": value}));
    assert_eq!(changes(json!({"op": "remove", "path": "members"})), [MemberChange::Clear]);
    assert_eq!(of(Value::Null), [MemberChange::Clear]);
    assert_eq!(of(json!([])), []);
    assert_eq!(of(json!({"value": "a"})), remove("a"));
}

/// Row 14.
#[test]
fn replace_with_nothing_clears() {
    for value in [json!([]), json!(null)] {
        let operation = json!({"op": "replace", "path": "members", "value": value});
        assert_eq!(changes(operation), [MemberChange::Clear]);
    }
}

#[test]
fn replace_of_one_member_exchanges_it() {
    let of = |value: &str| {
        changes(
            json!({"op": "replace", "path": "members[value eq \"a\"]", "value": {"value": value}}),
        )
    };
    assert_eq!(of("b"), [remove("a"), add("b")].concat());
    assert_eq!(of("a"), add("a"));
}

#[test]
fn a_filter_of_ids_is_a_list_of_ids() {
    let path = "members[value eq \"a\" or value eq \"b\"]";
    let ids = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(changes(json!({"op": "remove", "path": path})), [MemberChange::Remove(ids)]);
}

#[test]
fn any_other_filter_is_a_condition() {
    for path in [
        "members[type eq \"Group\"]",
        "members[not (value eq \"a\")]",
        "members[value eq \"a\" and type eq \"User\"]",
    ] {
        let changes = changes(json!({"op": "remove", "path": path}));
        assert!(matches!(changes.as_slice(), [MemberChange::RemoveWhere(_)]), "{path}");
    }
    let others = changes(json!({"op": "remove", "path": "members[not (value eq \"a\")]"}));
    assert_eq!(play(&["a", "b"], &others), ["a"]);
}

/// RFC 7643 §4.2: the parts of a member are immutable or readOnly.
#[test]
fn the_parts_of_a_member_cannot_be_changed() {
    for path in ["members.value", "members[value eq \"a\"].type", "members.$ref", "Members.Type"] {
        for op in ["add", "replace", "remove"] {
            let operation = json!({"op": op, "path": path, "value": "x"});
            assert_eq!(refused(operation), ScimType::Mutability, "{op} {path}");
        }
    }
}

/// Security (f) row 36: left to the general code, which refuses it.
#[test]
fn a_malformed_path_is_left_to_apply() {
    let operation = json!({"op": "remove", "path": "members[value eq"});
    let (rest, changes, _) = try_split(json!([operation])).unwrap();
    assert!(changes.is_empty());
    let schema = ResourceSchema::group([]);
    let error = patch::apply(&schema, &mut Resource::default(), &rest).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidPath));
}

/// Rows 16 and 38: a value that names no members leaves them alone.
#[test]
fn a_value_without_members_changes_none() {
    let operation = json!({"op": "replace", "value": {"id": "g", "displayName": "Harbour East"}});
    let (rest, changes, _) = try_split(json!([operation])).unwrap();
    assert_eq!((rest.len(), changes.len()), (1, 0));
}

/// Rule 6: members among other keys of a value.
#[test]
fn members_are_taken_out_of_a_value() {
    let operation =
        json!({"op": "replace", "value": {"displayName": "X", "MEMBERS": [{"value": "a"}]}});
    let (rest, changes, _) = try_split(json!([operation])).unwrap();
    assert_eq!(changes, [MemberChange::Replace(vec![member("a")])]);
    assert_eq!(rest.first().unwrap().value, Some(json!({"displayName": "X"})));
}

#[test]
fn a_value_of_members_alone_leaves_no_operation() {
    assert_eq!(changes(json!({"op": "add", "value": {"members": [{"value": "a"}]}})), add("a"));
    let nested = json!({"op": "add", "value": {GROUP_URN: {"members": ["a"]}}});
    let (rest, changes, _) = try_split(json!([nested])).unwrap();
    assert_eq!((rest.len(), changes), (0, add("a")));
    let path = json!({"op": "add", "path": GROUP_URN, "value": {"members": ["a"]}});
    let (rest, changes, _) = try_split(json!([path])).unwrap();
    assert_eq!((rest.len(), changes), (0, add("a")));
}

/// Ruling 16: something was known, so the unknown is left out and named.
#[test]
fn unknown_names_beside_members_are_left_out() {
    let operation = json!({"op": "add", "value": {"members": ["a"], "colour": "red"}});
    let (rest, changes, left_out) = try_split(json!([operation])).unwrap();
    assert_eq!((rest.len(), changes, left_out), (0, add("a"), vec!["colour".to_owned()]));
}

#[test]
fn two_spellings_of_members_are_refused() {
    let operation = json!({"op": "add", "value": {"members": ["a"], "Members": ["b"]}});
    assert_eq!(refused(operation), ScimType::InvalidSyntax);
}

/// S14: changes keep the order of the request.
#[test]
fn changes_keep_their_order() {
    let operations = json!([
        {"op": "remove", "path": "members"},
        {"op": "replace", "path": "displayName", "value": "X"},
        {"op": "add", "path": "members", "value": ["a", "b"]},
        {"op": "remove", "path": "members[value eq \"a\"]"},
    ]);
    let (rest, changes, _) = try_split(operations).unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(play(&["x"], &changes), ["b"]);
}

/// Rows 18 and 23.
#[test]
fn entries_are_read_leniently() {
    let list = parse_list(json!([
        {"value": "a", "display": null, "$ref": null, "type": null},
        {"VALUE": "b", "Type": "group", "display": "B", "$ref": "https://x"},
        "c",
        null,
        {"value": "a", "type": "User"},
        {"value": "d", "type": "direct", "other": 1},
    ]));
    let group = Member { value: "b".to_owned(), kind: Some(ResourceType::Group) };
    assert_eq!(list.unwrap(), [member("a"), group, member("c"), member("d")]);
}

#[test]
fn an_entry_needs_a_value() {
    for entry in [
        json!({}),
        json!({"value": ""}),
        json!({"value": 1}),
        json!(1),
        json!([["a"]]),
        json!({"display": "x"}),
        json!({"value": "a", "type": 1}),
        json!("x".repeat(1_025)),
    ] {
        let error = parse_list(json!([entry])).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{entry}");
    }
}

#[test]
fn an_add_or_replace_needs_a_value() {
    for op in ["add", "replace"] {
        assert_eq!(refused(json!({"op": op, "path": "members"})), ScimType::InvalidValue);
    }
}

/// Security (c).
#[test]
fn members_in_one_request_are_limited() {
    let many = |n: usize| json!((0..n).map(|i| i.to_string()).collect::<Vec<_>>());
    assert_eq!(parse_list(many(MAX_MEMBERS)).unwrap().len(), MAX_MEMBERS);
    assert_eq!(parse_list(many(MAX_MEMBERS + 1)).unwrap_err().status, 413);
    let half = json!({"op": "add", "path": "members", "value": many(MAX_MEMBERS / 2 + 1)});
    assert_eq!(try_split(json!([half, half])).unwrap_err().status, 413);
}
