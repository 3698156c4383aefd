//! Values of a multi-valued attribute: which are the same, which is primary (RFC 7643 §2.4).
//!
//! Works on lists that are normalised already.

use serde_json::{Map, Value};

use super::edit::{merge, put};
use crate::scim::resource::{is_empty, is_primary};
use crate::scim::schema::{Attribute, Kind};
use crate::scim::value::key;

/// Takes a list out of its object, to be put back by [`put_list`].
pub fn take_list(map: &mut Map<String, Value>, name: &str) -> Vec<Value> {
    match map.get_mut(name).map(Value::take) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

/// Puts a list back: equal values once, none that has become empty, and no list without values.
pub fn put_list(map: &mut Map<String, Value>, name: &str, list: Vec<Value>) {
    let mut kept: Vec<Value> = Vec::with_capacity(list.len());
    for element in list {
        if !is_empty(&element) && !kept.contains(&element) {
            kept.push(element);
        }
    }
    put(map, name, Value::Array(kept));
}

/// RFC 7644 §3.5.2.1: values that are there already are not added again.
pub fn add_values(map: &mut Map<String, Value>, attribute: &Attribute, new: Vec<Value>) {
    let mut list = take_list(map, &attribute.name);
    let mut primary = None;
    for item in new {
        let is_new_primary = is_primary(&item);
        let at = match list.iter().position(|old| is_same(attribute, old, &item)) {
            Some(at) => {
                if let (Some(Value::Object(old)), Value::Object(item)) = (list.get_mut(at), item) {
                    merge(old, item);
                }
                at
            }
            None => {
                list.push(item);
                list.len() - 1
            }
        };
        if is_new_primary {
            primary = Some(at);
        }
    }
    if let Some(at) = primary {
        demote_others(&mut list, &[at]);
    }
    put_list(map, &attribute.name, list);
}

/// Whether two values of a list are one entry: equal, or of the same `value` and `type`.
pub fn is_same(attribute: &Attribute, a: &Value, b: &Value) -> bool {
    let same = |name: &str| compare_sub(attribute, name, a, b);
    match attribute.kind {
        Kind::Complex => a == b || (same("value") == Some(true) && same("type") != Some(false)),
        _ => a == b || key(attribute, a).is_some_and(|k| key(attribute, b) == Some(k)),
    }
}

/// Whether a sub-attribute is equal; `None` where neither value has it.
fn compare_sub(attribute: &Attribute, name: &str, a: &Value, b: &Value) -> Option<bool> {
    let sub = attribute.sub(name)?;
    match (a.get(&sub.name), b.get(&sub.name)) {
        (None, None) => None,
        (Some(a), Some(b)) => Some(a == b || key(sub, a).is_some_and(|k| key(sub, b) == Some(k))),
        _ => Some(false),
    }
}

/// Whether an element is meant by a value of a `remove`: by its `value`, and by its `type` where the
/// request gives one; without `value`, by everything that is given.
pub fn is_listed(attribute: &Attribute, element: &Value, listed: &Value) -> bool {
    let Value::Object(given) = listed else { return is_same(attribute, element, listed) };
    let same = |name: &str| compare_sub(attribute, name, element, listed) == Some(true);
    if given.contains_key("value") {
        return same("value") && (!given.contains_key("type") || same("type"));
    }
    !given.is_empty() && given.keys().all(|name| same(name))
}

/// RFC 7644 §3.5.2: a new primary value makes the others not primary.
pub fn demote_others(list: &mut [Value], keep: &[usize]) {
    for (index, element) in list.iter_mut().enumerate() {
        if !keep.contains(&index)
            && is_primary(element)
            && let Some(map) = element.as_object_mut()
        {
            map.insert("primary".to_owned(), Value::Bool(false));
        }
    }
}

/// Of the replaced elements, those that stay: equal ones are one.
pub fn drop_doubles(list: &mut Vec<Value>, replaced: &[usize]) -> Vec<usize> {
    let Some((first, others)) = replaced.split_first() else { return Vec::new() };
    let equal = |i: &usize| list.get(*i) == list.get(*first);
    let doubled: Vec<usize> = others.iter().copied().filter(equal).collect();
    let kept = replaced
        .iter()
        .filter(|i| !doubled.contains(i))
        .map(|i| i - doubled.iter().filter(|d| *d < i).count())
        .collect();
    remove_at(list, &doubled);
    kept
}

pub fn remove_at(list: &mut Vec<Value>, indices: &[usize]) {
    let mut index = 0;
    list.retain(|_| {
        index += 1;
        !indices.contains(&(index - 1))
    });
}
