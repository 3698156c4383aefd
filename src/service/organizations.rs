//! Organizations: made, read, changed, ended.

use serde_json::json;

use crate::db::{self, DbConn};
use crate::domain::authorization::{Act, check_plan};
use crate::domain::company::{Company, check_slug};
use crate::domain::event::{Action, Actor};
use crate::domain::id::CompanySeq;
use crate::domain::organization::{MAX_ORGANIZATIONS, Organization, OrganizationSeq};
use crate::domain::problem::{Code, Problem};
use crate::domain::role::Role;

use super::companies::or_taken;
use super::error::{Error, Result};
use super::{Cx, connections, events};

/// What a new organization is made from.
#[derive(Debug, Clone)]
pub struct NewOrganization {
    /// Its short name; made from the name where there is none.
    pub slug: Option<String>,
    /// Its name for people.
    pub name: String,
    /// Whether everybody who is ACTIVE may enter (row 64: off unless said).
    pub automatic_user_access: bool,
    /// What they are there then.
    pub default_role: Role,
}

/// What is to change of an organization; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Its name for people.
    pub name: Option<String>,
    /// Whether everybody who is ACTIVE may enter.
    pub automatic_user_access: Option<bool>,
    /// What they are there then.
    pub default_role: Option<Role>,
}

/// Makes an organization.
///
/// # Errors
/// 422 `invalid_field`; 403 `plan_required` for automatic access (row 66); 409 `slug_taken`; 409
/// `multi_org_required` for a second one.
pub fn create(
    cx: &mut Cx<'_>,
    actor: &Actor,
    company: &Company,
    new: NewOrganization,
) -> Result<Organization> {
    super::companies::check_name(&new.name)?;
    let slug = new.slug.unwrap_or_else(|| slug_of(&new.name));
    check_slug(&slug).map_err(|rule| Problem::field("slug", rule))?;
    if new.automatic_user_access {
        check_plan(Act::ChangeAccess, company.plan)?;
    }
    db::companies::lock(cx.conn, company.seq)?;
    let count = db::organizations::count(cx.conn, company.seq)?;
    if count > 0 && !company.multi_org {
        return Err(Code::MultiOrgRequired.into());
    }
    if count >= MAX_ORGANIZATIONS {
        let rule = format!("a company has at most {MAX_ORGANIZATIONS} organizations");
        return Err(Problem::field("name", rule).into());
    }
    let mut made = Organization {
        seq: OrganizationSeq(0),
        company: company.seq,
        id: cx.clock.id(),
        slug,
        name: new.name,
        automatic_user_access: new.automatic_user_access,
        default_role: new.default_role,
        created_at: cx.now,
        updated_at: cx.now,
        version: 1,
    };
    let taken = Problem::new(Code::SlugTaken, format!("The slug {} is taken", made.slug));
    made.seq = db::organizations::insert(cx.conn, &made).map_err(|e| or_taken(e, taken.into()))?;
    let detail = json!({"after": shown(&made)});
    events::record(cx, company.seq, actor, (Action::OrganizationCreated, &made.id), detail)?;
    Ok(made)
}

/// The settings that the record of a change shows.
fn shown(organization: &Organization) -> serde_json::Value {
    json!({
        "name": organization.name,
        "automatic_user_access": organization.automatic_user_access,
        "default_role": organization.default_role.name(),
    })
}

/// A slug from a name: its letters and digits, hyphens for what lies between them.
pub fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(63);
    slug.trim_end_matches('-').to_owned()
}

/// The company's organization with this id or slug.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(conn: &mut DbConn, company: CompanySeq, id_or_slug: &str) -> Result<Organization> {
    let found = db::organizations::find(conn, company, id_or_slug)?;
    found.ok_or(Error::NotFound("Organization"))
}

/// The same for a unit of work that changes it: two of them take turns.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find_to_change(cx: &mut Cx<'_>, company: CompanySeq, id: &str) -> Result<Organization> {
    db::companies::lock(cx.conn, company)?;
    find(cx.conn, company, id)
}

/// A page of the company's organizations, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut DbConn,
    company: CompanySeq,
    place: (&str, i64),
) -> Result<Vec<Organization>> {
    Ok(db::organizations::page(conn, company, place)?)
}

/// Changes an organization. Switching automatic access takes effect at the next request (ruling 7):
/// nothing is copied.
///
/// # Errors
/// 422 `invalid_field`; 412 `precondition_failed` where it changed since it was read.
pub fn change(
    cx: &mut Cx<'_>,
    actor: &Actor,
    mut organization: Organization,
    change: Change,
) -> Result<Organization> {
    let before = shown(&organization);
    if let Some(name) = change.name {
        super::companies::check_name(&name)?;
        organization.name = name;
    }
    if let Some(on) = change.automatic_user_access {
        organization.automatic_user_access = on;
    }
    if let Some(role) = change.default_role {
        organization.default_role = role;
    }
    let after = shown(&organization);
    if before == after {
        return Ok(organization);
    }
    organization.updated_at = cx.now;
    if !db::organizations::update(cx.conn, &mut organization)? {
        return Err(Code::PreconditionFailed.into());
    }
    let (company, detail) = (organization.company, json!({"before": before, "after": after}));
    events::record(cx, company, actor, (Action::OrganizationUpdated, &organization.id), detail)?;
    Ok(organization)
}

/// Removes an organization with its members, teams, mappings and invitations.
///
/// # Errors
/// The database's.
pub fn delete(cx: &mut Cx<'_>, actor: &Actor, organization: &Organization) -> Result<()> {
    let legacy = db::connections::find(cx.conn, organization.company, Some(organization.seq))?;
    if let Some(legacy) = legacy {
        connections::delete(cx, (&legacy, actor))?;
    }
    db::organizations::delete(cx.conn, organization)?;
    let (company, detail) = (organization.company, json!({"before": shown(organization)}));
    events::record(cx, company, actor, (Action::OrganizationDeleted, &organization.id), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_made_from_a_name() {
        assert_eq!(slug_of("Acme, Inc. (Dev)"), "acme-inc-dev");
        assert_eq!(slug_of("  "), "");
        assert_eq!(slug_of(&"a".repeat(100)).len(), 63);
    }
}
