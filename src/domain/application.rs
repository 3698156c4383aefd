//! An application of the operator: a client of the OpenID Provider (RFC 6749 §2), and the rules of its
//! addresses (RFC 9700 §2.1, RFC 8252).

use std::str::FromStr;

use jiff::Timestamp;
use url::{Host, Url};

use super::token::TokenState;

/// An application as stored: never its secret itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    /// Its id, which is its `client_id`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The keyed digest of its secret; `None`: a public client, which has none.
    pub digest: Option<Vec<u8>>,
    /// That of the secret before, and until when it still counts.
    pub former: Option<(Vec<u8>, Timestamp)>,
    /// How its ID tokens are signed.
    pub id_token_alg: Algorithm,
    /// Where it wants to hear of ended sessions.
    pub backchannel_logout_uri: Option<String>,
    /// Its other addresses.
    pub addresses: Addresses,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When that last changed.
    pub updated_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// Addresses of an application, each compared letter by letter.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Addresses {
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// Where a browser may go after a logout.
    pub post_logout_redirect_uris: Vec<String>,
    /// Where a login begins that somebody else asks for (OpenID Connect Core §4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<String>,
}

/// How tokens are signed (ruling 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Algorithm {
    /// ECDSA on P-256.
    #[default]
    Es256,
    /// RSA, for who must.
    Rs256,
}

impl Algorithm {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Es256, Self::Rs256];

    /// Its name (RFC 7518 §3.1).
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == text)
            .ok_or_else(|| "an algorithm is ES256 or RS256".to_owned())
    }
}

impl Application {
    /// Whether it keeps a secret.
    pub fn is_confidential(&self) -> bool {
        self.digest.is_some()
    }

    /// The digests of secrets that count at this moment.
    pub fn digests(&self, now: Timestamp) -> impl Iterator<Item = &[u8]> {
        let live = |until| TokenState::of(None, until, now) == TokenState::Live;
        let former = self.former.as_ref().filter(|(_, until)| live(*until));
        self.digest.as_deref().into_iter().chain(former.map(|(digest, _)| digest.as_slice()))
    }

    /// Whether codes may be sent there: letter by letter (RFC 9700 §2.1).
    pub fn redirects_to(&self, uri: &str) -> bool {
        self.addresses.redirect_uris.iter().any(|known| known == uri)
    }

    /// Whether a target that somebody else names is one of this application's own places: a login that
    /// ends elsewhere would be an open redirect (security.md O10).
    pub fn owns(&self, target: &str) -> bool {
        let Ok(target) = Url::parse(target) else { return false };
        let mine = self.addresses.redirect_uris.iter().chain(&self.addresses.initiate_login_uri);
        let web = matches!(target.scheme(), "http" | "https");
        let named = target.username().is_empty() && target.password().is_none();
        web && named
            && mine
                .filter_map(|uri| Url::parse(uri).ok())
                .any(|uri| uri.origin() == target.origin())
    }
}

/// Most addresses of one kind.
pub const MOST_ADDRESSES: usize = 50;
/// Longest address, in bytes.
const LONGEST_ADDRESS: usize = 2_000;

/// Checks an address at which a browser of a person arrives: https, plain http on this machine alone, or a
/// scheme of the application's own with a dot in it where it keeps no secret (RFC 8252 §7.1).
///
/// # Errors
/// The rule, as one sentence.
pub fn check_address(text: &str, confidential: bool) -> Result<(), String> {
    let url = plain(text)?;
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => {
            Err("plain http is for this machine alone (127.0.0.1, [::1], localhost)".to_owned())
        }
        scheme if !confidential && scheme.contains('.') => Ok(()),
        _ => Err("an address begins with https://".to_owned()),
    }
}

/// Checks an address that the server itself calls. Whether it may, the guard of outbound calls says.
///
/// # Errors
/// The rule, as one sentence.
pub fn check_called(text: &str) -> Result<(), String> {
    match plain(text)?.scheme() {
        "https" | "http" => Ok(()),
        _ => Err("an address begins with https://".to_owned()),
    }
}

fn plain(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "that is no absolute address".to_owned())?;
    if text.len() > LONGEST_ADDRESS || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("an address has at most {LONGEST_ADDRESS} letters and no blanks"));
    }
    if url.fragment().is_some() {
        return Err("an address has no fragment".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address names no user".to_owned());
    }
    if text.contains('*') {
        return Err("an address has no wildcard".to_owned());
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in
            ["https://app.example/cb", "http://127.0.0.1:8080/cb", "http://localhost/cb?x=1"]
        {
            assert_eq!(check_address(good, true), Ok(()), "{good}");
        }
        assert_eq!(check_address("com.example.app:/cb", false), Ok(()));
        for bad in [
            "",
            "/cb",
            "http://app.example/cb",
            "https://app.example/cb#x",
            "https://u:p@app.example/",
            "https://*.example/cb",
            "javascript:alert(1)",
            "com.example.app:/cb",
            "data:text/html,x",
            "http://127.0.0.1.evil.example/",
            "https://app.example/ cb",
        ] {
            assert!(check_address(bad, true).is_err(), "{bad}");
        }
        assert!(check_address("javascript:alert(1)", false).is_err());
    }

    fn application() -> Application {
        Application {
            id: "a".to_owned(),
            name: "a".to_owned(),
            digest: Some(vec![1]),
            former: Some((vec![2], Timestamp::UNIX_EPOCH)),
            id_token_alg: Algorithm::Es256,
            backchannel_logout_uri: None,
            addresses: Addresses {
                redirect_uris: vec!["https://app.example/cb".to_owned()],
                ..Addresses::default()
            },
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            version: 1,
        }
    }

    /// security.md O10: forty ways of not being this application's place.
    #[test]
    fn targets_elsewhere_are_not_the_applications() {
        let application = application();
        assert!(application.owns("https://app.example/deep?x=1#y"));
        let hosts = [
            "evil.example",
            "app.example.evil.example",
            "app.example@evil.example",
            "app.example:444",
            "u@app.example",
            "u:p@app.example",
            "evilapp.example",
            "app.exampl\u{435}",
            "0x7f.1",
            "2130706433",
            "[::1]",
            "127.0.0.1",
            "app.example.",
            "a\u{200d}pp.example",
            "*.example",
            "app..example",
            "%61pp.evil",
            "xn--80ak6aa92e.com",
        ];
        let schemes = ["https://", "http://"];
        for host in hosts {
            for scheme in schemes {
                let target = format!("{scheme}{host}/");
                assert!(!application.owns(&target), "{target}");
            }
        }
        let odd = [
            "//evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "",
            "\\\\evil",
            "app.example",
        ];
        for target in odd {
            assert!(!application.owns(target), "{target}");
        }
    }

    #[test]
    fn redirects_are_compared_letter_by_letter() {
        let application = application();
        assert!(application.redirects_to("https://app.example/cb"));
        for other in [
            "https://app.example/cb/",
            "https://app.example/CB",
            "https://app.example/cb?x",
            "https://APP.example/cb",
        ] {
            assert!(!application.redirects_to(other), "{other}");
        }
    }

    #[test]
    fn a_former_secret_counts_for_its_time() {
        let application = application();
        assert_eq!(application.digests(Timestamp::UNIX_EPOCH).count(), 1);
        let before = Timestamp::UNIX_EPOCH - jiff::SignedDuration::from_secs(1);
        assert_eq!(application.digests(before).count(), 2);
    }
}
