//! What two identity providers that we did not write make of what we say, and we of what they say: the checks
//! alone, without a server.

use serde_json::{Value, json};
use stagedoor::domain::connection::SIGNATURE_ALGORITHMS;
use stagedoor::sso::saml::logout::{self, Parties};
use stagedoor::sso::saml::metadata;
use stagedoor::sso::saml::own_key::OwnKey;
use stagedoor::sso::saml::redirect::{self, Kind};
use stagedoor::sso::saml::request::{self, Addresses, AuthnRequest};
use stagedoor::sso::saml::response::{Accepted, NameId, Trust, accept};
use stagedoor::sso::saml::verify::Pinned;
use stagedoor::sso::saml::{Fault, gate};

use super::peers::{Idp, Pair, get, redirect};
use super::visit::now;

const EMAIL: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
const ADA: &str = "ada@acme.example";

/// Our side of a connection to an identity provider.
struct Side {
    idp: Idp,
    theirs: metadata::IdpMetadata,
    ours: Addresses,
    key: OwnKey,
}

impl Side {
    fn new(idp: Idp) -> Self {
        let pair = Pair::rsa();
        Self {
            theirs: metadata::read(&idp.metadata()).unwrap(),
            ours: Addresses::new("https://sp.example", "acme"),
            key: OwnKey::new(&pair.key, &pair.certificate).unwrap(),
            idp,
        }
    }

    /// Has them know us, and who comes.
    fn told(self, how: &Value) -> Self {
        let metadata = request::metadata(&self.ours, &[self.key.certificate()], (true, EMAIL));
        let mut about = json!({
            "metadata": metadata, "name": ADA, "format": EMAIL, "sign_response": false, "sign_assertion": true,
            "attributes": {"groups": "platform", "mail": ADA},
        });
        about.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
        self.idp.tell(&about);
        self
    }

    /// A request of ours, and what comes back.
    fn answer(&self, id: &str) -> String {
        let request = AuthnRequest {
            id,
            now: now(),
            destination: &self.theirs.sso_url,
            ours: &self.ours,
            name_id_format: EMAIL,
            force_authn: false,
        };
        let message = request.xml();
        let to = redirect::address(
            &self.theirs.sso_url,
            (Kind::Request, &message),
            None,
            Some(&self.key),
        );
        self.idp.form(&to.unwrap())
    }

    fn pinned(&self) -> Pinned {
        Pinned::new(&self.theirs.certificates, &SIGNATURE_ALGORITHMS)
    }

    fn check(&self, message: &str) -> Result<Accepted, Fault> {
        let pinned = self.pinned();
        let trust = Trust {
            idp: &self.theirs.entity_id,
            sp: &self.ours.entity_id,
            acs: &self.ours.acs,
            pinned: &pinned,
            own_key: Some(&self.key),
            want_encrypted: false,
        };
        accept(&gate::decode(message)?, &trust, now())
    }
}

fn is_ada(accepted: &Accepted, request: Option<&str>) {
    assert_eq!(accepted.name_id.value, ADA);
    assert_eq!(accepted.name_id.format.as_deref(), Some(EMAIL));
    assert_eq!(accepted.in_response_to.as_deref(), request);
    let groups = accepted.attributes.iter().find(|attribute| attribute.name.ends_with("groups"));
    assert_eq!(groups.unwrap().values, ["platform"]);
}

/// Row 197: each side takes the other's metadata; and a sign-in both ways of signing.
#[test]
fn r197_pysaml2_signs_in() {
    for (response, assertion) in [(false, true), (true, false), (true, true)] {
        let how = json!({"sign_response": response, "sign_assertion": assertion});
        let side = Side::new(Idp::pysaml2()).told(&how);
        assert!(side.theirs.want_signed_requests);
        is_ada(&side.check(&side.answer("_one")).unwrap(), Some("_one"));
        let unsolicited = side.idp.form(&format!("{}/unsolicited", side.idp.base));
        is_ada(&side.check(&unsolicited).unwrap(), None);
        let log: Value = serde_json::from_str(&get(&format!("{}/log", side.idp.base)).1).unwrap();
        assert_eq!(log[0], json!({"request": "_one", "signed": true, "force_authn": null}));
    }
}

/// The same by samlify, which verifies our request; encrypted too, where the assertion inside is signed.
#[test]
fn r197_samlify_signs_in() {
    let side = Side::new(Idp::samlify()).told(&json!({}));
    is_ada(&side.check(&side.answer("_one")).unwrap(), Some("_one"));
    let side = side.told(&json!({"encrypt": true}));
    let message = side.answer("_two");
    assert!(!gate::decode(&message).unwrap().contains(ADA));
    is_ada(&side.check(&message).unwrap(), Some("_two"));
}

/// Logout in both directions, each signed in the query.
#[test]
fn pysaml2_signs_out() {
    let side = Side::new(Idp::pysaml2()).told(&json!({}));
    let accepted = side.check(&side.answer("_one")).unwrap();
    let receiver = side.theirs.slo_url.clone().unwrap();
    let moment = now();
    let name = NameId { value: ADA.to_owned(), ..accepted.name_id.clone() };
    let about = (&name, accepted.session_index.as_deref());
    let (kind, message) = logout::request(("_out", &receiver), &side.ours, about, moment);
    let to = redirect::address(&receiver, (kind, &message), None, Some(&side.key)).unwrap();
    let answer = redirect(&to);
    let (address, query) = answer.split_once('?').unwrap();
    assert_eq!(address, side.ours.slo);
    let parties = Parties { idp: &side.theirs.entity_id, ours: &side.ours };
    let read = redirect::read(query, &side.pinned()).unwrap();
    assert_eq!(read.kind, Kind::Response);
    assert_eq!(logout::answered(&read.message, &parties, moment).unwrap(), "_out");

    let session = accepted.session_index.unwrap();
    let asked = redirect(&format!("{}/logout?session={session}", side.idp.base));
    let query = asked.split_once('?').unwrap().1;
    let read = redirect::read(query, &side.pinned()).unwrap();
    assert_eq!((read.kind, read.relay_state.as_deref()), (Kind::Request, Some("state")));
    let asked = logout::asked(&read.message, &parties, now()).unwrap();
    assert_eq!((asked.name_id.value.as_str(), asked.session_indexes), (ADA, vec![session]));
    for (broken, fault) in [
        (query.replace("Signature=", "Unsigned="), Fault::Unsigned),
        (query.replace("RelayState=state", "RelayState=other"), Fault::Signature),
        (format!("{query}&RelayState=x"), Fault::Structure("a parameter is there twice")),
        (query.replace("rsa-sha256", "rsa-sha1"), Fault::Algorithm("its signature algorithm")),
    ] {
        assert_eq!(redirect::read(&broken, &side.pinned()), Err(fault), "{broken}");
    }
    let late = now() + jiff::SignedDuration::from_mins(12);
    assert!(matches!(logout::asked(&read.message, &parties, late), Err(Fault::Time(_))));
    let other = Parties { idp: "https://other.example", ours: &side.ours };
    assert_eq!(logout::asked(&read.message, &other, moment).unwrap_err(), Fault::Issuer);
}

/// Our metadata is read by pysaml2 in the tests above; here, what it says.
#[test]
fn r197_our_metadata_says_where_and_by_what() {
    let pair = Pair::rsa();
    let key = OwnKey::new(&pair.key, &pair.certificate).unwrap();
    let ours = Addresses::new("https://sp.example", "acme");
    let text = request::metadata(&ours, &[key.certificate()], (false, EMAIL));
    assert!(text.contains("entityID=\"https://sp.example/sso/saml/acme/metadata\""), "{text}");
    assert!(text.contains("Location=\"https://sp.example/sso/saml/acme/acs\""));
    assert!(text.contains("AuthnRequestsSigned=\"false\""));
    assert_eq!(metadata::read(&text).unwrap_err().code(), "metadata_is_sp");
}
