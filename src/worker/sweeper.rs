//! The sweeper: small chores that keep the database as cheap to read as it was.

use std::time::Duration;

use crate::service::Service;

/// Time until the first round, and between two where replicas count in lanes of their own.
const PERIOD: Duration = Duration::from_secs(10);
/// Time between two rounds where the database lies in this process: there is one lane, and a round is a write.
const EMBEDDED_PERIOD: Duration = Duration::from_secs(60);

/// Does the chores for as long as it is polled. One that fails is done the next time.
pub async fn run(service: Service) {
    let mut rest = PERIOD;
    loop {
        tokio::time::sleep(rest).await;
        rest = if service.is_shared() { PERIOD } else { EMBEDDED_PERIOD };
        if let Err(error) = service.sweep().await {
            tracing::warn!(%error, "the sweeper could not do its work");
        }
    }
}
