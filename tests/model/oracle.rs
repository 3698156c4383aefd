//! The oracle: PATCH of a User, written from RFC 7644 §3.5.2 and RFC 7643 without sight of the server's.
//!
//! It is naive on purpose: every operation reads and rebuilds whole values. It takes names, types and
//! mutability from the published schemas and nothing else from the server. Where the texts are
//! silent, a comment that starts with "Choice" says what the server chose.

use serde_json::{Map, Value, json};
use stagedoor::scim::schema::{
    Attribute, ENTERPRISE_URN, Kind, Mutability, ResourceSchema, STATUS_URN, USER_URN,
};

use crate::values::{coerce, is_empty, list_of, put};
use crate::words::{Expression, Operation, Path};

/// Why the oracle refuses, as far as RFC 7644 table 9 is unambiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The target is readOnly.
    Mutability,
    /// The path names no attribute.
    InvalidPath,
    /// A removal without a path, or a value path that matches nothing and describes nothing.
    NoTarget,
    /// Refused; the keyword is not compared.
    Other,
}

/// What the oracle finds, or its refusal.
pub type Outcome<T> = Result<T, Refusal>;

/// A name that was understood.
enum Target<'s> {
    Extension(&'s str, &'s [Attribute]),
    Attribute { urn: Option<&'s str>, attribute: &'s Attribute, sub: Option<&'s Attribute> },
}

impl Target<'_> {
    fn canonical(&self) -> String {
        match self {
            Self::Extension(urn, _) => (*urn).to_owned(),
            Self::Attribute { urn, attribute, sub } => {
                let sub = sub.map(|s| s.name.as_str()).unwrap_or_default();
                format!("{} {} {sub}", urn.unwrap_or_default(), attribute.name)
            }
        }
    }
}

/// The resource after one request, or the first refusal.
pub fn patch(
    schema: &ResourceSchema,
    before: &Map<String, Value>,
    operations: &[Operation],
) -> Outcome<Map<String, Value>> {
    let mut user = before.clone();
    for operation in operations {
        apply(schema, &mut user, operation)?;
    }
    // Choice: two primary values are refused at the end of the request, not on the way.
    for value in user.values() {
        one_primary(value.as_array().map_or(&[][..], Vec::as_slice))?;
    }
    // RFC 7643 §2.2: a required attribute stays assigned, and not blank.
    match user.get("userName").and_then(Value::as_str) {
        Some(name) if !name.trim().is_empty() => Ok(user),
        _ => Err(Refusal::Other),
    }
}

fn apply(schema: &ResourceSchema, user: &mut Map<String, Value>, it: &Operation) -> Outcome<()> {
    let op = it.op.to_ascii_lowercase();
    let value = || it.value.clone().ok_or(Refusal::Other);
    match (op.as_str(), &it.path) {
        // §3.5.2.2: "If "path" is unspecified, the operation fails with … noTarget".
        ("remove", None) => Err(Refusal::NoTarget),
        (_, None) => without_path(schema, user, &op, value()?),
        (_, Some(Path::Plain(text))) if text.eq_ignore_ascii_case("password") => Ok(()),
        (_, Some(Path::Plain(text))) => {
            let Some(target) = find(schema, text) else {
                let null = op != "remove" && it.value == Some(Value::Null);
                let urn = if null { "" } else { text };
                return unregistered(user, &op, urn, it.value.as_ref());
            };
            if is_read_only(&target) {
                return Err(Refusal::Mutability);
            }
            if op == "remove" {
                return remove(user, &target);
            }
            let value = value()?;
            if !is_known(&target, &value) {
                return Err(Refusal::InvalidPath);
            }
            set(user, &op, &target, value)
        }
        (_, Some(Path::Filtered { attribute, filter, sub })) => {
            let name = sub.as_ref().map_or(attribute.clone(), |s| format!("{attribute}.{s}"));
            let target = find(schema, &name).ok_or(Refusal::InvalidPath)?;
            if is_read_only(&target) {
                return Err(Refusal::Mutability);
            }
            let value = if op == "remove" { None } else { Some(value()?) };
            filtered(user, &op, &target, filter, value)
        }
    }
}

/// What a name means: `attr`, `attr.sub`, `URN:attr.sub`, `URN.attr`, `URN` (RFC 7644 §3.10).
fn find<'s>(schema: &'s ResourceSchema, name: &str) -> Option<Target<'s>> {
    for extension in schema.extensions() {
        let urn = extension.id.as_str();
        if name.eq_ignore_ascii_case(urn) {
            return Some(Target::Extension(urn, &extension.attributes));
        }
        if let Some(rest) = after(name, urn) {
            return find_below(rest, Some(urn), |n| extension.attribute(n));
        }
    }
    find_below(after(name, USER_URN).unwrap_or(name), None, |n| schema.attribute(n))
}

fn after<'n>(name: &'n str, urn: &str) -> Option<&'n str> {
    let rest = name.to_ascii_lowercase().strip_prefix(&urn.to_ascii_lowercase())?.len();
    name[name.len() - rest..].strip_prefix([':', '.'])
}

fn find_below<'s>(
    name: &str,
    urn: Option<&'s str>,
    attribute: impl Fn(&str) -> Option<&'s Attribute>,
) -> Option<Target<'s>> {
    let mut parts = name.splitn(2, '.');
    let attribute = attribute(parts.next()?)?;
    let sub = match parts.next() {
        Some(sub) => Some(attribute.sub(sub)?),
        None => None,
    };
    Some(Target::Attribute { urn, attribute, sub })
}

fn is_read_only(target: &Target) -> bool {
    let read_only = |a: &Attribute| a.mutability == Mutability::ReadOnly;
    match target {
        Target::Extension(urn, _) => *urn == STATUS_URN,
        Target::Attribute { attribute, sub, .. } => {
            read_only(attribute) || sub.is_some_and(read_only)
        }
    }
}

/// §3.5.2.1 and §3.5.2.3: without a path the target is the resource and the value a set of
/// attributes; their names may be dotted or whole URNs (rule 6).
fn without_path(
    schema: &ResourceSchema,
    user: &mut Map<String, Value>,
    op: &str,
    value: Value,
) -> Outcome<()> {
    let Value::Object(entries) = value else { return Err(Refusal::Other) };
    let mut known = entries.is_empty();
    let mut names = Vec::new();
    for (name, value) in entries {
        if name.eq_ignore_ascii_case("password") {
            known = true;
            continue;
        }
        let Some(target) = find(schema, &name) else {
            known |= unregistered(user, op, &name, Some(&value)).is_ok();
            continue;
        };
        // Choice: one attribute in two spellings is an ill-formed body.
        let canonical = target.canonical();
        if names.contains(&canonical) {
            return Err(Refusal::Other);
        }
        names.push(canonical);
        known |= is_known(&target, &value);
        // Rule 9: read-only things in a body are ignored, not refused.
        if !is_read_only(&target) {
            set(user, op, &target, value)?;
        }
    }
    // Ruling 16: nothing of the value is known.
    if known { Ok(()) } else { Err(Refusal::InvalidPath) }
}

/// Ruling 16: whether something of what an extension is sent is known.
fn is_known(target: &Target, value: &Value) -> bool {
    match (target, value) {
        (Target::Extension(_, attributes), Value::Object(map)) if !map.is_empty() => {
            map.keys().any(|k| attributes.iter().any(|a| a.name.eq_ignore_ascii_case(k)))
        }
        _ => true,
    }
}

/// Ruling 16: an object under a URN that nobody registered is kept as sent.
fn unregistered(
    user: &mut Map<String, Value>,
    op: &str,
    urn: &str,
    value: Option<&Value>,
) -> Outcome<()> {
    if !urn.to_ascii_lowercase().starts_with("urn:") || after(urn, ENTERPRISE_URN).is_some() {
        return Err(Refusal::InvalidPath);
    }
    let present = user.keys().find(|k| k.eq_ignore_ascii_case(urn)).cloned();
    let urn = present.unwrap_or_else(|| urn.to_owned());
    match (op, value) {
        ("remove", _) => drop(user.shift_remove(&urn)),
        (_, Some(Value::Object(sent))) => {
            let mut inner = taken_object(user, &urn);
            inner.extend(sent.clone());
            put(user, &urn, inner.into());
        }
        ("replace", Some(Value::Null)) => drop(user.shift_remove(&urn)),
        ("add", Some(Value::Null)) => {}
        _ => return Err(Refusal::InvalidPath),
    }
    Ok(())
}

/// Adds or replaces without a value filter.
fn set(user: &mut Map<String, Value>, op: &str, target: &Target, value: Value) -> Outcome<()> {
    match target {
        Target::Extension(urn, attributes) => extension(user, op, urn, attributes, value),
        Target::Attribute { urn, attribute, sub } => {
            let mut holder = taken_holder(user, *urn);
            let result = match sub {
                None => assign(&mut holder, op, attribute, value),
                Some(sub) if attribute.multi_valued => every(&mut holder, attribute, sub, value),
                Some(sub) => {
                    let mut inner = taken_object(&mut holder, &attribute.name);
                    let before = inner.get("value").cloned();
                    let result = assign(&mut inner, op, sub, value);
                    forget_ref(&mut inner, before.as_ref());
                    put(&mut holder, &attribute.name, inner.into());
                    result
                }
            };
            put_holder(user, *urn, holder);
            result
        }
    }
}

fn extension(
    user: &mut Map<String, Value>,
    op: &str,
    urn: &str,
    attributes: &[Attribute],
    value: Value,
) -> Outcome<()> {
    let entries = match value {
        // Choice: adding null adds nothing.
        Value::Null if op == "add" => return Ok(()),
        Value::Null => {
            user.shift_remove(urn);
            return Ok(());
        }
        Value::Object(entries) => entries,
        _ => return Err(Refusal::Other),
    };
    let mut holder = taken_object(user, urn);
    for (name, value) in entries {
        let found = attributes.iter().find(|a| a.name.eq_ignore_ascii_case(&name));
        if let Some(attribute) = found
            && attribute.mutability != Mutability::ReadOnly
        {
            assign(&mut holder, op, attribute, value)?;
        }
    }
    put(user, urn, holder.into());
    Ok(())
}

/// Adds or replaces one whole attribute of a holder.
fn assign(
    holder: &mut Map<String, Value>,
    op: &str,
    attribute: &Attribute,
    value: Value,
) -> Outcome<()> {
    let name = &attribute.name;
    if attribute.multi_valued {
        let sent = list_of(coerce(attribute, value)?);
        if op == "replace" {
            put(holder, name, sent.into());
        } else {
            append(holder, attribute, sent);
        }
        return Ok(());
    }
    if attribute.kind == Kind::Complex {
        // "a set of sub-attributes … that replaces any existing values or adds": a merge.
        return merge(holder, attribute, value);
    }
    let value = coerce(attribute, value)?;
    put(holder, name, value);
    Ok(())
}

/// §3.5.2.1: new values are added; those that are there already stay one. §3.5.2: a new primary
/// value takes the place of the old.
///
/// Choice: one that is there already is one of the same `value` and `type` (RFC 7643 §2.4), and what
/// is sent is merged into it; without `value`, it is an equal one.
fn append(holder: &mut Map<String, Value>, attribute: &Attribute, sent: Vec<Value>) {
    let mut list = list_of(holder.get(&attribute.name).cloned().unwrap_or_default());
    for value in sent {
        let same = list.iter().position(|v| is_same(attribute, v, &value));
        if is_primary(&value) {
            list.iter_mut().for_each(demote);
        }
        match (same.map(|index| &mut list[index]), value) {
            (None, value) => list.push(value),
            (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
            (Some(_), _) => {}
        }
    }
    tidy(&mut list);
    put(holder, &attribute.name, list.into());
}

fn is_same(attribute: &Attribute, a: &Value, b: &Value) -> bool {
    if attribute.kind != Kind::Complex {
        return folded(attribute, a) == folded(attribute, b);
    }
    let part = |name: &str, value: &Value| {
        attribute.sub(name).and_then(|sub| value.get(&sub.name).map(|v| folded(sub, v)))
    };
    let same = |name: &str| part(name, a) == part(name, b);
    a == b || (part("value", a).is_some() && same("value") && same("type"))
}

/// A value as it is compared: texts by `caseExact` (RFC 7643 §2.2), `"True"` as true (rule 4).
fn folded(attribute: &Attribute, value: &Value) -> String {
    match value {
        Value::String(s) if attribute.kind == Kind::Boolean || !attribute.case_exact => {
            s.to_lowercase()
        }
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// Whether a value of a list is the primary one.
pub fn is_primary(value: &Value) -> bool {
    value.get("primary") == Some(&json!(true))
}

fn demote(value: &mut Value) {
    if is_primary(value) {
        value["primary"] = json!(false);
    }
}

fn merge(holder: &mut Map<String, Value>, attribute: &Attribute, value: Value) -> Outcome<()> {
    let name = &attribute.name;
    let nulls = null_names(attribute, &value);
    match coerce(attribute, value)? {
        Value::Object(sent) => {
            let mut inner = taken_object(holder, name);
            let before = inner.get("value").cloned();
            nulls.iter().for_each(|n| drop(inner.shift_remove(n)));
            let names_ref = sent.contains_key("$ref");
            inner.extend(sent);
            if !names_ref && inner.contains_key("value") {
                forget_ref(&mut inner, before.as_ref());
            }
            put(holder, name, inner.into());
        }
        _ => drop(holder.shift_remove(name)),
    }
    Ok(())
}

/// Choice: another `value` takes the `$ref` of the old one away, which pointed elsewhere.
fn forget_ref(inner: &mut Map<String, Value>, before: Option<&Value>) {
    if inner.get("value") != before {
        inner.shift_remove("$ref");
    }
}

/// Sub-attributes that an object sets to null, which unassigns them (RFC 7643 §2.5).
fn null_names(attribute: &Attribute, value: &Value) -> Vec<String> {
    let one = value.as_array().filter(|list| list.len() == 1).map_or(value, |list| &list[0]);
    let Value::Object(map) = one else { return Vec::new() };
    let nulls = map.iter().filter(|(_, v)| v.is_null());
    let writable = |a: &&Attribute| a.mutability != Mutability::ReadOnly;
    nulls.filter_map(|(k, _)| attribute.sub(k).filter(writable)).map(|a| a.name.clone()).collect()
}

/// A sub-attribute of a multi-valued attribute without a filter.
///
/// Choice: it means that of every value; where there is none, one is made.
fn every(
    holder: &mut Map<String, Value>,
    attribute: &Attribute,
    sub: &Attribute,
    value: Value,
) -> Outcome<()> {
    let mut list = list_of(holder.get(&attribute.name).cloned().unwrap_or_default());
    if list.is_empty() {
        list.push(json!({}));
    }
    let all: Vec<usize> = (0..list.len()).collect();
    set_sub(&mut list, &all, sub, &coerce(sub, value)?)?;
    put(holder, &attribute.name, list.into());
    Ok(())
}

/// Sets or unassigns (null) a sub-attribute of the chosen values.
fn set_sub(list: &mut Vec<Value>, chosen: &[usize], sub: &Attribute, value: &Value) -> Outcome<()> {
    if sub.name == "primary" && value == &json!(true) {
        list.iter_mut().for_each(demote);
    }
    for index in chosen {
        if let Value::Object(map) = &mut list[*index] {
            put(map, &sub.name, value.clone());
        }
    }
    // Choice: a primary value that is written stays the only one, however two came about.
    if !is_empty(value) && chosen.iter().any(|i| is_primary(&list[*i])) {
        let others = list.iter_mut().enumerate().filter(|(i, _)| !chosen.contains(i));
        others.for_each(|(_, v)| demote(v));
    }
    tidy(list);
    Ok(())
}

/// RFC 7643 §2.4: "primary … MUST appear no more than once".
fn one_primary(list: &[Value]) -> Outcome<()> {
    if list.iter().filter(|v| is_primary(v)).count() > 1 { Err(Refusal::Other) } else { Ok(()) }
}

/// RFC 7643 §2.5: values without content are none. Choice: values that became equal become one
/// (§2.4 wants no doubles).
fn tidy(list: &mut Vec<Value>) {
    let mut once = Vec::new();
    for value in list.drain(..) {
        if !is_empty(&value) && !once.contains(&value) {
            once.push(value);
        }
    }
    *list = once;
}

fn remove(user: &mut Map<String, Value>, target: &Target) -> Outcome<()> {
    match target {
        Target::Extension(urn, _) => drop(user.shift_remove(*urn)),
        Target::Attribute { urn, attribute, sub } => {
            if sub.is_none() && attribute.required {
                // §3.5.2.2: at once, whatever the request says next.
                return Err(Refusal::Mutability);
            }
            let mut holder = taken_holder(user, *urn);
            match sub {
                None => drop(holder.shift_remove(&attribute.name)),
                Some(sub) if attribute.multi_valued => {
                    let mut list =
                        list_of(holder.shift_remove(&attribute.name).unwrap_or_default());
                    let all: Vec<usize> = (0..list.len()).collect();
                    set_sub(&mut list, &all, sub, &Value::Null)?;
                    put(&mut holder, &attribute.name, list.into());
                }
                Some(sub) => {
                    let mut inner = taken_object(&mut holder, &attribute.name);
                    inner.shift_remove(&sub.name);
                    put(&mut holder, &attribute.name, inner.into());
                }
            }
            put_holder(user, *urn, holder);
        }
    }
    Ok(())
}

/// An operation on a value path.
fn filtered(
    user: &mut Map<String, Value>,
    op: &str,
    target: &Target,
    filter: &Expression,
    value: Option<Value>,
) -> Outcome<()> {
    let Target::Attribute { urn, attribute, sub } = target else {
        return Err(Refusal::InvalidPath);
    };
    if !attribute.multi_valued {
        return Err(Refusal::Other);
    }
    check(attribute, filter)?;
    let mut holder = taken_holder(user, *urn);
    let mut list = list_of(holder.shift_remove(&attribute.name).unwrap_or_default());
    let chosen: Vec<usize> =
        (0..list.len()).filter(|i| holds(attribute, filter, &list[*i])).collect();
    if let (true, Some(value)) = (chosen.is_empty(), &value) {
        if let Some(entry) = made(attribute, filter, *sub, value)? {
            if is_primary(&entry) {
                list.iter_mut().for_each(demote);
            }
            list.push(entry);
            tidy(&mut list);
        }
        put(&mut holder, &attribute.name, list.into());
        put_holder(user, *urn, holder);
        return Ok(());
    }
    match (sub, value) {
        (None, None) => {
            let mut index = 0..;
            list.retain(|_| !chosen.contains(&index.next().unwrap_or_default()));
        }
        (Some(sub), None) => set_sub(&mut list, &chosen, sub, &Value::Null)?,
        (Some(sub), Some(value)) => set_sub(&mut list, &chosen, sub, &coerce(sub, value)?)?,
        (None, Some(value)) => {
            set_whole(&mut list, &chosen, op, (attribute, filter), &value)?;
        }
    }
    put(&mut holder, &attribute.name, list.into());
    put_holder(user, *urn, holder);
    Ok(())
}

/// §3.5.2.3: "all matching record values SHALL be replaced"; §3.5.2.1: an add merges.
///
/// Choice: what the `eq` terms of the filter say stays where the value does not say otherwise, so
/// that the same path finds the value again; null in an add adds nothing.
fn set_whole(
    list: &mut Vec<Value>,
    chosen: &[usize],
    op: &str,
    (attribute, filter): (&Attribute, &Expression),
    value: &Value,
) -> Outcome<()> {
    let sent = entry_of(attribute, value)?;
    let primary = sent.get("primary") == Some(&json!(true));
    for (index, old) in list.iter_mut().enumerate() {
        if !chosen.contains(&index) {
            if primary {
                demote(old);
            }
            continue;
        }
        let mut entry = Map::new();
        match old {
            Value::Object(old) if op == "add" => entry = old.clone(),
            _ if sent.is_empty() => {}
            _ => described(attribute, filter, &mut entry),
        }
        entry.extend(sent.clone());
        *old = entry.into();
    }
    tidy(list);
    Ok(())
}

fn compared<'a>(attribute: &'a Attribute, name: &str) -> Option<&'a Attribute> {
    if attribute.kind == Kind::Complex {
        return attribute.sub(name);
    }
    // RFC 7643 §2.4: `value` is the value of a simple multi-valued attribute.
    name.eq_ignore_ascii_case("value").then_some(attribute)
}

fn check(attribute: &Attribute, filter: &Expression) -> Outcome<()> {
    match filter {
        Expression::Compare(name, _, _) | Expression::Present(name) => {
            compared(attribute, name).map(drop).ok_or(Refusal::Other)
        }
        Expression::Not(inner) => check(attribute, inner),
        Expression::And(a, b) | Expression::Or(a, b) => {
            check(attribute, a)?;
            check(attribute, b)
        }
    }
}

fn holds(attribute: &Attribute, filter: &Expression, value: &Value) -> bool {
    match filter {
        Expression::Not(inner) => !holds(attribute, inner, value),
        Expression::And(a, b) => holds(attribute, a, value) && holds(attribute, b, value),
        Expression::Or(a, b) => holds(attribute, a, value) || holds(attribute, b, value),
        Expression::Present(name) => {
            part(attribute, name, value).is_some_and(|v| v != &json!("") && !is_empty(v))
        }
        Expression::Compare(name, operator, operand) => {
            let Some(sub) = compared(attribute, name) else { return false };
            let fold = |v: &Value| folded(sub, v);
            let wanted = fold(operand);
            let found = part(attribute, name, value).map(fold);
            match operator.to_ascii_lowercase().as_str() {
                "eq" => found == Some(wanted),
                "ne" => found != Some(wanted),
                "co" => found.is_some_and(|f| f.contains(&wanted)),
                "sw" => found.is_some_and(|f| f.starts_with(&wanted)),
                _ => found.is_some_and(|f| f.ends_with(&wanted)),
            }
        }
    }
}

fn part<'v>(attribute: &Attribute, name: &str, value: &'v Value) -> Option<&'v Value> {
    if attribute.kind == Kind::Complex {
        value.get(&attribute.sub(name)?.name)
    } else {
        Some(value)
    }
}

/// A value as the members of one entry of a list; none where it assigns nothing.
fn entry_of(attribute: &Attribute, value: &Value) -> Outcome<Map<String, Value>> {
    let one = Attribute { multi_valued: false, ..attribute.clone() };
    let entry = coerce(&one, value.clone())?;
    Ok(entry.as_object().cloned().unwrap_or_default())
}

/// Rule 5: where a value path matches nothing, the entry that it describes is made.
///
/// Choice: it is made where the filter's `eq` terms and the value give an entry that satisfies the
/// whole filter; else `noTarget`. A value that assigns nothing makes nothing (RFC 7643 §2.5).
fn made(
    attribute: &Attribute,
    filter: &Expression,
    sub: Option<&Attribute>,
    value: &Value,
) -> Outcome<Option<Value>> {
    let mut entry = Map::new();
    described(attribute, filter, &mut entry);
    let described = !entry.is_empty();
    match sub {
        Some(sub) => {
            let value = coerce(sub, value.clone())?;
            if is_empty(&value) && !entry.is_empty() && !entry.contains_key(&sub.name) {
                return Ok(None);
            }
            put(&mut entry, &sub.name, value);
        }
        None => {
            let sent = entry_of(attribute, value)?;
            if sent.is_empty() {
                return Ok(None);
            }
            entry.extend(sent);
        }
    }
    let entry = Value::Object(entry);
    if !described || !holds(attribute, filter, &entry) {
        return Err(Refusal::NoTarget);
    }
    Ok(Some(entry))
}

/// The `eq` terms of a filter that must all hold.
fn described(attribute: &Attribute, filter: &Expression, entry: &mut Map<String, Value>) {
    match filter {
        Expression::Compare(name, operator, operand) if operator.eq_ignore_ascii_case("eq") => {
            if let Some(sub) = attribute.sub(name)
                && let Ok(value) = coerce(sub, operand.clone())
            {
                put(entry, &sub.name, value);
            }
        }
        Expression::And(a, b) => {
            described(attribute, a, entry);
            described(attribute, b, entry);
        }
        Expression::Compare(..)
        | Expression::Present(_)
        | Expression::Not(_)
        | Expression::Or(..) => {}
    }
}

fn taken_object(map: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match map.shift_remove(name) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    }
}

/// Where the attributes of a URN stand: the resource, or the object under the URN.
fn taken_holder(user: &mut Map<String, Value>, urn: Option<&str>) -> Map<String, Value> {
    match urn {
        None => std::mem::take(user),
        Some(urn) => taken_object(user, urn),
    }
}

fn put_holder(user: &mut Map<String, Value>, urn: Option<&str>, holder: Map<String, Value>) {
    match urn {
        None => *user = holder,
        Some(urn) => put(user, urn, holder.into()),
    }
}
