//! Hostile inputs 64 to 76 and threats M1 to M9 and S16 at the door: the same messages that the checks alone refuse,
//! brought to a server.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stagedoor::domain::refusal::Reason;
use stagedoor::sso::saml::own_key::OwnKey;
use stagedoor::sso::saml::redirect::{self, Kind};

use super::flows::moment;
use super::peers::{Idp, Pair, Scene, honest_by, keys, lasting_attacks};
use super::visit::{
    ADA, CONNECTION, EMAIL, LOOPBACK, Visit, bring, connect, post, refused, ticket,
};
use crate::api::Api;
use crate::client::Reply;
use crate::server::{Database, TestServer, on_both_databases};
use crate::sign_on::{switches, verify};

/// A connection by fields to an identity provider that signs with these keys.
fn fields(entity: &str, pairs: &[&Pair]) -> Value {
    let certificates: Vec<&str> = pairs.iter().map(|pair| pair.certificate.as_str()).collect();
    json!({"provider": "custom_saml", "protocol": "saml", "saml": {
        "idp_entity_id": entity, "idp_sso_url": "https://idp.example/sso", "certificates": certificates,
        "idp_slo_url": "https://idp.example/slo",
    }})
}

/// Makes that connection at a path below `/api/v1`, switches it on, and gives its name.
fn made(api: &Api, path: &str, body: &Value) -> String {
    let made = api.post(path, body).expect(201);
    api.post(&format!("{path}/activate"), &json!({"skip_test": true})).expect(200);
    made["name"].as_str().unwrap().to_owned()
}

/// The addresses of a connection: its entity id, and its ACS.
fn addresses(server: &TestServer, name: &str) -> (String, String) {
    let base = format!("{}/sso/saml/{name}", server.address());
    (format!("{base}/metadata"), format!("{base}/acs"))
}

/// Our certificate, as our metadata tells it.
fn certificate(server: &TestServer) -> String {
    let metadata = server.get_plain("/sso/saml/acme/metadata").text();
    let bare = metadata.split_once("X509Certificate>").unwrap().1.split_once('<').unwrap().0;
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", bare.trim())
}

/// The code on the page of a refusal by SAML.
#[track_caller]
fn code(reply: &Reply) -> String {
    let page = reply.text();
    let code = page.split_once("<code>").unwrap_or_else(|| panic!("{reply}")).1;
    code.split_once('<').unwrap().0.to_owned()
}

on_both_databases! {
    with crate::saml::visit::LOOPBACK;

    /// Every message of the generator that is to be refused, with the status of its code; after them the browser that
    /// began signs in with the honest one.
    fn f64_f65_f66_f67_f68_f69_f70_f71_no_attack_passes_the_door(server: &TestServer) {
        let api = server.operator();
        let known = keys();
        let entity = "https://idp.example/metadata";
        made(&api, CONNECTION, &fields(entity, &[&known.first, &known.second, &known.curve]));
        verify(&api, "acme", "acme.example");
        let ada = server.acme().user(ADA);
        let visit = Visit::begin(server);
        let (request, now) = (visit.request_id(), moment());
        let (sp, acs) = addresses(server, "acme");
        let scene = Scene { idp: entity, sp: &sp, acs: &acs, now: &now, request: &request };
        let cases = lasting_attacks(&scene, &certificate(server));
        let mut codes = BTreeSet::new();
        let mut brought = 0;
        for case in cases.iter().filter(|case| !case.expect.starts_with("accept")) {
            let page = bring(server.address(), &case.message);
            let code = code(&page);
            assert!(case.expect == "refuse" || case.expect == code, "{}: {page}", case.name);
            let reason = Reason::find(&code).unwrap();
            assert!(code.starts_with("saml.") && page.status == reason.status(), "{}: {page}", case.name);
            assert!([400, 401, 413].contains(&page.status), "{}: {page}", case.name);
            assert_eq!(page.header("set-cookie"), None, "{}", case.name);
            codes.insert(code);
            brought += 1;
        }
        assert!(brought >= 300, "{brought}");
        let logged = |code: &str| {
            let found = api.get(&format!("/companies/acme/sso/attempts?code={code}&limit=1")).expect(200);
            !found.data().is_empty()
        };
        assert!(codes.iter().all(|code| logged(code)), "{codes:?}");
        assert!(codes.len() >= 13, "{codes:?}");
        assert!(api.get("/companies/acme/sessions").expect(200).data().is_empty());
        let good = |name: &str| &cases.iter().find(|case| case.name == name).unwrap().message;
        let answer = bring(server.address(), good("honest, signed both"));
        assert_eq!(visit.finish(&ticket(&answer)).unwrap().get("/me").expect(200)["id"], *ada);
        refused(&bring(server.address(), good("honest, signed both")), 401, "saml.replay");
        assert_eq!(api.get("/companies/acme/users").expect(200).data().len(), 1);
    }

    /// Rows 64 to 71 by their words, each with its status.
    fn f64_f67_f68_f71_what_is_refused_by_its_status(server: &TestServer) {
        let api = server.operator();
        let entity = "https://idp.example/metadata";
        made(&api, CONNECTION, &fields(entity, &[&keys().first]));
        let visit = Visit::begin(server);
        let (request, now) = (visit.request_id(), moment());
        let (sp, acs) = addresses(server, "acme");
        let scene = Scene { idp: entity, sp: &sp, acs: &acs, now: &now, request: &request };
        let cases = lasting_attacks(&scene, &certificate(server));
        for (status, begin) in [
            (401, "not signed"), (401, "XSW "), (401, "in Extensions"), (401, "in Advice"),
            (401, "in SubjectConfirmationData"), (401, "the same ID twice"), (400, "a DOCTYPE"), (400, "an entity"),
            (400, "an instruction"), (400, "UTF-16"), (400, "CDATA"), (401, "a comment"), (401, "two SignedInfo"),
            (401, "two References"), (401, "the transform"), (401, "SHA-1"), (401, "a SHA-1 digest"), (401, "HMAC"),
            (401, "another key"), (401, "another Audience"), (401, "no Audience"), (401, "another Recipient"),
            (401, "no Recipient"), (401, "another Destination"), (401, "no Destination"), (401, "no NotOnOrAfter"),
            (401, "over"), (401, "another Issuer"),
        ] {
            let meant: Vec<_> = cases.iter().filter(|case| case.name.starts_with(begin)).collect();
            let meant: Vec<_> = meant.into_iter().filter(|case| !case.expect.starts_with("accept")).collect();
            assert!(!meant.is_empty(), "{begin}");
            for case in meant {
                let page = bring(server.address(), &case.message);
                assert_eq!(page.status, status, "{}: {page}", case.name);
            }
        }
    }

    /// Threat M7: two identity providers, two companies. Of who issues, who signs, for whom it is made and where it is
    /// brought, sixteen messages; two are right.
    fn f74_m7_only_the_connections_own_is_taken(server: &TestServer) {
        let api = server.operator();
        let idps = [("https://a.example/idp", &keys().first), ("https://b.example/idp", &keys().second)];
        server.company("globex");
        let names = ["acme", "globex"];
        for (name, (entity, pair)) in names.iter().zip(idps) {
            made(&api, &format!("/companies/{name}/sso/connection"), &fields(entity, &[pair]));
            verify(&api, name, &format!("{name}.example"));
        }
        server.acme().user(ADA);
        api.patch("/companies/globex/sso/connection", &json!({"jit_provisioning": true})).expect(200);
        let visits = names.map(|name| Visit::begin_at(server, name));
        let requests = visits.each_ref().map(Visit::request_id);
        let (ours, now) = (names.map(|name| addresses(server, name)), moment());
        let mut scenes = Vec::new();
        for (issuer, signer, made_for) in (0..8).map(|n| (n & 1, n >> 1 & 1, n >> 2)) {
            let (sp, acs) = &ours[made_for];
            let request = &requests[made_for];
            let scene = Scene { idp: idps[issuer].0, sp, acs, now: &now, request };
            scenes.push((scene, idps[signer].1, (issuer, signer, made_for)));
        }
        let made: Vec<(&Scene<'_>, &Pair)> = scenes.iter().map(|(scene, pair, _)| (scene, *pair)).collect();
        let messages = honest_by(&made);
        let mut right = Vec::new();
        for (message, (_, _, (issuer, signer, made_for))) in messages.iter().zip(&scenes) {
            for (brought, (_, acs)) in ours.iter().enumerate() {
                if [issuer, signer, made_for].iter().all(|which| **which == brought) {
                    right.push((message, brought));
                    continue;
                }
                let page = post(acs, &[("SAMLResponse", message)]);
                let code = code(&page);
                let expected: &[&str] = match [issuer, signer, made_for].map(|n| *n == brought) {
                    [true, true, false] => &["saml.destination"],
                    [true, false, true] => &["saml.signature"],
                    [false, true, true] => &["saml.issuer"],
                    _ => &["saml.issuer", "saml.signature", "saml.destination"],
                };
                assert!(page.status == 401 && expected.contains(&code.as_str()), "{issuer} {signer} {made_for}: {page}");
            }
        }
        assert_eq!(right.len(), 2);
        let answer = post(&ours[0].1, &[("SAMLResponse", right[0].0)]);
        visits[0].finish(&ticket(&answer)).unwrap();
        // Taken for what it is; whom it names is nobody of that company's domain.
        let answer = post(&ours[1].1, &[("SAMLResponse", right[1].0)]);
        assert_eq!(visits[1].finish(&ticket(&answer)).unwrap_err(), "email_outside_domains");
    }

    /// Row 74 within one company: a legacy connection beside the company's own.
    fn f74_another_connection_of_the_same_company(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({}));
        let (a, b) = (("https://a.example/idp", &keys().first), ("https://b.example/idp", &keys().second));
        made(&api, CONNECTION, &fields(a.0, &[a.1]));
        let legacy = "/companies/acme/organizations/dev/sso/legacy-connection";
        let legacy = made(&api, legacy, &fields(b.0, &[b.1]));
        verify(&api, "acme", "acme.example");
        server.acme().user(ADA);
        let (mine, theirs) = (Visit::begin(server), Visit::begin_at(server, &legacy));
        let (requests, now) = ([mine.request_id(), theirs.request_id()], moment());
        let ours = [addresses(server, "acme"), addresses(server, &legacy)];
        let scene = |idp, at: usize| Scene { idp, sp: &ours[at].0, acs: &ours[at].1, now: &now, request: &requests[at] };
        let scenes = [(scene(b.0, 0), b.1), (scene(a.0, 1), a.1), (scene(b.0, 0), a.1), (scene(a.0, 0), a.1)];
        let made: Vec<(&Scene<'_>, &Pair)> = scenes.iter().map(|(scene, pair)| (scene, *pair)).collect();
        let messages = honest_by(&made);
        for (message, at) in messages[..3].iter().zip([0, 1, 0]) {
            let page = post(&ours[at].1, &[("SAMLResponse", message)]);
            assert!(page.status == 401, "{page}");
            assert!(["saml.issuer", "saml.signature"].contains(&code(&page).as_str()), "{page}");
        }
        refused(&post(&ours[0].1, &[("SAMLResponse", &messages[2])]), 401, "saml.issuer");
        mine.finish(&ticket(&post(&ours[0].1, &[("SAMLResponse", &messages[3])]))).unwrap();
    }

    /// Row 75, threat M9: 14 messages that would cost much, each refused before it does.
    fn f75_m9_what_would_cost_much_is_refused(server: &TestServer) {
        let api = server.operator();
        made(&api, CONNECTION, &fields("https://idp.example/metadata", &[&keys().first]));
        let xml = |inside: &str| {
            encoded(format!("<p:Response xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\" {inside}</p:Response>").as_bytes())
        };
        let attributes = |many: usize| -> String { (0..many).map(|i| format!(" a{i}=''")).collect() };
        let spaces: String = (0..2_000).map(|i| format!(" xmlns:a{i}='urn:{i}'")).collect();
        let laughs = "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]><a>&b;</a>";
        let wide = format!("<p:a>{}</p:a>", "<b/>".repeat(3_000));
        for (name, message, status) in [
            ("80,000 attributes", xml(&format!("{}>", attributes(80_000))), 413),
            ("8,000 attributes", xml(&format!("{}>", attributes(8_000))), 413),
            ("65 attributes", xml(&format!("{}>", attributes(65))), 413),
            ("2,000 namespaces", xml(&format!("{spaces}>")), 413),
            ("depth 10,000", xml(&format!(">{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000))), 413),
            ("depth 10,000, open", xml(&format!(">{}", "<a>".repeat(10_000))), 413),
            ("depth 33", xml(&format!(">{}{}", "<a>".repeat(33), "</a>".repeat(33))), 413),
            ("3,000 elements", xml(&format!(">{wide}")), 413),
            ("a long text", xml(&format!(">{}", "x".repeat(140_000))), 413),
            ("1 MB of base64", "A".repeat(1_000_000), 413),
            ("1 MB of line breaks", "\n".repeat(1_000_000), 413),
            ("200 kB of nothing", encoded(&vec![0; 150_000]), 413),
            ("entities in entities", encoded(laughs.as_bytes()), 400),
            ("100,000 open brackets", encoded("<".repeat(100_000).as_bytes()), 400),
        ] {
            for address in ["acs", "slo"] {
                let url = format!("{}/sso/saml/acme/{address}", server.address());
                let page = post(&url, &[("SAMLResponse", &message)]);
                assert_eq!(page.status, status, "{name} at {address}: {page}");
            }
        }
    }

    /// Row 75: what a query inflates to is counted while it inflates, whoever signed it.
    fn f75_a_bomb_in_a_query(server: &TestServer) {
        let api = server.operator();
        made(&api, CONNECTION, &fields("https://idp.example/metadata", &[&keys().first]));
        let key = OwnKey::new(&keys().first.key, &keys().first.certificate).unwrap();
        for (length, status) in [(4 * 1024 * 1024, 413), (128 * 1024 + 1, 413), (3, 400)] {
            for key in [None, Some(&key)] {
                let bomb = "a".repeat(length);
                let to = format!("{}/sso/saml/acme/slo", server.address());
                let to = redirect::address(&to, (Kind::Request, &bomb), None, key).unwrap();
                let page = server.get_plain(to.strip_prefix(server.address()).unwrap());
                // A short one is read, and is no message; without a signature nobody looks.
                let status = if length == 3 && key.is_none() { 401 } else { status };
                assert_eq!(page.status, status, "{length}: {page}");
            }
        }
    }

    /// Row 76: where a message says to go, nobody goes.
    fn f76_a_relay_state_leads_nowhere(server: &TestServer) {
        let api = server.operator();
        let entity = "https://idp.example/metadata";
        made(&api, CONNECTION, &fields(entity, &[&keys().first]));
        verify(&api, "acme", "acme.example");
        server.acme().user(ADA);
        let (long, (sp, acs), now) = ("a".repeat(10_000), addresses(server, "acme"), moment());
        let states = ["//evil.example", "https:evil", "\\\\evil", "https://evil.example", "/console", "", "javascript:alert(1)", long.as_str()];
        let visits: Vec<Visit<'_>> = states.iter().map(|_| Visit::begin(server)).collect();
        let requests: Vec<String> = visits.iter().map(Visit::request_id).collect();
        let scene = |request| Scene { idp: entity, sp: &sp, acs: &acs, now: &now, request };
        let scenes: Vec<Scene<'_>> = requests.iter().map(|request| scene(request.as_str())).collect();
        let made: Vec<(&Scene<'_>, &Pair)> = scenes.iter().map(|scene| (scene, &keys().first)).collect();
        for ((state, visit), message) in states.iter().zip(&visits).zip(honest_by(&made)) {
            let answer = post(&acs, &[("SAMLResponse", &message), ("RelayState", state)]);
            // It goes on at our own address, and from there to the page that says that one is signed in.
            visit.finish(&ticket(&answer)).unwrap();
        }
    }

    /// Threat M8: no metadata and no setting weakens what is checked.
    fn m8_no_metadata_weakens_the_check(server: &TestServer) {
        let idp = Idp::pysaml2();
        let api = connect(server, &idp, &json!({}));
        server.acme().user(ADA);
        let off = json!({"saml": {"want_assertions_signed": false}});
        let told = api.patch(CONNECTION, &off).problem(422, "invalid_field");
        assert_eq!(told["errors"][0]["field"], "saml.want_assertions_signed");
        let honest = idp.metadata();
        let entity = format!("{}/metadata", idp.base);
        let (sp, acs) = addresses(server, "acme");
        let shapes = [
            honest.replace(" use=\"signing\"", ""),
            honest.replace("WantAuthnRequestsSigned=\"true\"", "WantAuthnRequestsSigned=\"false\" WantAssertionsSigned=\"false\""),
            honest.replace("WantAuthnRequestsSigned=\"true\"", ""),
        ];
        for metadata in &shapes {
            assert_ne!(*metadata, honest);
            let body = json!({"saml": {"idp_metadata_xml": metadata}});
            api.patch(CONNECTION, &body).expect(200);
            let visit = Visit::begin(server);
            let (request, now) = (visit.request_id(), moment());
            let scene = Scene { idp: &entity, sp: &sp, acs: &acs, now: &now, request: &request };
            let cases = lasting_attacks(&scene, &certificate(server));
            let message = |name: &str| &cases.iter().find(|case| case.name == name).unwrap().message;
            refused(&bring(server.address(), message("not signed")), 401, "saml.unsigned");
            let stranger = message("another key, its certificate in KeyInfo, both");
            refused(&bring(server.address(), stranger), 401, "saml.signature");
            let inside = message("encrypted, not signed, in a signed response");
            refused(&bring(server.address(), inside), 401, "saml.encryption");
            let good = honest_by(&[(&scene, &keys().first)]).remove(0);
            visit.finish(&ticket(&bring(server.address(), &good))).unwrap();
        }
        let encryption = honest.replace(" use=\"signing\"", " use=\"encryption\"");
        let body = json!({"saml": {"idp_metadata_xml": encryption}});
        api.patch(CONNECTION, &body).problem(422, "metadata_missing_fields");
    }
}

fn encoded(text: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Threat S16, by SAML. `held`: the message is taken before the switch, and the browser goes on behind it.
fn switched_off_meanwhile(database: Database, held: bool) {
    let server = &TestServer::start_with(database, LOOPBACK);
    let (api, idp) = (server.operator(), Idp::pysaml2());
    let body = json!({
        "provider": "custom_saml", "protocol": "saml", "saml": {"idp_metadata_xml": idp.metadata()},
    });
    for (n, switch) in switches::ALL.iter().enumerate() {
        let name = switches::on_again(&api, &body);
        let email = format!("u{n}@acme.example");
        let user = server.acme().user(&email);
        let (metadata, acs) = addresses(server, &name);
        let metadata = server.get_plain(metadata.strip_prefix(server.address()).unwrap()).text();
        idp.tell(&json!({"metadata": metadata, "name": email, "format": EMAIL, "attributes": {},
            "sign_response": false, "sign_assertion": true}));
        let visit = Visit::begin_at(server, &name);
        let message = idp.form(&visit.address);
        let before = held.then(|| ticket(&post(&acs, &[("SAMLResponse", &message)])));
        (switch.off)(server, &api, (&user, &body));
        let answer = match before {
            Some(ticket) => Err(ticket),
            None => Ok(post(&acs, &[("SAMLResponse", &message)])),
        };
        let code = match answer {
            Ok(page) if page.status != 303 => code(&page),
            Ok(taken) => visit.finish(&ticket(&taken)).unwrap_err(),
            Err(ticket) => visit.finish(&ticket).unwrap_err(),
        };
        let told = switch.told.iter().any(|(_, known)| *known == code);
        assert!(told, "{}: {code}", switch.name);
    }
}

#[test]
fn s16_what_is_switched_off_meanwhile_by_saml() {
    switched_off_meanwhile(Database::Sqlite, false);
    switched_off_meanwhile(Database::Sqlite, true);
}

#[test]
fn s16_what_is_switched_off_meanwhile_by_saml_on_postgres() {
    switched_off_meanwhile(Database::Postgres, false);
    switched_off_meanwhile(Database::Postgres, true);
}
