//! The end of a sign-in, the same for every protocol: the checks of D7 behind the protocol's own, the login
//! itself, the attempt's line in the log, all in one transaction. Everything is read again here: what was
//! switched off since the beginning lets nobody in (security S16).

use jiff::Timestamp;

use crate::db::login_attempts::{self as rows, Who};
use crate::db::{self};
use crate::domain::company::Company;
use crate::domain::connection::{Connection, EmailTrust, State};
use crate::domain::event::{Action, Actor};
use crate::domain::identity::{VerifiedIdentity, Way};
use crate::domain::login_attempt::{GoesTo, LoginAttempt};
use crate::domain::refusal::{Reason, Refusal};
use crate::domain::verified_domain;

use serde_json::json;

use super::super::error::{Error, Result};
use super::super::login::{self, Login, Outcome};
use super::super::{Cx, Keys, Service, events};

/// A sign-in that came to its end.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The session's secret, for its cookie.
    pub session: String,
    /// Where it leads.
    pub goes_to: GoesTo,
}

/// A sign-in that was refused, and what a person can tell support.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// The attempt's reference; `None` where there is no attempt.
    pub reference: Option<String>,
    /// The connection that the person can come through instead, by its name.
    pub sso: Option<String>,
}

impl Refused {
    /// A refusal of an attempt.
    pub fn of(attempt: &LoginAttempt, refusal: Refusal) -> Self {
        Self { refusal, reference: Some(attempt.reference.clone()), sso: None }
    }
}

impl<R: Into<Refusal>> From<R> for Refused {
    fn from(refusal: R) -> Self {
        Self { refusal: refusal.into(), reference: None, sso: None }
    }
}

/// What a login says is refused, as a reason; what is ours to mend stays an error.
///
/// # Errors
/// The error, where nothing of it is the person's.
pub(super) fn refusal(error: Error) -> Result<Refusal> {
    match error {
        Error::Problem(problem) => Ok(problem.into()),
        Error::NotFound("Organization") => Ok(Reason::OrganizationNotFound.into()),
        Error::Unavailable(_) => Ok(Reason::Unavailable.into()),
        // What is claimed makes no user: the name is another one's, or is longer than any.
        Error::Scim(error) if error.status == 409 => {
            Ok(Refusal::new(Reason::IdentityConflict, error.detail))
        }
        Error::Scim(error) => Ok(Refusal::new(Reason::ClaimType, error.detail)),
        other => Err(other),
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match refusal(error) {
            Ok(refusal) => refusal.into(),
            Err(Error::TooMany { .. }) => Reason::TooMany.into(),
            Err(error) => {
                tracing::error!(%error, "a sign-in failed");
                Reason::Internal.into()
            }
        }
    }
}

/// Finishes an answered attempt with a verified identity.
///
/// # Errors
/// The refusal, which stands in the log then.
pub async fn finish(
    service: &Service,
    attempt: LoginAttempt,
    identity: VerifiedIdentity,
) -> std::result::Result<Finished, Refused> {
    let keys = service.keys();
    let unit = {
        let attempt = attempt.clone();
        move |cx: &mut Cx<'_>| end(cx, &keys, &attempt, &identity)
    };
    match service.transact(unit).await {
        Ok(Ok(session)) => Ok(Finished { session, goes_to: attempt.goes_to }),
        Ok(Err(refusal)) => Err(Refused::of(&attempt, refusal)),
        Err(error) => Err(Refused { reference: Some(attempt.reference), ..error.into() }),
    }
}

/// The unit of work: the login in a part of its own, so that a refusal leaves nothing of it but its line.
fn end(
    cx: &mut Cx<'_>,
    keys: &Keys,
    attempt: &LoginAttempt,
    identity: &VerifiedIdentity,
) -> Result<std::result::Result<String, Refusal>> {
    let mut who = Who { email: &identity.email, claims: &identity.claims, ..Who::default() };
    who.verified_at = Some(cx.now);
    let done = match cx.nested(|cx| sign_in(cx, keys, attempt, identity)) {
        Ok(done) => done,
        Err(error) => Err(refusal(error)?),
    };
    match done {
        Ok(login) => {
            (who.user, who.company) = (Some(login.user.id.as_str()), Some(login.session.company));
            rows::finish(cx.conn, attempt, (None, &who), cx.now)?;
            Ok(Ok(login.secret.clone()))
        }
        Err(refusal) => {
            rows::finish(cx.conn, attempt, (Some(&refusal), &who), cx.now)?;
            Ok(Err(refusal))
        }
    }
}

/// The checks behind the protocol's, in the order of D7, and the login.
fn sign_in(
    cx: &mut Cx<'_>,
    keys: &Keys,
    attempt: &LoginAttempt,
    identity: &VerifiedIdentity,
) -> Result<std::result::Result<Box<Login>, Refusal>> {
    let (Some(company), Some(seq)) = (attempt.door.company, attempt.door.connection) else {
        return Ok(Err(Reason::ConnectionNotFound.into()));
    };
    let connection = db::connections::find_by_seq(cx.conn, company, seq)?;
    let Some(connection) = connection else { return Ok(Err(Reason::ConnectionNotFound.into())) };
    if connection.state != State::Active || connection.candidate {
        return Ok(Err(Reason::ConnectionInactive.into()));
    }
    let identity = match settled(attempt, identity, cx.now) {
        Ok(identity) => identity,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let company =
        db::companies::find_by_seq(cx.conn, company)?.ok_or(Error::NotFound("Company"))?;
    let trust = connection.document.trust_email_verified;
    let domain = match address(&identity, trust) {
        Ok(domain) => domain,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if !db::domains::verified(cx.conn, company.seq, &domain)? {
        let detail = format!("{domain} is no verified domain of the company");
        return Ok(Err(Refusal::new(Reason::EmailOutsideDomains, detail)));
    }
    let (company, wanted) = match place(cx, company, &connection, attempt)? {
        Ok(place) => place,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let way = Way::Sso(connection.seq);
    match login::complete(cx, keys, &company, (way, &identity), wanted.as_deref())? {
        Outcome::Refused(problem) => Ok(Err(problem.into())),
        Outcome::SignedIn(login) => {
            if identity.overage {
                tell_overage(cx, &login)?;
            }
            let claimed = identity.groups.is_some() || identity.overage;
            let through = (company.seq, connection.seq);
            db::connections::came_in(cx.conn, through, claimed, cx.now)?;
            Ok(Ok(login))
        }
    }
}

/// The identity with the moment that counts, where it is as late as the application asks.
pub(super) fn settled(
    attempt: &LoginAttempt,
    identity: &VerifiedIdentity,
    now: Timestamp,
) -> std::result::Result<VerifiedIdentity, Refusal> {
    let said = identity.at_provider.authenticated_at;
    let moment = attempt.demand.moment(said, (attempt.created_at, now));
    let mut settled = identity.clone();
    settled.at_provider.authenticated_at =
        moment.map_err(|why| Refusal::new(Reason::NotFresh, why))?;
    Ok(settled)
}

/// The domain of an address that may be believed (security O1).
pub(super) fn address(
    identity: &VerifiedIdentity,
    trust: EmailTrust,
) -> std::result::Result<String, Refusal> {
    if identity.email.is_empty() {
        return Err(Reason::EmailMissing.into());
    }
    let Some(domain) = verified_domain::of_email(&identity.email) else {
        return Err(Refusal::new(Reason::EmailMissing, "What was sent is no e-mail address"));
    };
    match (identity.email_verified, trust) {
        (Some(true), _) | (None, EmailTrust::Always) => Ok(domain),
        (Some(false), _) | (None, EmailTrust::Claim) => Err(Reason::EmailNotVerified.into()),
    }
}

/// What the connection says of where somebody goes and whether a login makes users: a legacy one leads into
/// its own organization alone (row 58).
fn place(
    cx: &mut Cx<'_>,
    mut company: Company,
    connection: &Connection,
    attempt: &LoginAttempt,
) -> Result<std::result::Result<(Company, Option<String>), Refusal>> {
    if let Some(jit) = connection.document.jit_provisioning {
        company.settings.jit_provisioning = Some(jit);
    }
    let Some(legacy) = connection.organization else {
        return Ok(Ok((company, attempt.organization.clone())));
    };
    let own = db::organizations::some(cx.conn, company.seq, &[legacy])?.pop();
    let own = own.ok_or(Error::NotFound("Organization"))?;
    match &attempt.organization {
        Some(wanted) if *wanted != own.id && *wanted != own.slug => {
            Ok(Err(Reason::OrganizationDenied.into()))
        }
        _ => Ok(Ok((company, Some(own.id)))),
    }
}

/// Tells that somebody has more groups than the provider sends: teams stay as they are (row 184).
fn tell_overage(cx: &mut Cx<'_>, login: &Login) -> Result<()> {
    let detail = json!({
        "hint": "Let the identity provider send only the groups that are assigned to the application",
    });
    let what = (Action::GroupsOverage, login.user.id.as_str());
    events::record(cx, login.session.company, &Actor::System, what, detail)
}
