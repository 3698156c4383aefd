//! `stagedoor api-key …`.

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::config::Format;
use crate::domain::api_key::ApiKey;
use crate::domain::event::Actor;
use crate::domain::role::{Permission, Permissions};
use crate::domain::token::TokenState;
use crate::scim::value::format_time;
use crate::service::api_keys::{self, NewKey};
use crate::service::{Cx, Result, Service, companies};

use super::{print, token};

/// Most keys that a list shows.
const MOST: i64 = 10_000;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a management API key and print it, alone, this once.
    Create {
        /// Its name for people, such as that of the program that uses it.
        #[arg(long)]
        name: String,
        /// Id or slug of the one company that it opens. [default: all of them, for an operator]
        #[arg(long)]
        company: Option<String>,
        /// What it may do, such as company:users:read; may be given more than once. [default: everything]
        #[arg(long, value_delimiter = ',')]
        scope: Vec<Permission>,
        /// How long it lives, such as 180d; at most 730d.
        #[arg(long, value_parser = token::life, default_value = "365d")]
        expires_in: SignedDuration,
    },
    /// List operators' keys, or a company's; never their text.
    List {
        /// Id or slug of the company. [default: operators' keys]
        #[arg(long)]
        company: Option<String>,
    },
    /// End a key now.
    Revoke {
        /// The key's public id, as listed.
        key: String,
        /// Id or slug of the company whose key it is. [default: an operator's]
        #[arg(long)]
        company: Option<String>,
    },
}

/// Does a subcommand.
///
/// # Errors
/// The service's.
pub async fn run(command: Command, service: &Service, format: Format) -> Result<String> {
    let find = |name: Option<String>| {
        let found = name.map(|name| service.read_now(|conn| companies::find(conn, &name)));
        found.transpose()
    };
    match command {
        Command::Create { name, company, scope, expires_in } => {
            let scopes = Permissions(scope.into_iter().collect());
            let new = NewKey { name, scopes, life: expires_in };
            let made = service.create_key(find(company)?, new).await?;
            Ok(once(format, &made))
        }
        Command::List { company } => {
            let company = find(company)?.map(|company| company.seq);
            let all = service.read_now(|conn| api_keys::page(conn, company, ("", MOST)))?;
            let now = service.clock().now();
            let names =
                ["id", "name", "scopes", "state", "created", "expires", "last used", "from"];
            Ok(print::rows(format, &names, all.iter().map(|key| row(key, now)).collect()))
        }
        Command::Revoke { key, company } => {
            let company = find(company)?.map(|company| company.seq);
            let id = key.clone();
            let unit = move |cx: &mut Cx<'_>| api_keys::revoke(cx, &Actor::Command, (company, &id));
            service.transact(unit).await?;
            Ok(format!("revoked {key}\n"))
        }
    }
}

/// A new key's text, alone on its line.
fn once(format: Format, (key, text): &(ApiKey, String)) -> String {
    match format {
        Format::Text => format!("{text}\n"),
        Format::Json => {
            let expires_at = format_time(key.expires_at);
            format!("{}\n", json!({"id": key.id, "key": text, "expires_at": expires_at}))
        }
    }
}

fn row(key: &ApiKey, now: Timestamp) -> Vec<Value> {
    let state = match key.state(now) {
        TokenState::Expired => "expired",
        TokenState::Revoked => "revoked",
        TokenState::Live => "live",
    };
    let scopes = if key.scopes.0.is_empty() { "all".to_owned() } else { key.scopes.text() };
    vec![
        key.id.clone().into(),
        key.name.clone().into(),
        scopes.into(),
        state.into(),
        format_time(key.created_at).into(),
        format_time(key.expires_at).into(),
        key.last_used_at.map(format_time).into(),
        key.last_used_ip.clone().into(),
    ]
}
