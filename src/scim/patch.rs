//! PATCH: operations read from the wire and applied to a stored resource (RFC 7644 §3.5.2).
//!
//! Works on what a client may write (see [`super::resource`]); the members of a Group are rows and
//! are taken out first by [`super::members`]. Nothing here knows what is stored elsewhere, so
//! uniqueness and references are checked by the caller.

mod check;
mod edit;
mod list;
#[cfg(test)]
mod properties;
mod select;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde_json::{Map, Value};

use self::edit::Editor;
use super::error::{ScimError, ScimResult};
use super::json::MAX_TOP_LEVEL_KEYS;
use super::path::{self, Target};
use super::quirks;
use super::resource::Resource;
use super::schema::{ResourceSchema, Schema};

/// URN of the PATCH message (RFC 7644 §8.2).
pub const PATCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// Most operations in one request: each is applied to the whole resource.
pub const MAX_OPERATIONS: usize = 1_000;
/// Most bytes of extensions that nobody registered, so that many requests store no more than one
/// POST could, whose body has at most as many.
pub const MAX_FOREIGN_BYTES: usize = 1_048_576;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// RFC 7644 §3.5.2.1.
    Add,
    /// RFC 7644 §3.5.2.2.
    Remove,
    /// RFC 7644 §3.5.2.3.
    Replace,
}

/// One operation as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchOperation {
    /// What to do.
    pub op: Op,
    /// Where; `None` means the resource itself.
    pub path: Option<String>,
    /// With what; `Some(Null)` where the request says `null`.
    pub value: Option<Value>,
}

impl PatchOperation {
    /// The path; an empty one is none (RFC 7644 §3.5.2 lets `add` and `replace` do without).
    pub fn target(&self) -> Option<&str> {
        self.path.as_deref().filter(|p| !p.is_empty())
    }

    /// The value of an `add` or `replace`.
    ///
    /// # Errors
    /// `invalidValue`: there is none.
    pub fn required_value(&self) -> ScimResult<&Value> {
        self.value
            .as_ref()
            .ok_or_else(|| ScimError::invalid_value("An add or replace operation needs a value"))
    }
}

/// What a PATCH did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// Whether the resource differs from its state before.
    pub changed: bool,
    /// Names that no schema knows, for the request log (ruling 16).
    pub left_out: Vec<String>,
}

/// Reads the body of a PATCH.
///
/// # Errors
/// `invalidSyntax`: no operations, an unknown `op`, `schemas` without the `PatchOp` URN.
/// `invalidPath`: a path that is no text or too long. 413: too many operations.
pub fn parse(mut body: Map<String, Value>) -> ScimResult<Vec<PatchOperation>> {
    check_schemas(take(&mut body, "schemas")?)?;
    let operations = match take(&mut body, "Operations")? {
        Some(Value::Array(operations)) if !operations.is_empty() => operations,
        _ => {
            return Err(ScimError::invalid_syntax("Operations must be a list of at least one"));
        }
    };
    if operations.len() > MAX_OPERATIONS {
        return Err(ScimError::too_large(format!(
            "{} operations, more than {MAX_OPERATIONS}",
            operations.len()
        )));
    }
    operations.into_iter().map(parse_operation).collect()
}

fn take(map: &mut Map<String, Value>, name: &str) -> ScimResult<Option<Value>> {
    let value = quirks::take(map, name);
    if quirks::take(map, name).is_some() {
        return Err(ScimError::invalid_syntax(format!("{name} stands twice, in two spellings")));
    }
    Ok(value)
}

fn check_schemas(declared: Option<Value>) -> ScimResult<()> {
    let named = |urn: &Value| urn.as_str().is_some_and(|u| u.eq_ignore_ascii_case(PATCH_URN));
    let good = match declared {
        None | Some(Value::Null) => true,
        Some(Value::Array(urns)) => urns.iter().any(named),
        Some(other) => named(&other),
    };
    if good {
        Ok(())
    } else {
        Err(ScimError::invalid_syntax(format!("schemas must name {PATCH_URN}")))
    }
}

fn parse_operation(operation: Value) -> ScimResult<PatchOperation> {
    let Value::Object(mut operation) = operation else {
        return Err(ScimError::invalid_syntax("Every operation must be an object"));
    };
    let op = take(&mut operation, "op")?;
    let Some(op) = op.as_ref().and_then(Value::as_str).and_then(quirks::operation) else {
        return Err(ScimError::invalid_syntax("op must be add, remove or replace"));
    };
    let path = match take(&mut operation, "path")? {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) if path.len() <= path::MAX_BYTES => Some(path),
        Some(Value::String(_)) => {
            return Err(ScimError::invalid_path(format!(
                "The path is longer than {} bytes",
                path::MAX_BYTES
            )));
        }
        Some(_) => return Err(ScimError::invalid_path("path must be a text")),
    };
    Ok(PatchOperation { op, path, value: take(&mut operation, "value")? })
}

/// Applies all operations in their order.
///
/// On `Err` the resource is half changed, and the caller drops it: all operations succeed or none
/// is seen (RFC 7644 §3.5.2).
///
/// # Errors
/// `noTarget`, `invalidPath`, `invalidValue`, `invalidFilter` or `mutability`, as RFC 7644 table 9
/// has them; 413 where unregistered extensions grow beyond [`MAX_FOREIGN_BYTES`].
pub fn apply(
    schema: &ResourceSchema,
    resource: &mut Resource,
    ops: &[PatchOperation],
) -> ScimResult<Applied> {
    let before = resource.clone();
    let mut left_out = Vec::new();
    for operation in ops {
        let mut patch = Patch {
            schema,
            map: &mut resource.0,
            editor: Editor::new(schema, operation.op, &mut left_out),
        };
        match (operation.op, operation.target()) {
            (Op::Remove, None) => {
                return Err(ScimError::no_target("A remove operation needs a path"));
            }
            (Op::Remove, Some(path)) => patch.remove(path, operation.value.as_ref())?,
            (Op::Add | Op::Replace, path) => {
                patch.write(path, operation.required_value()?.clone())?;
            }
        }
    }
    let changed = *resource != before;
    if changed {
        check::all(schema, &before, resource)?;
    }
    Ok(Applied { changed, left_out })
}

/// One operation under way.
struct Patch<'s, 'r> {
    schema: &'s ResourceSchema,
    map: &'r mut Map<String, Value>,
    editor: Editor<'s, 'r>,
}

impl<'s> Patch<'s, '_> {
    fn remove(&mut self, path: &str, value: Option<&Value>) -> ScimResult<()> {
        let target = path::find(self.schema, path)?;
        refuse_read_only(&target, path)?;
        match target {
            Target::Resource => {
                return Err(ScimError::no_target("A remove operation needs an attribute"));
            }
            Target::Ignored => {}
            Target::Extension(extension) => {
                self.map.shift_remove(&extension.id);
            }
            Target::Foreign(urn) => {
                if let Some(key) = self.foreign_key(&urn) {
                    self.map.shift_remove(&key);
                }
            }
            Target::Attribute(place, None) if place.sub.is_none() && place.attribute.required => {
                // RFC 7644 §3.5.2.2: at once, whatever the request says next.
                return Err(ScimError::mutability(format!("{path} is required")));
            }
            Target::Attribute(place, selection) => {
                self.in_holder(place.extension, |editor, holder| {
                    editor.remove(holder, place, selection.as_deref(), value)
                })?;
            }
        }
        Ok(())
    }

    fn write(&mut self, path: Option<&str>, value: Value) -> ScimResult<()> {
        let Some(path) = path else { return self.write_resource(value) };
        let target = path::find(self.schema, path)?;
        refuse_read_only(&target, path)?;
        let known = match target {
            Target::Resource => return self.write_resource(value),
            Target::Ignored => true,
            Target::Attribute(..) => self.write_attribute(target, value).map(|()| true)?,
            Target::Extension(extension) => self.write_extension(extension, value)?,
            Target::Foreign(urn) => self.write_foreign(&urn, value),
        };
        if known { Ok(()) } else { Err(nothing_known()) }
    }

    /// A value without a path: one write a key (RFC 7644 §3.5.2.1; rules 6 and 9, rows 29, 30, 33).
    fn write_resource(&mut self, value: Value) -> ScimResult<()> {
        let Value::Object(map) = value else {
            return Err(ScimError::invalid_value("A value without a path must be an object"));
        };
        if map.is_empty() || self.write_keys(map, None)? { Ok(()) } else { Err(nothing_known()) }
    }

    /// Writes every key; returns whether a schema knows one of them.
    fn write_keys(&mut self, map: Map<String, Value>, urn: Option<&str>) -> ScimResult<bool> {
        if map.len() > MAX_TOP_LEVEL_KEYS {
            return Err(ScimError::invalid_value(format!(
                "A value has {} keys, more than {MAX_TOP_LEVEL_KEYS}",
                map.len()
            )));
        }
        let mut known = false;
        let mut seen = HashSet::new();
        for (key, value) in map {
            let name = urn.map_or_else(|| key.clone(), |urn| format!("{urn}:{key}"));
            let target = match path::find_key(self.schema, &name) {
                Ok(target) if urn.is_none() || matches!(target, Target::Attribute(..)) => target,
                Ok(_) | Err(_) => {
                    self.editor.leave_out(name, &value);
                    continue;
                }
            };
            let canonical = match &target {
                Target::Attribute(place, None) => place.to_string(),
                Target::Extension(extension) => extension.id.clone(),
                _ => name.to_ascii_lowercase(),
            };
            if !seen.insert(canonical) {
                return Err(ScimError::invalid_syntax(format!(
                    "{name} stands twice, in two spellings"
                )));
            }
            known |= self.write_key(target, name, value)?;
        }
        Ok(known)
    }

    /// One key of a value without a path; returns whether a schema knows it.
    fn write_key(&mut self, target: Target<'s>, name: String, value: Value) -> ScimResult<bool> {
        if target.is_read_only() {
            return Ok(true);
        }
        match target {
            Target::Ignored => Ok(true),
            Target::Extension(extension) => self.write_extension(extension, value),
            Target::Resource => match value {
                Value::Object(map) => self.write_keys(map, None),
                _ => Err(ScimError::invalid_value(format!("{name} must be an object"))),
            },
            Target::Foreign(urn) => {
                let known = value.is_null() || self.write_foreign(&urn, value.clone());
                if !known {
                    self.editor.leave_out(name, &value);
                }
                Ok(known)
            }
            Target::Attribute(..) => self.write_attribute(target, value).map(|()| true),
        }
    }

    fn write_attribute(&mut self, target: Target<'s>, value: Value) -> ScimResult<()> {
        let Target::Attribute(place, selection) = target else { return Ok(()) };
        self.in_holder(place.extension, |editor, holder| {
            editor.write(holder, place, selection.as_deref(), value)
        })
    }

    /// Edits the object in which an attribute stands: the resource or one of its extensions.
    fn in_holder(
        &mut self,
        extension: Option<&str>,
        edit: impl FnOnce(&mut Editor<'s, '_>, &mut Map<String, Value>) -> ScimResult<()>,
    ) -> ScimResult<()> {
        let Some(urn) = extension else { return edit(&mut self.editor, self.map) };
        let mut holder = edit::take_object(self.map, urn);
        edit(&mut self.editor, &mut holder)?;
        edit::put(self.map, urn, Value::Object(holder));
        Ok(())
    }

    /// The object of a registered extension: merged by `add` and `replace` alike (rule 6).
    fn write_extension(&mut self, extension: &Schema, value: Value) -> ScimResult<bool> {
        match value {
            Value::Object(map) => Ok(map.is_empty() || self.write_keys(map, Some(&extension.id))?),
            Value::Null => {
                if self.editor.op == Op::Replace {
                    self.map.shift_remove(&extension.id);
                }
                Ok(true)
            }
            _ => Err(ScimError::invalid_value(format!("{} must be an object", extension.id))),
        }
    }

    /// An extension that nobody registered, kept as sent (ruling 16). `false`: not an object.
    fn write_foreign(&mut self, urn: &str, value: Value) -> bool {
        let Value::Object(new) = value else { return false };
        let key = self.foreign_key(urn).unwrap_or_else(|| urn.to_owned());
        match (self.editor.op, self.map.get_mut(&key)) {
            (Op::Add, Some(Value::Object(old))) => old.extend(new),
            _ => edit::put(self.map, &key, Value::Object(new)),
        }
        true
    }

    /// The spelling in which the resource has this URN.
    fn foreign_key(&self, urn: &str) -> Option<String> {
        self.map.keys().find(|k| k.eq_ignore_ascii_case(urn)).cloned()
    }
}

fn nothing_known() -> ScimError {
    ScimError::invalid_path("The value has no attribute that a schema of this resource knows")
}

/// RFC 7643 §7: a readOnly attribute SHALL NOT be modified.
fn refuse_read_only(target: &Target, path: &str) -> ScimResult<()> {
    if target.is_read_only() {
        return Err(ScimError::mutability(format!("{path} is readOnly")));
    }
    Ok(())
}
