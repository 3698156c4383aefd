//! Which attributes an answer shows: `attributes`, `excludedAttributes` and `returned`
//! (RFC 7644 §3.4.2.5, §3.9; RFC 7643 §2.2, §7).
//!
//! A [`Projection`] is resolved once a request and applied to each resource of the answer. It only
//! takes away: it never reads, computes or renames a value.

use serde_json::{Map, Value};

use super::error::{ScimError, ScimResult};
use super::schema::{Attribute, AttributePath, Found, ResourceSchema, Returned, is_urn};

/// Most names in one `attributes` or `excludedAttributes`.
pub const MAX_NAMES: usize = 200;

/// Splits the comma-separated value of a query parameter (RFC 7644 §3.9).
///
/// # Errors
/// `invalidValue`: more than [`MAX_NAMES`].
pub fn split_names(text: &str) -> ScimResult<Vec<String>> {
    check_names(text.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned))
}

/// Collects names, no more than [`MAX_NAMES`].
///
/// # Errors
/// `invalidValue`: too many.
pub fn check_names(names: impl Iterator<Item = String>) -> ScimResult<Vec<String>> {
    let names: Vec<String> = names.take(MAX_NAMES + 1).collect();
    if names.len() > MAX_NAMES {
        return Err(ScimError::invalid_value(format!("More than {MAX_NAMES} attribute names")));
    }
    Ok(names)
}

/// What an answer may show, resolved against the schema of its resources.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Projection {
    mode: Mode,
    names: Names,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    /// Every attribute that is returned by default.
    #[default]
    Default,
    /// The minimum set and what is named.
    Only,
    /// The default set without what is named.
    Except,
}

/// The names of a parameter, by what they were found to mean.
#[derive(Debug, Clone, PartialEq, Default)]
struct Names {
    /// Attributes and sub-attributes, in the schema's spelling.
    paths: Vec<AttributePath>,
    /// URNs of whole schemas, the core one's too, in the schema's spelling.
    schemas: Vec<String>,
    /// URNs that no schema knows: an extension that nobody registered, or an attribute of it.
    foreign: Vec<String>,
}

/// How far an attribute is named.
#[derive(Debug, PartialEq, Eq)]
enum Named<'n> {
    No,
    /// By its own name.
    Whole,
    /// By the URN of its schema.
    BySchema,
    /// By some of its sub-attributes.
    Subs(Vec<&'n str>),
}

impl Projection {
    /// Resolves the two parameters; missing and empty ones ask for nothing. Names that the schema
    /// does not know are ignored.
    ///
    /// # Errors
    /// `invalidValue`: both are given (RFC 7644 §3.9: mutually exclusive).
    pub fn new(
        schema: &ResourceSchema,
        attributes: Option<&[String]>,
        excluded: Option<&[String]>,
    ) -> ScimResult<Self> {
        let given = |names: Option<&[String]>| names.is_some_and(|n| !n.is_empty());
        match (given(attributes), given(excluded)) {
            (true, true) => Err(ScimError::invalid_value(
                "attributes and excludedAttributes exclude each other (RFC 7644 §3.9)",
            )),
            (true, false) => Ok(Self { mode: Mode::Only, names: Names::find(schema, attributes) }),
            (false, true) => Ok(Self { mode: Mode::Except, names: Names::find(schema, excluded) }),
            (false, false) => Ok(Self::default()),
        }
    }

    /// Whether nothing was asked for: a stored document may be answered whole where its schema
    /// [`answers_whole`](ResourceSchema::answers_whole).
    pub fn is_default(&self) -> bool {
        self.mode == Mode::Default
    }

    /// Whether an answer needs this core attribute, or this extension, given by its URN. What is
    /// not needed (`members`, `groups`) does not have to be read at all.
    pub fn wants(&self, name: &str) -> bool {
        let is_extension = is_urn(name);
        let named_in_part = self.names.paths.iter().any(|p| match &p.extension {
            Some(urn) => is_extension && urn.eq_ignore_ascii_case(name),
            None => p.name.eq_ignore_ascii_case(name),
        });
        let named_whole =
            self.names.paths.iter().any(|p| {
                p.extension.is_none() && p.sub.is_none() && p.name.eq_ignore_ascii_case(name)
            });
        let schema_named = self.names.schemas.iter().any(|urn| {
            if is_extension { urn.eq_ignore_ascii_case(name) } else { is_core_urn(urn) }
        });
        match self.mode {
            Mode::Default => true,
            Mode::Only => named_in_part || schema_named,
            Mode::Except => !(named_whole || is_extension && schema_named),
        }
    }

    /// Leaves in `resource` (whole, with `schemas`, `id`, `meta` and extensions under their URNs)
    /// what the answer may show. The list in `schemas` stays as it is.
    pub fn apply(&self, schema: &ResourceSchema, resource: &mut Map<String, Value>) {
        resource.retain(|key, value| {
            if let Some(extension) = schema.extension(key) {
                return self.keep_extension(&extension.attributes, &extension.id, value);
            }
            if let Some(attribute) = schema.attribute(key) {
                let core = schema.core();
                let home = core.attribute(key).map(|_| core.id.as_str());
                return self.keep(attribute, None, home, value);
            }
            if is_urn(key) { self.keep_foreign(key, value) } else { self.mode != Mode::Only }
        });
    }

    /// Trims the object of a registered extension; whether anything is left of it.
    fn keep_extension(&self, attributes: &[Attribute], urn: &str, value: &mut Value) -> bool {
        let Value::Object(members) = value else { return false };
        members.retain(|key, value| {
            let known = attributes.iter().find(|a| a.name.eq_ignore_ascii_case(key));
            known.is_some_and(|a| self.keep(a, Some(urn), Some(urn), value))
        });
        !members.is_empty()
    }

    /// Trims one attribute's value; whether anything of it is shown. `home` is the URN by which its
    /// whole schema would be named; the common attributes have none.
    fn keep(
        &self,
        attribute: &Attribute,
        extension: Option<&str>,
        home: Option<&str>,
        value: &mut Value,
    ) -> bool {
        let named = self.names.find_attribute(extension, &attribute.name, home);
        let shown = match (attribute.returned, self.mode, &named) {
            (Returned::Never, _, _) => false,
            (Returned::Always, _, _) => true,
            (Returned::Request, Mode::Only, Named::Whole | Named::Subs(_)) => true,
            // An extension asked for by its URN is asked for whole.
            (Returned::Request, Mode::Only, Named::BySchema) => extension.is_some(),
            (Returned::Request, _, _) | (Returned::Default, Mode::Only, Named::No) => false,
            (Returned::Default, Mode::Default | Mode::Only, _) => true,
            (Returned::Default, Mode::Except, named) => {
                !matches!(named, Named::Whole | Named::BySchema)
            }
        };
        shown && (attribute.sub_attributes.is_empty() || self.keep_subs(attribute, &named, value))
    }

    /// Trims each element of a complex attribute; whether any is left.
    fn keep_subs(&self, attribute: &Attribute, named: &Named<'_>, value: &mut Value) -> bool {
        let subs = if let Named::Subs(subs) = named { subs.as_slice() } else { &[] };
        let keeps = |key: &str| {
            let Some(sub) = attribute.sub(key) else { return false };
            let is_named = subs.contains(&sub.name.as_str());
            match sub.returned {
                Returned::Never => false,
                Returned::Always => true,
                Returned::Request => self.mode == Mode::Only && is_named,
                Returned::Default => match self.mode {
                    Mode::Only => is_named || subs.is_empty(),
                    Mode::Except => !is_named,
                    Mode::Default => true,
                },
            }
        };
        let trim = |element: &mut Value| match element {
            Value::Object(members) => {
                members.retain(|key, _| keeps(key));
                !members.is_empty()
            }
            _ => true,
        };
        match value {
            Value::Array(elements) => {
                elements.retain_mut(trim);
                !elements.is_empty() || attribute.returned == Returned::Always
            }
            single => trim(single),
        }
    }

    /// An extension that nobody registered (ruling 16): no schema says where its URN
    /// ends and an attribute begins, so the key of the resource decides.
    fn keep_foreign(&self, urn: &str, value: &mut Value) -> bool {
        if self.mode == Mode::Default {
            return true;
        }
        let (only, mut whole, mut inner) = (self.mode == Mode::Only, false, Vec::new());
        for name in &self.names.foreign {
            match after_urn(name, urn) {
                Some("") => whole = true,
                Some(rest) => inner.extend(rest.strip_prefix(':')),
                None => {}
            }
        }
        if whole || inner.is_empty() {
            return whole == only;
        }
        let Value::Object(members) = value else { return !only };
        members.retain(|key, _| inner.iter().any(|n| n.eq_ignore_ascii_case(key)) == only);
        !members.is_empty()
    }
}

impl Names {
    fn find(schema: &ResourceSchema, names: Option<&[String]>) -> Self {
        let mut found = Self::default();
        for name in names.unwrap_or_default() {
            match schema.find(name) {
                Some(Found::Extension(extension)) => found.schemas.push(extension.id.clone()),
                Some(attribute) => found.paths.extend(attribute.path()),
                None if name.eq_ignore_ascii_case(&schema.core().id) => {
                    found.schemas.push(schema.core().id.clone());
                }
                None if is_urn(name) => found.foreign.push(name.clone()),
                None => {}
            }
        }
        found
    }

    fn find_attribute(&self, extension: Option<&str>, name: &str, home: Option<&str>) -> Named<'_> {
        let mut subs = Vec::new();
        for path in &self.paths {
            if path.extension.as_deref() == extension && path.name == name {
                match &path.sub {
                    None => return Named::Whole,
                    Some(sub) => subs.push(sub.as_str()),
                }
            }
        }
        if home.is_some_and(|home| self.schemas.iter().any(|s| s == home)) {
            Named::BySchema
        } else if subs.is_empty() {
            Named::No
        } else {
            Named::Subs(subs)
        }
    }
}

/// What follows `urn` in `name`, whatever the case.
fn after_urn<'n>(name: &'n str, urn: &str) -> Option<&'n str> {
    let (head, rest) = (name.get(..urn.len())?, name.get(urn.len()..)?);
    head.eq_ignore_ascii_case(urn).then_some(rest)
}

fn is_core_urn(urn: &str) -> bool {
    [super::schema::USER_URN, super::schema::GROUP_URN].contains(&urn)
}

#[cfg(test)]
mod tests;
