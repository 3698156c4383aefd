//! Who an identity provider says somebody is, once its word is verified: the same for every protocol.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

/// Longest text of a person that is kept, in bytes: no user has a longer one (`scim::resource::max_length`).
const LONGEST: usize = 1_024;
/// The same of a name as it is shown.
const LONGEST_SHOWN: usize = 512;

/// The way somebody came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Through the SSO connection with this storage key.
    Sso(i64),
    /// Through a social connection of the operator, which activates and lets in nobody new (row 69).
    Social,
}

/// A verified identity: what a protocol's checks have left. Whether its address may be believed, and whether
/// it lies in a verified domain of the company, is decided behind them, for all protocols alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedIdentity {
    /// Who says so.
    pub issuer: String,
    /// Whom the issuer means: `sub`, `NameID`.
    pub subject: String,
    /// What the directory calls the same person as `externalId`, where that is not the subject (Entra: `oid`).
    pub external_id: Option<String>,
    /// The address; empty where none was sent.
    pub email: String,
    /// Whether the address is the person's, where the provider says.
    pub email_verified: Option<bool>,
    /// The given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// The whole name.
    pub name: Option<String>,
    /// A telephone number.
    pub phone_number: Option<String>,
    /// The address of a picture.
    pub picture: Option<String>,
    /// The groups that were claimed; `None`: the claim was absent, or too long to be sent (D12).
    pub groups: Option<Vec<String>>,
    /// Whether there are more groups than the provider sends (row 184).
    pub overage: bool,
    /// The session at the identity provider.
    pub at_provider: AtProvider,
    /// What was claimed at all, by name, each with a short digest of its value, for the log of attempts.
    pub claims: Vec<(String, String)>,
}

/// What an identity provider says of its own session with somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtProvider {
    /// What it calls the session: `sid`, `SessionIndex`.
    pub session: Option<String>,
    /// When it ends there (`SessionNotOnOrAfter`).
    #[serde(with = "super::connection::moment")]
    pub expires_at: Option<Timestamp>,
    /// When the person showed who they are (`auth_time`, `AuthnInstant`).
    #[serde(with = "super::connection::moment")]
    pub authenticated_at: Option<Timestamp>,
}

impl VerifiedIdentity {
    /// What it tells of the person beside the address, as attributes of a user (row 175, RFC 7643 §4.1). What no
    /// user can have is left out: nobody is kept from coming in by a picture.
    pub fn profile(&self) -> Map<String, Value> {
        let sound = |text: &&String| text.len() <= LONGEST && !text.chars().any(char::is_control);
        let text = |text: &Option<String>| text.as_ref().filter(sound).cloned();
        let shown = text(&self.name).filter(|name| name.len() <= LONGEST_SHOWN);
        let (first, last) = (text(&self.first_name), text(&self.last_name));
        let parts = [("givenName", first), ("familyName", last)];
        let name: Map<String, Value> = parts
            .into_iter()
            .filter_map(|(part, text)| Some((part.to_owned(), text?.into())))
            .collect();
        let one =
            |value: String, kind: &str| json!([{"value": value, "type": kind, "primary": true}]);
        let all = [
            ("name", (!name.is_empty()).then_some(Value::Object(name))),
            ("displayName", shown.map(Value::from)),
            ("phoneNumbers", text(&self.phone_number).map(|number| one(number, "work"))),
            (
                "photos",
                text(&self.picture).filter(|url| is_address(url)).map(|url| one(url, "photo")),
            ),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// Whether a browser can fetch it.
fn is_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| ["https", "http"].contains(&url.scheme()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::ResourceSchema;
    use crate::scim::resource::normalise;

    fn identity(name: &str, phone_number: &str, picture: &str) -> VerifiedIdentity {
        let some = |text: &str| Some(text.to_owned());
        VerifiedIdentity {
            first_name: some("Ada"),
            name: some(name),
            phone_number: some(phone_number),
            picture: some(picture),
            ..VerifiedIdentity::default()
        }
    }

    #[test]
    fn r175_a_person_is_told_of() {
        let told = identity("Ada Lovelace", "+44 1", "https://idp.example/ada.png").profile();
        assert_eq!(
            Value::Object(told),
            json!({
                "name": {"givenName": "Ada"}, "displayName": "Ada Lovelace",
                "phoneNumbers": [{"value": "+44 1", "type": "work", "primary": true}],
                "photos": [{"value": "https://idp.example/ada.png", "type": "photo", "primary": true}],
            })
        );
        assert!(VerifiedIdentity::default().profile().is_empty());
    }

    #[test]
    fn what_no_user_can_have_is_left_out() {
        for picture in ["data:image/png;base64,AA", "javascript:alert(1)", "ada.png", "https://"] {
            let told = identity("A\0da", &"1".repeat(LONGEST + 1), picture).profile();
            assert_eq!(Value::Object(told), json!({"name": {"givenName": "Ada"}}), "{picture}");
        }
    }

    #[test]
    fn what_is_told_is_a_user() {
        // One, two, three and four bytes; the second folds to more.
        for letter in ["a", "\u{130}", "\u{1e9e}", "\u{10400}"] {
            for length in [LONGEST_SHOWN, LONGEST, 2 * LONGEST] {
                for more in [0, 1] {
                    let text = letter.repeat(length / letter.len() + more);
                    let mut told = identity(&text, &text, &format!("https://{text}")).profile();
                    told.insert("userName".to_owned(), "ada".into());
                    let body = normalise(&ResourceSchema::user([]), told);
                    assert!(body.is_ok(), "{length} of {letter}: {:?}", body.err());
                }
            }
        }
    }
}
