//! A resource as JSON, normalised by its schema (RFC 7643 §2, §3; ruling 16).
//!
//! A [`Resource`] holds what the client may write, in the schema's spelling and types: no `id`,
//! no `meta`, no `groups`, no `password`, no nulls, no empty lists. What the server adds is put
//! around it when it is answered, so that a stored resource is never re-read to be shown.

use std::fmt;

use serde_json::{Map, Value};

use super::error::{ScimError, ScimResult};
use super::schema::{
    Attribute, AttributePath, Kind, Mutability, ResourceSchema, ResourceType, is_urn,
};
use super::value;

/// The attributes of one User or Group that a client may write.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resource(pub Map<String, Value>);

/// A body brought into the schema's form.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalised {
    /// What is kept.
    pub resource: Resource,
    /// Names that no schema knows, for the request log (ruling 16).
    pub left_out: Vec<String>,
}

impl Resource {
    /// The value at a path; of a sub-attribute below a list, `None` (ask the list itself).
    pub fn get(&self, path: &AttributePath) -> Option<&Value> {
        let holder = match &path.extension {
            None => &self.0,
            Some(urn) => self.0.get(urn)?.as_object()?,
        };
        let value = holder.get(&path.name)?;
        match &path.sub {
            None => Some(value),
            Some(sub) => value.as_object()?.get(sub),
        }
    }

    /// A core attribute's text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// `userName` of a User; empty for a Group.
    pub fn user_name(&self) -> &str {
        self.text("userName").unwrap_or_default()
    }

    /// `displayName`.
    pub fn display_name(&self) -> Option<&str> {
        self.text("displayName")
    }

    /// The `IdP`'s own id, `externalId`.
    pub fn external_id(&self) -> Option<&str> {
        self.text("externalId")
    }

    /// The `IdP`'s wish; a User without the attribute is active: no request without it disables anybody.
    pub fn active(&self) -> bool {
        self.0.get("active").and_then(Value::as_bool).unwrap_or(true)
    }
}

/// Where a value stands, as errors and the log name it: put together where one of them is, which is seldom.
#[derive(Debug, Clone, Copy)]
pub struct Name<'n> {
    parent: Option<&'n Name<'n>>,
    own: &'n str,
}

impl<'n> From<&'n str> for Name<'n> {
    fn from(own: &'n str) -> Self {
        Self { parent: None, own }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        f.write_str(self.own)
    }
}

/// Most entries of one multi-valued attribute; `members` has a limit of its own.
pub const MAX_VALUES: usize = 50;
/// Most members in one request: what 16 MiB hold.
pub const MAX_MEMBERS: usize = 100_000;

/// Normalises the body of a POST or PUT.
///
/// # Errors
/// `invalidValue`: a wrong type, a limit, a missing required attribute, two primary values;
/// `invalidSyntax`: two spellings of one name, or `schemas` without the core schema.
pub fn normalise(schema: &ResourceSchema, body: Map<String, Value>) -> ScimResult<Normalised> {
    let mut left_out = Vec::new();
    let mut map = Map::with_capacity(body.len());
    let mut declared = None;
    for (key, value) in body {
        if key.eq_ignore_ascii_case("schemas") {
            if declared.replace(value).is_some() {
                return Err(twice(key.as_str().into()));
            }
            continue;
        }
        let Some((name, value)) = entry(schema, &key, value, &mut left_out)? else { continue };
        if map.insert(name, value).is_some() {
            return Err(twice(key.as_str().into()));
        }
    }
    check_schemas(schema, declared.as_ref())?;
    map.retain(|_, value| !is_empty(value));
    let resource = Resource(map);
    check_required(schema, &resource)?;
    Ok(Normalised { resource, left_out })
}

fn twice(key: Name<'_>) -> ScimError {
    ScimError::invalid_syntax(format!("{key} stands twice, in two spellings"))
}

/// One key of a body in the schema's form; `None` where it is not kept.
fn entry(
    schema: &ResourceSchema,
    key: &str,
    value: Value,
    left_out: &mut Vec<String>,
) -> ScimResult<Option<(String, Value)>> {
    if let Some(extension) = schema.extension(key) {
        let urn = extension.id.as_str().into();
        let value = extension_value(&extension.attributes, urn, value, left_out)?;
        return Ok(Some((extension.id.clone(), value)));
    }
    if let Some(attribute) = schema.attribute(key) {
        let Some(value) = writable(attribute, attribute.name.as_str().into(), value, left_out)?
        else {
            return Ok(None);
        };
        return Ok(Some((attribute.name.clone(), value)));
    }
    if is_urn(key) && value.is_object() {
        return Ok(Some((key.to_owned(), value)));
    }
    if !is_ignored(key) && !value.is_null() {
        left_out.push(key.to_owned());
    }
    Ok(None)
}

/// Names that are taken and dropped without a word: `password` (ruling 10).
pub fn is_ignored(key: &str) -> bool {
    key.eq_ignore_ascii_case("password")
}

/// The object under an extension's URN, normalised by its attributes.
///
/// # Errors
/// As [`normalise`].
pub fn extension_value(
    attributes: &[Attribute],
    urn: Name<'_>,
    value: Value,
    left_out: &mut Vec<String>,
) -> ScimResult<Value> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Object(map) => Ok(Value::Object(members_of(attributes, urn, map, left_out)?)),
        _ => Err(ScimError::invalid_value(format!("{urn} must be an object"))),
    }
}

/// A value of an attribute that clients may write; `None` for one that is the server's own.
fn writable(
    attribute: &Attribute,
    name: Name<'_>,
    value: Value,
    left_out: &mut Vec<String>,
) -> ScimResult<Option<Value>> {
    if attribute.mutability == Mutability::ReadOnly {
        return Ok(None);
    }
    normal_value(attribute, name, value, left_out).map(Some)
}

/// A value brought into its attribute's form: lists are lists, booleans booleans, nulls gone.
///
/// Rewrites what `IdPs` send in other shapes (rules 4 and 10): `"True"`, one
/// object where a list belongs, a list of one where a single value belongs, a bare text for a
/// complex value.
///
/// # Errors
/// `invalidValue` or `invalidSyntax`, as [`normalise`].
pub fn normal_value(
    attribute: &Attribute,
    name: Name<'_>,
    value: Value,
    left_out: &mut Vec<String>,
) -> ScimResult<Value> {
    if !attribute.multi_valued {
        return single(attribute, name, unwrap_list(value), left_out);
    }
    let items = match value {
        Value::Null => return Ok(Value::Null),
        Value::Array(items) => items,
        other => vec![other],
    };
    let limit = if attribute.name == "members" { MAX_MEMBERS } else { MAX_VALUES };
    if items.len() > limit {
        let detail = format!("{name} has {} values, more than {limit}", items.len());
        return Err(if limit == MAX_MEMBERS {
            ScimError::too_large(detail)
        } else {
            ScimError::invalid_value(detail)
        });
    }
    let mut list = Vec::with_capacity(items.len());
    for item in items {
        let item = single(attribute, name, item, left_out)?;
        if !is_empty(&item) && (limit == MAX_MEMBERS || !list.contains(&item)) {
            list.push(item);
        }
    }
    if list.iter().filter(|item| is_primary(item)).count() > 1 {
        return Err(ScimError::invalid_value(format!(
            "{name}: only one value may be primary (RFC 7643 §2.4)"
        )));
    }
    Ok(Value::Array(list))
}

/// Whether a value of a list is the primary one.
pub fn is_primary(item: &Value) -> bool {
    item.get("primary") == Some(&Value::Bool(true))
}

/// `[x]` for a single value is `x` (row 43); nothing else is unwrapped.
fn unwrap_list(value: Value) -> Value {
    match value {
        Value::Array(mut items) if items.len() == 1 => items.remove(0),
        Value::Array(items) if items.is_empty() => Value::Null,
        other => other,
    }
}

fn single(
    attribute: &Attribute,
    name: Name<'_>,
    value: Value,
    left_out: &mut Vec<String>,
) -> ScimResult<Value> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    if attribute.kind == Kind::Complex {
        return complex(attribute, name, value, left_out);
    }
    let value = match value {
        // Row 43: a single value wrapped as {"$ref":null,"value":"x"}.
        Value::Object(mut map) if map.contains_key("value") => {
            map.remove("value").unwrap_or_default()
        }
        other => other,
    };
    simple(attribute, name, value)
}

fn complex(
    attribute: &Attribute,
    name: Name<'_>,
    value: Value,
    left_out: &mut Vec<String>,
) -> ScimResult<Value> {
    match value {
        Value::Object(map) => {
            Ok(Value::Object(members_of(&attribute.sub_attributes, name, map, left_out)?))
        }
        // Rule 10: a bare text is the `value`; an empty one clears.
        Value::String(text) if text.is_empty() => Ok(Value::Null),
        Value::String(_) | Value::Bool(_) | Value::Number(_) => {
            let Some(sub) = attribute.sub("value") else {
                return Err(ScimError::invalid_value(format!("{name} must be an object")));
            };
            let value = simple(sub, name, value)?;
            Ok(Value::Object(Map::from_iter([(sub.name.clone(), value)])))
        }
        Value::Array(_) | Value::Null => {
            Err(ScimError::invalid_value(format!("{name} must be an object")))
        }
    }
}

/// The members of a complex value or an extension.
fn members_of(
    attributes: &[Attribute],
    parent: Name<'_>,
    map: Map<String, Value>,
    left_out: &mut Vec<String>,
) -> ScimResult<Map<String, Value>> {
    let mut out = Map::with_capacity(map.len());
    for (key, value) in map {
        let name = Name { parent: Some(&parent), own: &key };
        let Some(sub) = attributes.iter().find(|a| a.name.eq_ignore_ascii_case(&key)) else {
            if !value.is_null() {
                left_out.push(name.to_string());
            }
            continue;
        };
        if let Some(value) = writable(sub, name, value, left_out)?
            && out.insert(sub.name.clone(), value).is_some()
        {
            return Err(twice(name));
        }
    }
    out.retain(|_, value| !is_empty(value));
    Ok(out)
}

/// Whether a value counts as unassigned (RFC 7643 §2.5): null, an empty list, an empty object.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn simple(attribute: &Attribute, name: Name<'_>, value: Value) -> ScimResult<Value> {
    let wrong = |what: &str| Err(ScimError::invalid_value(format!("{name} must be {what}")));
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(Value::Null),
        (Kind::Boolean, Value::Bool(b)) => Ok(Value::Bool(b)),
        // Rule 4: Entra sends booleans as texts.
        (Kind::Boolean, Value::String(s)) if s.eq_ignore_ascii_case("true") => {
            Ok(Value::Bool(true))
        }
        (Kind::Boolean, Value::String(s)) if s.eq_ignore_ascii_case("false") => {
            Ok(Value::Bool(false))
        }
        // An emptied attribute of a form-minded client.
        (Kind::Boolean | Kind::DateTime | Kind::Integer | Kind::Decimal, Value::String(s))
            if s.is_empty() =>
        {
            Ok(Value::Null)
        }
        (Kind::Boolean, _) => wrong("true or false"),
        (Kind::Integer, Value::Number(n)) if n.as_i64().is_some() => Ok(Value::Number(n)),
        (Kind::Integer, _) => wrong("a whole number of 64 bits"),
        (Kind::Decimal, Value::Number(n)) => Ok(Value::Number(n)),
        (Kind::Decimal, _) => wrong("a number"),
        (Kind::DateTime, Value::String(s)) if value::date_time(&s).is_some() => {
            Ok(Value::String(s))
        }
        (Kind::DateTime, _) => wrong("a dateTime such as 2026-01-31T08:00:00Z"),
        (Kind::String | Kind::Reference | Kind::Binary, Value::String(mut s)) => {
            if attribute.name == "userName" && s.trim().len() != s.len() {
                // A padded name would be a second spelling of a unique one.
                s = s.trim().to_owned();
            }
            let limit = max_length(attribute);
            if s.chars().count() > limit {
                return wrong(&format!("at most {limit} characters long"));
            }
            if attribute.kind != Kind::Binary && is_too_long_a_key(&s) {
                return wrong(&format!("at most {MAX_KEY} bytes long in UTF-8"));
            }
            Ok(Value::String(s))
        }
        (Kind::String | Kind::Reference | Kind::Binary, _) => wrong("a text"),
        (Kind::Complex, _) => wrong("an object"),
    }
}

/// Longest text that is compared, in bytes: an index of PostgreSQL holds no entry above 2,704.
const MAX_KEY: usize = 2_048;

fn is_too_long_a_key(text: &str) -> bool {
    // Folding makes a text half as long again at most.
    text.len() > MAX_KEY / 2 && value::fold(text).len() > MAX_KEY
}

/// Longest value of a text attribute in characters.
///
/// A certificate or an inlined picture is longer than any text; both have room of their own.
pub fn max_length(attribute: &Attribute) -> usize {
    match (attribute.kind, attribute.name.as_str()) {
        (Kind::Binary, _) => 16_384,
        (_, "userName") => 256,
        (_, "externalId" | "displayName") => 512,
        _ => 1_024,
    }
}

fn check_schemas(schema: &ResourceSchema, declared: Option<&Value>) -> ScimResult<()> {
    let urns = match declared {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(urns)) => urns.iter().map(Value::as_str).collect::<Option<Vec<_>>>(),
        Some(Value::String(urn)) => Some(vec![urn.as_str()]),
        Some(_) => None,
    };
    let Some(urns) = urns else {
        return Err(ScimError::invalid_syntax("schemas must be a list of URNs"));
    };
    let core = schema.resource_type.urn();
    // OneLogin sends the URNs of SCIM 1.1.
    let known = |u: &&str| u.eq_ignore_ascii_case(core) || u.starts_with("urn:scim:schemas:core:");
    if urns.is_empty() || urns.iter().any(known) {
        return Ok(());
    }
    Err(ScimError::invalid_syntax(format!("schemas must name {core}")))
}

/// Checks that required attributes are there and not blank (RFC 7643 §2.2).
///
/// # Errors
/// `invalidValue` with the name.
pub fn check_required(schema: &ResourceSchema, resource: &Resource) -> ScimResult<()> {
    let missing = |name: &str| Err(ScimError::invalid_value(format!("{name} is required")));
    for attribute in schema.core().attributes.iter().filter(|a| a.required) {
        match resource.0.get(&attribute.name) {
            None => return missing(&attribute.name),
            Some(Value::String(text)) if text.trim().is_empty() => return missing(&attribute.name),
            Some(_) => {}
        }
    }
    for extension in schema.extensions() {
        let Some(Value::Object(map)) = resource.0.get(&extension.id) else { continue };
        for attribute in extension.attributes.iter().filter(|a| a.required) {
            if !map.contains_key(&attribute.name) {
                return missing(&format!("{}:{}", extension.id, attribute.name));
            }
        }
    }
    Ok(())
}

/// Keeps across a PUT what its absence does not clear: `active` of a User (ruling 16), and set
/// immutable attributes, which a PUT may not change (RFC 7644 §3.5.1).
///
/// # Errors
/// `mutability` where the body changes a set immutable attribute.
pub fn carry_over(schema: &ResourceSchema, old: &Resource, new: &mut Resource) -> ScimResult<()> {
    if schema.resource_type == ResourceType::User
        && !new.0.contains_key("active")
        && let Some(active) = old.0.get("active")
    {
        new.0.insert("active".to_owned(), active.clone());
    }
    for extension in schema.extensions() {
        for attribute in
            extension.attributes.iter().filter(|a| a.mutability == Mutability::Immutable)
        {
            let path = AttributePath {
                extension: Some(extension.id.clone()),
                name: attribute.name.clone(),
                sub: None,
            };
            let Some(before) = old.get(&path) else { continue };
            match new.get(&path) {
                None => {
                    let holder =
                        new.0.entry(extension.id.clone()).or_insert_with(|| Map::new().into());
                    if let Some(map) = holder.as_object_mut() {
                        map.insert(attribute.name.clone(), before.clone());
                    }
                }
                Some(after) if after == before => {}
                Some(_) => return Err(ScimError::mutability(format!("{path} is immutable"))),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::ScimType;
    use crate::scim::schema::ENTERPRISE_URN;

    fn user(body: Value) -> ScimResult<Normalised> {
        let Value::Object(map) = body else { panic!("an object") };
        normalise(&ResourceSchema::user([]), map)
    }

    fn kept(body: Value) -> Value {
        Value::Object(user(body).unwrap().resource.0)
    }

    fn refused(body: Value) -> ScimType {
        user(body).unwrap_err().scim_type.unwrap()
    }

    #[test]
    fn names_take_the_schemas_spelling() {
        let body = json!({"USERNAME": "a", "Name": {"FAMILYNAME": "B"}});
        assert_eq!(kept(body), json!({"userName": "a", "name": {"familyName": "B"}}));
        let twice = json!({"userName": "a", "USERNAME": "a"});
        assert_eq!(refused(twice), ScimType::InvalidSyntax);
    }

    /// Rows 40 and 1: booleans as texts.
    #[test]
    fn booleans_may_be_texts() {
        let body = json!({"userName": "a", "active": "False", "roles": [{"value": "x", "primary": "True"}]});
        let want =
            json!({"userName": "a", "active": false, "roles": [{"value": "x", "primary": true}]});
        assert_eq!(kept(body), want);
        assert_eq!(refused(json!({"userName": "a", "active": "banana"})), ScimType::InvalidValue);
    }

    /// Row 36: manager as a bare text.
    #[test]
    fn a_bare_manager_becomes_its_value() {
        let body = json!({"userName": "a", ENTERPRISE_URN: {"manager": "u-1", "department": null}});
        assert_eq!(
            kept(body),
            json!({"userName": "a", ENTERPRISE_URN: {"manager": {"value": "u-1"}}})
        );
    }

    #[test]
    fn read_only_password_and_nulls_go() {
        let body = json!({"userName": "a", "id": "x", "meta": {}, "groups": [], "password": "p",
            "addresses": null, "emails": [], "status": "x"});
        let normalised = user(body).unwrap();
        assert_eq!(Value::Object(normalised.resource.0), json!({"userName": "a"}));
        assert_eq!(normalised.left_out, ["status"]);
    }

    /// Ruling 16.
    #[test]
    fn an_unregistered_extension_is_kept_as_sent() {
        let body = json!({"userName": "a", "urn:x:y:2.0:User": {"Any": [1, null]}});
        assert_eq!(kept(body.clone()), body);
    }

    #[test]
    fn schemas_may_be_missing_but_not_foreign() {
        let ok = |schemas: Value| user(json!({"schemas": schemas, "userName": "a"})).is_ok();
        assert!(ok(json!(["urn:ietf:params:scim:schemas:core:2.0:User", "urn:whatever:x"])));
        assert!(ok(json!(["urn:scim:schemas:core:2.0"])));
        assert!(!ok(json!(["urn:ietf:params:scim:schemas:core:2.0:Group"])));
        assert!(!ok(json!([1])));
    }

    #[test]
    fn required_and_limits() {
        for name in [json!(""), json!("  "), json!(123), json!({}), json!("x".repeat(257))] {
            assert_eq!(refused(json!({"userName": name})), ScimType::InvalidValue);
        }
        assert_eq!(refused(json!({})), ScimType::InvalidValue);
        let many: Vec<_> = (0..51).map(|i| json!({"value": i.to_string()})).collect();
        assert_eq!(refused(json!({"userName": "a", "emails": many})), ScimType::InvalidValue);
        let primaries = json!([{"value": "1", "primary": true}, {"value": "2", "primary": true}]);
        assert_eq!(refused(json!({"userName": "a", "emails": primaries})), ScimType::InvalidValue);
    }

    #[test]
    fn put_keeps_active() {
        let schema = ResourceSchema::user([]);
        let old = user(json!({"userName": "a", "active": false})).unwrap().resource;
        let mut new = user(json!({"userName": "b"})).unwrap().resource;
        carry_over(&schema, &old, &mut new).unwrap();
        assert!(!new.active());
    }
}
