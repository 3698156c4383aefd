//! Signing in, for browsers: `/login` and `/sso`. Whatever is refused is one readable page with a short code and
//! a reference for support.

mod discover;
mod login;
mod saml;
mod sso;

use actix_web::cookie::Cookie;
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, ServiceConfig, get, post, resource};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;
use tracing_actix_web::RequestId;

use crate::domain::login_attempt::GoesTo;
use crate::domain::refusal::Reason;
use crate::service::Service;
use crate::service::sign_on::attempts::{self, Wish};
use crate::service::sign_on::{Counted, Finished, Refused, Started};

use super::caller::client_ip;
use super::{Site, cookie, page};

/// Registers all routes.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/login/discover").route(post().to(discover::discover)))
        .service(resource("/login").route(get().to(login::page)).route(post().to(login::choose)))
        .service(resource("/login/social/{name}").route(get().to(login::social)))
        .service(resource("/login/social/{name}/callback").route(get().to(login::social_answer)))
        .service(resource("/login/{login_path}").route(get().to(login::by_path)))
        .service(resource("/sso/start/{connection}").route(get().to(sso::start)))
        .service(resource("/sso/callback/{connection}").route(get().to(sso::callback)))
        .service(resource("/sso/continue/{ticket}").route(get().to(sso::go_on)))
        .service(resource("/sso/callback").route(post().to(saml::acs_alias)))
        .service(resource("/sso/saml/{connection}/acs").route(post().to(saml::acs)))
        .service(resource("/sso/saml/{connection}/metadata").route(get().to(saml::metadata)))
        .service(
            resource("/sso/saml/{connection}/slo")
                .route(get().to(saml::logout_by_redirect))
                .route(post().to(saml::logout_by_post)),
        );
}

/// What the pages and addresses here take in their queries.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// The authorization request to go on with.
    pub request: String,
    /// The organization that is asked for.
    pub organization: String,
    /// Who is expected.
    pub login_hint: String,
    /// A path of this site to go to.
    pub to: String,
}

impl Asked {
    fn wish(&self) -> Wish {
        let goes_to = match (self.request.as_str(), self.to.as_str()) {
            ("", to) => GoesTo::path(to),
            (request, _) => GoesTo::request(request),
        };
        Wish { organization: given(&self.organization), goes_to, ..Wish::default() }
    }

    fn hint(&self) -> Option<String> {
        given(&self.login_hint)
    }
}

fn given(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// A browser at the door, and what it knocks with.
pub(super) struct Visitor {
    service: web::Data<Service>,
    site: web::Data<Site>,
    request: HttpRequest,
}

impl Visitor {
    fn new(request: &HttpRequest) -> Option<Self> {
        Some(Self {
            service: request.app_data::<web::Data<Service>>()?.clone(),
            site: request.app_data::<web::Data<Site>>()?.clone(),
            request: request.clone(),
        })
    }

    /// The browser's own secret, where it has one: by what cannot be one, nothing is counted.
    fn browser(&self) -> Option<String> {
        cookie::login_of(&self.site, &self.request).filter(|text| attempts::is_secret(text))
    }

    /// Counts a sign-in that begins (`management-api.md` D1).
    fn count_start(&self) -> Result<(), Refused> {
        let address = client_ip(&self.request, &self.site);
        self.service.count_sign_on(Counted::StartOfAddress, &address)?;
        if let Some(browser) = self.browser() {
            self.service.count_sign_on(Counted::StartOfBrowser, &browser)?;
        }
        Ok(())
    }

    /// Sends the browser to the provider, and lets it remember that it began.
    fn leave(&self, started: Result<Started, Refused>) -> HttpResponse {
        match started {
            Ok(started) => {
                let mut answer = redirect(&started.address);
                set(&mut answer, &cookie::login(&self.site, &started.browser));
                answer
            }
            Err(refused) => self.refuse(&refused),
        }
    }

    /// Gives the browser its session and sends it on, or says why not.
    fn arrive(&self, finished: Result<Finished, Refused>) -> HttpResponse {
        match finished {
            Ok(finished) => {
                let place = match &finished.goes_to {
                    GoesTo::Nowhere => "/login".to_owned(),
                    GoesTo::Path(path) => path.clone(),
                    GoesTo::Request(id) => {
                        let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
                        format!("/oauth/continue?request={id}")
                    }
                };
                let mut answer = redirect(&place);
                set(&mut answer, &cookie::session(&self.site, &finished.session));
                answer
            }
            Err(refused) => self.refuse(&refused),
        }
    }

    /// The page of a refusal.
    fn refuse(&self, refused: &Refused) -> HttpResponse {
        let refusal = &refused.refusal;
        let reason = refusal.reason;
        let request = self.request.extensions().get::<RequestId>().map(ToString::to_string);
        let reference = refused.reference.clone().or(request).unwrap_or_default();
        tracing::info!(code = reason.code(), reference, "a sign-in was refused");
        let shown = Refusal {
            title: reason.title(),
            advice: reason.advice(),
            detail: Some(refusal.detail.as_str()).filter(|detail| *detail != reason.title()),
            sso: refused.sso.as_deref(),
            code: reason.code(),
            reference: &reference,
        };
        let status = StatusCode::from_u16(reason.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let mut answer = page::page(status, &shown, &[]);
        if reason == Reason::TooMany {
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
        }
        answer
    }
}

#[derive(Template)]
#[template(path = "refused.html")]
struct Refusal<'r> {
    title: &'r str,
    advice: &'r str,
    detail: Option<&'r str>,
    sso: Option<&'r str>,
    code: &'r str,
    reference: &'r str,
}

/// 303 that no cache keeps, and that tells nobody where it came from.
fn redirect(place: &str) -> HttpResponse {
    let mut answer = HttpResponse::SeeOther();
    answer.insert_header((header::LOCATION, place));
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((header::REFERRER_POLICY, "no-referrer"));
    answer.finish()
}

fn set(answer: &mut HttpResponse, cookie: &Cookie<'static>) {
    if let Err(error) = answer.add_cookie(cookie) {
        tracing::error!(%error, "a cookie could not be set");
    }
}

/// What is answered where the server is put together wrongly.
fn unconfigured() -> HttpResponse {
    HttpResponse::InternalServerError().finish()
}
