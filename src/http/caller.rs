//! Who calls: extractors that turn a credential into what it opens. No handler runs without one.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use tokio::sync::OwnedSemaphorePermit;

use crate::scim::ScimError;
use crate::service::tokens::Access;
use crate::service::{Directory, Error, Service};

use super::Site;
use super::error::ScimFailure;

/// An identity provider with a valid SCIM token, which alone decides the company (ruling 1).
#[derive(Debug)]
pub struct ScimCaller {
    access: Arc<Access>,
    _place: OwnedSemaphorePermit,
}

impl ScimCaller {
    /// The directory that the token opens.
    pub fn directory(&self) -> &Directory {
        &self.access.directory
    }

    /// The same, to be taken along into a unit of work.
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access)
    }
}

impl FromRequest for ScimCaller {
    type Error = ScimFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ScimFailure>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { authenticate(&request).await.map_err(ScimFailure::from) })
    }
}

async fn authenticate(request: &HttpRequest) -> Result<ScimCaller, Error> {
    let (Some(service), Some(site)) =
        (request.app_data::<web::Data<Service>>(), request.app_data::<web::Data<Site>>())
    else {
        return Err(Error::Internal("the service is not configured".into()));
    };
    let token = authorization(request.headers())?;
    let client = client(request, site);
    let access = service.authenticate(token, &client).await?;
    let place = service.enter(&access)?;
    if service.notes_use(&access) {
        let (service, id, ip) = (service.clone(), access.token.id.clone(), client.to_string());
        actix_web::rt::spawn(async move {
            if let Err(error) = service.note_use(id, ip).await {
                tracing::warn!(%error, "the last use of a token was not noted");
            }
        });
    }
    Ok(ScimCaller { access, _place: place })
}

/// The one `Authorization` header; two contradict each other.
pub(super) fn authorization(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let first = values.next();
    if values.next().is_some() {
        return Err(ScimError::invalid_syntax("More than one Authorization header").into());
    }
    Ok(first.map(|value| value.to_str().unwrap_or("unreadable")))
}

/// An address in `X-Forwarded-For`; some proxies add the port.
fn address(hop: &str) -> Option<IpAddr> {
    let with_port = || hop.parse::<SocketAddr>().ok().map(|a| a.ip());
    hop.parse().ok().or_else(with_port)
}

/// The address of a client; as text, where it is not known, `unknown`.
#[derive(Debug, Clone, Copy)]
struct Client(Option<IpAddr>);

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(ip) => ip.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

/// The address of the client, as text: the peer, or what the nearest trusted proxy saw.
pub fn client_ip(request: &HttpRequest, site: &Site) -> String {
    client(request, site).to_string()
}

fn client(request: &HttpRequest, site: &Site) -> Client {
    let Some(peer) = request.peer_addr().map(|a| a.ip()) else { return Client(None) };
    let trusted = |ip: &IpAddr| site.trusted_proxies.iter().any(|net| net.contains(ip));
    let mut client = peer;
    if trusted(&peer) {
        let hops = request.headers().get_all("X-Forwarded-For").filter_map(|v| v.to_str().ok());
        let hops: Vec<IpAddr> =
            hops.flat_map(|v| v.split(',')).filter_map(|hop| address(hop.trim())).collect();
        client = hops.iter().rev().find(|hop| !trusted(hop)).copied().unwrap_or(peer);
    }
    Client(Some(client))
}
