//! Users by the hundred: what a bulk load asks of each, and how it stores them.

use serde_json::{Value, json};

use crate::db;
use crate::db::users::Keys;
use crate::db::values;
use crate::domain::event::Action;
use crate::domain::user::User;
use crate::scim::ResourceType;
use crate::scim::resource;

use super::super::{Cx, Directory, Result, events};
use super::{NewUser, conflict, record, save};

impl NewUser {
    /// Takes out the names that no schema knows.
    pub fn take_left_out(&mut self) -> Vec<String> {
        std::mem::take(&mut self.left_out)
    }

    /// The folded `userName`.
    pub fn name_key(&self) -> &str {
        &self.keys.user_name_key
    }

    /// `externalId`.
    pub fn external_id(&self) -> Option<&str> {
        self.keys.external_id.as_deref()
    }

    /// The name and the external id of a stored resource once it is as the line says: an
    /// `externalId` that the line does not name stays.
    pub fn keys_over(&self, external_id: Option<&str>) -> (String, Option<String>) {
        let external_id = self.external_id().or(external_id).map(str::to_owned);
        (self.name_key().to_owned(), external_id)
    }
}

/// Stores users whose `userName` and `externalId` nobody has, and returns their storage keys in the
/// same order.
///
/// # Errors
/// 409 `uniqueness` where somebody has one of them after all; none is stored then.
pub fn insert_all(cx: &mut Cx<'_>, directory: &Directory, all: &[&NewUser]) -> Result<Vec<i64>> {
    let new: Vec<(User, &Keys)> =
        all.iter().map(|new| (record((cx.clock, cx.now), new), &new.keys)).collect();
    let Some(first) = all.first() else { return Ok(Vec::new()) };
    let company = directory.company;
    let seqs = db::import::insert_users(cx.conn, company, &new).map_err(conflict(&first.keys))?;
    let rows = all.iter().zip(&seqs);
    let rows = rows.flat_map(|(new, seq)| new.leaves.iter().map(|leaf| (leaf, *seq)));
    values::insert_all(cx.conn, company, ResourceType::User, rows.collect())?;
    db::counts::add_all(cx.conn, company, ResourceType::User, &seqs)?;
    let (what, count) = ((Action::DirectoryImported, ""), json!({"users": seqs.len()}));
    events::record(cx, company, &directory.actor, what, count)?;
    Ok(seqs)
}

/// Whether a stored user is, to the letter, what the line says: the common case of a second run.
pub fn is_same(user: &User, new: &NewUser) -> bool {
    user.document == new.document
}

/// Brings a stored user to what the line says, as a PUT does, or a POST that revives the user
/// (ruling 4); an `externalId` that the line does not name stays. Whether anything changed.
///
/// # Errors
/// 409 `uniqueness`; `mutability` where a set immutable attribute would change.
pub fn bring_to(cx: &mut Cx<'_>, directory: &Directory, user: User, new: &NewUser) -> Result<bool> {
    if user.document == new.document {
        return Ok(false);
    }
    let before = user.resource()?;
    let mut after = new.resource.clone();
    if let (None, Some(external_id)) = (after.external_id(), before.external_id()) {
        after.0.insert("externalId".to_owned(), Value::from(external_id));
    }
    if user.active {
        resource::carry_over(&directory.users, &before, &mut after)?;
    }
    if before == after {
        return Ok(false);
    }
    save(cx, directory, user, &before, &after)?;
    Ok(true)
}
