//! Resources as answers: the stored document, with what the server adds spliced in.
//!
//! A document is stored ready to send, so that the common answer is neither parsed nor written anew.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::{Map, Value};

use crate::domain::group::{Group, GroupRef, MemberRef};
use crate::domain::user::User;
use crate::scim::projection::Projection;
use crate::scim::schema::STATUS_URN;
use crate::scim::value::format_time;
use crate::scim::version::Version;
use crate::scim::{ResourceSchema, ResourceType};
use crate::service::groups;
use crate::service::users::UserView;

use super::SCIM_JSON;

/// Writes answers for one request.
#[derive(Clone, Copy)]
pub struct Writer<'w> {
    /// The SCIM base URL.
    pub base_url: &'w str,
    /// What names mean.
    pub schema: &'w ResourceSchema,
    /// What the client wants to see.
    pub projection: &'w Projection,
}

impl Writer<'_> {
    /// The URL of a resource (`meta.location`).
    pub fn location(&self, resource_type: ResourceType, id: &str) -> String {
        [self.base_url, "/", resource_type.endpoint(), "/", id].concat()
    }

    /// The same as a string of JSON. In an id of ours is nothing to escape.
    fn reference(&self, out: &mut String, resource_type: ResourceType, id: &str) {
        out.push('"');
        escape(out, self.base_url);
        for part in ["/", resource_type.endpoint(), "/", id, "\""] {
            out.push_str(part);
        }
    }

    /// A user, whose version this is, as JSON text.
    pub fn user(&self, view: &UserView, version: &Version) -> String {
        let user = &view.user;
        let mut out = String::with_capacity(user.document.len() + 640 + view.groups.len() * 240);
        open(&mut out, &user.document, &user.id);
        if !view.groups.is_empty() {
            out.push_str(",\"groups\":[");
            for (i, group) in view.groups.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                self.group_of_user(&mut out, group);
            }
            out.push(']');
        }
        if !self.projection.is_default() {
            status(&mut out, user);
        }
        let times = [format_time(user.created_at), format_time(user.last_modified)];
        self.meta(&mut out, (ResourceType::User, &user.id), &times, version);
        out.push('}');
        self.shown(out)
    }

    fn group_of_user(&self, out: &mut String, group: &GroupRef) {
        out.push_str("{\"value\":\"");
        out.push_str(&group.id);
        out.push_str("\",\"$ref\":");
        self.reference(out, ResourceType::Group, &group.id);
        out.push_str(",\"display\":\"");
        escape(out, &group.display_name);
        out.push_str(if group.direct {
            "\",\"type\":\"direct\"}"
        } else {
            "\",\"type\":\"indirect\"}"
        });
    }

    /// A group as JSON text, with these members.
    pub fn group(&self, group: &Group, members: &[MemberRef]) -> String {
        let mut out = String::with_capacity(group.document.len() + 512 + members.len() * 200);
        open(&mut out, &group.document, &group.id);
        if !members.is_empty() {
            out.push_str(",\"members\":[");
            for (i, member) in members.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                self.member(&mut out, member);
            }
            out.push(']');
        }
        let times = [format_time(group.created_at), format_time(group.last_modified)];
        let version = groups::version(group);
        self.meta(&mut out, (ResourceType::Group, &group.id), &times, &version);
        out.push('}');
        self.shown(out)
    }

    /// Members as the elements of a list, without its brackets.
    pub fn members(&self, members: &[MemberRef]) -> String {
        let mut out = String::with_capacity(members.len() * 200);
        for (i, member) in members.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            self.member(&mut out, member);
        }
        if self.projection.is_default() && self.schema.answers_whole() {
            return out;
        }
        let list = serde_json::from_str(&format!("[{out}]")).unwrap_or_default();
        let mut map = Map::from_iter([("members".to_owned(), Value::Array(list))]);
        self.projection.apply(self.schema, &mut map);
        let shown = map.remove("members").unwrap_or_else(|| Value::Array(Vec::new())).to_string();
        shown[1..shown.len() - 1].to_owned()
    }

    fn member(&self, out: &mut String, member: &MemberRef) {
        out.push_str("{\"value\":\"");
        out.push_str(&member.id);
        out.push_str("\",\"$ref\":");
        self.reference(out, member.key.kind, &member.id);
        out.push_str(",\"type\":\"");
        out.push_str(member.key.kind.name());
        out.push_str("\"}");
    }

    fn meta(
        &self,
        out: &mut String,
        (resource_type, id): (ResourceType, &str),
        times: &[String; 2],
        version: &Version,
    ) {
        out.push_str(",\"meta\":{\"resourceType\":\"");
        out.push_str(resource_type.name());
        out.push_str("\",\"created\":\"");
        out.push_str(&times[0]);
        out.push_str("\",\"lastModified\":\"");
        out.push_str(&times[1]);
        out.push_str("\",\"location\":");
        self.reference(out, resource_type, id);
        out.push_str(",\"version\":");
        // The quotes of a weak tag are escaped; its opaque part is digits and a hyphen.
        out.push_str("\"W/\\\"");
        out.push_str(version.opaque());
        out.push_str("\\\"\"");
        out.push('}');
    }

    /// What the client asked to see of it (RFC 7644 §3.9).
    fn shown(&self, whole: String) -> String {
        if self.projection.is_default() && self.schema.answers_whole() {
            return whole;
        }
        let Ok(mut map) = serde_json::from_str::<Map<String, Value>>(&whole) else { return whole };
        self.projection.apply(self.schema, &mut map);
        if map.contains_key(STATUS_URN)
            && let Some(Value::Array(urns)) = map.get_mut("schemas")
        {
            urns.push(Value::from(STATUS_URN));
        }
        Value::Object(map).to_string()
    }
}

/// The document without its last brace, with the id behind `schemas`.
fn open(out: &mut String, document: &str, id: &str) {
    // `schemas` comes first in every document, and no URN holds a bracket.
    let end = document.find(']').map_or(1, |i| i + 1);
    out.push_str(&document[..end]);
    out.push_str(",\"id\":\"");
    out.push_str(id);
    out.push('"');
    out.push_str(&document[end..document.len() - 1]);
}

fn status(out: &mut String, user: &User) {
    out.push_str(",\"");
    out.push_str(STATUS_URN);
    out.push_str("\":{\"status\":\"");
    out.push_str(user.status().name());
    out.push('"');
    if let Some(at) = user.activated_at {
        out.push_str(",\"activatedAt\":\"");
        out.push_str(&format_time(at));
        out.push('"');
    }
    out.push('}');
}

/// A text as it stands between the quotes of JSON; mostly there is nothing in it to escape.
fn escape(out: &mut String, text: &str) {
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    // Without a way out of the loop, so that it looks at many bytes at a time.
    if text.bytes().fold(false, |any, byte| any | special(byte)) {
        let quoted = Value::from(text).to_string();
        out.push_str(&quoted[1..quoted.len() - 1]);
    } else {
        out.push_str(text);
    }
}

/// An answer with a body of SCIM JSON.
pub fn json(status: StatusCode, body: String) -> HttpResponse {
    builder(status).body(body)
}

/// The same, with a version (RFC 7644 §3.14).
pub fn versioned(status: StatusCode, version: &Version, body: String) -> HttpResponse {
    builder(status).insert_header((header::ETAG, version.etag())).body(body)
}

/// 201 with the resource and where it lies (RFC 7644 §3.3).
pub fn created(location: String, version: &Version, body: String) -> HttpResponse {
    builder(StatusCode::CREATED)
        .insert_header((header::LOCATION, location))
        .insert_header((header::ETAG, version.etag()))
        .body(body)
}

/// 304: the client has it already.
pub fn not_modified(version: &Version) -> HttpResponse {
    HttpResponse::NotModified().insert_header((header::ETAG, version.etag())).finish()
}

pub(super) fn builder(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(SCIM_JSON)));
    answer
}

/// Whether a projection shows a user's groups, or the version that they are part of.
pub fn needs_groups(projection: &Projection) -> bool {
    projection.wants("groups") || projection.wants("meta")
}
