//! Who may do what, over HTTP: every route as every kind of caller, from the description that the server
//! gives of itself, so that no route can be left out.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stagedoor::domain::authorization::{Act, Level, Standing, decide, kinds};
use stagedoor::domain::company::Plan;
use stagedoor::domain::role::Permissions;
use stagedoor::http::management::openapi;

use crate::api::Api;
use crate::server::{TestServer, on_both_databases};

/// The routes that anybody may call.
const OPEN: [&str; 1] = ["POST /api/v1/login/discover"];

/// A route that asks who calls, as the server describes it.
struct Route {
    method: String,
    path: String,
    act: Act,
}

fn routes(server: &TestServer) -> Vec<Route> {
    let document: Value = serde_json::from_slice(&server.get_plain("/openapi.json").body).unwrap();
    let mut out = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["security"] == json!([]) {
                let name = format!("{} {path}", method.to_uppercase());
                assert!(OPEN.contains(&name.as_str()), "{name} is open to everybody");
                continue;
            }
            let act = operation["x-act"].as_str().unwrap();
            let act = *Act::ALL.iter().find(|a| a.name() == act).unwrap();
            let (method, path) = (method.to_uppercase(), path.clone());
            out.push(Route { method, path, act });
        }
    }
    assert!(out.len() > 20, "routes are found");
    out
}

impl Route {
    /// Calls it in such a way that nothing is changed where the caller may: a key that no request may
    /// have stops it behind the decision.
    fn call(&self, api: &Api, organization: &str) -> crate::company::Answer {
        let path = self.path.strip_prefix("/api/v1").unwrap();
        let path = path.replace("{company}", "acme").replace("{organization}", organization);
        let nobody = "0198c0de-0000-7000-8000-00000000abcd";
        let path: Vec<&str> =
            path.split('/').map(|part| if part.starts_with('{') { nobody } else { part }).collect();
        let mut path = path.join("/");
        if self.act == Act::Explain {
            // It names its company in the query.
            path.push_str("?company=acme&user=nobody&organization=nothing");
        }
        let too_long = "k".repeat(300);
        let body = (self.method != "GET" && self.method != "DELETE").then(|| json!({}));
        let headers = [("Idempotency-Key", too_long.as_str())];
        api.send(&self.method, &path, &headers, body.as_ref())
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Someone of acme who signed in, with this role in the organization.
fn person(server: &TestServer, name: &str, role: Option<&str>) -> Api {
    let user = server.acme().user(name);
    if let Some(role) = role {
        server.sql(&format!(
            "INSERT INTO organization_members (organization_seq, user_seq, company_seq, role, source, \
             deactivated, unmapped, status_changed_at, created_at, updated_at) \
             SELECT o.seq, u.seq, u.company_seq, '{role}', 'manual', FALSE, FALSE, 1, 1, 1 \
             FROM organizations o, users u WHERE o.slug = 'dev' AND u.id = '{user}'"
        ));
    }
    if name == "account admin" {
        let path = format!("/companies/acme/users/{user}");
        server.operator().patch(&path, &json!({"company_role": "admin"})).expect(200);
    }
    server.sign_in(&user).unwrap()
}

on_both_databases! {
    fn every_route_as_every_kind_of_caller(server: &TestServer) {
        let operator = server.operator();
        let organization = operator.organization("acme", "dev", &json!({}));
        let callers = [
            ("operator key", operator.clone()),
            ("company key", server.api(&["--name", "c", "--company", "acme"])),
            ("account admin", person(server, "account admin", None)),
            ("organization admin", person(server, "organization admin", Some("admin"))),
            ("moderator", person(server, "moderator", Some("moderator"))),
            ("member", person(server, "member", Some("member"))),
        ];
        let kinds = kinds();
        for route in routes(server) {
            for (kind, api) in &callers {
                let standing = &kinds.iter().find(|(name, _)| name == kind).unwrap().1;
                let expected = decide(standing, route.act, Some(Plan::Enterprise));
                let answer = route.call(api, &organization);
                let name = format!("{} as {kind}: {}", route.name(), answer.reply);
                match expected {
                    Ok(()) => assert!(![401, 403].contains(&answer.status), "{name}"),
                    Err(problem) => {
                        assert_eq!(answer.status, 403, "{name}");
                        assert_eq!(answer["code"], problem.code.name(), "{name}");
                    }
                }
            }
        }
    }

    fn no_route_answers_without_a_valid_key(server: &TestServer) {
        let organization = server.operator().organization("acme", "dev", &json!({}));
        let broken = {
            let key = server.operator().key().to_owned();
            let last = if key.ends_with('x') { "y" } else { "x" };
            format!("{}{last}", &key[..key.len() - 1])
        };
        let none = ["", "null", broken.as_str(), server.acme().token()];
        for route in routes(server) {
            for key in none {
                let answer = route.call(&server.api_as(key), &organization);
                // After many failures of one address it is told to wait; nothing opens either way.
                let code = answer["code"].as_str().unwrap_or_default().to_owned();
                let refused = [(401, "unauthorized"), (429, "too_many_requests")];
                let refused = refused.contains(&(answer.status, code.as_str()));
                assert!(refused, "{}: {}", route.name(), answer.reply);
            }
        }
    }

    /// I2: what is another company's is not there.
    fn another_company_is_not_there(server: &TestServer) {
        server.company("globex");
        let organization = server.operator().organization("acme", "dev", &json!({}));
        let other = server.api(&["--name", "g", "--company", "globex"]);
        for route in routes(server) {
            let rule = route.act.rule();
            if rule.operator || rule.level == Level::Caller || route.path.starts_with("/api/v1/api-keys") {
                continue;
            }
            let answer = route.call(&other, &organization);
            let code = answer["code"].as_str().unwrap_or_default().to_owned();
            assert_eq!(answer.status, 404, "{}: {}", route.name(), answer.reply);
            assert!(["company_not_found", "organization_not_found"].contains(&code.as_str()));
        }
    }

    /// A key opens what its scopes name, and nothing else.
    fn scopes_are_held_at_every_route(server: &TestServer) {
        let organization = server.operator().organization("acme", "dev", &json!({}));
        let flags = ["--name", "s", "--company", "acme", "--scope", "company:scim:manage"];
        let api = server.api(&flags);
        let scopes = Permissions::parse(["company:scim:manage"]).unwrap();
        let standing = Standing::Key { operator: false, scopes };
        for route in routes(server) {
            let expected = decide(&standing, route.act, Some(Plan::Enterprise)).is_ok();
            let answer = route.call(&api, &organization);
            assert_eq!(answer.status != 403, expected, "{}: {}", route.name(), answer.reply);
        }
    }

    /// The plan gate holds at every route that has one.
    fn the_plan_gate_holds_at_every_route(server: &TestServer) {
        let operator = server.operator();
        let organization = operator.organization("acme", "dev", &json!({}));
        operator.patch("/companies/acme", &json!({"plan": "pro"})).expect(200);
        for route in routes(server).iter().filter(|route| route.act.rule().plan) {
            route.call(&operator, &organization).problem(403, "plan_required");
        }
        let path = format!("/organizations/{organization}");
        operator.patch(&path, &json!({"automatic_user_access": true})).problem(403, "plan_required");
    }
}

/// The description and the router are made from one table.
#[test]
fn every_route_of_the_table_is_described() {
    let document = openapi::describe();
    let described: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .keys()
                .map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let table = openapi::routes();
    let served = table.iter().map(|(method, path, _)| format!("{method} {path}"));
    let served: BTreeSet<String> = served.chain(OPEN.map(str::to_owned)).collect();
    assert_eq!(described, served);
}
