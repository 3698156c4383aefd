//! The domains of a company: claimed, proved, given up (`management-api.md` D5). Proof by DNS is elsewhere;
//! here is an operator's word.

use serde_json::json;

use crate::clock;
use crate::db::{self, DbConn, DbError};
use crate::domain::connection::State;
use crate::domain::event::{Action, Actor};
use crate::domain::id::CompanySeq;
use crate::domain::problem::{Code, Problem};
use crate::domain::verified_domain::{self, CLAIM_LIFE, Domain, MAX_DOMAINS, Strategy, lineage};

use super::error::{Error, Result};
use super::keys::hex;
use super::{Cx, events};

/// What may be said of a domain by its company.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change {
    /// Whether its people may not come through a social connection.
    pub block_social_login: Option<bool>,
    /// Whether the names below it count as well.
    pub include_subdomains: Option<bool>,
}

/// A domain, and the one above it by which it counts though it is not proved itself.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The domain.
    pub domain: Domain,
    /// The verified domain of the same company that includes it.
    pub covered_by: Option<String>,
}

/// The company's domain with this name or id.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(conn: &mut DbConn, company: CompanySeq, name_or_id: &str) -> Result<Domain> {
    let name = name_or_id.to_ascii_lowercase();
    db::domains::find(conn, company, &name)?.ok_or(Error::NotFound("Domain"))
}

/// A page of the company's domains.
///
/// # Errors
/// The database's.
pub fn page(conn: &mut DbConn, company: CompanySeq, place: (&str, i64)) -> Result<Vec<Shown>> {
    let domains = db::domains::page(conn, company, place)?;
    show(conn, company, domains)
}

/// Domains with what includes them: one look-up for all.
///
/// # Errors
/// The database's.
pub fn show(conn: &mut DbConn, company: CompanySeq, domains: Vec<Domain>) -> Result<Vec<Shown>> {
    let above = match domains.iter().any(|domain| domain.verified_at.is_none()) {
        true => db::domains::including(conn, company)?,
        false => Vec::new(),
    };
    let shown = |domain: Domain| {
        let names = lineage(&domain.name).into_iter().skip(1);
        let covered = names.map(str::to_owned).find(|name| above.contains(name));
        let covered_by = covered.filter(|_| domain.verified_at.is_none());
        Shown { covered_by, domain }
    };
    Ok(domains.into_iter().map(shown).collect())
}

/// Claims a domain. It is of no use until it is verified; until then others may claim it too (threat S5).
///
/// # Errors
/// 422 of the name; 409 `domain_in_use` where it is verified for another company, or claimed by this one.
pub fn create(
    cx: &mut Cx<'_>,
    (company, actor): (CompanySeq, &Actor),
    (name, flags): (&str, Change),
) -> Result<Domain> {
    let name = verified_domain::parse(name).map_err(|problem| {
        let detail = problem.detail.clone();
        problem.at("domain", detail)
    })?;
    db::companies::lock(cx.conn, company)?;
    if db::domains::find(cx.conn, company, &name)?.is_some() {
        return Err(Problem::new(Code::DomainInUse, "The company has this domain already").into());
    }
    check_free(cx, company, &name)?;
    let (count, _) = db::domains::counts(cx.conn, company)?;
    if usize::try_from(count).unwrap_or(usize::MAX) >= MAX_DOMAINS {
        let rule = format!("a company has at most {MAX_DOMAINS} domains");
        return Err(Problem::field("domain", rule).into());
    }
    let token = clock::random::<20>().map_err(|e| Error::Internal(Box::new(e)))?;
    let domain = Domain {
        id: cx.clock.id(),
        company,
        name,
        token: hex(&token),
        strategy: Strategy::Txt,
        verified_at: None,
        expires_at: cx.now + CLAIM_LIFE,
        attempts: 0,
        last_checked_at: None,
        last_seen: Vec::new(),
        block_social_login: flags.block_social_login.unwrap_or_default(),
        include_subdomains: flags.include_subdomains.unwrap_or_default(),
        created_at: cx.now,
        version: 1,
    };
    db::domains::insert(cx.conn, &domain)?;
    record(cx, actor, Action::DomainCreated, &domain)?;
    Ok(domain)
}

fn check_free(cx: &mut Cx<'_>, company: CompanySeq, name: &str) -> Result<()> {
    match db::domains::owner_of(cx.conn, name)? {
        Some(owner) if owner.company != company && owner.domain == name => {
            Err(Code::DomainInUse.into())
        }
        _ => Ok(()),
    }
}

fn record(cx: &mut Cx<'_>, actor: &Actor, action: Action, domain: &Domain) -> Result<()> {
    let after = json!({
        "domain": domain.name,
        "strategy": domain.strategy.name(),
        "verified": domain.verified_at.is_some(),
        "block_social_login": domain.block_social_login,
        "include_subdomains": domain.include_subdomains,
    });
    let key = if action == Action::DomainDeleted { "before" } else { "after" };
    events::record(cx, domain.company, actor, (action, &domain.id), json!({key: after}))
}

/// Changes what holds for a domain.
///
/// # Errors
/// 412 `precondition_failed`.
pub fn change(
    cx: &mut Cx<'_>,
    (mut domain, actor): (Domain, &Actor),
    change: Change,
) -> Result<Domain> {
    let before = domain.clone();
    domain.block_social_login = change.block_social_login.unwrap_or(domain.block_social_login);
    domain.include_subdomains = change.include_subdomains.unwrap_or(domain.include_subdomains);
    if domain == before {
        return Ok(domain);
    }
    update(cx, &mut domain)?;
    record(cx, actor, Action::DomainUpdated, &domain)?;
    Ok(domain)
}

fn update(cx: &mut Cx<'_>, domain: &mut Domain) -> Result<()> {
    match db::domains::update(cx.conn, domain) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Code::PreconditionFailed.into()),
        Err(DbError::DatabaseError(db::UniqueViolation, _)) => Err(Code::DomainInUse.into()),
        Err(error) => Err(error.into()),
    }
}

/// Takes a domain for verified on an operator's word.
///
/// # Errors
/// 409 `domain_in_use` where it is verified for another company.
pub fn take_word(cx: &mut Cx<'_>, (mut domain, actor): (Domain, &Actor)) -> Result<Domain> {
    if domain.verified_at.is_some() {
        return Ok(domain);
    }
    check_free(cx, domain.company, &domain.name)?;
    (domain.verified_at, domain.strategy) = (Some(cx.now), Strategy::ManualOverride);
    update(cx, &mut domain)?;
    record(cx, actor, Action::DomainVerified, &domain)?;
    Ok(domain)
}

/// Gives a domain up.
///
/// # Errors
/// 409 `last_verified_domain` where nobody could sign in through the active connection any more.
pub fn delete(cx: &mut Cx<'_>, (domain, actor): (&Domain, &Actor)) -> Result<()> {
    db::companies::lock(cx.conn, domain.company)?;
    let (_, verified) = db::domains::counts(cx.conn, domain.company)?;
    if domain.verified_at.is_some() && verified <= 1 {
        let connection = db::connections::find(cx.conn, domain.company, None)?;
        if connection.is_some_and(|connection| connection.state == State::Active) {
            return Err(Code::LastVerifiedDomain.into());
        }
    }
    db::domains::delete(cx.conn, domain)?;
    record(cx, actor, Action::DomainDeleted, domain)
}
