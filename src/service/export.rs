//! A directory as a file: one SCIM resource a line, users first, then groups with their members.
//!
//! What [`super::import`] reads. Everything is read in one transaction: the file is the directory at one
//! moment, however long it takes, and nobody waits for it.

use serde_json::json;

use crate::db::{self, DbConn};
use crate::domain::group::{Group, MemberRef};
use crate::scim::value::format_time;
use crate::scim::{ResourceSchema, ResourceType};

use super::error::Result;
use super::groups::{self, MEMBERS_IN_MEMORY, MemberPlace};
use super::{Directory, Service, companies};

/// Most resources of one page.
const PAGE: i64 = 500;

/// An export on its way.
pub struct Export {
    conn: DbConn,
    directory: Directory,
    at: At,
}

/// What comes next.
enum At {
    /// The users behind this storage key.
    Users(i64),
    /// The groups behind this storage key.
    Groups(i64),
    /// The members of the last group, from here on; whether one was written already.
    Members(i64, MemberPlace, bool),
    /// Nothing.
    Over,
}

impl Service {
    /// Begins to export a company.
    ///
    /// # Errors
    /// [`super::Error::NotFound`]; the database's.
    pub fn export(&self, company: &str) -> Result<Export> {
        let mut conn = self.database.snapshot()?;
        let company = companies::find(&mut conn, company)?;
        let directory = Directory::load(&mut conn, company.seq)?;
        Ok(Export { conn, directory, at: At::Users(0) })
    }
}

impl Export {
    /// The next part of the file; it ends anywhere in a line. `None` behind the last.
    ///
    /// # Errors
    /// The database's.
    pub fn part(&mut self) -> Result<Option<String>> {
        match self.at {
            At::Users(after) => self.users(after).map(Some),
            At::Groups(after) => self.groups(after).map(Some),
            At::Members(group, place, more) => self.members(group, place, more).map(Some),
            At::Over => Ok(None),
        }
    }

    fn users(&mut self, after: i64) -> Result<String> {
        let page = db::lists::users(
            &mut self.conn,
            &query(&self.directory, &self.directory.users, after),
        )?;
        let Some(last) = page.last() else {
            self.at = At::Groups(0);
            return Ok(String::new());
        };
        self.at = At::Users(last.item.seq);
        let mut out = String::new();
        for user in page.iter().map(|row| &row.item) {
            let times = (user.created_at, user.last_modified);
            begin(&mut out, &user.document, &user.id, (ResourceType::User, times));
            out.push_str("}\n");
        }
        Ok(out)
    }

    /// A page of groups, up to one whose members do not fit in memory.
    fn groups(&mut self, after: i64) -> Result<String> {
        let page = db::lists::groups(
            &mut self.conn,
            &query(&self.directory, &self.directory.groups, after),
        )?;
        let mut groups: Vec<Group> = Vec::new();
        let mut members = 0;
        for group in page.into_iter().map(|row| row.item) {
            members += group.member_count;
            if !groups.is_empty() && members > MEMBERS_IN_MEMORY {
                break;
            }
            groups.push(group);
        }
        let Some(last) = groups.last() else {
            self.at = At::Over;
            return Ok(String::new());
        };
        self.at = At::Groups(last.seq);
        let mut out = String::new();
        if let [group] = groups.as_slice()
            && group.member_count > MEMBERS_IN_MEMORY
        {
            self.at = At::Members(group.seq, MemberPlace::default(), false);
            head(&mut out, group);
            return Ok(out);
        }
        let all = groups::members_of(&mut self.conn, &self.directory, &groups)?;
        for group in &groups {
            head(&mut out, group);
            append(&mut out, all.get(&group.seq).map_or(&[], Vec::as_slice), false);
            out.push_str("]}\n");
        }
        Ok(out)
    }

    fn members(&mut self, group: i64, place: MemberPlace, more: bool) -> Result<String> {
        let (page, next) = groups::member_page(&mut self.conn, &self.directory, group, place)?;
        let mut out = String::new();
        append(&mut out, &page, more);
        self.at = match next {
            Some(place) => At::Members(group, place, more || !page.is_empty()),
            None => {
                out.push_str("]}\n");
                At::Groups(group)
            }
        };
        Ok(out)
    }
}

fn query<'d>(
    directory: &Directory,
    schema: &'d ResourceSchema,
    after: i64,
) -> db::lists::Query<'d> {
    let from = db::lists::From::After(after, None);
    let company = directory.company;
    db::lists::Query { company, schema, condition: None, sort: None, from, limit: PAGE }
}

/// The stored document with `id` and `meta`, still open at its end.
fn begin(
    out: &mut String,
    document: &str,
    id: &str,
    (kind, (created, modified)): (ResourceType, (jiff::Timestamp, jiff::Timestamp)),
) {
    // A document begins with its `schemas`, so there is always something in front of the comma.
    out.push_str(document.strip_suffix('}').unwrap_or(document));
    let meta = json!({
        "resourceType": kind.name(), "created": format_time(created),
        "lastModified": format_time(modified),
    });
    out.push_str(&format!(",\"id\":\"{id}\",\"meta\":{meta}"));
}

/// A group up to the beginning of its list of members.
fn head(out: &mut String, group: &Group) {
    let times = (group.created_at, group.last_modified);
    begin(out, &group.document, &group.id, (ResourceType::Group, times));
    out.push_str(",\"members\":[");
}

fn append(out: &mut String, members: &[MemberRef], mut more: bool) {
    for member in members {
        if std::mem::replace(&mut more, true) {
            out.push(',');
        }
        let kind = member.key.kind.name();
        out.push_str(&format!("{{\"value\":\"{}\",\"type\":\"{kind}\"}}", member.id));
    }
}
