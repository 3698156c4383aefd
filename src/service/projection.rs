//! Team sync: what a user's groups make of the user's teams in an organization (ruling 8, D8).

use crate::domain::company::Company;
use crate::domain::organization::Organization;

use super::Cx;
use super::error::Result;

/// Brings a user's teams in the organization that a login leads to up to date with what it claims.
///
/// # Errors
/// The database's.
pub fn at_login(
    _cx: &mut Cx<'_>,
    _company: &Company,
    _organization: &Organization,
    _user: i64,
    _claim: Option<&[String]>,
) -> Result<()> {
    Ok(())
}

/// The same where a session goes to another organization, from what is known already.
///
/// # Errors
/// The database's.
pub fn at_switch(
    _cx: &mut Cx<'_>,
    _company: &Company,
    _organization: &Organization,
    _user: i64,
) -> Result<()> {
    Ok(())
}
