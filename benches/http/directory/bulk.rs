//! SCIM Bulk (RFC 7644 §3.7): many operations in a request, several requests at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Deserialize;

use crate::Result;
use crate::wire::{Client, Target};

/// Operations in one bulk request: as many as the server takes.
const OPERATIONS: usize = 500;
/// Bytes in one. The server takes 4 MiB; many members of groups need time rather than bytes.
const BYTES: usize = 1_000_000;
/// Connections at once.
const CONNECTIONS: usize = 4;

/// One operation: its method, its path, its data if it has any.
pub type Operation = (&'static str, String, Option<String>);

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Operations")]
    operations: Vec<Done>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    bulk_id: String,
    status: String,
    #[serde(default)]
    location: String,
}

/// Sends `count` operations, which are made when it is their turn; the ids that come back, in order.
pub fn send(
    target: &Target,
    count: usize,
    operation: &(impl Fn(usize) -> Operation + Sync),
) -> Result<Vec<String>> {
    // Operations differ in size: who is done takes the next ones.
    let next = AtomicUsize::new(0);
    let step = OPERATIONS.min(count.div_ceil(CONNECTIONS)).max(1);
    let seeder = || -> Result<Vec<(usize, String)>> {
        let mut client = Client::connect(target)?;
        let mut made = Vec::new();
        loop {
            let first = next.fetch_add(step, Ordering::Relaxed);
            if first >= count {
                return Ok(made);
            }
            some(&mut client, first, (first + step).min(count), operation, &mut made)?;
        }
    };
    let parts = thread::scope(|scope| {
        let seeders: Vec<_> = (0..CONNECTIONS.min(count)).map(|_| scope.spawn(seeder)).collect();
        seeders.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut made = Vec::with_capacity(count);
    for part in parts {
        made.extend(part.map_err(|_| "a seeding thread panicked")??);
    }
    made.sort_unstable_by_key(|(number, _)| *number);
    Ok(made.into_iter().map(|(_, id)| id).collect())
}

/// Sends the operations from `first` to before `end`, in as many requests as their size needs.
fn some(
    client: &mut Client,
    first: usize,
    end: usize,
    operation: &impl Fn(usize) -> Operation,
    made: &mut Vec<(usize, String)>,
) -> Result<()> {
    let (mut body, mut begin) = (String::new(), first);
    for number in first..end {
        let (method, path, data) = operation(number);
        let data = data.map(|data| format!(r#","data":{data}"#)).unwrap_or_default();
        if !body.is_empty() && body.len() + data.len() > BYTES {
            request(client, &std::mem::take(&mut body), begin..number, made)?;
            begin = number;
        }
        let comma = if body.is_empty() { "" } else { "," };
        body +=
            &format!(r#"{comma}{{"method":"{method}","path":"{path}","bulkId":"{number}"{data}}}"#);
    }
    request(client, &body, begin..end, made)
}

fn request(
    client: &mut Client,
    operations: &str,
    numbers: std::ops::Range<usize>,
    made: &mut Vec<(usize, String)>,
) -> Result<()> {
    let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
    let body = format!(r#"{{"schemas":["{schema}"],"Operations":[{operations}]}}"#);
    let answer = client.send("POST", "/scim/v2/Bulk", &body)?;
    let answer: Answer = serde_json::from_str(&answer)?;
    if answer.operations.len() != numbers.len() {
        return Err(format!("{} of {} were done", answer.operations.len(), numbers.len()).into());
    }
    for done in answer.operations {
        if !done.status.starts_with('2') {
            return Err(format!("bulk operation {} failed: {}", done.bulk_id, done.status).into());
        }
        let id = done.location.rsplit('/').next().unwrap_or_default();
        made.push((done.bulk_id.parse()?, id.to_owned()));
    }
    Ok(())
}
