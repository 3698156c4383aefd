//! Our key pair for SAML: made when it is first needed, sealed at rest, the same for all connections of the
//! installation and on all replicas.

use std::sync::Arc;

use jiff::tz::TimeZone;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, date_time_ymd};

use crate::db;
use crate::db::saml::StoredKey;
use crate::domain::id::CompanySeq;
use crate::service::error::{Error, Result};
use crate::service::sealing::Place;
use crate::service::{Cx, Keys, Service};
use crate::sso::saml::own_key::OwnKey;

/// The one row.
const ID: &str = "1";

/// How long the certificate is good for: the identity providers pin it, and it is not changed behind their backs.
const YEARS: i16 = 20;

fn place(id: &str) -> Place<'_> {
    Place { table: "saml_keys", column: "private_key", company: CompanySeq(0), row: id }
}

impl Service {
    /// Our key pair.
    ///
    /// # Errors
    /// The database's; a key that does not open.
    pub async fn saml_key(&self) -> Result<Arc<OwnKey>> {
        if let Some(known) = self.saml_key.get() {
            return Ok(Arc::clone(known));
        }
        let stored = match self.look_up(|conn| Ok(db::saml::key(conn)?)).await? {
            Some(stored) => stored,
            None => self.make_saml_key().await?,
        };
        let sealed = self.keys().open_text(&place(&stored.id), &stored.sealed)?;
        let key = OwnKey::new(sealed.expose(), &stored.certificate);
        let key = key.ok_or_else(|| "the key pair for SAML cannot be read".to_owned())?;
        Ok(Arc::clone(self.saml_key.get_or_init(|| Arc::new(key))))
    }

    async fn make_saml_key(&self) -> Result<StoredKey> {
        let (keys, year) = (self.keys(), self.clock().now().to_zoned(TimeZone::UTC).year());
        let made = tokio::task::spawn_blocking(move || make(&keys, year)).await;
        let made = made.map_err(|e| Error::Internal(Box::new(e)))??;
        let unit = move |cx: &mut Cx<'_>| {
            db::saml::insert_key(cx.conn, &made, cx.now)?;
            // Another server may have been faster; then its key counts.
            let stored = db::saml::key(cx.conn)?;
            Ok(stored.ok_or_else(|| "a key that was stored is not there".to_owned())?)
        };
        self.transact(unit).await
    }
}

fn make(keys: &Keys, year: i16) -> Result<StoredKey> {
    let failed = |e: rcgen::Error| Error::Internal(Box::new(e));
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(failed)?;
    let mut about = CertificateParams::default();
    about.distinguished_name.push(DnType::CommonName, "stagedoor");
    about.not_before = date_time_ymd(i32::from(year), 1, 1);
    about.not_after = date_time_ymd(i32::from(year + YEARS), 1, 1);
    let certificate = about.self_signed(&key).map_err(failed)?.pem();
    let sealed = keys.seal(&place(ID), key.serialize_pem().as_bytes())?;
    Ok(StoredKey { id: ID.to_owned(), certificate, sealed })
}
