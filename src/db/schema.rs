//! The tables as Diesel knows them. Mirrors `migrations/`; holds no query. Diesel knows
//! 16 columns of a table; a column that statements alone name (`users.origin`) is left out.

diesel::table! { installation (name) { name -> Text, value -> Text, } }
diesel::table! {
    companies (seq) {
        seq -> BigInt, id -> Text, slug -> Text, name -> Text, plan -> Text,
        scim_enabled -> Bool, created_at -> BigInt,
        region -> Nullable<Text>, multi_org -> Bool, self_serve_sso -> Bool, settings -> Text,
        version -> BigInt,
    }
}
diesel::table! {
    scim_tokens (id) {
        id -> Text, company_seq -> BigInt, name -> Text, digest -> Binary, created_at -> BigInt,
        expires_at -> BigInt, revoked_at -> Nullable<BigInt>, rotated_to -> Nullable<Text>,
        last_used_at -> Nullable<BigInt>, last_used_ip -> Nullable<Text>,
    }
}
diesel::table! {
    scim_schemas (company_seq, urn_key) {
        company_seq -> BigInt, urn_key -> Text, resource_type -> Text, document -> Text,
        created_at -> BigInt,
    }
}
diesel::table! {
    resource_counts (company_seq, resource_type, lane, slot) {
        company_seq -> BigInt, resource_type -> SmallInt, lane -> SmallInt, slot -> BigInt,
        total -> BigInt,
    }
}
diesel::table! {
    users (seq) {
        seq -> BigInt, company_seq -> BigInt, id -> Text, user_name_key -> Text,
        external_id -> Nullable<Text>, display_name_key -> Nullable<Text>,
        active -> Bool, admin_deactivated -> Bool, activated_at -> Nullable<BigInt>,
        created_at -> BigInt, last_modified -> BigInt, version -> BigInt, document -> Text,
        facts -> Text, unmapped -> Bool, status_changed_at -> Nullable<BigInt>,
    }
}
diesel::table! {
    groups (seq) {
        seq -> BigInt, company_seq -> BigInt, id -> Text, display_name -> Text,
        display_name_key -> Text, external_id -> Nullable<Text>, member_count -> BigInt,
        created_at -> BigInt, last_modified -> BigInt, version -> BigInt, document -> Text,
        facts -> Text,
    }
}
diesel::table! {
    group_members (group_seq, member_type, member_seq) {
        group_seq -> BigInt, member_type -> SmallInt, member_seq -> BigInt,
    }
}
diesel::table! {
    attribute_values (company_seq, resource_type, path, value_key, resource_seq, element) {
        company_seq -> BigInt, resource_type -> SmallInt, path -> Text, value_key -> Text,
        resource_seq -> BigInt, element -> SmallInt,
    }
}
diesel::table! {
    company_roles (user_seq) {
        user_seq -> BigInt, company_seq -> BigInt, role -> Text, permissions -> Text, updated_at -> BigInt,
    }
}
diesel::table! {
    organizations (seq) {
        seq -> BigInt, id -> Text, company_seq -> BigInt, slug -> Text, name -> Text, automatic_user_access -> Bool, default_role -> Text, created_at -> BigInt, updated_at -> BigInt, version -> BigInt,
    }
}
diesel::table! {
    organization_members (organization_seq, user_seq) {
        organization_seq -> BigInt, user_seq -> BigInt, company_seq -> BigInt, role -> Text, source -> Text, deactivated -> Bool, unmapped -> Bool, entered_at -> Nullable<BigInt>, status_changed_at -> BigInt, created_at -> BigInt, updated_at -> BigInt,
    }
}
diesel::table! {
    invitations (id) {
        id -> Text, company_seq -> BigInt, organization_seq -> BigInt, user_seq -> BigInt, email -> Text, role -> Text, teams -> Text, invited_by -> Text, created_at -> BigInt, sent_at -> BigInt, accepted_at -> Nullable<BigInt>, revoked_at -> Nullable<BigInt>,
    }
}
diesel::table! {
    teams (seq) {
        seq -> BigInt, id -> Text, company_seq -> BigInt, organization_seq -> BigInt, name -> Text, description -> Text, provider -> Text, group_seq -> Nullable<BigInt>, created_at -> BigInt, updated_at -> BigInt,
    }
}
diesel::table! {
    team_members (team_seq, user_seq, origin) {
        team_seq -> BigInt, user_seq -> BigInt, origin -> Text, organization_seq -> BigInt, company_seq -> BigInt, created_at -> BigInt,
    }
}
diesel::table! {
    team_syncs (user_seq, organization_seq) {
        user_seq -> BigInt, organization_seq -> BigInt, company_seq -> BigInt, cause -> Text, source -> Text, groups_seen -> Text, dropped -> Text, synced_at -> BigInt,
    }
}
diesel::table! {
    team_mappings (id) {
        id -> Text, company_seq -> BigInt, organization_seq -> BigInt, team_seq -> BigInt, group_name -> Text, group_seq -> Nullable<BigInt>, role -> Nullable<Text>, created_at -> BigInt,
    }
}
diesel::table! {
    group_filters (company_seq) {
        company_seq -> BigInt, allow -> Text, block -> Text, version -> BigInt, applied_version -> BigInt, updated_at -> BigInt,
    }
}
diesel::table! {
    claimed_groups (company_seq, name) {
        company_seq -> BigInt, name -> Text, last_seen_at -> BigInt,
    }
}
diesel::table! {
    user_claims (user_seq) {
        user_seq -> BigInt, company_seq -> BigInt, connection_seq -> BigInt, groups -> Nullable<Text>, overage -> Bool, observed_at -> BigInt,
    }
}
diesel::table! {
    departed (company_seq, digest) {
        company_seq -> BigInt, digest -> Text, departed_at -> BigInt,
    }
}
diesel::table! {
    connections (seq) {
        seq -> BigInt, id -> Text, company_seq -> BigInt, organization_seq -> Nullable<BigInt>, name -> Text, provider -> Text, protocol -> Text, state -> Text, document -> Text, created_at -> BigInt, activated_at -> Nullable<BigInt>, version -> BigInt, secret -> Nullable<Binary>, login_path -> Nullable<Text>, candidate -> Bool, deleted_at -> Nullable<BigInt>,
    }
}
diesel::table! {
    connection_logins (connection_seq) {
        connection_seq -> BigInt, company_seq -> BigInt, at -> BigInt, groups_claimed -> Bool,
    }
}
diesel::table! {
    sealing_keys (id) {
        id -> BigInt, wrapped -> Binary, created_at -> BigInt, retired_at -> Nullable<BigInt>,
    }
}
diesel::table! {
    domains (id) {
        id -> Text, company_seq -> BigInt, domain -> Text, token -> Text, strategy -> Text, verified_at -> Nullable<BigInt>, expires_at -> BigInt, attempts -> BigInt, last_checked_at -> Nullable<BigInt>, last_seen -> Text, block_social_login -> Bool, include_subdomains -> Bool, created_at -> BigInt, version -> BigInt,
    }
}
diesel::table! {
    identities (connection_seq, issuer, subject) {
        connection_seq -> BigInt, issuer -> Text, subject -> Text, company_seq -> BigInt, user_seq -> BigInt, linked_at -> BigInt, last_login_at -> BigInt,
    }
}
diesel::table! {
    sessions (id) {
        id -> Text, company_seq -> BigInt, user_seq -> BigInt, connection_seq -> Nullable<BigInt>, organization_seq -> Nullable<BigInt>, digest -> Binary, created_at -> BigInt, last_used_at -> BigInt, expires_at -> BigInt, ended_at -> Nullable<BigInt>, end_reason -> Nullable<Text>, idp_session -> Nullable<Text>, authenticated_at -> Nullable<BigInt>,
    }
}
diesel::table! {
    login_attempts (id) {
        id -> Text, reference -> Text, company_seq -> BigInt, connection_seq -> Nullable<BigInt>, document -> Text, state_digest -> Binary, browser_digest -> Binary, request_id -> Text, held -> Nullable<Text>, ticket_digest -> Nullable<Binary>, expires_at -> BigInt, consumed_at -> Nullable<BigInt>, outcome -> Nullable<Text>, code -> Nullable<Text>, email -> Nullable<Text>, report -> Nullable<Text>,
    }
}
diesel::table! {
    social_connections (id) {
        id -> Text, company_seq -> BigInt, name -> Text, label -> Text, kind -> Text, document -> Text, secret -> Nullable<Binary>, enabled -> Bool, created_at -> BigInt, updated_at -> BigInt, version -> BigInt,
    }
}
diesel::table! {
    api_keys (id) {
        id -> Text, company_seq -> Nullable<BigInt>, name -> Text, scopes -> Text, digest -> Binary, created_at -> BigInt, expires_at -> BigInt, revoked_at -> Nullable<BigInt>, last_used_at -> Nullable<BigInt>, last_used_ip -> Nullable<Text>,
    }
}
diesel::table! {
    jobs (seq) {
        seq -> BigInt, id -> Text, company_seq -> BigInt, kind -> Text, state -> Text, payload -> Text, place -> Text, done -> BigInt, total -> BigInt, error -> Nullable<Text>, attempts -> BigInt, leased_by -> Nullable<Text>, leased_until -> Nullable<BigInt>, created_at -> BigInt, finished_at -> Nullable<BigInt>,
    }
}
diesel::table! {
    events (seq) {
        seq -> BigInt, company_seq -> BigInt, id -> Text, at -> BigInt, action -> Text, actor -> Text, target -> Text, detail -> Text,
    }
}
diesel::table! {
    idempotency_keys (caller, key) {
        caller -> Text, key -> Text, fingerprint -> Binary, status -> BigInt, headers -> Text, body -> Text, created_at -> BigInt,
    }
}
diesel::table! {
    applications (id) {
        id -> Text, name -> Text, digest -> Nullable<Binary>, former_digest -> Nullable<Binary>, former_until -> Nullable<BigInt>, id_token_alg -> Text, backchannel_logout_uri -> Nullable<Text>, document -> Text, created_at -> BigInt, updated_at -> BigInt, version -> BigInt,
    }
}
diesel::table! {
    authorization_requests (id) {
        id -> Text, application_id -> Text, document -> Text, created_at -> BigInt,
    }
}
diesel::table! {
    oauth_grants (id) {
        id -> Text, company_seq -> BigInt, user_seq -> BigInt, session_id -> Text, application_id -> Text, document -> Text, code_digest -> Binary, code_until -> BigInt, family -> Nullable<Binary>, digest -> Nullable<Binary>, created_at -> BigInt,
    }
}
diesel::table! {
    signing_keys (algorithm, generation) {
        algorithm -> Text, generation -> BigInt, id -> Text, public_key -> Text, private_key -> Binary, active_from -> BigInt, created_at -> BigInt, company_seq -> BigInt,
    }
}
diesel::table! {
    logout_notices (seq) {
        seq -> BigInt, company_seq -> BigInt, application_id -> Text, session_id -> Text, user_id -> Text, attempts -> BigInt, due_at -> BigInt, created_at -> BigInt,
    }
}
diesel::table! {
    saml_keys (id) {
        id -> Text, company_seq -> BigInt, certificate -> Text, private_key -> Binary, created_at -> BigInt,
    }
}
diesel::table! {
    saml_assertions (connection_seq, id) {
        connection_seq -> BigInt, id -> Text, company_seq -> BigInt, remember_until -> BigInt,
    }
}
diesel::table! {
    saml_names (connection_seq, session) {
        connection_seq -> BigInt, session -> Text, company_seq -> BigInt, name -> Text, name_id -> Text, keep_until -> BigInt,
    }
}
diesel::allow_tables_to_appear_in_same_query!(companies, scim_tokens, users, groups, group_members);
