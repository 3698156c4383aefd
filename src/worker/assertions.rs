//! The forgetter: assertions that would be refused for their age, and names of sessions that are over, on both
//! databases.

use std::time::Duration;

use crate::service::Service;

/// Time between two rounds.
const PERIOD: Duration = Duration::from_secs(60);

/// Forgets for as long as it is polled. What fails is tried again.
pub async fn run(service: Service) {
    loop {
        tokio::time::sleep(PERIOD).await;
        if let Err(error) = service.sweep_saml().await {
            tracing::warn!(%error, "assertions could not be forgotten");
        }
    }
}
