//! By SAML: `samlify` from npm is the identity provider, under a name of its own, so that what it posts to us comes
//! from another site.

use serde_json::{Value, json};

use super::peers::counts;
use super::{ADA, GROUPS, Scene, sent};
use crate::saml::peers::Idp;
use crate::saml::visit::{CONNECTION, connect};
use crate::server::{TestServer, on_both_databases};

/// A provider that asks people who they are, and acme's connection to it.
fn provider(server: &TestServer) -> Idp {
    let idp = Idp::samlify();
    idp.tell(&json!({"host": "localhost", "asks": true}));
    let api = connect(server, &idp, &json!({}));
    api.patch(CONNECTION, &json!({"groups": {"format": "delimited", "delimiter": ","}}))
        .expect(200);
    idp.tell(&json!({"attributes": {"groups": GROUPS.join(",")}}));
    idp
}

impl Scene<'_> {
    /// At the provider's page she says who she is.
    fn says_who_she_is(&mut self) {
        let who = json!({"input[name=login]": ADA, "input[name=password]": "anything"});
        self.person
            .does(&json!({"fill": who, "click": "button", "until": "input[name=SAMLResponse]"}));
    }

    /// She goes on by the form that the provider shows, up to a page with this in it.
    #[track_caller]
    fn goes_on(&mut self, until: &str) -> Value {
        let there = self.person.does(&json!({}));
        assert!(there["url"].as_str().unwrap().starts_with("http://localhost:"), "{there}");
        let place = self.person.does(&json!({"click": "button", "until": until, "read": until}));
        // The browser kept back what it has of us: the form came from another site.
        assert_eq!(sent(&place, "/sso/saml/acme/acs"), Vec::<String>::new());
        place
    }
}

on_both_databases! {
    with crate::walks::LOOPBACK;

    /// Rows 53, 55, 75, 76, 78, 98, 99, 138, 183: the same by SAML.
    fn r183_from_the_directory_into_the_application(server: &TestServer) {
        let idp = provider(server);
        let mut scene = Scene::new(server);
        let login = format!("{}/login", scene.app.address);
        scene.person.does(&json!({"go": login, "fill": {"input[name=email]": ADA},
            "click": "button[type=submit]", "until": "input[name=login]"}));
        scene.says_who_she_is();
        let began = scene.person.does(&json!({"cookies": server.address()}));
        let cookies = began["cookies"].as_array().unwrap();
        assert!(cookies.iter().any(|cookie| cookie["name"] == "stgd_login"), "{began}");
        scene.goes_on("#signed-in");
        scene.has_come_in();
        let once = json!({"authentications": 1, "answers": 1});
        assert_eq!(counts(&idp.base), once);
        scene.switches();
        assert_eq!(counts(&idp.base), once, "a switch asks nobody again");
        scene.is_sent_away();
        // The provider still knows her; here she is told why not.
        scene.person.does(&json!({"go": format!("{login}?connection=acme"), "until": "input[name=SAMLResponse]"}));
        let refused = scene.goes_on("p.code code");
        assert_eq!(refused["text"], "user_deactivated", "{refused}");
        assert_eq!(counts(&idp.base), json!({"authentications": 1, "answers": 2}));
    }

    /// Rows 193 and 194: from the provider's own page, once that is switched on, and from the application, she comes
    /// to the same account and organization.
    fn r193_r194_the_provider_and_the_application_lead_to_the_same_place(server: &TestServer) {
        let idp = provider(server);
        let mut scene = Scene::new(server);
        let port = idp.base.rsplit(':').next().unwrap();
        let tile = json!({"go": format!("http://localhost:{port}/tile")});
        scene.person.does(&tile);
        scene.says_who_she_is();
        let refused = scene.goes_on("p.code code");
        assert_eq!(refused["text"], "idp_initiated_disabled", "{refused}");
        assert_eq!(scene.status(), "STAGED");
        scene.api.patch(CONNECTION, &json!({"saml": {"allow_idp_initiated": true}})).expect(200);
        scene.person.does(&tile);
        let here = scene.goes_on("h1");
        assert_eq!(here["text"], "You are signed in", "{here}");
        // The application's own request is answered from the session.
        let login = format!("{}/login?connection=acme", scene.app.address);
        scene.person.does(&json!({"go": login, "until": "#signed-in"}));
        scene.has_come_in();
        assert_eq!(counts(&idp.base), json!({"authentications": 1, "answers": 2}));
        let place = scene.place();
        scene.person.does(&json!({"new": true, "go": login}));
        scene.says_who_she_is();
        scene.goes_on("#signed-in");
        scene.has_come_in();
        assert_eq!(scene.place(), place);
        assert_eq!(counts(&idp.base), json!({"authentications": 2, "answers": 3}));
    }
}
