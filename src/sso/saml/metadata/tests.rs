//! What is read of metadata, and what is refused with which name.

use super::*;

fn certificate() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem()
}

fn bare(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

fn key(usage: &str, pem: &str) -> String {
    format!(
        "<md:KeyDescriptor{usage}><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data>\
         <ds:X509Certificate>\n{}\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
        bare(pem)
    )
}

fn service(name: &str, binding: &str, location: &str) -> String {
    let binding = format!("urn:oasis:names:tc:SAML:2.0:bindings:{binding}");
    format!("<md:{name} Binding=\"{binding}\" Location=\"{location}\"/>")
}

fn document(role: &str, inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><!-- exported --><md:EntityDescriptor \
         xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"https://idp.example/m\">\
         <md:{role} protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
         WantAuthnRequestsSigned=\"true\">{inside}</md:{role}></md:EntityDescriptor>"
    )
}

fn provider(inside: &str) -> Result<IdpMetadata, MetadataError> {
    read(&document("IDPSSODescriptor", inside))
}

#[test]
fn a_provider_is_read() {
    let (one, two, other) = (certificate(), certificate(), certificate());
    let keys =
        [key(" use=\"signing\"", &one), key("", &two), key(" use=\"encryption\"", &other)].concat();
    let slo =
        service("SingleLogoutService", "HTTP-Redirect", "https://idp.example/out?a=1&amp;b=2");
    let post = service("SingleSignOnService", "HTTP-POST", "https://idp.example/post");
    let sso = service("SingleSignOnService", "HTTP-Redirect", "https://idp.example/in");
    let read = provider(&[keys, slo, post, sso].concat()).unwrap();
    assert_eq!(read.entity_id, "https://idp.example/m");
    assert_eq!(read.sso_url, "https://idp.example/in");
    assert_eq!(read.slo_url.as_deref(), Some("https://idp.example/out?a=1&b=2"));
    assert!(read.want_signed_requests);
    let ders: Vec<_> = [one, two].iter().map(|pem| certificate::read(pem).unwrap().pem()).collect();
    assert_eq!(read.certificates, ders);
}

#[test]
fn one_provider_in_a_list_is_read() {
    let sso = service("SingleSignOnService", "HTTP-Redirect", "http://127.0.0.1:8080/in");
    let one = document("IDPSSODescriptor", &[key("", &certificate()), sso].concat());
    let one = one.split_once("-->").unwrap().1.to_owned();
    let list = |inside: &str| {
        format!(
            "<m:EntitiesDescriptor xmlns:m=\"urn:oasis:names:tc:SAML:2.0:metadata\">{inside}</m:EntitiesDescriptor>"
        )
    };
    assert!(read(&list(&one)).is_ok());
    assert_eq!(read(&list(&[one.clone(), one].concat())), Err(MetadataError::SeveralEntities));
    assert_eq!(read(&list("")), Err(MetadataError::Missing(vec!["EntityDescriptor"])));
}

/// `security.md` (f) 77.
#[test]
fn f77_metadata_that_names_its_fault() {
    let sso = service("SingleSignOnService", "HTTP-Redirect", "https://idp.example/in");
    let good = key("", &certificate());
    let missing = |names: &[&'static str]| Err(MetadataError::Missing(names.to_vec()));
    assert_eq!(provider(&sso), missing(&["a signing certificate"]));
    let encryption = key(" use=\"encryption\"", &certificate());
    assert_eq!(provider(&[encryption, sso.clone()].concat()), missing(&["a signing certificate"]));
    assert_eq!(provider(&good), missing(&["SingleSignOnService (HTTP-Redirect)"]));
    for bad in [
        "http://idp.example/in",
        "javascript:alert(1)",
        "",
        "https://a@idp.example/",
        "//idp.example",
    ] {
        let plain = service("SingleSignOnService", "HTTP-Redirect", bad);
        let refused = Err(MetadataError::Insecure("SingleSignOnService"));
        assert_eq!(provider(&[good.clone(), plain].concat()), refused, "{bad}");
    }
    let ours = document("SPSSODescriptor", &good);
    assert_eq!(read(&ours).unwrap_err().code(), "metadata_is_sp");
    let weak = format!("{}{sso}", key("", WEAK));
    assert_eq!(provider(&weak), Err(MetadataError::Certificate(CertificateError::Weak)));
    let broken = format!("{}{sso}", key("", "AAAA"));
    assert_eq!(provider(&broken).unwrap_err().code(), "certificate_invalid");
    assert_eq!(read("<a/>").unwrap_err().code(), "metadata_missing_fields");
    assert_eq!(read("<html>").unwrap_err().code(), "metadata_parse_failed");
    assert_eq!(read("<!DOCTYPE a><a/>").unwrap_err().code(), "metadata_parse_failed");
    assert_eq!(read(&" ".repeat(1024 * 1024 + 1)).unwrap_err().code(), "metadata_too_large");
}

/// A certificate with an RSA key of 1,024 bits.
const WEAK: &str = "\
    MIIB/DCCAWWgAwIBAgIUPNHmkJAuqumSZUzu1ShWKfhTSUEwDQYJKoZIhvcNAQELBQAwDzENMAsGA1UEAwwEd2VhazAgFw0y\
    NjExMjIxMzI4NTFaGA8yMTI2MTAyOTEzMjg1MVowDzENMAsGA1UEAwwEd2VhazCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkC\
    gYEA55xODGvQCwj65MD5O+ua2xCZggx7HXuC+hwLYhUfXrDH5HOsYdCo6ZzTfKQrdxwaobY1KIBW6TGkprJSGXWYzpcPoHJi\
    8h0SA6OUJKccwZ9vZvugAe4faMLUYcWEtffq4CNfM82x8exW7QI2Hsm1kSdFAFgRb3mxZYjLNb7a3IcCAwEAAaNTMFEwHQYD\
    VR0OBBYEFCYP4pWUTcRmITm+YSU17+OgaSdPMB8GA1UdIwQYMBaAFCYP4pWUTcRmITm+YSU17+OgaSdPMA8GA1UdEwEB/wQF\
    MAMBAf8wDQYJKoZIhvcNAQELBQADgYEAAq5MbRErz/9wkvxkyUF8b/ryUsBdWGWCIWn7LhaHJoomd7y4WV5jz1Ov2g/ZPpXL\
    9UmxlrmnPI5F3tkFOGACNfJYXWPk3HuWwforEe3VH/mqJ+Pk/MHz8YcNN78AwVuLMpGzt9HeB0VrEpo5WATgxuRq61UNtAho\
    QiyW/K0zTRE=";
