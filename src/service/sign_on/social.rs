//! Signing in through a social connection of the operator (ruling 10): it lets in whom a company knows already,
//! and nobody whose company has closed this way, before any row of a person is written.

use serde_json::Value;

use crate::db::login_attempts::{self as rows, Who};
use crate::db::{self, DbConn};
use crate::domain::connection::{Document, EmailTrust};
use crate::domain::id::CompanySeq;
use crate::domain::identity::{VerifiedIdentity, Way};
use crate::domain::login_attempt::{Door, Kind, LoginAttempt};
use crate::domain::refusal::{Reason, Refusal};
use crate::domain::social_connection::{SocialConnection, Speech};
use crate::service::error::{Error, Result};
use crate::service::login::{self, Login, Outcome};
use crate::service::{Cx, Keys, Service, social_connections};
use crate::sso::oidc::request::{AuthorizationRequest, Callback};

use super::attempts::{self, Wish};
use super::callback::{exchange, refused};
use super::finish::{Finished, Refused, address, refusal, settled};
use super::oidc::{self, Exchange, Provider};
use super::start::{Started, begin};

/// Where answers come to.
pub fn redirect_uri(public_url: &str, name: &str) -> String {
    format!("{public_url}/login/social/{name}/callback")
}

/// The name of the door: a connection of a company may be called the same.
fn door_name(name: &str) -> String {
    format!("social:{name}")
}

async fn find(service: &Service, name: &str) -> std::result::Result<SocialConnection, Refused> {
    let wanted = name.to_owned();
    let look = move |conn: &mut DbConn| Ok(db::social_connections::find(conn, &wanted)?);
    let found = service.look_up(look).await?.filter(|social| social.enabled);
    Ok(found.ok_or(Reason::SocialNotFound)?)
}

/// Begins a sign-in through a social connection.
///
/// # Errors
/// `social_connection_not_found`.
pub async fn start(
    service: &Service,
    public_url: &str,
    (name, browser): (&str, Option<String>),
    wish: Wish,
) -> std::result::Result<Started, Refused> {
    let social = find(service, name).await?;
    let door = Door {
        company: None,
        connection: None,
        name: door_name(&social.name),
        kind: Kind::Social,
        version: social.version,
    };
    let (begun, hint) = begin(service, door, browser, (wish, None)).await?;
    let keys = service.keys();
    let (nonce, verifier) = (begun.nonce(&keys), begun.verifier(&keys));
    let request = AuthorizationRequest {
        endpoint: &social.settings.authorization_endpoint,
        client_id: &social.settings.client_id,
        redirect_uri: &redirect_uri(public_url, &social.name),
        scopes: &social.settings.scopes,
        state: &begun.state,
        nonce: (social.speech == Speech::Oidc).then_some(nonce.as_str()),
        verifier: &verifier,
        login_hint: hint.as_deref(),
        demand: begun.attempt.demand,
        extra: &[],
    };
    let url = request.url().ok_or(Reason::SocialNotFound)?;
    Ok(Started { address: url.into(), browser: begun.browser })
}

/// Takes the answer of a social connection.
///
/// # Errors
/// The refusal.
pub async fn answer(
    service: &Service,
    public_url: &str,
    name: &str,
    (callback, browser): (Callback, Option<String>),
) -> std::result::Result<Finished, Refused> {
    let social = find(service, name).await?;
    let (keys, door, state) = (service.keys(), door_name(name), callback.state.clone());
    let unit = move |cx: &mut Cx<'_>| {
        attempts::consume(cx, &keys, (state.as_deref(), browser.as_deref()), &door)
    };
    let attempt = service.transact(unit).await??;
    let identity = match verify(service, &social, (&callback, redirect_uri(public_url, name))).await
    {
        Ok(identity) => identity,
        Err(refusal) => return Err(refused(service, attempt, refusal).await),
    };
    let (keys, email) = (service.keys(), identity.email.clone());
    let unit = {
        let attempt = attempt.clone();
        move |cx: &mut Cx<'_>| end(cx, &keys, &attempt, &identity)
    };
    match service.transact(unit).await {
        Ok(Ok(session)) => Ok(Finished { session, goes_to: attempt.goes_to }),
        Ok(Err(refusal)) => {
            let sso = instead(service, &refusal, email).await;
            Err(Refused { sso, ..Refused::of(&attempt, refusal) })
        }
        Err(error) => Err(Refused { reference: Some(attempt.reference), ..error.into() }),
    }
}

/// The connection of the company that has closed this way (row 34).
async fn instead(service: &Service, refusal: &Refusal, email: String) -> Option<String> {
    if refusal.reason != Reason::SocialLoginBlocked {
        return None;
    }
    service.ways_to_sign_in(email).await.ok()?.connection
}

async fn verify(
    service: &Service,
    social: &SocialConnection,
    (callback, redirect_uri): (&Callback, String),
) -> std::result::Result<VerifiedIdentity, Refusal> {
    let settings = &social.settings;
    let from = (settings.issuer.as_str(), settings.sends_iss);
    let exchange = exchange(service, callback, from, redirect_uri)?;
    let secret = social_connections::secret(&service.keys(), social);
    let provider = Provider {
        name: social.id.clone(),
        product: social.name.clone(),
        document: Document { oidc: settings.clone(), ..Document::default() },
        secret: secret.map_err(|_| Refusal::from(Reason::Internal))?,
    };
    match social.speech {
        Speech::Oidc => oidc::identify(service, &provider, &exchange).await,
        Speech::GitHub => github(service, &provider, &exchange).await,
    }
}

/// Who signed in at GitHub: its API says so, to whoever has the token; of addresses the primary one counts.
async fn github(
    service: &Service,
    provider: &Provider,
    exchange: &Exchange,
) -> std::result::Result<VerifiedIdentity, Refusal> {
    let failed = || Refusal::from(Reason::SocialFailed);
    let answer = oidc::redeem(service, provider, exchange).await?;
    // A refusal too has the status 200 there, and a name of its own for a code that it does not know.
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let refused = match text("error") {
        Some("bad_verification_code") => Reason::CodeRefused,
        _ => Reason::TokenRefused,
    };
    let token = text("access_token").ok_or_else(|| Refusal::from(refused))?;
    let user = provider.settings().userinfo_endpoint.clone().ok_or_else(failed)?;
    let me = oidc::asked(service, &user, token).await?;
    let emails = oidc::asked(service, &format!("{user}/emails"), token).await?;
    let primary = emails.as_array().ok_or_else(failed)?.iter().find(|one| one["primary"] == true);
    Ok(VerifiedIdentity {
        issuer: provider.settings().issuer.clone(),
        subject: me["id"].as_i64().ok_or_else(failed)?.to_string(),
        email: primary.and_then(|one| one["email"].as_str()).unwrap_or_default().to_owned(),
        email_verified: primary.map(|one| one["verified"] == true),
        name: me["name"].as_str().map(str::to_owned),
        ..VerifiedIdentity::default()
    })
}

fn end(
    cx: &mut Cx<'_>,
    keys: &Keys,
    attempt: &LoginAttempt,
    identity: &VerifiedIdentity,
) -> Result<std::result::Result<String, Refusal>> {
    let mut who = Who {
        email: &identity.email,
        claims: &identity.claims,
        verified_at: Some(cx.now),
        ..Who::default()
    };
    let company = company(cx, attempt, identity)?;
    let done = match company {
        Err(refusal) => Err(refusal),
        Ok((company, open)) => {
            who.company = Some(company);
            match open.map(|()| cx.nested(|cx| sign_in(cx, keys, (attempt, company), identity))) {
                Ok(Ok(done)) => done,
                Ok(Err(error)) => Err(refusal(error)?),
                Err(refusal) => Err(refusal),
            }
        }
    };
    match done {
        Ok(login) => {
            who.user = Some(&login.user.id);
            rows::finish(cx.conn, attempt, (None, &who), cx.now)?;
            Ok(Ok(login.secret.clone()))
        }
        Err(refusal) => {
            rows::finish(cx.conn, attempt, (Some(&refusal), &who), cx.now)?;
            Ok(Err(refusal))
        }
    }
}

/// A company, and whether it is open to social sign-ins.
type Place = (CompanySeq, std::result::Result<(), Refusal>);

/// Whose the person is: the company's whose domain the address has, else the one that has invited it. An
/// address counts only where the provider says that it is verified.
fn company(
    cx: &mut Cx<'_>,
    attempt: &LoginAttempt,
    identity: &VerifiedIdentity,
) -> Result<std::result::Result<Place, Refusal>> {
    let domain = match address(identity, EmailTrust::Claim) {
        Ok(domain) => domain,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(owner) = db::domains::owner_of(cx.conn, &domain)? {
        let blocked = Err(Refusal::from(Reason::SocialLoginBlocked));
        let open = if owner.blocks_social_login { blocked } else { Ok(()) };
        return Ok(Ok((owner.company, open)));
    }
    let inviting = db::social_connections::inviting(cx.conn, &identity.email)?;
    let asked = match &attempt.organization {
        Some(id) => db::organizations::find_by_id(cx.conn, id)?.map(|o| o.company),
        None => None,
    };
    Ok(match (inviting.as_slice(), asked) {
        (all, Some(asked)) if all.contains(&asked) => Ok((asked, Ok(()))),
        ([only], None) => Ok((*only, Ok(()))),
        ([], _) | (_, Some(_)) => Err(Reason::NotProvisioned.into()),
        _ => Err(Reason::EmailAmbiguous.into()),
    })
}

fn sign_in(
    cx: &mut Cx<'_>,
    keys: &Keys,
    (attempt, company): (&LoginAttempt, CompanySeq),
    identity: &VerifiedIdentity,
) -> Result<std::result::Result<Box<Login>, Refusal>> {
    let company =
        db::companies::find_by_seq(cx.conn, company)?.ok_or(Error::NotFound("Company"))?;
    if company.settings.basic_auth_enabled == Some(false) {
        return Ok(Err(Reason::SocialLoginBlocked.into()));
    }
    let identity = match settled(attempt, identity, cx.now) {
        Ok(identity) => identity,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let who = (Way::Social, &identity);
    match login::complete(cx, keys, &company, who, attempt.organization.as_deref())? {
        Outcome::Refused(problem) => Ok(Err(problem.into())),
        Outcome::SignedIn(login) => Ok(Ok(login)),
    }
}
