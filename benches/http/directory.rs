//! The directories that are measured: made through SCIM Bulk, and what is known about them.
//!
//! Every user is in three groups of a hundred, as people are; the groups that grow come on top. A
//! directory keeps its size: what a measurement creates is deleted after it.

use std::thread;

use serde_json::{Value, json};

use crate::Result;
use crate::wire::{Client, Target};

/// Operations in one bulk request: as many as the server takes.
const BULK: usize = 500;
/// Connections that seed and tidy up at once.
const SEEDERS: usize = 8;
/// Members of the groups that every user is in.
const TEAM: usize = 100;
/// How far the teams of one layer are shifted against those of the layer before.
const SHIFTS: [usize; 3] = [0, 33, 66];

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

/// A seeded directory, and how far its measurements have come.
#[derive(Debug)]
pub struct Directory {
    /// Number of users.
    pub size: usize,
    /// Their ids; user `n` has the name [`user_name`] gives.
    pub ids: Vec<String>,
    /// The growing groups: members at first, id.
    pub groups: Vec<(usize, String)>,
    /// Users who are in no growing group: those that are measured have alike many groups everywhere.
    pub outside: Vec<usize>,
    /// Where the next measurement of any kind goes on.
    pub cursor: usize,
    /// The `active` of each user.
    pub active: Vec<bool>,
    /// Users created in all, for names that were never used.
    pub created: usize,
    /// Users created and not yet deleted.
    pub leftovers: Vec<String>,
}

impl Directory {
    /// Fills an empty company; groups that are no smaller than the directory are left out.
    pub fn seed(target: &Target, size: usize, groups: &[usize]) -> Result<Self> {
        let users = (0..size).map(|n| serde_json::from_str(&user(&user_name(size, n), n)));
        let users = users.collect::<std::result::Result<Vec<Value>, _>>()?;
        let ids = bulk(target, &users, &|user| post("/Users", user))?;
        let members: Vec<Value> = ids.iter().map(|id| json!({"value": id})).collect();
        let mut teams = Vec::new();
        for shift in SHIFTS {
            let mut layer = members.clone();
            layer.rotate_left(shift % size.max(1));
            teams.extend(layer.chunks(TEAM).map(<[Value]>::to_vec));
        }
        let teams: Vec<(usize, Vec<Value>)> = teams.into_iter().enumerate().collect();
        bulk(target, &teams, &|(n, team)| post("/Groups", &group(&format!("Team {n}"), team)))?;
        let mut client = Client::connect(target)?;
        let mut grown = Vec::new();
        // Ids are made in the order of time: the last ones made are on no first page of a list.
        let mut latest: Vec<usize> = (0..size).collect();
        latest.sort_unstable_by(|a, b| ids[*b].cmp(&ids[*a]));
        let most = groups.iter().copied().filter(|&count| count < size).max().unwrap_or(0);
        let outside = latest.split_off(most);
        for &count in groups.iter().filter(|&&count| count < size) {
            let name = format!("Growing {count}");
            let some: Vec<Value> =
                latest.iter().take(count).filter_map(|n| members.get(*n).cloned()).collect();
            let body = group(&name, &some).to_string();
            let path = "/scim/v2/Groups?excludedAttributes=members";
            let made: Value = serde_json::from_str(&client.send("POST", path, &body)?)?;
            grown.push((count, made["id"].as_str().ok_or("a group without an id")?.to_owned()));
        }
        let active = vec![true; size];
        let (cursor, created, leftovers) = (0, 0, Vec::new());
        Ok(Self { size, ids, groups: grown, outside, cursor, active, created, leftovers })
    }

    /// The next user of a walk that comes to every user, and never to neighbours one after the other.
    pub fn next_user(&mut self) -> usize {
        // A prime, so that it shares no factor with the number of users.
        self.cursor = (self.cursor + 15_485_863) % self.outside.len();
        self.outside[self.cursor]
    }

    /// Deletes what was created, so that the directory has its size again.
    pub fn tidy(&mut self, target: &Target) -> Result<()> {
        let leftovers = std::mem::take(&mut self.leftovers);
        bulk(
            target,
            &leftovers,
            &|id| json!({"method": "DELETE", "path": format!("/Users/{id}")}),
        )?;
        Ok(())
    }
}

/// The `userName` of user `n` of the directory of this size.
pub fn user_name(size: usize, n: usize) -> String {
    format!("person{n}@directory{size}.example")
}

/// A user as Okta sends one. Text, since the load generator writes many of them.
pub fn user(user_name: &str, n: usize) -> String {
    include_str!("user.json").replace("NUMBER", &n.to_string()).replace("USERNAME", user_name)
}

fn group(name: &str, members: &[Value]) -> Value {
    json!({"schemas": [GROUP], "displayName": name, "members": members})
}

fn post(path: &str, data: &Value) -> Value {
    json!({"method": "POST", "path": path, "data": data})
}

/// Sends one operation for each item, many in a request; the ids that come back, in order.
fn bulk<T: Sync>(
    target: &Target,
    items: &[T],
    operation: &(impl Fn(&T) -> Value + Sync),
) -> Result<Vec<String>> {
    let share = items.len().div_ceil(SEEDERS).max(1);
    let parts = thread::scope(|scope| {
        let seeders: Vec<_> = items
            .chunks(share)
            .map(|part| scope.spawn(move || bulk_part(target, part, operation)))
            .collect();
        seeders.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut ids = Vec::with_capacity(items.len());
    for part in parts {
        ids.extend(part.map_err(|_| "a seeding thread panicked")??);
    }
    Ok(ids)
}

fn bulk_part<T>(
    target: &Target,
    items: &[T],
    operation: &impl Fn(&T) -> Value,
) -> Result<Vec<String>> {
    let mut client = Client::connect(target)?;
    let mut ids = Vec::with_capacity(items.len());
    for chunk in items.chunks(BULK) {
        let mut operations: Vec<Value> = chunk.iter().map(operation).collect();
        for (n, one) in operations.iter_mut().enumerate() {
            one["bulkId"] = json!(n.to_string());
        }
        let body = json!({"schemas": [BULK_REQUEST], "Operations": operations}).to_string();
        let answer: Value = serde_json::from_str(&client.send("POST", "/scim/v2/Bulk", &body)?)?;
        let mut answers = answer["Operations"].as_array().cloned().unwrap_or_default();
        answers.sort_by_key(|one| one["bulkId"].as_str().and_then(|n| n.parse::<usize>().ok()));
        if answers.len() != chunk.len() {
            return Err(format!("{} of {} were done", answers.len(), chunk.len()).into());
        }
        for one in &answers {
            let status = one["status"].as_str().unwrap_or_default();
            let id = one["location"].as_str().and_then(|l| l.rsplit('/').next());
            if !status.starts_with('2') {
                return Err(format!("a bulk operation failed: {one}").into());
            }
            ids.push(id.unwrap_or_default().to_owned());
        }
    }
    Ok(ids)
}
