//! From the tree of a filter to a condition on known attributes (RFC 7644 §3.4.2.2).
//!
//! Every question about the schema is answered here: which attribute a name means, whether it may
//! be asked about, whether operator and operand fit its type. It never looks at a resource.

use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter, ValFilter};
use serde_json::Value;

use super::Condition;
use super::evaluate::compares;
use crate::scim::error::{ScimError, ScimResult};
use crate::scim::quirks;
use crate::scim::schema::{
    Attribute, AttributePath, Found, Kind, Mutability, ResourceSchema, Returned, STATUS_URN,
};
use crate::scim::value;

/// Finds the attributes of a filter and brings its operands into their types.
///
/// # Errors
/// `invalidFilter`: an unknown attribute, one that may not be read, an operator or operand that
/// does not fit the attribute's type.
pub fn resolve(schema: &ResourceSchema, filter: &Filter) -> ScimResult<Condition> {
    let all = |items: &[Filter]| -> ScimResult<Vec<Condition>> {
        items.iter().map(|i| resolve(schema, i)).collect()
    };
    Ok(match filter {
        Filter::Attr(term) => resource_term(schema, term)?,
        Filter::ValuePath(path) => value_path(schema, &path.attr, &path.filter)?,
        Filter::Not(inner) => resolve(schema, inner)?.negated(),
        Filter::And(items) => Condition::And(all(items)?),
        Filter::Or(items) => Condition::Or(all(items)?),
    })
}

/// A path as it was written; the schema, not the grammar, knows where a URN ends.
fn written(path: &AttrPath) -> String {
    quirks::with_dollar(&path.to_string()).into_owned()
}

fn resource_term(schema: &ResourceSchema, term: &AttrExp) -> ScimResult<Condition> {
    let (AttrExp::Present(path) | AttrExp::Comparison(path, ..)) = term;
    let name = written(path);
    match schema.find(&name).or_else(|| schema.find_in_extensions(&name)) {
        Some(Found::Attribute { extension, attribute, sub }) => {
            attribute_term(schema, extension, (attribute, sub), term)
        }
        Some(Found::Extension(extension)) => extension_term(schema, &extension.id, term),
        None if name.eq_ignore_ascii_case(&schema.core().id) => {
            extension_term(schema, &schema.core().id, term)
        }
        None => Err(unknown(&name)),
    }
}

fn unknown(name: &str) -> ScimError {
    ScimError::invalid_filter(format!("{name} is not an attribute that can be filtered on"))
}

fn extension_term(schema: &ResourceSchema, urn: &str, term: &AttrExp) -> ScimResult<Condition> {
    match term {
        AttrExp::Present(_) => Ok(has_schema(schema, urn)),
        AttrExp::Comparison(..) => {
            Err(ScimError::invalid_filter(format!("{urn} can only be tested with pr")))
        }
    }
}

/// `schemas eq "urn"`: the core schema and our own extension are in every resource.
fn has_schema(schema: &ResourceSchema, urn: &str) -> Condition {
    let everywhere = urn.eq_ignore_ascii_case(&schema.core().id)
        || (urn.eq_ignore_ascii_case(STATUS_URN) && schema.extension(STATUS_URN).is_some());
    if everywhere {
        return Condition::constant(true);
    }
    let path = AttributePath::core("schemas");
    Condition::Compare { path, op: CompareOp::Eq, key: urn.to_ascii_lowercase() }
}

fn attribute_term(
    schema: &ResourceSchema,
    extension: Option<&str>,
    (attribute, sub): (&Attribute, Option<&Attribute>),
    term: &AttrExp,
) -> ScimResult<Condition> {
    let path = AttributePath {
        extension: extension.map(str::to_owned),
        name: attribute.name.clone(),
        sub: sub.map(|s| s.name.clone()),
    };
    check_readable(&path, attribute, sub)?;
    if extension.is_none() && attribute.name == "schemas" {
        return schemas_term(schema, term);
    }
    if extension.is_none() && attribute.name == "meta" {
        match path.sub.as_deref() {
            None => return meta_term(term),
            Some("resourceType") => {
                return resource_type_term(schema, sub.unwrap_or(attribute), term);
            }
            Some(_) => {}
        }
    }
    simple_term(path, attribute, sub, term)
}

/// One expression about an attribute whose values are stored.
fn simple_term(
    mut path: AttributePath,
    attribute: &Attribute,
    sub: Option<&Attribute>,
    term: &AttrExp,
) -> ScimResult<Condition> {
    let (op, operand) = match term {
        AttrExp::Present(_) => return Ok(Condition::Present(path)),
        AttrExp::Comparison(_, CompareOp::Eq, CompValue::Null) => {
            return Ok(Condition::Present(path).negated());
        }
        AttrExp::Comparison(_, CompareOp::Ne, CompValue::Null) => {
            return Ok(Condition::Present(path));
        }
        AttrExp::Comparison(_, op, operand) => (op, operand),
    };
    let simple = match sub {
        Some(sub) => sub,
        None if attribute.kind == Kind::Complex => {
            // `emails eq "x"` asks for the `value` (RFC 7643 §2.4).
            let Some(value) = attribute.sub("value") else {
                return Err(ScimError::invalid_filter(format!(
                    "{path} is complex: compare one of its sub-attributes"
                )));
            };
            check_readable(&path, attribute, Some(value))?;
            path.sub = Some(value.name.clone());
            value
        }
        None => attribute,
    };
    compare(path, simple, op, operand)
}

/// Refuses what an answer never shows, since filters would tell it letter by letter, and what is made
/// only for an answer.
fn check_readable(
    path: &AttributePath,
    attribute: &Attribute,
    sub: Option<&Attribute>,
) -> ScimResult<()> {
    let hidden =
        |a: &Attribute| a.returned == Returned::Never || a.mutability == Mutability::WriteOnly;
    let made = path.extension.is_none()
        && matches!(
            (path.name.as_str(), path.sub.as_deref()),
            ("meta", Some("location" | "version")) | ("members" | "groups", Some("$ref"))
        );
    if made || hidden(attribute) || sub.is_some_and(hidden) {
        return Err(unknown(&path.to_string()));
    }
    Ok(())
}

fn schemas_term(schema: &ResourceSchema, term: &AttrExp) -> ScimResult<Condition> {
    match term {
        AttrExp::Present(_) | AttrExp::Comparison(_, CompareOp::Ne, CompValue::Null) => {
            Ok(Condition::constant(true))
        }
        AttrExp::Comparison(_, CompareOp::Eq, CompValue::Null) => Ok(Condition::constant(false)),
        AttrExp::Comparison(_, CompareOp::Eq, CompValue::Str(urn)) => Ok(has_schema(schema, urn)),
        AttrExp::Comparison(_, CompareOp::Ne, CompValue::Str(urn)) => {
            Ok(has_schema(schema, urn).negated())
        }
        AttrExp::Comparison(..) => {
            Err(ScimError::invalid_filter("schemas can only be compared with eq, ne and pr"))
        }
    }
}

/// `meta` as a whole: every resource has one.
fn meta_term(term: &AttrExp) -> ScimResult<Condition> {
    match term {
        AttrExp::Present(_) | AttrExp::Comparison(_, CompareOp::Ne, CompValue::Null) => {
            Ok(Condition::constant(true))
        }
        AttrExp::Comparison(_, CompareOp::Eq, CompValue::Null) => Ok(Condition::constant(false)),
        AttrExp::Comparison(..) => {
            Err(ScimError::invalid_filter("meta is complex: compare one of its sub-attributes"))
        }
    }
}

/// `meta.resourceType`: known before any resource is read.
fn resource_type_term(
    schema: &ResourceSchema,
    attribute: &Attribute,
    term: &AttrExp,
) -> ScimResult<Condition> {
    let path =
        AttributePath { sub: Some("resourceType".to_owned()), ..AttributePath::core("meta") };
    let condition = simple_term(path, attribute, Some(attribute), term)?;
    Ok(Condition::constant(holds_for_type(&condition, schema.resource_type.name())))
}

fn holds_for_type(condition: &Condition, name: &str) -> bool {
    match condition {
        Condition::Compare { op, key, .. } => compares(op, name, key),
        Condition::Not(inner) => !holds_for_type(inner, name),
        _ => true,
    }
}

/// The operand of a comparison as JSON.
pub fn operand_value(operand: &CompValue) -> Value {
    match operand {
        CompValue::True => Value::Bool(true),
        CompValue::False => Value::Bool(false),
        CompValue::Null => Value::Null,
        CompValue::Number(number) => Value::Number(number.clone()),
        CompValue::Str(text) => Value::String(text.clone()),
    }
}

/// A comparison of a simple attribute, its operand as a key.
fn compare(
    path: AttributePath,
    attribute: &Attribute,
    op: &CompareOp,
    operand: &CompValue,
) -> ScimResult<Condition> {
    let fits = match op {
        CompareOp::Eq | CompareOp::Ne => true,
        CompareOp::Co | CompareOp::Sw | CompareOp::Ew => {
            matches!(attribute.kind, Kind::String | Kind::Reference)
        }
        CompareOp::Gt | CompareOp::Ge | CompareOp::Lt | CompareOp::Le => {
            !matches!(attribute.kind, Kind::Boolean | Kind::Binary)
        }
    };
    if !fits {
        return Err(ScimError::invalid_filter(format!(
            "{op} cannot compare {path}, which is of type {:?}",
            attribute.kind
        )));
    }
    let operand = match operand_value(operand) {
        // Rule 4: Entra writes booleans as texts.
        Value::String(text) if attribute.kind == Kind::Boolean => {
            quirks::boolean_text(&text).map_or(Value::Null, Value::Bool)
        }
        other => other,
    };
    let Some(key) = value::key(attribute, &operand) else {
        return Err(ScimError::invalid_filter(format!(
            "{path} is of type {:?}, and the value to compare it with is not",
            attribute.kind
        )));
    };
    Ok(match op {
        CompareOp::Ne => Condition::Compare { path, op: CompareOp::Eq, key }.negated(),
        _ => Condition::Compare { path, op: op.clone(), key },
    })
}

/// `emails[type eq "work"]`.
fn value_path(
    schema: &ResourceSchema,
    path: &AttrPath,
    filter: &ValFilter,
) -> ScimResult<Condition> {
    let name = written(path);
    let Some(Found::Attribute { extension, attribute, sub: None }) = schema.find(&name) else {
        return Err(unknown(&name));
    };
    if attribute.kind != Kind::Complex {
        return Err(ScimError::invalid_filter(format!(
            "{} has no sub-attributes to filter on",
            attribute.name
        )));
    }
    let path = AttributePath {
        extension: extension.map(str::to_owned),
        name: attribute.name.clone(),
        sub: None,
    };
    check_readable(&path, attribute, None)?;
    if attribute.multi_valued {
        let condition = Box::new(resolve_value_filter(extension, attribute, filter)?);
        return Ok(Condition::Element { path, condition });
    }
    // A single complex value is its own only element.
    let inner = sub_terms(
        filter,
        &mut |sub, term| attribute_term(schema, extension, (attribute, Some(sub)), term),
        attribute,
    )?;
    let present = AttrExp::Present(AttrPath::with_name(&attribute.name));
    Ok(Condition::And(vec![attribute_term(schema, extension, (attribute, None), &present)?, inner]))
}

/// Resolves the filter of a value path against the sub-attributes of `attribute`, for
/// [`element_matches`](super::element_matches); of a list of simple values, `value` is the value itself.
///
/// # Errors
/// `invalidFilter`, as [`resolve`].
pub fn resolve_value_filter(
    extension: Option<&str>,
    attribute: &Attribute,
    filter: &ValFilter,
) -> ScimResult<Condition> {
    let whole = AttributePath {
        extension: extension.map(str::to_owned),
        name: attribute.name.clone(),
        sub: None,
    };
    sub_terms(
        filter,
        &mut |sub, term| {
            if attribute.kind != Kind::Complex {
                return simple_term(whole.clone(), attribute, None, term);
            }
            let path = AttributePath { sub: Some(sub.name.clone()), ..whole.clone() };
            check_readable(&path, attribute, Some(sub))?;
            simple_term(path, attribute, Some(sub), term)
        },
        attribute,
    )
}

/// Resolves every expression of a value filter by `resolve`, which gets the sub-attribute.
fn sub_terms<'s, F>(
    filter: &ValFilter,
    resolve: &mut F,
    attribute: &'s Attribute,
) -> ScimResult<Condition>
where
    F: FnMut(&'s Attribute, &AttrExp) -> ScimResult<Condition>,
{
    let mut all = |items: &[ValFilter]| {
        items.iter().map(|i| sub_terms(i, resolve, attribute)).collect::<ScimResult<Vec<_>>>()
    };
    match filter {
        ValFilter::And(items) => Ok(Condition::And(all(items)?)),
        ValFilter::Or(items) => Ok(Condition::Or(all(items)?)),
        ValFilter::Not(inner) => Ok(sub_terms(inner, resolve, attribute)?.negated()),
        ValFilter::Attr(term) => {
            let (AttrExp::Present(path) | AttrExp::Comparison(path, ..)) = term;
            let name = written(path);
            let sub = if attribute.kind == Kind::Complex {
                attribute.sub(&name)
            } else {
                name.eq_ignore_ascii_case("value").then_some(attribute)
            };
            let Some(sub) = sub else {
                return Err(unknown(&format!("{}[{name}]", attribute.name)));
            };
            resolve(sub, term)
        }
    }
}
