//! Lists of users and groups: the query understood, the page read, the next one named
//! (RFC 7644 §3.4.2 and §3.4.3, RFC 9865).

use std::collections::BTreeMap;

use crate::db::lists::{From, Listed, Query, Sort};
use crate::db::users::By;
use crate::db::{self, DbConn};
use crate::domain::group::Group;
use crate::domain::user::User;
use crate::scim::cursor::Cursor;
use crate::scim::filter::{self, CompareOp, Condition};
use crate::scim::list::{ListHead, ListQuery, Page, SortOrder};
use crate::scim::schema::{self, AttributePath, Kind, ResourceSchema};
use crate::scim::{ResourceType, ScimError};

use super::error::Result;
use super::users::UserView;
use super::{Directory, Keys, Service};

/// How long a cursor leads on, in seconds.
pub const CURSOR_LIFE: i64 = 3_600;

/// One page, and what its head says.
#[derive(Debug, Clone)]
pub struct Listing<T> {
    /// Totals and the way on.
    pub head: ListHead,
    /// The page.
    pub items: Vec<T>,
}

/// A query on one type of resource, understood.
#[derive(Debug, Clone)]
pub struct Understood {
    condition: Option<Condition>,
    sort: Option<Sort>,
    query: ListQuery,
    fingerprint: u64,
}

/// Understands a query; pure, and done before a place among the readers is taken.
///
/// # Errors
/// `invalidFilter`; `invalidValue` for a `sortBy` that cannot be sorted by.
pub fn understand(
    directory: &Directory,
    resource_type: ResourceType,
    query: ListQuery,
) -> Result<Understood> {
    let schema = directory.schema(resource_type);
    let condition =
        query.filter.as_deref().map(|text| filter::compile(schema, text)).transpose()?;
    let sort = match &query.sort_by {
        None => None,
        Some(name) => Some(Sort {
            path: sortable(schema, name)?,
            descending: query.sort_order == SortOrder::Descending,
        }),
    };
    let scope = format!("{}/{}", directory.company.0, resource_type.endpoint());
    let fingerprint = query.fingerprint(&scope);
    Ok(Understood { condition, sort, query, fingerprint })
}

impl Understood {
    /// The unique value that the query asks for, where it asks for nothing else: then an index
    /// leads to at most one user, who may be read at once.
    pub fn point(&self) -> Option<By<'_>> {
        let Some(Condition::Compare { path, op: CompareOp::Eq, key }) = &self.condition else {
            return None;
        };
        let whole = matches!(self.query.page, Page::Index { start_index: 1, count } if count > 0);
        match path.name.as_str() {
            _ if !whole || path.extension.is_some() => None,
            "id" => Some(By::Id(key)),
            "userName" => Some(By::UserName(key)),
            "externalId" => Some(By::ExternalId(key)),
            _ => None,
        }
    }

    fn start_index(&self) -> Option<u64> {
        match self.query.page {
            Page::Index { start_index, .. } => Some(start_index),
            Page::Cursor { .. } => None,
        }
    }
}

/// The simple attribute that a `sortBy` means (RFC 7644 §3.4.2.3).
fn sortable(schema: &ResourceSchema, name: &str) -> Result<AttributePath> {
    let refuse = || ScimError::invalid_value(format!("sortBy: {name} cannot be sorted by"));
    let Some(schema::Found::Attribute { extension, attribute, sub }) = schema.find(name) else {
        return Err(refuse().into());
    };
    let simple = match sub {
        Some(sub) => Some(sub),
        None if attribute.kind == Kind::Complex => attribute.sub("value"),
        None => None,
    };
    let related = matches!(attribute.name.as_str(), "members" | "groups" | "schemas");
    let unsortable = attribute.name == "meta"
        && !simple.is_some_and(|s| matches!(s.name.as_str(), "created" | "lastModified"));
    // A list within an element has no first value that storage would know.
    let many = simple.is_some_and(|s| s.multi_valued);
    if related || unsortable || many || (attribute.kind == Kind::Complex && simple.is_none()) {
        return Err(refuse().into());
    }
    Ok(AttributePath {
        extension: extension.map(str::to_owned),
        name: attribute.name.clone(),
        sub: simple.map(|s| s.name.clone()),
    })
}

/// What a list is read with.
#[derive(Clone, Copy)]
pub struct Reader<'r> {
    directory: &'r Directory,
    keys: &'r Keys,
    now: i64,
}

impl<'r> Reader<'r> {
    /// Reads a company's lists, as of now.
    pub fn new(directory: &'r Directory, service: &'r Service) -> Self {
        Self { directory, keys: &service.keys, now: service.clock.now().as_second() }
    }

    fn query<'q>(&self, kind: ResourceType, asked: &'q Understood) -> Query<'q>
    where
        'r: 'q,
    {
        Query {
            company: self.directory.company,
            schema: self.directory.schema(kind),
            condition: asked.condition.as_ref(),
            sort: asked.sort.clone(),
            from: From::Offset(0),
            limit: 0,
        }
    }

    fn encode(&self, position: i64, sort: Option<String>, asked: &Understood) -> String {
        let cursor = Cursor { position, sort, fingerprint: asked.fingerprint, issued: self.now };
        cursor.encode(|bytes| self.keys.cursor_tag(bytes))
    }

    fn decode(&self, text: &str, asked: &Understood) -> Result<Cursor> {
        let tag = |bytes: &[u8]| self.keys.cursor_tag(bytes);
        Ok(Cursor::decode(text, asked.fingerprint, self.now, CURSOR_LIFE, tag)?)
    }
}

/// A page of users, with their groups if `with_groups`.
///
/// # Errors
/// `invalidCursor`, `expiredCursor`; the database's.
pub fn users(
    conn: &mut DbConn,
    reader: Reader<'_>,
    asked: &Understood,
    with_groups: bool,
) -> Result<Listing<UserView>> {
    if let Some(by) = asked.point() {
        let items: Vec<UserView> =
            super::users::find_by(conn, reader.directory, by)?.into_iter().collect();
        let total_results = u64::try_from(items.len()).ok();
        let head = ListHead { total_results, start_index: Some(1), ..ListHead::default() };
        return Ok(Listing { head, items });
    }
    let listing = page(conn, reader, (ResourceType::User, asked), |conn, query| {
        Ok(db::lists::users(conn, query)?)
    })?;
    let items = views(conn, reader.directory, listing.items, with_groups)?;
    Ok(Listing { head: listing.head, items })
}

fn views(
    conn: &mut DbConn,
    directory: &Directory,
    users: Vec<User>,
    with_groups: bool,
) -> Result<Vec<UserView>> {
    let mut groups = BTreeMap::new();
    if with_groups {
        let seqs: Vec<i64> = users.iter().map(|user| user.seq).collect();
        groups = db::users::groups_of(conn, directory.company, &seqs)?;
    }
    let view = |user: User| UserView { groups: groups.remove(&user.seq).unwrap_or_default(), user };
    Ok(users.into_iter().map(view).collect())
}

/// A page of groups, without their members.
///
/// # Errors
/// As [`users`].
pub fn groups(conn: &mut DbConn, reader: Reader<'_>, asked: &Understood) -> Result<Listing<Group>> {
    page(conn, reader, (ResourceType::Group, asked), |conn, query| {
        Ok(db::lists::groups(conn, query)?)
    })
}

fn page<T: Placed>(
    conn: &mut DbConn,
    reader: Reader<'_>,
    (kind, asked): (ResourceType, &Understood),
    read: impl FnOnce(&mut DbConn, &Query<'_>) -> Result<Vec<Listed<T>>>,
) -> Result<Listing<T>> {
    let mut query = reader.query(kind, asked);
    let (limit, cursored) = match &asked.query.page {
        Page::Index { start_index, count } => {
            query.from = From::Offset(clamp(start_index - 1));
            (clamp(*count), false)
        }
        Page::Cursor { cursor, count } => {
            if let Some(text) = cursor {
                let cursor = reader.decode(text, asked)?;
                query.from = From::After(cursor.position, cursor.sort);
            }
            (clamp(*count), true)
        }
    };
    // One more tells whether there is a next page.
    query.limit = if cursored { limit + 1 } else { limit };
    let mut rows = if limit == 0 { Vec::new() } else { read(conn, &query)? };
    let more = cursored && length(&rows) > limit;
    if more {
        rows.pop();
    }
    // A short first page is all there is; else it is counted, or known already.
    let whole = query.from == From::Offset(0) && limit > 0 && length(&rows) < limit;
    let total = if whole { length(&rows) } else { db::lists::total(conn, &query)? };
    let next = rows.last().filter(|_| more);
    let head = ListHead {
        total_results: u64::try_from(total).ok(),
        start_index: asked.start_index(),
        next_cursor: next.map(|last| reader.encode(last.item.seq(), last.sort_key.clone(), asked)),
        previous_cursor: None,
    };
    Ok(Listing { head, items: rows.into_iter().map(|row| row.item).collect() })
}

fn length<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

/// A resource of either type.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A user.
    User(UserView),
    /// A group, without its members.
    Group(Group),
}

/// A query on all resources: what it asks of each type, `None` where that type has no such
/// attribute and so no match.
#[derive(Debug, Clone)]
pub struct Everywhere {
    parts: Vec<(ResourceType, Understood)>,
}

/// Understands a query on all resources (RFC 7644 §3.4.2.1).
///
/// # Errors
/// As [`understand`], where neither type can answer it.
pub fn understand_everywhere(directory: &Directory, query: &ListQuery) -> Result<Everywhere> {
    let mut parts = Vec::new();
    let mut refusal = None;
    for kind in [ResourceType::User, ResourceType::Group] {
        match understand(directory, kind, query.clone()) {
            Ok(mut asked) => {
                asked.fingerprint = query.fingerprint(&format!("{}/", directory.company.0));
                parts.push((kind, asked));
            }
            Err(error) => refusal = Some(error),
        }
    }
    match refusal {
        Some(error) if parts.is_empty() => Err(error),
        _ => Ok(Everywhere { parts }),
    }
}

/// A page of users, then groups.
///
/// # Errors
/// As [`users`].
pub fn everywhere(
    conn: &mut DbConn,
    reader: Reader<'_>,
    asked: &Everywhere,
) -> Result<Listing<Entry>> {
    let Some((_, any)) = asked.parts.first() else {
        return Err("a query on nothing".to_owned().into());
    };
    let (mut offset, limit, mut after) = match &any.query.page {
        Page::Index { start_index, count } => (clamp(start_index - 1), clamp(*count), None),
        Page::Cursor { cursor: None, count } => (0, clamp(*count), None),
        Page::Cursor { cursor: Some(text), count } => {
            (0, clamp(*count), Some(reader.decode(text, any)?))
        }
    };
    let cursored = matches!(any.query.page, Page::Cursor { .. });
    let (mut found, mut total, mut next_cursor) = (Vec::new(), 0, None);
    for (kind, part) in &asked.parts {
        let mut query = reader.query(*kind, part);
        let here = db::lists::total(conn, &query)?;
        total += here;
        query.limit = limit - length(&found) + i64::from(cursored);
        query.from = From::Offset(offset.min(here));
        offset -= offset.min(here);
        // A group's place is told apart by its sign; a user's is behind us then.
        match after.take() {
            Some(cursor) if *kind == ResourceType::User && cursor.position < 0 => {
                after = Some(cursor);
                continue;
            }
            Some(cursor) => query.from = From::After(cursor.position.abs(), cursor.sort),
            None => {}
        }
        if limit > 0 && next_cursor.is_none() {
            let mut rows = entries(conn, reader.directory, *kind, &query)?;
            if length(&found) + length(&rows) > limit {
                rows.pop();
                let last = rows.last().or(found.last());
                next_cursor = last.map(|(_, place, key)| reader.encode(*place, key.clone(), part));
            }
            found.append(&mut rows);
        }
    }
    let head = ListHead {
        total_results: u64::try_from(total).ok(),
        start_index: any.start_index(),
        next_cursor,
        previous_cursor: None,
    };
    Ok(Listing { head, items: found.into_iter().map(|(entry, ..)| entry).collect() })
}

/// A resource, its place (negative for a group), and its sort key.
type Found = (Entry, i64, Option<String>);

fn entries(
    conn: &mut DbConn,
    directory: &Directory,
    kind: ResourceType,
    query: &Query<'_>,
) -> Result<Vec<Found>> {
    if kind == ResourceType::Group {
        let rows = db::lists::groups(conn, query)?.into_iter();
        return Ok(rows.map(|r| (Entry::Group(r.item.clone()), -r.item.seq, r.sort_key)).collect());
    }
    let rows = db::lists::users(conn, query)?;
    let places: Vec<_> = rows.iter().map(|r| (r.item.seq, r.sort_key.clone())).collect();
    let users = views(conn, directory, rows.into_iter().map(|r| r.item).collect(), true)?;
    Ok(users
        .into_iter()
        .zip(places)
        .map(|(u, (place, key))| (Entry::User(u), place, key))
        .collect())
}

/// Something with a place in the order of making.
trait Placed {
    fn seq(&self) -> i64;
}

impl Placed for User {
    fn seq(&self) -> i64 {
        self.seq
    }
}

impl Placed for Group {
    fn seq(&self) -> i64 {
        self.seq
    }
}

fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
