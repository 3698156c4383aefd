//! `C/sso/connection`, its candidate, `O/sso` and the legacy connections: how a company's people come in.

mod body;
mod routes;
mod view;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::connection::{Connection, State};
use crate::domain::secret::Secret;
use crate::service::access::At;
use crate::service::connections::{self, Beside, Slot};
use crate::service::error::Error;
use crate::service::idempotency::Reply;
use crate::service::{Cx, Reading, Result};

use super::frame::{Answer, Call, ok, versioned};
use body::{ConnectionChange, NewConnection};
use view::{certificate, view};

pub use routes::ROUTES;

/// Whether an untested connection is to be switched on.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Activation {
    /// An operator's alone, and written down.
    skip_test: bool,
}

/// A client secret.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSecret {
    client_secret: String,
    client_secret_expires_at: Option<String>,
}

/// A certificate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCertificate {
    /// In PEM, or the base64 of its octets.
    certificate: String,
}

/// What an organization signs in through.
#[derive(Serialize, ToSchema)]
struct SsoView {
    /// company, or organization for a legacy connection.
    scope: &'static str,
    /// The company's id, where it is its connection.
    inherited_from: Option<String>,
    /// The connection; null where there is none.
    connection: Option<Value>,
}

/// Which connection a handler is about.
#[derive(Clone, Copy)]
enum Named {
    Company,
    Candidate,
    Legacy,
}

impl Named {
    fn slot(self, at: &At) -> Result<Slot> {
        Ok(match self {
            Self::Company => Slot::Company,
            Self::Candidate => Slot::Candidate,
            Self::Legacy => Slot::Legacy(at.organization()?.seq),
        })
    }

    fn find(self, conn: &mut Reading, at: &At) -> Result<Connection> {
        connections::find(conn, at.company()?.seq, self.slot(at)?)
    }
}

fn shown(call: &Call, connection: &Connection, beside: Beside) -> Value {
    view(connection, (&call.site.public_url, call.service.clock().now()), beside, &[])
}

/// The answer to a change.
fn reply(
    cx: &mut Cx<'_>,
    status: u16,
    (connection, public_url): (&Connection, &str),
    more: &[&'static str],
) -> Result<Reply> {
    let beside = connections::beside(cx.conn, connection)?;
    let body = view(connection, (public_url, cx.now), beside, more);
    Ok(Reply::new(status, body).version(connection.version))
}

/// What a change of a connection that people use at this moment is answered with.
fn live(connection: &Connection) -> &'static [&'static str] {
    if connection.state == State::Active { &["connection_live"] } else { &[] }
}

async fn read(call: Call, named: Named) -> Answer {
    let read = call.read(move |conn, at| {
        let found = named.find(conn, at)?;
        let beside = connections::beside(conn, &found)?;
        Ok((found, beside))
    });
    let (found, beside) = read.await?;
    Ok(versioned(&shown(&call, &found, beside), found.version))
}

async fn create(call: Call, named: Named) -> Answer {
    let body: NewConnection = call.json()?;
    let (company, slot) = (call.company()?.seq, named.slot(&call.at)?);
    let kind = (body.provider.as_str(), body.protocol()?);
    let blank = connections::blank(company, slot, kind, call.service.clock().now())?;
    let url = call.site.public_url.clone();
    let prepared = call.service.prepare_connection(blank, &body.change()?, &url).await?;
    let keys = call.service.keys();
    call.write(move |cx, at| {
        let organization = matches!(named, Named::Legacy).then(|| at.organization()).transpose()?;
        let who = (at.company()?, &at.actor());
        let made = connections::create(cx, &keys, who, (organization, prepared))?;
        reply(cx, 201, (&made, &url), &[])
    })
    .await
}

async fn change(call: Call, named: Named) -> Answer {
    let (body, if_match): (ConnectionChange, _) = (call.json()?, call.if_match());
    let found = call.read(move |conn, at| named.find(conn, at)).await?;
    if_match.check(found.version)?;
    let url = call.site.public_url.clone();
    let prepared = call.service.prepare_connection(found, &body.change()?, &url).await?;
    save(call, prepared).await
}

async fn refresh(call: Call, named: Named) -> Answer {
    let if_match = call.if_match();
    let found = call.read(move |conn, at| named.find(conn, at)).await?;
    if_match.check(found.version)?;
    let url = call.site.public_url.clone();
    let prepared = call.service.refresh_connection(found, &url).await?;
    save(call, prepared).await
}

async fn save(call: Call, prepared: connections::Prepared) -> Answer {
    let (url, keys) = (call.site.public_url.clone(), call.service.keys());
    call.write(move |cx, at| {
        let saved = connections::save(cx, &keys, (at.company()?.seq, &at.actor()), prepared)?;
        reply(cx, 200, (&saved, &url), live(&saved))
    })
    .await
}

/// Does something with a connection as it is at that moment, and shows it.
async fn act(
    call: Call,
    named: Named,
    work: impl FnOnce(&mut Cx<'_>, &At, Connection) -> Result<Connection> + Clone + Send + 'static,
) -> Answer {
    let (if_match, url) = (call.if_match(), call.site.public_url.clone());
    call.write(move |cx, at| {
        let found = named.find(cx.conn, at)?;
        if_match.check(found.version)?;
        let done = work(cx, at, found)?;
        reply(cx, 200, (&done, &url), &[])
    })
    .await
}

/// Puts the candidate there, or changes the one that is there; one of another provider makes place.
async fn put_candidate(call: Call) -> Answer {
    let body: NewConnection = call.json()?;
    let protocol = body.protocol()?;
    let found = call.read(|conn, at| match Named::Candidate.find(conn, at) {
        Err(Error::NotFound(_)) => Ok(None),
        found => found.map(Some),
    });
    let found = found.await?;
    call.if_match().check(found.as_ref().map_or(0, |found| found.version))?;
    match found.filter(|found| found.provider == body.provider && found.protocol == protocol) {
        Some(found) => {
            let url = call.site.public_url.clone();
            let prepared = call.service.prepare_connection(found, &body.change()?, &url).await?;
            save(call, prepared).await
        }
        None => replace_candidate(call, body).await,
    }
}

async fn replace_candidate(call: Call, body: NewConnection) -> Answer {
    let kind = (body.provider.as_str(), body.protocol()?);
    let (company, now) = (call.company()?.seq, call.service.clock().now());
    let blank = connections::blank(company, Slot::Candidate, kind, now)?;
    let (url, keys) = (call.site.public_url.clone(), call.service.keys());
    let prepared = call.service.prepare_connection(blank, &body.change()?, &url).await?;
    call.write(move |cx, at| {
        let company = at.company()?;
        match connections::find(cx.conn, company.seq, Slot::Candidate) {
            Ok(former) => connections::delete(cx, (&former, &at.actor()))?,
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        let who = (company, &at.actor());
        let made = connections::create(cx, &keys, who, (None, prepared))?;
        reply(cx, 201, (&made, &url), &[])
    })
    .await
}

/// Whether the test is left out, which is an operator's to say.
fn skipping(call: &Call) -> Result<bool> {
    let body: Activation = if call.is_empty() { Activation::default() } else { call.json()? };
    if body.skip_test {
        call.at.may(Act::SkipTest)?;
    }
    Ok(body.skip_test)
}

async fn activate(call: Call, named: Named) -> Answer {
    let skip = skipping(&call)?;
    act(call, named, move |cx, at, found| connections::activate(cx, (found, &at.actor()), skip))
        .await
}

async fn deactivate(call: Call, named: Named) -> Answer {
    act(call, named, |cx, at, found| connections::deactivate(cx, (found, &at.actor()))).await
}

async fn promote(call: Call) -> Answer {
    let skip = skipping(&call)?;
    act(call, Named::Candidate, move |cx, at, found| {
        connections::promote(cx, (found, &at.actor()), skip)
    })
    .await
}

async fn rotate_secret(call: Call, named: Named) -> Answer {
    let body: NewSecret = call.json()?;
    let expires = body.client_secret_expires_at.as_deref();
    let expires = super::time("client_secret_expires_at", expires)?;
    let (secret, keys) = (Secret::new(body.client_secret), call.service.keys());
    act(call, named, move |cx, at, found| {
        connections::rotate_secret(cx, &keys, (found, &at.actor()), (&secret, expires))
    })
    .await
}

async fn delete(call: Call, named: Named) -> Answer {
    let if_match = call.if_match();
    call.write(move |cx, at| {
        let found = named.find(cx.conn, at)?;
        if_match.check(found.version)?;
        connections::delete(cx, (&found, &at.actor()))?;
        Ok(Reply::nothing())
    })
    .await
}

async fn certificates(call: Call) -> Answer {
    let found = call.read(|conn, at| Named::Company.find(conn, at)).await?;
    let now = call.service.clock().now();
    let all = found.document.saml.certificates.iter();
    let data: Vec<Value> = all.map(|one| json!(certificate(one, now))).collect();
    let page = json!({"next_cursor": null, "limit": data.len()});
    Ok(versioned(&json!({"data": data, "page": page}), found.version))
}

async fn add_certificate(call: Call) -> Answer {
    let body: NewCertificate = call.json()?;
    act(call, Named::Company, move |cx, at, found| {
        connections::add_certificate(cx, (found, &at.actor()), &body.certificate)
    })
    .await
}

async fn remove_certificate(call: Call) -> Answer {
    let fingerprint = call.part("fingerprint").to_ascii_lowercase();
    act(call, Named::Company, move |cx, at, found| {
        connections::remove_certificate(cx, (found, &at.actor()), &fingerprint)
    })
    .await
}

async fn of_organization(call: Call) -> Answer {
    let read = call.read(|conn, at| {
        let company = at.company()?.seq;
        let found = connections::of_organization(conn, company, at.organization()?.seq)?;
        let beside = found.as_ref().map(|found| connections::beside(conn, found)).transpose()?;
        Ok((found, beside.unwrap_or_default()))
    });
    let (found, beside) = read.await?;
    let legacy = found.as_ref().is_some_and(|connection| connection.organization.is_some());
    let company = call.company()?.id.clone();
    Ok(ok(&json!(SsoView {
        scope: if legacy { "organization" } else { "company" },
        inherited_from: (!legacy).then_some(company),
        connection: found.as_ref().map(|found| shown(&call, found, beside)),
    })))
}
