//! XML as SAML uses it. The text is counted and refused before a tree exists; the tree is walked by namespace and
//! name, and text is all of an element's text or none.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bergshamra::xml::uppsala::{Document, NodeId, NodeKind, Parser};

/// A parsed text.
pub type Tree = Document<'static>;

/// What a text may have at most, and whether it may hold more than elements and text.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Length in bytes.
    pub bytes: usize,
    /// Elements in all.
    pub elements: usize,
    /// Elements inside each other.
    pub depth: usize,
    /// Attributes of one element, declarations of namespaces among them.
    pub attributes: usize,
    /// Whether comments, CDATA sections and processing instructions may stand in it.
    pub markup: bool,
}

/// The limits of a protocol message (`security.md` M9): it holds elements and text and nothing else.
pub const MESSAGE: Limits =
    Limits { bytes: 128 * 1024, elements: 2_000, depth: 32, attributes: 64, markup: false };

/// The limits of a metadata document, which people write by hand too.
pub const METADATA: Limits =
    Limits { bytes: 1024 * 1024, elements: 20_000, depth: 32, attributes: 64, markup: true };

/// Why a text is not looked at any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// More bytes, elements, depth or attributes than the limits allow.
    #[error("the XML is larger than allowed")]
    TooLarge,
    /// A document type, and with it entities: never legitimate in SAML.
    #[error("the XML has a DOCTYPE")]
    Doctype,
    /// A comment where none may stand: readers disagree on the text around it.
    #[error("the XML has a comment")]
    Comment,
    /// A CDATA section, a processing instruction, or an encoding other than UTF-8.
    #[error("the XML has a CDATA section, a processing instruction or another encoding than UTF-8")]
    Markup,
    /// Not well-formed, or a name or namespace that readers disagree on.
    #[error("the XML is not well-formed")]
    Malformed,
}

/// Namespaces that SAML is made of.
pub mod ns {
    /// SAML assertions.
    pub const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
    /// SAML messages.
    pub const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
    /// SAML metadata.
    pub const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
    /// XML signatures.
    pub const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";
    /// XML encryption.
    pub const ENCRYPTION: &str = "http://www.w3.org/2001/04/xmlenc#";
    /// XML encryption 1.1.
    pub const ENCRYPTION_11: &str = "http://www.w3.org/2009/xmlenc11#";
    /// Exclusive canonicalization, an algorithm and the namespace of its parameter.
    pub const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
}

/// Parses a text within its limits.
///
/// # Errors
/// The flaw: counted on the text before the parser sees it, or found in the tree.
pub fn parse(text: &str, limits: Limits) -> Result<Tree, Flaw> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    scan(text, limits)?;
    let depth = u32::try_from(limits.depth).unwrap_or(u32::MAX);
    let parser = Parser::new().with_forbid_dtd(true).with_max_depth(depth + 1);
    let tree = parser.parse(text).map_err(|_| Flaw::Malformed)?.into_static();
    let root = root(&tree)?;
    names_are_plain(root)?;
    Ok(tree)
}

/// The one element that the document is.
///
/// # Errors
/// [`Flaw::Malformed`] where there is none.
pub fn root(tree: &Tree) -> Result<Node<'_>, Flaw> {
    let id = tree.document_element().ok_or(Flaw::Malformed)?;
    Ok(Node { tree, id })
}

/// Every namespace is absolute (relative ones canonicalize to nothing in some libraries), no name has a second
/// colon, and no prefix is bound to what XML keeps for itself.
fn names_are_plain(node: Node<'_>) -> Result<(), Flaw> {
    let element = node.tree.element(node.id).ok_or(Flaw::Malformed)?;
    let attributes = element.attributes.iter().map(|attribute| &attribute.name.local_name);
    if std::iter::once(&element.name.local_name).chain(attributes).any(|name| name.contains(':')) {
        return Err(Flaw::Malformed);
    }
    for (prefix, uri) in &element.namespace_declarations {
        let absolute = uri.find(':').is_some_and(|at| {
            at > 0 && uri[..at].bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        });
        let undeclares = prefix.is_empty() && uri.is_empty();
        if !(absolute || undeclares) || prefix.starts_with("xml") {
            return Err(Flaw::Malformed);
        }
    }
    node.elements().try_for_each(names_are_plain)
}

/// Counts a text as its parser will read it. A `<` stands for itself nowhere in well-formed XML but in comments,
/// CDATA sections and instructions, so that what this finds is what is there.
fn scan(text: &str, limits: Limits) -> Result<(), Flaw> {
    if text.len() > limits.bytes {
        return Err(Flaw::TooLarge);
    }
    let (mut depth, mut elements, mut rest) = (0_usize, 0_usize, text);
    let mut first = true;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        if let Some(length) = skipped(rest, first && at == 0, limits.markup)? {
            rest = &rest[length..];
            first = false;
            continue;
        }
        first = false;
        let (length, attributes) = tag(rest)?;
        let inside = &rest[..length];
        if inside.starts_with("</") {
            depth = depth.saturating_sub(1);
        } else {
            elements += 1;
            if elements > limits.elements || depth >= limits.depth || attributes > limits.attributes
            {
                return Err(Flaw::TooLarge);
            }
            depth += usize::from(!inside.ends_with("/>"));
        }
        rest = &rest[length..];
    }
    Ok(())
}

/// The length of what begins here and is no tag: the declaration, or markup where that is allowed.
fn skipped(rest: &str, first: bool, markup: bool) -> Result<Option<usize>, Flaw> {
    let until = |end: &str| match rest.find(end) {
        Some(at) => Ok(Some(at + end.len())),
        None => Err(Flaw::Malformed),
    };
    if rest.starts_with("<?xml") && rest[5..].starts_with([' ', '\t', '\r', '\n']) {
        let length = until("?>")?;
        let declaration = &rest[..length.unwrap_or_default()];
        return if first && declares_utf8(declaration) { Ok(length) } else { Err(Flaw::Markup) };
    }
    if rest.starts_with("<!--") {
        return if markup { until("-->") } else { Err(Flaw::Comment) };
    }
    if rest.starts_with("<![CDATA[") {
        return if markup { until("]]>") } else { Err(Flaw::Markup) };
    }
    if rest.starts_with("<?") {
        return if markup { until("?>") } else { Err(Flaw::Markup) };
    }
    if rest.starts_with("<!") {
        return Err(Flaw::Doctype);
    }
    Ok(None)
}

/// Whether a declaration is of XML 1.0 and names UTF-8, or no encoding.
fn declares_utf8(declaration: &str) -> bool {
    let plain = declaration.to_ascii_lowercase().replace('\'', "\"");
    let encoding = plain.split_once("encoding").map(|(_, value)| value);
    let utf8 = encoding.is_none_or(|value| {
        value
            .trim_start()
            .strip_prefix('=')
            .is_some_and(|v| v.trim_start().starts_with("\"utf-8\""))
    });
    utf8 && plain.contains("\"1.0\"")
}

/// The length of the tag that begins here, and how many attributes it has. Quoted values may hold `>`.
fn tag(rest: &str) -> Result<(usize, usize), Flaw> {
    let (mut quote, mut attributes) = (None, 0_usize);
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'=') => attributes += 1,
            (None, b'>') => return Ok((at + 1, attributes)),
            (_, b'<') => return Err(Flaw::Malformed),
            _ => {}
        }
    }
    Err(Flaw::Malformed)
}

/// An element of a tree.
#[derive(Clone, Copy)]
pub struct Node<'t> {
    tree: &'t Tree,
    id: NodeId,
}

impl<'t> Node<'t> {
    /// The tree that it stands in.
    pub fn tree(self) -> &'t Tree {
        self.tree
    }

    /// Its place in the tree.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// Its name without the prefix, whatever its namespace.
    pub fn local(self) -> &'t str {
        self.tree.element(self.id).map_or("", |element| element.name.local_name.as_ref())
    }

    /// Whether it has this namespace and this name.
    pub fn is(self, namespace: &str, local: &str) -> bool {
        self.tree.element(self.id).is_some_and(|element| element.matches_name_ns(namespace, local))
    }

    /// The elements directly in it, in their order.
    pub fn elements(self) -> impl Iterator<Item = Node<'t>> {
        let tree = self.tree;
        let ids = tree.children_iter(self.id).filter(|id| tree.element(*id).is_some());
        ids.map(move |id| Node { tree, id })
    }

    /// The elements directly in it that have this namespace and name.
    pub fn named(self, namespace: &str, local: &str) -> Vec<Node<'t>> {
        self.elements().filter(|child| child.is(namespace, local)).collect()
    }

    /// The one element directly in it that has this namespace and name; `None` where there is none, or a second.
    pub fn only(self, namespace: &str, local: &str) -> Option<Node<'t>> {
        match self.named(namespace, local).as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// The attribute of this name that has no namespace.
    pub fn attribute(self, name: &str) -> Option<&'t str> {
        let element = self.tree.element(self.id)?;
        let mut found = element.attributes.iter().filter(|attribute| {
            attribute.name.namespace_uri.is_none() && attribute.name.local_name == name
        });
        found.next().map(|attribute| attribute.value.as_ref())
    }

    /// Its attributes: namespace, name and value.
    pub fn attributes(self) -> impl Iterator<Item = (Option<&'t str>, &'t str, &'t str)> {
        let attributes = self.tree.element(self.id).map(|element| element.attributes.as_slice());
        attributes.unwrap_or_default().iter().map(|attribute| {
            let namespace = attribute.name.namespace_uri.as_deref();
            (namespace, attribute.name.local_name.as_ref(), attribute.value.as_ref())
        })
    }

    /// All of its text, joined, without the white space at its ends; `None` where an element stands in it.
    pub fn text(self) -> Option<String> {
        let mut text = String::new();
        for id in self.tree.children_iter(self.id) {
            match self.tree.node_kind(id) {
                Some(NodeKind::Text(part) | NodeKind::CData(part)) => text.push_str(part),
                Some(NodeKind::Element(_)) | None => return None,
                Some(_) => {}
            }
        }
        Some(text.trim_matches([' ', '\t', '\r', '\n']).to_owned())
    }
}

/// A text of base64, which may have white space anywhere, as octets.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let bare: String = text.split([' ', '\t', '\r', '\n']).collect();
    STANDARD.decode(bare).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(text: &str) -> Option<Flaw> {
        parse(text, MESSAGE).err()
    }

    #[test]
    fn what_no_message_holds_is_refused_before_a_tree_exists() {
        assert_eq!(flaw("<a>b</a>"), None);
        assert_eq!(flaw("<?xml version=\"1.0\" encoding='UTF-8'?>\n<a b=\"&lt;>\"/>"), None);
        assert_eq!(flaw("<!DOCTYPE a><a/>"), Some(Flaw::Doctype));
        assert_eq!(flaw("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"), Some(Flaw::Doctype));
        assert_eq!(flaw("<a>b<!-- c --></a>"), Some(Flaw::Comment));
        assert_eq!(flaw("<a><![CDATA[b]]></a>"), Some(Flaw::Markup));
        assert_eq!(flaw("<a><?b c?></a>"), Some(Flaw::Markup));
        assert_eq!(flaw("<a/><?xml version=\"1.0\"?>"), Some(Flaw::Markup));
        assert_eq!(flaw("<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>"), Some(Flaw::Markup));
        assert_eq!(flaw("<?xml version=\"1.1\"?><a/>"), Some(Flaw::Markup));
        for malformed in [
            "",
            "a",
            "<a>",
            "<a",
            "<a></b>",
            "<a/><b/>",
            "<a>&b;</a>",
            "<a b=\"<c>\"/>",
            "<a b=\"1\" b=\"2\"/>",
            "<p:a/>",
            "<a xmlns:p=\"q\"/>",
            "<a xmlns=\"../q\"/>",
            "<:a/>",
            "<a:b:c xmlns:a=\"u:r\"/>",
            "<a xmlns:p=\"u:r\" xmlns:q=\"u:r\" p:x=\"1\" q:x=\"2\"/>",
            "<a xmlns:xmlb=\"u:r\"/>",
            "<a/>b",
        ] {
            assert_eq!(flaw(malformed), Some(Flaw::Malformed), "{malformed}");
        }
    }

    #[test]
    fn sizes_are_counted_on_the_text() {
        let deep = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert_eq!(flaw(&deep(32)), None);
        assert_eq!(flaw(&deep(33)), Some(Flaw::TooLarge));
        assert_eq!(flaw(&deep(10_000)), Some(Flaw::TooLarge));
        let wide = |wide: usize| {
            let attributes: String = (0..wide).map(|i| format!(" a{i}=''")).collect();
            format!("<a{attributes}/>")
        };
        assert_eq!(flaw(&wide(64)), None);
        assert_eq!(flaw(&wide(65)), Some(Flaw::TooLarge));
        let many = |many: usize| format!("<a>{}</a>", "<b/>".repeat(many - 1));
        assert_eq!(flaw(&many(2_000)), None);
        assert_eq!(flaw(&many(2_001)), Some(Flaw::TooLarge));
        assert_eq!(flaw(&" ".repeat(128 * 1024 + 1)), Some(Flaw::TooLarge));
    }

    #[test]
    fn text_is_all_of_it_or_none() {
        let of = |text: &str| root(&parse(text, METADATA).unwrap()).unwrap().text();
        assert_eq!(of("<a> b&amp;<!-- c -->d<![CDATA[e]]>\n</a>"), Some("b&de".to_owned()));
        assert_eq!(of("<a>b<c/>d</a>"), None);
    }
}
