//! Under which name an identity provider signed somebody in: what both sides need to sign out again.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::db::{self, DbConn};
use crate::domain::id::CompanySeq;
use crate::domain::session::MOST_MINUTES;
use crate::service::Cx;
use crate::service::error::Result;
use crate::sso::saml::response::{Accepted, NameId};

/// How long a name is kept: as long as the longest session.
pub const KEPT: SignedDuration = SignedDuration::from_mins(MOST_MINUTES);

/// Notes the name of an accepted assertion.
///
/// # Errors
/// The database's.
pub fn note(cx: &mut Cx<'_>, at: (CompanySeq, i64), accepted: &Accepted) -> Result<()> {
    let name = &accepted.name_id;
    let all = json!({
        "value": name.value, "format": name.format, "name_qualifier": name.name_qualifier,
        "sp_name_qualifier": name.sp_name_qualifier, "index": accepted.session_index,
    });
    let session = accepted.session();
    Ok(db::saml::note_name(cx.conn, at, session, (&name.value, &all.to_string()), cx.now + KEPT)?)
}

/// The name and the session index that were noted.
fn read(noted: &str) -> Result<(NameId, Option<String>)> {
    let all: Value = serde_json::from_str(noted)?;
    let text = |name: &str| all[name].as_str().map(str::to_owned);
    let name = NameId {
        value: text("value").unwrap_or_default(),
        format: text("format"),
        name_qualifier: text("name_qualifier"),
        sp_name_qualifier: text("sp_name_qualifier"),
    };
    Ok((name, text("index")))
}

/// Who has the session that is called so, and its index.
///
/// # Errors
/// The database's.
pub fn of_session(
    conn: &mut DbConn,
    at: (CompanySeq, i64),
    session: &str,
) -> Result<Option<(NameId, Option<String>)>> {
    db::saml::name_of(conn, at, session)?.map(|noted| read(&noted)).transpose()
}

/// The sessions of somebody of this name; of these indexes, where there are any.
///
/// # Errors
/// The database's.
pub fn sessions(
    conn: &mut DbConn,
    at: (CompanySeq, i64),
    (name, indexes): (&NameId, &[String]),
) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (session, noted) in db::saml::sessions_of(conn, at, &name.value)? {
        let (known, index) = read(&noted)?;
        let same = known.format == name.format || name.format.is_none();
        let meant = indexes.is_empty() || index.is_some_and(|index| indexes.contains(&index));
        if same && meant {
            found.push(session);
        }
    }
    Ok(found)
}
