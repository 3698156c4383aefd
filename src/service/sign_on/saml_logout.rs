//! Single logout with an identity provider that speaks SAML, in both directions.

use crate::db::{self, DbConn};
use crate::domain::connection::Connection;
use crate::domain::event::Actor;
use crate::domain::session::Session;
use crate::service::error::{Error, Result};
use crate::service::sessions::{self, Which};
use crate::service::{Cx, Service};
use crate::sso::saml::logout::{self, Asked, Parties};
use crate::sso::saml::redirect::{self, Kind};
use crate::sso::saml::request::Addresses;
use crate::sso::saml::{Fault, logout as messages};

use super::finish::Refused;
use super::saml::{connection, pinned};
use super::saml_name;

/// How a logout message came.
#[derive(Debug, Clone)]
pub enum Came {
    /// By the redirect binding: the query, as it stands in the address.
    Query(String),
    /// In a form: what it is, the message, and what its sender wants back.
    Form(Kind, String, Option<String>),
}

/// What the browser is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It goes to the identity provider with our answer.
    Answer(String),
    /// Nothing: the person is signed out.
    Done,
}

/// Reads a logout message and does what it says.
///
/// # Errors
/// The refusal.
pub async fn receive(
    service: &Service,
    public_url: &str,
    name: &str,
    came: Came,
) -> std::result::Result<Next, Refused> {
    let connection = connection(service, name).await?;
    let ours = Addresses::new(public_url, &connection.name);
    let settings = &connection.document.saml;
    let parties = Parties { idp: &settings.idp_entity_id, ours: &ours };
    let pinned = pinned(settings);
    let (kind, signed, relay_state) = match came {
        Came::Query(query) => {
            let read = redirect::read(&query, &pinned)?;
            (read.kind, read.message, read.relay_state)
        }
        Came::Form(kind, message, relay_state) => {
            (kind, logout::posted(&message, &pinned)?, relay_state)
        }
    };
    let now = service.clock().now();
    if kind == Kind::Response {
        // The session here ended before we asked; there is nothing that the answer could change.
        logout::answered(&signed, &parties, now)?;
        return Ok(Next::Done);
    }
    let asked = logout::asked(&signed, &parties, now)?;
    let (id, of) = (asked.id.clone(), connection.clone());
    service.transact(move |cx| end(cx, &of, &asked)).await?;
    let Some(receiver) = &settings.idp_slo_url else { return Ok(Next::Done) };
    let message_id = format!("_{}", service.clock().id());
    let (kind, message) = messages::response((&message_id, receiver), &ours, &id, now);
    let key = service.saml_key().await?;
    let address = redirect::address(receiver, (kind, &message), relay_state.as_deref(), Some(&key));
    Ok(Next::Answer(address?))
}

/// Ends the sessions of who is asked to be signed out.
fn end(cx: &mut Cx<'_>, connection: &Connection, asked: &Asked) -> Result<()> {
    let at = (connection.company, connection.seq);
    let about = (&asked.name_id, asked.session_indexes.as_slice());
    for name in saml_name::sessions(cx.conn, at, about)? {
        let which = (connection.company, Which::AtProvider(connection.seq, &name), name.as_str());
        sessions::end(cx, &Actor::System, which, "idp_logout")?;
    }
    Ok(())
}

impl Service {
    /// The address that takes the browser with this session's cookie to its identity provider, to be signed out
    /// there too.
    ///
    /// # Errors
    /// As [`Self::sign_out_address`].
    pub async fn sign_out_there(
        &self,
        public_url: &str,
        cookie: Option<String>,
    ) -> Result<Option<String>> {
        let (keys, now) = (self.keys(), self.clock().now());
        let find = move |conn: &mut DbConn| {
            sessions::find_by_cookie(conn, &keys, cookie.as_deref().unwrap_or_default(), now)
        };
        match self.look_up(find).await? {
            Some(presence) => self.sign_out_address(public_url, &presence.session).await,
            None => Ok(None),
        }
    }

    /// The address that takes a browser to its identity provider to be signed out there too: where the session
    /// came through SAML, and the identity provider says where logouts go.
    ///
    /// # Errors
    /// The database's, and those of our key.
    pub async fn sign_out_address(
        &self,
        public_url: &str,
        session: &Session,
    ) -> Result<Option<String>> {
        let (Some(seq), Some(name)) = (session.connection, session.idp_session.clone()) else {
            return Ok(None);
        };
        let at = (session.company, seq);
        let find = move |conn: &mut DbConn| {
            let connection = db::connections::find_by_seq(conn, at.0, at.1)?;
            Ok((connection, saml_name::of_session(conn, at, &name)?))
        };
        let (Some(connection), Some((name, index))) = self.look_up(find).await? else {
            return Ok(None);
        };
        let Some(receiver) = &connection.document.saml.idp_slo_url else { return Ok(None) };
        let ours = Addresses::new(public_url, &connection.name);
        let id = format!("_{}", self.clock().id());
        let about = (&name, index.as_deref());
        let (kind, message) = messages::request((&id, receiver), &ours, about, self.clock().now());
        let key = self.saml_key().await?;
        let address = redirect::address(receiver, (kind, &message), None, Some(&key));
        Ok(Some(address.map_err(|fault: Fault| Error::Internal(Box::new(fault)))?))
    }
}
