//! Programs that we did not write: a Python with pysaml2, signxml and lxml, and `xmlsec1`. `make tools` installs
//! them; a test that needs one fails with one line where it is absent.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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

/// The keys of all tests: an identity provider's two RSA keys and one on a curve, and a stranger's.
pub struct Keys {
    pub first: Pair,
    pub second: Pair,
    pub curve: Pair,
    pub stranger: Pair,
}

/// Those keys, made once a run.
pub fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys {
        first: Pair::rsa(),
        second: Pair::rsa(),
        curve: Pair::ec(),
        stranger: Pair::rsa(),
    })
}

/// The Python that has the peers.
pub fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("saml-peers/bin/python");
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
    let keys = keys();
    let given = json!({
        "idp": scene.idp, "sp": scene.sp, "acs": scene.acs, "now": scene.now, "request": scene.request,
        "key": keys.first.key, "cert": keys.first.certificate,
        "second_key": keys.second.key, "second_cert": keys.second.certificate,
        "ec_key": keys.curve.key, "ec_cert": keys.curve.certificate,
        "other_key": keys.stranger.key, "other_cert": keys.stranger.certificate,
    });
    let mut command = Command::new(python());
    command.arg(script("saml_attacks.py"));
    let cases = output(&mut command, given.to_string().as_bytes());
    let cases: Vec<Value> = serde_json::from_slice(&cases).unwrap();
    let text = |case: &Value, name: &str| case[name].as_str().unwrap().to_owned();
    cases
        .iter()
        .map(|case| Case {
            name: text(case, "name"),
            expect: text(case, "expect"),
            message: text(case, "message"),
        })
        .collect()
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
