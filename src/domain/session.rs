//! A session: a person who has signed in, and the organization that they work in now. How long it lasts the
//! company says for those who came through its connection (rows 37 to 40).

use jiff::{SignedDuration, Timestamp};

use super::id::CompanySeq;
use super::organization::OrganizationSeq;

/// A session as stored: never the secret itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its public id.
    pub id: String,
    /// Whose user it is.
    pub company: CompanySeq,
    /// The user's storage key.
    pub user: i64,
    /// The connection that the user came through; `None`: a social one.
    pub connection: Option<i64>,
    /// The organization that the user works in now.
    pub organization: Option<OrganizationSeq>,
    /// The keyed digest of the secret.
    pub digest: Vec<u8>,
    /// When the user signed in.
    pub created_at: Timestamp,
    /// The last request, as exactly as the idle limit needs it.
    pub last_used_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
    /// Why.
    pub end_reason: Option<String>,
    /// What the identity provider calls it, where it said so.
    pub idp_session: Option<String>,
    /// When the user showed who they are, where the identity provider said so.
    pub authenticated_at: Option<Timestamp>,
}

/// How long sessions of a company last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct SessionSettings {
    /// Longest time from sign-in on, in minutes.
    pub max_minutes: i64,
    /// Longest time without a request, in minutes.
    pub idle_minutes: i64,
    /// Whether a session ends when the identity provider says that its own does.
    pub honor_idp_expiry: bool,
}

/// How long a session is remembered that is over: why it is over, and where its user worked last.
pub const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Most minutes of either limit: thirty days.
pub const MOST_MINUTES: i64 = 43_200;

impl Default for SessionSettings {
    fn default() -> Self {
        Self { max_minutes: 1_440, idle_minutes: 480, honor_idp_expiry: true }
    }
}

impl SessionSettings {
    /// Those that a session goes by: the company's are for those who came through its connection (row 40).
    #[must_use]
    pub fn applied_to(self, connection: Option<i64>) -> Self {
        if connection.is_some() { self } else { Self::default() }
    }

    /// Longest time from sign-in on.
    pub fn max(self) -> SignedDuration {
        SignedDuration::from_mins(self.max_minutes)
    }

    /// Longest time without a request.
    pub fn idle(self) -> SignedDuration {
        SignedDuration::from_mins(self.idle_minutes)
    }

    /// How exactly the last request must be known, so that the idle limit is kept.
    pub fn precision(self) -> SignedDuration {
        let twelfth = SignedDuration::from_secs(self.idle_minutes * 5);
        twelfth.min(SignedDuration::from_secs(60))
    }
}

/// Why a session opens nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The longest time from sign-in on has passed.
    MaxTtl,
    /// The longest time without a request has passed.
    IdleTtl,
    /// It was ended: by hand, by a logout, with its connection.
    Ended,
    /// Its user may not sign in.
    UserDeactivated,
}

impl Over {
    /// Its name in refusals.
    pub fn reason(self) -> &'static str {
        match self {
            Self::MaxTtl => "max_ttl",
            Self::IdleTtl => "idle_ttl",
            Self::Ended => "ended",
            Self::UserDeactivated => "user_deactivated",
        }
    }
}

impl Session {
    /// Why it opens nothing at this moment; `None`: it opens. The settings are the company's own of now, so
    /// that a shorter life holds for sessions that began before.
    pub fn over(&self, settings: SessionSettings, now: Timestamp) -> Option<Over> {
        let settings = settings.applied_to(self.connection);
        if let Some(ended) = self.ended_at {
            let deactivated = self.end_reason.as_deref() == Some("user_deactivated");
            let by_time = (ended == self.expires_at).then_some(Over::MaxTtl);
            return Some(match deactivated {
                true => Over::UserDeactivated,
                false => by_time.unwrap_or(Over::Ended),
            });
        }
        let age = now.duration_since(self.created_at);
        if now >= self.expires_at || age >= settings.max() {
            return Some(Over::MaxTtl);
        }
        (now.duration_since(self.last_used_at) >= settings.idle()).then_some(Over::IdleTtl)
    }

    /// Whether a request of this moment must be written down as its last one.
    pub fn is_use_due(&self, settings: SessionSettings, now: Timestamp) -> bool {
        let settings = settings.applied_to(self.connection);
        now.duration_since(self.last_used_at) >= settings.precision()
    }

    /// When the user showed who they are, by the word of the identity provider if it gave it (OpenID Connect
    /// Core §2, `auth_time`).
    pub fn authenticated_at(&self) -> Timestamp {
        self.authenticated_at.unwrap_or(self.created_at)
    }

    /// When it ends without another request.
    pub fn ends_at(&self, settings: SessionSettings) -> Timestamp {
        let settings = settings.applied_to(self.connection);
        let max = self.created_at.checked_add(settings.max()).unwrap_or(self.expires_at);
        self.expires_at.min(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn session() -> Session {
        Session {
            id: "s".to_owned(),
            company: CompanySeq(1),
            user: 1,
            connection: Some(1),
            organization: None,
            digest: Vec::new(),
            created_at: at(0),
            last_used_at: at(0),
            expires_at: at(1_440),
            ended_at: None,
            end_reason: None,
            idp_session: None,
            authenticated_at: None,
        }
    }

    fn settings(max_minutes: i64, idle_minutes: i64) -> SessionSettings {
        SessionSettings { max_minutes, idle_minutes, honor_idp_expiry: true }
    }

    /// Rows 37 and 38.
    #[test]
    fn the_companys_limits_hold_for_sessions_from_before() {
        let (limits, mut session) = (settings(60, 60), session());
        session.last_used_at = at(59);
        assert_eq!(session.over(limits, at(59)), None);
        assert_eq!(session.over(limits, at(61)), Some(Over::MaxTtl));
        let idle = settings(1_440, 10);
        session.last_used_at = at(20);
        assert_eq!(session.over(idle, at(29)), None);
        assert_eq!(session.over(idle, at(31)), Some(Over::IdleTtl));
        assert_eq!(session.ends_at(limits), at(60));
    }

    /// Row 40.
    #[test]
    fn a_social_session_goes_by_the_defaults() {
        let mut session = session();
        session.connection = None;
        assert_eq!(session.over(settings(1, 1), at(61)), None);
        assert_eq!(session.over(settings(1, 1), at(481)), Some(Over::IdleTtl));
    }

    #[test]
    fn an_ended_session_says_why() {
        let mut session = session();
        session.ended_at = Some(at(5));
        assert_eq!(session.over(settings(60, 60), at(1)), Some(Over::Ended));
        session.end_reason = Some("user_deactivated".to_owned());
        assert_eq!(session.over(settings(60, 60), at(1)), Some(Over::UserDeactivated));
    }

    /// A session that is used all the time is written seldom, and often enough for its limit.
    #[test]
    fn uses_are_noted_as_exactly_as_needed() {
        assert_eq!(settings(60, 1).precision(), SignedDuration::from_secs(5));
        assert_eq!(settings(60, 60).precision(), SignedDuration::from_secs(60));
        assert!(session().is_use_due(settings(60, 60), at(1)));
        assert!(!session().is_use_due(settings(60, 60), at(0)));
    }
}
