//! The only source of "now", of ids and of random bytes, so that a test can hold time still.
//!
//! Nothing here knows what a moment or an id is for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use uuid::{NoContext, Uuid};

/// Where time comes from.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `time` until [`Clock::set`] moves it.
    pub fn fixed(time: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(time.as_microsecond()))))
    }

    /// Moves a fixed clock, and every clone of it; the machine's clock is left alone.
    pub fn set(&self, time: Timestamp) {
        if let Some(micros) = &self.0 {
            micros.store(time.as_microsecond(), Ordering::SeqCst);
        }
    }

    /// Now, in whole microseconds: the precision that is stored.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> Timestamp {
        let micros = match &self.0 {
            None => Timestamp::now().as_microsecond(),
            Some(micros) => micros.load(Ordering::SeqCst),
        };
        Timestamp::from_microsecond(micros).unwrap_or_default()
    }

    /// A new UUIDv7 as text (ruling 1).
    pub fn id(&self) -> String {
        let now = self.now();
        let (seconds, nanos) = (now.as_second(), now.subsec_nanosecond());
        let time = uuid::Timestamp::from_unix(
            NoContext,
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
