//! Users: create, revive, replace, patch, delete, find (RFC 7644 §3.3 to §3.6; rulings 3 to 5, 16).

pub mod load;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::clock::Clock;
use crate::db::sessions::Which;
use crate::db::users::{By, Creation, Keys};
use crate::db::values::{self, Owner};
use crate::db::{self, DbConn, Lock};
use crate::domain::event::{Action, Actor};
use crate::domain::group::{GroupRef, MemberKey};
use crate::domain::lifecycle::{self, Happening, Step};
use crate::domain::problem::{Code, Problem};
use crate::domain::user::{self, Origin, Rehire, User, UserStatus};
use crate::scim::leaves::{Leaf, facts, leaves};
use crate::scim::patch::{self, PatchOperation};
use crate::scim::resource::{self, Resource};
use crate::scim::value::fold;
use crate::scim::version::{Precondition, Version};
use crate::scim::{ResourceSchema, ResourceType, ScimError};

use super::error::{Error, Result};
use super::tokens::Access;
use super::{Cx, Directory, Service, events, profiles, projection, recognition, sessions};

/// A user with what an answer shows beside the record.
#[derive(Debug, Clone, PartialEq)]
pub struct UserView {
    /// The record.
    pub user: User,
    /// The groups that the user is in, direct and indirect.
    pub groups: Vec<GroupRef>,
}

impl UserView {
    /// The version of the whole answer: the record's and that of the groups (RFC 7644 §3.14).
    pub fn version(&self) -> Version {
        Version::new(self.user.version, user::groups_digest(&self.groups))
    }
}

/// What a write left behind.
#[derive(Debug, Clone)]
pub struct Written<T> {
    /// The resource after it.
    pub item: T,
    /// Names in the request that no schema knows (ruling 16).
    pub left_out: Vec<String>,
}

/// A body that has been read and checked as far as the body alone allows.
#[derive(Debug, Clone)]
pub struct Body {
    resource: Resource,
    left_out: Vec<String>,
}

/// Reads the body of a PUT; costs no place on the writer.
///
/// # Errors
/// As [`resource::normalise`].
pub fn read_body(schema: &ResourceSchema, body: Map<String, Value>) -> Result<Body> {
    let normalised = resource::normalise(schema, body)?;
    Ok(Body { resource: normalised.resource, left_out: normalised.left_out })
}

/// A user to be made: all that is stored, worked out before a place on the writer is taken.
#[derive(Debug, Clone)]
pub struct NewUser {
    resource: Resource,
    document: String,
    keys: Keys,
    leaves: Vec<Leaf>,
    left_out: Vec<String>,
}

/// Reads the body of a POST.
///
/// # Errors
/// As [`read_body`].
pub fn read_new(schema: &ResourceSchema, body: Map<String, Value>) -> Result<NewUser> {
    let Body { mut resource, left_out } = read_body(schema, body)?;
    resource.0.entry("active").or_insert(Value::Bool(true));
    let (document, keys) = (user::document(schema, &resource), keys(schema, &resource));
    let leaves = leaves(schema, &resource);
    Ok(NewUser { resource, document, keys, leaves, left_out })
}

/// The company's user with this id.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(conn: &mut DbConn, directory: &Directory, id: &str) -> Result<UserView> {
    find_by(conn, directory, By::Id(id))?.ok_or(Error::NotFound("User"))
}

/// The company's user that a unique value names.
///
/// # Errors
/// The database's.
pub fn find_by(conn: &mut DbConn, directory: &Directory, by: By<'_>) -> Result<Option<UserView>> {
    let found = db::users::find_with_groups(conn, directory.company, by)?;
    Ok(found.map(|(user, groups)| UserView { user, groups }))
}

fn view(conn: &mut DbConn, directory: &Directory, user: User) -> Result<UserView> {
    let mut groups = db::users::groups_of(conn, directory.company, &[user.seq])?;
    let groups = groups.remove(&user.seq).unwrap_or_default();
    Ok(UserView { user, groups })
}

/// Creates a user, or revives the inactive one that has the name or the external id (ruling 4).
///
/// # Errors
/// 409 `uniqueness` where an active user, or two different ones, have them.
pub fn create(cx: &mut Cx<'_>, directory: &Directory, new: NewUser) -> Result<Written<UserView>> {
    // Most users are new: the database is asked who has the keys only when it refuses them.
    let item = match insert(cx, directory, &new)? {
        Some(view) => view,
        None => {
            let user = returning(cx, directory, &new.keys)?;
            revive(cx, directory, user, new.resource)?
        }
    };
    Ok(Written { item, left_out: new.left_out })
}

/// The inactive user who has the keys.
fn returning(cx: &mut Cx<'_>, directory: &Directory, keys: &Keys) -> Result<User> {
    let mut taken = db::users::find_by_keys(cx.conn, directory.company, keys)?;
    let found = match (taken.pop(), taken.is_empty()) {
        // Another writer may be reviving or deleting the same user right now.
        (Some(user), true) => db::users::lock(cx.conn, directory.company, &user.id, Lock::Change)?,
        _ => None,
    };
    let inactive = found.filter(|user| !user.active);
    inactive.ok_or_else(|| taken_error(keys).into())
}

fn taken_error(keys: &Keys) -> ScimError {
    let also = if keys.external_id.is_some() { " or externalId" } else { "" };
    ScimError::uniqueness(format!("Another user of the company has this userName{also}"))
}

/// Stores a new user; `None` where somebody has the keys.
fn insert(cx: &mut Cx<'_>, directory: &Directory, new: &NewUser) -> Result<Option<UserView>> {
    let creation = creation((cx.clock, cx.now), directory, new);
    let seq = db::users::create(cx.conn, &creation)?;
    Ok(seq.map(|seq| as_made(creation, seq)))
}

/// All that is stored of a new user.
fn creation((clock, now): (&Clock, Timestamp), directory: &Directory, new: &NewUser) -> Creation {
    let user = record((clock, now), new);
    let event = events::at((clock, now), &directory.actor, (made(&user), &user.id), json!({}));
    let (keys, leaves) = (new.keys.clone(), new.leaves.clone());
    Creation { company: directory.company, user, event, keys, leaves }
}

/// A user who was made just now is in no group.
fn as_made(creation: Creation, seq: i64) -> UserView {
    UserView { user: User { seq, ..creation.user }, groups: Vec::new() }
}

/// What the making of a user is called in events.
fn made(user: &User) -> Action {
    match user.status() {
        UserStatus::Staged => Action::UserStaged,
        UserStatus::Active | UserStatus::Deactivated => Action::UserCreated,
    }
}

/// A new user as it is stored.
fn record((clock, now): (&Clock, Timestamp), new: &NewUser) -> User {
    User {
        seq: 0,
        id: clock.id(),
        document: new.document.clone(),
        active: new.resource.active(),
        admin_deactivated: false,
        unmapped: false,
        activated_at: None,
        created_at: now,
        last_modified: now,
        version: 1,
    }
}

impl Service {
    /// Creates a user; see [`create`]. Most users are new, and made by [`db::Database::create_user`].
    ///
    /// # Errors
    /// Those of [`create`].
    pub async fn create_user(
        &self,
        access: Arc<Access>,
        new: NewUser,
    ) -> Result<Written<UserView>> {
        let made = creation((&self.clock, self.clock.now()), &access.directory, &new);
        let creation = Arc::new(made);
        if let Some(seq) = self.create_together(Arc::clone(&creation)).await? {
            let item = as_made(Arc::unwrap_or_clone(creation), seq);
            return Ok(Written { item, left_out: new.left_out });
        }
        self.transact(move |cx| create(cx, &access.directory, new)).await
    }
}

/// Brings an inactive user back under the same id.
fn revive(
    cx: &mut Cx<'_>,
    directory: &Directory,
    user: User,
    mut resource: Resource,
) -> Result<UserView> {
    let before = user.resource()?;
    if let (None, Some(external_id)) = (resource.external_id(), before.external_id()) {
        resource.0.insert("externalId".to_owned(), Value::from(external_id));
    }
    adopt(cx, directory, user.seq)?;
    save(cx, directory, user, &before, &resource)
}

/// Replaces a user's attributes (RFC 7644 §3.5.1).
///
/// # Errors
/// [`Error::NotFound`]; 412 where `if_match` names another version; 409 `uniqueness`.
pub fn replace(
    cx: &mut Cx<'_>,
    directory: &Directory,
    (id, if_match): (&str, Option<&Precondition>),
    body: Body,
) -> Result<Written<UserView>> {
    let user = find_for_write(cx, directory, (id, Lock::Change), if_match)?;
    let before = user.resource()?;
    let Body { mut resource, left_out } = body;
    resource::carry_over(&directory.users, &before, &mut resource)?;
    Ok(Written { item: save(cx, directory, user, &before, &resource)?, left_out })
}

/// Applies a PATCH, all of it or nothing (RFC 7644 §3.5.2).
///
/// # Errors
/// As [`replace`], and those of [`patch::apply`].
pub fn patch(
    cx: &mut Cx<'_>,
    directory: &Directory,
    (id, if_match): (&str, Option<&Precondition>),
    operations: &[PatchOperation],
) -> Result<Written<UserView>> {
    let user = find_for_write(cx, directory, (id, Lock::Change), if_match)?;
    let before = user.resource()?;
    let mut after = before.clone();
    let applied = patch::apply(&directory.users, &mut after, operations)?;
    Ok(Written { item: save(cx, directory, user, &before, &after)?, left_out: applied.left_out })
}

/// Removes a user for good (RFC 7644 §3.6).
///
/// # Errors
/// [`Error::NotFound`]; 412 where `if_match` names another version.
pub fn delete(
    cx: &mut Cx<'_>,
    directory: &Directory,
    id: &str,
    if_match: Option<&Precondition>,
) -> Result<()> {
    let user = find_for_write(cx, directory, (id, Lock::Remove), if_match)?;
    let resource = user.resource()?;
    let leaves = leaves(&directory.users, &resource);
    leave_groups(cx, directory, user.seq)?;
    let whose = (directory.company, Which::User(user.seq), id);
    sessions::end(cx, &directory.actor, whose, "user_deleted")?;
    if user.status() != UserStatus::Deactivated {
        profiles::warn_without_admin(cx, directory, (user.seq, id))?;
    }
    forget(cx, directory, &user)?;
    recognition::depart(cx, directory.company, &resource)?;
    values::update(cx.conn, owner(directory, user.seq), &leaves, &[])?;
    db::users::delete(cx.conn, directory.company, user.seq)?;
    tell(cx, directory, (Action::UserDeleted, id), json!({}))?;
    Ok(db::counts::add(cx.conn, directory.company, (ResourceType::User, user.seq), -1)?)
}

/// Removes all that hangs on a user who goes; names of sign-ins only of whom there was one.
fn forget(cx: &mut Cx<'_>, directory: &Directory, user: &User) -> Result<()> {
    if user.activated_at.is_some() {
        db::saml::forget(cx.conn, directory.company, user.seq)?;
    }
    Ok(db::people::forget(cx.conn, directory.company, user.seq)?)
}

fn leave_groups(cx: &mut Cx<'_>, directory: &Directory, seq: i64) -> Result<()> {
    let member = MemberKey { kind: ResourceType::User, seq };
    Ok(db::members::remove_everywhere(cx.conn, directory.company, member, db::micros(cx.now))?)
}

fn find_for_write(
    cx: &mut Cx<'_>,
    directory: &Directory,
    (id, lock): (&str, Lock),
    if_match: Option<&Precondition>,
) -> Result<User> {
    let user = db::users::lock(cx.conn, directory.company, id, lock)?;
    let user = user.ok_or(Error::NotFound("User"))?;
    let Some(if_match) = if_match else { return Ok(user) };
    let view = view(cx.conn, directory, user)?;
    if !if_match.matches(&view.version()) {
        return Err(ScimError::version_mismatch().into());
    }
    Ok(view.user)
}

/// Stores a user's attributes where they differ; an inactive user who is given another external id
/// is another person from then on (ruling 4).
fn save(
    cx: &mut Cx<'_>,
    directory: &Directory,
    mut user: User,
    before: &Resource,
    after: &Resource,
) -> Result<UserView> {
    let rehire = Rehire::decide(before.external_id(), after.external_id());
    let replaced = !user.active && rehire == Rehire::AnotherPerson;
    if before == after && !replaced {
        return view(cx.conn, directory, user);
    }
    // Taking the attribute away says nothing about access: the user stays as they are.
    let active = after.0.get("active").and_then(Value::as_bool).unwrap_or(user.active);
    let happening = match replaced {
        true => Happening::IsReplaced(active),
        false => Happening::DirectorySays(active),
    };
    if replaced {
        // As where the user goes: nobody makes the former person a member meanwhile.
        db::users::lock(cx.conn, directory.company, &user.id, Lock::Remove)?;
        leave_groups(cx, directory, user.seq)?;
        let whose = (directory.company, Which::User(user.seq), user.id.as_str());
        sessions::end(cx, &directory.actor, whose, "user_replaced")?;
        forget(cx, directory, &user)?;
        db::identities::unlink(cx.conn, directory.company, user.seq)?;
    }
    user.document = user::document(&directory.users, after);
    let step = stand(cx, directory, &mut user, happening)?;
    let keys = keys(&directory.users, after);
    user.last_modified = cx.now;
    let moved_at = step.moved().then_some(cx.now);
    let stored = db::users::update(cx.conn, directory.company, &mut user, (&keys, moved_at));
    if !stored.map_err(conflict(&keys))? {
        return Err(Error::Unavailable("The user was changed at the same moment; try again"));
    }
    let mut detail = events::status_detail(&step);
    detail["changed"] = changed(before, after).into();
    tell(cx, directory, (step.action().unwrap_or(Action::UserUpdated), &user.id), detail)?;
    let (old, new) = (leaves(&directory.users, before), leaves(&directory.users, after));
    values::update(cx.conn, owner(directory, user.seq), &old, &new)?;
    if before.external_id() != after.external_id() {
        adopt(cx, directory, user.seq)?;
    }
    match follow(cx, directory, &user, &step)? {
        true => view_anew(cx, directory, &user.id),
        false => view(cx.conn, directory, user),
    }
}

/// Whom a login or an invitation made, the directory describes from the moment on at which it takes them for
/// its own: it gives an `externalId`, or brings them back (ruling 8).
fn adopt(cx: &mut Cx<'_>, directory: &Directory, seq: i64) -> Result<()> {
    match directory.actor {
        Actor::ScimToken(_) | Actor::Command => {
            Ok(db::users::set_origin(cx.conn, directory.company, seq, Origin::Directory)?)
        }
        Actor::System | Actor::ApiKey(_) | Actor::User(_) => Ok(()),
    }
}

/// The user as it is stored by now.
fn view_anew(cx: &mut Cx<'_>, directory: &Directory, id: &str) -> Result<UserView> {
    let user = db::users::lock(cx.conn, directory.company, id, Lock::Change)?;
    view(cx.conn, directory, user.ok_or(Error::NotFound("User"))?)
}

/// Brings the teams of a user who may enter again up to date; whether there was anything to do.
fn follow(cx: &mut Cx<'_>, directory: &Directory, user: &User, step: &Step) -> Result<bool> {
    if step.from != UserStatus::Deactivated || step.to == UserStatus::Deactivated {
        return Ok(false);
    }
    let Some(mut follow) = projection::open(cx, directory)? else { return Ok(false) };
    follow.touch_users(vec![user.seq]);
    follow.end(cx, directory)?;
    Ok(true)
}

/// Lets the lifecycle follow what happens to a user, and ends the sessions of one who loses access. The
/// user is the caller's to store.
///
/// # Errors
/// 403 `user_deactivated` where a deactivated user signs in.
pub(super) fn stand(
    cx: &mut Cx<'_>,
    directory: &Directory,
    user: &mut User,
    happening: Happening,
) -> Result<Step> {
    let step = lifecycle::follow(user.causes(), happening, cx.now).map_err(|refused| {
        let reason = refused.0.name();
        Problem::new(Code::UserDeactivated, format!("The user is deactivated: {reason}"))
            .with("reason", reason.into())
    })?;
    user.stand(step.causes);
    if step.ends_sessions() {
        let whose = (directory.company, Which::User(user.seq), user.id.as_str());
        sessions::end(cx, &directory.actor, whose, "user_deactivated")?;
    }
    if step.moved() && step.to == UserStatus::Deactivated {
        profiles::warn_without_admin(cx, directory, (user.seq, &user.id))?;
    }
    Ok(step)
}

/// Stores where a user stands after [`stand`], and tells of it.
///
/// # Errors
/// [`Error::Unavailable`] where somebody else changed the user since.
pub(super) fn keep_standing(
    cx: &mut Cx<'_>,
    directory: &Directory,
    user: &mut User,
    step: &Step,
) -> Result<()> {
    user.last_modified = cx.now;
    let moved_at = step.moved().then_some(cx.now);
    if !db::users::stand(cx.conn, directory.company, user, moved_at)? {
        return Err(Error::Unavailable("The user was changed at the same moment; try again"));
    }
    let action = step.action().unwrap_or(Action::UserUpdated);
    tell(cx, directory, (action, &user.id), events::status_detail(step))?;
    follow(cx, directory, user, step).map(drop)
}

fn tell(cx: &mut Cx<'_>, directory: &Directory, what: (Action, &str), detail: Value) -> Result<()> {
    events::record(cx, directory.company, &directory.actor, what, detail)
}

/// The names of the attributes in which two states of a resource differ; their values are in neither
/// event nor audit, which people read who may not see the directory.
pub(super) fn changed(before: &Resource, after: &Resource) -> Vec<String> {
    let names = before.0.keys().chain(after.0.keys().filter(|name| !before.0.contains_key(*name)));
    names.filter(|name| before.0.get(*name) != after.0.get(*name)).cloned().collect()
}

/// What the database's own uniqueness says: nobody is asked for before.
fn conflict(keys: &Keys) -> impl Fn(db::DbError) -> Error {
    let error = taken_error(keys);
    move |db_error| super::companies::or_taken(db_error, error.clone().into())
}

fn owner(directory: &Directory, seq: i64) -> Owner {
    Owner { company: directory.company, resource_type: ResourceType::User, seq }
}

fn keys(schema: &ResourceSchema, resource: &Resource) -> Keys {
    Keys {
        user_name_key: fold(resource.user_name()),
        external_id: resource.external_id().map(str::to_owned),
        display_name_key: resource.display_name().map(fold),
        facts: facts(schema, resource),
    }
}

/// Gathers the facts of some users of a directory anew, those behind a storage key, after its schemas
/// changed; what is indexed no custom schema says. Returns the last one's, `None` where there are none.
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
    let query = db::lists::Query::slice(after.company, &after.users, slice);
    let page = db::lists::users(cx.conn, &query)?;
    for user in page.iter().map(|row| &row.item) {
        let resource = user.resource()?;
        let new = facts(&after.users, &resource);
        if facts(&before.users, &resource) != new {
            db::users::set_facts(cx.conn, after.company, user, &new)?;
        }
    }
    Ok(page.last().map(|row| row.item.seq))
}
