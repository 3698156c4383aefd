//! Where applications get tokens and ask about them: token, introspection, revocation, userinfo.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::domain::authorization_request::Parameters;
use crate::service::provider::tokens::Exchange;
use crate::service::provider::{Fault, Refusal};

use super::answer::{Answer, Failure, ok};
use super::caller::{Parts, client, form};

/// A field that must be there.
fn field(form: &Parameters, name: &str) -> Result<String, Failure> {
    let value = form.get(name).map(str::to_owned);
    value.ok_or_else(|| Failure::invalid(&format!("{name} is missing")))
}

/// `POST /oauth/token` (RFC 6749 §3.2).
pub async fn token(request: HttpRequest, payload: web::Payload) -> Answer {
    let parts = Parts::of(&request)?;
    let form = form(&request, payload.into_inner()).await?;
    let kind = field(&form, "grant_type")?;
    if !matches!(kind.as_str(), "authorization_code" | "refresh_token") {
        let about = "grant_type is authorization_code or refresh_token";
        return Err(Refusal::new(Fault::UnsupportedGrantType, about).into());
    }
    let client = client(&parts, &request, &form).await?;
    let done = if kind == "authorization_code" {
        let sent = Exchange {
            code: field(&form, "code")?,
            redirect_uri: field(&form, "redirect_uri")?,
            verifier: field(&form, "code_verifier")?,
        };
        parts.service.exchange_code(parts.issuer(), &client, sent).await?
    } else {
        let sent = (field(&form, "refresh_token")?, form.get("scope").map(str::to_owned));
        parts.service.refresh(parts.issuer(), &client, sent).await?
    };
    Ok(ok(done?.to_string()))
}

/// `POST /oauth/introspect` (RFC 7662): for applications that keep a secret.
pub async fn introspect(request: HttpRequest, payload: web::Payload) -> Answer {
    let parts = Parts::of(&request)?;
    let form = form(&request, payload.into_inner()).await?;
    let client = client(&parts, &request, &form).await?;
    if !client.is_confidential() {
        let about = "Only applications that keep a secret may ask";
        return Err(Refusal::new(Fault::UnauthorizedClient, about).into());
    }
    let token = field(&form, "token")?;
    Ok(ok(parts.service.introspect(parts.issuer(), &token).await?))
}

/// `POST /oauth/revoke` (RFC 7009).
pub async fn revoke(request: HttpRequest, payload: web::Payload) -> Answer {
    let parts = Parts::of(&request)?;
    let form = form(&request, payload.into_inner()).await?;
    let client = client(&parts, &request, &form).await?;
    parts.service.revoke(&client, &field(&form, "token")?).await?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    Ok(answer.insert_header(super::answer::ANY_ORIGIN).finish())
}

/// The access token of a request: in the header, or in the form of a POST (RFC 6750 §2).
async fn bearer(request: &HttpRequest, payload: web::Payload) -> Result<String, Failure> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let Some(value) = headers.next() else {
        if request.method() == actix_web::http::Method::POST {
            let form = form(request, payload.into_inner()).await?;
            if let Some(token) = form.get("access_token") {
                return Ok(token.to_owned());
            }
        }
        let about = "No access token was sent";
        return Err(Failure::Unauthorized(Refusal::new(Fault::InvalidToken, about), "Bearer"));
    };
    let parsed = value.to_str().ok().and_then(|text| text.split_once(' '));
    let token = parsed.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match (token, headers.next()) {
        (Some((_, token)), None) => Ok(token.trim().to_owned()),
        _ => Err(Failure::invalid("one Authorization header with a bearer token is expected")),
    }
}

/// `GET` and `POST /oauth/userinfo` (OpenID Connect Core §5.3).
pub async fn userinfo(request: HttpRequest, payload: web::Payload) -> Answer {
    let parts = Parts::of(&request)?;
    let token = bearer(&request, payload).await?;
    match parts.service.userinfo(&token).await? {
        Ok(claims) => Ok(ok(claims.to_string())),
        Err(refusal) => Err(Failure::Unauthorized(refusal, "Bearer")),
    }
}
