//! The members of a Group in requests: rows to add and to remove, never a list to rewrite.
//!
//! A PATCH is split into changes of members and operations on everything else (RFC 7644 §3.5.2), so
//! that no change of members loads a group's list. Whether a member is known, and what its type is,
//! is for the caller to find out.

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::error::{ScimError, ScimResult};
use super::filter::{CompareOp, Condition};
use super::json::MAX_TOP_LEVEL_KEYS;
use super::patch::{Op, PatchOperation};
use super::path::{self, Selection, Target};
use super::quirks;
use super::resource::MAX_MEMBERS;
use super::schema::{ResourceSchema, ResourceType};

/// Longest id of a member in characters, as of any text.
const MAX_VALUE: usize = 1_024;

/// One member that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The id of a User or Group.
    pub value: String,
    /// What the request says that it is; `None` where it does not (row 18).
    pub kind: Option<ResourceType>,
}

/// One change of a Group's members; they count in their order.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberChange {
    /// These are members too (rows 12 and 13).
    Add(Vec<Member>),
    /// These are members no more; a stranger among them is no error (rule 8).
    Remove(Vec<String>),
    /// Exactly these are members (row 15).
    Replace(Vec<Member>),
    /// Nobody is a member (row 14).
    Clear,
    /// Members that satisfy the condition on `value`, `type` or `display` are members no more.
    RemoveWhere(Condition),
}

/// The operations on other attributes, the changes of members, the names that no schema knows.
pub type Split = (Vec<PatchOperation>, Vec<MemberChange>, Vec<String>);

/// Splits the operations of a PATCH on a Group; both lists keep their order.
///
/// # Errors
/// `mutability`: a part of a member as target (all are immutable or readOnly, RFC 7643 §4.2);
/// otherwise as [`super::patch::apply`]. 413: more than [`MAX_MEMBERS`] members in the request.
pub fn split(schema: &ResourceSchema, ops: Vec<PatchOperation>) -> ScimResult<Split> {
    let mut splitter =
        Splitter { schema, rest: Vec::new(), changes: Vec::new(), left_out: Vec::new() };
    for operation in ops {
        let core = &schema.core().id;
        match operation.target().filter(|text| !text.eq_ignore_ascii_case(core)) {
            Some(text) => match members_at(path::find(schema, text))? {
                Some(selection) => splitter.change(operation.op, selection, operation.value)?,
                None => splitter.rest.push(operation),
            },
            None => splitter.whole(operation)?,
        }
    }
    let named: usize = splitter.changes.iter().map(named_members).sum();
    if named > MAX_MEMBERS {
        return Err(too_many(named));
    }
    Ok((splitter.rest, splitter.changes, splitter.left_out))
}

fn named_members(change: &MemberChange) -> usize {
    match change {
        MemberChange::Add(members) | MemberChange::Replace(members) => members.len(),
        MemberChange::Remove(ids) => ids.len(),
        MemberChange::Clear | MemberChange::RemoveWhere(_) => 0,
    }
}

fn too_many(count: usize) -> ScimError {
    ScimError::too_large(format!("members has {count} values, more than {MAX_MEMBERS}"))
}

/// What a target says of `members`; `None` where it is about something else.
///
/// A path that cannot be read is left to [`super::patch::apply`], which refuses it.
fn members_at(target: ScimResult<Target>) -> ScimResult<Option<Option<Box<Selection>>>> {
    match target {
        Ok(Target::Attribute(place, selection))
            if place.extension.is_none() && place.attribute.name == "members" =>
        {
            if place.sub.is_some() {
                return Err(ScimError::mutability(format!(
                    "{place} is immutable: remove the member and add another"
                )));
            }
            Ok(Some(selection))
        }
        _ => Ok(None),
    }
}

struct Splitter<'s> {
    schema: &'s ResourceSchema,
    rest: Vec<PatchOperation>,
    changes: Vec<MemberChange>,
    left_out: Vec<String>,
}

impl Splitter<'_> {
    /// An operation with a path to `members`.
    fn change(
        &mut self,
        op: Op,
        selection: Option<Box<Selection>>,
        value: Option<Value>,
    ) -> ScimResult<()> {
        match (op, selection) {
            (Op::Remove, Some(selection)) => self.changes.push(removal(selection.condition)),
            (Op::Remove, None) => match value {
                None | Some(Value::Null) => self.changes.push(MemberChange::Clear),
                Some(listed) => {
                    let ids = parse_list(listed)?.into_iter().map(|m| m.value).collect();
                    self.remove(ids);
                }
            },
            (Op::Add, _) => self.add(parse_list(required(value)?)?),
            (Op::Replace, None) => self.changes.push(match parse_list(required(value)?)? {
                members if members.is_empty() => MemberChange::Clear,
                members => MemberChange::Replace(members),
            }),
            (Op::Replace, Some(selection)) => {
                let members = parse_list(required(value)?)?;
                match ids_of(&selection.condition) {
                    // Who stays is not removed first: the row is the same.
                    Some(mut ids) => {
                        ids.retain(|id| members.iter().all(|m| m.value != *id));
                        self.remove(ids);
                    }
                    None => self.changes.push(MemberChange::RemoveWhere(selection.condition)),
                }
                self.add(members);
            }
        }
        Ok(())
    }

    fn add(&mut self, members: Vec<Member>) {
        if !members.is_empty() {
            self.changes.push(MemberChange::Add(members));
        }
    }

    fn remove(&mut self, ids: Vec<String>) {
        if !ids.is_empty() {
            self.changes.push(MemberChange::Remove(ids));
        }
    }

    /// An operation without a path: `members` is taken out of its value (rows 16 and 45).
    fn whole(&mut self, mut operation: PatchOperation) -> ScimResult<()> {
        let (Op::Add | Op::Replace, Some(Value::Object(map))) =
            (operation.op, &mut operation.value)
        else {
            self.rest.push(operation);
            return Ok(());
        };
        if !self.take_members(operation.op, map)? {
            self.rest.push(operation);
            return Ok(());
        }
        // The members were known, so that unknown names beside them are only left out.
        let known = map.iter().any(|(key, _)| path::find_key(self.schema, key).is_ok());
        if known {
            self.rest.push(operation);
        } else {
            self.left_out.extend(map.iter().filter(|(_, v)| !v.is_null()).map(|(k, _)| k.clone()));
        }
        Ok(())
    }

    /// Takes every key that is about members out of a value; returns whether there was one.
    fn take_members(&mut self, op: Op, map: &mut Map<String, Value>) -> ScimResult<bool> {
        if map.len() > MAX_TOP_LEVEL_KEYS {
            return Err(ScimError::invalid_value(format!(
                "A value has more than {MAX_TOP_LEVEL_KEYS} keys"
            )));
        }
        let core = self.schema.core().id.as_str();
        let mut nested = Vec::new();
        let mut members = Vec::new();
        for key in map.keys() {
            if key.eq_ignore_ascii_case(core) {
                nested.push(key.clone());
            } else if members_at(path::find_key(self.schema, key))?.is_some() {
                members.push(key.clone());
            }
        }
        if members.len() > 1 {
            return Err(ScimError::invalid_syntax("members stands twice, in two spellings"));
        }
        let mut taken = false;
        for key in members {
            let value = map.shift_remove(&key);
            self.change(op, None, value)?;
            taken = true;
        }
        for key in nested {
            // The core schema's URN with a nested object.
            if let Some(Value::Object(inner)) = map.get_mut(&key) {
                taken |= self.take_members(op, inner)?;
                if inner.is_empty() {
                    map.shift_remove(&key);
                }
            }
        }
        Ok(taken)
    }
}

fn required(value: Option<Value>) -> ScimResult<Value> {
    value.ok_or_else(|| ScimError::invalid_value("An add or replace operation needs a value"))
}

/// What a value path takes away.
fn removal(condition: Condition) -> MemberChange {
    match ids_of(&condition) {
        Some(ids) => MemberChange::Remove(ids),
        None => MemberChange::RemoveWhere(condition),
    }
}

/// The ids that a condition names, where it says nothing else: `value eq "a" or value eq "b"`.
fn ids_of(condition: &Condition) -> Option<Vec<String>> {
    match condition {
        Condition::Compare { path, op: CompareOp::Eq, key }
            if path.sub.as_deref() == Some("value") =>
        {
            Some(vec![key.clone()])
        }
        Condition::Or(some) if !some.is_empty() => {
            let ids: Vec<_> = some.iter().map(ids_of).collect::<Option<_>>()?;
            Some(ids.concat())
        }
        _ => None,
    }
}

/// Reads a list of members, of a POST, a PUT or an operation; the first of equal ones counts.
///
/// `display` and `$ref` are the server's to make and are passed over, `null` among them (row 23).
///
/// # Errors
/// `invalidValue`: an entry without a `value`, or with one of the wrong type. `invalidSyntax`: a name
/// in two spellings. 413: more than [`MAX_MEMBERS`].
pub fn parse_list(value: Value) -> ScimResult<Vec<Member>> {
    let items = match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        one => vec![one],
    };
    if items.len() > MAX_MEMBERS {
        return Err(too_many(items.len()));
    }
    let mut seen = HashSet::with_capacity(items.len());
    let mut members = Vec::with_capacity(items.len());
    for item in items.into_iter().filter(|item| !item.is_null()) {
        let member = parse_member(item)?;
        if seen.insert(member.value.clone()) {
            members.push(member);
        }
    }
    Ok(members)
}

/// Reads one entry of a list of members.
///
/// # Errors
/// As [`parse_list`].
pub fn parse_member(item: Value) -> ScimResult<Member> {
    let wrong = |why: &str| ScimError::invalid_value(format!("members: {why}"));
    let mut map = match item {
        Value::Object(map) => map,
        // Rule 10: a bare text is the `value`.
        Value::String(_) => Map::from_iter([("value".to_owned(), item)]),
        _ => return Err(wrong("an entry must be an object with a value")),
    };
    let mut take = |name: &str| {
        let value = quirks::take(&mut map, name);
        if quirks::take(&mut map, name).is_some() {
            return Err(ScimError::invalid_syntax(format!("members.{name} stands twice")));
        }
        Ok(value.filter(|v| !v.is_null()))
    };
    let value = match take("value")? {
        Some(Value::String(value)) if !value.is_empty() => value,
        _ => return Err(wrong("every entry needs a value, the id of a User or Group")),
    };
    if value.chars().count() > MAX_VALUE {
        return Err(wrong(&format!("a value may be at most {MAX_VALUE} characters long")));
    }
    let kind = match take("type")? {
        None => None,
        Some(Value::String(kind)) => [ResourceType::User, ResourceType::Group]
            .into_iter()
            .find(|t| t.name().eq_ignore_ascii_case(&kind)),
        Some(_) => return Err(wrong("type must be a text")),
    };
    for name in ["display", "$ref"] {
        if !matches!(take(name)?, None | Some(Value::String(_))) {
            return Err(wrong(&format!("{name} must be a text")));
        }
    }
    Ok(Member { value, kind })
}
