use super::*;

const USERS: &str = "/Users";

fn request(body: Value) -> ScimResult<BulkRequest> {
    let Value::Object(map) = body else { panic!("an object") };
    parse(map)
}

fn one(operation: Value) -> Result<BulkOperation, Refused> {
    let body = Map::from_iter([("Operations".to_owned(), Value::Array(vec![operation]))]);
    parse(body).unwrap().operations.remove(0)
}

fn keyword(error: &ScimError) -> String {
    error.scim_type.as_ref().unwrap().to_string()
}

fn refused(operation: Value) -> String {
    keyword(&one(operation).unwrap_err().error)
}

/// RFC 7644 §3.7.3, its example of four methods.
#[test]
fn the_four_methods_are_read() {
    let parsed = request(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "failOnErrors": 1,
        "Operations": [
            {"method": "POST", "path": "/Users", "bulkId": "qwerty", "data": {"userName": "Alice"}},
            {"method": "PUT", "path": "/Users/b7", "version": "W/\"3694\"", "data": {}},
            {"method": "patch", "path": "Groups/5d", "data": {"Operations": []}},
            {"METHOD": "DELETE", "path": "/Users/e9", "data": 1, "bulkId": "kept"},
        ],
    }))
    .unwrap();
    assert_eq!(parsed.fail_on_errors, Some(1));
    let [post, put, patch, delete] = parsed.operations.as_slice() else { panic!("four") };
    let post = post.as_ref().unwrap();
    assert_eq!(post.path, BulkPath::Collection(ResourceType::User));
    assert_eq!(post.bulk_id.as_deref(), Some("qwerty"));
    let version = Precondition::Versions(vec!["3694".to_owned()]);
    assert_eq!(put.as_ref().unwrap().version, Some(version));
    let group = BulkPath::Resource(ResourceType::Group, "5d".to_owned());
    assert_eq!(patch.as_ref().unwrap().path, group);
    let delete = delete.as_ref().unwrap();
    assert_eq!((delete.data.as_ref(), delete.bulk_id.as_deref()), (None, Some("kept")));
}

#[test]
fn a_malformed_request_is_refused_as_a_whole() {
    let of = |body: Value| keyword(&request(body).unwrap_err());
    let operations = json!([{"method": "DELETE", "path": "/Users/1"}]);
    for bad in [json!({}), json!({"Operations": []}), json!({"Operations": {}})] {
        assert_eq!(of(bad), "invalidSyntax");
    }
    let foreign = json!({"schemas": ["urn:x:y:z"], "Operations": operations});
    assert_eq!(of(foreign), "invalidSyntax");
    for bad in [json!(0), json!(-1), json!(1.5), json!("1"), json!(true)] {
        assert_eq!(of(json!({"failOnErrors": bad, "Operations": operations})), "invalidValue");
    }
    assert!(request(json!({"failOnErrors": null, "Operations": operations})).is_ok());
}

/// Hostile input 43; RFC 7644 §3.7.4: the answer says which limit.
#[test]
fn too_many_operations_are_413() {
    let error = request(json!({"Operations": vec![1; MAX_OPERATIONS + 1]})).unwrap_err();
    assert_eq!(error.status, 413);
    assert!(error.detail.contains("maxOperations (500)"));
    assert!(request(json!({"Operations": vec![1; MAX_OPERATIONS]})).is_ok());
}

/// Hostile input 43: no path leads elsewhere.
#[test]
fn a_path_outside_users_and_groups_is_refused() {
    for path in [
        "../../admin",
        "/Bulk",
        "/",
        "",
        "/Users/",
        "/Users/1/x",
        "/Users/../Groups/1",
        "//Users/1",
        "/users/1",
        "/Users?x",
        "/Users/1?attributes=id",
        "https://id.tern.example/Users/1",
    ] {
        assert_eq!(refused(json!({"method": "DELETE", "path": path})), "invalidValue", "{path}");
    }
    let post = |path: &str| json!({"method": "POST", "path": path, "bulkId": "a", "data": {}});
    assert_eq!(refused(post("/Users/1")), "invalidValue");
    assert_eq!(refused(json!({"method": "PUT", "path": USERS, "data": {}})), "invalidValue");
    assert!(one(json!({"method": "DELETE", "path": "/Users/bulkId:a/b"})).is_ok());
}

#[test]
fn a_malformed_operation_is_its_own_error() {
    for bad in [json!(1), json!({}), json!({"method": "GET", "path": USERS}), json!({"method": 1})]
    {
        assert_eq!(refused(bad), "invalidSyntax");
    }
    let post = json!({"method": "POST", "path": USERS});
    let with = |members: Value| {
        let mut operation = post.clone();
        let map = operation.as_object_mut().unwrap();
        map.extend(members.as_object().unwrap().clone());
        refused(operation)
    };
    assert_eq!(with(json!({"bulkId": "a"})), "invalidValue");
    assert_eq!(with(json!({"bulkId": "a", "data": []})), "invalidSyntax");
    assert_eq!(with(json!({"bulkId": "", "data": {}})), "invalidValue");
    assert_eq!(with(json!({"data": {}})), "invalidValue");
    assert_eq!(with(json!({"bulkId": "a", "BULKID": "a", "data": {}})), "invalidSyntax");
    let version = json!({"method": "DELETE", "path": "/Users/1", "version": "1"});
    assert_eq!(refused(version), "invalidValue");
}

#[test]
fn a_refused_operation_is_named_in_the_response() {
    let known = one(json!({"method": "post", "path": "/Users", "bulkId": "a"})).unwrap_err();
    assert_eq!((known.method, known.bulk_id.as_deref()), (Some(Method::Post), Some("a")));
    assert_eq!(known.path, Some(BulkPath::Collection(ResourceType::User)));
}

/// RFC 7644 §3.7: a bulkId is unique within a request.
#[test]
fn the_second_post_with_a_bulk_id_is_refused() {
    let post = json!({"method": "POST", "path": USERS, "bulkId": "a", "data": {}});
    let put = json!({"method": "PUT", "path": "/Users/1", "bulkId": "a", "data": {}});
    let operations = request(json!({"Operations": [post, put, post]})).unwrap().operations;
    assert!(operations[0].is_ok() && operations[1].is_ok());
    assert_eq!(keyword(&operations[2].as_ref().unwrap_err().error), "invalidValue");
}

/// RFC 7644 §3.7.2: in members, in extensions, in values of a PATCH, in the path.
#[test]
fn references_are_found_and_resolved() {
    let mut operation = one(json!({"method": "PATCH", "path": "/Groups/bulkId:g", "data": {
        "Operations": [
            {"op": "add", "path": "members", "value": [{"value": "bulkId:a"}, {"value": "bulkId:a"}]},
            {"op": "replace", "path": "urn:x:y:z:manager", "value": "bulkId:b"},
            {"op": "replace", "path": "displayName", "value": "my bulkId:c"},
            {"op": "replace", "path": "externalId", "value": "bulkId:"},
        ],
    }}))
    .unwrap();
    assert_eq!(references(&operation), ["g", "a", "b"]);
    let mut ids =
        HashMap::from([("g", "1"), ("a", "2")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    let error = resolve(&mut operation.clone(), &ids).unwrap_err();
    assert_eq!((error.status, keyword(&error).as_str()), (409, "invalidValue"));
    assert!(error.detail.contains("bulkId:b"));
    ids.insert("b".to_owned(), "3".to_owned());
    resolve(&mut operation, &ids).unwrap();
    assert_eq!(operation.path, BulkPath::Resource(ResourceType::Group, "1".to_owned()));
    let data = operation.data.unwrap();
    assert_eq!(data["Operations"][0]["value"], json!([{"value": "2"}, {"value": "2"}]));
    assert_eq!(data["Operations"][1]["value"], "3");
    assert_eq!(data["Operations"][2]["value"], "my bulkId:c");
    assert_eq!(data["Operations"][3]["value"], "bulkId:");
}

#[test]
fn members_are_put_off() {
    let group = |members: Value| {
        let data = json!({"displayName": "bulkId:b", "Members": members});
        one(json!({"method": "POST", "path": "/Groups", "bulkId": "g", "data": data})).unwrap()
    };
    let after = |members: Value| {
        let mut operation = group(members);
        put_off_members(&mut operation, &["b".to_owned()]);
        let data = operation.data.unwrap();
        assert_eq!(data["displayName"], "bulkId:b");
        data["Members"].clone()
    };
    let list =
        json!([{"value": "1"}, {"VALUE": "bulkId:b", "type": "User"}, "bulkId:b", "bulkId:c"]);
    assert_eq!(after(list), json!([{"value": "1"}, "bulkId:c"]));
    assert_eq!(after(json!({"value": "bulkId:b"})), Value::Null);
    assert_eq!(after(json!({"value": "bulkId:c"})), json!({"value": "bulkId:c"}));
}

/// RFC 7644 §3.7.3.
#[test]
fn the_response_has_a_text_as_status_and_the_error() {
    let done = Outcome {
        method: Some(Method::Post),
        bulk_id: Some("qwerty".to_owned()),
        location: Some("https://id.tern.example/scim/v2/Users/9".to_owned()),
        version: Some("W/\"1\"".to_owned()),
        result: Ok(201),
    };
    let failed = Outcome {
        location: None,
        version: None,
        result: Err(ScimError::uniqueness("taken")),
        ..done.clone()
    };
    let want = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],
        "Operations": [
            {"location": "https://id.tern.example/scim/v2/Users/9", "method": "POST",
                "bulkId": "qwerty", "version": "W/\"1\"", "status": "201"},
            {"method": "POST", "bulkId": "qwerty", "status": "409", "response": {
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                "scimType": "uniqueness", "detail": "taken", "status": "409"}},
        ],
    });
    assert_eq!(response(&[done, failed]), want);
}
