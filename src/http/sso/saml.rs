//! SAML's addresses of a connection: our metadata, where responses are posted to, where logouts go. A browser
//! brings everything here, from elsewhere and without its cookies; so nothing here signs anybody in.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::domain::refusal::{Reason, Refusal};
use crate::http::{Site, body, cookie, page};
use crate::service::sign_on::Refused;
use crate::service::sign_on::saml::{self, Brought};
use crate::service::sign_on::saml_logout::{self, Came, Next};
use crate::service::{Error, Service};
use crate::sso::saml::redirect::Kind;
use crate::sso::saml::request::Addresses;

use super::refused;

type Answered = std::result::Result<HttpResponse, Refused>;

/// `GET /sso/saml/{connection}/metadata`: ours, for the identity provider.
pub async fn metadata(
    (service, site): (web::Data<Service>, web::Data<Site>),
    name: web::Path<String>,
    request: HttpRequest,
) -> HttpResponse {
    match saml::metadata(&service, &site.public_url, &name).await {
        Ok(text) => {
            let mut answer = HttpResponse::Ok();
            answer.insert_header((header::CACHE_CONTROL, "no-cache"));
            answer.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
            answer.content_type("application/samlmetadata+xml").body(text)
        }
        Err(Error::NotFound(_)) => refused(&request, &Reason::ConnectionNotFound.into()),
        Err(error) => refused(&request, &error.into()),
    }
}

/// `POST /sso/saml/{connection}/acs` (SAML 2.0 Bindings §3.5).
pub async fn acs(
    parts: (web::Data<Service>, web::Data<Site>),
    name: web::Path<String>,
    (request, payload): (HttpRequest, web::Payload),
) -> HttpResponse {
    let acs = Addresses::new(&parts.1.public_url, &name).acs;
    let answer = take(parts, (&name, acs), &request, payload).await;
    answer.unwrap_or_else(|refusal| refused(&request, &refusal))
}

/// The query of the ACS in its other form.
#[derive(Debug, Deserialize)]
pub struct Alias {
    connection: String,
}

/// `POST /sso/callback?connection=`: the same, for configurations made in that form (D7).
pub async fn acs_alias(
    parts: (web::Data<Service>, web::Data<Site>),
    alias: Option<web::Query<Alias>>,
    (request, payload): (HttpRequest, web::Payload),
) -> HttpResponse {
    let Some(web::Query(Alias { connection })) = alias else {
        return refused(&request, &Reason::ConnectionNotFound.into());
    };
    let acs = Addresses::new(&parts.1.public_url, &connection).acs_alias;
    let answer = take(parts, (&connection, acs), &request, payload).await;
    answer.unwrap_or_else(|refusal| refused(&request, &refusal))
}

/// Takes a response, and sends the browser on to where it shows that it began. What it wants of `RelayState` is
/// known here already: nothing that comes along says where a sign-in leads.
async fn take(
    (service, site): (web::Data<Service>, web::Data<Site>),
    (name, acs): (&str, String),
    request: &HttpRequest,
    payload: web::Payload,
) -> Answered {
    let form = form(request, payload).await?;
    let message = once(&form, Kind::Response.parameter())?;
    let message = message.ok_or(Refusal::new(Reason::SamlMalformed, "There is no SAMLResponse"))?;
    let brought = Brought { message, acs };
    let taken = saml::answer(&service, &site.public_url, name, brought).await?;
    let mut answer = HttpResponse::SeeOther();
    answer.insert_header((header::LOCATION, format!("/sso/continue/{}", taken.ticket)));
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((header::REFERRER_POLICY, "no-referrer"));
    if let Some(browser) = taken.browser {
        answer.cookie(cookie::browser(&site, &browser));
    }
    Ok(answer.finish())
}

/// `GET /sso/saml/{connection}/slo` (SAML 2.0 Bindings §3.4).
pub async fn logout_by_redirect(
    parts: (web::Data<Service>, web::Data<Site>),
    name: web::Path<String>,
    request: HttpRequest,
) -> HttpResponse {
    let came = Came::Query(request.query_string().to_owned());
    let answer = log_out(parts, &name, came).await;
    answer.unwrap_or_else(|refusal| refused(&request, &refusal))
}

/// `POST /sso/saml/{connection}/slo` (SAML 2.0 Bindings §3.5).
pub async fn logout_by_post(
    parts: (web::Data<Service>, web::Data<Site>),
    name: web::Path<String>,
    (request, payload): (HttpRequest, web::Payload),
) -> HttpResponse {
    let read = async {
        let form = form(&request, payload).await?;
        let relay_state = once(&form, "RelayState")?;
        let (asks, answers) = (once(&form, "SAMLRequest")?, once(&form, "SAMLResponse")?);
        let came = match (asks, answers) {
            (Some(message), None) => Came::Form(Kind::Request, message, relay_state),
            (None, Some(message)) => Came::Form(Kind::Response, message, relay_state),
            _ => return Err(Refusal::from(Reason::SamlMalformed).into()),
        };
        log_out(parts, &name, came).await
    };
    let answer: Answered = read.await;
    answer.unwrap_or_else(|refusal| refused(&request, &refusal))
}

async fn log_out(
    (service, site): (web::Data<Service>, web::Data<Site>),
    name: &str,
    came: Came,
) -> Answered {
    Ok(match saml_logout::receive(&service, &site.public_url, name, came).await? {
        Next::Answer(address) => HttpResponse::SeeOther()
            .insert_header((header::LOCATION, address))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish(),
        Next::Done => page::message(StatusCode::OK, "Signed out", "You have been signed out."),
    })
}

async fn form(
    request: &HttpRequest,
    payload: web::Payload,
) -> std::result::Result<Vec<(String, String)>, Refused> {
    let read = body::saml_form(request, &mut payload.into_inner()).await;
    read.map_err(|error| {
        let large = error.status == 413;
        let reason = if large { Reason::SamlTooLarge } else { Reason::SamlMalformed };
        Refusal::new(reason, error.detail).into()
    })
}

/// The field of this name; nothing where there is none.
fn once(form: &[(String, String)], name: &str) -> std::result::Result<Option<String>, Refusal> {
    let mut found = form.iter().filter(|(n, _)| n == name).map(|(_, value)| value.clone());
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        _ => Err(Refusal::new(Reason::SamlStructure, format!("{name} is there twice"))),
    }
}
