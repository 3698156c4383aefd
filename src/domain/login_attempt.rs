//! A sign-in on its way: begun by a browser, answered by an identity provider, finished or refused. The same
//! record is its line in the log of attempts afterwards.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::connection::{Connection, Protocol};
use super::id::CompanySeq;

/// How long an answer may take (security O7).
pub const LIFE: SignedDuration = SignedDuration::from_mins(10);
/// How long the log keeps what is finished.
pub const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);
/// Longest path that a sign-in may lead to.
const LONGEST_PATH: usize = 2_048;
/// Longest id of an authorization request, in bytes.
const LONGEST_ID: usize = 64;
/// How far the clocks of a provider and of this server may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// How somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Through a connection that speaks OIDC.
    Oidc,
    /// Through a connection that speaks SAML.
    Saml,
    /// Through a social connection of the operator.
    Social,
}

impl Kind {
    /// Its name in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::Saml => "saml",
            Self::Social => "social",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Oidc, Self::Saml, Self::Social]
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| "a kind is oidc, saml or social".to_owned())
    }
}

/// The door that somebody comes through: a connection, or a social one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The company; `None` of a social connection, which is the operator's.
    pub company: Option<CompanySeq>,
    /// The storage key of the connection; `None` of a social one.
    pub connection: Option<i64>,
    /// Its name.
    pub name: String,
    /// How it speaks.
    pub kind: Kind,
    /// Its version at the beginning.
    pub version: i64,
}

impl From<&Connection> for Door {
    fn from(connection: &Connection) -> Self {
        Self {
            company: Some(connection.company),
            connection: Some(connection.seq),
            name: connection.name.clone(),
            kind: match connection.protocol {
                Protocol::Oidc => Kind::Oidc,
                Protocol::Saml => Kind::Saml,
            },
            version: connection.version,
        }
    }
}

/// Where a sign-in leads: known to the server, never an address out of a query (security O10).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum GoesTo {
    /// To the page that says that one is signed in.
    #[default]
    Nowhere,
    /// Back into the authorization request with this id.
    Request(String),
    /// To a path of this site.
    Path(String),
}

impl GoesTo {
    /// An authorization request; what cannot be the id of one leads nowhere.
    pub fn request(id: &str) -> Self {
        let sound = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let fits = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(sound);
        if fits { Self::Request(id.to_owned()) } else { Self::Nowhere }
    }

    /// A path of this site; anything else leads nowhere.
    pub fn path(text: &str) -> Self {
        let local = text.starts_with('/') && !text.starts_with("//") && text.len() <= LONGEST_PATH;
        // Browsers take a backslash for a slash, and leave tabs and line breaks out.
        let sound = |c: char| c != '\\' && !c.is_control() && !c.is_whitespace();
        if local && text.chars().all(sound) { Self::Path(text.to_owned()) } else { Self::Nowhere }
    }

    /// Its text in a row.
    pub fn text(&self) -> String {
        match self {
            Self::Nowhere => String::new(),
            Self::Request(id) => format!("request:{id}"),
            Self::Path(path) => path.clone(),
        }
    }

    /// Read from a row.
    pub fn read(text: &str) -> Self {
        match text.strip_prefix("request:") {
            Some(id) => Self::Request(id.to_owned()),
            None => Self::path(text),
        }
    }
}

/// What an application asks of the sign-in itself (OpenID Connect Core §3.1.2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Demand {
    /// Whether the person is to show anew who they are (`prompt=login`).
    pub fresh: bool,
    /// How long ago they may have done so, in seconds (`max_age`).
    pub max_age: Option<i64>,
}

impl Demand {
    /// Whether nothing is asked.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// When the person showed who they are, as far as that counts for a sign-in that began then; `None`: the
    /// provider does not say. What lies within the skew of what was asked for is taken for that, so that an
    /// application that asked is answered and does not ask again.
    ///
    /// # Errors
    /// Why that is not what was asked for (Core §3.1.3.7, 13); with `max_age` the provider must say it (§2).
    pub fn moment(
        self,
        said: Option<Timestamp>,
        (begun, now): (Timestamp, Timestamp),
    ) -> Result<Option<Timestamp>, &'static str> {
        let Some(said) = said.map(|said| said.min(now)) else {
            let missing = "Your identity provider does not say when you signed in there";
            return if self.max_age.is_some() { Err(missing) } else { Ok(None) };
        };
        let age = self.max_age.map(SignedDuration::from_secs);
        let aged = age.and_then(|age| begun.checked_sub(age).ok());
        let Some(least) = aged.max(self.fresh.then_some(begun)) else { return Ok(Some(said)) };
        if said < least.checked_sub(SKEW).unwrap_or(least) {
            return Err("Your identity provider did not ask you again");
        }
        Ok(Some(said.max(least)))
    }
}

/// A sign-in on its way, as stored: never the secrets themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct LoginAttempt {
    /// Its id.
    pub id: String,
    /// What a person can tell support.
    pub reference: String,
    /// The door.
    pub door: Door,
    /// The organization that is asked for: id or slug.
    pub organization: Option<String>,
    /// Where it leads.
    pub goes_to: GoesTo,
    /// What is asked of it.
    pub demand: Demand,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When the answer came; there is one.
    pub consumed_at: Option<Timestamp>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With a session.
    Succeeded,
    /// Without one.
    Refused,
}

impl Outcome {
    /// Its name in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
        }
    }
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Succeeded, Self::Refused]
            .into_iter()
            .find(|outcome| outcome.name() == text)
            .ok_or_else(|| "a state is succeeded or refused".to_owned())
    }
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// What was attempted.
    pub attempt: LoginAttempt,
    /// When the identity provider's word was found to be true.
    pub verified_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// Why not.
    pub code: Option<String>,
    /// The same in words.
    pub detail: Option<String>,
    /// The address that was claimed.
    pub email: Option<String>,
    /// The id of the user, where one was found.
    pub user: Option<String>,
    /// What was claimed at all, each with a short digest of its value.
    pub claims: Vec<(String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Security O10: 40 targets, of which only paths of this site are taken.
    #[test]
    fn only_a_path_of_this_site_is_a_target() {
        for good in [
            "/",
            "/a",
            "/a/b?c=d&e=f#g",
            "/oauth/continue?request=1",
            "/%2F%2Fevil.example",
            "/a//b",
        ] {
            assert_eq!(GoesTo::path(good), GoesTo::Path(good.to_owned()), "{good}");
        }
        let long = format!("/{}", "a".repeat(LONGEST_PATH));
        for bad in [
            "",
            " ",
            "a",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "https:evil.example",
            "HTTPS://evil.example",
            "http:/evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            " //evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/a b",
            "/a\u{0}",
            "/\u{a0}x",
            "evil.example",
            "@evil.example",
            ".evil.example",
            "?x=//evil.example",
            "#x",
            "/\r\nSet-Cookie: a=b",
            "ftp://e",
            "mailto:a@b",
            "/a\\..\\b",
            "request:1",
            "//",
            "\t/a",
            "blob:x",
            &long,
        ] {
            assert_eq!(GoesTo::path(bad), GoesTo::Nowhere, "{bad:?}");
        }
    }

    #[test]
    fn who_signed_in_long_ago_shows_it_anew() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let judge = |fresh, max_age, said: Option<i64>| {
            let moment = Demand { fresh, max_age }.moment(said.map(at), (at(1_000), at(1_030)));
            moment.map(|moment| moment.map(Timestamp::as_second)).map_err(drop)
        };
        assert_eq!(judge(false, None, None), Ok(None));
        assert_eq!(judge(false, None, Some(10)), Ok(Some(10)));
        assert_eq!(judge(false, None, Some(9_999)), Ok(Some(1_030)), "the future is now");
        assert_eq!(judge(true, None, Some(1_020)), Ok(Some(1_020)));
        assert_eq!(judge(true, None, Some(940)), Ok(Some(1_000)), "within the skew");
        assert_eq!(judge(true, None, Some(939)), Err(()));
        assert_eq!(judge(true, None, None), Ok(None), "nobody can tell");
        assert_eq!(judge(false, Some(300), Some(700)), Ok(Some(700)));
        assert_eq!(judge(false, Some(300), Some(639)), Err(()));
        assert_eq!(judge(false, Some(300), None), Err(()));
        assert_eq!(judge(true, Some(300), Some(700)), Err(()), "both hold");
        assert_eq!(judge(false, Some(i64::MAX), Some(1)), Ok(Some(1)));
    }

    #[test]
    fn only_an_id_is_a_request() {
        let id = "0198b8e0-7000-7000-8000-000000000000";
        assert_eq!(GoesTo::request(id), GoesTo::Request(id.to_owned()));
        for bad in ["", "a b", "a/b", "\u{0}", &"a".repeat(LONGEST_ID + 1)] {
            assert_eq!(GoesTo::request(bad), GoesTo::Nowhere, "{bad:?}");
        }
    }

    #[test]
    fn targets_and_names_are_read_as_they_are_written() {
        for target in [GoesTo::Nowhere, GoesTo::Request("7".to_owned()), GoesTo::path("/a?b")] {
            assert_eq!(GoesTo::read(&target.text()), target);
        }
        for kind in [Kind::Oidc, Kind::Saml, Kind::Social] {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!("refused".parse(), Ok(Outcome::Refused));
        assert!("pending".parse::<Outcome>().is_err());
    }
}
