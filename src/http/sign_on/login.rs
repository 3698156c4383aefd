//! `/login`: the page that asks for an address first, the company's own path, and social connections. All of it
//! works without script.

use actix_web::http::StatusCode;
use actix_web::{Either, HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::domain::problem::Code;
use crate::service::Error;
use crate::service::sign_on::{Callback, Counted, Named, Ways, social as by_social};

use super::{Asked, Visitor, sso, unconfigured};
use crate::http::caller::client_ip;
use crate::http::{cookie, page as pages};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'p> {
    notice: Option<&'p str>,
    email: &'p str,
    request: &'p str,
    social: &'p [(String, String)],
}

#[derive(Template)]
#[template(path = "leave.html")]
struct Leave<'l> {
    address: &'l str,
}

#[derive(Template)]
#[template(path = "signed_in.html")]
struct SignedIn;

/// What the form sends.
#[derive(Debug, Deserialize)]
pub struct Form {
    email: String,
    #[serde(default)]
    request: String,
}

/// `GET /login`.
pub async fn page(request: HttpRequest, asked: web::Query<Asked>) -> HttpResponse {
    let Some(visitor) = Visitor::new(&request) else { return unconfigured() };
    if asked.request.is_empty() && visitor.is_signed_in().await {
        return pages::page(StatusCode::OK, &SignedIn, &[]);
    }
    match visitor.service.social_names().await {
        Ok(social) => {
            let (email, request) = (&asked.login_hint, &asked.request);
            let shown = LoginPage { notice: None, email, request, social: &social };
            pages::page(StatusCode::OK, &shown, &[])
        }
        Err(error) => visitor.refuse(&error.into()),
    }
}

impl Visitor {
    /// Whether the browser brings a session that opens.
    async fn is_signed_in(&self) -> bool {
        let Some(session) = cookie::session_of(&self.site, &self.request) else { return false };
        self.service.is_session(session).await
    }
}

/// `POST /login`: the address decides. The browser is sent on by a page, since a form may lead to this site
/// alone.
pub async fn choose(
    request: HttpRequest,
    form: Either<web::Form<Form>, web::Bytes>,
) -> HttpResponse {
    let Some(visitor) = Visitor::new(&request) else { return unconfigured() };
    let form = match form {
        Either::Left(web::Form(form)) => form,
        Either::Right(_) => Form { email: String::new(), request: String::new() },
    };
    let address = client_ip(&request, &visitor.site);
    let ways = match visitor.service.ways_to_sign_in(form.email.clone()).await {
        Ok(ways) => ways,
        Err(Error::Problem(problem)) if problem.code == Code::EmailInvalid => {
            return again(
                StatusCode::BAD_REQUEST,
                &form,
                (&Ways::default(), "That is no e-mail address."),
            );
        }
        Err(error) => return visitor.refuse(&error.into()),
    };
    if let Some(name) = &ways.connection {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !form.request.is_empty() {
            query.append_pair("request", &form.request);
        }
        query.append_pair("login_hint", form.email.trim());
        let leave = format!("/sso/start/{name}?{}", query.finish());
        return pages::page(StatusCode::OK, &Leave { address: &leave }, &[]);
    }
    if let Err(error) = visitor.service.count_sign_on(Counted::UnknownEmail, &address) {
        return visitor.refuse(&error.into());
    }
    let notice = if ways.social.is_empty() {
        "There is no sign-in for this address. Ask an administrator of your company."
    } else {
        "Your company has no sign-in of its own here. Continue with one of these:"
    };
    again(StatusCode::OK, &form, (&ways, notice))
}

fn again(status: StatusCode, form: &Form, (ways, notice): (&Ways, &str)) -> HttpResponse {
    let shown = LoginPage {
        notice: Some(notice),
        email: form.email.trim(),
        request: &form.request,
        social: &ways.social,
    };
    pages::page(status, &shown, &[])
}

/// `GET /login/{login_path}` (row 172).
pub async fn by_path(
    request: HttpRequest,
    path: web::Path<String>,
    asked: web::Query<Asked>,
) -> HttpResponse {
    sso::begin(&request, Named::LoginPath(path.into_inner()), &asked).await
}

/// `GET /login/social/{name}`.
pub async fn social(
    request: HttpRequest,
    name: web::Path<String>,
    asked: web::Query<Asked>,
) -> HttpResponse {
    let Some(visitor) = Visitor::new(&request) else { return unconfigured() };
    if let Err(refused) = visitor.count_start() {
        return visitor.refuse(&refused);
    }
    let (who, url) = ((name.as_str(), visitor.browser()), &visitor.site.public_url);
    let started = by_social::start(&visitor.service, url, who, asked.wish()).await;
    visitor.leave(started)
}

/// `GET /login/social/{name}/callback`.
pub async fn social_answer(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let Some(visitor) = Visitor::new(&request) else { return unconfigured() };
    let came = (Callback::read(request.query_string()), visitor.browser());
    let url = &visitor.site.public_url;
    let finished = by_social::answer(&visitor.service, url, &name, came).await;
    visitor.arrive(finished)
}
