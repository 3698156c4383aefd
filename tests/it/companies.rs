//! Companies on the command line: create, list, show, delete.

use serde_json::Value;

use crate::company::user;
use crate::server::on_both_databases;

on_both_databases! {
    fn a_slug_is_taken_once(server: &TestServer) {
        let again =
            server.cli(&["company", "create", "acme", "--name", "Acme", "--plan", "enterprise"]);
        assert!(!again.status.success());
        assert_eq!(
            String::from_utf8_lossy(&again.stderr).trim().lines().count(),
            1,
            "one clear line"
        );
    }

    fn companies_are_listed(server: &TestServer) {
        server.company("globex");
        let list = server.cli_ok(&["company", "list"]);
        assert!(list.contains("acme") && list.contains("globex"), "{list}");
        let json: Value =
            serde_json::from_str(&server.cli_ok(&["company", "list", "--format", "json"])).unwrap();
        let slugs: Vec<&str> =
            json.as_array().unwrap().iter().filter_map(|c| c["slug"].as_str()).collect();
        assert_eq!(slugs, ["acme", "globex"]);
    }

    fn a_company_is_shown(server: &TestServer) {
        let json: Value =
            serde_json::from_str(&server.cli_ok(&["company", "show", "acme", "--format", "json"]))
                .unwrap();
        assert_eq!(
            (&json["slug"], &json["name"], &json["plan"]),
            (&"acme".into(), &"Acme".into(), &"enterprise".into())
        );
        assert!(!server.cli(&["company", "show", "nosuch"]).status.success());
    }

    /// Its tokens end with it.
    fn a_deleted_company_is_gone(server: &TestServer) {
        let globex = server.company("globex");
        globex.user("ada");
        let token = server.token("globex", "unused", &[]);
        server.cli_ok(&["company", "delete", "globex", "--yes"]);
        server.client(&token).get("/Users").fails(401);
        assert!(!server.cli_ok(&["company", "list"]).contains("globex"));
        assert!(!server.cli(&["company", "delete", "globex", "--yes"]).status.success());
    }

    /// Without `--yes` it only says what would go.
    fn a_deletion_is_confirmed(server: &TestServer) {
        server.acme().user("ada");
        let said = server.cli_ok(&["company", "delete", "acme"]);
        assert!(said.contains("1 users"), "{said}");
        assert_eq!(server.acme().get("/Users").expect(200).total(), 1);
    }

    /// Without `--scim` there is no SCIM.
    fn scim_must_be_switched_on(server: &TestServer) {
        server.cli_ok(&[
            "company",
            "create",
            "initech",
            "--name",
            "Initech",
            "--plan",
            "enterprise",
        ]);
        assert!(!server.cli(&["token", "create", "initech", "--name", "okta"]).status.success());
    }

    fn slugs_are_simple(server: &TestServer) {
        for slug in ["", "a b", "a/b", "../x", "Ä", &"a".repeat(300)] {
            assert!(
                !server
                    .cli(&["company", "create", slug, "--name", "X", "--plan", "enterprise"])
                    .status
                    .success(),
                "{slug}"
            );
        }
    }

    /// The same company is there after another start.
    fn companies_survive_a_restart(server: &TestServer) {
        let mut own = crate::server::TestServer::start(server.database());
        own.acme().post("/Users", &user("ada")).expect(201);
        own.crash_and_restart();
        assert_eq!(own.acme().get("/Users").expect(200).each("userName"), ["ada"]);
    }
}
