//! Each check of an ID token by itself, from both sides, with real keys.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::EncodingKey;
use serde_json::json;

use super::*;
use crate::sso::oidc::ALGORITHMS;

const NOW: i64 = 1_800_000_000;

/// A key pair for each family, and the public halves as a JWKS.
struct Provider {
    rsa: EncodingKey,
    ec: EncodingKey,
    ed: EncodingKey,
    rsa_public: Value,
    ec_public: Value,
    ed_public: Value,
}

fn provider() -> &'static Provider {
    static PROVIDER: OnceLock<Provider> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        let pair = rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
        let public = pair.public_key();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (n, e) = (public.modulus().big_endian_without_leading_zero(), public.exponent().big_endian_without_leading_zero());
        let rsa_public = json!({"kty": "RSA", "kid": "rsa", "n": encode(n), "e": encode(e)});
        let random = aws_lc_rs::rand::SystemRandom::new();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref()).unwrap();
        let point = pair.public_key().as_ref();
        let ec_public = json!({"kty": "EC", "kid": "ec", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..])});
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap();
        let ed_public = json!({"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())});
        Provider {
            rsa: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
            ec: EncodingKey::from_ec_der(ec.as_ref()),
            ed: EncodingKey::from_ed_der(ed.as_ref()),
            rsa_public,
            ec_public,
            ed_public,
        }
    })
}

fn jwks(keys: &[&Value]) -> Jwks {
    Jwks::read(json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

fn all_keys() -> Jwks {
    let provider = provider();
    jwks(&[&provider.rsa_public, &provider.ec_public, &provider.ed_public])
}

fn claims() -> Value {
    json!({
        "iss": "https://idp.example", "sub": "248289761001", "aud": "client", "nonce": "n-0S6",
        "exp": NOW + 300, "iat": NOW, "auth_time": NOW as f64 - 0.5,
    })
}

fn encode(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// A token under this header; the key is the one that fits its `alg`.
fn token(header: &Value, claims: &Value) -> String {
    let message = encode(header, claims);
    let algorithm: Algorithm = header["alg"].as_str().unwrap().parse().unwrap();
    let provider = provider();
    let key = match algorithm {
        Algorithm::ES256 => &provider.ec,
        Algorithm::EdDSA => &provider.ed,
        _ => &provider.rsa,
    };
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

fn es256() -> Value {
    json!({"alg": "ES256", "kid": "ec"})
}

fn checked(keys: &Jwks, token: &str, access_token: Option<&str>) -> Result<Claims, Reason> {
    let expect = Expect {
        issuer: "https://idp.example",
        client_id: "client",
        nonce: "n-0S6",
        algorithms: &ALGORITHMS,
        now: Timestamp::from_second(NOW).unwrap(),
        access_token,
    };
    check(keys, token, &expect).map_err(|refusal| refusal.reason)
}

/// The reason why a token with one claim changed is refused; null removes the claim.
fn with(name: &str, value: Value) -> Result<(), Reason> {
    let mut claims = claims();
    claims[name] = value;
    checked(&all_keys(), &token(&es256(), &claims), None).map(drop)
}

fn without(name: &str) -> Result<(), Reason> {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    checked(&all_keys(), &token(&es256(), &claims), None).map(drop)
}

/// The browser facts of one open provider: `aud` as a list, `auth_time` with a fraction, RS512.
#[test]
fn a_good_token_passes_under_every_algorithm() {
    for (name, kid) in [
        ("RS256", "rsa"),
        ("RS512", "rsa"),
        ("PS256", "rsa"),
        ("PS384", "rsa"),
        ("ES256", "ec"),
        ("EdDSA", "ed"),
    ] {
        let mut claims = claims();
        claims["aud"] = json!(["client"]);
        let token = token(&json!({"alg": name, "kid": kid, "typ": "JWT"}), &claims);
        let read = checked(&all_keys(), &token, None);
        assert_eq!(read.unwrap()["sub"], "248289761001", "{name}");
    }
}

/// O3: `iss` wrong, absent; `sub` absent; `aud` wrong, absent; `azp` wrong; `iat` absent; nonce wrong, absent.
#[test]
fn what_does_not_belong_here_is_refused() {
    assert_eq!(with("iss", json!("https://evil.example")), Err(Reason::Issuer));
    assert_eq!(with("iss", json!("https://idp.example/")), Err(Reason::Issuer));
    assert_eq!(without("iss"), Err(Reason::Issuer));
    assert_eq!(without("sub"), Err(Reason::Subject));
    assert_eq!(with("aud", json!("other")), Err(Reason::Audience));
    assert_eq!(without("aud"), Err(Reason::Audience));
    assert_eq!(with("azp", json!("other")), Err(Reason::AuthorizedParty));
    assert_eq!(with("azp", json!("client")), Ok(()));
    assert_eq!(with("nonce", json!("other")), Err(Reason::Nonce));
    assert_eq!(without("nonce"), Err(Reason::Nonce));
    assert_eq!(without("iat"), Err(Reason::IssuedAt));
}

#[test]
fn f56_several_audiences_need_an_azp() {
    assert_eq!(with("aud", json!(["client", "other"])), Err(Reason::AuthorizedParty));
    assert_eq!(with("aud", json!(["other"])), Err(Reason::Audience));
    assert_eq!(with("aud", json!([])), Err(Reason::Audience));
    assert_eq!(with("aud", json!(["client", 7])), Err(Reason::Audience));
    let mut claims = claims();
    claims["aud"] = json!(["client", "other"]);
    for (azp, expected) in [
        (json!("client"), Ok(())),
        (json!("other"), Err(Reason::AuthorizedParty)),
        (Value::Null, Err(Reason::AuthorizedParty)),
    ] {
        claims["azp"] = azp;
        assert_eq!(checked(&all_keys(), &token(&es256(), &claims), None).map(drop), expected);
    }
}

#[test]
fn f55_times_are_of_now() {
    assert_eq!(with("exp", json!(NOW - 59)), Ok(()));
    assert_eq!(with("exp", json!(NOW - 60)), Err(Reason::Expiry));
    assert_eq!(with("exp", json!(NOW as f64 - 59.5)), Ok(()));
    assert_eq!(without("exp"), Err(Reason::Expiry));
    assert_eq!(with("nbf", json!(NOW + 60)), Ok(()));
    assert_eq!(with("nbf", json!(NOW + 61)), Err(Reason::NotBefore));
    assert_eq!(with("nbf", json!(NOW + 3600)), Err(Reason::NotBefore));
    assert_eq!(with("iat", json!(NOW + 60)), Ok(()));
    assert_eq!(with("iat", json!(NOW + 3600)), Err(Reason::IssuedAt));
}

/// Security O5, CVE-2026-25537: a claim of another type is not an absent claim.
#[test]
fn f55_a_claim_has_its_type() {
    let odd = [
        json!("9999999999"),
        json!(-1),
        json!(0),
        json!(null),
        json!([NOW]),
        json!({}),
        json!(true),
        json!(1e308),
        json!(9_007_199_254_740_992_u64),
        json!(u64::MAX),
    ];
    for value in &odd {
        assert_eq!(with("exp", value.clone()), Err(Reason::Expiry), "exp {value}");
        assert_eq!(with("iat", value.clone()), Err(Reason::IssuedAt), "iat {value}");
        assert_eq!(with("nbf", value.clone()), Err(Reason::NotBefore), "nbf {value}");
    }
    for value in [
        json!(7),
        json!(7.5),
        json!(-1),
        json!(null),
        json!(["https://idp.example"]),
        json!(1e308),
        json!({}),
        json!(true),
    ] {
        assert_eq!(with("iss", value.clone()), Err(Reason::Issuer), "iss {value}");
        assert_eq!(with("aud", value.clone()), Err(Reason::Audience), "aud {value}");
        assert_eq!(with("sub", value.clone()), Err(Reason::Subject), "sub {value}");
        assert_eq!(with("nonce", value.clone()), Err(Reason::Nonce), "nonce {value}");
    }
    let huge = encode(&es256(), &claims()).split_once('.').unwrap().0.to_owned();
    let raw = format!("{huge}.{}", URL_SAFE_NO_PAD.encode(r#"{"exp": 1e999}"#));
    let signature =
        jsonwebtoken::crypto::sign(raw.as_bytes(), &provider().ec, Algorithm::ES256).unwrap();
    assert_eq!(checked(&all_keys(), &format!("{raw}.{signature}"), None), Err(Reason::Malformed));
}

#[test]
fn f57_a_subject_is_a_text_of_its_length() {
    assert_eq!(with("sub", json!("")), Err(Reason::Subject));
    assert_eq!(with("sub", json!("a".repeat(255))), Ok(()));
    assert_eq!(with("sub", json!("a".repeat(256))), Err(Reason::Subject));
    assert_eq!(with("sub", json!("é")), Err(Reason::Subject));
}

/// O3, O4: none, HMAC with the public key, an algorithm of another family, one that is not the connection's.
#[test]
fn f54_no_algorithm_but_the_connections() {
    let none = format!("{}.", encode(&json!({"alg": "none"}), &claims()));
    assert_eq!(checked(&all_keys(), &none, None), Err(Reason::Algorithm));
    for name in ["None", "NONE", "", "hs256", "ES512", "RSA-OAEP"] {
        let token = format!("{}.AAAA", encode(&json!({"alg": name}), &claims()));
        assert_eq!(checked(&all_keys(), &token, None), Err(Reason::Algorithm), "{name}");
    }
    let public = provider().rsa_public.to_string();
    for secret in [public.as_bytes(), b"".as_slice()] {
        let message = encode(&json!({"alg": "HS256", "kid": "rsa"}), &claims());
        let key = EncodingKey::from_secret(secret);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256);
        let token = format!("{message}.{}", signature.unwrap());
        assert_eq!(checked(&all_keys(), &token, None), Err(Reason::Algorithm));
    }
    let message = encode(&json!({"alg": "ES256", "kid": "rsa"}), &claims());
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &provider().ec, Algorithm::ES256);
    let token = format!("{message}.{}", signature.unwrap());
    assert_eq!(checked(&all_keys(), &token, None), Err(Reason::Algorithm));
    let good = self::token(&es256(), &claims());
    let expect = Expect {
        issuer: "https://idp.example",
        client_id: "client",
        nonce: "n-0S6",
        algorithms: &[Algorithm::RS256],
        now: Timestamp::from_second(NOW).unwrap(),
        access_token: None,
    };
    assert_eq!(check(&all_keys(), &good, &expect).unwrap_err().reason, Reason::Algorithm);
}

/// O3: signature wrong; an unknown `kid`; no `kid` with two fitting keys, and with one.
#[test]
fn f58_the_signature_is_of_the_one_key() {
    let good = token(&es256(), &claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[10] ^= 1;
    let spoilt = format!("{message}.{}", URL_SAFE_NO_PAD.encode(&bytes));
    assert_eq!(checked(&all_keys(), &spoilt, None), Err(Reason::Signature));
    assert_eq!(checked(&all_keys(), &format!("{message}."), None), Err(Reason::Signature));
    let mut other = claims();
    other["sub"] = json!("admin");
    let swapped = format!("{}.{signature}", encode(&es256(), &other));
    assert_eq!(checked(&all_keys(), &swapped, None), Err(Reason::Signature));
    let unknown = token(&json!({"alg": "ES256", "kid": "new"}), &claims());
    assert_eq!(checked(&all_keys(), &unknown, None), Err(Reason::KeyUnknown));
    let nameless = token(&json!({"alg": "ES256"}), &claims());
    assert_eq!(checked(&all_keys(), &nameless, None).map(drop), Ok(()));
    let mut twin = provider().ec_public.clone();
    twin["kid"] = json!("twin");
    let twins = jwks(&[&provider().ec_public, &twin]);
    assert_eq!(checked(&twins, &nameless, None), Err(Reason::KeyAmbiguous));
    // A key inside the token is nobody's.
    let header =
        json!({"alg": "ES256", "jwk": provider().ec_public, "jku": "https://evil.example"});
    assert_eq!(checked(&jwks(&[]), &token(&header, &claims()), None), Err(Reason::KeyUnknown));
}

/// O3: `at_hash` wrong; Core §3.1.3.6.
#[test]
fn an_access_token_is_the_one_that_the_token_names() {
    let mut claims = claims();
    claims["at_hash"] = json!(half_hash(Algorithm::ES256, "access"));
    let token = token(&es256(), &claims);
    assert_eq!(checked(&all_keys(), &token, Some("access")).map(drop), Ok(()));
    assert_eq!(checked(&all_keys(), &token, Some("other")), Err(Reason::AccessTokenHash));
    assert_eq!(checked(&all_keys(), &token, None).map(drop), Ok(()));
    claims["at_hash"] = json!(7);
    let token = self::token(&es256(), &claims);
    assert_eq!(checked(&all_keys(), &token, Some("access")), Err(Reason::AccessTokenHash));
    // The example of Core, appendix A.3, whose algorithm is RS256.
    let shown = half_hash(Algorithm::RS256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y");
    assert_eq!(shown, "77QmUPtjPfzWtF2AnpK9RQ");
}

#[test]
fn what_is_no_token_is_refused() {
    let good = token(&es256(), &claims());
    for text in [
        "",
        ".",
        "..",
        "a.b.c",
        "a.b",
        &format!("{good}.x"),
        &good.replace('.', "=."),
        &"a".repeat(LONGEST + 1),
    ] {
        assert_eq!(checked(&all_keys(), text, None), Err(Reason::Malformed), "{}", brief(text));
    }
    for header in [
        json!({"alg": "ES256", "kid": "ec", "crit": ["exp"]}),
        json!({"alg": "ES256", "kid": "ec", "typ": "at+jwt"}),
        json!({"alg": "ES256", "kid": "ec", "typ": "logout+jwt"}),
        json!({"alg": "ES256", "kid": 7}),
    ] {
        assert_eq!(
            checked(&all_keys(), &token(&header, &claims()), None),
            Err(Reason::Malformed),
            "{header}"
        );
    }
}
