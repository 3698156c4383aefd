//! The sweeper: small chores that keep the database as cheap to read as it was.

use std::time::Duration;

use crate::service::Service;

/// Time between two rounds.
const PERIOD: Duration = Duration::from_secs(10);

/// Does the chores for as long as it is polled. One that fails is done the next time.
pub async fn run(service: Service) {
    loop {
        tokio::time::sleep(PERIOD).await;
        if let Err(error) = service.sweep().await {
            tracing::warn!(%error, "the sweeper could not do its work");
        }
    }
}
