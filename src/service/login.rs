//! What a sign-in does once the identity provider's word is verified: the one place, for every protocol.

use crate::db::{self, Lock};
use crate::domain::event::{Action, Actor};
use crate::domain::lifecycle::Happening;
use crate::domain::session::{self, Session};
use crate::domain::token::{self, Kind};

use super::error::{Error, Result};
use super::{Cx, Directory, Keys, events, tokens, users};

/// Signs a known user in: the lifecycle decides whether that may be, and a session begins. Returns it with
/// its secret, which is shown this once.
///
/// # Errors
/// [`Error::NotFound`]; 403 `user_deactivated`: a login never reactivates.
pub fn sign_in(
    cx: &mut Cx<'_>,
    keys: &Keys,
    directory: &Directory,
    (user, connection): (&str, Option<i64>),
) -> Result<(Session, String)> {
    let found = db::users::lock(cx.conn, directory.company, user, Lock::Change)?;
    let mut user = found.ok_or(Error::NotFound("User"))?;
    let step = users::stand(cx, directory, &mut user, Happening::SignsIn)?;
    if step.moved() {
        users::keep_standing(cx, directory, &mut user, &step)?;
    }
    let (id, text) = tokens::new_text(Kind::Session)?;
    let parsed = token::parse(Kind::Session, &text);
    let secret = parsed.ok_or_else(|| "a new session does not parse".to_owned())?.secret;
    let session = Session {
        digest: keys.digest(Kind::Session, secret),
        id,
        company: directory.company,
        user: user.seq,
        connection,
        organization: None,
        created_at: cx.now,
        last_used_at: cx.now,
        expires_at: cx.now + session::DEFAULT_LIFE,
        ended_at: None,
    };
    db::sessions::insert(cx.conn, &session)?;
    let actor = Actor::User(user.id.clone());
    let what = (Action::SessionCreated, session.id.as_str());
    events::record(cx, directory.company, &actor, what, serde_json::json!({}))?;
    Ok((session, text))
}
