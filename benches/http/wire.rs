//! HTTP/1.1 as far as a load generator needs it: request bytes out, a status and a body in.
//!
//! Hand-written, since client and server share the processors: what the client spends is missing
//! in the figures. It trusts the server that it measures; it is no HTTP client for anything else.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use actix_web::rt::net::TcpStream as AsyncStream;

use crate::Result;

/// Longest wait for one answer of a blocking [`Client`]: a large seeding request takes a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where requests go, and the token they carry.
#[derive(Debug, Clone)]
pub struct Target {
    /// The server's address.
    pub address: SocketAddr,
    /// The SCIM token.
    pub token: String,
}

impl Target {
    /// Puts one whole request into `out`, which is emptied first.
    pub fn request(&self, out: &mut Vec<u8>, method: &str, path: &str, body: &str) {
        out.clear();
        for part in [
            method,
            " ",
            path,
            " HTTP/1.1\r\nHost: localhost\r\nAccept: application/scim+json\r\nAuthorization: Bearer ",
            &self.token,
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        if !body.is_empty() {
            let length = body.len().to_string();
            out.extend_from_slice(b"\r\nContent-Type: application/scim+json\r\nContent-Length: ");
            out.extend_from_slice(length.as_bytes());
        }
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(body.as_bytes());
    }
}

/// A whole answer in a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Where the body lies; with chunked coding, the sizes of the chunks still in it.
    pub body: Range<usize>,
    /// Whether it has chunked coding.
    pub chunked: bool,
}

/// The answer that `bytes` hold, once it is whole.
pub fn parse(bytes: &[u8]) -> Result<Option<Answer>> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(bytes.get(..end).unwrap_or_default())?;
    let start = end + 4;
    let status: u16 = head.get(9..12).ok_or("no status line")?.parse()?;
    let mut length = 0;
    for line in head.split("\r\n").skip(1) {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            let rest = bytes.get(start..).unwrap_or_default();
            let end = last_chunk(rest)?.map(|end| start + end);
            return Ok(end.map(|end| Answer { status, body: start..end, chunked: true }));
        }
    }
    let whole = bytes.len() >= start + length;
    Ok(whole.then_some(Answer { status, body: start..start + length, chunked: false }))
}

/// The end of the last chunk, once it is there.
fn last_chunk(mut rest: &[u8]) -> Result<Option<usize>> {
    let all = rest.len();
    loop {
        let Some(line) = find(rest, b"\r\n") else { return Ok(None) };
        let text = std::str::from_utf8(rest.get(..line).unwrap_or_default())?;
        let size = usize::from_str_radix(text.trim(), 16)?;
        let Some(next) = rest.get(line + 2 + size + 2..) else { return Ok(None) };
        rest = next;
        if size == 0 {
            return Ok(Some(all - rest.len()));
        }
    }
}

/// A body without the sizes of its chunks.
fn joined(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(rest.len());
    while let Some(line) = find(rest, b"\r\n") {
        let text = std::str::from_utf8(rest.get(..line).unwrap_or_default())?;
        let begin = line + 2;
        let end = begin + usize::from_str_radix(text.trim(), 16)?;
        out.extend_from_slice(rest.get(begin..end).ok_or("a chunk is cut short")?);
        rest = rest.get(end + 2..).unwrap_or_default();
    }
    Ok(out)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A connection for one thread, which waits: seeding, tidying up, the paced writers.
#[derive(Debug)]
pub struct Client {
    target: Target,
    stream: TcpStream,
    out: Vec<u8>,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects.
    pub fn connect(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(target.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { target: target.clone(), stream, out: Vec::new(), buffer: Vec::new() })
    }

    /// Sends a request and returns the body of an answer of the 2xx class.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> Result<String> {
        self.target.request(&mut self.out, method, path, body);
        self.stream.write_all(&self.out)?;
        self.buffer.clear();
        let mut chunk = [0; 16 * 1024];
        loop {
            let read = self.stream.read(&mut chunk)?;
            if read == 0 {
                return Err(format!("{method} {path}: the server closed the connection").into());
            }
            self.buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
            let Some(answer) = parse(&self.buffer)? else { continue };
            let body = self.buffer.get(answer.body).unwrap_or_default();
            let body = if answer.chunked { joined(body)? } else { body.to_vec() };
            let body = String::from_utf8(body)?;
            if (200..300).contains(&answer.status) {
                return Ok(body);
            }
            return Err(format!("{method} {path}: {} {body}", answer.status).into());
        }
    }
}

/// A connection of the load generator: many of them live in one thread.
#[derive(Debug)]
pub struct Connection {
    stream: AsyncStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    /// Connects.
    pub async fn connect(target: &Target) -> Result<Self> {
        let stream = AsyncStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 64 * 1024], filled: 0 })
    }

    /// Sends the bytes of one request and waits for the whole answer.
    pub async fn exchange(&mut self, mut out: &[u8]) -> Result<Answer> {
        while !out.is_empty() {
            match self.stream.try_write(out) {
                Ok(written) => out = out.get(written..).unwrap_or_default(),
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                Err(e) => return Err(e.into()),
            }
        }
        self.filled = 0;
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(self.buffer.get_mut(self.filled..).unwrap_or_default()) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(read) => self.filled += read,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(e) => return Err(e.into()),
            }
            if let Some(answer) = parse(self.buffer.get(..self.filled).unwrap_or_default())? {
                return Ok(answer);
            }
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.filled * 2, 0);
            }
        }
    }

    /// The bytes of the last answer's body.
    pub fn body(&self, answer: &Answer) -> &[u8] {
        self.buffer.get(answer.body.clone()).unwrap_or_default()
    }
}
