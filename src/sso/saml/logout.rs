//! Single logout (SAML 2.0 Core §3.7, Profiles §4.4): what an identity provider asks or answers, and what we do.
//! A logout is signed, or it is nothing.

use bergshamra::xml::uppsala::XmlWriter;
use jiff::{SignedDuration, Timestamp};

use super::Fault;
use super::gate;
use super::redirect::Kind;
use super::request::{Addresses, instant, issuer};
use super::response::{NameId, SKEW, time};
use super::verify::{self, Pinned};
use super::xml::{self, Node, ns};

/// How long a logout may have been under way.
const OLDEST: SignedDuration = SignedDuration::from_mins(10);

/// Most sessions that one request names.
const MOST_SESSIONS: usize = 50;

/// A logout that an identity provider asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The request's id, which our answer names.
    pub id: String,
    /// Who signs out.
    pub name_id: NameId,
    /// Which of their sessions; none: all.
    pub session_indexes: Vec<String>,
}

/// Who may say it, and to which address.
pub struct Parties<'p> {
    /// The identity provider's entity id.
    pub idp: &'p str,
    /// Our addresses.
    pub ours: &'p Addresses,
}

/// What is signed of a message that came in a form, where its signature stands inside it.
///
/// # Errors
/// The fault.
pub fn posted(field: &str, pinned: &Pinned) -> Result<String, Fault> {
    let tree = gate::parse(&gate::decode(field)?)?;
    verify::covered(xml::root(&tree)?, pinned)
}

/// Reads a request out of text that was signed.
///
/// # Errors
/// The fault.
pub fn asked(signed: &str, parties: &Parties<'_>, now: Timestamp) -> Result<Asked, Fault> {
    let tree = gate::parse(signed)?;
    let root = xml::root(&tree)?;
    if !root.is(ns::PROTOCOL, "LogoutRequest") {
        return Err(Fault::Structure("it is not a logout request"));
    }
    holds(root, parties, now)?;
    if let Some(ends) = root.attribute("NotOnOrAfter")
        && now >= time(ends)? + SKEW
    {
        return Err(Fault::Time("it is over"));
    }
    let name = root.only(ns::ASSERTION, "NameID").ok_or(Fault::Subject("it has no NameID"))?;
    let indexes = root.named(ns::PROTOCOL, "SessionIndex").into_iter();
    let session_indexes: Option<Vec<String>> = indexes.map(Node::text).collect();
    let session_indexes =
        session_indexes.filter(|all| all.len() <= MOST_SESSIONS).ok_or(Fault::TooLarge)?;
    Ok(Asked {
        id: root.attribute("ID").unwrap_or_default().to_owned(),
        name_id: NameId::read(name)?,
        session_indexes,
    })
}

/// Reads an answer out of text that was signed: the id of the request that it answers. That a party elsewhere
/// could not be told is no concern of ours.
///
/// # Errors
/// The fault.
pub fn answered(signed: &str, parties: &Parties<'_>, now: Timestamp) -> Result<String, Fault> {
    let tree = gate::parse(signed)?;
    let root = xml::root(&tree)?;
    if !root.is(ns::PROTOCOL, "LogoutResponse") {
        return Err(Fault::Structure("it is not a logout response"));
    }
    holds(root, parties, now)?;
    gate::succeeded(root)?;
    root.attribute("InResponseTo").map(str::to_owned).ok_or(Fault::InResponseTo)
}

/// What both must have: version, issuer, destination, and a time that is near.
fn holds(root: Node<'_>, parties: &Parties<'_>, now: Timestamp) -> Result<(), Fault> {
    gate::version(root)?;
    let issuer = root.only(ns::ASSERTION, "Issuer").and_then(Node::text);
    if issuer.as_deref() != Some(parties.idp) {
        return Err(Fault::Issuer);
    }
    if root.attribute("Destination") != Some(&parties.ours.slo) {
        return Err(Fault::Destination);
    }
    let said = time(root.attribute("IssueInstant").unwrap_or_default())?;
    if said > now + SKEW || now > said + OLDEST {
        return Err(Fault::Time("it was not made just now"));
    }
    Ok(())
}

/// The attributes of every logout message.
fn attributes<'a>(id: &'a str, instant: &'a str, destination: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("xmlns:samlp", ns::PROTOCOL),
        ("xmlns:saml", ns::ASSERTION),
        ("ID", id),
        ("Version", "2.0"),
        ("IssueInstant", instant),
        ("Destination", destination),
    ]
}

/// Our request to sign somebody out at the identity provider.
pub fn request(
    (id, destination): (&str, &str),
    ours: &Addresses,
    (name_id, session_index): (&NameId, Option<&str>),
    now: Timestamp,
) -> (Kind, String) {
    let instant = instant(now);
    let mut out = XmlWriter::new();
    out.start_element("samlp:LogoutRequest", &attributes(id, &instant, destination));
    issuer(&mut out, &ours.entity_id);
    let about = [
        ("Format", name_id.format.as_deref()),
        ("NameQualifier", name_id.name_qualifier.as_deref()),
        ("SPNameQualifier", name_id.sp_name_qualifier.as_deref()),
    ];
    let about: Vec<(&str, &str)> =
        about.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    out.start_element("saml:NameID", &about);
    out.text(&name_id.value);
    out.end_element("saml:NameID");
    if let Some(index) = session_index {
        out.start_element("samlp:SessionIndex", &[]);
        out.text(index);
        out.end_element("samlp:SessionIndex");
    }
    out.end_element("samlp:LogoutRequest");
    (Kind::Request, out.into_string())
}

/// Our answer that somebody is signed out here.
pub fn response(
    (id, destination): (&str, &str),
    ours: &Addresses,
    in_response_to: &str,
    now: Timestamp,
) -> (Kind, String) {
    let instant = instant(now);
    let mut attributes = attributes(id, &instant, destination);
    attributes.push(("InResponseTo", in_response_to));
    let mut out = XmlWriter::new();
    out.start_element("samlp:LogoutResponse", &attributes);
    issuer(&mut out, &ours.entity_id);
    out.start_element("samlp:Status", &[]);
    out.empty_element(
        "samlp:StatusCode",
        &[("Value", "urn:oasis:names:tc:SAML:2.0:status:Success")],
    );
    out.end_element("samlp:Status");
    out.end_element("samlp:LogoutResponse");
    (Kind::Response, out.into_string())
}
