//! Puts the floors together: opens the service, binds, serves, ends cleanly.

use std::any::Any;
use std::io::Write;
use std::net::{IpAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Extensions, Server};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpServer, web};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;
use tracing_actix_web::TracingLogger;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use crate::cli::demo;
use crate::clock::Clock;
use crate::config::{LogFormat, Settings};
use crate::egress::{Egress, Policy};
use crate::http::body::BigBodies;
use crate::http::guard::{Connections, guard};
use crate::http::trace::{SafeSpan, tell_request_id};
use crate::http::{Site, routes};
use crate::service::{KeySource, Service};
use crate::worker::{assertions, jobs, keys, logouts, sweeper};

/// Longest time for a request's head: who sends it byte by byte holds a connection no longer.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Longest time to finish what is in flight at the end, in seconds.
const SHUTDOWN_SECONDS: u64 = 30;
/// Most connections in all.
const MAX_CONNECTIONS: usize = 10_000;

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// One line for the operator: what could not be opened or bound.
pub async fn serve(settings: Settings) -> Result<(), String> {
    let _log = start_log(&settings)?;
    let patient = open(&settings)?;
    let mut service = patient.clone().for_requests();
    if let Some(rate) = settings.scim_rate {
        service = service.with_scim_rate(rate);
    }
    let tls = settings.tls.as_ref().map(|(cert, key)| tls(cert, key)).transpose()?;
    let listener = TcpListener::bind(settings.listen)
        .map_err(|e| format!("listen: {}: {e}", settings.listen))?;
    let address = listener.local_addr().map_err(|e| format!("listen: {e}"))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let public_url = settings.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
    let site = Site {
        scim_base_url: format!("{public_url}/scim/v2"),
        public_url,
        trusted_proxies: settings.trusted_proxies.clone(),
    };
    let running =
        start(&service, &site, (listener, tls)).map_err(|e| format!("listen: {address}: {e}"))?;
    announce(&settings, &service, &format!("{scheme}://{address}"), &site).await?;
    actix_web::rt::spawn(assertions::run(patient.clone()));
    actix_web::rt::spawn(keys::run(patient.clone()));
    actix_web::rt::spawn(logouts::run(patient.clone(), site.public_url.clone()));
    actix_web::rt::spawn(jobs::run(patient));
    if service.is_shared() {
        actix_web::rt::spawn(sweeper::run(service));
    }
    running.await.map_err(|e| format!("the server ended: {e}"))
}

/// Starts the HTTP server on a bound socket.
fn start(
    service: &Service,
    site: &Site,
    (listener, tls): (TcpListener, Option<ServerConfig>),
) -> std::io::Result<Server> {
    let (service, site) = (web::Data::new(service.clone()), web::Data::new(site.clone()));
    let (places, connections) = (web::Data::new(BigBodies::default()), Connections::default());
    let proxies = site.trusted_proxies.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(service.clone())
            .app_data(site.clone())
            .app_data(places.clone())
            .configure(routes::configure)
            .wrap(from_fn(guard))
            .wrap(from_fn(tell_request_id))
            .wrap(TracingLogger::<SafeSpan>::new())
    })
    .on_connect(move |socket: &dyn Any, data: &mut Extensions| {
        let peer = peer(socket).filter(|ip| !proxies.iter().any(|net| net.contains(ip)));
        if let Some(ip) = peer {
            data.insert(connections.count(ip));
        }
    })
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .max_connections(MAX_CONNECTIONS / std::thread::available_parallelism().map_or(1, Into::into))
    .shutdown_timeout(SHUTDOWN_SECONDS);
    let server = match tls {
        Some(config) => server.listen_rustls_0_23(listener, config)?,
        None => server.listen(listener)?,
    };
    Ok(server.run())
}

fn peer(socket: &dyn Any) -> Option<IpAddr> {
    let tcp = socket.downcast_ref::<TcpStream>();
    let tcp = tcp.or_else(|| socket.downcast_ref::<TlsStream<TcpStream>>().map(|s| s.get_ref().0));
    tcp.and_then(|s| s.peer_addr().ok()).map(|a| a.ip())
}

/// Opens the service that the settings describe.
///
/// # Errors
/// One line that names the setting.
pub fn open(settings: &Settings) -> Result<Service, String> {
    let egress = Egress::new(Policy { allow: settings.egress_allow.clone() });
    let service = Service::open(&settings.database_url, &key_source(settings)?, Clock::system())?;
    Ok(service.with_egress(egress))
}

/// Where the settings say that the server key is kept.
///
/// # Errors
/// One line, where they say it twice.
pub fn key_source(settings: &Settings) -> Result<KeySource, String> {
    match (&settings.secret_key, &settings.secret_key_file) {
        (Some(text), None) => Ok(KeySource::Text(text.clone())),
        (None, Some(path)) => Ok(KeySource::File(path.clone())),
        (None, None) => Ok(KeySource::BesideDatabase),
        (Some(_), Some(_)) => Err("secret-key and secret-key-file: only one of the two".to_owned()),
    }
}

/// Says on standard output that connections are accepted, and in a demo what to try.
async fn announce(
    settings: &Settings,
    service: &Service,
    address: &str,
    site: &Site,
) -> Result<(), String> {
    let mut text = format!("stagedoor is listening on {address}\n");
    if settings.demo {
        text.push_str(&demo::prepare(service, &site.scim_base_url).await?);
    }
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| format!("standard output: {e}"))
}

/// The TLS settings of rustls from a certificate chain and its key.
fn tls(cert: &Path, key: &Path) -> Result<ServerConfig, String> {
    let wrong = |name: &str, path: &Path, e: &dyn std::fmt::Display| {
        format!("{name}: {}: {e}", path.display())
    };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(cert).map_err(|e| wrong("tls-cert", cert, &e))?.collect();
    let chain = chain.map_err(|e| wrong("tls-cert", cert, &e))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong("tls-key", key, &e))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("tls: {e}"))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|e| wrong("tls-cert", cert, &e))
}

/// Starts the log on standard error, written by a thread of its own so that no request waits for it.
fn start_log(settings: &Settings) -> Result<WorkerGuard, String> {
    let mut filter: EnvFilter = settings.log.parse().map_err(|e| format!("log: {e}"))?;
    // It calls it an error of ours when somebody sends bytes that are no HTTP.
    if !settings.log.contains("actix_http")
        && let Ok(quiet) = "actix_http::h1=off".parse()
    {
        filter = filter.add_directive(quiet);
    }
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match settings.log_format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(guard)
}
