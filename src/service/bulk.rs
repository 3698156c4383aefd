//! Bulk: many operations in one request, each its own success or failure (RFC 7644 §3.7).

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::db::Failure;
use crate::scim::bulk::{
    self, BulkOperation, BulkPath, BulkRequest, Method, Outcome, Refused, Step,
};
use crate::scim::version::Version;
use crate::scim::{ResourceType, ScimResult, patch};

use super::error::Result;
use super::{Cx, Directory, groups, users};

/// Does the operations in an order that lets `bulkId` references resolve, each in a savepoint, and
/// stops after `failOnErrors` failures.
///
/// # Errors
/// None of an operation's, which are outcomes; only where nothing can be done at all.
pub fn run(
    cx: &mut Cx<'_>,
    directory: &Directory,
    base_url: &str,
    request: BulkRequest,
) -> Result<Vec<Outcome>> {
    let steps = bulk::plan(&request.operations);
    let mut work = Work {
        directory,
        base_url,
        outcomes: request.operations.iter().map(|_| None).collect(),
        operations: request.operations,
        ids: HashMap::new(),
    };
    let limit = request.fail_on_errors.unwrap_or(u64::MAX);
    let mut failures = 0;
    for step in steps {
        if failures >= limit {
            break;
        }
        if !work.step(cx, step)? {
            failures += 1;
        }
    }
    Ok(work.outcomes.into_iter().flatten().collect())
}

struct Work<'d> {
    directory: &'d Directory,
    base_url: &'d str,
    operations: Vec<std::result::Result<BulkOperation, Refused>>,
    outcomes: Vec<Option<Outcome>>,
    ids: HashMap<String, String>,
}

/// What an operation left behind.
struct Done {
    id: String,
    status: u16,
    version: Option<Version>,
}

impl Work<'_> {
    /// Does one step; `false` where it failed, an error where the database did.
    fn step(&mut self, cx: &mut Cx<'_>, step: Step) -> Result<bool> {
        let (index, deferred) = match step {
            Step::Run(index) => (index, Vec::new()),
            Step::RunWithout { index, deferred } => (index, deferred),
            Step::AddMembers { index, members } => return self.add_members(cx, index, &members),
            Step::Conflict(index) => return Ok(self.report(index, Err(bulk::circular()))),
        };
        let operation = match &self.operations[index] {
            Ok(operation) => operation.clone(),
            Err(refused) => {
                let error = refused.error.clone();
                return Ok(self.report(index, Err(error)));
            }
        };
        let result = self.operate(cx, operation, &deferred);
        Ok(self.report(index, told(result)?))
    }

    fn operate(
        &mut self,
        cx: &mut Cx<'_>,
        mut operation: BulkOperation,
        deferred: &[String],
    ) -> Result<Done> {
        bulk::put_off_members(&mut operation, deferred);
        bulk::resolve(&mut operation, &self.ids)?;
        let directory = self.directory;
        let done = cx.nested(|cx| one(cx, directory, &operation))?;
        if let (Method::Post, Some(bulk_id)) = (operation.method, operation.bulk_id) {
            self.ids.insert(bulk_id, done.id.clone());
        }
        Ok(done)
    }

    /// The second step of a Group in a circle; who could not be created is left out (ruling 5).
    fn add_members(&mut self, cx: &mut Cx<'_>, index: usize, members: &[String]) -> Result<bool> {
        let Some(Ok(operation)) = self.operations.get(index) else { return Ok(false) };
        let group = operation.bulk_id.as_ref().and_then(|id| self.ids.get(id));
        let Some(group) = group.cloned() else { return Ok(true) };
        let values: Vec<Value> =
            members.iter().filter_map(|m| self.ids.get(m)).map(|id| json!({"value": id})).collect();
        if values.is_empty() {
            return Ok(true);
        }
        let body = json!({"Operations": [{"op": "add", "path": "members", "value": values}]});
        let directory = self.directory;
        let result = cx.nested(|cx| {
            let operations = patch::parse(object(body))?;
            groups::patch(cx, directory, (&group, None), operations)
        });
        // The version is that of the group as it stands at the end.
        let done = told(result)?.map(|written| {
            let version = Some(groups::version(&written.item));
            Done { id: group, status: 201, version }
        });
        Ok(self.report(index, done))
    }

    fn report(&mut self, index: usize, result: ScimResult<Done>) -> bool {
        let (method, bulk_id, path) = match &self.operations[index] {
            Ok(o) => (Some(o.method), o.bulk_id.clone(), Some(o.path.clone())),
            Err(refused) => (refused.method, refused.bulk_id.clone(), refused.path.clone()),
        };
        let url =
            |kind: ResourceType, id: &str| format!("{}/{}/{id}", self.base_url, kind.endpoint());
        let location = match (&path, &result) {
            (Some(BulkPath::Collection(kind)), Ok(done)) => Some(url(*kind, &done.id)),
            (Some(BulkPath::Resource(kind, id)), _) => {
                Some(url(*kind, result.as_ref().map_or(id, |done| &done.id)))
            }
            _ => None,
        };
        let sound = result.is_ok();
        let version = result.as_ref().ok().and_then(|done| done.version.as_ref());
        let version = version.map(Version::etag);
        let result = result.map(|done| done.status);
        self.outcomes[index] = Some(Outcome { method, bulk_id, location, version, result });
        sound
    }
}

/// What is told of a step. Where the database failed it is the whole request that did: what is still there of
/// the steps before is not known.
fn told<T>(result: Result<T>) -> Result<ScimResult<T>> {
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(error) if error.database_error().is_some() => Err(error),
        Err(error) => Ok(Err(error.to_scim())),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn one(cx: &mut Cx<'_>, directory: &Directory, operation: &BulkOperation) -> Result<Done> {
    let data = || operation.data.clone().unwrap_or_default();
    let if_match = operation.version.as_ref();
    match (&operation.path, operation.method) {
        (BulkPath::Collection(ResourceType::User), _) => {
            let new = users::read_new(&directory.users, data())?;
            Ok(user(201, users::create(cx, directory, new)?.item))
        }
        (BulkPath::Collection(ResourceType::Group), _) => {
            let body = groups::read_body(&directory.groups, data())?;
            let group = groups::create(cx, directory, body)?.item;
            Ok(Done { version: Some(groups::version(&group)), id: group.id, status: 201 })
        }
        (BulkPath::Resource(ResourceType::User, id), Method::Delete) => {
            users::delete(cx, directory, id, if_match)?;
            Ok(Done { id: id.clone(), status: 204, version: None })
        }
        (BulkPath::Resource(ResourceType::Group, id), Method::Delete) => {
            groups::delete(cx, directory, id, if_match)?;
            Ok(Done { id: id.clone(), status: 204, version: None })
        }
        (BulkPath::Resource(ResourceType::User, id), Method::Patch) => {
            let operations = patch::parse(data())?;
            Ok(user(200, users::patch(cx, directory, (id, if_match), &operations)?.item))
        }
        (BulkPath::Resource(ResourceType::User, id), _) => {
            let body = users::read_body(&directory.users, data())?;
            Ok(user(200, users::replace(cx, directory, (id, if_match), body)?.item))
        }
        (BulkPath::Resource(ResourceType::Group, id), method) => {
            let written = if method == Method::Patch {
                groups::patch(cx, directory, (id, if_match), patch::parse(data())?)?
            } else {
                let body = groups::read_body(&directory.groups, data())?;
                groups::replace(cx, directory, (id, if_match), body)?
            };
            let group = written.item;
            Ok(Done { version: Some(groups::version(&group)), id: group.id, status: 200 })
        }
    }
}

fn user(status: u16, view: users::UserView) -> Done {
    Done { version: Some(view.version()), id: view.user.id, status }
}
