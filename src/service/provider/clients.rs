//! Which application calls: by its id and its secret, or by its id alone where it keeps none
//! (RFC 6749 §2.3).

use std::sync::Arc;

use crate::db;
use crate::domain::application::Application;
use crate::domain::token::{self, Kind};
use crate::service::Service;
use crate::service::error::Result;

impl Service {
    /// The application with this id, as it was at most three seconds ago.
    ///
    /// # Errors
    /// The database's.
    pub async fn application(&self, id: &str) -> Result<Option<Arc<Application>>> {
        if let Some(known) = self.provider.clients.get(id) {
            return Ok(Some(known));
        }
        let key = id.to_owned();
        let found = self.look_up(move |conn| Ok(db::applications::find(conn, &key)?)).await?;
        let Some(found) = found.map(Arc::new) else { return Ok(None) };
        self.provider.clients.insert(id.to_owned(), Arc::clone(&found));
        Ok(Some(found))
    }

    /// The application that has this id and this secret, or that keeps none where none is sent. `ip` is
    /// where the call comes from.
    ///
    /// # Errors
    /// [`Error::TooMany`](crate::service::Error::TooMany) after many failures of this address with this id.
    pub async fn client(
        &self,
        (id, secret): (&str, Option<&str>),
        ip: &str,
    ) -> Result<Option<Arc<Application>>> {
        let found = self.application(id).await?;
        let (keys, now) = (&self.keys, self.clock().now());
        let fits = |application: &Application| {
            let parsed = secret.and_then(|text| token::parse(Kind::Client, text));
            match (application.is_confidential(), secret, parsed) {
                (false, None, _) => true,
                (true, Some(_), Some(parsed)) => application
                    .digests(now)
                    .any(|digest| keys.fits(Kind::Client, parsed.secret, digest)),
                _ => false,
            }
        };
        let found = found.filter(|application| fits(application));
        if found.is_none() {
            self.count_failure(ip, id)?;
        }
        Ok(found)
    }
}
