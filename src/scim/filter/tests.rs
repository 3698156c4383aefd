//! Facts about filters, one a test.

use serde_json::{Value, json};

use super::*;
use crate::scim::ScimType;
use crate::scim::schema::{ENTERPRISE_URN, STATUS_URN, USER_URN, parse_extension};

const HR: &str = "urn:acme:params:scim:schemas:extension:hr:2.0:User";

pub(super) fn user() -> ResourceSchema {
    let hr = parse_extension(json!({"id": HR, "attributes": [
        {"name": "badge", "type": "string", "caseExact": true},
        {"name": "grade", "type": "integer"},
        {"name": "ratio", "type": "decimal"},
        {"name": "since", "type": "dateTime"},
        {"name": "tags", "type": "string", "multiValued": true},
        {"name": "pin", "type": "string", "returned": "never"},
        {"name": "puk", "type": "string", "mutability": "writeOnly"},
    ]}));
    ResourceSchema::user([std::sync::Arc::new(hr.unwrap())])
}

pub(super) fn kari() -> serde_json::Map<String, Value> {
    let kari = json!({
        "schemas": [USER_URN, ENTERPRISE_URN, HR],
        "id": "u-1",
        "externalId": "Kari",
        "userName": "Kari@Tern.example",
        "name": {"familyName": "Vik", "givenName": ""},
        "displayName": "Kari \"K\" Vik",
        "nickName": "",
        "active": true,
        "emails": [
            {"value": "kari@tern.example", "type": "work", "primary": true},
            {"value": "k@home.example", "type": "home"},
        ],
        "roles": [{"value": "Cook", "primary": false}],
        "groups": [{"value": "g-1", "display": "Harbour", "$ref": "https://x"}],
        "meta": {"resourceType": "User", "created": "2026-01-01T00:00:00.000000Z",
            "lastModified": "2026-02-01T00:00:00.000000Z"},
        ENTERPRISE_URN: {"employeeNumber": "4711", "manager": {"value": "u-9", "$ref": "https://y"}},
        HR: {"badge": "AbC", "grade": 7, "ratio": 0.5, "since": "2026-01-01T01:00:00+01:00",
            "tags": ["red", "blue"]},
    });
    kari.as_object().unwrap().clone()
}

/// Whether Kari is found.
fn finds(filter: &str) -> bool {
    let schema = user();
    let condition = compile(&schema, filter).unwrap_or_else(|e| panic!("{filter}: {e}"));
    matches(&schema, &condition, &kari())
}

fn refused(filter: &str) -> bool {
    match compile(&user(), filter) {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.scim_type, Some(ScimType::InvalidFilter));
            assert!(error.detail.len() < 200, "{}", error.detail);
            true
        }
    }
}

#[track_caller]
fn all_find(filters: &[&str]) {
    filters.iter().for_each(|f| assert!(finds(f), "{f}"));
}

#[track_caller]
fn none_finds(filters: &[&str]) {
    filters.iter().for_each(|f| assert!(!finds(f), "{f}"));
}

#[track_caller]
fn all_refused(filters: &[&str]) {
    filters.iter().for_each(|f| assert!(refused(f), "{f}"));
}

/// RFC 7643 §2.2 and rule 3: `userName` without case, `externalId` with it.
#[test]
fn values_follow_case_exact() {
    all_find(&[r#"userName eq "KARI@tern.EXAMPLE""#, r#"externalId eq "Kari""#]);
    none_finds(&[r#"externalId eq "kari""#]);
}

/// Row 53.
#[test]
fn names_and_operators_have_no_case() {
    all_find(&[r#"userNAME EQ "kari@tern.example""#, r#"USERNAME Sw "KARI" AND ACTIVE PR"#]);
}

/// RFC 7644 table 3.
#[test]
fn text_operators() {
    all_find(&[
        r#"userName sw "kari@""#,
        r#"userName ew ".example""#,
        r#"userName co "tern""#,
        r#"displayName co "\"k\"""#,
        r#"userName gt "kari""#,
        r#"userName le "kari@tern.example""#,
        r#"nickName co """#,
        r#"userName sw """#,
    ]);
    none_finds(&[r#"userName co "%""#, r#"userName lt "a""#, r#"title co """#]);
}

/// `ne` is the opposite of `eq`, for an absent attribute too.
#[test]
fn ne_is_not_eq() {
    all_find(&[r#"title ne "x""#, r#"emails.value ne "nobody""#]);
    none_finds(&[r#"emails.value ne "k@home.example""#, r#"userName ne "kari@tern.example""#]);
}

/// RFC 7644 table 3: `pr` wants a non-empty value.
#[test]
fn presence() {
    all_find(&[
        "userName pr",
        "emails pr",
        "name pr",
        "emails.primary pr",
        "meta pr",
        "schemas pr",
    ]);
    none_finds(&[
        "title pr",
        "nickName pr",
        "name.givenName pr",
        "addresses pr",
        "photos.value pr",
    ]);
}

#[test]
fn null_means_absent() {
    all_find(&["title eq null", "userName ne NULL", "name ne null"]);
    none_finds(&["title ne null", "userName eq null", "emails eq null"]);
    all_refused(&["title gt null", "title co null"]);
}

/// RFC 7643 §2.4: a complex attribute without a sub-attribute means its `value`.
#[test]
fn a_complex_attribute_compares_by_its_value() {
    let manager = format!(r#"{ENTERPRISE_URN}:manager eq "u-9""#);
    all_find(&[r#"emails eq "k@HOME.example""#, r#"groups eq "g-1""#, &manager]);
    all_refused(&[r#"name eq "Vik""#, r#"addresses co "x""#, r#"meta eq "x""#]);
}

/// Rule 4: Entra writes booleans as texts, in filters too.
#[test]
fn booleans_may_be_texts() {
    all_find(&[
        "active eq true",
        "active eq True",
        r#"active eq "True""#,
        "active ne FALSE",
        r#"roles[primary eq "False"]"#,
    ]);
    all_refused(&["active gt true", r#"active eq "yes""#, "active co true", "active eq 1"]);
}

/// RFC 7644 §3.4.2.2: a value path is about one element.
#[test]
fn a_value_path_is_about_one_element() {
    all_find(&[
        r#"emails[type eq "work" and value co "@tern"]"#,
        r#"emails[not (type eq "work")]"#,
        r#"emails[type eq "other" or primary eq true]"#,
        r#"emails.type eq "home" and emails.primary eq true"#,
    ]);
    none_finds(&[r#"emails[type eq "home" and primary eq true]"#]);
    all_refused(&[r#"emails[nope eq "x"]"#, r#"userName[value eq "x"]"#, r#"nope[value eq "x"]"#]);
}

/// Row 48: Entra's matching filter.
#[test]
fn a_sub_attribute_behind_a_value_path() {
    all_find(&[
        r#"emails[type eq "work"].value eq "kari@tern.example""#,
        r#"emails[type eq "x" or type eq "home"].value sw "k@" and active eq true"#,
        r#"emails[type eq "work"].value pr"#,
        r#"(emails[type eq "home"].value pr)"#,
    ]);
    none_finds(&[r#"emails[type eq "home"].value eq "kari@tern.example""#]);
    all_refused(&[
        r#"emails[type eq "work"].value"#,
        r#"emails[type eq "work"].value eq"#,
        r#"emails[type eq "work"].nope eq "x""#,
        r#"emails[type eq "work"]value eq "x""#,
    ]);
}

#[test]
fn a_single_complex_value_may_have_brackets() {
    all_find(&[r#"name[familyName eq "vik"]"#, r#"meta[resourceType eq "User"]"#]);
    none_finds(&[r#"name[familyName eq "x"]"#, r#"name[not (familyName eq "Vik")]"#]);
}

/// RFC 7644 §3.10: names with their schema's URN; older Entra jobs put a dot behind it (row 32).
#[test]
fn names_with_a_urn() {
    all_find(&[
        &format!(r#"{ENTERPRISE_URN}:employeeNumber eq "4711""#),
        &format!(r#"{ENTERPRISE_URN}.employeeNumber eq "4711""#),
        &format!(r#"{USER_URN}:userName sw "kari""#),
        &format!(r#"{USER_URN}:emails[type eq "work"]"#),
        &format!(r#"{ENTERPRISE_URN}:manager.value eq "u-9""#),
        &format!(r#"{}:BADGE eq "AbC""#, HR.to_uppercase()),
    ]);
    all_refused(&[r#"urn:x:y:2.0:User:a eq "1""#, "urn:x:y:2.0:User pr"]);
}

#[test]
fn a_whole_extension_is_present_or_not() {
    all_find(&[
        &format!("{ENTERPRISE_URN} pr"),
        &format!("{USER_URN} pr"),
        "urn:stagedoor:params:scim:schemas:extension:2.0:User pr",
    ]);
    all_refused(&[&format!(r#"{ENTERPRISE_URN} eq "x""#)]);
}

#[test]
fn schemas_compare_as_urns() {
    let of = |urn: &str| format!(r#"schemas eq "{urn}""#);
    assert_eq!(compile(&user(), &of(USER_URN)).unwrap(), Condition::And(vec![]));
    all_find(&[&of(&ENTERPRISE_URN.to_uppercase()), &of(STATUS_URN), r#"schemas ne "urn:x""#]);
    none_finds(&[&of("urn:x"), &format!(r#"schemas ne "{USER_URN}""#)]);
    all_refused(&[r#"schemas co "urn""#, "schemas eq 1"]);
    let group = ResourceSchema::group([]);
    assert!(matches!(compile(&group, &of(STATUS_URN)).unwrap(), Condition::Compare { .. }));
}

#[test]
fn the_resource_type_is_a_constant() {
    let constant = |text: &str| compile(&user(), text).unwrap();
    assert_eq!(constant(r#"meta.resourceType eq "User""#), Condition::And(vec![]));
    assert_eq!(constant(r#"meta.resourceType ne "User""#), Condition::Or(vec![]));
    assert_eq!(constant(r#"meta.resourceType eq "Group""#), Condition::Or(vec![]));
    assert_eq!(constant(r#"meta.resourceType sw "U""#), Condition::And(vec![]));
    assert_eq!(constant("meta.resourceType pr"), Condition::And(vec![]));
    assert_eq!(constant("meta.resourceType eq null"), Condition::Or(vec![]));
}

/// RFC 7643 §2.3.5: times compare as moments, not as texts.
#[test]
fn times_compare_as_moments() {
    all_find(&[
        &format!(r#"{HR}:since eq "2026-01-01T00:00:00Z""#),
        r#"meta.created lt "2026-01-01T01:00:00-01:00""#,
        r#"meta.lastModified ge "2026-02-01T00:00:00Z""#,
    ]);
    all_refused(&[
        r#"meta.created gt "yesterday""#,
        r#"meta.created co "2026""#,
        "meta.created gt 5",
    ]);
}

#[test]
fn numbers_compare_as_numbers() {
    all_find(&[
        &format!("{HR}:grade gt -8"),
        &format!("{HR}:grade le 7"),
        &format!("{HR}:ratio lt 5e-1 or {HR}:ratio eq 0.5"),
    ]);
    none_finds(&[&format!("{HR}:grade gt 10")]);
    all_refused(&[&format!(r#"{HR}:grade eq "7""#), "userName eq 5", &format!("{HR}:grade co 7")]);
}

#[test]
fn a_list_of_simple_values_has_any_of_them() {
    all_find(&[&format!(r#"{HR}:tags eq "BLUE""#), &format!("{HR}:tags pr")]);
    none_finds(&[&format!(r#"{HR}:tags eq "green""#)]);
    all_refused(&[&format!(r#"{HR}:tags[value eq "red"]"#)]);
}

/// Security (f) row 26 and S23: nothing hidden can be guessed at.
#[test]
fn hidden_attributes_cannot_be_asked() {
    all_refused(&[
        r#"password sw "a""#,
        "password pr",
        &format!(r#"{HR}:pin sw "1""#),
        &format!("{HR}:pin pr"),
        &format!("{HR}:puk pr"),
        r#"meta.location co "x""#,
        r#"meta.version pr"#,
        r#"groups.$ref pr"#,
        r#"groups[$ref pr]"#,
        r#"nope eq "x""#,
        r#"userName.value eq "x""#,
        r#"emails.value.x eq "x""#,
    ]);
    let group = ResourceSchema::group([]);
    assert!(compile(&group, r#"members.$REF eq "x""#).is_err());
    assert!(compile(&group, r#"members[value eq "u" and type eq "User"]"#).is_ok());
}

/// RFC 7643 §2.4 names `$ref`, the grammar of RFC 7644 does not.
#[test]
fn a_ref_may_be_asked_where_it_is_stored() {
    all_find(&[&format!(r#"{ENTERPRISE_URN}:manager.$ref eq "https://y""#)]);
    none_finds(&[r#"userName eq "$ref""#]);
}

/// RFC 7644 figure 1 writes `not` without a blank.
#[test]
fn not_needs_no_blank() {
    all_find(&[
        "not(title pr)",
        "not (title pr)",
        "NOT   (title pr)",
        "active pr and not(title pr)",
    ]);
    none_finds(&["not(not(title pr))", r#"userName eq "not(""#]);
}

/// Entra's tutorial prints an operand without quotes.
#[test]
fn a_bare_word_is_a_text() {
    all_find(&["externalId eq Kari", "(userName eq kari@tern.example)", "emails[type eq work]"]);
    all_refused(&["externalId eq and", "externalId eq 'Kari'", "externalId eq Kari Vik"]);
}

/// Precedence: `not`, then `and`, then `or`.
#[test]
fn and_binds_tighter_than_or() {
    all_find(&[r#"active eq true or title pr and title eq "x""#]);
    none_finds(&[r#"(active eq true or title pr) and title eq "x""#]);
}

/// Security (f) row 23.
#[test]
fn malformed_filters_are_refused() {
    all_refused(&[
        "",
        "  ",
        "userName",
        r#"userName eq "x"#,
        r#"userName xx "x""#,
        r#"userName eq "x" and"#,
        r#"((userName pr)"#,
        r#"emails[[type pr]]"#,
        r#"emails[type pr"#,
        r#"emails[type pr]]"#,
        r#"emails[phoneNumbers[type pr]]"#,
        "))))",
        r#"userName eq "a" "b""#,
        r#"userName eq "\x""#,
        "🦀 eq 1",
    ]);
}

/// Security (f) row 27.
#[test]
fn control_characters_are_refused() {
    all_refused(&[r#"userName eq "\u0000""#, "userName eq \"\0\"", r#"emails[type eq "\u001b"]"#]);
    assert!(!refused(r#"displayName eq "a\tb\r\n""#));
}

/// Security (c) and (f) row 22: counted before a tree exists.
#[test]
fn depth_is_limited() {
    let nested = |n: usize| format!("{}title pr{}", "(".repeat(n), ")".repeat(n));
    assert!(!refused(&nested(MAX_DEPTH)));
    assert!(refused(&nested(MAX_DEPTH + 1)));
    let negated = |n: usize| format!("{}title pr{}", "not (".repeat(n), ")".repeat(n));
    assert!(!refused(&negated(MAX_DEPTH / 2)));
    assert!(refused(&negated(MAX_DEPTH / 2 + 1)));
    assert!(refused(&format!("emails{}", "[".repeat(30))));
    assert!(refused(&format!("{}?", "not (".repeat(1_000))));
    assert!(!refused(&format!(r#"title eq "{}""#, "([".repeat(100))));
}

/// Security (c).
#[test]
fn length_and_terms_are_limited() {
    let text = |n: usize| format!(r#"title eq "{}""#, "x".repeat(n - r#"title eq """#.len()));
    assert!(!refused(&text(MAX_BYTES)));
    assert!(refused(&text(MAX_BYTES + 1)));
    let terms = |n: usize| vec!["title pr"; n].join(" or ");
    assert!(!refused(&terms(MAX_TERMS)));
    assert!(refused(&terms(MAX_TERMS + 1)));
    let inner = format!("emails[{}]", vec!["type pr"; MAX_TERMS + 1].join(" or "));
    assert!(refused(&inner));
}

#[test]
fn a_megabyte_is_refused_at_once() {
    for piece in
        ["(", "[", "\"", "\\", " ", "not (", "a.", "title pr or ", "emails[type pr].value "]
    {
        assert!(refused(&piece.repeat(1_000_000 / piece.len())), "{piece}");
    }
}
