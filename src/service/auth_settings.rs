//! How people of a company sign in and how groups become teams (`management-api.md` D5; rows 160, 176).

use crate::db::{self, DbConn};
use crate::domain::company::{Company, TeamSyncMode};
use crate::domain::connection::{Protocol, State};
use crate::domain::event::Actor;
use crate::domain::id::CompanySeq;
use crate::domain::problem::{Code, Problem};

use super::error::Result;
use super::{Cx, companies, connections};

/// The settings as they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthSettings {
    /// Whether social connections may be used (ruling 10).
    pub basic: bool,
    /// Whether people sign in over OIDC.
    pub oidc: bool,
    /// Whether people sign in over SAML.
    pub saml: bool,
    /// Whether groups of the IdP decide who may sign in.
    pub idp_mapping: bool,
    /// Whether a new user waits for an admin to give a team.
    pub product_mapping: bool,
    /// How groups become teams.
    pub mode: TeamSyncMode,
    /// Whether a team may be mapped to more than one group.
    pub multi_group: bool,
}

/// What is to change; what is `None` stays.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change {
    /// Whether social connections may be used.
    pub basic: Option<bool>,
    /// Whether people sign in over OIDC.
    pub oidc: Option<bool>,
    /// Whether people sign in over SAML.
    pub saml: Option<bool>,
    /// Whether groups of the IdP decide who may sign in.
    pub idp_mapping: Option<bool>,
    /// Whether a new user waits for an admin to give a team.
    pub product_mapping: Option<bool>,
    /// How groups become teams.
    pub mode: Option<TeamSyncMode>,
    /// Whether a team may be mapped to more than one group.
    pub multi_group: Option<bool>,
}

/// The settings of a company.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut DbConn, company: &Company) -> Result<AuthSettings> {
    let connection = db::connections::find(conn, company.seq, None)?;
    let active = connection.filter(|connection| connection.state == State::Active);
    let speaks = |protocol| active.as_ref().is_some_and(|c| c.protocol == protocol);
    let settings = &company.settings;
    Ok(AuthSettings {
        basic: settings.basic_auth_enabled.unwrap_or(true),
        oidc: speaks(Protocol::Oidc),
        saml: speaks(Protocol::Saml),
        idp_mapping: settings.team_sync_mode == TeamSyncMode::Mapping,
        product_mapping: settings.product_mapping_enabled,
        mode: settings.team_sync_mode,
        multi_group: settings.multi_group,
    })
}

/// Changes them. That the mapping mode goes on touches nobody yet: each user follows at the next login
/// (row 162); that it goes off ends what it deactivated.
///
/// # Errors
/// 422 `one_protocol_only`, `invalid_field`; 412 `idp_not_configured`; 409 `test_required` where the
/// connection was never active, `fields_missing`; 409 `team_already_mapped` where a team has several groups and may not; 412
/// `precondition_failed`.
pub fn change(
    cx: &mut Cx<'_>,
    (company, actor): (Company, &Actor),
    change: Change,
) -> Result<(Company, AuthSettings)> {
    switch_protocols(cx, (company.seq, actor), change)?;
    let mut settings = company.settings.clone();
    let before = settings.team_sync_mode;
    settings.basic_auth_enabled = change.basic.or(settings.basic_auth_enabled);
    settings.product_mapping_enabled =
        change.product_mapping.unwrap_or(settings.product_mapping_enabled);
    settings.multi_group = change.multi_group.unwrap_or(settings.multi_group);
    settings.team_sync_mode = mode(change)?.unwrap_or(before);
    settings.idp_mapping_enabled = settings.team_sync_mode == TeamSyncMode::Mapping;
    if !settings.multi_group && db::team_mappings::any_doubled(cx.conn, company.seq)? {
        return Err(Code::TeamAlreadyMapped.into());
    }
    if (before, settings.team_sync_mode) == (TeamSyncMode::Mapping, TeamSyncMode::Filters) {
        db::projection::forget_mapping(cx.conn, company.seq, cx.now)?;
    }
    let company = companies::set_settings(cx, actor, company, settings)?;
    let now = find(cx.conn, &company)?;
    Ok((company, now))
}

/// The two names of one switch: mapping mode is what lets the IdP's groups decide (D10).
fn mode(change: Change) -> Result<Option<TeamSyncMode>> {
    let by_switch = change.idp_mapping.map(|on| match on {
        true => TeamSyncMode::Mapping,
        false => TeamSyncMode::Filters,
    });
    match (by_switch, change.mode) {
        (Some(a), Some(b)) if a != b => {
            let rule = "mapping where idp_mapping_enabled is true, else filters";
            Err(Problem::field("team_sync_mode", rule).into())
        }
        (a, b) => Ok(a.or(b)),
    }
}

/// Switches the company's connection off, and on again where it was on; the first time a passed test is needed.
fn switch_protocols(
    cx: &mut Cx<'_>,
    (company, actor): (CompanySeq, &Actor),
    change: Change,
) -> Result<()> {
    if change.oidc == Some(true) && change.saml == Some(true) {
        return Err(Code::OneProtocolOnly.into());
    }
    if change.oidc.is_none() && change.saml.is_none() {
        return Ok(());
    }
    for (wanted, protocol) in [(change.oidc, Protocol::Oidc), (change.saml, Protocol::Saml)] {
        let mine = db::connections::find(cx.conn, company, None)?;
        match (wanted, mine.filter(|connection| connection.protocol == protocol)) {
            (Some(true), None) => return Err(Code::IdpNotConfigured.into()),
            (Some(true), Some(connection)) => {
                connections::activate(cx, (connection, actor), false)?;
            }
            (Some(false), Some(connection)) => {
                connections::deactivate(cx, (connection, actor))?;
            }
            _ => {}
        }
    }
    Ok(())
}
