//! Companies side by side: nothing of one is seen, found, counted or refused in another
//! (rulings 1 and 4).

use serde_json::json;

use crate::company::{Company, USER, group, user};
use crate::server::on_both_databases;

/// A user with every value that is unique somewhere.
fn twin(company: &Company) -> String {
    let body = json!({"schemas": [USER], "userName": "ada@tern.example", "externalId": "x-1",
        "emails": [{"value": "ada@tern.example"}]});
    company.post("/Users", &body).expect(201).id()
}

on_both_databases! {
    /// Uniqueness tells nothing about others.
    fn names_are_unique_in_a_company_only(server: &TestServer) {
        let (acme, globex) = (server.acme(), server.company("globex"));
        assert_ne!(twin(acme), twin(&globex));
        assert_ne!(acme.group("Harbour", &[]), globex.group("Harbour", &[]));
    }

    fn lists_and_filters_stay_inside(server: &TestServer) {
        let (acme, globex) = (server.acme(), server.company("globex"));
        let (own, theirs) = (twin(acme), twin(&globex));
        for query in [
            "",
            "?filter=userName+eq+%22ada%40tern.example%22",
            "?filter=externalId+eq+%22x-1%22",
            "?filter=emails.value+eq+%22ada%40tern.example%22",
            "?filter=id+pr",
            "?sortBy=userName",
            "?cursor&count=10",
        ] {
            let list = acme.get(&format!("/Users{query}")).expect(200);
            assert_eq!(list.each("id"), std::slice::from_ref(&own), "{query}");
        }
        let found = acme.filter("/Users", &format!("id eq \"{theirs}\""), "").expect(200);
        assert_eq!(found.total(), 0);
    }

    fn searches_stay_inside(server: &TestServer) {
        let (acme, globex) = (server.acme(), server.company("globex"));
        twin(&globex);
        globex.group("Harbour", &[]);
        for path in ["/.search", "/Users/.search", "/Groups/.search"] {
            assert_eq!(acme.post(path, &json!({"filter": "id pr"})).expect(200).total(), 0);
        }
    }

    fn bulk_stays_inside(server: &TestServer) {
        let (acme, globex) = (server.acme(), server.company("globex"));
        let theirs = twin(&globex);
        let operations = json!([{"method": "DELETE", "path": format!("/Users/{theirs}")},
            {"method": "PUT", "path": format!("/Users/{theirs}"), "data": user("x")}]);
        let body = json!({"schemas": [crate::company::BULK_REQUEST], "Operations": operations});
        let answer = acme.post("/Bulk", &body).expect(200);
        assert!(
            answer["Operations"].as_array().unwrap().iter().all(|o| o["status"] == "404"),
            "{}",
            answer.reply
        );
        globex.get(&format!("/Users/{theirs}")).expect(200);
    }

    /// Ruling 5: another company's are unknown members.
    fn members_come_from_the_company(server: &TestServer) {
        let (acme, globex) = (server.acme(), server.company("globex"));
        let (own, theirs) = (twin(acme), twin(&globex));
        acme.post("/Groups", &group("Harbour", &[&theirs])).refused(400, "invalidValue");
        let id = acme.group("Harbour", &[&own, &theirs]);
        assert_eq!(acme.members(&id), [own]);
    }

    fn groups_are_found_by_own_members_only(server: &TestServer) {
        let (acme, globex) = (server.acme(), server.company("globex"));
        let theirs = twin(&globex);
        globex.group("Harbour", &[&theirs]);
        let found =
            acme.filter("/Groups", &format!("members.value eq \"{theirs}\""), "").expect(200);
        assert_eq!(found.total(), 0);
    }

    /// Ruling 4: a rehire looks in its own company.
    fn a_rehire_stays_inside(server: &TestServer) {
        let (acme, globex) = (server.acme(), server.company("globex"));
        let theirs = twin(&globex);
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        globex.patch(&format!("/Users/{theirs}"), &off).expect(200);
        assert_ne!(twin(acme), theirs);
        assert_eq!(globex.get(&format!("/Users/{theirs}")).expect(200)["active"], false);
    }

    /// The same address, the same path: the token decides.
    fn the_token_decides_the_company(server: &TestServer) {
        let (acme, globex) = (server.acme(), server.company("globex"));
        acme.user("ada");
        globex.user("bo");
        assert_eq!(acme.get("/Users").expect(200).each("userName"), ["ada"]);
        assert_eq!(globex.get("/Users").expect(200).each("userName"), ["bo"]);
    }

    fn a_deleted_company_leaves_the_others_alone(server: &TestServer) {
        let (acme, globex) = (server.acme(), server.company("globex"));
        let own = twin(acme);
        twin(&globex);
        server.cli_ok(&["company", "delete", "globex", "--yes"]);
        assert_eq!(acme.get(&format!("/Users/{own}")).expect(200)["userName"], "ada@tern.example");
    }
}
