//! The end of a session: by its person, by an application, by an identity provider; and that applications
//! hear of it (OpenID Connect RP-Initiated, Front-Channel and Back-Channel Logout 1.0).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{App, claims, parameter, send, visit};
use crate::api::Api;
use crate::server::{Database, TestServer, on_both_databases};

/// Where applications go after a logout.
const AFTER: &str = "https://app.example/bye";

/// Something that applications are called at: it answers with these statuses, one after another, the last
/// one for ever, and passes on what it was sent.
fn receiver(statuses: &[u16]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/logout", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    let mut statuses = statuses.to_vec();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            let status = if statuses.len() > 1 { statuses.remove(0) } else { statuses[0] };
            let answer =
                format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = reader.get_mut().write_all(answer.as_bytes());
            let _ = sender.send(String::from_utf8_lossy(&body).into_owned());
        }
    });
    (url, receiver)
}

/// The next notice that arrives.
#[track_caller]
fn notice(receiver: &Receiver<String>) -> String {
    let body = receiver.recv_timeout(Duration::from_secs(20)).expect("a notice");
    let (name, token) = form_urlencoded::parse(body.as_bytes()).next().expect("a field");
    assert_eq!(name, "logout_token");
    token.into_owned()
}

/// A server that may call applications on this machine.
fn server(database: Database) -> TestServer {
    TestServer::start_with(database, &["--egress-allow", "127.0.0.0/8"])
}

fn post(
    server: &TestServer,
    path: &str,
    session: Option<&Api>,
    form: &[(&str, &str)],
) -> crate::client::Reply {
    let cookie = session.map(|session| format!("stgd_session={}", session.key()));
    let headers: Vec<(&str, &str)> = cookie.iter().map(|c| ("Cookie", c.as_str())).collect();
    send("POST", &format!("{}{path}", server.address()), &headers, Some(form))
}

on_both_databases! {
    fn a_person_signs_out(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let tokens = app.tokens(&session);
        let asked = visit(&format!("{}/logout", server.address()), Some(&session));
        assert!(asked.status == 200 && asked.text().contains("<form method=\"post\" action=\"/logout\">"), "{asked}");
        session.get("/session").expect(200);
        let done = post(server, "/logout", Some(&session), &[]);
        let cookie = done.header("set-cookie").unwrap();
        assert!(cookie.starts_with("stgd_session=;") && cookie.contains("Max-Age=0"), "{done}");
        session.get("/session").problem(401, "session_ended");
        assert_eq!(app.introspect(&tokens.get("access_token")), json!({"active": false}));
        assert_eq!(post(server, "/logout", Some(&session), &[]).status, 200);
        assert_eq!(post(server, "/logout", None, &[]).status, 200);
    }

    fn an_application_signs_its_person_out(server: &TestServer) {
        let app = App::register(server, &json!({"post_logout_redirect_uris": [AFTER]}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let hint = app.tokens(&session).get("id_token");
        let end = |query: &[(&str, &str)], session: Option<&Api>| {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
            visit(&format!("{}/oauth/end_session?{query}", server.address()), session)
        };
        // Somewhere else: nobody is signed out, and nobody is sent there.
        let elsewhere = end(&[("id_token_hint", &hint), ("post_logout_redirect_uri", "https://evil.example/")], Some(&session));
        assert_eq!((elsewhere.status, elsewhere.header("location")), (400, None), "{elsewhere}");
        session.get("/session").expect(200);
        let done = end(&[("id_token_hint", &hint), ("post_logout_redirect_uri", AFTER), ("state", "s")], Some(&session));
        let to = done.header("location").unwrap_or_else(|| panic!("{done}"));
        assert!(to.starts_with(AFTER) && parameter(to, "state") == "s", "{to}");
        session.get("/session").problem(401, "session_ended");
        let again = end(&[("id_token_hint", &hint)], None);
        assert_eq!(again.status, 200, "{again}");
    }

    /// Without a hint of ours the person is asked: a link alone signs nobody out.
    fn a_link_alone_signs_nobody_out(server: &TestServer) {
        let app = App::register(server, &json!({"post_logout_redirect_uris": [AFTER]}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let url = format!("{}/oauth/end_session?client_id={}&post_logout_redirect_uri={AFTER}", server.address(), app.id);
        let asked = visit(&url, Some(&session));
        assert!(asked.status == 200 && asked.text().contains("action=\"/oauth/end_session\""), "{asked}");
        assert!(asked.header("content-security-policy").unwrap().contains("form-action 'self' https://app.example"));
        let forged = visit(&format!("{}/oauth/end_session?id_token_hint=a.b.c", server.address()), Some(&session));
        assert_eq!(forged.status, 200, "{forged}");
        session.get("/session").expect(200);
        let form = [("confirmed", "yes"), ("client_id", app.id.as_str()), ("post_logout_redirect_uri", AFTER)];
        // Another site's form comes without the cookie.
        assert_eq!(post(server, "/oauth/end_session", None, &form).status, 302);
        session.get("/session").expect(200);
        assert_eq!(post(server, "/oauth/end_session", Some(&session), &form).status, 302);
        session.get("/session").problem(401, "session_ended");
    }

    /// The answer to another site's form, which comes without the cookie, takes no cookie away either; and a
    /// hint of somebody else's session, which anybody can have, ends that one alone.
    fn nobody_elses_word_takes_a_session_away(server: &TestServer) {
        let app = App::register(server, &json!({"post_logout_redirect_uris": [AFTER]}));
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        let mine = server.sign_in(&server.acme().user("mallory")).unwrap();
        let hint = app.tokens(&mine).get("id_token");
        for path in ["/logout", "/oauth/end_session"] {
            let forged = post(server, path, None, &[("confirmed", "yes")]);
            assert_eq!((forged.status, forged.header("set-cookie")), (200, None), "{forged}");
        }
        let query = format!("id_token_hint={hint}&post_logout_redirect_uri={AFTER}");
        let link = visit(&format!("{}/oauth/end_session?{query}", server.address()), Some(&session));
        assert_eq!((link.status, link.header("set-cookie")), (200, None), "{link}");
        assert!(link.text().contains("action=\"/oauth/end_session\""), "{link}");
        session.get("/session").expect(200);
        mine.get("/session").problem(401, "session_ended");
        let form = [("confirmed", "yes"), ("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", AFTER)];
        let meant = post(server, "/oauth/end_session", Some(&session), &form);
        assert!(meant.status == 302 && meant.header("set-cookie").is_some(), "{meant}");
        session.get("/session").problem(401, "session_ended");
    }

    fn an_identity_provider_signs_its_person_out(server: &TestServer) {
        let session = server.sign_in(&server.acme().user("ada")).unwrap();
        server.sql(r#"UPDATE connections SET document = '{"oidc": {"issuer": "https://idp.example"}}'"#);
        server.sql("UPDATE sessions SET idp_session = 'their-sid'");
        let call = |iss: &str, sid: &str| {
            let url = format!("{}/logout?iss={iss}&sid={sid}", server.address());
            assert_eq!(visit(&url, None).status, 200);
        };
        call("https://evil.example", "their-sid");
        call("https://idp.example", "another");
        session.get("/session").expect(200);
        call("https://idp.example", "their-sid");
        session.get("/session").problem(401, "session_ended");
    }
}

/// A company that is deleted takes its people's sessions at applications along: they hear of it when nothing of the
/// company is left.
fn applications_hear_of_a_deleted_company(server: &TestServer) {
    let (url, heard) = receiver(&[503, 200]);
    let app = App::register(server, &json!({"backchannel_logout_uri": url}));
    let ada = server.acme().user("ada");
    let tokens = app.tokens(&server.sign_in(&ada).unwrap());
    server.operator().delete("/companies/acme").expect(204);
    assert_eq!(app.introspect(&tokens.get("access_token")), json!({"active": false}));
    // It was refused, so it comes again.
    notice(&heard);
    let told = claims(&notice(&heard));
    assert_eq!((&told["sub"], &told["sid"]), (&json!(ada), &tokens.claims("id_token")["sid"]));
    super::tokens::eventually(|| server.count("logout_notices") == 0);
}

/// `active: false` in the directory ends the application's own session: it hears of it, in a token that it
/// can check.
fn applications_hear_of_it(server: &TestServer) {
    let (url, heard) = receiver(&[503, 200]);
    let app = App::register(
        server,
        &json!({"backchannel_logout_uri": url, "id_token_signed_response_alg": "RS256"}),
    );
    let deaf = App::register(server, &json!({}));
    let ada = server.acme().user("ada");
    let session = server.sign_in(&ada).unwrap();
    let (tokens, _) = (app.tokens(&session), deaf.tokens(&session));
    // A code that was never exchanged is nobody's session.
    app.code(&session, &[]);
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    server.acme().patch(&format!("/Users/{ada}"), &off).expect(200);
    let first = notice(&heard);
    // It was refused, so it comes again.
    let token = notice(&heard);
    let (told, id) = (claims(&token), tokens.claims("id_token"));
    for name in ["iss", "aud", "sub", "sid"] {
        assert_eq!(told[name], id[name], "{name}");
    }
    assert_eq!(told["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    assert!(told["nonce"].is_null() && told["exp"].as_i64() > told["iat"].as_i64());
    assert_ne!(claims(&first)["jti"], told["jti"]);
    let keys: Value =
        serde_json::from_slice(&server.get_plain("/.well-known/jwks.json").body).unwrap();
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_value(keys).unwrap();
    let header = jsonwebtoken::decode_header(&token).unwrap();
    assert_eq!(
        (header.typ.as_deref(), header.alg),
        (Some("logout+jwt"), jsonwebtoken::Algorithm::RS256)
    );
    let key =
        jsonwebtoken::DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut rules = jsonwebtoken::Validation::new(header.alg);
    rules.set_audience(&[&app.id]);
    jsonwebtoken::decode::<Value>(&token, &key, &rules).unwrap();
    assert!(
        heard.recv_timeout(Duration::from_millis(1500)).is_err(),
        "it was heard, and is not sent again"
    );
}

#[test]
fn applications_hear_of_a_deleted_company_on_sqlite() {
    applications_hear_of_a_deleted_company(&server(Database::Sqlite));
}

#[test]
fn applications_hear_of_a_deleted_company_on_postgres() {
    applications_hear_of_a_deleted_company(&server(Database::Postgres));
}

#[test]
fn applications_hear_of_it_on_sqlite() {
    applications_hear_of_it(&server(Database::Sqlite));
}

#[test]
fn applications_hear_of_it_on_postgres() {
    applications_hear_of_it(&server(Database::Postgres));
}

/// security.md X1: a notice goes to no private address, and the end of the session does not wait for it.
#[test]
fn a_notice_to_a_private_address_is_not_sent() {
    let server = TestServer::start(Database::Sqlite);
    let (url, heard) = receiver(&[200]);
    let app = App::register(&server, &json!({"backchannel_logout_uri": url}));
    let session = server.sign_in(&server.acme().user("ada")).unwrap();
    app.tokens(&session);
    assert_eq!(post(&server, "/logout", Some(&session), &[]).status, 200);
    super::tokens::eventually(|| server.log().contains("did not hear of a logout"));
    assert!(heard.try_recv().is_err());
}
