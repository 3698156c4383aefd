//! `/Groups` (RFC 7644 §3.3 to §3.6).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::domain::group::Group;
use crate::http::Site;
use crate::http::body::{GROUP, SMALL, ScimBody};
use crate::http::caller::ScimCaller;
use crate::http::error::ScimFailure;
use crate::scim::ResourceType;
use crate::scim::list::{self, ListQuery};
use crate::scim::patch as patch_message;
use crate::scim::projection::Projection;
use crate::service::lists::{self, Listing, Reader};
use crate::service::{Cx, Result, Service, groups};

use super::answer::{self, Writer};
use super::members::{self, Streamed};
use super::{id, if_match, is_known, list_query, log_left_out, projection};

type Answer = std::result::Result<HttpResponse, ScimFailure>;

/// `POST /Groups`.
pub async fn create(
    request: HttpRequest,
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
    body: ScimBody<GROUP>,
) -> Answer {
    let (projection, _) = projection(&request, &caller.directory().groups)?;
    let body = groups::read_body(&caller.directory().groups, body.object)?;
    let access = caller.access();
    let written = service.transact(move |cx| groups::create(cx, &access.directory, body)).await?;
    log_left_out(&written.left_out);
    let location = format!("{}/Groups/{}", site.scim_base_url, written.item.id);
    let mut answer = whole(written.item, (&service, &site), caller, projection).await?;
    *answer.status_mut() = StatusCode::CREATED;
    answer.headers_mut().insert(
        actix_web::http::header::LOCATION,
        location.parse().map_err(|_| "a location that is no header".to_owned())?,
    );
    Ok(answer)
}

/// `GET /Groups/{id}`.
pub async fn read(
    request: HttpRequest,
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
) -> Answer {
    let (projection, _) = projection(&request, &caller.directory().groups)?;
    let id = id(&request)?;
    let access = caller.access();
    let group = service.look_up(move |conn| groups::find(conn, &access.directory, &id)).await?;
    let version = groups::version(&group);
    if is_known(&request, &version)? {
        return Ok(answer::not_modified(&version));
    }
    whole(group, (&service, &site), caller, projection).await
}

/// `PUT /Groups/{id}`.
pub async fn replace(
    request: HttpRequest,
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
    body: ScimBody<GROUP>,
) -> Answer {
    let (projection, _) = projection(&request, &caller.directory().groups)?;
    let (id, if_match) = (id(&request)?, if_match(&request)?);
    let body = groups::read_body(&caller.directory().groups, body.object)?;
    let access = caller.access();
    let unit = move |cx: &mut Cx<'_>| {
        groups::replace(cx, &access.directory, (&id, if_match.as_ref()), body)
    };
    let written = service.transact(unit).await?;
    log_left_out(&written.left_out);
    whole(written.item, (&service, &site), caller, projection).await
}

/// `PATCH /Groups/{id}`: 204, or 200 with the group where `attributes` asks for it (ruling 5).
pub async fn patch(
    request: HttpRequest,
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
    body: ScimBody<GROUP>,
) -> Answer {
    let (projection, asked) = projection(&request, &caller.directory().groups)?;
    let (id, if_match) = (id(&request)?, if_match(&request)?);
    let operations = patch_message::parse(body.object)?;
    let access = caller.access();
    let unit = move |cx: &mut Cx<'_>| {
        groups::patch(cx, &access.directory, (&id, if_match.as_ref()), operations)
    };
    let written = service.transact(unit).await?;
    log_left_out(&written.left_out);
    if asked {
        return whole(written.item, (&service, &site), caller, projection).await;
    }
    let version = groups::version(&written.item).etag();
    let etag = (actix_web::http::header::ETAG, version);
    Ok(HttpResponse::NoContent().insert_header(etag).finish())
}

/// `DELETE /Groups/{id}`.
pub async fn delete(
    request: HttpRequest,
    service: web::Data<Service>,
    caller: ScimCaller,
) -> Answer {
    let (id, if_match) = (id(&request)?, if_match(&request)?);
    let access = caller.access();
    let unit = move |cx: &mut Cx<'_>| groups::delete(cx, &access.directory, &id, if_match.as_ref());
    service.transact(unit).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /Groups`.
pub async fn list(
    request: HttpRequest,
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
) -> Answer {
    listing(list_query(&request)?, (&service, &site), caller).await
}

/// `POST /Groups/.search` (RFC 7644 §3.4.3).
pub async fn search(
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
    body: ScimBody<SMALL>,
) -> Answer {
    listing(list::from_search(body.object)?, (&service, &site), caller).await
}

/// A page as it was read: written, or too large to be.
enum Page {
    Written(String),
    Streamed(Listing<Group>),
}

async fn listing(
    query: ListQuery,
    (service, site): (&Service, &web::Data<Site>),
    caller: ScimCaller,
) -> Answer {
    let schema = &caller.directory().groups;
    let (attributes, excluded) =
        (query.attributes.as_deref(), query.excluded_attributes.as_deref());
    let projection = Projection::new(schema, attributes, excluded)?;
    let asked = lists::understand(caller.directory(), ResourceType::Group, query)?;
    let (reading, access, shown) = (service.clone(), caller.access(), projection.clone());
    let base = site.clone();
    // Written where it is read, as a page of users is.
    let read = move |conn: &mut _| -> Result<_> {
        let page = lists::groups(conn, Reader::new(&access.directory, &reading), &asked)?;
        if members::are_many(&page.items, &shown) {
            return Ok(Page::Streamed(page));
        }
        let with = if shown.wants("members") { page.items.as_slice() } else { &[] };
        let held = groups::members_of(conn, &access.directory, with)?;
        let (base_url, schema) = (base.scim_base_url.as_str(), &access.directory.groups);
        let writer = Writer { base_url, schema, projection: &shown };
        let of = |group: &Group| held.get(&group.seq).map(Vec::as_slice).unwrap_or_default();
        let texts: Vec<String> = page.items.iter().map(|g| writer.group(g, of(g))).collect();
        Ok(Page::Written(list::write(&page.head, &texts)))
    };
    match service.read(read).await? {
        Page::Written(text) => Ok(answer::json(StatusCode::OK, text)),
        Page::Streamed(page) => {
            let (head, tail) = list::frame(&page.head, page.items.len());
            let groups = streamed(page.items, site, caller, projection);
            Ok(Streamed { head, tail, ..groups }.answer(service, None))
        }
    }
}

/// One group with its members, as far as the client wants to see them.
async fn whole(
    group: Group,
    (service, site): (&Service, &Site),
    caller: ScimCaller,
    projection: Projection,
) -> Answer {
    let version = groups::version(&group);
    let one = vec![group];
    if members::are_many(&one, &projection) {
        let answer = streamed(one, site, caller, projection);
        return Ok(answer.answer(service, Some(&version)));
    }
    let schema = &caller.directory().groups;
    let (mut held, group) = (Vec::new(), one[0].clone());
    if projection.wants("members") && group.member_count > 0 {
        let access = caller.access();
        let read = move |conn: &mut _| groups::members_of(conn, &access.directory, &one);
        held = service.read(read).await?.remove(&group.seq).unwrap_or_default();
    }
    let writer = Writer { base_url: &site.scim_base_url, schema, projection: &projection };
    Ok(answer::versioned(StatusCode::OK, &version, writer.group(&group, &held)))
}

fn streamed(
    groups: Vec<Group>,
    site: &Site,
    caller: ScimCaller,
    projection: Projection,
) -> Streamed {
    Streamed {
        head: String::new(),
        groups,
        tail: "",
        caller,
        base_url: site.scim_base_url.clone(),
        projection,
    }
}
