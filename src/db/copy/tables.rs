//! Every table with its columns: the list that `database copy` goes by.

use super::Kind::{Bool, Bytes, Int, Text as Words};
use super::Table;

/// Writes the list: a table's name, its key in brackets, its other columns. A key is `numbered` where the
/// database numbers its rows.
macro_rules! tables {
    ($($name:ident [$($key:ident $of:ident),+ $(; $numbered:ident)?] $($column:ident $kind:ident),*;)+) => {
        /// All tables, those that others refer to first; each with all its columns, the key first.
        pub const TABLES: [Table; [$(stringify!($name)),+].len()] = [$(Table {
            name: stringify!($name),
            columns: &[$((stringify!($key), $of),)+ $((stringify!($column), $kind),)*],
            key: [$(stringify!($key)),+].len(),
            numbered: tables!(@ $($numbered)?),
        }),+];
    };
    (@ numbered) => { true };
    (@) => { false };
}

tables! {
    installation [name Words] value Words;
    companies [seq Int; numbered] id Words, slug Words, name Words, plan Words, scim_enabled Bool,
        created_at Int, region Words, multi_org Bool, self_serve_sso Bool, settings Words,
        version Int;
    scim_tokens [id Words] company_seq Int, name Words, digest Bytes, created_at Int,
        expires_at Int, revoked_at Int, rotated_to Words, last_used_at Int, last_used_ip Words;
    scim_schemas [company_seq Int, urn_key Words] resource_type Words, document Words,
        created_at Int;
    resource_counts [company_seq Int, resource_type Int, lane Int, slot Int] total Int;
    users [seq Int; numbered] company_seq Int, id Words, user_name_key Words, external_id Words,
        display_name_key Words, active Bool, admin_deactivated Bool, activated_at Int,
        created_at Int, last_modified Int, version Int, document Words, facts Words, unmapped Bool,
        origin Int, status_changed_at Int;
    groups [seq Int; numbered] company_seq Int, id Words, display_name Words,
        display_name_key Words, external_id Words, member_count Int, created_at Int,
        last_modified Int, version Int, document Words, facts Words, nested Bool;
    group_members [group_seq Int, member_type Int, member_seq Int];
    attribute_values [company_seq Int, resource_type Int, path Words, value_key Words,
        resource_seq Int, element Int];
    company_roles [user_seq Int] company_seq Int, role Words, permissions Words, updated_at Int;
    organizations [seq Int; numbered] id Words, company_seq Int, slug Words, name Words,
        automatic_user_access Bool, default_role Words, created_at Int, updated_at Int, version Int;
    organization_members [organization_seq Int, user_seq Int] company_seq Int, role Words,
        source Words, deactivated Bool, unmapped Bool, entered_at Int, status_changed_at Int,
        created_at Int, updated_at Int;
    invitations [id Words] company_seq Int, organization_seq Int, user_seq Int, email Words,
        role Words, teams Words, invited_by Words, created_at Int, sent_at Int, accepted_at Int,
        revoked_at Int;
    teams [seq Int; numbered] id Words, company_seq Int, organization_seq Int, name Words,
        description Words, provider Words, group_seq Int, created_at Int, updated_at Int;
    team_members [team_seq Int, user_seq Int, origin Words] organization_seq Int, company_seq Int,
        created_at Int;
    team_syncs [user_seq Int, organization_seq Int] company_seq Int, cause Words, source Words,
        groups_seen Words, dropped Words, synced_at Int;
    team_mappings [id Words] company_seq Int, organization_seq Int, team_seq Int, group_name Words,
        group_seq Int, role Words, created_at Int;
    group_filters [company_seq Int] allow Words, block Words, version Int, applied_version Int,
        updated_at Int;
    claimed_groups [company_seq Int, name Words] last_seen_at Int;
    departed [company_seq Int, digest Words] departed_at Int;
    user_claims [user_seq Int] company_seq Int, connection_seq Int, groups Words, overage Bool,
        observed_at Int;
    connections [seq Int; numbered] id Words, company_seq Int, organization_seq Int, name Words,
        provider Words, protocol Words, state Words, document Words, created_at Int,
        activated_at Int, version Int, secret Bytes, login_path Words, candidate Bool,
        deleted_at Int;
    connection_logins [connection_seq Int] company_seq Int, at Int, groups_claimed Bool;
    sealing_keys [id Int] wrapped Bytes, created_at Int, retired_at Int;
    domains [id Words] company_seq Int, domain Words, token Words, strategy Words, verified_at Int,
        expires_at Int, attempts Int, last_checked_at Int, last_seen Words,
        block_social_login Bool, include_subdomains Bool, created_at Int, version Int;
    identities [connection_seq Int, issuer Words, subject Words] company_seq Int, user_seq Int,
        linked_at Int, last_login_at Int;
    sessions [id Words] company_seq Int, user_seq Int, connection_seq Int, organization_seq Int,
        digest Bytes, created_at Int, last_used_at Int, expires_at Int, ended_at Int,
        end_reason Words, idp_session Words, authenticated_at Int;
    login_attempts [id Words] reference Words, company_seq Int, connection_seq Int, document Words,
        state_digest Bytes, browser_digest Bytes, request_id Words, held Words,
        ticket_digest Bytes, expires_at Int, consumed_at Int, outcome Words, code Words,
        email Words, report Words;
    social_connections [id Words] company_seq Int, name Words, label Words, kind Words,
        document Words, secret Bytes, enabled Bool, created_at Int, updated_at Int, version Int;
    api_keys [id Words] company_seq Int, name Words, scopes Words, digest Bytes, created_at Int,
        expires_at Int, revoked_at Int, last_used_at Int, last_used_ip Words;
    jobs [seq Int; numbered] id Words, company_seq Int, kind Words, state Words, payload Words,
        place Words, done Int, total Int, error Words, attempts Int, leased_by Words,
        leased_until Int, created_at Int, finished_at Int;
    events [seq Int; numbered] company_seq Int, id Words, at Int, action Words, actor Words,
        target Words, detail Words;
    idempotency_keys [caller Words, key Words] fingerprint Bytes, status Int, headers Words,
        body Words, created_at Int;
    applications [id Words] name Words, digest Bytes, former_digest Bytes, former_until Int,
        id_token_alg Words, backchannel_logout_uri Words, document Words, created_at Int,
        updated_at Int, version Int;
    authorization_requests [id Words] application_id Words, document Words, created_at Int;
    oauth_grants [id Words] company_seq Int, user_seq Int, session_id Words, application_id Words,
        document Words, code_digest Bytes, code_until Int, family Bytes, digest Bytes,
        created_at Int;
    signing_keys [algorithm Words, generation Int] id Words, public_key Words, private_key Bytes,
        active_from Int, created_at Int, company_seq Int;
    logout_notices [seq Int; numbered] company_seq Int, application_id Words, session_id Words,
        user_id Words, attempts Int, due_at Int, created_at Int;
    saml_keys [id Words] company_seq Int, certificate Words, private_key Bytes, created_at Int;
    saml_assertions [connection_seq Int, id Words] company_seq Int, remember_until Int;
    saml_names [connection_seq Int, session Words] company_seq Int, name Words, name_id Words,
        keep_until Int;
}
