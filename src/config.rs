//! Settings: flags, then `STAGEDOOR_…` variables, then `stagedoor.toml`. Their only reader.
//!
//! Other floors are handed values; none of them sees this module.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use serde::Deserialize;

/// Lowest `--scim-rate`: Entra ID wants no less (ruling 17).
const MIN_SCIM_RATE: u32 = 25;

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
pub struct CommonFlags {
    /// Where the data lies: `sqlite://PATH` or `postgres://USER@HOST/DATABASE`. [default: `sqlite://stagedoor.db`]
    // The variable may hold a password, which help would show.
    #[arg(long, env = "STAGEDOOR_DATABASE_URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,
    /// The file with settings. [default: stagedoor.toml, where there is one]
    #[arg(long, env = "STAGEDOOR_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// The file with the server key: 64 hexadecimal digits. [default: beside the database; PostgreSQL needs one]
    #[arg(long, env = "STAGEDOOR_SECRET_KEY_FILE", global = true)]
    pub secret_key_file: Option<PathBuf>,
    /// The server key itself; only as a variable, since other users see a process's flags.
    #[arg(skip)]
    pub secret_key: Option<String>,
    /// How results are printed.
    #[arg(long, value_enum, default_value_t, global = true)]
    pub format: Format,
}

/// How a command prints its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// What `serve` takes.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeFlags {
    /// The address to listen on. [default: 127.0.0.1:8080]
    #[arg(long, env = "STAGEDOOR_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// The URL under which the world reaches the server: the only source of every URL that it
    /// prints or sends. [default: the listen address, with `https://` where there is a certificate]
    #[arg(long, env = "STAGEDOOR_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// The certificate chain (PEM), to serve HTTPS by itself.
    #[arg(long, env = "STAGEDOOR_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, env = "STAGEDOOR_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// A network whose `X-Forwarded-For` counts; may be given more than once.
    #[arg(long, env = "STAGEDOOR_TRUSTED_PROXY", value_delimiter = ',')]
    pub trusted_proxy: Vec<IpNet>,
    /// A network that identity providers and receivers may lie in although it is not public, plain http
    /// and other ports than 443 allowed; may be given more than once. [default: none]
    #[arg(long, env = "STAGEDOOR_EGRESS_ALLOW", value_delimiter = ',')]
    pub egress_allow: Vec<IpNet>,
    /// Most SCIM requests a second of one token; at least 25. [default: no limit]
    #[arg(long, env = "STAGEDOOR_SCIM_RATE")]
    pub scim_rate: Option<u32>,
    /// What to log, such as `info` or `stagedoor=debug`. [default: info]
    #[arg(long, env = "STAGEDOOR_LOG")]
    pub log: Option<String>,
    /// How to log. [default: text]
    #[arg(long, env = "STAGEDOOR_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// On an empty database, make a company to try things with, and say how.
    #[arg(long)]
    pub demo: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `stagedoor.toml`: the same names as the flags, with underscores.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    database_url: Option<String>,
    secret_key_file: Option<PathBuf>,
    listen: Option<SocketAddr>,
    public_url: Option<String>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    trusted_proxy: Vec<IpNet>,
    egress_allow: Vec<IpNet>,
    scim_rate: Option<u32>,
    log: Option<String>,
    log_format: Option<LogFormat>,
}

/// The settings of one run, complete.
#[derive(Clone)]
pub struct Settings {
    /// Where the data lies.
    pub database_url: String,
    /// The file with the server key, if one is named.
    pub secret_key_file: Option<PathBuf>,
    /// The server key, if the environment holds it.
    pub secret_key: Option<String>,
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The public URL without a slash at its end, if one is set.
    pub public_url: Option<String>,
    /// Certificate and key, for HTTPS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Networks whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Networks that may be connected to although they are not public.
    pub egress_allow: Vec<IpNet>,
    /// Most SCIM requests a second of one token, if limited.
    pub scim_rate: Option<NonZeroU32>,
    /// What to log.
    pub log: String,
    /// How to log.
    pub log_format: LogFormat,
    /// Whether to fill an empty database.
    pub demo: bool,
}

impl Settings {
    /// Puts flags, environment and file together.
    ///
    /// # Errors
    /// One line that names the wrong setting.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn load(common: CommonFlags, serve: ServeFlags) -> Result<Self, String> {
        let file = File::load(common.config.as_deref())?;
        let secret_key = common.secret_key.or_else(|| std::env::var("STAGEDOOR_SECRET_KEY").ok());
        let tls = match (serve.tls_cert.or(file.tls_cert), serve.tls_key.or(file.tls_key)) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err("tls-cert and tls-key: one needs the other".to_owned()),
        };
        let public_url =
            serve.public_url.or(file.public_url).map(|u| public_url(&u)).transpose()?;
        let scim_rate = match serve.scim_rate.or(file.scim_rate) {
            Some(rate) if rate < MIN_SCIM_RATE => {
                return Err(format!("scim-rate: must be at least {MIN_SCIM_RATE} a second"));
            }
            rate => rate.and_then(NonZeroU32::new),
        };
        let listen = serve.listen.or(file.listen);
        let or = |given: Vec<IpNet>, filed| if given.is_empty() { filed } else { given };
        Ok(Self {
            database_url: common
                .database_url
                .or(file.database_url)
                .unwrap_or_else(|| "sqlite://stagedoor.db".to_owned()),
            secret_key_file: common.secret_key_file.or(file.secret_key_file),
            secret_key,
            listen: listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            public_url,
            tls,
            trusted_proxies: or(serve.trusted_proxy, file.trusted_proxy),
            egress_allow: or(serve.egress_allow, file.egress_allow),
            scim_rate,
            log: serve.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
            log_format: serve.log_format.or(file.log_format).unwrap_or_default(),
            demo: serve.demo,
        })
    }
}

impl File {
    fn load(named: Option<&Path>) -> Result<Self, String> {
        let path = named.unwrap_or_else(|| Path::new("stagedoor.toml"));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if named.is_none() && e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(e) => return Err(format!("config: {}: {e}", path.display())),
        };
        Self::parse(&text).map_err(|e| format!("config: {}:{e}", path.display()))
    }

    /// # Errors
    /// The number of the line, and what is wrong in it.
    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| {
            let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let number = before.matches('\n').count() + 1;
            format!("{number}: {}", e.message().lines().next().unwrap_or_default())
        })
    }
}

/// Checks a public URL and takes the slash at its end away.
fn public_url(text: &str) -> Result<String, String> {
    let url = text.trim_end_matches('/');
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['?', '#', ' ', '"', '\\', '<']) => {
            Ok(url.to_owned())
        }
        _ => Err("public-url: must be http:// or https:// with a host, without ? or #".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_checked() {
        assert_eq!(public_url("https://a.example/x/").as_deref(), Ok("https://a.example/x"));
        for bad in ["", "a.example", "ftp://a", "https://", "https://a?b"] {
            assert!(public_url(bad).is_err(), "{bad}");
        }
    }

    /// The line is named where the words do not name the setting.
    #[test]
    fn a_wrong_setting_is_found() {
        let error = |text: &str| File::parse(text).unwrap_err();
        assert!(error("\ndatabse_url = 'x'").starts_with("2: unknown field `databse_url`"));
        assert!(error("# ours\n\nlisten = 5\n").starts_with("3: invalid type: integer `5`"));
        assert!(error("log = [").starts_with("1: "));
    }
}
