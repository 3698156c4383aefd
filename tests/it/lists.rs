//! Lists, filters, sorting, index and cursor pages, `.search` (RFC 7644 §3.4, RFC 9865).
//!
//! One fact a test. That a filter gives the same in SQL and in memory is proved elsewhere.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::company::{Answer, Company, ENTERPRISE, SEARCH_REQUEST, USER};
use crate::replay::encode;
use crate::server::on_both_databases;

/// Ada (Locks, Pilot), bo (Locks, inactive), Cy (Quay); made in that order.
fn crew(company: &Company) {
    let people = [
        json!({"userName": "Ada", "displayName": "Ada Ek", "title": "Pilot", "externalId": "1",
            "active": true,
            "emails": [{"value": "ada@tern.example", "type": "work"}, {"value": "ada@home.example",
                "type": "home"}],
            ENTERPRISE: {"department": "Locks"}}),
        json!({"userName": "bo", "displayName": "bo Ask", "active": false,
            "emails": [{"value": "bo@tern.example", "type": "work"}],
                ENTERPRISE: {"department": "Locks"}}),
        json!({"userName": "Cy", "name": {"familyName": "Alm"},
            ENTERPRISE: {"department": "Quay"}}),
    ];
    for person in people {
        company.post("/Users", &person).expect(201);
    }
}

/// The names that a filter finds, in the order of the list.
#[track_caller]
fn found(company: &Company, filter: &str) -> Vec<String> {
    company.filter("/Users", filter, "").expect(200).each("userName")
}

/// A search request.
fn search(company: &Company, path: &str, mut body: Value) -> Answer {
    body["schemas"] = json!([SEARCH_REQUEST]);
    company.post(path, &body)
}

/// Walks a list by cursor; `between` runs after each page.
fn walk(company: &Company, count: usize, mut between: impl FnMut(usize)) -> Vec<String> {
    let mut names = Vec::new();
    let mut page = company.get(&format!("/Users?cursor&count={count}")).expect(200);
    for step in 0..1_000 {
        names.extend(page.each("userName"));
        between(step);
        let Some(next) = page["nextCursor"].as_str() else { return names };
        page = company.get(&format!("/Users?cursor={}&count={count}", encode(next))).expect(200);
    }
    panic!("the walk does not end");
}

on_both_databases! {
    /// Rule 1: nobody found is no error.
    fn an_empty_list(server: &TestServer) {
        let list = server.acme().get("/Users").expect(200);
        let want = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": 0,
            "startIndex": 1, "itemsPerPage": 0, "Resources": []});
        assert_eq!(list.json, want);
    }

    fn filters_by_every_operator(server: &TestServer) {
        let acme = server.acme();
        crew(acme);
        for (filter, want) in [
            ("userName eq \"ADA\"", &["Ada"][..]),
            ("userName ne \"ada\"", &["bo", "Cy"]),
            ("displayName co \"AS\"", &["bo"]),
            ("displayName sw \"ada\"", &["Ada"]),
            ("displayName ew \"ek\"", &["Ada"]),
            ("userName gt \"ada\"", &["bo", "Cy"]),
            ("userName ge \"bo\"", &["bo", "Cy"]),
            ("userName lt \"bo\"", &["Ada"]),
            ("userName le \"BO\"", &["Ada", "bo"]),
            ("title pr", &["Ada"]),
            ("not (title pr)", &["bo", "Cy"]),
            ("active eq false", &["bo"]),
            ("active eq \"False\"", &["bo"]),
            ("externalId eq \"1\"", &["Ada"]),
            ("name.familyName eq \"alm\"", &["Cy"]),
            ("emails.value co \"home\"", &["Ada"]),
            ("emails[type eq \"work\" and value sw \"bo\"]", &["bo"]),
            ("emails[type eq \"home\"].value eq \"ada@home.example\"", &["Ada"]),
            ("emails[type eq \"home\" and value sw \"bo\"]", &[]),
            ("title eq \"Pilot\" or active eq false", &["Ada", "bo"]),
            (
                "userName pr and (title pr or active eq false) and not (userName eq \"bo\")",
                &["Ada"],
            ),
            ("meta.resourceType eq \"User\" and userName sw \"c\"", &["Cy"]),
            ("meta.created gt \"2020-01-01T00:00:00Z\" and userName eq \"cy\"", &["Cy"]),
            ("meta.lastModified lt \"2020-01-01T00:00:00Z\"", &[]),
        ] {
            assert_eq!(found(acme, filter), want, "{filter}");
        }
    }

    fn filters_by_urn(server: &TestServer) {
        let acme = server.acme();
        crew(acme);
        assert_eq!(found(acme, &format!("{ENTERPRISE}:department eq \"locks\"")), ["Ada", "bo"]);
        assert_eq!(found(acme, &format!("{USER}:userName eq \"cy\"")), ["Cy"]);
        assert_eq!(
            found(acme, &format!("{}:DEPARTMENT sw \"q\"", ENTERPRISE.to_uppercase())),
            ["Cy"]
        );
    }

    /// RFC 7643 §2.2: `id` and `externalId` are case-exact.
    fn case_counts_where_the_schema_says_so(server: &TestServer) {
        let acme = server.acme();
        let id =
            acme.post("/Users", &json!({"userName": "ada", "externalId": "Xy"})).expect(201).id();
        assert_eq!(found(acme, &format!("id eq \"{id}\"")), ["ada"]);
        assert_eq!(found(acme, "externalId eq \"Xy\""), ["ada"]);
        assert_eq!(found(acme, "externalId eq \"xy\""), Vec::<String>::new());
    }

    /// Case beyond ASCII.
    fn case_is_unicode(server: &TestServer) {
        let acme = server.acme();
        acme.user("Åsa@tern.example");
        assert_eq!(found(acme, "userName eq \"ÅSA@TERN.EXAMPLE\""), ["Åsa@tern.example"]);
        acme.post("/Users", &json!({"userName": "åsa@tern.example"})).refused(409, "uniqueness");
    }

    fn quotes_in_a_filter(server: &TestServer) {
        let acme = server.acme();
        acme.user("o'hara \"the pilot\"");
        assert_eq!(
            found(acme, "userName eq \"O'Hara \\\"the pilot\\\"\""),
            ["o'hara \"the pilot\""]
        );
    }

    /// RFC 7644 §3.4.2.3.
    fn sorted_ascending_and_descending(server: &TestServer) {
        let acme = server.acme();
        crew(acme);
        let names = |query: &str| acme.get(&format!("/Users?{query}")).expect(200).each("userName");
        assert_eq!(names("sortBy=userName"), ["Ada", "bo", "Cy"]);
        assert_eq!(names("sortBy=userName&sortOrder=descending"), ["Cy", "bo", "Ada"]);
        assert_eq!(names("sortBy=USERNAME&sortOrder=ascending"), ["Ada", "bo", "Cy"]);
        assert_eq!(names("sortBy=meta.created&sortOrder=descending"), ["Cy", "bo", "Ada"]);
        assert_eq!(names(&format!("sortBy={ENTERPRISE}:department&sortOrder=descending"))[0], "Cy");
    }

    /// RFC 7644 §3.4.2.3: without a value last ascending, first descending.
    fn resources_without_a_value_sort_last(server: &TestServer) {
        let acme = server.acme();
        crew(acme);
        let names = |query: &str| acme.get(&format!("/Users?{query}")).expect(200).each("userName");
        assert_eq!(names("sortBy=title")[0], "Ada");
        assert_eq!(names("sortBy=title&sortOrder=descending")[2], "Ada");
    }

    /// The same order at every call.
    fn index_pages_do_not_overlap(server: &TestServer) {
        let acme = server.acme();
        for i in 0..25 {
            acme.user(&format!("u{i:02}"));
        }
        let mut names = Vec::new();
        for start in [1, 11, 21, 31] {
            let page = acme.get(&format!("/Users?startIndex={start}&count=10")).expect(200);
            assert_eq!((page.total(), &page["startIndex"]), (25, &json!(start)));
            assert_eq!(page["itemsPerPage"], page.resources().len());
            names.extend(page.each("userName"));
        }
        let want: Vec<String> = (0..25).map(|i| format!("u{i:02}")).collect();
        assert_eq!(names, want);
    }

    /// Row 56, to the letter.
    fn row_56_a_page_past_the_end_of_two_users(server: &TestServer) {
        let acme = server.acme();
        acme.user("ada");
        acme.user("bo");
        let page = acme.get("/Users?startIndex=101&count=100").expect(200);
        assert_eq!(
            (page.total(), &page["itemsPerPage"], page.resources().len()),
            (2, &json!(0), 0)
        );
    }

    /// RFC 7644 §3.4.2.4.
    fn count_zero_only_counts(server: &TestServer) {
        let acme = server.acme();
        crew(acme);
        let page = acme.get("/Users?count=0").expect(200);
        assert_eq!(
            (page.total(), &page["itemsPerPage"], page.resources().len()),
            (3, &json!(0), 0)
        );
    }

    /// 100 by default, 500 at most, silently lowered.
    fn the_page_size_has_a_limit(server: &TestServer) {
        let acme = server.acme();
        let operations: Vec<Value> = (0..500)
            .map(|i| {
                json!({"method": "POST", "path": "/Users", "bulkId": format!("b{i}"),
                "data": {"userName": format!("u{i}")}})
            })
            .collect();
        let body = json!({"schemas": [crate::company::BULK_REQUEST], "Operations": operations});
        acme.post("/Bulk", &body).expect(200);
        acme.user("one more");
        let sizes = ["", "?count=500", "?count=501", "?count=100000"]
            .map(|query| acme.get(&format!("/Users{query}")).expect(200).resources().len());
        assert_eq!(sizes, [100, 500, 500, 500]);
        assert_eq!(acme.get("/Users").expect(200).total(), 501);
    }

    /// RFC 9865 §2.
    fn a_cursor_walk_finds_everybody_once(server: &TestServer) {
        let acme = server.acme();
        for i in 0..25 {
            acme.user(&format!("u{i:02}"));
        }
        let names = walk(acme, 10, |_| ());
        assert_eq!(names.len(), 25);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), 25);
    }

    /// RFC 9865 §2: the total, the page, and a cursor only where more follows.
    fn a_cursor_page(server: &TestServer) {
        let acme = server.acme();
        crew(acme);
        let first = acme.get("/Users?cursor&count=2").expect(200);
        assert_eq!(
            (first.total(), first.resources().len(), &first["itemsPerPage"]),
            (3, 2, &json!(2))
        );
        let next = first["nextCursor"].as_str().unwrap();
        let last = acme.get(&format!("/Users?cursor={}&count=2", encode(next))).expect(200);
        assert_eq!((last.resources().len(), &last["nextCursor"]), (1, &Value::Null));
    }

    /// Whom nobody touched is found exactly once.
    fn a_cursor_walk_while_others_write(server: &TestServer) {
        let acme = server.acme();
        let ids: Vec<String> = (0..40).map(|i| acme.user(&format!("u{i:02}"))).collect();
        let names = walk(acme, 7, |step| {
            acme.user(&format!("new{step}"));
            if let Some(id) = ids.get(step * 3) {
                acme.delete(&format!("/Users/{id}")).expect(204);
            }
        });
        let seen: HashSet<&String> = names.iter().collect();
        assert_eq!(seen.len(), names.len(), "somebody was found twice");
        for i in (0..40).filter(|i| i % 3 != 0) {
            assert!(seen.contains(&format!("u{i:02}")), "u{i:02} was not found: {names:?}");
        }
    }

    fn a_cursor_walk_with_filter_and_sort(server: &TestServer) {
        let acme = server.acme();
        crew(acme);
        let query = format!(
            "filter={}&sortBy=userName&sortOrder=descending&count=1",
            encode("userName ne \"bo\"")
        );
        let first = acme.get(&format!("/Users?cursor&{query}")).expect(200);
        let next = encode(first["nextCursor"].as_str().unwrap());
        let second = acme.get(&format!("/Users?cursor={next}&{query}")).expect(200);
        assert_eq!([first.each("userName"), second.each("userName")].concat(), ["Cy", "Ada"]);
    }

    /// RFC 7644 §3.4.3.
    fn search_users(server: &TestServer) {
        let acme = server.acme();
        crew(acme);
        let answer = search(
            acme,
            "/Users/.search",
            json!({"filter": "userName ne \"bo\"", "sortBy": "userName",
            "sortOrder": "descending", "startIndex": 1, "count": 1, "attributes": ["userName"]}),
        );
        let answer = answer.expect(200);
        assert_eq!((answer.total(), answer.each("userName")), (2, vec!["Cy".to_owned()]));
        assert!(answer.resources()[0]["meta"].is_null(), "{}", answer.reply);
    }

    fn search_groups(server: &TestServer) {
        let acme = server.acme();
        let ada = acme.user("ada");
        acme.group("Harbour", &[&ada]);
        acme.group("Quay", &[]);
        let body = json!({"filter": "displayName sw \"h\"", "excludedAttributes": ["members"]});
        let answer = search(acme, "/Groups/.search", body).expect(200);
        assert_eq!(answer.each("displayName"), ["Harbour"]);
        assert!(answer.resources()[0]["members"].is_null(), "{}", answer.reply);
    }

    /// RFC 7644 §3.4.3: at the root, over all resource types.
    fn search_everything(server: &TestServer) {
        let acme = server.acme();
        crew(acme);
        acme.group("Ada's crew", &[]);
        let answer =
            search(acme, "/.search", json!({"filter": "displayName sw \"ada\""})).expect(200);
        let kinds: HashSet<_> = answer
            .resources()
            .iter()
            .map(|r| r["meta"]["resourceType"].as_str().unwrap())
            .collect();
        assert_eq!((answer.total(), kinds), (2, HashSet::from(["User", "Group"])));
        assert_eq!(search(acme, "/.search", json!({})).expect(200).total(), 4);
    }

    fn search_by_cursor(server: &TestServer) {
        let acme = server.acme();
        crew(acme);
        let first = search(acme, "/Users/.search", json!({"cursor": "", "count": 2})).expect(200);
        let next = first["nextCursor"].as_str().unwrap();
        let last = search(acme, "/Users/.search", json!({"cursor": next, "count": 2})).expect(200);
        assert_eq!(last.each("userName"), ["Cy"]);
    }

    fn a_search_is_no_get(server: &TestServer) {
        for path in ["/.search", "/Users/.search", "/Groups/.search"] {
            server.acme().get(path).fails(405);
        }
    }

    /// RFC 7644 §3.9 in lists.
    fn attributes_in_a_list(server: &TestServer) {
        let acme = server.acme();
        crew(acme);
        let list = acme.get("/Users?attributes=userName,emails.value").expect(200);
        let ada = &list.resources()[0];
        assert_eq!(
            ada["emails"],
            json!([{"value": "ada@tern.example"}, {"value": "ada@home.example"}])
        );
        assert!(ada["title"].is_null() && ada["meta"].is_null() && ada["id"].is_string(), "{ada}");
    }

    fn the_list_shows_what_the_resource_shows(server: &TestServer) {
        let acme = server.acme();
        crew(acme);
        for listed in acme.get("/Users").expect(200).resources() {
            let id = listed["id"].as_str().unwrap();
            assert_eq!(listed, &acme.get(&format!("/Users/{id}")).expect(200).json);
        }
    }

    /// What a user shows of a group is what the group says now, page after page.
    fn a_page_names_groups_as_they_are_named_now(server: &TestServer) {
        let acme = server.acme();
        let users = ["one", "two", "three"].map(|name| acme.user(&format!("{name}@tern.example")));
        let crew = acme.group("Crew", &[&users[0], &users[1]]);
        let deck = acme.group("Deck", &[&users[1], &users[2]]);
        let shown = || {
            let page = acme.get("/Users?attributes=groups").expect(200);
            let users = page.resources();
            let names = |user: &Value| -> Vec<String> {
                let groups = user["groups"].as_array().into_iter().flatten();
                groups.map(|group| group["display"].as_str().unwrap().to_owned()).collect()
            };
            for user in users {
                let path = format!("/Users/{}?attributes=groups", user["id"].as_str().unwrap());
                assert_eq!(acme.get(&path).expect(200)["groups"], user["groups"]);
            }
            users.iter().map(|user| names(user).join("+")).collect::<Vec<_>>()
        };
        let rename = |group: &str, name: &str| {
            let operations = json!([{"op": "replace", "path": "displayName", "value": name}]);
            acme.patch(&format!("/Groups/{group}"), &operations).expect(204);
        };
        assert_eq!(shown(), ["Crew", "Crew+Deck", "Deck"]);
        rename(&crew, "Deckhands");
        assert_eq!(shown(), ["Deckhands", "Deckhands+Deck", "Deck"]);
        rename(&crew, "deckhands");
        rename(&deck, "Deck 2");
        assert_eq!(shown(), ["deckhands", "deckhands+Deck 2", "Deck 2"]);
        // One that lies in another from now on shows that one too.
        let all = acme.group("All", &[]);
        acme.patch(&format!("/Groups/{all}"), &json!([{"op": "add", "path": "members", "value": [{"value": crew}]}]))
            .expect(204);
        assert_eq!(shown(), ["deckhands+All", "deckhands+Deck 2+All", "Deck 2"]);
        rename(&all, "Everybody");
        assert_eq!(shown(), ["deckhands+Everybody", "deckhands+Deck 2+Everybody", "Deck 2"]);
        acme.delete(&format!("/Groups/{crew}")).expect(204);
        assert_eq!(shown(), ["", "Deck 2", "Deck 2"]);
    }
}
