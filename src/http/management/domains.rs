//! `C/sso/domains`: the domains whose people are a company's.

use actix_web::web::{delete, get, patch, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::verified_domain::Domain;
use crate::scim::value::format_time;
use crate::service::access::At;
use crate::service::domains::{self, Change, Shown};
use crate::service::idempotency::Reply;
use crate::service::{Cx, Result};

use super::frame::{Answer, Call, versioned};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(("GET", "C/sso/domains"), Act::ReadDomains, "List domains", || get().to(list))
        .pages::<DomainView>(),
    Entry::new(("POST", "C/sso/domains"), Act::ChangeDomains, "Claim a domain", || {
        post().to(create)
    })
    .takes::<NewDomain>()
    .gives::<DomainView>(201),
    Entry::new(("GET", "C/sso/domains/{domain}"), Act::ReadDomains, "Read a domain", || {
        get().to(read)
    })
    .gives::<DomainView>(200),
    Entry::new(
        ("PATCH", "C/sso/domains/{domain}"),
        Act::ChangeDomains,
        "Change whether social sign-ins are blocked, and whether names below count",
        || patch().to(change),
    )
    .takes::<DomainChange>()
    .gives::<DomainView>(200),
    Entry::new(
        ("DELETE", "C/sso/domains/{domain}"),
        Act::ChangeDomains,
        "Give a domain up",
        || delete().to(remove),
    ),
    Entry::new(
        ("POST", "C/sso/domains/{domain}/override"),
        Act::OverrideDomain,
        "Declare a domain verified, on the operator's word",
        || post().to(take_word),
    )
    .gives::<DomainView>(200),
];

/// A domain.
#[derive(Serialize, ToSchema)]
struct DomainView {
    id: String,
    domain: String,
    verification: VerificationView,
    /// Whether its people may not come through a social connection; from when the connection is active.
    block_social_login: bool,
    /// Whether the names below it count as well.
    include_subdomains: bool,
    created_at: String,
}

/// How far the proof of a domain is.
#[derive(Serialize, ToSchema)]
struct VerificationView {
    /// unverified, pending, verified or expired.
    status: &'static str,
    /// `txt`, `manual_override`, or `parent_domain` where a domain above it counts.
    strategy: &'static str,
    /// Where the TXT record is to lie.
    txt_record_name: String,
    /// What it is to say.
    txt_record_value: String,
    attempts: i64,
    last_checked_at: Option<String>,
    /// What was found the last time.
    last_seen: Vec<String>,
    expires_at: String,
    verified_at: Option<String>,
}

/// A domain to be claimed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewDomain {
    /// Such as acme.com.
    domain: String,
    block_social_login: Option<bool>,
    include_subdomains: Option<bool>,
}

/// What of a domain is to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DomainChange {
    block_social_login: Option<bool>,
    include_subdomains: Option<bool>,
}

fn view(shown: &Shown, now: jiff::Timestamp) -> Value {
    let Shown { domain, covered_by } = shown;
    let (status, strategy) = match covered_by {
        Some(_) => ("verified", "parent_domain"),
        None => (domain.status(now), domain.strategy.name()),
    };
    json!(DomainView {
        id: domain.id.clone(),
        domain: domain.name.clone(),
        verification: VerificationView {
            status,
            strategy,
            txt_record_name: domain.record_name(),
            txt_record_value: domain.record_value(),
            attempts: domain.attempts,
            last_checked_at: domain.last_checked_at.map(format_time),
            last_seen: domain.last_seen.clone(),
            expires_at: format_time(domain.expires_at),
            verified_at: domain.verified_at.map(format_time),
        },
        block_social_login: domain.block_social_login,
        include_subdomains: domain.include_subdomains,
        created_at: format_time(domain.created_at),
    })
}

/// The answer to a change.
fn reply(cx: &mut Cx<'_>, status: u16, domain: Domain) -> Result<Reply> {
    let version = domain.version;
    let shown = domains::show(cx.conn, domain.company, vec![domain])?;
    let body = shown.first().map_or(Value::Null, |shown| view(shown, cx.now));
    Ok(Reply::new(status, body).version(version))
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let (place, now) = (page.clone(), call.service.clock().now());
    let read = call.read(move |conn, at| domains::page(conn, at.company()?.seq, place.place()));
    Ok(page.answer(read.await?.iter().map(|shown| view(shown, now)).collect()))
}

async fn read(call: Call) -> Answer {
    let (name, now) = (call.part("domain"), call.service.clock().now());
    let read = call.read(move |conn, at| {
        let company = at.company()?.seq;
        let domain = domains::find(conn, company, &name)?;
        domains::show(conn, company, vec![domain])
    });
    let shown = read.await?;
    let version = shown.first().map_or(0, |shown| shown.domain.version);
    Ok(versioned(&shown.first().map_or(Value::Null, |shown| view(shown, now)), version))
}

async fn create(call: Call) -> Answer {
    let body: NewDomain = call.json()?;
    call.write(move |cx, at| {
        let flags = Change {
            block_social_login: body.block_social_login,
            include_subdomains: body.include_subdomains,
        };
        let who = (at.company()?.seq, &at.actor());
        let made = domains::create(cx, who, (&body.domain, flags))?;
        reply(cx, 201, made)
    })
    .await
}

/// Does something with a domain as it is at that moment.
async fn act(
    call: Call,
    work: impl FnOnce(&mut Cx<'_>, &At, Domain) -> Result<Reply> + Clone + Send + 'static,
) -> Answer {
    let (name, if_match) = (call.part("domain"), call.if_match());
    call.write(move |cx, at| {
        let domain = domains::find(cx.conn, at.company()?.seq, &name)?;
        if_match.check(domain.version)?;
        work(cx, at, domain)
    })
    .await
}

async fn change(call: Call) -> Answer {
    let body: DomainChange = call.json()?;
    let change = Change {
        block_social_login: body.block_social_login,
        include_subdomains: body.include_subdomains,
    };
    act(call, move |cx, at, domain| {
        let changed = domains::change(cx, (domain, &at.actor()), change)?;
        reply(cx, 200, changed)
    })
    .await
}

async fn take_word(call: Call) -> Answer {
    act(call, |cx, at, domain| {
        let verified = domains::take_word(cx, (domain, &at.actor()))?;
        reply(cx, 200, verified)
    })
    .await
}

async fn remove(call: Call) -> Answer {
    act(call, |cx, at, domain| {
        domains::delete(cx, (&domain, &at.actor()))?;
        Ok(Reply::nothing())
    })
    .await
}
