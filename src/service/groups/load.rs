//! Groups on their way in by the hundred: what a bulk load knows of each before it is stored.
//!
//! Members are storage keys here: whom a file means is the bulk load's to find out.

use std::collections::BTreeSet;

use serde_json::json;

use crate::db;
use crate::db::groups::Keys;
use crate::db::values;
use crate::domain::event::Action;
use crate::domain::group::{self, Group, MAX_STORED_MEMBERS, MemberKey};
use crate::scim::leaves::{Leaf, leaves};
use crate::scim::resource::{self, Resource};
use crate::scim::{ResourceType, ScimError};

use super::super::{Cx, Directory, Result, events, projection};
use super::{Aside, Body, Change, conflict, count, keys, save, too_many};

/// A group as a line of a file describes it, but for its members.
#[derive(Debug)]
pub struct Draft {
    resource: Resource,
    keys: Keys,
    document: String,
    leaves: Vec<Leaf>,
}

impl Draft {
    /// Works out everything that does not need the database, and names what no schema knows.
    pub fn new(directory: &Directory, body: Body) -> (Self, Vec<String>) {
        let Body { resource, left_out, .. } = body;
        let draft = Self {
            keys: keys(&directory.groups, &resource),
            document: group::document(&directory.groups, &resource),
            leaves: leaves(&directory.groups, &resource),
            resource,
        };
        (draft, left_out)
    }

    /// The folded `displayName`.
    pub fn name_key(&self) -> &str {
        &self.keys.display_name_key
    }

    /// `externalId`.
    pub fn external_id(&self) -> Option<&str> {
        self.keys.external_id.as_deref()
    }

    /// The name and the external id of a stored resource once it is as the draft says: an
    /// `externalId` that the draft does not name stays.
    pub fn keys_over(&self, external_id: Option<&str>) -> (String, Option<String>) {
        let external_id = self.external_id().or(external_id).map(str::to_owned);
        (self.name_key().to_owned(), external_id)
    }
}

/// A new group with its members.
pub type New<'l> = (&'l Draft, BTreeSet<MemberKey>);

/// Stores groups whose `displayName` and `externalId` nobody has, each with its members, and returns
/// their storage keys in the same order.
///
/// # Errors
/// 409 `uniqueness` where somebody has one of them after all; none is stored then.
pub fn insert_all(cx: &mut Cx<'_>, directory: &Directory, drafts: &[&New]) -> Result<Vec<i64>> {
    let group = |(draft, members): &New<'_>| Group {
        seq: 0,
        id: cx.clock.id(),
        document: draft.document.clone(),
        member_count: i64::try_from(members.len()).unwrap_or(i64::MAX),
        created_at: cx.now,
        last_modified: cx.now,
        version: 1,
    };
    let new: Vec<(Group, &Keys)> = drafts.iter().map(|new| (group(new), &new.0.keys)).collect();
    let company = directory.company;
    let seqs = db::import::insert_groups(cx.conn, company, &new).map_err(conflict)?;
    let rows = drafts.iter().zip(&seqs);
    let rows = rows.flat_map(|(new, seq)| new.0.leaves.iter().map(|leaf| (leaf, *seq)));
    values::insert_all(cx.conn, company, ResourceType::Group, rows.collect())?;
    let rows = drafts.iter().zip(&seqs);
    let rows: Vec<(i64, MemberKey)> =
        rows.flat_map(|(new, seq)| new.1.iter().map(|member| (*seq, *member))).collect();
    db::members::insert_all(cx.conn, &rows)?;
    db::counts::add_all(cx.conn, company, ResourceType::Group, &seqs)?;
    let (what, count) = ((Action::DirectoryImported, ""), json!({"groups": seqs.len()}));
    events::record(cx, company, &directory.actor, what, count)?;
    if let Some(mut follow) = projection::open(cx, directory)? {
        projection::groups_created(cx, directory, &seqs)?;
        follow.touch(drafts.iter().flat_map(|new| new.1.iter().copied()));
        follow.end(cx, directory)?;
    }
    Ok(seqs)
}

/// Checks how many members a new group would have.
///
/// # Errors
/// 403 where they are more than a group may have.
pub fn check_count(members: &BTreeSet<MemberKey>) -> Result<()> {
    let most = usize::try_from(MAX_STORED_MEMBERS).unwrap_or(usize::MAX);
    if members.len() > most { Err(too_many().into()) } else { Ok(()) }
}

/// Brings a stored group to what the draft says, as a PUT does: `None` leaves the members alone
/// (ruling 16). An `externalId` that the draft does not name stays. Whether anything changed.
///
/// # Errors
/// 409 `uniqueness`; `mutability` where a set immutable attribute would change; `invalidValue` where
/// the group would be a member of itself.
pub fn bring_to(
    cx: &mut Cx<'_>,
    directory: &Directory,
    mut group: Group,
    (draft, members): (&Draft, Option<BTreeSet<MemberKey>>),
) -> Result<bool> {
    let mut moved = false;
    let mut aside = Aside { left_out: Vec::new(), follow: projection::open(cx, directory)? };
    if let Some(wanted) = members {
        if wanted.contains(&MemberKey { kind: ResourceType::Group, seq: group.seq }) {
            return Err(ScimError::invalid_value("A group cannot be a member of itself").into());
        }
        check_count(&wanted)?;
        let wanted: Vec<MemberKey> = wanted.into_iter().collect();
        aside.touch_difference(cx, group.seq, &wanted)?;
        let (gone, new) = db::members::replace(cx.conn, directory.company, group.seq, &wanted)?;
        moved = gone + new > 0;
        group.member_count += count(new) - count(gone);
    }
    if !moved && group.document == draft.document {
        return Ok(false);
    }
    let before = group.resource()?;
    let mut after = draft.resource.clone();
    if let (None, Some(external_id)) = (after.external_id(), before.external_id()) {
        after.0.insert("externalId".to_owned(), external_id.into());
    }
    resource::carry_over(&directory.groups, &before, &mut after)?;
    if !moved && before == after {
        return Ok(false);
    }
    let change = Change { before, after, members: Vec::new(), moved, aside };
    save(cx, directory, group, change)?;
    Ok(true)
}
