//! `/.search` and the base URL: queries on all resources (RFC 7644 §3.4.2.1, §3.4.3).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::Site;
use crate::http::body::{SMALL, ScimBody};
use crate::http::caller::ScimCaller;
use crate::http::error::ScimFailure;
use crate::scim::ScimError;
use crate::scim::list::{self, ListQuery};
use crate::scim::projection::Projection;
use crate::service::lists::{self, Entry, Reader};
use crate::service::{Result, Service, groups};

use super::answer::{self, Writer};
use super::{list_query, members};

type Answer = std::result::Result<HttpResponse, ScimFailure>;

/// `GET` of the base URL.
pub async fn list(
    request: HttpRequest,
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
) -> Answer {
    everywhere(list_query(&request)?, (&service, &site), &caller).await
}

/// `POST /.search`.
pub async fn search(
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
    body: ScimBody<SMALL>,
) -> Answer {
    everywhere(list::from_search(body.object)?, (&service, &site), &caller).await
}

async fn everywhere(
    query: ListQuery,
    (service, site): (&Service, &web::Data<Site>),
    caller: &ScimCaller,
) -> Answer {
    let directory = caller.directory();
    let (attributes, excluded) =
        (query.attributes.as_deref(), query.excluded_attributes.as_deref());
    let of_users = Projection::new(&directory.users, attributes, excluded)?;
    let of_groups = Projection::new(&directory.groups, attributes, excluded)?;
    let asked = lists::understand_everywhere(directory, &query)?;
    let (reading, access, site) = (service.clone(), caller.access(), site.clone());
    // Written where it is read, as a page of users is.
    let read = move |conn: &mut _| -> Result<_> {
        let page = lists::everywhere(conn, Reader::new(&access.directory, &reading), &asked)?;
        let found = page.items.iter().filter_map(|entry| match entry {
            Entry::Group(group) if of_groups.wants("members") => Some(group.clone()),
            Entry::Group(_) | Entry::User(_) => None,
        });
        let found: Vec<_> = found.collect();
        if members::are_many(&found, &of_groups) {
            let hint =
                "Too many members for one answer: add excludedAttributes=members, or ask /Groups";
            return Err(ScimError::new(400, Some(crate::scim::ScimType::TooMany), hint).into());
        }
        let held = groups::members_of(conn, &access.directory, &found)?;
        let (base_url, directory) = (site.scim_base_url.as_str(), &access.directory);
        let users = Writer { base_url, schema: &directory.users, projection: &of_users };
        let groups = Writer { base_url, schema: &directory.groups, projection: &of_groups };
        let text = |entry: &Entry| match entry {
            Entry::User(view) => users.user(view, &view.version()),
            Entry::Group(group) => {
                groups.group(group, held.get(&group.seq).map(Vec::as_slice).unwrap_or_default())
            }
        };
        let texts: Vec<String> = page.items.iter().map(text).collect();
        Ok(list::write(&page.head, &texts))
    };
    Ok(answer::json(StatusCode::OK, service.read(read).await?))
}
