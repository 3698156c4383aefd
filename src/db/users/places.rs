//! Where rows of users were found or made the last time, so that a look-up on SQLite need not walk down an index.
//!
//! Never believed: who goes by it reads the row there only with the value that is looked for, and asks the index
//! where it is another's by now. So nobody tells it that a row has changed or gone, and whose database the row
//! is in does not matter.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::id::CompanySeq;

use super::By;

/// Places in all, of 8 bytes each: 16 MiB.
const SIZE: usize = 1 << 21;
/// Places of one bucket.
const BUCKET: usize = 8;
/// Bits of a storage key; the others say of which value it is.
const SEQ_BITS: u32 = 40;

static PLACES: LazyLock<Places> = LazyLock::new(|| Places::new(SIZE));

struct Places {
    hasher: RandomState,
    buckets: Box<[Bucket]>,
}

/// A line of a processor's cache, where one value's place is looked for.
#[derive(Default)]
#[repr(align(64))]
struct Bucket([AtomicU64; BUCKET]);

/// The storage key that the row with this value may have.
pub fn find(company: CompanySeq, by: By<'_>) -> Option<i64> {
    PLACES.find(company, by)
}

/// Notes the storage key of the row with this value.
pub fn note(company: CompanySeq, by: By<'_>, seq: i64) {
    PLACES.note(company, by, seq);
}

impl Places {
    fn new(size: usize) -> Self {
        let buckets = std::iter::repeat_with(Bucket::default).take(size / BUCKET).collect();
        Self { hasher: RandomState::new(), buckets }
    }

    fn find(&self, company: CompanySeq, by: By<'_>) -> Option<i64> {
        let (bucket, mark) = self.of(company, by)?;
        let mut places = bucket.iter().map(|place| place.load(Ordering::Relaxed));
        let found = places.find(|place| place >> SEQ_BITS == mark)?;
        i64::try_from(found & ((1 << SEQ_BITS) - 1)).ok()
    }

    /// A full bucket forgets one of its own.
    fn note(&self, company: CompanySeq, by: By<'_>, seq: i64) {
        let Some(seq) = u64::try_from(seq).ok().filter(|seq| seq >> SEQ_BITS == 0) else { return };
        let Some((bucket, mark)) = self.of(company, by) else { return };
        let free = bucket.iter().find(|place| {
            let there = place.load(Ordering::Relaxed);
            there == 0 || there >> SEQ_BITS == mark
        });
        let forgotten = usize::try_from(seq).ok().and_then(|seq| bucket.get(seq % BUCKET));
        if let Some(place) = free.or(forgotten) {
            place.store(mark << SEQ_BITS | seq, Ordering::Relaxed);
        }
    }

    /// The bucket of a value, and what tells the value from others in it: never 0.
    fn of(&self, company: CompanySeq, by: By<'_>) -> Option<(&[AtomicU64; BUCKET], u64)> {
        let (column, value) = match by {
            By::Id(id) => (0_u8, id),
            By::UserName(key) => (1, key),
            By::ExternalId(id) => (2, id),
        };
        let hash = self.hasher.hash_one((company.0, column, value));
        let bucket = usize::try_from(hash & 0xffff_ffff).ok()? % self.buckets.len();
        Some((&self.buckets.get(bucket)?.0, (hash >> SEQ_BITS).max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_last_is_found() {
        let places = Places::new(SIZE);
        let (acme, globex) = (CompanySeq(1), CompanySeq(2));
        places.note(acme, By::Id("a"), 7);
        places.note(acme, By::UserName("a"), 8);
        places.note(globex, By::Id("a"), 9);
        places.note(globex, By::Id("a"), 10);
        assert_eq!(places.find(acme, By::Id("a")), Some(7));
        assert_eq!(places.find(acme, By::UserName("a")), Some(8));
        assert_eq!(places.find(globex, By::Id("a")), Some(10));
        assert_eq!(places.find(acme, By::ExternalId("a")), None);
        places.note(acme, By::ExternalId("a"), 1 << SEQ_BITS);
        places.note(acme, By::ExternalId("a"), -1);
        assert_eq!(places.find(acme, By::ExternalId("a")), None);
    }

    /// With a third more values than places most are found, each at its own place but for one in millions.
    #[test]
    fn a_full_bucket_forgets_one() {
        const FEW: usize = 1 << 15;
        let places = Places::new(FEW);
        let values = i64::try_from(FEW / 3 * 4).unwrap();
        for seq in 1..=values {
            places.note(CompanySeq(1), By::Id(&seq.to_string()), seq);
        }
        let found = |seq: &i64| places.find(CompanySeq(1), By::Id(&seq.to_string()));
        let (right, wrong): (Vec<i64>, Vec<i64>) = (1..=values)
            .filter(|seq| found(seq).is_some())
            .partition(|seq| found(seq) == Some(*seq));
        assert!(right.len() > FEW / 5 * 3, "{}", right.len());
        assert!(wrong.len() < 10, "{}", wrong.len());
    }
}
