//! One operation on one attribute: simple and complex values, lists (RFC 7644 §3.5.2).
//!
//! Values are normalised by their attribute before they are stored. Nothing here finds paths.

use serde_json::{Map, Value};

use super::Op;
use super::list::{add_values, is_listed, put_list, take_list};
use crate::scim::error::{ScimError, ScimResult};
use crate::scim::filter::element_matches;
use crate::scim::path::{Place, Selection};
use crate::scim::resource::{is_empty, normal_value};
use crate::scim::schema::{Attribute, Kind, Mutability, ResourceSchema};

/// What every step of one operation needs.
pub struct Editor<'s, 'r> {
    pub schema: &'s ResourceSchema,
    pub op: Op,
    pub left_out: &'r mut Vec<String>,
}

impl<'s, 'r> Editor<'s, 'r> {
    pub fn new(schema: &'s ResourceSchema, op: Op, left_out: &'r mut Vec<String>) -> Self {
        Self { schema, op, left_out }
    }

    /// Names what no schema knows; a null is nothing that could be lost.
    pub fn leave_out(&mut self, name: String, value: &Value) {
        if !value.is_null() {
            self.left_out.push(name);
        }
    }

    /// `add` or `replace` of an attribute in `holder` (RFC 7644 §3.5.2.1, §3.5.2.3).
    pub fn write(
        &mut self,
        holder: &mut Map<String, Value>,
        place: Place,
        selection: Option<&Selection>,
        value: Value,
    ) -> ScimResult<()> {
        match (selection, place.sub) {
            (Some(selection), _) => self.write_selected(holder, place, selection, value),
            (None, None) => self.set(holder, place.attribute, &place.to_string(), value),
            (None, Some(sub)) => self.write_sub(holder, place, sub, value),
        }
    }

    /// Sets an attribute or sub-attribute within the object that has it.
    pub fn set(
        &mut self,
        map: &mut Map<String, Value>,
        attribute: &Attribute,
        name: &str,
        value: Value,
    ) -> ScimResult<()> {
        if !attribute.multi_valued && attribute.kind == Kind::Complex {
            return self.set_complex(map, attribute, name, value);
        }
        let value = normal_value(attribute, name.into(), value, self.left_out)?;
        match (attribute.multi_valued, self.op, value) {
            (true, Op::Add, Value::Array(new)) => add_values(map, attribute, new),
            (true, Op::Add, _) => {}
            (_, _, value) => put(map, &attribute.name, value),
        }
        Ok(())
    }

    /// RFC 7644 §3.5.2.3: sub-attributes that are not given stay as they are.
    fn set_complex(
        &mut self,
        map: &mut Map<String, Value>,
        attribute: &Attribute,
        name: &str,
        value: Value,
    ) -> ScimResult<()> {
        let given = given_subs(attribute, &value);
        let new = match normal_value(attribute, name.into(), value, self.left_out)? {
            Value::Object(new) => new,
            empty => {
                put(map, &attribute.name, empty);
                return Ok(());
            }
        };
        let mut old = take_object(map, &attribute.name);
        // A bare text gives the `value` alone.
        for sub in given.into_iter().flatten().filter(|sub| !new.contains_key(*sub)) {
            old.shift_remove(sub);
        }
        merge(&mut old, new);
        put(map, &attribute.name, Value::Object(old));
        Ok(())
    }

    /// `name.familyName`; below a list without a filter, every value of the list is meant.
    fn write_sub(
        &mut self,
        holder: &mut Map<String, Value>,
        place: Place,
        sub: &Attribute,
        value: Value,
    ) -> ScimResult<()> {
        let attribute = place.attribute;
        let name = place.to_string();
        if attribute.multi_valued {
            let mut list = take_list(holder, &attribute.name);
            if list.is_empty() {
                list.push(Value::Object(Map::new()));
            }
            for element in list.iter_mut().filter_map(Value::as_object_mut) {
                self.set_in_element(element, sub, &name, value.clone())?;
            }
            put_list(holder, &attribute.name, list);
            return Ok(());
        }
        let mut inner = take_object(holder, &attribute.name);
        let before = inner.get("value").cloned();
        self.set(&mut inner, sub, &name, value)?;
        if sub.name == "value" && inner.get("value") != before.as_ref() {
            inner.shift_remove("$ref");
        }
        put(holder, &attribute.name, Value::Object(inner));
        Ok(())
    }

    /// Sets a sub-attribute of one value of a list, unless it is immutable and set.
    pub fn set_in_element(
        &mut self,
        element: &mut Map<String, Value>,
        sub: &Attribute,
        name: &str,
        value: Value,
    ) -> ScimResult<()> {
        let before = element.get(&sub.name).cloned();
        self.set(element, sub, name, value)?;
        let changed = before.is_some() && element.get(&sub.name) != before.as_ref();
        if changed && sub.mutability == Mutability::Immutable {
            return Err(ScimError::mutability(format!("{name} is immutable and already set")));
        }
        Ok(())
    }

    /// `remove` (RFC 7644 §3.5.2.2); with `value`, only what it lists (rule 7).
    pub fn remove(
        &mut self,
        holder: &mut Map<String, Value>,
        place: Place,
        selection: Option<&Selection>,
        value: Option<&Value>,
    ) -> ScimResult<()> {
        let attribute = place.attribute;
        let listed = value.filter(|v| !v.is_null());
        match (selection, place.sub, listed) {
            (None, None, Some(listed)) if attribute.multi_valued => {
                self.remove_listed(holder, place, listed.clone())?;
            }
            (None, None, _) => {
                holder.shift_remove(&attribute.name);
            }
            (None, Some(sub), _) if !attribute.multi_valued => {
                let mut inner = take_object(holder, &attribute.name);
                inner.shift_remove(&sub.name);
                put(holder, &attribute.name, Value::Object(inner));
            }
            (selection, sub, _) => {
                let mut list = take_list(holder, &attribute.name);
                for element in &mut list {
                    let selected = selection
                        .is_none_or(|s| element_matches(self.schema, &s.condition, element));
                    match (selected, sub, element.as_object_mut()) {
                        (true, Some(sub), Some(map)) => {
                            map.shift_remove(&sub.name);
                        }
                        (true, _, _) => *element = Value::Null,
                        (false, _, _) => {}
                    }
                }
                put_list(holder, &attribute.name, list);
            }
        }
        Ok(())
    }

    /// Entra's `remove` with a list of values.
    fn remove_listed(
        &mut self,
        holder: &mut Map<String, Value>,
        place: Place,
        listed: Value,
    ) -> ScimResult<()> {
        let attribute = place.attribute;
        let name = place.to_string();
        let listed = match normal_value(attribute, name.as_str().into(), listed, self.left_out)? {
            Value::Array(listed) => listed,
            _ => Vec::new(),
        };
        let mut list = take_list(holder, &attribute.name);
        list.retain(|element| !listed.iter().any(|l| is_listed(attribute, element, l)));
        put_list(holder, &attribute.name, list);
        Ok(())
    }
}

/// The sub-attributes that a value names; `None` where the value is not an object.
fn given_subs<'a>(attribute: &'a Attribute, value: &Value) -> Option<Vec<&'a str>> {
    let map = match value {
        Value::Object(map) => map,
        Value::Array(items) => match items.as_slice() {
            [Value::Object(map)] => map,
            _ => return None,
        },
        _ => return None,
    };
    let writable = |a: &&Attribute| a.mutability != Mutability::ReadOnly;
    let subs = map.keys().filter_map(|k| attribute.sub(k)).filter(writable);
    Some(subs.map(|a| a.name.as_str()).collect())
}

/// Writes `new` over `old`; a reference to another resource does not outlive a change of `value`.
pub fn merge(old: &mut Map<String, Value>, new: Map<String, Value>) {
    if new.get("value").is_some_and(|v| old.get("value") != Some(v)) {
        old.shift_remove("$ref");
    }
    old.extend(new);
}

/// The object under a key, to be put back by [`put`]; an empty one where there is none.
pub fn take_object(map: &mut Map<String, Value>, key: &str) -> Map<String, Value> {
    match map.get_mut(key).map(Value::take) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    }
}

/// Stores a value, or takes the key away where the value counts as unassigned.
pub fn put(map: &mut Map<String, Value>, name: &str, value: Value) {
    if is_empty(&value) {
        map.shift_remove(name);
    } else {
        map.insert(name.to_owned(), value);
    }
}
