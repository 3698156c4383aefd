//! The requests of each operation, and how their answers are judged.
//!
//! Every request does something: a PATCH changes a value, an added member was none before.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use crate::Result;
use crate::directory::{Directory, Recipe};
use crate::operation::Operation;
use crate::wire::{Client, Target};

/// An operation on a directory, shared by all clients of one figure.
#[derive(Debug, Clone)]
pub struct Script {
    /// What is asked.
    pub operation: Operation,
    directory: Option<Rc<RefCell<Directory>>>,
    /// Clients whose own user is a member of the growing group at the moment.
    joined: Rc<RefCell<HashSet<usize>>>,
    /// Requests of a mix so far.
    mixed: Rc<Cell<usize>>,
}

impl Script {
    /// A bare handler needs no directory.
    pub fn bare(operation: Operation) -> Self {
        Self { operation, directory: None, joined: Rc::default(), mixed: Rc::default() }
    }

    /// An operation on a directory.
    pub fn new(operation: Operation, directory: &Rc<RefCell<Directory>>) -> Self {
        Self { directory: Some(Rc::clone(directory)), ..Self::bare(operation) }
    }

    /// Puts the next request of a client into `out`; whether its time counts.
    ///
    /// A growing group keeps its size: each client adds its own user and takes it out again, and
    /// only the time of the adding counts.
    pub fn next(&self, client: usize, target: &Target, out: &mut Vec<u8>) -> Result<bool> {
        let Some(directory) = &self.directory else {
            match self.operation {
                Operation::BareInsert => {
                    let body = Recipe::measured(0, 0).user(1_000_000);
                    target.request(out, "POST", "/scim/v2/bare", &body);
                }
                Operation::BareSelect => target.request(out, "GET", "/scim/v2/bare/user", ""),
                _ => target.request(out, "GET", "/scim/v2/bare", ""),
            }
            return Ok(true);
        };
        let directory = &mut *directory.borrow_mut();
        match self.operation {
            Operation::Member(_) | Operation::MemberApart => {
                return self.member(directory, client, target, out);
            }
            Operation::Mix => {
                use Operation::{Active, Create, Filter, Get, List};
                const MIX: [Operation; 10] =
                    [Get, Filter, Active, Get, List, Get, Create, Filter, Active, Get];
                let turn = self.mixed.get();
                self.mixed.set(turn + 1);
                request(MIX[turn % MIX.len()], directory, target, out)?;
            }
            operation => request(operation, directory, target, out)?,
        }
        Ok(true)
    }

    fn member(
        &self,
        directory: &Directory,
        client: usize,
        target: &Target,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let (group, user) = (self.group(directory, client)?, directory.joiner(client)?);
        let mut joined = self.joined.borrow_mut();
        let adding = joined.insert(client);
        let operation = if adding {
            format!(r#"{{"op":"add","path":"members","value":[{{"value":"{user}"}}]}}"#)
        } else {
            joined.remove(&client);
            leave(user)
        };
        target.request(out, "PATCH", &format!("/scim/v2/Groups/{group}"), &patch(&operation));
        Ok(adding)
    }

    /// The group that a client changes.
    fn group<'d>(&self, directory: &'d Directory, client: usize) -> Result<&'d str> {
        let id = match self.operation {
            Operation::Member(wanted) => {
                directory.groups.iter().find(|(size, _)| *size == wanted).map(|(_, id)| id)
            }
            _ => directory.apart.get(client % directory.apart.len().max(1)),
        };
        Ok(id.ok_or("no such group")?)
    }

    /// Judges an answer, and remembers what has to be tidied up.
    pub fn answered(&self, status: u16, body: &[u8]) -> Result<()> {
        let expected: &[u16] = match self.operation {
            Operation::Create | Operation::BareInsert => &[201],
            Operation::Member(_) | Operation::MemberApart => &[200, 204],
            Operation::Mix => &[200, 201],
            _ => &[200],
        };
        if !expected.contains(&status) {
            let body = String::from_utf8_lossy(body);
            return Err(format!("{}: {status} {body}", self.operation).into());
        }
        if let (201, Some(directory)) = (status, &self.directory) {
            let text = std::str::from_utf8(body)?;
            let (_, rest) = text.split_once(r#""id":""#).ok_or("a created user without an id")?;
            directory.borrow_mut().created(rest.split('"').next().unwrap_or_default());
        }
        Ok(())
    }

    /// Brings the directory back to what it was before the figure. The members that were lost or
    /// doubled, which should be none.
    pub fn tidy(&self, target: &Target, clients: usize) -> Result<usize> {
        let Some(directory) = &self.directory else { return Ok(0) };
        let mut client = Client::connect(target)?;
        let mut wrong = 0;
        let members = match self.operation {
            Operation::Member(size) => Some(size),
            Operation::MemberApart => Some(directory.borrow().members_apart),
            _ => None,
        };
        if let Some(members) = members {
            let directory = directory.borrow();
            wrong = self.wrong_members(&mut client, &directory, clients, members)?;
            for &number in self.joined.borrow().iter() {
                let (group, user) = (self.group(&directory, number)?, directory.joiner(number)?);
                let path = format!("/scim/v2/Groups/{group}");
                client.send("PATCH", &path, &patch(&leave(user)))?;
            }
        }
        directory.borrow_mut().tidy(target)?;
        Ok(wrong)
    }

    /// How many members the groups have too few or too many, of those that were there and of those
    /// whose adding or leaving was answered.
    fn wrong_members(
        &self,
        client: &mut Client,
        directory: &Directory,
        clients: usize,
        before: usize,
    ) -> Result<usize> {
        let joined = self.joined.borrow();
        let groups: Result<BTreeSet<&str>> =
            (0..clients).map(|number| self.group(directory, number)).collect();
        let mut wrong = 0;
        for group in groups? {
            let text = client.send("GET", &format!("/scim/v2/Groups/{group}"), "")?;
            let mut expected = before;
            for number in 0..clients {
                if self.group(directory, number)? != group {
                    continue;
                }
                let is_member = joined.contains(&number);
                expected += usize::from(is_member);
                wrong += usize::from(text.contains(directory.joiner(number)?) != is_member);
            }
            wrong += text.matches(r#""value":""#).count().abs_diff(expected);
        }
        Ok(wrong)
    }
}

/// Puts the next request of an operation into `out`.
fn request(
    operation: Operation,
    directory: &mut Directory,
    target: &Target,
    out: &mut Vec<u8>,
) -> Result<()> {
    let path = match operation {
        Operation::Get => {
            let user = directory.next_user();
            format!("/scim/v2/Users/{}", directory.ids[user])
        }
        Operation::Filter => {
            let name = directory.next_user();
            let name = directory.recipe.user_name(name);
            format!("/scim/v2/Users?filter=userName%20eq%20%22{name}%22")
        }
        Operation::List => "/scim/v2/Users?startIndex=1&count=100".to_owned(),
        Operation::FirstPage => "/scim/v2/Users?cursor=&count=100".to_owned(),
        Operation::DeepPage => format!("/scim/v2/Users?cursor={}&count=100", directory.deep),
        Operation::Create => {
            target.request(out, "POST", "/scim/v2/Users", &directory.next_new_user());
            return Ok(());
        }
        Operation::Active => {
            let user = directory.next_user();
            let flag = directory.toggle(user);
            let operation = format!(r#"{{"op":"replace","path":"active","value":{flag}}}"#);
            let path = format!("/scim/v2/Users/{}", directory.ids[user]);
            target.request(out, "PATCH", &path, &patch(&operation));
            return Ok(());
        }
        other => return Err(format!("{other} is no single request on a directory").into()),
    };
    target.request(out, "GET", &path, "");
    Ok(())
}

fn leave(user: &str) -> String {
    format!(r#"{{"op":"remove","path":"members[value eq \"{user}\"]"}}"#)
}

/// A PATCH body with one operation.
pub fn patch(operation: &str) -> String {
    let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
    format!(r#"{{"schemas":["{schema}"],"Operations":[{operation}]}}"#)
}
