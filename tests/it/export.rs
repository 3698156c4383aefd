//! `stagedoor export`: a company as a file, and back again.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::company::ENTERPRISE;
use crate::server::{TestServer, on_both_databases};

/// The lines of an export.
fn export(server: &TestServer, company: &str) -> Vec<Value> {
    let text = server.cli_ok(&["export", company]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same without ids and times: members by their names.
fn plain(lines: &[Value]) -> Vec<Value> {
    let name = |line: &Value| line.get("userName").unwrap_or(&line["displayName"]).clone();
    let names: BTreeMap<&str, Value> =
        lines.iter().map(|line| (line["id"].as_str().unwrap(), name(line))).collect();
    let mut out = lines.to_vec();
    for line in &mut out {
        let map = line.as_object_mut().unwrap();
        assert!(map.remove("id").is_some() && map.remove("meta").is_some());
        if let Some(Value::Array(members)) = map.get_mut("members") {
            for member in members.iter_mut() {
                member["value"] = names[member["value"].as_str().unwrap()].clone();
            }
            members.sort_by_key(Value::to_string);
        }
    }
    out.sort_by_key(Value::to_string);
    out
}

on_both_databases! {
    fn a_directory_comes_back_as_it_was(server: &TestServer) {
        let acme = server.acme();
        let kari = acme.post("/Users", &json!({
            "userName": "kari@tern.example", "externalId": "ø-1", "name": {"familyName": "Ås \"x\""},
            "emails": [{"value": "a@x", "type": "work"}, {"value": "b@x", "primary": true}],
            ENTERPRISE: {"department": "Låser", "manager": {"value": "7"}},
            "urn:x:unknown": {"Any": [1, {"b": null}]},
        })).expect(201).id();
        let ola = acme.post("/Users", &json!({"userName": "ola", "active": false})).expect(201).id();
        let inner = acme.group("Inner", &[&ola]);
        let outer = acme.group("Outer", &[&kari, &inner]);
        acme.group("Empty", &[]);
        let circle = json!([{"op": "add", "path": "members", "value": [{"value": outer}]}]);
        acme.patch(&format!("/Groups/{inner}"), &circle).expect(204);
        let lines = export(server, "acme");
        assert_eq!(lines.len(), 5);
        let kinds: Vec<&Value> = lines.iter().map(|l| &l["meta"]["resourceType"]).collect();
        assert_eq!(kinds, ["User", "User", "Group", "Group", "Group"]);
        assert_eq!(lines[0]["id"], *kari);
        assert_eq!(lines[1]["active"], false);
        server.company("other");
        fs::write(server.directory().join("file"), server.cli_ok(&["export", "acme"])).unwrap();
        server.cli_ok(&["import", "other", "file"]);
        let again = export(server, "other");
        assert_ne!(again[0]["id"], lines[0]["id"], "ids are made anew");
        assert_eq!(plain(&again), plain(&lines));
        let told = server.cli_ok(&["import", "acme", "file"]);
        assert_eq!(told, "users   0 created, 0 changed, 2 unchanged\ngroups  0 created, 0 changed, 3 unchanged\n");
    }

    /// Groups whose members do not fit in memory are written page by page.
    fn a_large_group_is_whole(server: &TestServer) {
        let users = 5_200;
        let mut file = String::new();
        for i in 0..users {
            file.push_str(&format!("{{\"userName\":\"n{i}\",\"id\":\"{i}\"}}\n"));
        }
        let all: Vec<Value> = (0..users).map(|i| json!({"value": i.to_string()})).collect();
        for (name, members) in [("All", &all[..]), ("Nearly", &all[1..]), ("Some", &all[..3])] {
            file.push_str(&format!("{}\n", json!({"displayName": name, "members": members})));
        }
        fs::write(server.directory().join("file"), file).unwrap();
        server.cli_ok(&["import", "acme", "file"]);
        let lines = export(server, "acme");
        let sizes: Vec<usize> =
            lines[users..].iter().map(|l| l["members"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [users, users - 1, 3]);
    }

    fn an_empty_company_is_an_empty_file(server: &TestServer) {
        assert_eq!(server.cli_ok(&["export", "acme"]), "");
        let done = server.cli(&["export", "nobody"]);
        assert_eq!(done.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&done.stderr).contains("not found"));
    }
}
