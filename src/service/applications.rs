//! The operator's applications: registered, changed, given secrets, removed; and recognised by their secret.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::db::{self, DbConn};
use crate::domain::application::{
    Addresses, Algorithm, Application, MOST_ADDRESSES, check_address, check_called,
};
use crate::domain::event::{Action, Actor};
use crate::domain::name;
use crate::domain::problem::{Code, Problem};
use crate::domain::token::{self, Kind};

use super::error::{Error, Result};
use super::tokens::new_text;
use super::{Cx, Keys, events};

/// What an application is registered with, or what is to change of it; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Registration {
    /// Its name for people.
    pub name: Option<String>,
    /// Where codes may be sent.
    pub redirect_uris: Option<Vec<String>>,
    /// Where a browser may go after a logout.
    pub post_logout_redirect_uris: Option<Vec<String>>,
    /// Where a login begins that somebody else asks for; blank: nowhere.
    pub initiate_login_uri: Option<String>,
    /// How its ID tokens are signed.
    pub id_token_alg: Option<Algorithm>,
    /// Where it wants to hear of ended sessions; blank: nowhere.
    pub backchannel_logout_uri: Option<String>,
}

/// Registers an application; the secret of a confidential one is shown this once.
///
/// # Errors
/// 422 `invalid_field`: a blank name, no redirect URI, an address that breaks a rule.
pub fn create(
    cx: &mut Cx<'_>,
    (keys, actor): (&Keys, &Actor),
    confidential: bool,
    new: &Registration,
) -> Result<(Application, Option<String>)> {
    let secret = if confidential { Some(new_secret(keys)?) } else { None };
    let mut application = Application {
        id: cx.clock.id(),
        name: String::new(),
        digest: secret.as_ref().map(|(digest, _)| digest.clone()),
        former: None,
        id_token_alg: Algorithm::Es256,
        backchannel_logout_uri: None,
        addresses: Addresses::default(),
        created_at: cx.now,
        updated_at: cx.now,
        version: 1,
    };
    apply(&mut application, new)?;
    db::applications::insert(cx.conn, &application)?;
    let detail = json!({"after": shown(&application)});
    record(cx, actor, (Action::ApplicationCreated, &application.id), detail)?;
    Ok((application, secret.map(|(_, text)| text)))
}

fn record(cx: &mut Cx<'_>, actor: &Actor, what: (Action, &str), detail: Value) -> Result<()> {
    events::record(cx, db::events::INSTALLATION, actor, what, detail)
}

fn new_secret(keys: &Keys) -> Result<(Vec<u8>, String)> {
    let (_, text) = new_text(Kind::Client)?;
    let parsed = token::parse(Kind::Client, &text);
    let secret = parsed.ok_or_else(|| "a new secret does not parse".to_owned())?.secret;
    Ok((keys.digest(Kind::Client, secret), text))
}

/// Takes a registration over, as far as it keeps the rules.
fn apply(application: &mut Application, change: &Registration) -> Result<()> {
    if let Some(name) = &change.name {
        application.name.clone_from(name);
    }
    name::check_name(&application.name).map_err(|rule| Problem::field("name", rule))?;
    let addresses = &mut application.addresses;
    if let Some(uris) = &change.redirect_uris {
        addresses.redirect_uris.clone_from(uris);
    }
    if let Some(uris) = &change.post_logout_redirect_uris {
        addresses.post_logout_redirect_uris.clone_from(uris);
    }
    let blank = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    if let Some(uri) = &change.initiate_login_uri {
        addresses.initiate_login_uri = blank(uri);
    }
    if let Some(uri) = &change.backchannel_logout_uri {
        application.backchannel_logout_uri = blank(uri);
    }
    application.id_token_alg = change.id_token_alg.unwrap_or(application.id_token_alg);
    check(application)
}

fn check(application: &Application) -> Result<()> {
    let (addresses, confidential) = (&application.addresses, application.is_confidential());
    if addresses.redirect_uris.is_empty() {
        return Err(Problem::field("redirect_uris", "an application needs at least one").into());
    }
    let initiate: Vec<String> = addresses.initiate_login_uri.iter().cloned().collect();
    for (field, uris) in [
        ("redirect_uris", &addresses.redirect_uris),
        ("post_logout_redirect_uris", &addresses.post_logout_redirect_uris),
        ("initiate_login_uri", &initiate),
    ] {
        if uris.len() > MOST_ADDRESSES {
            let rule = format!("at most {MOST_ADDRESSES} addresses");
            return Err(Problem::field(field, rule).into());
        }
        for uri in uris {
            check_address(uri, confidential)
                .map_err(|rule| Problem::field(field, format!("{rule}: {uri}")))?;
        }
    }
    if let Some(uri) = &application.backchannel_logout_uri {
        check_called(uri).map_err(|rule| Problem::field("backchannel_logout_uri", rule))?;
    }
    Ok(())
}

/// What the record of a change shows.
fn shown(application: &Application) -> Value {
    json!({
        "name": application.name,
        "confidential": application.is_confidential(),
        "addresses": application.addresses,
        "id_token_signed_response_alg": application.id_token_alg.name(),
        "backchannel_logout_uri": application.backchannel_logout_uri,
    })
}

/// The application with this id.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(conn: &mut DbConn, id: &str) -> Result<Application> {
    db::applications::find(conn, id)?.ok_or(Error::NotFound("Application"))
}

/// A page of the applications, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn page(conn: &mut DbConn, place: (&str, i64)) -> Result<Vec<Application>> {
    Ok(db::applications::page(conn, place)?)
}

/// Changes an application's registration.
///
/// # Errors
/// Those of [`create`]; 412 `precondition_failed`.
pub fn change(
    cx: &mut Cx<'_>,
    actor: &Actor,
    mut application: Application,
    change: &Registration,
) -> Result<Application> {
    let before = shown(&application);
    apply(&mut application, change)?;
    let after = shown(&application);
    if before == after {
        return Ok(application);
    }
    save(cx, &mut application)?;
    let detail = json!({"before": before, "after": after});
    record(cx, actor, (Action::ApplicationUpdated, &application.id), detail)?;
    Ok(application)
}

fn save(cx: &mut Cx<'_>, application: &mut Application) -> Result<()> {
    application.updated_at = cx.now;
    match db::applications::update(cx.conn, application)? {
        true => Ok(()),
        false => Err(Code::PreconditionFailed.into()),
    }
}

/// Gives a confidential application another secret; the one before counts for `overlap` still.
///
/// # Errors
/// 422 of a public one, and of an overlap of more than seven days; 412 `precondition_failed`.
pub fn rotate(
    cx: &mut Cx<'_>,
    (keys, actor): (&Keys, &Actor),
    mut application: Application,
    overlap: SignedDuration,
) -> Result<(Application, String)> {
    if overlap.is_negative() || overlap > token::MAX_OVERLAP {
        let rule = "an overlap is between 0 seconds and 7 days";
        return Err(Problem::field("overlap_seconds", rule).into());
    }
    let Some(former) = application.digest.take() else {
        return Err(Problem::field("type", "a public application has no secret").into());
    };
    let (digest, text) = new_secret(keys)?;
    application.digest = Some(digest);
    application.former = Some((former, cx.now + overlap));
    save(cx, &mut application)?;
    let detail = json!({"overlap_seconds": overlap.as_secs()});
    record(cx, actor, (Action::ApplicationRotated, &application.id), detail)?;
    Ok((application, text))
}

/// Removes an application; its codes and tokens open nothing from now on.
///
/// # Errors
/// [`Error::NotFound`].
pub fn delete(cx: &mut Cx<'_>, actor: &Actor, id: &str) -> Result<()> {
    if !db::applications::delete(cx.conn, id)? {
        return Err(Error::NotFound("Application"));
    }
    record(cx, actor, (Action::ApplicationDeleted, id), json!({}))
}
