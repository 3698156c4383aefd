//! What is refused before anything looks at a request: too many connections of one address, a line
//! that is too long or holds a NUL.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::Error;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use crate::scim::ScimError;

use super::error::ScimFailure;

/// Longest request target in bytes.
const MAX_TARGET: usize = 16 * 1024;

/// Refuses what the limits refuse, with 400, 414 or 503; everything else goes on.
///
/// # Errors
/// The inner service's.
pub async fn guard<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match refusal(&request) {
        // An answer, not an error: what stands around this still adds the id of the request.
        Some(error) => {
            let answer = request.error_response(ScimFailure::closing(error));
            Ok(answer.map_into_right_body())
        }
        None => Ok(next.call(request).await?.map_into_left_body()),
    }
}

fn refusal(request: &ServiceRequest) -> Option<ScimError> {
    if request.conn_data::<Counted>().is_some_and(|c| c.too_many) {
        return Some(ScimError::new(503, None, "Too many connections from this address"));
    }
    let target = request.uri().path_and_query().map_or(0, |t| t.as_str().len());
    let detail = || format!("The request target is longer than {MAX_TARGET} bytes");
    if target > MAX_TARGET {
        return Some(ScimError::new(414, None, detail()));
    }
    // No name here has a NUL in it, and one of the databases takes none; SCIM says so in its own words.
    let nul = request.uri().path_and_query().is_some_and(|target| target.as_str().contains("%00"));
    let nul = nul && !request.path().starts_with("/scim/");
    nul.then(|| ScimError::new(400, None, "The request target holds a NUL character"))
}

/// Most connections of one address that is no trusted proxy.
pub const PER_ADDRESS: usize = 256;

/// Counts connections by address.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection, counted until it is dropped.
#[derive(Debug)]
pub struct Counted {
    connections: Connections,
    address: IpAddr,
    /// Whether the address has more than it may.
    pub too_many: bool,
}

impl Connections {
    /// Counts a new connection.
    pub fn count(&self, address: IpAddr) -> Counted {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_insert(0);
        *count += 1;
        Counted { connections: self.clone(), address, too_many: *count > PER_ADDRESS }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.connections.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_257th_connection_of_an_address_is_too_many() {
        let (connections, address) = (Connections::default(), IpAddr::from([192, 0, 2, 1]));
        let mut held: Vec<Counted> = (0..PER_ADDRESS).map(|_| connections.count(address)).collect();
        assert!(held.iter().all(|c| !c.too_many));
        assert!(connections.count(address).too_many);
        assert!(!connections.count(IpAddr::from([192, 0, 2, 2])).too_many);
        held.pop();
        assert!(!connections.count(address).too_many);
    }
}
