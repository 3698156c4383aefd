//! Facts about PATCH, one a test. Row numbers are those of idp-behaviour.md §8.

use serde_json::json;

use super::*;
use crate::scim::ScimType;
use crate::scim::resource;
use crate::scim::schema::{ENTERPRISE_URN, STATUS_URN, USER_URN, parse_extension};

const HR: &str = "urn:acme:params:scim:schemas:extension:hr:2.0:User";
const FOREIGN: &str = "urn:other:2.0:User";

pub(super) fn schema() -> ResourceSchema {
    let hr = parse_extension(json!({"id": HR, "attributes": [
        {"name": "badge", "type": "string", "mutability": "immutable"},
        {"name": "tags", "type": "string", "multiValued": true},
        {"name": "level", "type": "integer"},
        {"name": "keys", "type": "complex", "multiValued": true, "subAttributes": [
            {"name": "value", "type": "string", "mutability": "immutable"},
            {"name": "note", "type": "string"}]},
    ]}));
    ResourceSchema::user([std::sync::Arc::new(hr.unwrap())])
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("an object") };
    map
}

/// The resource after one PATCH of a user with these attributes, and what was said of it.
fn try_patch(before: Value, operations: Value) -> ScimResult<(Value, Applied)> {
    let schema = schema();
    let mut body = object(before);
    body.insert("userName".to_owned(), json!("kari"));
    let mut user = resource::normalise(&schema, body).unwrap().resource;
    let operations = parse(object(json!({"schemas": [PATCH_URN], "Operations": operations})))?;
    let applied = apply(&schema, &mut user, &operations)?;
    assert_eq!(user.0.shift_remove("userName"), Some(json!("kari")));
    Ok((Value::Object(user.0), applied))
}

#[track_caller]
fn patch(before: Value, operation: Value) -> Value {
    try_patch(before, json!([operation])).unwrap().0
}

#[track_caller]
fn refused(before: Value, operation: Value) -> ScimType {
    try_patch(before, json!([operation])).unwrap_err().scim_type.unwrap()
}

fn mails() -> Value {
    json!({"emails": [
        {"value": "k@work", "type": "work", "primary": true},
        {"value": "k@home", "type": "home", "display": "Home"},
    ]})
}

fn parsed(body: Value) -> ScimType {
    parse(object(body)).unwrap_err().scim_type.unwrap()
}

/// Rows 2 and 3.
#[test]
fn op_has_no_case() {
    for op in ["replace", "Replace", "REPLACE", "rePlace", "add", "Add"] {
        let after = patch(json!({}), json!({"op": op, "path": "title", "value": "x"}));
        assert_eq!(after, json!({"title": "x"}), "{op}");
    }
    let body = json!({"operations": [{"OP": "add", "Path": "title", "VALUE": "x"}]});
    assert_eq!(parse(object(body)).unwrap().len(), 1);
}

/// Row 67 and security (f) row 33.
#[test]
fn a_body_without_good_operations_is_refused() {
    let good = json!({"op": "add", "path": "title", "value": "x"});
    for body in [
        json!({}),
        json!({"Operations": []}),
        json!({"Operations": null}),
        json!({"Operations": good}),
        json!({"Operations": [1]}),
        json!({"Operations": [{"op": "destroy"}]}),
        json!({"Operations": [{"path": "title"}]}),
        json!({"Operations": [good], "operations": [good]}),
        json!({"Operations": [{"op": "add", "Op": "add"}]}),
        json!({"schemas": ["urn:x:y"], "Operations": [good]}),
        json!({"schemas": [], "Operations": [good]}),
        json!({"schemas": 1, "Operations": [good]}),
    ] {
        assert_eq!(parsed(body.clone()), ScimType::InvalidSyntax, "{body}");
    }
    assert!(parse(object(json!({"Operations": [good]}))).is_ok());
    assert!(
        parse(object(json!({"schemas": PATCH_URN.to_uppercase(), "Operations": [good]}))).is_ok()
    );
}

/// Security (c) and (f) row 40.
#[test]
fn operations_and_paths_are_limited() {
    let many = |n: usize| json!({"Operations": vec![json!({"op": "remove", "path": "title"}); n]});
    assert_eq!(parse(object(many(MAX_OPERATIONS))).unwrap().len(), MAX_OPERATIONS);
    assert_eq!(parse(object(many(MAX_OPERATIONS + 1))).unwrap_err().status, 413);
    let path = |path: Value| json!({"Operations": [{"op": "remove", "path": path}]});
    assert_eq!(parsed(path(json!("x".repeat(1_025)))), ScimType::InvalidPath);
    assert_eq!(parsed(path(json!(1))), ScimType::InvalidPath);
    let deep = |n: usize| format!("emails[{}type pr{}]", "(".repeat(n), ")".repeat(n));
    patch(mails(), json!({"op": "remove", "path": deep(3)}));
    let operation = json!({"op": "remove", "path": deep(4)});
    assert_eq!(refused(mails(), operation), ScimType::InvalidPath);
}

/// Rows 1, 4, 5 and 6.
#[test]
fn deactivation_in_every_dialect() {
    for operation in [
        json!({"op": "Replace", "path": "active", "value": "False"}),
        json!({"op": "Add", "path": "active", "value": "false"}),
        json!({"op": "replace", "path": "active", "value": false}),
        json!({"op": "replace", "value": {"active": false}}),
        json!({"op": "replace", "path": "", "value": {"active": "False"}}),
        json!({"op": "replace", "path": format!("{USER_URN}:active"), "value": [{"$ref": null, "value": "False"}]}),
    ] {
        let after = patch(json!({"active": true}), operation.clone());
        assert_eq!(after, json!({"active": false}), "{operation}");
    }
    let on = json!({"op": "replace", "path": "active", "value": true});
    assert_eq!(patch(json!({"active": false}), on), json!({"active": true}));
}

/// Security (f) row 34: RFC 7644 §3.5.2.2.
#[test]
fn remove_without_a_path_is_no_target() {
    for operation in [
        json!({"op": "remove"}),
        json!({"op": "remove", "path": ""}),
        json!({"op": "remove", "path": USER_URN}),
    ] {
        assert_eq!(refused(json!({}), operation), ScimType::NoTarget);
    }
}

/// Security (f) row 35: RFC 7643 §7.
#[test]
fn a_path_to_what_is_read_only_is_refused() {
    let manager = format!("{ENTERPRISE_URN}:manager.displayName");
    let status = format!("{STATUS_URN}:status");
    for path in [
        "id",
        "ID",
        "meta",
        "meta.created",
        "groups",
        "groups[value eq \"g\"]",
        "schemas",
        STATUS_URN,
        &status,
        &manager,
    ] {
        for op in ["add", "remove", "replace"] {
            let operation = json!({"op": op, "path": path, "value": {"a": "b"}});
            assert_eq!(refused(json!({}), operation), ScimType::Mutability, "{op} {path}");
        }
    }
}

/// Rule 9 and row 16.
#[test]
fn read_only_keys_of_a_value_are_passed_over() {
    let value = json!({"id": "x", "meta": {}, "groups": [], "schemas": [], "displayName": "K",
        STATUS_URN: {"status": "ACTIVE"}, ENTERPRISE_URN: {"manager": {"value": "u", "displayName": "B"}}});
    let after = patch(json!({}), json!({"op": "replace", "value": value}));
    assert_eq!(after, json!({"displayName": "K", ENTERPRISE_URN: {"manager": {"value": "u"}}}));
    let only = json!({"op": "replace", "value": {"id": "x"}});
    assert_eq!(patch(json!({}), only), json!({}));
}

/// Row 70 and security (f) row 36.
#[test]
fn an_unknown_path_is_refused() {
    let misspelt = format!("{ENTERPRISE_URN}:nope");
    let dotted = format!("{USER_URN}.nope");
    for path in [
        "nope",
        "name.nope",
        "emails[0]",
        "__proto__.x",
        "members[value eq",
        "/userName",
        "emails[type eq \"work\"].nope",
        "emails[type eq \"work\"]x",
        "nope[type eq \"work\"]",
        "name[familyName eq \"x\"]",
        "userName.value",
        "emails.",
        ".value",
        "emails[",
        "]",
        &misspelt,
        &dotted,
        "urn:x",
        "members",
    ] {
        for op in ["add", "remove", "replace"] {
            let operation = json!({"op": op, "path": path, "value": {"value": "x"}});
            assert_eq!(refused(mails(), operation), ScimType::InvalidPath, "{op} {path}");
        }
    }
}

/// RFC 7644 table 9: a filter that asks for what cannot be compared.
#[test]
fn a_path_with_an_unfit_filter_is_refused() {
    for path in ["emails[nope eq \"x\"]", "emails[primary gt true]", "emails[type eq 5].value"] {
        let operation = json!({"op": "replace", "path": path, "value": "x"});
        assert_eq!(refused(mails(), operation), ScimType::InvalidFilter, "{path}");
    }
}

#[test]
fn add_and_replace_need_a_value() {
    for op in ["add", "replace"] {
        assert_eq!(refused(json!({}), json!({"op": op, "path": "title"})), ScimType::InvalidValue);
        assert_eq!(refused(json!({}), json!({"op": op})), ScimType::InvalidValue);
        assert_eq!(refused(json!({}), json!({"op": op, "value": "x"})), ScimType::InvalidValue);
    }
}

/// Rows 29, 30, 33 and 45, rule 6.
#[test]
fn a_value_without_a_path_may_mix_spellings() {
    let employee = format!("{ENTERPRISE_URN}:employeeNumber");
    let manager = format!("{}:manager.value", ENTERPRISE_URN.to_uppercase());
    let value = json!({"DISPLAYNAME": "Tove", "name.givenName": "Tova", "Name.FamilyName": "Ek",
        "externalId": "e-1", employee: "4711", manager: "u-2",
        ENTERPRISE_URN: {"department": "Locks"}, "emails[type eq \"work\"].value": "t@x"});
    for op in ["add", "replace"] {
        let before = json!({ENTERPRISE_URN: {"costCenter": "7"}, "name": {"formatted": "T"}});
        let after = patch(before, json!({"op": op, "value": value}));
        let want = json!({"displayName": "Tove", "externalId": "e-1",
            "name": {"formatted": "T", "givenName": "Tova", "familyName": "Ek"},
            "emails": [{"type": "work", "value": "t@x"}],
            ENTERPRISE_URN: {"costCenter": "7", "employeeNumber": "4711", "manager": {"value": "u-2"},
                "department": "Locks"}});
        assert_eq!(after, want, "{op}");
    }
}

/// Ruling 16.
#[test]
fn unknown_keys_are_left_out_and_named() {
    let value = json!({"title": "x", "colour": "red", "name.nope": "y", "empty": null,
        ENTERPRISE_URN: {"department": "d", "nope": 1}});
    let (after, applied) = try_patch(json!({}), json!([{"op": "add", "value": value}])).unwrap();
    assert_eq!(after, json!({"title": "x", ENTERPRISE_URN: {"department": "d"}}));
    let nested = format!("{ENTERPRISE_URN}:nope");
    assert_eq!(applied.left_out, ["colour", "name.nope", &nested]);
}

/// Ruling 16.
#[test]
fn a_value_of_which_nothing_is_known_is_refused() {
    for value in
        [json!({"colour": "red"}), json!({ENTERPRISE_URN: {"nope": 1}}), json!({"nope": null})]
    {
        let operation = json!({"op": "replace", "value": value});
        assert_eq!(refused(json!({}), operation), ScimType::InvalidPath, "{value}");
    }
    let operation = json!({"op": "add", "path": ENTERPRISE_URN, "value": {"nope": 1}});
    assert_eq!(refused(json!({}), operation), ScimType::InvalidPath);
    assert_eq!(patch(json!({}), json!({"op": "replace", "value": {}})), json!({}));
}

/// Ruling 16.
#[test]
fn two_spellings_of_one_key_are_refused() {
    let urn = format!("{USER_URN}:title");
    for value in [json!({"title": "a", "TITLE": "b"}), json!({"title": "a", urn: "b"})] {
        let operation = json!({"op": "replace", "value": value});
        assert_eq!(refused(json!({}), operation), ScimType::InvalidSyntax);
    }
}

/// Ruling 10: no passwords anywhere.
#[test]
fn a_password_is_taken_and_dropped() {
    let urn = format!("{USER_URN}:password");
    for operation in [
        json!({"op": "replace", "value": {"password": "a7Qm29xv"}}),
        json!({"op": "replace", "path": "password", "value": "a7Qm29xv"}),
        json!({"op": "add", "path": urn, "value": "a7Qm29xv"}),
        json!({"op": "remove", "path": "Password"}),
    ] {
        let (after, applied) = try_patch(json!({}), json!([operation])).unwrap();
        assert_eq!((after, applied), (json!({}), Applied::default()));
    }
}

/// Rows 31 and 32.
#[test]
fn paths_with_a_urn() {
    for path in [
        format!("{ENTERPRISE_URN}:employeeNumber"),
        format!("{ENTERPRISE_URN}.employeeNumber"),
        format!("{}:EMPLOYEENUMBER", ENTERPRISE_URN.to_uppercase()),
    ] {
        let after = patch(json!({}), json!({"op": "add", "path": path, "value": "1"}));
        assert_eq!(after, json!({ENTERPRISE_URN: {"employeeNumber": "1"}}));
    }
    let path = format!("{USER_URN}:emails[type eq \"work\"].value");
    let after = patch(json!({}), json!({"op": "add", "path": path, "value": "x"}));
    assert_eq!(after, json!({"emails": [{"type": "work", "value": "x"}]}));
}

/// Rows 35, 38 and 44, rule 10.
#[test]
fn a_manager_in_every_dialect() {
    let want = json!({ENTERPRISE_URN: {"manager": {"value": "u-1"}}});
    let old = json!({ENTERPRISE_URN: {"manager": {"value": "u-0", "$ref": "https://old"}}});
    let whole = format!("{ENTERPRISE_URN}:manager");
    let value = format!("{whole}.value");
    for op in ["Add", "Replace"] {
        for before in [json!({}), old.clone()] {
            for (path, value) in [
                (&whole, json!("u-1")),
                (&whole, json!({"value": "u-1"})),
                (&whole, json!([{"$ref": null, "value": "u-1"}])),
                (&value, json!("u-1")),
            ] {
                let operation = json!({"op": op, "path": path, "value": value});
                assert_eq!(patch(before.clone(), operation.clone()), want, "{operation}");
            }
        }
    }
    let path = format!("{whole}.$ref");
    let after = patch(want, json!({"op": "add", "path": path, "value": "https://x"}));
    assert_eq!(after, json!({ENTERPRISE_URN: {"manager": {"value": "u-1", "$ref": "https://x"}}}));
}

/// Row 37.
#[test]
fn a_manager_is_cleared() {
    let path = format!("{ENTERPRISE_URN}:manager");
    for operation in [
        json!({"op": "Replace", "path": path, "value": ""}),
        json!({"op": "Add", "path": path, "value": ""}),
        json!({"op": "replace", "path": path, "value": null}),
        json!({"op": "replace", "path": path, "value": []}),
        json!({"op": "Remove", "path": path}),
        json!({"op": "remove", "path": format!("{path}.value")}),
    ] {
        let before = json!({ENTERPRISE_URN: {"manager": {"value": "u-1"}}});
        assert_eq!(patch(before, operation.clone()), json!({}), "{operation}");
    }
}

/// Row 43.
#[test]
fn a_wrapped_single_value_is_unwrapped() {
    let operation = json!({"op": "Add", "path": "title", "value": [{"$ref": null, "value": "x"}]});
    assert_eq!(patch(json!({}), operation), json!({"title": "x"}));
}

/// RFC 7644 §3.5.2.3: sub-attributes that are not given are left unchanged.
#[test]
fn a_complex_value_is_merged() {
    let before = || json!({"name": {"familyName": "Vik", "givenName": "Kari", "middleName": "M"}});
    for op in ["add", "replace"] {
        let value = json!({"familyName": "Ek", "middleName": null});
        let after = patch(before(), json!({"op": op, "path": "name", "value": value}));
        assert_eq!(after, json!({"name": {"familyName": "Ek", "givenName": "Kari"}}));
    }
    assert_eq!(patch(before(), json!({"op": "replace", "path": "name", "value": null})), json!({}));
}

#[test]
fn null_and_an_empty_list_clear() {
    for value in [json!(null), json!([])] {
        for path in ["emails", "title", "name"] {
            let before =
                json!({"emails": [{"value": "x"}], "title": "t", "name": {"formatted": "F"}});
            let mut want = before.clone();
            want.as_object_mut().unwrap().shift_remove(path);
            let operation = json!({"op": "replace", "path": path, "value": value});
            assert_eq!(patch(before, operation), want);
        }
        let add = json!({"op": "add", "path": "emails", "value": value});
        assert_eq!(patch(mails(), add), mails());
    }
}

/// RFC 7644 §3.5.2.1.
#[test]
fn add_appends_what_is_new() {
    let value = json!([{"value": "new", "type": "other"}, {"value": "K@HOME", "type": "home"}]);
    let after = patch(mails(), json!({"op": "add", "path": "emails", "value": value}));
    assert_eq!(after["emails"].as_array().unwrap().len(), 3);
    assert_eq!(after["emails"][1], json!({"value": "K@HOME", "type": "home", "display": "Home"}));
    assert_eq!(after["emails"][2], json!({"value": "new", "type": "other"}));
}

#[test]
fn add_of_what_is_there_changes_nothing() {
    for value in [mails()["emails"].clone(), json!([{"value": "k@home", "type": "home"}])] {
        let add = json!([{"op": "add", "path": "emails", "value": value}]);
        assert!(!try_patch(mails(), add).unwrap().1.changed);
    }
    let address = json!({"addresses": [{"locality": "Dock"}]});
    let add = json!([{"op": "add", "path": "addresses", "value": {"locality": "Dock"}}]);
    assert!(!try_patch(address, add).unwrap().1.changed);
}

/// RFC 7644 §3.5.2: a new primary value takes the place of the old.
#[test]
fn only_the_new_value_is_primary() {
    for (path, value) in [
        ("emails", json!([{"value": "n", "primary": true}])),
        ("emails[type eq \"home\"].primary", json!("True")),
        ("emails[type eq \"other\"]", json!({"value": "n", "primary": true})),
    ] {
        let after = patch(mails(), json!({"op": "add", "path": path, "value": value}));
        let list = after["emails"].as_array().unwrap();
        assert_eq!(list[0]["primary"], json!(false), "{path}");
        assert_eq!(list.iter().filter(|e| is_primary(e)).count(), 1);
    }
    let both = json!({"op": "replace", "path": "emails.primary", "value": true});
    assert_eq!(refused(mails(), both), ScimType::InvalidValue);
}

#[test]
fn replace_of_a_list_replaces_it() {
    let operation = json!({"op": "replace", "path": "emails", "value": [{"value": "x"}]});
    assert_eq!(patch(mails(), operation), json!({"emails": [{"value": "x"}]}));
}

/// Rows 25, 26, 27 and 41, rule 5.
#[test]
fn a_selected_value_is_set_or_created() {
    for op in ["add", "Replace"] {
        let set = |path: &str| patch(mails(), json!({"op": op, "path": path, "value": "x"}));
        assert_eq!(set("emails[type eq \"work\"].value")["emails"][0]["value"], "x");
        assert_eq!(set("emails[TYPE EQ \"WORK\"].VALUE")["emails"][0]["value"], "x");
        assert_eq!(
            set("emails[type eq \"other\"].value")["emails"][2],
            json!({"type": "other", "value": "x"})
        );
        assert_eq!(
            set("addresses[type eq \"work\"].Locality")["addresses"],
            json!([{"type": "work", "locality": "x"}])
        );
        assert_eq!(
            set("roles[primary eq \"True\"].value")["roles"],
            json!([{"primary": true, "value": "x"}])
        );
        assert_eq!(
            set("ims[type eq \"a\" and primary eq false].value")["ims"],
            json!([{"type": "a", "primary": false, "value": "x"}])
        );
    }
}

#[test]
fn a_filter_that_describes_no_value_is_no_target() {
    for path in [
        "roles[value pr].display",
        "roles[value co \"a\"]",
        "roles[not(value eq \"a\")].display",
        "roles[value eq \"a\" or value eq \"b\"].display",
        "roles[display eq null].value",
    ] {
        for op in ["add", "replace"] {
            let operation = json!({"op": op, "path": path, "value": "x"});
            let expected =
                if path.contains("null") { ScimType::NoTarget } else { ScimType::NoTarget };
            assert_eq!(refused(json!({}), operation), expected, "{path}");
        }
    }
}

/// RFC 7644 §3.5.2.3: the selected value is replaced; what the filter says stays true.
#[test]
fn a_selected_value_is_replaced_whole() {
    let at =
        |op: &str| json!({"op": op, "path": "emails[type eq \"home\"]", "value": {"value": "x"}});
    assert_eq!(patch(mails(), at("replace"))["emails"][1], json!({"type": "home", "value": "x"}));
    let merged = json!({"type": "home", "value": "x", "display": "Home"});
    assert_eq!(patch(mails(), at("add"))["emails"][1], merged);
    let null = json!({"op": "replace", "path": "emails[type eq \"home\"]", "value": null});
    assert_eq!(patch(mails(), null)["emails"].as_array().unwrap().len(), 1);
    let two = json!({"op": "replace", "path": "emails[type pr]", "value": {"value": "x"}});
    assert_eq!(patch(mails(), two)["emails"], json!([{"value": "x"}]));
    let list = json!({"op": "replace", "path": "emails[type pr]", "value": [{"value": "x"}, {"value": "y"}]});
    assert_eq!(refused(mails(), list), ScimType::InvalidValue);
}

#[test]
fn a_sub_attribute_of_a_list_means_every_value() {
    let after = patch(mails(), json!({"op": "replace", "path": "emails.display", "value": "D"}));
    assert!(after["emails"].as_array().unwrap().iter().all(|e| e["display"] == "D"));
    let after = patch(mails(), json!({"op": "remove", "path": "emails.display"}));
    assert_eq!(after["emails"][1], json!({"value": "k@home", "type": "home"}));
    let after = patch(json!({}), json!({"op": "add", "path": "emails.value", "value": "x"}));
    assert_eq!(after, json!({"emails": [{"value": "x"}]}));
}

/// S11: the ways to remove, each of a value that is there, that is not, named twice, and the last.
#[test]
fn three_dialects_remove_one_value() {
    let all = || json!({"emails": [{"value": "a"}, {"value": "b", "type": "work"}]});
    let (last, rest) =
        (json!({"emails": [{"value": "a"}]}), json!({"emails": [{"value": "b", "type": "work"}]}));
    let path = |v: &str| json!([{"op": "remove", "path": format!("emails[value eq \"{v}\"]")}]);
    let list = |v: Value| json!([{"op": "Remove", "path": "emails", "value": v}]);
    let whole = |v: Value| json!([{"op": "replace", "path": "emails", "value": v}]);
    let b = json!({"value": "b", "type": "work"});
    let table = [
        (path("a"), all(), rest.clone()),
        (path("x"), all(), all()),
        (json!([path("a")[0], path("a")[0]]), all(), rest.clone()),
        (path("a"), last.clone(), json!({})),
        (list(json!([{"value": "A", "display": "stale"}])), all(), rest.clone()),
        (list(json!([{"value": "x"}])), all(), all()),
        (list(json!([{"value": "b", "type": "home"}])), all(), all()),
        (list(json!(["a", "a"])), all(), rest.clone()),
        (list(json!("a")), last.clone(), json!({})),
        (list(json!([])), all(), all()),
        (list(json!([{}])), all(), all()),
        (whole(json!([b])), all(), rest.clone()),
        (whole(all()["emails"].clone()), all(), all()),
        (whole(json!([b, b])), all(), rest),
        (whole(json!([])), last, json!({})),
    ];
    for (operations, before, after) in table {
        let (patched, applied) = try_patch(before.clone(), operations.clone()).unwrap();
        assert_eq!(patched, after, "{operations}");
        assert_eq!(applied.changed, before != after);
    }
}

/// RFC 7644 §3.5.2.2.
#[test]
fn remove_takes_away_what_the_path_names() {
    let before = || json!({"title": "t", "name": {"givenName": "K", "familyName": "V"}});
    let at = |path: &str| patch(before(), json!({"op": "remove", "path": path}));
    assert_eq!(at("TITLE"), json!({"name": {"givenName": "K", "familyName": "V"}}));
    assert_eq!(at("name.givenName"), json!({"title": "t", "name": {"familyName": "V"}}));
    assert_eq!(at("nickName"), before());
    assert_eq!(at("emails[type eq \"work\"].value"), before());
    assert_eq!(patch(mails(), json!({"op": "remove", "path": "emails"})), json!({}));
    let sub = patch(mails(), json!({"op": "remove", "path": "emails[type eq \"home\"].display"}));
    assert_eq!(sub["emails"][1], json!({"value": "k@home", "type": "home"}));
    let emptied = json!({"roles": [{"value": "a"}]});
    assert_eq!(
        patch(emptied, json!({"op": "remove", "path": "roles[value eq \"a\"].value"})),
        json!({})
    );
    let address = json!({"addresses": [{"type": "work", "locality": "D"}, {"type": "home"}]});
    let listed = json!({"op": "remove", "path": "addresses", "value": [{"type": "work"}]});
    assert_eq!(patch(address, listed), json!({"addresses": [{"type": "home"}]}));
}

#[test]
fn what_is_required_cannot_be_removed() {
    for operation in [
        json!({"op": "remove", "path": "userName"}),
        json!({"op": "replace", "path": "userName", "value": ""}),
        json!({"op": "replace", "value": {"userName": null}}),
    ] {
        assert_eq!(refused(json!({}), operation), ScimType::InvalidValue);
    }
}

/// RFC 7643 §2.2: immutable is once.
#[test]
fn an_immutable_attribute_is_set_once() {
    let path = format!("{HR}:badge");
    let set = |value: &str| json!({"op": "replace", "path": path, "value": value});
    let one = json!({HR: {"badge": "1"}});
    assert_eq!(patch(json!({}), set("1")), one);
    assert_eq!(patch(one.clone(), set("1")), one);
    assert_eq!(refused(one.clone(), set("2")), ScimType::Mutability);
    assert_eq!(refused(one.clone(), json!({"op": "remove", "path": path})), ScimType::Mutability);
    assert_eq!(refused(one, json!({"op": "remove", "path": HR})), ScimType::Mutability);
    let keys = json!({HR: {"keys": [{"value": "k", "note": "n"}]}});
    let key = |path: &str| json!({"op": "replace", "path": format!("{HR}:keys[value eq \"k\"].{path}"), "value": "x"});
    assert_eq!(refused(keys.clone(), key("value")), ScimType::Mutability);
    assert_eq!(patch(keys, key("note")), json!({HR: {"keys": [{"value": "k", "note": "x"}]}}));
}

#[test]
fn a_list_of_simple_values() {
    let path = format!("{HR}:tags");
    let before = || json!({HR: {"tags": ["red"]}});
    let tags = |operation: Value| patch(before(), operation)[HR]["tags"].clone();
    assert_eq!(
        tags(json!({"op": "add", "path": path, "value": ["RED", "blue"]})),
        json!(["red", "blue"])
    );
    assert_eq!(tags(json!({"op": "add", "path": path, "value": "blue"})), json!(["red", "blue"]));
    assert_eq!(tags(json!({"op": "remove", "path": path, "value": ["red"]})), Value::Null);
    let at = format!("{path}[value eq \"red\"]");
    assert_eq!(tags(json!({"op": "replace", "path": at, "value": "green"})), json!(["green"]));
    assert_eq!(tags(json!({"op": "remove", "path": at})), Value::Null);
}

#[test]
fn a_whole_extension_is_merged_and_removed() {
    let before = || json!({ENTERPRISE_URN: {"department": "d", "division": "v"}});
    for op in ["add", "replace"] {
        let operation =
            json!({"op": op, "path": ENTERPRISE_URN, "value": {"department": "e", "manager": "u"}});
        let want = json!({ENTERPRISE_URN: {"department": "e", "division": "v", "manager": {"value": "u"}}});
        assert_eq!(patch(before(), operation), want);
        let wrong = json!({"op": op, "path": ENTERPRISE_URN, "value": "x"});
        assert_eq!(refused(before(), wrong), ScimType::InvalidValue);
    }
    let remove = json!({"op": "remove", "path": ENTERPRISE_URN.to_lowercase()});
    assert_eq!(patch(before(), remove), json!({}));
    assert_eq!(
        patch(before(), json!({"op": "replace", "value": {ENTERPRISE_URN: null}})),
        json!({})
    );
}

/// Ruling 16.
#[test]
fn an_unregistered_extension_is_kept_as_sent() {
    let before = || json!({FOREIGN: {"a": 1}});
    let at = |op: &str| {
        patch(before(), json!({"op": op, "path": FOREIGN.to_uppercase(), "value": {"B": [null]}}))
    };
    assert_eq!(at("add"), json!({FOREIGN: {"a": 1, "B": [null]}}));
    assert_eq!(at("replace"), json!({FOREIGN: {"B": [null]}}));
    assert_eq!(at("remove"), json!({}));
    assert_eq!(patch(json!({}), json!({"op": "add", "value": before()})), before());
    let text = json!({"op": "add", "path": FOREIGN, "value": "x"});
    assert_eq!(refused(json!({}), text), ScimType::InvalidPath);
    let text = json!({"op": "add", "value": {FOREIGN: "x"}});
    assert_eq!(refused(json!({}), text), ScimType::InvalidPath);
}

#[test]
fn unregistered_extensions_are_limited() {
    let operation =
        json!({"op": "add", "path": FOREIGN, "value": {"a": "x".repeat(MAX_FOREIGN_BYTES)}});
    assert_eq!(try_patch(json!({}), json!([operation])).unwrap_err().status, 413);
}

/// Security (c).
#[test]
fn a_list_is_limited_across_operations() {
    let add = |i: usize| json!({"op": "add", "path": "emails", "value": {"value": i.to_string()}});
    let operations = |n: usize| json!((0..n).map(add).collect::<Vec<_>>());
    assert!(try_patch(json!({}), operations(MAX_VALUES)).is_ok());
    let error = try_patch(json!({}), operations(MAX_VALUES + 1)).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
}

/// Row 42.
#[test]
fn json_in_a_text_is_a_text() {
    let text = r#"{"id":"1","value":"Cook"}"#;
    let after = patch(json!({}), json!({"op": "Add", "path": "roles", "value": [{"value": text}]}));
    assert_eq!(after, json!({"roles": [{"value": text}]}));
}

/// So that a no-op keeps `meta.version`.
#[test]
fn changed_compares_with_the_state_before() {
    let operations = json!([
        {"op": "add", "path": "title", "value": "x"},
        {"op": "remove", "path": "title"},
        {"op": "replace", "value": {"emails": mails()["emails"]}},
    ]);
    assert!(!try_patch(mails(), operations).unwrap().1.changed);
    assert!(try_patch(mails(), json!([{"op": "remove", "path": "emails"}])).unwrap().1.changed);
}

/// Entra's update of idp-behaviour.md §3.2, flag off.
#[test]
fn an_update_of_entra() {
    let department = format!("{ENTERPRISE_URN}:department");
    let operations = json!([
        {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "tove.d@tern.example"},
        {"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+46 555 0110"},
        {"op": "Replace", "path": "name.familyName", "value": "Dahlin"},
        {"op": "Add", "path": "addresses[type eq \"other\"].Formatted", "value": "Dock 4"},
        {"op": "Replace", "path": department, "value": "Locks"},
        {"op": "Replace", "path": "active", "value": "False"},
    ]);
    let want = json!({
        "emails": [{"type": "work", "value": "tove.d@tern.example"}],
        "phoneNumbers": [{"type": "mobile", "value": "+46 555 0110"}],
        "name": {"familyName": "Dahlin"},
        "addresses": [{"type": "other", "formatted": "Dock 4"}],
        ENTERPRISE_URN: {"department": "Locks"},
        "active": false,
    });
    assert_eq!(try_patch(json!({}), operations).unwrap().0, want);
}

/// Security (f) row 37: the caller drops what is half done.
#[test]
fn one_bad_operation_is_an_error() {
    let operations = json!([
        {"op": "add", "path": "title", "value": "x"},
        {"op": "add", "path": "nope", "value": "x"},
    ]);
    assert!(try_patch(json!({}), operations).is_err());
}
