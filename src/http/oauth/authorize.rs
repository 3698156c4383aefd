//! `/oauth/authorize` and `/oauth/continue`: where browsers come from applications, and go back to them.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use url::Url;

use crate::domain::authorization_request::{AuthorizationRequest, Parameters};
use crate::domain::problem::{Code, Problem};
use crate::http::caller::client_ip;
use crate::http::{body, cookie, page};
use crate::service::Error;
use crate::service::provider::authorize::Step;

use super::caller::Parts;

/// `GET /oauth/authorize`.
pub async fn get(request: HttpRequest) -> HttpResponse {
    let pairs = form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    answer(&request, begin(&request, pairs).await)
}

/// `POST /oauth/authorize` (OpenID Connect Core §3.1.2.1).
pub async fn post(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let done = match body::form(&request, &mut payload.into_inner()).await {
        Ok(pairs) => begin(&request, pairs).await,
        Err(error) => Err(error.into()),
    };
    answer(&request, done)
}

/// `GET /oauth/continue?request=`: somebody has signed in.
pub async fn go_on(request: HttpRequest) -> HttpResponse {
    let pairs = form_urlencoded::parse(request.query_string().as_bytes());
    let id = pairs.into_iter().find(|(name, _)| name == "request").map(|(_, id)| id.into_owned());
    let done = async {
        let parts = Parts::of(&request)?;
        let cookie = cookie::session_of(&parts.site, &request);
        parts.service.go_on(&id.unwrap_or_default(), cookie).await
    };
    answer(&request, done.await)
}

async fn begin(request: &HttpRequest, pairs: Vec<(String, String)>) -> Result<Step, Error> {
    let parts = Parts::of(request)?;
    let parameters = Parameters::new(pairs);
    let parameters = parameters.map_err(|about| Problem::new(Code::MalformedRequest, about))?;
    let cookie = cookie::session_of(&parts.site, request);
    let ip = client_ip(request, &parts.site);
    parts.service.authorize(&parameters, (cookie, &ip)).await
}

fn answer(request: &HttpRequest, done: Result<Step, Error>) -> HttpResponse {
    let next = Parts::of(request).and_then(|parts| Ok(place(parts.issuer(), &done?)));
    match next {
        Ok(Some(place)) => redirect(&place),
        Ok(None) => page::refusal(request, &"an address does not parse".to_owned().into()),
        Err(error) => page::refusal(request, &error),
    }
}

/// 302 that no cache keeps, and that tells nobody where it came from.
pub fn redirect(place: &str) -> HttpResponse {
    let mut answer = HttpResponse::Found();
    answer.insert_header((header::LOCATION, place));
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((header::REFERRER_POLICY, "no-referrer"));
    answer.finish()
}

/// An address with further parameters; `None` where it is none.
pub fn with(address: &str, more: &[(&str, Option<&str>)]) -> Option<String> {
    let mut url = Url::parse(address).ok()?;
    let given = more.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
    let given: Vec<(&str, &str)> = given.collect();
    if !given.is_empty() {
        url.query_pairs_mut().extend_pairs(given);
    }
    Some(url.into())
}

/// Where the browser goes.
fn place(issuer: &str, step: &Step) -> Option<String> {
    let back = |request: &AuthorizationRequest, more: &[(&str, Option<&str>)]| {
        let ends = [("state", request.state.as_deref()), ("iss", Some(issuer))];
        with(&request.redirect_uri, &[more, &ends].concat())
    };
    match step {
        Step::Code(request, code) => back(request, &[("code", Some(code))]),
        Step::Refuse(request, refusal) => {
            let error = Some(refusal.fault.name());
            back(request, &[("error", error), ("error_description", Some(&refusal.about))])
        }
        Step::Initiate(request, Some(initiate)) => {
            let target = request.target_link_uri.as_deref();
            with(initiate, &[("iss", Some(issuer)), ("target_link_uri", target)])
        }
        Step::Initiate(request, None) => with(&request.redirect_uri, &[]),
        Step::SignIn(request, id) => {
            let door = match &request.connection {
                Some(name) => format!("{issuer}/sso/start/{name}"),
                None => format!("{issuer}/login"),
            };
            let (organization, hint) = (&request.organization, &request.login_hint);
            let more = [("organization", organization.as_deref()), ("login_hint", hint.as_deref())];
            with(&door, &[&[("request", Some(id.as_str()))][..], &more].concat())
        }
    }
}
