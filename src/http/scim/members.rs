//! Groups with their members: in memory while they are few, streamed when they are many, so that
//! no answer fills the process. None is left out: a cut list would come back in the next PUT.

use std::io;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;

use crate::domain::group::Group;
use crate::http::caller::ScimCaller;
use crate::scim::projection::Projection;
use crate::scim::version::Version;
use crate::service::groups::{self, MEMBERS_IN_MEMORY, MemberPlace};
use crate::service::{Error, Result, Service};

use super::answer::{self, Writer};

/// Longest time that a client may take to accept the next piece.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Pieces that wait for the client.
const PIECES: usize = 4;

/// Whether so many members are streamed.
pub fn are_many(groups: &[Group], projection: &Projection) -> bool {
    projection.wants("members")
        && groups.iter().map(|group| group.member_count).sum::<i64>() > MEMBERS_IN_MEMORY
}

/// What a streamed answer is made from.
pub struct Streamed {
    /// The text before the groups.
    pub head: String,
    /// The groups, in their order.
    pub groups: Vec<Group>,
    /// The text behind the groups.
    pub tail: &'static str,
    /// Who asks; holds the token's place until the last piece is taken.
    pub caller: ScimCaller,
    /// The SCIM base URL.
    pub base_url: String,
    /// What the client wants to see.
    pub projection: Projection,
}

impl Streamed {
    /// Answers piece by piece, as fast as the client takes it.
    ///
    /// A place among the readers is held for one page at a time, never while a client is waited for.
    pub fn answer(self, service: &Service, version: Option<&Version>) -> HttpResponse {
        let (pieces, receiver) = mpsc::channel(PIECES);
        let service = service.clone();
        actix_web::rt::spawn(async move {
            let written = self.write(&service, &pieces).await;
            // The token's place is free from here on, however long the client takes for the rest.
            drop(self);
            if let Err(error) = written {
                tracing::warn!(%error, "an answer was cut short");
                cut_short(&pieces).await;
            }
        });
        let body = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        let mut answer = answer::builder(StatusCode::OK);
        if let Some(version) = version {
            answer.insert_header((header::ETAG, version.etag()));
        }
        answer.streaming(body)
    }

    async fn write(&self, service: &Service, pieces: &Pieces) -> Result<()> {
        let schema = &self.caller.directory().groups;
        let writer = Writer { base_url: &self.base_url, schema, projection: &self.projection };
        send(pieces, self.head.clone()).await?;
        for (i, group) in self.groups.iter().enumerate() {
            let mut shell = writer.group(group, &[]);
            shell.pop();
            shell.push_str(",\"members\":[");
            send(pieces, if i > 0 { format!(",{shell}") } else { shell }).await?;
            let mut place = Some(MemberPlace::default());
            let mut first = true;
            while let Some(from) = place {
                let (access, seq) = (self.caller.access(), group.seq);
                let read =
                    move |conn: &mut _| groups::member_page(conn, &access.directory, seq, from);
                let (members, next) = service.read(read).await?;
                place = next;
                if !members.is_empty() {
                    let text = writer.members(&members);
                    send(pieces, if first { text } else { format!(",{text}") }).await?;
                    first = false;
                }
            }
            send(pieces, "]}".to_owned()).await?;
        }
        send(pieces, self.tail.to_owned()).await
    }
}

type Pieces = mpsc::Sender<io::Result<Bytes>>;

/// Hands a piece over, waiting while the client is slow.
async fn send(pieces: &Pieces, piece: String) -> Result<()> {
    match tokio::time::timeout(CLIENT_TIMEOUT, pieces.send(Ok(piece.into()))).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Error::Unavailable("The client does not take the answer")),
    }
}

/// Ends the stream with an error behind the pieces that still wait: it breaks the connection, since half
/// a list must not look whole.
async fn cut_short(pieces: &Pieces) {
    let _gone = pieces.send(Err(io::Error::other("cut short"))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_client_learns_that_the_answer_was_cut_short() {
        let (pieces, mut receiver) = mpsc::channel(PIECES);
        for _ in 0..PIECES {
            pieces.send(Ok(Bytes::from_static(b"x"))).await.unwrap();
        }
        let (seen, ()) = tokio::join!(
            async {
                let mut seen = Vec::new();
                while let Some(piece) = receiver.recv().await {
                    seen.push(piece.is_ok());
                }
                seen
            },
            async {
                cut_short(&pieces).await;
                drop(pieces);
            }
        );
        assert_eq!(seen, [true, true, true, true, false]);
    }
}
