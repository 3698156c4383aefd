//! Keys that sign tokens: when each of them does, and for how long its public part is shown. A key is shown
//! a day before it signs first, signs for ninety days, and is shown for two days after (security.md (b)).

use jiff::{SignedDuration, Timestamp};

use super::application::Algorithm;

/// How long a key signs.
pub const LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long a key is shown before it signs.
pub const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// How long a key is shown after it has signed.
pub const AFTER: SignedDuration = SignedDuration::from_hours(48);

/// A key that signs, as stored: its private part is sealed.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredKey {
    /// How it signs.
    pub algorithm: Algorithm,
    /// Counts the keys of an algorithm, from 1.
    pub generation: i64,
    /// Its id in tokens.
    pub id: String,
    /// Its public part (RFC 7517).
    pub public: String,
    /// Its private part, sealed.
    pub sealed: Vec<u8>,
    /// From when on it signs.
    pub active_from: Timestamp,
}

/// The key of these, all of one algorithm and the oldest first, that signs at this moment.
pub fn current(keys: &[StoredKey], now: Timestamp) -> Option<&StoredKey> {
    keys.iter().rev().find(|key| key.active_from <= now)
}

/// Those that are shown at this moment: the one that signs, those that will, those that did of late.
pub fn shown(keys: &[StoredKey], now: Timestamp) -> impl Iterator<Item = &StoredKey> {
    let next = keys.iter().skip(1).map(|key| Some(key.active_from)).chain([None]);
    let recent =
        move |until: Option<Timestamp>| until.is_none_or(|until| now.duration_since(until) < AFTER);
    keys.iter().zip(next).filter(move |(_, until)| recent(*until)).map(|(key, _)| key)
}

/// From when on another key must sign, where it is time to make one: its generation and that moment.
pub fn due(keys: &[StoredKey], now: Timestamp) -> Option<(i64, Timestamp)> {
    let Some(last) = keys.last() else { return Some((1, now)) };
    let end = last.active_from.checked_add(LIFE).unwrap_or(last.active_from);
    let late = now.checked_add(AHEAD).unwrap_or(now);
    (late >= end).then(|| (last.generation + 1, end.max(late)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(number * 24)
    }

    fn key(generation: i64, from: i64) -> StoredKey {
        StoredKey {
            algorithm: Algorithm::Es256,
            generation,
            id: generation.to_string(),
            public: String::new(),
            sealed: Vec::new(),
            active_from: day(from),
        }
    }

    fn ids<'k>(keys: impl IntoIterator<Item = &'k StoredKey>) -> Vec<&'k str> {
        keys.into_iter().map(|key| key.id.as_str()).collect()
    }

    #[test]
    fn the_first_key_signs_at_once() {
        assert_eq!(due(&[], day(0)), Some((1, day(0))));
        assert_eq!(current(&[], day(0)), None);
    }

    /// Published a day before its first use, kept two days after its last.
    #[test]
    fn a_rotation_is_announced_and_remembered() {
        let one = [key(1, 0)];
        assert_eq!(due(&one, day(88)), None);
        assert_eq!(due(&one, day(89)), Some((2, day(90))));
        let two = [key(1, 0), key(2, 90)];
        assert_eq!(due(&two, day(100)), None);
        for (now, signs, all) in [
            (89, "1", vec!["1", "2"]),
            (90, "2", vec!["1", "2"]),
            (91, "2", vec!["1", "2"]),
            (92, "2", vec!["2"]),
        ] {
            assert_eq!(current(&two, day(now)).unwrap().id, signs, "{now}");
            assert_eq!(ids(shown(&two, day(now))), all, "{now}");
        }
    }

    /// A server that was away goes on with the old key for the day that the new one is announced.
    #[test]
    fn a_late_rotation_is_announced_too() {
        assert_eq!(due(&[key(1, 0)], day(200)), Some((2, day(201))));
        let two = [key(1, 0), key(2, 201)];
        assert_eq!(current(&two, day(200)).unwrap().id, "1");
        assert_eq!(ids(shown(&two, day(202))), ["1", "2"]);
    }
}
