//! The walk of an identity provider that pages by `startIndex`: the whole directory, one client.

use std::time::{Duration, Instant};

use actix_web::rt::SystemRunner;

use crate::Result;
use crate::figures::Sample;
use crate::process::{Program, Used};
use crate::wire::Connection;

/// Results of a page.
const PAGE: usize = 100;
/// Parts that are told apart.
const PARTS: usize = 10;

/// Reads a directory of so many users from its first page to its last; a sample of each tenth.
pub fn whole(system: &SystemRunner, program: &Program, users: usize) -> Result<Vec<Sample>> {
    system.block_on(async {
        let mut connection = Connection::connect(&program.target).await?;
        let pages = users.div_ceil(PAGE);
        let mut samples = Vec::with_capacity(PARTS);
        for part in 0..PARTS.min(pages) {
            let pages = part * pages / PARTS.min(pages)..(part + 1) * pages / PARTS.min(pages);
            let count = u32::try_from(pages.len())?;
            let (before, begun) = (program.meter()?, Instant::now());
            let mut times = Vec::with_capacity(pages.len());
            for page in pages {
                times.push(one(&mut connection, program, (page, users)).await?);
            }
            let (elapsed, used): (Duration, Used) =
                (begun.elapsed(), program.meter()?.since(&before));
            samples.push(Sample::new(elapsed, used, count, times)?);
        }
        Ok(samples)
    })
}

/// Reads one page; it must be full, but for the last one.
async fn one(
    connection: &mut Connection,
    program: &Program,
    (page, users): (usize, usize),
) -> Result<Duration> {
    let first = page * PAGE;
    let path = format!("/scim/v2/Users?startIndex={}&count={PAGE}", first + 1);
    let mut out = Vec::new();
    program.target.request(&mut out, "GET", &path, "");
    let begun = Instant::now();
    let answer = connection.exchange(&out).await?;
    let time = begun.elapsed();
    let head = connection.body(&answer).get(..256).map(String::from_utf8_lossy).unwrap_or_default();
    let wanted = format!(r#""totalResults":{users},"#);
    let full = format!(r#""itemsPerPage":{}"#, PAGE.min(users - first));
    if answer.status != 200 || !head.contains(&wanted) || !head.contains(&full) {
        return Err(format!("{path}: {} {head}", answer.status).into());
    }
    Ok(time)
}
