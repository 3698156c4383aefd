//! Custom extensions (`stagedoor schema add`; RFC 7643 §3.3): published, kept, filtered, patched.

use std::path::Path;

use serde_json::{Value, json};

use crate::company::{STATUS, USER};
use crate::server::{TestServer, on_both_databases};

/// The URN of `conformance/schemas/harbour_user.json`.
const HARBOUR: &str = "urn:tern:params:scim:schemas:extension:harbour:2.0:User";

/// Registers the extension with acme, and attributes of further kinds beside its own.
///
/// The file lacks them because scim2-tester reads it too: it sends UUIDs for decimals and times, and
/// takes an `add` to a list that it has filled before for a replacement.
fn register(server: &TestServer) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/schemas/harbour_user.json");
    let mut schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let subs = json!([{"name": "value", "type": "string", "caseExact": true}, {"name": "display",
        "type": "string"}]);
    schema["attributes"].as_array_mut().unwrap().extend([
        json!({"name": "draught", "type": "decimal"}),
        json!({"name": "licensedUntil", "type": "dateTime"}),
        json!({"name": "languages", "type": "string", "multiValued": true}),
        json!({"name": "boats", "type": "complex", "multiValued": true, "subAttributes": subs}),
    ]);
    server.cli_ok(&["schema", "add", "acme", &file(server, &schema)]);
}

/// A server that knows the extension from its first request on.
fn registered(server: &TestServer) -> TestServer {
    let mut own = TestServer::start(server.database());
    register(&own);
    own.crash_and_restart();
    own
}

/// A user with every attribute of the extension.
fn pilot() -> Value {
    json!({"schemas": [USER, HARBOUR], "userName": "ada@tern.example", HARBOUR: {"berth": "N-12",
        "licensed": true, "crewSize": 3,
        "draught": 2.5, "licensedUntil": "2027-01-31T08:00:00Z", "languages": ["sv", "en"],
            "logbook": "https://tern.example/log",
        "mooring": {"line": "bow", "length": 12}, "boats": [{"value": "7", "display": "Tern"},
            {"value": "8"}]}})
}

/// Writes a schema file into the server's directory and returns its path.
fn file(server: &TestServer, document: &Value) -> String {
    let path = server.directory().join("schema.json");
    std::fs::write(&path, document.to_string()).unwrap();
    path.display().to_string()
}

on_both_databases! {
    fn it_is_published(server: &TestServer) {
        let own = registered(server);
        let schema = own.acme().get(&format!("/Schemas/{HARBOUR}")).expect(200);
        assert_eq!(
            (&schema["name"], schema["attributes"].as_array().unwrap().len()),
            (&json!("HarbourUser"), 9)
        );
        let user = own.acme().get("/ResourceTypes/User").expect(200);
        let extensions = user["schemaExtensions"].as_array().unwrap();
        assert!(extensions.iter().any(|e| e["schema"] == HARBOUR), "{}", user.reply);
    }

    fn it_is_one_companys_own(server: &TestServer) {
        let own = registered(server);
        own.company("globex").get(&format!("/Schemas/{HARBOUR}")).fails(404);
    }

    fn every_type_survives_a_round_trip(server: &TestServer) {
        let own = registered(server);
        let made = own.acme().post("/Users", &pilot()).expect(201);
        assert_eq!(made[HARBOUR], pilot()[HARBOUR]);
        assert!(made["schemas"].as_array().unwrap().contains(&json!(HARBOUR)), "{}", made.reply);
        let read = own.acme().get(&format!("/Users/{}", made.id())).expect(200);
        assert_eq!(read[HARBOUR], pilot()[HARBOUR]);
    }

    fn its_types_are_checked(server: &TestServer) {
        let own = registered(server);
        for wrong in [
            json!({"crewSize": "many"}),
            json!({"crewSize": 1.5}),
            json!({"licensedUntil": "tomorrow"}),
            json!({"licensed": "banana"}),
            json!({"draught": {}}),
            json!({"mooring": {"length": "x"}}),
            json!({"berth": 7}),
        ] {
            let body = json!({"schemas": [USER, HARBOUR], "userName": "x", HARBOUR: wrong});
            own.acme().post("/Users", &body).refused(400, "invalidValue");
        }
    }

    fn it_is_filtered(server: &TestServer) {
        let own = registered(server);
        own.acme().post("/Users", &pilot()).expect(201);
        own.acme().user("bo");
        for filter in [
            "berth eq \"N-12\"",
            "crewSize ge 3",
            "draught lt 3",
            "licensed eq true",
            "licensedUntil gt \"2026-12-31T00:00:00Z\"",
            "languages eq \"SV\"",
            "mooring.length eq 12",
            "boats[value eq \"8\"]",
            "boats.display sw \"te\"",
        ] {
            let found = own.acme().filter("/Users", &format!("{HARBOUR}:{filter}"), "").expect(200);
            assert_eq!(found.each("userName"), ["ada@tern.example"], "{filter}");
        }
        let found =
            own.acme().filter("/Users", &format!("{HARBOUR}:berth eq \"n-12\""), "").expect(200);
        assert_eq!(found.total(), 0, "berth is case-exact");
    }

    fn it_is_patched(server: &TestServer) {
        let own = registered(server);
        let id = own.acme().post("/Users", &pilot()).expect(201).id();
        let operations = json!([{"op": "replace", "path": format!("{HARBOUR}:berth"),
            "value": "S-3"},
            {"op": "replace", "path": format!("{HARBOUR}:mooring.length"), "value": 14},
            {"op": "replace", "path": format!("{HARBOUR}:boats[value eq \"8\"].display"),
                "value": "Gull"},
            {"op": "add", "path": format!("{HARBOUR}:languages"), "value": ["no"]},
            {"op": "remove", "path": format!("{HARBOUR}:draught")},
            {"op": "replace", "value": {HARBOUR: {"crewSize": 4}}}]);
        let after = own.acme().patch(&format!("/Users/{id}"), &operations).expect(200);
        let harbour = &after[HARBOUR];
        assert_eq!(
            (&harbour["berth"], &harbour["mooring"]),
            (&json!("S-3"), &json!({"line": "bow", "length": 14}))
        );
        assert_eq!(
            harbour["boats"],
            json!([{"value": "7", "display": "Tern"}, {"value": "8", "display": "Gull"}])
        );
        assert_eq!(
            (&harbour["languages"], &harbour["draught"]),
            (&json!(["sv", "en", "no"]), &Value::Null)
        );
        assert_eq!((&harbour["crewSize"], &harbour["licensed"]), (&json!(4), &json!(true)));
    }

    fn it_is_sorted_and_projected(server: &TestServer) {
        let own = registered(server);
        own.acme().post("/Users", &pilot()).expect(201);
        let list = own
            .acme()
            .get(&format!("/Users?sortBy={HARBOUR}:crewSize&attributes={HARBOUR}:berth"))
            .expect(200);
        assert_eq!(list.resources()[0][HARBOUR], json!({"berth": "N-12"}));
    }

    /// Users that were there before.
    fn it_covers_users_from_before(server: &TestServer) {
        let mut own = TestServer::start(server.database());
        own.acme().post("/Users", &pilot()).expect(201);
        register(&own);
        own.crash_and_restart();
        let found =
            own.acme().filter("/Users", &format!("{HARBOUR}:berth eq \"N-12\""), "").expect(200);
        assert_eq!(found.each("userName"), ["ada@tern.example"]);
    }

    /// Ruling 16: unregistered, it is kept and echoed as sent.
    fn an_unregistered_extension_is_kept(server: &TestServer) {
        let acme = server.acme();
        let sent = json!({"anything": [1, {"goes": true}], "Case": "kept"});
        let body = json!({"schemas": [USER], "userName": "ada", "urn:nobody:knows:2.0:User": sent});
        let made = acme.post("/Users", &body).expect(201);
        assert_eq!(made["urn:nobody:knows:2.0:User"], sent);
        let read = acme.get(&format!("/Users/{}", made.id())).expect(200);
        assert_eq!(read["urn:nobody:knows:2.0:User"], sent);
        assert!(
            read["schemas"].as_array().unwrap().contains(&json!("urn:nobody:knows:2.0:User")),
            "{}",
            read.reply
        );
    }

    fn it_is_listed_and_removed(server: &TestServer) {
        register(server);
        assert!(server.cli_ok(&["schema", "list", "acme"]).contains(HARBOUR));
        server.cli_ok(&["schema", "remove", "acme", HARBOUR]);
        assert!(!server.cli_ok(&["schema", "list", "acme"]).contains(HARBOUR));
        assert!(!server.cli(&["schema", "remove", "acme", HARBOUR]).status.success());
    }

    fn a_bad_file_is_refused_with_one_line(server: &TestServer) {
        for document in [
            json!({}),
            json!([]),
            json!({"id": USER, "attributes": [{"name": "a", "type": "string"}]}),
            json!({"id": STATUS, "attributes": [{"name": "a", "type": "string"}]}),
            json!({"id": "no-urn", "attributes": [{"name": "a", "type": "string"}]}),
            json!({"id": HARBOUR, "attributes": [{"name": "1", "type": "string"}]}),
            json!({"id": HARBOUR, "attributes": [{"name": "a", "type": "boat"}]}),
        ] {
            let refused = server.cli(&["schema", "add", "acme", &file(server, &document)]);
            assert!(!refused.status.success(), "{document}");
            assert_eq!(
                String::from_utf8_lossy(&refused.stderr).trim().lines().count(),
                1,
                "{document}"
            );
        }
        assert!(!server.cli(&["schema", "add", "acme", "/nosuch/file.json"]).status.success());
    }
}
