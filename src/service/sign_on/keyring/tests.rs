//! Security O6, at its figures: against a provider on loopback that counts how often it is asked for its keys.

use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex as Shared;
use std::sync::atomic::AtomicUsize;
use std::thread;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::*;
use crate::clock::Clock;
use crate::domain::connection::Document;
use crate::egress::Policy;
use crate::service::KeySource;
use crate::service::sign_on::oidc::{self, Provider};

/// Tokens that name a key which nobody has.
const FLOOD: usize = 10_000;
/// Logins under which the keys change.
const LOGINS: usize = 1_000;

/// A provider's key.
struct Signer {
    id: &'static str,
    key: EncodingKey,
    public: Value,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let form = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(form, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(form, der.as_ref()).unwrap();
        let point = pair.public_key().as_ref();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = (part(&point[1..33]), part(&point[33..]));
        let public = json!({"kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": y});
        Self { id, key: EncodingKey::from_ec_der(der.as_ref()), public }
    }

    /// A token that all is right with, under this key's name or another.
    fn token(&self, name: &str) -> String {
        let now = Clock::system().now().as_second();
        let header = json!({"alg": "ES256", "kid": name});
        let claims = json!({
            "iss": "https://idp.example", "sub": "ada", "aud": "client", "nonce": "n",
            "iat": now, "exp": now + 3_600,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(&claims));
        let sealed = jsonwebtoken::crypto::sign(text.as_bytes(), &self.key, Algorithm::ES256);
        format!("{text}.{}", sealed.unwrap())
    }
}

/// What publishes keys, or fails to.
#[derive(Clone, Default)]
struct Publisher {
    address: String,
    set: Arc<Shared<Option<String>>>,
    asked: Arc<AtomicUsize>,
}

impl Publisher {
    fn start(keys: &[&Signer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/keys", listener.local_addr().unwrap());
        let publisher = Self { address, ..Self::default() };
        publisher.publishes(keys);
        let known = publisher.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(std::result::Result::ok) {
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request);
                known.asked.fetch_add(1, Ordering::SeqCst);
                let set = known.set.lock().unwrap().clone();
                let (status, body) = set.map_or((500, String::new()), |body| (200, body));
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
                let _ = write!(stream, "{head}Connection: close\r\n\r\n{body}");
            }
        });
        publisher
    }

    fn publishes(&self, keys: &[&Signer]) {
        let keys: Vec<&Value> = keys.iter().map(|key| &key.public).collect();
        *self.set.lock().unwrap() = Some(json!({"keys": keys}).to_string());
    }

    fn fails(&self) {
        *self.set.lock().unwrap() = None;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn egress() -> Egress {
    Egress::new(Policy { allow: vec!["127.0.0.0/8".parse().unwrap()] })
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A service, and the provider that it knows.
struct Scene {
    service: Service,
    provider: Arc<Provider>,
    _home: tempfile::TempDir,
}

impl Scene {
    fn new(publisher: &Publisher) -> Self {
        let home = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", home.path().join("stagedoor.db").display());
        let service = Service::open(&url, &KeySource::BesideDatabase, Clock::system()).unwrap();
        let mut document = Document::default();
        document.oidc.issuer = "https://idp.example".to_owned();
        document.oidc.client_id = "client".to_owned();
        document.oidc.jwks_uri.clone_from(&publisher.address);
        document.oidc.algorithms = vec!["ES256".to_owned()];
        let (name, product) = ("a".to_owned(), "custom_oidc".to_owned());
        let provider = Arc::new(Provider { name, product, document, secret: None });
        Self { service: service.with_egress(egress()), provider, _home: home }
    }

    /// Checks a token beside others, as the sign-ins of many people do.
    fn check(&self, all: &mut JoinSet<std::result::Result<(), Reason>>, token: String) {
        let (service, provider) = (self.service.clone(), Arc::clone(&self.provider));
        all.spawn(async move {
            let checked = oidc::checked(&service, &provider, &token, ("n", None)).await;
            checked.map(drop).map_err(|refusal| refusal.reason)
        });
    }
}

#[test]
fn o6_ten_thousand_unknown_keys_are_looked_for_once() {
    let known = Signer::new("known");
    let publisher = Publisher::start(&[&known]);
    let (scene, began) = (Scene::new(&publisher), Instant::now());
    wait(async {
        let mut all = JoinSet::new();
        for number in 0..FLOOD {
            scene.check(&mut all, known.token(&format!("random-{number}")));
        }
        assert_eq!(all.join_all().await, [Err(Reason::KeyUnknown); FLOOD]);
        let windows = usize::try_from(began.elapsed().as_secs() / FORCED.as_secs()).unwrap();
        assert!(publisher.asked() <= 2 + windows, "{} fetches", publisher.asked());
        // Nobody else is kept out by it.
        let mut honest = JoinSet::new();
        scene.check(&mut honest, known.token(known.id));
        assert_eq!(honest.join_all().await, [Ok(())]);
    });
}

#[test]
fn o6_a_rotation_under_load_fails_no_login() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let publisher = Publisher::start(&[&old]);
    let scene = Scene::new(&publisher);
    wait(async {
        let mut all = JoinSet::new();
        (0..LOGINS).for_each(|_| scene.check(&mut all, old.token(old.id)));
        // Some are through, some are on their way.
        let mut done: Vec<_> =
            all.join_next().await.into_iter().map(std::result::Result::unwrap).collect();
        publisher.publishes(&[&new, &old]);
        for _ in 0..LOGINS {
            scene.check(&mut all, new.token(new.id));
            scene.check(&mut all, old.token(old.id));
        }
        done.extend(all.join_all().await);
        assert_eq!(done, [Ok(()); 3 * LOGINS]);
        assert_eq!(publisher.asked(), 2);
    });
}

/// The keys of one connection, so long after the test began.
struct Later {
    memory: Memory,
    publisher: Publisher,
    began: Instant,
}

impl Later {
    fn keys(&self, after: Duration, anew: bool) -> std::result::Result<(), Reason> {
        let (at, egress) = (("a", self.publisher.address.as_str()), egress());
        let keys = self.memory.keys(&egress, at, anew, || self.began + after);
        wait(keys).map(drop).map_err(|refusal| refusal.reason)
    }
}

#[test]
fn o6_stale_keys_are_good_for_a_day() {
    let publisher = Publisher::start(&[&Signer::new("known")]);
    let later = Later { memory: Memory::default(), publisher, began: Instant::now() };
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3_600));
    assert_eq!(later.keys(Duration::ZERO, false), Ok(()));
    later.publisher.fails();
    assert_eq!(later.keys(FRESH - second, false), Ok(()));
    assert_eq!(later.publisher.asked(), 1, "they are fresh for ten minutes");
    for (number, after) in [FRESH, 2 * hour, STALE - second].into_iter().enumerate() {
        assert_eq!(later.keys(after, false), Ok(()), "{after:?}");
        assert_eq!(later.publisher.asked(), 2 + number);
    }
    assert_eq!(later.keys(STALE + FAILED, false), Err(Reason::KeysFailed));
    later.publisher.publishes(&[&Signer::new("next")]);
    assert_eq!(later.keys(STALE + 2 * FAILED, false), Ok(()));
}

/// Who fails is asked by one person in five seconds: the others do not wait for an answer that does not come.
#[test]
fn o6_a_provider_that_fails_is_left_alone_for_a_while() {
    let publisher = Publisher::start(&[&Signer::new("known")]);
    let later = Later { memory: Memory::default(), publisher, began: Instant::now() };
    assert_eq!(later.keys(Duration::ZERO, false), Ok(()));
    later.publisher.fails();
    for number in 0..50 {
        assert_eq!(later.keys(FRESH + Duration::from_millis(number * 90), false), Ok(()));
    }
    assert_eq!(later.publisher.asked(), 2);
    assert_eq!(later.keys(FRESH + FAILED, false), Ok(()));
    assert_eq!(later.publisher.asked(), 3);
    // An unknown key is looked for all the same, once in 30 seconds.
    for after in [FAILED + Duration::from_secs(1), FAILED + FORCED] {
        assert_eq!(later.keys(FRESH + after, true), Ok(()));
        assert_eq!(later.publisher.asked(), 4);
    }
    assert_eq!(later.keys(FRESH + FAILED + FORCED + Duration::from_secs(1), true), Ok(()));
    assert_eq!(later.publisher.asked(), 5);
}

#[test]
fn the_freshness_is_read() {
    assert_eq!(max_age("public, max-age=300"), Some(Duration::from_secs(300)));
    for header in ["", "no-store", "max-age=", "max-age=x", "s-maxage=5"] {
        assert_eq!(max_age(header), None, "{header}");
    }
}
