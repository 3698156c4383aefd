//! One HTTP request out, one answer in: the least that the replayer and the tests need.
//!
//! Sends exactly the headers it is given and never one of its own (no `User-Agent`, no `Accept`),
//! follows no redirect, and calls no status an error. It knows HTTP and nothing of SCIM.

use std::fmt;
use std::time::Duration;

use ureq::http;

/// Longest wait for a whole answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer that is read, in bytes.
const LARGEST_ANSWER: u64 = 64 * 1024 * 1024;

/// A request as it goes out.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The method, in the spelling of the wire.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Every header, in order.
    pub headers: Vec<(String, String)>,
    /// The body; `None` for a request without one.
    pub body: Option<Vec<u8>>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.method, self.url)?;
        for (name, value) in &self.headers {
            let shown = if name.eq_ignore_ascii_case("authorization") { "…" } else { value };
            writeln!(f, "{name}: {shown}")?;
        }
        match &self.body {
            Some(body) => write!(f, "\n{}", String::from_utf8_lossy(body)),
            None => Ok(()),
        }
    }
}

/// An answer as it came in.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Every header, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", self.text())
    }
}

/// A connection pool to one or many servers.
#[derive(Clone)]
pub struct HttpClient(ureq::Agent);

impl HttpClient {
    /// A client that keeps connections alive between calls.
    pub fn new() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .timeout_global(Some(TIMEOUT))
            .build();
        Self(config.into())
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// One sentence, where no answer came.
    pub fn send(&self, call: &Call) -> Result<Reply, String> {
        let mut request = http::Request::builder().method(call.method.as_str()).uri(&call.url);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let answer = match &call.body {
            Some(body) => {
                let request = request.body(body.as_slice()).map_err(|e| e.to_string())?;
                self.0.run(request)
            }
            None => self.0.run(request.body(()).map_err(|e| e.to_string())?),
        };
        read(answer.map_err(|e| format!("no answer: {e}"))?)
    }
}

fn read(mut answer: http::Response<ureq::Body>) -> Result<Reply, String> {
    let headers = answer.headers().iter().map(|(name, value)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let headers = headers.collect();
    let body = answer.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec();
    let body = body.map_err(|e| format!("the answer broke off: {e}"))?;
    Ok(Reply { status: answer.status().as_u16(), headers, body })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What arrives when a call is sent.
    fn on_the_wire(query: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/Users{query}", listener.local_addr().unwrap());
        let received = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = String::new();
            let mut buffer = [0; 4096];
            while !text.ends_with("\r\n\r\n") && !text.ends_with('}') {
                let read = stream.read(&mut buffer).unwrap();
                text.push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            text
        });
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let body = body.map(<[u8]>::to_vec);
        let call = Call { method: "PATCH".to_owned(), url, headers, body };
        assert_eq!(HttpClient::new().send(&call).unwrap().status, 204);
        received.join().unwrap()
    }

    #[test]
    fn no_header_of_our_own_goes_out() {
        let sent =
            on_the_wire("", &[("User-Agent", ""), ("Accept", "application/json")], Some(b"{}"));
        let names: Vec<&str> =
            sent.lines().skip(1).filter_map(|l| l.split_once(':')).map(|(n, _)| n).collect();
        let mut names: Vec<String> = names.iter().map(|n| n.to_lowercase()).collect();
        names.sort();
        assert_eq!(names, ["accept", "content-length", "host", "user-agent"], "{sent}");
    }

    #[test]
    fn a_query_goes_out_as_it_stands() {
        for query in ["", "?", "?filter=userName+eq+%22x%22&", "?filter=emails%5Btype%5D&&a"] {
            let sent = on_the_wire(query, &[], Some(b"{}"));
            assert!(sent.starts_with(&format!("PATCH /Users{query} HTTP/1.1\r\n")), "{sent}");
        }
    }
}
