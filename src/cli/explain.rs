//! `stagedoor explain`.

use clap::Args;
use serde_json::{Value, json};

use crate::config::Format;
use crate::domain::explain::{Explanation, Question};
use crate::domain::problem::Problem;
use crate::service::{Result, Service, companies, explain};

use super::print;

/// Whom and what to explain.
#[derive(Debug, Args)]
pub struct Command {
    /// Id or slug of the company.
    company: String,
    /// The user: id, userName or e-mail address.
    #[arg(long)]
    user: String,
    /// Id or slug of the organization.
    #[arg(long)]
    organization: String,
    /// Also say whether the user has this permission there.
    #[arg(long)]
    permission: Option<String>,
    /// Also say whether the user is in the team, or group, of this name.
    #[arg(long)]
    team: Option<String>,
}

/// Explains.
///
/// # Errors
/// The service's.
pub fn run(command: Command, service: &Service, format: Format) -> Result<String> {
    let permission = command.permission.as_deref().map(str::parse).transpose();
    let permission = permission.map_err(|rule| Problem::field("permission", rule))?;
    let question = Question { permission, team: command.team };
    let all = service.read_now(|conn| {
        let company = companies::find(conn, &command.company)?;
        explain::access(conn, &company, (&command.user, &command.organization), &question)
    })?;
    Ok(match format {
        Format::Json => format!("{}\n", json!(all)),
        Format::Text => text(&all),
    })
}

/// The answer for people: the verdict, and a table each of rules, teams and remedies.
fn text(all: &Explanation) -> String {
    let why = all.reason.map(|reason| format!(": {}", reason.name()));
    let mut out = format!("{}{}\n", all.verdict, why.unwrap_or_default());
    let rows = all.trail.iter().map(|step| json!([step.rule, step.outcome, step.detail]));
    add(&mut out, &["rule", "outcome", "detail"], rows.collect());
    let rows = all.teams.iter();
    let rows = rows.map(|line| json!([line.group, line.team, line.verdict, line.reason]));
    add(&mut out, &["group", "team", "verdict", "reason"], rows.collect());
    let rows = all.fixes.iter();
    let rows =
        rows.map(|fix| json!([fix.id, fix.method, fix.path, fix.body, fix.needs_permission]));
    add(&mut out, &["fix", "method", "path", "body", "needs permission"], rows.collect());
    out
}

fn add(out: &mut String, names: &[&str], rows: Vec<Value>) {
    if rows.is_empty() {
        return;
    }
    let rows = rows.into_iter().map(|row| match row {
        Value::Array(cells) => cells,
        other => vec![other],
    });
    out.push('\n');
    out.push_str(&print::rows(Format::Text, names, rows.collect()));
}
