//! In which order the operations of a bulk request are done (RFC 7644 §3.7, §3.7.1).
//!
//! As sent, but after every POST that an operation refers to. Circles are opened where new Groups
//! name members; others are refused. Only the order is decided here: nothing is done.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{BulkOperation, BulkPath, Method, Refused, member_references, references};

/// One step of the work. Numbers are places in the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Does the operation, or reports it where it was refused on reading.
    Run(usize),
    /// Creates a Group without the members that are not there yet
    /// ([`put_off_members`](super::put_off_members)).
    RunWithout {
        /// The POST of the Group.
        index: usize,
        /// The `bulkId`s of the members left out.
        deferred: Vec<String>,
    },
    /// Adds the members that were left out. One whose POST failed cannot be added.
    AddMembers {
        /// The POST of the Group.
        index: usize,
        /// Their `bulkId`s.
        members: Vec<String>,
    },
    /// Refuses the operation as [`circular`](super::circular).
    Conflict(usize),
}

/// What has to be done before what: places in the request, each list sorted.
#[derive(Debug, Default)]
struct Needs {
    /// POSTs that must be done before; of non-POSTs, also earlier operations on the same resource.
    hard: Vec<Vec<usize>>,
    /// POSTs that only stand in `members` of a new Group: may come later, with a second step.
    soft: Vec<Vec<usize>>,
}

/// The steps of a request, each operation in exactly one `Run`, `RunWithout` or `Conflict`.
pub fn plan(operations: &[Result<BulkOperation, Refused>]) -> Vec<Step> {
    let mut needs = needs(operations);
    let circular = circular(&needs.hard);
    // What needs a refused operation fails by itself when it is resolved; what is refused waits
    // for nothing.
    for (index, &is_circular) in circular.iter().enumerate() {
        for list in [&mut needs.hard, &mut needs.soft] {
            list[index].retain(|&need| !is_circular && !circular[need]);
        }
    }
    let all: Vec<Vec<usize>> =
        needs.hard.iter().zip(&needs.soft).map(|(h, s)| [h.as_slice(), s].concat()).collect();
    Planner::new(operations, &needs, circular, components(&all)).run()
}

fn needs(operations: &[Result<BulkOperation, Refused>]) -> Needs {
    let mut posts: HashMap<&str, usize> = HashMap::new();
    for (index, operation) in operations.iter().enumerate() {
        if let Ok(BulkOperation { method: Method::Post, bulk_id: Some(id), .. }) = operation {
            posts.entry(id).or_insert(index);
        }
    }
    let mut last_on: HashMap<&BulkPath, usize> = HashMap::new();
    let mut out = Needs::default();
    for (index, operation) in operations.iter().enumerate() {
        let (mut hard, mut soft) = (BTreeSet::new(), BTreeSet::new());
        if let Ok(operation) = operation {
            let members: HashSet<&str> = member_references(operation).collect();
            let elsewhere = references_elsewhere(operation);
            for (id, place) in
                references(operation).iter().filter_map(|id| Some((id, *posts.get(id.as_str())?)))
            {
                let may_wait = members.contains(id.as_str()) && !elsewhere.contains(id);
                // A Group in itself is no circle that a second step could mend.
                if may_wait && place != index { &mut soft } else { &mut hard }.insert(place);
            }
            if operation.method != Method::Post {
                hard.extend(last_on.insert(&operation.path, index));
            }
        }
        out.hard.push(hard.into_iter().collect());
        out.soft.push(soft.into_iter().collect());
    }
    out
}

/// The `bulkId`s that stay when the members that could be put off are gone.
fn references_elsewhere(operation: &BulkOperation) -> HashSet<String> {
    let members: Vec<String> = member_references(operation).map(str::to_owned).collect();
    if members.is_empty() {
        return HashSet::new();
    }
    let mut rest = operation.clone();
    super::put_off_members(&mut rest, &members);
    references(&rest).into_iter().collect()
}

/// Which operations need themselves, directly or through others.
fn circular(hard: &[Vec<usize>]) -> Vec<bool> {
    let component = components(hard);
    let mut size = vec![0_usize; hard.len()];
    component.iter().for_each(|&c| size[c] += 1);
    hard.iter()
        .enumerate()
        .map(|(index, needs)| size[component[index]] > 1 || needs.contains(&index))
        .collect()
}

/// The strongly connected component of each node, as a number below the number of nodes.
///
/// Kosaraju's two passes, with stacks of their own: a long chain must not overflow the thread's.
fn components(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut needed_by = vec![Vec::new(); needs.len()];
    for (index, list) in needs.iter().enumerate() {
        list.iter().for_each(|&need| needed_by[need].push(index));
    }
    let mut seen = vec![false; needs.len()];
    let mut finished = Vec::with_capacity(needs.len());
    for start in 0..needs.len() {
        walk(needs, start, &mut seen, |node| finished.push(node));
    }
    let mut component = vec![0; needs.len()];
    let mut seen = vec![false; needs.len()];
    for (number, &start) in finished.iter().rev().enumerate() {
        walk(&needed_by, start, &mut seen, |node| component[node] = number);
    }
    component
}

/// Visits what can be reached from `start` and was not seen, each node after all behind it.
fn walk(edges: &[Vec<usize>], start: usize, seen: &mut [bool], mut leave: impl FnMut(usize)) {
    if std::mem::replace(&mut seen[start], true) {
        return;
    }
    let mut stack = vec![(start, 0)];
    while let Some((node, next)) = stack.last_mut() {
        if let Some(&neighbour) = edges[*node].get(*next) {
            *next += 1;
            if !std::mem::replace(&mut seen[neighbour], true) {
                stack.push((neighbour, 0));
            }
        } else {
            leave(*node);
            stack.pop();
        }
    }
}

/// The state of one planning: what is still open, and what can be done next.
struct Planner<'o> {
    operations: &'o [Result<BulkOperation, Refused>],
    circular: Vec<bool>,
    component: Vec<usize>,
    /// Needs not met yet.
    hard: Vec<BTreeSet<usize>>,
    soft: Vec<BTreeSet<usize>>,
    /// Who waits for whom.
    needed_by: Vec<Vec<usize>>,
    ready: BTreeSet<usize>,
    open: BTreeSet<usize>,
    steps: Vec<Step>,
}

impl<'o> Planner<'o> {
    fn new(
        operations: &'o [Result<BulkOperation, Refused>],
        needs: &Needs,
        circular: Vec<bool>,
        component: Vec<usize>,
    ) -> Self {
        let sets = |lists: &[Vec<usize>]| -> Vec<BTreeSet<usize>> {
            lists.iter().map(|l| l.iter().copied().collect()).collect()
        };
        let (hard, soft) = (sets(&needs.hard), sets(&needs.soft));
        let mut needed_by = vec![Vec::new(); operations.len()];
        for (index, (hard, soft)) in hard.iter().zip(&soft).enumerate() {
            hard.iter().chain(soft).for_each(|&need| needed_by[need].push(index));
        }
        let open: BTreeSet<usize> = (0..operations.len()).collect();
        let free = |&i: &usize| hard[i].is_empty() && soft[i].is_empty();
        let ready = open.iter().copied().filter(free).collect();
        let steps = Vec::with_capacity(operations.len());
        Self { operations, circular, component, hard, soft, needed_by, ready, open, steps }
    }

    fn run(mut self) -> Vec<Step> {
        while let Some(index) = self.ready.pop_first().or_else(|| self.opener()) {
            self.open.remove(&index);
            let deferred = self.names(&self.soft[index]);
            if self.circular[index] {
                self.steps.push(Step::Conflict(index));
            } else if deferred.is_empty() {
                self.steps.push(Step::Run(index));
            } else {
                self.steps.push(Step::RunWithout { index, deferred });
            }
            self.release(index);
        }
        self.steps
    }

    /// The first Group of a circle that can be created without members that wait for it.
    ///
    /// There is one whenever operations are left: without the references in `members` no circle
    /// remains, so in the component that waits for no other one, some Group waits for members alone.
    fn opener(&self) -> Option<usize> {
        let same = |i: usize, need: &usize| self.component[*need] == self.component[i];
        let can = |&&i: &&usize| self.hard[i].is_empty() && self.soft[i].iter().all(|n| same(i, n));
        self.open.iter().find(can).copied()
    }

    /// Tells those who wait that `index` is done.
    fn release(&mut self, index: usize) {
        let put_off = !self.soft[index].is_empty();
        for waiting in std::mem::take(&mut self.needed_by[index]) {
            let is_post = matches!(&self.operations[waiting], Ok(o) if o.method == Method::Post);
            if put_off && !is_post {
                // A change to a Group comes after the last step of its creation.
                self.needed_by[index].push(waiting);
                continue;
            }
            self.hard[waiting].remove(&index);
            self.soft[waiting].remove(&index);
            if self.hard[waiting].is_empty() && self.soft[waiting].is_empty() {
                self.met(waiting);
            }
        }
    }

    /// All needs of `index` are met: it can be done, or the members put off can be added.
    fn met(&mut self, index: usize) {
        if self.open.contains(&index) {
            self.ready.insert(index);
            return;
        }
        let deferred = self.steps.iter().find_map(|step| match step {
            Step::RunWithout { index: i, deferred } if *i == index => Some(deferred.clone()),
            _ => None,
        });
        if let Some(members) = deferred {
            self.steps.push(Step::AddMembers { index, members });
            self.release(index);
        }
    }

    fn names(&self, places: &BTreeSet<usize>) -> Vec<String> {
        let name = |&place: &usize| self.operations[place].as_ref().ok()?.bulk_id.clone();
        places.iter().filter_map(name).collect()
    }
}

#[cfg(test)]
mod tests;
