use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::scim::ScimType;
use crate::scim::schema::{ENTERPRISE_URN, STATUS_URN, USER_URN, parse_extension};

const HR: &str = "urn:acme:params:scim:schemas:extension:hr:2.0:User";
const FOREIGN: &str = "urn:x:y:2.0:User";

fn schema() -> ResourceSchema {
    let hr = json!({"id": HR, "attributes": [
        {"name": "badge", "type": "string", "returned": "always"},
        {"name": "pin", "type": "string", "returned": "never"},
        {"name": "salary", "type": "integer", "returned": "request"},
        {"name": "desk", "type": "complex", "subAttributes": [
            {"name": "floor", "type": "string", "returned": "always"},
            {"name": "seat", "type": "string"},
            {"name": "key", "type": "string", "returned": "request"},
        ]},
    ]});
    ResourceSchema::user([Arc::new(parse_extension(hr).unwrap())])
}

fn whole() -> Value {
    json!({
        "schemas": [USER_URN, ENTERPRISE_URN],
        "id": "1",
        "externalId": "e",
        "userName": "kari",
        "name": {"givenName": "Kari", "familyName": "Vik"},
        "emails": [{"value": "a@tern.example", "type": "work"}, {"value": "b@tern.example"}],
        ENTERPRISE_URN: {"department": "Locks", "manager": {"value": "9", "displayName": "Bo"}},
        FOREIGN: {"Any": 1, "other": 2},
        "meta": {"resourceType": "User", "version": "W/\"1\""},
    })
}

fn names(list: &[&str]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.iter().map(|&n| n.to_owned()).collect())
}

fn project(attributes: &[&str], excluded: &[&str], resource: Value) -> Value {
    let (attributes, excluded) = (names(attributes), names(excluded));
    let schema = schema();
    let projection = Projection::new(&schema, attributes.as_deref(), excluded.as_deref()).unwrap();
    let Value::Object(mut map) = resource else { panic!("an object") };
    projection.apply(&schema, &mut map);
    Value::Object(map)
}

/// The keys beside `schemas` and `id`, which every answer has.
fn only(attributes: &[&str]) -> Value {
    rest(project(attributes, &[], whole()))
}

fn without(excluded: &[&str]) -> Value {
    rest(project(&[], excluded, whole()))
}

fn rest(mut shown: Value) -> Value {
    let map = shown.as_object_mut().unwrap();
    assert!(map.shift_remove("schemas").is_some() && map.shift_remove("id").is_some());
    shown
}

#[test]
fn nothing_asked_shows_everything() {
    assert_eq!(project(&[], &[], whole()), whole());
    assert!(Projection::new(&schema(), Some(&[]), None).unwrap().is_default());
}

/// RFC 7644 §3.9: the two are mutually exclusive.
#[test]
fn both_parameters_are_refused() {
    let names = names(&["userName"]);
    let error = Projection::new(&schema(), names.as_deref(), names.as_deref()).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
    assert!(Projection::new(&schema(), names.as_deref(), Some(&[])).is_ok());
}

#[test]
fn names_are_split_at_commas() {
    assert_eq!(
        split_names(" userName,, name.givenName ,").unwrap(),
        ["userName", "name.givenName"]
    );
    assert!(split_names("").unwrap().is_empty());
    assert!(split_names(&"a,".repeat(MAX_NAMES)).is_ok());
    assert!(split_names(&"a,".repeat(MAX_NAMES + 1)).is_err());
}

#[test]
fn attributes_show_what_is_named() {
    assert_eq!(only(&["USERNAME"]), json!({"userName": "kari"}));
    assert_eq!(only(&["name.familyName"]), json!({"name": {"familyName": "Vik"}}));
    assert_eq!(only(&["emails.type"]), json!({"emails": [{"type": "work"}]}));
    assert_eq!(only(&["emails.display"]), json!({}));
    assert_eq!(only(&["nope", "password", "id", "schemas"]), json!({}));
    let named_twice = only(&["name.givenName", "name"]);
    assert_eq!(named_twice, json!({"name": {"givenName": "Kari", "familyName": "Vik"}}));
}

/// RFC 7644 §3.10: a name may carry its URN; facets compare without case.
#[test]
fn attributes_may_carry_their_urn() {
    assert_eq!(only(&[&format!("{USER_URN}:userName")]), json!({"userName": "kari"}));
    let department = format!("{}:DEPARTMENT", ENTERPRISE_URN.to_uppercase());
    assert_eq!(only(&[&department]), json!({ENTERPRISE_URN: {"department": "Locks"}}));
    let manager = format!("{ENTERPRISE_URN}:manager.value");
    assert_eq!(only(&[&manager]), json!({ENTERPRISE_URN: {"manager": {"value": "9"}}}));
    let all = only(&[ENTERPRISE_URN]);
    assert_eq!(all, json!({ENTERPRISE_URN: whole()[ENTERPRISE_URN]}));
    let core = only(&[USER_URN]);
    let keys: Vec<_> = core.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["userName", "name", "emails"]);
}

#[test]
fn excluded_attributes_hide_what_is_named() {
    let shown = without(&["meta", "emails.value", "name.givenName", "nope", ENTERPRISE_URN]);
    assert_eq!(
        shown,
        json!({
            "externalId": "e", "userName": "kari", "name": {"familyName": "Vik"},
            "emails": [{"type": "work"}], FOREIGN: {"Any": 1, "other": 2},
        })
    );
    let emptied = [format!("{ENTERPRISE_URN}:department"), format!("{ENTERPRISE_URN}:manager")];
    let shown = without(&[&emptied[0], &emptied[1]]);
    assert!(shown.get(ENTERPRISE_URN).is_none());
    assert_eq!(without(&[USER_URN]).get("userName"), None);
}

/// Hostile input 32: what is always returned cannot be left out.
#[test]
fn id_and_schemas_cannot_be_excluded() {
    let shown = project(&[], &["id", "schemas"], whole());
    assert_eq!(shown, whole());
}

/// Ruling 16: an unregistered extension is shown as it was sent.
#[test]
fn an_unregistered_extension_obeys_its_urn() {
    assert_eq!(only(&["userName"]), json!({"userName": "kari"}));
    assert_eq!(only(&["URN:x:Y:2.0:User"]), json!({FOREIGN: {"Any": 1, "other": 2}}));
    assert_eq!(only(&[&format!("{FOREIGN}:any")]), json!({FOREIGN: {"Any": 1}}));
    assert_eq!(only(&[&format!("{FOREIGN}Group")]), json!({}));
    assert_eq!(without(&[FOREIGN]).get(FOREIGN), None);
    assert_eq!(without(&[&format!("{FOREIGN}:any")])[FOREIGN], json!({"other": 2}));
    assert_eq!(without(&["userName"])[FOREIGN], json!({"Any": 1, "other": 2}));
}

/// RFC 7643 §7 `returned`, on attributes and on sub-attributes.
#[test]
fn returned_is_obeyed() {
    let resource = || {
        json!({"id": "1", "schemas": [], HR: {"badge": "b", "pin": "p", "salary": 1,
            "desk": {"floor": "2", "seat": "s", "key": "k"}}})
    };
    let shown = |attributes: &[&str], excluded: &[&str]| {
        let urns = |names: &[&str]| names.iter().map(|n| format!("{HR}{n}")).collect::<Vec<_>>();
        let (attributes, excluded) = (urns(attributes), urns(excluded));
        let a: Vec<_> = attributes.iter().map(String::as_str).collect();
        let e: Vec<_> = excluded.iter().map(String::as_str).collect();
        project(&a, &e, resource())[HR].clone()
    };
    let default = json!({"badge": "b", "desk": {"floor": "2", "seat": "s"}});
    assert_eq!(shown(&[], &[]), default);
    let whole = json!({"badge": "b", "salary": 1, "desk": {"floor": "2", "seat": "s"}});
    assert_eq!(shown(&[""], &[]), whole);
    assert_eq!(shown(&[":salary", ":pin"], &[]), json!({"badge": "b", "salary": 1}));
    let key = json!({"badge": "b", "desk": {"floor": "2", "key": "k"}});
    assert_eq!(shown(&[":desk.key"], &[]), key);
    assert_eq!(shown(&[], &[""]), json!({"badge": "b"}));
    let no_seat = json!({"badge": "b", "desk": {"floor": "2"}});
    assert_eq!(shown(&[], &[":badge", ":desk.seat", ":desk.floor"]), no_seat);
}

#[test]
fn what_is_not_wanted_need_not_be_read() {
    let wants = |attributes: &[&str], excluded: &[&str], name: &str| {
        let (attributes, excluded) = (names(attributes), names(excluded));
        let projection =
            Projection::new(&schema(), attributes.as_deref(), excluded.as_deref()).unwrap();
        projection.wants(name)
    };
    assert!(wants(&[], &[], "groups"));
    assert!(!wants(&["userName"], &[], "groups"));
    assert!(wants(&["groups.value"], &[], "groups"));
    assert!(wants(&[USER_URN], &[], "groups"));
    assert!(!wants(&[], &["groups"], "groups"));
    assert!(wants(&[], &["groups.display"], "groups"));
    assert!(wants(&[&format!("{STATUS_URN}:status")], &[], STATUS_URN));
    assert!(!wants(&["userName"], &[], STATUS_URN));
    assert!(!wants(&[], &[STATUS_URN], STATUS_URN));
    assert!(wants(&[], &[ENTERPRISE_URN], STATUS_URN));
}
