//! A connection by SAML: by metadata or by fields, and its certificates.

use std::slice::from_ref;

use serde_json::{Value, json};

use super::CONNECTION;
use crate::server::on_both_databases;
use crate::web::Web;

/// Metadata of a SAML identity provider with these certificates, in PEM.
fn metadata(entity: &str, sso_url: &str, certificates: &[String]) -> String {
    let keys = certificates.iter().map(|pem| {
        let bare: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        format!(
            "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\
             <ds:X509Data><ds:X509Certificate>{bare}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\
             </md:KeyDescriptor>"
        )
    });
    let keys: String = keys.collect();
    format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{entity}\">\
         <md:IDPSSODescriptor WantAuthnRequestsSigned=\"true\" \
         protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{keys}\
         <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" \
         Location=\"{sso_url}\"/></md:IDPSSODescriptor></md:EntityDescriptor>"
    )
}

/// A certificate in PEM of an RSA key of 1,024 bits, good until 2095.
const WEAK: &str = "\
-----BEGIN CERTIFICATE-----
MIIB/DCCAWWgAwIBAgIUCSbeJyA533xdd63qrAtkBxYCVNMwDQYJKoZIhvcNAQEL
BQAwDzENMAsGA1UEAwwEd2VhazAgFw0yNjExMjIxNzIxMTNaGA8yMDk1MDUwNDE3
MjExM1owDzENMAsGA1UEAwwEd2VhazCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkC
gYEApxekhmDlkUDzITgSbAkvTvhJ8/yHWuXoFSBfZ0Sxqb4TIvF8VcZZNE0o4R0+
b5vaMmWsKSWkhL40VrEDsjh/bhWtG30WjA+Wr0hChAZ3bfAzMnhCMjjVoybhpN4c
wNpfw6qhFhTU7Ka0+ZnD+AhDrZ7jPBbdPpwl7ENuWY07Z9sCAwEAAaNTMFEwHQYD
VR0OBBYEFLhnaqQTZGZsQorCWIeyHRkBCHHXMB8GA1UdIwQYMBaAFLhnaqQTZGZs
QorCWIeyHRkBCHHXMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADgYEA
SRnC8UoTvPOvD9zhDzwr6170jSWva7ppmY0AsxVYAZZqWXgfn+urlY220ZFdN/17
VzvxRwzsAoifbTnL/iPzAiDl4/ZoNFHi0RPlMuxHNedTiTHwpxsGkUjd+yStzrpE
KJ8fsdH3EUqtIMbq4FE0CzWKnh1kJOm7ESk0SYF8lrg=
-----END CERTIFICATE-----
";

/// A certificate in PEM, good until the end of this year.
fn certificate(last_year: i32) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(last_year, 12, 31);
    params.self_signed(&key).unwrap().pem()
}

fn saml(xml: &str) -> Value {
    json!({"provider": "adfs", "protocol": "saml", "saml": {"idp_metadata_xml": xml}})
}

on_both_databases! {
    with crate::connections::LOOPBACK;

    /// Rows 180 and 181.
    fn r180_metadata_fills_the_form(server: &TestServer) {
        let (api, web) = (server.operator(), Web::start());
        let base = server.address();
        let pem = certificate(2095);
        web.put("/metadata", &metadata("https://idp.example", "https://idp.example/sso", from_ref(&pem)));
        let body = json!({"provider": "adfs", "protocol": "saml", "login_path": "acme",
            "saml": {"idp_metadata_url": web.url("/metadata")}});
        let made = api.post(CONNECTION, &body).expect(201);
        let saml = &made["saml"];
        assert_eq!(saml["idp_entity_id"], "https://idp.example");
        assert_eq!(saml["idp_sso_url"], "https://idp.example/sso");
        assert_eq!(saml["sign_requests"], true, "the metadata asks for it");
        assert_eq!((&saml["certificates"][0]["pem"], &saml["certificates"][0]["source"]), (&json!(pem), &json!("metadata")));
        assert!(saml["certificates"][0]["days_left"].as_i64().unwrap() > 10_000);
        // Row 181: what the identity provider must be told.
        assert_eq!(saml["acs_url"], format!("{base}/sso/saml/acme/acs"));
        assert_eq!(saml["sp_entity_id"], format!("{base}/sso/saml/acme/metadata"));
        assert_eq!(saml["sp_metadata_url"], saml["sp_entity_id"]);
        assert_eq!(made["login_url"], format!("{base}/login/acme"));
        api.patch(CONNECTION, &json!({"saml": {"acs_url": "https://evil.example"}})).problem(422, "invalid_body");
        // Read again, the next certificate takes the place of the former.
        let next = certificate(2096);
        web.put("/metadata", &metadata("https://idp.example", "https://idp.example/sso", from_ref(&next)));
        let read = api.post(&format!("{CONNECTION}/refresh-metadata"), &json!({})).expect(200);
        assert_eq!(read["saml"]["certificates"].as_array().unwrap().len(), 1);
        assert_eq!(read["saml"]["certificates"][0]["pem"], next);
        web.put_raw("/metadata", Vec::from(b"HTTP/1.1 500 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        let failed = api.post(&format!("{CONNECTION}/refresh-metadata"), &json!({}));
        failed.problem(502, "metadata_fetch_failed");
        assert_eq!(api.get(CONNECTION).expect(200).json, read.json);
    }

    /// Row 181 by fields, without metadata.
    fn r181_saml_by_fields(server: &TestServer) {
        let api = server.operator();
        let pem = certificate(2095);
        let fields = json!({"idp_entity_id": "urn:idp", "idp_sso_url": "https://10.0.0.1/sso",
            "certificates": [pem], "allow_idp_initiated": true});
        let body = json!({"provider": "custom_saml", "protocol": "saml", "saml": fields});
        let made = api.post(CONNECTION, &body).expect(201);
        assert_eq!(made["saml"]["certificates"][0]["source"], "manual");
        assert_eq!(made["saml"]["allow_idp_initiated"], true);
        // A browser reaches what the server does not; plain http is nobody's.
        let plain = json!({"saml": {"idp_sso_url": "http://idp.example/sso"}});
        let refused = api.patch(CONNECTION, &plain).problem(422, "invalid_field");
        assert_eq!(refused["errors"][0]["field"], "saml.idp_sso_url");
        let own = format!("{}/sso/saml/acme/metadata", server.address());
        api.patch(CONNECTION, &json!({"saml": {"idp_entity_id": own}})).problem(422, "metadata_is_sp");
        let on = api.post(&format!("{CONNECTION}/activate"), &json!({"skip_test": true}));
        assert_eq!(on.expect(200)["state"], "active");
    }

    /// Hostile input 77.
    fn f77_metadata_that_is_not_to_be_trusted(server: &TestServer) {
        let api = server.operator();
        let good = certificate(2095);
        let text = |certificates: &[String]| metadata("https://idp.example", "https://idp.example/sso", certificates);
        let own = format!("{}/sso/saml/acme/metadata", server.address());
        let sp = text(from_ref(&good)).replace("IDPSSODescriptor", "SPSSODescriptor");
        let two = format!("<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">{0}{0}\
             </md:EntitiesDescriptor>", text(from_ref(&good)));
        for (xml, code) in [
            (text(&[]), "metadata_missing_fields"),
            (text(&[certificate(2021)]), "certificate_expired"),
            (text(&["bm90IGEgY2VydA==".to_owned()]), "certificate_invalid"),
            (text(&[WEAK.to_owned()]), "certificate_invalid"),
            (two, "metadata_parse_failed"),
            (metadata(&own, "https://idp.example/sso", from_ref(&good)), "metadata_is_sp"),
            (sp, "metadata_is_sp"),
            (metadata("https://idp.example", "http://idp.example/sso", from_ref(&good)), "metadata_missing_fields"),
            ("<html>".to_owned(), "metadata_parse_failed"),
            (format!("<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]>{}", text(from_ref(&good))), "metadata_parse_failed"),
        ] {
            let refused = api.post(CONNECTION, &saml(&xml)).problem(422, code);
            let field = refused["errors"][0]["field"].as_str().unwrap();
            assert!(field.starts_with("saml."), "{}", refused.reply);
        }
        api.get(CONNECTION).problem(404, "not_found");
        // In a roll-over an old one may stand beside the one that holds.
        let made = api.post(CONNECTION, &saml(&text(&[certificate(2021), good]))).expect(201);
        assert_eq!(made["saml"]["certificates"].as_array().unwrap().len(), 1);
    }

    /// Two certificates overlap, so that nobody is locked out on the day.
    fn certificates_are_rolled_over(server: &TestServer) {
        let api = server.operator();
        let xml = metadata("https://idp.example", "https://idp.example/sso", &[certificate(2095)]);
        api.post(CONNECTION, &saml(&xml)).expect(201);
        api.post(&format!("{CONNECTION}/activate"), &json!({"skip_test": true})).expect(200);
        let path = format!("{CONNECTION}/certificates");
        let first = api.get(&path).expect(200).data()[0]["fingerprint"].as_str().unwrap().to_owned();
        api.delete(&format!("{path}/{first}")).problem(409, "fields_missing");
        api.post(&path, &json!({"certificate": certificate(2021)})).problem(422, "certificate_expired");
        api.post(&path, &json!({"certificate": "x"})).problem(422, "certificate_invalid");
        let next = json!({"certificate": certificate(2096)});
        assert_eq!(api.post(&path, &next).expect(200)["saml"]["certificates"].as_array().unwrap().len(), 2);
        api.post(&path, &next).expect(200);
        let all = api.get(&path).expect(200);
        assert_eq!(all.data().len(), 2, "the same one twice is one");
        api.delete(&format!("{path}/{}", first.to_uppercase())).expect(200);
        api.delete(&format!("{path}/{first}")).problem(404, "not_found");
        assert_eq!(api.get(&path).expect(200).data()[0]["source"], "manual");
    }
}
