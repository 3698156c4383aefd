//! Facts about PATCH, one a test. Rows are those of `conformance/regressions`.

mod values;

use serde_json::json;

use super::*;
use crate::scim::ScimType;
use crate::scim::resource::{self, MAX_VALUES, is_primary};
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
fn try_patch(before: Value, operations: impl Into<Value>) -> ScimResult<(Value, Applied)> {
    let schema = schema();
    let mut body = object(before);
    body.insert("userName".to_owned(), json!("kari"));
    let mut user = resource::normalise(&schema, body).unwrap().resource;
    let operations =
        parse(object(json!({"schemas": [PATCH_URN], "Operations": operations.into()})))?;
    let applied = apply(&schema, &mut user, &operations)?;
    assert_eq!(user.0.shift_remove("userName"), Some(json!("kari")));
    Ok((Value::Object(user.0), applied))
}

#[track_caller]
fn patch(before: Value, operation: Value) -> Value {
    try_patch(before, vec![operation]).unwrap().0
}

#[track_caller]
fn refused(before: Value, operation: Value) -> ScimType {
    try_patch(before, vec![operation]).unwrap_err().scim_type.unwrap()
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
        ENTERPRISE_URN: {"department": "Locks"}});
    for op in ["add", "replace"] {
        let before = json!({ENTERPRISE_URN: {"costCenter": "7"}, "name": {"formatted": "T"}});
        let after = patch(before, json!({"op": op, "value": value}));
        let want = json!({"displayName": "Tove", "externalId": "e-1",
            "name": {"formatted": "T", "givenName": "Tova", "familyName": "Ek"},
            ENTERPRISE_URN: {"costCenter": "7", "employeeNumber": "4711", "manager": {"value": "u-2"},
                "department": "Locks"}});
        assert_eq!(after, want, "{op}");
    }
}

/// Ruling 16.
#[test]
fn unknown_keys_are_left_out_and_named() {
    let value = json!({"title": "x", "colour": "red", "name.nope": "y", "empty": null, "emails[type pr].value": "x",
        ENTERPRISE_URN: {"department": "d", "nope": 1}});
    let (after, applied) = try_patch(json!({}), json!([{"op": "add", "value": value}])).unwrap();
    assert_eq!(after, json!({"title": "x", ENTERPRISE_URN: {"department": "d"}}));
    let nested = format!("{ENTERPRISE_URN}:nope");
    assert_eq!(applied.left_out, ["colour", "name.nope", "emails[type pr].value", &nested]);
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

/// Entra's update, flag off.
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

/// Security (c): the keys of a value are limited like those of a body.
#[test]
fn keys_of_a_value_are_limited() {
    let keys = |n: usize| Value::Object((0..n).map(|i| (format!("k{i}"), json!(1))).collect());
    for value in [keys(201), json!({USER_URN: keys(201)}), json!({ENTERPRISE_URN: keys(201)})] {
        let operation = json!({"op": "add", "value": value});
        assert_eq!(refused(json!({}), operation), ScimType::InvalidValue);
    }
    assert_eq!(refused(json!({}), json!({"op": "add", "value": keys(200)})), ScimType::InvalidPath);
}
