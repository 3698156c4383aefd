//! A request that comes twice is done once: `Idempotency-Key`, kept in the transaction of the change.

use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::db;
use crate::domain::problem::Code;

use super::Cx;
use super::error::{Error, Result};

/// How long an answer is kept under its key.
pub const LIFE: SignedDuration = SignedDuration::from_hours(24);
/// Longest key, in bytes.
pub const LONGEST_KEY: usize = 255;

/// What a change answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers of this answer alone, such as `ETag`.
    pub headers: Vec<(String, String)>,
    /// The body; null for none.
    pub body: Value,
    /// A secret that is shown this once, and by what name: it is not kept with the rest.
    pub secret: Option<(&'static str, String)>,
    /// Whether it was given before.
    pub replayed: bool,
}

impl Reply {
    /// An answer with a body.
    pub fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body, secret: None, replayed: false }
    }

    /// 204.
    pub fn nothing() -> Self {
        Self::new(204, Value::Null)
    }

    /// The same, with the version of what was changed.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.headers.push(("ETag".to_owned(), format!("\"{version}\"")));
        self
    }

    /// The same, with a secret.
    #[must_use]
    pub fn secret(mut self, name: &'static str, text: String) -> Self {
        self.secret = Some((name, text));
        self
    }

    /// The body with the secret in it.
    pub fn shown(self) -> Value {
        let mut body = self.body;
        if let (Some((name, text)), Some(object)) = (self.secret, body.as_object_mut()) {
            object.insert(name.to_owned(), Value::from(text));
        }
        body
    }
}

/// Whose request it is, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The caller: another caller's keys are other keys.
    pub caller: String,
    /// What the caller sent as `Idempotency-Key`.
    pub key: String,
    /// A digest of method, target and body.
    pub fingerprint: Vec<u8>,
}

/// Does a change, unless it was done under this key; then says again what was said.
///
/// # Errors
/// The change's own, which leave the key free; 422 `idempotency_conflict` where the key came with
/// another request.
pub fn once(
    cx: &mut Cx<'_>,
    claim: Option<&Claim>,
    change: impl FnOnce(&mut Cx<'_>) -> Result<Reply>,
) -> Result<Reply> {
    let Some(claim) = claim else { return change(cx) };
    let place = (claim.caller.as_str(), claim.key.as_str());
    if db::idempotency::claim(cx.conn, place, &claim.fingerprint, db::micros(cx.now))? {
        let reply = change(cx)?;
        let headers: Map<String, Value> =
            reply.headers.iter().map(|(n, v)| (n.clone(), Value::from(v.as_str()))).collect();
        let headers = Value::Object(headers).to_string();
        let kept = (i64::from(reply.status), headers.as_str(), &*reply.body.to_string());
        db::idempotency::keep(cx.conn, place, kept)?;
        return Ok(reply);
    }
    let kept = db::idempotency::find(cx.conn, place)?;
    let kept = kept.ok_or(Error::Unavailable("The same request is being done; try again"))?;
    if kept.fingerprint != claim.fingerprint {
        return Err(Code::IdempotencyConflict.into());
    }
    let headers: Map<String, Value> = serde_json::from_str(&kept.headers)?;
    let headers = headers.into_iter().filter_map(|(n, v)| Some((n, v.as_str()?.to_owned())));
    Ok(Reply {
        status: u16::try_from(kept.status).unwrap_or(200),
        headers: headers.collect(),
        body: serde_json::from_str(&kept.body)?,
        secret: None,
        replayed: true,
    })
}
