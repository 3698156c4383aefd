//! Which ways to sign in somebody has, by the domain of the address alone: whether the person exists plays no
//! part, so that the answer tells nothing of it (security S5).

use crate::db::{self, DbConn};
use crate::domain::connection::State;
use crate::domain::problem::Code;
use crate::domain::verified_domain;
use crate::service::error::Result;
use crate::service::{Service, sessions};

/// The ways to sign in with an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    /// The company's connection, by its name.
    pub connection: Option<String>,
    /// Whether it is the only way.
    pub enforced: bool,
    /// Social connections of the operator: name and label.
    pub social: Vec<(String, String)>,
}

/// The ways to sign in with this address (row 153: case does not count).
///
/// # Errors
/// 422 `email_invalid`.
pub fn ways(conn: &mut DbConn, email: &str) -> Result<Ways> {
    let domain = verified_domain::of_email(email.trim()).ok_or(Code::EmailInvalid)?;
    let owner = db::domains::owner_of(conn, &domain)?;
    let social = db::social_connections::enabled(conn)?;
    let Some(owner) = owner else { return Ok(Ways { social, ..Ways::default() }) };
    let company = db::companies::find_by_seq(conn, owner.company)?;
    let connection = db::connections::find(conn, owner.company, None)?;
    let connection = connection.filter(|connection| connection.state == State::Active);
    let closed = company.is_some_and(|c| c.settings.basic_auth_enabled == Some(false));
    let enforced = owner.blocks_social_login || closed;
    let social = if enforced { Vec::new() } else { social };
    Ok(Ways { connection: connection.map(|connection| connection.name), enforced, social })
}

impl Service {
    /// The ways to sign in with this address.
    ///
    /// # Errors
    /// Those of [`ways`].
    pub async fn ways_to_sign_in(&self, email: String) -> Result<Ways> {
        self.look_up(move |conn| ways(conn, &email)).await
    }

    /// Name and label of the social connections that let people in.
    ///
    /// # Errors
    /// The database's.
    pub async fn social_names(&self) -> Result<Vec<(String, String)>> {
        self.look_up(|conn| Ok(db::social_connections::enabled(conn)?)).await
    }

    /// Whether this is the secret of a session that opens.
    pub async fn is_session(&self, secret: String) -> bool {
        let (keys, now) = (self.keys(), self.clock().now());
        let look = move |conn: &mut DbConn| sessions::find_by_cookie(conn, &keys, &secret, now);
        self.look_up(look).await.is_ok_and(|found| found.is_some())
    }
}
