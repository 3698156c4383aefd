//! The directories that are measured: made through SCIM Bulk, and what is known about them.
//!
//! A server has one big company, which is measured, and neighbours of Zipf sizes with a tenth of its
//! users. What grows comes on top: groups that get one more member. A directory keeps its size: what
//! a measurement creates is deleted after it.

mod bulk;
mod groups;
mod names;
mod person;
mod random;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Result;
use crate::wire::{Client, Target};
use groups::Plan;
use person::Person;
pub use random::zipf;

/// Groups that clients change each by itself, and the members that such a group has.
const APART: (usize, usize) = (32, 100);
/// Most results of a page.
const PAGE: usize = 500;
/// How long a cursor is used; the server takes it for an hour.
const GOOD: Duration = Duration::from_secs(30 * 60);
/// Companies beside the one that is measured.
const NEIGHBOURS: usize = 7;

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// Which directory: with the same values it is the same one, byte by byte.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// What all of its people follow from.
    pub seed: u64,
    /// What their addresses end with.
    pub domain: String,
    /// Number of users.
    pub users: usize,
}

impl Recipe {
    /// The big company's.
    pub fn measured(seed: u64, users: usize) -> Self {
        Self { seed, domain: "acme.example".to_owned(), users }
    }

    /// Those of the companies beside it.
    pub fn neighbours(seed: u64, users: usize) -> impl Iterator<Item = Self> {
        let sizes = zipf(users / 10, NEIGHBOURS, usize::MAX).into_iter();
        sizes.zip(1_u64..).map(move |(users, number)| {
            let domain = format!("neighbour{number}.example");
            Self { seed: seed.wrapping_add(number), domain, users }
        })
    }

    /// The name of its company in the command line.
    pub fn slug(&self) -> &str {
        self.domain.split('.').next().unwrap_or_default()
    }

    /// The user of this number. Numbers from the directory's size on were never seeded.
    fn person(&self, number: usize) -> Person {
        Person::new(self.seed, number)
    }

    /// The `userName` of a user.
    pub fn user_name(&self, number: usize) -> String {
        self.person(number).user_name(&self.domain)
    }

    /// A user as an identity provider sends her.
    pub fn user(&self, number: usize) -> String {
        self.person(number).resource(&self.domain)
    }

    /// Fills an empty company with users and groups; the users' ids.
    pub fn seed(&self, target: &Target) -> Result<Vec<String>> {
        let post = |path: &str, data| ("POST", path.to_owned(), Some(data));
        let ids = bulk::send(target, self.users, &|n| post("/Users", self.user(n)))?;
        let Plan { groups, portfolios } = groups::plan(self.users);
        let group = |name: &str, members: &[usize], of: &[String]| {
            post("/Groups", group(name, members.iter().filter_map(|&member| of.get(member))))
        };
        let made = bulk::send(target, groups.len(), &|n| {
            group(&groups[n].name, &groups[n].members, &ids)
        })?;
        bulk::send(target, portfolios.len(), &|n| {
            group(&portfolios[n].name, &portfolios[n].members, &made)
        })?;
        Ok(ids)
    }
}

/// A seeded directory, and how far its measurements have come.
#[derive(Debug)]
pub struct Directory {
    /// What it was made by.
    pub recipe: Recipe,
    /// The users' ids; those of user `n` follow from the recipe.
    pub ids: Vec<String>,
    /// The growing groups: members at first, id.
    pub groups: Vec<(usize, String)>,
    /// Groups alike, for clients that change each their own: ids.
    pub apart: Vec<String>,
    /// Members that each of those has at first.
    pub members_apart: usize,
    /// Users who are in no growing group: those that are measured have alike many groups everywhere.
    outside: Vec<usize>,
    /// Where the next measurement of any kind goes on.
    cursor: usize,
    /// The `active` of each user.
    active: Vec<bool>,
    /// Users created in all, for names that were never used.
    created: usize,
    /// Users created and not yet deleted.
    leftovers: Vec<String>,
    /// The cursor of the page at 99 % of the depth.
    pub deep: String,
    /// When that was found.
    dived: Option<Instant>,
}

impl Directory {
    /// Fills an empty company; groups that are no smaller than the directory are left out.
    pub fn seed(target: &Target, recipe: Recipe, groups: &[usize]) -> Result<Self> {
        let (size, ids) = (recipe.users, recipe.seed(target)?);
        let mut client = Client::connect(target)?;
        // Ids are made in the order of time. Those who are in growing groups lie between the pages
        // that are compared: neither on the first ones nor on the last ones.
        let mut outside: Vec<usize> = (0..size).collect();
        outside.sort_unstable_by(|a, b| ids[*a].cmp(&ids[*b]));
        let most = groups.iter().copied().filter(|&count| count < size).max().unwrap_or(0);
        let begin = (size - most) * 2 / 5;
        let inside: Vec<usize> = outside.drain(begin..begin + most).collect();
        let mut make = |name: &str, count: usize| -> Result<String> {
            let members = inside.iter().take(count).filter_map(|&member| ids.get(member));
            let path = "/scim/v2/Groups?excludedAttributes=members";
            let made: Value =
                serde_json::from_str(&client.send("POST", path, &group(name, members))?)?;
            Ok(made["id"].as_str().ok_or("a group without an id")?.to_owned())
        };
        let mut grown = Vec::new();
        for &count in groups.iter().filter(|&&count| count < size) {
            grown.push((count, make(&format!("Growing {count}"), count)?));
        }
        let apart = (0..APART.0).map(|n| make(&format!("Apart {n}"), APART.1));
        let apart = apart.collect::<Result<_>>()?;
        let active = (0..size).map(|n| recipe.person(n).active()).collect();
        let (cursor, created, leftovers, deep, dived) = (0, 0, Vec::new(), String::new(), None);
        let members_apart = APART.1.min(inside.len());
        let groups = grown;
        Ok(Self {
            recipe,
            ids,
            groups,
            apart,
            members_apart,
            outside,
            cursor,
            active,
            created,
            leftovers,
            deep,
            dived,
        })
    }

    /// The next user of a walk that comes to every user, and never to neighbours one after the other.
    pub fn next_user(&mut self) -> usize {
        // A prime, so that it shares no factor with the number of users.
        self.cursor = (self.cursor + 15_485_863) % self.outside.len();
        self.outside[self.cursor]
    }

    /// The other value of a user's `active`, which she gets with this.
    pub fn toggle(&mut self, user: usize) -> bool {
        let active = self.active[user];
        self.active[user] = !active;
        !active
    }

    /// A user who has never been there.
    pub fn next_new_user(&mut self) -> String {
        self.created += 1;
        self.recipe.user(self.recipe.users + self.created)
    }

    /// Remembers a user that is to be deleted.
    pub fn created(&mut self, id: &str) {
        self.leftovers.push(id.to_owned());
    }

    /// The user whom a client adds to groups; in none of the growing ones, and on no page that is compared.
    pub fn joiner(&self, client: usize) -> Result<&str> {
        let middle = self.outside.len() / 2;
        let user = self.outside.get(middle + client).and_then(|&n| self.ids.get(n));
        Ok(user.ok_or("more clients than users")?)
    }

    /// Users to be written to: some of those that are measured.
    pub fn some_users(&self, count: usize) -> Vec<String> {
        self.outside.iter().take(count).filter_map(|&n| self.ids.get(n).cloned()).collect()
    }

    /// Walks by cursors to the page of a hundred at 99 % of the depth, and keeps its cursor; walks
    /// again when that grows old.
    pub fn dive(&mut self, target: &Target) -> Result<()> {
        if self.dived.is_some_and(|dived| dived.elapsed() < GOOD) {
            return Ok(());
        }
        let mut client = Client::connect(target)?;
        let mut left = (self.recipe.users * 99 / 100).min(self.recipe.users.saturating_sub(100));
        let mut cursor = String::new();
        while left > 0 {
            let count = left.min(PAGE);
            let page =
                client.send("GET", &format!("/scim/v2/Users?cursor={cursor}&count={count}"), "")?;
            let (_, rest) = page.split_once(r#""nextCursor":""#).ok_or("the walk ended early")?;
            rest.split('"').next().unwrap_or_default().clone_into(&mut cursor);
            left -= count;
        }
        (self.deep, self.dived) = (cursor, Some(Instant::now()));
        Ok(())
    }

    /// Deletes what was created, so that the directory has its size again.
    pub fn tidy(&mut self, target: &Target) -> Result<()> {
        let leftovers = std::mem::take(&mut self.leftovers);
        bulk::send(target, leftovers.len(), &|n| {
            ("DELETE", format!("/Users/{}", leftovers[n]), None)
        })?;
        Ok(())
    }
}

fn group<'a>(name: &str, members: impl Iterator<Item = &'a String>) -> String {
    let members = members.map(|id| format!(r#"{{"value":"{id}"}}"#)).collect::<Vec<_>>().join(",");
    format!(r#"{{"schemas":["{GROUP}"],"displayName":"{name}","members":[{members}]}}"#)
}
