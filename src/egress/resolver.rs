//! Names become addresses here, inside the connector: what is dialled was checked, and nothing else.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::{Policy, Refusal};

/// Most names that are looked up at once: each holds a thread for as long as the system takes.
const LOOKUPS: usize = 32;

/// A look-up's answer.
pub(super) type Found = Pin<Box<dyn Future<Output = std::io::Result<Vec<SocketAddr>>> + Send>>;
/// What looks names up.
pub(super) type Lookup = Arc<dyn Fn(String) -> Found + Send + Sync>;

/// The system's resolver.
pub(super) fn system() -> Lookup {
    let places = Arc::new(Semaphore::new(LOOKUPS));
    Arc::new(move |name| {
        let places = Arc::clone(&places);
        Box::pin(async move {
            let _place = places.acquire_owned().await.map_err(std::io::Error::other)?;
            Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect())
        })
    })
}

/// A resolver that gives no address which may not be dialled.
pub(super) struct Guard {
    policy: Arc<Policy>,
    lookup: Lookup,
    plain: bool,
}

impl Guard {
    /// `plain`: for https on port 443; everything else is for allowed addresses alone.
    pub(super) fn new(policy: Arc<Policy>, lookup: Lookup, plain: bool) -> Self {
        Self { policy, lookup, plain }
    }
    /// The addresses of a name, each of which may be dialled.
    pub(super) fn check(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Vec<SocketAddr>, Refusal>> + Send + use<> {
        let (policy, plain) = (Arc::clone(&self.policy), self.plain);
        let found = (self.lookup)(name.to_owned());
        async move {
            // A look-up that fails is a refusal: nothing is dialled unchecked.
            let found = found.await.map_err(|_| Refusal::Unresolved)?;
            if found.is_empty() {
                return Err(Refusal::Unresolved);
            }
            // One bad address among good ones: the name is not what it says it is.
            for address in &found {
                policy.check(address.ip(), plain)?;
            }
            Ok(found)
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.check(name.as_str());
        Box::pin(async move { Ok(Box::new(found.await?.into_iter()) as Addrs) })
    }
}
