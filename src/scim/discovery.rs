//! What the server says of itself: `ServiceProviderConfig`, `ResourceTypes`, Schemas (RFC 7644 §4;
//! RFC 7643 §5 to §7; RFC 9865 §4).
//!
//! Every figure is the one that the code enforces, and every schema the one that bodies are read
//! by. Nothing here is null, which Entra ID cannot read, and nothing names what is not supported.

use serde_json::{Map, Value, json};

use super::list::{DEFAULT_COUNT, MAX_COUNT};
use super::schema::{ResourceSchema, STATUS_URN, Schema, is_urn};
use scim_v2::schema_urns;

/// The limits that other floors enforce and this one publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most operations of one bulk request.
    pub max_operations: usize,
    /// Largest body of a bulk request, in bytes.
    pub max_payload_size: usize,
    /// How long a cursor lives, in seconds.
    pub cursor_timeout: u64,
}

/// The resource at `/ServiceProviderConfig` (RFC 7643 §5, with `pagination` of RFC 9865 §4).
pub fn service_provider_config(base_url: &str, limits: &Limits) -> Value {
    json!({
        "schemas": [schema_urns::SERVICE_PROVIDER_CONFIG],
        "patch": {"supported": true},
        "bulk": {
            "supported": true,
            "maxOperations": limits.max_operations,
            "maxPayloadSize": limits.max_payload_size,
        },
        "filter": {"supported": true, "maxResults": MAX_COUNT},
        "changePassword": {"supported": false},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_COUNT,
            "maxPageSize": MAX_COUNT,
            "cursorTimeout": limits.cursor_timeout,
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "OAuth Bearer Token",
            "description": "A SCIM token of the company in the Authorization header",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base_url}/ServiceProviderConfig"),
        },
    })
}

/// The resources at `/ResourceTypes` (RFC 7643 §6), with the company's own extensions.
pub fn resource_types(base_url: &str, user: &ResourceSchema, group: &ResourceSchema) -> Vec<Value> {
    [(user, "User account"), (group, "Group")]
        .into_iter()
        .map(|(schema, description)| resource_type(base_url, schema, description))
        .collect()
}

fn resource_type(base_url: &str, schema: &ResourceSchema, description: &str) -> Value {
    let name = schema.resource_type.name();
    // The status extension is in /Schemas and in answers that ask for it, but not here: a client
    // that walks the extensions of a type would try to write it (docs/decisions/0003).
    let extensions: Vec<Value> = schema
        .extensions()
        .filter(|e| e.id != STATUS_URN)
        .map(|e| json!({"schema": e.id, "required": false}))
        .collect();
    let mut out = Map::new();
    out.insert("schemas".to_owned(), json!([schema_urns::RESOURCE_TYPE]));
    out.insert("id".to_owned(), json!(name));
    out.insert("name".to_owned(), json!(name));
    out.insert("description".to_owned(), json!(description));
    out.insert("endpoint".to_owned(), json!(format!("/{}", schema.resource_type.endpoint())));
    out.insert("schema".to_owned(), json!(schema.core().id));
    if !extensions.is_empty() {
        out.insert("schemaExtensions".to_owned(), Value::Array(extensions));
    }
    let location = format!("{base_url}/ResourceTypes/{name}");
    out.insert("meta".to_owned(), json!({"resourceType": "ResourceType", "location": location}));
    Value::Object(out)
}

/// The resources at `/Schemas` (RFC 7643 §7): User, its extensions, Group, its extensions. One that
/// both have stands once.
pub fn schemas(base_url: &str, user: &ResourceSchema, group: &ResourceSchema) -> Vec<Value> {
    let of = |schema: &ResourceSchema| -> Vec<Schema> {
        std::iter::once(schema.core()).chain(schema.extensions()).cloned().collect()
    };
    let mut all = of(user);
    all.extend(of(group).into_iter().filter(|s| user.extension(&s.id).is_none()));
    all.iter().map(|schema| published(base_url, schema)).collect()
}

fn published(base_url: &str, schema: &Schema) -> Value {
    let mut out = Map::new();
    out.insert("schemas".to_owned(), json!([schema_urns::SCHEMA]));
    out.insert("id".to_owned(), json!(schema.id));
    // Clients build their models by name (scim2-models refuses a schema without one).
    let name = if schema.name.is_empty() { &schema.id } else { &schema.name };
    out.insert("name".to_owned(), json!(name));
    if !schema.description.is_empty() {
        out.insert("description".to_owned(), json!(schema.description));
    }
    out.insert("attributes".to_owned(), json!(schema.attributes));
    let location = format!("{base_url}/Schemas/{}", schema.id);
    out.insert("meta".to_owned(), json!({"resourceType": "Schema", "location": location}));
    Value::Object(out)
}

/// The one of [`resource_types`] or [`schemas`] with this id. URNs compare without case
/// (RFC 7644 §3.10), names with it.
pub fn find<'r>(resources: &'r [Value], id: &str) -> Option<&'r Value> {
    resources.iter().find(|resource| {
        let own = resource.get("id").and_then(Value::as_str).unwrap_or_default();
        own == id || (is_urn(own) && own.eq_ignore_ascii_case(id))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scim::schema::{ENTERPRISE_URN, GROUP_URN, STATUS_URN, USER_URN, parse_extension};

    const BASE: &str = "https://id.tern.example/scim/v2";
    const HR: &str = "urn:acme:params:scim:schemas:extension:hr:2.0:User";

    fn both() -> (ResourceSchema, ResourceSchema) {
        let hr = json!({"id": HR, "attributes": [{"name": "badge", "type": "string"}]});
        let hr = Arc::new(parse_extension(hr).unwrap());
        (ResourceSchema::user([hr.clone()]), ResourceSchema::group([hr]))
    }

    fn all_schemas() -> Vec<Value> {
        let (user, group) = both();
        schemas(BASE, &user, &group)
    }

    fn config() -> Value {
        let limits = Limits { max_operations: 500, max_payload_size: 4096, cursor_timeout: 600 };
        service_provider_config(BASE, &limits)
    }

    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.iter().any(has_null),
            Value::Object(map) => map.values().any(has_null),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }

    #[test]
    fn the_config_says_what_is_enforced() {
        let config = config();
        assert_eq!(config["bulk"]["maxOperations"], 500);
        assert_eq!(config["filter"]["maxResults"], MAX_COUNT);
        assert_eq!(config["pagination"]["maxPageSize"], MAX_COUNT);
        assert_eq!(config["pagination"]["cursorTimeout"], 600);
        assert_eq!(config["meta"]["location"], format!("{BASE}/ServiceProviderConfig"));
        assert!(!has_null(&config));
    }

    /// The model that `scim_v2` has of RFC 7643 §5 reads it.
    #[test]
    fn the_config_is_a_service_provider_config() {
        use scim_v2::models::service_provider_config::ServiceProviderConfig;
        assert!(serde_json::from_value::<ServiceProviderConfig>(config()).is_ok());
    }

    #[test]
    fn resource_types_name_their_extensions() {
        let (user, group) = both();
        let types = resource_types(BASE, &user, &group);
        assert_eq!(types[0]["endpoint"], "/Users");
        assert_eq!(types[0]["schema"], USER_URN);
        let urns: Vec<_> = types[0]["schemaExtensions"].as_array().unwrap().iter().collect();
        assert_eq!(urns.len(), 2);
        assert_eq!(*urns[0], json!({"schema": ENTERPRISE_URN, "required": false}));
        assert_eq!(types[1]["schemaExtensions"], json!([{"schema": HR, "required": false}]));
        assert_eq!(find(&types, "Group").unwrap()["schema"], GROUP_URN);
        assert_eq!(find(&types, "group"), None);
        let bare = resource_types(BASE, &user, &ResourceSchema::group([]));
        assert!(bare[1].get("schemaExtensions").is_none());
    }

    #[test]
    fn each_schema_stands_once_and_is_found_without_case() {
        let all = all_schemas();
        let ids: Vec<_> = all.iter().map(|s| s["id"].as_str().unwrap()).collect();
        assert_eq!(ids, [USER_URN, ENTERPRISE_URN, STATUS_URN, HR, GROUP_URN]);
        let found = find(&all, &USER_URN.to_lowercase()).unwrap();
        assert_eq!(found["meta"]["location"], format!("{BASE}/Schemas/{USER_URN}"));
        assert_eq!(find(&all, "urn:x:y:z"), None);
        assert_eq!(find(&all, HR).unwrap()["name"], HR);
    }

    /// RFC 7643 §7: the characteristics of every attribute; Entra: no nulls; ruling 10: no password.
    #[test]
    fn every_attribute_is_published_whole() {
        fn check(attribute: &Value) {
            for (key, is_right) in [
                ("name", Value::is_string as fn(&Value) -> bool),
                ("type", Value::is_string),
                ("multiValued", Value::is_boolean),
                ("description", Value::is_string),
                ("required", Value::is_boolean),
                ("caseExact", Value::is_boolean),
                ("mutability", Value::is_string),
                ("returned", Value::is_string),
                ("uniqueness", Value::is_string),
            ] {
                assert!(attribute.get(key).is_some_and(is_right), "{key} of {attribute}");
            }
            for sub in attribute["subAttributes"].as_array().into_iter().flatten() {
                check(sub);
            }
        }
        let all = all_schemas();
        assert!(!all.iter().any(has_null));
        for attribute in all.iter().flat_map(|s| s["attributes"].as_array().unwrap()) {
            check(attribute);
            assert_ne!(attribute["name"], "password");
        }
        assert_eq!(all[0]["attributes"][0]["uniqueness"], "server");
    }
}
