//! SAML's addresses of a connection: our metadata, where responses are posted to, where logouts go. A browser
//! brings everything here, from elsewhere and without its cookies; so nothing here signs anybody in.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::domain::refusal::{Reason, Refusal};
use crate::http::{body, cookie, page};
use crate::service::Error;
use crate::service::sign_on::Refused;
use crate::service::sign_on::saml::{self, Brought};
use crate::service::sign_on::saml_logout::{self, Came, Next};
use crate::sso::saml::redirect::Kind;
use crate::sso::saml::request::Addresses;

use super::{Visitor, redirect, set, unconfigured};

type Answered = Result<HttpResponse, Refused>;
type Form = Vec<(String, String)>;

/// `GET /sso/saml/{connection}/metadata`: ours, for the identity provider.
pub async fn metadata(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let Some(visitor) = Visitor::new(&request) else { return unconfigured() };
    match saml::metadata(&visitor.service, &visitor.site.public_url, &name).await {
        Ok(text) => {
            let mut answer = HttpResponse::Ok();
            answer.insert_header((header::CACHE_CONTROL, "no-cache"));
            answer.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
            answer.content_type("application/samlmetadata+xml").body(text)
        }
        Err(Error::NotFound(_)) => visitor.refuse(&Reason::ConnectionNotFound.into()),
        Err(error) => visitor.refuse(&error.into()),
    }
}

/// `POST /sso/saml/{connection}/acs` (SAML 2.0 Bindings §3.5).
pub async fn acs(
    request: HttpRequest,
    name: web::Path<String>,
    payload: web::Payload,
) -> HttpResponse {
    let Some(visitor) = Visitor::new(&request) else { return unconfigured() };
    let acs = Addresses::new(&visitor.site.public_url, &name).acs;
    visitor.answered(take(&visitor, (&name, acs), payload).await)
}

/// The query of the ACS in its other form.
#[derive(Debug, Deserialize)]
pub struct Alias {
    connection: String,
}

/// `POST /sso/callback?connection=`: the same, for configurations made in that form (D7).
pub async fn acs_alias(
    request: HttpRequest,
    alias: Option<web::Query<Alias>>,
    payload: web::Payload,
) -> HttpResponse {
    let Some(visitor) = Visitor::new(&request) else { return unconfigured() };
    let Some(web::Query(Alias { connection })) = alias else {
        return visitor.refuse(&Reason::ConnectionNotFound.into());
    };
    let acs = Addresses::new(&visitor.site.public_url, &connection).acs_alias;
    visitor.answered(take(&visitor, (&connection, acs), payload).await)
}

/// Takes a response, and sends the browser on to where it shows that it began. Where a sign-in leads is known
/// here already: no `RelayState` is looked at (security O10).
async fn take(visitor: &Visitor, (name, acs): (&str, String), payload: web::Payload) -> Answered {
    visitor.count_start()?;
    let form = visitor.form(payload).await?;
    let message = once(&form, Kind::Response.parameter())?;
    let missing = || Refusal::new(Reason::SamlMalformed, "There is no SAMLResponse");
    let brought = Brought { message: message.ok_or_else(missing)?, acs };
    let taken = saml::answer(&visitor.service, &visitor.site.public_url, name, brought).await?;
    let mut answer = redirect(&format!("/sso/continue/{}", taken.ticket));
    if let Some(browser) = taken.browser {
        set(&mut answer, &cookie::login(&visitor.site, &browser));
    }
    Ok(answer)
}

/// `GET /sso/saml/{connection}/slo` (SAML 2.0 Bindings §3.4).
pub async fn logout_by_redirect(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let Some(visitor) = Visitor::new(&request) else { return unconfigured() };
    let came = Came::Query(request.query_string().to_owned());
    visitor.answered(visitor.log_out(&name, came).await)
}

/// `POST /sso/saml/{connection}/slo` (SAML 2.0 Bindings §3.5).
pub async fn logout_by_post(
    request: HttpRequest,
    name: web::Path<String>,
    payload: web::Payload,
) -> HttpResponse {
    let Some(visitor) = Visitor::new(&request) else { return unconfigured() };
    let read = async {
        let came = came(&visitor.form(payload).await?)?;
        visitor.log_out(&name, came).await
    };
    visitor.answered(read.await)
}

/// The logout message in a form.
fn came(form: &Form) -> Result<Came, Refusal> {
    let relay_state = once(form, "RelayState")?;
    match (once(form, "SAMLRequest")?, once(form, "SAMLResponse")?) {
        (Some(message), None) => Ok(Came::Form(Kind::Request, message, relay_state)),
        (None, Some(message)) => Ok(Came::Form(Kind::Response, message, relay_state)),
        _ => Err(Reason::SamlMalformed.into()),
    }
}

impl Visitor {
    fn answered(&self, answer: Answered) -> HttpResponse {
        answer.unwrap_or_else(|refused| self.refuse(&refused))
    }

    async fn log_out(&self, name: &str, came: Came) -> Answered {
        self.count_start()?;
        let url = &self.site.public_url;
        Ok(match saml_logout::receive(&self.service, url, name, came).await? {
            Next::Answer(address) => redirect(&address),
            Next::Done => page::message(StatusCode::OK, "Signed out", "You have been signed out."),
        })
    }

    async fn form(&self, payload: web::Payload) -> Result<Form, Refusal> {
        let read = body::saml_form(&self.request, &mut payload.into_inner()).await;
        read.map_err(|error| {
            let large = error.status == 413;
            let reason = if large { Reason::SamlTooLarge } else { Reason::SamlMalformed };
            Refusal::new(reason, error.detail)
        })
    }
}

/// The field of this name; nothing where there is none.
fn once(form: &Form, name: &str) -> Result<Option<String>, Refusal> {
    let mut found = form.iter().filter(|(n, _)| n == name).map(|(_, value)| value.clone());
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        _ => Err(Refusal::new(Reason::SamlStructure, format!("{name} is there twice"))),
    }
}
