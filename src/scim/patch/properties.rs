//! Properties of PATCH, over random operations (I7).

use proptest::prelude::*;
use serde_json::json;

use super::tests::schema;
use super::*;
use crate::scim::members;
use crate::scim::resource::normalise;
use crate::scim::schema::ENTERPRISE_URN;

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
        prop::sample::select(vec!["True", "false", "work", "a", ""]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((path(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn path() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "userName",
        "active",
        "title",
        "name",
        "name.givenName",
        "emails",
        "emails.value",
        "value",
        "type",
        "primary",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "emails[primary eq true].primary",
        "emails[value pr].type",
        "roles[value co \"a\"]",
        "id",
        "members",
        "members[value eq \"a\"]",
        "MEMBERS",
        "password",
        "schemas",
        ENTERPRISE_URN,
        "manager",
        "urn:acme:params:scim:schemas:extension:hr:2.0:User",
        "urn:acme:params:scim:schemas:extension:hr:2.0:User:tags",
        "urn:acme:params:scim:schemas:extension:hr:2.0:User:tags[value eq \"a\"]",
        "urn:acme:params:scim:schemas:extension:hr:2.0:User:keys[value eq \"a\"].note",
        "urn:other:2.0:User",
        "$ref",
        "",
    ]);
    prop_oneof![
        6 => known.prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[a-z.:\\[\\]\" ]{0,20}",
    ]
}

fn operation() -> impl Strategy<Value = PatchOperation> {
    let op = prop::sample::select(vec![Op::Add, Op::Remove, Op::Replace]);
    (op, prop::option::of(path()), prop::option::of(json_value()))
        .prop_map(|(op, path, value)| PatchOperation { op, path, value })
}

fn before() -> Resource {
    Resource(
        json!({"userName": "a", "active": true, "emails": [{"value": "a", "type": "work", "primary": true}],
            ENTERPRISE_URN: {"manager": {"value": "b"}}})
        .as_object()
        .cloned()
        .unwrap_or_default(),
    )
}

proptest! {
    /// No body makes the reader panic.
    #[test]
    fn no_body_panics(value in json_value(), operations in json_value()) {
        let body = json!({"Operations": [{"op": "add", "value": value}, operations]});
        if let Value::Object(body) = body {
            let _ = parse(body);
        }
    }

    /// What a PATCH leaves is what a PUT of the same would store: normal, and within all limits.
    #[test]
    fn a_patched_resource_is_normal(operations in prop::collection::vec(operation(), 1..4)) {
        let schema = schema();
        let mut resource = before();
        if let Ok(applied) = apply(&schema, &mut resource, &operations) {
            prop_assert_eq!(applied.changed, resource != before());
            let again = normalise(&schema, resource.0.clone());
            prop_assert_eq!(again.map(|n| n.resource), Ok(resource));
        }
    }

    /// The same for Groups: no members are ever left in a stored Group.
    #[test]
    fn members_never_reach_the_resource(operations in prop::collection::vec(operation(), 1..4)) {
        let schema = ResourceSchema::group([]);
        let mut group = Resource(Map::from_iter([("displayName".to_owned(), json!("G"))]));
        if let Ok((rest, _, _)) = members::split(&schema, operations)
            && apply(&schema, &mut group, &rest).is_ok()
        {
            prop_assert!(!group.0.contains_key("members"));
        }
    }

    /// An operation with a path, repeated, changes nothing more. (A value without a path may name a
    /// list and its parts at once, and then the order of its keys counts.)
    #[test]
    fn twice_is_once(operation in operation(), path in path()) {
        let schema = schema();
        let mut once = before();
        let operations = [PatchOperation { path: Some(path), ..operation }];
        if operations.iter().all(|o| o.target().is_some())
            && apply(&schema, &mut once, &operations).is_ok()
        {
            let mut twice = once.clone();
            if apply(&schema, &mut twice, &operations).is_ok() {
                prop_assert_eq!(once, twice);
            }
        }
    }
}
