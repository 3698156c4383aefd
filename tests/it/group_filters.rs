//! Group filters: patterns, the playground, the impact, and the job that applies them.

use serde_json::{Value, json};

use crate::api::Api;
use crate::company::Answer;
use crate::server::{TestServer, on_both_databases};

const FILTERS: &str = "/companies/acme/sso/group-filters";

fn preview(api: &Api, body: &Value) -> Answer {
    api.post(&format!("{FILTERS}/preview"), body).expect(200)
}

/// The verdict on each of these groups.
fn verdicts(api: &Api, allow: &[&str], block: &[&str], groups: &[&str]) -> Vec<String> {
    let body = json!({"allow": allow, "block": block, "groups": groups});
    let preview = preview(api, &body);
    assert_eq!(preview["source"], "supplied");
    let results = preview["results"].as_array().unwrap();
    let named: Vec<&str> = results.iter().map(|r| r["group"].as_str().unwrap()).collect();
    assert_eq!(named, groups);
    results.iter().map(|r| r["verdict"].as_str().unwrap().to_owned()).collect()
}

/// Those of these groups that give a team.
fn allowed(server: &TestServer, allow: &[&str], block: &[&str], groups: &[&str]) -> Vec<String> {
    let verdicts = verdicts(&server.operator(), allow, block, groups);
    let through = groups.iter().zip(verdicts).filter(|(_, verdict)| verdict == "allowed");
    through.map(|(group, _)| (*group).to_owned()).collect()
}

/// What becomes of the teams of each group that was seen.
fn teams(preview: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let results = preview["results"].as_array().unwrap();
    results.iter().map(|r| (text(&r["group"]), text(&r["teams"]))).collect()
}

/// A team that claims made, with these members, in an organization.
fn claimed_team(server: &TestServer, organization: &str, name: &str, members: &[&str]) {
    server.sql(&format!(
        "INSERT INTO teams (id, company_seq, organization_seq, name, description, provider, created_at, \
         updated_at) SELECT 'team {organization} {name}', o.company_seq, o.seq, '{name}', '', 'sso', 1, 1 \
         FROM organizations o WHERE o.slug = '{organization}'"
    ));
    for user in members {
        server.sql(&format!(
            "INSERT INTO team_members (team_seq, user_seq, origin, organization_seq, company_seq, created_at) \
             SELECT t.seq, u.seq, 'sso', t.organization_seq, t.company_seq, 1 FROM teams t, users u \
             WHERE t.id = 'team {organization} {name}' AND u.id = '{user}'"
        ));
    }
}

/// Someone who is a member of the organization by hand.
fn member(server: &TestServer, organization: &str, user: &str) {
    server.sql(&format!(
        "INSERT INTO organization_members (organization_seq, user_seq, company_seq, role, source, \
         deactivated, unmapped, status_changed_at, created_at, updated_at) \
         SELECT o.seq, u.seq, u.company_seq, 'member', 'manual', FALSE, FALSE, 1, 1, 1 \
         FROM organizations o, users u WHERE o.slug = '{organization}' AND u.id = '{user}'"
    ));
}

fn legacy_connection(server: &TestServer) {
    server.sql(
        "INSERT INTO connections (id, company_seq, organization_seq, name, provider, protocol, state, \
         document, created_at, version) SELECT 'c', o.company_seq, o.seq, 'legacy', 'okta', 'oidc', \
         'active', '{}', 1, 1 FROM organizations o WHERE o.slug = 'dev'",
    );
}

on_both_databases! {
    fn r028_filters_are_set_and_applied_by_a_job(server: &TestServer) {
        let api = server.operator();
        server.acme().user("ada");
        let none = api.get(FILTERS).expect(200);
        assert_eq!((&none["allow"], &none["block"]), (&json!([]), &json!([])));
        assert_eq!((&none["version"], &none["case_sensitive"]), (&json!(0), &json!(true)));
        let set = json!({"allow": ["^port-.*"], "block": ["^admin-.*"]});
        let put = api.put(FILTERS, &set).expect(200);
        assert_eq!((&put["version"], put.header("etag")), (&json!(1), Some("\"1\"")));
        assert_eq!(put["job"]["kind"], "group_filters");
        api.succeeded(&put["job"]);
        assert_eq!(api.get(FILTERS).expect(200)["applied_version"], 1);
        // What changes nothing begins nothing.
        let again = api.put(FILTERS, &set).expect(200);
        assert_eq!((&again["version"], &again["job"]), (&json!(1), &Value::Null));
        let event = &api.get("/companies/acme/audit-events").expect(200).json["data"];
        let event = event.as_array().unwrap().iter().find(|e| e["action"] == "group_filters.changed");
        assert_eq!(event.unwrap()["detail"]["after"], set);
    }

    fn r029_the_playground_changes_nothing(server: &TestServer) {
        let api = server.operator();
        server.acme().group("ops", &[]);
        let before = (api.get(FILTERS).expect(200).json, api.get("/companies/acme/audit-events").json);
        let tried = preview(&api, &json!({"allow": ["x"], "block": ["y"]}));
        assert_eq!(tried["results"][0]["verdict"], "not_allowed");
        let after = (api.get(FILTERS).expect(200).json, api.get("/companies/acme/audit-events").json);
        assert_eq!(before, after);
        assert_eq!(api.get("/companies/acme/jobs").expect(200).data().len(), 0);
    }

    fn r030_groups_that_were_seen_are_tried_by_default(server: &TestServer) {
        let api = server.operator();
        server.acme().group("ops", &[]);
        for name in ["claimed", "ops"] {
            server.sql(&format!(
                "INSERT INTO claimed_groups (company_seq, name, last_seen_at) SELECT seq, '{name}', 1 FROM \
                 companies WHERE slug = 'acme'"
            ));
        }
        let tried = preview(&api, &json!({}));
        assert_eq!(tried["source"], "synced");
        let named: Vec<&Value> =
            tried["results"].as_array().unwrap().iter().map(|r| &r["group"]).collect();
        assert_eq!(named, ["ops", "claimed"]);
        api.put(FILTERS, &json!({"block": ["^c"]})).expect(200);
        // The stored patterns are the ones that are tried where the body has none.
        let tried = preview(&api, &json!({}));
        assert_eq!(tried["results"][1]["verdict"], "blocked");
        assert_eq!(tried["results"][1]["matched_block"], "^c");
    }

    fn r031_patterns_are_kept_and_teams_are_listed_as_going(server: &TestServer) {
        let api = server.operator();
        let ada = server.acme().user("ada");
        api.organization("acme", "dev", &json!({}));
        server.acme().group("admin-x", &[]);
        server.acme().group("ops", &[]);
        claimed_team(server, "dev", "admin-x", &[&ada]);
        claimed_team(server, "dev", "ops", &[&ada]);
        let patterns = json!({"allow": ["(?i)^OPS$", "x"], "block": ["^admin-.*"]});
        let going = preview(&api, &patterns);
        let named = |name: &str, what: &str| (name.to_owned(), what.to_owned());
        let wanted = [named("admin-x", "would_be_removed"), named("ops", "would_be_kept")];
        assert_eq!(teams(&going), wanted);
        let put = api.put(FILTERS, &patterns).expect(200);
        let stored = api.get(FILTERS).expect(200);
        assert_eq!((&stored["allow"], &stored["block"]), (&patterns["allow"], &patterns["block"]));
        api.succeeded(&put["job"]);
        let groups = api.get("/companies/acme/groups").expect(200);
        let verdict = |name: &str| groups.data().iter().find(|g| g["name"] == name).unwrap()["verdict"].clone();
        assert_eq!((verdict("admin-x"), verdict("ops")), (json!("blocked"), json!("allowed")));
        // A group that is filtered out stays in the directory.
        assert_eq!(server.acme().get("/Groups").expect(200).total(), 2);
    }

    fn r052_filters_are_the_companys(server: &TestServer) {
        let api = server.operator();
        let dev = api.organization("acme", "dev", &json!({}));
        let path = format!("/organizations/{dev}/sso/group-filters");
        api.put(&path, &json!({"allow": ["a"]})).problem(409, "company_level_setting");
    }

    fn r059_filters_need_company_level_sso(server: &TestServer) {
        let api = server.operator();
        api.organization("acme", "dev", &json!({}));
        api.put(FILTERS, &json!({"allow": ["a"]})).expect(200);
        legacy_connection(server);
        api.put(FILTERS, &json!({"allow": ["b"]})).problem(409, "company_sso_required");
        assert_eq!(api.get(FILTERS).expect(200)["allow"], json!(["a"]));
    }

    fn r082_filters_are_tested_against_groups(server: &TestServer) {
        let api = server.operator();
        let tried = verdicts(&api, &["^port-", "ops"], &["^port-x"], &["port-a", "port-x", "devops", "hr"]);
        assert_eq!(tried, ["allowed", "blocked", "allowed", "not_allowed"]);
        assert_eq!(verdicts(&api, &[], &[], &[]), Vec::<String>::new());
    }

    fn r083_filters_need_an_account_admin_the_plan_and_sso(server: &TestServer) {
        let api = server.operator();
        let filters = json!({"allow": ["a"]});
        api.organization("acme", "dev", &json!({}));
        let user = server.acme().user("ada");
        member(server, "dev", &user);
        server.sql("UPDATE organization_members SET role = 'admin'");
        let session = server.sign_in(&user).unwrap();
        session.put(FILTERS, &filters).problem(403, "company_admin_required");
        session.post(&format!("{FILTERS}/preview"), &filters).problem(403, "company_admin_required");
        let path = format!("/companies/acme/users/{user}");
        api.patch(&path, &json!({"company_role": "account_admin"})).expect(200);
        session.put(FILTERS, &filters).expect(200);
        api.patch("/companies/acme", &json!({"plan": "pro"})).expect(200);
        session.put(FILTERS, &filters).problem(403, "plan_required");
        api.patch("/companies/acme", &json!({"plan": "poc"})).expect(200);
        server.sql("UPDATE connections SET organization_seq = (SELECT MIN(seq) FROM organizations)");
        session.put(FILTERS, &filters).problem(409, "company_sso_required");
    }

    fn r084_an_allow_pattern_lets_only_its_groups_through(server: &TestServer) {
        let groups = ["port-a", "ops"];
        assert_eq!(allowed(server, &["^port-.*"], &[], &groups), ["port-a"]);
    }

    fn r085_a_block_pattern_keeps_its_groups_out(server: &TestServer) {
        let groups = ["admin-x", "ops"];
        assert_eq!(allowed(server, &[], &["^admin-.*"], &groups), ["ops"]);
    }

    fn r086_all_but_what_is_blocked(server: &TestServer) {
        let groups = ["temp-1", "a"];
        assert_eq!(allowed(server, &[".*"], &["^temp-.*"], &groups), ["a"]);
    }

    fn r087_both_match_and_block_wins(server: &TestServer) {
        let body = json!({"allow": [".*"], "block": ["^temp-.*"], "groups": ["temp-1"]});
        let tried = preview(&server.operator(), &body);
        let wanted = json!({
            "group": "temp-1", "verdict": "blocked", "matched_allow": ".*", "matched_block": "^temp-.*",
            "teams": "none",
        });
        assert_eq!(tried["results"][0], wanted);
    }

    fn r088_empty_lists_let_everything_through(server: &TestServer) {
        let api = server.operator();
        let tried = verdicts(&api, &[], &[], &["admin-x", "ops", "Ünïcode 😀", ""]);
        assert_eq!(tried, ["allowed"; 4]);
    }

    fn r089_filters_are_company_wide(server: &TestServer) {
        let api = server.operator();
        for slug in ["dev", "prod"] {
            api.organization("acme", slug, &json!({}));
            let path = format!("/companies/acme/organizations/{slug}/sso/group-filters");
            api.put(&path, &json!({"block": ["x"]})).problem(409, "company_level_setting");
        }
        assert_eq!(api.get(FILTERS).expect(200)["version"], 0);
    }

    fn r090_an_invalid_pattern_is_refused(server: &TestServer) {
        let api = server.operator();
        let refused = |body: Value| {
            let refused = api.put(FILTERS, &body).problem(422, "invalid_regex");
            let field = refused["errors"][0]["field"].as_str().unwrap().to_owned();
            (field, refused["errors"][0]["detail"].clone(), refused["pattern"].clone())
        };
        let (field, detail, pattern) = refused(json!({"allow": ["fine", "("]}));
        assert_eq!((field.as_str(), &pattern["index"]), ("allow[1]", &json!(1)));
        assert!(detail.as_str().unwrap().contains("unclosed group"), "{detail}");
        let (field, _, pattern) = refused(json!({"block": ["^(?!admin)"]}));
        assert_eq!((field.as_str(), &pattern["list"]), ("block[0]", &json!("block")));
        assert!(pattern["hint"].as_str().unwrap().contains("Look-ahead"), "{pattern}");
        refused(json!({"allow": [r"(\w{100}){100}"]}));
        refused(json!({"allow": ["a".repeat(513)]}));
        refused(json!({"allow": [""]}));
        let many = json!({"allow": vec!["a"; 51], "block": vec!["b"; 50]});
        api.put(FILTERS, &many).problem(422, "invalid_field");
        api.put(FILTERS, &json!({"case_sensitive": false})).problem(422, "invalid_field");
        api.post(&format!("{FILTERS}/preview"), &json!({"allow": ["["]})).problem(422, "invalid_regex");
        // No pattern hangs: the engine is linear in the text.
        let body = json!({"allow": ["^(a+)+$"], "groups": [format!("{}!", "a".repeat(50_000))]});
        assert_eq!(preview(&api, &body)["results"][0]["verdict"], "not_allowed");
        assert_eq!(api.get(FILTERS).expect(200)["version"], 0);
    }

    /// Hostile input 85: what a linear engine takes, and what would cost it much.
    fn f85_patterns_that_would_cost_much(server: &TestServer) {
        let api = server.operator();
        let set = |pattern: &str| api.put(FILTERS, &json!({"allow": [pattern], "confirm_impact": true}));
        set("(a+)+$").expect(200);
        let (deep, long) = ("(".repeat(500), "a".repeat(10_240));
        for pattern in [r"(?:a{1000}){1000}", r"\p{L}{5000}", &deep, &long, "(?=x)", r"(a)\1", "(?<=x)", "["] {
            set(pattern).problem(422, "invalid_regex");
        }
        assert_eq!(api.get(FILTERS).expect(200)["allow"], json!(["(a+)+$"]));
    }

    fn the_impact_is_counted(server: &TestServer) {
        let api = server.operator();
        let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| server.acme().user(name));
        for slug in ["dev", "prod"] {
            api.organization("acme", slug, &json!({}));
        }
        claimed_team(server, "dev", "admin-x", &[&ada, &bob]);
        claimed_team(server, "prod", "admin-x", &[&ada]);
        claimed_team(server, "dev", "ops", &[&bob]);
        let tried = preview(&api, &json!({"block": ["^admin"]}));
        // Ada loses all teams of both organizations, Bob keeps one.
        let wanted = json!({
            "teams_added": 0, "teams_removed": 2, "memberships_added": 0, "memberships_removed": 3,
            "users_losing_all_teams": 1, "users_losing_memberships": 2,
        });
        assert_eq!(tried["impact"], wanted);
        assert_eq!(preview(&api, &json!({}))["impact"]["memberships_removed"], 0);

        // The other way round: nested groups count with those that hold them.
        let inner = server.acme().group("inner", &[&eve]);
        api.succeeded(&api.put(FILTERS, &json!({"block": ["outer"]})).expect(200)["job"]);
        server.acme().group("outer", &[&ada, &inner]);
        for user in [&ada, &eve] {
            member(server, "dev", user);
        }
        member(server, "prod", &eve);
        let tried = preview(&api, &json!({"block": []}));
        assert_eq!(tried["impact"]["teams_added"], 2, "{}", tried.reply);
        assert_eq!(tried["impact"]["memberships_added"], 3, "{}", tried.reply);
    }

    fn a_large_impact_must_be_confirmed(server: &TestServer) {
        let api = server.operator();
        let [ada, bob] = ["ada", "bob"].map(|name| server.acme().user(name));
        api.organization("acme", "dev", &json!({}));
        claimed_team(server, "dev", "admin-x", &[&ada, &bob]);
        assert_eq!(api.get("/companies/acme").expect(200)["confirm_impact_above"], 100);
        let setting = |most: i64| api.patch("/companies/acme", &json!({"confirm_impact_above": most}));
        setting(-1).problem(422, "invalid_field");
        setting(1).expect(200);
        let refused = api.put(FILTERS, &json!({"block": ["^admin"]}));
        let refused = refused.problem(409, "impact_confirmation_required");
        assert_eq!(refused["impact"]["users_losing_memberships"], 2);
        assert_eq!(refused["impact"]["users_losing_all_teams"], 2);
        assert_eq!(api.get(FILTERS).expect(200)["version"], 0);
        let confirmed = json!({"block": ["^admin"], "confirm_impact": true});
        api.put(FILTERS, &confirmed).expect(200);
    }

    fn a_changed_version_of_the_filters_is_not_overwritten(server: &TestServer) {
        let api = server.operator();
        let first = api.put(FILTERS, &json!({"block": ["a"], "version": 0})).expect(200);
        api.put(FILTERS, &json!({"block": ["b"], "version": 0})).problem(412, "precondition_failed");
        let send = |tag: &str| api.send("PUT", FILTERS, &[("If-Match", tag)], Some(&json!({"block": ["b"]})));
        send("\"0\"").problem(412, "precondition_failed");
        send(first.header("etag").unwrap()).expect(200);
        assert_eq!(api.get(FILTERS).expect(200)["version"], 2);
    }

    /// `GET C/sso/groups`: the directory's first, then those of claims, page by page.
    fn all_groups_that_were_seen_are_listed(server: &TestServer) {
        let api = server.operator();
        let ada = server.acme().user("ada");
        server.acme().group("one", &[&ada]);
        server.acme().group("two", &[]);
        for name in ["red", "blue"] {
            server.sql(&format!(
                "INSERT INTO claimed_groups (company_seq, name, last_seen_at) SELECT seq, '{name}', 1 FROM \
                 companies WHERE slug = 'acme'"
            ));
        }
        server.sql(&format!(
            "INSERT INTO user_claims (user_seq, company_seq, connection_seq, groups, overage, observed_at) \
             SELECT seq, company_seq, 0, '[\"red\"]', FALSE, 1 FROM users WHERE id = '{ada}'"
        ));
        for limit in 1..6 {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let path = format!("/companies/acme/sso/groups?limit={limit}&cursor={cursor}");
                let page = api.get(&path).expect(200);
                assert!(page.data().len() <= limit);
                seen.extend(page.data().iter().map(|g| {
                    (g["name"].clone(), g["source"].clone(), g["users"].clone(), g["verdict"].clone())
                }));
                match page["page"]["next_cursor"].as_str() {
                    Some(next) => cursor = next.to_owned(),
                    None => break,
                }
            }
            let row = |name, source, users| (json!(name), json!(source), json!(users), json!("allowed"));
            let wanted = [
                row("one", "scim", 1), row("two", "scim", 0), row("blue", "claim", 0), row("red", "claim", 1),
            ];
            assert_eq!(seen, wanted, "limit {limit}");
        }
        api.get("/companies/acme/sso/groups?cursor=x-1").problem(422, "invalid_cursor");
    }

    /// Logins note the groups that they name: again only after an hour.
    fn named_groups_are_noted(server: &TestServer) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let minutes = |cx: &stagedoor::service::Cx<'_>, minutes| cx.now + jiff::SignedDuration::from_mins(minutes);
        let noted = runtime.block_on(server.service().transact(move |cx| {
            let acme = stagedoor::service::companies::find(cx.conn, "acme")?.seq;
            let mut all = Vec::new();
            for (names, later) in [(["b", "a"], 0), (["a", "b"], 30), (["a", "c"], 61)] {
                let at = minutes(cx, later);
                stagedoor::db::claimed_groups::see(cx.conn, acme, &names, at)?;
                let seen = stagedoor::db::claimed_groups::claimed(cx.conn, acme, (0, 10))?;
                let late = |s: &stagedoor::db::claimed_groups::Seen| s.last_seen_at.duration_since(cx.now).as_mins();
                all.push(seen.iter().map(|s| (s.name.clone(), late(s))).collect::<Vec<_>>());
            }
            Ok(all)
        }));
        let row = |name: &str, minutes: i64| (name.to_owned(), minutes);
        let first = vec![row("a", 0), row("b", 0)];
        let last = vec![row("a", 61), row("b", 0), row("c", 61)];
        assert_eq!(noted.unwrap(), [first.clone(), first, last]);
    }

    /// A filter that changed reaches the teams of the directory's groups by the job, and those of claims not
    /// before the next login (ruling 8); each team that ends says why.
    fn r091_a_changed_filter_reaches_the_teams_by_the_job(server: &TestServer) {
        let api = server.operator();
        let [ada, bob] = ["ada", "bob"].map(|name| server.acme().user(name));
        for slug in ["dev", "prod"] {
            api.organization("acme", slug, &json!({}));
        }
        member(server, "dev", &ada);
        member(server, "prod", &ada);
        member(server, "dev", &bob);
        server.sql(&format!("UPDATE users SET origin = 1 WHERE id = '{bob}'"));
        for name in ["admin-x", "ops"] {
            server.acme().group(name, &[&ada]);
        }
        claimed_team(server, "dev", "admin-claimed", &[&bob]);
        let patterns = json!({"block": ["^admin"]});
        let tried = preview(&api, &patterns);
        assert_eq!(tried["impact"]["teams_removed"], 3, "{}", tried.reply);
        assert_eq!(tried["impact"]["memberships_removed"], 3);
        assert_eq!(tried["impact"]["users_losing_all_teams"], 1);
        let put = api.put(FILTERS, &patterns).expect(200);
        let ended = api.succeeded(&put["job"]);
        assert_eq!(ended["changed"]["memberships_removed"], 2, "{ended}");
        assert_eq!(ended["changed"]["teams_removed"], 2, "{ended}");
        let now = preview(&api, &json!({"groups": ["admin-x", "admin-claimed", "ops"]}));
        let of = |n: usize| now["results"][n]["teams"].clone();
        assert_eq!((of(0), of(1), of(2)), (json!("none"), json!("would_be_removed"), json!("would_be_kept")));
        let events = api.get("/companies/acme/audit-events?limit=200").expect(200);
        let gone = events.data().iter().filter(|e| e["action"] == "team.removed");
        let reasons: Vec<&Value> = gone.map(|e| &e["detail"]["reason"]).collect();
        assert_eq!(reasons, ["blocked", "blocked"]);

        // And back: what the preview promises is what the job does.
        let tried = preview(&api, &json!({"block": []}));
        assert_eq!(tried["impact"]["teams_added"], 2, "{}", tried.reply);
        assert_eq!(tried["impact"]["memberships_added"], 2);
        let ended = api.succeeded(&api.put(FILTERS, &json!({})).expect(200)["job"]);
        assert_eq!(ended["changed"]["memberships_added"], 2, "{ended}");
        assert_eq!(ended["changed"]["teams_added"], 2, "{ended}");
    }
}
