//! A request for authorization: what an application, a tile of an identity provider or a bookmark asks for
//! when it sends a browser here (OpenID Connect Core §3.1.2.1, RFC 7636, `management-api.md` D7). Its
//! application and its redirect URI are checked before anything else of it is answered by a redirect.

use jiff::{SignedDuration, Timestamp};

use super::grant::granted;
use super::login_attempt::Demand;
use super::session::Session;

/// How long a request waits for its person to sign in.
pub const LIFE: SignedDuration = SignedDuration::from_mins(60);
/// Longest parameter that is kept, in bytes.
const LONGEST: usize = 2_048;
/// Most parameters: each is compared with those before it.
const MOST: usize = 100;

/// A request as stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct AuthorizationRequest {
    /// The application.
    pub application: String,
    /// Where its answer goes.
    pub redirect_uri: String,
    /// What the answer carries back.
    pub state: Option<String>,
    /// What the ID token carries back.
    pub nonce: Option<String>,
    /// The scopes that are granted.
    pub scope: String,
    /// What the exchange of the code must answer; `None`: no code is given, and the login ends where the
    /// application begins its own.
    pub code_challenge: Option<String>,
    /// The name of the connection to sign in through.
    pub connection: Option<String>,
    /// The organization to work in: id or slug.
    pub organization: Option<String>,
    /// Who is about to sign in.
    pub login_hint: Option<String>,
    /// Whether the person must sign in anew.
    pub fresh: bool,
    /// Whether nobody may be asked anything.
    pub silent: bool,
    /// How long ago the person may have signed in, in seconds.
    pub max_age: Option<i64>,
    /// Where in the application the person wants to go.
    pub target_link_uri: Option<String>,
    /// When it was made, in seconds.
    pub made_at: i64,
}

/// What is wrong with a request, for the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// A parameter contradicts itself or another, or cannot be read.
    Request(&'static str),
    /// There is no such type of answer.
    ResponseType,
    /// A request as an object (OpenID Connect Core §6.1).
    Object,
    /// A request by reference (§6.2).
    Reference,
}

/// The parameters of a request, each named once.
#[derive(Debug, Clone, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Takes parameters; blank ones count as absent (RFC 6749 §3.1).
    ///
    /// # Errors
    /// The sentence that says what is wrong: one named twice, one that is too long, too many.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, &'static str> {
        let mut known: Vec<(String, String)> = Vec::new();
        for (name, value) in pairs {
            if value.len() > LONGEST {
                return Err("a parameter is too long");
            }
            if known.len() >= MOST {
                return Err("there are too many parameters");
            }
            if known.iter().any(|(other, _)| *other == name) {
                return Err("a parameter is named twice");
            }
            known.push((name, value));
        }
        known.retain(|(_, value)| !value.is_empty());
        Ok(Self(known))
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn own(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }
}

impl AuthorizationRequest {
    /// Reads a request whose application and redirect URI are known to belong together.
    ///
    /// # Errors
    /// What is wrong, to be told there.
    pub fn read(
        parameters: &Parameters,
        (application, redirect_uri): (&str, &str),
        now: Timestamp,
    ) -> Result<Self, Wrong> {
        if parameters.get("request").is_some() {
            return Err(Wrong::Object);
        }
        if parameters.get("request_uri").is_some() {
            return Err(Wrong::Reference);
        }
        if !matches!(parameters.get("response_mode"), None | Some("query")) {
            return Err(Wrong::Request("response_mode is query"));
        }
        let max_age = parameters.get("max_age").map(str::parse::<i64>);
        let max_age = max_age.transpose().ok().filter(|age| age.is_none_or(|age| age >= 0));
        let prompts: Vec<&str> = parameters
            .get("prompt")
            .unwrap_or_default()
            .split(' ')
            .filter(|p| !p.is_empty())
            .collect();
        let silent = prompts.contains(&"none");
        if silent && prompts.len() > 1 {
            return Err(Wrong::Request("prompt=none stands alone"));
        }
        Ok(Self {
            application: application.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            state: parameters.own("state"),
            nonce: parameters.own("nonce"),
            scope: granted(parameters.get("scope").unwrap_or_default()),
            code_challenge: challenge(parameters)?,
            connection: parameters.own("connection"),
            organization: parameters.own("organization"),
            login_hint: parameters.own("login_hint"),
            fresh: prompts.iter().any(|prompt| matches!(*prompt, "login" | "select_account")),
            silent,
            max_age: max_age.ok_or(Wrong::Request("max_age is a number of seconds"))?,
            target_link_uri: parameters.own("target_link_uri"),
            made_at: now.as_second(),
        })
    }

    /// What it asks of a sign-in.
    pub fn demand(&self) -> Demand {
        Demand { fresh: self.fresh, max_age: self.max_age }
    }

    /// Whether somebody who signed in then need not do so again for this.
    pub fn is_met_by(&self, session: &Session) -> bool {
        let age = self.made_at - session.authenticated_at().as_second();
        let fresh = !self.fresh || age <= 0;
        fresh && self.max_age.is_none_or(|most| age <= most)
    }
}

/// The challenge of a request for a code; `None` where the request is for none (D7): a tile, a bookmark.
fn challenge(parameters: &Parameters) -> Result<Option<String>, Wrong> {
    match parameters.get("response_type") {
        None | Some("token") => return Ok(None),
        Some("code") => {}
        Some(_) => return Err(Wrong::ResponseType),
    }
    let Some(challenge) = parameters.get("code_challenge") else { return Ok(None) };
    if parameters.get("code_challenge_method") != Some("S256") {
        return Err(Wrong::Request("code_challenge_method is S256"));
    }
    let letters = challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if challenge.len() != 43 || !letters {
        return Err(Wrong::Request("code_challenge is 43 letters of base64url"));
    }
    Ok(Some(challenge.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn read(query: &[(&str, &str)]) -> Result<AuthorizationRequest, Wrong> {
        let pairs = query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let parameters = Parameters::new(pairs).unwrap();
        AuthorizationRequest::read(
            &parameters,
            ("a", "https://app.example/cb"),
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn a_code_needs_a_challenge() {
        let code = [
            ("response_type", "code"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        assert_eq!(read(&code).unwrap().code_challenge.as_deref(), Some(CHALLENGE));
        assert_eq!(read(&code[..1]).unwrap().code_challenge, None);
        assert_eq!(read(&[("response_type", "token")]).unwrap().code_challenge, None);
        assert_eq!(read(&[]).unwrap().code_challenge, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let base = [("response_type", "code"), ("code_challenge", CHALLENGE)];
        let with = |more: &[(&'static str, &'static str)]| read(&[&base, more].concat());
        assert!(matches!(with(&[]), Err(Wrong::Request(_))), "plain is the default of RFC 7636");
        assert!(matches!(with(&[("code_challenge_method", "plain")]), Err(Wrong::Request(_))));
        assert_eq!(read(&[("response_type", "id_token")]), Err(Wrong::ResponseType));
        assert_eq!(read(&[("response_type", "code id_token")]), Err(Wrong::ResponseType));
        assert_eq!(read(&[("request", "x")]), Err(Wrong::Object));
        assert_eq!(read(&[("request_uri", "x")]), Err(Wrong::Reference));
        for (name, value) in [
            ("max_age", "x"),
            ("max_age", "-1"),
            ("prompt", "none login"),
            ("response_mode", "form_post"),
        ] {
            assert!(matches!(read(&[(name, value)]), Err(Wrong::Request(_))), "{name}={value}");
        }
    }

    #[test]
    fn a_parameter_has_one_value() {
        let twice = [("state", "a"), ("state", "b")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert!(Parameters::new(twice).is_err());
        let long = [("state".to_owned(), "x".repeat(LONGEST + 1))];
        assert!(Parameters::new(long).is_err());
        let many = (0..=MOST).map(|n| (n.to_string(), String::new()));
        assert!(Parameters::new(many.clone()).is_err());
        assert!(Parameters::new(many.skip(1)).is_ok());
        let blank = Parameters::new([("state".to_owned(), String::new())]).unwrap();
        assert_eq!(blank.get("state"), None);
    }
}
