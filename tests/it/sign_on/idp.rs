//! An OpenID Provider that says what a test wants it to say, right or wrong.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use url::Url;

/// A key, and its public half as a JWK.
#[derive(Clone)]
pub struct Key {
    private: EncodingKey,
    /// The algorithm that it signs by where a token names one that it does not fit.
    usual: Algorithm,
    /// The public half.
    pub public: Value,
}

fn part(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Key {
    /// A new key on P-256 with this id.
    pub fn new(id: &str) -> Self {
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(kind, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(kind, der.as_ref()).unwrap();
        let point = pair.public_key().as_ref();
        let public = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id,
            "x": part(&point[1..33]), "y": part(&point[33..]),
        });
        let private = EncodingKey::from_ec_der(der.as_ref());
        Self { private, usual: Algorithm::ES256, public }
    }

    /// A new RSA key with this id.
    pub fn rsa(id: &str) -> Self {
        let pair = rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let text = STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
        let public = json!({
            "kty": "RSA", "use": "sig", "kid": id, "n": part(n.big_endian_without_leading_zero()),
            "e": part(e.big_endian_without_leading_zero()),
        });
        let private = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        Self { private, usual: Algorithm::RS256, public }
    }

    /// A new key of Ed25519 with this id.
    pub fn ed25519(id: &str) -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
        let public = json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": id, "x": part(pair.public_key().as_ref()),
        });
        let private = EncodingKey::from_ed_der(der.as_ref());
        Self { private, usual: Algorithm::EdDSA, public }
    }

    /// A signature by the algorithm of this name, or the best that the key can do for it.
    fn sign(&self, message: &str, algorithm: &str) -> String {
        let sign =
            |algorithm| jsonwebtoken::crypto::sign(message.as_bytes(), &self.private, algorithm);
        let named = algorithm.parse().ok().and_then(|named| sign(named).ok());
        named.unwrap_or_else(|| sign(self.usual).unwrap())
    }
}

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// As it should be.
    Well,
    /// Not at all.
    Not,
    /// With the public key as a secret.
    Hmac,
    /// With an empty secret.
    Blank,
    /// With one bit of it turned.
    Spoilt,
}

/// What the provider is about to say; a test changes it.
pub struct Word {
    /// The token's header.
    pub header: Value,
    /// Its claims.
    pub claims: Value,
    /// Its signature.
    pub sign: Sign,
    /// The key that signs.
    pub key: Key,
    /// The answer of the token endpoint, but for the token.
    pub answer: Value,
    /// Whether there is an ID token in it.
    pub has_token: bool,
    /// What the userinfo endpoint says.
    pub userinfo: Value,
}

type Change = Arc<dyn Fn(&mut Word) + Send + Sync>;

struct State {
    keys: Vec<Key>,
    change: Change,
    person: Value,
    codes: HashMap<String, HashMap<String, String>>,
    userinfo: Value,
    heard: Vec<String>,
    /// The whole requests.
    requests: String,
    /// The latest ID token.
    token: String,
    raw: HashMap<String, Vec<u8>>,
    /// Added to the callback's query.
    callback: Vec<(String, String)>,
    /// Put over the discovery document.
    document: Value,
}

/// The provider; it ends with the test program.
pub struct Idp {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Idp {
    /// A provider at which Ada is signed in.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        static KEY: OnceLock<Key> = OnceLock::new();
        let state = State {
            keys: vec![KEY.get_or_init(|| Key::new("first")).clone()],
            change: Arc::new(|_| ()),
            person: json!({
                "sub": "ada-at-idp", "email": "ada@acme.example", "given_name": "Ada",
                "family_name": "Lovelace", "groups": ["platform"],
            }),
            codes: HashMap::new(),
            userinfo: json!({}),
            heard: Vec::new(),
            requests: String::new(),
            token: String::new(),
            raw: HashMap::new(),
            callback: Vec::new(),
            document: json!({}),
        };
        let state = Arc::new(Mutex::new(state));
        let known = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let known = Arc::clone(&known);
                thread::spawn(move || serve(stream, address, &known));
            }
        });
        Self { address, state }
    }

    /// Its issuer.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what it says from now on.
    pub fn says(&self, change: impl Fn(&mut Word) + Send + Sync + 'static) {
        self.state.lock().unwrap().change = Arc::new(change);
    }

    /// Says what it should from now on.
    pub fn behaves(&self) {
        self.says(|_| ());
        let mut state = self.state.lock().unwrap();
        state.callback.clear();
        state.raw.clear();
    }

    /// Who is signed in at it: these claims are put over Ada's; null takes one away.
    pub fn person(&self, claims: &Value) {
        let mut state = self.state.lock().unwrap();
        for (name, value) in claims.as_object().unwrap() {
            if value.is_null() {
                state.person.as_object_mut().unwrap().remove(name);
            } else {
                state.person[name.as_str()] = value.clone();
            }
        }
    }

    /// Publishes these keys; the first one signs.
    pub fn keys(&self, keys: &[Key]) {
        self.state.lock().unwrap().keys = keys.to_vec();
    }

    /// The keys that it publishes.
    pub fn published(&self) -> Vec<Key> {
        self.state.lock().unwrap().keys.clone()
    }

    /// Adds this to what the browser brings back.
    pub fn adds(&self, name: &str, value: &str) {
        self.state.lock().unwrap().callback.push((name.to_owned(), value.to_owned()));
    }

    /// Answers a path with these bytes from now on; none at all leave the caller waiting.
    pub fn put_raw(&self, path: &str, bytes: &[u8]) {
        self.state.lock().unwrap().raw.insert(path.to_owned(), bytes.to_vec());
    }

    /// Puts these members over its discovery document.
    pub fn describes(&self, more: &Value) {
        self.state.lock().unwrap().document = more.clone();
    }

    /// Answers a path by itself again.
    pub fn take_raw(&self, path: &str) {
        self.state.lock().unwrap().raw.remove(path);
    }

    /// How often a path was asked.
    pub fn heard(&self, path: &str) -> usize {
        let state = self.state.lock().unwrap();
        state.heard.iter().filter(|known| *known == path).count()
    }

    /// Whether it was told this in any request.
    pub fn was_told(&self, text: &str) -> bool {
        self.state.lock().unwrap().requests.contains(text)
    }

    /// The latest ID token.
    pub fn id_token(&self) -> String {
        self.state.lock().unwrap().token.clone()
    }

    /// The latest verifier that came with a code.
    pub fn verifier(&self) -> String {
        let state = self.state.lock().unwrap();
        let (_, after) = state.requests.rsplit_once("code_verifier=").unwrap();
        after.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.~".contains(*c)).collect()
    }

    /// What a browser is sent back to that came to this address and signs in.
    pub fn authorize(&self, url: &str) -> String {
        assert!(url.starts_with(&self.issuer()), "{url}");
        let asked: HashMap<String, String> =
            Url::parse(url).unwrap().query_pairs().into_owned().collect();
        let code = crate::server::unique();
        let mut state = self.state.lock().unwrap();
        let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
        back.query_pairs_mut().extend_pairs(&state.callback);
        state.codes.insert(code, asked);
        state.heard.push("/authorize".to_owned());
        back.into()
    }
}

/// Reads one request and answers it.
fn serve(mut stream: TcpStream, address: SocketAddr, state: &Mutex<State>) {
    let mut request = Vec::new();
    let mut part = [0; 4_096];
    let text = loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                break text;
            }
        }
        match stream.read(&mut part) {
            Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
            _ => return,
        }
    };
    let target = text.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    let (answer, raw) = {
        let mut state = state.lock().unwrap();
        state.heard.push(path.clone());
        state.requests.push_str(&text);
        let raw = state.raw.get(&path).cloned();
        (page(&path, &body, address, &mut state), raw)
    };
    match raw {
        // Silence lasts until the caller closes.
        Some(bytes) if bytes.is_empty() => drop(stream.read(&mut part)),
        Some(bytes) => drop(stream.write_all(&bytes)),
        None => {
            let (status, body) = answer;
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n",
                body.len()
            );
            drop(stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()));
        }
    }
}

fn page(path: &str, body: &str, address: SocketAddr, state: &mut State) -> (u16, String) {
    let issuer = format!("http://{address}");
    let answer = match path {
        "/.well-known/openid-configuration" => over(
            json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "jwks_uri": format!("{issuer}/keys"),
                "userinfo_endpoint": format!("{issuer}/me"),
                "id_token_signing_alg_values_supported": ["ES256", "RS256", "HS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            }),
            &state.document,
        ),
        "/keys" => {
            let keys: Vec<&Value> = state.keys.iter().map(|key| &key.public).collect();
            json!({"keys": keys})
        }
        "/me" => state.userinfo.clone(),
        "/token" => return token(body, &issuer, state),
        _ => return (404, "{}".to_owned()),
    };
    (200, answer.to_string())
}

/// An object with these members put over its own.
fn over(mut object: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        object[name.as_str()] = value.clone();
    }
    object
}

/// Exchanges a code, once, for whoever has its verifier.
fn token(body: &str, issuer: &str, state: &mut State) -> (u16, String) {
    let form: HashMap<String, String> =
        form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let refused = (400, json!({"error": "invalid_grant"}).to_string());
    let Some(asked) = form.get("code").and_then(|code| state.codes.remove(code)) else {
        return refused;
    };
    let verifier = form.get("code_verifier").map(String::as_bytes).unwrap_or_default();
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier));
    if asked.get("code_challenge") != Some(&challenge)
        || form.get("redirect_uri") != asked.get("redirect_uri")
    {
        return refused;
    }
    let now = jiff_now();
    let key = state.keys[0].clone();
    let mut claims = state.person.clone();
    for (name, value) in [
        ("iss", json!(issuer)),
        ("aud", json!(asked["client_id"])),
        ("iat", json!(now)),
        ("exp", json!(now + 300)),
        ("nonce", json!(asked.get("nonce"))),
    ] {
        claims[name] = value;
    }
    let mut word = Word {
        header: json!({"alg": format!("{:?}", key.usual), "kid": key.public["kid"]}),
        userinfo: state.person.clone(),
        claims,
        sign: Sign::Well,
        key,
        answer: json!({"access_token": "access", "token_type": "Bearer"}),
        has_token: true,
    };
    (Arc::clone(&state.change))(&mut word);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&word.header), part(&word.claims));
    let algorithm = word.header["alg"].as_str().unwrap_or_default();
    let hmac = |secret: &str| {
        let secret = EncodingKey::from_secret(secret.as_bytes());
        let algorithm = algorithm.parse().unwrap_or(Algorithm::HS256);
        jsonwebtoken::crypto::sign(message.as_bytes(), &secret, algorithm).unwrap()
    };
    let signature = match word.sign {
        Sign::Well => word.key.sign(&message, algorithm),
        Sign::Not => String::new(),
        Sign::Spoilt => {
            let mut bytes = URL_SAFE_NO_PAD.decode(word.key.sign(&message, algorithm)).unwrap();
            bytes[7] ^= 1;
            URL_SAFE_NO_PAD.encode(bytes)
        }
        Sign::Hmac => hmac(&word.key.public.to_string()),
        Sign::Blank => hmac(""),
    };
    if word.has_token {
        state.token = format!("{message}.{signature}");
        word.answer["id_token"] = json!(state.token);
    }
    state.userinfo = word.userinfo;
    (200, word.answer.to_string())
}

/// Now, in seconds.
pub fn jiff_now() -> i64 {
    stagedoor::clock::Clock::system().now().as_second()
}
