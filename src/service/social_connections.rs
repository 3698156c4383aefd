//! The operator's social connections: made, changed, removed.

use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use crate::db::{self, DbConn};
use crate::domain::company::check_slug;
use crate::domain::connection::OidcSettings;
use crate::domain::event::{Action, Actor};
use crate::domain::id::CompanySeq;
use crate::domain::name::check_name;
use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;
use crate::domain::social_connection::{GITHUB, SocialConnection, Speech, github};

use super::companies::or_taken;
use super::error::{Error, Result};
use super::sealing::Place;
use super::{Cx, Keys, Service, events};

/// What a social connection is made with, or what is to change of it; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// What people read on its button.
    pub label: Option<String>,
    /// The issuer, or GitHub's address.
    pub issuer: Option<String>,
    /// Our id there.
    pub client_id: Option<String>,
    /// Our secret there.
    pub client_secret: Option<Secret>,
    /// What is asked for.
    pub scopes: Option<Vec<String>>,
    /// Whether it lets people in.
    pub enabled: Option<bool>,
}

/// The client secret, in the clear: for the one call that sends it.
///
/// # Errors
/// [`Error::Internal`] where it does not open.
pub(super) fn secret(keys: &Keys, social: &SocialConnection) -> Result<Option<Secret>> {
    let sealed = social.sealed_secret.as_deref();
    Ok(sealed.map(|sealed| keys.open_text(&place(&social.id), sealed)).transpose()?)
}

fn place(id: &str) -> Place<'_> {
    Place { table: "social_connections", column: "secret", company: CompanySeq(0), row: id }
}

/// The one with this name.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(conn: &mut DbConn, name: &str) -> Result<SocialConnection> {
    db::social_connections::find(conn, name)?.ok_or(Error::NotFound("Social connection"))
}

/// A page of them.
///
/// # Errors
/// The database's.
pub fn page(conn: &mut DbConn, place: (&str, i64)) -> Result<Vec<SocialConnection>> {
    Ok(db::social_connections::page(conn, place)?)
}

/// One of this name and kind that is not stored yet: what a change is applied to.
///
/// # Errors
/// 422 `invalid_field`.
pub fn blank(
    name: &str,
    speech: Speech,
    (id, now): (String, Timestamp),
) -> Result<SocialConnection> {
    check_slug(name).map_err(|rule| Problem::field("name", rule))?;
    let settings = match speech {
        Speech::Oidc => OidcSettings::default(),
        Speech::GitHub => github(GITHUB),
    };
    let label = name.to_owned();
    Ok(SocialConnection {
        id,
        name: name.to_owned(),
        label,
        speech,
        settings,
        sealed_secret: None,
        enabled: true,
        created_at: now,
        updated_at: now,
        version: 1,
    })
}

impl Service {
    /// Applies a change to a social connection in memory; the provider's own description is fetched where its
    /// address is new.
    ///
    /// # Errors
    /// 422 `invalid_field`; those of a discovery document.
    pub async fn prepare_social(
        &self,
        mut social: SocialConnection,
        change: Change,
    ) -> Result<SocialConnection> {
        if let Some(label) = change.label {
            check_name(&label).map_err(|rule| Problem::field("label", rule))?;
            social.label = label;
        }
        if let Some(issuer) = change.issuer.filter(|issuer| *issuer != social.settings.issuer) {
            self.move_social(&mut social, &issuer).await?;
        }
        if let Some(client_id) = change.client_id {
            social.settings.client_id = client_id;
        }
        if let Some(scopes) = change.scopes {
            social.settings.scopes = scopes;
        }
        social.enabled = change.enabled.unwrap_or(social.enabled);
        if let Some(secret) = &change.client_secret {
            let keys = self.keys();
            social.sealed_secret = Some(keys.seal(&place(&social.id), secret.expose().as_bytes())?);
        }
        for (field, value) in
            [("issuer", &social.settings.issuer), ("client_id", &social.settings.client_id)]
        {
            if value.is_empty() {
                return Err(Problem::field(field, "must be given").into());
            }
        }
        if social.sealed_secret.is_none() {
            let rule = "must be given; a changed issuer clears the one before";
            return Err(Problem::field("client_secret", rule).into());
        }
        Ok(social)
    }

    /// Another address: the secret of the one before is not sent there (security O9).
    async fn move_social(&self, social: &mut SocialConnection, issuer: &str) -> Result<()> {
        let client_id = std::mem::take(&mut social.settings.client_id);
        social.sealed_secret = None;
        social.settings = match social.speech {
            Speech::GitHub => github(issuer),
            Speech::Oidc => {
                let mut settings =
                    OidcSettings { issuer: issuer.to_owned(), ..OidcSettings::default() };
                self.describe(&mut settings).await?;
                settings
            }
        };
        social.settings.client_id = client_id;
        let settings = &social.settings;
        for url in [Some(&settings.token_endpoint), settings.userinfo_endpoint.as_ref()] {
            let sound = url.is_none_or(|url| Url::parse(url).is_ok());
            sound.then_some(()).ok_or_else(|| Problem::field("issuer", "is no address"))?;
        }
        Ok(())
    }
}

/// Stores a new one.
///
/// # Errors
/// 409 `slug_taken`.
pub fn create(cx: &mut Cx<'_>, actor: &Actor, new: &SocialConnection) -> Result<()> {
    let stored = db::social_connections::insert(cx.conn, new);
    stored.map_err(|e| or_taken(e, Code::SlugTaken.into()))?;
    let detail = json!({"after": shown(new)});
    record(cx, actor, (Action::SocialCreated, &new.id), detail)
}

/// Saves a changed one.
///
/// # Errors
/// 412 `precondition_failed` where it has changed since.
pub fn update(cx: &mut Cx<'_>, actor: &Actor, changed: &mut SocialConnection) -> Result<()> {
    changed.updated_at = cx.now;
    if !db::social_connections::update(cx.conn, changed)? {
        return Err(Code::PreconditionFailed.into());
    }
    let detail = json!({"after": shown(changed)});
    record(cx, actor, (Action::SocialUpdated, &changed.id), detail)
}

/// Removes one.
///
/// # Errors
/// [`Error::NotFound`].
pub fn delete(cx: &mut Cx<'_>, actor: &Actor, name: &str) -> Result<()> {
    let gone = find(cx.conn, name)?;
    db::social_connections::delete(cx.conn, &gone.id)?;
    record(cx, actor, (Action::SocialDeleted, &gone.id), json!({"before": shown(&gone)}))
}

fn record(cx: &mut Cx<'_>, actor: &Actor, what: (Action, &str), detail: Value) -> Result<()> {
    events::record(cx, db::events::INSTALLATION, actor, what, detail)
}

fn shown(social: &SocialConnection) -> Value {
    json!({
        "name": social.name, "kind": social.speech.name(), "issuer": social.settings.issuer,
        "client_id": social.settings.client_id, "enabled": social.enabled,
    })
}
