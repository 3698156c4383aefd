//! Schemas and their attribute characteristics (RFC 7643 §2.2, §7), and how a name finds an attribute.
//!
//! A [`ResourceSchema`] is all that one company's Users or Groups may hold: the core schema, the
//! built-in extensions and the registered custom ones. Nothing here knows where a schema is stored.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{ScimError, ScimResult};

/// URN of the User schema (RFC 7643 §4.1).
pub const USER_URN: &str = scim_v2::schema_urns::USER;
/// URN of the Group schema (RFC 7643 §4.2).
pub const GROUP_URN: &str = scim_v2::schema_urns::GROUP;
/// URN of the enterprise User extension (RFC 7643 §4.3).
pub const ENTERPRISE_URN: &str = scim_v2::schema_urns::ENTERPRISE_USER;
/// URN of our readOnly lifecycle extension (ruling 3).
pub const STATUS_URN: &str = "urn:stagedoor:params:scim:schemas:extension:2.0:User";

/// The two kinds of resource that the server keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceType {
    /// RFC 7643 §4.1.
    User,
    /// RFC 7643 §4.2.
    Group,
}

impl ResourceType {
    /// The name in `meta.resourceType` and `/ResourceTypes`.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// The path segment below the SCIM base URL.
    pub fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    /// The URN of its core schema.
    pub fn urn(self) -> &'static str {
        match self {
            Self::User => USER_URN,
            Self::Group => GROUP_URN,
        }
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Data type of an attribute (RFC 7643 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// §2.3.1.
    String,
    /// §2.3.2.
    Boolean,
    /// §2.3.3.
    Decimal,
    /// §2.3.4.
    Integer,
    /// §2.3.5.
    DateTime,
    /// §2.3.6.
    Binary,
    /// §2.3.7.
    Reference,
    /// §2.3.8.
    Complex,
}

/// When a value may be written (RFC 7643 §2.2, `mutability`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mutability {
    /// The server's own.
    ReadOnly,
    /// The client's at any time.
    #[default]
    ReadWrite,
    /// The client's once.
    Immutable,
    /// Taken, never given back.
    WriteOnly,
}

/// When a value is in an answer (RFC 7643 §2.2, `returned`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Returned {
    /// Whatever was asked for.
    Always,
    /// In no answer.
    Never,
    /// Unless left out by request.
    #[default]
    Default,
    /// Only where asked for by name.
    Request,
}

/// Where a value may stand only once (RFC 7643 §2.2, `uniqueness`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Uniqueness {
    /// Anywhere.
    #[default]
    None,
    /// Once in the company.
    Server,
    /// Once in the world.
    Global,
}

/// One attribute with every characteristic of RFC 7643 §7.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribute {
    /// Its name, in the spelling that answers use. Compared without case (RFC 7643 §2.1).
    pub name: String,
    /// Its data type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Whether it holds a list.
    #[serde(default)]
    pub multi_valued: bool,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Whether a resource without it is refused.
    #[serde(default)]
    pub required: bool,
    /// Suggested values; others are taken too (RFC 7643 §7 lets the server choose).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canonical_values: Vec<String>,
    /// Whether case counts when values are compared.
    #[serde(default)]
    pub case_exact: bool,
    /// When it may be written.
    #[serde(default)]
    pub mutability: Mutability,
    /// When it is in an answer.
    #[serde(default)]
    pub returned: Returned,
    /// Where it may stand only once.
    #[serde(default)]
    pub uniqueness: Uniqueness,
    /// What a reference may point at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference_types: Vec<String>,
    /// The parts of a complex attribute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sub_attributes: Vec<Attribute>,
}

impl Attribute {
    /// The sub-attribute of this name, whatever its case.
    pub fn sub(&self, name: &str) -> Option<&Attribute> {
        self.sub_attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name))
    }
}

/// One schema (RFC 7643 §7).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// Its URN.
    pub id: String,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Its attributes, in the order of `/Schemas`.
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// The attribute of this name, whatever its case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name))
    }
}

/// Most attributes, sub-attributes included, that one custom extension may declare.
pub const MAX_EXTENSION_ATTRIBUTES: usize = 200;

/// Reads a custom extension from a Schema resource (RFC 7643 §7) and checks that it can be served.
///
/// # Errors
/// `invalidValue` with the fault, for a person who wrote the file: a URN that is not one or is ours,
/// a name that RFC 7643 §2.1 does not allow, doubled names, a complex attribute inside another.
pub fn parse_extension(document: Value) -> ScimResult<Schema> {
    let schema: Schema = serde_json::from_value(document)
        .map_err(|e| ScimError::invalid_value(format!("not a Schema resource: {e}")))?;
    check_urn(&schema.id)?;
    if schema.attributes.is_empty() {
        return Err(ScimError::invalid_value("attributes: a schema needs at least one"));
    }
    let count: usize = schema.attributes.iter().map(|a| 1 + a.sub_attributes.len()).sum();
    if count > MAX_EXTENSION_ATTRIBUTES {
        return Err(ScimError::invalid_value(format!(
            "attributes: {count}, more than {MAX_EXTENSION_ATTRIBUTES}"
        )));
    }
    check_attributes(&schema.attributes, "")?;
    Ok(schema)
}

fn check_urn(urn: &str) -> ScimResult<()> {
    let wrong = |why: &str| Err(ScimError::invalid_value(format!("id: {why}")));
    if !is_urn(urn) || urn.len() > 256 {
        return wrong(
            "must be a URN such as urn:example:params:scim:schemas:extension:hr:2.0:User",
        );
    }
    let lower = urn.to_ascii_lowercase();
    let ours = [USER_URN, GROUP_URN, ENTERPRISE_URN, STATUS_URN];
    if ours.iter().any(|o| lower == o.to_ascii_lowercase()) {
        return wrong("is a schema of the server itself");
    }
    Ok(())
}

fn check_attributes(attributes: &[Attribute], parent: &str) -> ScimResult<()> {
    let mut seen = Vec::new();
    for attribute in attributes {
        let name = format!("{parent}{}", attribute.name);
        let wrong = |why: &str| Err(ScimError::invalid_value(format!("attribute {name}: {why}")));
        if !is_attribute_name(&attribute.name) {
            return wrong("a name is a letter, then letters, digits, '-' or '_' (RFC 7643 §2.1)");
        }
        let folded = attribute.name.to_ascii_lowercase();
        if seen.contains(&folded) {
            return wrong("stands twice");
        }
        seen.push(folded);
        if (attribute.kind == Kind::Complex) == attribute.sub_attributes.is_empty() {
            return wrong("a complex attribute has subAttributes, and no other has");
        }
        if attribute.uniqueness != Uniqueness::None {
            return wrong("uniqueness of custom attributes is not enforced; use \"none\"");
        }
        if !parent.is_empty() && attribute.kind == Kind::Complex {
            return wrong("a sub-attribute cannot be complex (RFC 7643 §2.3.8)");
        }
        check_attributes(&attribute.sub_attributes, &format!("{name}."))?;
    }
    Ok(())
}

/// Whether a name has the form of RFC 7643 §2.1 (`$ref` is the one name with a dollar).
pub fn is_attribute_name(name: &str) -> bool {
    let mut chars = name.strip_prefix('$').unwrap_or(name).chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && name.len() <= 128
}

/// Whether a key of a body names an extension: any URN, in any case.
pub fn is_urn(key: &str) -> bool {
    let mut parts = key.splitn(3, ':');
    let scheme = parts.next().is_some_and(|p| p.eq_ignore_ascii_case("urn"));
    let namespace = parts.next().is_some_and(|p| !p.is_empty());
    let rest = parts.next().is_some_and(|p| !p.is_empty());
    scheme
        && namespace
        && rest
        && key.chars().all(|c| c.is_ascii_graphic() && !"\"\\[]{}".contains(c))
}

/// Where a value stands in a resource, in the schema's own spelling.
///
/// `emails.value`, `name.familyName`, `urn:…:enterprise:2.0:User:manager.value`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttributePath {
    /// URN of the extension; `None` for the core schema and the common attributes.
    pub extension: Option<String>,
    /// The attribute.
    pub name: String,
    /// The sub-attribute.
    pub sub: Option<String>,
}

impl AttributePath {
    /// A core attribute.
    pub fn core(name: &str) -> Self {
        Self { extension: None, name: name.to_owned(), sub: None }
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        PathRef::from(self).fmt(f)
    }
}

/// An [`AttributePath`] of texts that lie elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathRef<'p> {
    /// As [`AttributePath::extension`].
    pub extension: Option<&'p str>,
    /// As [`AttributePath::name`].
    pub name: &'p str,
    /// As [`AttributePath::sub`].
    pub sub: Option<&'p str>,
}

impl<'p> From<&'p AttributePath> for PathRef<'p> {
    fn from(path: &'p AttributePath) -> Self {
        let AttributePath { extension, name, sub } = path;
        Self { extension: extension.as_deref(), name, sub: sub.as_deref() }
    }
}

impl fmt::Display for PathRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = self.extension {
            write!(f, "{urn}:")?;
        }
        f.write_str(self.name)?;
        if let Some(sub) = self.sub {
            write!(f, ".{sub}")?;
        }
        Ok(())
    }
}

/// What a name was found to mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found<'s> {
    /// An attribute, or a sub-attribute of one.
    Attribute {
        /// The extension's URN; `None` in the core schema.
        extension: Option<&'s str>,
        /// The attribute.
        attribute: &'s Attribute,
        /// The sub-attribute, where the name went on behind a dot.
        sub: Option<&'s Attribute>,
    },
    /// A whole registered extension: the name was its URN.
    Extension(&'s Schema),
}

impl Found<'_> {
    /// The path in canonical spelling; `None` for a whole extension.
    pub fn path(&self) -> Option<AttributePath> {
        match self {
            Found::Attribute { extension, attribute, sub } => Some(AttributePath {
                extension: extension.map(str::to_owned),
                name: attribute.name.clone(),
                sub: sub.map(|s| s.name.clone()),
            }),
            Found::Extension(_) => None,
        }
    }
}

/// Everything that one company's resources of one type may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceSchema {
    /// User or Group.
    pub resource_type: ResourceType,
    core: Arc<Schema>,
    extensions: Vec<Arc<Schema>>,
    answers_whole: bool,
}

static USER_CORE: LazyLock<Arc<Schema>> =
    LazyLock::new(|| built_in(include_str!("schemas/user.json")));
static GROUP_CORE: LazyLock<Arc<Schema>> =
    LazyLock::new(|| built_in(include_str!("schemas/group.json")));
static ENTERPRISE: LazyLock<Arc<Schema>> =
    LazyLock::new(|| built_in(include_str!("schemas/enterprise_user.json")));
static STATUS: LazyLock<Arc<Schema>> =
    LazyLock::new(|| built_in(include_str!("schemas/stagedoor_user.json")));

/// The common attributes of RFC 7643 §3.1 and §3: part of every resource, of no published schema.
static COMMON: LazyLock<Vec<Attribute>> =
    LazyLock::new(|| built_in(include_str!("schemas/common.json")).attributes.clone());

#[expect(clippy::expect_used, reason = "compiled in; the test `built_in_schemas_parse` reads each")]
fn built_in(text: &str) -> Arc<Schema> {
    Arc::new(serde_json::from_str(text).expect("a built-in schema parses"))
}

impl ResourceSchema {
    /// Users with these custom extensions beside the enterprise and the status extension.
    pub fn user(custom: impl IntoIterator<Item = Arc<Schema>>) -> Self {
        let extensions = [ENTERPRISE.clone(), STATUS.clone()].into_iter().chain(custom).collect();
        Self::new(ResourceType::User, USER_CORE.clone(), extensions)
    }

    /// Groups with these custom extensions.
    pub fn group(custom: impl IntoIterator<Item = Arc<Schema>>) -> Self {
        Self::new(ResourceType::Group, GROUP_CORE.clone(), custom.into_iter().collect())
    }

    fn new(resource_type: ResourceType, core: Arc<Schema>, extensions: Vec<Arc<Schema>>) -> Self {
        // The status is never part of what is stored, so it does not count here.
        let stored = extensions.iter().filter(|s| s.id != STATUS_URN);
        let answers_whole = stored.flat_map(|s| &s.attributes).all(|a| {
            let shown = |r: Returned| matches!(r, Returned::Always | Returned::Default);
            shown(a.returned) && a.sub_attributes.iter().all(|s| shown(s.returned))
        });
        Self { resource_type, core, extensions, answers_whole }
    }

    /// The core schema.
    pub fn core(&self) -> &Schema {
        &self.core
    }

    /// The extensions, built-in ones first.
    pub fn extensions(&self) -> impl Iterator<Item = &Schema> {
        self.extensions.iter().map(AsRef::as_ref)
    }

    /// The registered extension of this URN, whatever its case.
    pub fn extension(&self, urn: &str) -> Option<&Schema> {
        self.extensions().find(|s| s.id.eq_ignore_ascii_case(urn))
    }

    /// Whether what is stored may be answered as it is: no attribute is `never` or `request`.
    pub fn answers_whole(&self) -> bool {
        self.answers_whole
    }

    /// The attribute of the core schema or common to all resources, whatever its case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.core
            .attribute(name)
            .or_else(|| COMMON.iter().find(|a| a.name.eq_ignore_ascii_case(name)))
    }

    /// What a name in a path, a filter, a body or a query parameter means.
    ///
    /// Takes `attr`, `attr.sub`, `URN:attr`, `URN:attr.sub` and a bare URN, where the URN may be the
    /// core schema's (RFC 7644 §3.10) and may end in a dot as older Entra jobs write it
    /// (row 32). `None`: no such attribute.
    pub fn find(&self, name: &str) -> Option<Found<'_>> {
        if let Some(extension) = self.extension(name) {
            return Some(Found::Extension(extension));
        }
        for extension in self.extensions() {
            if let Some(rest) = strip_urn(name, &extension.id) {
                return find_in(rest, Some(&extension.id), |n| extension.attribute(n));
            }
        }
        let rest = strip_urn(name, &self.core.id).unwrap_or(name);
        find_in(rest, None, |n| self.attribute(n))
    }
}

impl ResourceSchema {
    /// The attribute of an extension that a filter names without its URN, as Entra asks for a
    /// manager (`id eq "u" and manager eq "b"`); the first extension counts.
    pub fn find_in_extensions(&self, name: &str) -> Option<Found<'_>> {
        self.extensions().find_map(|e| find_in(name, Some(&e.id), |n| e.attribute(n)))
    }
}

/// What follows `urn` and a separator in `name`.
fn strip_urn<'n>(name: &'n str, urn: &str) -> Option<&'n str> {
    let head = name.get(..urn.len())?;
    let rest = name.get(urn.len()..)?;
    head.eq_ignore_ascii_case(urn).then(|| rest.strip_prefix([':', '.']))?
}

fn find_in<'s>(
    name: &str,
    extension: Option<&'s str>,
    attribute: impl Fn(&str) -> Option<&'s Attribute>,
) -> Option<Found<'s>> {
    let (head, tail) = name.split_once('.').map_or((name, None), |(h, t)| (h, Some(t)));
    let attribute = attribute(head)?;
    let sub = match tail {
        Some(tail) => Some(attribute.sub(tail)?),
        None => None,
    };
    Some(Found::Attribute { extension, attribute, sub })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user() -> ResourceSchema {
        ResourceSchema::user([])
    }

    fn path(name: &str) -> Option<String> {
        user().find(name).and_then(|f| f.path()).map(|p| p.to_string())
    }

    #[test]
    fn built_in_schemas_parse() {
        assert_eq!(user().core().id, USER_URN);
        assert_eq!(ResourceSchema::group([]).core().id, GROUP_URN);
        assert!(user().extension(ENTERPRISE_URN).is_some());
        assert!(user().attribute("externalID").is_some());
    }

    /// RFC 7643 §2.1: attribute names are case insensitive.
    #[test]
    fn names_are_found_without_case() {
        assert_eq!(path("USERNAME").as_deref(), Some("userName"));
        assert_eq!(path("Emails.VALUE").as_deref(), Some("emails.value"));
    }

    #[test]
    fn urns_are_found_with_colon_and_with_dot() {
        let manager = format!("{ENTERPRISE_URN}:manager.value");
        assert_eq!(path(&manager.to_uppercase()), Some(manager.clone()));
        assert_eq!(
            path(&format!("{ENTERPRISE_URN}.department")),
            Some(format!("{ENTERPRISE_URN}:department"))
        );
        assert_eq!(path(&format!("{USER_URN}:userName")).as_deref(), Some("userName"));
        assert!(matches!(user().find(ENTERPRISE_URN), Some(Found::Extension(_))));
    }

    #[test]
    fn an_extensions_attribute_is_found_without_its_urn_where_asked() {
        let schema = user();
        assert_eq!(schema.find("manager"), None);
        let found = schema.find_in_extensions("manager").and_then(|f| f.path()).unwrap();
        assert_eq!(found.to_string(), format!("{ENTERPRISE_URN}:manager"));
    }

    #[test]
    fn unknown_names_are_not_found() {
        for name in ["nope", "name.nope", "userName.value", "emails.value.x", "", ".", "urn:x:y:z"]
        {
            assert_eq!(user().find(name), None, "{name}");
        }
    }

    #[test]
    fn an_extension_is_checked() {
        let with = |id: &str, attributes: Value| {
            parse_extension(json!({"id": id, "attributes": attributes}))
        };
        let ok = json!([{"name": "badge", "type": "string"}]);
        assert!(with("urn:acme:params:scim:schemas:extension:hr:2.0:User", ok.clone()).is_ok());
        assert!(with(ENTERPRISE_URN, ok.clone()).is_err());
        assert!(with("hr", ok).is_err());
        for bad in [
            json!([]),
            json!([{"name": "1x", "type": "string"}]),
            json!([{"name": "a", "type": "string"}, {"name": "A", "type": "string"}]),
            json!([{"name": "a", "type": "complex"}]),
            json!([{"name": "a", "type": "nonsense"}]),
        ] {
            assert!(with("urn:a:b:c", bad).is_err());
        }
    }
}
