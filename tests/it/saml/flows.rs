//! Signing in by SAML through a server: the metadata of both, the ACS, what it remembers, whom it lets in.

use std::sync::Barrier;
use std::thread;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::peers::{Idp, Scene, get, honest};
use super::visit::{
    ADA, CONNECTION, Visit, bring, connect, cookie, finish, go_on, now, post, refused, ticket,
};
use crate::oauth::App;
use crate::server::{Database, TestServer, on_both_databases};

/// The scene of a message to acme's ACS at this moment.
fn message(server: &TestServer, idp: &str, request: &str, acs: &str) -> String {
    let now = moment();
    let sp = format!("{}/sso/saml/acme/metadata", server.address());
    honest(&Scene { idp, sp: &sp, acs, now: &now, request })
}

/// This moment, as the generator takes it.
pub fn moment() -> String {
    Timestamp::from_second(now().as_second()).unwrap().to_string()
}

fn acs(server: &TestServer) -> String {
    format!("{}/sso/saml/acme/acs", server.address())
}

fn status(server: &TestServer, user: &str) -> String {
    let read = server.operator().get(&format!("/companies/acme/users/{user}")).expect(200);
    read["status"].as_str().unwrap().to_owned()
}

on_both_databases! {
    with crate::saml::visit::LOOPBACK;

    /// Rows 181, 183 and 197: the whole way, through an identity provider that we did not write.
    fn r183_a_staged_user_becomes_active_by_saml(server: &TestServer) {
        let idp = Idp::pysaml2();
        let api = connect(server, &idp, &json!({}));
        let shown = api.get(CONNECTION).expect(200);
        let base = format!("{}/sso/saml/acme", server.address());
        assert_eq!(shown["saml"]["acs_url"], format!("{base}/acs"));
        assert_eq!(shown["saml"]["sp_entity_id"], format!("{base}/metadata"));
        let ada = server.acme().user(ADA);
        assert_eq!(status(server, &ada), "STAGED");
        let visit = Visit::begin(server);
        let answer = bring(server.address(), &idp.form(&visit.address));
        assert_eq!(answer.header("set-cookie"), None);
        let session = visit.finish(&ticket(&answer)).unwrap();
        assert_eq!(session.get("/me").expect(200)["id"], *ada);
        assert_eq!(status(server, &ada), "ACTIVE");
        // The ticket is used up, and so is the attempt.
        assert_eq!(visit.finish(&ticket(&answer)).unwrap_err(), "state_used");
    }

    /// The address in the other form (D7).
    fn the_acs_has_another_name(server: &TestServer) {
        let idp = Idp::pysaml2();
        connect(server, &idp, &json!({}));
        server.acme().user(ADA);
        let visit = Visit::begin(server);
        let alias = format!("{}/sso/callback?connection=acme", server.address());
        let entity = format!("{}/metadata", idp.base);
        let theirs = message(server, &entity, &visit.request_id(), &alias);
        refused(&bring(server.address(), &theirs), 401, "saml.destination");
        let answer = post(&alias, &[("SAMLResponse", &theirs)]);
        visit.finish(&ticket(&answer)).unwrap();
        refused(&post(&format!("{}/sso/callback", server.address()), &[]), 404, "connection_not_found");
    }

    /// Our metadata, for an identity provider that is set up before anybody comes.
    fn r197_metadata_is_served(server: &TestServer) {
        let api = server.operator();
        let body = json!({"provider": "custom_saml", "protocol": "saml"});
        api.post(CONNECTION, &body).expect(201);
        let read = server.get_plain("/sso/saml/acme/metadata");
        assert_eq!(read.status, 200, "{read}");
        assert_eq!(read.header("content-type"), Some("application/samlmetadata+xml"));
        let again = server.get_plain("/sso/saml/acme/metadata");
        assert_eq!(read.body, again.body, "one key for the installation");
        refused(&server.get_plain("/sso/saml/other/metadata"), 404, "connection_not_found");
        // Nobody comes in before it is switched on.
        refused(&bring(server.address(), "x"), 403, "connection_inactive");
    }

    /// Row 194, (f) 72 and 73: unsolicited ones only where that is switched on, and once.
    fn r194_f73_idp_initiated_is_switched_on(server: &TestServer) {
        let idp = Idp::pysaml2();
        let api = connect(server, &idp, &json!({}));
        server.acme().user(ADA);
        let unsolicited = || idp.form(&format!("{}/unsolicited", idp.base));
        refused(&bring(server.address(), &unsolicited()), 403, "idp_initiated_disabled");
        api.patch(CONNECTION, &json!({"saml": {"allow_idp_initiated": true}})).expect(200);
        let message = unsolicited();
        let answer = bring(server.address(), &message);
        // This browser has begun now.
        let set = answer.header("set-cookie").unwrap();
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
        let browser = cookie(&answer, "stgd_login");
        assert_eq!(finish(server.address(), &ticket(&answer), "another").unwrap_err(), "saml.other_browser");
        finish(server.address(), &ticket(&answer), &browser).unwrap();
        refused(&bring(server.address(), &message), 401, "saml.replay");
        // What names a request is no unsolicited one.
        let entity = format!("{}/metadata", idp.base);
        let foreign = self::message(server, &entity, "_of-nobody", &acs(server));
        refused(&bring(server.address(), &foreign), 401, "saml.in_response_to");
    }

    /// Row 184: what Entra sends instead of more than 150 groups.
    fn r184_a_link_to_the_groups_changes_no_team(server: &TestServer) {
        let idp = Idp::pysaml2();
        let api = connect(server, &idp, &json!({}));
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        api.patch(CONNECTION, &json!({"jit_provisioning": true})).expect(200);
        let link = "http://schemas.microsoft.com/claims/groups.link";
        for attributes in [json!({"groups": "platform"}), json!({link: "https://graph.example/groups"})] {
            idp.tell(&json!({
                "metadata": server.get_plain("/sso/saml/acme/metadata").text(), "attributes": attributes,
            }));
            let visit = Visit::begin(server);
            let answer = bring(server.address(), &idp.form(&visit.address));
            let session = visit.finish(&ticket(&answer)).unwrap();
            assert_eq!(session.get("/session").expect(200)["teams"][0]["name"], "platform", "{attributes}");
        }
        let events = api.get("/companies/acme/audit-events").expect(200);
        let told = events.data().iter().filter(|event| event["action"] == "groups_overage").count();
        assert_eq!(told, 1, "{}", events.reply);
    }

    /// An application that asks for a fresh sign-in gets one: SAML has `ForceAuthn` for it, and `AuthnInstant` tells.
    fn who_must_sign_in_anew_is_asked_to(server: &TestServer) {
        let idp = Idp::pysaml2();
        connect(server, &idp, &json!({}));
        server.acme().user(ADA);
        let app = App::register(server, &json!({}));
        let come = |more: (&str, &str)| {
            let asked = app.authorize(None, &[("connection", "acme"), more]);
            let path = asked.header("location").unwrap().strip_prefix(server.address()).unwrap();
            let begun = server.get_plain(path);
            let message = idp.form(begun.header("location").unwrap());
            let log: Value = serde_json::from_str(&get(&format!("{}/log", idp.base)).1).unwrap();
            let forced = log.as_array().unwrap().last().unwrap()["force_authn"].clone();
            let answer = bring(server.address(), &message);
            (forced, finish(server.address(), &ticket(&answer), &cookie(&begun, "stgd_login")))
        };
        let asking = [(("prompt", "login"), json!("true")), (("max_age", "60"), json!("true")), (("state", "s"), Value::Null)];
        for (more, expected) in &asking {
            let (forced, session) = come(*more);
            assert_eq!(forced, *expected, "{more:?}");
            app.code(&session.unwrap(), &[]);
        }
        // A provider that does not ask again.
        let metadata = server.get_plain("/sso/saml/acme/metadata").text();
        idp.tell(&json!({"metadata": metadata, "authn_instant": now().as_second() - 3_600}));
        for (more, forced) in &asking {
            let code = come(*more).1.map(drop);
            let expected = if forced.is_null() { Ok(()) } else { Err("reauthentication_required".to_owned()) };
            assert_eq!(code, expected, "{more:?}");
        }
    }

    /// (f) 72, threat M6: one session, however often and wherever an assertion comes.
    fn f72_m6_an_assertion_counts_once(server: &TestServer) {
        let idp = Idp::pysaml2();
        connect(server, &idp, &json!({}));
        server.acme().user(ADA);
        let visit = Visit::begin(server);
        let message = idp.form(&visit.address);
        // Replicas are reached under one address.
        let public = ["--public-url", server.address()];
        let shared = server.database() == Database::Postgres;
        let second = shared.then(|| server.replica_with(&public));
        let addresses = [server.address(), second.as_ref().map_or(server.address(), |s| s.address())];
        let (barrier, times) = (Barrier::new(50), 50);
        let replies: Vec<_> = thread::scope(|scope| {
            let bringing = |i: usize| {
                let (message, barrier) = (&message, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    bring(addresses[i % 2], message)
                })
            };
            let threads: Vec<_> = (0..times).map(bringing).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (taken, others): (Vec<_>, Vec<_>) = replies.iter().partition(|r| r.status == 303);
        assert_eq!(taken.len(), 1, "{:?}", replies.iter().map(|r| r.status).collect::<Vec<_>>());
        for other in others {
            refused(other, 401, "saml.replay");
        }
        let logged = server.operator().get("/companies/acme/sso/attempts?code=saml.replay&limit=200");
        assert_eq!(logged.expect(200).data().len(), times - 1);
        visit.finish(&ticket(taken[0])).unwrap();
    }

    /// (f) 73, another browser: who brings the answer is not who began.
    fn f73_the_browser_that_began_finishes(server: &TestServer) {
        let idp = Idp::pysaml2();
        connect(server, &idp, &json!({}));
        server.acme().user(ADA);
        let (mine, theirs) = (Visit::begin(server), Visit::begin(server));
        let answer = bring(server.address(), &idp.form(&mine.address));
        assert_eq!(theirs.finish(&ticket(&answer)).unwrap_err(), "saml.other_browser");
        refused(&go_on(server.address(), &ticket(&answer), "another"), 401, "saml.other_browser");
        mine.finish(&ticket(&answer)).unwrap();
    }

    /// (f) 74: a message of one connection's identity provider says nothing at another.
    fn f74_another_connections_idp_is_refused(server: &TestServer) {
        let (idp, other) = (Idp::pysaml2(), Idp::pysaml2());
        connect(server, &idp, &json!({}));
        server.acme().user(ADA);
        let visit = Visit::begin(server);
        let entity = format!("{}/metadata", other.base);
        let theirs = message(server, &entity, &visit.request_id(), &acs(server));
        refused(&bring(server.address(), &theirs), 401, "saml.issuer");
        // Made for another connection, by the same identity provider.
        let _globex = server.company("globex");
        let api = server.operator();
        let body = json!({
            "provider": "custom_saml", "protocol": "saml", "saml": {"idp_metadata_xml": idp.metadata()},
        });
        api.post("/companies/globex/sso/connection", &body).expect(201);
        api.post("/companies/globex/sso/connection/activate", &json!({"skip_test": true})).expect(200);
        let mine = idp.form(&visit.address);
        let globex = format!("{}/sso/saml/globex/acs", server.address());
        refused(&post(&globex, &[("SAMLResponse", &mine)]), 401, "saml.destination");
        visit.finish(&ticket(&bring(server.address(), &mine))).unwrap();
    }

    /// (f) 75: what is no message.
    fn f75_what_is_no_message(server: &TestServer) {
        let idp = Idp::pysaml2();
        connect(server, &idp, &json!({}));
        server.acme().user(ADA);
        refused(&bring(server.address(), &"A".repeat(200_000)), 413, "saml.too_large");
        refused(&bring(server.address(), &"A".repeat(1_000_000)), 413, "saml.too_large");
        refused(&bring(server.address(), "!"), 400, "saml.malformed");
        refused(&post(&acs(server), &[("RelayState", "x")]), 400, "saml.malformed");
        let twice = [("SAMLResponse", "PGEvPg=="), ("SAMLResponse", "PGEvPg==")];
        refused(&post(&acs(server), &twice), 401, "saml.structure");
    }

    /// Certificates roll over: both count while both are there, the former one no more when it is gone.
    fn certificates_roll_over(server: &TestServer) {
        let idp = Idp::pysaml2();
        let api = connect(server, &idp, &json!({}));
        server.acme().user(ADA);
        let come = || bring(server.address(), &idp.form(&Visit::begin(server).address));
        assert_eq!(come().status, 303);
        let next = &super::peers::keys().second.certificate;
        let path = format!("{CONNECTION}/certificates");
        api.post(&path, &json!({"certificate": next})).expect(200);
        assert_eq!(come().status, 303);
        let all = api.get(&path).expect(200);
        let former = all.data().iter().find(|c| c["source"] == "metadata").unwrap();
        let former = former["fingerprint"].as_str().unwrap();
        api.delete(&format!("{path}/{former}")).expect(200);
        refused(&come(), 401, "saml.signature");
    }

    /// Threat A1: the private key lies sealed, and opens after a rotation of the sealing keys.
    fn a_private_key_lies_sealed(server: &TestServer) {
        let api = server.operator();
        api.post(CONNECTION, &json!({"provider": "custom_saml", "protocol": "saml"})).expect(201);
        let before = server.get_plain("/sso/saml/acme/metadata").text();
        let kept = server.service().read_now(|conn| Ok(stagedoor::db::saml::key(conn)?));
        let kept = kept.unwrap().unwrap();
        assert!(!String::from_utf8_lossy(&kept.sealed).contains("PRIVATE"));
        server.cli_ok(&["keys", "rotate"]);
        let again = server.service().read_now(|conn| Ok(stagedoor::db::saml::key(conn)?));
        assert_ne!(again.unwrap().unwrap().sealed, kept.sealed);
        let service = server.service();
        let key = super::visit::wait(service.saml_key()).unwrap();
        assert!(key.sign(b"x").is_ok());
        assert_eq!(server.get_plain("/sso/saml/acme/metadata").text(), before);
    }
}
