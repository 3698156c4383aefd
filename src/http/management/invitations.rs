//! `O/invitations`: people are let in by their e-mail address.

use actix_web::web::{delete, get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::invitation::Invitation;
use crate::domain::role::Role;
use crate::scim::value::format_time;
use crate::service::idempotency::Reply;
use crate::service::invitations;

use super::frame::{Answer, Call};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(("GET", "O/invitations"), Act::Invite, "List an organization's invitations", || {
        get().to(list)
    })
    .pages::<InvitationView>(),
    Entry::new(
        ("POST", "O/invitations"),
        Act::Invite,
        "Invite by e-mail address; access is immediate, an unknown user is made",
        || post().to(create),
    )
    .takes::<NewInvitation>()
    .gives::<InvitationView>(201),
    Entry::new(
        ("DELETE", "O/invitations/{id}"),
        Act::Invite,
        "Take an invitation back that was not accepted",
        || delete().to(remove),
    ),
];

/// An invitation.
#[derive(Serialize, ToSchema)]
struct InvitationView {
    id: String,
    email: String,
    /// admin, moderator or member.
    role: &'static str,
    /// The ids of local teams.
    teams: Vec<String>,
    /// INVITED, ACCEPTED or REVOKED.
    status: &'static str,
    invited_by: String,
    created_at: String,
    /// When it was last sent.
    sent_at: String,
    accepted_at: Option<String>,
    revoked_at: Option<String>,
    /// The member that it made; in the answer to an invitation alone.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<Value>,
}

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewInvitation {
    email: String,
    /// The organization's default role where it is absent.
    role: Option<String>,
    /// The ids of local teams.
    #[serde(default)]
    teams: Vec<String>,
    /// true where it is absent: whoever listens to events tells the user.
    notify: Option<bool>,
}

fn view(invitation: &Invitation, member: Option<Value>) -> Value {
    json!(InvitationView {
        id: invitation.id.clone(),
        email: invitation.email.clone(),
        role: invitation.role.name(),
        teams: invitation.teams.clone(),
        status: invitation.status(),
        invited_by: invitation.invited_by.clone(),
        created_at: format_time(invitation.created_at),
        sent_at: format_time(invitation.sent_at),
        accepted_at: invitation.accepted_at.map(format_time),
        revoked_at: invitation.revoked_at.map(format_time),
        member,
    })
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let place = page.clone();
    let all = call
        .read(move |conn, at| invitations::page(conn, at.organization()?, place.place()))
        .await?;
    Ok(page.answer(all.iter().map(|invitation| view(invitation, None)).collect()))
}

async fn create(call: Call) -> Answer {
    let body: NewInvitation = call.json()?;
    let role: Option<Role> = super::role(body.role.as_deref())?;
    let new = invitations::NewInvitation {
        email: body.email,
        role: role.unwrap_or(call.organization()?.default_role),
        teams: body.teams,
        notify: body.notify.unwrap_or(true),
    };
    call.write(move |cx, at| {
        let done = invitations::create(cx, at, &new)?;
        let member = super::members::view(&done.member)?;
        let status = if done.again { 200 } else { 201 };
        Ok(Reply::new(status, view(&done.invitation, Some(member))))
    })
    .await
}

async fn remove(call: Call) -> Answer {
    let id = call.part("id");
    call.write(move |cx, at| {
        invitations::revoke(cx, at, &id)?;
        Ok(Reply::nothing())
    })
    .await
}
