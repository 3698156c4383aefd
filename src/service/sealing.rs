//! Secrets at rest (security.md (b)): sealed by a key that the database holds wrapped under one made from
//! the server key, and bound to their place, so that a copied value opens nowhere else. A sealed value
//! carries its own key, wrapped: opening asks no table, and a rotation stops nobody.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::clock;
use crate::db::sealing::{COLUMNS, Column};
use crate::db::{self, DbConn, DbError};
use crate::domain::id::CompanySeq;
use crate::domain::secret::Secret;

use super::error::{Error, Result};
use super::{Cx, Keys, Service};

/// The form of a sealed value: this byte, the key's number, the wrapped key, the sealed text.
const FORM: u8 = 1;
/// Length of a key.
const KEY: usize = 32;
/// What sealing adds to a text.
const OVERHEAD: usize = NONCE_LEN + 16;
/// Length of a wrapped key.
const WRAPPED: usize = KEY + OVERHEAD;
/// Where the sealed text begins.
const HEAD: usize = 1 + size_of::<i64>() + WRAPPED;
/// How many values a unit of work seals anew.
const SLICE: i64 = 100;

/// Where a sealed value lies. It opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// Whose row it is; 0 for the installation's own.
    pub company: CompanySeq,
    /// The id of the row.
    pub row: &'a str,
}

impl Place<'_> {
    /// What is authenticated with the text: each part with its length, so that no two places read alike.
    fn bytes(&self) -> Vec<u8> {
        let company = self.company.0.to_be_bytes();
        let parts = [self.table.as_bytes(), self.column.as_bytes(), &company, self.row.as_bytes()];
        parts.iter().flat_map(|part| [&part.len().to_be_bytes(), *part].concat()).collect()
    }
}

/// Why a value was not sealed or opened. Says nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The database's sealing key was not read.
    #[error("there is no sealing key")]
    NoKey,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
    /// Not sealed by this server, or not at this place.
    #[error("a sealed value does not open")]
    NotOurs,
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        Self::Internal(Box::new(error))
    }
}

/// The key that seals now.
struct DataKey {
    id: i64,
    wrapped: Vec<u8>,
    plain: [u8; KEY],
}

/// What seals and opens: the key that wraps keys, and the one that seals now, shared by all clones.
#[derive(Clone)]
pub(super) struct Sealer {
    wrapping: [u8; KEY],
    current: Arc<RwLock<Option<Arc<DataKey>>>>,
}

impl Sealer {
    pub(super) fn new(wrapping: [u8; KEY]) -> Self {
        Self { wrapping, current: Arc::default() }
    }

    fn current(&self) -> Option<Arc<DataKey>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn make(&self, id: i64) -> std::result::Result<DataKey, SealError> {
        let plain = clock::random::<KEY>().map_err(|_| SealError::NoRandomness)?;
        Ok(DataKey { id, wrapped: encrypt(&self.wrapping, &wrap_place(id), &plain)?, plain })
    }

    fn unwrap(&self, id: i64, wrapped: &[u8]) -> std::result::Result<[u8; KEY], SealError> {
        let plain = decrypt(&self.wrapping, &wrap_place(id), wrapped)?;
        plain.try_into().map_err(|_| SealError::NotOurs)
    }

    /// Seals by this key from now on; a key that is older than the one known changes nothing.
    fn take(&self, id: i64, wrapped: Vec<u8>) -> std::result::Result<(), SealError> {
        let plain = self.unwrap(id, &wrapped)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_none_or(|known| known.id < id) {
            *current = Some(Arc::new(DataKey { id, wrapped, plain }));
        }
        Ok(())
    }
}

impl Keys {
    /// Seals a text for this place.
    ///
    /// # Errors
    /// [`SealError::NoKey`], [`SealError::NoRandomness`].
    pub fn seal(&self, place: &Place<'_>, text: &[u8]) -> std::result::Result<Vec<u8>, SealError> {
        let key = self.sealer.current().ok_or(SealError::NoKey)?;
        let sealed = encrypt(&key.plain, &place.bytes(), text)?;
        Ok([&[FORM], key.id.to_be_bytes().as_slice(), &key.wrapped, &sealed].concat())
    }

    /// Opens what was sealed for this place, by whichever key.
    ///
    /// # Errors
    /// [`SealError::NotOurs`].
    pub fn open(&self, place: &Place<'_>, value: &[u8]) -> std::result::Result<Vec<u8>, SealError> {
        let (head, sealed) = value.split_at_checked(HEAD).ok_or(SealError::NotOurs)?;
        let (id, wrapped) = (key_of(value)?, head.get(1 + size_of::<i64>()..));
        let key = self.sealer.unwrap(id, wrapped.ok_or(SealError::NotOurs)?)?;
        decrypt(&key, &place.bytes(), sealed)
    }

    /// The same, of a text.
    ///
    /// # Errors
    /// [`SealError::NotOurs`], also where it is no text.
    pub fn open_text(
        &self,
        place: &Place<'_>,
        value: &[u8],
    ) -> std::result::Result<Secret, SealError> {
        let text = String::from_utf8(self.open(place, value)?);
        text.map(Secret::new).map_err(|_| SealError::NotOurs)
    }

    /// The number of the key that seals now.
    fn sealing_key(&self) -> Option<i64> {
        self.sealer.current().map(|key| key.id)
    }
}

/// The number of the key that a value is sealed by.
fn key_of(value: &[u8]) -> std::result::Result<i64, SealError> {
    match value.split_first() {
        Some((&FORM, rest)) => {
            let id = rest.first_chunk().ok_or(SealError::NotOurs)?;
            Ok(i64::from_be_bytes(*id))
        }
        _ => Err(SealError::NotOurs),
    }
}

fn wrap_place(id: i64) -> Vec<u8> {
    [b"sealing_keys".as_slice(), &id.to_be_bytes()].concat()
}

fn encrypt(key: &[u8; KEY], place: &[u8], text: &[u8]) -> std::result::Result<Vec<u8>, SealError> {
    let nonce = clock::random::<NONCE_LEN>().map_err(|_| SealError::NoRandomness)?;
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealError::NoKey)?;
    let mut sealed = text.to_vec();
    let given = Nonce::assume_unique_for_key(nonce);
    let done = LessSafeKey::new(key).seal_in_place_append_tag(given, Aad::from(place), &mut sealed);
    done.map_err(|_| SealError::NoKey)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn decrypt(key: &[u8; KEY], place: &[u8], value: &[u8]) -> std::result::Result<Vec<u8>, SealError> {
    let (nonce, sealed) = value.split_first_chunk().ok_or(SealError::NotOurs)?;
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealError::NoKey)?;
    let (nonce, mut sealed) = (Nonce::assume_unique_for_key(*nonce), sealed.to_vec());
    let text = LessSafeKey::new(key).open_in_place(nonce, Aad::from(place), &mut sealed);
    Ok(text.map_err(|_| SealError::NotOurs)?.to_vec())
}

/// Reads the key that seals now, and makes the first one.
///
/// # Errors
/// The database's; a key that the server key does not unwrap.
pub(super) fn load(conn: &mut DbConn, keys: &Keys, now: i64) -> Result<()> {
    if db::sealing::newest(conn)?.is_none() {
        let first = keys.sealer.make(1)?;
        match db::sealing::insert(conn, first.id, &first.wrapped, now) {
            // Another process may have been faster; then its key counts.
            Ok(()) | Err(DbError::DatabaseError(db::UniqueViolation, _)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    refresh(conn, keys)
}

/// Takes the newest key, which another process may have made.
fn refresh(conn: &mut DbConn, keys: &Keys) -> Result<()> {
    let (id, wrapped) = db::sealing::newest(conn)?.ok_or(SealError::NoKey)?;
    Ok(keys.sealer.take(id, wrapped)?)
}

/// Makes a new key; the caller takes it once it is committed.
fn rotate(cx: &mut Cx<'_>, keys: &Keys) -> Result<i64> {
    let last = db::sealing::newest(cx.conn)?.map_or(0, |(id, _)| id);
    let next = keys.sealer.make(last + 1)?;
    let taken = Error::Unavailable("another rotation is under way; try again");
    let stored = db::sealing::insert(cx.conn, next.id, &next.wrapped, db::micros(cx.now));
    stored.map_err(|e| super::companies::or_taken(e, taken))?;
    Ok(next.id)
}

/// How far a pass over a sealed column has come.
struct Slice {
    /// How many values were sealed anew.
    renewed: u64,
    /// The row behind which the next slice begins; `None` where there is none.
    after: Option<String>,
}

/// Seals the values of a slice anew that are not sealed by the key that seals now.
fn renew(cx: &mut Cx<'_>, keys: &Keys, column: Column, after: &str) -> Result<Slice> {
    let now = keys.sealing_key().ok_or(SealError::NoKey)?;
    let page = column.page(cx.conn, after, SLICE)?;
    let mut renewed = 0;
    for old in &page {
        if key_of(&old.value)? == now {
            continue;
        }
        let Column { table, column: name } = column;
        let place = Place { table, column: name, company: old.company, row: &old.row };
        let text = keys.open(&place, &old.value)?;
        // Who writes the value meanwhile seals by the new key as well.
        renewed += u64::from(column.replace(cx.conn, old, keys.seal(&place, &text)?)?);
    }
    let full = i64::try_from(page.len()).unwrap_or_default() == SLICE;
    let after = page.into_iter().next_back().filter(|_| full).map(|last| last.row);
    Ok(Slice { renewed, after })
}

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// The number of the key that seals now.
    pub key: i64,
    /// How many values were sealed anew.
    pub renewed: u64,
}

impl Service {
    /// Makes a new sealing key and seals everything anew by it, while requests go on. What another process
    /// seals by the old key until it looks again, it renews itself then.
    ///
    /// # Errors
    /// The database's; a value that does not open, which is named by nothing.
    pub async fn rotate_sealing_key(&self) -> Result<Rotated> {
        let keys = self.keys.clone();
        let key = self.transact(move |cx| rotate(cx, &keys)).await?;
        let renewed = self.follow_sealing_key().await?;
        Ok(Rotated { key, renewed })
    }

    /// Takes a key that another process made, and seals anew what is sealed by an older one; says how much.
    ///
    /// # Errors
    /// As [`Self::rotate_sealing_key`].
    pub async fn follow_sealing_key(&self) -> Result<u64> {
        let keys = self.keys.clone();
        self.read(move |conn| refresh(conn, &keys)).await?;
        let mut total = 0;
        for column in COLUMNS {
            let mut after = Some(String::new());
            while let Some(from) = after {
                let keys = self.keys.clone();
                let slice = self.transact(move |cx| renew(cx, &keys, column, &from)).await?;
                total += slice.renewed;
                after = slice.after;
            }
        }
        let now = self.keys.sealing_key().ok_or(SealError::NoKey)?;
        self.transact(move |cx| Ok(db::sealing::retire(cx.conn, now, db::micros(cx.now))?)).await?;
        Ok(total)
    }

    /// Whether another process made a key since this one looked; costs one look-up.
    ///
    /// # Errors
    /// The database's.
    pub async fn sealing_key_is_old(&self) -> Result<bool> {
        let newest = self.look_up(|conn| Ok(db::sealing::newest(conn)?)).await?;
        Ok(newest.map(|(id, _)| id) != self.keys.sealing_key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        let keys = Keys::new(&[7; 32]);
        let first = keys.sealer.make(1).unwrap();
        keys.sealer.take(1, first.wrapped).unwrap();
        keys
    }

    fn place(row: &str) -> Place<'_> {
        Place { table: "connections", column: "secret", company: CompanySeq(3), row }
    }

    #[test]
    fn what_is_sealed_opens_at_its_place_alone() {
        let keys = keys();
        let sealed = keys.seal(&place("a"), b"hunter2").unwrap();
        assert_eq!(keys.open(&place("a"), &sealed).unwrap(), b"hunter2");
        assert_eq!(keys.open_text(&place("a"), &sealed).unwrap().expose(), "hunter2");
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        let elsewhere = [
            place("b"),
            Place { company: CompanySeq(4), ..place("a") },
            Place { column: "secre", ..place("ta") },
            Place { table: "connection", ..place("a") },
        ];
        for other in elsewhere {
            assert_eq!(keys.open(&other, &sealed), Err(SealError::NotOurs), "{other:?}");
        }
        assert_eq!(Keys::new(&[8; 32]).open(&place("a"), &sealed), Err(SealError::NotOurs));
    }

    /// Every bit counts, and no length is taken for granted.
    #[test]
    fn a_changed_value_does_not_open() {
        let keys = keys();
        let sealed = keys.seal(&place("a"), b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut other = sealed.clone();
            other[at] ^= 1;
            assert_eq!(keys.open(&place("a"), &other), Err(SealError::NotOurs), "byte {at}");
            assert_eq!(
                keys.open(&place("a"), &sealed[..at]),
                Err(SealError::NotOurs),
                "{at} bytes"
            );
        }
    }

    #[test]
    fn an_older_key_opens_and_does_not_seal() {
        let keys = keys();
        let old = keys.seal(&place("a"), b"secret").unwrap();
        let next = keys.sealer.make(2).unwrap();
        keys.sealer.take(2, next.wrapped).unwrap();
        let new = keys.seal(&place("a"), b"secret").unwrap();
        assert_eq!((key_of(&old), key_of(&new)), (Ok(1), Ok(2)));
        assert_eq!(keys.open(&place("a"), &old).unwrap(), b"secret");
        assert_ne!(keys.seal(&place("a"), b"secret").unwrap(), new, "each seal is another");
        let stale = keys.sealer.make(1).unwrap();
        keys.sealer.take(1, stale.wrapped).unwrap();
        assert_eq!(keys.sealing_key(), Some(2));
    }

    #[test]
    fn without_a_key_nothing_is_sealed() {
        assert_eq!(Keys::new(&[7; 32]).seal(&place("a"), b"x"), Err(SealError::NoKey));
    }
}
