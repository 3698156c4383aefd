//! `/openapi.json`: the management API described, from the table of its routes.

use std::sync::OnceLock;

use actix_web::HttpResponse;
use serde_json::{Map, Value, json};

use crate::domain::authorization::Level;
use crate::domain::problem::Code;

use super::table::{self, Entry, Gives, Shape};

/// `GET /openapi.json`.
pub async fn document() -> HttpResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| describe().to_string());
    HttpResponse::Ok().content_type("application/json").body(text.as_str())
}

/// The whole document, in version 3.1.
pub fn describe() -> Value {
    let mut schemas = Map::new();
    let mut paths = Map::new();
    for (noun, entries) in super::NOUNS {
        for entry in *entries {
            for path in entry.paths() {
                let operation = operation(noun, entry, &path, &mut schemas);
                let item = paths.entry(path).or_insert_with(|| json!({}));
                item[entry.method.to_lowercase()] = operation;
            }
        }
    }
    schemas.insert("Problem".to_owned(), problem_schema());
    paths.insert("/api/v1/login/discover".to_owned(), json!({"post": discover()}));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "stagedoor management API",
            "version": "v1",
            "description": "Companies, organizations, people, SCIM and keys. `{company}` and \
                `{organization}` take the id or the slug; without its company an organization takes the id.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {
                "type": "http", "scheme": "bearer",
                "description": "An API key (`stgd_api_…`) of an operator or of a company, or a session.",
            }},
        },
        "security": [{"key": []}],
    })
}

/// The one route that needs no credential, which the table of those who may do what does not have
/// ([`crate::http::sign_on`]).
fn discover() -> Value {
    let sso = json!({"type": ["object", "null"], "properties": {
        "connection": {"type": "string"}, "authorize_url": {"type": "string"},
        "enforced": {"type": "boolean"},
    }});
    let answer = json!({"type": "object", "required": ["methods", "sso"], "properties": {
        "methods": {"type": "array", "items": {"type": "string"}}, "sso": sso,
    }});
    let question = json!({"type": "object", "required": ["email"], "additionalProperties": false,
        "properties": {"email": {"type": "string"}}});
    let problem = json!({"$ref": "#/components/schemas/Problem"});
    json!({
        "tags": ["signing in"],
        "summary": "See how somebody with an address may sign in",
        "description": "For everybody, without a credential; it tells of nobody whether they exist.",
        "operationId": "post /api/v1/login/discover",
        "security": [],
        "requestBody": {"required": true, "content": {"application/json": {"schema": question}}},
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": answer}}},
            "default": {
                "description": "Refused.",
                "content": {"application/problem+json": {"schema": problem}},
            },
        },
    })
}

fn problem_schema() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    json!({
        "type": "object",
        "description": "A refusal (RFC 9457).",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string", "enum": codes},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            }},
        },
    })
}

/// Registers a form of a body and refers to it.
fn refer(shape: Shape, schemas: &mut Map<String, Value>) -> Value {
    let mut parts = Vec::new();
    (shape.parts)(&mut parts);
    let name = (shape.name)().into_owned();
    parts.push((name.clone(), (shape.schema)()));
    for (name, schema) in parts {
        schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
    }
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn operation(noun: &str, entry: &Entry, path: &str, schemas: &mut Map<String, Value>) -> Value {
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    parameters.extend(entry.asks.iter().map(|(name, required, about)| {
        json!({"name": name, "in": "query", "required": required, "description": about,
            "schema": {"type": "string"}})
    }));
    let body = match entry.gives {
        Gives::Nothing => None,
        Gives::One(shape) => Some(refer(shape, schemas)),
        Gives::Page(shape) => {
            for (name, kind) in [("limit", "integer"), ("cursor", "string")] {
                parameters.push(json!({"name": name, "in": "query", "schema": {"type": kind}}));
            }
            let items = refer(shape, schemas);
            let page = json!({"type": "object", "properties": {
                "next_cursor": {"type": ["string", "null"]}, "limit": {"type": "integer"},
            }});
            Some(json!({"type": "object", "required": ["data", "page"], "properties": {
                "data": {"type": "array", "items": items}, "page": page,
            }}))
        }
    };
    if entry.method != "GET" {
        let about = "The same request under the same key is done once, for a day.";
        let schema = json!({"type": "string", "maxLength": 255});
        let name = "Idempotency-Key";
        parameters
            .push(json!({"name": name, "in": "header", "description": about, "schema": schema}));
    }
    let mut success = json!({"description": "Done."});
    if let Some(schema) = body {
        success["content"] = json!({"application/json": {"schema": schema}});
    }
    let problem = json!({"$ref": "#/components/schemas/Problem"});
    let refusal = json!({
        "description": "Refused.",
        "content": {"application/problem+json": {"schema": problem}},
    });
    let mut operation = json!({
        "tags": [noun],
        "summary": entry.about,
        "description": who(entry),
        "operationId": format!("{} {path}", entry.method.to_lowercase()),
        "x-act": entry.act.name(),
        "parameters": parameters,
        "responses": {entry.status.to_string(): success, "default": refusal},
    });
    if let Some(shape) = entry.takes {
        let schema = refer(shape, schemas);
        let content = json!({"application/json": {"schema": schema}});
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}

/// Who may, for people.
pub(super) fn who(entry: &Entry) -> String {
    let rule = entry.act.rule();
    let mut text = match (rule.operator, rule.permission) {
        (true, _) => "For operators' keys.".to_owned(),
        (false, Some(permission)) => format!("Needs the permission `{}`.", permission.name()),
        (false, None) if rule.level == Level::Organization => {
            "For everybody in the organization.".to_owned()
        }
        (false, None) => "For everybody in the company.".to_owned(),
    };
    if rule.plan {
        text.push_str(" Needs the plan enterprise, poc or internal.");
    }
    text
}

/// Every method and path that the table serves, with what it does; what the tests go by.
pub fn routes() -> Vec<(&'static str, String, &'static Entry)> {
    let all = table::entries();
    all.flat_map(|entry| entry.paths().into_iter().map(move |path| (entry.method, path, entry)))
        .collect()
}
