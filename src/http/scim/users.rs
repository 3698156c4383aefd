//! `/Users` (RFC 7644 §3.3 to §3.6).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::Site;
use crate::http::body::{SMALL, ScimBody};
use crate::http::caller::ScimCaller;
use crate::http::error::ScimFailure;
use crate::scim::ResourceType;
use crate::scim::list::{self, ListQuery};
use crate::scim::patch as patch_message;
use crate::scim::projection::Projection;
use crate::service::lists::{self, Reader};
use crate::service::users::{self, UserView};
use crate::service::{Cx, Result, Service};

use super::answer::{self, Writer};
use super::{id, if_match, is_known, list_query, log_left_out, projection};

type Answer = std::result::Result<HttpResponse, ScimFailure>;

/// `POST /Users`.
pub async fn create(
    request: HttpRequest,
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
    body: ScimBody<SMALL>,
) -> Answer {
    let (projection, _) = projection(&request, &caller.directory().users)?;
    let new = users::read_new(&caller.directory().users, body.object)?;
    let written = service.create_user(caller.access(), new).await?;
    log_left_out(&written.left_out);
    let writer = writer(&caller, &site, &projection);
    let location = writer.location(ResourceType::User, &written.item.user.id);
    let version = written.item.version();
    Ok(answer::created(location, &version, writer.user(&written.item, &version)))
}

/// `GET /Users/{id}`.
pub async fn read(
    request: HttpRequest,
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
) -> Answer {
    let (projection, _) = projection(&request, &caller.directory().users)?;
    let id = id(&request)?;
    let access = caller.access();
    let view = service.look_up(move |conn| users::find(conn, &access.directory, &id)).await?;
    let version = view.version();
    if is_known(&request, &version)? {
        return Ok(answer::not_modified(&version));
    }
    let body = writer(&caller, &site, &projection).user(&view, &version);
    Ok(answer::versioned(StatusCode::OK, &version, body))
}

/// `PUT /Users/{id}`.
pub async fn replace(
    request: HttpRequest,
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
    body: ScimBody<SMALL>,
) -> Answer {
    let (projection, _) = projection(&request, &caller.directory().users)?;
    let (id, if_match) = (id(&request)?, if_match(&request)?);
    let body = users::read_body(&caller.directory().users, body.object)?;
    let access = caller.access();
    let unit = move |cx: &mut Cx<'_>| {
        users::replace(cx, &access.directory, (&id, if_match.as_ref()), body)
    };
    let written = service.transact(unit).await?;
    log_left_out(&written.left_out);
    Ok(changed(&written.item, writer(&caller, &site, &projection)))
}

/// `PATCH /Users/{id}`: 200 with the user (ruling 5).
pub async fn patch(
    request: HttpRequest,
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
    body: ScimBody<SMALL>,
) -> Answer {
    let (projection, _) = projection(&request, &caller.directory().users)?;
    let (id, if_match) = (id(&request)?, if_match(&request)?);
    let operations = patch_message::parse(body.object)?;
    let access = caller.access();
    let unit = move |cx: &mut Cx<'_>| {
        users::patch(cx, &access.directory, (&id, if_match.as_ref()), &operations)
    };
    let written = service.transact(unit).await?;
    log_left_out(&written.left_out);
    Ok(changed(&written.item, writer(&caller, &site, &projection)))
}

/// `DELETE /Users/{id}`.
pub async fn delete(
    request: HttpRequest,
    service: web::Data<Service>,
    caller: ScimCaller,
) -> Answer {
    let (id, if_match) = (id(&request)?, if_match(&request)?);
    let access = caller.access();
    let unit = move |cx: &mut Cx<'_>| users::delete(cx, &access.directory, &id, if_match.as_ref());
    service.transact(unit).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /Users`.
pub async fn list(
    request: HttpRequest,
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
) -> Answer {
    listing(list_query(&request)?, (service, site), caller).await
}

/// `POST /Users/.search` (RFC 7644 §3.4.3).
pub async fn search(
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
    body: ScimBody<SMALL>,
) -> Answer {
    listing(list::from_search(body.object)?, (service, site), caller).await
}

async fn listing(
    query: ListQuery,
    (service, site): (web::Data<Service>, web::Data<Site>),
    caller: ScimCaller,
) -> Answer {
    let schema = &caller.directory().users;
    let (attributes, excluded) =
        (query.attributes.as_deref(), query.excluded_attributes.as_deref());
    let projection = Projection::new(schema, attributes, excluded)?;
    let asked = lists::understand(caller.directory(), ResourceType::User, query)?;
    let with_groups = answer::needs_groups(&projection);
    let (reading, access) = (service.clone(), caller.access());
    let point = asked.point().is_some();
    // The answer is written where the page is read: what a thread has taken of the heap it gives back
    // itself, and a worker of the network writes no hundred users.
    let read = move |conn: &mut _| -> Result<_> {
        let reader = Reader::new(&access.directory, &reading);
        let page = lists::users(conn, reader, &asked, with_groups)?;
        let (base_url, schema) = (site.scim_base_url.as_str(), &access.directory.users);
        let writer = Writer { base_url, schema, projection: &projection };
        let texts: Vec<String> =
            page.items.iter().map(|view| writer.user(view, &view.version())).collect();
        Ok(list::write(&page.head, &texts))
    };
    let text = if point { service.look_up(read).await? } else { service.read(read).await? };
    Ok(answer::json(StatusCode::OK, text))
}

fn changed(view: &UserView, writer: Writer<'_>) -> HttpResponse {
    let version = view.version();
    answer::versioned(StatusCode::OK, &version, writer.user(view, &version))
}

fn writer<'w>(caller: &'w ScimCaller, site: &'w Site, projection: &'w Projection) -> Writer<'w> {
    Writer { base_url: &site.scim_base_url, schema: &caller.directory().users, projection }
}
