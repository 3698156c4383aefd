//! Pages for people: one layout, no script, nothing from elsewhere. What a page shows of a request it shows
//! as text.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;
use tracing_actix_web::RequestId;

use crate::domain::problem::Problem;
use crate::service::Error;

use super::error::chain;
use super::management::problem::problem;

/// The one style sheet.
const STYLE: &str = include_str!("../../templates/page.css");

/// Something to be told.
#[derive(Template)]
#[template(path = "message.html")]
struct Message<'m> {
    title: &'m str,
    text: &'m str,
    code: Option<&'m str>,
    reference: Option<&'m str>,
}

/// `GET /assets/page.css`.
pub async fn style() -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "public, max-age=3600"));
    answer.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    answer.content_type("text/css; charset=utf-8").body(STYLE)
}

/// A page. Its forms may lead here, and to these origins: a browser asks for redirects of a form, too.
pub fn page(status: StatusCode, template: &impl Template, forms: &[&str]) -> HttpResponse {
    let html = match template.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            return HttpResponse::InternalServerError().finish();
        }
    };
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'self' {}",
        forms.join(" ")
    );
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::CONTENT_SECURITY_POLICY, policy.trim_end()));
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((header::REFERRER_POLICY, "no-referrer"));
    answer.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    answer.insert_header((header::X_FRAME_OPTIONS, "DENY"));
    answer.content_type("text/html; charset=utf-8").body(html)
}

/// A page that tells something.
pub fn message(status: StatusCode, title: &str, text: &str) -> HttpResponse {
    page(status, &Message { title, text, code: None, reference: None }, &[])
}

/// The page of a refusal, with the code that support looks up and the reference that the log has too.
pub fn refusal(request: &HttpRequest, error: &Error) -> HttpResponse {
    if let Error::Internal(cause) = error {
        tracing::error!(cause = %chain(cause.as_ref()), "internal error");
    }
    let Problem { code, detail, .. } = problem(error);
    let reference = request.extensions().get::<RequestId>().map(ToString::to_string);
    let message = Message {
        title: code.title(),
        text: &detail,
        code: Some(code.name()),
        reference: reference.as_deref(),
    };
    // What a program would be told of its body is wrong with a link here.
    let status = if code.status() == 422 { 400 } else { code.status() };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = page(status, &message, &[]);
    if let Error::TooMany { retry_after_seconds } = error {
        answer.headers_mut().insert(header::RETRY_AFTER, (*retry_after_seconds).into());
    }
    answer
}
