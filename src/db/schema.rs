//! The tables as Diesel knows them. Mirrors `migrations/`; holds no query.

diesel::table! { installation (name) { name -> Text, value -> Text, } }
diesel::table! {
    companies (seq) {
        seq -> BigInt, id -> Text, slug -> Text, name -> Text, plan -> Text,
        scim_enabled -> Bool, created_at -> BigInt,
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
    resource_counts (company_seq, resource_type, slot, lane) {
        company_seq -> BigInt, resource_type -> SmallInt, slot -> BigInt, lane -> SmallInt,
        total -> BigInt,
    }
}
diesel::table! {
    users (seq) {
        seq -> BigInt, company_seq -> BigInt, id -> Text, user_name_key -> Text,
        external_id -> Nullable<Text>, display_name_key -> Nullable<Text>,
        active -> Bool, admin_deactivated -> Bool, activated_at -> Nullable<BigInt>,
        created_at -> BigInt, last_modified -> BigInt, version -> BigInt, document -> Text,
        facts -> Text,
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
diesel::allow_tables_to_appear_in_same_query!(companies, scim_tokens, users, groups, group_members);
