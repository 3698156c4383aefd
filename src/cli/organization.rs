//! `stagedoor organization …`.

use clap::Subcommand;
use serde_json::Value;

use crate::config::Format;
use crate::domain::event::Actor;
use crate::domain::organization::{MAX_ORGANIZATIONS, Organization};
use crate::domain::role::Role;
use crate::scim::value::format_time;
use crate::service::organizations::{self, NewOrganization};
use crate::service::{Cx, Result, Service, companies};

use super::print;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an organization.
    Create {
        /// Id or slug of the company.
        company: String,
        /// Its short name: a-z, 0-9 and '-'.
        slug: String,
        /// Its name for people. [default: the slug]
        #[arg(long)]
        name: Option<String>,
        /// Let everybody in who has signed in through SSO; needs the plan enterprise, poc or internal.
        #[arg(long)]
        automatic_user_access: bool,
    },
    /// List a company's organizations.
    List {
        /// Id or slug of the company.
        company: String,
    },
}

const NAMES: [&str; 6] = ["id", "slug", "name", "automatic user access", "default role", "created"];

fn row(organization: &Organization) -> Vec<Value> {
    vec![
        organization.id.clone().into(),
        organization.slug.clone().into(),
        organization.name.clone().into(),
        organization.automatic_user_access.into(),
        organization.default_role.name().into(),
        format_time(organization.created_at).into(),
    ]
}

/// Does a subcommand.
///
/// # Errors
/// The service's.
pub async fn run(command: Command, service: &Service, format: Format) -> Result<String> {
    match command {
        Command::Create { company, slug, name, automatic_user_access } => {
            let company = service.read_now(|conn| companies::find(conn, &company))?;
            let name = name.unwrap_or_else(|| slug.clone());
            let (slug, default_role) = (Some(slug), Role::Member);
            let new = NewOrganization { slug, name, automatic_user_access, default_role };
            let unit =
                move |cx: &mut Cx<'_>| organizations::create(cx, &Actor::Command, &company, new);
            let made = service.transact(unit).await?;
            Ok(print::record(format, &NAMES, row(&made)))
        }
        Command::List { company } => {
            let all = service.read_now(|conn| {
                let company = companies::find(conn, &company)?;
                organizations::page(conn, company.seq, ("", MAX_ORGANIZATIONS))
            })?;
            Ok(print::rows(format, &NAMES, all.iter().map(row).collect()))
        }
    }
}
