//! The messages of Bulk (RFC 7644 §3.7): the request read, its `bulkId` references, the response.
//!
//! [`plan()`] says in which order the operations are done. Doing them, counting errors against
//! `failOnErrors` and knowing ids is the caller's: nothing here creates, finds or stores a resource.

mod plan;

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::error::{ScimError, ScimResult, ScimType};
use super::message::Message;
use super::schema::ResourceType;
use super::version::Precondition;

pub use plan::{Step, plan};

/// Most operations of one request, as published; beyond it is 413 (RFC 7644 §3.7.4).
pub const MAX_OPERATIONS: usize = 500;

/// What stands before the `bulkId` in a reference (RFC 7644 §3.7.2).
const PREFIX: &str = "bulkId:";

/// The methods of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Creates a resource.
    Post,
    /// Replaces one.
    Put,
    /// Changes one.
    Patch,
    /// Removes one.
    Delete,
}

impl Method {
    /// The method's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn find(name: &str) -> Option<Self> {
        let all = [Self::Post, Self::Put, Self::Patch, Self::Delete];
        all.into_iter().find(|m| m.name().eq_ignore_ascii_case(name))
    }
}

/// What an operation is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BulkPath {
    /// `/Users` or `/Groups`, of a POST.
    Collection(ResourceType),
    /// One resource, by its id or by `bulkId:…`, of the other methods.
    Resource(ResourceType, String),
}

impl BulkPath {
    /// Reads a path relative to the base URL, with or without the first slash.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('/').unwrap_or(text);
        let (head, id) = text.split_once('/').map_or((text, None), |(h, id)| (h, Some(id)));
        let types = [ResourceType::User, ResourceType::Group];
        let resource_type = types.into_iter().find(|t| t.endpoint() == head)?;
        let Some(id) = id else { return Some(Self::Collection(resource_type)) };
        // A bulkId is the client's own text and may hold anything; an id of ours never does.
        let is_id = !id.is_empty() && !id.contains(['/', '?', '#']);
        (is_id || id.starts_with(PREFIX)).then(|| Self::Resource(resource_type, id.to_owned()))
    }
}

/// One operation that can be tried.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOperation {
    /// What to do.
    pub method: Method,
    /// To what.
    pub path: BulkPath,
    /// The client's name for what a POST creates; otherwise only given back.
    pub bulk_id: Option<String>,
    /// The version that the resource must have, as with `If-Match`; never of a POST.
    pub version: Option<Precondition>,
    /// The body; there in all methods but DELETE.
    pub data: Option<Map<String, Value>>,
}

/// One operation that cannot even be tried, with what is known of it for the response.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The method, where it is one.
    pub method: Option<Method>,
    /// The `bulkId` as it was sent.
    pub bulk_id: Option<String>,
    /// What it was about, where that could be read.
    pub path: Option<BulkPath>,
    /// What is wrong with it.
    pub error: ScimError,
}

/// A bulk request. What is wrong with one operation is that operation's answer alone.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRequest {
    /// After how many errors the rest is not done any more; at least 1.
    pub fail_on_errors: Option<u64>,
    /// The operations in the order sent.
    pub operations: Vec<Result<BulkOperation, Refused>>,
}

/// Reads the body of a bulk request (RFC 7644 §3.7).
///
/// # Errors
/// Of the request as a whole: `invalidSyntax` where it is another message or has no operations,
/// `invalidValue` for `failOnErrors` below 1, 413 for more than [`MAX_OPERATIONS`].
pub fn parse(body: Map<String, Value>) -> ScimResult<BulkRequest> {
    let mut message = Message::read(body, scim_v2::schema_urns::BULK_REQUEST)?;
    let fail_on_errors = match message.take("failOnErrors") {
        None => None,
        Some(value) => Some(value.as_u64().filter(|&n| n > 0).ok_or_else(|| {
            ScimError::invalid_value("failOnErrors must be a whole number of at least 1")
        })?),
    };
    let operations = match message.take("Operations") {
        Some(Value::Array(operations)) if !operations.is_empty() => operations,
        _ => return Err(ScimError::invalid_syntax("Operations must be a list of operations")),
    };
    if operations.len() > MAX_OPERATIONS {
        return Err(ScimError::too_large(format!(
            "{} operations exceed maxOperations ({MAX_OPERATIONS})",
            operations.len()
        )));
    }
    let mut bulk_ids = HashSet::new();
    let operations = operations.into_iter().map(|o| operation(o, &mut bulk_ids)).collect();
    Ok(BulkRequest { fail_on_errors, operations })
}

/// Reads one operation. `bulk_ids` are those of the POSTs before it.
fn operation(value: Value, bulk_ids: &mut HashSet<String>) -> Result<BulkOperation, Refused> {
    let mut known = Refused {
        method: None,
        bulk_id: None,
        path: None,
        error: ScimError::invalid_syntax("An operation must be an object"),
    };
    let Value::Object(map) = value else { return Err(known) };
    match Message::part(map).and_then(|part| read_operation(part, bulk_ids, &mut known)) {
        Ok(operation) => Ok(operation),
        Err(error) => Err(Refused { error, ..known }),
    }
}

/// Leaves in `known` what could be read until the first fault.
fn read_operation(
    mut part: Message,
    bulk_ids: &mut HashSet<String>,
    known: &mut Refused,
) -> ScimResult<BulkOperation> {
    // All are read before any is judged, so that the response can name them.
    let mut text = |name: &str| part.take(name).and_then(|v| v.as_str().map(str::to_owned));
    known.method = text("method").as_deref().and_then(Method::find);
    known.path = text("path").as_deref().and_then(BulkPath::parse);
    known.bulk_id = text("bulkId");
    let method = known
        .method
        .ok_or_else(|| ScimError::invalid_syntax("method must be POST, PUT, PATCH or DELETE"))?;
    let wrong = |detail: &str| Err(ScimError::invalid_value(detail));
    let path = match (method, &known.path) {
        (Method::Post, Some(BulkPath::Resource(..))) => {
            return wrong("The path of a POST must be /Users or /Groups");
        }
        (Method::Put | Method::Patch | Method::Delete, Some(BulkPath::Collection(_))) => {
            return wrong("The path must be /Users/{id} or /Groups/{id}");
        }
        (_, Some(path)) => path.clone(),
        (_, None) => return wrong("The path must be below /Users or /Groups"),
    };
    let bulk_id = known.bulk_id.clone().filter(|id| !id.is_empty());
    let data = data(method, part.take("data"))?;
    let version = match part.take_text("version")? {
        Some(version) if method != Method::Post => Some(Precondition::parse(&version)?),
        _ => None,
    };
    if method == Method::Post {
        let Some(id) = &bulk_id else { return wrong("A POST must have a bulkId") };
        if !bulk_ids.insert(id.clone()) {
            return wrong("An earlier POST of the request has the same bulkId");
        }
    }
    Ok(BulkOperation { method, path, bulk_id, version, data })
}

fn data(method: Method, value: Option<Value>) -> ScimResult<Option<Map<String, Value>>> {
    match (method, value) {
        (Method::Delete, _) => Ok(None),
        (_, Some(Value::Object(map))) => Ok(Some(map)),
        (_, None) => Err(ScimError::invalid_value(format!("A {} must have data", method.name()))),
        (_, Some(_)) => Err(ScimError::invalid_syntax("data must be an object")),
    }
}

/// The `bulkId` that a text refers to.
fn reference(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX).filter(|id| !id.is_empty())
}

/// The `bulkId`s that an operation refers to, in its path and anywhere in its data, each once
/// (RFC 7644 §3.7.2).
pub fn references(operation: &BulkOperation) -> Vec<String> {
    let mut found = Vec::new();
    if let BulkPath::Resource(_, id) = &operation.path {
        found.extend(reference(id));
    }
    for value in operation.data.iter().flat_map(Map::values) {
        collect(value, &mut found);
    }
    let mut seen = HashSet::new();
    found.into_iter().filter(|id| seen.insert(*id)).map(str::to_owned).collect()
}

/// The nesting is bounded: `json::object` refuses a deeper body.
fn collect<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.extend(reference(text)),
        Value::Array(items) => items.iter().for_each(|v| collect(v, found)),
        Value::Object(map) => map.values().for_each(|v| collect(v, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Puts permanent ids in the place of references (RFC 7644 §3.7.2).
///
/// # Errors
/// 409 `invalidValue` that names the first `bulkId` without an id: no POST of the request has it,
/// or that POST failed. The operation must not be done then.
pub fn resolve(operation: &mut BulkOperation, ids: &HashMap<String, String>) -> ScimResult<()> {
    if let BulkPath::Resource(_, id) = &mut operation.path {
        replace(id, ids)?;
    }
    operation.data.iter_mut().flat_map(Map::values_mut).try_for_each(|v| replace_in(v, ids))
}

fn replace_in(value: &mut Value, ids: &HashMap<String, String>) -> ScimResult<()> {
    match value {
        Value::String(text) => replace(text, ids),
        Value::Array(items) => items.iter_mut().try_for_each(|v| replace_in(v, ids)),
        Value::Object(map) => map.values_mut().try_for_each(|v| replace_in(v, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn replace(text: &mut String, ids: &HashMap<String, String>) -> ScimResult<()> {
    let Some(bulk_id) = reference(text) else { return Ok(()) };
    let Some(id) = ids.get(bulk_id) else {
        return Err(conflict(format!("{PREFIX}{bulk_id} names nothing that this request created")));
    };
    text.clone_from(id);
    Ok(())
}

/// The answer of an operation in a circle that cannot be resolved (RFC 7644 §3.7.1).
pub fn circular() -> ScimError {
    conflict("The operation and another one need each other to be done first")
}

/// 409 with a keyword, so that nobody takes it for a `uniqueness` conflict and adopts a resource.
fn conflict(detail: impl Into<String>) -> ScimError {
    ScimError::new(409, Some(ScimType::InvalidValue), detail)
}

/// The references in `members` of a Group to be created: what [`Step::RunWithout`] may put off.
fn member_references(operation: &BulkOperation) -> impl Iterator<Item = &str> {
    let is_new_group = operation.path == BulkPath::Collection(ResourceType::Group);
    let data = operation.data.iter().filter(move |_| is_new_group).flatten();
    let members = data.filter(|(key, _)| key.eq_ignore_ascii_case("members"));
    members
        .flat_map(|(_, value)| match value {
            Value::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        })
        .filter_map(member_reference)
}

/// The `bulkId` that one entry of `members` stands for.
fn member_reference(entry: &Value) -> Option<&str> {
    let value = match entry {
        Value::Object(map) => map.iter().find(|(key, _)| key.eq_ignore_ascii_case("value"))?.1,
        text => text,
    };
    value.as_str().and_then(reference)
}

/// Takes the members with these `bulkId`s out of a Group to be created ([`Step::RunWithout`]).
pub fn put_off_members(operation: &mut BulkOperation, deferred: &[String]) {
    let deferred: HashSet<&str> = deferred.iter().map(String::as_str).collect();
    let is_deferred =
        |entry: &Value| member_reference(entry).is_some_and(|id| deferred.contains(id));
    for (key, value) in operation.data.iter_mut().flatten() {
        if !key.eq_ignore_ascii_case("members") {
            continue;
        }
        match value {
            Value::Array(items) => items.retain(|entry| !is_deferred(entry)),
            single if is_deferred(single) => *single = Value::Null,
            _ => {}
        }
    }
}

/// How one operation ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The method, where it is one.
    pub method: Option<Method>,
    /// The `bulkId` as it was sent.
    pub bulk_id: Option<String>,
    /// The URL of the resource; of everything but a failed POST.
    pub location: Option<String>,
    /// The resource's version afterwards, as an `ETag`.
    pub version: Option<String>,
    /// The status of success, or the refusal.
    pub result: Result<u16, ScimError>,
}

/// The `BulkResponse` (RFC 7644 §3.7.3). The status is a text, a refusal comes with its error
/// resource, and what is not known is left out.
pub fn response(outcomes: &[Outcome]) -> Value {
    let operations: Vec<Value> = outcomes.iter().map(outcome).collect();
    json!({"schemas": [scim_v2::schema_urns::BULK_RESPONSE], "Operations": operations})
}

fn outcome(outcome: &Outcome) -> Value {
    let texts = [
        ("location", outcome.location.as_deref()),
        ("method", outcome.method.map(Method::name)),
        ("bulkId", outcome.bulk_id.as_deref()),
        ("version", outcome.version.as_deref()),
    ];
    let mut out = Map::new();
    for (name, text) in texts {
        if let Some(text) = text {
            out.insert(name.to_owned(), Value::from(text));
        }
    }
    match &outcome.result {
        Ok(status) => out.insert("status".to_owned(), Value::from(status.to_string())),
        Err(error) => {
            out.insert("status".to_owned(), Value::from(error.status.to_string()));
            out.insert("response".to_owned(), json!(error.to_body()))
        }
    };
    Value::Object(out)
}

#[cfg(test)]
mod tests;
