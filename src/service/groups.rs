//! Groups and their members (RFC 7644 §3.3 to §3.6; ruling 5).
//!
//! Members are rows: adding or removing one neither reads nor writes the others.

pub mod load;

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::db;
use crate::db::groups::Keys;
use crate::db::values::{self, Owner};
use crate::db::{DbConn, Lock};
use crate::domain::event::Action;
use crate::domain::group::{self, Group, MAX_STORED_MEMBERS, MemberKey, MemberRef};
use crate::scim::filter::{self, Condition};
use crate::scim::leaves::{facts, leaves};
use crate::scim::members::{self, Member, MemberChange};
use crate::scim::patch::{self, PatchOperation};
use crate::scim::resource::{self, Resource};
use crate::scim::value::fold;
use crate::scim::version::{Precondition, Version};
use crate::scim::{ResourceSchema, ResourceType, ScimError};

use super::error::{Error, Result};
use super::users::Written;
use super::{Cx, Directory, events, projection};

/// The version of a group's answer (RFC 7644 §3.14).
pub fn version(group: &Group) -> Version {
    Version::new(group.version, None)
}

/// A body that has been read and checked as far as the body alone allows.
#[derive(Debug, Clone)]
pub struct Body {
    resource: Resource,
    members: Option<Vec<Member>>,
    left_out: Vec<String>,
}

/// Reads the body of a POST or PUT; costs no place on the writer.
///
/// # Errors
/// As [`resource::normalise`] and [`members::parse_list`].
pub fn read_body(schema: &ResourceSchema, mut body: Map<String, Value>) -> Result<Body> {
    let mut list = None;
    let names: Vec<String> =
        body.keys().filter(|key| key.eq_ignore_ascii_case("members")).cloned().collect();
    for name in names {
        let value = body.shift_remove(&name).unwrap_or_default();
        let parsed = if value.is_null() { None } else { Some(members::parse_list(value)?) };
        if list.replace(parsed).is_some() {
            return Err(ScimError::invalid_syntax("members stands twice, in two spellings").into());
        }
    }
    let normalised = resource::normalise(schema, body)?;
    Ok(Body {
        resource: normalised.resource,
        members: list.flatten(),
        left_out: normalised.left_out,
    })
}

/// The company's group with this id, without its members.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(conn: &mut DbConn, directory: &Directory, id: &str) -> Result<Group> {
    db::groups::find(conn, directory.company, id)?.ok_or(Error::NotFound("Group"))
}

/// Most members that an answer holds in memory; more are streamed.
pub const MEMBERS_IN_MEMORY: i64 = 5_000;

/// All members of these groups, each group's in its order.
///
/// # Errors
/// The database's.
pub fn members_of(
    conn: &mut DbConn,
    directory: &Directory,
    groups: &[Group],
) -> Result<HashMap<i64, Vec<MemberRef>>> {
    let mut out: HashMap<i64, Vec<MemberRef>> = HashMap::new();
    let expected: i64 = groups.iter().map(|g| g.member_count).sum();
    let seqs: Vec<i64> = groups.iter().filter(|g| g.member_count > 0).map(|g| g.seq).collect();
    let mut seen = 0;
    for kind in [ResourceType::User, ResourceType::Group] {
        if seqs.is_empty() || seen == expected {
            break;
        }
        let place = ((0, 0), i64::MAX);
        for (group, member) in db::members::page(conn, directory.company, &seqs, kind, place)? {
            seen += 1;
            out.entry(group).or_default().push(member);
        }
    }
    Ok(out)
}

/// Where a page of a group's members begins: users come first, then groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberPlace {
    kind: ResourceType,
    after: i64,
}

impl Default for MemberPlace {
    fn default() -> Self {
        Self { kind: ResourceType::User, after: 0 }
    }
}

/// Some thousands of a group's members, and where the next ones begin; `None` after the last.
///
/// Each page is read for itself: a member that comes or goes meanwhile may be in the answer or not.
///
/// # Errors
/// The database's.
pub fn member_page(
    conn: &mut DbConn,
    directory: &Directory,
    group: i64,
    from: MemberPlace,
) -> Result<(Vec<MemberRef>, Option<MemberPlace>)> {
    let after = if from.after == 0 { (0, 0) } else { (group, from.after) };
    let place = (after, MEMBERS_IN_MEMORY);
    let page = db::members::page(conn, directory.company, &[group], from.kind, place)?;
    let next = match (page.last(), from.kind) {
        (Some((_, last)), kind) => Some(MemberPlace { kind, after: last.key.seq }),
        (None, ResourceType::User) => Some(MemberPlace { kind: ResourceType::Group, after: 0 }),
        (None, ResourceType::Group) => None,
    };
    Ok((page.into_iter().map(|(_, member)| member).collect(), next))
}

/// Creates a group.
///
/// # Errors
/// 409 `uniqueness` where the `displayName` or the `externalId` is taken; 400 `invalidValue` where
/// members are named and none is known.
pub fn create(cx: &mut Cx<'_>, directory: &Directory, body: Body) -> Result<Written<Group>> {
    let Body { resource, members, left_out } = body;
    let keys = keys(&directory.groups, &resource);
    let mut group = Group {
        seq: 0,
        id: cx.clock.id(),
        document: group::document(&directory.groups, &resource),
        member_count: 0,
        created_at: cx.now,
        last_modified: cx.now,
        version: 1,
    };
    group.seq = db::groups::insert(cx.conn, directory.company, &group, &keys).map_err(conflict)?;
    let leaves = leaves(&directory.groups, &resource);
    values::update(cx.conn, owner(directory, group.seq), &[], &leaves)?;
    db::counts::add(cx.conn, directory.company, (ResourceType::Group, group.seq), 1)?;
    let members = members.unwrap_or_default();
    let change = MemberChange::Add(members);
    let mut aside = Aside { left_out, follow: projection::open(cx, directory)? };
    if change_members(cx, directory, &mut group, &change, &mut aside)? {
        db::groups::update(cx.conn, directory.company, &mut group, &keys)?;
    }
    let detail = json!({"members": group.member_count});
    tell(cx, directory, (Action::GroupCreated, &group.id), detail)?;
    let Aside { left_out, follow } = aside;
    if let Some(follow) = follow {
        projection::groups_created(cx, directory, &[group.seq])?;
        follow.end(cx, directory)?;
    }
    Ok(Written { item: group, left_out })
}

/// Replaces a group's attributes; its members too where the body names any, or none by `[]`
/// (ruling 16).
///
/// # Errors
/// [`Error::NotFound`]; 412 where `if_match` names another version; as [`create`].
pub fn replace(
    cx: &mut Cx<'_>,
    directory: &Directory,
    (id, if_match): (&str, Option<&Precondition>),
    body: Body,
) -> Result<Written<Group>> {
    let group = find_for_write(cx, directory, (id, Lock::Change), if_match)?;
    let before = group.resource()?;
    let Body { mut resource, members, left_out } = body;
    resource::carry_over(&directory.groups, &before, &mut resource)?;
    let changes: Vec<MemberChange> = members.map(MemberChange::Replace).into_iter().collect();
    let aside = Aside { left_out, follow: projection::open(cx, directory)? };
    let change = Change { before, after: resource, members: changes, moved: false, aside };
    save(cx, directory, group, change)
}

/// Applies a PATCH, all of it or nothing (RFC 7644 §3.5.2).
///
/// # Errors
/// As [`replace`], and those of [`patch::apply`].
pub fn patch(
    cx: &mut Cx<'_>,
    directory: &Directory,
    (id, if_match): (&str, Option<&Precondition>),
    operations: Vec<PatchOperation>,
) -> Result<Written<Group>> {
    let group = find_for_write(cx, directory, (id, Lock::Change), if_match)?;
    let before = group.resource()?;
    let (rest, members, mut left_out) = members::split(&directory.groups, operations)?;
    let mut after = before.clone();
    if !rest.is_empty() {
        left_out.extend(patch::apply(&directory.groups, &mut after, &rest)?.left_out);
    }
    let aside = Aside { left_out, follow: projection::open(cx, directory)? };
    save(cx, directory, group, Change { before, after, members, moved: false, aside })
}

/// Removes a group; its members stay (RFC 7644 §3.6).
///
/// # Errors
/// [`Error::NotFound`]; 412 where `if_match` names another version.
pub fn delete(
    cx: &mut Cx<'_>,
    directory: &Directory,
    id: &str,
    if_match: Option<&Precondition>,
) -> Result<()> {
    let group = find_for_write(cx, directory, (id, Lock::Remove), if_match)?;
    let leaves = leaves(&directory.groups, &group.resource()?);
    let mut follow = projection::open(cx, directory)?;
    if let Some(follow) = &mut follow {
        projection::group_removed(cx, directory, follow, group.seq)?;
    }
    let member = MemberKey { kind: ResourceType::Group, seq: group.seq };
    db::members::remove_everywhere(cx.conn, directory.company, member, db::micros(cx.now))?;
    values::update(cx.conn, owner(directory, group.seq), &leaves, &[])?;
    db::groups::delete(cx.conn, directory.company, group.seq)?;
    tell(cx, directory, (Action::GroupDeleted, id), json!({}))?;
    if let Some(follow) = follow {
        follow.end(cx, directory)?;
    }
    Ok(db::counts::add(cx.conn, directory.company, (ResourceType::Group, group.seq), -1)?)
}

fn tell(cx: &mut Cx<'_>, directory: &Directory, what: (Action, &str), detail: Value) -> Result<()> {
    events::record(cx, directory.company, &directory.actor, what, detail)
}

fn find_for_write(
    cx: &mut Cx<'_>,
    directory: &Directory,
    (id, lock): (&str, Lock),
    if_match: Option<&Precondition>,
) -> Result<Group> {
    let group = db::groups::lock(cx.conn, directory.company, id, lock)?;
    let group = group.ok_or(Error::NotFound("Group"))?;
    if if_match.is_some_and(|condition| !condition.matches(&version(&group))) {
        return Err(ScimError::version_mismatch().into());
    }
    Ok(group)
}

/// What a change of members leaves beside them.
struct Aside {
    /// Names in the request that nothing knows.
    left_out: Vec<String>,
    /// Whose teams follow; `None` where the company has no organization.
    follow: Option<projection::Follow>,
}

impl Aside {
    fn touch(&mut self, members: &[MemberKey]) {
        if let Some(follow) = &mut self.follow {
            follow.touch(members.iter().copied());
        }
    }

    /// Notes who leaves and who comes where these become the members.
    fn touch_difference(&mut self, cx: &mut Cx<'_>, group: i64, to: &[MemberKey]) -> Result<()> {
        if let Some(follow) = &mut self.follow {
            follow.touch(db::members::difference(cx.conn, group, to)?);
        }
        Ok(())
    }
}

/// What a write wants of a group.
struct Change {
    before: Resource,
    after: Resource,
    members: Vec<MemberChange>,
    /// Whether members have come or gone already; then the group has their new count.
    moved: bool,
    aside: Aside,
}

fn save(
    cx: &mut Cx<'_>,
    directory: &Directory,
    mut group: Group,
    change: Change,
) -> Result<Written<Group>> {
    let Change { before, after, members, moved, mut aside } = change;
    let had = group.member_count;
    let mut changed = moved;
    if before != after {
        changed = true;
        let (old, new) = (leaves(&directory.groups, &before), leaves(&directory.groups, &after));
        values::update(cx.conn, owner(directory, group.seq), &old, &new)?;
        group.document = group::document(&directory.groups, &after);
    }
    for change in &members {
        changed |= change_members(cx, directory, &mut group, change, &mut aside)?;
    }
    if changed {
        group.last_modified = cx.now;
        let keys = keys(&directory.groups, &after);
        let stored = db::groups::update(cx.conn, directory.company, &mut group, &keys);
        if !stored.map_err(conflict)? {
            return Err(Error::Unavailable("The group was changed at the same moment; try again"));
        }
        let names = super::users::changed(&before, &after);
        let detail =
            json!({"changed": names, "members": {"before": had, "after": group.member_count}});
        tell(cx, directory, (Action::GroupUpdated, &group.id), detail)?;
        if let Some(mut follow) = aside.follow {
            let names = (before.display_name(), after.display_name());
            if let ((Some(old), Some(new)), true) = (names, names.0 != names.1) {
                projection::group_renamed(cx, directory, &mut follow, (group.seq, old, new))?;
            }
            follow.end(cx, directory)?;
        }
    }
    Ok(Written { item: group, left_out: aside.left_out })
}

/// Applies one change to the members and keeps the count; whether anything changed.
fn change_members(
    cx: &mut Cx<'_>,
    directory: &Directory,
    group: &mut Group,
    change: &MemberChange,
    aside: &mut Aside,
) -> Result<bool> {
    let (mut added, mut removed) = (0, 0);
    match change {
        MemberChange::Add(members) => {
            let ids = ids_of(group, members)?;
            let found = db::members::resolve_to_add(cx.conn, directory.company, &ids)?;
            let known = known(&ids, found, &mut aside.left_out)?;
            added = db::members::add(cx.conn, group.seq, &known)?;
            aside.touch(if added > 0 { &known } else { &[] });
        }
        MemberChange::Replace(members) if members.is_empty() => {
            aside.touch_difference(cx, group.seq, &[])?;
            removed = db::members::clear(cx.conn, group.seq)?;
        }
        MemberChange::Replace(members) => {
            // Who is in the group already needs no lock: nobody leaves it who does not lock the group.
            let ids = ids_of(group, members)?;
            let found = db::members::resolve(cx.conn, directory.company, &ids)?;
            let known = known(&ids, found, &mut aside.left_out)?;
            aside.touch_difference(cx, group.seq, &known)?;
            (removed, added) = db::members::replace(cx.conn, directory.company, group.seq, &known)?;
        }
        MemberChange::Remove(ids) => {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let found = db::members::resolve(cx.conn, directory.company, &ids)?;
            let keys: Vec<MemberKey> = found.into_values().collect();
            removed = db::members::remove(cx.conn, group.seq, &keys)?;
            aside.touch(if removed > 0 { &keys } else { &[] });
        }
        MemberChange::Clear => {
            aside.touch_difference(cx, group.seq, &[])?;
            removed = db::members::clear(cx.conn, group.seq)?;
        }
        MemberChange::RemoveWhere(condition) => {
            let keys = matching(cx, directory, group, condition)?;
            removed = db::members::remove(cx.conn, group.seq, &keys)?;
            aside.touch(&keys);
        }
    }
    group.member_count += count(added) - count(removed);
    if group.member_count > MAX_STORED_MEMBERS {
        return Err(too_many().into());
    }
    Ok(added + removed > 0)
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn too_many() -> ScimError {
    ScimError::new(403, None, format!("A group has at most {MAX_STORED_MEMBERS} members"))
}

/// The ids that members to be set are named by.
fn ids_of<'m>(group: &Group, members: &'m [Member]) -> Result<Vec<&'m str>> {
    let ids: Vec<&str> = members.iter().map(|m| m.value.as_str()).collect();
    if ids.contains(&group.id.as_str()) {
        return Err(ScimError::invalid_value("A group cannot be a member of itself").into());
    }
    Ok(ids)
}

/// The named members that the company knows; the others are left out, unless none is known
/// (ruling 5: a 400 is final for Okta and would lose the whole push).
fn known(
    ids: &[&str],
    found: HashMap<String, MemberKey>,
    left_out: &mut Vec<String>,
) -> Result<Vec<MemberKey>> {
    let unknown: Vec<&str> = ids.iter().filter(|id| !found.contains_key(**id)).copied().collect();
    if found.is_empty() && !ids.is_empty() {
        let some = unknown.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        return Err(
            ScimError::invalid_value(format!("members: no such user or group: {some}")).into()
        );
    }
    left_out.extend(unknown.iter().map(|id| format!("members[value eq \"{id}\"]")));
    Ok(found.into_values().collect())
}

/// Members that satisfy a condition on more than their ids; rare, so they are looked at one by one.
fn matching(
    cx: &mut Cx<'_>,
    directory: &Directory,
    group: &Group,
    condition: &Condition,
) -> Result<Vec<MemberKey>> {
    let mut out = Vec::new();
    let mut place = Some(MemberPlace::default());
    while let Some(from) = place {
        let (page, next) = member_page(cx.conn, directory, group.seq, from)?;
        place = next;
        out.extend(page.iter().filter_map(|member| {
            let element = serde_json::json!({
                "value": member.id, "type": member.key.kind.name(),
            });
            filter::element_matches(&directory.groups, condition, &element).then_some(member.key)
        }));
    }
    Ok(out)
}

fn conflict(error: db::DbError) -> Error {
    let taken = "Another group of the company has this displayName or externalId";
    super::companies::or_taken(error, ScimError::uniqueness(taken).into())
}

fn owner(directory: &Directory, seq: i64) -> Owner {
    Owner { company: directory.company, resource_type: ResourceType::Group, seq }
}

fn keys(schema: &ResourceSchema, resource: &Resource) -> Keys {
    let display_name = resource.display_name().unwrap_or_default();
    Keys {
        display_name: display_name.to_owned(),
        display_name_key: fold(display_name),
        external_id: resource.external_id().map(str::to_owned),
        facts: facts(schema, resource),
    }
}

/// Gathers the facts of some groups of a directory anew, as `users::reindex` does those of users.
///
/// # Errors
/// The database's.
pub fn reindex(
    cx: &mut Cx<'_>,
    before: &Directory,
    after: &Directory,
    behind: i64,
) -> Result<Option<i64>> {
    let slice = (behind, super::companies::SLICE);
    let query = db::lists::Query::slice(after.company, &after.groups, slice);
    let page = db::lists::groups(cx.conn, &query)?;
    for group in page.iter().map(|row| &row.item) {
        let resource = group.resource()?;
        let new = facts(&after.groups, &resource);
        if facts(&before.groups, &resource) != new {
            db::groups::set_facts(cx.conn, after.company, group, &new)?;
        }
    }
    Ok(page.last().map(|row| row.item.seq))
}
