//! Who the claims say that somebody is: an identity, read by the mapping of the connection (rows 127, 174,
//! 175, 184).

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::connection::{Attribute, Document, Protocol};
use crate::domain::identity::{AtProvider, VerifiedIdentity};
use crate::domain::refusal::{Reason, Refusal};

use super::super::{LOGGED, short_digest};
use super::id_token::{Claims, moment, subject};

/// Longest name of a person or of a session, in bytes; SAML's are no longer.
const LONGEST_NAME: usize = 1_024;
/// The connection whose people the directory knows by another id than `sub`, which Entra makes anew for
/// each application.
const ENTRA: &str = "entra";

/// Whether something that is read of an identity is not among these claims, so that the userinfo endpoint is
/// worth a question (Core §5.4: it may hold what the ID token leaves out).
pub fn is_incomplete(claims: &Claims, document: &Document) -> bool {
    let wanted = [Attribute::Email, Attribute::FirstName, Attribute::LastName, Attribute::Groups];
    wanted.into_iter().any(|attribute| {
        let overage = attribute == Attribute::Groups && is_overage(claims, document);
        !overage && found(claims, document, attribute).is_none()
    })
}

/// Adds what a userinfo answer tells beside the ID token; what the token says is kept.
///
/// # Errors
/// `oidc.userinfo_subject` where the answer is about somebody else (Core §5.3.2).
pub fn merge(claims: &mut Claims, userinfo: Claims) -> Result<(), Refusal> {
    if subject(&userinfo).ok() != claims.get("sub").and_then(Value::as_str) {
        return Err(Reason::UserinfoSubject.into());
    }
    for (name, value) in userinfo {
        if claims.get(&name).is_none_or(Value::is_null) {
            claims.insert(name, value);
        }
    }
    Ok(())
}

/// The identity that checked claims tell, for a connection to this product.
///
/// # Errors
/// `oidc.subject`, `oidc.claim_type`. An address that is absent is none: what follows is decided for all
/// protocols alike.
pub fn identity(
    claims: &Claims,
    document: &Document,
    provider: &str,
) -> Result<VerifiedIdentity, Refusal> {
    let text = |attribute| {
        let value = found(claims, document, attribute).and_then(Value::as_str);
        value.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let own_subject = match &document.attribute_mapping.subject {
        Some(_) => text(Attribute::Subject)
            .filter(|own| is_name(own))
            .ok_or_else(|| Refusal::from(Reason::Subject))?,
        None => subject(claims)?.to_owned(),
    };
    let email = match found(claims, document, Attribute::Email) {
        None => String::new(),
        Some(Value::String(email)) => email.trim().to_owned(),
        Some(_) => return Err(mistyped(document, Attribute::Email)),
    };
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    let oid = claims.get("oid").and_then(Value::as_str).filter(|_| provider == ENTRA);
    let oid = oid.filter(|oid| is_name(oid));
    let sid = claims.get("sid").and_then(Value::as_str);
    Ok(VerifiedIdentity {
        issuer: issuer.to_owned(),
        subject: own_subject,
        external_id: oid.map(str::to_owned),
        email,
        email_verified: found(claims, document, Attribute::EmailVerified).map(is_true),
        first_name: text(Attribute::FirstName),
        last_name: text(Attribute::LastName),
        name: text(Attribute::Name),
        phone_number: text(Attribute::PhoneNumber),
        picture: text(Attribute::Picture),
        groups: groups(claims, document)?,
        overage: is_overage(claims, document),
        at_provider: AtProvider {
            session: sid.filter(|sid| is_name(sid)).map(str::to_owned),
            expires_at: moment(claims, "session_expiry").and_then(time),
            authenticated_at: moment(claims, "auth_time").and_then(time),
        },
        claims: digests(claims),
    })
}

/// Whether a text is one that somebody or something can be known by: what an index of every database holds.
fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len()) && !text.contains('\0')
}

/// The first claim that is there under a name of the attribute. A name with dots that is no claim's own is a
/// way into objects (`realm_access.roles`).
fn found<'c>(claims: &'c Claims, document: &Document, attribute: Attribute) -> Option<&'c Value> {
    let names = document.attribute_mapping.names(attribute, Protocol::Oidc);
    names.into_iter().find_map(|name| {
        let direct = claims.get(name);
        let inside = || {
            let mut parts = name.split('.');
            let first = claims.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        };
        direct.or_else(inside).filter(|value| !value.is_null())
    })
}

/// The groups that are claimed; `None`: the claim is absent, or there are too many to be sent.
fn groups(claims: &Claims, document: &Document) -> Result<Option<Vec<String>>, Refusal> {
    let Some(value) = found(claims, document, Attribute::Groups) else { return Ok(None) };
    let mistyped = || mistyped(document, Attribute::Groups);
    let texts = match value {
        Value::String(text) => vec![text.as_str()],
        Value::Array(all) => {
            let texts: Option<Vec<&str>> = all.iter().map(Value::as_str).collect();
            texts.ok_or_else(mistyped)?
        }
        _ => return Err(mistyped()),
    };
    Ok(Some(document.groups.names(texts)))
}

/// Whether the groups were left out since there are too many (Entra: above 200, `_claim_names` says where
/// they are; `hasgroups` in the implicit flow's tokens).
fn is_overage(claims: &Claims, document: &Document) -> bool {
    if found(claims, document, Attribute::Groups).is_some() {
        return false;
    }
    let elsewhere = claims.get("_claim_names");
    let names = document.attribute_mapping.names(Attribute::Groups, Protocol::Oidc);
    names.iter().any(|name| elsewhere.is_some_and(|all| all.get(name).is_some()))
        || claims.get("hasgroups").is_some_and(is_true)
}

/// Whether a flag is set: as JSON has it, or as some write it. Anything else says no.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::String(text) => text.eq_ignore_ascii_case("true") || text == "1",
        Value::Number(number) => number.as_i64() == Some(1),
        _ => false,
    }
}

fn mistyped(document: &Document, attribute: Attribute) -> Refusal {
    let names = document.attribute_mapping.names(attribute, Protocol::Oidc).join(" or ");
    Refusal::new(Reason::ClaimType, format!("The claim {names} has a form that is not expected"))
}

fn time(seconds: f64) -> Option<Timestamp> {
    let span = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::from_duration(span).ok()
}

/// The names of claims, each with the short digest of its value.
fn digests(claims: &Claims) -> Vec<(String, String)> {
    let short = |value: &Value| short_digest(&value.to_string());
    claims.iter().take(LOGGED).map(|(name, value)| (name.clone(), short(value))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::connection::GroupsShape;

    #[expect(clippy::needless_pass_by_value, reason = "tests read better so")]
    fn claims_of(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    fn claims(value: Value) -> Claims {
        let mut all = claims_of(
            json!({"iss": "https://idp.example", "sub": "s", "email": "ada@acme.example"}),
        );
        all.extend(claims_of(value));
        all
    }

    fn read(value: Value) -> VerifiedIdentity {
        identity(&claims(value), &Document::default(), "okta").unwrap()
    }

    fn groups_of(document: &Document, value: Value) -> Result<Option<Vec<String>>, Reason> {
        let read = identity(&claims(value), document, "okta");
        read.map(|identity| identity.groups).map_err(|refusal| refusal.reason)
    }

    fn some(names: &[&str]) -> Result<Option<Vec<String>>, Reason> {
        Ok(Some(names.iter().map(|name| (*name).to_owned()).collect()))
    }

    #[test]
    fn r175_the_usual_claims_are_read() {
        let read = read(json!({
            "given_name": "Ada", "family_name": " Lovelace ", "name": "Ada Lovelace", "phone_number": "+44 1",
            "picture": "https://p", "sid": "at-idp", "session_expiry": 1_800_000_000.5, "oid": "object",
            "auth_time": 1_700_000_000.25,
        }));
        assert_eq!((read.issuer.as_str(), read.subject.as_str()), ("https://idp.example", "s"));
        assert_eq!(read.email, "ada@acme.example");
        assert_eq!(
            (read.first_name.as_deref(), read.last_name.as_deref()),
            (Some("Ada"), Some("Lovelace"))
        );
        assert_eq!(read.name.as_deref(), Some("Ada Lovelace"));
        assert_eq!(read.at_provider.session.as_deref(), Some("at-idp"));
        assert_eq!(read.at_provider.expires_at.unwrap().as_millisecond(), 1_800_000_000_500);
        assert_eq!(read.at_provider.authenticated_at.unwrap().as_millisecond(), 1_700_000_000_250);
        assert_eq!((read.external_id, read.groups, read.overage), (None, None, false));
        assert!(read.claims.iter().any(|(name, digest)| name == "email" && digest.len() == 12));
    }

    #[test]
    fn r174_the_admins_claims_are_read_instead() {
        let mut document = Document::default();
        let mapping = &mut document.attribute_mapping;
        mapping.email = Some("upn".to_owned());
        mapping.subject = Some("employee".to_owned());
        mapping.groups = Some("realm_access.roles".to_owned());
        mapping.first_name = Some("https://acme.example/first.name".to_owned());
        let all = json!({
            "upn": "ada@corp.example", "employee": "7", "groups": ["wrong"],
            "realm_access": {"roles": ["a"]}, "https://acme.example/first.name": "Ada",
        });
        let read = identity(&claims(all), &document, "okta").unwrap();
        assert_eq!((read.email.as_str(), read.subject.as_str()), ("ada@corp.example", "7"));
        assert_eq!(read.groups, Some(vec!["a".to_owned()]));
        assert_eq!(read.first_name.as_deref(), Some("Ada"));
        let without = identity(&claims(json!({})), &document, "okta");
        assert_eq!(without.unwrap_err().reason, Reason::Subject);
    }

    #[test]
    fn entra_is_known_by_its_object_id() {
        let read =
            identity(&claims(json!({"oid": "object"})), &Document::default(), "entra").unwrap();
        assert_eq!((read.subject.as_str(), read.external_id.as_deref()), ("s", Some("object")));
    }

    #[test]
    fn r127_groups_come_in_many_forms() {
        let mut document = Document::default();
        assert_eq!(groups_of(&document, json!({})), Ok(None));
        assert_eq!(groups_of(&document, json!({"groups": null})), Ok(None));
        assert_eq!(groups_of(&document, json!({"groups": []})), some(&[]));
        assert_eq!(groups_of(&document, json!({"groups": ["a", "b", "a"]})), some(&["a", "b"]));
        assert_eq!(groups_of(&document, json!({"groups": "a,b"})), some(&["a,b"]));
        for odd in [json!([1]), json!(["a", null]), json!({"a": 1}), json!(7), json!(true)] {
            assert_eq!(groups_of(&document, json!({"groups": odd})), Err(Reason::ClaimType));
        }
        document.groups.format = GroupsShape::Delimited;
        assert_eq!(groups_of(&document, json!({"groups": "a, b"})), some(&["a", "b"]));
        assert_eq!(groups_of(&document, json!({"groups": ""})), some(&[]));
    }

    #[test]
    fn r184_too_many_groups_are_no_word_of_groups() {
        let overage = json!({
            "_claim_names": {"groups": "src1"},
            "_claim_sources": {"src1": {"endpoint": "https://graph.example/x"}},
        });
        let shown = read(overage.clone());
        assert_eq!((shown.groups, shown.overage), (None, true));
        let mut both = overage;
        both["groups"] = json!(["a"]);
        assert_eq!(
            (read(both.clone()).overage, read(both).groups),
            (false, Some(vec!["a".to_owned()]))
        );
        assert!(read(json!({"hasgroups": "true"})).overage);
        assert!(!read(json!({"_claim_names": {"address": "src1"}})).overage);
    }

    /// Security O1: the flag in all of its spellings.
    #[test]
    fn f61_a_flag_says_yes_or_no() {
        for (value, expected) in [
            (json!(true), Some(true)),
            (json!("true"), Some(true)),
            (json!("True"), Some(true)),
            (json!(1), Some(true)),
            (json!(false), Some(false)),
            (json!("false"), Some(false)),
            (json!(0), Some(false)),
            (json!("yes"), Some(false)),
            (json!({}), Some(false)),
            (Value::Null, None),
        ] {
            assert_eq!(read(json!({"email_verified": value})).email_verified, expected, "{value}");
        }
        assert_eq!(read(json!({})).email_verified, None);
    }

    #[test]
    fn an_address_is_a_text_or_absent() {
        assert_eq!(read(json!({"email": null})).email, "");
        for odd in [json!(7), json!(["a@x"]), json!({})] {
            let refused = identity(&claims(json!({"email": odd})), &Document::default(), "okta");
            assert_eq!(refused.unwrap_err().reason, Reason::ClaimType);
        }
    }

    /// O3, (f) 59: userinfo `sub` differs.
    #[test]
    fn f59_userinfo_tells_of_the_same_person() {
        let mut all = claims(json!({}));
        for other in [json!({}), json!({"sub": "other"}), json!({"sub": 7}), json!({"sub": null})] {
            let refused = merge(&mut all, claims_of(other));
            assert_eq!(refused.unwrap_err().reason, Reason::UserinfoSubject);
        }
        let told = json!({"sub": "s", "email": "evil@acme.example", "groups": ["a"], "iss": "https://evil"});
        merge(&mut all, claims_of(told)).unwrap();
        assert_eq!(all["email"], "ada@acme.example");
        assert_eq!((&all["groups"], &all["iss"]), (&json!(["a"]), &json!("https://idp.example")));
    }

    #[test]
    fn userinfo_is_asked_where_something_is_missing() {
        let document = Document::default();
        assert!(is_incomplete(&claims(json!({})), &document));
        let names = json!({"given_name": "A", "family_name": "B"});
        assert!(is_incomplete(&claims(names.clone()), &document));
        let mut all = claims(names);
        all.insert("groups".to_owned(), json!([]));
        assert!(!is_incomplete(&all, &document));
        all.remove("groups");
        all.insert("_claim_names".to_owned(), json!({"groups": "src1"}));
        assert!(!is_incomplete(&all, &document));
        all.remove("email");
        assert!(is_incomplete(&all, &document));
    }
}
