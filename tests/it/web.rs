//! A web server on loopback that answers what a test wants it to: what identity providers publish, and what
//! none of them can be made to.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The whole answers by path, and the request lines that came.
#[derive(Default)]
struct Pages {
    answers: HashMap<String, Vec<u8>>,
    heard: Vec<String>,
}

/// The server; it ends with the test program.
pub struct Web {
    address: SocketAddr,
    pages: Arc<Mutex<Pages>>,
}

impl Web {
    /// A server without pages.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let pages = Arc::new(Mutex::new(Pages::default()));
        let known = Arc::clone(&pages);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let known = Arc::clone(&known);
                thread::spawn(move || answer(stream, &known));
            }
        });
        Self { address, pages }
    }

    /// Its address, with this behind it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers a path with this body from now on.
    pub fn put(&self, path: &str, body: &str) {
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        self.put_raw(path, [head.as_bytes(), body.as_bytes()].concat());
    }

    /// Answers a path with these bytes from now on; none at all leave the caller waiting.
    pub fn put_raw(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.pages.lock().expect("the pages").answers.insert(path.to_owned(), bytes.into());
    }

    /// The request lines that came, in their order.
    pub fn heard(&self) -> Vec<String> {
        self.pages.lock().expect("the pages").heard.clone()
    }
}

fn answer(mut stream: TcpStream, pages: &Mutex<Pages>) {
    let mut request = Vec::new();
    let mut part = [0; 4_096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let line = text.lines().next().unwrap_or_default().to_owned();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let answer = {
        let mut pages = pages.lock().expect("the pages");
        pages.heard.push(line);
        pages.answers.get(&path).cloned()
    };
    match answer {
        // Silence lasts until the caller closes.
        Some(bytes) if bytes.is_empty() => drop(stream.read(&mut part)),
        // A caller that has heard enough closes; the rest is nobody's.
        Some(bytes) => drop(stream.write_all(&bytes)),
        None => {
            let gone = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            drop(stream.write_all(gone));
        }
    }
}
