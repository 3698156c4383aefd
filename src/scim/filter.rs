//! SCIM filters: text to tree, tree to a [`Condition`] on known attributes (RFC 7644 §3.4.2.2).
//!
//! `scim_v2` has the grammar; this module adds the limits, the schema and what clients send beside
//! the grammar. A condition is all that an evaluator needs: names are resolved, operands are keys
//! (see [`super::value`]), so that memory and SQL cannot answer differently. Nothing here touches a
//! database.

mod evaluate;
#[cfg(test)]
mod properties;
mod resolve;
mod simple;
#[cfg(test)]
mod tests;
mod text;

pub use scim_v2::filter::CompareOp;
use scim_v2::filter::{
    AttrExp, CompValue, Filter, ParseError, PatchPath, PatchValuePath, ValFilter,
};

pub use evaluate::{element_matches, matches};
pub use resolve::{operand_value, resolve, resolve_value_filter};
pub use text::{MAX_BYTES, MAX_DEPTH, MAX_PATH_DEPTH};

use super::error::{ScimError, ScimResult};
use super::json::is_clean;
use super::quirks;
use super::schema::{AttributePath, ResourceSchema};

/// Most expressions in one filter; clients send fewer than twenty.
pub const MAX_TERMS: usize = 100;

/// A filter resolved against a schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Some value of the simple attribute compares so with `key`, byte by byte.
    Compare {
        /// A simple attribute or sub-attribute, or `schemas`.
        path: AttributePath,
        /// Never `Ne`, which is `Not` of `Eq`.
        op: CompareOp,
        /// The operand as [`super::value::key`] gives it; for `schemas` a URN in lower case.
        key: String,
    },
    /// `pr`: some value that is not an empty text, at any depth of the attribute.
    Present(AttributePath),
    /// `emails[…]`: one element of the multi-valued attribute satisfies the condition, whose paths
    /// are whole (`emails.type`).
    Element {
        /// The multi-valued complex attribute.
        path: AttributePath,
        /// What one element must satisfy.
        condition: Box<Condition>,
    },
    /// The condition does not hold; so also where the attribute is absent.
    Not(Box<Condition>),
    /// All hold; true of none.
    And(Vec<Condition>),
    /// One holds; false of none.
    Or(Vec<Condition>),
}

impl Condition {
    /// What every resource satisfies, or none.
    fn constant(holds: bool) -> Self {
        if holds { Self::And(Vec::new()) } else { Self::Or(Vec::new()) }
    }

    fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }
}

/// Reads a filter within its limits (bytes, depth, terms), in any of the spellings that clients use.
///
/// # Errors
/// `invalidFilter`: malformed, too long, too deep, too many terms, a control character in a text.
pub fn parse(text: &str) -> ScimResult<Filter> {
    simple::parse(text).map_or_else(|| parse_by_grammar(text), Ok)
}

fn parse_by_grammar(text: &str) -> ScimResult<Filter> {
    let wrong = |why: &str| ScimError::invalid_filter(format!("The filter {why}"));
    let text = text::rewrite(text, text::Form::Filter).map_err(|why| wrong(&why))?;
    let filter: Filter = text.parse().map_err(|e| wrong(reason(&e)))?;
    let mut terms = Vec::new();
    collect(&filter, &mut terms);
    check_terms(&terms).map_err(|why| wrong(&why))?;
    Ok(filter)
}

/// Reads a PATCH path with a value filter: `emails[type eq "work"].value` (RFC 7644 §3.5.2).
///
/// # Errors
/// `invalidPath`, for the same reasons as [`parse`].
pub fn parse_value_path(text: &str) -> ScimResult<PatchValuePath> {
    let wrong = |why: &str| ScimError::invalid_path(format!("The path {why}"));
    let text = text::rewrite(text, text::Form::Path).map_err(|why| wrong(&why))?;
    let path: PatchPath = text.parse().map_err(|e| wrong(reason(&e)))?;
    let PatchPath::Value(mut path) = path else {
        return Err(wrong("has no value filter"));
    };
    let mut terms = Vec::new();
    collect_values(&path.filter, &mut terms);
    check_terms(&terms).map_err(|why| wrong(&why))?;
    path.sub_attr = path.sub_attr.map(|sub| quirks::with_dollar(&sub).into_owned());
    Ok(path)
}

/// Why the grammar refuses a text, without repeating it.
fn reason(error: &ParseError) -> &'static str {
    match error {
        ParseError::InvalidToken { .. } => "has a character that does not belong there",
        ParseError::UnrecognizedEof { .. } => "ends too early",
        ParseError::UnrecognizedToken { .. } | ParseError::ExtraToken { .. } => {
            "has a word or bracket that does not belong there (RFC 7644 §3.4.2.2)"
        }
        ParseError::User { .. } => "has a malformed name or value, or is too large",
    }
}

fn check_terms(terms: &[&AttrExp]) -> Result<(), String> {
    if terms.len() > MAX_TERMS {
        return Err(format!("has more than {MAX_TERMS} terms"));
    }
    let dirty = |term: &&AttrExp| matches!(term, AttrExp::Comparison(_, _, CompValue::Str(s)) if !is_clean(s));
    if terms.iter().any(dirty) {
        return Err("has a control character in a text".to_owned());
    }
    Ok(())
}

fn collect<'f>(filter: &'f Filter, terms: &mut Vec<&'f AttrExp>) {
    match filter {
        Filter::Attr(term) => terms.push(term),
        Filter::ValuePath(path) => collect_values(&path.filter, terms),
        Filter::Not(inner) => collect(inner, terms),
        Filter::And(items) | Filter::Or(items) => items.iter().for_each(|i| collect(i, terms)),
    }
}

fn collect_values<'f>(filter: &'f ValFilter, terms: &mut Vec<&'f AttrExp>) {
    match filter {
        ValFilter::Attr(term) => terms.push(term),
        ValFilter::Not(inner) => collect_values(inner, terms),
        ValFilter::And(items) | ValFilter::Or(items) => {
            items.iter().for_each(|i| collect_values(i, terms));
        }
    }
}

/// Parses and resolves.
///
/// # Errors
/// As [`parse`] and [`resolve`].
pub fn compile(schema: &ResourceSchema, text: &str) -> ScimResult<Condition> {
    resolve(schema, &parse(text)?)
}
