//! Facts about PATCH of lists, complex values and selected elements, one a test.

use serde_json::json;

use super::*;

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
    assert_eq!(refused(mails(), both.clone()), ScimType::InvalidValue);
    // What is said of an element afterwards does not make it the one that was meant.
    let touch = json!({"op": "add", "path": "emails[type eq \"home\"]", "value": {"display": "K"}});
    let part = "emails[type eq \"home\"].display";
    let clear = |value: Value| json!({"op": "add", "path": part, "value": value});
    for behind in [touch, clear(Value::Null), clear(json!({"value": null}))] {
        let error = try_patch(mails(), vec![both.clone(), behind]).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
    }
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
            assert_eq!(refused(json!({}), operation), ScimType::NoTarget, "{path}");
        }
    }
}

/// Sent twice, the second must not double what the first has made.
#[test]
fn a_value_that_its_own_path_does_not_select_is_not_created() {
    for path in ["emails[value eq \"old\"].value", "emails[value eq \"old\"]"] {
        let operation = json!({"op": "replace", "path": path, "value": "k@work"});
        assert_eq!(refused(mails(), operation), ScimType::NoTarget, "{path}");
    }
    let nothing = json!({"op": "replace", "path": "emails[type eq \"x\"].value", "value": null});
    assert_eq!(patch(mails(), nothing), mails());
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
    let two = json!({"roles": [{"value": "a"}, {"value": "b"}]});
    let after = patch(two, json!({"op": "replace", "path": "roles.value", "value": "x"}));
    assert_eq!(after, json!({"roles": [{"value": "x"}]}));
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
        json!({"op": "replace", "path": "userName", "value": ""}),
        json!({"op": "replace", "value": {"userName": null}}),
    ] {
        assert_eq!(refused(json!({}), operation), ScimType::InvalidValue);
    }
    // RFC 7644 §3.5.2.2.
    let removal = json!({"op": "remove", "path": "userName"});
    assert_eq!(refused(json!({}), removal), ScimType::Mutability);
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
