//! `stagedoor token …`.

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::config::Format;
use crate::domain::event::Actor;
use crate::domain::token::{self, ScimToken, TokenState};
use crate::scim::value::format_time;
use crate::service::{Result, Service, companies, tokens};

use super::print;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a SCIM token and print it, alone, this once.
    Create {
        /// Id or slug of the company.
        company: String,
        /// Its name for people, such as that of the identity provider.
        #[arg(long)]
        name: String,
        /// How long it lives, such as 180d; at most 730d.
        #[arg(long, value_parser = life, default_value = "365d")]
        expires_in: SignedDuration,
    },
    /// List a company's tokens; never their text.
    List {
        /// Id or slug of the company.
        company: String,
    },
    /// End a token now.
    Revoke {
        /// Id or slug of the company.
        company: String,
        /// The token's public id, as listed.
        token: String,
    },
    /// Make the token that follows this one, and print it, alone, this once.
    Rotate {
        /// Id or slug of the company.
        company: String,
        /// The public id of the token to follow, as listed.
        token: String,
        /// How long the former token lives on; at most 7d.
        #[arg(long, value_parser = life, default_value = "24h")]
        overlap: SignedDuration,
    },
}

pub(super) fn life(text: &str) -> std::result::Result<SignedDuration, String> {
    let wrong = "a duration such as 90s, 30m, 24h or 180d".to_owned();
    let duration = humantime::parse_duration(text).map_err(|_| wrong.clone())?;
    SignedDuration::try_from(duration).map_err(|_| wrong)
}

/// Does a subcommand.
///
/// # Errors
/// The service's.
pub async fn run(command: Command, service: &Service, format: Format) -> Result<String> {
    match command {
        Command::Create { company, name, expires_in } => {
            let company = service.read_now(|conn| companies::find(conn, &company))?;
            let made = service.create_token(company, name, expires_in).await?;
            Ok(once(format, &made))
        }
        Command::List { company } => {
            let all = service.read_now(|conn| {
                let company = companies::find(conn, &company)?;
                tokens::list(conn, company.seq)
            })?;
            let now = service.clock().now();
            let names = ["id", "name", "state", "created", "expires", "last used", "from"];
            Ok(print::rows(format, &names, all.iter().map(|t| row(t, now)).collect()))
        }
        Command::Revoke { company, token } => {
            let company = service.read_now(|conn| companies::find(conn, &company))?;
            let id = token.clone();
            service
                .transact(move |cx| tokens::revoke(cx, &Actor::Command, company.seq, &id))
                .await?;
            Ok(format!("revoked {token}\n"))
        }
        Command::Rotate { company, token, overlap } => {
            let company = service.read_now(|conn| companies::find(conn, &company))?;
            let made = service.rotate_token(company, token, overlap).await?;
            Ok(once(format, &made))
        }
    }
}

/// A new token's text, alone on its line.
fn once(format: Format, (token, text): &(ScimToken, String)) -> String {
    match format {
        Format::Text => format!("{text}\n"),
        Format::Json => {
            let expires_at = format_time(token.expires_at);
            format!("{}\n", json!({"id": token.id, "token": text, "expires_at": expires_at}))
        }
    }
}

fn row(token: &ScimToken, now: Timestamp) -> Vec<Value> {
    let state = match token.state(now) {
        TokenState::Expired => "expired",
        TokenState::Revoked => "revoked",
        TokenState::Live if token.expires_at.duration_since(now) < token::EXPIRY_WARNING => {
            "expires soon"
        }
        TokenState::Live if token.rotated_to.is_some() => "rotated",
        TokenState::Live => "live",
    };
    let end = token.revoked_at.map_or(token.expires_at, |at| at.min(token.expires_at));
    vec![
        token.id.clone().into(),
        token.name.clone().into(),
        state.into(),
        format_time(token.created_at).into(),
        format_time(end).into(),
        token.last_used_at.map(format_time).into(),
        token.last_used_ip.clone().into(),
    ]
}
