//! By OpenID Connect: `oidc-provider` from npm is the identity provider.

use serde_json::json;

use super::peers::Provider;
use super::{ADA, GROUPS, Scene};
use crate::api::Api;
use crate::server::{TestServer, on_both_databases};
use crate::sign_on::{ACME, verify};

/// A provider, and acme's connection to it.
fn connect(server: &TestServer, api: &Api) -> Provider {
    let idp = Provider::start(&format!("{}/sso/callback/acme", server.address()), &GROUPS);
    let body = json!({"provider": "okta", "protocol": "oidc",
        "oidc": {"issuer": idp.issuer, "client_id": "client", "client_secret": "hunter2"}});
    api.post(&format!("{ACME}/connection"), &body).expect(201);
    api.post(&format!("{ACME}/connection/activate"), &json!({"skip_test": true})).expect(200);
    verify(api, "acme", "acme.example");
    idp
}

impl Scene<'_> {
    /// At the provider's page she says who she is, and agrees, which leads to the application.
    fn signs_in_at_the_provider(&mut self) {
        let who = json!({"input[name=login]": ADA, "input[name=password]": "anything"});
        let agree = "input[name=prompt][value=consent]";
        self.person.does(&json!({"fill": who, "click": "button[type=submit]", "until": agree}));
        self.person.does(&json!({"click": "button[type=submit]", "until": "#signed-in"}));
    }
}

on_both_databases! {
    with crate::walks::LOOPBACK;

    /// Rows 53, 55, 75, 76, 78, 98, 99, 111, 138: SCIM makes a user, who signs in through a real provider in a real
    /// browser into an application; teams come to that organization alone, a switch takes them along, and the
    /// directory ends it all.
    fn r111_from_the_directory_into_the_application(server: &TestServer) {
        let idp = connect(server, &server.operator());
        let mut scene = Scene::new(server);
        let login = format!("{}/login", scene.app.address);
        scene.person.does(&json!({"go": login, "fill": {"input[name=email]": ADA},
            "click": "button[type=submit]", "until": "input[name=login]"}));
        scene.signs_in_at_the_provider();
        scene.has_come_in();
        let once = json!({"authentications": 1, "authorizations": 1});
        assert_eq!(idp.counts(), once);
        scene.switches();
        assert_eq!(idp.counts(), once, "a switch asks nobody again");
        scene.is_sent_away();
        // The provider still knows her; here she is told why not.
        let refused = scene.person.does(&json!({"go": format!("{login}?connection=acme"), "read": "p.code code"}));
        assert_eq!(refused["text"], "user_deactivated", "{refused}");
        assert_eq!(idp.counts(), json!({"authentications": 1, "authorizations": 2}));
    }

    /// Row 193: from the tile and from the application, by the address and by the connection that it names, she
    /// comes to the same account and organization.
    fn r193_a_tile_and_the_application_lead_to_the_same_place(server: &TestServer) {
        let idp = connect(server, &server.operator());
        let mut scene = Scene::new(server);
        let (app, id) = (scene.app.address.clone(), scene.app.id.clone());
        let tile = format!(
            "{}/oauth/authorize?client_id={id}&connection=acme&redirect_uri={app}/callback&target_link_uri={app}/callback",
            server.address(),
        );
        let mut places = Vec::new();
        for start in [tile, format!("{app}/login?connection=acme")] {
            scene.person.does(&json!({"new": true, "go": start}));
            scene.signs_in_at_the_provider();
            scene.has_come_in();
            places.push((scene.place(), scene.signed_in()["sid"].clone()));
        }
        let [tile, app] = places.try_into().unwrap();
        assert_eq!(tile.0, app.0);
        assert_ne!(tile.1, app.1, "each browser has a session of its own");
        assert_eq!(idp.counts(), json!({"authentications": 2, "authorizations": 2}));
    }
}
