//! Users and groups as the management API sees them: where they stand, and what an admin changes.

use serde_json::{Map, Value, json};

pub use crate::db::profiles::Profile;
use crate::db::{self, DbConn, Lock};
use crate::domain::company::{Company, DeleteMode};
use crate::domain::event::{Action, Actor};
use crate::domain::group::Group;
use crate::domain::id::CompanySeq;
use crate::domain::lifecycle::Happening;
use crate::domain::problem::{Code, Problem};
use crate::domain::role::{CompanyRole, Permissions};
use crate::domain::user::{Origin, User, UserStatus};

use super::error::{Error, Result};
use super::{Cx, Directory, events, invitations, users};

/// What is to change of a user; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// An admin's deactivation, or the end of it.
    pub deactivated: Option<bool>,
    /// What the user is in the company.
    pub company_role: Option<CompanyRole>,
    /// What is given beside that.
    pub permissions: Option<Permissions>,
    /// Names of fields that describe the person, each with its value; SCIM owns them where SCIM made
    /// the user.
    pub profile: Vec<(&'static str, Value)>,
}

impl Change {
    fn is_empty_but_profile(&self) -> bool {
        self.deactivated.is_none() && self.company_role.is_none() && self.permissions.is_none()
    }
}

/// A page of the company's users, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn page(conn: &mut DbConn, company: CompanySeq, place: (&str, i64)) -> Result<Vec<Profile>> {
    Ok(db::profiles::users(conn, company, place)?)
}

/// The company's user with this id.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(conn: &mut DbConn, company: CompanySeq, id: &str) -> Result<Profile> {
    db::profiles::user(conn, company, id)?.ok_or(Error::NotFound("User"))
}

/// The company's user whom people call so: by id, `userName` or address.
///
/// # Errors
/// [`Error::NotFound`]; 409 `email_ambiguous`.
pub fn named(conn: &mut DbConn, company: CompanySeq, text: &str) -> Result<Profile> {
    if let Some(found) = db::profiles::user(conn, company, text)? {
        return Ok(found);
    }
    let id = invitations::addressee(conn, company, text)?.ok_or(Error::NotFound("User"))?;
    find(conn, company, &id)
}

/// A page of the company's groups, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn groups(conn: &mut DbConn, company: CompanySeq, place: (&str, i64)) -> Result<Vec<Group>> {
    Ok(db::profiles::groups(conn, company, place)?)
}

/// The company's group with this id.
///
/// # Errors
/// [`Error::NotFound`].
pub fn group(conn: &mut DbConn, company: CompanySeq, id: &str) -> Result<Group> {
    db::groups::find(conn, company, id)?.ok_or(Error::NotFound("Group"))
}

/// Changes a user, and names the fields that were left alone because SCIM owns them (D7).
///
/// # Errors
/// [`Error::NotFound`]; 409 `scim_conflict` where nothing else was to change; 409 `last_admin`; 403
/// `cannot_change_own_status`.
pub fn change(
    cx: &mut Cx<'_>,
    (company, actor): (&Company, &Actor),
    id: &str,
    change: &Change,
) -> Result<(Profile, Vec<&'static str>)> {
    let directory = Directory::load(cx.conn, company.seq)?.for_actor(actor.clone());
    // The company's row: of two admins who deactivate each other at once, one stays.
    db::companies::lock(cx.conn, company.seq)?;
    db::users::lock(cx.conn, company.seq, id, Lock::Change)?;
    let profile = find(cx.conn, company.seq, id)?;
    let owned = profile.origin == Origin::Directory;
    let mut ignored = Vec::new();
    if owned && !change.profile.is_empty() {
        ignored = change.profile.iter().map(|(name, _)| *name).collect();
        if change.is_empty_but_profile() {
            let detail =
                format!("SCIM owns {}: change it at the identity provider", ignored.join(", "));
            return Err(Problem::new(Code::ScimConflict, detail).into());
        }
    }
    if !owned && !change.profile.is_empty() {
        describe(cx, &directory, id, &change.profile)?;
    }
    if change.company_role.is_some() || change.permissions.is_some() {
        give(cx, &directory, &profile, change)?;
    }
    if let Some(deactivated) = change.deactivated {
        deactivate(cx, &directory, id, deactivated)?;
    }
    Ok((find(cx.conn, company.seq, id)?, ignored))
}

/// Changes what describes a person whom SCIM does not own.
fn describe(
    cx: &mut Cx<'_>,
    directory: &Directory,
    id: &str,
    fields: &[(&'static str, Value)],
) -> Result<()> {
    let mut name = Map::new();
    let mut value = Map::new();
    for (field, to) in fields {
        match *field {
            "first_name" => drop(name.insert("givenName".to_owned(), to.clone())),
            "last_name" => drop(name.insert("familyName".to_owned(), to.clone())),
            "phone_number" => {
                let number = json!([{"value": to, "type": "work", "primary": true}]);
                value.insert("phoneNumbers".to_owned(), number);
            }
            "picture" => {
                let photo = json!([{"value": to, "type": "photo", "primary": true}]);
                value.insert("photos".to_owned(), photo);
            }
            _ => {}
        }
    }
    if !name.is_empty() {
        value.insert("name".to_owned(), Value::Object(name));
    }
    fill(cx, directory, id, &value).map(drop)
}

/// Puts attributes in the place of a user's own.
///
/// # Errors
/// Those of [`users::patch`].
pub(super) fn fill(
    cx: &mut Cx<'_>,
    directory: &Directory,
    id: &str,
    value: &Map<String, Value>,
) -> Result<User> {
    let operation = json!({"op": "replace", "value": value});
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [operation],
    });
    let body = body.as_object().cloned().unwrap_or_default();
    let operations = crate::scim::patch::parse(body)?;
    Ok(users::patch(cx, directory, (id, None), &operations)?.item.user)
}

/// Gives a company role and permissions.
fn give(cx: &mut Cx<'_>, directory: &Directory, profile: &Profile, change: &Change) -> Result<()> {
    let role = change.company_role.unwrap_or(profile.company_role);
    let permissions = change.permissions.as_ref().unwrap_or(&profile.permissions);
    if (role, permissions) == (profile.company_role, &profile.permissions) {
        return Ok(());
    }
    if profile.company_role == CompanyRole::Admin && role != CompanyRole::Admin {
        keep_an_admin(cx, directory.company, profile)?;
    }
    let given = (role, permissions, db::micros(cx.now));
    db::sessions::set_company_role(cx.conn, directory.company, profile.user.seq, given)?;
    let detail = json!({
        "before": {"company_role": profile.company_role.name(), "permissions": profile.permissions.names()},
        "after": {"company_role": role.name(), "permissions": permissions.names()},
    });
    let what = (Action::RoleChanged, profile.user.id.as_str());
    events::record(cx, directory.company, &directory.actor, what, detail)
}

/// Refuses to leave the company without an account admin.
fn keep_an_admin(cx: &mut Cx<'_>, company: CompanySeq, profile: &Profile) -> Result<()> {
    let counts = profile.company_role == CompanyRole::Admin
        && profile.user.status() != UserStatus::Deactivated;
    if counts && !db::sessions::has_other_admin(cx.conn, company, profile.user.seq)? {
        return Err(Code::LastAdmin.into());
    }
    Ok(())
}

/// Warns where a user who loses access is the last account admin: the directory's word holds all the same, and an
/// operator can appoint another (security S17).
///
/// # Errors
/// The database's.
pub(super) fn warn_without_admin(
    cx: &mut Cx<'_>,
    directory: &Directory,
    (seq, id): (i64, &str),
) -> Result<()> {
    let company = directory.company;
    let (role, _) = db::sessions::company_role(cx.conn, company, seq)?;
    if role != CompanyRole::Admin {
        return Ok(());
    }
    // Of two who go at once, the second one is the last.
    db::companies::lock(cx.conn, company)?;
    if db::sessions::has_other_admin(cx.conn, company, seq)? {
        return Ok(());
    }
    let what = (Action::CompanyWithoutAdmin, id);
    events::record(cx, company, &directory.actor, what, json!({}))
}

/// Deactivates a user as an admin does, or lifts that; the IdP's `active` stays what it is (ruling 3).
fn deactivate(cx: &mut Cx<'_>, directory: &Directory, id: &str, deactivated: bool) -> Result<()> {
    if directory.actor == Actor::User(id.to_owned()) {
        return Err(Code::CannotChangeOwnStatus.into());
    }
    let profile = find(cx.conn, directory.company, id)?;
    if deactivated {
        keep_an_admin(cx, directory.company, &profile)?;
    }
    let mut user = profile.user;
    if user.admin_deactivated == deactivated {
        return Ok(());
    }
    let happening = Happening::AdminDeactivates(deactivated);
    let step = users::stand(cx, directory, &mut user, happening)?;
    users::keep_standing(cx, directory, &mut user, &step)
}

/// Removes a user, or leaves a deactivated record where the company's setting says so (D7).
///
/// # Errors
/// [`Error::NotFound`]; 409 `last_admin`; 403 `cannot_change_own_status`.
pub fn delete(cx: &mut Cx<'_>, (company, actor): (&Company, &Actor), id: &str) -> Result<()> {
    if *actor == Actor::User(id.to_owned()) {
        return Err(Code::CannotChangeOwnStatus.into());
    }
    let directory = Directory::load(cx.conn, company.seq)?.for_actor(actor.clone());
    db::companies::lock(cx.conn, company.seq)?;
    let profile = find(cx.conn, company.seq, id)?;
    keep_an_admin(cx, company.seq, &profile)?;
    match company.settings.delete_mode {
        DeleteMode::Delete => users::delete(cx, &directory, id, None),
        DeleteMode::Deactivate => deactivate(cx, &directory, id, true),
    }
}
