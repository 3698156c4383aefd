//! What we say: the request to sign somebody in (SAML 2.0 Core §3.4.1), and our metadata (SAML 2.0 Metadata
//! §2.4.4), which an administrator gives to the identity provider.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bergshamra::xml::uppsala::XmlWriter;
use jiff::Timestamp;

use super::certificate::Certificate;
use super::xml::ns;

const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";

/// The addresses of a connection here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Our entity id, which is where our metadata lies.
    pub entity_id: String,
    /// Where responses are posted to.
    pub acs: String,
    /// The other name of the same, for configurations made in that form (D7).
    pub acs_alias: String,
    /// Where logouts go.
    pub slo: String,
}

impl Addresses {
    /// Those of a connection of this name, below the server's public address (ruling 15).
    pub fn new(public_url: &str, connection: &str) -> Self {
        let base = format!("{public_url}/sso/saml/{connection}");
        Self {
            entity_id: format!("{base}/metadata"),
            acs: format!("{base}/acs"),
            acs_alias: format!("{public_url}/sso/callback?connection={connection}"),
            slo: format!("{base}/slo"),
        }
    }
}

/// A request to sign somebody in.
#[derive(Debug)]
pub struct AuthnRequest<'r> {
    /// Its id, which the response must name.
    pub id: &'r str,
    /// The moment.
    pub now: Timestamp,
    /// Where it goes.
    pub destination: &'r str,
    /// Who asks, and where the answer goes.
    pub ours: &'r Addresses,
    /// The kind of name that is asked for; empty: any.
    pub name_id_format: &'r str,
    /// Whether the person is to sign in anew.
    pub force_authn: bool,
}

impl AuthnRequest<'_> {
    /// It as XML.
    pub fn xml(&self) -> String {
        let instant = instant(self.now);
        let mut attributes = vec![
            ("xmlns:samlp", ns::PROTOCOL),
            ("xmlns:saml", ns::ASSERTION),
            ("ID", self.id),
            ("Version", "2.0"),
            ("IssueInstant", &instant),
            ("Destination", self.destination),
            ("AssertionConsumerServiceURL", &self.ours.acs),
            ("ProtocolBinding", POST),
        ];
        if self.force_authn {
            attributes.push(("ForceAuthn", "true"));
        }
        let mut out = XmlWriter::new();
        out.start_element("samlp:AuthnRequest", &attributes);
        issuer(&mut out, &self.ours.entity_id);
        if !self.name_id_format.is_empty() && self.name_id_format != UNSPECIFIED {
            let policy = [("Format", self.name_id_format), ("AllowCreate", "true")];
            out.empty_element("samlp:NameIDPolicy", &policy);
        }
        out.end_element("samlp:AuthnRequest");
        out.into_string()
    }
}

/// Who says it.
pub(super) fn issuer(out: &mut XmlWriter, entity_id: &str) {
    out.start_element("saml:Issuer", &[]);
    out.text(entity_id);
    out.end_element("saml:Issuer");
}

/// A moment as SAML writes it, to the second.
pub(super) fn instant(now: Timestamp) -> String {
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// Our metadata for one connection: where answers go, and the certificates that we sign with and are encrypted for.
pub fn metadata(
    ours: &Addresses,
    certificates: &[&Certificate],
    (signs_requests, name_id_format): (bool, &str),
) -> String {
    let mut out = XmlWriter::new();
    out.write_declaration();
    let entity =
        [("xmlns:md", ns::METADATA), ("xmlns:ds", ns::SIGNATURE), ("entityID", &ours.entity_id)];
    out.start_element("md:EntityDescriptor", &entity);
    out.start_element(
        "md:SPSSODescriptor",
        &[
            ("protocolSupportEnumeration", ns::PROTOCOL),
            ("AuthnRequestsSigned", if signs_requests { "true" } else { "false" }),
            ("WantAssertionsSigned", "true"),
        ],
    );
    for (usage, certificate) in
        ["signing", "encryption"].iter().flat_map(|u| certificates.iter().map(move |c| (u, c)))
    {
        key_descriptor(&mut out, usage, certificate);
    }
    for binding in [REDIRECT, POST] {
        out.empty_element(
            "md:SingleLogoutService",
            &[("Binding", binding), ("Location", &ours.slo)],
        );
    }
    if !name_id_format.is_empty() {
        out.start_element("md:NameIDFormat", &[]);
        out.text(name_id_format);
        out.end_element("md:NameIDFormat");
    }
    let service =
        [("Binding", POST), ("Location", ours.acs.as_str()), ("index", "0"), ("isDefault", "true")];
    out.empty_element("md:AssertionConsumerService", &service);
    out.end_element("md:SPSSODescriptor");
    out.end_element("md:EntityDescriptor");
    out.into_string()
}

fn key_descriptor(out: &mut XmlWriter, usage: &str, certificate: &Certificate) {
    out.start_element("md:KeyDescriptor", &[("use", usage)]);
    for name in ["ds:KeyInfo", "ds:X509Data", "ds:X509Certificate"] {
        out.start_element(name, &[]);
    }
    out.text(&STANDARD.encode(&certificate.der));
    for name in ["ds:X509Certificate", "ds:X509Data", "ds:KeyInfo"] {
        out.end_element(name);
    }
    if usage == "encryption" {
        for method in [
            "http://www.w3.org/2009/xmlenc11#aes256-gcm",
            "http://www.w3.org/2009/xmlenc11#aes128-gcm",
        ] {
            out.empty_element("md:EncryptionMethod", &[("Algorithm", method)]);
        }
    }
    out.end_element("md:KeyDescriptor");
}
