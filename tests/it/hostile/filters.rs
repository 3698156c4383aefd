//! Rows 22 to 32: filters, pages and attribute lists.

use serde_json::{Value, json};

use super::{Watch, people, refused_by};
use crate::company::{SEARCH_REQUEST, user};
use crate::server::{TestServer, on_both_databases};

/// Sends a filter in an address and in a search; both refuse it with `invalidFilter`, and nothing happens.
///
/// An address that is too long may be refused as such; a search is not, for it has no address.
fn filters_refused(server: &TestServer, filters: &[&str]) {
    people(server.acme());
    let watch = Watch::over(server);
    let acme = server.acme();
    for filter in filters {
        let answer = acme.filter("/Users", filter, "");
        match answer.status {
            414 | 431 => {}
            _ => drop(answer.refused(400, "invalidFilter")),
        }
        let body = json!({"schemas": [SEARCH_REQUEST], "filter": filter});
        acme.post("/Users/.search", &body).refused(400, "invalidFilter");
    }
    watch.nothing_changed();
}

on_both_databases! {
    fn f22_filter_of_ten_thousand_brackets(server: &TestServer) {
        let many = "(".repeat(10_000);
        filters_refused(server, &[&many]);
    }

    fn f22_filter_five_hundred_deep(server: &TestServer) {
        let deep = format!("{}userName pr{}", "(".repeat(500), ")".repeat(500));
        let groups = format!("{}userName pr{}", "not (".repeat(500), ")".repeat(500));
        filters_refused(server, &[&deep, &groups]);
    }

    fn f22_filter_of_a_thousand_nots(server: &TestServer) {
        let nots = format!("{}?", "not (".repeat(1_000));
        filters_refused(server, &[&nots]);
    }

    fn f22_filter_as_large_as_a_body(server: &TestServer) {
        let watch = Watch::over(server);
        for filter in [
            "(".repeat(1_000_000),
            "not (".repeat(200_000),
            "a.".repeat(500_000),
            "\"".repeat(500_000),
        ] {
            let body = json!({"schemas": [SEARCH_REQUEST], "filter": filter});
            refused_by(server.acme().post("/Users/.search", &body), &[400, 413]);
        }
        watch.nothing_changed();
    }

    fn f22_filter_at_its_limits(server: &TestServer) {
        let acme = server.acme();
        people(acme);
        let depth = |n: usize| format!("{}userName pr{}", "(".repeat(n), ")".repeat(n));
        acme.filter("/Users", &depth(19), "").expect(200);
        acme.filter("/Users", &depth(21), "").refused(400, "invalidFilter");
        let terms = |n: usize| vec!["userName pr"; n].join(" or ");
        acme.filter("/Users", &terms(100), "").expect(200);
        acme.filter("/Users", &terms(101), "").refused(400, "invalidFilter");
        let long = |n: usize| format!("userName eq \"{}\"", "a".repeat(n));
        acme.filter("/Users", &long(4_000), "").expect(200);
        acme.filter("/Users", &long(4_096), "").refused(400, "invalidFilter");
    }

    fn f23_filters_that_cannot_be_read(server: &TestServer) {
        filters_refused(
            server,
            &[
                "userName eq \"x",
                "userName eq",
                "userName xx \"x\"",
                "userName = \"x\"",
                "((userName pr)",
                "userName pr)",
                "emails[[type eq \"work\"]]",
                "emails[type eq \"work\"",
                "eq \"x\"",
                "and",
                "userName pr and",
                "userName eq 'x'",
                "userName eq \"x\" \"y\"",
                "not userName",
                "userName eq \"\\q\"",
                "nosuch eq \"x\"",
                "userName.nosuch eq \"x\"",
                "1 eq 1",
                "' OR 1=1--",
                "userName eq {}",
                "userName eq [1]",
            ],
        );
    }

    /// An empty parameter is an absent one; only a filter that says something can be refused.
    fn f23_an_empty_filter_is_no_filter(server: &TestServer) {
        let acme = server.acme();
        people(acme);
        for query in ["filter=", "filter=+", "filter"] {
            assert_eq!(acme.get(&format!("/Users?{query}")).expect(200).total(), 2);
        }
    }

    fn f24_order_of_booleans(server: &TestServer) {
        filters_refused(
            server,
            &["active gt true", "active ge false", "active lt true", "active le true"],
        );
    }

    fn f25_wildcards_are_letters(server: &TestServer) {
        let acme = server.acme();
        for name in [
            "100%@tern.example",
            "under_score@tern.example",
            "back\\slash@tern.example",
            "plain@tern.example",
        ] {
            acme.user(name);
        }
        let found = |filter: &str| acme.filter("/Users", filter, "").expect(200).each("userName");
        assert_eq!(found(r#"userName co "%""#), ["100%@tern.example"]);
        assert_eq!(found(r#"userName co "_""#), ["under_score@tern.example"]);
        assert_eq!(found(r#"userName co "\\""#), ["back\\slash@tern.example"]);
        assert_eq!(found(r#"userName sw "1%""#), Vec::<String>::new());
        assert_eq!(found(r#"userName co "*""#), Vec::<String>::new());
    }

    fn f26_passwords_cannot_be_asked_for(server: &TestServer) {
        filters_refused(
            server,
            &["password sw \"a\"", "password pr", "password eq \"a7Qm29xv\"", "not (password pr)"],
        );
        let acme = server.acme();
        let sorted = acme.get("/Users?sortBy=password");
        assert!(matches!(sorted.status, 200 | 400), "{}", sorted.reply);
        assert!(!sorted.reply.text().contains("a7Qm29xv"));
    }

    fn f27_nul_in_a_filter(server: &TestServer) {
        filters_refused(server, &["userName eq \"\\u0000\"", "userName eq \"a\\u0000b\""]);
        let raw = server.acme().get("/Users?filter=userName+eq+%22a%00b%22");
        raw.refused(400, "invalidFilter");
    }

    fn f28_start_index_below_one(server: &TestServer) {
        let acme = server.acme();
        people(acme);
        for start in ["0", "-1", "-9223372036854775808"] {
            let page = acme.get(&format!("/Users?startIndex={start}")).expect(200);
            assert_eq!((page.total(), &page["startIndex"]), (2, &json!(1)));
        }
        let page = acme.get("/Users?count=-1").expect(200);
        assert_eq!((page.total(), &page["itemsPerPage"]), (2, &json!(0)));
    }

    fn f29_numbers_that_are_none(server: &TestServer) {
        let acme = server.acme();
        people(acme);
        let watch = Watch::over(server);
        for number in [
            "99999999999999999999",
            "-99999999999999999999",
            "abc",
            "1.5",
            "0x10",
            "1e3",
            "%00",
            "1;drop",
        ] {
            acme.get(&format!("/Users?startIndex={number}")).refused(400, "invalidValue");
            acme.get(&format!("/Users?count={number}")).refused(400, "invalidValue");
        }
        for number in [json!("abc"), json!(1.5), json!({}), json!(1e30)] {
            let body = json!({"schemas": [SEARCH_REQUEST], "count": number});
            refused_by(acme.post("/Users/.search", &body), &[400]);
        }
        watch.nothing_changed();
    }

    fn f29_the_largest_start_index(server: &TestServer) {
        let acme = server.acme();
        people(acme);
        let page = acme.get("/Users?startIndex=9223372036854775807&count=500").expect(200);
        assert_eq!((page.total(), page.resources().len()), (2, 0));
    }

    fn f30_a_count_of_a_thousand_million(server: &TestServer) {
        let acme = server.acme();
        people(acme);
        let page = acme.get("/Users?count=1000000000").expect(200);
        assert_eq!(page["itemsPerPage"], 2);
        let body = json!({"schemas": [SEARCH_REQUEST], "count": 1_000_000_000});
        assert_eq!(acme.post("/Users/.search", &body).expect(200).total(), 2);
    }

    fn f31_forged_cursors(server: &TestServer) {
        let acme = server.acme();
        people(acme);
        let real = acme.get("/Users?cursor&count=1").expect(200);
        let real =
            real["nextCursor"].as_str().unwrap_or_else(|| panic!("{}", real.reply)).to_owned();
        let watch = Watch::over(server);
        let changed: String = real.chars().rev().collect();
        let longer = format!("{real}x");
        for cursor in ["x", "AAAA", "%00", "null", "..%2f", &"A".repeat(5_000), &changed, &longer] {
            acme.get(&format!("/Users?cursor={cursor}&count=1")).refused(400, "invalidCursor");
        }
        watch.nothing_changed();
    }

    fn f31_a_cursor_of_another_company(server: &TestServer) {
        let (acme, globex) = (server.acme(), server.company("globex"));
        people(acme);
        people(&globex);
        let page = globex.get("/Users?cursor&count=1").expect(200);
        let cursor = page["nextCursor"].as_str().unwrap().to_owned();
        let answer = acme.get(&format!("/Users?cursor={cursor}&count=10"));
        let theirs = globex.get("/Users").expect(200).each("id");
        assert!(
            theirs.iter().all(|id| !answer.reply.text().contains(id.as_str())),
            "{}",
            answer.reply
        );
    }

    fn f32_the_id_cannot_be_left_out(server: &TestServer) {
        let acme = server.acme();
        let (ada, _, _) = people(acme);
        let one =
            acme.get(&format!("/Users/{ada}?excludedAttributes=id,schemas,userName")).expect(200);
        assert_eq!(one["id"], ada.as_str());
        assert_eq!(one["userName"], Value::Null);
        assert!(one["schemas"].is_array(), "{}", one.reply);
        let list = acme.get("/Users?excludedAttributes=id").expect(200);
        assert!(list.each("id").iter().all(|id| !id.is_empty()));
    }

    fn f32_attribute_lists_that_name_nothing(server: &TestServer) {
        let acme = server.acme();
        let id = acme.post("/Users", &user("ada@tern.example")).expect(201).id();
        for list in
            ["nosuch", ",,,", "%00", "a.b.c.d", "emails[type eq \"work\"]", &"x,".repeat(2_000)]
        {
            let path = format!("/Users/{id}?attributes={}", crate::replay::encode(list));
            let answer = acme.get(&path);
            assert!(matches!(answer.status, 200 | 400), "{list}: {}", answer.reply);
        }
    }
}
