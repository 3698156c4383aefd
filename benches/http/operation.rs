//! What is measured: the requests of each operation, and how their answers are judged.
//!
//! Every request does something: a PATCH changes a value, an added member was none before.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::rc::Rc;

use crate::Result;
use crate::directory::{self, Directory};
use crate::wire::Target;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// The bare handler's answer.
    Bare,
    /// The bare handler that stores one row of the table of users before it answers.
    BareInsert,
    /// `GET /Users/{id}`.
    Get,
    /// `GET /Users?filter=userName eq "…"`.
    Filter,
    /// `GET /Users?startIndex=1&count=100`.
    List,
    /// `POST /Users`.
    Create,
    /// `PATCH /Users/{id}` of `active`.
    Active,
    /// `PATCH /Groups/{id}`: one member into a group of this size.
    Member(usize),
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bare => f.write_str("bare handler"),
            Self::BareInsert => f.write_str("bare row of a user"),
            Self::Get => f.write_str("get by id"),
            Self::Filter => f.write_str("filter by userName"),
            Self::List => f.write_str("list of 100"),
            Self::Create => f.write_str("create"),
            Self::Active => f.write_str("patch active"),
            Self::Member(size) => write!(f, "add member to {size}"),
        }
    }
}

/// An operation on a directory, shared by all clients of one figure.
#[derive(Debug, Clone)]
pub struct Script {
    /// What is asked.
    pub operation: Operation,
    directory: Option<Rc<RefCell<Directory>>>,
    /// Clients whose own user is a member of the growing group at the moment.
    joined: Rc<RefCell<HashSet<usize>>>,
}

impl Script {
    /// A bare handler needs no directory.
    pub fn bare(operation: Operation) -> Self {
        Self { operation, directory: None, joined: Rc::default() }
    }

    /// An operation on a directory.
    pub fn new(operation: Operation, directory: &Rc<RefCell<Directory>>) -> Self {
        Self { operation, directory: Some(Rc::clone(directory)), joined: Rc::default() }
    }

    /// Puts the next request of a client into `out`; whether its time counts.
    ///
    /// A growing group keeps its size: each client adds its own user and takes it out again, and
    /// only the time of the adding counts.
    pub fn next(&self, client: usize, target: &Target, out: &mut Vec<u8>) -> Result<bool> {
        let Some(directory) = &self.directory else {
            if self.operation == Operation::BareInsert {
                let body = directory::user("new1000000@directory200000.example", 1_000_000);
                target.request(out, "POST", "/scim/v2/bare", &body);
            } else {
                target.request(out, "GET", "/scim/v2/bare", "");
            }
            return Ok(true);
        };
        let directory = &mut *directory.borrow_mut();
        let size = directory.size;
        match self.operation {
            Operation::Bare | Operation::BareInsert => {
                return Err("a bare handler has no directory".into());
            }
            Operation::Get => {
                let n = directory.next_user();
                let id = directory.ids.get(n).ok_or("no such user")?;
                target.request(out, "GET", &format!("/scim/v2/Users/{id}"), "");
            }
            Operation::Filter => {
                let name = directory::user_name(size, directory.next_user());
                let query = format!("/scim/v2/Users?filter=userName%20eq%20%22{name}%22");
                target.request(out, "GET", &query, "");
            }
            Operation::List => {
                target.request(out, "GET", "/scim/v2/Users?startIndex=1&count=100", "");
            }
            Operation::Create => {
                directory.created += 1;
                let n = size + directory.created;
                let body = directory::user(&format!("new{n}@directory{size}.example"), n);
                target.request(out, "POST", "/scim/v2/Users", &body);
            }
            Operation::Active => active(directory, target, out)?,
            Operation::Member(group) => {
                return self.member(directory, (group, client), target, out);
            }
        }
        Ok(true)
    }

    fn member(
        &self,
        directory: &Directory,
        (group, client): (usize, usize),
        target: &Target,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let group = directory.groups.iter().find(|(size, _)| *size == group);
        let (_, group) = group.ok_or("no such group")?;
        let user = directory.outside.get(client).and_then(|&n| directory.ids.get(n));
        let user = user.ok_or("more clients than users")?;
        let mut joined = self.joined.borrow_mut();
        let adding = joined.insert(client);
        let operation = if adding {
            format!(r#"{{"op":"add","path":"members","value":[{{"value":"{user}"}}]}}"#)
        } else {
            joined.remove(&client);
            format!(r#"{{"op":"remove","path":"members[value eq \"{user}\"]"}}"#)
        };
        target.request(out, "PATCH", &format!("/scim/v2/Groups/{group}"), &patch(&operation));
        Ok(adding)
    }

    /// Judges an answer, and remembers what has to be tidied up.
    pub fn answered(&self, status: u16, body: &[u8]) -> Result<()> {
        let expected: &[u16] = match self.operation {
            Operation::Create | Operation::BareInsert => &[201],
            Operation::Member(_) => &[200, 204],
            _ => &[200],
        };
        if !expected.contains(&status) {
            let body = String::from_utf8_lossy(body);
            return Err(format!("{}: {status} {body}", self.operation).into());
        }
        if let (Operation::Create, Some(directory)) = (self.operation, &self.directory) {
            let text = std::str::from_utf8(body)?;
            let (_, rest) = text.split_once(r#""id":""#).ok_or("a created user without an id")?;
            let id = rest.split('"').next().unwrap_or_default();
            directory.borrow_mut().leftovers.push(id.to_owned());
        }
        Ok(())
    }

    /// Brings the directory back to what it was before the figure.
    pub fn tidy(&self, target: &Target) -> Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let mut client = crate::wire::Client::connect(target)?;
        if let Operation::Member(group) = self.operation {
            let clients: Vec<usize> = self.joined.borrow().iter().copied().collect();
            for number in clients {
                let directory = directory.borrow();
                let id = directory.groups.iter().find(|(size, _)| *size == group);
                let (_, id) = id.ok_or("no such group")?;
                let user = directory.outside.get(number).and_then(|&n| directory.ids.get(n));
                let user = user.ok_or("no such user")?;
                let leave = format!(r#"{{"op":"remove","path":"members[value eq \"{user}\"]"}}"#);
                client.send("PATCH", &format!("/scim/v2/Groups/{id}"), &patch(&leave))?;
            }
        }
        directory.borrow_mut().tidy(target)
    }
}

fn active(directory: &mut Directory, target: &Target, out: &mut Vec<u8>) -> Result<()> {
    let n = directory.next_user();
    let flag = directory.active.get_mut(n).ok_or("no such user")?;
    *flag = !*flag;
    let operation = format!(r#"{{"op":"replace","path":"active","value":{flag}}}"#);
    let id = directory.ids.get(n).ok_or("no such user")?;
    target.request(out, "PATCH", &format!("/scim/v2/Users/{id}"), &patch(&operation));
    Ok(())
}

/// A PATCH body with one operation.
pub fn patch(operation: &str) -> String {
    let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
    format!(r#"{{"schemas":["{schema}"],"Operations":[{operation}]}}"#)
}
