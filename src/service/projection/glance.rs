//! What team sync would do for one user in one organization by now: asked of the same rule, and nothing is
//! stored or locked.

use crate::db::{self, DbConn};
use crate::domain::company::TeamSyncMode;
use crate::domain::event::Actor;
use crate::domain::id::CompanySeq;
use crate::domain::organization::OrganizationSeq;
use crate::domain::problem::Code;
use crate::domain::projection::{Held, Outcome, Reach, Seen, Source, Trigger};

use super::super::error::Result;
use super::{Run, look, refusal};

/// A user's teams in an organization, and what would become of them.
#[derive(Debug, Clone)]
pub struct Glance {
    /// Whether mappings decide, and not names.
    pub by_mapping: bool,
    /// Who describes the groups.
    pub source: Source,
    /// The groups; where nobody has said anything yet, they are absent.
    pub seen: Seen,
    /// Why the groups or the teams would let a login in nowhere; nobody is judged by groups that no login
    /// has named yet.
    pub refused: Option<Code>,
    /// Whether a sync would find the user without any mapped group in the company; `None`: that cannot be said.
    pub unmapped: Option<bool>,
    /// What a sync would change.
    pub outcome: Outcome,
    /// The memberships in teams that are there.
    pub held: Vec<Held>,
    /// The teams that mappings of the user's groups name: storage key, and the group.
    pub mapped: Vec<(i64, String)>,
}

/// Looks at a user's teams in an organization; `None`: the user is not there.
///
/// # Errors
/// The database's.
pub fn glance(
    conn: &mut DbConn,
    company: CompanySeq,
    organization: OrganizationSeq,
    user: i64,
) -> Result<Option<Glance>> {
    let Some(gate) = db::projection::gate(conn, company)? else { return Ok(None) };
    let (actor, reach) = (Actor::System, Reach::One(organization));
    let run = Run { company, actor: &actor, trigger: Trigger::Login, reach };
    let lock = false;
    let Some(mut one) = look(conn, &run, &gate, (&[user], lock))?.pop() else { return Ok(None) };
    let refused = refusal(conn, (company, &gate), &one)?;
    let unheard = one.source == Source::Claims && one.person.claimed_at.is_none();
    let here = one.places.pop();
    let (outcome, held) = here.map(|at| (at.outcome, at.held)).unwrap_or_default();
    let mapped = one.mapped.iter().filter(|mapping| mapping.organization == organization);
    Ok(Some(Glance {
        by_mapping: gate.settings.team_sync_mode == TeamSyncMode::Mapping,
        source: one.source,
        refused: refused.filter(|code| !(unheard && *code == Code::NoMappedGroup)),
        unmapped: one.unmapped,
        outcome,
        held,
        mapped: mapped.map(|mapping| (mapping.team, mapping.group_name.clone())).collect(),
        seen: one.seen,
    }))
}
