//! Which application calls, and what it sends: a form with each field once, and its credentials in one place
//! (RFC 6749 §2.3, §3.2).

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, dev::Payload, web};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::domain::application::Application;
use crate::domain::authorization_request::Parameters;
use crate::http::caller::client_ip;
use crate::http::{Site, body};
use crate::service::provider::{Fault, Refusal};
use crate::service::{Error, Service};

use super::answer::Failure;

/// What every handler works with.
pub struct Parts {
    /// The product.
    pub service: web::Data<Service>,
    /// What else the server is.
    pub site: web::Data<Site>,
}

impl Parts {
    /// Those of a request.
    ///
    /// # Errors
    /// Where the server is not configured.
    pub fn of(request: &HttpRequest) -> Result<Self, Error> {
        let service = request.app_data::<web::Data<Service>>().cloned();
        let site = request.app_data::<web::Data<Site>>().cloned();
        let parts = service.zip(site).map(|(service, site)| Self { service, site });
        parts.ok_or_else(|| Error::from("the service is not configured".to_owned()))
    }

    /// Who the provider is to applications.
    pub fn issuer(&self) -> &str {
        &self.site.public_url
    }
}

/// The fields of a form.
///
/// # Errors
/// 400 where a field comes twice; 408, 413, 415.
pub async fn form(request: &HttpRequest, mut payload: Payload) -> Result<Parameters, Failure> {
    let pairs = body::form(request, &mut payload).await?;
    Parameters::new(pairs).map_err(Failure::invalid)
}

/// The credentials of an application, in the header or in the form.
struct Credentials {
    id: String,
    secret: Option<String>,
    by_header: bool,
}

fn credentials(request: &HttpRequest, form: &Parameters) -> Result<Credentials, Failure> {
    let own = |name: &str| form.get(name).map(str::to_owned);
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let Some(value) = headers.next() else {
        let id = own("client_id").ok_or_else(|| unknown(false))?;
        return Ok(Credentials { id, secret: own("client_secret"), by_header: false });
    };
    if headers.next().is_some() || form.get("client_secret").is_some() {
        return Err(Failure::invalid("credentials come in one place, once"));
    }
    let pair = || {
        let (scheme, coded) = value.to_str().ok()?.split_once(' ')?;
        let basic = scheme.eq_ignore_ascii_case("basic");
        let plain = BASE64_STANDARD.decode(coded.trim()).ok().filter(|_| basic)?;
        let plain = String::from_utf8(plain).ok().filter(|plain| !plain.contains('\0'))?;
        let (id, secret) = plain.split_once(':')?;
        // Both parts are encoded as in a form first (RFC 6749 §2.3.1).
        let decode = |text: &str| {
            let pair = form_urlencoded::parse(text.as_bytes()).next()?;
            Some(pair.0.into_owned()).filter(|text| !text.contains('\0'))
        };
        Some((decode(id)?, decode(secret)?))
    };
    let (id, secret) = pair().ok_or_else(|| unknown(true))?;
    if form.get("client_id").is_some_and(|named| named != id) {
        return Err(Failure::invalid("client_id is not the one of the header"));
    }
    Ok(Credentials { id, secret: Some(secret), by_header: true })
}

fn unknown(by_header: bool) -> Failure {
    let about = "No application has this id and this secret";
    let refusal = Refusal::new(Fault::InvalidClient, about);
    match by_header {
        true => Failure::Unauthorized(refusal, "Basic"),
        false => Failure::Refused(refusal),
    }
}

/// The application that calls.
///
/// # Errors
/// 401 `invalid_client`; 400 where credentials come in two places; 429.
pub async fn client(
    parts: &Parts,
    request: &HttpRequest,
    form: &Parameters,
) -> Result<Arc<Application>, Failure> {
    let sent = credentials(request, form)?;
    let ip = client_ip(request, &parts.site);
    let found = parts.service.client((&sent.id, sent.secret.as_deref()), &ip).await?;
    found.ok_or_else(|| unknown(sent.by_header))
}
