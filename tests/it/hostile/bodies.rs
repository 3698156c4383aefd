//! Rows 4 to 13 and 17: bodies that are broken, huge, or of another kind.

use serde_json::json;

use super::{Watch, people, refused_by};
use crate::company::{ENTERPRISE, PATCH_OP, USER, user};
use crate::server::{TestServer, on_both_databases};

/// Every way to send a body to a user: method and path.
fn ways(ada: &str) -> [(&'static str, String); 3] {
    [
        ("POST", "/Users".to_owned()),
        ("PUT", format!("/Users/{ada}")),
        ("PATCH", format!("/Users/{ada}")),
    ]
}

/// Each of these bodies is refused with 400 and this keyword, wherever it is sent.
fn all_refused(server: &TestServer, bodies: &[&[u8]], keyword: &str) {
    let (ada, _, _) = people(server.acme());
    let watch = Watch::over(server);
    for body in bodies {
        for (method, path) in ways(&ada) {
            server.acme().send_bytes(method, &path, body).refused(400, keyword);
        }
    }
    watch.nothing_changed();
}

on_both_databases! {
    fn f04_no_object(server: &TestServer) {
        all_refused(
            server,
            &[b"", b" ", b"null", b"[]", b"1", b"\"x\"", b"{", b"{}{}", b"{\"a\":}"],
            "invalidSyntax",
        );
    }

    fn f05_a_key_twice(server: &TestServer) {
        all_refused(
            server,
            &[
                br#"{"userName":"a","userName":"b","Operations":[],"Operations":[]}"#,
                br#"{"userName":"x","name":{"givenName":"a","givenName":"b"}}"#,
            ],
            "invalidSyntax",
        );
    }

    fn f05_a_key_in_two_spellings(server: &TestServer) {
        let watch = Watch::over(server);
        let body = br#"{"userName":"a@tern.example","USERNAME":"b@tern.example"}"#;
        server.acme().send_bytes("POST", "/Users", body).refused(400, "invalidSyntax");
        watch.nothing_changed();
    }

    fn f06_nul_in_a_text(server: &TestServer) {
        let (ada, _, group) = people(server.acme());
        let watch = Watch::over(server);
        let acme = server.acme();
        for nul in ["\u{0}", "a\u{0}b", "\u{1b}[2J", "\u{7f}"] {
            acme.post("/Users", &user(nul)).refused(400, "invalidValue");
            acme.post("/Users", &json!({"userName": "x", "name": {"givenName": nul}}))
                .refused(400, "invalidValue");
            acme.put(&format!("/Users/{ada}"), &user(nul)).refused(400, "invalidValue");
            acme.patch(&format!("/Users/{ada}"), &super::replace("title", &json!(nul)))
                .refused(400, "invalidValue");
            acme.patch(&format!("/Groups/{group}"), &super::replace("displayName", &json!(nul)))
                .refused(400, "invalidValue");
        }
        watch.nothing_changed();
    }

    fn f07_text_that_is_not_unicode(server: &TestServer) {
        all_refused(
            server,
            &[
                b"{\"userName\":\"a\xff\"}",
                b"{\"userName\":\"\xc3\x28\"}",
                br#"{"userName":"\ud800"}"#,
                br#"{"userName":"\udc00\ud800"}"#,
                b"\xff\xfe{\x00}\x00",
            ],
            "invalidSyntax",
        );
    }

    fn f08_deep_nesting(server: &TestServer) {
        let closed = format!(r#"{{"userName":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
        let objects =
            format!(r#"{{"userName":{}1{}}}"#, r#"{"a":"#.repeat(5_000), "}".repeat(5_000));
        let open = "[".repeat(100_000);
        let just_too_deep = format!(r#"{{"userName":{}1{}}}"#, "[".repeat(32), "]".repeat(32));
        let bodies = [closed, objects, open, just_too_deep];
        all_refused(server, &bodies.each_ref().map(String::as_bytes), "invalidSyntax");
    }

    fn f09_a_body_of_twenty_mebibytes(server: &TestServer) {
        let (ada, _, group) = people(server.acme());
        let watch = Watch::over(server);
        for path in [
            "/Users".to_owned(),
            format!("/Users/{ada}"),
            format!("/Groups/{group}"),
            "/Bulk".to_owned(),
        ] {
            let method = if path == "/Users" || path == "/Bulk" { "POST" } else { "PUT" };
            // Only announced: the server must not wait for what it will not take.
            let head = format!(
                "{method} /scim/v2{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
                Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{{",
                server.acme().token(),
                20 << 20
            );
            let answer = server.raw(head.as_bytes());
            assert!(answer.starts_with("HTTP/1.1 413"), "{path}: {answer}");
        }
        watch.nothing_changed();
    }

    fn f09_a_large_body_without_a_length(server: &TestServer) {
        let watch = Watch::over(server);
        let mut request = format!(
            "POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
            Content-Type: application/scim+json\r\nTransfer-Encoding: chunked\r\n\r\n",
            server.acme().token()
        )
        .into_bytes();
        let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
        request.extend(chunk.repeat(20));
        let answer = server.raw(&request);
        // The answer may be lost where the server closes on a sender that goes on.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
        watch.nothing_changed();
    }

    fn f09_limits_by_kind(server: &TestServer) {
        let acme = server.acme();
        let padded =
            |size: usize| format!(r#"{{"userName":"ada@tern.example"{}}}"#, " ".repeat(size));
        acme.send_bytes("POST", "/Users", padded(1_000_000).as_bytes()).expect(201);
        acme.send_bytes("POST", "/Users", padded(1_100_000).as_bytes()).fails(413);
        let group = format!(r#"{{"displayName":"Harbour"{}}}"#, " ".repeat(3 << 20));
        acme.send_bytes("POST", "/Groups", group.as_bytes()).expect(201);
    }

    /// No index holds it: 1,024 characters of three bytes each, without a pattern to be compressed by.
    fn f09_a_long_text_in_an_index(server: &TestServer) {
        let acme = server.acme();
        let text = |count: u32| -> String {
            let place = |i: u32| 0x4e00 + i.wrapping_mul(2_654_435_761).rotate_left(9) % 20_000;
            (0..count).filter_map(|i| char::from_u32(place(i))).collect()
        };
        for (count, fits) in [(1_024, false), (680, true)] {
            for (name, value) in [
                ("name", json!({"familyName": text(count)})),
                ("emails", json!([{"value": text(count)}])),
                (ENTERPRISE, json!({"department": text(count)})),
            ] {
                let mut body = json!({"userName": format!("long{name}")});
                body[name] = value;
                let answer = acme.post("/Users", &body);
                if fits {
                    let id = answer.expect(201).id();
                    acme.delete(&format!("/Users/{id}")).expect(204);
                } else {
                    answer.refused(400, "invalidValue");
                }
            }
        }
    }

    fn f10_a_compressed_body(server: &TestServer) {
        let watch = Watch::over(server);
        // The head of a gzip member and an empty deflate block: small here, anything once inflated.
        let gzip =
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00";
        for coding in ["gzip", "deflate", "br", "gzip, gzip"] {
            let headers = [("Content-Type", "application/scim+json"), ("Content-Encoding", coding)];
            server.acme().send("POST", "/Users", &headers, Some(gzip)).fails(415);
        }
        watch.nothing_changed();
    }

    fn f11_user_names_that_are_none(server: &TestServer) {
        let (ada, _, _) = people(server.acme());
        let watch = Watch::over(server);
        let acme = server.acme();
        let long = json!("a".repeat(257));
        for name in [
            json!(123),
            json!({}),
            json!(["a", "b"]),
            json!(true),
            json!(""),
            json!("   "),
            json!(null),
            long,
        ] {
            let body = json!({"schemas": [USER], "userName": name});
            acme.post("/Users", &body).refused(400, "invalidValue");
            acme.put(&format!("/Users/{ada}"), &body).refused(400, "invalidValue");
        }
        acme.post("/Users", &json!({"schemas": [USER]})).refused(400, "invalidValue");
        let remove = json!([{"op": "remove", "path": "userName"}]);
        refused_by(acme.patch(&format!("/Users/{ada}"), &remove), &[400]);
        watch.nothing_changed();
    }

    fn f12_active_banana(server: &TestServer) {
        let (ada, _, _) = people(server.acme());
        let watch = Watch::over(server);
        let acme = server.acme();
        for active in [json!("banana"), json!(1), json!({}), json!("yes"), json!(["True", "False"])]
        {
            let body = json!({"schemas": [USER], "userName": "cy@tern.example", "active": active});
            acme.post("/Users", &body).refused(400, "invalidValue");
            acme.patch(&format!("/Users/{ada}"), &super::replace("active", &active))
                .refused(400, "invalidValue");
        }
        watch.nothing_changed();
    }

    fn f13_xml_and_other_types(server: &TestServer) {
        let (ada, _, _) = people(server.acme());
        let watch = Watch::over(server);
        let xml = br#"<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>"#;
        let kinds = [
            "application/xml",
            "text/xml",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonp",
        ];
        for kind in kinds {
            for (method, path) in ways(&ada) {
                server.acme().send(method, &path, &[("Content-Type", kind)], Some(xml)).fails(415);
            }
        }
        watch.nothing_changed();
    }

    fn f17_twenty_thousand_emails(server: &TestServer) {
        let (ada, _, _) = people(server.acme());
        let watch = Watch::over(server);
        let emails: Vec<_> =
            (0..20_000).map(|i| json!({"value": format!("{i}@tern.example")})).collect();
        let body = json!({"schemas": [USER], "userName": "cy@tern.example", "emails": emails});
        refused_by(server.acme().post("/Users", &body), &[400, 413]);
        refused_by(server.acme().put(&format!("/Users/{ada}"), &body), &[400, 413]);
        let add = json!({"schemas": [PATCH_OP], "Operations": [{"op": "add", "path": "emails",
            "value": emails}]});
        refused_by(server.acme().send_json("PATCH", &format!("/Users/{ada}"), &add), &[400, 413]);
        watch.nothing_changed();
    }

    fn f17_one_email_too_many(server: &TestServer) {
        let acme = server.acme();
        let emails: Vec<_> =
            (0..50).map(|i| json!({"value": format!("{i}@tern.example")})).collect();
        let made = acme
            .post("/Users", &json!({"schemas": [USER], "userName": "cy", "emails": emails}))
            .expect(201);
        let watch = Watch::over(server);
        let add = json!([{"op": "add", "path": "emails", "value": [{"value": "50@tern.example"}]}]);
        acme.patch(&format!("/Users/{}", made.id()), &add).refused(400, "invalidValue");
        watch.nothing_changed();
    }
}
