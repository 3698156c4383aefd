//! Which requirement has a test: docs/requirements.md, made from the names of the tests.
//!
//! A test that proves rows carries their numbers in front: `r064_automatic_access_is_off_by_default`.

use std::collections::BTreeMap;

use crate::house::{root, sources};

/// The rows, each in a few words.
const ROWS: [(u16, &str); 125] = [
    (28, "After success: set group filters (regex allow and block)"),
    (29, "Filter screen is a playground; never changes IdP groups"),
    (30, "Already-synced groups appear by default in the playground"),
    (31, "Patterns are saved even though groups are untouched (later page)"),
    (32, "Configured domains are displayed"),
    (33, "Social login blocking toggled per domain"),
    (34, "Blocked domain: user cannot finish a Google/GitHub sign-in"),
    (35, "Blocking off: social works"),
    (37, "Session settings: max session TTL in minutes"),
    (38, "Session settings: idle TTL in minutes"),
    (39, "Idle may not exceed max; positive integers"),
    (40, "TTLs apply to SSO users"),
    (42, "SSO config vs access settings level box"),
    (45, "Switching provider = delete then set up anew"),
    (46, "Deleting removes sign-in through it"),
    (48, "Okta setup includes SCIM only if the company is SCIM-enabled"),
    (50, "Manual creation flow still available"),
    (52, "SSO, SCIM, group filters live on the company"),
    (53, "One connection serves all organizations"),
    (54, "One IdP app registration for all"),
    (55, "Authenticate once, then switch without a new IdP round trip"),
    (56, "Access = permitted organizations only"),
    (57, "Each organization decides alone: automatic access or invitations"),
    (58, "Legacy per-organization connections still exist"),
    (59, "SCIM and group blocklists require company-level SSO"),
    (64, "Automatic user access off by default"),
    (65, "With it off and no invitation, an SSO user gets no access"),
    (66, "Turning it on requires account admin + plan"),
    (67, "Users who log in via SSO get the member role"),
    (68, "Automatic access never lowers or changes an existing role"),
    (69, "Automatic access applies to SSO logins only"),
    (70, "Turning automatic access off again"),
    (71, "Explicit invitation: Users & teams → Invite users, email + role"),
    (72, "Access is immediate upon invitation"),
    (73, "Invitation for an unknown user creates the user record"),
    (74, "Invite duplicates"),
    (75, "Teams sync at login for the organization authenticated into"),
    (76, "Switching organization triggers sync there"),
    (77, "SCIM events trigger sync"),
    (78, "Other organizations stay stale until switch/SCIM"),
    (79, "Teams are organization-scoped"),
    (80, "A user can be in different team states per organization"),
    (81, "Team is not synced into an organization the user cannot access"),
    (82, "Filters: allow and block regexes, test against synced groups"),
    (83, "Configuring filters needs account admin + plan + company-level SSO"),
    (84, "Allow ^port-. only syncs those"),
    (85, "Block ^admin-. excludes those"),
    (86, "Allow . + block ^temp-."),
    (87, "Both match → blocked wins"),
    (88, "Empty allow list = allow all; empty block = block none"),
    (89, "Filters are company-wide; no per-organization filters"),
    (90, "Invalid regex refused"),
    (91, "Filter change affects teams at next sync"),
    (92, "Roles are per organization"),
    (93, "'No access' is a legal state (Carol)"),
    (94, "Team-based permission pattern: permission follows IdP group change"),
    (95, "Built-in roles Admin, Moderator, Member"),
    (96, "Ownership patterns per organization type (guidance)"),
    (97, "SCIM works at company level"),
    (98, "SCIM users start as STAGED"),
    (99, "Become fully active after first SSO login"),
    (100, "Automatic-access organization: SCIM user appears only after the first"),
    (101, "Without automatic access: must be invited"),
    (102, "SCIM handles create, update, delete; organization access is separate"),
    (103, "SCIM needs company-level SSO"),
    (104, "Scenario 1: dev open, prod restricted"),
    (105, "Scenario 2: same app for both, filter to relevant teams"),
    (106, "Scenario 3: same team structure in both organizations"),
    (107, "Troubleshooting 1: can access dev but not prod"),
    (108, "Troubleshooting 2: teams not syncing to some organizations"),
    (109, "Troubleshooting 3: different roles needed per organization"),
    (110, "Troubleshooting 4: SCIM user not appearing"),
    (111, "Connect through an Okta app"),
    (112, "Okta groups become teams automatically at sign-in"),
    (114, "Single-Page (public client) supported"),
    (116, "Sign-in redirect URI is one fixed callback"),
    (119, "Needs Client ID + Okta Domain"),
    (123, "Initiate login URI"),
    (124, "Okta adds iss to the initiate call"),
    (125, "Connection name is given by the product"),
    (126, "Direct-access URL (same URL, bookmarkable)"),
    (127, "Groups optional: claim type Filter, name groups, Matches regex .*"),
    (128, "Regex narrows which groups Okta sends"),
    (132, "Product supplies SCIM endpoint and token"),
    (133, "Connector base URL"),
    (134, "Unique identifier field userName"),
    (135, "Provisioning actions: Push New Users, Push Profile Updates, Push"),
    (136, "Authentication mode HTTP Header, Authorization: <token>"),
    (137, "Test Connector Configuration"),
    (138, "To App: Create Users, Update User Attributes, Deactivate Users"),
    (139, "Benefit: unassigned user loses access automatically"),
    (152, "Connection scoped to its organization/company"),
    (153, "Once live, matching email domain signs in through the provider"),
    (157, "SSO by OIDC or SAML as an alternative to built-in authentication"),
    (158, "Mapping IdP groups to teams before enabling SSO is possible"),
    (159, "Users in mapped groups can log in"),
    (160, "User in no mapped group cannot (idp mapping on)"),
    (161, "First login auto-provisions the account with the relevant roles"),
    (162, "Existing non-admin users are mapped at their next login, not before"),
    (163, "Existing admin users are not remapped"),
    (164, "Admin can view all users"),
    (165, "Admin cannot edit team membership of IdP-managed users"),
    (166, "Manage by changing IdP groups or the mapping"),
    (167, "Removing a user from the group deactivates the account"),
    (168, "Moving group to group changes team"),
    (169, "Reassignment reactivates"),
    (172, "Unique organization login path, alphanumeric, no slash"),
    (173, "Advanced: scopes, openid cannot be removed"),
    (174, "Claim mappings name/email/groups to other claims"),
    (175, "name → full name, email → email, groups → team mapping"),
    (176, "Konnect Mapping (managed in product) vs IdP Mapping"),
    (177, "Each team maps to one group"),
    (178, "At least one group mapped to save"),
    (180, "SAML form: IdP metadata URL (+ XML, API) and login path"),
    (181, "After saving, SP entity id and login URL are generated for the IdP"),
    (183, "Test at /login/{path}: shows the IdP sign-in page"),
    (184, "More than 150 groups: IdP sends them in another shape"),
    (189, "One IdP app recommended; several are unnecessary"),
    (190, "'Trigger a SCIM sync' as remedy (S2)"),
    (191, "Deprovisioning order: SCIM delete while logged in"),
    (193, "Login started from the IdP dashboard tile *and* from the app"),
    (194, "SAML IdP-initiated: off by default, switchable"),
    (195, "Granular permissions by group"),
    (197, "'Exchange metadata': customer needs ours, we need theirs"),
    (198, "Users log in with IdP credentials only; no product password is"),
];

/// Hostile inputs whose surfaces are yet to come: links and sessions of setup, proofs by DNS, pages for markup,
/// webhooks.
const HOSTILE_TO_COME: [u16; 7] = [78, 79, 80, 81, 84, 86, 87];
/// The last hostile input.
const LAST_HOSTILE: u16 = 90;
/// Threats to signing in that have tests by their names: the letter, and the last of its numbers.
const THREATS: [(char, u16); 2] = [('o', 10), ('m', 10)];

/// The numbers behind a letter in the names of all tests: `f75_m9_what_would_cost_much_is_refused` has 75 for `f`.
fn numbers(letter: char) -> BTreeMap<u16, Vec<String>> {
    let name = regex::Regex::new(r"fn (\w+)\(").unwrap();
    let number = regex::Regex::new(&format!(r"(?:^|_){letter}(\d{{1,2}})_")).unwrap();
    let mut out: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for source in sources("tests/it") {
        for found in name.captures_iter(&source.code) {
            let mut rest = &found[1];
            // Two numbers in a row share the line between them.
            while let Some(hit) = number.captures(rest) {
                let end = hit.get(1).map_or(0, |digits| digits.end());
                out.entry(hit[1].parse().unwrap()).or_default().push(found[1].to_owned());
                rest = &rest[end..];
            }
        }
    }
    out
}

/// Every hostile input has a test with its number, or no surface yet.
#[test]
fn every_hostile_input_has_its_test() {
    let tests = numbers('f');
    let missing: Vec<u16> = (1..=LAST_HOSTILE)
        .filter(|row| !tests.contains_key(row) && !HOSTILE_TO_COME.contains(row))
        .collect();
    assert!(missing.is_empty(), "without a test: {missing:?}");
    let odd: Vec<(&u16, &Vec<String>)> = tests
        .iter()
        .filter(|(row, _)| **row > LAST_HOSTILE || HOSTILE_TO_COME.contains(row))
        .collect();
    assert!(odd.is_empty(), "no such input, or one that has come: {odd:?}");
}

/// So has every threat to a sign-in.
#[test]
fn every_threat_to_a_sign_in_has_its_test() {
    for (letter, last) in THREATS {
        let tests = numbers(letter);
        let missing: Vec<u16> = (1..=last).filter(|n| !tests.contains_key(n)).collect();
        assert!(missing.is_empty(), "{letter}: {missing:?}");
    }
}

/// The rows that a test proves: the numbers in front of its words, among those of other lists.
fn rows_of(name: &str) -> Vec<u16> {
    let label = |part: &str| -> Option<(bool, u16)> {
        let (list, number) = part.split_at_checked(1)?;
        Some((list == "r", number.parse().ok()?))
    };
    let labels = name.split('_').map_while(label);
    labels.filter(|(is_row, _)| *is_row).map(|(_, row)| row).collect()
}

/// The tests of each row, as `module::name`.
fn tests() -> BTreeMap<u16, Vec<String>> {
    let name = regex::Regex::new(r"fn ([a-z]\d+_\w+)\(").unwrap();
    let mut out: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for source in sources("tests/it") {
        for found in name.captures_iter(&source.code) {
            let module = source.modules().last().copied().unwrap_or_default();
            for row in rows_of(&found[1]) {
                out.entry(row).or_default().push(format!("{module}::{}", &found[1]));
            }
        }
    }
    out
}

#[test]
fn a_name_may_carry_several_rows() {
    assert_eq!(rows_of("f51_r116_a_state_belongs_to_its_connection"), [116]);
    assert_eq!(rows_of("r033_r034_r035_a_company_closes_this_way"), [33, 34, 35]);
    assert!(rows_of("two_tabs_use_r001_once").is_empty());
}

/// Compares a document that is made with what it would be now; writes it where
/// `STAGEDOOR_WRITE_DOCS` is set.
pub fn is_as_made(path: &str, made: &str) {
    let file = root().join(path);
    if std::env::var_os("STAGEDOOR_WRITE_DOCS").is_some() {
        std::fs::write(&file, made).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(there == made, "{path} is another now: run this test with STAGEDOOR_WRITE_DOCS=1");
}

#[test]
fn the_table_of_requirements_is_the_one_shown() {
    let tests = tests();
    let mut made = String::from(
        "# Which requirement holds\n\nMade from the names of the tests: do not edit. A row without a test is \
         yet to be built.\n\n| row | requirement | held by |\n| --- | --- | --- |\n",
    );
    for (row, about) in ROWS {
        let names: Vec<String> =
            tests.get(&row).into_iter().flatten().map(|name| format!("`{name}`")).collect();
        let names = if names.is_empty() { "none yet".to_owned() } else { names.join(", ") };
        made.push_str(&format!("| {row} | {about} | {names} |\n"));
    }
    is_as_made("docs/requirements.md", &made);
}

#[test]
fn every_test_of_a_row_names_one_that_is_there() {
    let unknown: Vec<u16> =
        tests().into_keys().filter(|row| !ROWS.iter().any(|(known, _)| known == row)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// The lifecycle as it is, from the function that decides it.
#[test]
fn the_table_of_the_lifecycle_is_the_one_shown() {
    let made = format!(
        "# The lifecycle of a user\n\nMade from the code: do not edit. A status follows from its causes and is \
         never stored; each column says what the status is after something happens, `·` where it stays.\n\n{}",
        stagedoor::domain::lifecycle::table()
    );
    is_as_made("docs/lifecycle.md", &made);
}

/// Who may do what as it is, from the function that decides it.
#[test]
fn the_table_of_authorization_is_the_one_shown() {
    let made = format!(
        "# Who may do what\n\nMade from the code: do not edit. Keys here have no scopes, which means all; a key \
         with scopes may what they name. People here have no permissions beside their role. What is \
         another company's answers 404.\n\n{}",
        stagedoor::domain::authorization::table()
    );
    is_as_made("docs/authorization.md", &made);
}
