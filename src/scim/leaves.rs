//! The comparable values of a resource: what storage keeps for filters and sorts, and where.
//!
//! Some attributes have a column of their own; those that are promised an index are rows of one
//! ([`leaves`]); all others are one JSON text beside the document ([`facts`]), which a filter reads
//! resource by resource.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::json;
use super::resource::{Resource, is_primary};
use super::schema::{
    Attribute, AttributePath, ENTERPRISE_URN, Kind, PathRef, ResourceSchema, ResourceType,
    STATUS_URN,
};
use super::value;

/// Where storage keeps the comparable values of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// In a column of the resource's own table.
    Column,
    /// In rows of the index, as [`leaves`] gives them.
    Index,
    /// In the resource's [`facts`].
    Facts,
}

/// Where storage keeps the values at this path.
pub fn home<'p>(resource_type: ResourceType, path: impl Into<PathRef<'p>>) -> Home {
    let of_user = resource_type == ResourceType::User;
    let PathRef { extension, name, sub } = path.into();
    match (extension, name, sub) {
        (None, "id" | "externalId" | "displayName" | "meta", _) | (Some(STATUS_URN), ..) => {
            Home::Column
        }
        (None, "userName" | "active", _) if of_user => Home::Column,
        (None, "name", _) | (None, "emails", Some("value")) | (Some(ENTERPRISE_URN), ..)
            if of_user =>
        {
            Home::Index
        }
        _ => Home::Facts,
    }
}

/// The attributes that a list is filtered by without looking at every resource, and sorted by where
/// they can be: each one's path, down to its parts.
pub fn promised(schema: &ResourceSchema) -> Vec<AttributePath> {
    let mut out = Vec::new();
    let mut visit = |urn: Option<&str>, attribute: &Attribute| {
        let (extension, name) = (urn.map(str::to_owned), attribute.name.clone());
        let whole = AttributePath { extension, name, sub: None };
        let parts = attribute.sub_attributes.iter();
        let parts = parts.map(|sub| AttributePath { sub: Some(sub.name.clone()), ..whole.clone() });
        let paths = std::iter::once(whole.clone()).chain(parts).filter(|path| {
            let (name, sub) = (path.name.as_str(), path.sub.as_deref());
            match home(schema.resource_type, path) {
                Home::Index => attribute.kind != Kind::Complex || sub.is_some(),
                // What the server makes is computed from columns, but for its times.
                Home::Column if name == "meta" => matches!(sub, Some("created" | "lastModified")),
                Home::Column => urn.is_none(),
                // Rows of their own, which are read from both ends.
                Home::Facts => matches!((name, sub), ("members" | "groups", Some("value"))),
            }
        });
        out.extend(paths);
    };
    for name in ["id", "externalId", "meta"] {
        schema.attribute(name).into_iter().for_each(|attribute| visit(None, attribute));
    }
    schema.core().attributes.iter().for_each(|attribute| visit(None, attribute));
    for extension in schema.extensions() {
        extension.attributes.iter().for_each(|attribute| visit(Some(&extension.id), attribute));
    }
    out
}

/// One comparable value that is indexed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leaf {
    /// Which attribute, by [`path_key`].
    pub path: String,
    /// The value as [`value::key`] gives it.
    pub key: String,
    /// Which element of the attribute; 0 is the primary one, or else the first.
    pub element: i16,
}

/// The name of an attribute in the index and in [`facts`].
pub fn path_key<'p>(path: impl Into<PathRef<'p>>) -> String {
    let mut path = path.into();
    // The longest URN is on most users; a short form keeps the index small.
    if path.extension == Some(ENTERPRISE_URN) {
        path.extension = Some("enterprise");
    }
    // As it is displayed, in one piece of memory: every value of every user has one.
    let (urn, colon) = path.extension.map_or(("", ""), |urn| (urn, ":"));
    let (dot, sub) = path.sub.map_or(("", ""), |sub| (".", sub));
    [urn, colon, path.name, dot, sub].concat()
}

/// The range of names under which the parts of a complex attribute are indexed: from the first text
/// (included) to the second one (not included).
pub fn part_keys(path: &AttributePath) -> (String, String) {
    let whole = path_key(&AttributePath { sub: None, ..path.clone() });
    // '/' follows '.' in every byte order.
    (format!("{whole}."), format!("{whole}/"))
}

/// The values of a resource that are indexed, in no particular order.
pub fn leaves(schema: &ResourceSchema, resource: &Resource) -> Vec<Leaf> {
    let mut out = Vec::new();
    // Few attributes have an indexed part; of the others nothing is looked at.
    let is_indexed = |path: PathRef<'_>| home(schema.resource_type, path) == Home::Index;
    each_attribute(schema, resource, |path, attribute, value| {
        for (rank, item) in elements(value) {
            match item {
                Value::Object(map) => {
                    for (sub, value) in parts(attribute, map) {
                        let path = PathRef { sub: Some(&sub.name), ..path };
                        if is_indexed(path) {
                            out.extend(keys(sub, value).map(|key| leaf(path, key, rank)));
                        }
                    }
                }
                item if is_indexed(path) => {
                    out.extend(value::key(attribute, item).map(|key| leaf(path, key, rank)));
                }
                _ => {}
            }
        }
    });
    out
}

fn leaf(path: PathRef<'_>, key: String, element: i16) -> Leaf {
    Leaf { path: path_key(path), key, element }
}

/// The values of a resource that no index has, as a JSON object: under the name of each attribute
/// the list of its elements, the primary one or else the first in front; an element is a key, or
/// an object of its parts' keys. All elements of a list are there, indexed or not, so that a value
/// path finds the parts of one element together.
pub fn facts(schema: &ResourceSchema, resource: &Resource) -> String {
    let mut out = Vec::new();
    each_attribute(schema, resource, |path, attribute, value| {
        if home(schema.resource_type, path) != Home::Facts {
            return;
        }
        let mut items = elements(value);
        items.sort_by_key(|(rank, _)| *rank);
        let items: Vec<Fact> =
            items.into_iter().filter_map(|(_, item)| fact(attribute, item)).collect();
        if !items.is_empty() {
            out.push((path_key(path), items));
        }
    });
    json::text(&Object(out))
}

/// Names and what stands under them, as a JSON object.
struct Object<K, V>(Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Object<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// One element in the [`facts`], or a part of one.
#[derive(Serialize)]
#[serde(untagged)]
enum Fact<'r> {
    Key(String),
    Keys(Vec<String>),
    Parts(Object<&'r str, Fact<'r>>),
}

/// One element; `None` where nothing of it can be compared.
fn fact<'r>(attribute: &'r Attribute, item: &'r Value) -> Option<Fact<'r>> {
    let Value::Object(map) = item else { return value::key(attribute, item).map(Fact::Key) };
    let facts = parts(attribute, map).filter_map(|(sub, value)| {
        let mut keys = keys(sub, value);
        let fact = if sub.multi_valued {
            Some(keys.collect()).filter(|keys: &Vec<String>| !keys.is_empty()).map(Fact::Keys)
        } else {
            keys.next().map(Fact::Key)
        };
        fact.map(|fact| (sub.name.as_str(), fact))
    });
    // An element without parts keeps its place: the first one is what a list is sorted by.
    Some(Fact::Parts(Object(facts.collect())))
}

/// The parts that a complex value has, each one's definition and value.
fn parts<'r>(
    attribute: &'r Attribute,
    map: &'r Map<String, Value>,
) -> impl Iterator<Item = (&'r Attribute, &'r Value)> {
    map.iter().filter_map(|(name, value)| Some((defined(&attribute.sub_attributes, name)?, value)))
}

/// The definition of a name in the schema's spelling, which a resource has.
fn defined<'s>(attributes: &'s [Attribute], name: &str) -> Option<&'s Attribute> {
    attributes.iter().find(|attribute| attribute.name == name)
}

/// The keys of a sub-attribute, which in a custom schema may be a list of its own.
fn keys(sub: &Attribute, value: &Value) -> impl Iterator<Item = String> {
    let values = match value {
        Value::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    values.iter().filter_map(|value| value::key(sub, value))
}

/// Calls `visit` with every attribute that the resource has, its definition and its value.
fn each_attribute<'r>(
    schema: &'r ResourceSchema,
    resource: &'r Resource,
    mut visit: impl FnMut(PathRef<'r>, &'r Attribute, &'r Value),
) {
    type Values = Map<String, Value>;
    let mut visit_all =
        |extension: Option<&'r str>, attributes: &'r [Attribute], map: &'r Values| {
            for (name, value) in map {
                if let Some(attribute) = defined(attributes, name) {
                    visit(PathRef { extension, name, sub: None }, attribute, value);
                }
            }
        };
    visit_all(None, &schema.core().attributes, &resource.0);
    for extension in schema.extensions() {
        if let Some(Value::Object(map)) = resource.0.get(&extension.id) {
            visit_all(Some(&extension.id), &extension.attributes, map);
        }
    }
}

/// The elements of a value with their ranks: 0 is the primary one, or else the first.
fn elements(value: &Value) -> Vec<(i16, &Value)> {
    let Value::Array(items) = value else { return vec![(0, value)] };
    let first = items.iter().position(is_primary).unwrap_or(0);
    items.iter().enumerate().map(|(i, item)| (rank(i, first), item)).collect()
}

/// The place of element `i` where the one at `first` comes first.
fn rank(i: usize, first: usize) -> i16 {
    let place = match i.cmp(&first) {
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Less => i + 1,
        std::cmp::Ordering::Greater => i,
    };
    i16::try_from(place).unwrap_or(i16::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::resource::normalise;

    /// Adding to the list is a promise; taking from it breaks one.
    #[test]
    fn what_is_promised_an_index() {
        let names = |schema| -> Vec<String> { promised(&schema).iter().map(path_key).collect() };
        let mut users: Vec<String> = [
            "id",
            "externalId",
            "meta.created",
            "meta.lastModified",
            "userName",
            "name.formatted",
            "name.familyName",
            "name.givenName",
            "name.middleName",
            "name.honorificPrefix",
            "name.honorificSuffix",
            "displayName",
            "active",
            "emails.value",
            "groups.value",
            "enterprise:employeeNumber",
            "enterprise:costCenter",
            "enterprise:organization",
            "enterprise:division",
            "enterprise:department",
            "enterprise:manager.value",
            "enterprise:manager.$ref",
            "enterprise:manager.displayName",
        ]
        .map(str::to_owned)
        .to_vec();
        let mut found = names(ResourceSchema::user([]));
        users.sort();
        found.sort();
        assert_eq!(found, users);
        let mut groups = names(ResourceSchema::group([]));
        groups.sort();
        let want = [
            "displayName",
            "externalId",
            "id",
            "members.value",
            "meta.created",
            "meta.lastModified",
        ];
        assert_eq!(groups, want);
    }

    #[test]
    fn every_value_is_in_a_column_the_index_or_the_facts() {
        let schema = ResourceSchema::user([]);
        let Value::Object(body) = json!({
            "userName": "A", "externalId": "x", "displayName": "D", "active": true, "title": "Dr",
            "emails": [{"value": "A@x", "type": "home"}, {"value": "b@x", "primary": true}],
            "name": {"familyName": "Vik"}, ENTERPRISE_URN: {"department": "Locks"},
        }) else {
            unreachable!()
        };
        let resource = normalise(&schema, body).unwrap().resource;
        let mut leaves: Vec<String> = leaves(&schema, &resource)
            .into_iter()
            .map(|l| format!("{} {} {}", l.path, l.element, l.key))
            .collect();
        leaves.sort();
        let want = [
            "emails.value 0 b@x",
            "emails.value 1 a@x",
            "enterprise:department 0 locks",
            "name.familyName 0 vik",
        ];
        assert_eq!(leaves, want);
        let facts: Value = serde_json::from_str(&facts(&schema, &resource)).unwrap();
        let want = json!({"title": ["dr"], "emails": [
            {"value": "b@x", "primary": "true"}, {"value": "a@x", "type": "home"},
        ]});
        assert_eq!(facts, want);
    }
}
