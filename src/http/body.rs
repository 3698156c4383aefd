//! Request bodies: read within limits of size and time, before anything looks at them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use futures_util::StreamExt;
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::scim::{ScimError, ScimResult, json};

use super::error::ScimFailure;

/// Most bytes of a User's body, of a search and of everything else that has no room of its own.
pub const SMALL: usize = 1024 * 1024;
/// Most bytes of a Bulk request.
pub const BULK: usize = 4 * 1024 * 1024;
/// Most bytes of a Group's body: a whole list of 100,000 members.
pub const GROUP: usize = 16 * 1024 * 1024;
/// Most bytes of a form.
const FORM: usize = 64 * 1024;
/// Most bytes of a form that carries a SAML message.
const SAML_FORM: usize = 256 * 1024;
/// Longest time for the whole body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bodies above [`SMALL`] in memory at once; others wait.
const BIG_BODIES: usize = 8;

/// The places for bodies above [`SMALL`].
#[derive(Debug, Clone)]
pub struct BigBodies(Arc<Semaphore>);

impl Default for BigBodies {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BIG_BODIES)))
    }
}

/// A JSON object of at most `LIMIT` bytes.
#[derive(Debug)]
pub struct ScimBody<const LIMIT: usize> {
    /// The object.
    pub object: Map<String, Value>,
    _place: Option<OwnedSemaphorePermit>,
}

impl<const LIMIT: usize> FromRequest for ScimBody<LIMIT> {
    type Error = ScimFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ScimFailure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            check_media(&request).map_err(ScimFailure::closing)?;
            let places = request.app_data::<web::Data<BigBodies>>().map(|p| p.0.clone());
            let late = ScimError::new(408, None, "The body took longer than 30 seconds");
            let reading = collect(&request, &mut payload, LIMIT, places);
            let read = tokio::time::timeout(BODY_TIMEOUT, reading).await;
            match read.unwrap_or(Err(late)) {
                Ok((bytes, place)) => Ok(Self { object: json::object(&bytes)?, _place: place }),
                Err(error) => Err(ScimFailure::unread(error, payload)),
            }
        })
    }
}

/// The bytes of a small body, read within the same limits.
///
/// # Errors
/// 408, 413, 415; the rest of the payload is not wanted then.
pub async fn bytes(request: &HttpRequest, payload: &mut Payload) -> ScimResult<Bytes> {
    check_media(request)?;
    let late = ScimError::new(408, None, "The body took longer than 30 seconds");
    let read = tokio::time::timeout(BODY_TIMEOUT, collect(request, payload, SMALL, None)).await;
    read.unwrap_or(Err(late)).map(|(bytes, _)| bytes.freeze())
}

/// The fields of a small form, in their order.
///
/// # Errors
/// 408, 413, 415; the rest of the payload is not wanted then.
pub async fn form(
    request: &HttpRequest,
    payload: &mut Payload,
) -> ScimResult<Vec<(String, String)>> {
    form_of(request, payload, FORM).await
}

/// The fields of a form that carries a SAML message, in their order.
///
/// # Errors
/// As [`form`].
pub async fn saml_form(
    request: &HttpRequest,
    payload: &mut Payload,
) -> ScimResult<Vec<(String, String)>> {
    form_of(request, payload, SAML_FORM).await
}

async fn form_of(
    request: &HttpRequest,
    payload: &mut Payload,
    limit: usize,
) -> ScimResult<Vec<(String, String)>> {
    check_coding(request)?;
    let media = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let media = media.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let detail = "The body must be application/x-www-form-urlencoded";
        return Err(ScimError::new(415, None, detail));
    }
    let late = ScimError::new(408, None, "The body took longer than 30 seconds");
    let read = tokio::time::timeout(BODY_TIMEOUT, collect(request, payload, limit, None)).await;
    let (bytes, _) = read.unwrap_or(Err(late))?;
    let pairs: Vec<(String, String)> = form_urlencoded::parse(&bytes).into_owned().collect();
    if pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(ScimError::invalid_syntax("The form holds a NUL character"));
    }
    Ok(pairs)
}

/// Refuses what is not JSON as it stands: other media types, and content codings (a bomb in gzip).
fn check_media(request: &HttpRequest) -> ScimResult<()> {
    check_coding(request)?;
    let Some(media) = text_of(request, header::CONTENT_TYPE) else { return Ok(()) };
    let media = media.split(';').next().unwrap_or_default().trim();
    let known = ["", "application/scim+json", "application/json"];
    if known.iter().any(|k| media.eq_ignore_ascii_case(k)) {
        return Ok(());
    }
    Err(ScimError::new(415, None, "The body must be application/scim+json or application/json"))
}

fn text_of(request: &HttpRequest, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name).map(|value| value.to_str().unwrap_or("unreadable").trim())
}

fn check_coding(request: &HttpRequest) -> ScimResult<()> {
    match text_of(request, header::CONTENT_ENCODING) {
        None | Some("") => Ok(()),
        Some(coding) if coding.eq_ignore_ascii_case("identity") => Ok(()),
        Some(_) => {
            let detail = "The body must be sent without a Content-Encoding";
            Err(ScimError::new(415, None, detail))
        }
    }
}

async fn collect(
    request: &HttpRequest,
    payload: &mut Payload,
    limit: usize,
    places: Option<Arc<Semaphore>>,
) -> ScimResult<(BytesMut, Option<OwnedSemaphorePermit>)> {
    let too_large = || ScimError::too_large(format!("The body is larger than {limit} bytes"));
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    let declared: usize = length.and_then(|v| v.parse().ok()).unwrap_or(0);
    if declared > limit {
        return Err(too_large());
    }
    let mut place = None;
    let mut bytes = BytesMut::with_capacity(declared.min(SMALL));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ScimError::invalid_syntax("The body could not be read"))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        if place.is_none()
            && bytes.len() + chunk.len() > SMALL
            && let Some(places) = &places
        {
            let came = Arc::clone(places).acquire_owned().await;
            place =
                Some(came.map_err(|_| ScimError::new(503, None, "The server is shutting down"))?);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((bytes, place))
}
