//! What may be switched off while somebody is at the identity provider (threat S16): whoever comes back then is kept
//! out, by OIDC and by SAML.

use serde_json::{Value, json};

use super::{ACME, verify};
use crate::api::Api;
use crate::server::TestServer;

/// Switches something off; for a user of acme, who comes through a connection that was made with this body.
type Off = fn(&TestServer, &Api, (&str, &Value));

/// One of them: its name, what it does, and what is told then, by status and code.
pub struct Switch {
    pub name: &'static str,
    pub off: Off,
    pub told: &'static [(u16, &'static str)],
}

/// All of them; the company goes last.
pub const ALL: [Switch; 8] = [
    Switch {
        name: "deactivated by an admin",
        off: |_, api, (user, _)| {
            let body = json!({"deactivated": true});
            api.patch(&format!("/companies/acme/users/{user}"), &body).expect(200);
        },
        told: &[(403, "user_deactivated")],
    },
    Switch {
        name: "deactivated by the directory",
        off: |server, _, (user, _)| {
            let off = json!([{"op": "replace", "path": "active", "value": false}]);
            server.acme().patch(&format!("/Users/{user}"), &off).expect(200);
        },
        told: &[(403, "user_deactivated")],
    },
    Switch {
        name: "deleted by the directory",
        off: |server, _, (user, _)| {
            server.acme().delete(&format!("/Users/{user}")).expect(204);
        },
        told: &[(403, "user_not_provisioned")],
    },
    Switch {
        name: "the domain given up",
        off: |_, api, _| drop(api.delete(&format!("{ACME}/domains/acme.example")).expect(204)),
        told: &[(403, "email_outside_domains")],
    },
    Switch {
        name: "the connection switched off",
        off: |_, api, _| {
            drop(api.post(&format!("{ACME}/connection/deactivate"), &json!({})).expect(200));
        },
        told: &[(403, "connection_inactive")],
    },
    Switch {
        name: "the connection deleted",
        off: |_, api, _| drop(api.delete(&format!("{ACME}/connection")).expect(204)),
        told: &[(404, "connection_not_found")],
    },
    Switch {
        name: "the connection followed by another",
        off: |_, api, (_, connection)| {
            let path = format!("{ACME}/connection/candidate");
            api.put(&path, connection).expect(201);
            api.post(&format!("{path}/promote"), &json!({"skip_test": true})).expect(200);
        },
        told: &[(403, "connection_inactive"), (404, "connection_not_found")],
    },
    Switch {
        name: "the company deleted",
        off: |server, _, _| drop(server.cli_ok(&["company", "delete", "acme", "--yes"])),
        told: &[(400, "state_unknown"), (404, "connection_not_found")],
    },
];

/// Has acme let people in again, through a connection that is made with this body where there is none; its name.
pub fn on_again(api: &Api, connection: &Value) -> String {
    let path = format!("{ACME}/connection");
    if api.get(&path).status == 404 {
        api.post(&path, connection).expect(201);
    }
    // A second domain lets the first one go.
    for domain in ["acme.example", "acme.test"] {
        if api.get(&format!("{ACME}/domains/{domain}")).status == 404 {
            verify(api, "acme", domain);
        }
    }
    let on = api.post(&format!("{path}/activate"), &json!({"skip_test": true})).expect(200);
    on["name"].as_str().unwrap().to_owned()
}
