//! What an ID token may not say, by the numbers of the hostile inputs (54 to 59) and of threats O4 to O6: each is
//! refused with its status and its code, and a token that is as it should be is taken by the same server.

use std::thread;

use serde_json::{Value, json};

use super::behaviours::refused;
use super::idp::{Key, Sign, jiff_now};
use super::{ACME, Browser, Idp, Word, connect, connection};
use crate::api::Api;
use crate::server::{TestServer, on_both_databases, unique};

/// The time claims, and what is wrong with each where it is wrong.
const TIMES: [(&str, &str); 3] = [("exp", "oidc.exp"), ("iat", "oidc.iat"), ("nbf", "oidc.nbf")];
/// Claims that are texts, the same.
const TEXTS: [(&str, &str); 5] = [
    ("iss", "oidc.issuer"),
    ("aud", "oidc.audience"),
    ("sub", "oidc.subject"),
    ("nonce", "oidc.nonce"),
    ("azp", "oidc.azp"),
];

/// A company that is connected, with Ada in its directory.
struct Door<'s> {
    server: &'s TestServer,
    api: Api,
    idp: Idp,
    start: String,
}

impl<'s> Door<'s> {
    fn new(server: &'s TestServer) -> Self {
        let (api, idp) = (server.operator(), Idp::start());
        connect(&api, &idp, "acme");
        server.acme().user("ada@acme.example");
        Self { server, api, idp, start: "/sso/start/acme".to_owned() }
    }

    /// Publishes these keys to a server that has seen none of them.
    fn publish(&mut self, keys: &[&Key]) {
        let keys: Vec<Key> = keys.iter().map(|key| (*key).clone()).collect();
        self.idp.keys(&keys);
        self.api.delete(&format!("{ACME}/connection")).expect(204);
        let made = self.api.post(&format!("{ACME}/connection"), &connection(&self.idp)).expect(201);
        let skip = json!({"skip_test": true});
        self.api.post(&format!("{ACME}/connection/activate"), &skip).expect(200);
        self.start = format!("/sso/start/{}", made["name"].as_str().unwrap());
    }

    /// Fails unless a token that was changed so is refused with 401 and this code.
    #[track_caller]
    fn refuses(&self, name: &str, code: &str, change: impl Fn(&mut Word) + Send + Sync + 'static) {
        self.idp.says(change);
        let mut browser = Browser::new(self.server);
        let page = browser.sign_in(&self.start, &self.idp);
        assert_eq!(page.status, 401, "{name}: {page}");
        refused(&self.api, &browser, self.server, (&page, code));
    }

    /// Fails unless a token that was changed so signs Ada in.
    #[track_caller]
    fn takes(&self, name: &str, change: impl Fn(&mut Word) + Send + Sync + 'static) {
        self.idp.says(change);
        let mut browser = Browser::new(self.server);
        let done = browser.sign_in(&self.start, &self.idp);
        assert_eq!(done.status, 303, "{name}: {done}");
        browser.session(self.server).unwrap().get("/session").expect(200);
    }

    /// Fails unless the honest one is taken, and all of it has made nobody.
    #[track_caller]
    fn is_sound(&self) {
        self.takes("as it should be", |_| ());
        let users = self.api.get("/companies/acme/users").expect(200);
        assert_eq!(users.data().len(), 1, "{}", users.reply);
    }
}

/// A change of one claim.
fn claim(name: &'static str, value: Value) -> impl Fn(&mut Word) + Send + Sync + 'static {
    move |word| word.claims[name] = value.clone()
}

/// The same without it.
fn without(name: &'static str) -> impl Fn(&mut Word) + Send + Sync + 'static {
    move |word| drop(word.claims.as_object_mut().unwrap().remove(name))
}

/// A token under this algorithm and the id of a key, signed by it in a certain way.
fn under(key: &Key, algorithm: &str, sign: Sign) -> impl Fn(&mut Word) + Send + Sync + 'static {
    let (key, algorithm) = (key.clone(), algorithm.to_owned());
    move |word| {
        word.header = json!({"alg": algorithm, "kid": key.public["kid"]});
        (word.key, word.sign) = (key.clone(), sign);
    }
}

on_both_databases! {
    with crate::sign_on::LOOPBACK;

    fn f54_no_algorithm_but_that_of_the_key(server: &TestServer) {
        let mut door = Door::new(server);
        let key = Key::rsa("rsa");
        door.publish(&[&key]);
        for name in ["none", "None", "NONE", "nOnE", ""] {
            door.refuses(name, "oidc.alg", under(&key, name, Sign::Not));
        }
        door.refuses("HS256, the RSA key", "oidc.alg", under(&key, "HS256", Sign::Hmac));
        door.refuses("HS256, no key", "oidc.alg", under(&key, "HS256", Sign::Blank));
        door.refuses("ES256, an RSA key", "oidc.alg", under(&key, "ES256", Sign::Well));
        door.refuses("PS256, not announced", "oidc.alg", under(&key, "PS256", Sign::Well));
        let detail = super::last_attempt(&door.api)["detail"].as_str().unwrap().to_owned();
        assert_eq!(detail, "alg is PS256");
        door.is_sound();
    }

    /// Threat O4: 14 algorithms and three kinds of keys, which do not say what they are for. The provider announces
    /// RS256, ES256 and HS256.
    fn o4_a_key_signs_by_its_own_algorithm(server: &TestServer) {
        let mut door = Door::new(server);
        let mut keys = [Key::rsa("rsa"), Key::new("ec"), Key::ed25519("ed")];
        for key in &mut keys {
            key.public.as_object_mut().unwrap().remove("alg");
        }
        let [rsa, ec, ed] = &keys;
        door.publish(&[rsa, ec, ed]);
        let mut taken = Vec::new();
        for algorithm in ["none", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
            "ES256", "ES384", "ES512", "EdDSA"] {
            let sign = match &algorithm[..2] {
                "no" => Sign::Not,
                "HS" => Sign::Hmac,
                _ => Sign::Well,
            };
            for key in &keys {
                let name = format!("{algorithm} {}", key.public["kty"].as_str().unwrap());
                let change = under(key, algorithm, sign);
                if ["RS256 RSA", "ES256 EC"].contains(&name.as_str()) {
                    door.takes(&name, change);
                    taken.push(name);
                } else {
                    door.refuses(&name, "oidc.alg", change);
                }
            }
        }
        assert_eq!(taken, ["RS256 RSA", "ES256 EC"]);
        // Keys that are for something else are none (RFC 7517 §4.2, §4.3); neither is a shared one.
        for (name, value) in [("use", json!("enc")), ("key_ops", json!(["sign"])), ("crv", json!("P-384")),
            ("kty", json!("RSA")), ("alg", json!("ES384")), ("kid", json!(7))] {
            let mut other = ec.clone();
            other.public[name] = value;
            door.publish(&[&other]);
            let code = if name == "alg" { "oidc.alg" } else { "oidc.key_unknown" };
            door.refuses(name, code, under(ec, "ES256", Sign::Well));
        }
        let mut shared = ec.clone();
        shared.public = json!({"kty": "oct", "kid": "ec", "k": "c2VjcmV0", "alg": "HS256"});
        door.publish(&[&shared]);
        door.refuses("a shared key", "oidc.alg", under(&shared, "HS256", Sign::Blank));
        door.publish(&[ec]);
        door.is_sound();
    }

    fn f55_times_are_numbers_and_of_now(server: &TestServer) {
        let door = Door::new(server);
        let now = jiff_now();
        for (name, code, change) in [
            ("exp", "oidc.exp", json!("9999999999")),
            ("exp", "oidc.exp", json!(-1)),
            ("exp", "oidc.exp", json!(now - 120)),
            ("nbf", "oidc.nbf", json!(now + 3_600)),
            ("iat", "oidc.iat", json!(now + 3_600)),
        ] {
            door.refuses(name, code, claim(name, change));
        }
        door.refuses("no exp", "oidc.exp", without("exp"));
        door.refuses("no iat", "oidc.iat", without("iat"));
        for (name, change) in [("exp", now - 30), ("nbf", now + 30), ("iat", now + 30)] {
            door.takes("within the skew", claim(name, json!(change)));
        }
        door.takes("a fraction", claim("exp", json!(jiff_now() as f64 + 30.5)));
        door.is_sound();
    }

    /// Threat O5: a claim of another type is a wrong one, never an absent one.
    fn o5_a_claim_has_its_type(server: &TestServer) {
        let door = Door::new(server);
        let times = [json!("9999999999"), json!(-1), json!(-0.5), json!(0), json!(null), json!([jiff_now()]),
            json!({}), json!(true), json!(1e308), json!(9_007_199_254_740_992_u64)];
        let texts = [json!(7), json!(7.5), json!(-1), json!(null), json!([7]), json!(1e308), json!({}), json!(true)];
        let mut cases = 0;
        for (name, code) in TIMES {
            for value in &times {
                door.refuses(&format!("{name} {value}"), code, claim(name, value.clone()));
                cases += 1;
            }
        }
        for (name, code) in TEXTS {
            for value in &texts {
                door.refuses(&format!("{name} {value}"), code, claim(name, value.clone()));
                cases += 1;
            }
        }
        assert_eq!(cases, 70);
        door.is_sound();
    }

    fn f56_an_audience_is_ours_alone_or_made_for_us(server: &TestServer) {
        let door = Door::new(server);
        let both = json!(["client", "other"]);
        door.refuses("no azp", "oidc.azp", claim("aud", both.clone()));
        door.refuses("the azp of another", "oidc.azp", claim("azp", json!("other")));
        let two = both.clone();
        door.refuses("both of another", "oidc.azp", move |word| {
            (word.claims["aud"], word.claims["azp"]) = (two.clone(), json!("other"));
        });
        door.refuses("not ours", "oidc.audience", claim("aud", json!(["other"])));
        door.refuses("nobody's", "oidc.audience", claim("aud", json!([])));
        door.takes("made for us", move |word| {
            (word.claims["aud"], word.claims["azp"]) = (both.clone(), json!("client"));
        });
        door.takes("a list of one", claim("aud", json!(["client"])));
        door.is_sound();
    }

    fn f57_a_nonce_is_the_attempts_and_a_subject_a_text(server: &TestServer) {
        let door = Door::new(server);
        door.refuses("no nonce", "oidc.nonce", without("nonce"));
        door.refuses("another nonce", "oidc.nonce", claim("nonce", json!("other")));
        door.refuses("an empty nonce", "oidc.nonce", claim("nonce", json!("")));
        door.refuses("no sub", "oidc.subject", without("sub"));
        for value in [json!(""), json!("a".repeat(256)), json!(7), json!("é"), json!("a\0")] {
            door.refuses(&value.to_string(), "oidc.subject", claim("sub", value.clone()));
        }
        door.takes("a long one", claim("sub", json!("a".repeat(255))));
        // Whoever came first under a subject is linked with it: to the honest one she is another person.
        door.idp.behaves();
        let page = Browser::new(server).sign_in(&door.start, &door.idp);
        assert!(page.text().contains("<code>identity_conflict</code>"), "{page}");
    }

    /// Only keys that fit are tried; where two do, none is.
    fn f58_two_keys_that_fit_are_none(server: &TestServer) {
        let mut door = Door::new(server);
        let (rsa, ec, twin) = (Key::rsa("one"), Key::new("one"), Key::new("one"));
        door.publish(&[&ec, &rsa]);
        door.takes("one id, two kinds: EC", under(&ec, "ES256", Sign::Well));
        door.takes("one id, two kinds: RSA", under(&rsa, "RS256", Sign::Well));
        let nameless = |key: &Key, algorithm: &'static str| {
            let key = key.clone();
            move |word: &mut Word| {
                (word.header, word.key) = (json!({"alg": algorithm}), key.clone());
            }
        };
        door.takes("no id, two kinds: EC", nameless(&ec, "ES256"));
        door.takes("no id, two kinds: RSA", nameless(&rsa, "RS256"));
        door.publish(&[&ec, &twin]);
        for key in [&ec, &twin] {
            door.refuses("one id twice", "oidc.key_ambiguous", under(key, "ES256", Sign::Well));
            door.refuses("no id, two fit", "oidc.key_ambiguous", nameless(key, "ES256"));
        }
        // A key that the token brings along is nobody's.
        let stranger = Key::new("stranger");
        door.publish(&[&ec]);
        let (public, private) = (stranger.public.clone(), stranger);
        door.refuses("a key in the header", "oidc.signature", move |word| {
            word.header = json!({"alg": "ES256", "kid": "one", "jwk": public, "jku": "https://evil.example/k"});
            word.key = private.clone();
        });
        door.is_sound();
    }

    fn f59_userinfo_is_about_the_same_person(server: &TestServer) {
        let door = Door::new(server);
        for subject in [json!("other"), json!(""), json!(7), Value::Null, json!("ADA-AT-IDP")] {
            let name = subject.to_string();
            door.refuses(&name, "oidc.userinfo_subject", move |word| {
                without("groups")(word);
                word.userinfo["sub"] = subject.clone();
            });
        }
        door.takes("the same person", |word| without("groups")(word));
        assert_eq!(door.idp.heard("/me"), 6);
        door.is_sound();
    }

    /// Threat O6: whatever tokens name, the keys are fetched anew once in 30 seconds.
    fn o6_unknown_keys_are_looked_for_once(server: &TestServer) {
        let door = Door::new(server);
        door.is_sound();
        door.idp.says(|word| word.header["kid"] = json!(unique()));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..75 {
                        let page = Browser::new(server).sign_in(&door.start, &door.idp);
                        assert!(page.status == 401 && page.text().contains("oidc.key_unknown"), "{page}");
                    }
                });
            }
        });
        assert_eq!(door.idp.heard("/keys"), 2);
        door.is_sound();
    }

    /// Threat O6: keys that change while many sign in cost nobody the sign-in.
    fn o6_a_rotation_under_load_fails_nobody(server: &TestServer) {
        let door = Door::new(server);
        let (old, new) = (Key::new("old"), Key::new("new"));
        door.idp.keys(std::slice::from_ref(&old));
        thread::scope(|scope| {
            for thread in 0..4 {
                let (door, old, new) = (&door, &old, &new);
                scope.spawn(move || {
                    for turn in 0..20 {
                        if (thread, turn) == (0, 10) {
                            door.idp.keys(&[new.clone(), old.clone()]);
                        }
                        let done = Browser::new(server).sign_in(&door.start, &door.idp);
                        assert_eq!(done.status, 303, "{done}");
                    }
                });
            }
        });
        assert_eq!(door.idp.heard("/keys"), 2);
    }
}
