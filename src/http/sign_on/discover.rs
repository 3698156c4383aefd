//! `POST /api/v1/login/discover`: the ways to sign in with an address, for applications. It needs no credential,
//! and tells of nobody whether they exist.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::problem::{Code, Problem};
use crate::http::caller::client_ip;
use crate::http::management::problem::Failure;
use crate::service::Error;
use crate::service::sign_on::Counted;

use super::Visitor;

/// Longest body.
const LONGEST: usize = 4_096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    email: String,
}

/// `POST /api/v1/login/discover`.
///
/// # Errors
/// 400 `malformed_request`, 413, 422 `email_invalid`, 429.
pub async fn discover(request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Failure> {
    let visitor = Visitor::new(&request).ok_or_else(|| Error::from(Code::Internal))?;
    if body.len() > LONGEST {
        return Err(Error::from(Code::TooLarge).into());
    }
    let read = serde_json::from_slice(&body);
    let Body { email } = read.map_err(|_| {
        let rule = "The body is a JSON object with the one field email";
        Error::from(Problem::new(Code::MalformedRequest, rule))
    })?;
    let ways = visitor.service.ways_to_sign_in(email.clone()).await?;
    if ways.connection.is_none() {
        let address = client_ip(&request, &visitor.site);
        visitor.service.count_sign_on(Counted::UnknownEmail, &address)?;
    }
    let sso = ways.connection.as_ref().map(|name| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("connection", name).append_pair("login_hint", email.trim());
        let url = format!("{}/oauth/authorize?{}", visitor.site.public_url, query.finish());
        json!({"connection": name, "authorize_url": url, "enforced": ways.enforced})
    });
    let methods =
        sso.iter().map(|_| "sso").chain(ways.social.iter().map(|(name, _)| name.as_str()));
    let answer = json!({"methods": methods.collect::<Vec<_>>(), "sso": sso.unwrap_or(Value::Null)});
    Ok(HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(answer))
}
