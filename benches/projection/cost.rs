//! A SCIM change of one member where the company has 50 organizations beside one where it has 1: the user is in
//! one of them in both (requirements: at most 1.2 times as much).
//!
//! Rounds of the two follow each other in turn, so that what else the machine does meets both alike.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{Api, Program, Server};

/// Most that it may cost.
const MOST: f64 = 1.2;
/// Organizations of the two companies.
const ORGANIZATIONS: [usize; 2] = [1, 50];

/// A company, and the change that is measured: one member, there and back.
struct Subject {
    token: String,
    base: String,
    agent: ureq::Agent,
    user: String,
    group: String,
}

impl Subject {
    fn new(program: &Program, api: &Api, slug: &str, organizations: usize) -> Self {
        program.run(&["company", "create", slug, "--plan", "enterprise", "--scim"]);
        let token = program.run(&["token", "create", slug, "--name", "bench"]);
        let agent = ureq::Agent::new_with_defaults();
        let mut subject = Self {
            token,
            base: api.base.clone(),
            agent,
            user: String::new(),
            group: String::new(),
        };
        let name = format!("kari@{slug}.example");
        subject.user = subject.post("/Users", &json!({"userName": name}));
        // Beside others in the directory and in the group.
        let others: Vec<Value> = (0..100)
            .map(
                |n| json!({"value": subject.post("/Users", &json!({"userName": format!("u{n}")}))}),
            )
            .collect();
        subject.group = subject.post("/Groups", &json!({"displayName": "crew", "members": others}));
        for n in 0..organizations {
            let at = format!("/companies/{slug}/organizations");
            let made = api.send(false, &at, &json!({"name": format!("o{n}")}));
            if n == 0 {
                let at = format!("/organizations/{}/invitations", made["id"].as_str().unwrap());
                api.send(false, &at, &json!({"email": name}));
            }
        }
        subject
    }

    fn post(&self, path: &str, body: &Value) -> String {
        let request = self.agent.post(format!("{}/scim/v2{path}", self.base));
        let request = request.header("Authorization", format!("Bearer {}", self.token));
        let made = crate::read(request.send(body.to_string().as_bytes()).unwrap());
        made["id"].as_str().unwrap().to_owned()
    }

    /// Adds the member and removes it again, so often; how long each took.
    fn round(&self, times: usize) -> Vec<f64> {
        let url = format!("{}/scim/v2/Groups/{}", self.base, self.group);
        let add = json!({"op": "add", "path": "members", "value": [{"value": self.user}]});
        let path = format!("members[value eq \"{}\"]", self.user);
        let remove = json!({"op": "remove", "path": path});
        let urn = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
        let bodies = [add, remove]
            .map(|operation| json!({"schemas": [urn], "Operations": [operation]}).to_string());
        let mut took = Vec::with_capacity(2 * times);
        for body in bodies.iter().cycle().take(2 * times) {
            let begun = Instant::now();
            let request = self.agent.patch(&url);
            let request = request.header("Authorization", format!("Bearer {}", self.token));
            request.send(body.as_bytes()).unwrap();
            took.push(begun.elapsed().as_secs_f64());
        }
        took
    }
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures; whether the line holds.
pub fn holds(program: &Program, api: &Api, server: &Server, rounds: usize) -> bool {
    let subjects = ORGANIZATIONS.map(|n| Subject::new(program, api, &format!("with-{n}"), n));
    let mut times = [Vec::new(), Vec::new()];
    // Of each round the processor time of a change, as the ratio of the two that were neighbours.
    let mut ratios = Vec::new();
    for round in 0..=rounds {
        let mut spent = [0.0, 0.0];
        for (n, subject) in subjects.iter().enumerate() {
            let before = server.processor_time();
            let took = subject.round(100);
            spent[n] = server.processor_time() - before;
            // The first one warms up.
            if round > 0 {
                times[n].extend(took);
            }
        }
        if round > 0 {
            ratios.push(spent[1] / spent[0]);
        }
    }
    let [one, fifty] = times.each_mut().map(|times| middle(times) * 1e6);
    let (latency, processor) = (fifty / one, middle(&mut ratios));
    println!(
        "a SCIM change of one member: p50 {one:.0} µs with 1 organization, {fifty:.0} µs with 50: {latency:.2} \
         times as much, processor time {processor:.2} times; at most {MOST:.2}"
    );
    latency <= MOST && processor <= MOST
}
