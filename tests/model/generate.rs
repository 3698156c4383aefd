//! Random Users and PATCH requests: mostly what real identity providers send, sometimes nonsense.
//!
//! Nothing here knows what the right outcome is.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use stagedoor::scim::schema::{ENTERPRISE_URN, STATUS_URN, USER_URN};

use crate::words::{Expression, Operation, Path};

/// URN of the custom extension.
pub const CUSTOM_URN: &str = "urn:tern:params:scim:schemas:extension:crew:2.0:User";

/// The custom extension: a list of texts, a boolean, a whole number, a text.
pub fn custom_extension() -> Value {
    json!({"id": CUSTOM_URN, "name": "Crew", "attributes": [
        {"name": "tags", "type": "string", "multiValued": true},
        {"name": "remote", "type": "boolean"},
        {"name": "level", "type": "integer"},
        {"name": "badge", "type": "string", "caseExact": true},
    ]})
}

const LISTS: [&str; 4] = ["emails", "phoneNumbers", "roles", "addresses"];

fn text() -> BoxedStrategy<Value> {
    select(vec!["a", "A", "b", "cd"]).prop_map(Value::from).boxed()
}

fn boolean() -> BoxedStrategy<Value> {
    select(vec![json!(true), json!(false), json!("True"), json!("false")]).boxed()
}

fn number() -> BoxedStrategy<Value> {
    (-2..3_i64).prop_map(Value::from).boxed()
}

/// Values that are seldom right.
fn odd() -> BoxedStrategy<Value> {
    select(vec![
        json!(null),
        json!([]),
        json!(""),
        json!({}),
        json!(7),
        json!(true),
        json!("banana"),
        json!(["a"]),
        json!(["a", "b"]),
        json!([["a"]]),
        json!({"nope": 1}),
        json!({"value": "x"}),
        json!([{"$ref": null, "value": "x"}]),
        json!({"value": null}),
    ])
    .boxed()
}

fn mostly(right: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop_oneof![9 => right, 1 => odd()].boxed()
}

/// An object with some of these members.
fn object(members: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let (names, values): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    let values: Vec<_> = values.into_iter().map(proptest::option::of).collect();
    values
        .prop_map(move |values| {
            let present = names.iter().zip(values).filter_map(|(n, v)| Some(((*n).to_owned(), v?)));
            Value::Object(present.collect())
        })
        .boxed()
}

fn kind() -> BoxedStrategy<Value> {
    select(vec!["work", "home", "Work"]).prop_map(Value::from).boxed()
}

fn entry(list: &'static str) -> BoxedStrategy<Value> {
    if list == "addresses" {
        object(vec![("type", kind()), ("locality", text()), ("primary", boolean())])
    } else {
        object(vec![
            ("value", text()),
            ("type", kind()),
            ("display", text()),
            ("primary", boolean()),
        ])
    }
}

fn entries(list: &'static str) -> BoxedStrategy<Value> {
    prop_oneof![
        3 => proptest::collection::vec(entry(list), 0..3).prop_map(Value::from),
        1 => entry(list),
    ]
    .boxed()
}

fn name() -> BoxedStrategy<Value> {
    let part = || prop_oneof![6 => text(), 1 => Just(Value::Null)].boxed();
    object(vec![("givenName", part()), ("familyName", part()), ("FORMATTED", part())])
}

fn manager() -> BoxedStrategy<Value> {
    prop_oneof![
        2 => object(vec![("value", text()), ("$ref", text()), ("displayName", text())]),
        1 => text(),
        1 => Just(json!([{"$ref": null, "value": "u-1"}])),
        1 => Just(json!("")),
    ]
    .boxed()
}

fn tags() -> BoxedStrategy<Value> {
    prop_oneof![proptest::collection::vec(text(), 0..3).prop_map(Value::from), text()].boxed()
}

fn enterprise() -> BoxedStrategy<Value> {
    let department = prop_oneof![4 => text(), 1 => Just(Value::Null)].boxed();
    object(vec![("department", department), ("costCenter", text()), ("Manager", manager())])
}

fn custom() -> BoxedStrategy<Value> {
    object(vec![("tags", tags()), ("remote", boolean()), ("level", number()), ("badge", text())])
}

/// A User to start from; the server's own reading of a POST makes it a resource.
pub fn user() -> BoxedStrategy<Map<String, Value>> {
    let mut members = vec![
        ("displayName", text()),
        ("title", text()),
        ("externalId", text()),
        ("active", boolean()),
        ("name", name()),
        (ENTERPRISE_URN, enterprise()),
        (CUSTOM_URN, custom()),
    ];
    for list in LISTS {
        members.push((
            list,
            proptest::collection::vec(entry(list), 0..4).prop_map(one_primary).boxed(),
        ));
    }
    object(members)
        .prop_map(|value| {
            let Value::Object(mut map) = value else { return Map::new() };
            map.insert("userName".into(), "kari@tern.example".into());
            map
        })
        .boxed()
}

/// RFC 7643 §2.4: one primary value at most.
fn one_primary(mut list: Vec<Value>) -> Value {
    let mut seen = false;
    for value in &mut list {
        let primary = matches!(value["primary"].as_str(), Some("True")) || value["primary"] == true;
        if primary && seen {
            value["primary"] = json!(false);
        }
        seen |= primary;
    }
    list.into()
}

/// A name and a value that mostly fits it.
fn assignment() -> BoxedStrategy<(String, Value)> {
    let with =
        |names: Vec<String>, values: BoxedStrategy<Value>| (select(names), mostly(values)).boxed();
    let plain = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let below =
        |urn: &str, names: &[&str]| names.iter().map(|n| format!("{urn}:{n}")).collect::<Vec<_>>();
    let mut texts = plain(&["userName", "displayName", "title", "externalId", "nickName"]);
    texts.extend(plain(&["name.givenName", "name.familyName"]));
    texts.extend(below(USER_URN, &["displayName", "name.givenName"]));
    texts.extend(below(ENTERPRISE_URN, &["department", "costCenter", "manager.value"]));
    texts.push(format!("{ENTERPRISE_URN}.department"));
    texts.extend(below(CUSTOM_URN, &["badge"]));
    let mut booleans = plain(&["active"]);
    booleans.extend(below(CUSTOM_URN, &["remote"]));
    let lists = select(LISTS.to_vec())
        .prop_flat_map(|list| (Just(list.to_owned()), mostly(entries(list))))
        .boxed();
    prop_oneof![
        6 => with(texts, text()),
        3 => with(booleans, boolean()),
        1 => with(below(CUSTOM_URN, &["level"]), number()),
        2 => with(plain(&["name"]), name()),
        2 => with(below(ENTERPRISE_URN, &["manager"]), manager()),
        6 => lists,
        2 => with(below(CUSTOM_URN, &["tags"]), tags()),
        2 => with(plain(&[ENTERPRISE_URN]), enterprise()),
        1 => with(plain(&[CUSTOM_URN]), custom()),
        1 => with(read_only(), text()),
        1 => with(unknown(), text()),
        1 => with(plain(&["password"]), text()),
        1 => with(plain(&["emails.value", "roles.display", "addresses.locality"]), text()),
        1 => with(plain(&["emails.primary"]), boolean()),
    ]
    .boxed()
}

fn read_only() -> Vec<String> {
    let mut names: Vec<String> =
        ["id", "meta", "schemas", "groups", "meta.created", "groups.value"]
            .map(String::from)
            .into();
    names.push(format!("{ENTERPRISE_URN}:manager.displayName"));
    names.push(format!("{STATUS_URN}:status"));
    names
}

fn unknown() -> Vec<String> {
    let mut names: Vec<String> =
        ["nope", "name.nope", "emails.nope", "userName.value"].map(String::from).into();
    names.push(format!("{ENTERPRISE_URN}:nope"));
    names.push("urn:x:y:2.0:User:nope".into());
    names
}

/// Names compare without case (RFC 7643 §2.1).
fn any_case(name: BoxedStrategy<String>) -> BoxedStrategy<String> {
    (name, 0..8_u8)
        .prop_map(|(name, case)| match case {
            0 => name.to_uppercase(),
            1 => name.to_lowercase(),
            _ => name,
        })
        .boxed()
}

fn op(names: &'static [&'static str]) -> BoxedStrategy<String> {
    select(names)
        .prop_flat_map(|n| select(vec![n.to_owned(), n.to_uppercase(), capital(n)]))
        .boxed()
}

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

fn plain_operation() -> BoxedStrategy<Operation> {
    (op(&["add", "replace", "remove"]), assignment(), 0..8_u8)
        .prop_flat_map(|(op, (name, value), case)| {
            // What a removal's `value` means is not defined outside `members`; none is sent.
            let gone = op.eq_ignore_ascii_case("remove");
            let name = if case == 0 { any_case(Just(name).boxed()) } else { Just(name).boxed() };
            name.prop_map(move |name| Operation {
                op: op.clone(),
                path: Some(Path::Plain(name)),
                value: (!gone).then(|| value.clone()),
            })
        })
        .boxed()
}

/// An object without a path: plain, dotted and URN names side by side (rule 6).
fn pathless_operation() -> BoxedStrategy<Operation> {
    let objects = proptest::collection::vec((assignment(), 0..10_u8), 0..4)
        .prop_map(|entries| {
            let mut map: Map<String, Value> = Map::new();
            for ((name, value), case) in entries {
                let name = if case == 0 { name.to_uppercase() } else { name };
                // Two spellings of one name in one object are an ill-formed body.
                if map.keys().all(|k| !k.eq_ignore_ascii_case(&name)) {
                    map.insert(name, value);
                }
            }
            Value::Object(map)
        })
        .boxed();
    (op(&["add", "replace"]), mostly(objects))
        .prop_map(|(op, value)| Operation { op, path: None, value: Some(value) })
        .boxed()
}

fn comparison(list: &'static str) -> BoxedStrategy<Expression> {
    let part = if list == "addresses" { "locality" } else { "value" };
    let operator = || select(vec!["eq", "eq", "eq", "ne", "co", "sw", "EQ"]);
    let compare = |name: &'static str, values: BoxedStrategy<Value>| {
        (any_case(Just(name.to_owned()).boxed()), operator(), values)
            .prop_map(|(name, operator, value)| Expression::Compare(name, operator, value))
            .boxed()
    };
    let primary = (select(vec!["eq", "eq", "ne"]), boolean())
        .prop_map(|(operator, v)| Expression::Compare("primary".into(), operator, v));
    prop_oneof![
        5 => compare("type", kind()),
        3 => compare(part, text()),
        2 => primary,
        1 => select(vec!["type", "primary", part]).prop_map(|n| Expression::Present(n.into())),
    ]
    .boxed()
}

fn expression(list: &'static str) -> BoxedStrategy<Expression> {
    let two = || (comparison(list).prop_map(Box::new), comparison(list).prop_map(Box::new));
    prop_oneof![
        6 => comparison(list),
        2 => two().prop_map(|(a, b)| Expression::And(a, b)),
        1 => two().prop_map(|(a, b)| Expression::Or(a, b)),
        1 => comparison(list).prop_map(|a| Expression::Not(Box::new(a))),
        1 => (two(), comparison(list)).prop_map(|((a, b), c)| {
            let either = Expression::Or(a, b);
            Expression::And(Box::new(Expression::Not(Box::new(c))), Box::new(either))
        }),
    ]
    .boxed()
}

fn filtered_operation() -> BoxedStrategy<Operation> {
    select(LISTS.to_vec())
        .prop_flat_map(|list| {
            let part = if list == "addresses" { "locality" } else { "value" };
            let sub = |name: &'static str, values: BoxedStrategy<Value>| {
                (Just(Some(name)), mostly(values)).boxed()
            };
            let what = prop_oneof![
                4 => (Just(None), mostly(entry(list))).boxed(),
                5 => sub(part, text()),
                1 => sub("type", kind()),
                2 => sub("primary", boolean()),
                1 => sub("nope", text()),
            ];
            (op(&["add", "replace", "remove"]), expression(list), what, 0..8_u8).prop_map(
                move |(op, filter, (sub, value), case)| {
                    let cased = |n: &str| if case == 0 { n.to_uppercase() } else { n.to_owned() };
                    let gone = op.eq_ignore_ascii_case("remove");
                    let attribute = cased(list);
                    let path = Path::Filtered { attribute, filter, sub: sub.map(cased) };
                    Operation { op, path: Some(path), value: (!gone).then_some(value) }
                },
            )
        })
        .boxed()
}

/// A list of texts has `value` as its one part (RFC 7643 §2.4).
fn filtered_tags() -> BoxedStrategy<Operation> {
    (text(), select(vec!["eq", "co"]))
        .prop_map(|(value, operator)| Operation {
            op: "remove".into(),
            path: Some(Path::Filtered {
                attribute: format!("{CUSTOM_URN}:tags"),
                filter: Expression::Compare("value".into(), operator, value),
                sub: None,
            }),
            value: None,
        })
        .boxed()
}

/// What has no target or no value.
fn broken_operation() -> BoxedStrategy<Operation> {
    let without_path = Operation { op: "remove".into(), path: None, value: None };
    let without_value = |op: &str, path: &str| Operation {
        op: op.into(),
        path: Some(Path::Plain(path.into())),
        value: None,
    };
    select(vec![
        without_path,
        without_value("replace", "displayName"),
        without_value("add", "emails"),
    ])
    .boxed()
}

/// One operation of any kind.
pub fn operation() -> BoxedStrategy<Operation> {
    prop_oneof![
        30 => plain_operation(),
        15 => pathless_operation(),
        30 => filtered_operation(),
        2 => filtered_tags(),
        1 => broken_operation(),
    ]
    .boxed()
}

/// One to six requests of one to four operations.
pub fn requests() -> BoxedStrategy<Vec<Vec<Operation>>> {
    let request = prop_oneof![
        3 => proptest::collection::vec(operation(), 1..2),
        2 => proptest::collection::vec(operation(), 2..5),
    ];
    proptest::collection::vec(request, 1..7).boxed()
}

/// An operation that no server may take.
pub fn bad_operation() -> BoxedStrategy<Operation> {
    let plain = |op: &str, path: &str, value: Option<Value>| Operation {
        op: op.into(),
        path: Some(Path::Plain(path.into())),
        value,
    };
    select(vec![
        Operation { op: "remove".into(), path: None, value: None },
        plain("replace", "id", Some(json!("x"))),
        plain("Add", "groups", Some(json!([{"value": "x"}]))),
        plain("remove", "meta", None),
        plain("add", "nope", Some(json!("x"))),
        plain("Replace", "active", Some(json!("banana"))),
        plain(
            "replace",
            "emails",
            Some(json!([{"primary": true}, {"primary": true, "value": "x"}])),
        ),
        plain("move", "displayName", Some(json!("x"))),
        Operation { op: "add".into(), path: None, value: Some(json!("x")) },
        Operation { op: "replace".into(), path: None, value: Some(json!({"title": 7})) },
    ])
    .boxed()
}
