//! The follower of keys: where a command or another replica made a new sealing key, this process takes it,
//! and seals anew what it sealed by the former one until then.

use std::time::Duration;

use crate::service::Service;

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(30);

/// Looks for as long as it is polled.
pub async fn run(service: Service) {
    loop {
        tokio::time::sleep(PERIOD).await;
        if let Err(error) = follow(&service).await {
            tracing::warn!(%error, "the sealing key could not be followed");
        }
    }
}

async fn follow(service: &Service) -> crate::service::Result<()> {
    if service.sealing_key_is_old().await? {
        let renewed = service.follow_sealing_key().await?;
        tracing::info!(renewed, "another sealing key is in use");
    }
    Ok(())
}
