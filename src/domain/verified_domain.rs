//! A domain whose people are a company's: claimed by it, and of use once it is verified (threat D1).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::id::CompanySeq;
use super::problem::{Code, Problem};

/// Longest name in characters (RFC 1035 §2.3.4, in the written form).
const LONGEST: usize = 253;
/// Longest address in bytes: 64 before the `@`, and a name of [`LONGEST`] behind it (RFC 5321 §4.5.3.1).
const LONGEST_EMAIL: usize = 320;
/// How long a claim waits for its proof.
pub const CLAIM_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Most domains that a company claims.
pub const MAX_DOMAINS: usize = 200;

/// Domains whose addresses everybody can have: nobody's company.
const PUBLIC_EMAIL: [&str; 47] = [
    "163.com",
    "126.com",
    "aol.com",
    "att.net",
    "bt.com",
    "comcast.net",
    "duck.com",
    "fastmail.com",
    "free.fr",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.de",
    "hotmail.fr",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "orange.fr",
    "outlook.com",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "rediffmail.com",
    "t-online.de",
    "tutanota.com",
    "web.de",
    "yahoo.co.jp",
    "yahoo.co.uk",
    "yahoo.com",
    "yandex.com",
    "yandex.ru",
    "ymail.com",
];

/// A claim to a domain, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub company: CompanySeq,
    /// Its name, in lower case and ASCII.
    pub name: String,
    /// What the TXT record must say, drawn for this company and this domain: 160 bits.
    pub token: String,
    /// How it was, or is to be, proved.
    pub strategy: Strategy,
    /// When it was proved.
    pub verified_at: Option<Timestamp>,
    /// When the claim ends unless it is proved.
    pub expires_at: Timestamp,
    /// How often the record was looked for.
    pub attempts: i64,
    /// When it was looked for last.
    pub last_checked_at: Option<Timestamp>,
    /// What was found then.
    pub last_seen: Vec<String>,
    /// Whether its people may not come through a social connection (row 33).
    pub block_social_login: bool,
    /// Whether the names below it count as well.
    pub include_subdomains: bool,
    /// When it was claimed.
    pub created_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// How a domain is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// By a TXT record.
    Txt,
    /// By an operator's word.
    ManualOverride,
}

impl Strategy {
    /// Its name in answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Txt => "txt",
            Self::ManualOverride => "manual_override",
        }
    }

    /// The strategy of this name; what is unknown proves nothing by itself.
    pub fn of(name: &str) -> Self {
        if name == Self::ManualOverride.name() { Self::ManualOverride } else { Self::Txt }
    }
}

impl Domain {
    /// How far the proof is: verified, pending, expired, or unverified where nobody looked yet.
    pub fn status(&self, now: Timestamp) -> &'static str {
        match (self.verified_at, self.expires_at <= now, self.attempts) {
            (Some(_), _, _) => "verified",
            (None, true, _) => "expired",
            (None, false, 0) => "unverified",
            (None, false, _) => "pending",
        }
    }

    /// Where the TXT record is to lie.
    pub fn record_name(&self) -> String {
        format!("_stagedoor-challenge.{}", self.name)
    }

    /// What the TXT record is to say.
    pub fn record_value(&self) -> String {
        format!("stagedoor-verification={}", self.token)
    }
}

/// Reads the name of a domain that a company may claim.
///
/// # Errors
/// 422 `invalid_domain`, `is_public_suffix`, `public_email_domain`.
pub fn parse(text: &str) -> Result<String, Problem> {
    let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
    if !name.is_ascii() {
        let rule = "write the name as DNS has it, with xn-- for letters beyond a to z";
        return Err(Problem::new(Code::InvalidDomain, rule));
    }
    let labels: Vec<&str> = name.split('.').collect();
    let numeric = labels.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if name.len() > LONGEST || labels.len() < 2 || numeric || !labels.iter().all(is_label) {
        return Err(Problem::new(Code::InvalidDomain, "a domain such as acme.example"));
    }
    // What is no name in any script cannot be proved to be anybody's.
    if url::Host::parse(&name) != Ok(url::Host::Domain(name.clone())) {
        return Err(Problem::new(Code::InvalidDomain, "a name that DNS can have"));
    }
    if is_suffix(&name) {
        let detail = format!("Everybody can have names below {name}");
        return Err(Problem::new(Code::IsPublicSuffix, detail));
    }
    if PUBLIC_EMAIL.contains(&name.as_str()) {
        return Err(Problem::new(
            Code::PublicEmailDomain,
            format!("Everybody can have addresses at {name}"),
        ));
    }
    Ok(name)
}

fn is_label(label: &&str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_suffix(name: &str) -> bool {
    psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix.as_bytes() == name.as_bytes())
}

/// The domain of an address, in lower case; `None` where it is no address.
pub fn of_email(email: &str) -> Option<String> {
    let (local, domain) = email.rsplit_once('@')?;
    let sound = email.len() <= LONGEST_EMAIL && !email.contains(char::is_control);
    (sound && !local.is_empty() && !domain.is_empty()).then(|| domain.to_ascii_lowercase())
}

/// A name and those above it that may be somebody's, the nearest first.
pub fn lineage(name: &str) -> Vec<&str> {
    let mut names = vec![name];
    let mut rest = name;
    while let Some((_, above)) = rest.split_once('.') {
        if !above.contains('.') || is_suffix(above) {
            break;
        }
        names.push(above);
        rest = above;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<Code> {
        parse(text).err().map(|problem| problem.code)
    }

    /// Hostile input 83.
    #[test]
    fn what_is_no_companys_domain_is_refused() {
        let long = format!("{}.example", "a.".repeat(123) + "a");
        let wide = format!("{}.example", "a".repeat(64));
        for text in [
            "",
            ".",
            "a",
            "a..b",
            "*.a.example",
            "-a.example",
            "a-.example",
            "127.0.0.1",
            "1.2",
            "[::1]",
            "a b.example",
            "a_b.example",
            "аcme.example",
            "xn--a.example",
            "a.example/x",
            "user@a.example",
            "a.example:443",
            &long,
            &wide,
        ] {
            assert_eq!(code(text), Some(Code::InvalidDomain), "{text}");
        }
        for text in ["co.uk", "github.io"] {
            assert_eq!(code(text), Some(Code::IsPublicSuffix), "{text}");
        }
        assert_eq!(code("com"), Some(Code::InvalidDomain));
        assert_eq!(code("GMail.com."), Some(Code::PublicEmailDomain));
    }

    #[test]
    fn a_name_is_read_without_case_and_last_dot() {
        assert_eq!(parse(" Acme.Example. ").as_deref(), Ok("acme.example"));
        assert_eq!(parse("xn--bcher-kva.example").as_deref(), Ok("xn--bcher-kva.example"));
        assert_eq!(parse("acme.co.uk").as_deref(), Ok("acme.co.uk"));
    }

    #[test]
    fn names_above_end_at_what_is_everybodys() {
        assert_eq!(lineage("a.b.acme.co.uk"), ["a.b.acme.co.uk", "b.acme.co.uk", "acme.co.uk"]);
        assert_eq!(lineage("acme.example"), ["acme.example"]);
        assert_eq!(lineage("example"), ["example"]);
        assert_eq!(of_email("A@B@Acme.Example").as_deref(), Some("acme.example"));
        assert_eq!(of_email("@acme.example"), None);
        assert_eq!(of_email("a\u{0}@acme.example"), None);
        assert_eq!(of_email(&format!("{}@acme.example", "a".repeat(LONGEST_EMAIL))), None);
    }
}
