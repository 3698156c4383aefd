//! `/docs`: the management API described for people, without a script and without anything from elsewhere.

use std::sync::OnceLock;

use actix_web::HttpResponse;
use actix_web::http::header;
use askama::Template;
use serde_json::Value;

use crate::domain::problem::Code;

use super::openapi::{describe, who};
use super::table::{Entry, Gives, Shape};

#[derive(Template)]
#[template(path = "docs.html")]
struct Docs {
    about: String,
    nouns: Vec<Noun>,
    codes: &'static [Code],
}

struct Noun {
    name: &'static str,
    routes: Vec<Route>,
}

struct Route {
    method: &'static str,
    paths: Vec<String>,
    about: &'static str,
    who: String,
    bodies: Vec<Body>,
}

/// What a route takes or gives.
struct Body {
    word: &'static str,
    name: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    kind: String,
    about: String,
}

/// `GET /docs`.
pub async fn page() -> HttpResponse {
    static TEXT: OnceLock<Option<String>> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        let written = docs(&describe()).render();
        written.inspect_err(|error| tracing::error!(%error, "/docs could not be written")).ok()
    });
    let Some(text) = text else { return HttpResponse::InternalServerError().finish() };
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(text.as_str())
}

fn docs(document: &Value) -> Docs {
    let nouns = super::NOUNS.iter().map(|(name, entries)| Noun {
        name,
        routes: entries.iter().map(|entry| route(entry, document)).collect(),
    });
    Docs { about: text(&document["info"]["description"]), nouns: nouns.collect(), codes: Code::ALL }
}

fn route(entry: &'static Entry, document: &Value) -> Route {
    let gives = match entry.gives {
        Gives::Nothing => None,
        Gives::One(shape) => Some(("Gives", shape)),
        Gives::Page(shape) => Some(("Gives a page of", shape)),
    };
    let takes = entry.takes.map(|shape| ("Takes", shape));
    Route {
        method: entry.method,
        paths: entry.paths(),
        about: entry.about,
        who: who(entry),
        bodies: takes.into_iter().chain(gives).map(|body| described(body, document)).collect(),
    }
}

fn described((word, shape): (&'static str, Shape), document: &Value) -> Body {
    let name = (shape.name)().into_owned();
    let schema = &document["components"]["schemas"][name.as_str()];
    let fields = schema["properties"].as_object().into_iter().flatten();
    let fields = fields.map(|(field, about)| Field {
        name: field.clone(),
        kind: kind(&about["type"]),
        about: text(&about["description"]),
    });
    Body { word, fields: fields.collect(), name }
}

fn kind(of: &Value) -> String {
    match of {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    }
}

fn text(of: &Value) -> String {
    of.as_str().unwrap_or_default().to_owned()
}
