//! Every message of the generator, against the checks alone; and the independent judge on all that they accept.

use std::sync::OnceLock;

use jiff::Timestamp;
use stagedoor::sso::saml::own_key::OwnKey;
use stagedoor::sso::saml::redirect::{self, Kind};
use stagedoor::sso::saml::response::{Accepted, Trust, accept};
use stagedoor::sso::saml::verify::Pinned;
use stagedoor::sso::saml::{Fault, gate};

use super::peers::{Case, Scene, attacks, keys, xmlsec1_verifies};
use stagedoor::domain::connection::SIGNATURE_ALGORITHMS;

const SCENE: Scene<'_> = Scene {
    idp: "https://idp.example/metadata",
    sp: "https://sp.example/sso/saml/acme/metadata",
    acs: "https://sp.example/sso/saml/acme/acs",
    now: "2026-11-22T12:00:00Z",
    request: "_request",
};

const HONEST: &str = "ada@acme.example";

fn pinned() -> Pinned {
    let keys = keys();
    let pairs = [&keys.first, &keys.second, &keys.curve];
    Pinned::new(&pairs.map(|pair| &pair.certificate), &SIGNATURE_ALGORITHMS)
}

fn own() -> &'static OwnKey {
    static OWN: OnceLock<OwnKey> = OnceLock::new();
    OWN.get_or_init(|| OwnKey::new(&keys().own.key, &keys().own.certificate).unwrap())
}

fn check(message: &str, pinned: &Pinned) -> Result<Accepted, Fault> {
    check_with(message, pinned, false)
}

fn check_with(message: &str, pinned: &Pinned, want_encrypted: bool) -> Result<Accepted, Fault> {
    let trust = Trust {
        idp: SCENE.idp,
        sp: SCENE.sp,
        acs: SCENE.acs,
        pinned,
        own_key: Some(own()),
        want_encrypted,
    };
    let now: Timestamp = SCENE.now.parse().unwrap();
    gate::decode(message).and_then(|text| accept(&text, &trust, now))
}

/// What is wrong with the answer to a case; nothing where it is as it must be.
fn wrong(case: &Case, pinned: &Pinned) -> Option<String> {
    let answer = check(&case.message, pinned);
    let right = match (case.expect.as_str(), &answer) {
        ("accept" | "accept_encrypted", Ok(accepted)) => {
            accepted.name_id.value == HONEST
                && accepted.in_response_to.as_deref() == Some(SCENE.request)
                && accepted.attributes[0].values == ["platform", "a & b"]
        }
        ("accept_unsolicited", Ok(accepted)) => accepted.in_response_to.is_none(),
        ("accept_other", Ok(accepted)) => {
            accepted.name_id.value == "admin@acme.example.evil.example"
        }
        ("refuse", Err(_)) => true,
        (code, Err(fault)) => fault.code() == code,
        (_, Ok(_)) => false,
    };
    (!right).then(|| format!("{}: expected {}, was {answer:?}", case.name, case.expect))
}

/// All messages, made once a run.
fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| attacks(&SCENE))
}

/// Fails where a message whose name begins so is not answered as it must be, or where there are too few.
fn hold(least: usize, names: &[&str]) {
    let pinned = pinned();
    let meant = |case: &&Case| names.iter().any(|name| case.name.starts_with(name));
    let meant: Vec<&Case> = cases().iter().filter(meant).collect();
    let wrong: Vec<String> = meant.iter().filter_map(|case| wrong(case, &pinned)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), meant.len(), wrong.join("\n"));
    assert!(meant.len() >= least, "{} of {least}", meant.len());
}

/// (f) 65, threat M1: XSW 1 to 8 and twelve later shapes, in the three ways of signing.
#[test]
fn f65_m1_no_wrapped_signature() {
    hold(60, &["XSW ", "in ", "the same ID", "an ID with", "beside ", "a changed subject"]);
}

/// (f) 66.
#[test]
fn f66_no_id_is_there_twice() {
    hold(3, &["the same ID twice"]);
}

/// (f) 67, threat M2.
#[test]
fn f67_m2_elements_and_text_and_nothing_else() {
    hold(
        30,
        &[
            "a DOCTYPE",
            "an entity",
            "an external DTD",
            "an instruction",
            "UTF-16",
            "latin 1",
            "CDATA",
            "a relative namespace",
            "a second root",
            "text behind",
            "a doubled attribute",
            "a NUL",
            "80,000 attributes",
            "depth 10,000",
            "3,000 elements",
            "not XML",
            "nothing",
        ],
    );
}

/// (f) 68, threat M3.
#[test]
fn f68_m3_no_comment() {
    hold(15, &["a comment"]);
}

/// (f) 69, threat M4.
#[test]
fn f69_m4_one_reference_by_what_is_accepted() {
    hold(
        40,
        &[
            "two ",
            "the transform",
            "SHA-1",
            "a SHA-1",
            "HMAC",
            "CANONICAL",
            "EXCLUSIVE",
            "by hand",
            "a truncated",
        ],
    );
}

/// (f) 70: keys are pinned, and nothing of a message says which.
#[test]
fn f70_no_key_of_the_message() {
    hold(6, &["another key"]);
}

/// (f) 71, threat M5.
#[test]
fn f71_m5_every_condition_is_checked() {
    hold(60, &["no ", "another ", "over", "ahead", "two ", "a time", "the time", "holder of key"]);
}

/// `security.md` M1 to M5 and M8, and whatever is honest.
#[test]
fn f64_every_attack_is_refused_and_every_honest_message_taken() {
    hold(350, &[""]);
    let (pinned, cases) = (pinned(), cases());
    judged(cases);
    // Where encryption is wanted, a plain assertion is refused however well it is signed.
    let named = |name: &str| cases.iter().find(|case| case.name == name).unwrap();
    assert!(check_with(&named("encrypted").message, &pinned, true).is_ok());
    let plain = check_with(&named("honest, signed both").message, &pinned, true);
    assert_eq!(plain, Err(Fault::Encryption));
}

/// Whatever is accepted is accepted by `xmlsec1` too, each signature of it.
fn judged(cases: &[Case]) {
    for case in cases.iter().filter(|case| case.expect.starts_with("accept")) {
        if case.expect == "accept_encrypted" {
            continue;
        }
        let text = gate::decode(&case.message).unwrap();
        let pairs = [&keys().first, &keys().second, &keys().curve];
        let paths = ["/*/*[local-name()='Signature']", "/*/*/*[local-name()='Signature']"];
        let present = |path: &&&str| match **path {
            "/*/*[local-name()='Signature']" => {
                text.find("Signature ").unwrap() < text.find("Assertion ").unwrap()
            }
            _ => text[text.find("Assertion ").unwrap()..].contains("Signature "),
        };
        let present: Vec<&&str> = paths.iter().filter(|path| present(path)).collect();
        assert!(!present.is_empty(), "{}", case.name);
        for path in present {
            let verifies =
                pairs.iter().any(|pair| xmlsec1_verifies(&text, path, &pair.certificate));
            assert!(verifies, "xmlsec1 does not agree on {} of: {}", path, case.name);
        }
    }
}

/// A message with a few of its bytes changed, moved or doubled is refused, or says what the honest one said.
#[test]
fn f64_no_change_of_bytes_makes_another_person() {
    let pinned = pinned();
    let cases: Vec<&Case> =
        cases().iter().filter(|case| case.name.starts_with("honest, signed")).collect();
    let honest: Vec<Vec<u8>> =
        cases.iter().map(|case| gate::decode(&case.message).unwrap().into_bytes()).collect();
    const CHANGES: usize = 3_000;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..CHANGES {
        let mut text = honest[random.below(honest.len())].clone();
        for _ in 0..=random.below(3) {
            random.change(&mut text);
        }
        let message = encoded(&text);
        if let Ok(accepted) = check(&message, &pinned) {
            assert_eq!(accepted.name_id.value, HONEST, "{}", String::from_utf8_lossy(&text));
            assert_eq!(accepted.attributes[0].values, ["platform", "a & b"]);
        }
    }
}

fn encoded(text: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Marsaglia's xorshift: the same changes in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }

    /// Changes a byte, cuts a piece, doubles one, or puts something in that means something in XML.
    fn change(&mut self, text: &mut Vec<u8>) {
        const PIECES: [&str; 10] = [
            "<",
            ">",
            "/",
            "\"",
            "&amp;",
            "<!---->",
            "admin@acme.example",
            "ID=\"_assertion\"",
            " ",
            "</saml:NameID>",
        ];
        let (from, length) = (self.below(text.len()), self.below(200));
        let to = (from + length).min(text.len());
        match self.below(4) {
            0 => text[from] = u8::try_from(32 + self.below(95)).unwrap(),
            1 => drop(text.drain(from..to)),
            2 => {
                let (piece, at) = (text[from..to].to_vec(), self.below(text.len()));
                drop(text.splice(at..at, piece));
            }
            _ => {
                let piece = PIECES[self.below(PIECES.len())];
                drop(text.splice(from..from, piece.bytes()));
            }
        }
        if text.is_empty() {
            text.push(b'<');
        }
    }
}

/// Variants of base64: line breaks are taken, as forms carry them; other alphabets and loose ends are not.
#[test]
fn base64_is_read_in_one_way() {
    assert_eq!(gate::decode("PGEv\r\nPg=="), Ok("<a/>".to_owned()));
    for odd in
        ["PGEvPg", "PGEvPg=", "PGEvPg===", "PGEv-g==", "PGEvPh==", "PGEvPg==PGEvPg==", "PGE%76Pg=="]
    {
        assert_eq!(gate::decode(odd), Err(Fault::Malformed("it is not base64")), "{odd}");
    }
    assert_eq!(gate::decode(&"A".repeat(256 * 1024 + 4)), Err(Fault::TooLarge));
    assert_eq!(gate::decode(&"A".repeat(200 * 1024)), Err(Fault::TooLarge));
}

/// Threat M10: nothing that is built, set or read makes these checks fewer. What is not signed is refused, alone and
/// in an encrypted assertion; and no feature of the crate leaves anything out.
#[test]
fn m10_no_switch_turns_the_checks_off() {
    hold(1, &["not signed"]);
    hold(2, &["encrypted, not signed"]);
    let manifest = std::fs::read_to_string(crate::house::root().join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("[features]"));
    for source in crate::house::sources("src") {
        let code = &source.code;
        assert!(
            !code.contains("feature =") && !code.contains("debug_assertions"),
            "{:?}",
            source.modules()
        );
    }
}

/// (f) 75: what a query inflates to is counted while it inflates, behind the signature.
#[test]
fn f75_a_bomb_in_the_redirect_binding() {
    let pinned = Pinned::new(&[&keys().own.certificate], &SIGNATURE_ALGORITHMS);
    let sent = |message: &str, key: Option<&OwnKey>| {
        let to = redirect::address("https://sp.example/slo", (Kind::Request, message), None, key);
        redirect::read(to.unwrap().split_once('?').unwrap().1, &pinned)
    };
    assert_eq!(sent("<a/>", Some(own())).unwrap().message, "<a/>");
    assert_eq!(sent(&"a".repeat(10 * 1024 * 1024), Some(own())), Err(Fault::TooLarge));
    assert_eq!(sent("<a/>", None), Err(Fault::Unsigned));
    assert_eq!(redirect::read(&"a".repeat(65 * 1024), &pinned), Err(Fault::TooLarge));
}
