//! `O/members`: who is in an organization, with role and status.

use actix_web::web::{delete, get, patch};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::scim::value::format_time;
use crate::service::idempotency::Reply;
use crate::service::memberships::{self, Member};
use crate::service::{Error, Result};

use super::frame::{Answer, Call, ok};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(("GET", "O/members"), Act::ReadMembers, "List an organization's members", || {
        get().to(list)
    })
    .pages::<MemberView>(),
    Entry::new(("GET", "O/members/{user}"), Act::ReadMembers, "Read a member", || get().to(read))
        .gives::<MemberView>(200),
    Entry::new(
        ("PATCH", "O/members/{user}"),
        Act::ChangeMembers,
        "Give a member another role, or deactivate one; an admin is made by an admin",
        || patch().to(change),
    )
    .takes::<MemberChange>()
    .gives::<MemberView>(200),
    Entry::new(
        ("DELETE", "O/members/{user}"),
        Act::ChangeMembers,
        "Remove a member who was invited or added by hand",
        || delete().to(remove),
    ),
];

/// A team of a member.
#[derive(Serialize, ToSchema)]
pub(super) struct TeamOfMember {
    id: String,
    name: String,
}

impl TeamOfMember {
    /// The team with this id and name.
    pub(super) fn new((id, name): &(String, String)) -> Self {
        Self { id: id.clone(), name: name.clone() }
    }
}

/// A member.
#[derive(Serialize, ToSchema)]
struct MemberView {
    user_id: String,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    /// STAGED, INVITED, ACTIVE or DEACTIVATED.
    status: &'static str,
    /// admin, moderator or member.
    role: &'static str,
    /// invitation, automatic, mapping or manual.
    source: &'static str,
    teams: Vec<TeamOfMember>,
    /// The first time that the member worked here.
    entered_at: Option<String>,
    created_at: String,
    updated_at: String,
}

/// What is to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MemberChange {
    /// admin, moderator or member.
    role: Option<String>,
    /// A deactivation in this organization alone; false ends it.
    deactivated: Option<bool>,
}

/// A member as answers show it.
///
/// # Errors
/// Where the stored document is damaged.
pub(super) fn view(member: &Member) -> Result<Value> {
    let user = &member.user;
    let document: Value = serde_json::from_str(&user.document).map_err(Error::from)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(json!(MemberView {
        user_id: user.id.clone(),
        email: super::users::first(&document, "emails"),
        first_name: text(&document["name"]["givenName"]),
        last_name: text(&document["name"]["familyName"]),
        status: member.status().name(),
        role: member.membership.role.name(),
        source: member.membership.source.name(),
        teams: member.teams.iter().map(TeamOfMember::new).collect(),
        entered_at: member.membership.entered_at.map(format_time),
        created_at: format_time(member.membership.created_at),
        updated_at: format_time(member.membership.updated_at),
    }))
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let place = page.clone();
    let read = call.read(move |conn, at| {
        let all = memberships::page(conn, at.organization()?, place.place())?;
        all.iter().map(view).collect::<Result<Vec<Value>>>()
    });
    let all = read.await?;
    Ok(page.answer_by("user_id", all))
}

async fn read(call: Call) -> Answer {
    let user = call.part("user");
    let read =
        call.read(move |conn, at| view(&memberships::find(conn, at.organization()?, &user)?));
    Ok(ok(&read.await?))
}

async fn change(call: Call) -> Answer {
    let (user, body): (_, MemberChange) = (call.part("user"), call.json()?);
    let change = memberships::Change {
        role: super::role(body.role.as_deref())?,
        deactivated: body.deactivated,
    };
    call.write(move |cx, at| {
        Ok(Reply::new(200, view(&memberships::change(cx, at, &user, change)?)?))
    })
    .await
}

async fn remove(call: Call) -> Answer {
    let user = call.part("user");
    call.write(move |cx, at| {
        memberships::remove(cx, at, &user)?;
        Ok(Reply::nothing())
    })
    .await
}
