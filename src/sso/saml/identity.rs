//! Who an accepted assertion says that somebody is: an identity, read by the mapping of the connection (rows 174,
//! 184, 185).

use crate::domain::connection::{Attribute, Document, Protocol};
use crate::domain::identity::{AtProvider, VerifiedIdentity};

use super::super::{LOGGED, short_digest};
use super::Fault;
use super::response::{Accepted, LONGEST_NAME, NameId};

/// What the directory calls somebody whom Entra vouches for.
const OBJECT_ID: &str = "http://schemas.microsoft.com/identity/claims/objectidentifier";

/// What Entra sends instead of more than 150 groups: where they are.
const GROUPS_LINK: &str = "http://schemas.microsoft.com/claims/groups.link";

/// Formats of a name that may be an address.
const ADDRESSES: [&str; 2] = [
    "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
];

/// The identity that an assertion tells, for a connection to this product whose identity provider is `issuer`.
///
/// # Errors
/// [`Fault::Subject`] where nobody can be told: a transient name, or the mapped attribute is absent. An address
/// that is absent is none: what follows is decided for all protocols alike.
pub fn identity(
    accepted: &Accepted,
    (issuer, provider): (&str, &str),
    document: &Document,
) -> Result<VerifiedIdentity, Fault> {
    let text = |attribute| {
        let mut values = values(accepted, document, attribute).into_iter().flatten();
        values.next().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let subject = match &document.attribute_mapping.subject {
        Some(_) => {
            let own = text(Attribute::Subject).filter(|own| own.len() <= LONGEST_NAME);
            own.ok_or(Fault::Subject("the mapped attribute is absent, or too long"))?
        }
        None if accepted.name_id.is_transient() => {
            return Err(Fault::Subject("a transient NameID is another one at each sign-in"));
        }
        None => accepted.name_id.value.clone(),
    };
    let object_id = named(accepted, OBJECT_ID).and_then(|values| values.first());
    let groups = values(accepted, document, Attribute::Groups);
    Ok(VerifiedIdentity {
        issuer: issuer.to_owned(),
        subject,
        external_id: object_id.filter(|_| provider == "entra").cloned(),
        email: text(Attribute::Email).or_else(|| address(&accepted.name_id)).unwrap_or_default(),
        email_verified: text(Attribute::EmailVerified)
            .map(|flag| flag.eq_ignore_ascii_case("true") || flag == "1"),
        first_name: text(Attribute::FirstName),
        last_name: text(Attribute::LastName),
        name: text(Attribute::Name),
        phone_number: text(Attribute::PhoneNumber),
        picture: text(Attribute::Picture),
        overage: groups.is_none() && named(accepted, GROUPS_LINK).is_some(),
        groups: groups.map(|values| document.groups.names(values)),
        at_provider: AtProvider {
            session: Some(accepted.session().to_owned()),
            expires_at: accepted.session_ends,
            authenticated_at: accepted.authenticated_at,
        },
        claims: digests(accepted),
    })
}

/// The values of the first attribute that is there under a name of this part.
fn values<'a>(
    accepted: &'a Accepted,
    document: &Document,
    part: Attribute,
) -> Option<Vec<&'a str>> {
    let names = document.attribute_mapping.names(part, Protocol::Saml);
    let found = names.into_iter().find_map(|name| named(accepted, name))?;
    Some(found.iter().map(String::as_str).collect())
}

fn named<'a>(accepted: &'a Accepted, name: &str) -> Option<&'a Vec<String>> {
    accepted
        .attributes
        .iter()
        .find(|attribute| attribute.name == name)
        .map(|attribute| &attribute.values)
}

/// The name itself, where it is an address.
fn address(name: &NameId) -> Option<String> {
    let may_be = name.format.as_deref().is_none_or(|format| ADDRESSES.contains(&format));
    (may_be && name.value.contains('@')).then(|| name.value.clone())
}

/// The names of attributes, each with the short digest of its values.
fn digests(accepted: &Accepted) -> Vec<(String, String)> {
    let name_id = ("NameID".to_owned(), short_digest(&accepted.name_id.value));
    let short = |values: &[String]| short_digest(&values.join("\n"));
    let attributes = accepted.attributes.iter().map(|a| (a.name.clone(), short(&a.values)));
    std::iter::once(name_id).chain(attributes).take(LOGGED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(format: &str, name: &str, attributes: &[(&str, &[&str])]) -> Accepted {
        let attributes =
            attributes.iter().map(|(name, values)| super::super::response::Attribute {
                name: (*name).to_owned(),
                values: values.iter().map(|value| (*value).to_owned()).collect(),
            });
        Accepted {
            assertion_id: "_a".to_owned(),
            remember_until: jiff::Timestamp::UNIX_EPOCH,
            in_response_to: None,
            name_id: NameId {
                value: name.to_owned(),
                format: Some(format!("urn:oasis:names:tc:SAML:{format}")),
                name_qualifier: None,
                sp_name_qualifier: None,
            },
            session_index: Some("at-idp".to_owned()),
            session_ends: None,
            authenticated_at: jiff::Timestamp::from_second(1_700_000_000).ok(),
            attributes: attributes.collect(),
        }
    }

    fn read(accepted: &Accepted, provider: &str) -> Result<VerifiedIdentity, Fault> {
        identity(accepted, ("https://idp.example", provider), &Document::default())
    }

    #[test]
    fn r185_the_usual_attributes_are_read() {
        let entra = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/";
        let (mail, given) = (format!("{entra}emailaddress"), format!("{entra}givenname"));
        let accepted = said(
            "2.0:nameid-format:persistent",
            "x7",
            &[
                (&mail, &["ada@acme.example"]),
                (&given, &["Ada"]),
                ("sn", &["Lovelace"]),
                (OBJECT_ID, &["o"]),
            ],
        );
        let told = read(&accepted, "entra").unwrap();
        assert_eq!((told.subject.as_str(), told.email.as_str()), ("x7", "ada@acme.example"));
        assert_eq!(
            (told.first_name.as_deref(), told.last_name.as_deref()),
            (Some("Ada"), Some("Lovelace"))
        );
        assert_eq!(told.external_id.as_deref(), Some("o"));
        assert_eq!((told.groups, told.overage), (None, false));
        assert_eq!(told.at_provider.session.as_deref(), Some("at-idp"));
        assert!(told.at_provider.authenticated_at.is_some());
        assert_eq!(read(&accepted, "okta").unwrap().external_id, None);
    }

    #[test]
    fn a_name_may_be_the_address() {
        let address = said("1.1:nameid-format:emailAddress", "ada@acme.example", &[]);
        assert_eq!(read(&address, "okta").unwrap().email, "ada@acme.example");
        let persistent = said("2.0:nameid-format:persistent", "ada@acme.example", &[]);
        assert_eq!(read(&persistent, "okta").unwrap().email, "");
    }

    #[test]
    fn a_transient_name_tells_nobody() {
        let transient = said("2.0:nameid-format:transient", "x", &[("employee", &["7"])]);
        assert!(matches!(read(&transient, "okta"), Err(Fault::Subject(_))));
        let mut document = Document::default();
        document.attribute_mapping.subject = Some("employee".to_owned());
        assert_eq!(identity(&transient, ("i", "okta"), &document).unwrap().subject, "7");
        document.attribute_mapping.subject = Some("number".to_owned());
        assert!(matches!(identity(&transient, ("i", "okta"), &document), Err(Fault::Subject(_))));
    }

    #[test]
    fn r184_a_link_to_groups_is_no_word_of_groups() {
        let link = (GROUPS_LINK, &["https://graph.example/x"][..]);
        let told = read(&said("2.0:x", "a", &[link]), "entra").unwrap();
        assert_eq!((told.groups, told.overage), (None, true));
        let told =
            read(&said("2.0:x", "a", &[link, ("groups", &["a", "b", "a"])]), "entra").unwrap();
        assert_eq!(
            (told.groups, told.overage),
            (Some(vec!["a".to_owned(), "b".to_owned()]), false)
        );
    }
}
