//! Programs that we did not write: a Python with pysaml2, signxml and lxml, and `xmlsec1`. `make tools` installs
//! them; a test that needs one fails with one line where it is absent.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::{Value, json};

/// A key with its certificate, both in PEM.
pub struct Pair {
    pub key: String,
    pub certificate: String,
}

impl Pair {
    /// A new RSA key.
    pub fn rsa() -> Self {
        Self::of(&KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap())
    }

    /// A new key on P-256.
    pub fn ec() -> Self {
        Self::of(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap())
    }

    fn of(key: &KeyPair) -> Self {
        let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(key).unwrap();
        Self { key: key.serialize_pem(), certificate: certificate.pem() }
    }
}

/// The keys of all tests: an identity provider's two RSA keys and one on a curve, a stranger's, and our own.
pub struct Keys {
    pub first: Pair,
    pub second: Pair,
    pub curve: Pair,
    pub stranger: Pair,
    pub own: Pair,
}

/// Those keys, made once a run.
pub fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys {
        first: Pair::rsa(),
        second: Pair::rsa(),
        curve: Pair::ec(),
        stranger: Pair::rsa(),
        own: Pair::rsa(),
    })
}

/// The Python that has the peers.
pub fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("peers/saml/bin/python");
    assert!(python.exists(), "no {}: run `make tools`", python.display());
    python
}

/// A file of the folder of peers.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/peers").join(name)
}

/// What a program writes that is given this to read.
pub fn output(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the peer starts; run `make tools`");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// One message of the generator of attacks.
pub struct Case {
    pub name: String,
    pub expect: String,
    pub message: String,
}

/// To whom the messages of the generator are, and when.
pub struct Scene<'s> {
    pub idp: &'s str,
    pub sp: &'s str,
    pub acs: &'s str,
    pub now: &'s str,
    pub request: &'s str,
}

/// All messages of the generator.
pub fn attacks(scene: &Scene<'_>) -> Vec<Case> {
    generated(&[given(scene, &json!({}))]).remove(0)
}

/// The same, encrypted for this certificate, and good or too early for as long as a test may take.
pub fn lasting_attacks(scene: &Scene<'_>, certificate: &str) -> Vec<Case> {
    let more = json!({"sp_cert": certificate, "life": 3_000, "ahead": 3_600});
    generated(&[given(scene, &more)]).remove(0)
}

/// An honest message with a signed assertion.
pub fn honest(scene: &Scene<'_>) -> String {
    honest_by(&[(scene, &keys().first)]).remove(0)
}

/// Honest messages with signed assertions, each of its own id and signed by this key.
pub fn honest_by(scenes: &[(&Scene<'_>, &Pair)]) -> Vec<String> {
    let all = scenes.iter().map(|(scene, pair)| {
        let id = format!("_{}", crate::server::unique());
        let by = json!({
            "key": pair.key, "cert": pair.certificate, "groups": ["honest"], "assertion": id,
        });
        given(scene, &by)
    });
    let all: Vec<Value> = all.collect();
    let signed = |cases: Vec<Case>| {
        cases.into_iter().find(|case| case.name == "honest, signed assertion").unwrap().message
    };
    generated(&all).into_iter().map(signed).collect()
}

/// What the generator is told of a scene, with this besides.
fn given(scene: &Scene<'_>, more: &Value) -> Value {
    let keys = keys();
    let mut given = json!({
        "idp": scene.idp, "sp": scene.sp, "acs": scene.acs, "now": scene.now, "request": scene.request,
        "key": keys.first.key, "cert": keys.first.certificate,
        "second_key": keys.second.key, "second_cert": keys.second.certificate,
        "ec_key": keys.curve.key, "ec_cert": keys.curve.certificate,
        "other_key": keys.stranger.key, "other_cert": keys.stranger.certificate,
        "sp_cert": keys.own.certificate,
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        given[name.as_str()] = value.clone();
    }
    given
}

/// The messages of the generator, for each scene.
fn generated(scenes: &[Value]) -> Vec<Vec<Case>> {
    let mut command = Command::new(python());
    command.arg(script("saml/attacks.py"));
    let cases = output(&mut command, json!(scenes).to_string().as_bytes());
    let cases: Vec<Vec<Value>> = serde_json::from_slice(&cases).unwrap();
    let text = |case: &Value, name: &str| case[name].as_str().unwrap().to_owned();
    let read = |case: &Value| Case {
        name: text(case, "name"),
        expect: text(case, "expect"),
        message: text(case, "message"),
    };
    cases.iter().map(|cases| cases.iter().map(read).collect()).collect()
}

/// Whether `xmlsec1` finds a signature in this text that a key of ours made, at this path.
pub fn xmlsec1_verifies(text: &str, signature: &str, certificate: &str) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let (message, pem) = (directory.path().join("message.xml"), directory.path().join("cert.pem"));
    std::fs::write(&message, text).unwrap();
    std::fs::write(&pem, certificate).unwrap();
    let id = |of: &str, name: &str| format!("--id-attr:ID urn:oasis:names:tc:SAML:2.0:{of}:{name}");
    let mut command = Command::new("xmlsec1");
    command.arg("--verify").arg("--pubkey-cert-pem").arg(&pem);
    for id in [id("assertion", "Assertion"), id("protocol", "Response")] {
        command.args(id.split(' '));
    }
    command.args(["--node-xpath", signature]).arg(&message);
    command.output().expect("xmlsec1 starts; run `make tools`").status.success()
}

/// An identity provider that we did not write, on a port of its own. It ends with the test.
pub struct Idp {
    child: Child,
    pub base: String,
}

impl Idp {
    /// One by pysaml2.
    pub fn pysaml2() -> Self {
        let mut command = Command::new(python());
        command.arg(script("saml/idp.py"));
        Self::start(command)
    }

    /// One by samlify.
    pub fn samlify() -> Self {
        assert!(script("samlify/node_modules").exists(), "no samlify: run `make tools`");
        let mut command = Command::new("node");
        command.arg(script("samlify/idp.mjs"));
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the peer starts; run `make tools`");
        let pair = &keys().first;
        let given = json!({"key": pair.key, "cert": pair.certificate}).to_string();
        child.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
        // The address is printed once it listens: the pipe is the wait.
        let mut base = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut base).unwrap();
        Self { child, base: base.trim().to_owned() }
    }

    /// What it says of itself.
    pub fn metadata(&self) -> String {
        get(&format!("{}/metadata", self.base)).1
    }

    /// Tells it of us, and of who comes.
    pub fn tell(&self, about: &Value) {
        let sent = agent().put(format!("{}/sp", self.base)).send(about.to_string().as_bytes());
        assert_eq!(sent.unwrap().status(), 200);
    }

    /// The message in the form that it shows to a browser at this address.
    pub fn form(&self, address: &str) -> String {
        let (status, page) = get(address);
        assert_eq!(status, 200, "{page}");
        field(&page, "SAMLResponse")
    }
}

impl Drop for Idp {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a form carries under this name.
pub fn field(page: &str, name: &str) -> String {
    let after = page.split_once(&format!("name=\"{name}\"")).expect(page).1;
    let value = after.split_once("value=\"").unwrap().1;
    value.split_once('"').unwrap().0.to_owned()
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into()
}

/// A page, and no further one.
pub fn get(address: &str) -> (u16, String) {
    let mut answer = agent().get(address).call().unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

/// Where an address leads.
pub fn redirect(address: &str) -> String {
    let answer = agent().get(address).call().unwrap();
    answer.headers()["location"].to_str().unwrap().to_owned()
}
