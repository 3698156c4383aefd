//! Every recorded exchange of `conformance/` as a test of its own, on a server of its own.
//!
//! The flows are data; this module only names them. A new file in `conformance/` fails
//! [`every_file_is_a_test`] until it is named below.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::replay;
use crate::server::{Database, TestServer, unique};

/// Names the flows, folder by folder: a module a folder, a module a flow, a test a database.
macro_rules! flows {
    ($($folder:ident { $($flow:ident)* })*) => {
        /// `folder/flow` of every flow below.
        const NAMED: &[&str] = &[$($(concat!(stringify!($folder), "/", stringify!($flow))),*),*];

        $(mod $folder { $(
            mod $flow {
                #[test]
                fn on_sqlite() {
                    let flow = concat!(stringify!($folder), "/", stringify!($flow));
                    $crate::recorded::replayed(flow, $crate::server::Database::Sqlite);
                }

                #[test]
                fn on_postgres() {
                    let flow = concat!(stringify!($folder), "/", stringify!($flow));
                    $crate::recorded::replayed(flow, $crate::server::Database::Postgres);
                }
            }
        )* })*
    };
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

/// Replays one flow on a new server.
#[track_caller]
fn replayed(name: &str, database: Database) {
    let server = TestServer::start(database);
    replay_on(name, &server);
}

#[track_caller]
fn replay_on(name: &str, server: &TestServer) {
    let flow = replay::read(&folder().join(format!("{name}.json"))).unwrap();
    if let Err(why) = replay::run(&flow, &server.target(), &unique()) {
        panic!("{name} ({}, {}):\n{why}", flow.name, flow.source.join(", "));
    }
}

fn on_disk() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for suite in fs::read_dir(folder()).unwrap() {
        let suite = suite.unwrap().path();
        if !suite.is_dir() || suite.ends_with("schemas") {
            continue;
        }
        for file in fs::read_dir(&suite).unwrap() {
            let file = file.unwrap().path();
            let stem = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
            found.insert(format!("{}/{}", stem(&suite), stem(&file)));
        }
    }
    found
}

#[test]
fn every_file_is_a_test() {
    let named: BTreeSet<String> = NAMED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(named, on_disk());
}

#[test]
fn every_regression_row_has_a_flow() {
    for row in 1..=72 {
        let prefix = format!("regressions/row_{row:02}_");
        assert!(NAMED.iter().any(|name| name.starts_with(&prefix)), "{prefix}");
    }
}

/// Every file can be read, says where it is from, and has steps.
#[test]
fn every_file_is_documented() {
    for name in on_disk() {
        let flow = replay::read(&folder().join(format!("{name}.json"))).unwrap();
        assert!(!flow.source.is_empty(), "{name} names no source");
        assert!(!flow.description.is_empty(), "{name} has no description");
        assert!(!flow.steps.is_empty(), "{name} does nothing");
    }
}

/// A flow uses no variable that nothing before it has set.
#[test]
fn every_variable_is_set_before_it_is_used() {
    let variable = regex::Regex::new(r"\{\{(\w+)\}\}").unwrap();
    for name in on_disk() {
        let text = fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
        let flow: Value = serde_json::from_str(&text).unwrap();
        let mut known: BTreeSet<String> =
            ["unique", "base", "token", "index"].map(str::to_owned).into();
        for step in exchanges(&flow["steps"]) {
            for used in variable.captures_iter(&step.to_string()) {
                assert!(known.contains(&used[1]), "{name}, {}: {{{{{}}}}}", step["name"], &used[1]);
            }
            let captured = step["capture"].as_object().into_iter().flatten();
            known.extend(captured.map(|(variable, _)| variable.clone()));
        }
    }
}

/// Every exchange of a list of steps, those inside repetitions and parallels too.
fn exchanges(steps: &Value) -> Vec<&Value> {
    let mut found = Vec::new();
    for step in steps.as_array().into_iter().flatten() {
        match (step.get("steps"), step.get("parallel")) {
            (Some(inner), _) | (None, Some(inner)) => found.extend(exchanges(inner)),
            (None, None) => found.push(step),
        }
    }
    found
}

/// The flows leave each other alone: all of them pass twice on one server, one after the other.
#[test]
fn all_flows_pass_twice_on_one_server() {
    for database in [Database::Sqlite, Database::Postgres] {
        let server = TestServer::start(database);
        for _ in 0..2 {
            for name in NAMED {
                replay_on(name, &server);
            }
        }
    }
}

flows! {
    okta {
        test_connection
        import_users
        import_groups
        assign_user
        link_existing_user
        update_profile_by_put
        put_without_active
        deactivate_and_reactivate
        deactivate_by_put
        rehire
        duplicate_user
        password_sync
        change_user_name_by_put
        change_user_name_by_post
        bare_token
        spec_suite
        push_group
        push_group_now
        rename_group
        put_group
        unlink_group
        push_group_with_a_stranger
        entitlements_discovery
    }
    entra {
        test_connection
        schema_discovery
        match_users
        create_user
        create_user_old_example
        create_user_with_custom_extension
        update_user_default_dialect
        update_user_aadoptscim062020
        update_user_customappsso
        manager
        roles_single_assignment
        roles_as_json_text
        roles_complex
        roles_assertive
        disable_restore_delete
        create_group
        group_members_default_dialect
        group_members_aadoptscim062020
        group_rename
        group_membership_check
        delete_group
        provision_on_demand
        validator_add_attributes_verbose
        validator_create_user
        validator_disable_user
        validator_replace_and_multi_op
        validator_groups
    }
    onelogin {
        test_connection
        provision_user
        groups
    }
    jumpcloud {
        activate
        deactivate_instead_of_delete
        remove_member
    }
    pingfederate {
        user_by_put
        provision_disabled_user
        find_group_by_listing
        group_by_put
        group_by_patch
    }
    others {
        keycloak_update_user
        keycloak_whole_member_list
        keycloak_put_group_without_members
        authentik_service_provider_config
        authentik_group
        authentik_adopt_and_recreate
        rippling_match_by_external_id
        sailpoint_parallel_members
    }
    regressions {
        row_01_active_as_text
        row_02_capitalised_operations
        row_03_lower_case_add
        row_04_add_active
        row_05_reactivate
        row_06_active_without_path
        row_07_deactivation_is_stored
        row_08_deactivation_keeps_the_user
        row_09_post_of_an_inactive_user
        row_10_remove_members_by_value
        row_11_remove_member_by_value_path
        row_12_add_members_appends
        row_13_add_a_member_twice
        row_14_replace_members_with_nothing
        row_15_replace_members
        row_16_rename_keeps_members
        row_17_group_external_id
        row_18_members_without_type
        row_19_one_known_one_unknown_member
        row_20_parallel_member_patches
        row_21_a_group_of_more_than_a_hundred
        row_22_put_group_with_members
        row_23_null_in_members
        row_24_rename_to_a_name_in_use
        row_25_replace_of_an_entry_that_is_not_there
        row_26_add_to_a_value_path
        row_27_default_mappings
        row_28_value_path_on_phone_numbers
        row_29_dotted_keys
        row_30_urn_keys
        row_31_urn_path
        row_32_urn_path_with_a_dot
        row_33_extension_object_without_path
        row_34_custom_extension_keeps_its_urn
        row_35_manager_as_text
        row_36_post_with_manager_as_text
        row_37_manager_replaced_by_nothing
        row_38_manager_value_path
        row_39_manager_has_one_form
        row_40_primary_as_text
        row_41_value_path_on_primary
        row_42_role_as_json_text
        row_43_wrapped_single_value
        row_44_plain_text_value
        row_45_several_keys_in_a_value
        row_46_add_external_id
        row_47_filter_by_external_id
        row_48_filter_by_email
        row_49_filter_groups_by_name
        row_50_filter_without_a_match
        row_51_user_name_in_another_case
        row_52_user_name_as_sent
        row_53_filter_words_in_any_case
        row_54_unique_by_user_name_alone
        row_55_duplicate_post
        row_56_page_past_the_end
        row_57_paging
        row_58_excluded_members
        row_59_content_types
        row_60_reply_type
        row_61_accept
        row_62_no_user_agent
        row_63_bare_token
        row_64_empty_bearer
        row_65_random_password
        row_66_groups_in_a_user
        row_67_no_operations
        row_68_discovery_as_lists
        row_69_whole_service_provider_config
        row_70_unsupported_path
        row_71_user_groups_after_delete
        row_72_delete_group
    }
}
