//! The query of a list and the `ListResponse` that answers it (RFC 7644 §3.4.2, §3.4.3; RFC 9865).
//!
//! One [`ListQuery`] for the parameters of a URL and for the body of a `.search`. Filters, names
//! and cursors stay texts here: they are read by their own modules, against a schema and a key.

use serde_json::{Map, Value};

use super::error::{ScimError, ScimResult};
use super::message::Message;
use super::projection::{check_names, split_names};

/// Page size where the client names none.
pub const DEFAULT_COUNT: u64 = 100;
/// Largest page; a larger `count` is lowered in silence, as RFC 7644 §3.4.2.4 allows.
pub const MAX_COUNT: u64 = 500;

/// What a client asks of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// The filter as it was sent (§3.4.2.2); never empty.
    pub filter: Option<String>,
    /// The attribute to sort by, as it was sent (§3.4.2.3).
    pub sort_by: Option<String>,
    /// Which way.
    pub sort_order: SortOrder,
    /// Which part of the list.
    pub page: Page,
    /// `attributes` (§3.4.2.5); never empty.
    pub attributes: Option<Vec<String>>,
    /// `excludedAttributes`; never empty.
    pub excluded_attributes: Option<Vec<String>>,
}

/// `sortOrder` (RFC 7644 §3.4.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortOrder {
    /// Least first.
    #[default]
    Ascending,
    /// Greatest first.
    Descending,
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// RFC 7644 §3.4.2.4, and what a request without any paging parameter gets.
    Index {
        /// The first result, counted from 1.
        start_index: u64,
        /// Most results; 0 asks for `totalResults` alone.
        count: u64,
    },
    /// RFC 9865 §2.
    Cursor {
        /// The cursor as it was sent; `None` on the first page.
        cursor: Option<String>,
        /// Most results, at least 1.
        count: u64,
    },
}

/// The parameters as they came, before they are understood.
#[derive(Debug, Default)]
struct Raw {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
    cursor: Option<String>,
    attributes: Option<Vec<String>>,
    excluded_attributes: Option<Vec<String>>,
}

/// Reads the decoded parameters of a URL. Names compare without case; unknown ones, and the empty
/// pair of a dangling `&`, are ignored.
///
/// # Errors
/// `invalidValue`: a parameter twice, a number that is none, an unknown `sortOrder`, or both paging
/// methods; `invalidCount` (RFC 9865 §2.1): a cursor page without room for a result.
pub fn from_query(pairs: impl Iterator<Item = (String, String)>) -> ScimResult<ListQuery> {
    let mut raw = Raw::default();
    for (name, value) in pairs {
        match name.to_ascii_lowercase().as_str() {
            "filter" => once(&mut raw.filter, &name, Some(value))?,
            "sortby" => once(&mut raw.sort_by, &name, Some(value))?,
            "sortorder" => once(&mut raw.sort_order, &name, Some(value))?,
            "startindex" => once(&mut raw.start_index, &name, number(&name, &value)?)?,
            "count" => once(&mut raw.count, &name, number(&name, &value)?)?,
            "cursor" => once(&mut raw.cursor, &name, Some(value))?,
            "attributes" => once(&mut raw.attributes, &name, Some(split_names(&value)?))?,
            "excludedattributes" => {
                once(&mut raw.excluded_attributes, &name, Some(split_names(&value)?))?;
            }
            _ => {}
        }
    }
    raw.understand()
}

/// Reads the body of a `.search` (RFC 7644 §3.4.3; RFC 9865 §3).
///
/// # Errors
/// As [`from_query`]; `invalidSyntax` where the body is another message.
pub fn from_search(body: Map<String, Value>) -> ScimResult<ListQuery> {
    let mut message = Message::read(body, scim_v2::schema_urns::SEARCH_REQUEST)?;
    let raw = Raw {
        filter: message.take_text("filter")?,
        sort_by: message.take_text("sortBy")?,
        sort_order: message.take_text("sortOrder")?,
        start_index: whole_number("startIndex", message.take("startIndex"))?,
        count: whole_number("count", message.take("count"))?,
        cursor: message.take_text("cursor")?,
        attributes: name_list("attributes", message.take("attributes"))?,
        excluded_attributes: name_list("excludedAttributes", message.take("excludedAttributes"))?,
    };
    raw.understand()
}

impl Raw {
    fn understand(self) -> ScimResult<ListQuery> {
        Ok(ListQuery {
            page: page(self.start_index, self.count, self.cursor)?,
            filter: self.filter.filter(|f| !f.trim().is_empty()),
            sort_by: self.sort_by.filter(|s| !s.trim().is_empty()),
            sort_order: sort_order(self.sort_order.as_deref())?,
            attributes: self.attributes.filter(|n| !n.is_empty()),
            excluded_attributes: self.excluded_attributes.filter(|n| !n.is_empty()),
        })
    }
}

fn once<T>(slot: &mut Option<T>, name: &str, value: Option<T>) -> ScimResult<()> {
    if slot.is_some() {
        return Err(ScimError::invalid_value(format!("{name} stands twice")));
    }
    *slot = value;
    Ok(())
}

/// A number of a URL; an empty value is an absent one.
fn number(name: &str, text: &str) -> ScimResult<Option<i64>> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| not_a_number(name))
}

fn not_a_number(name: &str) -> ScimError {
    ScimError::invalid_value(format!("{name} must be a whole number of 64 bits"))
}

fn whole_number(name: &str, value: Option<Value>) -> ScimResult<Option<i64>> {
    match value {
        None => Ok(None),
        Some(Value::Number(n)) => n.as_i64().map(Some).ok_or_else(|| not_a_number(name)),
        Some(Value::String(text)) => number(name, &text),
        Some(_) => Err(not_a_number(name)),
    }
}

/// The names of a `.search`: a list of texts, or one text as in a URL.
fn name_list(name: &str, value: Option<Value>) -> ScimResult<Option<Vec<String>>> {
    let wrong = || ScimError::invalid_value(format!("{name} must be a list of attribute names"));
    match value {
        None => Ok(None),
        Some(Value::String(text)) => split_names(&text).map(Some),
        Some(Value::Array(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            let names = texts.ok_or_else(wrong)?.into_iter().map(str::trim);
            check_names(names.filter(|n| !n.is_empty()).map(str::to_owned)).map(Some)
        }
        Some(_) => Err(wrong()),
    }
}

fn sort_order(text: Option<&str>) -> ScimResult<SortOrder> {
    match text.map(str::trim) {
        None | Some("") => Ok(SortOrder::Ascending),
        Some(t) if t.eq_ignore_ascii_case("ascending") => Ok(SortOrder::Ascending),
        Some(t) if t.eq_ignore_ascii_case("descending") => Ok(SortOrder::Descending),
        Some(_) => Err(ScimError::invalid_value("sortOrder must be ascending or descending")),
    }
}

fn page(start_index: Option<i64>, count: Option<i64>, cursor: Option<String>) -> ScimResult<Page> {
    let limit = count.map_or(DEFAULT_COUNT, |c| u64::try_from(c).unwrap_or(0).min(MAX_COUNT));
    let Some(cursor) = cursor else {
        let start_index = u64::try_from(start_index.unwrap_or(1)).unwrap_or(1).max(1);
        return Ok(Page::Index { start_index, count: limit });
    };
    if start_index.is_some() {
        // RFC 9865 §2: each of the two asks for a paging method, so together they contradict.
        return Err(ScimError::invalid_value(
            "cursor and startIndex exclude each other (RFC 9865)",
        ));
    }
    if limit == 0 {
        // A page of nothing could never lead to the next one.
        return Err(ScimError::paging("invalidCount", "count must be at least 1 with a cursor"));
    }
    Ok(Page::Cursor { cursor: Some(cursor).filter(|c| !c.is_empty()), count: limit })
}

impl ListQuery {
    /// A number that is the same for every page of one query, and for no other query of the
    /// server: the cursor of one list is refused in another. `scope` is what the query does not
    /// say: company and endpoint.
    pub fn fingerprint(&self, scope: &str) -> u64 {
        let order = match self.sort_order {
            SortOrder::Ascending => "a",
            SortOrder::Descending => "d",
        };
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        // FNV-1a: spreads, keeps over restarts and releases; the cursor's tag is what protects.
        [scope, &text(&self.filter), &text(&self.sort_by), order].iter().fold(
            0xcbf2_9ce4_8422_2325,
            |hash: u64, part| {
                let length = u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes();
                length.iter().chain(part.as_bytes()).fold(hash, |hash, &byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                })
            },
        )
    }
}

/// What a `ListResponse` says beside its resources. `itemsPerPage` is not here: it is their number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListHead {
    /// How many results there are on all pages; may be unknown with cursors (RFC 9865 §2).
    pub total_results: Option<u64>,
    /// The first result, counted from 1; of index pages alone.
    pub start_index: Option<u64>,
    /// Leads to the next page; absent on the last one.
    pub next_cursor: Option<String>,
    /// Leads to the page before.
    pub previous_cursor: Option<String>,
}

/// Writes a `ListResponse` around resources that are JSON texts already. `Resources` is always
/// there, also empty, and the numbers are JSON integers (row 56).
pub fn write(head: &ListHead, resources: &[impl AsRef<str>]) -> String {
    let (mut out, tail) = frame(head, resources.len());
    out.reserve(resources.iter().map(|r| r.as_ref().len() + 1).sum::<usize>() + tail.len());
    for (i, resource) in resources.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(resource.as_ref());
    }
    out.push_str(tail);
    out
}

/// The text before and behind the resources of a `ListResponse` of so many.
pub fn frame(head: &ListHead, items: usize) -> (String, &'static str) {
    let mut out = format!("{{\"schemas\":[\"{}\"]", scim_v2::schema_urns::LIST_RESPONSE);
    let numbers = [
        ("totalResults", head.total_results),
        ("startIndex", head.start_index),
        ("itemsPerPage", u64::try_from(items).ok()),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            out.push_str(&format!(",\"{name}\":{number}"));
        }
    }
    let cursors = [("nextCursor", &head.next_cursor), ("previousCursor", &head.previous_cursor)];
    for (name, cursor) in cursors {
        if let Some(cursor) = cursor {
            out.push_str(&format!(",\"{name}\":{}", Value::from(cursor.as_str())));
        }
    }
    out.push_str(",\"Resources\":[");
    (out, "]}")
}

#[cfg(test)]
mod tests;
