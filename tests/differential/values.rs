//! Values for users and groups, out of small pools, so that resources share them and filters hit.
//!
//! Chance is a seed: the same directory comes to be in every run, but for its ids.

use serde_json::{Map, Value, json};
use stagedoor::scim::ResourceSchema;
use stagedoor::scim::schema::{Attribute, Kind, Mutability, STATUS_URN};

/// Texts that differ in case alone, begin or end one another, or mean something to SQL or JSON.
pub const TEXTS: [&str; 40] = [
    "",
    "a",
    "A",
    "ab",
    "AB",
    "aB",
    "abc",
    "bc",
    "Ära",
    "ÄRA",
    "ära",
    "straße",
    "STRASSE",
    "Straße",
    "İstanbul",
    "i̇stanbul",
    "istanbul",
    "ISTANBUL",
    "100%",
    "100%_",
    "100x",
    "a_b",
    "axb",
    "a%b",
    "a\\b",
    "a\\\\b",
    "\\",
    "\"quoted\"",
    "it's",
    "work",
    "Work",
    "home",
    "direct",
    "a b",
    " a",
    "日本",
    "😀",
    "ΣΑΣ",
    "x\u{10ffff}",
    "]}\":{",
];

/// Moments: the first three are one, and so are the next two.
pub const TIMES: [&str; 8] = [
    "2026-01-31T08:00:00Z",
    "2026-01-31T09:00:00+01:00",
    "2026-01-31T08:00:00.000000",
    "2025-12-31T23:30:00-05:00",
    "2026-01-01T04:30:00Z",
    "2026-01-01T04:30:00.000001Z",
    "1969-07-20T20:17:40Z",
    "2026-02-01T00:00:00+14:00",
];

/// Whole numbers on both sides of 0, and the ends of their range.
pub const INTEGERS: [i64; 9] = [0, 1, -1, 2, 10, 9, -10, i64::MIN, i64::MAX];

/// Decimals; some are whole.
pub const DECIMALS: [f64; 9] = [0.0, -0.0, 0.5, -0.5, 1.0, 10.0, 9.5, -1e300, 1e-300];

/// An extension that nobody registered; what lies below it must not be taken for a schema.
pub const FOREIGN_URN: &str = "urn:foreign:thing:1.0:User";
/// A URN that is only ever a key inside the foreign extension.
pub const NESTED_URN: &str = "urn:foreign:nested:1.0:User";

/// Chance, the same in every run (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(end).unwrap()).unwrap()
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len())]
    }
}

fn simple(dice: &mut Dice, kind: Kind) -> Value {
    match kind {
        Kind::Boolean => json!(dice.chance(50)),
        Kind::Integer => json!(dice.pick(&INTEGERS)),
        Kind::Decimal => json!(dice.pick(&DECIMALS)),
        Kind::DateTime => json!(dice.pick(&TIMES)),
        Kind::String | Kind::Reference | Kind::Binary | Kind::Complex => json!(dice.pick(&TEXTS)),
    }
}

/// One element: a simple value, or an object with some of its parts.
fn element(dice: &mut Dice, attribute: &Attribute) -> Value {
    if attribute.kind != Kind::Complex {
        return simple(dice, attribute.kind);
    }
    let mut parts = Map::new();
    for sub in attribute.sub_attributes.iter().filter(|a| a.name != "primary") {
        if dice.chance(60) {
            parts.insert(sub.name.clone(), value(dice, sub));
        }
    }
    Value::Object(parts)
}

/// A value for an attribute, at most one of a list's elements primary.
pub fn value(dice: &mut Dice, attribute: &Attribute) -> Value {
    if !attribute.multi_valued {
        return element(dice, attribute);
    }
    let mut items: Vec<Value> = (0..dice.below(5)).map(|_| element(dice, attribute)).collect();
    if attribute.sub("primary").is_some() && !items.is_empty() {
        if dice.chance(50) {
            let chosen = dice.below(items.len());
            items[chosen]["primary"] = json!(true);
        }
        if dice.chance(30) {
            let chosen = dice.below(items.len());
            if items[chosen].get("primary").is_none() {
                items[chosen]["primary"] = json!(false);
            }
        }
    }
    Value::Array(items)
}

/// What a client may write of these attributes, each with this chance.
fn object(dice: &mut Dice, attributes: &[Attribute], percent: usize) -> Map<String, Value> {
    let writable = attributes.iter().filter(|a| {
        a.mutability != Mutability::ReadOnly
            && !["userName", "active", "members"].contains(&&*a.name)
    });
    let mut held = Map::new();
    for attribute in writable {
        if dice.chance(percent) {
            held.insert(attribute.name.clone(), value(dice, attribute));
        }
    }
    held
}

/// The body of resource number `n`.
pub fn body(dice: &mut Dice, schema: &ResourceSchema, n: usize) -> Map<String, Value> {
    let mut body = object(dice, &schema.core().attributes, 45);
    for extension in schema.extensions().filter(|e| e.id != STATUS_URN) {
        if dice.chance(70) {
            let held = object(dice, &extension.attributes, 60);
            body.insert(extension.id.clone(), Value::Object(held));
        }
    }
    let name = format!("{}{n}", dice.pick(&TEXTS));
    if schema.attribute("userName").is_some() {
        body.insert("userName".to_owned(), Value::from(name));
        if dice.chance(80) {
            body.insert("active".to_owned(), Value::from(dice.chance(70)));
        }
        if dice.chance(20) {
            let foreign = json!({"name": {"a": 1}, NESTED_URN: {"b": 2}, "text": "\":{"});
            body.insert(FOREIGN_URN.to_owned(), foreign);
        }
    } else {
        body.insert("displayName".to_owned(), Value::from(name));
    }
    if dice.chance(60) {
        body.insert("externalId".to_owned(), Value::from(format!("{}{n}", dice.pick(&TEXTS))));
    }
    body
}

/// Some changes of a resource, each a PATCH of its own.
pub fn changes(dice: &mut Dice, schema: &ResourceSchema) -> Vec<Value> {
    let mut places: Vec<(String, &Attribute)> = Vec::new();
    let free = |a: &&Attribute| {
        a.mutability != Mutability::ReadOnly
            && !["userName", "active", "displayName", "members"].contains(&&*a.name)
    };
    places.extend(schema.core().attributes.iter().filter(free).map(|a| (a.name.clone(), a)));
    for extension in schema.extensions().filter(|e| e.id != STATUS_URN) {
        let attributes = extension.attributes.iter().filter(free);
        places.extend(attributes.map(|a| (format!("{}:{}", extension.id, a.name), a)));
    }
    (0..1 + dice.below(6))
        .map(|_| {
            let (path, attribute) = dice.pick(&places);
            let operation = match dice.below(3) {
                0 => json!({"op": "remove", "path": path}),
                1 => json!({"op": "add", "path": path, "value": value(dice, attribute)}),
                _ => json!({"op": "replace", "path": path, "value": value(dice, attribute)}),
            };
            json!({"Operations": [operation]})
        })
        .collect()
}
