//! Rows 1 to 3, 14 to 21 and 44: who is asking, and whose resource is it.

use serde_json::json;

use super::{Watch, people};
use crate::client::Reply;
use crate::company::{STATUS, USER, group, user};
use crate::replay::encode;
use crate::server::on_both_databases;

on_both_databases! {
    fn f01_no_secret_is_no_access(server: &TestServer) {
        let watch = Watch::over(server);
        let acme = server.acme();
        for value in
            ["Bearer", "Bearer ", "", " ", "null", "Bearer null", "Bearer undefined", "Basic Og=="]
        {
            let answer = acme.send_as("GET", "/Users", &[("Authorization", value)], None);
            let answer = answer.fails(401);
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            assert!(challenge.starts_with("Bearer"), "{value:?}: {}", answer.reply);
        }
        acme.send_as("GET", "/Users", &[], None).fails(401);
        watch.nothing_changed();
    }

    fn f01_a_token_that_is_almost_right(server: &TestServer) {
        let watch = Watch::over(server);
        let token = server.acme().token();
        let (head, tail) = token.split_at(token.len() - 1);
        let other = if tail == "a" { "b" } else { "a" };
        for wrong in
            [format!("{head}{other}"), head.to_owned(), format!("{token}x"), token.to_uppercase()]
        {
            server.client(&wrong).get("/Users").fails(401);
        }
        watch.nothing_changed();
    }

    fn f01_every_route_asks_for_a_token(server: &TestServer) {
        let watch = Watch::over(server);
        let nobody = server.client("");
        let paths = [
            "/Users",
            "/Users/x",
            "/Groups",
            "/Groups/x",
            "/Bulk",
            "/.search",
            "/Users/.search",
            "/Groups/.search",
            "/Me",
            "/Schemas",
            "/ResourceTypes",
            "/ServiceProviderConfig",
        ];
        for path in paths {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                nobody.send(method, path, &[], None).fails(401);
            }
        }
        watch.nothing_changed();
    }

    fn f02_a_secret_in_the_address_or_a_cookie(server: &TestServer) {
        let watch = Watch::over(server);
        let acme = server.acme();
        let query = format!("/Users?access_token={}", acme.token());
        acme.send_as("GET", &query, &[], None).fails(401);
        let cookie = format!("access_token={0}; Authorization={0}", acme.token());
        acme.send_as("GET", "/Users", &[("Cookie", &cookie)], None).fails(401);
        watch.nothing_changed();
    }

    fn f03_two_authorization_headers(server: &TestServer) {
        let watch = Watch::over(server);
        let token = server.acme().token();
        let head = format!(
            "GET /scim/v2/Users HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
            Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let answer = server.raw(head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        watch.nothing_changed();
    }

    fn f14_what_the_server_decides_is_ignored(server: &TestServer) {
        let acme = server.acme();
        let answer = acme.post(
            "/Users",
            &json!({"schemas": [USER], "userName": "ada@tern.example",
            "id": "chosen",
            "meta": {"created": "1999-01-01T00:00:00Z", "version": "W/\"9\"",
                "location": "http://evil.example/"},
            "tenant": "other", "companyId": "other", "role": "admin", "status": "ACTIVE",
            "groups": [{"value": "admins"}], STATUS: {"status": "ACTIVE",
                "activatedAt": "1999-01-01T00:00:00Z"}}),
        );
        let answer = answer.expect(201);
        assert_ne!(answer.id(), "chosen");
        assert_eq!(acme.status(&answer.id()), json!({"status": "STAGED"}));
        for echoed in
            ["evil.example", "1999-01-01", "tenant", "companyId", "\"role\"", "admins", "activatedAt"]
        {
            assert!(!answer.reply.text().contains(echoed), "{echoed}: {}", answer.reply);
        }
        acme.get("/Users/chosen").fails(404);
    }

    fn f15_an_external_id_binds_nothing(server: &TestServer) {
        let acme = server.acme();
        let other = acme.user("ada@tern.example");
        for (i, external) in ["1", "0", "-1", "admin", other.as_str()].into_iter().enumerate() {
            let made = acme.post(
                "/Users",
                &json!({"schemas": [USER], "userName": format!("u{i}"), "externalId": external}),
            );
            let id = made.expect(201).id();
            let found =
                acme.filter("/Users", &format!("externalId eq \"{external}\""), "").expect(200);
            assert_eq!(found.each("id"), [id]);
        }
        assert_eq!(
            acme.get(&format!("/Users/{other}")).expect(200)["userName"],
            "ada@tern.example"
        );
        acme.get("/Users/1").fails(404);
    }

    fn f16_a_taken_user_name_in_disguise(server: &TestServer) {
        let acme = server.acme();
        people(acme);
        let watch = Watch::over(server);
        for name in
            ["ada@tern.example", "ADA@TERN.EXAMPLE", " ada@tern.example ", "\tAda@Tern.Example\n"]
        {
            acme.post("/Users", &user(name)).refused(409, "uniqueness");
        }
        watch.nothing_changed();
    }

    fn f18_ids_that_are_none(server: &TestServer) {
        let acme = server.acme();
        people(acme);
        let watch = Watch::over(server);
        let long = "a".repeat(10_000);
        let ids = [
            "%00",
            "%27%20OR%201%3D1--",
            "..%2f",
            "..%2F..%2Fadmin",
            "%2e%2e",
            "%ff%fe",
            "*",
            "0",
            "-1",
            "00000000-0000-0000-0000-000000000000",
            long.as_str(),
        ];
        for id in ids {
            for kind in ["Users", "Groups"] {
                let path = format!("/{kind}/{id}");
                acme.get(&path).fails(404);
                acme.delete(&path).fails(404);
                acme.patch(&path, &super::replace("displayName", &json!("x"))).fails(404);
                let body = if kind == "Users" { user("x") } else { group("x", &[]) };
                acme.put(&path, &body).fails(404);
            }
        }
        watch.nothing_changed();
    }

    fn f19_a_user_is_no_group(server: &TestServer) {
        let acme = server.acme();
        let (ada, _, harbour) = people(acme);
        let watch = Watch::over(server);
        for (path, body) in
            [(format!("/Groups/{ada}"), group("x", &[])), (format!("/Users/{harbour}"), user("x"))]
        {
            acme.get(&path).fails(404);
            acme.put(&path, &body).fails(404);
            acme.patch(&path, &super::replace("displayName", &json!("x"))).fails(404);
            acme.delete(&path).fails(404);
        }
        watch.nothing_changed();
    }

    fn f20_writes_to_a_collection(server: &TestServer) {
        let acme = server.acme();
        people(acme);
        let watch = Watch::over(server);
        for path in ["/Users", "/Groups"] {
            acme.delete(path).fails(405);
            acme.put(path, &user("x")).fails(405);
            acme.patch(path, &super::replace("active", &json!(false))).fails(405);
        }
        watch.nothing_changed();
    }

    fn f21_method_overrides_are_ignored(server: &TestServer) {
        let acme = server.acme();
        let (ada, _, _) = people(acme);
        let watch = Watch::over(server);
        let path = format!("/Users/{ada}");
        for header in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
            acme.send("GET", &path, &[(header, "DELETE")], None).expect(200);
            acme.send("POST", &path, &[(header, "DELETE")], None).fails(405);
        }
        acme.get(&format!("{path}?_method=DELETE")).expect(200);
        watch.nothing_changed();
    }

    fn f44_another_companys_resource_is_an_unknown_one(server: &TestServer) {
        let (acme, globex) = (server.acme(), server.company("globex"));
        let (ada, _, harbour) = people(acme);
        let watch = Watch::over(server);
        let unknown = "0190a1b2-0000-7000-8000-000000000000";
        for (kind, theirs, body) in
            [("Users", ada, user("ada@tern.example")), ("Groups", harbour, group("Harbour", &[]))]
        {
            let calls: [&dyn Fn(&str) -> Reply; 6] = [
                &|id| globex.get(&format!("/{kind}/{id}")).fails(404).reply,
                &|id| globex.get(&format!("/{kind}/{id}?attributes=id")).fails(404).reply,
                &|id| globex.put(&format!("/{kind}/{id}"), &body).fails(404).reply,
                &|id| {
                    globex
                        .patch(
                            &format!("/{kind}/{id}"),
                            &super::replace("displayName", &json!("x")),
                        )
                        .fails(404)
                        .reply
                },
                &|id| globex.delete(&format!("/{kind}/{id}")).fails(404).reply,
                &|id| {
                    globex
                        .filter(
                            &format!("/{kind}"),
                            &format!("id eq {}", encode(&format!("\"{id}\""))),
                            "",
                        )
                        .reply
                },
            ];
            for call in calls {
                assert_eq!(told(&call(&theirs)), told(&call(unknown)));
            }
        }
        watch.nothing_changed();
    }

    fn f44_a_member_of_another_company_is_unknown(server: &TestServer) {
        let (acme, globex) = (server.acme(), server.company("globex"));
        let (ada, _, _) = people(acme);
        let own = globex.group("Harbour", &[]);
        let add = json!([{"op": "add", "path": "members", "value": [{"value": ada}]}]);
        globex.patch(&format!("/Groups/{own}"), &add).refused(400, "invalidValue");
        assert!(globex.members(&own).is_empty());
        assert_eq!(
            acme.get(&format!("/Users/{ada}")).expect(200)["groups"][0]["display"],
            "Harbour"
        );
    }
}

/// All that an answer tells, but what differs between any two answers.
fn told(reply: &Reply) -> (u16, String, Vec<(String, String)>) {
    let changes = ["date", "x-request-id"];
    let headers = reply.headers.iter().filter(|(name, _)| !changes.contains(&name.as_str()));
    (reply.status, reply.text(), headers.cloned().collect())
}
