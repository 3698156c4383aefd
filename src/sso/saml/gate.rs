//! The gate in front of every check: what is no message of the shape that SAML's browser profile has is refused
//! before a signature is looked at. Names count here without their namespace too, so that no reader, ours or
//! another's, could take a second element for the first (`security.md` M1, M2).

use std::collections::HashSet;

use super::Fault;
use super::xml::{self, MESSAGE, Node, Tree, ns};

/// Longest form field, in bytes: a message of the longest length in base64, with line breaks.
const LONGEST_FIELD: usize = 256 * 1024;

/// Names that mean something only in one place; anywhere else they are there to be mistaken.
const PLACED: [&str; 9] = [
    "Response",
    "Assertion",
    "EncryptedAssertion",
    "LogoutRequest",
    "LogoutResponse",
    "Signature",
    "SignedInfo",
    "SignatureValue",
    "EncryptedData",
];

/// Reads a field of the POST binding (SAML 2.0 Bindings §3.5.4): base64, with line breaks, of UTF-8.
///
/// # Errors
/// [`Fault::TooLarge`] and [`Fault::Malformed`].
pub fn decode(field: &str) -> Result<String, Fault> {
    if field.len() > LONGEST_FIELD {
        return Err(Fault::TooLarge);
    }
    let bytes = xml::base64(field).ok_or(Fault::Malformed("it is not base64"))?;
    if bytes.len() > MESSAGE.bytes {
        return Err(Fault::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| Fault::Malformed("it is not UTF-8"))
}

/// What a response carries.
#[derive(Clone, Copy)]
pub enum Content<'t> {
    /// An assertion.
    Plain(Node<'t>),
    /// An encrypted one.
    Encrypted(Node<'t>),
}

/// Parses a message and checks that nothing in it stands where it may not.
///
/// # Errors
/// The fault.
pub fn parse(text: &str) -> Result<Tree, Fault> {
    let tree = xml::parse(text, MESSAGE)?;
    let mut ids = HashSet::new();
    placed(xml::root(&tree)?, Place::Root, &mut ids)?;
    Ok(tree)
}

/// Where an element stands, as far as it matters for what may stand in it.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// It is the message.
    Root,
    /// It stands directly in a response.
    InResponse,
    /// It stands directly in an assertion, or in another message than a response.
    InSigned,
    /// It stands directly in a signature.
    InSignature,
    /// It stands directly in an encrypted assertion.
    InEncrypted,
    /// It stands anywhere else.
    Elsewhere,
}

/// Whether an element and all in it stand where they may, and no id is there twice.
fn placed<'t>(node: Node<'t>, place: Place, ids: &mut HashSet<&'t str>) -> Result<(), Fault> {
    for (namespace, name, value) in node.attributes() {
        if !name.eq_ignore_ascii_case("id") && name != "AssertionID" {
            continue;
        }
        // An id with a namespace (xml:id too) is one to some readers and none to others.
        if namespace.is_some() || value.is_empty() || !ids.insert(value) {
            return Err(Fault::Structure("an ID is there twice, or has a namespace"));
        }
    }
    let misplaced = Err(Fault::Structure("an element stands where it may not"));
    let within = match (place, node.local()) {
        (Place::Root, "Response") if node.is(ns::PROTOCOL, "Response") => Place::InResponse,
        (Place::Root | Place::InResponse, "Assertion") if node.is(ns::ASSERTION, "Assertion") => {
            Place::InSigned
        }
        (Place::Root, "LogoutRequest" | "LogoutResponse")
            if node.is(ns::PROTOCOL, "LogoutRequest")
                || node.is(ns::PROTOCOL, "LogoutResponse") =>
        {
            Place::InSigned
        }
        (Place::Root, _) => return misplaced,
        (Place::InResponse, "EncryptedAssertion")
            if node.is(ns::ASSERTION, "EncryptedAssertion") =>
        {
            Place::InEncrypted
        }
        (Place::InEncrypted, "EncryptedData") if node.is(ns::ENCRYPTION, "EncryptedData") => {
            Place::Elsewhere
        }
        (Place::InResponse | Place::InSigned, "Signature")
            if node.is(ns::SIGNATURE, "Signature") =>
        {
            Place::InSignature
        }
        (Place::InSignature, "SignedInfo" | "SignatureValue" | "KeyInfo") => Place::Elsewhere,
        (Place::InSignature, _) => return misplaced,
        (_, name) if PLACED.contains(&name) => return misplaced,
        _ => Place::Elsewhere,
    };
    node.elements().try_for_each(|child| placed(child, within, ids))
}

/// Checks that a response holds what the profile has, each once, and nothing else; says what it carries.
///
/// # Errors
/// [`Fault::Structure`]; [`Fault::Status`] where it says that there was no sign-in.
pub fn response(root: Node<'_>) -> Result<Content<'_>, Fault> {
    if !root.is(ns::PROTOCOL, "Response") {
        return Err(Fault::Structure("it is not a response"));
    }
    has_only(
        root,
        &[
            (ns::ASSERTION, "Issuer"),
            (ns::SIGNATURE, "Signature"),
            (ns::PROTOCOL, "Extensions"),
            (ns::PROTOCOL, "Status"),
            (ns::ASSERTION, "Assertion"),
            (ns::ASSERTION, "EncryptedAssertion"),
        ],
    )?;
    version(root)?;
    succeeded(root)?;
    let plain = root.only(ns::ASSERTION, "Assertion");
    let encrypted = root.only(ns::ASSERTION, "EncryptedAssertion");
    match (plain, encrypted) {
        (Some(plain), None) => Ok(Content::Plain(plain)),
        (None, Some(encrypted)) => Ok(Content::Encrypted(encrypted)),
        _ => Err(Fault::Structure("it must carry exactly one assertion")),
    }
}

/// Checks that an assertion holds what the profile has, each once but statements, and nothing else.
///
/// # Errors
/// [`Fault::Structure`].
pub fn assertion(node: Node<'_>) -> Result<(), Fault> {
    if !node.is(ns::ASSERTION, "Assertion") {
        return Err(Fault::Structure("it is not an assertion"));
    }
    let once = [
        (ns::ASSERTION, "Issuer"),
        (ns::SIGNATURE, "Signature"),
        (ns::ASSERTION, "Subject"),
        (ns::ASSERTION, "Conditions"),
        (ns::ASSERTION, "Advice"),
    ];
    let statements = [(ns::ASSERTION, "AuthnStatement"), (ns::ASSERTION, "AttributeStatement")];
    for child in node.elements() {
        let statement = statements.iter().any(|(space, name)| child.is(space, name));
        let known = once.iter().find(|(space, name)| child.is(space, name));
        match known {
            Some((space, name)) if node.only(space, name).is_some() => {}
            None if statement => {}
            _ => {
                return Err(Fault::Structure(
                    "an assertion holds something unknown, or something twice",
                ));
            }
        }
    }
    version(node)
}

/// SAML 2.0, and an ID to be referred to by.
pub(super) fn version(node: Node<'_>) -> Result<(), Fault> {
    let id = node.attribute("ID").unwrap_or_default();
    if node.attribute("Version") != Some("2.0") || id.is_empty() || id.len() > 256 {
        return Err(Fault::Structure("it must be of SAML 2.0 and have an ID"));
    }
    Ok(())
}

/// Whether each element directly in a node is one of these, and there once.
pub(super) fn has_only(node: Node<'_>, known: &[(&str, &str)]) -> Result<(), Fault> {
    let each_once = node.elements().all(|child| {
        known.iter().any(|(space, name)| child.is(space, name) && node.only(space, name).is_some())
    });
    if each_once {
        Ok(())
    } else {
        Err(Fault::Structure("it holds something unknown, or something twice"))
    }
}

/// Whether the status is success (SAML 2.0 Core §3.2.2.2).
pub(super) fn succeeded(root: Node<'_>) -> Result<(), Fault> {
    let status = root
        .only(ns::PROTOCOL, "Status")
        .and_then(|status| status.only(ns::PROTOCOL, "StatusCode"));
    let code = status.and_then(|code| code.attribute("Value")).unwrap_or_default();
    match code.rsplit(':').next().unwrap_or_default() {
        "Success" if code == "urn:oasis:names:tc:SAML:2.0:status:Success" => Ok(()),
        "Requester" => Err(Fault::Status("it finds our request at fault")),
        "Responder" => Err(Fault::Status("it could not sign the person in")),
        "VersionMismatch" => Err(Fault::Status("it speaks another version")),
        _ => Err(Fault::Status("no success is told")),
    }
}
