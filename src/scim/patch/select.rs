//! Writing to the values of a list that a filter selects (RFC 7644 §3.5.2.1, §3.5.2.3).
//!
//! Where none is selected, one is made of the filter (rule 5):
//! by the letter of the RFC a `replace` would be `noTarget`, and Entra would lose its whole request.

use scim_v2::filter::{AttrExp, CompareOp, ValFilter};
use serde_json::{Map, Value};

use super::Op;
use super::edit::{Editor, merge, put};
use super::list::{demote_others, drop_doubles, put_list, remove_at, take_list};
use crate::scim::error::{ScimError, ScimResult};
use crate::scim::filter::{element_matches, operand_value};
use crate::scim::path::{Place, Selection};
use crate::scim::quirks;
use crate::scim::resource::{is_primary, normal_value};
use crate::scim::schema::{Attribute, Kind, Mutability};

/// A list under way, and where its selected values stand.
struct Selected {
    list: Vec<Value>,
    at: Vec<usize>,
}

impl Editor<'_, '_> {
    /// `emails[type eq "work"]` and `emails[type eq "work"].value`.
    pub fn write_selected(
        &mut self,
        holder: &mut Map<String, Value>,
        place: Place,
        selection: &Selection,
        value: Value,
    ) -> ScimResult<()> {
        let list = take_list(holder, &place.attribute.name);
        let selects = |e: &Value| element_matches(self.schema, &selection.condition, e);
        let at: Vec<usize> =
            (0..list.len()).filter(|i| list.get(*i).is_some_and(selects)).collect();
        // An element that was primary before, and of which that is not said again, takes it from nobody:
        // two of them are two mistakes of the same request, and are refused at its end.
        let says = place.sub.is_some() || at.is_empty() || names_primary(&value);
        let mut selected = Selected { list, at };
        let written = match place.sub {
            Some(sub) => self.write_selected_sub(&mut selected, (place, sub), selection, value)?,
            None => self.write_selected_whole(&mut selected, place, selection, value)?,
        };
        let mut list = selected.list;
        if says && written.iter().any(|i| list.get(*i).is_some_and(is_primary)) {
            demote_others(&mut list, &written);
        }
        put_list(holder, &place.attribute.name, list);
        Ok(())
    }

    /// Returns where in the list something was written.
    fn write_selected_sub(
        &mut self,
        Selected { list, at }: &mut Selected,
        (place, sub): (Place, &Attribute),
        selection: &Selection,
        value: Value,
    ) -> ScimResult<Vec<usize>> {
        let name = place.to_string();
        if at.is_empty() {
            let mut element = self.seed(place.attribute, &selection.filter)?;
            let seeded = element.clone();
            self.set(&mut element, sub, &name, value)?;
            if element == seeded && !seeded.contains_key(&sub.name) {
                return Ok(Vec::new());
            }
            let element = Value::Object(element);
            self.check_created(place.attribute, selection, &element)?;
            list.push(element);
            return Ok(vec![list.len() - 1]);
        }
        for index in at.iter() {
            if let Some(Value::Object(element)) = list.get_mut(*index) {
                self.set_in_element(element, sub, &name, value.clone())?;
            }
        }
        // Who clears a part has written nothing.
        let assigned = |i: &usize| list.get(*i).is_some_and(|e| e.get(&sub.name).is_some());
        Ok(at.iter().copied().filter(assigned).collect())
    }

    /// Returns where in the list something was written.
    fn write_selected_whole(
        &mut self,
        Selected { list, at }: &mut Selected,
        place: Place,
        selection: &Selection,
        value: Value,
    ) -> ScimResult<Vec<usize>> {
        let name = place.to_string();
        let mut given =
            match normal_value(place.attribute, name.as_str().into(), value, self.left_out)? {
                Value::Array(given) => given,
                _ => Vec::new(),
            };
        if given.len() > 1 {
            return Err(ScimError::invalid_value(format!("{name}[…] takes one value, not a list")));
        }
        let Some(new) = given.pop() else {
            if self.op == Op::Replace {
                remove_at(list, at);
            }
            return Ok(Vec::new());
        };
        // What the filter says of the value stays true where the new value is silent.
        let seed = self.seed(place.attribute, &selection.filter);
        if at.is_empty() {
            let new = overlay(seed?, new);
            self.check_created(place.attribute, selection, &new)?;
            list.push(new);
            return Ok(vec![list.len() - 1]);
        }
        for index in at.iter() {
            let Some(element) = list.get_mut(*index) else { continue };
            match (self.op, element, new.clone()) {
                (Op::Add, Value::Object(old), Value::Object(new)) => merge(old, new),
                (_, element, new) => {
                    *element = overlay(seed.clone().unwrap_or_default(), new);
                }
            }
        }
        Ok(drop_doubles(list, at))
    }

    /// Refuses to create what the path itself does not select: with `emails[value eq "old"].value`
    /// sent twice, the second request would double the new value.
    fn check_created(
        &self,
        attribute: &Attribute,
        selection: &Selection,
        element: &Value,
    ) -> ScimResult<()> {
        if element_matches(self.schema, &selection.condition, element) {
            return Ok(());
        }
        Err(no_target(attribute))
    }

    /// The element that a filter describes by its `eq` conjuncts (rule 5, rows 25 and 41).
    fn seed(
        &mut self,
        attribute: &Attribute,
        filter: &ValFilter,
    ) -> ScimResult<Map<String, Value>> {
        let mut seed = Map::new();
        if attribute.kind != Kind::Complex {
            return Ok(seed);
        }
        let conjuncts = match filter {
            ValFilter::And(items) => items.as_slice(),
            other => std::slice::from_ref(other),
        };
        for conjunct in conjuncts {
            let ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, operand)) = conjunct
            else {
                continue;
            };
            let name = path.to_string();
            let Some(sub) = attribute.sub(&quirks::with_dollar(&name)) else { continue };
            if sub.mutability == Mutability::ReadOnly {
                continue;
            }
            let value =
                normal_value(sub, name.as_str().into(), operand_value(operand), self.left_out)?;
            put(&mut seed, &sub.name, value);
        }
        if seed.is_empty() {
            return Err(no_target(attribute));
        }
        Ok(seed)
    }
}

/// `new` with what it lacks from `seed`.
fn overlay(mut seed: Map<String, Value>, new: Value) -> Value {
    match new {
        Value::Object(new) => {
            seed.extend(new);
            Value::Object(seed)
        }
        simple => simple,
    }
}

fn no_target(attribute: &Attribute) -> ScimError {
    ScimError::no_target(format!(
        "No value of {} matches the path, and none can be made from its filter",
        attribute.name
    ))
}

/// Whether a value says something of `primary`.
fn names_primary(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.keys().any(|key| key.eq_ignore_ascii_case("primary")))
}
