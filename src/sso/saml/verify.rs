//! Signatures (XML Signature §3.2, SAML 2.0 Core §5.4). What comes out of a check is the text that was digested,
//! to be parsed anew and read: whatever was thought of the tree that it came from, the signer put a digest of
//! exactly these octets under a signature.

use bergshamra::c14n::{C14nMode, canonicalize_doc};
use bergshamra::crypto::{digest, sign};
use bergshamra::keys::loader::load_x509_cert_der;
use bergshamra::xml::NodeSet;
use bergshamra::xml::uppsala::{Document, NodeId};

use super::Fault;
use super::certificate;
use super::xml::{self, MESSAGE, Node, ns};

/// Signature algorithms that can be accepted at all: no SHA-1, nothing with a shared secret (M4).
const SIGNATURES: [&str; 6] = [
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
];

/// Digest algorithms.
const DIGESTS: [&str; 3] = [
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
];

/// The transform that takes a signature out of what it is in.
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// The keys that a connection's identity provider may sign with, and the algorithms that it may use.
pub struct Pinned {
    keys: Vec<sign::SigningKey>,
    algorithms: Vec<String>,
}

impl Pinned {
    /// The keys of certificates in PEM. An algorithm that no connection may accept is left out, whoever asks for it.
    pub fn new(certificates: &[impl AsRef<str>], algorithms: &[impl AsRef<str>]) -> Self {
        let keys = certificates.iter().filter_map(|pem| {
            let der = certificate::read(pem.as_ref()).ok()?.der;
            load_x509_cert_der(&der).ok()?.to_signing_key().ok()?
        });
        let algorithms =
            algorithms.iter().map(AsRef::as_ref).filter(|uri| SIGNATURES.contains(uri));
        Self { keys: keys.collect(), algorithms: algorithms.map(str::to_owned).collect() }
    }

    /// Whether an algorithm may be used here.
    fn accepts(&self, algorithm: &str) -> bool {
        self.algorithms.iter().any(|accepted| accepted == algorithm)
    }

    /// Whether one of the keys made the signature over these octets.
    ///
    /// # Errors
    /// [`Fault::Algorithm`] and [`Fault::Signature`].
    pub fn check(&self, algorithm: &str, octets: &[u8], signature: &[u8]) -> Result<(), Fault> {
        if !self.accepts(algorithm) {
            return Err(Fault::Algorithm("its signature algorithm"));
        }
        let method =
            sign::from_uri(algorithm).map_err(|_| Fault::Algorithm("its signature algorithm"))?;
        // A key of another kind than the algorithm's is an error of the library, which is a no.
        let made = |key| method.verify(key, octets, signature).unwrap_or(false);
        if self.keys.iter().any(made) { Ok(()) } else { Err(Fault::Signature) }
    }
}

/// What the signature directly in an element covers, as text: the element itself, without the signature.
///
/// # Errors
/// [`Fault::Structure`], [`Fault::Algorithm`] and [`Fault::Signature`].
pub fn covered(element: Node<'_>, pinned: &Pinned) -> Result<String, Fault> {
    let signature = match element.named(ns::SIGNATURE, "Signature").as_slice() {
        [one] => *one,
        [] => return Err(Fault::Unsigned),
        _ => return Err(Fault::Structure("it has two signatures")),
    };
    let parts: Vec<Node<'_>> = signature.elements().collect();
    let (info, value) = match parts.as_slice() {
        [info, value] => (*info, *value),
        [info, value, key] if key.is(ns::SIGNATURE, "KeyInfo") => (*info, *value),
        _ => {
            return Err(Fault::Structure(
                "a signature holds something unknown, or something twice",
            ));
        }
    };
    if !info.is(ns::SIGNATURE, "SignedInfo") || !value.is(ns::SIGNATURE, "SignatureValue") {
        return Err(Fault::Structure("a signature holds something unknown"));
    }
    let method = info.only(ns::SIGNATURE, "CanonicalizationMethod");
    let prefixes = exclusive(method.ok_or(Fault::Algorithm("its canonical form"))?)?;
    let octets = canonical(info, None, &prefixes)?;
    let signed = Signed::read(&octets)?;
    pinned.check(&signed.algorithm, octets.as_bytes(), &base64_of(value)?)?;
    // From here on `signed` is what the identity provider said.
    let id = element.attribute("ID").filter(|id| !id.is_empty());
    if id.is_none_or(|id| signed.reference.strip_prefix('#') != Some(id)) {
        return Err(Fault::Structure(
            "a signature refers to something else than what it stands in",
        ));
    }
    let covered = canonical(element, Some(signature), &signed.prefixes)?;
    let found = digest::digest(&signed.digest_method, covered.as_bytes());
    match found {
        Ok(found) if found == signed.digest && !covered.is_empty() => Ok(covered),
        _ => Err(Fault::Signature),
    }
}

/// What a `SignedInfo` says.
struct Signed {
    algorithm: String,
    reference: String,
    prefixes: Vec<String>,
    digest_method: String,
    digest: Vec<u8>,
}

impl Signed {
    /// Reads the octets that are, or are not, signed: one reference, two transforms, and nothing more.
    fn read(octets: &str) -> Result<Self, Fault> {
        const UNKNOWN: Fault = Fault::Algorithm("more, or less, than one plain reference");
        let tree = xml::parse(octets, MESSAGE)?;
        let info = xml::root(&tree)?;
        let parts: Vec<Node<'_>> = info.elements().collect();
        let [canonical, method, reference] = parts.as_slice() else { return Err(UNKNOWN) };
        let in_order = info.is(ns::SIGNATURE, "SignedInfo")
            && canonical.is(ns::SIGNATURE, "CanonicalizationMethod")
            && method.is(ns::SIGNATURE, "SignatureMethod")
            && reference.is(ns::SIGNATURE, "Reference");
        let parts: Vec<Node<'_>> = reference.elements().collect();
        let [transforms, digest_method, digest] = parts.as_slice() else { return Err(UNKNOWN) };
        let in_order = in_order
            && transforms.is(ns::SIGNATURE, "Transforms")
            && digest_method.is(ns::SIGNATURE, "DigestMethod")
            && digest.is(ns::SIGNATURE, "DigestValue");
        let parts: Vec<Node<'_>> = transforms.elements().collect();
        let [enveloped, form] = parts.as_slice() else {
            return Err(Fault::Algorithm("its transforms"));
        };
        let bare = |node: &Node<'_>| node.elements().next().is_none();
        if !in_order || !bare(method) || !bare(digest_method) || !bare(enveloped) {
            return Err(UNKNOWN);
        }
        let transforms = [enveloped, form].iter().all(|node| node.is(ns::SIGNATURE, "Transform"));
        if !transforms || enveloped.attribute("Algorithm") != Some(ENVELOPED) {
            return Err(Fault::Algorithm("its transforms"));
        }
        exclusive(*canonical)?;
        let digest_uri = digest_method.attribute("Algorithm").unwrap_or_default();
        if !DIGESTS.contains(&digest_uri) {
            return Err(Fault::Algorithm("its digest algorithm"));
        }
        Ok(Self {
            algorithm: method.attribute("Algorithm").unwrap_or_default().to_owned(),
            reference: reference.attribute("URI").unwrap_or_default().to_owned(),
            prefixes: exclusive(*form)?,
            digest_method: digest_uri.to_owned(),
            digest: base64_of(*digest)?,
        })
    }
}

/// The prefixes that a use of exclusive canonicalization names; any other form is refused.
fn exclusive(method: Node<'_>) -> Result<Vec<String>, Fault> {
    const OTHER: Fault = Fault::Algorithm("its canonical form");
    if method.attribute("Algorithm") != Some(ns::EXCLUSIVE) {
        return Err(OTHER);
    }
    let parameters: Vec<Node<'_>> = method.elements().collect();
    match parameters.as_slice() {
        [] => Ok(Vec::new()),
        [one] if one.is(ns::EXCLUSIVE, "InclusiveNamespaces") => {
            let list = one.attribute("PrefixList").unwrap_or_default();
            Ok(list.split_ascii_whitespace().map(str::to_owned).collect())
        }
        _ => Err(OTHER),
    }
}

/// An element's canonical form without comments, without what is left out of it.
fn canonical(
    element: Node<'_>,
    without: Option<Node<'_>>,
    prefixes: &[String],
) -> Result<String, Fault> {
    let tree = element.tree();
    let mut nodes = NodeSet::tree_without_comments(element.id(), tree);
    if let Some(without) = without {
        leave_out(&mut nodes, tree, without.id());
    }
    let octets = canonicalize_doc(tree, C14nMode::Exclusive, Some(&nodes), prefixes);
    let octets = octets.map_err(|_| Fault::Malformed("it has no canonical form"))?;
    String::from_utf8(octets).map_err(|_| Fault::Malformed("it is not UTF-8"))
}

fn leave_out(nodes: &mut NodeSet, tree: &Document<'_>, id: NodeId) {
    nodes.remove_id(id);
    for child in tree.children_iter(id) {
        leave_out(nodes, tree, child);
    }
}

/// An element's text as base64, with line breaks, as XML Signature has it.
fn base64_of(node: Node<'_>) -> Result<Vec<u8>, Fault> {
    let text = node.text().ok_or(Fault::Structure("an element stands in a value"))?;
    xml::base64(&text).ok_or(Fault::Malformed("a value in it is not base64"))
}
