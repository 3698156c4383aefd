//! The answer of a provider, brought by a browser: the attempt is taken, the provider asked, the sign-in
//! finished. A refusal on the way stands in the log of attempts.

use crate::db;
use crate::domain::connection::{Connection, State};
use crate::domain::login_attempt::LoginAttempt;
use crate::domain::refusal::{Reason, Refusal};
use crate::service::error::Result;
use crate::service::{Cx, Keys, Service, connections};
use crate::sso::oidc::request::Callback;

use super::attempts;
use super::finish::{Finished, Refused, finish};
use super::oidc::{Exchange, Provider, identify};
use super::start::redirect_uri;

/// An attempt that was taken, with the connection that it went through, as it is now.
type Taken = (LoginAttempt, std::result::Result<(Box<Connection>, Provider), Refusal>);

/// Takes the answer that came to a connection's own address.
///
/// # Errors
/// The refusal.
pub async fn answer(
    service: &Service,
    public_url: &str,
    name: &str,
    (callback, browser): (Callback, Option<String>),
) -> std::result::Result<Finished, Refused> {
    let (keys, wanted, state) = (service.keys(), name.to_owned(), callback.state.clone());
    let unit =
        move |cx: &mut Cx<'_>| take(cx, &keys, (state.as_deref(), browser.as_deref()), &wanted);
    let (attempt, open) = service.transact(unit).await??;
    let uri = redirect_uri(public_url, name);
    let verified = match open {
        Ok((connection, provider)) => {
            let settings = &connection.document.oidc;
            match exchange(service, &callback, (&settings.issuer, settings.sends_iss), uri) {
                Ok(exchange) => identify(service, &provider, &exchange).await,
                Err(refusal) => Err(refusal),
            }
        }
        Err(refusal) => Err(refusal),
    };
    match verified {
        Ok(identity) => finish(service, attempt, identity).await,
        Err(refusal) => Err(refused(service, attempt, refusal).await),
    }
}

/// What the code is exchanged with, where the answer is the provider's and says yes.
pub(super) fn exchange(
    service: &Service,
    callback: &Callback,
    (issuer, sends_iss): (&str, bool),
    redirect_uri: String,
) -> std::result::Result<Exchange, Refusal> {
    let (keys, state) = (service.keys(), callback.state.as_deref().unwrap_or_default());
    Ok(Exchange {
        code: callback.code(issuer, sends_iss)?.to_owned(),
        redirect_uri,
        verifier: attempts::verifier(&keys, state),
        nonce: attempts::nonce(&keys, state),
    })
}

/// Writes a refusal down; what cannot be written is refused all the same.
pub(super) async fn refused(service: &Service, attempt: LoginAttempt, refusal: Refusal) -> Refused {
    let unit = {
        let (attempt, refusal) = (attempt.clone(), refusal.clone());
        move |cx: &mut Cx<'_>| attempts::refuse(cx, &attempt, &refusal)
    };
    if let Err(error) = service.transact(unit).await {
        tracing::warn!(%error, "a refused sign-in was not written down");
    }
    Refused::of(&attempt, refusal)
}

fn take(
    cx: &mut Cx<'_>,
    keys: &Keys,
    brought: (Option<&str>, Option<&str>),
    name: &str,
) -> Result<std::result::Result<Taken, Refusal>> {
    let attempt = match attempts::consume(cx, keys, brought, name)? {
        Ok(attempt) => attempt,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let open = match (attempt.door.company, attempt.door.connection) {
        (Some(company), Some(seq)) => db::connections::find_by_seq(cx.conn, company, seq)?,
        _ => None,
    };
    let Some(connection) = open else {
        return Ok(Ok((attempt, Err(Reason::ConnectionNotFound.into()))));
    };
    if connection.state != State::Active || connection.candidate {
        return Ok(Ok((attempt, Err(Reason::ConnectionInactive.into()))));
    }
    let provider = Provider {
        name: connection.id.clone(),
        product: connection.provider.clone(),
        document: connection.document.clone(),
        secret: connections::secret(keys, &connection)?,
    };
    Ok(Ok((attempt, Ok((Box::new(connection), provider)))))
}

/// Finishes what a verified answer has left under a ticket, for the browser that began (SAML: the answer is a
/// request from elsewhere, which carries no cookie).
///
/// # Errors
/// The refusal.
pub async fn go_on(
    service: &Service,
    (ticket, browser): (String, Option<String>),
) -> std::result::Result<Finished, Refused> {
    let keys = service.keys();
    let unit = move |cx: &mut Cx<'_>| attempts::take_held(cx, &keys, &ticket, browser.as_deref());
    let (attempt, identity) = service.transact(unit).await??;
    finish(service, attempt, identity).await
}
