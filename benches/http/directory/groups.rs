//! The groups of a directory: everybody is in three, of Zipf sizes; some lie in another group.
//!
//! In every directory a user has alike many groups, whatever its size: answers that are compared are
//! alike long.

use super::names::{DEPARTMENTS, PROJECTS, SITES};
use super::random::zipf;

/// Members of a group in the middle.
const MEMBERS: usize = 100;
/// Members of the greatest one: about what a bulk request holds.
const MOST: usize = 20_000;
/// Of so many projects one lies in a portfolio, and a portfolio has so many projects.
const NESTED: usize = 10;
/// How the users of a layer follow each other: primes, so that each layer mixes them otherwise.
const STRIDES: [u64; 3] = [1, 15_485_863, 32_452_843];

/// A group that is still to be made.
#[derive(Debug)]
pub struct Group {
    /// Its `displayName`.
    pub name: String,
    /// Its members, by their numbers: users, or groups that were planned before.
    pub members: Vec<usize>,
}

/// The groups of users, and those of groups, which name the others by their place in the first list.
#[derive(Debug)]
pub struct Plan {
    /// Departments, sites, projects.
    pub groups: Vec<Group>,
    /// Portfolios of projects.
    pub portfolios: Vec<Group>,
}

/// Who is in which group, in a directory of so many users.
pub fn plan(users: usize) -> Plan {
    let sizes = zipf(users, (users / MEMBERS).max(1), MOST);
    let (mut groups, mut projects) = (Vec::new(), Vec::new());
    for (layer, stride) in STRIDES.into_iter().enumerate() {
        let mut next = 0;
        for (rank, &size) in sizes.iter().enumerate() {
            let members = (next..next + size).map(|place| spread(place, stride, users)).collect();
            next += size;
            if layer == 2 && rank % NESTED == NESTED / 2 {
                projects.push(groups.len());
            }
            groups.push(Group { name: name(layer, rank), members });
        }
    }
    let portfolios = projects.chunks(NESTED).enumerate().map(|(number, projects)| Group {
        name: format!("Portfolio {number}"),
        members: projects.to_vec(),
    });
    Plan { portfolios: portfolios.collect(), groups }
}

/// The user at a place of a layer. A stride that shares no factor with the number of users comes to
/// each of them once.
fn spread(place: usize, stride: u64, users: usize) -> usize {
    let (place, users) = (place as u64, users as u64);
    usize::try_from(place * stride % users.max(1)).unwrap_or(0)
}

fn name(layer: usize, rank: usize) -> String {
    match layer {
        0 => format!("{} {rank}", DEPARTMENTS[rank % DEPARTMENTS.len()].0),
        1 => format!("{} {rank}", SITES[rank % SITES.len()].town),
        _ => format!("Project {} {rank}", PROJECTS[rank % PROJECTS.len()]),
    }
}
