//! `stagedoor import`: a file into a company, checked over HTTP (decision 0007).

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::company::{Company, ENTERPRISE, GROUP, USER};
use crate::server::{Database, TestServer, on_both_databases};

/// Writes a file beside the server's data and imports it into a company.
fn import_into(
    server: &TestServer,
    company: &str,
    name: &str,
    text: &str,
    flags: &[&str],
) -> Output {
    fs::write(server.directory().join(name), text).unwrap();
    server.cli(&[&["import", company, name], flags].concat())
}

/// The same into acme; all lines must be good.
fn import(server: &TestServer, text: &str) -> String {
    let done = import_into(server, "acme", "file.ndjson", text, &[]);
    assert!(done.status.success(), "{}", said(&done));
    String::from_utf8(done.stdout).unwrap()
}

/// What went to standard error.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

fn user(id: &str, name: &str) -> Value {
    json!({"schemas": [USER], "id": id, "userName": name})
}

fn group(id: &str, name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|m| json!({"value": m})).collect();
    json!({"schemas": [GROUP], "id": id, "displayName": name, "members": members})
}

/// The one user of this name.
#[track_caller]
fn found(company: &Company, name: &str) -> Value {
    let answer = company.filter("/Users", &format!("userName eq \"{name}\""), "").expect(200);
    assert_eq!(answer.total(), 1, "{name}");
    answer.resources()[0].clone()
}

/// The names of a group's members, in order.
#[track_caller]
fn members(company: &Company, name: &str) -> Vec<String> {
    let answer = company.filter("/Groups", &format!("displayName eq \"{name}\""), "").expect(200);
    assert_eq!(answer.total(), 1, "{name}");
    let ids = answer.resources()[0]["members"].as_array().cloned().unwrap_or_default();
    let name = |member: &Value| {
        let id = member["value"].as_str().unwrap();
        let kind = member["type"].as_str().unwrap();
        let resource =
            company.get(&format!("/{kind}s/{id}?excludedAttributes=members")).expect(200);
        let name = if kind == "User" { "userName" } else { "displayName" };
        resource.json[name].as_str().unwrap().to_owned()
    };
    let mut names: Vec<String> = ids.iter().map(name).collect();
    names.sort();
    names
}

/// Every version and time of change of a company.
fn versions(company: &Company) -> Vec<(Value, Value, Value)> {
    let mut out = Vec::new();
    for path in ["/Users?count=200", "/Groups?count=200"] {
        let answer = company.get(path).expect(200);
        assert_eq!(answer.total() as usize, answer.resources().len());
        out.extend(answer.resources().iter().map(|r| {
            (r["id"].clone(), r["meta"]["version"].clone(), r["meta"]["lastModified"].clone())
        }));
    }
    out
}

on_both_databases! {
    /// Members are named by the ids of the file, before or behind their lines, groups among them; a
    /// circle closes; what the schemas know is normalised as over HTTP.
    fn a_file_becomes_a_directory(server: &TestServer) {
        let acme = server.acme();
        let file = lines(&[
            group("g1", "Early", &["u1", "g2", "u2"]),
            user("u1", "kari"),
            json!({"USERNAME": "åse@tern.example", "id": "u2", "active": "False", "password": "x",
                   "name": {"familyName": "Ås"}, "emails": "aase@tern.example",
                   ENTERPRISE: {"department": "Låser"}}),
            group("g2", "Gruppe Ø", &["g1", "u2"]),
            group("g3", "Empty", &[]),
        ]);
        let told = import(server, &format!("\u{feff}{file}\n\n"));
        assert_eq!(told, "users   2 created, 0 changed, 0 unchanged\ngroups  3 created, 0 changed, 0 unchanged\n");
        let aase = found(acme, "ÅSE@tern.example");
        assert_eq!(aase["active"], false);
        assert_eq!(aase["emails"], json!([{"value": "aase@tern.example"}]));
        assert_eq!(aase[ENTERPRISE], json!({"department": "Låser"}));
        assert_eq!(aase["password"], Value::Null);
        assert_eq!(found(acme, "kari")["active"], true);
        assert_eq!(members(acme, "Early"), ["Gruppe Ø", "kari", "åse@tern.example"]);
        assert_eq!(members(acme, "gruppe ø"), ["Early", "åse@tern.example"]);
        assert_eq!(members(acme, "Empty"), [""; 0]);
        let answer = acme.filter("/Users", "name.familyName eq \"ås\"", "").expect(200);
        assert_eq!(answer.total(), 1, "what was loaded is indexed");
        assert_eq!(acme.get("/Users?count=0").expect(200).total(), 2, "and counted");
        let answer = acme.filter("/Users", "emails[value eq \"aase@tern.example\"]", "").expect(200);
        assert_eq!(answer.total(), 1);
    }

    fn a_second_run_changes_nothing(server: &TestServer) {
        let file = lines(&[
            user("u1", "kari"),
            json!({"id": "u2", "userName": "ola", "externalId": "7", "active": false, "title": "Dr"}),
            group("g1", "A", &["u1", "g2"]),
            group("g2", "B", &["g1", "u2"]),
        ]);
        import(server, &file);
        let before = versions(server.acme());
        let told = import(server, &file);
        assert_eq!(told, "users   0 created, 0 changed, 2 unchanged\ngroups  0 created, 0 changed, 2 unchanged\n");
        assert_eq!(versions(server.acme()), before);
    }

    /// A line is what the resource shall be; what it does not say is cleared, but for `externalId`
    /// and the members of a group.
    fn a_line_that_differs_is_a_change(server: &TestServer) {
        let acme = server.acme();
        let kari = acme.user("kari");
        acme.put(&format!("/Users/{kari}"), &json!({"userName": "kari", "externalId": "1", "title": "Dr"}))
            .expect(200);
        let team = acme.group("Team", &[&kari]);
        let told = import(server, &lines(&[
            json!({"userName": "KARI", "nickName": "K"}),
            json!({"displayName": "TEAM", "externalId": "t"}),
        ]));
        assert_eq!(told, "users   0 created, 1 changed, 0 unchanged\ngroups  0 created, 1 changed, 0 unchanged\n");
        let now = acme.get(&format!("/Users/{kari}")).expect(200).json;
        assert_eq!((&now["externalId"], &now["nickName"]), (&json!("1"), &json!("K")));
        assert_eq!((&now["userName"], &now["title"]), (&json!("KARI"), &Value::Null));
        let group = acme.get(&format!("/Groups/{team}")).expect(200).json;
        assert_eq!((&group["displayName"], &group["externalId"]), (&json!("TEAM"), &json!("t")));
        assert_eq!(group["members"][0]["value"], *kari);
        // By the external id: another name, and the members that the line names.
        import(server, &lines(&[
            json!({"id": "x", "userName": "kari.vik", "externalId": "1"}),
            user("y", "ola"),
            json!({"displayName": "Crew", "externalId": "t", "members": [{"value": "y"}]}),
        ]));
        assert_eq!(found(acme, "kari.vik")["id"], *kari);
        assert_eq!(members(acme, "Crew"), ["ola"]);
    }

    /// Ruling 4: a line revives an inactive user under the same id, unless it says otherwise.
    fn an_inactive_user_is_revived(server: &TestServer) {
        let acme = server.acme();
        let (kari, ola) = (acme.user("kari"), acme.user("ola"));
        for id in [&kari, &ola] {
            let operations = json!([{"op": "replace", "path": "active", "value": false}]);
            acme.patch(&format!("/Users/{id}"), &operations).expect(200);
        }
        let file = lines(&[user("1", "kari"), json!({"userName": "ola", "active": false})]);
        let told = import(server, &file);
        assert!(told.starts_with("users   0 created, 1 changed, 1 unchanged\n"), "{told}");
        assert_eq!(found(acme, "kari")["active"], true);
        assert_eq!(found(acme, "kari")["id"], *kari);
        assert_eq!(found(acme, "ola")["active"], false);
        let told = import(server, &file);
        assert!(told.starts_with("users   0 created, 0 changed, 2 unchanged\n"), "{told}");
    }

    fn bad_lines_are_named_and_the_others_go_on(server: &TestServer) {
        let acme = server.acme();
        acme.post("/Users", &json!({"userName": "ada", "externalId": "1"})).expect(201);
        acme.post("/Users", &json!({"userName": "bo", "externalId": "2"})).expect(201);
        let good = [user("u1", "kari").to_string(), group("g1", "A", &["u1", "nobody"]).to_string()];
        let file = [
            good[0].as_str(),                                       // 1
            "nonsense",                                             // 2
            r#"{"userName":"x","userName":"y"}"#,                   // 3
            r#"{"nickName":"nobody"}"#,                             // 4
            r#"{"userName":"Kari"}"#,                               // 5
            r#"{"userName":"ola","active":"perhaps"}"#,             // 6
            r#"{"userName":"ada","externalId":"2"}"#,               // 7
            good[1].as_str(),                                       // 8
            r#"{"displayName":"B","members":[{"value":"nobody"}]}"#, // 9
            r#"{"displayName":"C","id":"c","members":["c"]}"#,      // 10
            r#"{"displayName":"D","members":[{"display":"x"}]}"#,   // 11
            r#"{"displayName":"a"}"#,                               // 12
            r#"{"userName":"last","id":"u1"}"#,                     // 13
            r#"{"userName":"last","shoeSize":44}"#,                 // 14
        ];
        let done = import_into(server, "acme", "bad.ndjson", &file.join("\n"), &["--format", "json"]);
        assert_eq!(done.status.code(), Some(1));
        let told: Value = serde_json::from_slice(&done.stdout).unwrap();
        let want = json!({
            "users": {"created": 2, "changed": 0, "unchanged": 0},
            "groups": {"created": 1, "changed": 0, "unchanged": 0}, "bad": 11, "stopped": false,
        });
        assert_eq!(told, want);
        let said = said(&done);
        for (line, why) in [
            (2, "not valid JSON"), (3, "twice"), (4, "neither a User nor a Group"),
            (5, "line 1 is about the same resource"), (6, "active"), (7, "another one this externalId"),
            (9, "none of its members is known"), (10, "member of itself"), (11, "value"),
            (12, "line 8 is about the same resource"), (13, "same id"),
        ] {
            let begin = format!("bad.ndjson:{line}: ");
            let found = said.lines().find(|text| text.starts_with(&begin));
            assert!(found.is_some_and(|text| text.contains(why)), "{line} {why}: {said}");
        }
        assert!(said.contains("bad.ndjson:8: left out, 1 in all: members[value eq \"nobody\"]"), "{said}");
        assert!(said.contains("bad.ndjson:14: left out, 1 in all: shoeSize"), "{said}");
        assert_eq!(said.lines().count(), 13, "{said}");
        assert_eq!(members(acme, "A"), ["kari"]);
        assert_eq!(acme.get("/Users").expect(200).total(), 4);
        assert_eq!(acme.get("/Groups").expect(200).total(), 1);
    }

    fn strict_stops_at_the_first_bad_line(server: &TestServer) {
        let acme = server.acme();
        for (bad, name) in [("nonsense", "syntax"), (r#"{"userName":"one"}"#, "twice")] {
            let file = format!("{}\n{bad}\n{}\nmore nonsense\n", user("1", "one"), user("2", "two"));
            let done = import_into(server, "acme", name, &file, &["--strict"]);
            assert_eq!(done.status.code(), Some(1));
            assert_eq!(said(&done).lines().count(), 1, "{}", said(&done));
            assert!(said(&done).starts_with(&format!("{name}:2: ")), "{}", said(&done));
            assert!(String::from_utf8_lossy(&done.stdout).contains("nothing behind it"));
            assert_eq!(acme.get("/Users").expect(200).each("userName"), ["one"]);
        }
        let file = lines(&[user("1", "one"), group("2", "A", &["x"]), group("3", "B", &["1"])]);
        let done = import_into(server, "acme", "groups", &file, &["--strict"]);
        assert!(said(&done).starts_with("groups:2: "), "{}", said(&done));
        assert_eq!(acme.get("/Groups").expect(200).total(), 0);
    }

    fn a_table_of_users(server: &TestServer) {
        let acme = server.acme();
        let department = format!("{ENTERPRISE}:department");
        let mut text = format!("\u{feff}userName,name.givenName,emails.value,active,{department}\n");
        text.push_str("kari,Kari,kari@tern.example,TRUE,\"Locks, \"\"old\"\"\nand new\"\n");
        text.push_str("åse,Åse,,false,\nola,Ola\n,Nobody,,,\n");
        let done = import_into(server, "acme", "people.CSV", &text, &[]);
        assert_eq!(done.status.code(), Some(1), "{}", said(&done));
        assert!(said(&done).contains("people.CSV:5: 2 cells"), "{}", said(&done));
        assert!(said(&done).contains("people.CSV:6: "), "{}", said(&done));
        let kari = found(acme, "kari");
        assert_eq!(kari[ENTERPRISE]["department"], "Locks, \"old\"\nand new");
        assert_eq!((&kari["name"]["givenName"], &kari["active"]), (&json!("Kari"), &json!(true)));
        assert_eq!(kari["emails"], json!([{"value": "kari@tern.example"}]));
        let aase = found(acme, "åse");
        assert_eq!((&aase["active"], &aase["emails"]), (&json!(false), &Value::Null));
        let before = versions(acme);
        import_into(server, "acme", "people.CSV", &text, &[]);
        assert_eq!(versions(acme), before);
        let done = import_into(server, "acme", "wrong", "userName,shoeSize\na,1\n", &["--csv"]);
        assert_eq!(said(&done), "stagedoor: no schema knows the column shoeSize\n");
    }

    fn standard_input(server: &TestServer) {
        let acme = server.acme();
        for (flags, text) in [
            (vec![], lines(&[group("g", "A", &["u"]), user("u", "kari")])),
            (vec!["--csv"], "userName\nola\n".to_owned()),
        ] {
            let mut command = server.command(&[&["import", "acme", "-"], flags.as_slice()].concat());
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            assert!(child.wait_with_output().unwrap().status.success());
        }
        assert_eq!(members(acme, "A"), ["kari"]);
        assert_eq!(found(acme, "ola")["active"], true);
    }

    fn a_group_of_ten_thousand(server: &TestServer) {
        let acme = server.acme();
        let mut file: Vec<Value> = (0..10_000).map(|i| user(&format!("u{i}"), &format!("n{i}"))).collect();
        let ids: Vec<String> = (0..10_000).map(|i| format!("u{i}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        file.push(group("g", "All", &ids));
        import(server, &lines(&file));
        let all = acme.filter("/Groups", "displayName eq \"All\"", "").expect(200);
        assert_eq!(all.resources()[0]["members"].as_array().unwrap().len(), 10_000);
        assert_eq!(acme.get("/Users?count=0").expect(200).total(), 10_000);
        let version = all.resources()[0]["meta"]["version"].clone();
        file[10_000] = group("g", "All", &ids[1..]);
        import(server, &lines(&file));
        let all = acme.filter("/Groups", "displayName eq \"All\"", "").expect(200);
        assert_eq!(all.resources()[0]["members"].as_array().unwrap().len(), 9_999);
        assert_ne!(all.resources()[0]["meta"]["version"], version);
    }

    /// Members may be named by ids that the company's directory has; another company's are unknown.
    fn members_by_the_ids_of_the_directory(server: &TestServer) {
        let acme = server.acme();
        let other = server.company("other");
        let (kari, stranger) = (acme.user("kari"), other.user("stranger"));
        let inner = acme.group("Inner", &[]);
        import(server, &lines(&[group("g", "A", &[&kari, &inner, &stranger])]));
        assert_eq!(members(acme, "A"), ["Inner", "kari"]);
        let file = lines(&[group("g", "B", &[&stranger])]);
        let done = import_into(server, "acme", "b", &file, &[]);
        assert!(said(&done).contains("none of its members is known"), "{}", said(&done));
    }

    fn what_cannot_be_read_is_one_line(server: &TestServer) {
        fs::write(server.directory().join("file"), "").unwrap();
        fs::create_dir(server.directory().join("folder")).unwrap();
        for (arguments, why) in [
            (["import", "nobody", "file"], "not found"),
            (["import", "acme", "missing"], "missing: No such file"),
            (["import", "acme", "folder"], "folder: is a directory"),
        ] {
            let done = server.cli(&arguments);
            assert_eq!(done.status.code(), Some(1));
            assert_eq!(said(&done).lines().count(), 1, "{}", said(&done));
            assert!(said(&done).contains(why), "{why}: {}", said(&done));
            assert!(done.stdout.is_empty());
        }
        assert!(server.cli(&["import", "acme", "file"]).status.success(), "an empty file is none");
    }

    /// An import that was killed is run again, and leaves what an undisturbed one leaves.
    fn a_killed_import_goes_on(server: &TestServer) {
        const USERS: usize = 15_000;
        let acme = server.acme();
        let other = server.company("other");
        let mut file = String::new();
        for i in 0..USERS {
            writeln!(file, "{}", user(&format!("u{i}"), &format!("n{i}"))).unwrap();
        }
        for i in 0..20 {
            let members: Vec<String> = (i..i + 50).map(|n| format!("u{n}")).collect();
            let mut members: Vec<&str> = members.iter().map(String::as_str).collect();
            let next = format!("g{}", (i + 1) % 20);
            members.push(&next);
            writeln!(file, "{}", group(&format!("g{i}"), &format!("Group {i}"), &members)).unwrap();
        }
        fs::write(server.directory().join("file"), &file).unwrap();
        let mut child = server.command(&["import", "acme", "file"]).spawn().unwrap();
        let count = || acme.get("/Users?count=0").expect(200).total() as usize;
        while count() == 0 {
            assert!(child.try_wait().unwrap().is_none(), "it is at work");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (stored, half) = (count(), USERS * 9 / 10);
        assert!(stored > 0 && stored < half, "{stored} of {USERS}: whole batches, not all");
        let told = import(server, &file);
        let want = format!("users   {} created, 0 changed, {stored} unchanged", USERS - stored);
        assert!(told.starts_with(&want), "{told}");
        assert!(server.cli(&["import", "other", "file"]).status.success());
        for path in ["/Users?count=0", "/Groups?count=0"] {
            assert_eq!(acme.get(path).expect(200).total(), other.get(path).expect(200).total());
        }
        for i in [0, 7, 19] {
            let name = format!("Group {i}");
            assert_eq!(members(acme, &name), members(&other, &name));
        }
    }
}

/// The progress bar is for terminals: nothing of it goes into a file or a pipe.
#[test]
fn no_bar_where_there_is_no_terminal() {
    let server = TestServer::start(Database::Sqlite);
    let done = import_into(&server, "acme", "file", &lines(&[user("1", "kari")]), &[]);
    assert_eq!((done.status.code(), said(&done).as_str()), (Some(0), ""));
}
