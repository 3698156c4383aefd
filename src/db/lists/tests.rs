//! Which indexes the pages use, as SQLite itself tells.

use diesel::sqlite::Sqlite;

use super::*;
use crate::db::{DatabaseUrl, Purpose, migrate, open};
use crate::scim::filter::compile;

#[derive(diesel::QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// How SQLite goes about a page of a new database's users.
fn plan(filter: Option<&str>, sort: Option<Sort>, from: From) -> Vec<String> {
    plan_of(&ResourceSchema::user([]), filter, sort, from)
}

fn plan_of(
    schema: &ResourceSchema,
    filter: Option<&str>,
    sort: Option<Sort>,
    from: From,
) -> Vec<String> {
    let files = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(files.path().join("plan.db"));
    let mut conn = open(&url, Purpose::Write).unwrap();
    migrate(&mut conn).unwrap();
    let condition = filter.map(|text| compile(schema, text).unwrap());
    let query = Query {
        company: CompanySeq(1),
        schema,
        condition: condition.as_ref(),
        sort,
        from,
        limit: 100,
    };
    let (columns, table) = match schema.resource_type {
        ResourceType::User => (users::COLUMNS, "users"),
        ResourceType::Group => (groups::COLUMNS, "groups"),
    };
    let statement = query.select(Dialect::of(&conn), columns, table).rows::<BigInt>();
    let text = diesel::debug_query::<Sqlite, _>(&statement).to_string();
    let (sql, _) = text.split_once(" -- binds:").unwrap();
    let DbConn::Sqlite(lite) = &mut conn else { unreachable!("the plan is SQLite's") };
    let steps: Vec<Step> =
        diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(lite).unwrap();
    steps.into_iter().map(|step| step.detail).collect()
}

fn assert_uses(steps: &[String], index: &str) {
    assert!(steps.iter().any(|s| s.contains(index)), "{index}: {steps:?}");
    // The elements of one resource's own list are no table.
    let scans = steps.iter().any(|s| s.starts_with("SCAN") && !s.contains("VIRTUAL TABLE"));
    assert!(!scans, "{steps:?}");
    assert!(!steps.iter().any(|s| s.contains("TEMP B-TREE")), "{steps:?}");
}

#[test]
fn the_common_filters_use_an_index() {
    for (filter, index) in [
        ("id eq \"x\"", "users_by_id (company_seq=? AND id=?)"),
        ("userName eq \"x\"", "users_by_user_name (company_seq=? AND user_name_key=?)"),
        ("externalId eq \"x\"", "users_by_external_id (company_seq=? AND external_id=?)"),
    ] {
        assert_uses(&plan(Some(filter), None, From::Offset(0)), index);
    }
    // Several rows may fit, and these few are put in order.
    for (filter, index) in [
        ("displayName eq \"x\"", "users_by_display_name (company_seq=? AND display_name_key=?)"),
        (
            "userName sw \"x\"",
            "users_by_user_name (company_seq=? AND user_name_key>? AND user_name_key<?)",
        ),
        (
            "emails.value eq \"x\"",
            "v USING PRIMARY KEY (company_seq=? AND resource_type=? AND path=? AND value_key=?)",
        ),
        (
            "emails[type eq \"work\" and value eq \"x\"]",
            "v USING PRIMARY KEY (company_seq=? AND resource_type=? AND path=? AND value_key=?)",
        ),
    ] {
        let steps = plan(Some(filter), None, From::Offset(0));
        let steps: Vec<String> =
            steps.into_iter().filter(|s| !s.contains("TEMP B-TREE FOR ORDER BY")).collect();
        assert_uses(&steps, index);
    }
}

/// Every attribute that is promised an index; `plans` in `tests/it` asks PostgreSQL the same.
#[test]
fn every_promised_filter_uses_an_index() {
    let (users, groups) = (ResourceSchema::user([]), ResourceSchema::group([]));
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let values = "(company_seq=? AND resource_type=? AND path=? AND value_key";
    let mut promised = vec![
        (&users, "active eq false".to_owned(), "users_by_active (company_seq=? AND active=?)"),
        (&users, "groups.value eq \"x\"".to_owned(), "groups_by_id (company_seq=? AND id=?)"),
        (&groups, "id eq \"x\"".to_owned(), "groups_by_id (company_seq=? AND id=?)"),
        (&groups, "displayName sw \"x\"".to_owned(), "groups_by_display_name (company_seq=? AND"),
        (&groups, "externalId eq \"x\"".to_owned(), "groups_by_external_id (company_seq=? AND"),
        (&groups, "members.value eq \"x\"".to_owned(), "users_by_id (company_seq=? AND id=?)"),
    ];
    for name in ["familyName", "givenName", "middleName", "formatted"] {
        promised.push((&users, format!("name.{name} eq \"x\""), values));
        promised.push((&users, format!("name.{name} sw \"x\""), values));
    }
    for name in ["employeeNumber", "costCenter", "organization", "division", "department"] {
        promised.push((&users, format!("{enterprise}:{name} eq \"x\""), values));
    }
    promised.push((&users, format!("{enterprise}:manager.value eq \"x\""), values));
    for (schema, filter, index) in promised {
        let steps = plan_of(schema, Some(&filter), None, From::Offset(0));
        let steps: Vec<String> =
            steps.into_iter().filter(|s| !s.contains("TEMP B-TREE FOR ORDER BY")).collect();
        assert!(steps.iter().any(|s| s.contains(index)), "{filter}: {steps:?}");
        // A set that a part of the plan has made itself, such as the groups below one, is no table.
        let scans = |s: &&String| s.starts_with("SCAN") && !s.contains("below");
        assert_eq!(steps.iter().find(scans), None, "{filter}: {steps:?}");
    }
}

#[test]
fn a_list_in_order_is_read_from_its_index() {
    assert_uses(&plan(None, None, From::Offset(0)), "users_in_order (company_seq=?)");
    let next = plan(None, None, From::After(7, None));
    assert_uses(&next, "users_in_order (company_seq=? AND seq>?)");
}
