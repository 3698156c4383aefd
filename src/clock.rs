//! The only source of "now", of ids and of random bytes, so that a test can hold time still.
//!
//! Nothing here knows what a moment or an id is for.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use uuid::{ContextV7, Uuid};

/// Bits of an id that say the microsecond within its millisecond, so that ids of several replicas follow each other.
const MICROSECOND_BITS: usize = 10;

/// Where time comes from, and ids. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    /// The moment in microseconds where it stands still.
    fixed: Option<Arc<AtomicI64>>,
    /// The id that was made last.
    ids: Arc<Mutex<ContextV7>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::new(None)
    }

    /// A clock that stands at `time` until [`Clock::set`] moves it.
    pub fn fixed(time: Timestamp) -> Self {
        Self::new(Some(Arc::new(AtomicI64::new(time.as_microsecond()))))
    }

    fn new(fixed: Option<Arc<AtomicI64>>) -> Self {
        let ids = ContextV7::new().with_additional_precision_bits(MICROSECOND_BITS);
        Self { fixed, ids: Arc::new(Mutex::new(ids)) }
    }

    /// Moves a fixed clock, and every clone of it; the machine's clock is left alone.
    pub fn set(&self, time: Timestamp) {
        if let Some(micros) = &self.fixed {
            micros.store(time.as_microsecond(), Ordering::SeqCst);
        }
    }

    /// Now, in whole microseconds: the precision that is stored.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> Timestamp {
        let micros = match &self.fixed {
            None => Timestamp::now().as_microsecond(),
            Some(micros) => micros.load(Ordering::SeqCst),
        };
        Timestamp::from_microsecond(micros).unwrap_or_default()
    }

    /// A new UUIDv7 as text (ruling 1): greater than each that this clock gave before, so that lists in the order
    /// of ids are in the order of creation (RFC 9562 §6.2).
    pub fn id(&self) -> String {
        let now = self.now();
        let (seconds, nanos) = (now.as_second(), now.subsec_nanosecond());
        let time = uuid::Timestamp::from_unix(
            &*self.ids,
            seconds.try_into().unwrap_or_default(),
            nanos.try_into().unwrap_or_default(),
        );
        Uuid::new_v7(time).hyphenated().to_string()
    }
}

/// Random bytes of the operating system.
///
/// # Errors
/// Where the operating system gives none: nothing secret may be made then.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

#[cfg(test)]
mod tests {
    use super::*;

    /// Within one moment too, and where the clock was set back.
    #[test]
    fn ids_follow_each_other() {
        let (before, after) =
            (Timestamp::from_second(1).unwrap(), Timestamp::from_second(2).unwrap());
        let clock = Clock::fixed(after);
        let mut ids: Vec<String> = (0..1_000).map(|_| clock.clone().id()).collect();
        clock.set(before);
        ids.extend((0..1_000).map(|_| clock.id()));
        assert!(ids.is_sorted_by(|one, next| one < next));
    }
}
