//! `stagedoor company …`.

use clap::Subcommand;
use serde_json::Value;

use crate::config::Format;
use crate::domain::company::{Company, Plan};
use crate::domain::event::Actor;
use crate::scim::value::format_time;
use crate::service::companies::{self, NewCompany};
use crate::service::{Result, Service};

use super::print;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a company.
    Create {
        /// Its short name: a-z, 0-9 and '-'.
        slug: String,
        /// Its name for people. [default: the slug]
        #[arg(long)]
        name: Option<String>,
        /// What it pays for: free, pro, enterprise, poc or internal.
        #[arg(long, default_value = "free")]
        plan: Plan,
        /// Let its identity provider push over SCIM.
        #[arg(long)]
        scim: bool,
    },
    /// List all companies.
    List,
    /// Show one company.
    Show {
        /// Id or slug.
        company: String,
    },
    /// Delete a company with its directory, tokens and schemas.
    Delete {
        /// Id or slug.
        company: String,
        /// Do it; without this, only say what would go.
        #[arg(long)]
        yes: bool,
    },
}

const NAMES: [&str; 6] = ["id", "slug", "name", "plan", "scim", "created"];

fn row(company: &Company) -> Vec<Value> {
    vec![
        company.id.clone().into(),
        company.slug.clone().into(),
        company.name.clone().into(),
        company.plan.name().into(),
        company.scim_enabled.into(),
        format_time(company.created_at).into(),
    ]
}

/// Does a subcommand.
///
/// # Errors
/// The service's.
pub async fn run(command: Command, service: &Service, format: Format) -> Result<String> {
    match command {
        Command::Create { slug, name, plan, scim } => {
            let name = name.unwrap_or_else(|| slug.clone());
            let new = NewCompany::new(slug, name, plan, scim);
            let company =
                service.transact(|cx| companies::create(cx, &Actor::Command, new)).await?;
            Ok(print::record(format, &NAMES, row(&company)))
        }
        Command::List => {
            let all = service.read_now(companies::list)?;
            Ok(print::rows(format, &NAMES, all.iter().map(row).collect()))
        }
        Command::Show { company } => {
            let (company, (users, groups)) = service.read_now(|conn| {
                let company = companies::find(conn, &company)?;
                let counts = companies::counts(conn, company.seq)?;
                Ok((company, counts))
            })?;
            let names = [NAMES.as_slice(), &["users", "groups"]].concat();
            let row = [row(&company), vec![users.into(), groups.into()]].concat();
            Ok(print::record(format, &names, row))
        }
        Command::Delete { company, yes } => delete(service, company, yes).await,
    }
}

async fn delete(service: &Service, company: String, yes: bool) -> Result<String> {
    let (found, (users, groups)) = service.read_now(|conn| {
        let found = companies::find(conn, &company)?;
        let counts = companies::counts(conn, found.seq)?;
        Ok((found, counts))
    })?;
    let what = format!("{} with {users} users and {groups} groups", found.slug);
    if !yes {
        return Ok(format!("would delete {what}; say --yes to do it\n"));
    }
    service.transact(move |cx| companies::delete(cx, &Actor::Command, &found.id)).await?;
    Ok(format!("deleted {what}\n"))
}
