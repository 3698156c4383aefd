//! One line as the schemas see it: everything that can be said of it without the database.

use std::collections::HashMap;

use aws_lc_rs::digest;
use serde_json::{Map, Value};

use crate::domain::group::MemberKey;
use crate::scim::members::{self, Member};
use crate::scim::{ResourceType, ScimError, json};

use super::super::error::Result;
use super::super::{Directory, groups, users};
use super::source::{Line, Place, Text};
use super::table::Table;

/// The `id` of a resource in the file, as a check value: a million of them fit in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId([u8; 16]);

impl FileId {
    /// The check value of an id.
    pub fn of(id: &str) -> Self {
        let mut out = [0; 16];
        let digest = digest::digest(&digest::SHA256, id.as_bytes());
        for (to, from) in out.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Self(out)
    }
}

/// Whom an id of the file means.
#[derive(Debug, Clone, Copy)]
pub enum Meant {
    /// A user that is stored.
    User(i64),
    /// The group of the line at this place among the groups' lines.
    Group(usize),
}

/// A user's line.
#[derive(Debug)]
pub struct UserLine {
    /// Its number.
    pub number: u64,
    /// Its `id` in the file.
    pub id: Option<FileId>,
    /// The user.
    pub new: users::NewUser,
    /// Names that no schema knows.
    pub left_out: Vec<String>,
}

/// A group's line when it is met first: sound, and to be read again when all users are stored.
#[derive(Debug)]
pub struct GroupPlace {
    /// Its `id` in the file.
    pub id: Option<FileId>,
    /// Where it lies.
    pub place: Place,
}

/// A group's line with its members.
#[derive(Debug)]
pub struct GroupLine {
    /// Its number.
    pub number: u64,
    /// The group.
    pub draft: groups::load::Draft,
    /// Its members, where the line says anything about them.
    pub members: Option<Members>,
    /// Names that no schema knows.
    pub left_out: Vec<String>,
}

/// The members that a line names.
#[derive(Debug, Default)]
pub struct Members {
    /// Users of the file.
    pub known: Vec<MemberKey>,
    /// Groups of the file, by their places among the groups' lines.
    pub groups: Vec<usize>,
    /// Ids that the file does not have; the directory may.
    pub others: Vec<String>,
}

/// What a line turns out to be.
#[derive(Debug)]
pub enum Parsed {
    /// A user.
    User(Box<UserLine>),
    /// A group.
    Group(GroupPlace),
    /// Nothing that can be stored: line and reason.
    Bad(u64, String),
}

/// Reads a line for the first time.
pub fn first(directory: &Directory, table: Option<&Table>, line: Line) -> Parsed {
    let number = line.number;
    match read(directory, table, line) {
        Ok(parsed) => parsed,
        Err(why) => Parsed::Bad(number, why),
    }
}

fn read(
    directory: &Directory,
    table: Option<&Table>,
    line: Line,
) -> std::result::Result<Parsed, String> {
    let Line { number, offset, length, text } = line;
    let (map, members) = match (text, table) {
        (Text::Wrong(why), _) => return Err(why),
        (Text::Csv(row), Some(table)) => (table.object(&row)?, false),
        (Text::Csv(_), None) => return Err("no row of a table was expected".to_owned()),
        (Text::Json(bytes), _) => {
            let check = |item: Value| match item {
                Value::Null => Ok(()),
                item => members::parse_member(item).map(drop),
            };
            json::object_but(&bytes, "members", check).map_err(|e| e.to_string())?
        }
    };
    let id = id(&map).map(FileId::of);
    match kind(&map)? {
        ResourceType::User => {
            let new = users::read_new(&directory.users, map);
            let mut new = new.map_err(|e| e.to_string())?;
            let mut left_out = new.take_left_out();
            if members {
                left_out.push("members".to_owned());
            }
            Ok(Parsed::User(Box::new(UserLine { number, id, new, left_out })))
        }
        ResourceType::Group => {
            groups::read_body(&directory.groups, map).map_err(|e| e.to_string())?;
            Ok(Parsed::Group(GroupPlace { id, place: Place { number, offset, length } }))
        }
    }
}

/// Reads a group's line again, now that it is known whom the ids of the file mean.
///
/// # Errors
/// None that [`first`] would not have met, unless the file has changed since.
pub fn group(
    directory: &Directory,
    meant: &HashMap<FileId, Meant>,
    line: Line,
) -> std::result::Result<GroupLine, (u64, String)> {
    let number = line.number;
    let Text::Json(bytes) = line.text else {
        return Err((number, "the file has changed".to_owned()));
    };
    let mut members = Members::default();
    let take = |item: Value| {
        if item.is_null() {
            return Ok(());
        }
        let Member { value, .. } = members::parse_member(item)?;
        match meant.get(&FileId::of(&value)) {
            Some(Meant::User(seq)) => {
                members.known.push(MemberKey { kind: ResourceType::User, seq: *seq });
            }
            Some(Meant::Group(place)) => members.groups.push(*place),
            // A text that no database could hold is nobody's id.
            None if json::is_clean(&value) => members.others.push(value),
            None => return Err(ScimError::invalid_value("members: a control character")),
        }
        Ok(())
    };
    let read = || -> Result<_> {
        let (map, listed) = json::object_but(&bytes, "members", take)?;
        let body = groups::read_body(&directory.groups, map)?;
        Ok((groups::load::Draft::new(directory, body), listed))
    };
    let ((draft, left_out), listed) = read().map_err(|e| (number, e.to_string()))?;
    Ok(GroupLine { number, draft, members: listed.then_some(members), left_out })
}

/// The value of a core attribute, in any spelling of its name.
fn value<'m>(map: &'m Map<String, Value>, name: &str) -> Option<&'m Value> {
    map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn id(map: &Map<String, Value>) -> Option<&str> {
    value(map, "id").and_then(Value::as_str).filter(|id| !id.is_empty())
}

/// What a line describes: its `schemas` say so, or else `meta.resourceType`, or else a `userName`
/// makes it a User and a `displayName` alone a Group.
fn kind(map: &Map<String, Value>) -> std::result::Result<ResourceType, String> {
    let kinds = [ResourceType::User, ResourceType::Group];
    let urns = value(map, "schemas").and_then(Value::as_array).into_iter().flatten();
    for urn in urns.filter_map(Value::as_str) {
        if let Some(kind) = kinds.into_iter().find(|kind| urn.eq_ignore_ascii_case(kind.urn())) {
            return Ok(kind);
        }
    }
    let meta = value(map, "meta").and_then(|meta| meta.get("resourceType"));
    if let Some(name) = meta.and_then(Value::as_str) {
        let kind = kinds.into_iter().find(|kind| name.eq_ignore_ascii_case(kind.name()));
        return kind.ok_or_else(|| format!("meta.resourceType: {name} is neither User nor Group"));
    }
    match (value(map, "userName"), value(map, "displayName")) {
        (Some(_), _) => Ok(ResourceType::User),
        (None, Some(_)) => Ok(ResourceType::Group),
        (None, None) => Err("neither a User nor a Group: no schemas, no userName".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_what_it_is() {
        let of = |value: Value| kind(value.as_object().unwrap()).ok();
        let group = ResourceType::Group;
        assert_eq!(of(json!({"schemas": [group.urn()], "userName": "x"})), Some(group));
        assert_eq!(of(json!({"meta": {"resourceType": "group"}})), Some(group));
        assert_eq!(of(json!({"displayName": "x"})), Some(group));
        assert_eq!(of(json!({"USERNAME": "x", "displayName": "x"})), Some(ResourceType::User));
        assert_eq!(of(json!({"meta": {"resourceType": "Device"}, "userName": "x"})), None);
        assert_eq!(of(json!({})), None);
    }
}
