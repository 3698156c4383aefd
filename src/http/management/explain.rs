//! `/explain/access`: why a user may enter an organization or not, which teams they get there, and what would
//! mend it.

use actix_web::web::get;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::explain::{Explanation, Fix, Question, Reason, Step, TeamLine};
use crate::domain::problem::Problem;
use crate::service::{Error, Result, explain};

use super::frame::{Answer, Call, ok};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[Entry::new(
    ("GET", "/explain/access"),
    Act::Explain,
    "Explain a user's access to an organization, and their teams there",
    || get().to(read),
)
.asks(&[
    ("company", false, "Id or slug; needed with an operator's key."),
    ("user", true, "Id, userName or e-mail address."),
    ("organization", true, "Id or slug."),
    ("permission", false, "Also whether the user has it there."),
    ("team", false, "Also whether the user is in the team, or group, of this name."),
])
.gives::<ExplanationView>(200)];

/// The answer.
#[derive(Serialize, ToSchema)]
struct ExplanationView {
    /// allowed or denied.
    verdict: &'static str,
    /// The first of the reasons; where there are none, the first of the notes.
    reason: Option<&'static str>,
    /// All that is against it, in the order of the checks of a login. Teams that are out of date are among
    /// them, and deny nothing.
    reasons: Vec<&'static str>,
    /// What else there is to know.
    notes: Vec<&'static str>,
    user_id: String,
    /// STAGED, ACTIVE or DEACTIVATED.
    status: &'static str,
    organization_id: String,
    /// admin, moderator, member; none where the user does not belong there.
    role: &'static str,
    trail: Vec<StepView>,
    teams: Vec<TeamView>,
    fixes: Vec<FixView>,
}

/// What a rule said.
#[derive(Serialize, ToSchema)]
struct StepView {
    /// company, connection, domain, `scim_state`, status, `automatic_or_invited`, role, filters, mapping or teams.
    rule: Value,
    /// pass, fail or n/a.
    outcome: Value,
    detail: String,
}

/// A group and the team that it gives.
#[derive(Serialize, ToSchema)]
struct TeamView {
    group: Option<String>,
    team: Option<String>,
    /// synced, local, missing, leaving, dropped or `no_access`.
    verdict: &'static str,
    reason: Option<&'static str>,
}

/// A remedy; without a method it is done at the identity provider, or by the user.
#[derive(Serialize, ToSchema)]
struct FixView {
    id: &'static str,
    method: Option<&'static str>,
    path: Option<String>,
    /// What is null in it is the caller's to choose.
    body: Option<Value>,
    needs_permission: Option<&'static str>,
}

fn view(all: Explanation) -> Result<Value> {
    let name = |reason: Reason| reason.name();
    let step = |step: Step| {
        let (rule, outcome) = (serde_json::json!(step.rule), serde_json::json!(step.outcome));
        StepView { rule, outcome, detail: step.detail }
    };
    let team = |line: TeamLine| TeamView {
        group: line.group,
        team: line.team,
        verdict: line.verdict,
        reason: line.reason.map(name),
    };
    let fix = |fix: Fix| FixView {
        id: fix.id,
        method: fix.method,
        path: fix.path,
        body: fix.body,
        needs_permission: fix.needs_permission,
    };
    let view = ExplanationView {
        verdict: all.verdict,
        reason: all.reason.map(name),
        reasons: all.reasons.into_iter().map(name).collect(),
        notes: all.notes.into_iter().map(name).collect(),
        user_id: all.user_id,
        status: all.status,
        organization_id: all.organization_id,
        role: all.role,
        trail: all.trail.into_iter().map(step).collect(),
        teams: all.teams.into_iter().map(team).collect(),
        fixes: all.fixes.into_iter().map(fix).collect(),
    };
    serde_json::to_value(view).map_err(Error::from)
}

async fn read(call: Call) -> Answer {
    let needed = |name: &str| {
        let given = call.parameter(name).filter(|text| !text.is_empty());
        given.ok_or_else(|| Problem::field(name, "which one?"))
    };
    call.company()?;
    let (user, organization) = (needed("user")?, needed("organization")?);
    if call.parameter("at").is_some() {
        let rule = "only the present is explained; C/users/{user}/timeline tells what was";
        return Err(Error::from(Problem::field("at", rule)).into());
    }
    let permission = call.parameter("permission");
    let question = Question {
        permission: super::field("permission", permission.as_deref())?,
        team: call.parameter("team"),
    };
    let read = call.read(move |conn, at| {
        view(explain::access(conn, at.company()?, (&user, &organization), &question)?)
    });
    Ok(ok(&read.await?))
}
