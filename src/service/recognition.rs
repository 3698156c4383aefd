//! Which user a verified identity is (ruling 9): by the link of an earlier login, or by a first match.

use aws_lc_rs::digest;
use serde_json::Value;

use crate::db::identities::Linked;
use crate::db::users::By;
use crate::db::{self};
use crate::domain::id::CompanySeq;
use crate::domain::identity::{VerifiedIdentity, Way};
use crate::domain::problem::Code;
use crate::scim::Resource;
use crate::scim::value::fold;

use super::Cx;
use super::error::Result;
use super::keys::hex;

/// The id of the user whom the identity is; `None`: the company has none such.
///
/// # Errors
/// 403 `user_deleted` of a subject whose user was deleted and not provisioned anew; 409 `identity_conflict` where the
/// address is a user's who is linked with another subject; 409 `email_ambiguous`.
pub(super) fn recognise(
    cx: &mut Cx<'_>,
    company: CompanySeq,
    (way, identity): (Way, &VerifiedIdentity),
) -> Result<Option<String>> {
    let Way::Sso(connection) = way else {
        return by_address(cx, (company, None), identity);
    };
    let linked = db::identities::find(cx.conn, (company, connection), identity)?;
    if let Linked::User(id) = linked {
        return Ok(Some(id));
    }
    if let Some(id) = by_external_id(cx, (company, connection), identity)? {
        return Ok(Some(id));
    }
    match (by_address(cx, (company, Some(connection)), identity)?, linked) {
        (None, Linked::Deleted) => Err(Code::UserDeleted.into()),
        (found, _) => Ok(found),
    }
}

/// The user whom the directory knows by the subject, where no login has linked them yet.
fn by_external_id(
    cx: &mut Cx<'_>,
    (company, connection): (CompanySeq, i64),
    identity: &VerifiedIdentity,
) -> Result<Option<String>> {
    let external_id = identity.external_id.as_deref().unwrap_or(&identity.subject);
    let found = db::users::find_with_groups(cx.conn, company, By::ExternalId(external_id))?;
    let Some((user, _)) = found else { return Ok(None) };
    let taken = db::identities::has(cx.conn, (company, user.seq), connection)?;
    Ok((!taken).then_some(user.id))
}

/// The one user with the address, by `userName` first, who is not linked on this connection with somebody else.
fn by_address(
    cx: &mut Cx<'_>,
    (company, connection): (CompanySeq, Option<i64>),
    identity: &VerifiedIdentity,
) -> Result<Option<String>> {
    let found = db::invitations::addressees(cx.conn, company, &identity.email)?;
    let mut free = Vec::new();
    for (seq, id, by_name) in &found {
        let taken = match connection {
            Some(connection) => db::identities::has(cx.conn, (company, *seq), connection)?,
            None => false,
        };
        if !taken {
            free.push((id.clone(), *by_name));
        }
    }
    if let Some((id, _)) = free.iter().find(|(_, by_name)| *by_name) {
        return Ok(Some(id.clone()));
    }
    match (free.pop(), free.is_empty()) {
        (None, _) if found.is_empty() => Ok(None),
        (None, _) => Err(Code::IdentityConflict.into()),
        (Some((id, _)), true) => Ok(Some(id)),
        (Some(_), false) => Err(Code::EmailAmbiguous.into()),
    }
}

/// Whether a user of this identity was deleted: a login makes nobody anew (ruling 9).
///
/// # Errors
/// The database's.
pub(super) fn is_departed(
    cx: &mut Cx<'_>,
    company: CompanySeq,
    identity: &VerifiedIdentity,
) -> Result<bool> {
    let id = identity.external_id.as_deref().unwrap_or(&identity.subject);
    let digests = [digest(company, ADDRESS, &fold(&identity.email)), digest(company, ID, id)];
    Ok(db::departed::has(cx.conn, company, &digests)?)
}

/// Notes whom no login is to make anew: by the names and addresses, and by what the directory called the user.
///
/// # Errors
/// The database's.
pub(super) fn depart(cx: &mut Cx<'_>, company: CompanySeq, user: &Resource) -> Result<()> {
    let emails = user.0.get("emails").and_then(Value::as_array).into_iter().flatten();
    let emails = emails.filter_map(|email| email.get("value")?.as_str());
    let addresses = std::iter::once(user.user_name()).chain(emails);
    let mut digests: Vec<String> =
        addresses.map(|address| digest(company, ADDRESS, &fold(address))).collect();
    digests.extend(user.external_id().map(|id| digest(company, ID, id)));
    digests.sort_unstable();
    digests.dedup();
    Ok(db::departed::insert(cx.conn, company, &digests, cx.now)?)
}

const ADDRESS: &str = "address";
const ID: &str = "id";

/// What is kept of somebody who is gone: it tells a known address again, and does not name it.
fn digest(company: CompanySeq, kind: &str, text: &str) -> String {
    let whole = format!("{} {kind} {text}", company.0);
    hex(digest::digest(&digest::SHA256, whole.as_bytes()).as_ref())
}
