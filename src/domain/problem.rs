//! What the management API says when it refuses: stable codes, for programs (RFC 9457).

macro_rules! codes {
    ($($name:ident = $status:literal $text:literal $title:literal,)*) => {
        /// A code that stays what it is, with its status and its title.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each code's title says what it means")]
        pub enum Code { $($name,)* }

        impl Code {
            /// All of them, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its text.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status that goes with it.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// What it means, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    MalformedRequest = 400 "malformed_request" "The request cannot be read",
    UnknownApplication = 400 "unknown_application" "There is no such application",
    RedirectUriMismatch = 400 "redirect_uri_mismatch" "The application has not registered this address",
    InvalidTarget = 400 "invalid_target" "The target is none of the application's own",
    RequestExpired = 400 "request_expired" "The request is too old, or was answered already",
    Unauthorized = 401 "unauthorized" "No valid credential was sent",
    SessionExpired = 401 "session_expired" "The session has expired",
    SessionEnded = 401 "session_ended" "The session has been ended",
    OperatorRequired = 403 "operator_required" "Only an operator's key may do this",
    MissingPermission = 403 "missing_permission" "The caller lacks a permission",
    CompanyAdminRequired = 403 "company_admin_required" "Only an account admin may do this",
    PlanRequired = 403 "plan_required" "The company's plan does not include this",
    OrganizationAccessDenied = 403 "organization_access_denied" "No access to this organization",
    UserDeactivated = 403 "user_deactivated" "The user is deactivated",
    UserNotProvisioned = 403 "user_not_provisioned" "Nobody provisioned this user, and a login makes none",
    UserDeleted = 403 "user_deleted" "The user was deleted",
    CannotChangeOwnStatus = 403 "cannot_change_own_status" "Nobody changes their own status",
    NoMappedGroup = 403 "no_mapped_group" "No group of the user is mapped to a team",
    AwaitingTeamAssignment = 403 "awaiting_team_assignment" "An admin must give the user a team first",
    NotFound = 404 "not_found" "There is no such thing here",
    ConnectionNotFound = 404 "connection_not_found" "There is no such connection",
    CompanyNotFound = 404 "company_not_found" "There is no such company",
    OrganizationNotFound = 404 "organization_not_found" "There is no such organization",
    UserNotFound = 404 "user_not_found" "There is no such user",
    TeamNotFound = 404 "team_not_found" "There is no such team",
    MethodNotAllowed = 405 "method_not_allowed" "The method is not allowed here",
    Timeout = 408 "timeout" "The request took too long to arrive",
    SlugTaken = 409 "slug_taken" "The slug is taken",
    MultiOrgRequired = 409 "multi_org_required" "The company is not multi-organization",
    CompanyLevelSetting = 409 "company_level_setting" "This is set on the company",
    CompanySsoRequired = 409 "company_sso_required" "Company-level SSO is required",
    ScimNotEnabled = 409 "scim_not_enabled" "SCIM is not enabled for the company",
    ScimConflict = 409 "scim_conflict" "SCIM owns these fields",
    LastAdmin = 409 "last_admin" "A company keeps an account admin",
    EmailAmbiguous = 409 "email_ambiguous" "Several users have this e-mail address",
    IdentityConflict = 409 "identity_conflict" "The address is a user's who signs in as somebody else",
    AutomaticAccess = 409 "automatic_access" "Everybody may enter this organization",
    AlreadyMember = 409 "already_member" "The user is a member already",
    TeamManagedByIdp = 409 "team_managed_by_idp" "The IdP manages this team",
    MembershipManagedByIdp = 409 "membership_managed_by_idp" "The IdP manages this membership",
    TeamAlreadyMapped = 409 "team_already_mapped" "The team is mapped already",
    TeamNameTaken = 409 "team_name_taken" "A local team has this name",
    ConnectionExists = 409 "connection_exists" "There is a connection already",
    TestRequired = 409 "test_required" "A passed test sign-in is required",
    LoginPathTaken = 409 "login_path_taken" "The login path is taken",
    DomainInUse = 409 "domain_in_use" "The domain is verified for another company",
    LastVerifiedDomain = 409 "last_verified_domain" "People sign in by this domain alone",
    FieldsMissing = 409 "fields_missing" "The connection lacks what signing in needs",
    TokenEnded = 409 "token_ended" "The token has ended or was rotated",
    ImpactConfirmationRequired = 409 "impact_confirmation_required" "The impact must be confirmed",
    PreconditionFailed = 412 "precondition_failed" "It has changed since",
    IdpNotConfigured = 412 "idp_not_configured" "There is no connection to an IdP yet",
    TooLarge = 413 "too_large" "The request is too large",
    TargetTooLong = 414 "target_too_long" "The request target is too long",
    UnsupportedMediaType = 415 "unsupported_media_type" "The body must be JSON",
    IdempotencyConflict = 422 "idempotency_conflict" "The same key came with another request",
    InvalidField = 422 "invalid_field" "A field has a wrong value",
    InvalidBody = 422 "invalid_body" "The body has not the form that is expected",
    InvalidCursor = 422 "invalid_cursor" "The cursor is not one of ours",
    InvalidRegex = 422 "invalid_regex" "A pattern cannot be compiled",
    UnknownRole = 422 "unknown_role" "There is no such role",
    IdleExceedsMax = 422 "idle_exceeds_max" "The idle limit is longer than the longest life",
    OutOfRange = 422 "out_of_range" "A number is out of its range",
    EmailInvalid = 422 "email_invalid" "That is no e-mail address",
    OneProtocolOnly = 422 "one_protocol_only" "Only one protocol at a time",
    AtLeastOneMappingRequired = 422 "at_least_one_mapping_required" "At least one group must be mapped",
    InvalidDomain = 422 "invalid_domain" "That is no domain of a company",
    IsPublicSuffix = 422 "is_public_suffix" "Everybody can have names below this domain",
    PublicEmailDomain = 422 "public_email_domain" "Everybody can have addresses at this domain",
    InvalidIssuerUrl = 422 "invalid_issuer_url" "The issuer is no https address",
    DiscoveryNotFound = 422 "discovery_not_found" "There is no discovery document",
    DiscoveryInvalidJson = 422 "discovery_invalid_json" "The discovery document is no JSON object",
    DiscoveryIncomplete = 422 "discovery_incomplete" "The discovery document lacks something",
    IssuerMismatch = 422 "issuer_mismatch" "The discovery document names another issuer",
    EndpointPrivateAddress = 422 "endpoint_private_address" "An endpoint may not be connected to",
    EndpointRedirect = 422 "endpoint_redirect" "An endpoint answers with a redirect",
    UnsupportedTokenAuthMethod = 422 "unsupported_token_auth_method" "The IdP takes no such authentication",
    OpenidScopeRequired = 422 "openid_scope_required" "The scope openid is needed",
    ClientSecretOrPkceRequired = 422 "client_secret_or_pkce_required" "A secret is needed, or PKCE alone",
    MetadataParseFailed = 422 "metadata_parse_failed" "The metadata cannot be read",
    MetadataTooLarge = 422 "metadata_too_large" "The metadata is too large",
    MetadataMissingFields = 422 "metadata_missing_fields" "The metadata lacks something",
    MetadataIsSp = 422 "metadata_is_sp" "That is our own metadata",
    CertificateInvalid = 422 "certificate_invalid" "The certificate cannot be used",
    CertificateExpired = 422 "certificate_expired" "The certificate has expired",
    OktaAdminDomain = 422 "okta_admin_domain" "That is the address of Okta's admin console",
    ProviderImmutable = 422 "provider_immutable" "The provider stays what it is; make a new connection",
    TooMany = 429 "too_many_requests" "Too many requests; see Retry-After",
    Internal = 500 "internal_error" "Internal error",
    DiscoveryTimeout = 502 "discovery_timeout" "The IdP did not answer in time",
    MetadataFetchFailed = 502 "metadata_fetch_failed" "The metadata could not be fetched",
    Unavailable = 503 "unavailable" "The server is busy; try again",
}

/// A refusal of the management API.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// What it is, for programs.
    pub code: Code,
    /// What it is this time, for people. Free of secrets.
    pub detail: String,
    extra: Option<Box<Extra>>,
}

/// What a program gets beside code and detail.
#[derive(Debug, Clone, Default, PartialEq)]
struct Extra {
    errors: Vec<(String, String)>,
    more: Option<(&'static str, serde_json::Value)>,
}

impl Problem {
    /// A refusal with this code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), extra: None }
    }

    /// 422: one field is wrong.
    pub fn field(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut problem = Self::new(Code::InvalidField, format!("{name}: {detail}"));
        problem.extra.get_or_insert_default().errors.push((name.to_owned(), detail));
        problem
    }

    /// The same, with the field that is meant and what is wrong with it.
    #[must_use]
    pub fn at(mut self, field: &str, detail: impl Into<String>) -> Self {
        self.extra.get_or_insert_default().errors.push((field.to_owned(), detail.into()));
        self
    }

    /// The same, with something that a program needs to go on, such as the impact to be confirmed.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: serde_json::Value) -> Self {
        self.extra.get_or_insert_default().more = Some((name, value));
        self
    }

    /// The fields that are wrong, each with what is wrong with it.
    pub fn errors(&self) -> &[(String, String)] {
        self.extra.as_ref().map_or(&[], |extra| &extra.errors)
    }

    /// What else a program needs to go on, by its name.
    pub fn more(&self) -> Option<&(&'static str, serde_json::Value)> {
        self.extra.as_ref()?.more.as_ref()
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code, code.title())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_different_and_in_order() {
        let names: BTreeSet<&str> = Code::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        let statuses: Vec<u16> = Code::ALL.iter().map(|c| c.status()).collect();
        assert!(statuses.is_sorted(), "{statuses:?}");
    }
}
