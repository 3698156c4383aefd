//! Sessions: begun here and nowhere else, looked at here whenever one is to open something, ended here with
//! everything that hangs on them. Whoever deactivates, deletes or disconnects ends them in the same unit of
//! work (security.md S15).

use jiff::Timestamp;
use serde_json::json;

pub use crate::db::sessions::{Listed, Which};
use crate::db::{self, DbConn};
use crate::domain::company::Company;
use crate::domain::event::{Action, Actor};
use crate::domain::id::CompanySeq;
use crate::domain::identity::AtProvider;
use crate::domain::organization::Organization;
use crate::domain::presence::Presence;
use crate::domain::problem::{Code, Problem};
use crate::domain::session::{MOST_MINUTES, Session, SessionSettings};
use crate::domain::token::{self, Kind, TokenText};
use crate::domain::user::User;

use super::error::{Error, Result, Unauthorized};
use super::{Cx, Keys, Service, companies, events, tokens};

/// What a session begins with.
#[derive(Debug, Clone, Copy)]
pub struct Beginning<'b> {
    /// Whose user it is.
    pub company: &'b Company,
    /// Who signed in.
    pub user: &'b User,
    /// The connection that the user came through; `None`: a social one.
    pub connection: Option<i64>,
    /// The organization to work in.
    pub organization: Option<&'b Organization>,
    /// What the identity provider says of its own session.
    pub at_provider: &'b AtProvider,
}

/// Begins a session; its secret is shown this once.
///
/// # Errors
/// The database's.
pub fn begin(cx: &mut Cx<'_>, keys: &Keys, new: &Beginning<'_>) -> Result<(Session, String)> {
    let (id, text) = tokens::new_text(Kind::Session)?;
    let parsed = token::parse(Kind::Session, &text);
    let secret = parsed.ok_or_else(|| "a new session does not parse".to_owned())?.secret;
    let settings = new.company.settings.sessions.applied_to(new.connection);
    let expires_at = cx.now + settings.max();
    let there = new.at_provider.expires_at.filter(|_| settings.honor_idp_expiry);
    let session = Session {
        digest: keys.digest(Kind::Session, secret),
        id,
        company: new.company.seq,
        user: new.user.seq,
        connection: new.connection,
        organization: new.organization.map(|organization| organization.seq),
        created_at: cx.now,
        last_used_at: cx.now,
        expires_at: there.map_or(expires_at, |there| there.clamp(cx.now, expires_at)),
        ended_at: None,
        end_reason: None,
        idp_session: new.at_provider.session.clone(),
        authenticated_at: new.at_provider.authenticated_at,
    };
    db::sessions::insert(cx.conn, &session)?;
    let actor = Actor::User(new.user.id.clone());
    let detail = json!({"organization_id": new.organization.map(|o| o.id.as_str())});
    let what = (Action::SessionCreated, session.id.as_str());
    events::record(cx, new.company.seq, &actor, what, detail)?;
    Ok((session, text))
}

/// The session that has this secret, where it opens something at this moment.
///
/// # Errors
/// The database's.
pub fn find(
    conn: &mut DbConn,
    keys: &Keys,
    presented: &TokenText<'_>,
    now: Timestamp,
) -> Result<std::result::Result<Presence, Unauthorized>> {
    let found = db::presence::of_session(conn, presented.id)?;
    let digest = found.as_ref().map_or([0; 32].as_slice(), |s| s.session.digest.as_slice());
    let fits = keys.fits(Kind::Session, presented.secret, digest);
    let Some(presence) = found.filter(|_| fits) else { return Ok(Err(Unauthorized::Unknown)) };
    Ok(match presence.over(now) {
        None => Ok(presence),
        Some(over) => Err(Unauthorized::Over(over)),
    })
}

/// The session in a browser's cookie, where it opens something at this moment.
///
/// # Errors
/// The database's.
pub fn find_by_cookie(
    conn: &mut DbConn,
    keys: &Keys,
    cookie: &str,
    now: Timestamp,
) -> Result<Option<Presence>> {
    match token::parse(Kind::Session, cookie) {
        Some(presented) => Ok(find(conn, keys, &presented, now)?.ok()),
        None => Ok(None),
    }
}

/// Ends live sessions of a company, takes back what was granted in them, and has applications told that
/// want to hear it; how many sessions there were. `about` is the id of what they were ended for.
///
/// # Errors
/// The database's.
pub fn end(
    cx: &mut Cx<'_>,
    actor: &Actor,
    (company, which, about): (CompanySeq, Which<'_>, &str),
    reason: &str,
) -> Result<usize> {
    let ended = db::sessions::end(cx.conn, company, which, (cx.now, reason))?;
    if ended == 0 {
        return Ok(0);
    }
    db::grants::end(cx.conn, company, which, cx.now)?;
    let detail = json!({"reason": reason, "sessions": ended});
    events::record(cx, company, actor, (Action::SessionRevoked, about), detail)?;
    Ok(ended)
}

/// Ends one session of a company by hand.
///
/// # Errors
/// [`Error::NotFound`] where the company has none such that is open.
pub fn revoke(cx: &mut Cx<'_>, actor: &Actor, company: CompanySeq, id: &str) -> Result<()> {
    match end(cx, actor, (company, Which::One(id), id), "revoked")? {
        0 => Err(Error::NotFound("Session")),
        _ => Ok(()),
    }
}

/// A page of a company's sessions that nobody has ended; of one user alone where one is named.
///
/// # Errors
/// [`Error::NotFound`] of the user.
pub fn page(
    conn: &mut DbConn,
    company: CompanySeq,
    user: Option<&str>,
    place: (&str, i64),
) -> Result<Vec<Listed>> {
    let user = match user {
        None => None,
        Some(id) => {
            let found = db::profiles::user(conn, company, id)?;
            Some(found.ok_or(Error::NotFound("User"))?.user.seq)
        }
    };
    Ok(db::sessions::page(conn, (company, user), place)?)
}

/// Changes how long sessions of a company last; it holds for those that began before, too.
///
/// # Errors
/// 422 `out_of_range`, `idle_exceeds_max` (row 39); 412.
pub fn set_settings(
    cx: &mut Cx<'_>,
    (company, actor): (Company, &Actor),
    sessions: SessionSettings,
) -> Result<Company> {
    for (name, minutes) in [
        ("max_session_ttl_minutes", sessions.max_minutes),
        ("idle_session_ttl_minutes", sessions.idle_minutes),
    ] {
        if !(1..=MOST_MINUTES).contains(&minutes) {
            let detail = format!("{name}: a whole number of minutes from 1 to {MOST_MINUTES}");
            return Err(Problem::new(Code::OutOfRange, detail).into());
        }
    }
    if sessions.idle_minutes > sessions.max_minutes {
        return Err(Code::IdleExceedsMax.into());
    }
    let mut settings = company.settings.clone();
    settings.sessions = sessions;
    companies::set_settings(cx, actor, company, settings)
}

impl Service {
    /// Writes a use of a session down, where it is due.
    ///
    /// # Errors
    /// As [`Service::transact`].
    pub async fn note_session_use(&self, session: &Session) -> Result<()> {
        let (company, id) = (session.company, session.id.clone());
        self.transact(move |cx| Ok(db::sessions::used(cx.conn, company, &id, cx.now)?)).await
    }
}
