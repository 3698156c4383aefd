//! What the path of a PATCH operation, or a key of its value, points at (RFC 7644 §3.5.2).
//!
//! It finds; it never changes anything, and whether a target may be written is asked of
//! [`Target::is_read_only`].

use std::fmt;

use scim_v2::filter::ValFilter;

use super::error::{ScimError, ScimResult};
use super::filter::{self, Condition};
use super::quirks;
use super::resource::is_ignored;
use super::schema::{Attribute, AttributePath, Found, Mutability, ResourceSchema, Schema, is_urn};

/// Longest path in bytes; clients send fewer than 200.
pub const MAX_BYTES: usize = 1_024;

/// What a path points at.
#[derive(Debug, Clone)]
pub enum Target<'s> {
    /// The resource itself: no path, or the URN of its core schema.
    Resource,
    /// A whole registered extension.
    Extension(&'s Schema),
    /// A whole extension that nobody registered, by its URN (ruling 16).
    Foreign(String),
    /// An attribute, a sub-attribute, or the elements of a list that a filter selects.
    Attribute(Place<'s>, Option<Box<Selection>>),
    /// What is taken and dropped: `password` (ruling 10).
    Ignored,
}

/// An attribute or sub-attribute by its definition.
#[derive(Debug, Clone, Copy)]
pub struct Place<'s> {
    /// URN of the extension; `None` in the core schema.
    pub extension: Option<&'s str>,
    /// The attribute.
    pub attribute: &'s Attribute,
    /// The sub-attribute.
    pub sub: Option<&'s Attribute>,
}

/// The filter in the brackets of a value path.
#[derive(Debug, Clone)]
pub struct Selection {
    /// As written; what an element is created from where none matches (rule 5).
    pub filter: ValFilter,
    /// As evaluated.
    pub condition: Condition,
}

impl Place<'_> {
    /// The path in canonical spelling.
    pub fn path(&self) -> AttributePath {
        AttributePath {
            extension: self.extension.map(str::to_owned),
            name: self.attribute.name.clone(),
            sub: self.sub.map(|s| s.name.clone()),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().fmt(f)
    }
}

impl Target<'_> {
    /// Whether everything there is the server's own (RFC 7643 §2.2, `readOnly`).
    pub fn is_read_only(&self) -> bool {
        let read_only = |a: &Attribute| a.mutability == Mutability::ReadOnly;
        match self {
            Target::Attribute(place, _) => {
                read_only(place.attribute) || place.sub.is_some_and(read_only)
            }
            Target::Extension(schema) => schema.attributes.iter().all(read_only),
            Target::Resource | Target::Foreign(_) | Target::Ignored => false,
        }
    }
}

/// What the path of an operation points at.
///
/// # Errors
/// `invalidPath`: malformed, too long, or nothing that a schema knows. `invalidFilter`: a filter in
/// brackets that is well formed and asks for what cannot be compared (RFC 7644 table 9).
pub fn find<'s>(schema: &'s ResourceSchema, path: &str) -> ScimResult<Target<'s>> {
    if path.len() > MAX_BYTES {
        return Err(ScimError::invalid_path(format!("The path is longer than {MAX_BYTES} bytes")));
    }
    if path.contains('[') {
        return find_value_path(schema, path);
    }
    find_key(schema, path)
}

/// What a key of a value without a path points at: as [`find`], without value filters, which no
/// client is known to write there and which cost far more to read than any other key.
///
/// # Errors
/// `invalidPath`: nothing that a schema knows.
pub fn find_key<'s>(schema: &'s ResourceSchema, path: &str) -> ScimResult<Target<'s>> {
    match schema.find(path) {
        Some(Found::Extension(extension)) => Ok(Target::Extension(extension)),
        Some(Found::Attribute { extension, attribute, sub }) => {
            Ok(Target::Attribute(Place { extension, attribute, sub }, None))
        }
        None => find_unknown(schema, path),
    }
}

fn unknown(path: &str) -> ScimError {
    ScimError::invalid_path(format!("{} is not a known attribute", path.escape_debug()))
}

fn find_unknown<'s>(schema: &'s ResourceSchema, path: &str) -> ScimResult<Target<'s>> {
    let core = &schema.core().id;
    if path.eq_ignore_ascii_case(core) {
        return Ok(Target::Resource);
    }
    let below = |urn: &str| {
        path.get(..urn.len()).is_some_and(|head| head.eq_ignore_ascii_case(urn))
            && path.get(urn.len()..).is_some_and(|rest| rest.starts_with([':', '.']))
    };
    let own_name = path.get(core.len() + 1..).filter(|_| below(core)).unwrap_or(path);
    if is_ignored(own_name) {
        return Ok(Target::Ignored);
    }
    let misspelt = below(core) || schema.extensions().any(|e| below(&e.id));
    if is_urn(path) && !misspelt {
        Ok(Target::Foreign(path.to_owned()))
    } else {
        Err(unknown(path))
    }
}

fn find_value_path<'s>(schema: &'s ResourceSchema, path: &str) -> ScimResult<Target<'s>> {
    let parsed = filter::parse_value_path(path)?;
    let name = quirks::with_dollar(&parsed.attr.to_string()).into_owned();
    let Some(Found::Attribute { extension, attribute, sub: None }) = schema.find(&name) else {
        return Err(unknown(&name));
    };
    if !attribute.multi_valued {
        return Err(ScimError::invalid_path(format!("{name} is no list to select values from")));
    }
    let sub = match &parsed.sub_attr {
        None => None,
        Some(sub) => {
            Some(attribute.sub(sub).ok_or_else(|| unknown(&format!("{}.{sub}", attribute.name)))?)
        }
    };
    let condition = filter::resolve_value_filter(extension, attribute, &parsed.filter)?;
    let selection = Selection { filter: parsed.filter, condition };
    Ok(Target::Attribute(Place { extension, attribute, sub }, Some(Box::new(selection))))
}
