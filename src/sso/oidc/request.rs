//! The authorization request (OpenID Connect Core 1.0 §3.1.2.1) with PKCE (RFC 7636), and what the browser
//! brings back.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use crate::domain::connection::change::OURS;
use crate::domain::login_attempt::Demand;
use crate::domain::refusal::{Reason, Refusal};

/// Most characters of what a provider says that are shown to anybody.
const SHOWN: usize = 200;

/// What an authorization request says.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest<'r> {
    /// Where the provider takes it.
    pub endpoint: &'r str,
    /// The client that we are at it.
    pub client_id: &'r str,
    /// Where the browser comes back to.
    pub redirect_uri: &'r str,
    /// The scopes; `openid` is always among them.
    pub scopes: &'r [String],
    /// What binds the answer to the attempt.
    pub state: &'r str,
    /// What binds the ID token to the attempt; `None` of a provider that is no OpenID Provider.
    pub nonce: Option<&'r str>,
    /// The secret that proves that the code is ours.
    pub verifier: &'r str,
    /// Who is expected to sign in.
    pub login_hint: Option<&'r str>,
    /// What is asked of the sign-in; of a provider that is no OpenID Provider it is not.
    pub demand: Demand,
    /// What the connection adds.
    pub extra: &'r [(String, String)],
}

impl AuthorizationRequest<'_> {
    /// The address to send the browser to; `None` where the endpoint is no URL.
    pub fn url(&self) -> Option<Url> {
        let mut url = Url::parse(self.endpoint).ok()?;
        url.set_fragment(None);
        let mut scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        if self.nonce.is_some() && !scopes.contains(&"openid") {
            scopes.insert(0, "openid");
        }
        let challenge = challenge(self.verifier);
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("response_type", "code");
        pairs.append_pair("client_id", self.client_id);
        pairs.append_pair("redirect_uri", self.redirect_uri);
        pairs.append_pair("scope", &scopes.join(" "));
        pairs.append_pair("state", self.state);
        if let Some(nonce) = self.nonce {
            pairs.append_pair("nonce", nonce);
        }
        pairs.append_pair("code_challenge", &challenge);
        pairs.append_pair("code_challenge_method", "S256");
        let asked = self.asked();
        for (name, value) in &asked {
            pairs.append_pair(name, value);
        }
        for (name, value) in self.extra {
            let set = asked.iter().any(|(known, _)| known == name);
            if !set && !OURS.contains(&name.as_str()) {
                pairs.append_pair(name, value);
            }
        }
        drop(pairs);
        Some(url)
    }
}

impl AuthorizationRequest<'_> {
    /// What is asked of this one sign-in, before what the connection asks of all.
    fn asked(&self) -> Vec<(&'static str, String)> {
        let demand = self.nonce.map(|_| self.demand).unwrap_or_default();
        let prompt = demand.fresh.then(|| "login".to_owned());
        let age = demand.max_age.map(|age| age.to_string());
        let hint = self.login_hint.map(str::to_owned);
        let all = [("login_hint", hint), ("prompt", prompt), ("max_age", age)];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// The challenge of a verifier (RFC 7636 §4.2, S256).
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// What the browser brings back, as its query says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Callback {
    /// What binds it to the attempt.
    pub state: Option<String>,
    /// The code.
    pub code: Option<String>,
    /// Who says so (RFC 9207).
    pub iss: Option<String>,
    /// What went wrong there.
    pub error: Option<String>,
    /// The same in words.
    pub error_description: Option<String>,
}

impl Callback {
    /// Reads a query; a name that comes twice is nobody's (RFC 6749 §3.1).
    pub fn read(query: &str) -> Self {
        let mut callback = Self::default();
        let mut twice = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let field = match &*name {
                "state" => &mut callback.state,
                "code" => &mut callback.code,
                "iss" => &mut callback.iss,
                "error" => &mut callback.error,
                "error_description" => &mut callback.error_description,
                _ => continue,
            };
            if field.replace(value.into_owned()).is_some() {
                twice.push(name.into_owned());
            }
        }
        if twice.is_empty() { callback } else { Self::default() }
    }

    /// The code, where the answer is the issuer's and says yes. `announced`: whether the provider has said
    /// that it sends `iss`, which must be there then (RFC 9207 §2.4).
    ///
    /// # Errors
    /// `oidc.callback_issuer`, `idp_access_denied`, `idp_error`, `oidc.code_missing`.
    pub fn code(&self, issuer: &str, announced: bool) -> Result<&str, Refusal> {
        let ours = match &self.iss {
            Some(iss) => iss == issuer,
            None => !announced,
        };
        if !ours {
            return Err(Reason::CallbackIssuer.into());
        }
        if let Some(error) = &self.error {
            let denied = error == "access_denied";
            let reason = if denied { Reason::IdpDenied } else { Reason::IdpError };
            return Err(Refusal::new(reason, self.said(error)));
        }
        self.code.as_deref().filter(|code| !code.is_empty()).ok_or(Reason::CodeMissing.into())
    }

    /// What the provider says of its error, cut short.
    fn said(&self, error: &str) -> String {
        let words = match &self.error_description {
            Some(words) => format!("{error}: {words}"),
            None => error.to_owned(),
        };
        words.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(url: &Url) -> Vec<(String, String)> {
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }

    fn request() -> AuthorizationRequest<'static> {
        AuthorizationRequest {
            endpoint: "https://idp.example/authorize?tenant=7#top",
            client_id: "client",
            redirect_uri: "https://sso.example/sso/callback/acme",
            scopes: &[],
            state: "the state",
            nonce: Some("the nonce"),
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            login_hint: None,
            demand: Demand::default(),
            extra: &[],
        }
    }

    /// RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_the_standards() {
        let challenge = challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_request_says_what_it_must() {
        let scopes = ["email".to_owned(), "profile".to_owned()];
        let extra = [
            ("acr_values".to_owned(), "mfa & more".to_owned()),
            ("state".to_owned(), "evil".to_owned()),
        ];
        let request = AuthorizationRequest {
            scopes: &scopes,
            login_hint: Some("ada+x@acme.example"),
            extra: &extra,
            ..request()
        };
        let url = request.url().unwrap();
        assert!(
            url.as_str().starts_with("https://idp.example/authorize?tenant=7&response_type=code&")
        );
        assert_eq!(url.fragment(), None);
        let pairs = pairs(&url);
        let value = |name: &str| {
            let mut found = pairs.iter().filter(|(n, _)| n == name);
            let first = found.next().map(|(_, value)| value.as_str());
            assert!(found.next().is_none(), "{name} comes once");
            first
        };
        assert_eq!(value("scope"), Some("openid email profile"));
        assert_eq!(value("state"), Some("the state"));
        assert_eq!(value("nonce"), Some("the nonce"));
        assert_eq!(value("code_challenge_method"), Some("S256"));
        assert_eq!(value("login_hint"), Some("ada+x@acme.example"));
        assert_eq!(value("acr_values"), Some("mfa & more"));
        assert_eq!(value("client_secret"), None);
    }

    #[test]
    fn what_the_application_asks_comes_before_what_the_connection_asks() {
        let extra =
            [("prompt", "select_account"), ("max_age", "9"), ("login_hint", "eve"), ("hd", "x")];
        let extra = extra.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let demand = Demand { fresh: true, max_age: Some(300) };
        let asking =
            AuthorizationRequest { demand, extra: &extra, login_hint: Some("ada"), ..request() };
        let told = pairs(&asking.url().unwrap());
        let of = |name: &str| -> Vec<&str> {
            told.iter()
                .filter(|(known, _)| known == name)
                .map(|(_, value)| value.as_str())
                .collect()
        };
        assert_eq!(
            (of("prompt"), of("max_age"), of("login_hint"), of("hd")),
            (vec!["login"], vec!["300"], vec!["ada"], vec!["x"])
        );
        let plain = AuthorizationRequest { extra: &extra, ..request() }.url().unwrap();
        assert!(plain.as_str().contains("prompt=select_account"));
        let github = AuthorizationRequest { demand, nonce: None, ..request() }.url().unwrap();
        assert!(!github.as_str().contains("prompt") && !github.as_str().contains("max_age"));
    }

    #[test]
    fn without_a_nonce_nothing_of_openid_is_said() {
        let scopes = ["user:email".to_owned()];
        let url = AuthorizationRequest { nonce: None, scopes: &scopes, ..request() }.url().unwrap();
        assert!(!url.as_str().contains("openid") && !url.as_str().contains("nonce"));
        assert!(AuthorizationRequest { endpoint: "nothing", ..request() }.url().is_none());
    }

    fn coded(query: &str, announced: bool) -> Result<String, Reason> {
        let callback = Callback::read(query);
        let code = callback.code("https://idp.example", announced);
        code.map(str::to_owned).map_err(|refusal| refusal.reason)
    }

    /// O2, RFC 9207; O3: the `iss` parameter differs.
    #[test]
    fn f52_an_answer_of_another_issuer_is_refused() {
        let iss = "iss=https%3A%2F%2Fidp.example";
        assert_eq!(coded(&format!("code=c&{iss}"), true), Ok("c".to_owned()));
        assert_eq!(coded(&format!("code=c&{iss}"), false), Ok("c".to_owned()));
        assert_eq!(coded("code=c", false), Ok("c".to_owned()));
        assert_eq!(coded("code=c", true), Err(Reason::CallbackIssuer));
        assert_eq!(coded("code=c&iss=https://evil.example", false), Err(Reason::CallbackIssuer));
        assert_eq!(coded("code=c&iss=", false), Err(Reason::CallbackIssuer));
        assert_eq!(coded(&format!("error=x&{iss}%2F"), true), Err(Reason::CallbackIssuer));
    }

    #[test]
    fn f53_an_error_is_told_in_few_words() {
        assert_eq!(coded("error=access_denied", false), Err(Reason::IdpDenied));
        assert_eq!(coded("error=server_error&code=c", false), Err(Reason::IdpError));
        assert_eq!(coded("state=s", false), Err(Reason::CodeMissing));
        assert_eq!(coded("code=", false), Err(Reason::CodeMissing));
        let query = format!("error=x&error_description={}%0d%0a", "a".repeat(5_000));
        let refusal = Callback::read(&query).code("i", false).unwrap_err();
        assert_eq!(refusal.detail.len(), SHOWN);
        let markup = "error=x&error_description=%3Cscript%3E%00";
        assert_eq!(Callback::read(markup).code("i", false).unwrap_err().detail, "x: <script>");
    }

    #[test]
    fn a_name_that_comes_twice_is_nobodys() {
        assert_eq!(Callback::read("state=a&state=b&code=c"), Callback::default());
        assert_eq!(Callback::read("code=a&code=a"), Callback::default());
        assert_eq!(Callback::read("state=a&x=1&x=2").state.as_deref(), Some("a"));
    }
}
