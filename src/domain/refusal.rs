//! Why a sign-in ended without a session: stable codes, the same in the log of attempts, on the page that
//! the person sees, and in what support asks for.

use super::problem::{Code, Problem};

/// Who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The person, by beginning again.
    Person,
    /// Who runs the identity provider.
    Idp,
    /// Who administers the company here.
    Here,
    /// Who runs this server.
    Operator,
}

impl Side {
    /// Its name in the log of attempts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Idp => "idp",
            Self::Here => "here",
            Self::Operator => "operator",
        }
    }
}

macro_rules! reasons {
    ($($name:ident = $status:literal $code:literal $side:ident $title:literal $advice:literal,)*) => {
        /// Why, as a code that stays what it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each reason's title says what it means")]
        pub enum Reason { $($name,)* }

        impl Reason {
            /// All of them, in the order of the checks.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status of the page that says so.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// Who can mend it.
            pub fn side(self) -> Side {
                match self { $(Self::$name => Side::$side,)* }
            }

            /// What it means, for the person, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What to do about it.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }
        }
    };
}

reasons! {
    TooMany = 429 "too_many_requests" Person "Too many sign-ins at once" "Wait a minute, then begin again.",
    ConnectionNotFound = 404 "connection_not_found" Person "There is no such sign-in" "Check the address, or begin at the application.",
    ConnectionInactive = 403 "connection_inactive" Here "Sign-in is switched off" "An administrator of your company must activate the connection.",
    SocialNotFound = 404 "social_connection_not_found" Person "There is no such sign-in" "Choose another way to sign in.",
    StateMissing = 400 "state_missing" Person "This sign-in was not begun here" "Begin at the application, or at its sign-in page.",
    StateUnknown = 400 "state_unknown" Person "This sign-in is not known" "Begin again; it may have been left open too long.",
    StateUsed = 400 "state_used" Person "This sign-in was used already" "Begin again.",
    StateExpired = 400 "state_expired" Person "This sign-in took too long" "Begin again.",
    OtherBrowser = 400 "other_browser" Person "This sign-in was begun in another browser" "Begin again in this browser, and allow its cookies.",
    OtherConnection = 400 "other_connection" Person "This answer belongs to another sign-in" "Begin again.",
    IdpError = 400 "idp_error" Idp "Your identity provider refused the sign-in" "What it said is below; show it to who administers it.",
    IdpDenied = 403 "idp_access_denied" Idp "Your identity provider denied you access" "Ask who administers it to assign you to the application.",
    CallbackIssuer = 400 "oidc.callback_issuer" Idp "The answer came from another identity provider" "Begin again; if it happens again, tell an administrator.",
    CodeMissing = 400 "oidc.code_missing" Idp "The identity provider sent no code" "It must be set up for the authorization code flow.",
    KeysFailed = 502 "oidc.keys_failed" Idp "The identity provider's keys cannot be fetched" "Try again in a few minutes.",
    KeysInvalid = 502 "oidc.keys_invalid" Idp "The identity provider's keys cannot be read" "Its JWKS must be a set of at most 100 public keys.",
    TokenFailed = 502 "oidc.token_failed" Idp "The identity provider did not answer" "Try again in a few minutes.",
    CodeRefused = 400 "oidc.code_refused" Idp "The identity provider does not know the code" "Begin again; if it happens again, the redirect URI there may be another than the connection's.",
    TokenRefused = 502 "oidc.token_refused" Idp "The identity provider refused us" "The client id and the client secret must be those of the application there.",
    TokenInvalid = 502 "oidc.token_invalid" Idp "The identity provider's answer cannot be read" "Its token endpoint must answer with JSON.",
    IdTokenMissing = 401 "oidc.id_token_missing" Idp "The identity provider sent no ID token" "The scope openid must be granted to the application.",
    Malformed = 401 "oidc.malformed" Idp "The ID token cannot be read" "It must be a signed JWT.",
    Algorithm = 401 "oidc.alg" Idp "The ID token is signed in a way that is not accepted" "The algorithm must be one that the identity provider announces, and fit the key.",
    KeyUnknown = 401 "oidc.key_unknown" Idp "The ID token is signed with an unknown key" "The key must be among those that the identity provider publishes.",
    KeyAmbiguous = 401 "oidc.key_ambiguous" Idp "It is unclear which key signed the ID token" "The token must name its key where several fit.",
    Signature = 401 "oidc.signature" Idp "The ID token's signature is wrong" "It was changed, or signed with another key.",
    Issuer = 401 "oidc.issuer" Idp "The ID token was issued by somebody else" "Its issuer must be the connection's.",
    Audience = 401 "oidc.audience" Idp "The ID token was made for another application" "The client id of the connection must be the application's.",
    AuthorizedParty = 401 "oidc.azp" Idp "The ID token was made for another application" "Where it names several audiences, azp must be this application.",
    Subject = 401 "oidc.subject" Idp "The ID token does not say who you are" "The subject must be a text of 1 to 255 ASCII characters.",
    Expiry = 401 "oidc.exp" Idp "The ID token has expired, or never does" "Check the clock of the identity provider.",
    IssuedAt = 401 "oidc.iat" Idp "The ID token does not say when it was issued, or says the future" "Check the clock of the identity provider.",
    NotBefore = 401 "oidc.nbf" Idp "The ID token is not valid yet" "Check the clock of the identity provider.",
    Nonce = 401 "oidc.nonce" Idp "The ID token belongs to another sign-in" "Begin again.",
    AccessTokenHash = 401 "oidc.at_hash" Idp "The ID token does not belong to the access token" "Begin again; if it happens again, tell an administrator.",
    ClaimType = 401 "oidc.claim_type" Idp "A claim has a form that is not expected" "Check the claims that the identity provider sends, groups among them.",
    UserinfoFailed = 502 "oidc.userinfo_failed" Idp "The identity provider did not tell about you" "Its userinfo endpoint must answer with JSON.",
    UserinfoSubject = 401 "oidc.userinfo_subject" Idp "The identity provider told about somebody else" "Begin again; if it happens again, tell an administrator.",
    NotFresh = 403 "reauthentication_required" Idp "The application wants you to sign in anew" "Sign out at your identity provider, then begin again at the application.",
    SocialFailed = 502 "social_failed" Idp "The sign-in service did not answer as expected" "Try again in a few minutes.",
    EmailMissing = 403 "email_missing" Idp "Your identity provider did not tell your e-mail address" "The claim that is mapped to the address must be sent.",
    EmailNotVerified = 403 "email_not_verified" Idp "Your e-mail address is not verified" "Verify it where you sign in, then begin again.",
    EmailOutsideDomains = 403 "email_outside_domains" Here "Your e-mail address is not of this company" "Its domain must be verified for the company.",
    SocialLoginBlocked = 403 "social_login_blocked" Person "Your company signs in through its own identity provider" "Sign in through your company instead.",
    NotProvisioned = 403 "user_not_provisioned" Here "You have no account here yet" "Ask an administrator of your company for one.",
    Deactivated = 403 "user_deactivated" Here "Your account is deactivated" "Ask an administrator of your company.",
    Deleted = 403 "user_deleted" Here "Your account was deleted" "Ask an administrator of your company.",
    NoMappedGroup = 403 "no_mapped_group" Here "None of your groups gives you access" "Ask an administrator to add you to a group that is mapped to a team.",
    AwaitingTeam = 403 "awaiting_team_assignment" Here "You are in no team yet" "An administrator must give you a team first.",
    IdentityConflict = 403 "identity_conflict" Here "Your address belongs to somebody who signs in as another person" "Ask an administrator of your company.",
    EmailAmbiguous = 403 "email_ambiguous" Here "Several people have your address" "Ask an administrator of your company.",
    OrganizationNotFound = 404 "organization_not_found" Person "There is no such organization" "Begin at the application.",
    OrganizationDenied = 403 "organization_access_denied" Here "You have no access to this organization" "Ask an administrator to invite you.",
    IdpInitiatedDisabled = 403 "idp_initiated_disabled" Here "Begin at the application" "Sign-ins that begin at the identity provider are switched off for your company.",
    SamlTooLarge = 413 "saml.too_large" Idp "The identity provider's message is too large" "It may have 128 KiB; too many groups are the usual cause.",
    SamlMalformed = 400 "saml.malformed" Idp "The identity provider's message cannot be read" "It must be SAML 2.0 in UTF-8.",
    SamlComment = 401 "saml.comment" Idp "The identity provider's message has a comment in it" "Comments are not accepted: readers disagree on the text around them.",
    SamlStructure = 401 "saml.structure" Idp "The identity provider's message is not built as it must be" "It must carry one assertion, and nothing twice.",
    SamlUnsigned = 401 "saml.unsigned" Idp "The identity provider's message is not signed" "The response, the assertion or both must be signed.",
    SamlAlgorithm = 401 "saml.algorithm" Idp "The message is signed in a way that is not accepted" "RSA or ECDSA with SHA-256 or better is needed, and exclusive canonicalization.",
    SamlSignature = 401 "saml.signature" Idp "The message's signature is wrong" "It was changed, or signed with a certificate that the connection does not have.",
    SamlEncryption = 401 "saml.encryption" Idp "The assertion's encryption is not accepted" "A signed assertion must be encrypted for our certificate, by RSA-OAEP and AES-GCM.",
    SamlIssuer = 401 "saml.issuer" Idp "The message was issued by somebody else" "The issuer must be the entity id of the connection's identity provider.",
    SamlAudience = 401 "saml.audience" Idp "The message was made for another application" "The audience must be the entity id of the connection.",
    SamlRecipient = 401 "saml.recipient" Idp "The message was made for another address" "The recipient must be the ACS address of the connection.",
    SamlDestination = 401 "saml.destination" Idp "The message was sent to another address" "The destination must be the address of the connection that it was sent to.",
    SamlInResponseTo = 401 "saml.in_response_to" Person "The message answers no sign-in that was begun here" "Begin again at the application.",
    SamlOtherBrowser = 401 "saml.other_browser" Person "This sign-in was begun in another browser" "Begin again in this browser, and allow its cookies.",
    SamlTime = 401 "saml.time" Idp "The message's time is over, or has not begun" "Check the clock of the identity provider; an assertion may be good for 60 minutes.",
    SamlStatus = 400 "saml.status" Idp "Your identity provider refused the sign-in" "Ask who administers it.",
    SamlSubject = 401 "saml.subject" Idp "The message does not say who you are" "It must have one NameID that stays the same, and one bearer confirmation.",
    SamlReplay = 401 "saml.replay" Person "This message was used already" "Begin again.",
    Unavailable = 503 "unavailable" Operator "The server is busy" "Try again in a moment.",
    Internal = 500 "internal_error" Operator "Something went wrong here" "Try again; if it happens again, tell who runs this site the number below.",
}

impl Reason {
    /// The reason with this code.
    pub fn find(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

impl From<Code> for Reason {
    /// What the management API calls the same. Codes that no login gives are ours to mend.
    fn from(code: Code) -> Self {
        Self::find(code.name()).unwrap_or(Self::Internal)
    }
}

/// A sign-in that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", .reason.code())]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// What it was this time, for administrators: names of fields, never a secret, never a token.
    pub detail: String,
}

impl Refusal {
    /// A refusal with what it was this time.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::new(reason, reason.title())
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::new(Reason::from(problem.code), problem.detail)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_different_and_found_again() {
        let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(Reason::find(reason.code()), Some(*reason));
            assert!((400..=503).contains(&reason.status()), "{reason:?}");
        }
    }

    /// Whatever the login of the service refuses has a reason of its own.
    #[test]
    fn what_a_login_refuses_has_its_own_reason() {
        for code in [
            Code::UserDeactivated,
            Code::UserDeleted,
            Code::UserNotProvisioned,
            Code::NoMappedGroup,
            Code::AwaitingTeamAssignment,
            Code::IdentityConflict,
            Code::EmailAmbiguous,
            Code::OrganizationAccessDenied,
            Code::OrganizationNotFound,
        ] {
            assert_eq!(Reason::from(code).code(), code.name());
        }
        assert_eq!(Reason::from(Code::TooLarge), Reason::Internal);
    }
}
