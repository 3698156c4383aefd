use serde_json::json;

use super::*;

fn query(pairs: &[(&str, &str)]) -> ScimResult<ListQuery> {
    from_query(pairs.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())))
}

fn index(pairs: &[(&str, &str)]) -> (u64, u64) {
    match query(pairs).unwrap().page {
        Page::Index { start_index, count } => (start_index, count),
        Page::Cursor { .. } => panic!("a cursor page"),
    }
}

fn keyword(result: ScimResult<ListQuery>) -> String {
    result.unwrap_err().scim_type.unwrap().to_string()
}

fn search(body: Value) -> ScimResult<ListQuery> {
    let Value::Object(map) = body else { panic!("an object") };
    from_search(map)
}

#[test]
fn nothing_asked_is_the_first_page_by_index() {
    let empty = query(&[]).unwrap();
    assert_eq!(empty.page, Page::Index { start_index: 1, count: DEFAULT_COUNT });
    assert_eq!((empty.filter.as_ref(), empty.attributes.as_ref()), (None, None));
    // OneLogin's dangling `&`, unknown and empty parameters.
    let blank = [("", ""), ("x", "1"), ("filter", ""), ("count", ""), ("attributes", " ,")];
    assert_eq!(query(&blank).unwrap(), empty);
    assert_eq!(search(json!({})).unwrap(), empty);
}

#[test]
fn names_compare_without_case() {
    let pairs = [("FILTER", "id pr"), ("sortby", "userName"), ("SORTORDER", "Descending")];
    let query = query(&pairs).unwrap();
    assert_eq!(query.filter.as_deref(), Some("id pr"));
    assert_eq!(query.sort_by.as_deref(), Some("userName"));
    assert_eq!(query.sort_order, SortOrder::Descending);
}

/// RFC 7644 §3.4.2.4; hostile inputs 28 and 30.
#[test]
fn numbers_out_of_range_are_moved_into_it() {
    assert_eq!(index(&[("startIndex", "-1"), ("count", "-3")]), (1, 0));
    assert_eq!(index(&[("startIndex", "0"), ("count", "0")]), (1, 0));
    assert_eq!(index(&[("startIndex", "101"), ("count", "1000000000")]), (101, MAX_COUNT));
}

/// Hostile input 29: beyond 64 bits, or no number.
#[test]
fn what_is_no_number_is_refused() {
    for value in ["abc", "1.5", "9223372036854775808", "-9223372036854775809", "1 2"] {
        assert_eq!(keyword(query(&[("startIndex", value)])), "invalidValue", "{value}");
        assert_eq!(keyword(query(&[("count", value)])), "invalidValue", "{value}");
    }
    for value in [json!(1.5), json!(true), json!([1]), json!(u64::MAX)] {
        assert_eq!(keyword(search(json!({"count": value}))), "invalidValue");
    }
    assert_eq!(keyword(query(&[("sortOrder", "up")])), "invalidValue");
}

#[test]
fn a_parameter_twice_is_refused() {
    assert_eq!(keyword(query(&[("count", "1"), ("Count", "2")])), "invalidValue");
    assert_eq!(keyword(query(&[("attributes", "a"), ("attributes", "b")])), "invalidValue");
}

/// RFC 9865 §2: an empty cursor asks for the first page.
#[test]
fn a_cursor_chooses_cursor_pages() {
    let page = |pairs: &[(&str, &str)]| query(pairs).unwrap().page;
    assert_eq!(page(&[("cursor", "")]), Page::Cursor { cursor: None, count: DEFAULT_COUNT });
    let next = page(&[("cursor", "ab"), ("count", "10")]);
    assert_eq!(next, Page::Cursor { cursor: Some("ab".to_owned()), count: 10 });
    assert_eq!(keyword(query(&[("cursor", ""), ("startIndex", "1")])), "invalidValue");
    for count in ["0", "-1"] {
        assert_eq!(keyword(query(&[("cursor", ""), ("count", count)])), "invalidCount");
    }
    let null = search(json!({"cursor": null, "startIndex": 2})).unwrap();
    assert_eq!(null.page, Page::Index { start_index: 2, count: DEFAULT_COUNT });
}

/// RFC 7644 §3.4.3, RFC 9865 §3.
#[test]
fn a_search_asks_the_same() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "attributes": ["displayName", " userName "], "filter": "displayName sw \"smith\"",
        "sortBy": "userName", "sortOrder": "ascending", "cursor": "", "count": 10,
    });
    let pairs = [
        ("attributes", "displayName,userName"),
        ("filter", "displayName sw \"smith\""),
        ("sortBy", "userName"),
        ("cursor", ""),
        ("count", "10"),
    ];
    assert_eq!(search(body).unwrap(), query(&pairs).unwrap());
    assert_eq!(keyword(search(json!({"schemas": ["urn:x:y:z"]}))), "invalidSyntax");
    assert_eq!(keyword(search(json!({"filter": 1}))), "invalidValue");
    assert_eq!(keyword(search(json!({"attributes": [1]}))), "invalidValue");
    assert_eq!(keyword(search(json!({"attributes": vec!["a"; 201]}))), "invalidValue");
}

#[test]
fn the_fingerprint_tells_queries_apart() {
    let of = |pairs: &[(&str, &str)], scope: &str| query(pairs).unwrap().fingerprint(scope);
    let base = of(&[("filter", "a")], "1/Users");
    assert_eq!(base, of(&[("filter", "a"), ("count", "7"), ("cursor", "x")], "1/Users"));
    assert_ne!(base, of(&[("filter", "a")], "2/Users"));
    assert_ne!(base, of(&[("filter", "b")], "1/Users"));
    assert_ne!(base, of(&[("sortBy", "a")], "1/Users"));
    assert_ne!(base, of(&[("filter", "a"), ("sortOrder", "descending")], "1/Users"));
}

/// Rows 56 and 57.
#[test]
fn an_empty_page_has_an_empty_list_and_numbers() {
    let head = ListHead { total_results: Some(2), start_index: Some(101), ..ListHead::default() };
    let body: Value = serde_json::from_str(&write(&head, &[] as &[&str])).unwrap();
    let want = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 2, "startIndex": 101, "itemsPerPage": 0, "Resources": [],
    });
    assert_eq!(body, want);
}

#[test]
fn texts_are_spliced_and_cursors_written() {
    let head = ListHead { next_cursor: Some("n\"".to_owned()), ..ListHead::default() };
    let written = write(&head, &[r#"{"id":"1"}"#.to_owned(), r#"{"id":"2"}"#.to_owned()]);
    let body: Value = serde_json::from_str(&written).unwrap();
    let want = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "itemsPerPage": 2, "nextCursor": "n\"", "Resources": [{"id": "1"}, {"id": "2"}],
    });
    assert_eq!(body, want);
}
