//! Secrets at rest: sealed, bound to their place, sealed anew by another key while the server runs.

use serde_json::json;
use stagedoor::db::sealing::COLUMNS;
use stagedoor::service::companies;
use stagedoor::service::connections::{self, Slot};

use crate::api::wait;
use crate::server::{TestServer, on_both_databases};

const CONNECTION: &str = "/companies/acme/sso/connection";
const SECRET: &str = "correct-horse-battery-staple";

/// A connection of acme with a client secret, by fields.
fn connect(server: &TestServer) {
    let oidc = json!({
        "issuer": "https://1.1.1.1", "client_id": "x", "client_secret": SECRET,
        "authorization_endpoint": "https://1.1.1.1/a", "token_endpoint": "https://1.1.1.1/t",
        "jwks_uri": "https://1.1.1.1/j",
    });
    let body = json!({"provider": "custom_oidc", "protocol": "oidc", "oidc": oidc});
    server.operator().post(CONNECTION, &body).expect(201);
}

/// The client secret of acme's connection in the clear, and the number of the key that it is sealed by.
fn opened(server: &TestServer) -> (String, u8) {
    let service = server.service();
    let found = service.read_now(|conn| {
        let company = companies::find(conn, "acme")?;
        connections::find(conn, company.seq, Slot::Company)
    });
    let found = found.unwrap();
    let key = found.sealed_secret.as_ref().unwrap()[8];
    let secret = connections::secret(&service.keys(), &found).unwrap().unwrap();
    (secret.expose().to_owned(), key)
}

on_both_databases! {
    /// Threat A1: no answer, no log line and no row has the secret.
    fn a_secret_is_nowhere_in_the_clear(server: &TestServer) {
        connect(server);
        assert_eq!(opened(server), (SECRET.to_owned(), 1));
        let api = server.operator();
        for path in [CONNECTION, "/companies/acme/audit-events"] {
            let text = api.get(path).expect(200).reply.text();
            assert!(!text.contains(SECRET), "{text}");
        }
        assert_eq!(api.get(CONNECTION).expect(200)["oidc"]["client_secret_set"], true);
        assert!(!server.log().contains(SECRET));
        let exported = server.directory().join("copy.db");
        server.cli_ok(&["database", "copy", "--from", server.url(), "--to",
            &format!("sqlite://{}", exported.display())]);
        for file in std::fs::read_dir(server.directory()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes()));
        }
    }

    /// `stagedoor keys rotate` beside a server that goes on.
    fn keys_are_rotated_while_the_server_runs(server: &TestServer) {
        connect(server);
        let said = server.cli_ok(&["keys", "rotate", "--format", "json"]);
        assert_eq!(said.trim(), r#"{"key":2,"renewed":1}"#);
        assert_eq!(opened(server), (SECRET.to_owned(), 2));
        // The server has not looked yet, or has: either way it opens and seals.
        let body = json!({"client_secret": "another"});
        server.operator().post(&format!("{CONNECTION}/rotate-secret"), &body).expect(200);
        assert_eq!(opened(server).0, "another");
        let service = server.service();
        wait(service.follow_sealing_key()).unwrap();
        assert_eq!(opened(server), ("another".to_owned(), 2));
        assert_eq!(wait(service.follow_sealing_key()).unwrap(), 0, "nothing is left");
        assert!(!wait(service.sealing_key_is_old()).unwrap());
        assert!(server.cli_ok(&["keys", "rotate"]).contains("key 3 seals now; 1 secrets"));
        assert!(wait(service.sealing_key_is_old()).unwrap());
    }

    /// A value that is copied to another row, or changed, opens nothing.
    fn a_moved_value_does_not_open(server: &TestServer) {
        connect(server);
        server.sql("UPDATE connections SET id = 'another'");
        let service = server.service();
        let found = service.read_now(|conn| {
            let company = companies::find(conn, "acme")?;
            connections::find(conn, company.seq, Slot::Company)
        });
        assert!(connections::secret(&service.keys(), &found.unwrap()).is_err());
    }
}

/// What is sealed is sealed anew: no column is left out.
#[test]
fn every_sealed_column_is_known() {
    let mut places = Vec::new();
    for source in crate::house::sources("src") {
        let product = source.text().split("mod tests {").next().unwrap();
        let line = product.split_whitespace().collect::<Vec<_>>().join(" ");
        for place in line.split("Place { table: \"").skip(1) {
            let mut words = place.split('"');
            let table = words.next().unwrap().to_owned();
            let column = place.split("column: \"").nth(1).and_then(|rest| rest.split('"').next());
            places.push((table, column.unwrap_or_default().to_owned()));
        }
    }
    assert!(!places.is_empty(), "places are found");
    for (table, column) in places {
        let known = COLUMNS.iter().any(|c| c.table == table && c.column == column);
        assert!(known, "{table}.{column} is not among COLUMNS");
    }
}
