//! Lists of users and groups: the query understood, the page read, the next one named
//! (RFC 7644 §3.4.2 and §3.4.3, RFC 9865).

use crate::db::lists::{From, Listed, Query, Sort};
use crate::db::{self, DbConn};
use crate::domain::group::Group;
use crate::domain::user::User;
use crate::scim::cursor::Cursor;
use crate::scim::filter::{self, CompareOp, Condition};
use crate::scim::list::{ListHead, ListQuery, Page, SortOrder};
use crate::scim::schema::{AttributePath, Found, Kind, ResourceSchema};
use crate::scim::{ResourceType, ScimError};

use super::error::Result;
use super::users::UserView;
use super::{Directory, Keys};

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
    let condition = query.filter.as_deref().map(|text| filter::compile(schema, text)).transpose()?;
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
    /// Whether an index leads to at most one resource, so that it may be read at once.
    pub fn is_point(&self) -> bool {
        let unique = ["id", "userName", "externalId", "displayName"];
        matches!(&self.condition, Some(Condition::Compare { path, op: CompareOp::Eq, .. })
            if path.extension.is_none() && unique.contains(&path.name.as_str()))
    }
}

/// The simple attribute that a `sortBy` means (RFC 7644 §3.4.2.3).
fn sortable(schema: &ResourceSchema, name: &str) -> Result<AttributePath> {
    let refuse = || ScimError::invalid_value(format!("sortBy: {name} cannot be sorted by"));
    let Some(Found::Attribute { extension, attribute, sub }) = schema.find(name) else {
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
    if related || unsortable || (attribute.kind == Kind::Complex && simple.is_none()) {
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
    /// Whose data.
    pub directory: &'r Directory,
    /// Signs cursors.
    pub keys: &'r Keys,
    /// The moment, in seconds of Unix time.
    pub now: i64,
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
    let listing = page(conn, reader, (ResourceType::User, asked), |conn, query| {
        Ok(db::lists::users(conn, query)?)
    })?;
    let seqs: Vec<i64> = listing.items.iter().map(|user: &User| user.seq).collect();
    let mut groups = if with_groups {
        db::users::groups_of(conn, reader.directory.company, &seqs)?
    } else {
        std::collections::BTreeMap::new()
    };
    let view = |user: User| UserView { groups: groups.remove(&user.seq).unwrap_or_default(), user };
    Ok(Listing { head: listing.head, items: listing.items.into_iter().map(view).collect() })
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
    (resource_type, asked): (ResourceType, &Understood),
    read: impl FnOnce(&mut DbConn, &Query<'_>) -> Result<Vec<Listed<T>>>,
) -> Result<Listing<T>> {
    let tag = |bytes: &[u8]| reader.keys.cursor_tag(bytes);
    let (from, limit) = match &asked.query.page {
        Page::Index { start_index, count } => (From::Offset(clamp(start_index - 1)), clamp(*count)),
        Page::Cursor { cursor: None, count } => (From::Offset(0), clamp(*count)),
        Page::Cursor { cursor: Some(text), count } => {
            let cursor = Cursor::decode(text, asked.fingerprint, reader.now, CURSOR_LIFE, tag)?;
            (From::After(cursor.position, cursor.sort), clamp(*count))
        }
    };
    let cursored = matches!(asked.query.page, Page::Cursor { .. });
    let mut query = Query {
        company: reader.directory.company,
        schema: reader.directory.schema(resource_type),
        condition: asked.condition.as_ref(),
        sort: asked.sort.clone(),
        from,
        // One more tells whether there is a next page.
        limit: if cursored { limit + 1 } else { limit },
    };
    let mut rows = if limit == 0 { Vec::new() } else { read(conn, &query)? };
    let more = cursored && rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        rows.pop();
    }
    let seen = clamp(u64::try_from(rows.len()).unwrap_or(u64::MAX));
    let first = query.from == From::Offset(0);
    // A short first page is all there is; else it is counted, or known already.
    let total = if first && limit > 0 && seen < limit {
        seen
    } else {
        query.limit = limit;
        db::lists::total(conn, &query)?
    };
    let next_cursor = rows.last().filter(|_| more).map(|last| {
        let position = last.item.seq();
        let sort = last.sort_key.clone();
        Cursor { position, sort, fingerprint: asked.fingerprint, issued: reader.now }.encode(tag)
    });
    let head = ListHead {
        total_results: u64::try_from(total).ok(),
        start_index: match asked.query.page {
            Page::Index { start_index, .. } => Some(start_index),
            Page::Cursor { .. } => None,
        },
        next_cursor,
        previous_cursor: None,
    };
    Ok(Listing { head, items: rows.into_iter().map(|row| row.item).collect() })
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
