//! The text of a resource that is stored: ready to be answered, once what the server adds is put around it.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::json;
use super::resource::Resource;
use super::schema::ResourceSchema;

impl Resource {
    /// The text to store: `schemas` (RFC 7643 §3), then the attributes, ready to be answered.
    pub fn to_document(&self, schema: &ResourceSchema) -> String {
        json::text(&Document(schema.resource_type.urn(), self))
    }

    /// Reads what [`Self::to_document`] wrote.
    ///
    /// # Errors
    /// Where the text is not a JSON object: the storage is damaged.
    pub fn from_document(document: &str) -> Result<Self, serde_json::Error> {
        let mut map: Map<String, Value> = serde_json::from_str(document)?;
        map.shift_remove("schemas");
        Ok(Self(map))
    }
}

/// A resource as it is stored: the URN of its core schema, and its attributes.
struct Document<'r>(&'r str, &'r Resource);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(core, Resource(attributes)) = self;
        let extensions = attributes.keys().filter(|key| key.contains(':')).map(String::as_str);
        let urns: Vec<&str> = std::iter::once(*core).chain(extensions).collect();
        let mut map = serializer.serialize_map(Some(attributes.len() + 1))?;
        map.serialize_entry("schemas", &urns)?;
        for (name, value) in attributes {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
