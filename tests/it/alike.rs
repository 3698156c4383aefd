//! Both databases answer alike (I8 of the house): the same random operations go to a server on each, and
//! every answer is compared, ids by the order in which they came to be.
//!
//! `STAGEDOOR_STEPS` says how many operations, `STAGEDOOR_SEED` which ones; a difference names both.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use serde_json::{Map, Value, json};

use crate::company::{Answer, Company, ENTERPRISE, GROUP, PATCH_OP, USER};
use crate::server::{Database, TestServer};

/// Operations in a run that does not say how many.
const STEPS: usize = 400;
/// Most resources of a type; more are deleted before others are made.
const MOST: usize = 40;

/// Texts that databases compare, fold, quote or sort each in its own way.
const TEXTS: &[&str] = &[
    "ada",
    "Ada",
    "ADA",
    "ádám",
    "ÁDÁM",
    "Straße",
    "STRASSE",
    "ǆ",
    "İstanbul",
    "i̇stanbul",
    "100%",
    "a_b",
    "a\\b",
    "o'neil",
    "\"x\"",
    "Zoë",
    "zoe",
    "œuvre",
    "été",
    "-1",
    "10",
    "9",
    "a b",
    "a-b",
    "ab",
    "日本",
    "𐐷",
    "\u{e000}",
    "\u{ffff}",
    "",
];

#[test]
fn both_databases_answer_alike() {
    let steps = setting("STAGEDOOR_STEPS").map_or(STEPS, |n| usize::try_from(n).unwrap());
    let seed =
        setting("STAGEDOOR_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    eprintln!("STAGEDOOR_SEED={seed} STAGEDOOR_STEPS={steps}");
    let servers = [Database::Sqlite, Database::Postgres].map(TestServer::start);
    let mut pair = Pair {
        sides: servers
            .each_ref()
            .map(|server| Side { acme: server.acme(), numbers: HashMap::new() }),
        ids: Vec::new(),
        dice: Dice(seed | 1),
        done: 0,
    };
    let mut succeeded = 0;
    for _ in 0..steps {
        succeeded += usize::from(pair.step());
    }
    pair.compare_everything();
    assert!(succeeded > steps / 2, "most operations are refused: {succeeded} of {steps}");
}

#[expect(clippy::disallowed_methods, reason = "a test has no settings but the environment")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Numbers without a pattern (xorshift); never for secrets.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % end
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// A text, mostly with a number behind it, so that most names are free.
    fn text(&mut self) -> String {
        let text = self.pick(TEXTS);
        if self.chance(60) { format!("{text}{}", self.below(30)) } else { text.to_owned() }
    }
}

/// A resource that both servers have made.
struct Known {
    is_user: bool,
    is_there: bool,
    ids: [String; 2],
}

struct Side<'s> {
    acme: &'s Company,
    /// The number of each id.
    numbers: HashMap<String, usize>,
}

struct Pair<'s> {
    sides: [Side<'s>; 2],
    ids: Vec<Known>,
    dice: Dice,
    done: usize,
}

/// An operation, with ids as `{number}`.
struct Step {
    method: &'static str,
    path: String,
    body: Option<Value>,
}

impl Pair<'_> {
    /// Does one operation on both; whether it succeeded.
    fn step(&mut self) -> bool {
        let step = self.choose();
        self.perform(&step)
    }

    fn choose(&mut self) -> Step {
        let is_user = self.dice.chance(60);
        let kind = if is_user { "/Users" } else { "/Groups" };
        let there: Vec<usize> = self.numbers(|known| known.is_user == is_user && known.is_there);
        let act = self.dice.below(100);
        if there.is_empty() || (act < 22 && there.len() < MOST) {
            let body = if is_user { self.user() } else { self.group() };
            return Step { method: "POST", path: kind.to_owned(), body: Some(body) };
        }
        let gone = self.numbers(|known| known.is_user == is_user && !known.is_there);
        let from = if self.dice.chance(5) && !gone.is_empty() { gone } else { there };
        let target = self.dice.pick(&from);
        let path = format!("{kind}/{{{target}}}");
        match act {
            ..28 => Step { method: "DELETE", path, body: None },
            28..40 => {
                let body = if is_user { self.user() } else { self.group() };
                Step { method: "PUT", path, body: Some(body) }
            }
            40..65 => {
                let operations = if is_user { self.user_change() } else { self.group_change() };
                let body = json!({"schemas": [PATCH_OP], "Operations": operations});
                Step { method: "PATCH", path, body: Some(body) }
            }
            65..70 => Step { method: "GET", path, body: None },
            _ => Step { method: "GET", path: self.list(is_user), body: None },
        }
    }

    /// The numbers of the resources of a kind.
    fn numbers(&self, fits: impl Fn(&Known) -> bool) -> Vec<usize> {
        (0..self.ids.len()).filter(|number| fits(&self.ids[*number])).collect()
    }

    /// Any resource, mostly one that is there.
    fn anybody(&mut self) -> String {
        let there = self.numbers(|known| known.is_there);
        if there.is_empty() {
            "nobody".to_owned()
        } else {
            format!("{{{}}}", self.dice.pick(&there))
        }
    }

    fn user(&mut self) -> Value {
        let dice = &mut self.dice;
        let mut user = Map::from_iter([
            ("schemas".to_owned(), json!([USER, ENTERPRISE])),
            ("userName".to_owned(), Value::from(format!("u{}", dice.text()))),
        ]);
        for name in ["externalId", "displayName", "title", "nickName"] {
            if dice.chance(50) {
                user.insert(name.to_owned(), Value::from(dice.text()));
            }
        }
        if dice.chance(40) {
            user.insert("active".to_owned(), Value::from(dice.chance(60)));
        }
        if dice.chance(50) {
            let emails: Vec<Value> = (0..dice.below(4))
                .map(|_| json!({"value": dice.text(), "type": dice.pick(&["work", "home"])}))
                .collect();
            user.insert("emails".to_owned(), Value::from(emails));
        }
        if dice.chance(50) {
            let name = json!({"familyName": dice.text(), "givenName": dice.text()});
            user.insert("name".to_owned(), name);
        }
        if dice.chance(40) {
            user.insert(ENTERPRISE.to_owned(), json!({"department": dice.text()}));
        }
        Value::Object(user)
    }

    fn group(&mut self) -> Value {
        let mut group =
            json!({"schemas": [GROUP], "displayName": format!("g{}", self.dice.text())});
        if self.dice.chance(30) {
            group["externalId"] = Value::from(self.dice.text());
        }
        if self.dice.chance(60) {
            group["members"] = self.members();
        }
        group
    }

    fn members(&mut self) -> Value {
        let count = self.dice.below(5);
        let mut members: Vec<Value> =
            (0..count).map(|_| json!({"value": self.anybody()})).collect();
        if self.dice.chance(5) {
            members.push(json!({"value": "nobody"}));
        }
        Value::from(members)
    }

    fn user_change(&mut self) -> Value {
        let dice = &mut self.dice;
        let text = dice.text();
        let path =
            dice.pick(&["title", "nickName", "displayName", "externalId", "name.familyName"]);
        match dice.below(8) {
            0 => json!([{"op": "replace", "path": "userName", "value": format!("u{text}")}]),
            1 => json!([{"op": "replace", "path": "active", "value": dice.chance(50)}]),
            2 => {
                json!([{"op": "add", "path": "emails", "value": [{"value": text, "type": "work"}]}])
            }
            3 => json!([{"op": "remove", "path": "emails[type eq \"home\"]"}]),
            4 => json!([{"op": "remove", "path": path}]),
            5 => {
                json!([{"op": "replace", "path": format!("{ENTERPRISE}:department"), "value": text}])
            }
            _ => json!([{"op": "replace", "path": path, "value": text}]),
        }
    }

    fn group_change(&mut self) -> Value {
        let one = self.anybody();
        match self.dice.below(7) {
            0 => {
                let name = format!("g{}", self.dice.text());
                json!([{"op": "replace", "path": "displayName", "value": name}])
            }
            1 => json!([{"op": "replace", "path": "members", "value": self.members()}]),
            2 => json!([{"op": "remove", "path": "members"}]),
            3 | 4 => json!([{"op": "remove", "path": format!("members[value eq \"{one}\"]")}]),
            _ => json!([{"op": "add", "path": "members", "value": self.members()}]),
        }
    }

    fn list(&mut self, is_user: bool) -> String {
        let mut path = if is_user { "/Users?" } else { "/Groups?" }.to_owned();
        if self.dice.chance(75) {
            let filter = self.filter(is_user, 2);
            path.push_str(&format!("filter={}&", crate::replay::encode(&filter)));
        }
        if self.dice.chance(40) {
            let users: &[&str] =
                &["userName", "displayName", "externalId", "title", "emails.value", "active"];
            let names = if is_user { users } else { &["displayName", "externalId"] };
            let order = self.dice.pick(&["ascending", "descending"]);
            path.push_str(&format!("sortBy={}&sortOrder={order}&", self.dice.pick(names)));
        }
        let (start, count) = (1 + self.dice.below(20), self.dice.below(30));
        match self.dice.below(4) {
            0 => {}
            1 => path.push_str(&format!("count={count}&")),
            2 => path.push_str(&format!("startIndex={start}&count={count}&")),
            _ => path.push_str(&format!("cursor&count={}&", count + 1)),
        }
        path.pop();
        path
    }

    fn filter(&mut self, is_user: bool, depth: usize) -> String {
        if depth > 0 && self.dice.chance(45) {
            let (left, right) = (self.filter(is_user, depth - 1), self.filter(is_user, depth - 1));
            return match self.dice.below(3) {
                0 => format!("({left}) and ({right})"),
                1 => format!("({left}) or ({right})"),
                _ => format!("not ({left})"),
            };
        }
        let related = if is_user { "groups.value" } else { "members.value" };
        if self.dice.chance(10) {
            return format!("{related} eq \"{}\"", self.anybody());
        }
        let department = format!("{ENTERPRISE}:department");
        let users = [
            "userName",
            "displayName",
            "externalId",
            "title",
            "nickName",
            "emails.value",
            "emails.type",
            "name.familyName",
            "name.givenName",
            department.as_str(),
        ];
        let names = if is_user { &users[..] } else { &["displayName", "externalId"] };
        let name = self.dice.pick(names);
        if self.dice.chance(10) {
            return format!("{name} pr");
        }
        let operator = self.dice.pick(&["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
        format!("{name} {operator} {}", Value::from(self.dice.text()))
    }

    /// Sends it to both and compares what they answer.
    fn perform(&mut self, step: &Step) -> bool {
        self.done += 1;
        let answers = [0, 1].map(|n| self.send(n, step));
        let shown = [0, 1].map(|n| self.sides[n].shown(&answers[n]));
        let what = format!("step {}: {} {} {:?}", self.done, step.method, step.path, step.body);
        assert_eq!(shown[0], shown[1], "{what}");
        assert!(answers[0].status < 500, "{what}: {}", answers[0].reply);
        let succeeded = answers[0].status < 300;
        if step.method == "POST" && succeeded {
            self.learn(&answers, step.path == "/Users");
        }
        if let ("DELETE", true, Some((_, number))) =
            (step.method, succeeded, step.path.split_once("/{"))
        {
            let number: usize = number.trim_end_matches('}').parse().expect("a number");
            self.ids[number].is_there = false;
        }
        succeeded
    }

    fn send(&self, side: usize, step: &Step) -> Answer {
        let named = |text: &str| {
            let mut text = text.to_owned();
            for (number, known) in self.ids.iter().enumerate().rev() {
                text = text.replace(&format!("{{{number}}}"), &known.ids[side]);
                text = text.replace(&format!("%7B{number}%7D"), &known.ids[side]);
            }
            text
        };
        let acme = self.sides[side].acme;
        let body = step.body.as_ref().map(|body| named(&body.to_string()));
        let headers: &[_] = match &body {
            Some(_) => &[("Content-Type", "application/scim+json")],
            None => &[],
        };
        acme.send(step.method, &named(&step.path), headers, body.as_deref().map(str::as_bytes))
    }

    /// Remembers what was made; a user who was revived has a number already.
    fn learn(&mut self, answers: &[Answer; 2], is_user: bool) {
        let ids = [answers[0].id(), answers[1].id()];
        if self.sides[0].numbers.contains_key(&ids[0]) {
            return;
        }
        let number = self.ids.len();
        for (side, id) in self.sides.iter_mut().zip(&ids) {
            side.numbers.insert(id.clone(), number);
        }
        self.ids.push(Known { is_user, is_there: true, ids });
    }

    /// Reads all that is there at the end, by both ways of paging.
    fn compare_everything(&mut self) {
        for path in
            ["/Users?count=500", "/Groups?count=500", "/Users?cursor&count=500", "?count=500"]
        {
            let step = Step { method: "GET", path: path.to_owned(), body: None };
            assert!(self.perform(&step), "{path}");
        }
    }
}

impl Side<'_> {
    /// An answer in which nothing is left that may differ: ids are numbers, times are none.
    fn shown(&self, answer: &Answer) -> (u16, Value) {
        let mut json = answer.json.clone();
        // A resource that has just been made has no number yet.
        let fresh = json["id"].as_str().filter(|id| !self.numbers.contains_key(*id));
        let fresh = fresh.map(str::to_owned);
        self.strip(&mut json, fresh.as_deref());
        (answer.status, json)
    }

    fn strip(&self, value: &mut Value, fresh: Option<&str>) {
        match value {
            Value::Object(map) => {
                for name in ["created", "lastModified", "location", "$ref", "version", "nextCursor"]
                {
                    if let Some(value) = map.get_mut(name) {
                        *value = Value::from("there");
                    }
                }
                map.values_mut().for_each(|value| self.strip(value, fresh));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.strip(item, fresh)),
            Value::String(text) if Some(text.as_str()) == fresh => *text = "new".to_owned(),
            Value::String(text) => {
                if let Some(number) = self.numbers.get(text) {
                    *text = format!("id {number}");
                } else if text.starts_with("members: no such") {
                    *text = "members: no such".to_owned();
                }
            }
            _ => {}
        }
    }
}
