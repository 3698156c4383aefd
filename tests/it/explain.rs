//! Explanations: that they agree with what logins and switches do, whatever the rules are, and that the command
//! says what the management API says.

use serde_json::{Value, json};

use crate::api::{Api, Who};
use crate::server::{TestServer, on_both_databases};
use crate::sign_on::{ACME, Idp, START, come, connection, person};

/// The explanation of a user's access to an organization of acme.
#[track_caller]
pub fn explain(api: &Api, user: &str, organization: &str, more: &str) -> Value {
    let query = format!("company=acme&user={user}&organization={organization}{more}");
    api.get(&format!("/explain/access?{query}")).expect(200).json
}

/// A list of texts in an explanation.
pub fn texts(of: &Value) -> Vec<&str> {
    of.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// How a user stands before anybody asks.
const STATUSES: [&str; 5] = ["staged", "active", "social", "off-by-idp", "off-by-admin"];
/// What row the user has in the organization.
const ROWS: [&str; 4] = ["none", "manual", "manual-off", "automatic"];
/// What the last login claimed.
const CLAIMS: [Option<&[&str]>; 3] = [None, Some(&[]), Some(&["A"])];

/// One of all combinations.
struct Case {
    name: String,
    who: Who,
    status: &'static str,
    session: Option<Api>,
    id: String,
}

/// Makes the user of a case; a login that leads nowhere in particular, as far as the status has one.
fn make(
    server: &TestServer,
    status: &'static str,
    row: &str,
    claim: Option<&[&str]>,
    at: &str,
) -> Case {
    let claimed = claim.map_or("absent".to_owned(), <[&str]>::concat);
    let name = format!("{status}-{row}-{claimed}-{at}");
    let id = server.acme().user(&name);
    let groups = claim.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    let who = Who { subject: id.clone(), groups, ..Who::new(&name) };
    let session = match status {
        "staged" => None,
        "social" => Some(server.log_in(&who.clone().by_social()).unwrap()),
        _ => Some(server.log_in(&who).unwrap()),
    };
    let admin = json!({"deactivated": true});
    match status {
        "off-by-idp" => {
            let off = json!([{"op": "replace", "path": "active", "value": false}]);
            server.acme().patch(&format!("/Users/{id}"), &off).expect(200);
        }
        "off-by-admin" => {
            let path = format!("/companies/acme/users/{id}");
            server.operator().patch(&path, &admin).expect(200);
        }
        _ => {}
    }
    if row != "none" {
        let source = if row == "automatic" { "automatic" } else { "manual" };
        let off = row == "manual-off";
        server.sql(&format!(
            "INSERT INTO organization_members (organization_seq, user_seq, company_seq, role, source, \
             deactivated, unmapped, status_changed_at, created_at, updated_at) \
             SELECT o.seq, u.seq, u.company_seq, 'member', '{source}', {off}, FALSE, 1, 1, 1 \
             FROM organizations o, users u WHERE o.slug = '{at}' AND u.id = '{id}' \
             ON CONFLICT (organization_seq, user_seq) DO UPDATE SET source = excluded.source, \
             deactivated = excluded.deactivated"
        ));
    }
    Case { name, who: who.to(at), status, session, id }
}

/// Whether a session gets to the organization and is alive there.
fn switches(session: &Api, organization: &str) -> bool {
    let switched = session.post("/session/switch", &json!({"organization": organization}));
    switched.status == 200 && session.get("/session").status == 200
}

/// Explains every case and then does it.
fn agree(server: &TestServer, mapping: bool) {
    let api = server.operator();
    api.organization("acme", "dev", &json!({"automatic_user_access": true}));
    api.organization("acme", "prod", &json!({}));
    let mut cases = Vec::new();
    for at in ["dev", "prod"] {
        for status in STATUSES {
            for row in ROWS {
                for claim in CLAIMS {
                    cases.push((at, make(server, status, row, claim, at)));
                }
            }
        }
    }
    if mapping {
        for (slug, group) in [("dev", "A"), ("prod", "B")] {
            let path = format!("/companies/acme/organizations/{slug}");
            let team = api.post(&format!("{path}/teams"), &json!({"name": "t"})).expect(201).id();
            let one = json!({"mappings": [{"group": group, "team_id": team}]});
            api.put(&format!("{path}/team-mappings"), &one).expect(200);
        }
        let on = json!({"idp_mapping_enabled": true});
        api.patch("/companies/acme/sso/auth-settings", &on).expect(200);
    }
    let mut allowed = 0;
    for (at, case) in &cases {
        let told = explain(&api, &case.id, at, "");
        let (may, reasons) = (told["verdict"] == "allowed", texts(&told["reasons"]));
        allowed += usize::from(may);
        let what = format!("{} at {at}: {told:#}", case.name);
        let fails: Vec<&Value> = told["trail"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|step| step["outcome"] == "fail")
            .collect();
        assert_eq!(fails.is_empty(), reasons.is_empty(), "{what}");
        // Of whom no login has said yet which groups they are in, a mapping has nothing to say either.
        let unheard = mapping && ["staged", "social"].contains(&case.status);
        if let Some(session) = &case.session
            && !(mapping && case.who.groups.is_none())
        {
            assert_eq!(switches(session, at), may, "switch, {what}");
        }
        if !unheard {
            // What a login mends is no reason for it to be refused.
            let mends = ["staged_first_login_required", "not_accessed_since_group_change"];
            let expected = may || reasons.iter().all(|reason| mends.contains(reason));
            let done = server.log_in(&case.who);
            assert_eq!(done.is_ok(), expected, "login: {done:?}, {what}");
            if let Err(refusal) = done {
                let code = refusal.split(':').next().unwrap();
                let same = reasons.contains(&code) || code == "organization_access_denied";
                assert!(same, "{refusal}, {what}");
            }
        }
    }
    assert!(allowed > 10 && allowed < cases.len() / 2, "{allowed} of {}", cases.len());
}

on_both_databases! {
    with crate::sign_on::LOOPBACK;

    /// The rule in SQL, the rule in Rust and the gates of a login say the same, in filter mode.
    fn it_says_what_logins_and_switches_do(server: &TestServer) {
        agree(server, false);
    }

    /// The same in mapping mode.
    fn it_says_what_logins_and_switches_do_by_mappings(server: &TestServer) {
        agree(server, true);
    }

    fn the_command_says_what_the_api_says(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "prod", &json!({}));
        let ada = server.acme().user("Ada@acme.example");
        let told = explain(&api, "ada%40ACME.example", "prod", "");
        assert_eq!((&told["user_id"], &told["verdict"]), (&json!(ada), &json!("denied")));
        let flags = ["explain", "acme", "--user", &ada, "--organization", "prod", "--format", "json"];
        let printed: Value = serde_json::from_str(&server.cli_ok(&flags)).unwrap();
        assert_eq!(printed, told);
    }

    /// Row 94: why a team is there, and why it is not; and a permission that no role there gives.
    fn a_team_and_a_permission_are_explained(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        api.put("/companies/acme/sso/group-filters", &json!({"block": ["^temp-"]})).expect(200);
        let ada = server.acme().user("ada");
        server.sign_in(&ada).unwrap();
        for name in ["deployers", "temp-1"] {
            server.acme().group(name, &[&ada]);
        }
        let about = |more: &str| {
            let told = explain(&api, &ada, "dev", more);
            (told["verdict"].as_str().unwrap().to_owned(), told["reason"].clone(), told)
        };
        let (verdict, reason, told) = about("&team=deployers");
        assert_eq!((verdict.as_str(), &reason), ("allowed", &Value::Null));
        assert_eq!(told["teams"].as_array().unwrap().len(), 1);
        assert_eq!(told["teams"][0]["verdict"], "synced");
        let (verdict, reason, told) = about("&team=temp-1");
        assert_eq!((verdict.as_str(), &reason), ("denied", &json!("blocked")));
        assert_eq!(told["fixes"][0]["id"], "change_group_filters");
        let (verdict, reason, _) = about("&team=nothing");
        assert_eq!((verdict.as_str(), &reason), ("denied", &json!("not_in_group")));
        let (verdict, reason, told) = about("&permission=org:teams:manage");
        assert_eq!((verdict.as_str(), &reason), ("denied", &json!("missing_permission")));
        let fix = &told["fixes"][0];
        let path = fix["path"].as_str().unwrap().strip_prefix("/api/v1").unwrap();
        api.send(fix["method"].as_str().unwrap(), path, &[], Some(&fix["body"])).expect(200);
        assert_eq!(about("&permission=org:teams:manage").0, "allowed");
    }

    /// Where the connection is the only way in, it and the domain of the address decide before all else; the
    /// calls that are named mend it.
    fn the_connection_and_the_domain_decide_first(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let idp = Idp::start();
        api.post(&format!("{ACME}/connection"), &connection(&idp)).expect(201);
        api.post(&format!("{ACME}/connection/activate"), &json!({"skip_test": true})).expect(200);
        server.acme().user("ada@acme.example");
        let comes = || come(server, &idp, START, &person("ada", &[]));
        let told = || explain(&api, "ada@acme.example", "dev", "");
        let mend = |told: &Value| {
            let fix = &told["fixes"][0];
            let path = fix["path"].as_str().unwrap().strip_prefix("/api/v1").unwrap();
            let mut body = fix["body"].clone();
            if fix["id"] == "activate_connection" {
                body["skip_test"] = json!(true);
            }
            api.send("POST", path, &[], Some(&body))
        };
        for (fix, status) in [("claim_domain", 201), ("verify_domain", 200)] {
            let told = told();
            assert_eq!((&told["verdict"], &told["reason"]), (&json!("denied"), &json!("email_outside_domains")));
            assert_eq!((&told["trail"][2]["outcome"], &told["fixes"][0]["id"]), (&json!("fail"), &json!(fix)));
            assert_eq!(comes().unwrap_err(), "email_outside_domains");
            mend(&told).expect(status);
        }
        let session = comes().unwrap();
        assert_eq!((&told()["verdict"], &told()["trail"][2]["outcome"]), (&json!("allowed"), &json!("pass")));
        api.post("/companies/acme/sso/connection/deactivate", &json!({})).expect(200);
        session.get("/session").problem(401, "session_ended");
        let off = told();
        assert_eq!((&off["reason"], &off["trail"][1]["outcome"]), (&json!("connection_inactive"), &json!("fail")));
        // A social connection of the operator is another way in, until the company closes it.
        let google = json!({"name": "google", "kind": "oidc", "client_id": "g", "client_secret": "x",
            "issuer": idp.issuer()});
        api.post("/social-connections", &google).expect(201);
        assert_eq!((&told()["verdict"], &told()["trail"][1]["outcome"]), (&json!("allowed"), &json!("n/a")));
        api.patch("/companies/acme/sso/auth-settings", &json!({"basic_auth_enabled": false})).expect(200);
        assert_eq!(told()["reason"], "connection_inactive");
        mend(&told()).expect(200);
        comes().unwrap();
        assert_eq!(told()["verdict"], "allowed");
        // One of the organization's own that is not on leaves the company's.
        let own = "/companies/acme/organizations/dev/sso/legacy-connection";
        api.post(own, &connection(&idp)).expect(201);
        assert_eq!((&told()["verdict"], &told()["trail"][1]["detail"]), (&json!("allowed"), &json!("acme is active")));
    }

    fn what_cannot_be_explained_is_said(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({}));
        server.acme().user("ada");
        let ask = |query: &str| api.get(&format!("/explain/access?{query}"));
        ask("user=ada&organization=dev").problem(404, "company_not_found");
        ask("company=none&user=ada&organization=dev").problem(404, "company_not_found");
        ask("company=acme&organization=dev").problem(422, "invalid_field");
        ask("company=acme&user=ada").problem(422, "invalid_field");
        ask("company=acme&user=eve&organization=dev").problem(404, "user_not_found");
        ask("company=acme&user=ada&organization=x").problem(404, "organization_not_found");
        ask("company=acme&user=ada&organization=dev&permission=x").problem(422, "invalid_field");
        ask("company=acme&user=ada&organization=dev&at=2026-01-01").problem(422, "invalid_field");
        let own = server.api(&["--name", "own", "--company", "acme"]);
        own.get("/explain/access?user=ada&organization=dev").expect(200);
        let scoped = ["--name", "s", "--company", "acme", "--scope", "company:scim:manage"];
        let other = server.api(&scoped);
        other.get("/explain/access?user=ada&organization=dev").problem(403, "missing_permission");
    }
}
