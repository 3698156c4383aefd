//! The guide for companies with several organizations, told once more: its three scenarios and its four
//! troubleshooting cases, each from an empty company to its end. Logins are in process, all else over HTTP.

use serde_json::{Value, json};

use crate::api::{Api, Who};
use crate::company::Answer;
use crate::explain::{explain, texts};
use crate::house::root;
use crate::server::{TestServer, on_both_databases};
use crate::sign_on::verify;

/// A person of acme, who signs in with an address.
struct Person {
    id: String,
    email: String,
}

impl Person {
    /// Provisioned over SCIM.
    fn provisioned(server: &TestServer, name: &str) -> Self {
        own_the_domain(&server.operator());
        let email = format!("{name}@acme.example");
        Self { id: server.acme().user(&email), email }
    }

    /// Signs in, with these groups where there are any, and goes to an organization.
    fn signs_in(&self, server: &TestServer, to: &str, groups: &[&str]) -> Api {
        let groups = groups.iter().map(|name| (*name).to_owned()).collect();
        let who = Who { groups: Some(groups), ..Who::new(&self.email).to(to) };
        server.log_in(&who).unwrap()
    }
}

/// The addresses of these people are the company's own.
fn own_the_domain(api: &Api) {
    if api.get("/companies/acme/sso/domains").expect(200).data().is_empty() {
        verify(api, "acme", "acme.example");
    }
}

/// The organization switcher.
fn switch(session: &Api, to: &str) -> Answer {
    session.post("/session/switch", &json!({"organization": to}))
}

/// The names of the teams of a session where it works.
fn teams(session: &Api) -> Vec<String> {
    let shown = session.get("/session").expect(200);
    let teams = shown["teams"].as_array().unwrap().iter();
    teams.map(|team| team["name"].as_str().unwrap().to_owned()).collect()
}

/// The page `Users & teams`: id and role of those who are there.
fn members(api: &Api, organization: &str) -> Vec<(String, String)> {
    let path = format!("/companies/acme/organizations/{organization}/members");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let page = api.get(&path).expect(200);
    page.data().iter().map(|member| (text(&member["user_id"]), text(&member["role"]))).collect()
}

/// What `stagedoor explain` prints, with names where there were ids.
fn told(server: &TestServer, person: &Person, organization: &str) -> String {
    let api = server.operator();
    let flags = ["explain", "acme", "--user", &person.email, "--organization", organization];
    let company = api.get("/companies/acme").expect(200).id();
    let organization =
        api.get(&format!("/companies/acme/organizations/{organization}")).expect(200);
    let mut text = server.cli_ok(&flags);
    let slug = organization["slug"].as_str().unwrap().to_owned();
    for (id, name) in [(&person.id, "USER"), (&company, "ACME"), (&organization.id(), &slug)] {
        text = text.replace(id.as_str(), name);
    }
    // Columns are as wide as the ids were.
    let lines: Vec<String> = text.lines().map(cells).collect();
    lines.join("\n")
}

/// The cells of a line of a table.
fn cells(line: &str) -> String {
    let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
    cells.collect::<Vec<_>>().join(" | ")
}

const NOT_INVITED: &str = r#"
denied: automatic_access_disabled_and_not_invited

RULE | OUTCOME | DETAIL
company | pass | acme, plan enterprise
connection | pass | acme is active
domain | pass | acme.example is verified
scim_state | pass | the directory says active: true
status | pass | ACTIVE: signed_in
automatic_or_invited | fail | automatic access is off
role | n/a | none there
filters | n/a | teams are for those who may enter
mapping | n/a | groups become teams by their names
teams | n/a | teams are for those who may enter

FIX | METHOD | PATH | BODY | NEEDS PERMISSION
enable_automatic_access | PATCH | /api/v1/organizations/prod | {"automatic_user_access":true} | company:manage
invite | POST | /api/v1/organizations/prod/invitations | {"email":"ada@acme.example","role":"member"} | org:members:manage
"#;

const NOT_SYNCED: &str = r#"
allowed: not_accessed_since_group_change

RULE | OUTCOME | DETAIL
company | pass | acme, plan enterprise
connection | pass | acme is active
domain | pass | acme.example is verified
scim_state | pass | the directory says active: true
status | pass | ACTIVE: signed_in
automatic_or_invited | pass | automatic access is on
role | pass | member
filters | pass | 1 of 1 groups pass
mapping | n/a | groups become teams by their names
teams | fail | last synced by switch; the next sync adds 1 and ends 1

GROUP | TEAM | VERDICT | REASON
web | web | leaving | not_accessed_since_group_change
platform | platform | missing | not_accessed_since_group_change

FIX | METHOD | PATH | BODY | NEEDS PERMISSION
ask_user_to_switch | POST | /api/v1/session/switch | {"organization":"prod"} | -
trigger_scim_sync | POST | /api/v1/companies/ACME/scim/resync | - | company:scim:manage
"#;

const ANOTHER_ROLE: &str = r#"
allowed: roles_are_per_organization

RULE | OUTCOME | DETAIL
company | pass | acme, plan enterprise
connection | pass | acme is active
domain | pass | acme.example is verified
scim_state | n/a | an invitation made the user
status | pass | ACTIVE: signed_in
automatic_or_invited | pass | automatic access is off, comes by invitation
role | pass | member here, elsewhere admin
filters | pass | 0 of 0 groups pass
mapping | n/a | groups become teams by their names
teams | pass | as the groups say, never synced

FIX | METHOD | PATH | BODY | NEEDS PERMISSION
change_role | PATCH | /api/v1/organizations/prod/members/USER | {"role":"admin"} | org:settings:manage
"#;

const NEVER_SIGNED_IN: &str = r#"
denied: staged_first_login_required

RULE | OUTCOME | DETAIL
company | pass | acme, plan enterprise
connection | n/a | the company has none
domain | n/a | the address is checked where somebody signs in
scim_state | pass | the directory says active: true
status | fail | STAGED: staged_first_login_required
automatic_or_invited | pass | automatic access is on
role | n/a | none there
filters | n/a | no groups are known
mapping | n/a | groups become teams by their names
teams | n/a | teams are for those who may enter

FIX | METHOD | PATH | BODY | NEEDS PERMISSION
ask_user_to_sign_in | - | - | - | -
"#;

/// Makes the call that an explanation names.
fn mend(api: &Api, explanation: &Value, fix: &str) -> Answer {
    let fixes = explanation["fixes"].as_array().unwrap();
    let fix = fixes.iter().find(|known| known["id"] == fix).unwrap();
    let path = fix["path"].as_str().unwrap().strip_prefix("/api/v1").unwrap();
    let body = Some(&fix["body"]).filter(|body| !body.is_null());
    api.send(fix["method"].as_str().unwrap(), path, &[], body)
}

fn verdict(api: &Api, person: &Person, organization: &str) -> String {
    explain(api, &person.id, organization, "")["verdict"].as_str().unwrap().to_owned()
}

on_both_databases! {
    /// Scenario 1: all developers can access the development org, only selected users production.
    fn r104_scenario_1_dev_is_open_and_prod_restricted(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let prod = api.organization("acme", "prod", &json!({}));
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| Person::provisioned(server, name));
        let invitation = json!({"email": alice.email, "role": "member"});
        api.post(&format!("/organizations/{prod}/invitations"), &invitation).expect(201);
        for person in [&alice, &bob] {
            let session = person.signs_in(server, "dev", &[]);
            let selected = person.id == alice.id;
            assert_eq!(switch(&session, "prod").status, if selected { 200 } else { 403 });
        }
        // Carol was provisioned and has never signed in.
        for (person, dev, prod) in [(&alice, "allowed", "allowed"), (&bob, "allowed", "denied"), (&carol, "denied", "denied")] {
            assert_eq!((verdict(&api, person, "dev").as_str(), verdict(&api, person, "prod").as_str()), (dev, prod), "{}", person.email);
        }
    }

    /// Scenario 2: only platform teams see production: filters let no other group through.
    fn r105_scenario_2_only_relevant_teams_are_synced(server: &TestServer) {
        let api = server.operator();
        for slug in ["dev", "prod"] {
            api.organization("acme", slug, &json!({}));
        }
        let filters = json!({"allow": ["^platform-.*"], "block": []});
        api.put("/companies/acme/sso/group-filters", &filters).expect(200);
        let [pat, sam] = ["pat", "sam"].map(|name| Person::provisioned(server, name));
        for (person, slug) in [(&pat, "dev"), (&pat, "prod"), (&sam, "prod")] {
            let invitation = json!({"email": person.email, "role": "member"});
            api.post(&format!("/companies/acme/organizations/{slug}/invitations"), &invitation).expect(201);
        }
        let session = pat.signs_in(server, "dev", &["platform-core", "sales"]);
        switch(&session, "prod").expect(200);
        assert_eq!(teams(&session), ["platform-core"]);
        let other = sam.signs_in(server, "prod", &["sales"]);
        assert!(teams(&other).is_empty());
        let listed = api.get("/companies/acme/organizations/prod/teams").expect(200);
        let names: Vec<&Value> = listed.data().iter().map(|team| &team["name"]).collect();
        assert_eq!(names, ["platform-core"]);
        // Nobody has to guess why there is no team of sales.
        let why = explain(&api, &sam.id, "prod", "");
        let line = json!({"group": "sales", "team": null, "verdict": "dropped", "reason": "not_allowed"});
        assert_eq!((&why["verdict"], &why["teams"]), (&json!("allowed"), &json!([line])));
    }

    /// Scenario 3: identical team names in both organizations, each with its own id, members and roles.
    fn r106_scenario_3_the_same_team_structure_in_both(server: &TestServer) {
        let api = server.operator();
        for slug in ["dev", "prod"] {
            api.organization("acme", slug, &json!({"automatic_user_access": true}));
        }
        let [alice, bob] = ["alice", "bob"].map(|name| Person::provisioned(server, name));
        let session = alice.signs_in(server, "dev", &["platform"]);
        bob.signs_in(server, "dev", &["platform"]);
        let team = |slug: &str| {
            let all = api.get(&format!("/companies/acme/organizations/{slug}/teams")).expect(200);
            all.data().iter().find(|team| team["name"] == "platform").cloned()
        };
        assert!(team("prod").is_none(), "teams sync when somebody accesses the organization");
        switch(&session, "prod").expect(200);
        let (dev, prod) = (team("dev").unwrap(), team("prod").unwrap());
        assert_ne!(dev["id"], prod["id"]);
        assert_eq!((&dev["size"], &prod["size"]), (&json!(2), &json!(1)), "Bob was never in prod");
        // Different permissions in each: write in dev, read in prod.
        let role = json!({"role": "moderator"});
        api.patch(&format!("/companies/acme/organizations/dev/members/{}", alice.id), &role).expect(200);
        assert_eq!(members(&api, "dev")[0].1, "moderator");
        assert_eq!(members(&api, "prod")[0].1, "member");
    }

    /// User can access dev but not prod.
    fn r107_can_access_dev_but_not_prod(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        api.organization("acme", "prod", &json!({}));
        let ada = Person::provisioned(server, "ada");
        let session = ada.signs_in(server, "dev", &[]);
        switch(&session, "prod").problem(403, "organization_access_denied");
        assert_eq!(told(server, &ada, "prod"), NOT_INVITED.trim());
        let why = explain(&api, &ada.id, "prod", "");
        assert_eq!(texts(&why["reasons"]), ["automatic_access_disabled_and_not_invited"]);
        mend(&api, &why, "invite").expect(201);
        switch(&session, "prod").expect(200);
        let eve = Person::provisioned(server, "eve");
        let session = eve.signs_in(server, "dev", &[]);
        mend(&api, &why, "enable_automatic_access").expect(200);
        switch(&session, "prod").expect(200);
    }

    /// Teams not syncing to some organizations.
    fn r108_teams_do_not_sync_to_some_organizations(server: &TestServer) {
        let api = server.operator();
        for slug in ["dev", "prod"] {
            api.organization("acme", slug, &json!({"automatic_user_access": true}));
        }
        let ada = Person::provisioned(server, "ada");
        switch(&ada.signs_in(server, "dev", &["web"]), "prod").expect(200);
        let session = ada.signs_in(server, "dev", &["platform"]);
        assert_eq!(teams(&session), ["platform"]);
        assert_eq!(told(server, &ada, "prod"), NOT_SYNCED.trim());
        let why = explain(&api, &ada.id, "prod", "");
        let fixes: Vec<&Value> = why["fixes"].as_array().unwrap().iter().map(|fix| &fix["id"]).collect();
        assert_eq!(fixes, ["ask_user_to_switch", "trigger_scim_sync"]);
        mend(&api, &why, "trigger_scim_sync").expect(202);
        mend(&session, &why, "ask_user_to_switch").expect(200);
        assert_eq!(teams(&session), ["platform"]);
        assert_eq!(explain(&api, &ada.id, "prod", "")["reason"], Value::Null);
    }

    /// The same where the directory describes the groups: an invitation alone projects nothing.
    fn r108_a_resync_brings_what_an_invitation_did_not(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "prod", &json!({}));
        let ada = Person::provisioned(server, "ada");
        server.acme().group("platform", &[&ada.id]);
        let invitation = json!({"email": ada.email, "role": "member"});
        api.post("/companies/acme/organizations/prod/invitations", &invitation).expect(201);
        let why = explain(&api, &ada.id, "prod", "");
        assert_eq!((&why["verdict"], &why["reason"]), (&json!("allowed"), &json!("not_accessed_since_group_change")));
        assert_eq!(why["teams"][0]["verdict"], "missing");
        let job = mend(&api, &why, "trigger_scim_sync").expect(202);
        api.succeeded(&job["job"]);
        let now = explain(&api, &ada.id, "prod", "");
        assert_eq!((&now["reason"], &now["teams"][0]["verdict"]), (&Value::Null, &json!("synced")));
    }

    /// Different roles needed per organization.
    fn r109_different_roles_per_organization(server: &TestServer) {
        let api = server.operator();
        own_the_domain(&api);
        for (slug, role) in [("dev", "admin"), ("prod", "member")] {
            api.organization("acme", slug, &json!({}));
            let invitation = json!({"email": "alice@acme.example", "role": role});
            api.post(&format!("/companies/acme/organizations/{slug}/invitations"), &invitation).expect(201);
        }
        let found = explain(&api, "alice@acme.example", "prod", "");
        let alice = Person {
            id: found["user_id"].as_str().unwrap().to_owned(),
            email: "alice@acme.example".to_owned(),
        };
        alice.signs_in(server, "dev", &[]);
        assert_eq!(told(server, &alice, "prod"), ANOTHER_ROLE.trim());
        let why = explain(&api, &alice.id, "prod", "");
        assert_eq!((&why["verdict"], &why["reason"]), (&json!("allowed"), &json!("roles_are_per_organization")));
        mend(&api, &why, "change_role").expect(200);
        assert_eq!(explain(&api, &alice.id, "prod", "")["reason"], Value::Null);
    }

    /// SCIM user not appearing in organization.
    fn r110_a_scim_user_does_not_appear(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({"automatic_user_access": true}));
        let ada = Person::provisioned(server, "ada");
        assert!(members(&api, "dev").is_empty());
        assert_eq!(told(server, &ada, "dev"), NEVER_SIGNED_IN.trim());
        let why = explain(&api, &ada.id, "dev", "");
        assert_eq!(texts(&why["reasons"]), ["staged_first_login_required"]);
        // The remedy is the user's: the first login.
        ada.signs_in(server, "dev", &[]);
        assert_eq!(members(&api, "dev"), [(ada.id.clone(), "member".to_owned())]);
        assert_eq!(verdict(&api, &ada, "dev"), "allowed");
    }
}

/// Guidance, and no rule: each kind of organization has its pattern, and nothing here owns anything.
#[test]
fn r096_each_kind_of_organization_has_its_pattern() {
    let guide = std::fs::read_to_string(root().join("docs/organizations.md")).unwrap();
    for kind in ["development", "staging", "production"] {
        assert!(guide.contains(&format!("| {kind} | ")), "{kind}");
    }
    let document = stagedoor::http::management::openapi::describe();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(schema["properties"].get("owner").is_none(), "{name}");
    }
}
