//! What a connection keeps for its protocol (`management-api.md` D4): a document with a default for all
//! that is absent. The client secret is not in it; that lies sealed in a column of its own.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Protocol;

/// Everything that a connection keeps beside its columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Document {
    /// What OIDC needs; read where the connection speaks it.
    pub oidc: OidcSettings,
    /// What SAML needs; read where the connection speaks it.
    pub saml: SamlSettings,
    /// Where the parts of an identity are found in what the IdP says.
    pub attribute_mapping: AttributeMapping,
    /// How the IdP writes groups.
    pub groups: GroupsFormat,
    /// Whether an address in a verified domain is believed without a claim.
    pub trust_email_verified: EmailTrust,
    /// Whether a login may make a user; `None`: as the company has it (ruling 9).
    pub jit_provisioning: Option<bool>,
    /// The company's path below `/login`, as it was typed (row 172).
    pub login_path: Option<String>,
}

/// When an address counts as verified; inside verified domains alone either way (threat O1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailTrust {
    /// Always; a claim that says `false` still refuses.
    #[default]
    Always,
    /// Only where the claim says `true`.
    Claim,
}

/// How we say who we are at the token endpoint (OIDC Core §9).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenAuth {
    /// The secret in the `Authorization` header.
    #[default]
    ClientSecretBasic,
    /// The secret in the form.
    ClientSecretPost,
    /// No secret: a public client, which proves itself by PKCE alone.
    None,
}

impl TokenAuth {
    /// Its name in requests, answers and discovery documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::None => "none",
        }
    }
}

/// The algorithms that an ID token may be signed by, at most: none that shares a secret (threat O4).
pub const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// What an OIDC connection keeps. The endpoints come from the discovery document when it is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OidcSettings {
    /// The issuer, exactly as ID tokens and the discovery document name it.
    pub issuer: String,
    /// Where the discovery document lies.
    pub discovery_url: String,
    /// Where browsers are sent.
    pub authorization_endpoint: String,
    /// Where a code is exchanged.
    pub token_endpoint: String,
    /// Where the keys lie.
    pub jwks_uri: String,
    /// Where further claims are found.
    pub userinfo_endpoint: Option<String>,
    /// Where a person signs out at the IdP.
    pub end_session_endpoint: Option<String>,
    /// Our id at the IdP.
    pub client_id: String,
    /// When the secret ends, where the admin told.
    #[serde(with = "moment")]
    pub client_secret_expires_at: Option<Timestamp>,
    /// How we say who we are.
    pub token_endpoint_auth_method: TokenAuth,
    /// What is asked for; `openid` always is (row 173).
    pub scopes: Vec<String>,
    /// Further parameters of the authorization request.
    pub extra_params: BTreeMap<String, String>,
    /// Whether a login may begin at the IdP without an attempt of ours.
    pub allow_idp_initiated: bool,
    /// The algorithms of ID tokens: those of the discovery document that are among [`ALGORITHMS`], fixed
    /// when it is saved and never taken from a token's header.
    pub algorithms: Vec<String>,
    /// Whether the IdP announces that it sends `iss` with the code (RFC 9207): then it must.
    pub sends_iss: bool,
}

impl Default for OidcSettings {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            discovery_url: String::new(),
            authorization_endpoint: String::new(),
            token_endpoint: String::new(),
            jwks_uri: String::new(),
            userinfo_endpoint: None,
            end_session_endpoint: None,
            client_id: String::new(),
            client_secret_expires_at: None,
            token_endpoint_auth_method: TokenAuth::default(),
            scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
            extra_params: BTreeMap::new(),
            allow_idp_initiated: false,
            algorithms: vec!["RS256".to_owned()],
            sends_iss: false,
        }
    }
}

/// What a SAML connection keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SamlSettings {
    /// The IdP's entity id, which every message of it must name.
    pub idp_entity_id: String,
    /// Where browsers are sent.
    pub idp_sso_url: String,
    /// Where a person signs out at the IdP.
    pub idp_slo_url: Option<String>,
    /// Where the IdP's metadata lies, to be read again.
    pub idp_metadata_url: Option<String>,
    /// The certificates that its signatures may be of; those of a message count for nothing.
    pub certificates: Vec<IdpCertificate>,
    /// Whether our requests are signed.
    pub sign_requests: bool,
    /// Whether assertions must be encrypted.
    pub want_encrypted: bool,
    /// The format of names that is asked for; empty: none.
    pub name_id_format: String,
    /// The algorithms of signatures that are taken, by their names in `ds:SignatureMethod`.
    pub signature_algorithms: Vec<String>,
    /// Whether a login may begin at the IdP without a request of ours.
    pub allow_idp_initiated: bool,
    /// Whether the IdP is asked to have the person sign in anew.
    pub force_authn: bool,
}

/// The signature algorithms of SAML that are taken (threat M4): no SHA-1, nothing that shares a secret.
pub const SIGNATURE_ALGORITHMS: [&str; 5] = [
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
];

/// The format of names that is asked for where nothing else is wanted.
pub const EMAIL_NAME_ID: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";

impl Default for SamlSettings {
    fn default() -> Self {
        Self {
            idp_entity_id: String::new(),
            idp_sso_url: String::new(),
            idp_slo_url: None,
            idp_metadata_url: None,
            certificates: Vec::new(),
            sign_requests: false,
            want_encrypted: false,
            name_id_format: EMAIL_NAME_ID.to_owned(),
            signature_algorithms: SIGNATURE_ALGORITHMS.map(str::to_owned).to_vec(),
            allow_idp_initiated: false,
            force_authn: false,
        }
    }
}

/// A certificate of the IdP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdpCertificate {
    /// Itself, in PEM.
    pub pem: String,
    /// Its SHA-256, in hexadecimal digits.
    pub fingerprint: String,
    /// From when it holds.
    #[serde(with = "moment")]
    pub not_before: Option<Timestamp>,
    /// Until when it holds.
    #[serde(with = "moment")]
    pub not_after: Option<Timestamp>,
    /// Who brought it.
    pub source: CertificateSource,
}

/// Who brought a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateSource {
    /// The IdP's metadata; reading it again replaces it.
    Metadata,
    /// A person; only a person takes it away.
    Manual,
}

/// A part of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what it is called")]
pub enum Attribute {
    Subject,
    Email,
    FirstName,
    LastName,
    Name,
    PhoneNumber,
    Picture,
    Groups,
    EmailVerified,
}

/// Names of claims or attributes that are looked at instead of the usual ones (row 174).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the name of the claim of that part")]
pub struct AttributeMapping {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<String>,
}

impl AttributeMapping {
    /// The names under which a part may be found, the most telling first: the admin's own alone, where
    /// there is one. SAML's subject is the `NameID` where this is empty.
    pub fn names(&self, attribute: Attribute, protocol: Protocol) -> Vec<&str> {
        match self.own(attribute) {
            Some(own) => vec![own],
            None => usual(attribute, protocol).to_vec(),
        }
    }

    fn own(&self, attribute: Attribute) -> Option<&str> {
        match attribute {
            Attribute::Subject => &self.subject,
            Attribute::Email => &self.email,
            Attribute::FirstName => &self.first_name,
            Attribute::LastName => &self.last_name,
            Attribute::Name => &self.name,
            Attribute::PhoneNumber => &self.phone_number,
            Attribute::Picture => &self.picture,
            Attribute::Groups => &self.groups,
            Attribute::EmailVerified => &self.email_verified,
        }
        .as_deref()
    }

    /// Each name that the admin gave, with the field that it was given in.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("subject", &self.subject),
            ("email", &self.email),
            ("first_name", &self.first_name),
            ("last_name", &self.last_name),
            ("name", &self.name),
            ("phone_number", &self.phone_number),
            ("picture", &self.picture),
            ("groups", &self.groups),
            ("email_verified", &self.email_verified),
        ]
        .into_iter()
        .filter_map(|(field, name)| Some((field, name.as_deref()?)))
    }
}

/// The names that IdPs use by themselves: OIDC Core §5.1; for SAML plain names, those of ADFS and Entra,
/// and those of the X.500 profile.
fn usual(attribute: Attribute, protocol: Protocol) -> &'static [&'static str] {
    match (protocol, attribute) {
        (Protocol::Oidc, Attribute::Subject) => &["sub"],
        (Protocol::Oidc, Attribute::Email) => &["email"],
        (Protocol::Oidc, Attribute::FirstName) => &["given_name"],
        (Protocol::Oidc, Attribute::LastName) => &["family_name"],
        (Protocol::Oidc, Attribute::Name) => &["name"],
        (Protocol::Oidc, Attribute::PhoneNumber) => &["phone_number"],
        (Protocol::Oidc, Attribute::Picture) => &["picture"],
        (Protocol::Oidc, Attribute::Groups) => &["groups"],
        (_, Attribute::EmailVerified) => &["email_verified"],
        (Protocol::Saml, Attribute::Subject) => &[],
        (Protocol::Saml, Attribute::Email) => &[
            "email",
            "mail",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
            "urn:oid:0.9.2342.19200300.100.1.3",
        ],
        (Protocol::Saml, Attribute::FirstName) => &[
            "firstName",
            "first_name",
            "givenName",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
            "urn:oid:2.5.4.42",
        ],
        (Protocol::Saml, Attribute::LastName) => &[
            "lastName",
            "last_name",
            "sn",
            "surname",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
            "urn:oid:2.5.4.4",
        ],
        (Protocol::Saml, Attribute::Name) => &[
            "displayName",
            "name",
            "http://schemas.microsoft.com/identity/claims/displayname",
            "urn:oid:2.16.840.1.113730.3.1.241",
        ],
        (Protocol::Saml, Attribute::PhoneNumber) => {
            &["phoneNumber", "phone_number", "telephoneNumber", "urn:oid:2.5.4.20"]
        }
        (Protocol::Saml, Attribute::Picture) => &["picture"],
        (Protocol::Saml, Attribute::Groups) => &[
            "groups",
            "group",
            "memberOf",
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
            "http://schemas.xmlsoap.org/claims/Group",
        ],
    }
}

/// How the IdP writes the groups of a person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupsShape {
    /// A list, or one text for one group.
    #[default]
    Array,
    /// One text is one group, whatever stands in it.
    String,
    /// One text is several groups with a delimiter between them.
    Delimited,
}

/// How the groups of a person are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupsFormat {
    /// How they are written.
    pub format: GroupsShape,
    /// What stands between them where they are one text; a comma where nothing else is said.
    pub delimiter: Option<String>,
    /// Names for ids that the IdP sends instead of names.
    pub aliases: BTreeMap<String, String>,
    /// Whether a path (`/staff/port`) is cut to its last part.
    pub strip_path_prefix: bool,
}

/// Longest name of a group in bytes: what an index of every database holds.
const LONGEST_GROUP: usize = 2_048;

impl GroupsFormat {
    /// The names of the groups in what the IdP wrote: each once, in the order of writing. What no group of a
    /// directory can be called is none.
    pub fn names<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> Vec<String> {
        let (mut names, mut seen) = (Vec::new(), HashSet::new());
        let delimiter = self.delimiter.as_deref().filter(|d| !d.is_empty()).unwrap_or(",");
        for value in values {
            let parts: Vec<&str> = match self.format {
                GroupsShape::Delimited => value.split(delimiter).map(str::trim).collect(),
                GroupsShape::Array | GroupsShape::String => vec![value],
            };
            for part in parts {
                let name = self.name(part);
                let sound = (1..=LONGEST_GROUP).contains(&name.len()) && !name.contains('\0');
                if sound && seen.insert(name.to_owned()) {
                    names.push(name.to_owned());
                }
            }
        }
        names
    }

    fn name<'a>(&'a self, value: &'a str) -> &'a str {
        if let Some(alias) = self.aliases.get(value) {
            return alias;
        }
        match value.rsplit_once('/') {
            Some((_, last)) if self.strip_path_prefix => last,
            _ => value,
        }
    }
}

/// A moment in a document: microseconds since 1970 (UTC), as in columns.
pub(in crate::domain) mod moment {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        time.map(Timestamp::as_microsecond).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let micros = Option::<i64>::deserialize(from)?;
        Ok(micros.and_then(|micros| Timestamp::from_microsecond(micros).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let mut document = Document::default();
        document.oidc.client_secret_expires_at = Timestamp::from_second(1_800_000_000).ok();
        document.saml.certificates.push(IdpCertificate {
            pem: "-----".to_owned(),
            fingerprint: "ab".to_owned(),
            not_before: None,
            not_after: Timestamp::from_second(5).ok(),
            source: CertificateSource::Manual,
        });
        let text = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<Document>(&text).unwrap(), document);
        assert_eq!(serde_json::from_str::<Document>("{}").unwrap(), Document::default());
    }

    #[test]
    fn a_claim_of_many_groups_is_all_of_them_in_order() {
        let all: Vec<String> = (0..60_000).map(|n| format!("{n:x}")).collect();
        let format = GroupsFormat { format: GroupsShape::Delimited, ..GroupsFormat::default() };
        assert_eq!(format.names([all.join(","), all.join(",")].iter().map(String::as_str)), all);
    }

    /// Row 174.
    #[test]
    fn the_admins_name_is_the_only_one() {
        let mapping =
            AttributeMapping { groups: Some("custom_groups".to_owned()), ..Default::default() };
        assert_eq!(mapping.names(Attribute::Groups, Protocol::Oidc), ["custom_groups"]);
        assert_eq!(mapping.names(Attribute::Email, Protocol::Oidc), ["email"]);
        assert!(mapping.names(Attribute::Email, Protocol::Saml).len() > 1);
        assert_eq!(mapping.given().collect::<Vec<_>>(), [("groups", "custom_groups")]);
    }

    #[test]
    fn groups_are_read_as_the_idp_writes_them() {
        let names = |format: &GroupsFormat, values: &[&str]| format.names(values.iter().copied());
        let mut format = GroupsFormat::default();
        assert_eq!(names(&format, &["a,b", "/x/y", "a,b", ""]), ["a,b", "/x/y"]);
        format.strip_path_prefix = true;
        assert_eq!(names(&format, &["/x/y", "/y"]), ["y"]);
        format.format = GroupsShape::Delimited;
        format.delimiter = Some(";".to_owned());
        assert_eq!(names(&format, &["a; b;;/c/d"]), ["a", "b", "d"]);
        let odd = ["x\u{0}".to_owned(), "x".repeat(LONGEST_GROUP + 1), "x".to_owned()];
        assert_eq!(format.names(odd.iter().map(String::as_str)), ["x"]);
        format.aliases.insert("0f1e".to_owned(), "Port".to_owned());
        assert_eq!(names(&format, &["0f1e;a"]), ["Port", "a"]);
    }
}
