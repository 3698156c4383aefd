//! A job: work that is too large for one request, done in slices beside the requests.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::id::CompanySeq;

/// A job as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its storage key.
    pub seq: i64,
    /// Its id, as the outside sees it.
    pub id: String,
    /// Whose it is.
    pub company: CompanySeq,
    /// What it is for.
    pub kind: Kind,
    /// How it stands.
    pub state: State,
    /// What is to be done.
    pub work: Work,
    /// How far it has come.
    pub place: Place,
    /// Users that are done.
    pub done: i64,
    /// Users that there were to do when it was made.
    pub total: i64,
    /// Why it failed.
    pub error: Option<String>,
    /// Slices that failed in a row.
    pub attempts: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

macro_rules! names {
    ($(#[$about:meta])* $type:ident { $($(#[$each:meta])* $name:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $type { $($(#[$each])* $name,)* }

        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in answers and in the database.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The one of this name.
            pub fn of(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

names! {
    /// What a job is for.
    Kind {
        /// Group filters changed.
        GroupFilters = "group_filters",
        /// The way in which groups become teams changed, or a mapping did.
        TeamSync = "team_sync",
        /// Many members of a group changed at once.
        GroupMembers = "group_members",
        /// Somebody asked for it (row 190).
        Resync = "resync",
    }
}

names! {
    /// How a job stands.
    State {
        /// Nobody has begun.
        Queued = "queued",
        /// A worker has begun; after a kill another goes on.
        Running = "running",
        /// All of it is done.
        Succeeded = "succeeded",
        /// It was given up; what is done stays.
        Failed = "failed",
    }
}

/// What is to be done: the teams of these users are brought up to date.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Work {
    /// Storage keys of users, in order; `None`: everybody in the company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<i64>>,
    /// The version of the group filters that holds everywhere once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<i64>,
}

/// How far a job has come, and what it has changed until there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// The last user that is done, by storage key.
    pub after: i64,
    /// The last of all, where everybody is meant: known from the first slice on. Who comes later finds the
    /// rules as they are by then, and however fast people come, the job ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// Teams that came to be.
    pub teams_added: i64,
    /// Teams that are gone.
    pub teams_removed: i64,
    /// Memberships that came to be.
    pub memberships_added: i64,
    /// Memberships that are gone.
    pub memberships_removed: i64,
}

/// How long a worker holds a job beyond its last slice: after a kill another waits no longer.
pub const LEASE: SignedDuration = SignedDuration::from_secs(10);
/// Slices that may fail in a row before the job is given up.
pub const MAX_ATTEMPTS: i64 = 8;
/// Most users that a job names; of more, everybody is looked at.
pub const MAX_NAMED: usize = 50_000;
/// Most users of a slice.
pub const MAX_SLICE: i64 = 500;
/// Fewest users of a slice.
pub const MIN_SLICE: i64 = 10;

impl Work {
    /// Everybody in the company.
    pub fn everybody() -> Self {
        Self::default()
    }

    /// These users, or everybody where they are too many to be named.
    pub fn on(mut users: Vec<i64>) -> Self {
        users.sort_unstable();
        users.dedup();
        Self { users: (users.len() <= MAX_NAMED).then_some(users), filters: None }
    }

    /// The named users behind this one, at most so many; `None` where everybody is meant.
    pub fn next(&self, after: i64, limit: i64) -> Option<Vec<i64>> {
        let users = self.users.as_ref()?;
        let from = users.partition_point(|user| *user <= after);
        let limit = usize::try_from(limit).unwrap_or_default();
        Some(users.iter().skip(from).take(limit).copied().collect())
    }
}

/// How long after so many failures in a row the next attempt is made: a second, then twice as long each time.
pub fn patience(attempts: i64) -> SignedDuration {
    SignedDuration::from_secs(1 << attempts.clamp(1, 7).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        assert!(Kind::ALL.iter().all(|kind| Kind::of(kind.name()) == Some(*kind)));
        assert!(State::ALL.iter().all(|state| State::of(state.name()) == Some(*state)));
        assert_eq!(Kind::of("nothing"), None);
    }

    /// Each named user is in one slice, whatever its size.
    #[test]
    fn slices_cover_the_named_users() {
        let work = Work::on(vec![7, 3, 9, 3, 1]);
        for limit in 1..6 {
            let (mut seen, mut after) = (Vec::new(), 0);
            loop {
                let slice = work.next(after, limit).unwrap();
                let Some(last) = slice.last() else { break };
                after = *last;
                seen.extend(slice);
            }
            assert_eq!(seen, [1, 3, 7, 9], "{limit}");
        }
        assert_eq!(Work::everybody().next(0, 10), None);
    }

    #[test]
    fn too_many_users_are_everybody() {
        let many = i64::try_from(MAX_NAMED).unwrap();
        assert!(Work::on((1..=many).collect()).users.is_some());
        assert_eq!(Work::on((0..=many).collect()), Work::everybody());
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let work = Work { users: Some(vec![1, 2]), filters: Some(3) };
        let text = serde_json::to_string(&work).unwrap();
        assert_eq!(serde_json::from_str::<Work>(&text).unwrap(), work);
        assert_eq!(serde_json::from_str::<Place>("{}").unwrap(), Place::default());
    }

    #[test]
    fn patience_grows_and_ends() {
        let all: Vec<i64> = (0..10).map(|n| patience(n).as_secs()).collect();
        assert_eq!(all, [1, 1, 2, 4, 8, 16, 32, 64, 64, 64]);
    }
}
