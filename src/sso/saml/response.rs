//! A response to the ACS (SAML 2.0 Profiles §4.1.4): gate, signatures, then every condition, on text that was
//! signed. What an accepted one says is all that goes on; the message itself is thrown away.

use jiff::{SignedDuration, Timestamp};

use super::gate::{self, Content};
use super::own_key::OwnKey;
use super::verify::{self, Pinned};
use super::xml::{self, Node, Tree, ns};
use super::{Fault, decrypt};

/// How far clocks may differ.
pub const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// The longest time that an assertion may be good for: so long it is remembered against replay.
const LONGEST: SignedDuration = SignedDuration::from_mins(60);

/// Longest name of a person, in bytes.
pub(super) const LONGEST_NAME: usize = 1024;

/// Longest name of a session, in bytes.
const LONGEST_INDEX: usize = 512;

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

/// Who may say what to whom.
pub struct Trust<'t> {
    /// The entity id of the connection's identity provider.
    pub idp: &'t str,
    /// Our entity id for this connection.
    pub sp: &'t str,
    /// The address that the message was sent to.
    pub acs: &'t str,
    /// What the identity provider signs with.
    pub pinned: &'t Pinned,
    /// What encrypted assertions are opened by.
    pub own_key: Option<&'t OwnKey>,
    /// Whether a plain assertion is refused.
    pub want_encrypted: bool,
}

/// What an accepted response says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The assertion's id, which is accepted once.
    pub assertion_id: String,
    /// Until when it must be remembered.
    pub remember_until: Timestamp,
    /// The request that it answers; none, where the identity provider began.
    pub in_response_to: Option<String>,
    /// Who signed in.
    pub name_id: NameId,
    /// The identity provider's own session, for logout.
    pub session_index: Option<String>,
    /// When that session ends, where it says so.
    pub session_ends: Option<Timestamp>,
    /// When the person showed who they are.
    pub authenticated_at: Option<Timestamp>,
    /// What is said of the person.
    pub attributes: Vec<Attribute>,
}

impl Accepted {
    /// What the session is called here: by its index, or by the assertion where the identity provider gives none.
    pub fn session(&self) -> &str {
        self.session_index.as_deref().unwrap_or(&self.assertion_id)
    }
}

/// A name of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameId {
    /// The name.
    pub value: String,
    /// What kind of name it is.
    pub format: Option<String>,
    /// Who gave it, where it says so.
    pub name_qualifier: Option<String>,
    /// For whom, where it says so.
    pub sp_name_qualifier: Option<String>,
}

impl NameId {
    /// Whether it is another one at the next sign-in, and so tells nobody.
    pub fn is_transient(&self) -> bool {
        self.format.as_deref() == Some(TRANSIENT)
    }

    /// Reads a name.
    pub(super) fn read(node: Node<'_>) -> Result<Self, Fault> {
        let value = node.text().ok_or(Fault::Subject("an element stands in the NameID"))?;
        if value.is_empty() || value.len() > LONGEST_NAME || value.chars().any(char::is_control) {
            return Err(Fault::Subject("the NameID is empty, too long, or has control characters"));
        }
        let owned = |name| node.attribute(name).map(str::to_owned);
        Ok(Self {
            value,
            format: owned("Format"),
            name_qualifier: owned("NameQualifier"),
            sp_name_qualifier: owned("SPNameQualifier"),
        })
    }
}

/// Something that is said of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its values that are plain text, in their order.
    pub values: Vec<String>,
}

/// Checks a response and says what it says. What it answers, and whether it was there before, is left to the
/// caller, who knows.
///
/// # Errors
/// The first fault found.
pub fn accept(text: &str, trust: &Trust<'_>, now: Timestamp) -> Result<Accepted, Fault> {
    let tree = gate::parse(text)?;
    let root = xml::root(&tree)?;
    let content = gate::response(root)?;
    let outer = signed(root, trust.pinned)?;
    let envelope = match &outer {
        Some(octets) => xml::root(octets)?,
        None => root,
    };
    let inner = match content {
        Content::Plain(_) if trust.want_encrypted => return Err(Fault::Encryption),
        Content::Plain(assertion) => signed(assertion, trust.pinned)?,
        Content::Encrypted(encrypted) => Some(opened(encrypted, trust, outer.is_some())?),
    };
    let assertion = match (&inner, &outer) {
        (Some(octets), _) => xml::root(octets)?,
        (None, Some(octets)) => match gate::response(xml::root(octets)?)? {
            Content::Plain(assertion) => assertion,
            Content::Encrypted(_) => return Err(Fault::Encryption),
        },
        (None, None) => return Err(Fault::Unsigned),
    };
    let in_response_to = envelope_holds(envelope, trust)?;
    let accepted = read(assertion, trust, now)?;
    if in_response_to.is_some() && in_response_to != accepted.in_response_to {
        return Err(Fault::InResponseTo);
    }
    Ok(accepted)
}

/// What an element's own signature covers, parsed anew from the octets under it; nothing where it has none. A
/// signature that is there must hold, also where another one would do.
fn signed(node: Node<'_>, pinned: &Pinned) -> Result<Option<Tree>, Fault> {
    if node.named(ns::SIGNATURE, "Signature").is_empty() {
        return Ok(None);
    }
    Ok(Some(gate::parse(&verify::covered(node, pinned)?)?))
}

/// The signed assertion in an encrypted one. Encryption proves nothing, so that a signature within is asked for
/// whoever signed the envelope (M8); and whatever is wrong inside is one fault, or answers would tell of it.
fn opened(encrypted: Node<'_>, trust: &Trust<'_>, authentic: bool) -> Result<Tree, Fault> {
    let key = trust.own_key.ok_or(Fault::Encryption)?;
    let text = decrypt::open(encrypted, key, authentic)?;
    let inside = || {
        let tree = gate::parse(&text)?;
        let assertion = xml::root(&tree)?;
        gate::assertion(assertion)?;
        signed(assertion, trust.pinned)?.ok_or(Fault::Unsigned)
    };
    inside().map_err(|_| Fault::Encryption)
}

/// Checks the envelope, which may be unsigned: it can only take away. Returns the request that it says to answer.
fn envelope_holds(root: Node<'_>, trust: &Trust<'_>) -> Result<Option<String>, Fault> {
    if root.attribute("Destination") != Some(trust.acs) {
        return Err(Fault::Destination);
    }
    if let Some(issuer) = root.only(ns::ASSERTION, "Issuer")
        && issuer.text().as_deref() != Some(trust.idp)
    {
        return Err(Fault::Issuer);
    }
    Ok(root.attribute("InResponseTo").map(str::to_owned))
}

/// Reads a signed assertion and checks every condition in it.
pub(super) fn read(
    assertion: Node<'_>,
    trust: &Trust<'_>,
    now: Timestamp,
) -> Result<Accepted, Fault> {
    gate::assertion(assertion)?;
    let part = |name| assertion.only(ns::ASSERTION, name);
    let issuer = part("Issuer").and_then(Node::text);
    if issuer.as_deref() != Some(trust.idp) {
        return Err(Fault::Issuer);
    }
    let conditions = part("Conditions").ok_or(Fault::Audience)?;
    let ends = conditions_hold(conditions, trust, now)?;
    let subject = part("Subject").ok_or(Fault::Subject("it has no subject"))?;
    let (confirmed, in_response_to) = confirmed(subject, trust, now)?;
    let ends = ends.min(confirmed);
    if ends.duration_since(now) > LONGEST + SKEW {
        return Err(Fault::Time("it is good for more than 60 minutes"));
    }
    let name = subject.only(ns::ASSERTION, "NameID").ok_or(Fault::Subject("it has no NameID"))?;
    let statements = assertion.named(ns::ASSERTION, "AuthnStatement");
    let statement = statements.first().ok_or(Fault::Subject("it tells of no sign-in"))?;
    let session_ends = match statement.attribute("SessionNotOnOrAfter") {
        Some(text) => Some(time(text)?),
        None => None,
    };
    if session_ends.is_some_and(|ends| now >= ends + SKEW) {
        return Err(Fault::Time("the session of the identity provider is over"));
    }
    let authenticated_at = statement.attribute("AuthnInstant").and_then(|text| time(text).ok());
    let session_index = statement.attribute("SessionIndex").map(str::to_owned);
    if session_index.as_ref().is_some_and(|index| index.is_empty() || index.len() > LONGEST_INDEX) {
        return Err(Fault::Structure("its SessionIndex is empty or too long"));
    }
    Ok(Accepted {
        assertion_id: assertion.attribute("ID").unwrap_or_default().to_owned(),
        remember_until: ends + SKEW,
        in_response_to,
        name_id: NameId::read(name)?,
        session_index,
        session_ends,
        authenticated_at,
        attributes: attributes(assertion)?,
    })
}

/// Checks the conditions (SAML 2.0 Core §2.5); one that is not known makes an assertion invalid. Returns its end.
fn conditions_hold(
    conditions: Node<'_>,
    trust: &Trust<'_>,
    now: Timestamp,
) -> Result<Timestamp, Fault> {
    let ends = window(conditions, now)?;
    let mut restricted = false;
    for condition in conditions.elements() {
        if condition.is(ns::ASSERTION, "AudienceRestriction") {
            let audiences = condition.named(ns::ASSERTION, "Audience");
            if !audiences.iter().any(|audience| audience.text().as_deref() == Some(trust.sp)) {
                return Err(Fault::Audience);
            }
            restricted = true;
        } else if !condition.is(ns::ASSERTION, "OneTimeUse")
            && !condition.is(ns::ASSERTION, "ProxyRestriction")
        {
            return Err(Fault::Structure("a condition is not known"));
        }
    }
    if restricted { Ok(ends) } else { Err(Fault::Audience) }
}

/// Checks the one bearer confirmation (SAML 2.0 Profiles §4.1.4.2). Returns its end, and the request it answers.
fn confirmed(
    subject: Node<'_>,
    trust: &Trust<'_>,
    now: Timestamp,
) -> Result<(Timestamp, Option<String>), Fault> {
    let confirmations = subject.named(ns::ASSERTION, "SubjectConfirmation").into_iter();
    let bearers: Vec<Node<'_>> =
        confirmations.filter(|node| node.attribute("Method") == Some(BEARER)).collect();
    let [bearer] = bearers.as_slice() else {
        return Err(Fault::Subject("it must have exactly one bearer confirmation"));
    };
    let data = bearer.only(ns::ASSERTION, "SubjectConfirmationData").ok_or(Fault::Recipient)?;
    if data.attribute("Recipient") != Some(trust.acs) {
        return Err(Fault::Recipient);
    }
    Ok((window(data, now)?, data.attribute("InResponseTo").map(str::to_owned)))
}

/// Checks `NotBefore` and `NotOnOrAfter`, of which the second must be there. Returns it.
fn window(node: Node<'_>, now: Timestamp) -> Result<Timestamp, Fault> {
    let ends = node.attribute("NotOnOrAfter").ok_or(Fault::Time("no NotOnOrAfter"))?;
    let ends = time(ends)?;
    if now >= ends + SKEW {
        return Err(Fault::Time("it is over"));
    }
    if let Some(begins) = node.attribute("NotBefore")
        && now + SKEW < time(begins)?
    {
        return Err(Fault::Time("it has not begun"));
    }
    Ok(ends)
}

/// A time of SAML (SAML 2.0 Core §1.3.3): UTC, in the form of XML Schema with a `Z`, and within the centuries in
/// which a minute can be added to it.
pub(super) fn time(text: &str) -> Result<Timestamp, Fault> {
    const UNREADABLE: Fault = Fault::Time("a time in it cannot be read");
    let plain = text.len() <= 40
        && text.as_bytes().get(10) == Some(&b'T')
        && text.ends_with('Z')
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"-:.TZ".contains(&byte));
    let read: Option<Timestamp> = if plain { text.parse().ok() } else { None };
    let known = 0..=32_503_680_000_i64;
    read.filter(|time| known.contains(&time.as_second())).ok_or(UNREADABLE)
}

/// The attributes, those of one name together; values that are not plain text are left out.
fn attributes(assertion: Node<'_>) -> Result<Vec<Attribute>, Fault> {
    let mut found: Vec<Attribute> = Vec::new();
    let statements = assertion.named(ns::ASSERTION, "AttributeStatement").into_iter();
    for attribute in statements.flat_map(|statement| statement.named(ns::ASSERTION, "Attribute")) {
        let name =
            attribute.attribute("Name").ok_or(Fault::Structure("an attribute has no name"))?;
        let values =
            attribute.named(ns::ASSERTION, "AttributeValue").into_iter().filter_map(Node::text);
        match found.iter_mut().find(|known| known.name == name) {
            Some(known) => known.values.extend(values),
            None => found.push(Attribute { name: name.to_owned(), values: values.collect() }),
        }
    }
    Ok(found)
}
