//! The 26 behaviours of a provider that a relying party must tell apart (security O3): 24 are refused, each with
//! its own code in the log of sign-ins, and 2 are accepted. Before each refusal, and after all, the same person
//! signs in through the same provider that behaves.

use serde_json::{Value, json};

use super::idp::{Key, Sign, jiff_now};
use super::{ACME, Browser, Idp, LOOPBACK, Word, connect, connection, last_attempt, with};
use crate::api::Api;
use crate::client::Reply;
use crate::server::{TestServer, on_both_databases};

type Change = fn(&mut Word);

fn without(word: &mut Word, claim: &str) {
    word.claims.as_object_mut().unwrap().remove(claim);
}

/// Those of the token: what changes, and the code.
const WRONG: [(&str, Change, &str); 19] = [
    ("iss wrong", |w| w.claims["iss"] = json!("https://evil.example"), "oidc.issuer"),
    ("iss absent", |w| without(w, "iss"), "oidc.issuer"),
    ("sub absent", |w| without(w, "sub"), "oidc.subject"),
    ("aud wrong", |w| w.claims["aud"] = json!("other"), "oidc.audience"),
    ("aud absent", |w| without(w, "aud"), "oidc.audience"),
    ("azp wrong", |w| w.claims["azp"] = json!("other"), "oidc.azp"),
    ("iat absent", |w| without(w, "iat"), "oidc.iat"),
    ("exp absent", |w| without(w, "exp"), "oidc.exp"),
    ("exp past", |w| w.claims["exp"] = json!(jiff_now() - 120), "oidc.exp"),
    ("nbf ahead", |w| w.claims["nbf"] = json!(jiff_now() + 3_600), "oidc.nbf"),
    ("nonce wrong", |w| w.claims["nonce"] = json!("other"), "oidc.nonce"),
    ("nonce absent", |w| without(w, "nonce"), "oidc.nonce"),
    (
        "alg none",
        |w| {
            w.header = json!({"alg": "none"});
            w.sign = Sign::Not;
        },
        "oidc.alg",
    ),
    (
        "HS256 with the public key",
        |w| {
            w.header["alg"] = json!("HS256");
            w.sign = Sign::Hmac;
        },
        "oidc.alg",
    ),
    ("signature wrong", |w| w.sign = Sign::Spoilt, "oidc.signature"),
    ("unknown kid", |w| w.header["kid"] = json!("unknown"), "oidc.key_unknown"),
    ("at_hash wrong", |w| w.claims["at_hash"] = json!("AAAAAAAAAAAAAAAAAAAAAA"), "oidc.at_hash"),
    (
        "userinfo of another",
        |w| {
            without(w, "groups");
            w.userinfo["sub"] = json!("other");
        },
        "oidc.userinfo_subject",
    ),
    ("no ID token", |w| w.has_token = false, "oidc.id_token_missing"),
];

/// Signs Ada in as she should be.
#[track_caller]
fn control(server: &TestServer, idp: &Idp) {
    idp.behaves();
    let mut browser = Browser::new(server);
    let done = browser.sign_in("/sso/start/acme", idp);
    assert_eq!((done.status, done.header("location")), (303, Some("/login")), "{done}");
    browser.session(server).unwrap().get("/session").expect(200);
}

/// Judges a refusal: a page with the code, no session, and the code in the log under the same reference.
#[track_caller]
pub fn refused(api: &Api, browser: &Browser, server: &TestServer, (page, code): (&Reply, &str)) {
    let text = page.text();
    assert!((400..=502).contains(&page.status), "{page}");
    assert!(text.contains(&format!("<code>{code}</code>")), "{code}: {page}");
    assert!(browser.session(server).is_none(), "{page}");
    let logged = last_attempt(api);
    assert_eq!((&logged["code"], &logged["state"]), (&json!(code), &json!("refused")), "{logged}");
    assert!(text.contains(logged["reference"].as_str().unwrap()), "{page}");
}

on_both_databases! {
    with crate::sign_on::LOOPBACK;

    fn o3_what_a_token_says_wrongly_is_refused(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        server.acme().user("ada@acme.example");
        control(server, &idp);
        for (name, change, code) in WRONG {
            idp.says(change);
            let fetched = idp.heard("/keys");
            let mut browser = Browser::new(server);
            let page = browser.sign_in("/sso/start/acme", &idp);
            println!("{name}: {}", page.status);
            refused(&api, &browser, server, (&page, code));
            // After an unknown key they are fetched anew, once.
            let again = usize::from(code == "oidc.key_unknown");
            assert_eq!(idp.heard("/keys") - fetched, again, "{name}");
        }
        control(server, &idp);
        let users = api.get("/companies/acme/users").expect(200);
        assert_eq!(users.data().len(), 1, "nobody was made");
    }

    fn o3_a_token_without_a_key_id_is_one_of_two_keys(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        server.acme().user("ada@acme.example");
        let nameless: Change = |word| drop(word.header.as_object_mut().unwrap().remove("kid"));
        // Accepted: one key fits.
        idp.says(nameless);
        let mut browser = Browser::new(server);
        assert_eq!(browser.sign_in("/sso/start/acme", &idp).status, 303);
        assert!(browser.session(server).is_some());
        // Refused: two do. Another connection knows the keys anew.
        let keys = [idp.published(), vec![Key::new("second")]].concat();
        idp.keys(&keys);
        api.delete(&format!("{ACME}/connection")).expect(204);
        let made = api.post(&format!("{ACME}/connection"), &connection(&idp)).expect(201);
        api.post(&format!("{ACME}/connection/activate"), &json!({"skip_test": true})).expect(200);
        let start = format!("/sso/start/{}", made["name"].as_str().unwrap());
        let mut browser = Browser::new(server);
        let page = browser.sign_in(&start, &idp);
        refused(&api, &browser, server, (&page, "oidc.key_ambiguous"));
        idp.behaves();
        assert_eq!(Browser::new(server).sign_in(&start, &idp).status, 303);
    }

    /// Accepted: the key that signs is another one than a moment ago.
    fn o3_keys_change_between_two_sign_ins(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        server.acme().user("ada@acme.example");
        control(server, &idp);
        idp.keys(&[Key::new("second")]);
        control(server, &idp);
        assert_eq!(idp.heard("/keys"), 2);
        // O6: what nobody knows is looked for once in 30 seconds.
        idp.says(|word| word.header["kid"] = json!(crate::server::unique()));
        for _ in 0..20 {
            let mut browser = Browser::new(server);
            let page = browser.sign_in("/sso/start/acme", &idp);
            refused(&api, &browser, server, (&page, "oidc.key_unknown"));
        }
        assert_eq!(idp.heard("/keys"), 2);
        control(server, &idp);
    }

    fn o3_an_answer_belongs_to_its_attempt_and_its_issuer(server: &TestServer) {
        let (api, idp, evil) = (server.operator(), Idp::start(), Idp::start());
        connect(&api, &idp, "acme");
        server.company("globex");
        connect(&api, &evil, "globex");
        server.acme().user("ada@acme.example");
        control(server, &idp);
        // The `iss` parameter differs (RFC 9207).
        idp.adds("iss", &evil.issuer());
        let mut browser = Browser::new(server);
        let page = browser.sign_in("/sso/start/acme", &idp);
        refused(&api, &browser, server, (&page, "oidc.callback_issuer"));
        idp.behaves();
        // The state of another attempt: the code is not the one that this attempt's verifier fits.
        let mut browser = Browser::new(server);
        let urls = [(); 2].map(|()| browser.get("/sso/start/acme").header("location").unwrap().to_owned());
        let back = urls.map(|url| url::Url::parse(&idp.authorize(&url)).unwrap());
        let value = |url: &url::Url, name: &str| url.query_pairs().find(|(n, _)| n == name).unwrap().1.into_owned();
        let mixed = [("state", value(&back[0], "state")), ("code", value(&back[1], "code"))];
        let mixed: Vec<(&str, &str)> = mixed.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let page = browser.get(&with("/sso/callback/acme", &mixed));
        refused(&api, &browser, server, (&page, "oidc.code_refused"));
        // The ID token of another connection.
        let issuer = evil.issuer();
        let other = evil.published()[0].clone();
        idp.says(move |word| { word.claims["iss"] = json!(issuer); word.key = other.clone(); });
        let mut browser = Browser::new(server);
        let page = browser.sign_in("/sso/start/acme", &idp);
        refused(&api, &browser, server, (&page, "oidc.issuer"));
        control(server, &idp);
    }

    /// Discovery's issuer differs: the connection cannot be made (D4).
    fn o3_a_provider_that_calls_itself_otherwise_is_not_connected(server: &TestServer) {
        let (api, idp) = (server.operator(), Idp::start());
        let body = json!({"issuer": "https://evil.example", "authorization_endpoint": "https://evil.example/a",
            "token_endpoint": "https://evil.example/t", "jwks_uri": "https://evil.example/k"}).to_string();
        let page = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        idp.put_raw("/.well-known/openid-configuration", page.as_bytes());
        api.post(&format!("{ACME}/connection"), &connection(&idp)).problem(422, "issuer_mismatch");
        idp.behaves();
        api.post(&format!("{ACME}/connection"), &connection(&idp)).expect(201);
    }
}

/// A provider that never answers costs nobody more than ten seconds (row (f) 63).
#[test]
fn f63_a_provider_that_is_silent_is_left_alone() {
    let server = &TestServer::start_with(crate::server::Database::Sqlite, LOOPBACK);
    let (api, idp) = (server.operator(), Idp::start());
    connect(&api, &idp, "acme");
    for (bytes, code) in [
        (Vec::new(), "oidc.token_failed"),
        (huge(), "oidc.token_failed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>".to_vec(), "oidc.token_invalid"),
        (b"HTTP/1.1 500 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(), "oidc.token_failed"),
        (b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(), "oidc.token_failed"),
    ] {
        idp.put_raw("/token", &bytes);
        let mut browser = Browser::new(server);
        let began = std::time::Instant::now();
        let page = browser.sign_in("/sso/start/acme", &idp);
        assert_eq!(page.status, 502, "{page}");
        refused(&api, &browser, server, (&page, code));
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    }
    let logged: Value = last_attempt(&api);
    assert_eq!(logged["fix_at"], "idp");
}

fn huge() -> Vec<u8> {
    let body = "a".repeat(50 * 1024 * 1024);
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}
