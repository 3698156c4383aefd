//! `stagedoor schema …`.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value;

use crate::config::Format;
use crate::domain::id::CompanySeq;
use crate::scim::ResourceType;
use crate::service::companies::Slice;
use crate::service::{Cx, Directory, Error, Result, Service, companies, tokens};

use super::print;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Register a custom extension: a Schema resource of RFC 7643 §7, in JSON.
    Add {
        /// Id or slug of the company.
        company: String,
        /// The file with the schema.
        file: PathBuf,
        /// What it extends.
        #[arg(long, value_enum, default_value_t)]
        resource: Resource,
    },
    /// List a company's custom extensions.
    List {
        /// Id or slug of the company.
        company: String,
    },
    /// Take a custom extension back; resources keep what they hold under its URN.
    Remove {
        /// Id or slug of the company.
        company: String,
        /// The schema's URN.
        urn: String,
    },
}

/// What a custom schema extends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Resource {
    /// Users.
    #[default]
    User,
    /// Groups.
    Group,
}

/// Does a subcommand.
///
/// # Errors
/// The service's, and those of the file.
pub async fn run(command: Command, service: &Service, format: Format) -> Result<String> {
    match command {
        Command::Add { company, file, resource } => {
            let company = service.read_now(|conn| companies::find(conn, &company))?.seq;
            let name = file.display();
            let refused = |why: String| Error::Refused(format!("{name}: {why}"));
            let text = std::fs::read_to_string(&file).map_err(|e| refused(e.to_string()))?;
            let document: Value =
                serde_json::from_str(&text).map_err(|e| refused(e.to_string()))?;
            let resource_type = match resource {
                Resource::User => ResourceType::User,
                Resource::Group => ResourceType::Group,
            };
            let unit =
                move |cx: &mut Cx<'_>| companies::add_schema(cx, company, resource_type, document);
            let schema = change(service, company, unit).await?;
            Ok(format!("registered {}\n", schema.id))
        }
        Command::List { company } => {
            let all = service.read_now(|conn| {
                let company = companies::find(conn, &company)?;
                companies::schemas(conn, company.seq)
            })?;
            let row = |(kind, schema): &(String, std::sync::Arc<crate::scim::schema::Schema>)| {
                let count = schema.attributes.len();
                vec![
                    schema.id.clone().into(),
                    kind.clone().into(),
                    schema.name.clone().into(),
                    count.into(),
                ]
            };
            let names = ["urn", "resource", "name", "attributes"];
            Ok(print::rows(format, &names, all.iter().map(row).collect()))
        }
        Command::Remove { company, urn } => {
            let company = service.read_now(|conn| companies::find(conn, &company))?.seq;
            let name = urn.clone();
            let unit = move |cx: &mut Cx<'_>| companies::remove_schema(cx, company, &name);
            change(service, company, unit).await?;
            Ok(format!("removed {urn}\n"))
        }
    }
}

/// Changes a company's schemas, waits until every running server goes by them, and only then makes
/// the index follow: a resource written meanwhile is indexed too. Without a token nobody writes.
async fn change<T: Send + 'static>(
    service: &Service,
    company: CompanySeq,
    unit: impl FnOnce(&mut Cx<'_>) -> Result<T> + Clone + Send + 'static,
) -> Result<T> {
    let (before, tokens) = service
        .read_now(|conn| Ok((Directory::load(conn, company)?, tokens::list(conn, company)?)))?;
    let done = service.transact(unit).await?;
    if !tokens.is_empty() {
        tokio::time::sleep(tokens::SCHEMA_DELAY).await;
    }
    let mut slice = Some(Slice::default());
    while let Some(from) = slice {
        let before = before.clone();
        slice = service.transact(move |cx| companies::reindex(cx, &before, from)).await?;
    }
    Ok(done)
}
