//! The teller of logouts: applications that registered for it hear that a session has ended. One a process,
//! on every replica; who takes a notice has it for a minute. Beside that, what the OpenID Provider no longer
//! needs is removed.

use std::time::{Duration, Instant};

use crate::service::Service;

/// Time between two looks for notices.
const IDLE: Duration = Duration::from_millis(500);
/// Time between two rounds of removal.
const SWEEP: Duration = Duration::from_secs(60);

/// Tells for as long as it is polled. What fails is tried again.
pub async fn run(service: Service, issuer: String) {
    let mut swept = Instant::now();
    loop {
        match service.send_notices(&issuer).await {
            Ok(0) => tokio::time::sleep(IDLE).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "applications could not be told of a logout");
                tokio::time::sleep(IDLE).await;
            }
        }
        if swept.elapsed() > SWEEP {
            swept = Instant::now();
            if let Err(error) = service.sweep_provider().await {
                tracing::warn!(%error, "what the provider no longer needs could not be removed");
            }
        }
    }
}
