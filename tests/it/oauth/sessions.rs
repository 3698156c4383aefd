//! Sessions: how long they last, who ends them, and that their end is at once the end of everything that
//! hangs on them (security.md S15).

use serde_json::{Value, json};

use super::{App, Tokens};
use crate::api::{Api, Who};
use crate::server::{TestServer, on_both_databases};

/// Lets sessions be so many minutes older: how long ago they began, and were used last.
fn age(server: &TestServer, begun: i64, used: i64) {
    let (begun, used) = (begun * 60_000_000, used * 60_000_000);
    server.sql(&format!(
        "UPDATE sessions SET created_at = created_at - {begun}, expires_at = expires_at - {begun}, \
         last_used_at = last_used_at - {used}"
    ));
}

/// A person with an application, and tokens of theirs.
struct Scene {
    user: String,
    session: Api,
    app: App,
    tokens: Tokens,
}

fn scene(server: &TestServer) -> Scene {
    let app = App::register(server, &json!({}));
    let user = server.acme().user("ada");
    let session = server.sign_in(&user).unwrap();
    let tokens = app.tokens(&session);
    Scene { user, session, app, tokens }
}

impl Scene {
    /// Fails unless nothing of the session opens anything.
    #[track_caller]
    fn is_over(&self) {
        let access = self.tokens.get("access_token");
        assert_eq!(self.app.introspect(&access), json!({"active": false}));
        self.app.userinfo(&access).oauth_error(401, "invalid_token");
        self.app.refresh(&self.tokens.get("refresh_token")).oauth_error(400, "invalid_grant");
        let to = self.app.authorize(Some(&self.session), &[]);
        assert!(to.header("location").unwrap().contains("/login?request="), "{to}");
        assert_eq!(self.session.get("/session").status, 401);
    }
}

on_both_databases! {
    fn r037_the_longest_life_is_the_companys(server: &TestServer) {
        let (api, scene) = (server.operator(), scene(server));
        let settings = json!({"max_session_ttl_minutes": 60, "idle_session_ttl_minutes": 60});
        api.put("/companies/acme/sso/session-settings", &settings).expect(200);
        let read = api.get("/companies/acme/sso/session-settings").expect(200);
        assert_eq!((&read["max_session_ttl_minutes"], &read["applies_to"]), (&json!(60), &json!("sso")));
        age(server, 59, 0);
        scene.session.get("/session").expect(200);
        assert_eq!(scene.app.introspect(&scene.tokens.get("access_token"))["active"], true);
        age(server, 2, 0);
        let refused = scene.session.get("/session").problem(401, "session_expired");
        assert_eq!(refused["reason"], "max_ttl");
        scene.is_over();
    }

    fn r038_an_idle_session_ends(server: &TestServer) {
        let (api, scene) = (server.operator(), scene(server));
        let settings = json!({"max_session_ttl_minutes": 1440, "idle_session_ttl_minutes": 10});
        api.put("/companies/acme/sso/session-settings", &settings).expect(200);
        let mut refresh = scene.tokens.get("refresh_token");
        for turn in 0..3 {
            age(server, 9, 9);
            // A refresh is a use, and so is a request with the session itself.
            if turn == 1 {
                scene.session.get("/session").expect(200);
                super::tokens::eventually(|| {
                    let read = api.get("/companies/acme/sessions").expect(200);
                    let text = |name: &str| read.data()[0][name].as_str().unwrap().to_owned();
                    text("last_used_at") > text("created_at")
                });
            } else {
                let next = scene.app.refresh(&refresh).expect(200);
                next["refresh_token"].as_str().unwrap().clone_into(&mut refresh);
            }
        }
        age(server, 11, 11);
        let refused = scene.session.get("/session").problem(401, "session_expired");
        assert_eq!(refused["reason"], "idle_ttl");
        scene.app.refresh(&refresh).oauth_error(400, "invalid_grant");
    }

    fn r039_limits_that_make_no_sense(server: &TestServer) {
        let api = server.operator();
        let put = |body: Value| api.put("/companies/acme/sso/session-settings", &body);
        put(json!({"max_session_ttl_minutes": 60, "idle_session_ttl_minutes": 120})).problem(422, "idle_exceeds_max");
        for minutes in [json!(0), json!(-1), json!(43_201), json!(9_999_999_999_i64)] {
            put(json!({"max_session_ttl_minutes": minutes})).problem(422, "out_of_range");
            put(json!({"idle_session_ttl_minutes": minutes})).problem(422, "out_of_range");
        }
        for minutes in [json!(1.5), json!("60"), json!(null)] {
            put(json!({"max_session_ttl_minutes": minutes})).problem(422, "invalid_body");
        }
        put(json!({"applies_to": "all"})).problem(422, "invalid_field");
        let read = api.get("/companies/acme/sso/session-settings").expect(200);
        assert_eq!((&read["max_session_ttl_minutes"], &read["idle_session_ttl_minutes"]), (&json!(1440), &json!(480)));
        api.patch("/companies/acme", &json!({"plan": "pro"})).expect(200);
        put(json!({})).problem(403, "plan_required");
    }

    fn r040_social_sessions_have_limits_of_their_own(server: &TestServer) {
        let api = server.operator();
        server.sign_in(&server.acme().user("ada")).unwrap();
        let social = server.log_in(&Who::new("ada").by_social()).unwrap();
        let settings = json!({"max_session_ttl_minutes": 1, "idle_session_ttl_minutes": 1});
        api.put("/companies/acme/sso/session-settings", &settings).expect(200);
        age(server, 61, 61);
        social.get("/session").expect(200);
        age(server, 0, 480);
        assert_eq!(social.get("/session").problem(401, "session_expired")["reason"], "idle_ttl");
    }

    fn sessions_are_listed_and_ended(server: &TestServer) {
        let (api, scene) = (server.operator(), scene(server));
        let eve = server.acme().user("eve");
        let other = server.sign_in(&eve).unwrap();
        assert_eq!(api.get("/companies/acme/sessions").expect(200).data().len(), 2);
        let mine = api.get(&format!("/companies/acme/sessions?user={}", scene.user)).expect(200);
        let [one] = mine.data() else { panic!("{}", mine.reply) };
        assert_eq!((&one["user_id"], &one["connection"], &one["state"]), (&json!(scene.user), &json!("acme"), &json!("active")));
        let path = format!("/companies/acme/sessions/{}", one["id"].as_str().unwrap());
        api.delete(&path).expect(204);
        scene.session.get("/session").problem(401, "session_ended");
        scene.is_over();
        api.delete(&path).problem(404, "not_found");
        other.get("/session").expect(200);
        server.company("globex");
        let theirs = other.get("/session").expect(200)["id"].as_str().unwrap().to_owned();
        api.delete(&format!("/companies/globex/sessions/{theirs}")).problem(404, "not_found");
        other.get("/session").expect(200);
        api.get("/companies/globex/sessions?user=nobody").problem(404, "user_not_found");
    }

    /// Rows 138 and 139: `active: false` ends everything within the next call.
    fn r138_deactivation_ends_sessions_at_once(server: &TestServer) {
        let scene = scene(server);
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        server.acme().patch(&format!("/Users/{}", scene.user), &off).expect(200);
        scene.is_over();
    }

    fn r139_an_unassigned_user_is_told_so(server: &TestServer) {
        let scene = scene(server);
        let user = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada", "active": false});
        server.acme().put(&format!("/Users/{}", scene.user), &user).expect(200);
        scene.session.get("/session").problem(401, "user_deactivated");
        scene.is_over();
        let refused = server.sign_in(&scene.user).map(drop);
        assert!(refused.is_err_and(|why| why.starts_with("user_deactivated")));
        // What comes back is the person, not the old session.
        let on = json!([{"op": "replace", "path": "active", "value": true}]);
        server.acme().patch(&format!("/Users/{}", scene.user), &on).expect(200);
        scene.is_over();
    }

    fn r191_a_deleted_users_sessions_are_gone(server: &TestServer) {
        let scene = scene(server);
        server.acme().delete(&format!("/Users/{}", scene.user)).expect(204);
        server.acme().get(&format!("/Users/{}", scene.user)).fails(404);
        scene.is_over();
        let events = server.operator().get("/companies/acme/audit-events").expect(200);
        assert!(events.data().iter().any(|event| event["action"] == "user.deleted"));
        assert!(events.data().iter().any(|event| event["action"] == "session.revoked"));
    }

    fn an_admins_deactivation_ends_sessions(server: &TestServer) {
        let scene = scene(server);
        let path = format!("/companies/acme/users/{}", scene.user);
        server.operator().patch(&path, &json!({"deactivated": true})).expect(200);
        scene.is_over();
    }

    /// security.md S10: what people came through is gone, and they with it.
    fn a_lost_connection_ends_its_sessions(server: &TestServer) {
        let scene = scene(server);
        server.operator().patch("/companies/acme/sso/auth-settings", &json!({"oidc_auth_enabled": false})).expect(200);
        scene.is_over();
    }

    fn a_deleted_company_takes_its_sessions_along(server: &TestServer) {
        let scene = scene(server);
        server.operator().delete("/companies/acme").expect(204);
        assert_eq!(scene.app.introspect(&scene.tokens.get("access_token")), json!({"active": false}));
        assert_eq!(scene.session.get("/session").status, 401);
    }

    /// A browser's cookie opens what a person may do; what changes something must come from our own pages.
    fn a_cookie_opens_the_management_api_for_our_pages(server: &TestServer) {
        let scene = scene(server);
        server.operator().organization("acme", "dev", &json!({"automatic_user_access": true}));
        let cookie = format!("stgd_session={}", scene.session.key());
        let nobody = server.api_as("");
        nobody.send("GET", "/session", &[("Cookie", &cookie)], None).expect(200);
        let to = json!({"organization": "dev"});
        let switch = |origin: &[(&str, &str)]| {
            nobody.send("POST", "/session/switch", &[&[("Cookie", cookie.as_str())], origin].concat(), Some(&to))
        };
        switch(&[]).problem(401, "unauthorized");
        switch(&[("Origin", "https://evil.example")]).problem(401, "unauthorized");
        switch(&[("Origin", "null")]).problem(401, "unauthorized");
        switch(&[("Origin", server.address())]).expect(200);
    }
}

/// security.md S15: what one replica ended is ended on the others at once.
#[test]
fn an_ended_session_is_over_on_every_replica() {
    let server = TestServer::start(crate::server::Database::Postgres);
    let scene = scene(&server);
    let replica = server.replica();
    let there = Api::new(replica.address(), scene.session.key());
    there.get("/session").expect(200);
    let path = format!("/companies/acme/sessions?user={}", scene.user);
    let listed = server.operator().get(&path).expect(200);
    let id = listed.data()[0]["id"].as_str().unwrap().to_owned();
    server.operator().delete(&format!("/companies/acme/sessions/{id}")).expect(204);
    there.get("/session").problem(401, "session_ended");
}
