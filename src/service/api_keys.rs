//! API keys: made, listed, ended (security.md (b)). Who may do what with one `domain::authorization` says.

use jiff::SignedDuration;

use crate::db::{self, DbConn};
use crate::domain::api_key::ApiKey;
use crate::domain::company::Company;
use crate::domain::event::{Action, Actor};
use crate::domain::id::CompanySeq;
use crate::domain::problem::Problem;
use crate::domain::role::Permissions;
use crate::domain::token::{self, Kind};

use super::error::{Error, Result};
use super::tokens::new_text;
use super::{Cx, Keys, Service, events};

/// What a new key is made from.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its name for people.
    pub name: String,
    /// What it may do; none named means everything that its kind may.
    pub scopes: Permissions,
    /// How long it lives.
    pub life: SignedDuration,
}

/// Makes a key and returns it with its text, which is shown this once: an operator's, or one company's.
///
/// # Errors
/// 422: a blank name, a life that is not between 1 minute and [`token::MAX_LIFE`].
pub fn create(
    cx: &mut Cx<'_>,
    keys: &Keys,
    actor: &Actor,
    (company, new): (Option<CompanySeq>, NewKey),
) -> Result<(ApiKey, String)> {
    if new.name.trim().is_empty() || new.name.chars().count() > 100 {
        return Err(Problem::field("name", "a key needs a name of 1 to 100 characters").into());
    }
    if new.life < SignedDuration::from_mins(1) || new.life > token::MAX_LIFE {
        let rule = "a key lives at least one minute and at most 730 days";
        return Err(Problem::field("expires_at", rule).into());
    }
    let (id, text) = new_text(Kind::Api)?;
    let parsed =
        token::parse(Kind::Api, &text).ok_or_else(|| "a new key does not parse".to_owned())?;
    let key = ApiKey {
        digest: keys.digest(Kind::Api, parsed.secret),
        id,
        company,
        name: new.name,
        scopes: new.scopes,
        created_at: cx.now,
        expires_at: cx.now + new.life,
        revoked_at: None,
        last_used_at: None,
        last_used_ip: None,
    };
    db::api_keys::insert(cx.conn, &key)?;
    let detail = serde_json::json!({"name": key.name, "scopes": key.scopes.names()});
    let place = company.unwrap_or(db::events::INSTALLATION);
    events::record(cx, place, actor, (Action::KeyCreated, &key.id), detail)?;
    Ok((key, text))
}

/// A page of a company's keys, or of the operators' own.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    company: Option<CompanySeq>,
    place: (&str, i64),
) -> Result<Vec<ApiKey>> {
    Ok(db::api_keys::page(conn, company, place)?)
}

/// Ends a key now.
///
/// # Errors
/// [`Error::NotFound`] where it is not this company's, or not an operator's.
pub fn revoke(
    cx: &mut Cx<'_>,
    actor: &Actor,
    (company, id): (Option<CompanySeq>, &str),
) -> Result<()> {
    if !db::api_keys::revoke(cx.conn, company, id, cx.now)? {
        return Err(Error::NotFound("API key"));
    }
    let place = company.unwrap_or(db::events::INSTALLATION);
    events::record(cx, place, actor, (Action::KeyRevoked, id), serde_json::json!({}))
}

impl Service {
    /// Makes a key for somebody at the command line; see [`create`].
    ///
    /// # Errors
    /// Those of [`create`].
    pub async fn create_key(
        &self,
        company: Option<Company>,
        new: NewKey,
    ) -> Result<(ApiKey, String)> {
        let keys = self.keys.clone();
        let company = company.map(|company| company.seq);
        self.transact(move |cx| create(cx, &keys, &Actor::Command, (company, new))).await
    }

    /// What digests secrets, to be taken along into a unit of work.
    pub fn keys(&self) -> Keys {
        self.keys.clone()
    }
}
