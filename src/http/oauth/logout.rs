//! The end of a session in a browser: `/logout` for a person and for an identity provider's front channel,
//! `/oauth/end_session` for an application.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use url::Url;

use crate::domain::authorization_request::Parameters;
use crate::domain::problem::{Code, Problem};
use crate::domain::token::{self, Kind};
use crate::http::{Site, body, cookie, page};
use crate::service::{Error, Result};

use super::authorize::{redirect, with};
use super::caller::Parts;

/// The question whether somebody means it.
#[derive(Template)]
#[template(path = "sign_out.html")]
struct SignOut<'s> {
    action: &'s str,
    fields: Vec<(&'s str, &'s str)>,
}

/// What an application sends that are passed on when the person says yes.
const FIELDS: [&str; 4] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"];

fn query(request: &HttpRequest) -> Result<Parameters> {
    let pairs = form_urlencoded::parse(request.query_string().as_bytes()).into_owned();
    Ok(Parameters::new(pairs).map_err(|about| Problem::new(Code::MalformedRequest, about))?)
}

fn signed_out(site: &Site, request: &HttpRequest) -> HttpResponse {
    let text = "You have been signed out.";
    let mut answer = page::message(StatusCode::OK, "Signed out", text);
    forget(site, request, &mut answer);
    answer
}

/// Takes the cookie back that the request brought. Another site's form brings none, and its answer must not
/// take one away: that would sign a person out whom nobody asked.
fn forget(site: &Site, request: &HttpRequest, answer: &mut HttpResponse) {
    if cookie::session_of(site, request).is_none() {
        return;
    }
    if let Err(error) = answer.add_cookie(&cookie::no_session(site)) {
        tracing::error!(%error, "a cookie could not be taken back");
    }
}

/// `GET /logout`: a page that asks; or, with `iss` and `sid`, an identity provider whose own session has
/// ended (OpenID Connect Front-Channel Logout 1.0 §3).
pub async fn ask(request: HttpRequest) -> HttpResponse {
    let done = async {
        let (parts, query) = (Parts::of(&request)?, query(&request)?);
        let (Some(issuer), Some(name)) = (query.get("iss"), query.get("sid")) else {
            let there = there(&parts, &request).await?;
            let origin = there.as_deref().and_then(origin);
            let forms: Vec<&str> = origin.as_deref().into_iter().collect();
            let question = SignOut { action: "/logout", fields: Vec::new() };
            return Ok(page::page(StatusCode::OK, &question, &forms));
        };
        parts.service.log_out_at(issuer.to_owned(), name.to_owned()).await?;
        let text = "Sessions that began there have ended.";
        Ok(page::message(StatusCode::OK, "Signed out", text))
    };
    done.await.unwrap_or_else(|error: Error| page::refusal(&request, &error))
}

/// Where the person's identity provider signs people out, where it does (SAML 2.0 Profiles §4.4).
async fn there(parts: &Parts, request: &HttpRequest) -> Result<Option<String>> {
    let cookie = cookie::session_of(&parts.site, request);
    parts.service.sign_out_there(&parts.site.public_url, cookie).await
}

fn origin(uri: &str) -> Option<String> {
    Some(Url::parse(uri).ok()?.origin().ascii_serialization())
}

/// `POST /logout`: a person. No other site's form carries the cookie (`SameSite=Lax`).
pub async fn log_out(request: HttpRequest) -> HttpResponse {
    let done = async {
        let parts = Parts::of(&request)?;
        let there = there(&parts, &request).await?;
        parts.service.log_out(cookie::session_of(&parts.site, &request)).await?;
        let Some(there) = there else { return Ok(signed_out(&parts.site, &request)) };
        let mut answer = redirect(&there);
        forget(&parts.site, &request, &mut answer);
        Ok(answer)
    };
    done.await.unwrap_or_else(|error: Error| page::refusal(&request, &error))
}

/// `GET` and `POST /oauth/end_session` (OpenID Connect RP-Initiated Logout 1.0 §2). Without a hint that is
/// ours, the person is asked first.
pub async fn end_session(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let done = async {
        let parameters = if request.method() == Method::POST {
            let pairs = body::form(&request, &mut payload.into_inner()).await?;
            Parameters::new(pairs).map_err(|about| Problem::new(Code::MalformedRequest, about))?
        } else {
            query(&request)?
        };
        end(&Parts::of(&request)?, &request, &parameters).await
    };
    done.await.unwrap_or_else(|error: Error| page::refusal(&request, &error))
}

async fn end(parts: &Parts, request: &HttpRequest, sent: &Parameters) -> Result<HttpResponse> {
    let hint = match sent.get("id_token_hint") {
        Some(token) => parts.service.hint(token).await?,
        None => None,
    };
    let back = back(parts, sent, hint.as_ref().map(|hint| hint.application.as_str())).await?;
    let cookie = cookie::session_of(&parts.site, request);
    let confirmed = request.method() == Method::POST && sent.get("confirmed").is_some();
    // The hint may be of another session than the browser's: an answer to somebody else's link would end it.
    let open = cookie.as_deref().and_then(|text| token::parse(Kind::Session, text));
    let asks = match (&hint, &open) {
        (Some(hint), Some(open)) => open.id != hint.session,
        (hint, _) => hint.is_none() && cookie.is_some(),
    };
    if let Some(hint) = hint {
        parts.service.log_out_by(hint).await?;
    }
    match asks {
        false => {}
        true if confirmed => drop(parts.service.log_out(cookie).await?),
        true => {
            let mut fields: Vec<(&str, &str)> = vec![("confirmed", "yes")];
            fields.extend(FIELDS.iter().filter_map(|name| Some((*name, sent.get(name)?))));
            let origin = back.as_deref().and_then(origin);
            let forms: Vec<&str> = origin.as_deref().into_iter().collect();
            let question = SignOut { action: "/oauth/end_session", fields };
            return Ok(page::page(StatusCode::OK, &question, &forms));
        }
    }
    let mut answer = match back {
        Some(uri) => redirect(&uri),
        None => return Ok(signed_out(&parts.site, request)),
    };
    forget(&parts.site, request, &mut answer);
    Ok(answer)
}

/// Where the browser goes then: one of the application's own addresses, letter by letter.
async fn back(parts: &Parts, sent: &Parameters, hinted: Option<&str>) -> Result<Option<String>> {
    let Some(uri) = sent.get("post_logout_redirect_uri") else { return Ok(None) };
    let named = sent.get("client_id");
    let id = match (named, hinted) {
        (Some(named), Some(hinted)) if named != hinted => None,
        (named, hinted) => named.or(hinted),
    };
    let application = match id {
        Some(id) => parts.service.application(id).await?,
        None => None,
    };
    let known = application.is_some_and(|application| {
        application.addresses.post_logout_redirect_uris.iter().any(|known| known == uri)
    });
    if !known {
        let detail = "post_logout_redirect_uri is none that the application has registered";
        return Err(Problem::new(Code::RedirectUriMismatch, detail).into());
    }
    Ok(with(uri, &[("state", sent.get("state"))]))
}
