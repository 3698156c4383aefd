//! Replays a recorded exchange of an identity provider against a SCIM server.
//!
//! The format stands in `conformance/README.md`. The server is an address and a token, nothing
//! more: the same files run against any SCIM server. What a flow created and did not delete is
//! deleted at its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::thread::ScopedJoinHandle;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::client::{Call, HttpClient, Reply};
use crate::matcher::differences;

/// A server to replay against.
pub struct Target {
    /// The SCIM base URL, without a slash at its end.
    pub base: String,
    /// A bearer token for it.
    pub token: String,
}

/// One recorded flow: a file of `conformance/`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Flow {
    /// What the identity provider does here.
    pub name: String,
    /// Where this is known from: source keys or sections.
    pub source: Vec<String>,
    /// What goes wrong elsewhere, and what is right.
    pub description: String,
    /// Headers of every step.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One step of a flow.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// The same steps many times, `{{index}}` counting from 1.
    Repeat(Repeat),
    /// Exchanges that are all sent at once.
    Parallel(Parallel),
    /// One request and its answer.
    Exchange(Box<Exchange>),
}

/// Steps that are done again and again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// How often.
    pub repeat: usize,
    /// What.
    pub steps: Vec<Exchange>,
}

/// Exchanges that are sent at the same time; what they capture is lost.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parallel {
    /// The exchanges.
    pub parallel: Vec<Exchange>,
}

/// One request and the answer that it must get.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exchange {
    /// What the identity provider wants with it.
    pub name: String,
    /// What goes out.
    pub request: Request,
    /// What must come back.
    pub expect: Expect,
    /// Variables that are set from the answer: name to JSON pointer.
    #[serde(default)]
    pub capture: BTreeMap<String, String>,
}

/// A request with variables in it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path below the base URL.
    pub path: String,
    /// What stands behind the question mark, as it goes over the wire; `""` sends a bare `?`.
    pub query: Option<String>,
    /// Headers beside the flow's; null takes one away.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// A JSON body.
    pub body: Option<Value>,
    /// A body that goes out as it stands.
    pub raw_body: Option<String>,
}

/// What an answer must look like.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expect {
    /// The status codes that are right.
    pub status: Vec<u16>,
    /// Matchers of headers, by name in any case.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// A matcher of the JSON body.
    pub body: Option<Value>,
}

/// Reads a flow from a file.
///
/// # Errors
/// What is wrong with the file, for the person who wrote it.
pub fn read(file: &Path) -> Result<Flow, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))
}

/// Replays a flow; `unique` is a text of letters and digits that no run used before.
///
/// # Errors
/// The first step that went wrong: its request, what was expected, what came.
pub fn run(flow: &Flow, target: &Target, unique: &str) -> Result<(), String> {
    let mut run =
        Run { flow, target, client: HttpClient::new(), variables: Map::new(), created: Vec::new() };
    run.set("unique", unique);
    run.set("base", &target.base);
    run.set("token", &target.token);
    let outcome = flow.steps.iter().try_for_each(|step| run.step(step));
    run.clean_up();
    outcome
}

struct Run<'a> {
    flow: &'a Flow,
    target: &'a Target,
    client: HttpClient,
    variables: Map<String, Value>,
    created: Vec<String>,
}

impl Run<'_> {
    fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), Value::from(value));
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Exchange(exchange) => self.exchange(exchange),
            Step::Repeat(repeat) => (1..=repeat.repeat).try_for_each(|index| {
                self.set("index", &index.to_string());
                repeat.steps.iter().try_for_each(|exchange| self.exchange(exchange))
            }),
            Step::Parallel(parallel) => self.parallel(&parallel.parallel),
        }
    }

    fn exchange(&mut self, exchange: &Exchange) -> Result<(), String> {
        let reply = self.sent_and_checked(exchange)?;
        let body = serde_json::from_slice::<Value>(&reply.body).ok();
        self.remember(exchange, &reply, body.as_ref());
        for (name, pointer) in &exchange.capture {
            let Some(value) = body.as_ref().and_then(|b| b.pointer(pointer)) else {
                return Err(format!("{}: nothing at {pointer} in\n{reply}", exchange.name));
            };
            self.variables.insert(name.clone(), value.clone());
        }
        Ok(())
    }

    fn parallel(&self, exchanges: &[Exchange]) -> Result<(), String> {
        std::thread::scope(|scope| {
            let running: Vec<_> = exchanges
                .iter()
                .map(|exchange| scope.spawn(|| self.sent_and_checked(exchange).map(drop)))
                .collect();
            running.into_iter().map(ScopedJoinHandle::join).try_for_each(|end| {
                end.unwrap_or_else(|_| Err("a parallel step panicked".to_owned()))
            })
        })
    }

    fn sent_and_checked(&self, exchange: &Exchange) -> Result<Reply, String> {
        let call = self.call(&exchange.request).map_err(|e| format!("{}: {e}", exchange.name))?;
        let reply = match self.client.send(&call) {
            Ok(reply) => reply,
            Err(why) => return Err(format!("step: {}\n{call}\n\n{why}", exchange.name)),
        };
        let wrong = self.wrong(&exchange.expect, &reply)?;
        if wrong.is_empty() {
            return Ok(reply);
        }
        let mut text = format!("step: {}\n", exchange.name);
        for line in wrong {
            let _ = writeln!(text, "  - {line}");
        }
        Err(format!("{text}\n--- sent\n{call}\n\n--- got\n{reply}"))
    }

    fn call(&self, request: &Request) -> Result<Call, String> {
        let mut url = format!("{}{}", self.target.base, self.fill(&request.path, true)?);
        if let Some(query) = &request.query {
            url.push('?');
            url.push_str(&self.fill(query, true)?);
        }
        let body = match (&request.body, &request.raw_body) {
            (Some(body), _) => Some(self.fill_json(body)?.to_string().into_bytes()),
            (None, Some(raw)) => Some(self.fill(raw, false)?.into_bytes()),
            (None, None) => None,
        };
        let headers = self.headers(request, body.is_some())?;
        Ok(Call { method: request.method.clone(), url, headers, body })
    }

    /// The token, then the flow's headers, then the step's; the later one wins, null takes away.
    fn headers(&self, request: &Request, has_body: bool) -> Result<Vec<(String, String)>, String> {
        let mut headers =
            vec![("Authorization".to_owned(), format!("Bearer {}", self.target.token))];
        for (name, value) in self.flow.headers.iter().chain(&request.headers) {
            headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
            if let Some(text) = value.as_str() {
                headers.push((name.clone(), self.fill(text, false)?));
            }
        }
        headers.retain(|(n, _)| has_body || !n.eq_ignore_ascii_case("content-type"));
        Ok(headers)
    }

    fn wrong(&self, expect: &Expect, reply: &Reply) -> Result<Vec<String>, String> {
        let mut wrong = Vec::new();
        if !expect.status.contains(&reply.status) {
            wrong.push(format!("status: expected {:?}, got {}", expect.status, reply.status));
        }
        for (name, matcher) in &expect.headers {
            let got = reply.header(name).map(Value::from);
            let found = differences(&self.fill_json(matcher)?, got.as_ref());
            wrong.extend(found.into_iter().map(|why| format!("header {name}: {why}")));
        }
        if let Some(matcher) = &expect.body {
            match serde_json::from_slice(&reply.body) {
                Ok(body) => wrong.extend(differences(&self.fill_json(matcher)?, Some(&body))),
                Err(_) => wrong.push("the body is not JSON".to_owned()),
            }
        }
        Ok(wrong)
    }

    fn remember(&mut self, exchange: &Exchange, reply: &Reply, body: Option<&Value>) {
        let path = exchange.request.path.as_str();
        let id = body.and_then(|b| b.get("id")).and_then(Value::as_str);
        if let (201, "POST", "/Users" | "/Groups", Some(id)) =
            (reply.status, exchange.request.method.as_str(), path, id)
        {
            self.created.push(format!("{path}/{}", encode(id)));
        }
    }

    /// Deletes what the flow made; what it deleted itself answers 404, and that is fine.
    fn clean_up(&self) {
        for path in self.created.iter().rev() {
            let call = Call {
                method: "DELETE".to_owned(),
                url: format!("{}{path}", self.target.base),
                headers: vec![(
                    "Authorization".to_owned(),
                    format!("Bearer {}", self.target.token),
                )],
                body: None,
            };
            let _ = self.client.send(&call);
        }
    }

    /// A text with its `{{variables}}` filled in, percent-encoded where it goes into an address.
    fn fill(&self, text: &str, in_url: bool) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, behind)) = after.split_once("}}") else { break };
            let value = match self.variables.get(name) {
                None => return Err(format!("no variable {name}")),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            filled.push_str(before);
            filled.push_str(&if in_url { encode(&value) } else { value });
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// JSON with its variables filled in; a text that is one variable alone becomes its value.
    fn fill_json(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => {
                let name = text.strip_prefix("{{").and_then(|t| t.strip_suffix("}}"));
                match name.and_then(|name| self.variables.get(name)) {
                    Some(value) => value.clone(),
                    None => Value::String(self.fill(text, false)?),
                }
            }
            Value::Array(items) => {
                Value::Array(items.iter().map(|i| self.fill_json(i)).collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let filled = map.iter().map(|(k, v)| Ok((k.clone(), self.fill_json(v)?)));
                Value::Object(filled.collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986 §2.3.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
