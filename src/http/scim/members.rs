//! Groups with their members: in memory while they are few, streamed when they are many, so that
//! no answer fills the process (security.md (c)).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_util::stream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::domain::group::{Group, MemberRef};
use crate::scim::projection::Projection;
use crate::scim::version::Version;
use crate::service::groups::{self, MEMBERS_IN_MEMORY};
use crate::service::tokens::Access;
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
    /// Whose they are.
    pub access: Arc<Access>,
    /// The SCIM base URL.
    pub base_url: String,
    /// What the client wants to see.
    pub projection: Projection,
}

impl Streamed {
    /// Answers piece by piece, as fast as the client takes it.
    pub fn answer(self, service: &Service, version: Option<&Version>) -> HttpResponse {
        let (pieces, receiver) = mpsc::channel(PIECES);
        let reading = service.clone();
        actix_web::rt::spawn(async move {
            let failed = pieces.clone();
            let handle = Handle::current();
            let sink = Sink { pieces, handle };
            let access = Arc::clone(&self.access);
            let done = reading.read(move |conn| {
                self.write(&sink, |group, take| {
                    groups::each_member_page(conn, &access.directory, group, take)
                })
            });
            let done = done.await;
            if let Err(error) = done {
                tracing::warn!(%error, "an answer was cut short");
                // An error in the stream breaks the connection: half a list must not look whole.
                let _gone = failed.send(Err(io::Error::other("cut short"))).await;
            }
        });
        let body = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        let mut answer = answer::builder(StatusCode::OK);
        if let Some(version) = version {
            answer.insert_header((header::ETAG, version.to_string()));
        }
        answer.streaming(body)
    }

    /// Writes everything to `sink`; `pages` hands a group's members over, page by page.
    fn write(
        &self,
        sink: &Sink,
        mut pages: impl FnMut(&Group, &mut dyn FnMut(&[MemberRef]) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let schema = &self.access.directory.groups;
        let writer = Writer { base_url: &self.base_url, schema, projection: &self.projection };
        sink.send(self.head.clone())?;
        for (i, group) in self.groups.iter().enumerate() {
            let mut shell = writer.group(group, &[]);
            shell.pop();
            shell.push_str(",\"members\":[");
            sink.send(if i > 0 { format!(",{shell}") } else { shell })?;
            let mut first = true;
            pages(group, &mut |members| {
                let text = writer.members(members);
                let piece = if first { text } else { format!(",{text}") };
                first = false;
                sink.send(piece)
            })?;
            sink.send("]}".to_owned())?;
        }
        sink.send(self.tail.to_owned())
    }
}

struct Sink {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    handle: Handle,
}

impl Sink {
    /// Hands a piece over, waiting while the client is slow.
    fn send(&self, piece: String) -> Result<()> {
        let sending = tokio::time::timeout(CLIENT_TIMEOUT, self.pieces.send(Ok(piece.into())));
        match self.handle.block_on(sending) {
            Ok(Ok(())) => Ok(()),
            _ => Err(Error::Unavailable("The client does not take the answer")),
        }
    }
}
