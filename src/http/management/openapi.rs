//! `/openapi.json` and `/docs`: the management API described, from the table of its routes.

use std::sync::OnceLock;

use actix_web::HttpResponse;
use actix_web::http::header;
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

/// `GET /docs`: the same for people, without a script and without anything from elsewhere.
pub async fn page() -> HttpResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| write_page(&describe()));
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(text.as_str())
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
fn who(entry: &Entry) -> String {
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

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a}code,pre{font:14px/1.4 ui-monospace,monospace}h2{margin-top:2.5rem}section{border-top:1px \
solid #ddd;padding:.75rem 0}.m{display:inline-block;min-width:4.5rem;font-weight:700}table{border-collapse:\
collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:\
1px solid #eee}.q{color:#555}";

fn write_page(document: &Value) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>stagedoor management API</title><style>{STYLE}</style>\
         <h1>stagedoor management API</h1><p>{}</p><p>The same for programs: \
         <a href=\"/openapi.json\">/openapi.json</a>. Send \
         <code>Authorization: Bearer stgd_api_…</code>.</p>",
        escape(document["info"]["description"].as_str().unwrap_or_default())
    );
    for (noun, entries) in super::NOUNS {
        out.push_str(&format!("<h2>{}</h2>", escape(noun)));
        for entry in *entries {
            write_entry(&mut out, entry, document);
        }
    }
    out.push_str("<h2>Codes of refusals</h2><table><tr><th>code<th>status<th>meaning");
    for code in Code::ALL {
        let (name, status, title) = (code.name(), code.status(), escape(code.title()));
        out.push_str(&format!("<tr id=\"{name}\"><td><code>{name}</code><td>{status}<td>{title}"));
    }
    out.push_str("</table></html>");
    out
}

fn write_entry(out: &mut String, entry: &Entry, document: &Value) {
    out.push_str("<section>");
    for path in entry.paths() {
        let path = escape(&path);
        out.push_str(&format!(
            "<div><span class=\"m\">{}</span><code>{path}</code></div>",
            entry.method
        ));
    }
    let (about, who) = (escape(entry.about), escape(&who(entry)));
    out.push_str(&format!("<p>{about}. <span class=\"q\">{who}</span></p>"));
    let shown = match entry.gives {
        Gives::Nothing => None,
        Gives::One(shape) => Some(("Gives", shape)),
        Gives::Page(shape) => Some(("Gives a page of", shape)),
    };
    let takes = entry.takes.map(|shape| ("Takes", shape));
    for (word, shape) in takes.into_iter().chain(shown) {
        let name = (shape.name)();
        let schema = &document["components"]["schemas"][&*name];
        out.push_str(&format!("<details><summary>{word} <code>{name}</code></summary><table>"));
        for (field, about) in schema["properties"].as_object().into_iter().flatten() {
            let kind = match &about["type"] {
                Value::String(kind) => kind.clone(),
                Value::Array(kinds) => {
                    let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
                    kinds.join(" or ")
                }
                _ => "any".to_owned(),
            };
            let text = escape(about["description"].as_str().unwrap_or_default());
            out.push_str(&format!("<tr><td><code>{field}</code><td>{kind}<td>{text}"));
        }
        out.push_str("</table></details>");
    }
    out.push_str("</section>");
}

/// Every method and path that the table serves, with what it does; what the tests go by.
pub fn routes() -> Vec<(&'static str, String, &'static Entry)> {
    let all = table::entries();
    all.flat_map(|entry| entry.paths().into_iter().map(move |path| (entry.method, path, entry)))
        .collect()
}
